//! Expressions over JSON of anybody's shape: what turns a foreign body into our events.
//!
//! CEL as in [`super`], with three things its own way, since nothing is known of the fields before a body comes. A field that is not there
//! makes what reads it [`Failure::Absent`], and so does a field of something that has none: whoever asked decides what that means. Null is
//! as good as absent for `has(…)` and `first(…)`. All numbers are of one kind.
//!
//! Names, functions, patterns and time zones are checked when an expression is loaded. What remains for run time is bounded: every step and
//! every piece of text or JSON that is copied is counted, and a count that runs out ends the evaluation.

mod compile;
mod evaluate;
mod functions;
mod node;
mod times;

use std::borrow::Cow;
use std::sync::Arc;

use cel::parser::Parser;
use serde_json::Value as Json;

use super::{ExprFault, guard};

/// Names for what stands below them, as an expression may use them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Given<'a>(Vec<(&'static str, &'a Json)>);

impl<'a> Given<'a> {
    /// The same with one more; a name given again means the latter.
    #[must_use]
    pub(crate) fn with(mut self, name: &'static str, value: &'a Json) -> Self {
        self.0.retain(|(known, _)| *known != name);
        self.0.push((name, value));
        self
    }

    fn get(&self, name: &str) -> Option<&'a Json> {
        self.0
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| *value)
    }
}

/// Why an expression gave nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// What it reads is not there; what, in words.
    Absent(String),
    /// It cannot be done with what is there; why, in words.
    Wrong(String),
    /// It took more steps than it may.
    Spent,
}

/// A checked expression. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Formula(Arc<Compiled>);

struct Compiled {
    source: String,
    node: node::Node,
    /// The names it reads.
    reads: Vec<&'static str>,
    fields: compile::Fields,
    /// Each text it can give, with its place, where all it can give are texts that stand in it.
    texts: Option<Vec<(usize, String)>>,
}

impl std::fmt::Debug for Compiled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.source.fmt(f)
    }
}

/// Checks and compiles `source`, which may read `names`.
///
/// # Errors
/// The first fault found.
pub(crate) fn compile(source: &str, names: &[&'static str]) -> Result<Formula, ExprFault> {
    guard::before_parsing(source)?;
    let (expression, places) = Parser::new()
        .parse_with_source_info(source)
        .map_err(|errors| guard::not_cel(source, &errors))?;
    guard::after_parsing(&expression)?;
    let (node, reads, fields) = compile::node(&expression, source, &places, names)?;
    let texts = compile::texts(&expression, &places);
    Ok(Formula(Arc::new(Compiled {
        source: source.to_owned(),
        node,
        reads,
        fields,
        texts,
    })))
}

impl Formula {
    /// The text it was made from.
    #[must_use]
    pub(crate) fn source(&self) -> &str {
        &self.0.source
    }

    /// True when it reads something of `name`.
    #[must_use]
    pub(crate) fn reads(&self, name: &str) -> bool {
        self.0.reads.contains(&name)
    }

    /// The fields of `name` that it reads by what they are called: of `headers["x-stage"]` that is `x-stage`.
    pub(crate) fn fields(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0
            .fields
            .iter()
            .filter(move |(of, _)| *of == name)
            .map(|(_, field)| field.as_str())
    }

    /// Every text it can give with the offset at which it stands, where all it can give stand in it: `a ? "x" : "y"`.
    #[must_use]
    pub(crate) fn texts(&self) -> Option<&[(usize, String)]> {
        self.0.texts.as_deref()
    }

    /// Evaluates it. Never panics; takes its steps from `steps`.
    ///
    /// # Errors
    /// When it gives nothing.
    pub(crate) fn evaluate<'a>(
        &'a self,
        given: &Given<'a>,
        steps: &mut u64,
    ) -> Result<Cow<'a, Json>, Failure> {
        evaluate::evaluate(&self.0.node, given, steps)
    }

    /// The same as a value of its own, whose size counts too.
    ///
    /// # Errors
    /// When it gives nothing.
    pub(crate) fn give(&self, given: &Given<'_>, steps: &mut u64) -> Result<Json, Failure> {
        evaluate::give(&self.0.node, given, steps)
    }
}

#[cfg(test)]
mod tests;
