//! What makes facts equal: an event's id and subject, derived from what it states.

use super::Time;
use super::event::{
    Acknowledgement, AlertStatus, Change, Event, EventId, Fact, Subject, alert_subject,
    declared_subject,
};

impl Event {
    /// Builds an event: derives its id and subject from what it states. `source` is no part of the id.
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
            fact,
        };
        event.identify();
        event
    }

    /// Derives `id` and `subject` again after a field that they depend on was set.
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
                        format!(
                            "alert resolved {} {:?} {:?}{waited}{kept}",
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
                // As it was stated before changes had lines, so that what was told then and is told again stays the same.
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
                    "{service} {:?} {:?} {:?} {fact:?}",
                    self.incident, self.occurred_at, self.actor
                );
                (Subject::of(&stated), stated)
            }
        };
        self.id = EventId::of(&stated);
        self.subject = subject;
    }
}
