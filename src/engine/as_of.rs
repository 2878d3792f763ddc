//! Open incidents as of the moment they are shown: margins and reason grow while no event arrives.

use super::announce::explanation;
use super::criteria;
use super::policy::Policy;
use crate::model::incident::Incident;
use crate::model::lifecycle::Phase;
use crate::model::spans::Spans;
use crate::model::time::Time;

/// Evaluates an open incident at `now`, as the engine would if it looked then. The verdicts of a closed
/// one stay as they were decided.
///
/// Nothing is announced and no phase changes: these have their own timers.
#[must_use]
pub(crate) fn as_of(incident: Incident, policy: &Policy, now: Time) -> Incident {
    evaluated(incident, policy, now, false)
}

/// Evaluates an incident that a past log leaves open, at the end of the log.
#[must_use]
pub(crate) fn as_of_log_end(incident: Incident, policy: &Policy, end: Time) -> Incident {
    evaluated(incident, policy, end, true)
}

fn evaluated(mut incident: Incident, policy: &Policy, now: Time, log_ended: bool) -> Incident {
    for signal in &mut incident.signals {
        forget_future(&mut signal.spans, now);
    }
    if incident.phase != Phase::Closed {
        incident.verdicts = criteria::verdicts_as_of(&incident, policy, now, log_ended);
        incident.reason = explanation::reason(&incident);
    }
    incident
}

/// Removes the effect of future planned work: drops spans that begin after `now`, and opens a last
/// span that ends later.
fn forget_future(spans: &mut Spans, now: Time) {
    if spans
        .iter()
        .all(|span| span.start <= now && span.end.is_none_or(|end| end <= now))
    {
        return;
    }
    spans.retain(|span| span.start <= now);
    if let Some(last) = spans.last_mut() {
        last.end = last.end.filter(|end| *end <= now);
    }
}
