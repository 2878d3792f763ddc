//! Keys of our own event format, by kind: names, JSON Schema and meaning. [`super::events`] reads
//! their values, with faults that name the path.
#![expect(
    dead_code,
    reason = "declares keys; a value is read where its meaning is known"
)]

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::model::event::{ActorKind, AlertStatus, ConditionState, DetectedBy, EndReason};
use crate::model::field_names::field_names;
use crate::model::labels::Labels;

/// A kind of event with the keys of its own.
pub(crate) struct EventKind {
    pub(crate) name: &'static str,
    /// The names of its keys.
    pub(crate) keys: fn() -> &'static [&'static str],
    /// The JSON Schema of its keys.
    pub(crate) schema: fn(&mut SchemaGenerator) -> Schema,
}

const fn kind<'de, K: Deserialize<'de> + JsonSchema>(name: &'static str) -> EventKind {
    EventKind {
        name,
        keys: field_names::<K>,
        schema: K::json_schema,
    }
}

/// All kinds.
pub(crate) const KINDS: [EventKind; 10] = [
    kind::<AlertKeys>("alert"),
    kind::<ConditionKeys>("condition"),
    kind::<DeclarationKeys>("declaration"),
    kind::<InterventionKeys>("intervention"),
    kind::<RequestKeys>("request"),
    kind::<NearMissKeys>("near_miss"),
    kind::<ChangeKeys>("change"),
    kind::<AcknowledgementKeys>("acknowledgement"),
    kind::<NoteKeys>("note"),
    kind::<MaintenanceKeys>("maintenance"),
];

/// The names of all kinds.
pub(crate) fn kind_names() -> [&'static str; KINDS.len()] {
    KINDS.map(|kind| kind.name)
}

/// The names of the keys of every kind.
pub(crate) fn common() -> &'static [&'static str] {
    field_names::<CommonKeys>()
}

/// Keys of every kind.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CommonKeys {
    /// Event kind.
    kind: String,
    /// Time of the event (RFC 3339); by default now.
    occurred_at: Option<String>,
    /// Name of the sender.
    #[schemars(extend("default" = "api"))]
    source: Option<String>,
    /// Affected service; by default read from the labels.
    service: Option<String>,
    /// Affected environment; by default read from the labels.
    environment: Option<String>,
    /// Id of the related incident.
    incident: Option<String>,
    /// Person or program that acted.
    #[serde(default)]
    #[schemars(schema_with = "actor")]
    actor: Option<IgnoredAny>,
    /// Links to further information.
    #[schemars(extend("default" = []))]
    links: Option<Vec<LinkKeys>>,
}

/// Keys of `alert`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AlertKeys {
    /// Name of the alert; by default the label `alertname`.
    name: Option<String>,
    /// Status of the alert.
    status: AlertStatus,
    /// When it began to fire; needed when it is resolved, else `occurred_at`.
    starts_at: Option<String>,
    /// End time; by default `occurred_at`.
    ends_at: Option<String>,
    /// Labels of the alert.
    #[schemars(extend("default" = {}))]
    labels: Option<Labels>,
    /// Annotations of the alert.
    #[schemars(extend("default" = {}))]
    annotations: Option<Labels>,
    /// Severity: critical, warning, info, none, unknown or a custom word; by default read from the
    /// labels.
    #[schemars(extend("default" = "unknown"))]
    severity: Option<String>,
    /// Time its rule was pending before it fired, in seconds.
    pending_for: Option<u32>,
    /// Time it keeps firing after its rule no longer holds, in seconds.
    keep_firing_for: Option<u32>,
    /// Reason for the end.
    #[schemars(extend("default" = "recovered"))]
    end_reason: Option<EndReason>,
}

/// Keys of `condition`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConditionKeys {
    /// Name of the condition in the rules.
    name: String,
    /// New state.
    state: ConditionState,
    /// Severity: critical, warning, info, none, unknown or a custom word; by default read from the
    /// labels.
    #[schemars(extend("default" = "unknown"))]
    severity: Option<String>,
    /// Labels of the alert.
    #[schemars(extend("default" = {}))]
    labels: Option<Labels>,
    /// Measured value.
    value: Option<f64>,
    /// Start of the state, if before `occurred_at`.
    since: Option<String>,
}

/// Keys of `declaration`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeclarationKeys {
    /// Distinguishes declarations of one service.
    #[schemars(extend("default" = ""))]
    key: Option<String>,
    /// User impact; required unless resolved.
    #[schemars(extend("default" = ""))]
    title: Option<String>,
    /// Severity: critical, warning, info, none, unknown or a custom word.
    #[schemars(extend("default" = "critical"))]
    severity: Option<String>,
    /// Start or end of the outage.
    #[schemars(extend("default" = "firing"))]
    status: Option<AlertStatus>,
    /// Planned work.
    #[schemars(extend("default" = false))]
    planned: Option<bool>,
    /// Data was lost; null if unknown.
    data_loss: Option<bool>,
    /// Detected first by.
    detected_by: Option<DetectedBy>,
}

/// Keys of `intervention`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct InterventionKeys {
    /// Action taken: restart, failover, scale, rollback.
    action: String,
    /// Reason for it.
    #[schemars(extend("default" = ""))]
    why: Option<String>,
    /// Entered by a person.
    #[schemars(extend("default" = false))]
    stated: Option<bool>,
    /// The step should be automated; by default as in the settings.
    should_be_automatic: Option<bool>,
    /// Dry run: nothing was changed.
    #[schemars(extend("default" = false))]
    dry_run: Option<bool>,
    /// The step was rejected.
    #[schemars(extend("default" = false))]
    refused: Option<bool>,
    /// Planned work.
    #[schemars(extend("default" = false))]
    planned: Option<bool>,
}

/// Keys of `request`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RequestKeys {
    /// Reason for the request: the event and its time.
    reason: String,
    /// Person who requests it.
    requester: Option<String>,
}

/// Keys of `near_miss`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NearMissKeys {
    /// Description of the near miss.
    what: String,
    /// Severity: critical, warning, info, none, unknown or a custom word; by default read from the
    /// labels.
    #[schemars(extend("default" = "unknown"))]
    severity: Option<String>,
    /// Closeness to an incident, from 0 (remote) to 1 (almost happened).
    #[schemars(range(min = 0, max = 1))]
    closeness: Option<f64>,
    /// Noticed only by luck.
    #[schemars(extend("default" = false))]
    by_luck: Option<bool>,
    /// Number of remaining barriers.
    barriers_left: Option<u32>,
}

/// Keys of `change`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangeKeys {
    /// Kind of change: deploy, rollback, flag or config.
    what: String,
    /// Title of the change.
    #[schemars(extend("default" = ""))]
    title: Option<String>,
    /// Revision that was deployed.
    revision: Option<String>,
    /// Repository or application of the revision, if a service has several.
    line: Option<String>,
}

/// Keys of `acknowledgement`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AcknowledgementKeys {
    /// Subject that is acknowledged; by default the incident.
    of: Option<String>,
}

/// Keys of `note`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoteKeys {
    /// Text of the note.
    text: String,
}

/// Keys of `maintenance`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MaintenanceKeys {
    /// Key of the maintenance; an event with the same key replaces the earlier one. By default
    /// derived from `from`.
    #[schemars(extend("default" = ""))]
    key: Option<String>,
    /// Start of the planned work (RFC 3339).
    from: String,
    /// End of the planned work (RFC 3339); an end equal to `from` cancels it.
    to: String,
    /// Description of the work.
    why: String,
}

/// Keys of `actor`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ActorKeys {
    /// Account name of the actor in the source.
    id: String,
    /// Kind of actor.
    #[schemars(extend("default" = "unknown"))]
    kind: Option<ActorKind>,
}

/// Keys of an entry of `links`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LinkKeys {
    /// Link text; by default the URL.
    title: Option<String>,
    /// URL, beginning with https:// or http://.
    url: String,
}

/// A bare name, or a map.
fn actor(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({"oneOf": [{"type": "string"}, ActorKeys::json_schema(generator)]})
}
