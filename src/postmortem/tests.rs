#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod stated_facts;

use proptest::prelude::{ProptestConfig, any, prop_assert, prop_assert_eq, proptest};
use pulldown_cmark::{Event as Md, Options, Parser, Tag};
use serde_json::{Value, json};

use super::draft_input::{DraftInput, PersonNaming};
use super::render;
use crate::model::directory::Directory;
use crate::model::event::{
    Acknowledgement, Actor, ActorKind, Alert, AlertStatus, Change, Condition, ConditionState,
    Declaration, EndReason, Event, Fact, Intervention, Link, Note, PostmortemRequest, Severity,
};
use crate::model::id::{IncidentId, PostmortemId};
use crate::model::incident::Incident;
use crate::model::labels::Labels;
use crate::model::milestone::{Certainty, Milestone};
use crate::model::on_call::{OnCall, OnCallPerson, ServiceOnCall};
use crate::model::postmortem::{Postmortem, PostmortemStatus};
use crate::model::settings::{Hours, Person};
use crate::model::time::Time;

fn at(clock: &str) -> Time {
    format!("2026-11-23T{clock}Z").parse().unwrap()
}

fn alert(name: &str, instance: &str, status: AlertStatus, clock: &str) -> Event {
    let labels: Labels = [
        ("alertname", name),
        ("instance", instance),
        ("service", "checkout"),
    ]
    .map(|(name, value)| (name.into(), value.into()))
    .into();
    let annotations: Labels = [
        ("summary", "5 % of calls fail | p99 > 2s"),
        ("runbook_url", "https://runbooks.example/errors"),
    ]
    .map(|(name, value)| (name.into(), value.into()))
    .into();
    let ends_at = (status == AlertStatus::Resolved).then(|| at(clock));
    let fact = Fact::Alert(Alert {
        seen_again: None,
        borrowed_end: false,
        recalled: false,
        name: name.into(),
        status,
        labels: labels.into(),
        annotations: annotations.into(),
        severity: Severity::Critical,
        starts_at: at("10:02:00"),
        ends_at,
        pending_for: Some(120),
        keep_firing_for: None,
        end_reason: EndReason::Recovered,
    });
    let mut event = Event::new("prometheus", at(clock), fact);
    event.service = Some("checkout".into());
    event.links = vec![Link {
        title: "generatorURL".into(),
        url: "http://prom.example/graph?g0.expr=a|b&g0.tab=1".into(),
    }]
    .into();
    event.identify();
    event
}

fn by(who: &str, source: &str, clock: &str, fact: Fact) -> Event {
    let mut event = Event::new(source, at(clock), fact);
    event.actor = Some(Box::new(Actor {
        id: who.into(),
        kind: ActorKind::Human,
    }));
    event.service = Some("checkout".into());
    event.identify();
    event
}

fn span(start: &str, end: Option<&str>, state: &str) -> Value {
    json!({"start": at(start), "end": end.map(at), "state": state})
}

/// Incident of these events, opened by the first; all else is unknown.
fn incident(events: &[Event]) -> Incident {
    let member = |(index, event): (usize, &Event)| json!({"event": event, "reason": {"joined": if index == 0 { "opened" } else { "subject" }}});
    serde_json::from_value(json!({
        "id": "i-0123456789", "revision": 7, "title": "HighErrorRate", "services": ["checkout"], "scope": ["ada"], "severity": "critical",
        "environment": null, "milestones": {}, "phase": "resolved", "phase_since": at("11:00:00"), "signals": [],
        "members": events.iter().enumerate().map(member).collect::<Vec<_>>(), "verdicts": [], "decision": "hold",
        "standing": "held", "reason": "",
    }))
    .unwrap()
}

/// Typical morning: a deploy, two instances alerting, a manual rollback.
fn morning() -> Incident {
    let deploy = by(
        "ci",
        "argo",
        "09:58:00",
        Fact::Change(Change {
            what: "deploy".into(),
            title: "Faster carts".into(),
            revision: Some("a1b2c3".into()),
            line: None,
        }),
    );
    let deploy = Event {
        actor: Some(Box::new(Actor {
            id: "ci".into(),
            kind: ActorKind::Robot,
        })),
        ..deploy
    };
    let fired = alert("HighErrorRate", "a:80", AlertStatus::Firing, "10:02:00");
    let fired_too = alert("HighErrorRate", "b:80", AlertStatus::Firing, "10:02:30");
    let declared = by(
        "PABC",
        "pagerduty",
        "10:05:00",
        Fact::Declaration(Declaration {
            key: "k".into(),
            title: "Checkout <down>".into(),
            severity: Severity::Critical,
            status: AlertStatus::Firing,
            planned: false,
            data_loss: None,
            detected_by: None,
        }),
    );
    let taken = by(
        "PABC",
        "pagerduty",
        "10:06:00",
        Fact::Acknowledgement(Acknowledgement { of: None }),
    );
    let step = by(
        "ada",
        "cli",
        "10:20:00",
        Fact::Intervention(Intervention {
            action: "rollback".into(),
            why: "errors began with the deploy".into(),
            stated: true,
            should_be_automatic: None,
            dry_run: false,
            refused: false,
            planned: false,
        }),
    );
    let resolved = alert("HighErrorRate", "a:80", AlertStatus::Resolved, "10:42:00");
    let asked = by(
        "lin",
        "form",
        "10:50:00",
        Fact::Request(PostmortemRequest {
            reason: "Customers called".into(),
            requester: Some("lin".into()),
        }),
    );
    let mut incident = incident(&[
        fired.clone(),
        deploy,
        fired_too,
        declared.clone(),
        taken.clone(),
        step,
        resolved,
        asked,
    ]);
    incident.signals = serde_json::from_value(json!([
        {"subject": fired.subject, "kind": "alert", "name": "HighErrorRate", "severity": "critical", "service": "checkout", "environment": null, "event": fired.id,
         "spans": [span("10:00:00", Some("10:42:00"), "degraded"), span("10:42:00", Some("10:44:00"), "unknown")]},
        {"subject": declared.subject, "kind": "declaration", "name": "Checkout <down>", "severity": "critical", "service": "checkout", "environment": null,
         "event": declared.id, "spans": [span("10:05:00", None, "degraded")]},
    ]))
    .unwrap();
    incident.milestones = serde_json::from_value(json!({
        "began": {"at": at("10:00:00"), "certainty": "measured", "source": fired.id},
        "detected": {"at": at("10:02:00"), "certainty": "measured", "source": fired.id},
        "acknowledged": {"at": at("10:06:00"), "certainty": "stated", "source": taken.id},
        "mitigated": {"at": at("10:42:00"), "certainty": "measured", "source": fired.id},
        "resolved": {"at": at("10:47:00"), "certainty": "inferred"},
    }))
    .unwrap();
    let verdict = |criterion: &str,
                   outcome: &str,
                   shadow: bool,
                   sentence: &str,
                   evidence: &[&Event]| {
        json!({"criterion": criterion, "on": "degradation", "outcome": outcome, "decision": "hold", "shadow": shadow, "sentence": sentence, "would_change": "",
               "evidence": evidence.iter().map(|event| &event.id).collect::<Vec<_>>()})
    };
    incident.verdicts = serde_json::from_value(json!([
        verdict(
            "measured-degradation",
            "met",
            false,
            "Checkout was degraded for 42m without a break (threshold 30m).",
            &[&fired]
        ),
        verdict("fixed-by-hand", "not_met", false, "NOT MET", &[]),
        verdict("trial", "met", true, "SHADOW", &[]),
    ]))
    .unwrap();
    incident.announced = serde_json::from_value(
        json!({"decision": "hold", "at": at("10:30:00"), "first_at": at("10:30:00"), "criteria": ["measured-degradation"],
        "sentence": "Checkout has been degraded for 30m without a break (threshold 30m)."}),
    )
    .unwrap();
    incident
}

fn people() -> Vec<Person> {
    let person = |id: &str, name: &str, alias: &str| Person {
        id: id.into(),
        name: name.into(),
        email: Some(format!("{id}@example.com")),
        time_zone: chrono_tz::UTC,
        hours: Hours {
            days: [true; 7],
            from: 540,
            to: 1020,
        },
        aliases: vec![alias.into()],
    };
    vec![
        person("ada", "Ada L.", "pagerduty:PABC"),
        person("lin", "Lin", "github:lin"),
    ]
}

fn postmortem(title: &str) -> Postmortem {
    Postmortem {
        id: PostmortemId("pm-0123456789".into()),
        incident: IncidentId("i-0123456789".into()),
        title: title.into(),
        status: PostmortemStatus::Draft,
        file: String::new(),
        generated: String::new(),
        opened_at: at("10:30:00"),
    }
}

/// Passes a draft of `incident` to `see`.
fn drafted<T>(
    incident: &Incident,
    title: &str,
    names: PersonNaming,
    see: impl Fn(&DraftInput) -> T,
) -> T {
    let (people, postmortem) = (people(), postmortem(title));
    let owners = ["ada".to_owned()];
    let facilitator = people.iter().find(|person| person.id == "lin");
    see(&DraftInput {
        as_of: None,
        incident,
        bundled: &[],
        postmortem: &postmortem,
        who: &Directory::new(&people, &[]),
        owners: &owners,
        facilitator,
        meeting: None,
        external_url: "https://afterword.example/",
        names,
        plots: &[],
        on_call: &[],
    })
}

fn draft(incident: &Incident) -> String {
    drafted(
        incident,
        "Checkout: HighErrorRate",
        PersonNaming::Full,
        render,
    )
}

/// Lines of one section.
fn section<'a>(text: &'a str, heading: &str) -> Vec<&'a str> {
    let lines = text
        .lines()
        .skip_while(|line| *line != format!("## {heading}"))
        .skip(1);
    lines
        .take_while(|line| !line.starts_with("## "))
        .filter(|line| !line.is_empty())
        .collect()
}

#[test]
fn a_whole_draft() {
    insta::assert_snapshot!(draft(&morning()), @r##"
    ---
    id: "pm-0123456789"
    incident: "i-0123456789"
    services: ["checkout"]
    severity: critical
    criteria: ["measured-degradation"]
    lead: "Ada L."
    facilitator: "Lin"
    meeting: null
    links: [{title: Postmortem, url: "https://afterword.example/postmortems/pm-0123456789"}, {title: Incident, url: "https://afterword.example/incidents/i-0123456789"}]
    ---

    # Checkout: HighErrorRate

    **Date:** 2026-11-23

    **Status:** Draft

    We assume that every person made the correct decision at every point, given the information available to them at the time.

    ## Why this postmortem

    - Checkout was degraded for 42m without a break (threshold 30m). (measured-degradation; [prometheus](http://prom.example/graph?g0.expr=a%7Cb&g0.tab=1))

    ## Summary

    *What happened, in two or three sentences that a stakeholder understands?*

    ## Impact

    - Degraded for at least 42m, from 2026-11-23 10:00:00 UTC to 2026-11-23 10:42:00 UTC or later; measured by alert HighErrorRate ([prometheus](http://prom.example/graph?g0.expr=a%7Cb&g0.tab=1)).
    - Declared as an outage since 2026-11-23 10:05:00 UTC, not yet over; stated by declaration Checkout &lt;down&gt; ([pagerduty](https://afterword.example/incidents/i-0123456789#2546a8b98b208402fb7e765302a27129)).
    - For 2m there is no data on whether it was degraded: from 2026-11-23 10:42:00 UTC to 2026-11-23 10:44:00 UTC.

    *What did users see, and how many of them?*

    ## Root causes

    *What conditions together made this possible? How did each of them look normal beforehand?*

    ## Trigger

    - First event, at 2026-11-23 10:02:00 UTC: Alert HighErrorRate fired (critical, checkout): 5 % of calls fail \| p99 &gt; 2s ([prometheus](http://prom.example/graph?g0.expr=a%7Cb&g0.tab=1))
    - Change before it began, at 2026-11-23 09:58:00 UTC: Change by ci: deploy (a1b2c3): Faster carts ([argo](https://afterword.example/incidents/i-0123456789#99a0c5b9c9f45f591d0b7e053a30ffe6))

    ## Resolution

    - 2026-11-23 10:20:00 UTC: Manual step by Ada L.: rollback (entered by a person): errors began with the deploy ([cli](https://afterword.example/incidents/i-0123456789#c10a580e7247bbc68c0f37dba49c9d33)); degraded for at least 22m after it
    - Mitigated at 2026-11-23 10:42:00 UTC ([prometheus](http://prom.example/graph?g0.expr=a%7Cb&g0.tab=1)), 42m after it began.
    - Resolved at 2026-11-23 10:47:00 UTC (inferred), 47m after it began.
    - Responders: Ada L.

    ## Detection

    - Detected at 2026-11-23 10:02:00 UTC ([prometheus](http://prom.example/graph?g0.expr=a%7Cb&g0.tab=1)) by alert HighErrorRate, 2m after it began.
    - Acknowledged at 2026-11-23 10:06:00 UTC (stated) ([pagerduty](https://afterword.example/incidents/i-0123456789#fb794581d564071fd53299c9d47d2b8b)), 4m after it was detected.

    ## Action items

    | Item | Type | Owner | Due | Status | Link |
    | --- | --- | --- | --- | --- | --- |
    |  |  |  |  |  |  |

    *What would prevent it, detect it sooner or mitigate it faster? No item is a valid result.*

    ## Lessons learned

    ### What went well

    *What helped, and how can it help again?*

    ### What went wrong

    *What made it hard to see or to end?*

    ### Where we got lucky

    *What could have made it worse, and what kept it from doing so?*

    ## Timeline

    All times are UTC.

    | Time | What | Source |
    | --- | --- | --- |
    | 09:58:00 | Change by ci: deploy (a1b2c3): Faster carts | [argo](https://afterword.example/incidents/i-0123456789#99a0c5b9c9f45f591d0b7e053a30ffe6) |
    | 10:00:00 | **Outage begins**: known from alert HighErrorRate | [prometheus](http://prom.example/graph?g0.expr=a%7Cb&g0.tab=1) |
    | 10:02:00 | **Detected**: Alert HighErrorRate fired 2 times, the last at 10:02:30 (critical, checkout): 5 % of calls fail \| p99 &gt; 2s | [prometheus](http://prom.example/graph?g0.expr=a%7Cb&g0.tab=1) |
    | 10:05:00 | **Incident declared**: Outage declared by Ada L.: Checkout &lt;down&gt; | [pagerduty](https://afterword.example/incidents/i-0123456789#2546a8b98b208402fb7e765302a27129) |
    | 10:06:00 | Acknowledged by Ada L. | [pagerduty](https://afterword.example/incidents/i-0123456789#fb794581d564071fd53299c9d47d2b8b) |
    | 10:20:00 | Manual step by Ada L.: rollback (entered by a person): errors began with the deploy | [cli](https://afterword.example/incidents/i-0123456789#c10a580e7247bbc68c0f37dba49c9d33) |
    | 10:42:00 | **Outage mitigated**: Alert HighErrorRate resolved (critical, checkout) | [prometheus](http://prom.example/graph?g0.expr=a%7Cb&g0.tab=1) |
    | 10:47:00 | **Issue resolved** (inferred) | [afterword](https://afterword.example/incidents/i-0123456789) |
    | 10:50:00 | Postmortem requested by Lin: Customers called | [form](https://afterword.example/incidents/i-0123456789#fe4beb16647bdfb6f8d4d4dbd7dc8d92) |

    ## Supporting information

    - [Incident i-0123456789](https://afterword.example/incidents/i-0123456789)
    - [generatorURL (HighErrorRate)](http://prom.example/graph?g0.expr=a%7Cb&g0.tab=1)
    - [runbook_url (HighErrorRate)](https://runbooks.example/errors)

    Alerts that share a row of the timeline:

    - 2026-11-23 10:02:00 UTC: alert HighErrorRate fired for instance=a:80 ([prometheus](http://prom.example/graph?g0.expr=a%7Cb&g0.tab=1))
    - 2026-11-23 10:02:30 UTC: alert HighErrorRate fired for instance=b:80 ([prometheus](http://prom.example/graph?g0.expr=a%7Cb&g0.tab=1))
    "##);
}

#[test]
fn unknown_fact_becomes_an_open_question() {
    let text = draft(&incident(&[]));
    for heading in [
        "Why this postmortem",
        "Summary",
        "Impact",
        "Root causes",
        "Trigger",
        "Resolution",
        "Detection",
    ] {
        let lines = section(&text, heading);
        assert!(
            lines.len() == 1 && lines[0].starts_with('*') && lines[0].ends_with("?*"),
            "{heading}: {lines:?}"
        );
    }
    assert!(section(&text, "Timeline")[0].ends_with("?*"));
    assert!(!text.contains("\n\n\n"), "{text}");
    assert!(
        text.lines().all(|line| line.trim_end() == line),
        "editors would strip it"
    );
}

#[test]
fn measured_and_declared_time_is_impact() {
    let mut incident = morning();
    incident.signals.remove(0);
    assert!(section(&draft(&incident), "Impact")[0].starts_with(
        "- Degraded since 2026-11-23 10:05:00 UTC, not yet over; stated by declaration Checkout"
    ));
    incident.signals.clear();
    assert!(
        section(&draft(&incident), "Impact")
            .iter()
            .all(|line| !line.starts_with("- "))
    );
    let mut incident = morning();
    incident.signals.truncate(1);
    incident.signals[0].spans[0].end = None;
    incident.signals[0].spans = incident.signals[0].spans.iter().copied().take(1).collect();
    assert!(section(&draft(&incident), "Impact")[0].starts_with(
        "- Degraded since 2026-11-23 10:00:00 UTC, not yet over; measured by alert HighErrorRate"
    ));
    std::sync::Arc::make_mut(&mut incident.signals[0].sort).role = Some("cause".into());
    assert_eq!(section(&draft(&incident), "Impact").len(), 1);
}

#[test]
fn contradicting_milestones_are_said_in_the_draft() {
    let mut incident = morning();
    let detected = incident.milestones.detected.clone().unwrap();
    incident.milestones.mitigated = Some(Milestone {
        at: detected.at - chrono::TimeDelta::minutes(5),
        certainty: Certainty::Stated,
        source: None,
    });
    assert!(
        section(&draft(&incident), "Detection")
            .iter()
            .any(|line| line.contains("These times contradict each other: mitigated at"))
    );
}

#[test]
fn fifty_instances_are_one_row_and_none_is_lost() {
    let events: Vec<Event> = (0..50)
        .map(|number| {
            alert(
                "DiskFull",
                &format!("node-{number:02}"),
                AlertStatus::Firing,
                &format!("10:02:{number:02}"),
            )
        })
        .collect();
    let text = draft(&incident(&events));
    let rows: Vec<_> = section(&text, "Timeline")
        .into_iter()
        .filter(|line| line.contains("DiskFull"))
        .collect();
    assert_eq!(
        rows,
        [
            "| 10:02:00 | Alert DiskFull fired 50 times, the last at 10:02:49 (critical, checkout): 5 % of calls fail \\| p99 &gt; 2s | [prometheus](http://prom.example/graph?g0.expr=a%7Cb&g0.tab=1) |"
        ]
    );
    for number in 0..50 {
        assert!(
            section(&text, "Supporting information")
                .iter()
                .any(|line| line.contains(&format!("instance=node-{number:02}"))),
            "{number}"
        );
    }
    // Ten minutes later it is news.
    let later = [
        events,
        vec![alert(
            "DiskFull",
            "node-99",
            AlertStatus::Firing,
            "10:12:01",
        )],
    ]
    .concat();
    assert_eq!(
        section(&draft(&incident(&later)), "Timeline")
            .iter()
            .filter(|line| line.contains("DiskFull"))
            .count(),
        2
    );
}

#[test]
fn successive_episodes_of_one_alert_are_rows_of_their_own() {
    let told = [
        ("a:80", AlertStatus::Firing, "23:07:07"),
        ("b:80", AlertStatus::Firing, "23:07:08"),
        ("a:80", AlertStatus::Resolved, "23:08:29"),
        ("b:80", AlertStatus::Resolved, "23:08:30"),
        ("a:80", AlertStatus::Firing, "23:08:57"),
        ("b:80", AlertStatus::Firing, "23:08:58"),
        ("a:80", AlertStatus::Resolved, "23:10:05"),
    ];
    let events =
        told.map(|(instance, status, clock)| alert("CheckoutErrors", instance, status, clock));
    let text = draft(&incident(&events));
    let rows: Vec<&str> = section(&text, "Timeline")
        .into_iter()
        .filter_map(|line| Some(line.split_once(" (critical")?.0))
        .collect();
    assert_eq!(
        rows,
        [
            "| 23:07:07 | Alert CheckoutErrors fired 2 times, the last at 23:07:08",
            "| 23:08:29 | Alert CheckoutErrors resolved 2 times, the last at 23:08:30",
            "| 23:08:57 | Alert CheckoutErrors fired 2 times, the last at 23:08:58",
            "| 23:10:05 | Alert CheckoutErrors resolved",
        ]
    );
}

#[test]
fn raw_float_of_a_condition_has_four_digits() {
    let condition = Condition {
        name: "checkout-errors".into(),
        state: ConditionState::Degraded,
        severity: Severity::Critical,
        labels: Labels::new().into(),
        value: Some(0.200_020_002_220_024_26),
        since: None,
    };
    let event = by("ada", "prom", "23:07:04", Fact::Condition(condition));
    let text = draft(&incident(&[event]));
    assert!(
        text.contains("Condition checkout-errors became degraded at 0.2 |"),
        "{text}"
    );
}

#[test]
fn name_that_ends_with_a_dot_gets_no_second_one() {
    let who = OnCall::These(vec![OnCallPerson {
        name: "Ada L. (primary)".into(),
        person: Some("ada".into()),
    }]);
    let on_call = [ServiceOnCall {
        service: "checkout".into(),
        who,
    }];
    let text = drafted(&morning(), "Checkout", PersonNaming::Full, |draft| {
        render(&DraftInput {
            on_call: &on_call,
            ..*draft
        })
    });
    assert!(
        text.contains("On call for checkout at detection: Ada L.\n"),
        "{text}"
    );
}

#[test]
fn days_are_shown_when_there_are_two() {
    let mut late = by(
        "ada",
        "cli",
        "10:00:00",
        Fact::Note(Note {
            text: "still here".into(),
        }),
    );
    late.occurred_at = "2026-11-24T00:00:01Z".parse().unwrap();
    let text = draft(&incident(&[
        alert("A", "a", AlertStatus::Firing, "23:59:59"),
        late,
    ]));
    let rows = section(&text, "Timeline");
    assert!(
        rows[3].starts_with("| 2026-11-23 23:59:59 |")
            && rows[4].starts_with("| 2026-11-24 00:00:01 | Note by Ada L.: still here |"),
        "{rows:?}"
    );
}

#[test]
fn role_naming_hides_names() {
    let text = drafted(&morning(), "x", PersonNaming::Role, render);
    assert!(!text.contains("Ada") && !text.contains("PABC"), "{text}");
    assert!(
        text.contains("Responders: owner 1")
            && text.contains("Acknowledged by owner 1")
            && text.contains("requested by stakeholder 1")
    );
    assert!(text.contains("facilitator: \"Lin\""));
}

const HEADINGS: [&str; 15] = [
    "Why this postmortem",
    "Summary",
    "Impact",
    "Root causes",
    "Trigger",
    "Resolution",
    "Detection",
    "Action items",
    "Lessons learned",
    "What went well",
    "What went wrong",
    "Where we got lucky",
    "Timeline",
    "Supporting information",
    "end",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Foreign text in alerts, names and titles changes neither headings nor table columns, and
    /// adds no HTML.
    #[test]
    fn foreign_text_does_not_change_the_structure(said in "[-#|`<>\\[\\]()!*_~a-z:/.&;\\\\\"' \r\n\t]{0,40}|\\PC{0,20}", url in any::<String>()) {
        let mut fired = alert(&said, &said, AlertStatus::Firing, "10:02:00");
        fired.source = said.as_str().into();
        fired.links = vec![Link { title: said.clone(), url: url.clone() }, Link { title: said.clone(), url: format!("https://x/{url}") }].into();
        let note = by(&said, "cli", "10:03:00", Fact::Note(Note { text: said.clone() }));
        let mut incident = incident(&[fired, note]);
        incident.services = vec![said.clone()];
        let text = drafted(&incident, &format!("T {said}"), PersonNaming::Full, render);

        let rest = text.strip_prefix("---\n").unwrap();
        let (front, body) = rest.split_once("\n---\n").unwrap();
        let front: Value = serde_saphyr::from_str(front).unwrap();
        prop_assert_eq!(front["services"].as_array().unwrap().len(), 1);
        prop_assert_eq!(front.as_object().unwrap().len(), 9);

        let (mut headings, mut depth, mut columns) = (vec![String::new()], false, 0);
        for event in Parser::new_ext(body, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH) {
            match event {
                Md::Start(Tag::Heading { .. }) => { depth = true; headings.push(String::new()); }
                Md::End(pulldown_cmark::TagEnd::Heading(_)) => depth = false,
                Md::Text(text) if depth => headings.last_mut().unwrap().push_str(&text),
                Md::Start(Tag::Link { dest_url, .. }) => prop_assert!(dest_url.starts_with("http://") || dest_url.starts_with("https://"), "{}", dest_url),
                Md::Start(Tag::TableRow | Tag::TableHead) => columns = 0,
                Md::Start(Tag::TableCell) => columns += 1,
                Md::End(pulldown_cmark::TagEnd::TableRow) => prop_assert!(columns == 3 || columns == 6, "{}", body),
                Md::Html(html) | Md::InlineHtml(html) => prop_assert!(false, "{}", html),
                Md::Code(code) => prop_assert!(false, "{}", code),
                Md::Start(Tag::CodeBlock(_) | Tag::BlockQuote(_) | Tag::Image { .. }) => prop_assert!(false, "{}", body),
                _ => {}
            }
        }
        headings.push("end".into());
        prop_assert_eq!(&headings[2..], &HEADINGS[..]);
    }
}
