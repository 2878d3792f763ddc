//! Expression tree: resolved functions, compiled patterns, indexed variables.

use regex::Regex;
use serde_json::Value as Json;

use super::times::SenderZone;
use crate::expr::tree::{Arithmetic, OrderTest};

/// A node of an expression.
pub(crate) enum JsonNode {
    Literal(Json),
    /// `body`, `headers`, …
    Name(&'static str),
    /// A macro's variable, by its index from the outermost macro, and its name.
    Variable(usize, String),
    /// `operand.field`
    Field(Box<JsonNode>, String),
    /// `has(operand.field)`
    Has(Box<JsonNode>, String),
    /// `operand[key]`
    Index(Box<(JsonNode, JsonNode)>),
    List(Vec<JsonNode>),
    Map(Vec<(JsonNode, JsonNode)>),
    Not(Box<JsonNode>),
    Negative(Box<JsonNode>),
    /// Short-circuits: the second operand is evaluated only if the first does not decide. `true`
    /// decides `||`, `false` decides `&&`.
    Logic(bool, Box<(JsonNode, JsonNode)>),
    Choice(Box<(JsonNode, JsonNode, JsonNode)>),
    /// `==`, or `!=` when false.
    Equal(bool, Box<(JsonNode, JsonNode)>),
    Order(OrderTest, Box<(JsonNode, JsonNode)>),
    Arithmetic(Arithmetic, Box<(JsonNode, JsonNode)>),
    In(Box<(JsonNode, JsonNode)>),
    Each(Box<MacroCall>),
    Call(Function, Vec<JsonNode>),
    /// `first(…)`: the first operand with a value.
    First(Vec<JsonNode>),
    /// `text.extract("pattern")`
    Extract(Box<JsonNode>, Regex),
    /// `text.matches("pattern")`
    Matches(Box<JsonNode>, Regex),
    /// `local(text, "Zone")`
    Local(Box<JsonNode>, Result<SenderZone, Box<JsonNode>>),
}

/// A macro over the members of a list or the keys of a map.
pub(crate) struct MacroCall {
    pub(crate) kind: EachKind,
    pub(crate) over: JsonNode,
    /// The filter, where there is one.
    pub(crate) filter: Option<JsonNode>,
    pub(crate) body: JsonNode,
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
