//! A person's answer to a suggestion: an event that names the revision they saw.

use crate::app::App;
use crate::app::intake::commit::Unstored;
use crate::model::correction::{Answer, Review};
use crate::model::event::{Actor, ActorKind, Event, Fact};
use crate::model::id::{EventId, IncidentId};
use crate::model::incident::Incident;
use crate::model::lifecycle::ReviewState;

/// An answer that was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answered {
    /// Whether its effect can be seen already.
    pub applied: bool,
}

/// Why an answer was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ReviewFault {
    /// The incident has changed since.
    #[error(
        "this has changed since you looked (you saw revision {saw}, it is at {now}): {news} Look again, then answer"
    )]
    Stale {
        /// The revision they saw.
        saw: u64,
        /// The revision it has.
        now: u64,
        /// Why it stands as it does.
        news: String,
    },
    /// No suggestion stands.
    #[error(
        "nothing has been suggested for this incident, so there is nothing to answer; ask for a postmortem instead"
    )]
    NothingToAnswer,
    /// It could not be made durable.
    #[error(transparent)]
    Unstored(#[from] Unstored),
}

impl App {
    /// Takes an answer, unless it answers something else than what stands now.
    ///
    /// # Errors
    /// See [`ReviewFault`].
    pub async fn review(
        &self,
        incident: &Incident,
        revision: u64,
        answer: Answer,
        comment: &str,
        by: Option<&str>,
    ) -> Result<Answered, ReviewFault> {
        if incident.standing == ReviewState::None {
            return Err(ReviewFault::NothingToAnswer);
        }
        if incident.revision != revision {
            return Err(ReviewFault::Stale {
                saw: revision,
                now: incident.revision,
                news: incident.reason.clone(),
            });
        }
        let review = Review {
            of: incident.id.clone(),
            revision,
            answer,
            comment: comment.trim().chars().take(4000).collect(),
        };
        let mut event = Event::new("review", self.now(), Fact::Review(review));
        event.incident = Some(incident.id.0.clone().into());
        event.actor = by.map(str::trim).filter(|by| !by.is_empty()).map(|by| {
            Box::new(Actor {
                id: by.chars().take(200).collect(),
                kind: ActorKind::Human,
            })
        });
        event.identify();
        let at = event.occurred_at;
        let applied = self.intake.append_stated(event).await?;
        // Two people may have looked at the same revision: the later answer stands, and the other hears of it.
        let stands = self
            .store
            .incident(&incident.id.0)
            .ok()
            .flatten()
            .filter(|_| applied);
        match stands {
            Some(now) if now.review.as_ref().is_some_and(|review| review.at > at) => {
                Err(ReviewFault::Stale {
                    saw: revision,
                    now: now.revision,
                    news: now.reason,
                })
            }
            _ => Ok(Answered { applied }),
        }
    }

    /// The incident that an event belongs to, once it is applied.
    #[must_use]
    pub fn incident_of(&self, event: &EventId) -> Option<IncidentId> {
        self.find_incident_of(event).unwrap_or_else(|fault| {
            self.faults
                .report("an incident could not be looked for", &fault);
            None
        })
    }
}
