//! Reviews: a person's answer to a suggestion, as an event that names the revision they saw.

use super::actor;
use crate::model::correction::{Answer, Review};
use crate::model::event::{Event, Fact};
use crate::model::incident::Incident;
use crate::model::lifecycle::ReviewState;
use crate::model::time::Time;
use crate::store::database::Store;

/// Reason for refusing an answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReviewFault {
    /// The incident has changed since.
    #[error(
        "This incident has changed since you opened the page (revision {saw}, now {now}). Now: {news} Please answer again."
    )]
    Stale {
        /// The revision they saw.
        saw: u64,
        /// The revision it has.
        now: u64,
        /// Explanation of its present state.
        news: String,
    },
    /// There is no suggestion.
    #[error(
        "nothing has been suggested for this incident, so there is nothing to answer; ask for a postmortem instead"
    )]
    NothingToAnswer,
}

/// Longest comment kept, in characters.
const LONGEST_COMMENT: usize = 4000;

/// The event of an answer to the suggestion that the person saw.
///
/// # Errors
/// When there is no suggestion, or the incident has changed since.
pub(crate) fn event(
    incident: &Incident,
    revision: u64,
    answer: Answer,
    comment: &str,
    by: Option<&str>,
    now: Time,
) -> Result<Event, ReviewFault> {
    if incident.standing == ReviewState::None {
        return Err(ReviewFault::NothingToAnswer);
    }
    // Further reasons make no difference to somebody who wants the postmortem that is suggested.
    let still_asked = answer == Answer::Accept && incident.standing == ReviewState::Suggested;
    if revision > incident.revision || (revision < incident.revision && !still_asked) {
        return Err(stale(incident, revision));
    }
    let review = Review {
        of: incident.id.clone(),
        revision,
        answer,
        comment: comment.trim().chars().take(LONGEST_COMMENT).collect(),
    };
    let mut event = Event::new("review", now, Fact::Review(review));
    event.incident = Some(incident.id.0.clone().into());
    event.actor = actor::person_named(by);
    event.identify();
    Ok(event)
}

/// Checks whether an applied answer was overtaken: of two answers to one revision the later one
/// counts. Blocks.
///
/// # Errors
/// [`ReviewFault::Stale`] when another answer counts.
pub(crate) fn check_overtaken(store: &Store, review: &Event) -> Result<(), ReviewFault> {
    let Fact::Review(answered) = &review.fact else {
        return Ok(());
    };
    match store.incident(&answered.of.0).ok().flatten() {
        Some(now)
            if now
                .review
                .as_ref()
                .is_some_and(|latest| latest.at > review.occurred_at) =>
        {
            Err(stale(&now, answered.revision))
        }
        _ => Ok(()),
    }
}

fn stale(incident: &Incident, saw: u64) -> ReviewFault {
    ReviewFault::Stale {
        saw,
        now: incident.revision,
        news: incident.reason.clone(),
    }
}
