//! Content-derived identity: an event's id and subject follow from what it states.

use super::event::{Acknowledgement, AlertStatus, Change, Event, Fact, PostmortemRequest};
use super::id::{EventId, Subject};
use super::labels::LabelSet;
use super::time::Time;

/// The subject of an alert: its labels and `startsAt`, which together identify one episode.
#[must_use]
pub(crate) fn alert_subject(labels: &LabelSet, starts_at: Time) -> Subject {
    let mut stated = String::from("alert\0");
    for (name, value) in labels {
        stated.push_str(name);
        stated.push('\0');
        stated.push_str(value);
        stated.push('\0');
    }
    stated.push_str(&starts_at.timestamp_micros().to_string());
    Subject::of(&stated)
}

/// The subject of a declaration with an incident key of its source. The service is not part of it,
/// since it may change.
#[must_use]
pub(crate) fn declared_subject(incident: &str) -> Subject {
    Subject::of(&format!("declaration of {incident}"))
}

impl Event {
    /// Builds an event and derives its id and subject from its content. `source` is not part of the
    /// id.
    #[must_use]
    pub fn new(source: &str, occurred_at: Time, fact: Fact) -> Self {
        let mut event = Self {
            id: EventId::FIRST,
            subject: Subject::from(0),
            occurred_at,
            source: source.into(),
            service: None,
            environment: None,
            incident: None,
            actor: None,
            links: Default::default(),
            clamped: false,
            start_bounds: None,
            fact,
        };
        event.identify();
        event
    }

    /// Recomputes `id` and `subject` after a field they depend on was set.
    pub fn identify(&mut self) {
        let service = self.service.as_deref().unwrap_or_default();
        let (subject, stated) = match &self.fact {
            Fact::Alert(alert) => {
                let subject = alert_subject(&alert.labels, alert.starts_at);
                let again = alert
                    .seen_again
                    .map(|again| format!(" again {again:?}"))
                    .unwrap_or_default();
                let waited = alert
                    .pending_for
                    .map(|seconds| format!(" for {seconds}s"))
                    .unwrap_or_default();
                let kept = alert
                    .keep_firing_for
                    .map(|seconds| format!(" kept {seconds}s"))
                    .unwrap_or_default();
                let stated = match alert.status {
                    AlertStatus::Firing => format!("alert firing {}{again}{waited}{kept}", subject),
                    AlertStatus::Resolved => {
                        let borrowed = if alert.borrowed_end { " borrowed" } else { "" };
                        format!(
                            "alert resolved {} {:?} {:?}{waited}{kept}{borrowed}",
                            subject, alert.ends_at, alert.end_reason
                        )
                    }
                };
                (subject, stated)
            }
            Fact::Condition(condition) => {
                let subject = Subject::of(&format!(
                    "condition {service} {} {:?}",
                    condition.name, condition.labels
                ));
                let since = condition
                    .since
                    .map(|since| format!(" since {since:?}"))
                    .unwrap_or_default();
                let stated = format!(
                    "{} {:?} {:?}{since}",
                    subject, condition.state, self.occurred_at
                );
                (subject, stated)
            }
            Fact::Declaration(declaration) => match &self.incident {
                Some(incident) if **incident == *declaration.key => {
                    let subject = declared_subject(incident);
                    (
                        subject,
                        format!("{subject} {service} {:?} {declaration:?}", self.occurred_at),
                    )
                }
                _ => {
                    let subject = Subject::of(&format!(
                        "declaration {service} {} {:?}",
                        declaration.key, self.incident
                    ));
                    (
                        subject,
                        format!("{subject} {:?} {declaration:?}", self.occurred_at),
                    )
                }
            },
            Fact::Maintenance(window) => {
                let from = Some(window.from).filter(|_| window.key.is_empty());
                let subject =
                    Subject::of(&format!("maintenance {service} {} {from:?}", window.key));
                (
                    subject,
                    format!(
                        "{subject} {:?} {:?} {:?} {}",
                        self.occurred_at, window.from, window.to, window.why
                    ),
                )
            }
            Fact::Lapsed(lapsed) => (
                lapsed.of,
                format!("lapsed {} {:?}", lapsed.of, lapsed.last_seen),
            ),
            Fact::Acknowledgement(Acknowledgement { of: Some(of) }) => (
                *of,
                format!(
                    "acknowledged {} {:?} {:?}",
                    of, self.occurred_at, self.actor
                ),
            ),
            Fact::Change(Change {
                what,
                title,
                revision,
                line,
            }) => {
                // The text used before changes had lines, so that a repeated older change keeps its
                // id.
                let change = format!(
                    "Change(Change {{ what: {what:?}, title: {title:?}, revision: {revision:?} }})"
                );
                let line = line
                    .as_ref()
                    .map(|line| format!(" of {line:?}"))
                    .unwrap_or_default();
                let stated = format!(
                    "{service} {:?} {:?} {:?} {change}{line}",
                    self.incident, self.occurred_at, self.actor
                );
                (Subject::of(&stated), stated)
            }
            fact => {
                let stated = format!(
                    "{service} {:?} {:?} {:?} {}",
                    self.incident,
                    self.occurred_at,
                    self.actor,
                    canonical_text(fact)
                );
                (Subject::of(&stated), stated)
            }
        };
        self.id = EventId::of(&stated);
        self.subject = subject;
    }
}

/// The text of a fact that is hashed into its id. It equals the `Debug` form of the types under
/// their first names and must not change: stored ids are compared with new ones.
fn canonical_text(fact: &Fact) -> String {
    match fact {
        Fact::Request(PostmortemRequest { reason, requester }) => {
            format!("Request(Request {{ reason: {reason:?}, requester: {requester:?} }})")
        }
        Fact::NearMiss(report) => {
            format!(
                "NearMiss({})",
                format!("{report:?}").replacen("NearMissReport", "NearMiss", 1)
            )
        }
        Fact::Settings(applied) => {
            format!(
                "Settings({})",
                format!("{applied:?}").replacen("AppliedSettings", "Settings", 1)
            )
        }
        Fact::Edit(correction) => format!("Edit({correction:?})"),
        fact => format!("{fact:?}"),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use crate::model::event::Event;

    /// Stored events of every kind. Ids are stored and compared, so that neither the JSON nor the
    /// ids of these lines may change.
    #[test]
    fn stored_events_read_back_and_keep_their_ids() {
        for line in include_str!("testdata/events.jsonl").lines() {
            let stored: Event = serde_json::from_str(line).unwrap();
            let mut derived = stored.clone();
            derived.identify();
            assert_eq!(derived.id, stored.id, "{line}");
            assert_eq!(derived.subject, stored.subject, "{line}");
            assert_eq!(serde_json::to_string(&stored).unwrap(), line);
        }
    }
}
