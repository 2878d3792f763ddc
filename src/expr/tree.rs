//! Typed expression tree: one enum per type, fields by index, literals prepared for comparison.
//!
//! It represents only expressions that passed [`super::check`].

use cel::common::ast::{
    CallExpr, ComprehensionExpr, Expr, ListExpr, LiteralValue, SelectExpr, operators,
};
use cel::parser::Expression;

use super::schema::Type;
use crate::expr::root::Root;

/// A field, by its index in the schema.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Read {
    pub(crate) root: Root,
    pub(crate) index: usize,
    pub(crate) name: &'static str,
}

/// `condition ? yes : no`
pub(crate) type Choice<T> = Box<(LogicExpr, T, T)>;

/// Boolean expressions.
pub(crate) enum LogicExpr {
    Literal(bool),
    Field(Read),
    Not(Box<LogicExpr>),
    /// A conjunction; nested ones are flattened.
    And(Vec<LogicExpr>),
    Or(Vec<LogicExpr>),
    Choice(Choice<LogicExpr>),
    TruthIs(Box<(LogicExpr, LogicExpr)>),
    TextIs(Box<(TextExpr, TextExpr)>),
    NumberIs(Box<(NumberExpr, NumberExpr)>),
    TextsAre(Box<(TextsExpr, TextsExpr)>),
    NumbersAre(Box<(NumbersExpr, NumbersExpr)>),
    LabelsAre(Box<(LabelsExpr, LabelsExpr)>),
    Order(OrderTest, Box<(NumberExpr, NumberExpr)>),
    TextIn(Box<(TextExpr, TextsExpr)>),
    NumberIn(Box<(NumberExpr, NumbersExpr)>),
    LabelIn(Box<(TextExpr, LabelsExpr)>),
    Part(Part, Box<(TextExpr, TextExpr)>),
    /// `has(root.field)`
    Known(Read),
    /// `exists` and `all`.
    Each(Box<Each>),
}

/// Comparisons of numbers.
#[derive(Debug, Clone, Copy)]
pub(crate) enum OrderTest {
    Less,
    AtMost,
    More,
    AtLeast,
}

/// Substring tests.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Part {
    Anywhere,
    Start,
    End,
}

/// A macro over the elements of a list or the names of labels.
pub(crate) struct Each {
    pub(crate) over: Over,
    pub(crate) body: LogicExpr,
    /// The value of one element that decides: true for `exists`, false for `all`.
    pub(crate) settles: bool,
}

pub(crate) enum Over {
    Texts(TextsExpr),
    Numbers(NumbersExpr),
    Labels(LabelsExpr),
}

pub(crate) enum TextExpr {
    Literal(String),
    Field(Read),
    /// The variable of the enclosing macro.
    Variable,
    /// `labels["name"]` and `labels.name`
    Label(Box<(LabelsExpr, TextExpr)>),
    Choice(Choice<TextExpr>),
}

pub(crate) enum NumberExpr {
    Literal(f64),
    Field(Read),
    /// The variable of the enclosing macro.
    Variable,
    Negative(Box<NumberExpr>),
    Arithmetic(Arithmetic, Box<(NumberExpr, NumberExpr)>),
    /// Number of characters of a string.
    Length(Box<TextExpr>),
    /// Number of elements of a list or of labels.
    Count(Box<Over>),
    Choice(Choice<NumberExpr>),
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Arithmetic {
    Plus,
    Minus,
    Times,
    By,
}

pub(crate) enum TextsExpr {
    Literal(Vec<String>),
    Field(Read),
    /// A list with elements that are not literals.
    Made(Vec<TextExpr>),
    Choice(Choice<TextsExpr>),
}

pub(crate) enum NumbersExpr {
    Literal(Vec<f64>),
    /// A list with elements that are not literals.
    Made(Vec<NumberExpr>),
    Choice(Choice<NumbersExpr>),
}

pub(crate) enum LabelsExpr {
    Field(Read),
    Choice(Choice<LabelsExpr>),
}

/// An expression of any type.
enum Tree {
    Logic(LogicExpr),
    Text(TextExpr),
    Number(NumberExpr),
    Texts(TextsExpr),
    Numbers(NumbersExpr),
    Labels(LabelsExpr),
}

/// Builds the tree of a checked expression.
///
/// # Errors
/// The id of a node that the tree cannot represent.
pub(crate) fn tree(expression: &Expression) -> Result<LogicExpr, u64> {
    match (Planter { variable: None }).any(expression)? {
        Tree::Logic(logic) => Ok(logic),
        _ => Err(expression.id),
    }
}

struct Planter<'a> {
    /// The name of the macro's variable and whether it is a number.
    variable: Option<(&'a str, bool)>,
}

impl<'a> Planter<'a> {
    fn any(&self, node: &'a Expression) -> Result<Tree, u64> {
        let found = match &node.expr {
            Expr::Literal(literal) => literal_of(literal),
            Expr::Ident(name) => match self.variable {
                Some((variable, true)) if variable == name => {
                    Some(Tree::Number(NumberExpr::Variable))
                }
                Some((variable, false)) if variable == name => Some(Tree::Text(TextExpr::Variable)),
                _ => None,
            },
            Expr::Select(select) => self.select(select)?,
            Expr::List(list) => self.list(list)?,
            Expr::Call(call) => self.call(call)?,
            Expr::Comprehension(call) => self.each(call)?,
            Expr::Map(_) | Expr::Struct(_) | Expr::Unspecified => None,
        };
        found.ok_or(node.id)
    }

    fn select(&self, select: &'a SelectExpr) -> Result<Option<Tree>, u64> {
        if let Expr::Ident(name) = &select.operand.expr
            && self.variable.is_none_or(|(variable, _)| variable != name)
        {
            return Ok(field(name, &select.field, select.test));
        }
        let Tree::Labels(labels) = self.any(&select.operand)? else {
            return Ok(None);
        };
        let label = TextExpr::Literal(select.field.clone());
        Ok(Some(if select.test {
            Tree::Logic(LogicExpr::LabelIn(Box::new((label, labels))))
        } else {
            Tree::Text(TextExpr::Label(Box::new((labels, label))))
        }))
    }

    fn list(&self, list: &'a ListExpr) -> Result<Option<Tree>, u64> {
        if !list.optional_indices.is_empty() {
            return Ok(None);
        }
        let (mut texts, mut numbers) = (Vec::new(), Vec::new());
        for element in &list.elements {
            match self.any(element)? {
                Tree::Text(text) => texts.push(text),
                Tree::Number(number) => numbers.push(number),
                _ => return Ok(None),
            }
        }
        Ok(match (texts.is_empty(), numbers.is_empty()) {
            (false, true) => Some(Tree::Texts(
                literal_texts(&texts).map_or(TextsExpr::Made(texts), TextsExpr::Literal),
            )),
            (true, false) => Some(Tree::Numbers(
                literal_numbers(&numbers).map_or(NumbersExpr::Made(numbers), NumbersExpr::Literal),
            )),
            _ => None,
        })
    }

    fn call(&self, call: &'a CallExpr) -> Result<Option<Tree>, u64> {
        let name = call.func_name.as_str();
        let mut parts = Vec::with_capacity(3);
        for part in call.target.iter().map(AsRef::as_ref).chain(&call.args) {
            parts.push(self.any(part)?);
        }
        let mut parts = parts.into_iter();
        Ok(
            match (parts.next(), parts.next(), parts.next(), parts.next()) {
                (Some(one), None, None, None) => unary(name, one),
                (Some(one), Some(two), None, None) => match name {
                    operators::EQUALS => equal(one, two).map(Tree::Logic),
                    operators::NOT_EQUALS => {
                        equal(one, two).map(|equal| Tree::Logic(LogicExpr::Not(Box::new(equal))))
                    }
                    operators::IN => within(one, two).map(Tree::Logic),
                    _ => binary(name, one, two),
                },
                (Some(Tree::Logic(condition)), Some(yes), Some(no), None)
                    if name == operators::CONDITIONAL =>
                {
                    choice(condition, yes, no)
                }
                _ => None,
            },
        )
    }

    /// `exists` and `all`, which CEL's parser has expanded into a loop that folds a body into its
    /// first operand.
    fn each(&self, call: &'a ComprehensionExpr) -> Result<Option<Tree>, u64> {
        let Expr::Call(step) = &call.loop_step.expr else {
            return Ok(None);
        };
        let settles = match step.func_name.as_str() {
            operators::LOGICAL_OR => true,
            operators::LOGICAL_AND => false,
            _ => return Ok(None),
        };
        let (Some(body), None) = (step.args.get(1), &call.iter_var2) else {
            return Ok(None);
        };
        let Some(over) = over(self.any(&call.iter_range)?) else {
            return Ok(None);
        };
        let inner = Planter {
            variable: Some((&call.iter_var, matches!(over, Over::Numbers(_)))),
        };
        let Tree::Logic(body) = inner.any(body)? else {
            return Ok(None);
        };
        Ok(Some(Tree::Logic(LogicExpr::Each(Box::new(Each {
            over,
            body,
            settles,
        })))))
    }
}

fn literal_of(literal: &LiteralValue) -> Option<Tree> {
    match literal {
        LiteralValue::Boolean(value) => Some(Tree::Logic(LogicExpr::Literal(*value.inner()))),
        LiteralValue::String(value) => {
            Some(Tree::Text(TextExpr::Literal(value.inner().to_owned())))
        }
        LiteralValue::Double(value) => Some(Tree::Number(NumberExpr::Literal(*value.inner()))),
        LiteralValue::Int(_)
        | LiteralValue::UInt(_)
        | LiteralValue::Bytes(_)
        | LiteralValue::Null => None,
    }
}

fn field(root: &str, name: &str, asked: bool) -> Option<Tree> {
    let root = Root::ALL.into_iter().find(|known| known.name() == root)?;
    let (index, field) = root
        .fields()
        .iter()
        .enumerate()
        .find(|(_, field)| field.name == name)?;
    let read = Read {
        root,
        index,
        name: field.name,
    };
    if asked {
        return Some(Tree::Logic(LogicExpr::Known(read)));
    }
    Some(match field.kind {
        Type::Text => Tree::Text(TextExpr::Field(read)),
        Type::Number => Tree::Number(NumberExpr::Field(read)),
        Type::Bool => Tree::Logic(LogicExpr::Field(read)),
        Type::Texts => Tree::Texts(TextsExpr::Field(read)),
        Type::Labels => Tree::Labels(LabelsExpr::Field(read)),
        Type::Numbers => return None,
    })
}

fn literal_texts(entries: &[TextExpr]) -> Option<Vec<String>> {
    let literal = |entry: &TextExpr| {
        if let TextExpr::Literal(text) = entry {
            Some(text.clone())
        } else {
            None
        }
    };
    entries.iter().map(literal).collect()
}

fn literal_numbers(entries: &[NumberExpr]) -> Option<Vec<f64>> {
    let literal = |entry: &NumberExpr| {
        if let NumberExpr::Literal(number) = entry {
            Some(*number)
        } else {
            None
        }
    };
    entries.iter().map(literal).collect()
}

fn over(list: Tree) -> Option<Over> {
    match list {
        Tree::Texts(texts) => Some(Over::Texts(texts)),
        Tree::Numbers(numbers) => Some(Over::Numbers(numbers)),
        Tree::Labels(labels) => Some(Over::Labels(labels)),
        Tree::Logic(_) | Tree::Text(_) | Tree::Number(_) => None,
    }
}

fn unary(name: &str, one: Tree) -> Option<Tree> {
    match (name, one) {
        (operators::LOGICAL_NOT, Tree::Logic(logic)) => {
            Some(Tree::Logic(LogicExpr::Not(Box::new(logic))))
        }
        (operators::NEGATE, Tree::Number(number)) => {
            Some(Tree::Number(NumberExpr::Negative(Box::new(number))))
        }
        // The check wraps each `size(…)` in `double(…)`.
        ("double", Tree::Number(number)) => Some(Tree::Number(number)),
        ("size", Tree::Text(text)) => Some(Tree::Number(NumberExpr::Length(Box::new(text)))),
        ("size", list) => over(list).map(|list| Tree::Number(NumberExpr::Count(Box::new(list)))),
        _ => None,
    }
}

fn binary(name: &str, one: Tree, two: Tree) -> Option<Tree> {
    let logic = match (name, one, two) {
        (operators::LOGICAL_AND, Tree::Logic(one), Tree::Logic(two)) => {
            let terms = |term| {
                if let LogicExpr::And(terms) = term {
                    terms
                } else {
                    vec![term]
                }
            };
            LogicExpr::And(terms(one).into_iter().chain(terms(two)).collect())
        }
        (operators::LOGICAL_OR, Tree::Logic(one), Tree::Logic(two)) => {
            let terms = |term| {
                if let LogicExpr::Or(terms) = term {
                    terms
                } else {
                    vec![term]
                }
            };
            LogicExpr::Or(terms(one).into_iter().chain(terms(two)).collect())
        }
        (operators::INDEX, Tree::Labels(labels), Tree::Text(name)) => {
            return Some(Tree::Text(TextExpr::Label(Box::new((labels, name)))));
        }
        ("contains", Tree::Text(one), Tree::Text(two)) => {
            LogicExpr::Part(Part::Anywhere, Box::new((one, two)))
        }
        ("startsWith", Tree::Text(one), Tree::Text(two)) => {
            LogicExpr::Part(Part::Start, Box::new((one, two)))
        }
        ("endsWith", Tree::Text(one), Tree::Text(two)) => {
            LogicExpr::Part(Part::End, Box::new((one, two)))
        }
        (_, Tree::Number(one), Tree::Number(two)) => return numeric(name, Box::new((one, two))),
        _ => return None,
    };
    Some(Tree::Logic(logic))
}

fn numeric(name: &str, both: Box<(NumberExpr, NumberExpr)>) -> Option<Tree> {
    Some(match name {
        operators::LESS => Tree::Logic(LogicExpr::Order(OrderTest::Less, both)),
        operators::LESS_EQUALS => Tree::Logic(LogicExpr::Order(OrderTest::AtMost, both)),
        operators::GREATER => Tree::Logic(LogicExpr::Order(OrderTest::More, both)),
        operators::GREATER_EQUALS => Tree::Logic(LogicExpr::Order(OrderTest::AtLeast, both)),
        operators::ADD => Tree::Number(NumberExpr::Arithmetic(Arithmetic::Plus, both)),
        operators::SUBSTRACT => Tree::Number(NumberExpr::Arithmetic(Arithmetic::Minus, both)),
        operators::MULTIPLY => Tree::Number(NumberExpr::Arithmetic(Arithmetic::Times, both)),
        operators::DIVIDE => Tree::Number(NumberExpr::Arithmetic(Arithmetic::By, both)),
        _ => return None,
    })
}

fn equal(one: Tree, two: Tree) -> Option<LogicExpr> {
    match (one, two) {
        (Tree::Logic(one), Tree::Logic(two)) => Some(LogicExpr::TruthIs(Box::new((one, two)))),
        (Tree::Text(one), Tree::Text(two)) => Some(LogicExpr::TextIs(Box::new((one, two)))),
        (Tree::Number(one), Tree::Number(two)) => Some(LogicExpr::NumberIs(Box::new((one, two)))),
        (Tree::Texts(one), Tree::Texts(two)) => Some(LogicExpr::TextsAre(Box::new((one, two)))),
        (Tree::Numbers(one), Tree::Numbers(two)) => {
            Some(LogicExpr::NumbersAre(Box::new((one, two))))
        }
        (Tree::Labels(one), Tree::Labels(two)) => Some(LogicExpr::LabelsAre(Box::new((one, two)))),
        _ => None,
    }
}

fn within(entry: Tree, list: Tree) -> Option<LogicExpr> {
    match (entry, list) {
        (Tree::Text(entry), Tree::Texts(list)) => Some(LogicExpr::TextIn(Box::new((entry, list)))),
        (Tree::Number(entry), Tree::Numbers(list)) => {
            Some(LogicExpr::NumberIn(Box::new((entry, list))))
        }
        (Tree::Text(entry), Tree::Labels(list)) => {
            Some(LogicExpr::LabelIn(Box::new((entry, list))))
        }
        _ => None,
    }
}

fn choice(condition: LogicExpr, yes: Tree, no: Tree) -> Option<Tree> {
    Some(match (yes, no) {
        (Tree::Logic(yes), Tree::Logic(no)) => {
            Tree::Logic(LogicExpr::Choice(Box::new((condition, yes, no))))
        }
        (Tree::Text(yes), Tree::Text(no)) => {
            Tree::Text(TextExpr::Choice(Box::new((condition, yes, no))))
        }
        (Tree::Number(yes), Tree::Number(no)) => {
            Tree::Number(NumberExpr::Choice(Box::new((condition, yes, no))))
        }
        (Tree::Texts(yes), Tree::Texts(no)) => {
            Tree::Texts(TextsExpr::Choice(Box::new((condition, yes, no))))
        }
        (Tree::Numbers(yes), Tree::Numbers(no)) => {
            Tree::Numbers(NumbersExpr::Choice(Box::new((condition, yes, no))))
        }
        (Tree::Labels(yes), Tree::Labels(no)) => {
            Tree::Labels(LabelsExpr::Choice(Box::new((condition, yes, no))))
        }
        _ => return None,
    })
}
