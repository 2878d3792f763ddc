//! The result of a PromQL query.

use super::exchange_times::ExchangeTimes;
use crate::model::labels::Labels;
use crate::model::time::Time;

/// Result of an instant or range query.
#[derive(Debug, Clone, PartialEq)]
pub struct QueryResponse {
    /// Series; a scalar is one without labels. The result is complete, so an absent series has no
    /// value.
    pub series: Vec<Series>,
    /// Annotations of the server (`PromQL warning: …`), and notes on samples left out here.
    pub warnings: Vec<String>,
    /// Count of native histogram samples. They are left out, and so are series of nothing else.
    pub histograms: usize,
    /// Timestamps of the exchange; of the last one where a range was split.
    pub heard: ExchangeTimes,
}

/// Time series.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Labels, with `__name__` where the series has a name.
    pub labels: Labels,
    /// Samples in the order of time. NaN and infinities are values.
    pub points: Vec<(Time, f64)>,
}
