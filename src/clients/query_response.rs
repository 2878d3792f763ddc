//! The result of a PromQL query.

use super::exchange_times::ExchangeTimes;
use crate::model::labels::Labels;
use crate::model::time::Time;

/// What a query gave.
#[derive(Debug, Clone, PartialEq)]
pub struct QueryResponse {
    /// The series; a scalar is one without labels. A series that is absent has no value then: the answer is whole.
    pub series: Vec<Series>,
    /// What the server remarks on the query: `PromQL warning: …`, and what was left out here.
    pub warnings: Vec<String>,
    /// Samples that are native histograms. They are left out, and so are series that hold nothing else.
    pub histograms: usize,
    /// When it was asked and answered; of a query in pieces, the last.
    pub heard: ExchangeTimes,
}

/// One series.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Its labels, with `__name__` where it has a name.
    pub labels: Labels,
    /// Its values, in the order of time. Not-a-numbers and infinities are values.
    pub points: Vec<(Time, f64)>,
}
