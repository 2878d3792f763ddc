//! Rules that users write: parsing and checking of criteria, metric conditions and correlation.

mod condition;
mod correlation;
pub(crate) mod counted_hours;
pub(crate) mod criterion;
mod criterion_hours;
pub mod parse;
mod positive;
pub mod promql;
pub mod rule_set;
pub mod scenario;
pub(crate) mod seconds;
