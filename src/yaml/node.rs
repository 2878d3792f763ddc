//! The tree of a YAML text: values with the positions at which they are written.

use super::excerpt::excerpt;
use crate::model::fault::{Fault, nearest};

/// Value with its position.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Line, from 1.
    pub line: u64,
    /// Column in characters, from 1.
    pub column: u64,
    /// Value.
    pub value: Value,
    /// A scalar as it is written, quotes and all. Empty for lists and maps.
    pub(crate) raw: String,
}

/// Value of a node.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// Text.
    String(String),
    /// A list.
    List(Vec<Node>),
    /// A map, in the order of the text. Keys are unique.
    Map(Vec<(Key, Node)>),
}

/// Key of a map with its position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Line, from 1.
    pub line: u64,
    /// Column in characters, from 1.
    pub column: u64,
    /// Its text; a number or bool as it is written.
    pub name: String,
}

/// Position in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Position {
    /// Line, from 1; 0: unknown.
    pub line: u64,
    /// Column in characters, from 1; 0: unknown.
    pub column: u64,
}

impl Position {
    /// Fault at this position.
    #[must_use]
    pub fn fault(self, file: &str, message: impl Into<String>) -> Fault {
        Fault {
            file: file.to_owned(),
            line: self.line,
            column: self.column,
            message: message.into(),
        }
    }
}

impl Node {
    /// Position of the node.
    #[must_use]
    pub fn position(&self) -> Position {
        Position {
            line: self.line,
            column: self.column,
        }
    }

    /// The value of a key, when this is a map that has it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Node> {
        match &self.value {
            Value::Map(entries) => entries
                .iter()
                .find(|(key, _)| key.name == name)
                .map(|(_, node)| node),
            Value::Null
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Float(_)
            | Value::String(_)
            | Value::List(_) => None,
        }
    }

    /// True if this map has the key `name`, or a likely misspelling of it.
    #[must_use]
    pub fn mentions(&self, name: &str) -> bool {
        match &self.value {
            Value::Map(entries) => entries.iter().any(|(key, node)| {
                node.value != Value::Null && nearest(&key.name, [name]).is_some()
            }),
            Value::Null
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Float(_)
            | Value::String(_)
            | Value::List(_) => false,
        }
    }

    /// Position of a key of this map, or of the map itself if it has no such key.
    #[must_use]
    pub fn key_position(&self, name: &str) -> Position {
        match &self.value {
            Value::Map(entries) => entries
                .iter()
                .find(|(key, _)| key.name == name)
                .map_or(self.position(), |(key, _)| key.position()),
            Value::Null
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Float(_)
            | Value::String(_)
            | Value::List(_) => self.position(),
        }
    }

    /// Description of the value for messages, to follow "found".
    #[must_use]
    pub fn describe(&self) -> String {
        match &self.value {
            Value::Null => "nothing".to_owned(),
            Value::Bool(value) => format!("`{value}`"),
            Value::Int(_) | Value::Float(_) => format!("the number {}", self.raw),
            Value::String(text) => format!("the text {}", excerpt(text)),
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "a map".to_owned(),
        }
    }
}

impl Key {
    /// Position of the node.
    #[must_use]
    pub fn position(&self) -> Position {
        Position {
            line: self.line,
            column: self.column,
        }
    }
}
