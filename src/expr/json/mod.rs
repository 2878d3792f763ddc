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
pub(crate) mod failure;
mod functions;
pub(crate) mod inputs;
mod node;
mod times;

use std::borrow::Cow;
use std::sync::Arc;

use cel::parser::Parser;
use serde_json::Value as Json;

use super::fault::ExprFault;
use super::guard;
use failure::Failure;
use inputs::Given;

/// A checked expression. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Formula(Arc<Compiled>);

struct Compiled {
    source: String,
    node: node::Node,
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
    let (node, fields) = compile::node(&expression, source, &places, names)?;
    let texts = compile::texts(&expression, &places);
    Ok(Formula(Arc::new(Compiled {
        source: source.to_owned(),
        node,
        fields,
        texts,
    })))
}

impl Formula {
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
