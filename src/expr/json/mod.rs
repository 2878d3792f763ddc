//! Expressions over JSON of any shape, which map foreign bodies to our events.
//!
//! CEL as in [`super`] with three differences, since the fields are unknown until a body arrives.
//! Reading an absent field, or a field of a scalar, gives [`Failure::Absent`], which the caller
//! interprets. Null counts as absent for `has(…)` and `first(…)`. All numbers have one type.
//!
//! Names, functions, patterns and time zones are checked at load time. Evaluation is bounded: every
//! step and every copied piece of text or JSON is counted, and evaluation ends when the limit is
//! reached.

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
    node: node::JsonNode,
    fields: compile::Fields,
    /// All texts it can return, with their offsets, when all of them are literals in it.
    texts: Option<Vec<(usize, String)>>,
}

impl std::fmt::Debug for Compiled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.source.fmt(f)
    }
}

/// Checks and compiles `source`, which may refer to `names`.
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
    /// The fields of `name` it reads by literal name: `x-stage` for `headers["x-stage"]`.
    pub(crate) fn fields(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0
            .fields
            .iter()
            .filter(move |(of, _)| *of == name)
            .map(|(_, field)| field.as_str())
    }

    /// All texts it can return, with their offsets, when all of them are literals in it: `a ? "x" :
    /// "y"`.
    #[must_use]
    pub(crate) fn texts(&self) -> Option<&[(usize, String)]> {
        self.0.texts.as_deref()
    }

    /// Evaluates it and subtracts the steps taken from `steps`. Never panics.
    ///
    /// # Errors
    /// When it has no value.
    pub(crate) fn evaluate<'a>(
        &'a self,
        given: &Given<'a>,
        steps: &mut u64,
    ) -> Result<Cow<'a, Json>, Failure> {
        evaluate::evaluate(&self.0.node, given, steps)
    }

    /// Evaluates it to an owned value, whose size is charged, too.
    ///
    /// # Errors
    /// When it has no value.
    pub(crate) fn give(&self, given: &Given<'_>, steps: &mut u64) -> Result<Json, Failure> {
        evaluate::give(&self.0.node, given, steps)
    }
}

#[cfg(test)]
mod tests;
