//! The state of an incident's postmortem after announcement and answer.

use crate::model::correction::Answer;
use crate::model::incident::Incident;
use crate::model::lifecycle::ReviewState;
use crate::model::verdict::Decision;

pub(crate) fn review_state(incident: &Incident) -> ReviewState {
    let Some(announced) = &incident.announced else {
        return ReviewState::None;
    };
    match &incident.review {
        Some(review) if matches!(review.answer, Answer::Accept) => ReviewState::Held,
        // A decision that rose, or was requested again, after the answer is open again.
        Some(review) if review.at >= announced.at => match review.answer {
            Answer::Dismiss { .. } => ReviewState::Dismissed,
            Answer::Snooze { .. } if announced.decision == Decision::Suggest => {
                ReviewState::Snoozed
            }
            _ => ReviewState::Held,
        },
        _ if announced.decision == Decision::Hold => ReviewState::Held,
        _ => ReviewState::Suggested,
    }
}
