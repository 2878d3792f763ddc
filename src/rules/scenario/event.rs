//! Events and samples of a scenario, with times relative to its beginning.

use crate::model::event::{
    Acknowledgement, Actor, Alert, AlertStatus, Change, Condition, Declaration, EndReason, Event,
    Fact, Intervention, NearMissReport, Note, PostmortemRequest, Severity,
};
use crate::model::labels::{LabelSet, Labels};
use crate::model::time::Time;
use crate::rules::seconds::Seconds;

/// The source of scenario events.
pub(crate) const SOURCE: &str = "scenario";

/// One event of a scenario.
#[derive(Debug, Clone, PartialEq)]
pub struct ScenarioEvent {
    /// Time from the beginning of the scenario.
    pub at: Seconds,
    /// Its line, from 1.
    pub line: u64,
    pub(super) service: Option<String>,
    pub(super) environment: Option<String>,
    pub(super) incident: Option<String>,
    pub(super) actor: Option<Actor>,
    pub(super) told: ScenarioFact,
}

/// Results of a condition's query, one per evaluation.
#[derive(Debug, Clone, PartialEq)]
pub struct ScenarioSamples {
    /// Time of the first result, from the beginning of the scenario.
    pub at: Seconds,
    /// Its line, from 1.
    pub line: u64,
    /// The name of the condition in the rules.
    pub condition: String,
    /// Label set of the series.
    pub labels: Labels,
    /// One sample per evaluation.
    pub values: Vec<ScenarioSample>,
}

/// One step of a series, as in promtool's unit tests.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ScenarioSample {
    /// A value in the unit of the query.
    Value(f64),
    /// `_`: no sample. The value before counts until it is stale.
    Gap,
    /// `stale`: the series has ended.
    Stale,
}

/// An event's fact, with relative times.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum ScenarioFact {
    /// `labels` are those of the firing alert, whatever the resolved event repeats, so that both
    /// have one subject.
    Alert {
        alert: ScenarioAlert,
        labels: Labels,
        starts: Seconds,
    },
    /// The acknowledged event is needed, since its subject depends on the scenario's beginning.
    Acknowledgement(Option<Box<ScenarioEvent>>),
    Condition(Condition),
    Declaration(Declaration),
    Intervention(Intervention),
    Request(PostmortemRequest),
    NearMiss(NearMissReport),
    Change(Change),
    Note(Note),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct ScenarioAlert {
    pub(super) name: String,
    pub(super) status: AlertStatus,
    pub(super) severity: Severity,
    pub(super) end_reason: EndReason,
}

impl ScenarioEvent {
    /// The event in a scenario that begins at `origin`.
    #[must_use]
    pub fn event(&self, origin: Time) -> Event {
        let instant = |seconds| origin + chrono::TimeDelta::seconds(seconds);
        let fact = match &self.told {
            ScenarioFact::Alert {
                alert,
                labels,
                starts,
            } => Fact::Alert(Alert {
                seen_again: None,
                borrowed_end: false,
                recalled: false,
                name: alert.name.as_str().into(),
                status: alert.status,
                labels: labels.into(),
                annotations: LabelSet::default(),
                severity: alert.severity,
                starts_at: instant(*starts),
                ends_at: (alert.status == AlertStatus::Resolved).then(|| instant(self.at)),
                pending_for: None,
                keep_firing_for: None,
                end_reason: alert.end_reason,
            }),
            ScenarioFact::Acknowledgement(of) => Fact::Acknowledgement(Acknowledgement {
                of: of.as_ref().map(|event| event.event(origin).subject),
            }),
            ScenarioFact::Condition(condition) => Fact::Condition(condition.clone()),
            ScenarioFact::Declaration(declaration) => Fact::Declaration(declaration.clone()),
            ScenarioFact::Intervention(intervention) => Fact::Intervention(intervention.clone()),
            ScenarioFact::Request(request) => Fact::Request(request.clone()),
            ScenarioFact::NearMiss(near_miss) => Fact::NearMiss(near_miss.clone()),
            ScenarioFact::Change(change) => Fact::Change(change.clone()),
            ScenarioFact::Note(note) => Fact::Note(note.clone()),
        };
        let mut event = Event::new(SOURCE, instant(self.at), fact);
        event.service = self.service.as_deref().map(Into::into);
        event.environment = self.environment.as_deref().map(Into::into);
        event.incident = self.incident.as_deref().map(Into::into);
        event.actor = self.actor.clone().map(Box::new);
        event.identify();
        event
    }
}
