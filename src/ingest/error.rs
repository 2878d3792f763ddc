//! Faults of inbound messages: of a whole body, of one member of a list, of one field.
//!
//! People read these texts in the quarantine, so they name the place and what to do.

use std::fmt;

/// A part of a body that could not be parsed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct MemberFault {
    /// Index of the member in its list, from 0; `None` if the body is not a list.
    pub index: Option<usize>,
    /// Path within the body, such as `alerts[3].startsAt`; empty for the body as a whole.
    pub path: String,
    /// The problem and its remedy.
    pub message: String,
}

impl fmt::Display for MemberFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

/// Position of a member in a list of the body; the default is for a body that is not a list.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct MemberPosition {
    /// Name of the list; empty if the body itself is the list.
    list: &'static str,
    index: Option<usize>,
}

impl MemberPosition {
    /// The `index`th member of the named list.
    pub(crate) fn in_list(list: &'static str, index: usize) -> Self {
        Self {
            list,
            index: Some(index),
        }
    }

    /// The `index`th member of the body, or the body itself.
    pub(crate) fn in_body(index: Option<usize>) -> Self {
        Self { list: "", index }
    }

    /// A fault of a field of this member; an empty name means the member as a whole.
    pub(crate) fn fault(self, field: &str, message: impl Into<String>) -> MemberFault {
        let Self { list, index } = self;
        let dot = if field.is_empty() { "" } else { "." };
        MemberFault {
            index,
            path: index.map_or_else(
                || field.to_owned(),
                |index| format!("{list}[{index}]{dot}{field}"),
            ),
            message: message.into(),
        }
    }
}

/// The reason a whole body was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IngestFault {
    /// The body is not JSON.
    #[error(
        "line {line}, column {column}: invalid JSON: {message}. Send one complete JSON document in UTF-8."
    )]
    NotJson {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// The syntax error.
        message: String,
    },
    /// The body is JSON of another shape.
    #[error("line {line}, column {column}: {message}. Expected {expected}.")]
    Shape {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// The unexpected part.
        message: String,
        /// The shape the parser expects.
        expected: &'static str,
    },
    /// An unsupported version of Alertmanager's webhook.
    #[error(
        "version: {found} of Alertmanager's webhook is not supported; supported are \"3\" and \"4\". Update Afterword, or send one of these."
    )]
    Version {
        /// The version as sent.
        found: String,
    },
    /// A field without which nothing can be parsed is absent.
    #[error("{field}: missing. {advice}")]
    Missing {
        /// Name of the field.
        field: &'static str,
        /// The remedy.
        advice: &'static str,
    },
    /// A fault in one field of a body that states a single fact.
    #[error(transparent)]
    Field(#[from] MemberFault),
}

/// Converts a deserialization error into a fault, in words that do not depend on the JSON library.
pub(crate) fn json_fault(error: &serde_json::Error, expected: &'static str) -> IngestFault {
    let text = error.to_string();
    // The library appends the position, which the fault carries apart from the text.
    let text = text.split(" at line ").next().unwrap_or_default();
    let message = plain_words(text);
    let (line, column) = (error.line().max(1), error.column().max(1));
    if error.is_data() {
        IngestFault::Shape {
            line,
            column,
            message,
            expected,
        }
    } else {
        IngestFault::NotJson {
            line,
            column,
            message,
        }
    }
}

/// The text of a `serde_json` error for readers who do not know the library.
pub(crate) fn plain_words(text: &str) -> String {
    if let Some(inside) = text.strip_prefix("EOF while parsing ") {
        return match inside {
            "a list" | "an object" | "a string" => format!("the document ends inside {inside}"),
            _ => "the document ends where a value should follow".to_owned(),
        };
    }
    if let Some(found) = text.strip_prefix("invalid type: ") {
        let kind = found.split([' ', ',']).next().unwrap_or_default();
        let found = match kind {
            "string" => "a string",
            "map" => "an object",
            "sequence" => "a list",
            "boolean" => "true or false",
            "null" | "unit" => "null",
            _ => "a number",
        };
        return format!("found {found}");
    }
    if let Some(field) = text.strip_prefix("missing field ") {
        return format!("{field} is missing");
    }
    if let Some(field) = text.strip_prefix("duplicate field ") {
        return format!("{field} appears twice");
    }
    match text {
        "expected value" | "expected ident" => "a value is missing or misspelled",
        "key must be a string" => "a key is not a string in double quotes",
        "trailing characters" => "text follows the end of the document",
        "trailing comma" => "a comma precedes the closing bracket",
        "recursion limit exceeded" => "the nesting is too deep",
        other => other,
    }
    .to_owned()
}

/// Refuses JSON that does not begin with `open`: serde would accept a list for a struct.
pub(crate) fn expect_opening(
    body: &[u8],
    open: u8,
    expected: &'static str,
) -> Result<(), IngestFault> {
    match body.trim_ascii_start().first() {
        Some(&first) if first != open && begins_a_value(body.trim_ascii_start()) => {
            Err(IngestFault::Shape {
                line: 1,
                column: 1,
                message: format!("found {}", json_kind(body)),
                expected,
            })
        }
        _ => Ok(()),
    }
}

/// True if a text begins with a JSON value.
fn begins_a_value(text: &[u8]) -> bool {
    let literals: [&[u8]; 3] = [b"true", b"false", b"null"];
    literals.iter().any(|literal| text.starts_with(literal))
        || text
            .first()
            .is_some_and(|first| b"{[\"-0123456789".contains(first))
}

/// The kind of a JSON value, judged by its first byte.
pub(crate) fn json_kind(json: &[u8]) -> &'static str {
    match json.trim_ascii_start().first() {
        Some(b'"') => "a string",
        Some(b'{') => "an object",
        Some(b'[') => "a list",
        Some(b't' | b'f') => "true or false",
        Some(b'n') => "null",
        _ => "a number",
    }
}
