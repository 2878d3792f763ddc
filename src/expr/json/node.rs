//! Expression tree: resolved functions, compiled patterns, indexed variables.

use regex::Regex;
use serde_json::Value as Json;

use super::times::Zone;

/// A node of an expression.
pub(crate) enum Node {
    Literal(Json),
    /// `body`, `headers`, …
    Name(&'static str),
    /// A macro's variable, by its index from the outermost macro, and its name.
    Variable(usize, String),
    /// `operand.field`
    Field(Box<Node>, String),
    /// `has(operand.field)`
    Has(Box<Node>, String),
    /// `operand[key]`
    Index(Box<(Node, Node)>),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
    Not(Box<Node>),
    Negative(Box<Node>),
    /// Short-circuits: the second operand is evaluated only if the first does not decide. `true`
    /// decides `||`, `false` decides `&&`.
    Logic(bool, Box<(Node, Node)>),
    Choice(Box<(Node, Node, Node)>),
    /// `==`, or `!=` when false.
    Equal(bool, Box<(Node, Node)>),
    Order(Order, Box<(Node, Node)>),
    Arithmetic(Arithmetic, Box<(Node, Node)>),
    In(Box<(Node, Node)>),
    Each(Box<Each>),
    Call(Function, Vec<Node>),
    /// `first(…)`: the first operand with a value.
    First(Vec<Node>),
    /// `text.extract("pattern")`
    Extract(Box<Node>, Regex),
    /// `text.matches("pattern")`
    Matches(Box<Node>, Regex),
    /// `local(text, "Zone")`
    Local(Box<Node>, Result<Zone, Box<Node>>),
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Order {
    Less,
    AtMost,
    More,
    AtLeast,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Arithmetic {
    Plus,
    Minus,
    Times,
    By,
}

/// A macro over the members of a list or the keys of a map.
pub(crate) struct Each {
    pub(crate) kind: EachKind,
    pub(crate) over: Node,
    /// The filter, where there is one.
    pub(crate) filter: Option<Node>,
    pub(crate) body: Node,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EachKind {
    /// `exists`, decided by true.
    Exists,
    /// `all`, decided by false.
    All,
    /// `exists_one`
    One,
    /// `map` and `filter`.
    Gather,
}

/// Functions of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Function {
    Size,
    Contains,
    StartsWith,
    EndsWith,
    Lower,
    Upper,
    Trim,
    Split,
    Replace,
    Join,
    Text,
    Number,
    Seconds,
    Millis,
}

/// Each function with its name, whether it is written as a method, and its number of operands.
pub(crate) const FUNCTIONS: [(&str, Function, bool, usize); 14] = [
    ("size", Function::Size, false, 1),
    ("contains", Function::Contains, true, 2),
    ("startsWith", Function::StartsWith, true, 2),
    ("endsWith", Function::EndsWith, true, 2),
    ("lowerAscii", Function::Lower, true, 1),
    ("upperAscii", Function::Upper, true, 1),
    ("trim", Function::Trim, true, 1),
    ("split", Function::Split, true, 2),
    ("replace", Function::Replace, true, 3),
    ("join", Function::Join, true, 2),
    ("string", Function::Text, false, 1),
    ("double", Function::Number, false, 1),
    ("seconds", Function::Seconds, false, 1),
    ("millis", Function::Millis, false, 1),
];

/// Names of everything callable, for messages.
pub(crate) const CALLS: [&str; 24] = [
    "has",
    "exists",
    "exists_one",
    "all",
    "map",
    "filter",
    "size",
    "contains",
    "startsWith",
    "endsWith",
    "matches",
    "extract",
    "lowerAscii",
    "upperAscii",
    "trim",
    "split",
    "replace",
    "join",
    "string",
    "double",
    "first",
    "seconds",
    "millis",
    "local",
];
