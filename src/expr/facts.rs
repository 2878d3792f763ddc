//! Facts: values of the schema's fields, borrowed from the objects they describe.
//!
//! The facts of an incident are gathered once and shared by all criteria; a scope only refers to
//! them.

use std::sync::Arc;

use super::schema::{MOST_FIELDS, Type};
use crate::expr::root::Root;
use crate::model::labels::{LabelSet, LabelsRef};

/// The value of a field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum FieldValue<'a> {
    /// Not known.
    Unknown,
    /// Text.
    Text(&'a str),
    /// A number, always finite.
    Number(f64),
    /// `true` or `false`.
    Bool(bool),
    /// A list of text.
    Texts(&'a [String]),
    /// A map of text to text.
    Labels(LabelsRef<'a>),
}

impl FieldValue<'_> {
    fn fits(self, kind: Type) -> bool {
        match self {
            Self::Unknown => true,
            Self::Text(_) => kind == Type::Text,
            Self::Number(_) => kind == Type::Number,
            Self::Bool(_) => kind == Type::Bool,
            Self::Texts(_) => kind == Type::Texts,
            Self::Labels(_) => kind == Type::Labels,
        }
    }
}

impl<'a> From<&'a str> for FieldValue<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a Arc<str>> for FieldValue<'a> {
    fn from(text: &'a Arc<str>) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a String> for FieldValue<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(text)
    }
}

/// NaN and infinities are unknown.
impl From<f64> for FieldValue<'_> {
    fn from(number: f64) -> Self {
        if number.is_finite() {
            Self::Number(number)
        } else {
            Self::Unknown
        }
    }
}

impl From<bool> for FieldValue<'_> {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl<'a> From<&'a [String]> for FieldValue<'a> {
    fn from(texts: &'a [String]) -> Self {
        Self::Texts(texts)
    }
}

impl<'a> From<&'a Vec<String>> for FieldValue<'a> {
    fn from(texts: &'a Vec<String>) -> Self {
        Self::Texts(texts)
    }
}

impl<'a> From<LabelsRef<'a>> for FieldValue<'a> {
    fn from(labels: LabelsRef<'a>) -> Self {
        Self::Labels(labels)
    }
}

impl<'a> From<&'a LabelSet> for FieldValue<'a> {
    fn from(labels: &'a LabelSet) -> Self {
        Self::Labels(labels.all())
    }
}

impl<'a, T: Into<FieldValue<'a>>> From<Option<T>> for FieldValue<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Unknown, Into::into)
    }
}

/// The fields of one root. Fields that are not set are unknown.
#[derive(Debug, Clone)]
pub struct Facts<'a> {
    root: Root,
    /// In the order of the schema.
    values: [FieldValue<'a>; MOST_FIELDS],
}

impl<'a> Facts<'a> {
    /// Facts of `root`, all unknown.
    #[must_use]
    pub fn new(root: Root) -> Self {
        Self {
            root,
            values: [FieldValue::Unknown; MOST_FIELDS],
        }
    }

    /// Sets a field. A name or type that does not match the schema is a bug: it panics in a debug
    /// build and is ignored otherwise.
    pub fn set(&mut self, name: &str, value: impl Into<FieldValue<'a>>) -> &mut Self {
        let value = value.into();
        let field = self
            .root
            .fields()
            .iter()
            .enumerate()
            .find(|(_, field)| field.name == name);
        debug_assert!(field.is_some(), "{} has no field {name}", self.root.words());
        if let Some((index, field)) = field {
            debug_assert!(
                value.fits(field.kind),
                "{name} is {}, not {value:?}",
                field.kind.words()
            );
            self.values[index] = if value.fits(field.kind) {
                value
            } else {
                FieldValue::Unknown
            };
        }
        self
    }

    /// Names of the unknown fields.
    pub fn unknown(&self) -> impl Iterator<Item = &'static str> {
        let fields = self.root.fields().iter().zip(&self.values);
        fields
            .filter(|(_, value)| **value == FieldValue::Unknown)
            .map(|(field, _)| field.name)
    }

    pub(crate) fn value(&self, index: usize) -> FieldValue<'a> {
        self.values
            .get(index)
            .copied()
            .unwrap_or(FieldValue::Unknown)
    }
}

/// The facts an expression is evaluated against, by root.
#[derive(Debug, Clone, Copy, Default)]
pub struct Scope<'a> {
    facts: [Option<&'a Facts<'a>>; Root::ALL.len()],
}

impl<'a> Scope<'a> {
    /// A scope without facts.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the facts of a root.
    #[must_use]
    pub fn with(mut self, facts: &'a Facts<'a>) -> Self {
        self.facts[facts.root as usize] = Some(facts);
        self
    }

    pub(crate) fn get(&self, root: Root) -> Option<&'a Facts<'a>> {
        self.facts[root as usize]
    }
}
