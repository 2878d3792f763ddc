//! Rules that users write: parsing and checking of criteria, metric conditions and correlation.

pub(crate) mod condition;
pub(crate) mod correlation;
pub(crate) mod counted_hours;
pub(crate) mod criterion;
pub(crate) mod criterion_hours;
pub mod parse;
pub mod promql;
pub mod rule_set;
pub mod scenario;
pub(crate) mod seconds;
