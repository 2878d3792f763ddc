//! Static checks of an expression: names, types and closed value sets.
//!
//! CEL detects a misspelt name only at run time and a misspelt value never: `incident.severity ==
//! "crit"` would simply be false for ever.

use std::collections::{BTreeMap, BTreeSet};

use cel::common::ast::{
    CallExpr, ComprehensionExpr, Expr, LiteralValue, SelectExpr, SourceInfo, operators,
};
use cel::parser::Expression;

use super::schema::{FUNCTIONS, Field, SEVERITIES, Type};
use crate::expr::fault::ExprFault;
use crate::expr::root::Root;
use crate::model::fault::nearest;

type Reads = BTreeMap<Root, BTreeSet<(&'static str, Type)>>;

/// Checks `expression` and converts all its numbers to doubles, since CEL does not mix int and
/// double in arithmetic.
pub(crate) fn check(
    expression: &mut Expression,
    source: &str,
    places: &SourceInfo,
    (roots, severities): (&[Root], &[&str]),
) -> Result<Reads, ExprFault> {
    let mut checker = Checker {
        source,
        places,
        roots,
        severities,
        reads: Reads::new(),
        variables: Vec::new(),
    };
    let found = checker.visit(expression)?;
    if found.kind == Type::Bool {
        Ok(checker.reads)
    } else {
        Err(ExprFault {
            offset: 0,
            message: format!(
                "this gives {}; it must give true or false",
                found.kind.words()
            ),
        })
    }
}

/// Type of an expression and its possible values, where these are a closed set.
#[derive(Clone, Copy)]
struct Typed {
    kind: Type,
    words: &'static [&'static str],
}

impl From<Type> for Typed {
    fn from(kind: Type) -> Self {
        Self { kind, words: &[] }
    }
}

struct Checker<'a> {
    source: &'a str,
    places: &'a SourceInfo,
    roots: &'a [Root],
    /// The words that severities have.
    severities: &'a [&'a str],
    reads: Reads,
    /// Variables of the enclosing macros.
    variables: Vec<(String, Type)>,
}

impl Checker<'_> {
    fn visit(&mut self, node: &mut Expression) -> Result<Typed, ExprFault> {
        let id = node.id;
        match &mut node.expr {
            Expr::Literal(literal) => self.literal(id, literal),
            Expr::Ident(name) => self.name(id, name),
            Expr::Select(select) => self.select(select),
            Expr::List(list) => self.list(id, &mut list.elements),
            Expr::Call(call) => {
                let found = self.call(id, call)?;
                if call.func_name == "size" {
                    let size = Expression {
                        id,
                        expr: std::mem::take(&mut node.expr),
                    };
                    node.expr = Expr::Call(CallExpr {
                        func_name: "double".to_owned(),
                        target: None,
                        args: vec![size],
                    });
                }
                Ok(found)
            }
            Expr::Comprehension(macro_call) => self.macro_call(id, macro_call),
            Expr::Map(_) | Expr::Struct(_) => Err(self.fault(id, "maps cannot be written here")),
            Expr::Unspecified => Err(self.fault(id, "an expression is missing here")),
        }
    }

    fn literal(&self, id: u64, literal: &mut LiteralValue) -> Result<Typed, ExprFault> {
        match literal {
            LiteralValue::Boolean(_) => Ok(Type::Bool.into()),
            LiteralValue::String(_) => Ok(Type::Text.into()),
            LiteralValue::Double(_) => Ok(Type::Number.into()),
            #[expect(
                clippy::cast_precision_loss,
                reason = "beyond 2^53 nothing here is counted"
            )]
            LiteralValue::Int(value) => {
                *literal = LiteralValue::Double((*value.inner() as f64).into());
                Ok(Type::Number.into())
            }
            LiteralValue::UInt(_) => Err(self.fault(id, "write the number without `u`")),
            LiteralValue::Bytes(_) => Err(self.fault(id, "write the text without `b`")),
            LiteralValue::Null => Err(self.fault(
                id,
                "`null` is not available; use `has(...)` to test that a field is known",
            )),
        }
    }

    fn name(&self, id: u64, name: &str) -> Result<Typed, ExprFault> {
        if let Some((_, kind)) = self
            .variables
            .iter()
            .rev()
            .find(|(variable, _)| variable == name)
        {
            return Ok((*kind).into());
        }
        let offset = self.locate(id, name);
        let allowed = || self.roots.iter().map(|root| root.name());
        let list = allowed()
            .map(|name| format!("`{name}`"))
            .collect::<Vec<_>>()
            .join(", ");
        let message = if allowed().any(|root| root == name) {
            let fields = Root::ALL
                .into_iter()
                .find(|root| root.name() == name)
                .map(|root| names(root.fields()))
                .unwrap_or_default();
            format!("`{name}` needs one of its fields: {fields}")
        } else if Root::ALL.iter().any(|root| root.name() == name) {
            format!("`{name}` is not known here; known here: {list}")
        } else if let Some(meant) = nearest(name, allowed()) {
            format!("unknown name `{name}`; did you mean `{meant}`?")
        } else {
            format!("unknown name `{name}`; known here: {list}")
        };
        Err(ExprFault { offset, message })
    }

    fn select(&mut self, select: &mut SelectExpr) -> Result<Typed, ExprFault> {
        let found = self.selected(select)?;
        Ok(if select.test {
            Type::Bool.into()
        } else {
            found
        })
    }

    fn selected(&mut self, select: &mut SelectExpr) -> Result<Typed, ExprFault> {
        let operand = select.operand.id;
        if let Expr::Ident(name) = &select.operand.expr {
            let is_variable = self.variables.iter().any(|(variable, _)| variable == name);
            if let Some(root) = self
                .roots
                .iter()
                .copied()
                .find(|root| root.name() == name && !is_variable)
            {
                return self.field(operand, root, &select.field);
            }
        }
        match self.visit(&mut select.operand)?.kind {
            Type::Labels => Ok(Type::Text.into()),
            other => {
                let offset = self.locate(operand, &select.field);
                Err(ExprFault {
                    offset,
                    message: format!("{} has no field `{}`", other.words(), select.field),
                })
            }
        }
    }

    fn field(&mut self, operand: u64, root: Root, name: &str) -> Result<Typed, ExprFault> {
        if let Some(field) = root.fields().iter().find(|field| field.name == name) {
            self.reads
                .entry(root)
                .or_default()
                .insert((field.name, field.kind));
            return Ok(Typed {
                kind: field.kind,
                words: field.words,
            });
        }
        let meant = nearest(name, root.fields().iter().map(|field| field.name));
        let meant = meant
            .map(|name| format!(" did you mean `{name}`?"))
            .unwrap_or_default();
        let message = format!(
            "`{}` has no field `{name}`;{meant} known: {}",
            root.name(),
            names(root.fields())
        );
        // Skips the root's own name, which may contain the field's.
        let after = self.start(operand) + root.name().len();
        Err(ExprFault {
            offset: self.locate_from(after, name),
            message,
        })
    }

    fn list(&mut self, id: u64, elements: &mut [Expression]) -> Result<Typed, ExprFault> {
        let mut kind = None;
        for element in elements {
            let found = self.visit(element)?.kind;
            if *kind.get_or_insert(found) != found {
                return Err(self.fault(element.id, "the entries of a list must be of one type"));
            }
        }
        match kind {
            Some(Type::Text) => Ok(Type::Texts.into()),
            Some(Type::Number) => Ok(Type::Numbers.into()),
            Some(_) => Err(self.fault(id, "a list here holds text or numbers")),
            None => Err(self.fault(id, "the list is empty; give at least one entry")),
        }
    }

    fn call(&mut self, id: u64, call: &mut CallExpr) -> Result<Typed, ExprFault> {
        let name = call.func_name.as_str();
        match (name, call.args.as_mut_slice()) {
            (operators::LOGICAL_AND | operators::LOGICAL_OR, [left, right]) => {
                self.want(left, Type::Bool)?;
                self.want(right, Type::Bool)
            }
            (operators::LOGICAL_NOT, [operand]) => self.want(operand, Type::Bool),
            (operators::NEGATE, [operand]) => self.want(operand, Type::Number),
            (operators::CONDITIONAL, [condition, yes, no]) => {
                self.want(condition, Type::Bool)?;
                let kind = self.visit(yes)?.kind;
                self.want(no, kind)
            }
            (operators::EQUALS | operators::NOT_EQUALS, [left, right]) => {
                self.equality(left, right)
            }
            (
                operators::LESS
                | operators::LESS_EQUALS
                | operators::GREATER
                | operators::GREATER_EQUALS,
                [left, right],
            ) => {
                let found = self.visit(left)?;
                if found.kind == Type::Text {
                    return Err(self.fault(id, "text has no order; use `==` or `in [...]`"));
                }
                self.same(left, found, Type::Number)?;
                self.want(right, Type::Number)?;
                Ok(Type::Bool.into())
            }
            (
                operators::ADD | operators::SUBSTRACT | operators::MULTIPLY | operators::DIVIDE,
                [left, right],
            ) => {
                self.want(left, Type::Number)?;
                self.want(right, Type::Number)
            }
            (operators::IN, [element, list]) => self.membership(element, list),
            (operators::INDEX, [map, key]) => {
                let found = self.visit(map)?;
                if found.kind != Type::Labels {
                    return Err(self.fault(
                        id,
                        "`[...]` works on labels only; for a list use `in`, `exists` or `all`",
                    ));
                }
                self.want(key, Type::Text)?;
                Ok(Type::Text.into())
            }
            ("size", args) => {
                let target = call.target.as_deref_mut();
                let one = match (target, args) {
                    (Some(target), []) => target,
                    (None, [only]) => only,
                    _ => {
                        return Err(
                            self.fault(id, "`size` takes one argument: `size(incident.services)`")
                        );
                    }
                };
                match self.visit(one)?.kind {
                    Type::Number | Type::Bool => {
                        Err(self.fault(id, "only text, lists and labels have a size"))
                    }
                    Type::Text | Type::Texts | Type::Numbers | Type::Labels => {
                        Ok(Type::Number.into())
                    }
                }
            }
            ("contains" | "startsWith" | "endsWith", [part]) if call.target.is_some() => {
                if let Some(target) = call.target.as_deref_mut() {
                    let found = self.visit(target)?;
                    if found.kind == Type::Texts && name == "contains" {
                        return Err(self.fault(
                            id,
                            "for a list use `in`: `\"checkout\" in incident.services`",
                        ));
                    }
                    self.same(target, found, Type::Text)?;
                }
                self.want(part, Type::Text)?;
                Ok(Type::Bool.into())
            }
            _ => Err(self.no_function(id, name)),
        }
    }

    fn no_function(&self, id: u64, name: &str) -> ExprFault {
        let offset = self.locate_function(id, name);
        let known = FUNCTIONS
            .iter()
            .map(|(name, _)| format!("`{name}`"))
            .collect::<Vec<_>>()
            .join(", ");
        let message = match name {
            "contains" | "startsWith" | "endsWith" => {
                format!("write it after the text: `incident.title.{name}(\"…\")`")
            }
            "exists" | "all" => {
                format!("write it after a list: `incident.services.{name}(s, s.startsWith(\"…\"))`")
            }
            "has" => "`has` takes one field: `has(signal.labels.team)`".to_owned(),
            operators::MODULO => "`%` is not available".to_owned(),
            _ => match nearest(name, FUNCTIONS.iter().map(|(name, _)| *name)) {
                Some(meant) => format!("unknown function `{name}`; did you mean `{meant}`?"),
                None => format!("unknown function `{name}`; known: {known}"),
            },
        };
        ExprFault { offset, message }
    }

    fn equality(
        &mut self,
        left: &mut Expression,
        right: &mut Expression,
    ) -> Result<Typed, ExprFault> {
        let (first, second) = (self.visit(left)?, self.visit(right)?);
        if first.kind != second.kind {
            let message = format!(
                "{} is never equal to {}",
                second.kind.words(),
                first.kind.words()
            );
            return Err(self.fault(right.id, message));
        }
        self.word(first.words, right)?;
        self.word(second.words, left)?;
        Ok(Type::Bool.into())
    }

    fn membership(
        &mut self,
        element: &mut Expression,
        list: &mut Expression,
    ) -> Result<Typed, ExprFault> {
        let (found, many) = (self.visit(element)?, self.visit(list)?);
        let wanted = match many.kind {
            Type::Texts | Type::Labels => Type::Text,
            Type::Numbers => Type::Number,
            other @ (Type::Text | Type::Number | Type::Bool) => {
                return Err(self.fault(
                    list.id,
                    format!(
                        "`in` needs a list or labels on its right, and this is {}",
                        other.words()
                    ),
                ));
            }
        };
        self.same(element, found, wanted)?;
        if let Expr::List(literal) = &list.expr {
            for entry in &literal.elements {
                self.word(found.words, entry)?;
            }
        }
        Ok(Type::Bool.into())
    }

    /// Rejects a value the field can never have, which would be silently false.
    fn word(&self, words: &[&str], node: &Expression) -> Result<(), ExprFault> {
        let Expr::Literal(LiteralValue::String(text)) = &node.expr else {
            return Ok(());
        };
        let text = text.inner();
        let words = if words == SEVERITIES {
            self.severities
        } else {
            words
        };
        if words.is_empty() || words.contains(&text) {
            return Ok(());
        }
        let meant = nearest(text, words.iter().copied())
            .map(|word| format!(" did you mean \"{word}\"?"))
            .unwrap_or_default();
        let list = words
            .iter()
            .map(|word| format!("\"{word}\""))
            .collect::<Vec<_>>()
            .join(", ");
        Err(self.fault(
            node.id,
            format!("the field never has the value \"{text}\";{meant} known: {list}"),
        ))
    }

    /// `exists` and `all`; CEL's parser has already expanded them into a loop.
    fn macro_call(&mut self, id: u64, call: &mut ComprehensionExpr) -> Result<Typed, ExprFault> {
        let starts_with = match &call.accu_init.expr {
            Expr::Literal(LiteralValue::Boolean(value)) => Some(*value.inner()),
            _ => None,
        };
        let body = match (starts_with, &mut call.loop_step.expr) {
            (Some(false), Expr::Call(step)) if step.func_name == operators::LOGICAL_OR => {
                step.args.get_mut(1)
            }
            (Some(true), Expr::Call(step)) if step.func_name == operators::LOGICAL_AND => {
                step.args.get_mut(1)
            }
            _ => None,
        };
        let Some(body) = body else {
            return Err(self.fault(
                id,
                "of CEL's macros only `has`, `exists` and `all` are available",
            ));
        };
        if !self.variables.is_empty() {
            return Err(self.fault(id, "`exists` and `all` cannot be nested"));
        }
        let element = match self.visit(&mut call.iter_range)?.kind {
            Type::Texts | Type::Labels => Type::Text,
            Type::Numbers => Type::Number,
            other @ (Type::Text | Type::Number | Type::Bool) => {
                return Err(self.fault(
                    call.iter_range.id,
                    format!(
                        "`exists` and `all` need a list, and this is {}",
                        other.words()
                    ),
                ));
            }
        };
        self.variables.push((call.iter_var.clone(), element));
        let found = self.want(body, Type::Bool);
        self.variables.pop();
        found
    }

    fn want(&mut self, node: &mut Expression, kind: Type) -> Result<Typed, ExprFault> {
        let found = self.visit(node)?;
        self.same(node, found, kind)?;
        Ok(kind.into())
    }

    fn same(&self, node: &Expression, found: Typed, kind: Type) -> Result<(), ExprFault> {
        if found.kind == kind {
            return Ok(());
        }
        Err(self.fault(
            node.id,
            format!(
                "{} is needed here, not {}",
                kind.words(),
                found.kind.words()
            ),
        ))
    }

    fn fault(&self, id: u64, message: impl Into<String>) -> ExprFault {
        ExprFault {
            offset: self.start(id),
            message: message.into(),
        }
    }

    /// Start of a node, in characters.
    fn start(&self, id: u64) -> usize {
        self.places
            .offset_for(id)
            .map_or(0, |(start, _)| start as usize)
    }

    /// Position of `word` in a node that starts at or before it.
    fn locate(&self, id: u64, word: &str) -> usize {
        self.locate_from(self.start(id), word)
    }

    /// Position of a function's name: a call starts at its bracket, after the name.
    fn locate_function(&self, id: u64, name: &str) -> usize {
        let start = self.start(id);
        let before: String = self.source.chars().take(start).collect();
        match before.trim_end().strip_suffix(name) {
            Some(before) => before.chars().count(),
            None => self.locate_from(start, name),
        }
    }

    fn locate_from(&self, start: usize, word: &str) -> usize {
        let Some((byte, _)) = self.source.char_indices().nth(start) else {
            return start;
        };
        let rest = &self.source[byte..];
        rest.find(word)
            .map_or(start, |found| start + rest[..found].chars().count())
    }
}

fn names(fields: &[Field]) -> String {
    fields
        .iter()
        .map(|field| format!("`{}`", field.name))
        .collect::<Vec<_>>()
        .join(", ")
}
