//! A condition of an incident over time, ready to be drawn.

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
    /// What was asked: the query as the rules have it.
    pub query: String,
    /// The first instant drawn.
    pub from: Time,
    /// The last instant drawn.
    pub to: Time,
    /// One line a series, in the order of their labels.
    pub lines: Vec<PlotSeries>,
    /// Lines across, in the order `degraded`, `near_miss`, `recovered`.
    pub bounds: Vec<ThresholdLine>,
    /// What the condition was when, over all series; see [`Span`].
    pub spans: Vec<Span>,
    /// The incident's turns within, in order of time.
    pub milestones: Vec<(MilestoneKind, Time)>,
    /// How many series were left out because there were too many to tell apart.
    #[serde(default)]
    pub left_out: usize,
}

/// A series.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlotSeries {
    /// Its labels; empty where there is only one.
    pub labels: Labels,
    /// Its values by time. `None`: there was none, and the line is broken there.
    pub points: Vec<(Time, Option<f64>)>,
}

/// A threshold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ThresholdLine {
    /// `degraded`, `near_miss` or `recovered`.
    pub name: String,
    /// As the rules write it: `> 0.02`.
    pub text: String,
    /// Its number, in the unit of the query.
    pub value: f64,
}
