//! What a Prometheus-compatible server answers (<https://prometheus.io/docs/prometheus/latest/querying/api/>): bytes to [`Answer`], alerts
//! and rules. Pure.

use std::time::Duration;

use tokio::time::Instant;

use crate::model::Time;
use crate::model::event::Labels;

/// What a query gave.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The series; a scalar is one without labels. A series that is absent has no value then: the answer is whole.
    pub series: Vec<Series>,
    /// What the server remarks on the query: `PromQL warning: …`, and what was left out here.
    pub warnings: Vec<String>,
    /// Samples that are native histograms. They are left out, and so are series that hold nothing else.
    pub histograms: usize,
    /// When it was asked and answered; of a query in pieces, the last.
    pub heard: Heard,
}

/// One series.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Its labels, with `__name__` where it has a name.
    pub labels: Labels,
    /// Its values, in the order of time. Not-a-numbers and infinities are values.
    pub points: Vec<(Time, f64)>,
}

/// When an answer came, by our clock and by the server's, so that a caller can tell how far these are apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    /// When the request went out.
    pub sent: Instant,
    /// When the head of the answer was there.
    pub received: Instant,
    /// The server's clock in between, cut to whole seconds: the header `Date`.
    pub server_time: Option<Time>,
}

/// A rule that makes alerts, as `/api/v1/rules` lists it.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertRule {
    /// The label `alertname` of its alerts.
    pub name: String,
    /// The name of its group; with the file it is unique.
    pub group: String,
    /// The file of its group.
    pub file: String,
    /// The query; a series in its answer is an alert.
    pub query: String,
    /// How long that must be so before the alert fires: `for`.
    pub hold: Duration,
    /// How long the alert fires on after that is no longer so.
    pub keep_firing: Duration,
    /// Labels that it adds; their values may be templates.
    pub labels: Labels,
    /// From one evaluation to the next.
    pub interval: Duration,
}

/// An alert, as `/api/v1/alerts` lists it.
#[derive(Debug, Clone, PartialEq)]
pub struct ActiveAlert {
    /// Its labels, `alertname` among them; without those that the server adds only when it sends alerts.
    pub labels: Labels,
    /// Whether it fires.
    pub state: AlertState,
    /// The evaluation that found it first.
    pub active_at: Time,
    /// The evaluation that found it no longer, while it fires on only because of `keep_firing_for`.
    pub keep_firing_since: Option<Time>,
}

/// How far an alert is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertState {
    /// It is active for less than its rule's `for`.
    Pending,
    /// It fires.
    Firing,
}
