//! Deserialization errors with positions, worded for users.

use std::fmt::{self, Display};

use serde::de::{Expected, Unexpected};

use super::excerpt::excerpt;
use super::node::Position;
use crate::model::fault::{Fault, nearest};

/// Error in a YAML text, with its position once known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct YamlError {
    pub(crate) at: Option<Position>,
    pub(crate) message: String,
    /// Path from the node that was read to the faulty one, innermost first: indexes in lists and
    /// maps.
    pub(crate) path: Vec<usize>,
    /// Missing key, if that is the fault.
    pub(crate) missing: Option<&'static str>,
    /// Likely correction of an unknown key, if that is the fault.
    pub(crate) meant: Option<&'static str>,
}

impl YamlError {
    pub(crate) fn at(position: Position, message: impl Into<String>) -> Self {
        Self {
            at: Some(position),
            ..Self::unplaced(message.into())
        }
    }

    fn unplaced(message: String) -> Self {
        Self {
            at: None,
            message,
            path: Vec::new(),
            missing: None,
            meant: None,
        }
    }

    /// The same, found on the way through the `place`th part of a list or map.
    pub(crate) fn within(mut self, place: usize) -> Self {
        self.path.push(place);
        self
    }

    /// The innermost place wins: an error keeps the first it was given.
    pub(crate) fn or_at(mut self, position: Position) -> Self {
        self.at.get_or_insert(position);
        self
    }

    pub(crate) fn fault(self, file: &str, otherwise: Position) -> Fault {
        self.at.unwrap_or(otherwise).fault(file, self.message)
    }
}

impl Display for YamlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for YamlError {}

impl serde::de::Error for YamlError {
    fn custom<T: Display>(message: T) -> Self {
        Self::unplaced(message.to_string())
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::unplaced(format!(
            "expected {}, found {}",
            wanted(expected),
            Found(found)
        ))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn unknown_variant(word: &str, known: &'static [&'static str]) -> Self {
        Self::unplaced(unknown("value", word, known))
    }

    fn unknown_field(word: &str, known: &'static [&'static str]) -> Self {
        let meant = nearest(word, known.iter().copied());
        Self {
            meant,
            ..Self::unplaced(unknown("key", word, known))
        }
    }

    fn missing_field(name: &'static str) -> Self {
        Self {
            missing: Some(name),
            ..Self::unplaced(format!("`{name}` is missing"))
        }
    }

    fn duplicate_field(name: &'static str) -> Self {
        Self::unplaced(format!("`{name}` is given twice"))
    }
}

/// The most known words that are listed beside a likely correction.
const LISTED: usize = 12;

/// `unknown key `longst`; did you mean `longest`? known: …`
pub(crate) fn unknown(what: &str, word: &str, known: &[&str]) -> String {
    let meant = nearest(word, known.iter().copied())
        .map(|name| format!("; did you mean `{name}`?"))
        .unwrap_or_default();
    let list = known
        .iter()
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ");
    let known = match (meant.is_empty(), known.len() > LISTED) {
        (true, _) => format!("; known: {list}"),
        (false, false) => format!(" known: {list}"),
        // A long list would hide the correction.
        (false, true) => String::new(),
    };
    format!("unknown {what} {}{meant}{known}", quoted_code(word))
}

fn quoted_code(word: &str) -> String {
    let quoted = excerpt(word);
    format!("`{}`", quoted.trim_matches('"'))
}

/// Translates serde's names of Rust types to YAML terms.
fn wanted(expected: &dyn Expected) -> String {
    let words = expected.to_string();
    match words.as_str() {
        "a string" => "text".to_owned(),
        "a boolean" => "`true` or `false`".to_owned(),
        "a sequence" => "a list".to_owned(),
        "i64" | "u64" | "u32" | "i32" | "usize" | "u8" | "u16" => "a whole number".to_owned(),
        "f64" => "a number".to_owned(),
        _ if words.starts_with("struct ") => "a map".to_owned(),
        _ => words,
    }
}

struct Found<'a>(Unexpected<'a>);

impl Display for Found<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Unexpected::Bool(value) => write!(f, "`{value}`"),
            Unexpected::Signed(value) => write!(f, "the number {value}"),
            Unexpected::Unsigned(value) => write!(f, "the number {value}"),
            Unexpected::Float(value) => write!(f, "the number {value}"),
            Unexpected::Str(text) => write!(f, "the text {}", excerpt(text)),
            Unexpected::Unit | Unexpected::Option => f.write_str("nothing"),
            Unexpected::Seq => f.write_str("a list"),
            Unexpected::Map => f.write_str("a map"),
            other => write!(f, "{other}"),
        }
    }
}
