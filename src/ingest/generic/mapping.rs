//! A compiled mapping.

use std::sync::Arc;

use crate::expr::json::Formula;

/// The compiled expressions of a source. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Mapping(pub(crate) Arc<CompiledMapping>);

#[derive(Debug)]
pub(crate) struct CompiledMapping {
    pub(crate) rules: Vec<MappingRule>,
    /// Headers the expressions read by name.
    pub(crate) headers: Vec<String>,
}

impl Mapping {
    /// Headers the expressions read by name, which must be stored to parse a message again.
    #[must_use]
    pub fn headers(&self) -> &[String] {
        &self.0.headers
    }
}

#[derive(Debug)]
pub(crate) struct MappingRule {
    pub(crate) each: Option<Formula>,
    pub(crate) when: Option<Formula>,
    pub(crate) kind: Option<Formula>,
    /// Key, name below it for `labels` and the like, and expression.
    pub(crate) lines: Vec<(String, Option<String>, Formula)>,
}
