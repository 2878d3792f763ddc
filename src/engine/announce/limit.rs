//! Postmortems beyond the limit: they are suggested instead of opened, and say so.

use super::explanation;
use super::review_state::review_state;
use crate::model::incident::Incident;
use crate::model::verdict::{CriterionKind, Decision, Outcome, Verdict};

/// Makes the announced postmortem, which is one too many, a suggestion that says so.
pub(crate) fn suggest_instead(incident: &mut Incident, why: String) {
    let Some(announced) = &mut incident.announced else {
        return;
    };
    announced.decision = Decision::Suggest;
    announced.sentence = format!("{} {why}", announced.sentence);
    announced.limit = Some(why);
    incident.standing = review_state(incident);
    incident.reason = explanation::reason(incident);
    incident.revision += 1;
}

/// True if its postmortem was one too many, and no person has asked for it since.
pub(crate) fn is_limited(incident: &Incident) -> bool {
    let requested = |verdict: &Verdict| {
        verdict.on == CriterionKind::Request && verdict.outcome == Outcome::Met && !verdict.shadow
    };
    let announced = incident.announced.as_ref();
    announced.is_some_and(|announced| announced.limit.is_some())
        && !incident.verdicts.iter().any(requested)
}
