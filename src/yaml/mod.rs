//! YAML text to a tree that knows its places, and from there to typed settings: every fault has file, line and column.
//!
//! YAML 1.2 core schema, so `on`, `off`, `yes` and `no` are words. Anchors, aliases and `<<` work within a budget.

mod deserializer;
mod entry;
mod error;
mod scalar;
mod tree;
mod unique_names;

use serde::de::DeserializeOwned;

use crate::model::fault::{Fault, nearest};

pub(crate) use entry::read_entry;
pub(crate) use scalar::{Duration, Quota, Spanned};
pub(crate) use unique_names::UniqueNames;

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Line, from 1.
    pub line: u64,
    /// Column in characters, from 1.
    pub column: u64,
    /// What is there.
    pub value: Value,
    /// A scalar as it is written, quotes and all. Empty for lists and maps.
    pub(crate) raw: String,
}

/// What a node holds.
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

/// A key of a map and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Line, from 1.
    pub line: u64,
    /// Column in characters, from 1.
    pub column: u64,
    /// Its text; a number or bool as it is written.
    pub name: String,
}

/// A place in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Position {
    /// Line, from 1; 0: unknown.
    pub line: u64,
    /// Column in characters, from 1; 0: unknown.
    pub column: u64,
}

impl Position {
    /// A fault here.
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
    /// Where it stands.
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

    /// Whether this map has a key that is `name`, or was likely meant to be.
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

    /// Where a key of this map stands; where the map itself does when it has no such key.
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

    /// What it is, in words that follow "found".
    #[must_use]
    pub fn describe(&self) -> String {
        match &self.value {
            Value::Null => "nothing".to_owned(),
            Value::Bool(value) => format!("`{value}`"),
            Value::Int(_) | Value::Float(_) => format!("the number {}", self.raw),
            Value::String(text) => format!("the text {}", error::shown(text)),
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "a map".to_owned(),
        }
    }
}

impl Key {
    /// Where it stands.
    #[must_use]
    pub fn position(&self) -> Position {
        Position {
            line: self.line,
            column: self.column,
        }
    }
}

/// Reads `text` as one YAML document. An empty one is [`Value::Null`].
///
/// # Errors
/// The first place at which it is not YAML, holds a key twice, or is larger than any settings file should be.
pub(crate) fn parse(file: &str, text: &str) -> Result<Node, Fault> {
    tree::build(text).map_err(|error| error.fault(file, Position { line: 1, column: 1 }))
}

/// Reads a node as a `T`.
///
/// # Errors
/// The first place at which it is none.
pub(crate) fn read<T: DeserializeOwned>(file: &str, node: &Node) -> Result<T, Fault> {
    T::deserialize(node).map_err(|error| error.fault(file, node.position()))
}

/// The entries of a list; none, and a fault, when it is no list. Nothing is an empty list.
pub(crate) fn entries<'a>(file: &str, node: &'a Node, faults: &mut Vec<Fault>) -> &'a [Node] {
    match &node.value {
        Value::List(entries) => entries,
        Value::Null => &[],
        Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::String(_) | Value::Map(_) => {
            faults.push(
                node.position()
                    .fault(file, format!("expected a list, found {}", node.describe())),
            );
            &[]
        }
    }
}

/// The sections of a map with keys out of `known`; a fault for each other key, or when it is no map. Nothing is an empty map.
pub(crate) fn sections<'a>(
    file: &str,
    node: &'a Node,
    known: &[&str],
    faults: &mut Vec<Fault>,
) -> Vec<(&'a Key, &'a Node)> {
    let sections = match &node.value {
        Value::Map(sections) => sections.as_slice(),
        Value::Null => &[],
        Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::String(_) | Value::List(_) => {
            faults.push(
                node.position()
                    .fault(file, format!("expected a map, found {}", node.describe())),
            );
            &[]
        }
    };
    let (right, wrong): (Vec<_>, Vec<_>) = sections
        .iter()
        .map(|(key, node)| (key, node))
        .partition(|(key, _)| known.contains(&key.name.as_str()));
    faults.extend(wrong.iter().map(|(key, _)| {
        key.position()
            .fault(file, error::unknown("key", &key.name, known))
    }));
    right
}

/// Reads every entry of a list as a `T`, with its place; a fault for whatever keeps an entry from being one. Nothing is an empty list.
pub(crate) fn read_list<T: DeserializeOwned>(
    file: &str,
    node: &Node,
    faults: &mut Vec<Fault>,
) -> Vec<(Position, T)> {
    let mut values = Vec::new();
    for entry in entries(file, node, faults) {
        let before = faults.len();
        let value = read_entry(file, entry, &[], faults);
        values.extend(
            value
                .filter(|_| faults.len() == before)
                .map(|value| (entry.position(), value)),
        );
    }
    values
}

#[cfg(test)]
mod tests;
