//! Every page with everything it can show, for tests.

use super::model::{MARKDOWN, at, duties, incident, invitation, meeting, postmortem, verdict, who};
use super::{backtests as backtests_sample, ledger as ledger_sample};
use crate::app::criteria_readiness::CriterionReadiness;
use crate::app::people::on_call::OnCallStatus;
use crate::http::format::event::DisplayNames;
use crate::http::pages::layout::Notice;
use crate::http::pages::{
    ask, criteria, declare, error, home, incident as incident_page, incidents, ledger,
    postmortem as postmortem_page, postmortems, quarantine, sources, suggestions,
};
use crate::model::directory::Identities;
use crate::model::lifecycle::ReviewState;
use crate::model::settings::LabelNames;
use crate::model::verdict::{CriterionKind, Decision, Measure, Outcome, Unit};
use crate::store::quarantine::{QuarantineBacklog, QuarantineState};

fn first_day() -> home::HomeView<'static> {
    home::HomeView {
        more_open: Some("/incidents?open=true&after=1.i-1".to_owned()),
        now: at(3600),
        address: "http://127.0.0.1:9099",
        webhook: None,
        last_alert: None,
        criteria: Vec::new(),
        open: Vec::new(),
        closest: None,
        unassigned: Vec::new(),
        services: Vec::new(),
        sources: Vec::new(),
        on_call: Vec::new(),
        waiting: Vec::new(),
    }
}

fn overview() -> String {
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
        "Search was degraded for 24m without a break (threshold 30m).",
        "Another 6m of degraded time would have met the threshold.",
    )];
    let reach = |criterion: &str, decision, possible, why: &str| CriterionReadiness {
        criterion: criterion.to_owned(),
        decision,
        shadow: false,
        possible,
        why: why.to_owned(),
    };
    home::render(&home::HomeView {
        more_open: None,
        last_alert: home::LastAlert::new(
            &suggested.members[0].event,
            at(3540),
            &LabelNames::default(),
        ),
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
        unassigned: vec![home::UnassignedGroup {
            key: "cluster=eu1, namespace=batch, alertname=JobFailed".to_owned(),
            incidents: 3,
            last: at(1200),
        }],
        services: vec!["checkout".to_owned(), "payments".to_owned()],
        on_call: duties()
            .map(|duty| OnCallStatus {
                service: duty.service,
                now: duty.who,
                read_at: None,
                fault: Some("status 500".to_owned()),
            })
            .into(),
        sources: vec![
            home::SourceSummary {
                name: "alertmanager".to_owned(),
                last: Some(at(3540)),
                quarantined: 1,
                silent: None,
            },
            home::SourceSummary {
                name: "prometheus".to_owned(),
                last: None,
                quarantined: 0,
                silent: Some("Nothing came from prometheus for 5h.".to_owned()),
            },
        ],
        waiting: vec![&suggested],
        ..first_day()
    })
}

/// Every page by name.
pub(crate) fn all() -> Vec<(&'static str, String)> {
    let (incident, postmortem, meeting) = (incident(), postmortem(), meeting());
    let (who, stated) = (who(), Identities::new());
    let names = DisplayNames {
        who: &who,
        stated: &stated,
    };
    let duties = duties();
    let suggestion = || suggestions::SuggestionCard {
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
        ("overview", overview()),
        ("first-day", home::render(&first_day())),
        (
            "suggestions",
            suggestions::render(&suggestions::SuggestionsView {
                older: Some("/suggestions?after=1.i-1".to_owned()),
                now: at(7200),
                waiting: vec![suggestion()],
                snoozed: vec![suggestion()],
                notice: None,
            }),
        ),
        (
            "incident",
            incident_page::render(&incident_page::IncidentView {
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
            incidents::render(&incidents::IncidentsView {
                now: at(3600),
                incidents: vec![&incident, &incident],
                older: Some("/incidents?before=9".to_owned()),
            }),
        ),
        (
            "postmortems",
            postmortems::render(&postmortems::PostmortemsView {
                older: None,
                postmortems: vec![(&postmortem, Some(&meeting)), (&postmortem, None)],
            }),
        ),
        (
            "postmortem",
            postmortem_page::render(&postmortem_page::PostmortemView {
                postmortem: &postmortem,
                path: "data/postmortems/2026-11-23-checkout-high-error-rate.md",
                markdown: Some(MARKDOWN),
                meeting: Some(&meeting),
                zone: chrono_tz::Europe::Berlin,
            }),
        ),
        (
            "ask",
            ask::render(&ask::AskView {
                services: services(),
                entered: ask::AskInput::default(),
                fault: Some("Say what happened.".to_owned()),
            }),
        ),
        ("asked", ask::render_asked("/incidents/i-3f2a91c0de")),
        (
            "declare",
            declare::render(&declare::DeclareView {
                services: services(),
                ..declare::DeclareView::default()
            }),
        ),
        (
            "error",
            error::render(&error::ErrorView {
                status: 404,
                what: "There is no such incident",
                what_to_do: "Look for it in the list of incidents.",
            }),
        ),
        ("quarantine", quarantine::render(&quarantine_list())),
        (
            "quarantined",
            quarantine::render_message(&quarantined_one()),
        ),
        ("sources", sources::render(&sources_view())),
        (
            "ledger",
            ledger::render(&ledger_sample::ledger(&who, &ledger_sample::rows())),
        ),
        (
            "criteria",
            criteria::render(&criteria::CriteriaView {
                since: at(0),
                until: at(86_400),
                found: &ledger_sample::precision(),
            }),
        ),
    ];
    pages.extend(backtests_sample::all());
    pages
}

fn quarantine_list() -> quarantine::QuarantineView {
    let message = |position, state| quarantine::QuarantinedMessage {
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
    quarantine::QuarantineView {
        older: Some("/quarantine?after=7".to_owned()),
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

fn quarantined_one() -> quarantine::QuarantinedView {
    quarantine::QuarantinedView {
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

fn sources_view() -> sources::SourcesView<'static> {
    let row = |name: &str, last: Option<i64>| sources::SourceCard {
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
        waiting: last.map(|_| QuarantineBacklog {
            count: 3,
            last_at: at(600),
            last_fault: "alerts[0].startsAt: <missing>".to_owned(),
        }),
        rhythm: "It was never silent for longer than 1h.".to_owned(),
        silent: last.map(|_| format!("Nothing came from {name} for 5h.")),
        trial: last
            .is_none()
            .then(|| "curl http://127.0.0.1:9099/ingest/quiet -d '{}'".to_owned()),
        has_own_body: false,
    };
    sources::SourcesView {
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
