//! Facts of a draft that measurements, people and gaps tell differently.

use serde_json::{Value, json};

use super::{alert, at, by, draft, drafted, incident, morning, section, span};
use crate::model::correction::Correction;
use crate::model::event::{
    AlertStatus, Condition, ConditionState, Declaration, DetectedBy, EndReason, Event, Fact,
    Intervention, PostmortemRequest, Severity,
};
use crate::model::id::IncidentId;
use crate::model::incident::Incident;
use crate::model::labels::Labels;
use crate::model::milestone::{Certainty, Milestone, MilestoneKind};
use crate::model::time::Time;
use crate::postmortem::draft_input::{DraftInput, PersonNaming};
use crate::postmortem::render;

fn condition(clock: &str, since: Option<&str>, state: ConditionState, value: f64) -> Event {
    let fact = Fact::Condition(Condition {
        name: "errors".into(),
        state,
        severity: Severity::Critical,
        labels: Labels::new().into(),
        value: (state != ConditionState::Unknown).then_some(value),
        since: since.map(at),
    });
    let mut event = Event::new("prom", at(clock), fact);
    event.subject = "0123456789abcdef".parse().unwrap();
    event
}

/// An incident with one condition of these spans and, from 10:10 to 10:20, a declared outage.
fn degraded(spans: &[Value], declared_until: Option<&str>) -> Incident {
    let event = condition("10:00:00", None, ConditionState::Degraded, 0.2);
    let outage = outage("10:10:00", None);
    let mut incident = incident(&[event.clone(), outage.clone()]);
    let signal = |kind: &str, event: &Event, spans: &[Value]| {
        json!({"subject": event.subject, "kind": kind, "name": "errors", "severity": "critical",
               "service": "checkout", "environment": null, "event": event.id, "spans": spans})
    };
    let mut signals = vec![signal("condition", &event, spans)];
    if let Some(until) = declared_until {
        let declared = span("10:10:00", Some(until), "degraded");
        signals.push(signal("declaration", &outage, &[declared]));
    }
    incident.signals = serde_json::from_value(json!(signals)).unwrap();
    incident
}

fn outage(clock: &str, detected_by: Option<DetectedBy>) -> Event {
    let fact = Fact::Declaration(Declaration {
        key: String::new(),
        title: "No orders".into(),
        severity: Severity::Critical,
        status: AlertStatus::Firing,
        planned: false,
        data_loss: None,
        detected_by,
    });
    by("ada", "people", clock, fact)
}

/// The facts of a section without their sources.
fn facts(incident: &Incident, heading: &str) -> Vec<String> {
    let link = regex::Regex::new(r" \(\[[^)]*\)\)").unwrap();
    section(&draft(incident), heading)
        .into_iter()
        .filter_map(|line| line.strip_prefix("- "))
        .map(|line| link.replace_all(line, "").into_owned())
        .collect()
}

#[test]
fn gap_without_data_is_no_interval_of_its_own() {
    let spans = [
        span("10:00:00", Some("10:02:00"), "degraded"),
        span("10:05:00", Some("10:08:00"), "degraded"),
        span("10:08:00", Some("10:09:00"), "unknown"),
        span("10:09:00", Some("10:11:00"), "degraded"),
    ];
    assert_eq!(
        facts(&degraded(&spans, None), "Impact"),
        [
            "Degraded for at least 7m in at least 2 intervals between 2026-11-23 10:00:00 UTC and 2026-11-23 10:11:00 UTC; measured by condition errors.",
            "For 1m there is no data on whether it was degraded: from 2026-11-23 10:08:00 UTC to 2026-11-23 10:09:00 UTC.",
        ]
    );
    assert_eq!(
        facts(&degraded(&spans[1..], None), "Impact")[0],
        "Degraded for at least 5m between 2026-11-23 10:05:00 UTC and 2026-11-23 10:11:00 UTC; measured by condition errors."
    );
}

#[test]
fn end_without_data_is_a_bound_of_the_impact() {
    let spans = [
        span("10:00:00", Some("10:02:00"), "degraded"),
        span("10:02:00", None, "unknown"),
    ];
    assert_eq!(
        facts(&degraded(&spans, None), "Impact"),
        [
            "Degraded for at least 2m, from 2026-11-23 10:00:00 UTC to 2026-11-23 10:02:00 UTC or later; measured by condition errors.",
            "Since 2026-11-23 10:02:00 UTC there is no data on whether it is degraded.",
        ]
    );
}

#[test]
fn late_end_of_a_declared_outage_is_no_measured_degradation() {
    let spans = [span("10:00:00", Some("10:18:00"), "degraded")];
    assert_eq!(
        facts(&degraded(&spans, Some("10:20:00")), "Impact"),
        [
            "Degraded for 18m, from 2026-11-23 10:00:00 UTC to 2026-11-23 10:18:00 UTC; measured by condition errors.",
            "Declared as an outage for 10m, from 2026-11-23 10:10:00 UTC to 2026-11-23 10:20:00 UTC; stated by declaration errors; 2m of it without measured degradation.",
        ]
    );
    // Without data for a minute of it, nothing contradicts the declaration there.
    let gap = [
        span("10:00:00", Some("10:12:00"), "degraded"),
        span("10:12:00", Some("10:13:00"), "unknown"),
        span("10:13:00", Some("10:18:00"), "degraded"),
    ];
    assert_eq!(
        facts(&degraded(&gap, Some("10:20:00")), "Impact"),
        [
            "Degraded for at least 17m between 2026-11-23 10:00:00 UTC and 2026-11-23 10:18:00 UTC; measured by condition errors.",
            "Declared as an outage for 10m, from 2026-11-23 10:10:00 UTC to 2026-11-23 10:20:00 UTC; stated by declaration errors; 2m of it without measured degradation.",
            "For 1m there is no data on whether it was degraded: from 2026-11-23 10:12:00 UTC to 2026-11-23 10:13:00 UTC.",
        ]
    );
    let mut stated = degraded(&spans, Some("10:20:00"));
    stated.signals.remove(0);
    assert_eq!(
        facts(&stated, "Impact"),
        [
            "Degraded for 10m, from 2026-11-23 10:10:00 UTC to 2026-11-23 10:20:00 UTC; stated by declaration errors."
        ]
    );
}

#[test]
fn figures_of_an_open_incident_name_their_moment() {
    let open = degraded(&[span("10:00:00", None, "degraded")], None);
    let text = drafted(&open, "x", PersonNaming::Full, |draft| {
        render(&DraftInput {
            as_of: Some(at("10:07:30")),
            ..*draft
        })
    });
    assert!(
        section(&text, "Impact")[0]
            .contains("since 2026-11-23 10:00:00 UTC, not yet over as of 2026-11-23 10:07:30 UTC;"),
        "{text}"
    );
}

#[test]
fn step_is_listed_with_the_degraded_time_after_it() {
    let spans = [
        span("10:00:00", Some("10:05:00"), "degraded"),
        span("10:06:00", Some("10:08:00"), "degraded"),
    ];
    let mut incident = degraded(&spans, None);
    let step = |clock| {
        let fact = Fact::Intervention(Intervention {
            action: "restart".into(),
            why: String::new(),
            stated: true,
            should_be_automatic: None,
            dry_run: false,
            refused: false,
            planned: false,
        });
        by("ada", "people", clock, fact)
    };
    let mut members = incident.members.to_vec();
    for event in [step("10:04:00"), step("10:09:00")] {
        members.push(crate::model::member::Member {
            event: event.into(),
            reason: crate::model::member::JoinReason::Key,
        });
    }
    incident.members = members.into();
    assert_eq!(
        facts(&incident, "Resolution")[..2],
        [
            "2026-11-23 10:04:00 UTC: Manual step by Ada L.: restart (entered by a person); degraded for 3m after it",
            "2026-11-23 10:09:00 UTC: Manual step by Ada L.: restart (entered by a person)",
        ]
    );
    incident.signals[0].spans[1].end = None;
    assert!(facts(&incident, "Resolution")[0].ends_with("; degraded after it, not yet over"));
}

fn entered(kind: MilestoneKind, told: &str, when: &str) -> Event {
    let fact = Fact::Edit(Correction::Milestone {
        of: IncidentId("i-0123456789".into()),
        milestone: kind,
        at: at(when),
    });
    by("ada", "people", told, fact)
}

fn stated(when: &str) -> Option<Milestone> {
    Some(Milestone {
        at: at(when),
        certainty: Certainty::Stated,
        source: None,
    })
}

#[test]
fn stated_end_before_the_measured_one_is_a_contradiction() {
    let spans = [span("10:00:00", Some("10:18:00"), "degraded")];
    let mut incident = degraded(&spans, None);
    let said = |incident: &Incident| {
        let facts = facts(incident, "Detection").into_iter();
        let contradicts = |fact: &String| fact.starts_with("These times contradict");
        facts.filter(contradicts).collect::<Vec<_>>()
    };
    incident.milestones.mitigated = stated("10:09:00");
    assert_eq!(
        said(&incident),
        [
            "These times contradict each other: mitigated at 2026-11-23 10:09:00 UTC, but condition errors was degraded until 2026-11-23 10:18:00 UTC."
        ]
    );
    // People round to the minute, and measurements lag.
    incident.milestones.mitigated = stated("10:17:30");
    assert!(said(&incident).is_empty());
    incident.milestones.began = stated("10:04:00");
    assert_eq!(
        said(&incident),
        [
            "These times contradict each other: began at 2026-11-23 10:04:00 UTC, but condition errors was degraded from 2026-11-23 10:00:00 UTC on."
        ]
    );
    incident.milestones.began = None;
    incident.signals[0].spans[0].end = None;
    assert_eq!(
        said(&incident),
        [
            "These times contradict each other: mitigated at 2026-11-23 10:17:30 UTC, but condition errors has been degraded since 2026-11-23 10:00:00 UTC and still is."
        ]
    );
}

/// Texts of the timeline, without milestones.
fn rows(events: &[Event]) -> Vec<String> {
    let text = draft(&incident(events));
    let rows = section(&text, "Timeline").into_iter().skip(3);
    rows.filter_map(|row| Some(row.split(" | ").nth(1)?.to_owned()))
        .collect()
}

#[test]
fn replaced_milestone_is_not_shown_as_in_force() {
    let rows = rows(&[
        alert("A", "a", AlertStatus::Firing, "10:02:00"),
        entered(MilestoneKind::Mitigated, "10:40:00", "10:20:00"),
        entered(MilestoneKind::Began, "10:41:00", "10:00:00"),
        entered(MilestoneKind::Mitigated, "10:42:00", "10:30:00"),
    ]);
    assert_eq!(
        rows[1..],
        [
            "Milestone entered by Ada L.: mitigated at 2026-11-23 10:20:00 UTC (replaced by a later entry)",
            "Milestone entered by Ada L.: began at 2026-11-23 10:00:00 UTC",
            "Milestone entered by Ada L.: mitigated at 2026-11-23 10:30:00 UTC",
        ]
    );
}

#[test]
fn end_that_its_prometheus_remembers_is_shown_instead_of_a_notified_one() {
    let lost = |clock: &str, recalled: bool| {
        let mut event = alert("A", "a", AlertStatus::Resolved, clock);
        if let Fact::Alert(alert) = &mut event.fact {
            alert.end_reason = EndReason::SourceLost;
            alert.recalled = recalled;
        }
        event.source = if recalled { "prom" } else { "alertmanager" }.into();
        event.identify();
        event
    };
    let text = draft(&incident(&[
        alert("A", "a", AlertStatus::Firing, "10:02:00"),
        lost("10:09:39", false),
        lost("10:09:44", true),
    ]));
    let ends: Vec<&str> = section(&text, "Timeline")
        .into_iter()
        .filter(|row| row.contains("ended because"))
        .collect();
    assert_eq!(ends.len(), 1, "{ends:?}");
    assert!(ends[0].starts_with("| 10:09:44 |") && ends[0].contains("is unknown"));
}

#[test]
fn unknown_instant_that_was_evaluated_later_is_no_row() {
    use ConditionState::{Degraded, Healthy, Unknown};
    let later = |clock: &str| -> Time { at(clock) + chrono::TimeDelta::microseconds(1) };
    let mut corrected = condition("10:09:46", Some("10:09:46"), Degraded, 0.2);
    corrected.occurred_at = later("10:09:46");
    let mut events = vec![
        condition("10:02:00", None, Degraded, 0.2),
        condition("10:09:46", None, Unknown, 0.0),
        corrected,
        condition("10:09:48", None, Unknown, 0.0),
        condition("10:10:52", None, Degraded, 0.25),
        condition("10:13:00", None, Healthy, 0.0),
    ];
    for event in &mut events {
        let subject = event.subject;
        event.identify();
        event.subject = subject;
    }
    assert_eq!(
        rows(&events),
        [
            "Condition errors became degraded at 0.2",
            "Condition errors became unknown for lack of data",
            "Condition errors became degraded at 0.25",
            "Condition errors became healthy at 0",
        ]
    );
}

#[test]
fn state_reported_late_names_its_beginning_and_the_value_of_the_report() {
    let rows = rows(&[condition(
        "10:07:02",
        Some("10:06:56"),
        ConditionState::NearMiss,
        0.2,
    )]);
    assert_eq!(
        rows,
        ["Condition errors has been a near miss since 10:06:56 UTC; 0.2 when reported"]
    );
}

#[test]
fn stated_detector_is_told() {
    let outage = outage("10:10:00", Some(DetectedBy::Customer));
    let incident = incident(&[
        alert("A", "a", AlertStatus::Firing, "10:02:00"),
        outage.clone(),
    ]);
    assert_eq!(
        facts(&incident, "Detection"),
        ["First detected by a customer, as stated with the declaration."]
    );
    assert_eq!(
        rows(&[outage])[0],
        "**Incident declared**: Outage declared by Ada L.: No orders (first detected by a customer)"
    );
}

#[test]
fn person_who_asked_has_one_name_in_the_whole_draft() {
    let mut incident = morning();
    let asked = by(
        "lin",
        "form",
        "10:50:00",
        Fact::Request(PostmortemRequest {
            reason: "Customers called".into(),
            requester: Some("github:lin".into()),
        }),
    );
    let mut members = incident.members.to_vec();
    if let Some(last) = members.last_mut() {
        last.event = asked.clone().into();
    }
    incident.members = members.into();
    incident.verdicts = serde_json::from_value(json!([{
        "criterion": "asked", "on": "request", "outcome": "met", "decision": "hold", "shadow": false,
        "sentence": "github:lin asked for a postmortem: Customers called.", "would_change": "", "evidence": [asked.id],
    }]))
    .unwrap();
    incident.announced = None;
    let why = |names| {
        let text = drafted(&incident, "x", names, render);
        section(&text, "Why this postmortem")[0].to_owned()
    };
    assert!(why(PersonNaming::Full).starts_with("- Lin asked for a postmortem: Customers called"));
    assert!(why(PersonNaming::Role).starts_with("- stakeholder 1 asked for a postmortem:"));
}
