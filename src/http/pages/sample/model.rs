//! An incident with its postmortem, meeting and people, for the tests of the pages.

use crate::model::directory::Directory;
use crate::model::event::{
    Acknowledgement, Actor, ActorKind, Alert, AlertStatus, Change, EndReason, Event, Fact,
    Intervention, Link, Note, Severity,
};
use crate::model::id::{EventId, IncidentId, PostmortemId, Subject};
use crate::model::incident::{Announced, Incident};
use crate::model::labels::Labels;
use crate::model::lifecycle::{Phase, ReviewState};
use crate::model::meeting::{Attendee, Meeting};
use crate::model::member::{JoinReason, Member};
use crate::model::milestone::{Certainty, Milestone, Milestones};
use crate::model::on_call::{OnCall, OnCallPerson, ServiceOnCall};
use crate::model::postmortem::{Postmortem, PostmortemStatus};
use crate::model::settings::{Hours, Person};
use crate::model::signal::{Signal, SignalClass, SignalKind};
use crate::model::spans::{Span, SpanState};
use crate::model::time::Time;
use crate::model::verdict::{
    CriterionKind, Decision, Measure, Outcome, PostmortemForm, Unit, Verdict,
};
use chrono::{Duration, TimeZone, Utc};

use crate::http::pages::review::ProposedMeeting;

/// Time in seconds after 10:02 UTC on 23 November 2026.
pub(crate) fn at(seconds: i64) -> Time {
    Utc.with_ymd_and_hms(2026, 11, 23, 10, 2, 0).unwrap() + Duration::seconds(seconds)
}

fn event(number: u8, seconds: i64, service: &str, actor: Option<&str>, fact: Fact) -> Event {
    Event {
        id: EventId::from(u128::from(number)),
        subject: Subject::from(u64::from(number)),
        occurred_at: at(seconds),
        source: if actor.is_some() {
            "page"
        } else {
            "alertmanager"
        }
        .to_owned()
        .into(),
        service: Some(service.to_owned().into()),
        environment: None,
        incident: None,
        actor: actor
            .map(|id| Actor {
                id: id.to_owned(),
                kind: ActorKind::Human,
            })
            .map(Box::new),
        links: Vec::new().into(),
        clamped: false,
        start_bounds: None,
        fact,
    }
}

fn alert(
    name: &str,
    service: &str,
    severity: Severity,
    word: &str,
    summary: &str,
    ends: Option<i64>,
) -> Fact {
    let labels = [
        ("alertname", name),
        ("service", service),
        ("severity", word),
    ];
    Fact::Alert(Alert {
        seen_again: None,
        borrowed_end: false,
        recalled: false,
        name: name.to_owned().into(),
        status: if ends.is_some() {
            AlertStatus::Resolved
        } else {
            AlertStatus::Firing
        },
        labels: labels
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        annotations: Labels::from([("summary".to_owned(), summary.to_owned())]).into(),
        severity,
        starts_at: at(120),
        ends_at: ends.map(at),
        pending_for: None,
        keep_firing_for: None,
        end_reason: EndReason::Recovered,
    })
}

fn members() -> Vec<Member> {
    let by_key = || JoinReason::Labels {
        key: "service=checkout".to_owned().into(),
    };
    let mut opening = event(
        1,
        120,
        "checkout",
        None,
        alert(
            "HighErrorRate",
            "checkout",
            Severity::Critical,
            "page",
            "One in twelve orders fails",
            None,
        ),
    );
    opening.links = vec![Link {
        title: "runbook".to_owned(),
        url: "https://runbooks.example.com/checkout".to_owned(),
    }]
    .into();
    let change = Change {
        what: "deploy".to_owned(),
        title: "Smaller connection pool".to_owned(),
        revision: Some("4f1c09a".to_owned()),
        line: None,
    };
    let step = Intervention {
        action: "restart".to_owned(),
        why: "The pool did not shrink back by itself".to_owned(),
        stated: true,
        should_be_automatic: Some(true),
        dry_run: false,
        refused: false,
        planned: false,
    };
    [
        (opening, JoinReason::Opened),
        (
            event(2, 0, "checkout", None, Fact::Change(change)),
            by_key(),
        ),
        (
            event(
                3,
                300,
                "payments",
                None,
                alert(
                    "SlowResponses",
                    "payments",
                    Severity::Warning,
                    "warning",
                    "p99 above 2 s",
                    None,
                ),
            ),
            JoinReason::Dependency {
                service: "payments".to_owned().into(),
            },
        ),
        (
            event(
                4,
                420,
                "checkout",
                Some("pagerduty:ada"),
                Fact::Acknowledgement(Acknowledgement { of: None }),
            ),
            by_key(),
        ),
        (
            event(
                5,
                1500,
                "checkout",
                Some("sam"),
                Fact::Note(Note {
                    text: "All connections are taken; new orders wait for one.".to_owned(),
                }),
            ),
            JoinReason::Key,
        ),
        (
            event(
                6,
                2400,
                "checkout",
                Some("pagerduty:ada"),
                Fact::Intervention(step),
            ),
            by_key(),
        ),
        (
            event(
                7,
                2940,
                "checkout",
                None,
                alert(
                    "HighErrorRate",
                    "checkout",
                    Severity::Critical,
                    "page",
                    "",
                    Some(2940),
                ),
            ),
            JoinReason::Subject,
        ),
    ]
    .map(|(event, reason)| Member {
        event: event.into(),
        reason,
    })
    .into()
}

fn signal(
    name: &str,
    service: &str,
    severity: Severity,
    spans: &[(i64, i64, SpanState)],
) -> Signal {
    let span = |&(start, end, state): &(i64, i64, SpanState)| Span {
        start: at(start),
        end: Some(at(end)),
        state,
    };
    let sort = SignalClass {
        kind: SignalKind::Alert,
        name: name.to_owned().into(),
        severity,
        service: Some(service.to_owned().into()),
        environment: None,
        role: None,
    };
    Signal {
        subject: name.bytes().map(u64::from).sum::<u64>().into(),
        sort: sort.into(),
        spans: spans.iter().map(span).collect(),
        event: EventId::from(1),
    }
}

pub(crate) fn verdict(
    criterion: &str,
    on: CriterionKind,
    outcome: Outcome,
    measure: Option<Measure>,
    sentence: &str,
    would_change: &str,
) -> Verdict {
    let evidence = if outcome == Outcome::NotMet {
        Vec::new()
    } else {
        vec![EventId::from(1)]
    };
    Verdict {
        criterion: criterion.to_owned(),
        on,
        outcome,
        decision: Decision::Suggest,
        form: PostmortemForm::Meeting,
        shadow: false,
        measure,
        factors: Vec::new(),
        excluded: Vec::new(),
        evidence,
        sentence: sentence.to_owned(),
        would_change: would_change.to_owned(),
    }
}

fn verdicts() -> Vec<Verdict> {
    let seconds = |lower, upper| Some(Measure::new(lower, upper, 1800.0, Unit::Seconds));
    vec![
        verdict(
            "critical-alerts",
            CriterionKind::Degradation,
            Outcome::Met,
            seconds(2820.0, 2820.0),
            "Checkout was degraded for 47m without a break (threshold 30m).",
            "If it had ended more than 17m earlier, it would not have been met.",
        ),
        verdict(
            "fixed-by-hand",
            CriterionKind::Intervention,
            Outcome::Met,
            Some(Measure::new(1.0, 1.0, 1.0, Unit::Times)),
            "1 manual restart (threshold 1).",
            "With 1 fewer manual step it would not have been met.",
        ),
        verdict(
            "payments-degraded",
            CriterionKind::Degradation,
            Outcome::Unknown,
            seconds(1320.0, 2460.0),
            "Payments was degraded for between 22m and 41m without a break (threshold 30m); the state of the rest is unknown.",
            "Evidence for 10:29 to 10:48.",
        ),
        verdict(
            "declared-outage",
            CriterionKind::Outage,
            Outcome::NotMet,
            None,
            "No outage was declared.",
            "A declaration.",
        ),
    ]
}

/// Checkout degraded for 47 minutes, resolved, suggested, not answered.
pub(crate) fn incident() -> Incident {
    let turn = |seconds, certainty, source: Option<u8>| {
        Some(Milestone {
            at: at(seconds),
            certainty,
            source: source.map(|number| EventId::from(u128::from(number))),
        })
    };
    let mut members = members();
    members.sort_by_key(|member| {
        (
            member.reason != JoinReason::Opened,
            member.event.occurred_at,
        )
    });
    Incident {
        id: IncidentId("i-3f2a91c0de".to_owned()),
        revision: 7,
        title: "HighErrorRate on checkout".to_owned(),
        services: vec!["checkout".to_owned(), "payments".to_owned()],
        unassigned: None,
        scope: vec!["ada".to_owned()],
        severity: Severity::Critical,
        environment: Some("production".to_owned()),
        milestones: Milestones {
            began: turn(120, Certainty::Measured, Some(1)),
            detected: turn(130, Certainty::Measured, Some(1)),
            acknowledged: turn(420, Certainty::Stated, Some(4)),
            mitigated: None,
            resolved: turn(2940, Certainty::Inferred, Some(7)),
        },
        phase: Phase::Resolved,
        phase_since: at(3240),
        signals: vec![
            signal(
                "HighErrorRate",
                "checkout",
                Severity::Critical,
                &[(120, 2940, SpanState::Degraded)],
            ),
            signal(
                "SlowResponses",
                "payments",
                Severity::Warning,
                &[
                    (300, 1620, SpanState::NearMiss),
                    (1620, 2760, SpanState::Unknown),
                    (2760, 3000, SpanState::Planned),
                ],
            ),
        ],
        members: members.into(),
        rollbacks: Vec::new(),
        verdicts: verdicts(),
        decision: Decision::Suggest,
        form: Some(PostmortemForm::Meeting),
        announced: Some(Announced {
            limit: None,
            decision: Decision::Suggest,
            at: at(1920),
            first_at: at(1920),
            criteria: vec!["critical-alerts".to_owned(), "fixed-by-hand".to_owned()],
            sentence: "Checkout was degraded for 47m without a break (threshold 30m).".to_owned(),
        }),
        review: None,
        standing: ReviewState::Suggested,
        reason: "Checkout was degraded for 47m without a break (threshold 30m).".to_owned(),
        bundle: None,
        identities: Default::default(),
    }
}

/// Six people, Tuesday 10:00 in Berlin.
pub(crate) fn invitation() -> ProposedMeeting {
    let Meeting {
        starts_at, ends_at, ..
    } = meeting();
    ProposedMeeting {
        people: 6,
        starts_at,
        ends_at,
        zone: chrono_tz::Europe::Berlin,
    }
}

/// The postmortem of [`incident`].
pub(crate) fn postmortem() -> Postmortem {
    Postmortem {
        id: PostmortemId("pm-3f2a91c0de".to_owned()),
        incident: IncidentId("i-3f2a91c0de".to_owned()),
        title: "HighErrorRate on checkout".to_owned(),
        status: PostmortemStatus::Draft,
        file: "2026-11-23-checkout-high-error-rate.md".to_owned(),
        generated: String::new(),
        opened_at: at(3240),
    }
}

/// Its meeting.
pub(crate) fn meeting() -> Meeting {
    let attendee = |name: &str, email: &str, optional| Attendee {
        name: name.to_owned(),
        email: email.to_owned(),
        optional,
    };
    Meeting {
        id: PostmortemId("pm-3f2a91c0de".to_owned()),
        uid: "pm-3f2a91c0de@afterword".to_owned(),
        sequence: 0,
        stamp: at(3240),
        starts_at: Utc.with_ymd_and_hms(2026, 11, 24, 9, 0, 0).unwrap(),
        ends_at: Utc.with_ymd_and_hms(2026, 11, 24, 10, 0, 0).unwrap(),
        cancelled: false,
        summary: "Postmortem: HighErrorRate on checkout".to_owned(),
        description: String::new(),
        url: String::new(),
        organizer: "postmortems@example.com".to_owned(),
        attendees: vec![
            attendee("Ada L.", "ada@example.com", false),
            attendee("Lin T.", "lin@example.com", false),
            attendee("", "sam@example.com", true),
        ],
    }
}

/// Its text.
pub(crate) const MARKDOWN: &str = "---\nid: pm-3f2a91c0de\nservices: [checkout, payments]\nlead: ada\n---\n\n# HighErrorRate on checkout\n\n**Date:** 2026-11-23\n\n> We assume that every person made the correct decision at every point.\n\n## Summary\n\nCheckout was degraded for 47m. *What did people who use it notice?*\n\n## Action items\n\n| Action item | Type | Owner | Due | Status | Link |\n|---|---|---|---|---|---|\n| Make the pool shrink back | prevent | ada | 2026-12-07 | open | [#12](https://tracker.example.com/12) |\n\n## Lessons learned\n\n- What went well?\n- Where did we get lucky?\n\n```promql\nsum(rate(http_requests_total{job=\"checkout\",code=~\"5..\"}[1m]))\n```\n";

/// Two people, one by an alias.
pub(crate) fn who() -> Directory {
    let person = |id: &str, name: &str, aliases: &[&str]| Person {
        id: id.to_owned(),
        name: name.to_owned(),
        email: None,
        time_zone: chrono_tz::UTC,
        hours: Hours {
            days: [true; 7],
            from: 540,
            to: 1020,
        },
        aliases: aliases.iter().map(|&alias| alias.to_owned()).collect(),
    };
    Directory::new(
        &[
            person("ada", "Ada L.", &["pagerduty:ada"]),
            person("sam", "Sam R.", &[]),
        ],
        &[],
    )
}

/// On-call duty of one service, and of one whose calendar is unreadable.
pub(crate) fn duties() -> [ServiceOnCall; 2] {
    let ada = OnCallPerson {
        name: "Ada L.".to_owned(),
        person: Some("ada".to_owned()),
    };
    [
        ServiceOnCall {
            service: "checkout".to_owned(),
            who: OnCall::These(vec![ada]),
        },
        ServiceOnCall {
            service: "payments".to_owned(),
            who: OnCall::Unknown("its calendar cannot be read: <b>".to_owned()),
        },
    ]
}
