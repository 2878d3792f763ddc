//! The fields that `where` sees of an incident and its parts, by the names of the schema in `expr`.

use crate::engine::environment::{PRODUCTION, environment};
use crate::engine::id_map::IdMap;
use crate::expr::facts::Facts;
use crate::expr::root::Root;
use crate::model::correction::Correction;
use crate::model::event::{
    ActorKind, Alert, DetectedBy, Event, Fact, Intervention, NearMissReport, PostmortemRequest,
};
use crate::model::id::EventId;
use crate::model::incident::Incident;
use crate::model::labels::LabelSet;
use crate::model::member::Member;
use crate::model::signal::{Signal, SignalKind};

/// `incident`
pub(crate) fn incident(
    incident: &Incident,
    degraded_seconds: f64,
    budget_spent: Option<f64>,
) -> Facts<'_> {
    let mut facts = Facts::new(Root::Incident);
    #[expect(
        clippy::cast_precision_loss,
        reason = "signals of an incident are far below 2^52"
    )]
    let signals = incident.signals.len() as f64;
    facts
        .set("id", &incident.id.0)
        .set("title", &incident.title)
        .set(
            "service",
            incident.services.first().map_or("", String::as_str),
        )
        .set("services", &incident.services)
        .set("scope", &incident.scope)
        .set("severity", incident.severity.word())
        .set(
            "environment",
            incident.environment.as_deref().unwrap_or(PRODUCTION),
        )
        .set("duration", degraded_seconds)
        .set("detected_by", detected_by(incident))
        .set("data_loss", data_loss(incident))
        .set("budget_spent", budget_spent)
        .set("signals", signals);
    facts
}

/// The last statement on data loss; a correction takes precedence over a declaration.
fn data_loss(incident: &Incident) -> Option<bool> {
    let events = || {
        incident
            .members
            .non_alerts()
            .rev()
            .map(|member| &member.event.fact)
    };
    let corrected = events().find_map(|fact| match fact {
        Fact::Edit(Correction::DataLoss { lost, .. }) => Some(*lost),
        _ => None,
    });
    let declared = || {
        events().find_map(|fact| match fact {
            Fact::Declaration(declaration) => declaration.data_loss,
            _ => None,
        })
    };
    corrected.or_else(declared)
}

/// The kind of detector: as stated, else by the event that detected it.
fn detected_by(incident: &Incident) -> &'static str {
    let stated = incident
        .members
        .non_alerts()
        .find_map(|member| match &member.event.fact {
            Fact::Declaration(declaration) => declaration.detected_by,
            _ => None,
        });
    if let Some(stated) = stated {
        return match stated {
            DetectedBy::Monitor => "monitor",
            DetectedBy::Human => "human",
            DetectedBy::Customer => "customer",
            DetectedBy::Unknown => "unknown",
        };
    }
    let Some(source) = incident
        .milestones
        .detected
        .as_ref()
        .and_then(|milestone| milestone.source.as_ref())
    else {
        return "unknown";
    };
    let event = incident
        .members
        .iter()
        .find(|member| member.event.id == *source)
        .map(|member| &*member.event);
    let robot = event
        .and_then(|event| event.actor.as_ref())
        .is_some_and(|actor| actor.kind == ActorKind::Robot);
    match event.map(|event| &event.fact) {
        Some(Fact::Alert(_) | Fact::Condition(_)) => "monitor",
        // A monitor can declare outages where people usually do.
        Some(Fact::Declaration(_)) if robot => "monitor",
        Some(Fact::Request(_)) => "customer",
        Some(Fact::Declaration(_) | Fact::NearMiss(_) | Fact::Intervention(_)) => "human",
        _ => "unknown",
    }
}

/// The labels of each signal of an incident, by its first event.
pub(crate) fn labels(incident: &Incident) -> IdMap<EventId, &LabelSet> {
    let stated = incident
        .members
        .iter()
        .filter_map(|Member { event, .. }| match &event.fact {
            Fact::Alert(alert) => Some((event.id, &alert.labels)),
            Fact::Condition(condition) => Some((event.id, &condition.labels)),
            _ => None,
        });
    stated.collect()
}

/// `signal`, with unknown labels.
pub(crate) fn signal(signal: &Signal) -> Facts<'_> {
    let mut facts = Facts::new(Root::Signal);
    facts
        .set("kind", kind(signal.kind))
        .set("name", &signal.name)
        .set("severity", signal.severity.word())
        .set("service", signal.service.as_deref().unwrap_or_default())
        .set(
            "environment",
            signal.environment.as_deref().unwrap_or(PRODUCTION),
        )
        .set("role", signal.role.as_deref().unwrap_or_default());
    facts
}

/// `signal`, of an alert that belongs to no incident yet.
pub(crate) fn alert<'a>(event: &'a Event, alert: &'a Alert) -> Facts<'a> {
    let mut facts = Facts::new(Root::Signal);
    facts
        .set("kind", kind(SignalKind::Alert))
        .set("name", &alert.name)
        .set("severity", alert.severity.word())
        .set("service", event.service.as_deref().unwrap_or_default())
        .set("environment", environment(event))
        .set("role", alert.labels.get("afterword").unwrap_or_default())
        .set("labels", &alert.labels);
    facts
}

/// `intervention`; `actor` is the person, else the name that the source uses.
pub(crate) fn intervention<'a>(
    event: &'a Event,
    step: &'a Intervention,
    actor: &'a str,
    kind: ActorKind,
    should_be_automatic: bool,
) -> Facts<'a> {
    let mut facts = Facts::new(Root::Intervention);
    facts
        .set("action", &step.action)
        .set("why", &step.why)
        .set("actor", actor)
        .set("actor_kind", actor_kind(kind))
        .set("service", event.service.as_deref().unwrap_or_default())
        .set("should_be_automatic", should_be_automatic)
        .set("stated", step.stated);
    facts
}

/// `request`
pub(crate) fn request<'a>(event: &'a Event, request: &'a PostmortemRequest) -> Facts<'a> {
    let mut facts = Facts::new(Root::Request);
    facts
        .set("reason", &request.reason)
        .set(
            "requester",
            request.requester.as_deref().unwrap_or_default(),
        )
        .set("service", event.service.as_deref().unwrap_or_default());
    facts
}

/// `near_miss`
pub(crate) fn near_miss<'a>(
    event: &'a Event,
    near_miss: &'a NearMissReport,
    score: f64,
) -> Facts<'a> {
    let mut facts = Facts::new(Root::NearMiss);
    facts
        .set("what", &near_miss.what)
        .set("severity", near_miss.severity.word())
        .set("service", event.service.as_deref().unwrap_or_default())
        .set("score", score)
        .set("closeness", near_miss.closeness)
        .set("by_luck", near_miss.by_luck)
        .set("reported", true);
    facts
}

/// `near_miss`, as measured by a condition.
pub(crate) fn near_miss_signal(signal: &Signal, score: f64, closeness: Option<f64>) -> Facts<'_> {
    let mut facts = Facts::new(Root::NearMiss);
    facts
        .set("what", &signal.name)
        .set("severity", signal.severity.word())
        .set("service", signal.service.as_deref().unwrap_or_default())
        .set("score", score)
        .set("closeness", closeness)
        .set("by_luck", false)
        .set("reported", false);
    facts
}

fn kind(kind: SignalKind) -> &'static str {
    match kind {
        SignalKind::Alert => "alert",
        SignalKind::Condition => "condition",
        SignalKind::Declaration => "declaration",
    }
}

fn actor_kind(kind: ActorKind) -> &'static str {
    match kind {
        ActorKind::Human => "human",
        ActorKind::Robot => "robot",
        ActorKind::Unknown => "unknown",
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use super::{ActorKind, Fact, Facts, SignalKind};
    use crate::engine::policy::Policy;
    use crate::engine::state::State;
    use crate::model::event::Event;
    use crate::model::event::Severity;
    use crate::model::time::Time;

    fn unknown(facts: &Facts<'_>) -> String {
        facts.unknown().collect::<Vec<_>>().join(" ")
    }

    fn event(fact: &str) -> Event {
        Event::new(
            "test",
            Time::from_timestamp(1_767_603_600, 0).unwrap(),
            serde_json::from_str(fact).unwrap(),
        )
    }

    #[test]
    fn only_unstated_fields_are_unknown() {
        let policy = Policy::default();
        for (fact, expected) in [
            (
                r#"{"kind":"alert","name":"A","status":"firing","severity":"critical","labels":{},"starts_at":"2026-01-05T09:00:00Z"}"#,
                "",
            ),
            (r#"{"kind":"intervention","action":"restart"}"#, ""),
            (r#"{"kind":"request","reason":"they call"}"#, ""),
            (
                r#"{"kind":"near_miss","what":"disk nearly full","closeness":0.5}"#,
                "",
            ),
            (
                r#"{"kind":"near_miss","what":"disk nearly full"}"#,
                "closeness",
            ),
        ] {
            let event = event(fact);
            let facts = match &event.fact {
                Fact::Alert(alert) => super::alert(&event, alert),
                Fact::Intervention(step) => {
                    super::intervention(&event, step, "ada", ActorKind::Human, true)
                }
                Fact::Request(request) => super::request(&event, request),
                Fact::NearMiss(near_miss) => super::near_miss(&event, near_miss, 1.0),
                _ => continue,
            };
            assert_eq!(unknown(&facts), expected, "{fact}");
        }
        let declared = event(
            r#"{"kind":"declaration","title":"Down","severity":"critical","status":"firing"}"#,
        );
        let (mut state, now) = (State::default(), declared.occurred_at);
        state.apply(vec![declared], &policy, now);
        let incident = state.incidents().next().unwrap();
        assert_eq!(
            unknown(&super::incident(incident, 1.0, None)),
            "data_loss budget_spent"
        );
        assert_eq!(unknown(&super::signal(&incident.signals[0])), "labels");
        assert_eq!(
            unknown(&super::near_miss_signal(&incident.signals[0], 1.0, None)),
            "closeness"
        );
    }

    #[test]
    fn enum_words_equal_serialized_names() {
        for each in [
            Severity::None,
            Severity::Info,
            Severity::Unknown,
            Severity::Warning,
            Severity::Critical,
        ] {
            assert_eq!(serde_json::to_value(each).unwrap(), each.word());
        }
        for each in [
            SignalKind::Alert,
            SignalKind::Condition,
            SignalKind::Declaration,
        ] {
            assert_eq!(serde_json::to_value(each).unwrap(), super::kind(each));
        }
        for each in [ActorKind::Human, ActorKind::Robot, ActorKind::Unknown] {
            assert_eq!(serde_json::to_value(each).unwrap(), super::actor_kind(each));
        }
    }
}
