//! Half-open intervals with a state, and a list of them that does not allocate for a single one.

use std::ops::{Deref, DerefMut};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::time::Time;

/// A half-open interval `[start, end)` in one state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Span {
    /// Start.
    pub start: Time,
    /// End, exclusive; `None` while it lasts.
    pub end: Option<Time>,
    /// Its state.
    pub state: SpanState,
}

/// The states of a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpanState {
    /// With user impact.
    Degraded,
    /// Close to user impact.
    NearMiss,
    /// Unknown, for lack of data.
    Unknown,
    /// Planned work.
    Planned,
}

/// Spans in order.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Spans(Held);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Held {
    One(Span),
    /// No span, or more than one.
    Many(Vec<Span>),
}

impl Spans {
    /// Appends a span.
    pub fn push(&mut self, span: Span) {
        match &mut self.0 {
            Held::Many(spans) if spans.is_empty() => self.0 = Held::One(span),
            Held::Many(spans) => spans.push(span),
            Held::One(first) => self.0 = Held::Many(vec![*first, span]),
        }
    }

    /// Keeps the spans for which `stays` is true.
    pub fn retain(&mut self, stays: impl Fn(&Span) -> bool) {
        if !self.iter().all(&stays) {
            *self = self.iter().copied().filter(stays).collect();
        }
    }
}

impl Default for Spans {
    fn default() -> Self {
        Self(Held::Many(Vec::new()))
    }
}

impl Deref for Spans {
    type Target = [Span];

    fn deref(&self) -> &[Span] {
        match &self.0 {
            Held::One(span) => std::slice::from_ref(span),
            Held::Many(spans) => spans,
        }
    }
}

impl DerefMut for Spans {
    fn deref_mut(&mut self) -> &mut [Span] {
        match &mut self.0 {
            Held::One(span) => std::slice::from_mut(span),
            Held::Many(spans) => spans,
        }
    }
}

impl From<Vec<Span>> for Spans {
    fn from(spans: Vec<Span>) -> Self {
        match spans[..] {
            [span] => Self(Held::One(span)),
            _ => Self(Held::Many(spans)),
        }
    }
}

impl FromIterator<Span> for Spans {
    fn from_iter<I: IntoIterator<Item = Span>>(spans: I) -> Self {
        spans.into_iter().collect::<Vec<_>>().into()
    }
}

impl<'a> IntoIterator for &'a Spans {
    type Item = &'a Span;
    type IntoIter = std::slice::Iter<'a, Span>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl Serialize for Spans {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self)
    }
}

impl<'de> Deserialize<'de> for Spans {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::deserialize(deserializer).map(Self::from)
    }
}
