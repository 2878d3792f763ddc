//! States as coloured badges.

use crate::model::event::{ConditionState, Severity};
use crate::model::incident::Incident;
use crate::model::ledger::Disposition;
use crate::model::lifecycle::{Phase, ReviewState};
use crate::model::postmortem::PostmortemStatus;
use crate::model::spans::SpanState;
use crate::model::time::Time;
use crate::model::verdict::Outcome;

/// Text with a CSS class; the text alone carries the meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Badge {
    pub(crate) text: &'static str,
    pub(crate) class: &'static str,
}

const fn badge(text: &'static str, class: &'static str) -> Badge {
    Badge { text, class }
}

pub(crate) fn condition(state: ConditionState) -> Badge {
    match state {
        ConditionState::Healthy => badge("healthy", "good"),
        ConditionState::Degraded => badge("degraded", "bad"),
        ConditionState::NearMiss => badge("near miss", "ask"),
        ConditionState::Unknown => badge("unknown", "muted"),
    }
}

/// State of an incident at `now`. It is active only while something goes on: before it is resolved it
/// waits whether something comes back.
pub(crate) fn incident_state(incident: &Incident, now: Time) -> Badge {
    let spans = || incident.signals.iter().flat_map(|signal| &signal.spans);
    let lasts = |states: &[SpanState]| {
        spans().any(|span| {
            states.contains(&span.state)
                && span.start <= now
                && span.end.is_none_or(|end| now < end)
        })
    };
    match incident.phase {
        // An end that nothing confirms is not shown as a recovery.
        Phase::Resolved if lasts(&[SpanState::Unknown]) => return badge("unknown", "muted"),
        Phase::Resolved => return badge("resolved", "good"),
        Phase::Closed => return badge("closed", "quiet"),
        Phase::Active => {}
    }
    if lasts(&[SpanState::Degraded, SpanState::NearMiss]) {
        badge("active", "warm")
    } else if lasts(&[SpanState::Unknown]) {
        badge("unknown", "muted")
    } else if lasts(&[SpanState::Planned]) || spans().any(|span| span.start > now) {
        badge("planned", "quiet")
    } else if spans().next().is_some() {
        badge("ended", "quiet")
    } else {
        badge("open", "quiet")
    }
}

pub(crate) fn review_state(standing: &ReviewState) -> Badge {
    match standing {
        ReviewState::None => badge("no postmortem", "quiet"),
        ReviewState::Suggested => badge("suggested", "ask"),
        ReviewState::Snoozed => badge("snoozed", "quiet"),
        ReviewState::Held => badge("postmortem", "strong"),
        ReviewState::Dismissed => badge("dismissed", "quiet"),
    }
}

/// A severity as a badge; one of the team's own scale has its name.
pub(crate) struct SeverityBadge<'a> {
    pub(crate) text: &'a str,
    pub(crate) class: &'static str,
}

pub(crate) fn severity(severity: &Severity) -> SeverityBadge<'_> {
    let badge = match severity {
        Severity::Own(own) => {
            return SeverityBadge {
                text: own.name(),
                class: "ask",
            };
        }
        Severity::None => badge("none", "quiet"),
        Severity::Info => badge("info", "quiet"),
        Severity::Unknown => badge("severity unknown", "quiet"),
        Severity::Warning => badge("warning", "ask"),
        Severity::Critical => badge("critical", "warm"),
    };
    SeverityBadge {
        text: badge.text,
        class: badge.class,
    }
}

pub(crate) fn outcome(outcome: &Outcome) -> Badge {
    match outcome {
        Outcome::Met => badge("met", "strong"),
        Outcome::NotMet => badge("not met", "quiet"),
        Outcome::Unknown => badge("unknown", "ask"),
    }
}

pub(crate) fn postmortem_status(status: &PostmortemStatus) -> Badge {
    match status {
        PostmortemStatus::Draft => badge("draft", "ask"),
        PostmortemStatus::InDiscussion => badge("in discussion", "strong"),
        PostmortemStatus::Completed => badge("completed", "good"),
        PostmortemStatus::Declined => badge("declined", "quiet"),
    }
}

/// Outcome of a closed incident.
pub(crate) fn ledger_outcome(outcome: &Disposition) -> Badge {
    match outcome {
        Disposition::Nothing => badge("none", "quiet"),
        Disposition::Waiting => badge("waiting for an answer", "ask"),
        Disposition::Snoozed => badge("snoozed", "quiet"),
        Disposition::Lapsed => badge("lapsed", "quiet"),
        Disposition::Dismissed => badge("dismissed", "quiet"),
        Disposition::Bundled => badge("bundled", "quiet"),
        Disposition::Merged => badge("merged", "quiet"),
        Disposition::Reopened => badge("reopened", "warm"),
        Disposition::Due => badge("postmortem due", "strong"),
        Disposition::Draft => postmortem_status(&PostmortemStatus::Draft),
        Disposition::InDiscussion => postmortem_status(&PostmortemStatus::InDiscussion),
        Disposition::Completed => postmortem_status(&PostmortemStatus::Completed),
        Disposition::Declined => postmortem_status(&PostmortemStatus::Declined),
    }
}

pub(crate) fn span(state: SpanState) -> Badge {
    match state {
        SpanState::Degraded => badge("degraded", "degraded"),
        SpanState::NearMiss => badge("near miss", "near"),
        SpanState::Unknown => badge("unknown", "unknown"),
        SpanState::Planned => badge("planned", "planned"),
    }
}

#[cfg(test)]
mod tests {
    use super::incident_state;
    use crate::http::format::terms::incident_state_for;
    use crate::http::pages::sample::model::{at, incident};
    use crate::model::lifecycle::Phase;
    use crate::model::spans::{Span, SpanState};

    #[test]
    fn incident_of_unknown_end_is_not_called_resolved() {
        let mut incident = incident();
        incident.phase = Phase::Resolved;
        incident.signals.truncate(1);
        let mut state = |end: Option<i64>| {
            incident.signals[0].spans = vec![Span {
                start: at(0),
                end: end.map(at),
                state: SpanState::Unknown,
            }]
            .into();
            incident_state(&incident, at(3600)).text
        };
        assert_eq!((state(None), state(Some(60))), ("unknown", "resolved"));
    }

    #[test]
    fn active_means_that_something_goes_on() {
        let mut incident = incident();
        incident.phase = Phase::Active;
        incident.phase_since = at(0);
        incident.signals.truncate(1);
        let mut spans = |start, end: Option<i64>, state| {
            let end = end.map(at);
            incident.signals[0].spans = vec![Span {
                start: at(start),
                end,
                state,
            }]
            .into();
            let now = at(3600);
            (
                incident_state(&incident, now).text,
                incident_state_for(&incident, now),
            )
        };
        for ((start, end, state), text, words) in [
            ((0, None, SpanState::Degraded), "active", "active for 1h"),
            (
                (0, Some(3480), SpanState::Degraded),
                "ended",
                "ended 2m ago",
            ),
            ((0, None, SpanState::Unknown), "unknown", "unknown for 1h"),
            ((0, None, SpanState::Planned), "planned", "planned for 1h"),
        ] {
            assert_eq!(spans(start, end, state), (text, words.to_owned()));
        }
    }
}
