//! Compiles CEL's syntax tree to our own and checks names, functions, argument counts, patterns and
//! zones.

use cel::common::ast::{
    CallExpr, ComprehensionExpr, EntryExpr, Expr, LiteralValue, SourceInfo, operators,
};
use cel::parser::Expression;
use regex::RegexBuilder;
use serde_json::Value as Json;

use super::functions::number;
use super::node::{CALLS, EachKind, FUNCTIONS, JsonNode, MacroCall};
use super::times;
use crate::expr::fault::ExprFault;
use crate::expr::tree::{Arithmetic, OrderTest};
use crate::model::fault::nearest;

/// Maximum size of a compiled pattern, in bytes.
const PATTERN: usize = 1 << 17;

type Compiled = Result<JsonNode, ExprFault>;
/// Builds a node from two operands.
type OfTwo = Box<dyn FnOnce(Box<(JsonNode, JsonNode)>) -> JsonNode>;

/// Names, each with a field of it that is read.
pub(crate) type Fields = Vec<(&'static str, String)>;

/// The tree, and the fields it reads by name.
pub(crate) fn node(
    expression: &Expression,
    source: &str,
    places: &SourceInfo,
    names: &[&'static str],
) -> Result<(JsonNode, Fields), ExprFault> {
    let mut planter = Planter {
        source,
        places,
        names,
        fields: Vec::new(),
        variables: Vec::new(),
    };
    let node = planter.node(expression)?;
    Ok((node, planter.fields))
}

/// All texts an expression can return, when all of them are literals in it.
pub(crate) fn texts(expression: &Expression, places: &SourceInfo) -> Option<Vec<(usize, String)>> {
    match &expression.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(vec![(
            start(places, expression.id),
            text.inner().to_owned(),
        )]),
        // Null adds no further text.
        Expr::Literal(LiteralValue::Null) => Some(Vec::new()),
        Expr::Call(call) if call.func_name == operators::CONDITIONAL => {
            let [_, yes, no] = call.args.as_slice() else {
                return None;
            };
            let mut all = texts(yes, places)?;
            all.extend(texts(no, places)?);
            Some(all)
        }
        _ => None,
    }
}

fn start(places: &SourceInfo, id: u64) -> usize {
    places.offset_for(id).map_or(0, |(start, _)| start as usize)
}

struct Planter<'a> {
    source: &'a str,
    places: &'a SourceInfo,
    names: &'a [&'static str],
    fields: Fields,
    /// Variables of the enclosing macros, outermost first.
    variables: Vec<String>,
}

impl Planter<'_> {
    fn node(&mut self, expression: &Expression) -> Compiled {
        let id = expression.id;
        match &expression.expr {
            Expr::Literal(literal) => self.literal(id, literal).map(JsonNode::Literal),
            Expr::Ident(name) => self.name(id, name),
            Expr::Select(select) => {
                let operand = Box::new(self.node(&select.operand)?);
                self.field(&operand, &select.field);
                Ok(if select.test {
                    JsonNode::Has(operand, select.field.clone())
                } else {
                    JsonNode::Field(operand, select.field.clone())
                })
            }
            Expr::List(list) if list.optional_indices.is_empty() => {
                self.nodes(&list.elements).map(JsonNode::List)
            }
            Expr::Map(map) => {
                let entries = map.entries.iter().map(|entry| match &entry.expr {
                    EntryExpr::MapEntry(entry) if !entry.optional => {
                        Ok((self.node(&entry.key)?, self.node(&entry.value)?))
                    }
                    _ => Err(self.fault(id, "this part of CEL is not available")),
                });
                entries.collect::<Result<_, _>>().map(JsonNode::Map)
            }
            Expr::Call(call) => self.call(id, call),
            Expr::Comprehension(call) => self.each(id, call),
            Expr::Struct(_) | Expr::List(_) => {
                Err(self.fault(id, "this part of CEL is not available"))
            }
            Expr::Unspecified => Err(self.fault(id, "an expression is missing here")),
        }
    }

    fn nodes(&mut self, expressions: &[Expression]) -> Result<Vec<JsonNode>, ExprFault> {
        expressions
            .iter()
            .map(|expression| self.node(expression))
            .collect()
    }

    fn literal(&self, id: u64, literal: &LiteralValue) -> Result<Json, ExprFault> {
        Ok(match literal {
            LiteralValue::Boolean(value) => (*value.inner()).into(),
            LiteralValue::String(text) => text.inner().into(),
            LiteralValue::Int(value) => (*value.inner()).into(),
            LiteralValue::Double(value) => {
                number(*value.inner()).map_err(|_| self.fault(id, "this is not a number"))?
            }
            LiteralValue::Null => Json::Null,
            LiteralValue::UInt(_) => return Err(self.fault(id, "write the number without `u`")),
            LiteralValue::Bytes(_) => return Err(self.fault(id, "write the text without `b`")),
        })
    }

    fn name(&mut self, id: u64, name: &str) -> Compiled {
        if let Some(place) = self.variables.iter().rposition(|variable| variable == name) {
            return Ok(JsonNode::Variable(place, name.to_owned()));
        }
        if let Some(known) = self.names.iter().find(|known| **known == name) {
            return Ok(JsonNode::Name(known));
        }
        let known = || {
            self.names
                .iter()
                .copied()
                .chain(self.variables.iter().map(String::as_str))
        };
        let message = match nearest(name, known()) {
            Some(meant) => format!("unknown name `{name}`; did you mean `{meant}`?"),
            None => {
                let known: Vec<String> = known().map(|name| format!("`{name}`")).collect();
                format!(
                    "unknown name `{name}`; known here: {}. Put text in quotes: \"{name}\"",
                    known.join(", ")
                )
            }
        };
        Err(self.fault(id, message))
    }

    fn call(&mut self, id: u64, call: &CallExpr) -> Compiled {
        let name = call.func_name.as_str();
        let mut parts: Vec<&Expression> = call.target.iter().map(AsRef::as_ref).collect();
        parts.extend(&call.args);
        if let Some(made) = self.operator(name, &parts) {
            return made;
        }
        let after = call.target.is_some();
        match (name, parts.as_slice()) {
            ("first", [_, ..]) if !after => {
                return parts
                    .iter()
                    .map(|part| self.node(part))
                    .collect::<Result<_, _>>()
                    .map(JsonNode::First);
            }
            ("extract", [text, pattern]) if after => {
                return Ok(JsonNode::Extract(
                    Box::new(self.node(text)?),
                    self.pattern(pattern)?,
                ));
            }
            ("matches", [text, pattern]) if after => {
                return Ok(JsonNode::Matches(
                    Box::new(self.node(text)?),
                    self.pattern(pattern)?,
                ));
            }
            ("local", [text, zone]) if !after => {
                let zone = match &zone.expr {
                    Expr::Literal(LiteralValue::String(name)) => Ok(times::zone(name.inner())
                        .ok_or_else(|| {
                            self.fault(
                                zone.id,
                                format!(
                                    "`{}` is not a time zone; write for example \"Europe/Berlin\"",
                                    name.inner()
                                ),
                            )
                        })?),
                    _ => Err(Box::new(self.node(zone)?)),
                };
                return Ok(JsonNode::Local(Box::new(self.node(text)?), zone));
            }
            _ => {}
        }
        let known = FUNCTIONS.iter().find(|(known, _, method, count)| {
            // `size` is written before or after its operand.
            *known == name && *count == parts.len() && (*method == after || *known == "size")
        });
        match known {
            Some((_, function, ..)) => parts
                .iter()
                .map(|part| self.node(part))
                .collect::<Result<_, _>>()
                .map(|parts| JsonNode::Call(*function, parts)),
            None => Err(self.no_function(id, name)),
        }
    }

    fn operator(&mut self, name: &str, parts: &[&Expression]) -> Option<Compiled> {
        let order = |order: OrderTest| move |both| JsonNode::Order(order, both);
        let arithmetic = |kind: Arithmetic| move |both| JsonNode::Arithmetic(kind, both);
        let made: OfTwo = match name {
            operators::LOGICAL_NOT | operators::NEGATE => {
                let [operand] = parts else { return None };
                let make = if name == operators::NEGATE {
                    JsonNode::Negative
                } else {
                    JsonNode::Not
                };
                return Some(self.node(operand).map(Box::new).map(make));
            }
            operators::CONDITIONAL => {
                let [condition, yes, no] = parts else {
                    return None;
                };
                let all = self
                    .node(condition)
                    .and_then(|condition| Ok((condition, self.node(yes)?, self.node(no)?)));
                return Some(all.map(Box::new).map(JsonNode::Choice));
            }
            operators::LOGICAL_AND => Box::new(|both| JsonNode::Logic(false, both)),
            operators::LOGICAL_OR => Box::new(|both| JsonNode::Logic(true, both)),
            operators::EQUALS => Box::new(|both| JsonNode::Equal(true, both)),
            operators::NOT_EQUALS => Box::new(|both| JsonNode::Equal(false, both)),
            operators::LESS => Box::new(order(OrderTest::Less)),
            operators::LESS_EQUALS => Box::new(order(OrderTest::AtMost)),
            operators::GREATER => Box::new(order(OrderTest::More)),
            operators::GREATER_EQUALS => Box::new(order(OrderTest::AtLeast)),
            operators::ADD => Box::new(arithmetic(Arithmetic::Plus)),
            operators::SUBSTRACT => Box::new(arithmetic(Arithmetic::Minus)),
            operators::MULTIPLY => Box::new(arithmetic(Arithmetic::Times)),
            operators::DIVIDE => Box::new(arithmetic(Arithmetic::By)),
            operators::IN => Box::new(JsonNode::In),
            operators::INDEX => Box::new(JsonNode::Index),
            _ => return None,
        };
        let [left, right] = parts else { return None };
        let both = self
            .node(left)
            .and_then(|left| Ok((left, self.node(right)?)));
        if let Ok(
            (of, JsonNode::Literal(Json::String(field)))
            | (JsonNode::Literal(Json::String(field)), of),
        ) = &both
            && matches!(name, operators::INDEX | operators::IN)
        {
            self.field(of, field);
        }
        Some(both.map(Box::new).map(made))
    }

    /// Records the read of a field, if its operand is a name.
    fn field(&mut self, of: &JsonNode, field: &str) {
        if let JsonNode::Name(name) = of {
            self.fields.push((name, field.to_owned()));
        }
    }

    fn pattern(&self, expression: &Expression) -> Result<regex::Regex, ExprFault> {
        let Expr::Literal(LiteralValue::String(pattern)) = &expression.expr else {
            return Err(self.fault(
                expression.id,
                "the pattern must be a literal text in quotes",
            ));
        };
        RegexBuilder::new(pattern.inner())
            .size_limit(PATTERN)
            .build()
            .map_err(|error| {
                let why = error.to_string();
                let why = why
                    .lines()
                    .last()
                    .unwrap_or_default()
                    .trim_start_matches("error: ");
                self.fault(expression.id, format!("not a pattern: {why}"))
            })
    }

    /// A macro, which CEL's parser has expanded into a loop that folds into its first operand.
    fn each(&mut self, id: u64, call: &ComprehensionExpr) -> Compiled {
        let Some((kind, filter, body)) = parts(call).filter(|_| call.iter_var2.is_none()) else {
            return Err(self.fault(id, "this macro of CEL is not available"));
        };
        let over = self.node(&call.iter_range)?;
        self.variables.push(call.iter_var.clone());
        let filter = filter.map(|filter| self.node(filter)).transpose();
        let body = filter.and_then(|filter| Ok((filter, self.node(body)?)));
        self.variables.pop();
        let (filter, body) = body?;
        Ok(JsonNode::Each(Box::new(MacroCall {
            kind,
            over,
            filter,
            body,
        })))
    }

    fn no_function(&self, id: u64, name: &str) -> ExprFault {
        let message = match name {
            operators::MODULO => "`%` is not available".to_owned(),
            _ if CALLS.contains(&name) => match FUNCTIONS.iter().find(|(known, ..)| *known == name)
            {
                Some((_, _, true, count)) => {
                    let rest = vec!["…"; count - 1].join(", ");
                    format!("write `{name}` after a text or list: `body.title.{name}({rest})`")
                }
                Some(_) => format!("`{name}` takes one value: `{name}(body.value)`"),
                None if matches!(name, "extract" | "matches") => {
                    format!("write `{name}` after a text: `body.title.{name}(\"…\")`")
                }
                None if name == "local" => {
                    "`local` takes a time and a zone: `local(body.time, \"Europe/Berlin\")`"
                        .to_owned()
                }
                None if name == "first" => {
                    "`first` takes alternatives: `first(body.a, body.b, \"…\")`".to_owned()
                }
                None if name == "has" => "`has` takes one field: `has(body.title)`".to_owned(),
                None => format!("write `{name}` after a list: `body.alerts.{name}(a, …)`"),
            },
            _ => match nearest(name, CALLS) {
                Some(meant) => format!("unknown function `{name}`; did you mean `{meant}`?"),
                None => format!(
                    "unknown function `{name}`; known: {}",
                    CALLS.map(|name| format!("`{name}`")).join(", ")
                ),
            },
        };
        // A call starts at its bracket, after the name.
        let start = start(self.places, id);
        let before: String = self.source.chars().take(start).collect();
        let offset = before
            .trim_end()
            .strip_suffix(name)
            .map_or(start, |before| before.chars().count());
        ExprFault { offset, message }
    }

    fn fault(&self, id: u64, message: impl Into<String>) -> ExprFault {
        ExprFault {
            offset: start(self.places, id),
            message: message.into(),
        }
    }
}

/// The source parts of a macro: its kind, its filter and its result.
fn parts(call: &ComprehensionExpr) -> Option<(EachKind, Option<&Expression>, &Expression)> {
    let Expr::Call(step) = &call.loop_step.expr else {
        return None;
    };
    let args = step.args.as_slice();
    match (&call.accu_init.expr, step.func_name.as_str(), args) {
        (Expr::Literal(LiteralValue::Boolean(_)), operators::LOGICAL_OR, [_, body]) => {
            Some((EachKind::Exists, None, body))
        }
        (Expr::Literal(LiteralValue::Boolean(_)), operators::LOGICAL_AND, [_, body]) => {
            Some((EachKind::All, None, body))
        }
        (Expr::Literal(LiteralValue::Int(_)), operators::CONDITIONAL, [body, _, _]) => {
            Some((EachKind::One, None, body))
        }
        (Expr::List(_), operators::ADD, [_, made]) => Some((EachKind::Gather, None, single(made)?)),
        (Expr::List(_), operators::CONDITIONAL, [filter, then, _]) => {
            let Expr::Call(then) = &then.expr else {
                return None;
            };
            Some((EachKind::Gather, Some(filter), single(then.args.get(1)?)?))
        }
        _ => None,
    }
}

/// The only element of a list literal.
fn single(list: &Expression) -> Option<&Expression> {
    match &list.expr {
        Expr::List(list) => list.elements.first(),
        _ => None,
    }
}
