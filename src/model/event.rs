//! Events: normalised facts, each with the time at which its source says it held.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::correction::{Correction, Review};
use super::id::{EventId, Subject};
use super::labels::LabelSet;
use super::time::Time;

/// One normalised fact. Build it with [`Event::new`], which derives `id` and `subject`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Derived from what the event states.
    pub id: EventId,
    /// What the event is about.
    pub subject: Subject,
    /// When it was so, by its source.
    pub occurred_at: Time,
    /// The name of the source that told it first.
    pub source: Arc<str>,
    /// The service it concerns, as read from its labels or stated; `None` is *unassigned*.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<Arc<str>>,
    /// The environment; `None` counts as production.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<Arc<str>>,
    /// An explicit incident key: an incident's id or alias, or the name of an incident at a source, `pagerduty:PGR0VU2`. Whatever is told
    /// under one name belongs together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<Box<str>>,
    /// Who did it, when somebody did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<Box<Actor>>,
    /// Where to read more.
    #[serde(default, skip_serializing_if = "no_links")]
    pub links: Arc<[Link]>,
    /// True when the source's clock was ahead of ours by more than two minutes and the time was clamped.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub clamped: bool,
    /// What it states.
    pub fact: Fact,
}

fn no_links(links: &Arc<[Link]>) -> bool {
    links.is_empty()
}

/// Somebody or something that acted.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Actor {
    /// As the source names them, or a person's id.
    pub id: String,
    /// A human, a robot, or not told.
    #[serde(default)]
    pub kind: ActorKind,
}

/// Whether an actor is a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
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
    /// What is found there.
    pub title: String,
    /// `http` or `https` address; checked where it is read.
    pub url: String,
}

/// The kinds of facts, with what each states.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Fact {
    /// An alert fired or resolved.
    Alert(Alert),
    /// A metric condition changed its state.
    Condition(Condition),
    /// An outage was declared, or a declared one ended.
    Declaration(Declaration),
    /// A human (or robot) acted on the system.
    Intervention(Intervention),
    /// Somebody asked for a postmortem.
    Request(PostmortemRequest),
    /// Somebody reported a near miss.
    NearMiss(NearMissReport),
    /// A deploy, rollback or flag: context, never an incident by itself.
    Change(Change),
    /// Somebody took note of a signal.
    Acknowledgement(Acknowledgement),
    /// Free text for the timeline.
    Note(Note),
    /// Planned work, told beforehand or afterwards.
    Maintenance(MaintenanceWindow),
    /// A person's answer to a suggestion.
    Review(Review),
    /// A person's correction of what was correlated or read.
    Edit(Correction),
    /// A sender stopped renewing a firing alert; its end is unknown.
    Lapsed(LeaseExpiry),
    /// Rules and services put in force.
    Settings(AppliedSettings),
}

/// An alert's state, Prometheus's or any other's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// `alertname`, or the source's title.
    pub name: Arc<str>,
    /// Firing or resolved.
    pub status: AlertStatus,
    /// All labels; identity together with `starts_at`.
    pub labels: LabelSet,
    /// Annotations; no part of identity.
    #[serde(default, skip_serializing_if = "LabelSet::is_empty")]
    pub annotations: LabelSet,
    /// Normalised severity.
    pub severity: Severity,
    /// `startsAt`: when the sender began to call it firing.
    pub starts_at: Time,
    /// `endsAt` of a resolved alert.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Time>,
    /// The rule's `for` in seconds where known: the onset is `starts_at - pending_for`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending_for: Option<i64>,
    /// The rule's `keep_firing_for` in seconds where known: the true end is that much earlier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_firing_for: Option<i64>,
    /// Why a resolved alert ended.
    #[serde(default)]
    pub end_reason: EndReason,
    /// Set when it is told firing after its sender had fallen silent or had called it over: the time when it was seen again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen_again: Option<Time>,
    /// Read from what its Prometheus remembers of it, evaluation by evaluation: it knows better than what was sent.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub recalled: bool,
}

/// Whether an alert is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertStatus {
    /// On.
    Firing,
    /// Off.
    Resolved,
}

/// Why something ended. Only `Recovered` is evidence of health.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// The condition no longer held.
    #[default]
    Recovered,
    /// The sender of the evidence vanished.
    SourceLost,
    /// There was no data to judge.
    NoData,
    /// Somebody muted it.
    Muted,
    /// The rule or monitor was deleted.
    Deleted,
    /// A later episode of the same thing replaced it.
    Superseded,
    /// The source does not say.
    Unknown,
}

/// Normalised severity, mildest first.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Only proves that its sender is alive.
    None,
    /// Good to know.
    Info,
    /// Not told, or a word we do not know.
    #[default]
    Unknown,
    /// Soon.
    Warning,
    /// Now.
    Critical,
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
    /// Label set of the series, empty for a scalar.
    #[serde(default, skip_serializing_if = "LabelSet::is_empty")]
    pub labels: LabelSet,
    /// The value that made it so, in the unit of the query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// Since when it has been so, where that was before it was called so: `for` and `keep_firing_for` call it late.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
}

/// The four states of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConditionState {
    /// Within bounds.
    Healthy,
    /// Past `degraded`.
    Degraded,
    /// Past `near_miss` only.
    NearMiss,
    /// No data to say.
    Unknown,
}

/// An outage as somebody declared it. `occurred_at` is when it began, or when it ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Declaration {
    /// Its key at the source; firing and resolved share it. Empty: one declaration a service at a time. The same as the event's `incident`:
    /// it is that incident, whatever service it is told of.
    #[serde(default)]
    pub key: String,
    /// What is said to be the matter.
    pub title: String,
    /// Severity, critical unless said.
    pub severity: Severity,
    /// Begun or ended.
    pub status: AlertStatus,
    /// True for planned maintenance.
    #[serde(default)]
    pub planned: bool,
    /// Whether data was lost, where that was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_loss: Option<bool>,
    /// Who noticed, where that was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detected_by: Option<DetectedBy>,
}

/// Who noticed an incident first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DetectedBy {
    /// An alert or a condition.
    Monitor,
    /// Somebody of the team.
    Human,
    /// Somebody who uses the service.
    Customer,
    /// Nobody can say.
    Unknown,
}

/// A manual step, or an automatic one that was observed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Intervention {
    /// What kind of step: `restart`, `failover`, `scale`, `rollback`, …
    pub action: String,
    /// Why it was taken, in the person's words.
    #[serde(default)]
    pub why: String,
    /// True when a person told us; an observed one opens nothing.
    #[serde(default)]
    pub stated: bool,
    /// What the person said of whether this should be automatic; `None` leaves it to `services[].automatic`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub should_be_automatic: Option<bool>,
    /// It was only tried out and changed nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// The system refused it, so that it changed nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub refused: bool,
    /// A change approved beforehand covers it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub planned: bool,
}

/// A stakeholder's wish for a postmortem.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PostmortemRequest {
    /// Why, in their words.
    pub reason: String,
    /// Who asks, as they named themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requester: Option<String>,
}

/// Something that nearly happened, reported by a person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NearMissReport {
    /// What nearly happened.
    pub what: String,
    /// How bad it would have been.
    #[serde(default)]
    pub severity: Severity,
    /// How close it came, 0 to 1; `None` when not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closeness: Option<f64>,
    /// True when it was noticed only by luck.
    #[serde(default)]
    pub by_luck: bool,
    /// How many barriers were left that would still have stopped it; `None` when not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub barriers_left: Option<u32>,
}

/// A change to the system.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// `deploy`, `rollback`, `flag`, `config`.
    pub what: String,
    /// Words for the timeline.
    #[serde(default)]
    pub title: String,
    /// Revision reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Which line of revisions that is one of, where a service may have several: a repository, an application.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<String>,
}

/// Somebody took a signal on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Acknowledgement {
    /// The subject acknowledged; `None`: the incident.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<Subject>,
}

/// Free text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Note {
    /// What was noted.
    pub text: String,
}

/// A stretch of planned work on the event's service; on all services where it names none. It opens nothing, and time in it counts as planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaintenanceWindow {
    /// Its key at the source: what is told later under the same key and service takes its place. Empty: the beginning stands in for it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub key: String,
    /// Its first instant.
    pub from: Time,
    /// The first instant after it. Not after `from`: it was called off.
    pub to: Time,
    /// What is done.
    pub why: String,
}

/// A sender stopped renewing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LeaseExpiry {
    /// The subject whose lease ran out.
    pub of: Subject,
    /// When it was last seen firing; unknown from then on.
    pub last_seen: Time,
}

/// What was put in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppliedSettings {
    /// Hash of all texts.
    pub hash: String,
    /// The settings file, whole; empty where there is none. It holds no secrets, only where they are.
    pub text: String,
    /// The rule files. Logs of earlier versions have them in front of the settings, in one text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<RuleFile>,
}

/// A rule file as it was put in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleFile {
    /// Its name.
    pub name: String,
    /// What stands in it.
    pub text: String,
}
