//! Events: normalised facts, each with the time its source gives for it.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::correction::{Correction, Review};
use super::id::{EventId, Subject};
use super::labels::LabelSet;
use super::own_severity::OwnSeverity;
use super::time::Time;

/// One normalised fact. Build it with [`Event::new`], which derives `id` and `subject`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Derived from the event's content.
    pub id: EventId,
    /// The alert, condition, declaration or other thing the event is about.
    pub subject: Subject,
    /// Time of the fact according to its source.
    pub occurred_at: Time,
    /// Name of the first source that reported it.
    pub source: Arc<str>,
    /// The service concerned, stated or derived from labels; `None` is *unassigned*.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<Arc<str>>,
    /// The environment; `None` counts as production.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<Arc<str>>,
    /// An explicit incident key: an incident's id or alias, or the name of an incident at a source
    /// (`pagerduty:PGR0VU2`). Events with one key belong together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<Box<str>>,
    /// The actor, where the event names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<Box<Actor>>,
    /// Links to further information.
    #[serde(default, skip_serializing_if = "no_links")]
    pub links: Arc<[Link]>,
    /// True when the source's clock was ahead of ours by more than two minutes and the time was clamped.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub clamped: bool,
    /// Bounds of the start of what it is about, where a clock that was set leaves that uncertain. Equal
    /// ones: an end that states the start again knows better.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_bounds: Option<Box<(Time, Time)>>,
    /// The fact itself.
    pub fact: Fact,
}

fn no_links(links: &Arc<[Link]>) -> bool {
    links.is_empty()
}

/// The person or program that acted.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Actor {
    /// Name at the source, or a person's id.
    pub id: String,
    /// Person, program or unknown.
    #[serde(default)]
    pub kind: ActorKind,
}

/// The kinds of actors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ActorKind {
    /// A person.
    Human,
    /// A program or service account.
    Robot,
    /// The source does not say.
    #[default]
    Unknown,
}

/// A titled address.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Link {
    /// Link text.
    pub title: String,
    /// `http` or `https` address, validated on input.
    pub url: String,
}

/// The kinds of facts, with their content.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Fact {
    /// An alert fired or resolved.
    Alert(Alert),
    /// A metric condition changed its state.
    Condition(Condition),
    /// An outage was declared, or a declared one ended.
    Declaration(Declaration),
    /// A person (or program) acted on the system.
    Intervention(Intervention),
    /// A postmortem was requested.
    Request(PostmortemRequest),
    /// A near miss was reported.
    NearMiss(NearMissReport),
    /// A deploy, rollback or flag: context, never an incident by itself.
    Change(Change),
    /// A signal was acknowledged.
    Acknowledgement(Acknowledgement),
    /// Free text for the timeline.
    Note(Note),
    /// Planned work, announced beforehand or afterwards.
    Maintenance(MaintenanceWindow),
    /// A person's answer to a suggestion.
    Review(Review),
    /// A person's correction of a correlation or a recorded value.
    Edit(Correction),
    /// A sender stopped renewing a firing alert; its end is unknown.
    Lapsed(LeaseExpiry),
    /// Rules and services took effect.
    Settings(AppliedSettings),
    /// The reference clock was set forward or back.
    ClockStep(ClockStep),
}

/// An alert's state, from Prometheus or any other source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// `alertname`, or the source's title.
    pub name: Arc<str>,
    /// Firing or resolved.
    pub status: AlertStatus,
    /// Labels, which with `starts_at` identify the episode.
    pub labels: LabelSet,
    /// Annotations; no part of identity.
    #[serde(default, skip_serializing_if = "LabelSet::is_empty")]
    pub annotations: LabelSet,
    /// Normalised severity.
    pub severity: Severity,
    /// `startsAt`: when the sender began to report it as firing.
    pub starts_at: Time,
    /// `endsAt` of a resolved alert.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Time>,
    /// The rule's `for` in seconds, where known: the onset is `starts_at - pending_for`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending_for: Option<i64>,
    /// The rule's `keep_firing_for` in seconds where known: the true end is that much earlier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_firing_for: Option<i64>,
    /// The reason a resolved alert ended.
    #[serde(default)]
    pub end_reason: EndReason,
    /// Time at which it was reported firing again, after its sender had gone silent or had resolved
    /// it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen_again: Option<Time>,
    /// True for an end that its sender gave with another start. An end given with this one, which
    /// may be received later, is better.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub borrowed_end: bool,
    /// True when it was recovered from the alert history of its Prometheus, which is more accurate
    /// than the notifications.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub recalled: bool,
}

/// The states of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertStatus {
    /// Firing.
    Firing,
    /// Resolved.
    Resolved,
}

/// Reasons a signal ended. Only `Recovered` is evidence of health.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// The condition no longer held.
    #[default]
    Recovered,
    /// The sender of the evidence vanished.
    SourceLost,
    /// There was no data to evaluate.
    NoData,
    /// It was silenced.
    Muted,
    /// The rule or monitor was deleted.
    Deleted,
    /// A later episode of the same signal replaced it.
    Superseded,
    /// The source does not say.
    Unknown,
}

/// Normalised severity, mildest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, JsonSchema)]
#[schemars(with = "String", extend("minLength" = 1))]
pub enum Severity {
    /// Only proves that its sender is alive (a watchdog).
    None,
    /// Informational.
    Info,
    /// Missing or not recognised.
    #[default]
    Unknown,
    /// Needs attention soon.
    Warning,
    /// Needs attention now.
    Critical,
    /// One of the team's own scale, which has no other.
    Own(OwnSeverity),
}

impl Severity {
    /// Its word in rules, API and database.
    #[must_use]
    pub fn word(&self) -> &str {
        match self {
            Self::None => "none",
            Self::Info => "info",
            Self::Unknown => "unknown",
            Self::Warning => "warning",
            Self::Critical => "critical",
            Self::Own(own) => own.name(),
        }
    }
}

impl Serialize for Severity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

impl<'de> Deserialize<'de> for Severity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        Ok(match word.as_str() {
            "none" => Self::None,
            "info" => Self::Info,
            "unknown" => Self::Unknown,
            "warning" => Self::Warning,
            "critical" => Self::Critical,
            // Its rank is known where the scale is.
            name => OwnSeverity::new(name, 0)
                .map(Self::Own)
                .ok_or_else(|| D::Error::custom(format!("unknown severity `{name}`")))?,
        })
    }
}

/// State of a metric condition from `occurred_at` on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Condition {
    /// Its name in the rules.
    pub name: String,
    /// The state it entered.
    pub state: ConditionState,
    /// Severity from the rules.
    #[serde(default)]
    pub severity: Severity,
    /// Labels of the series; empty for a scalar.
    #[serde(default, skip_serializing_if = "LabelSet::is_empty")]
    pub labels: LabelSet,
    /// The value that caused the state, in the unit of the query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// Start of the state, where that precedes its report: `for` and `keep_firing_for` delay it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
}

/// The four states of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConditionState {
    /// Within its thresholds.
    Healthy,
    /// Past `degraded`.
    Degraded,
    /// Past `near_miss` but not past `degraded`.
    NearMiss,
    /// Without data.
    Unknown,
}

/// An outage declared by a person or an incident tool. `occurred_at` is its start or end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Declaration {
    /// Its key at the source, shared by start and end. Empty: one declaration per service at a
    /// time. When it equals the event's `incident`, the declaration is that incident, even if its
    /// service changes.
    #[serde(default)]
    pub key: String,
    /// Title of the outage.
    pub title: String,
    /// Severity; critical by default.
    pub severity: Severity,
    /// Firing at its start, resolved at its end.
    pub status: AlertStatus,
    /// True for planned maintenance.
    #[serde(default)]
    pub planned: bool,
    /// Data loss, where stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_loss: Option<bool>,
    /// The first detector, where stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detected_by: Option<DetectedBy>,
}

/// The first to detect an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DetectedBy {
    /// An alert or a condition.
    Monitor,
    /// A member of the team.
    Human,
    /// A user of the service.
    Customer,
    /// Not known.
    Unknown,
}

/// A manual step, or an observed automatic one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Intervention {
    /// The kind of step: `restart`, `failover`, `scale`, `rollback`, …
    pub action: String,
    /// The reason, in the person's words.
    #[serde(default)]
    pub why: String,
    /// True when a person reported it; an observed step opens no incident.
    #[serde(default)]
    pub stated: bool,
    /// The person's answer to "should this be automatic?"; `None` leaves it to
    /// `services[].automatic`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub should_be_automatic: Option<bool>,
    /// A dry run, which changed nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// Rejected by the system, so that it changed nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub refused: bool,
    /// Covered by a change approved beforehand.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub planned: bool,
}

/// A stakeholder's request for a postmortem.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PostmortemRequest {
    /// The reason, in their words.
    pub reason: String,
    /// The requester, as they named themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requester: Option<String>,
}

/// A near miss, reported by a person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NearMissReport {
    /// Description of the near miss.
    pub what: String,
    /// Potential severity.
    #[serde(default)]
    pub severity: Severity,
    /// Closeness to an outage, 0 to 1; `None` when not stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closeness: Option<f64>,
    /// True when it was noticed only by luck.
    #[serde(default)]
    pub by_luck: bool,
    /// Number of remaining barriers that would still have stopped it; `None` when not stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub barriers_left: Option<u32>,
}

/// A change to the system.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// `deploy`, `rollback`, `flag`, `config`.
    pub what: String,
    /// Title for the timeline.
    #[serde(default)]
    pub title: String,
    /// The revision deployed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// The line of revisions this one belongs to, where a service may have several: a repository,
    /// an application.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<String>,
}

/// Acknowledgement of a signal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Acknowledgement {
    /// The subject acknowledged; `None` is the whole incident.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<Subject>,
}

/// Free text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Note {
    /// Its text.
    pub text: String,
}

/// A period of planned work on the event's service, or on all services where it names none. It
/// opens no incident, and time in it counts as planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaintenanceWindow {
    /// Its key at the source: a later event with the same key and service replaces it. When empty,
    /// the start serves as key.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub key: String,
    /// Start.
    pub from: Time,
    /// End, exclusive. Not after `from` when the work was cancelled.
    pub to: Time,
    /// Description of the work.
    pub why: String,
}

/// A firing alert that its sender stopped renewing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LeaseExpiry {
    /// The subject whose lease expired.
    pub of: Subject,
    /// The last time it was seen firing; its state is unknown from then on.
    pub last_seen: Time,
}

/// A step of the reference clock: hardly any time passed while it went from one reading to the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockStep {
    /// The last reading before it.
    pub from: Time,
    /// The first reading after it.
    pub to: Time,
    /// Position of its record, by which steps are in order.
    pub position: u64,
}

/// The settings and rules that took effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppliedSettings {
    /// Hash of all texts.
    pub hash: String,
    /// The whole settings file; empty where there is none. It refers to secrets but contains none.
    pub text: String,
    /// The rule files. Logs of earlier versions prepend them to the settings in one text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<RuleFile>,
}

/// A rule file as it took effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleFile {
    /// Its name.
    pub name: String,
    /// Its content.
    pub text: String,
}
