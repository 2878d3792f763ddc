//! Metric conditions: samples in, `healthy`, `degraded`, `near_miss` or `unknown` out, as
//! Prometheus evaluates alerting rules.

pub(crate) mod evaluator;
pub mod promql_subset;
pub mod state_machine;
