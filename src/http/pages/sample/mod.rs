//! A made incident and every page made of it, for the tests of the pages.

pub(in crate::http) mod proof;
mod tried;

use chrono::{Duration, TimeZone, Utc};

use super::review::Invitation;
use super::{
    Notice, ask, criteria, declare, error, home, incident as incident_page, incidents, ledger,
    postmortem as postmortem_page, postmortems, quarantine, sources, suggestions,
};
use crate::app::people::on_call::Shown;
use crate::http::format::Names;
use crate::model::directory::{Identities, Who};
use crate::model::event::{
    Acknowledgement, Actor, ActorKind, Alert, AlertStatus, Change, EndReason, Event, Fact,
    Intervention, Link, Note, Severity,
};
use crate::model::id::{EventId, IncidentId, PostmortemId, Subject};
use crate::model::incident::{Announced, Incident};
use crate::model::labels::Labels;
use crate::model::lifecycle::{Phase, ReviewState};
use crate::model::meeting::{Attendee, Meeting};
use crate::model::member::{Joined, Member};
use crate::model::milestone::{Certainty, Milestone, Milestones};
use crate::model::on_call::{Duty, OnCall, OnDuty};
use crate::model::postmortem::{Postmortem, PostmortemStatus};
use crate::model::settings::{Hours, LabelNames, Person};
use crate::model::signal::{Signal, SignalKind, Sort};
use crate::model::spans::{Span, SpanState};
use crate::model::time::Time;
use crate::model::verdict::{CriterionKind, Decision, Measure, Outcome, Unit, Verdict};
use crate::store::quarantine::{QuarantineState, Waiting};

/// So many seconds after 10:02 on 23 November 2026.
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
    let by_key = || Joined::Labels {
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
        (opening, Joined::Opened),
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
            Joined::Dependency {
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
            Joined::Key,
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
            Joined::Subject,
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
    let sort = Sort {
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

fn verdict(
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
        shadow: false,
        measure,
        factors: Vec::new(),
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
            "Checkout was degraded for 47m in one stretch; 30m is enough.",
            "17m less would not have been enough.",
        ),
        verdict(
            "fixed-by-hand",
            CriterionKind::Intervention,
            Outcome::Met,
            Some(Measure::new(1.0, 1.0, 1.0, Unit::Times)),
            "A person restarted checkout, which should need no human.",
            "No manual restart.",
        ),
        verdict(
            "payments-degraded",
            CriterionKind::Degradation,
            Outcome::Unknown,
            seconds(1320.0, 2460.0),
            "Payments was degraded between 22m and 41m of the 30m it takes; its sender fell silent for 19m.",
            "Evidence for 10:29 to 10:48.",
        ),
        verdict(
            "declared-outage",
            CriterionKind::Outage,
            Outcome::NotMet,
            None,
            "Nobody declared an outage.",
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
    members.sort_by_key(|member| (member.reason != Joined::Opened, member.event.occurred_at));
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
        announced: Some(Announced {
            decision: Decision::Suggest,
            at: at(1920),
            first_at: at(1920),
            criteria: vec!["critical-alerts".to_owned(), "fixed-by-hand".to_owned()],
            sentence: "Checkout was degraded for 47m in one stretch; 30m is enough.".to_owned(),
        }),
        review: None,
        standing: ReviewState::Suggested,
        reason: "Checkout was degraded for 47m in one stretch; 30m is enough.".to_owned(),
        bundle: None,
        identities: Default::default(),
    }
}

/// Six people, Tuesday 10:00 in Berlin.
pub(crate) fn invitation() -> Invitation {
    let Meeting {
        starts_at, ends_at, ..
    } = meeting();
    Invitation {
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

fn first_day() -> home::View<'static> {
    home::View {
        now: at(3600),
        address: "http://127.0.0.1:9099",
        last_alert: None,
        criteria: Vec::new(),
        open: Vec::new(),
        closest: None,
        unassigned: Vec::new(),
        services: Vec::new(),
        sources: Vec::new(),
        on_call: Vec::new(),
        notice: None,
    }
}

fn watched() -> String {
    let (suggested, mut quiet) = (incident(), incident());
    quiet.title = "SlowSearch on search".to_owned();
    quiet.services = vec!["search".to_owned()];
    quiet.decision = Decision::None;
    quiet.standing = ReviewState::None;
    quiet.announced = None;
    quiet.verdicts = vec![verdict(
        "critical-alerts",
        CriterionKind::Degradation,
        Outcome::NotMet,
        Some(Measure::new(1440.0, 1440.0, 1800.0, Unit::Seconds)),
        "Search was degraded 24m of the 30m it takes.",
        "6m more would have opened one.",
    )];
    let reach = |criterion: &str, decision, possible, why: &str| home::Reach {
        criterion: criterion.to_owned(),
        decision,
        shadow: false,
        possible,
        why: why.to_owned(),
    };
    home::render(&home::View {
        last_alert: home::LastAlert::read(&suggested.members[0].event, &LabelNames::default()),
        criteria: vec![
            reach(
                "declared-outage",
                Decision::Hold,
                true,
                "A person can declare one, on the page or from the command line.",
            ),
            reach(
                "measured-degradation",
                Decision::Hold,
                false,
                "No metric condition is configured; alerts alone do not count here.",
            ),
            reach(
                "critical-alerts",
                Decision::Suggest,
                true,
                "Alerts with severity critical arrive from alertmanager.",
            ),
        ],
        open: vec![&suggested],
        closest: home::closest([&quiet]),
        unassigned: vec![home::Unassigned {
            key: "cluster=eu1, namespace=batch, alertname=JobFailed".to_owned(),
            incidents: 3,
            last: at(1200),
        }],
        services: vec!["checkout".to_owned(), "payments".to_owned()],
        on_call: duties()
            .map(|duty| Shown {
                service: duty.service,
                now: duty.who,
                read_at: None,
                fault: Some("status 500".to_owned()),
            })
            .into(),
        sources: vec![
            home::SourceSeen {
                name: "alertmanager".to_owned(),
                last: Some(at(3540)),
                quarantined: 1,
                silent: None,
            },
            home::SourceSeen {
                name: "prometheus".to_owned(),
                last: None,
                quarantined: 0,
                silent: Some("Nothing came from prometheus for 5h.".to_owned()),
            },
        ],
        notice: Some(Notice {
            warning: false,
            text: "JobFailed was assigned to batch.".to_owned(),
        }),
        ..first_day()
    })
}

/// Every page by name, with all it can show.
pub(crate) fn pages() -> Vec<(&'static str, String)> {
    let (incident, postmortem, meeting) = (incident(), postmortem(), meeting());
    let (who, stated) = (who(), Identities::new());
    let names = Names {
        who: &who,
        stated: &stated,
    };
    let duties = duties();
    let suggestion = || suggestions::Suggestion {
        incident: &incident,
        bundled: 0,
        invitation: Some(invitation()),
    };
    let services = || vec!["checkout".to_owned(), "payments".to_owned()];
    let stale = Notice {
        warning: true,
        text: "This changed since you looked; nothing was done yet. Look again, then answer."
            .to_owned(),
    };
    let mut pages = vec![
        ("watched", watched()),
        ("first-day", home::render(&first_day())),
        (
            "suggestions",
            suggestions::render(&suggestions::View {
                now: at(7200),
                waiting: vec![suggestion()],
                snoozed: vec![suggestion()],
                notice: None,
            }),
        ),
        (
            "incident",
            incident_page::render(&incident_page::View {
                now: at(7200),
                incident: &incident,
                postmortem: Some(&postmortem),
                invitation: Some(invitation()),
                lead: None,
                bundled: &[],
                others: &[],
                pictures: &[],
                on_call: &duties,
                names,
                notice: Some(stale),
            }),
        ),
        (
            "incidents",
            incidents::render(&incidents::View {
                incidents: vec![&incident, &incident],
                older: Some("/incidents?before=9".to_owned()),
            }),
        ),
        (
            "postmortems",
            postmortems::render(&postmortems::View {
                postmortems: vec![(&postmortem, Some(&meeting)), (&postmortem, None)],
            }),
        ),
        (
            "postmortem",
            postmortem_page::render(&postmortem_page::View {
                postmortem: &postmortem,
                path: "data/postmortems/2026-11-23-checkout-high-error-rate.md",
                markdown: Some(MARKDOWN),
                meeting: Some(&meeting),
                zone: chrono_tz::Europe::Berlin,
            }),
        ),
        (
            "ask",
            ask::render(&ask::View {
                services: services(),
                entered: ask::Entered::default(),
                fault: Some("Say what happened.".to_owned()),
            }),
        ),
        ("asked", ask::render_asked("/incidents/i-3f2a91c0de")),
        (
            "declare",
            declare::render(&declare::View {
                services: services(),
                ..declare::View::default()
            }),
        ),
        (
            "error",
            error::render(&error::View {
                status: 404,
                what: "There is no such incident",
                what_to_do: "Look for it in the list of incidents.",
            }),
        ),
        ("quarantine", quarantine::render(&quarantine_list())),
        ("quarantined", quarantine::render_one(&quarantined_one())),
        ("sources", sources::render(&sources_view())),
        (
            "ledger",
            ledger::render(&proof::ledger(&who, &proof::rows())),
        ),
        (
            "criteria",
            criteria::render(&criteria::View {
                since: at(0),
                until: at(86_400),
                found: &proof::precision(),
            }),
        ),
    ];
    pages.extend(tried::pages());
    pages
}

/// Two people, one by an alias.
pub(crate) fn who() -> Who {
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
    Who::new(
        &[
            person("ada", "Ada L.", &["pagerduty:ada"]),
            person("sam", "Sam R.", &[]),
        ],
        &[],
    )
}

/// A service whose rota is known, and one whose is not.
fn duties() -> [Duty; 2] {
    let ada = OnDuty {
        name: "Ada L.".to_owned(),
        person: Some("ada".to_owned()),
    };
    [
        Duty {
            service: "checkout".to_owned(),
            who: OnCall::These(vec![ada]),
        },
        Duty {
            service: "payments".to_owned(),
            who: OnCall::Unknown("its calendar cannot be read: <b>".to_owned()),
        },
    ]
}

fn quarantine_list() -> quarantine::View {
    let message = |position, state| quarantine::Message {
        position,
        source: "alertmanager".to_owned(),
        at: at(600),
        fault: "line 1, column 12: expected <value>".to_owned(),
        state,
        tried_at: (state != QuarantineState::Open).then(|| at(5400)),
        mended_by: (state == QuarantineState::Mended).then_some(17),
    };
    let messages = [
        QuarantineState::Open,
        QuarantineState::Mended,
        QuarantineState::Dismissed,
    ];
    quarantine::View {
        now: at(7200),
        source: None,
        waiting: vec![("alertmanager".to_owned(), 2)],
        messages: messages
            .into_iter()
            .zip(7..)
            .map(|(state, position)| message(position, state))
            .collect(),
        notice: Some(Notice {
            warning: false,
            text: "2 of 3 messages could be read.".to_owned(),
        }),
    }
}

fn quarantined_one() -> quarantine::One {
    quarantine::One {
        now: at(7200),
        message: quarantine_list().messages.remove(0),
        headers: vec![
            ("content-type".to_owned(), "application/json".to_owned()),
            (":path".to_owned(), "/ingest/<b>".to_owned()),
        ],
        body: Some(b"{\"alerts\": <script>alert(1)</script>".to_vec()),
        can_be_read: true,
        notice: Some(Notice {
            warning: true,
            text: "It still cannot be read.".to_owned(),
        }),
    }
}

fn sources_view() -> sources::View<'static> {
    let row = |name: &str, last: Option<i64>| sources::Row {
        name: name.to_owned(),
        kind: "alertmanager",
        address: format!("http://127.0.0.1:9099/ingest/{name}"),
        proof: "a bearer token".to_owned(),
        last_message: last.map(at),
        last_event: last.map(at),
        messages: 1440,
        events: 7,
        refused: 2,
        last_refused: last.map(at),
        limited: 1,
        waiting: last.map(|_| Waiting {
            count: 3,
            last_at: at(600),
            last_fault: "alerts[0].startsAt: <missing>".to_owned(),
        }),
        rhythm: "It was never silent for longer than 1h.".to_owned(),
        silent: last.map(|_| format!("Nothing came from {name} for 5h.")),
        trial: last
            .is_none()
            .then(|| "curl http://127.0.0.1:9099/ingest/quiet -d '{}'".to_owned()),
    };
    sources::View {
        now: at(7200),
        rows: vec![row("alertmanager", Some(3600)), row("quiet", None)],
        metrics: vec![(
            "prom".to_owned(),
            Some(at(7100)),
            Some("connection refused".to_owned()),
        )],
        replicas: true,
    }
}
