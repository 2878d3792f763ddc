//! Plot data: a condition of an incident over time.

use serde::{Deserialize, Serialize};

use crate::model::labels::Labels;
use crate::model::milestone::MilestoneKind;
use crate::model::spans::Span;
use crate::model::time::Time;

/// One condition around one incident.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plot {
    /// The condition's name.
    pub condition: String,
    /// The service it watches.
    pub service: String,
    /// The query as the rules have it.
    pub query: String,
    /// Start of the plotted range.
    pub from: Time,
    /// End of the plotted range.
    pub to: Time,
    /// The series, ordered by their labels.
    pub lines: Vec<PlotSeries>,
    /// Threshold lines, in the order `degraded`, `near_miss`, `recovered`.
    pub bounds: Vec<ThresholdLine>,
    /// States of the condition over all series; see [`Span`].
    pub spans: Vec<Span>,
    /// The incident's milestones in range, in order of time.
    pub milestones: Vec<(MilestoneKind, Time)>,
    /// Number of series left out because there were too many to distinguish.
    #[serde(default)]
    pub left_out: usize,
}

/// One series.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlotSeries {
    /// Its labels; empty for a single series.
    pub labels: Labels,
    /// Its values by time; `None` is a gap.
    pub points: Vec<(Time, Option<f64>)>,
}

/// A threshold line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ThresholdLine {
    /// `degraded`, `near_miss` or `recovered`.
    pub name: String,
    /// Text as in the rules: `> 0.02`.
    pub text: String,
    /// Value in the unit of the query.
    pub value: f64,
}
