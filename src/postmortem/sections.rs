//! Sections of a draft: reason, impact, trigger, resolution, detection, supporting information.
//! Each fact names its source.

use std::collections::BTreeSet;

use chrono::TimeDelta;

use super::contributors::Contributors;
use super::draft_input::DraftInput;
use super::event_text::{event_sentence, noun};
use super::references::{certainty, event, incident_page, page, source};
use crate::model::correction::Answer;
use crate::model::event::{ActorKind, Event, Fact};
use crate::model::id::EventId;
use crate::model::incident::{Announced, Incident};
use crate::model::member::{JoinReason, Member};
use crate::model::milestone::Milestone;
use crate::model::on_call::{OnCall, OnCallPerson, ServiceOnCall};
use crate::model::signal::{Signal, SignalKind};
use crate::model::spans::SpanState;
use crate::model::time::Time;
use crate::model::verdict::{CriterionKind, Outcome};
use crate::wording::{duration, markdown, milestones, terms};

/// Maximum sources in one sentence.
const SOURCES: usize = 3;
/// Maximum incidents of a bundle that are named.
const BUNDLED: usize = 20;

/// Reason for the postmortem: the announced sentence, the criteria that matched, and the person who
/// accepted it.
pub(crate) fn why(draft: &DraftInput, called: &Contributors) -> Vec<String> {
    let incident = draft.incident;
    let met = || {
        incident
            .verdicts
            .iter()
            .filter(|verdict| verdict.outcome == Outcome::Met && !verdict.shadow)
    };
    let mut reasons = Vec::new();
    // A verdict that is still valid gives the reason with its evidence and current numbers.
    let unsaid = |announced: &&Announced| {
        !met().any(|verdict| announced.criteria.contains(&verdict.criterion))
    };
    if let Some(announced) = incident.announced.as_ref().filter(unsaid) {
        let criteria: Vec<_> = announced
            .criteria
            .iter()
            .map(|name| markdown::escape(name))
            .collect();
        let criteria = if criteria.is_empty() {
            String::new()
        } else {
            format!(" ({})", criteria.join(", "))
        };
        reasons.push(format!(
            "{}{criteria}",
            markdown::escape(&announced.sentence)
        ));
    }
    for verdict in met() {
        let evidence = sources(draft, &verdict.evidence);
        let as_of = draft
            .as_of
            .filter(|_| verdict.on == CriterionKind::Degradation)
            .map(|at| format!("; as of {}", at.format("%Y-%m-%d %H:%M UTC")))
            .unwrap_or_default();
        reasons.push(format!(
            "{} ({}{as_of}{evidence})",
            markdown::escape(&verdict.sentence),
            markdown::escape(&verdict.criterion)
        ));
    }
    if let Some(review) = incident
        .review
        .as_ref()
        .filter(|review| review.answer == Answer::Accept)
    {
        let by = review
            .by
            .as_deref()
            .map(|by| {
                let name = called.name("", by, ActorKind::Human);
                format!(" by {}", markdown::escape(&name))
            })
            .unwrap_or_default();
        let comment = if review.comment.trim().is_empty() {
            String::new()
        } else {
            format!(": {}", markdown::escape(&review.comment))
        };
        reasons.push(format!(
            "{}{by} at {}{comment}",
            terms::answer(review.answer),
            instant(review.at)
        ));
    }
    if !draft.bundled.is_empty() {
        let also =
            |incident: &&&Incident| markdown::link(&incident.title, &page(draft, &incident.id));
        let named: Vec<String> = draft
            .bundled
            .iter()
            .take(BUNDLED)
            .map(|incident| also(&incident))
            .collect();
        let rest = draft.bundled.len().saturating_sub(BUNDLED);
        let rest = if rest == 0 {
            String::new()
        } else {
            format!(" and {rest} more")
        };
        reasons.push(format!(
            "Began at about the same time and may be the same incident: {}{rest}",
            named.join(", ")
        ));
    }
    reasons
}

/// Measured and declared duration of degradation, in total and by service.
pub(crate) fn impact(draft: &DraftInput) -> Vec<String> {
    let felt = |signal: &&Signal| signal.role.as_deref() != Some("cause");
    let signals: Vec<&Signal> = draft.incident.signals.iter().filter(felt).collect();
    let mut facts: Vec<String> = degraded("Degraded", &signals, draft).into_iter().collect();
    let services: BTreeSet<_> = signals
        .iter()
        .filter_map(|signal| signal.service.as_deref())
        .collect();
    if services.len() > 1 {
        for service in services {
            let of: Vec<&Signal> = signals
                .iter()
                .copied()
                .filter(|signal| signal.service.as_deref() == Some(service))
                .collect();
            facts.extend(degraded(
                &format!("{}: degraded", markdown::escape(service)),
                &of,
                draft,
            ));
        }
    }
    let unknown = unknown(&signals);
    if unknown > TimeDelta::zero() {
        facts.push(format!(
            "For {} there is no data on whether it was degraded.",
            duration::exact(unknown)
        ));
    }
    facts
}

fn degraded(begins: &str, signals: &[&Signal], draft: &DraftInput) -> Option<String> {
    let is = |state| state == SpanState::Degraded;
    let stretches = union(signals, is);
    let since = signals
        .iter()
        .flat_map(|signal| &signal.spans)
        .filter(|span| is(span.state) && span.end.is_none())
        .map(|span| span.start)
        .min()
        // It may have begun in an ended span that this one continues.
        .map(|since| {
            stretches
                .iter()
                .find(|(start, end)| *start < since && since <= *end)
                .map_or(since, |(start, _)| *start)
        });
    let mut names: Vec<(SignalKind, String)> = Vec::new();
    let mut known = BTreeSet::new();
    for signal in signals
        .iter()
        .filter(|signal| signal.spans.iter().any(|span| is(span.state)))
    {
        let name = markdown::escape(&terms::signal(signal.kind, &signal.name));
        if known.insert(name.clone()) {
            let from = event(draft, &signal.event)
                .map(|event| format!(" ({})", source(draft, event)))
                .unwrap_or_default();
            names.push((signal.kind, format!("{name}{from}")));
        }
    }
    let by: Vec<String> = [("measured by", false), ("stated by", true)]
        .into_iter()
        .filter_map(|(verb, declared)| {
            let names: Vec<&str> = names
                .iter()
                .filter(|(kind, _)| (*kind == SignalKind::Declaration) == declared)
                .map(|(_, name)| name.as_str())
                .collect();
            (!names.is_empty()).then(|| format!("{verb} {}", names.join(", ")))
        })
        .collect();
    let by = by.join("; ");
    let total: TimeDelta = stretches.iter().map(|(start, end)| *end - *start).sum();
    match (stretches.first(), stretches.last(), since) {
        (.., Some(since)) => {
            let before: TimeDelta = stretches
                .iter()
                .filter(|(start, _)| *start < since)
                .map(|(start, end)| (*end).min(since) - *start)
                .sum();
            let before = if before > TimeDelta::zero() {
                format!(", and for {} before that", duration::exact(before))
            } else {
                String::new()
            };
            Some(format!(
                "{begins} since {}, not yet over{before}; {by}.",
                instant(since)
            ))
        }
        (Some((start, end)), _, None) if stretches.len() == 1 => Some(format!(
            "{begins} for {}, from {} to {}; {by}.",
            duration::exact(total),
            instant(*start),
            instant(*end)
        )),
        (Some((start, _)), Some((_, end)), None) => Some(format!(
            "{begins} for {} in {} intervals between {} and {}; {by}.",
            duration::exact(total),
            stretches.len(),
            instant(*start),
            instant(*end)
        )),
        _ => None,
    }
}

/// Total ended time that was unknown for some signal and degraded for none.
fn unknown(signals: &[&Signal]) -> TimeDelta {
    let length = |test: fn(SpanState) -> bool| {
        union(signals, test)
            .iter()
            .map(|(start, end)| *end - *start)
            .sum::<TimeDelta>()
    };
    length(|state| matches!(state, SpanState::Degraded | SpanState::Unknown))
        - length(|state| state == SpanState::Degraded)
}

/// Union of the ended spans, in order.
fn union(signals: &[&Signal], test: impl Fn(SpanState) -> bool) -> Vec<(Time, Time)> {
    let spans = signals
        .iter()
        .flat_map(|signal| &signal.spans)
        .filter(|span| test(span.state));
    let mut stretches: Vec<_> = spans
        .filter_map(|span| Some((span.start, span.end?)))
        .filter(|(start, end)| start < end)
        .collect();
    stretches.sort_unstable();
    let mut united: Vec<(Time, Time)> = Vec::new();
    for (start, end) in stretches {
        match united.last_mut() {
            Some(last) if start <= last.1 => last.1 = last.1.max(end),
            _ => united.push((start, end)),
        }
    }
    united
}

/// First events, and the changes before them. The text says that order in time is not causation.
pub(crate) fn trigger(draft: &DraftInput, called: &Contributors) -> Vec<String> {
    let opened = draft
        .incident
        .members
        .iter()
        .find(|member| member.reason == JoinReason::Opened)
        .map(|member| &*member.event);
    let mut facts: Vec<_> = opened
        .map(|event| {
            format!(
                "First event, at {}: {}",
                instant(event.occurred_at),
                told(draft, called, event)
            )
        })
        .into_iter()
        .collect();
    facts.extend(changes(draft).map(|event| {
        format!(
            "Change before that, at {}: {}",
            instant(event.occurred_at),
            told(draft, called, event)
        )
    }));
    facts
}

/// Changes known from before the first impact or detection.
pub(crate) fn changes<'a>(draft: &DraftInput<'a>) -> impl Iterator<Item = &'a Event> {
    let incident = draft.incident;
    let opened = incident
        .members
        .iter()
        .find(|member| member.reason == JoinReason::Opened)
        .map(|member| member.event.occurred_at);
    let until = incident
        .milestones
        .began
        .as_ref()
        .map(|began| began.at)
        .or(opened);
    let events = incident.members.iter().map(|member| &*member.event);
    events.filter(move |event| {
        matches!(event.fact, Fact::Change(_))
            && until.is_some_and(|until| event.occurred_at <= until)
    })
}

/// Actions, times of mitigation and resolution, and responders.
pub(crate) fn resolution(draft: &DraftInput, called: &Contributors) -> Vec<String> {
    let milestones = &draft.incident.milestones;
    let rollbacks = &draft.incident.rollbacks;
    let answers = |member: &&Member| {
        rollbacks.contains(&member.event.id) && member.reason != JoinReason::Context
    };
    let step =
        |member: &&Member| matches!(member.event.fact, Fact::Intervention(_)) || answers(member);
    let steps = draft
        .incident
        .members
        .iter()
        .filter(step)
        .map(|member| &*member.event);
    let mut facts: Vec<_> = steps
        .map(|event| {
            format!(
                "{}: {}",
                instant(event.occurred_at),
                told(draft, called, event)
            )
        })
        .collect();
    let took = |turn: &Milestone| {
        let began = milestones
            .began
            .as_ref()
            .filter(|began| began.at <= turn.at);
        began
            .map(|began| format!(", {} after it began", duration::exact(turn.at - began.at)))
            .unwrap_or_default()
    };
    for (name, turn) in [
        ("Mitigated", &milestones.mitigated),
        ("Resolved", &milestones.resolved),
    ] {
        facts.extend(
            turn.as_ref()
                .map(|turn| format!("{}{}.", reached(draft, name, turn), took(turn))),
        );
    }
    let worked = called.responders();
    if !worked.is_empty() {
        facts.push(format!(
            "Responders: {}",
            markdown::escape(&worked.join(", "))
        ));
    }
    facts
}

/// Time and means of detection, time to detect, and the people on call.
pub(crate) fn detection(draft: &DraftInput, called: &Contributors) -> Vec<String> {
    let milestones = &draft.incident.milestones;
    let mut facts = Vec::new();
    if let Some(detected) = &milestones.detected {
        let by = detected
            .source
            .as_ref()
            .and_then(|id| event(draft, id))
            .map(|event| format!(" by {}", noun(event)))
            .unwrap_or_default();
        let after = match &milestones.began {
            Some(began) if began.at < detected.at => {
                format!(
                    ", {} after it began",
                    duration::exact(detected.at - began.at)
                )
            }
            Some(_) => String::new(),
            None => "; the time it began is unknown".to_owned(),
        };
        facts.push(format!(
            "{}{by}{after}.",
            reached(draft, "Detected", detected)
        ));
    }
    if let Some(taken) = &milestones.acknowledged {
        let after = milestones
            .detected
            .as_ref()
            .filter(|detected| detected.at <= taken.at);
        let after = after
            .map(|detected| {
                format!(
                    ", {} after it was detected",
                    duration::exact(taken.at - detected.at)
                )
            })
            .unwrap_or_default();
        facts.push(format!("{}{after}.", reached(draft, "Acknowledged", taken)));
    }
    facts.extend(milestones::contradictions(&draft.incident.milestones));
    facts.extend(draft.on_call.iter().map(|duty| on_call(duty, called)));
    facts
}

/// On-call people of a service at detection.
fn on_call(duty: &ServiceOnCall, called: &Contributors) -> String {
    let service = markdown::escape(&duty.service);
    match &duty.who {
        OnCall::These(these) => {
            // Names in calendars carry additions that no other source has, so known people are
            // named by their id.
            let name = |one: &OnCallPerson| {
                called.name(
                    "people",
                    one.person.as_deref().unwrap_or(&one.name),
                    ActorKind::Human,
                )
            };
            format!(
                "On call for {service} at detection: {}",
                full_stop(&these.iter().map(name).collect::<Vec<_>>().join(", "))
            )
        }
        OnCall::Nobody => {
            format!("On call for {service} at detection: no one, according to its calendar.")
        }
        OnCall::Unknown(why) => format!(
            "Who was on call for {service} at detection is unknown: {}",
            full_stop(why)
        ),
    }
}

/// Foreign words at the end of a sentence, escaped, with a full stop unless they bring their own.
fn full_stop(words: &str) -> String {
    let stop = if words.ends_with(['.', '!', '?', '…']) {
        ""
    } else {
        "."
    };
    markdown::escape(words) + stop
}

/// Links from all events, without duplicates.
pub(crate) fn supporting(draft: &DraftInput) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let mut links = Vec::new();
    let mut add = |title: &str, address: &str| {
        if let Some(url) = markdown::link_target(address)
            && seen.insert(url)
        {
            links.push(markdown::link(title, address));
        }
    };
    add(
        &format!("Incident {}", draft.incident.id),
        &incident_page(draft),
    );
    for event in draft.incident.members.iter().map(|member| &*member.event) {
        for link in &*event.links {
            let about = match &event.fact {
                Fact::Alert(alert) => format!("{} ({})", link.title, alert.name),
                _ => link.title.clone(),
            };
            add(&about, &link.url);
        }
        if let Fact::Alert(alert) = &event.fact {
            // Runbooks and dashboards are annotations by custom: any whose value is an address is one.
            for (name, value) in &alert.annotations {
                add(&format!("{name} ({})", alert.name), value);
            }
        }
    }
    links
}

/// Sentence of a milestone: `Detected at 2026-11-23 10:00:00 UTC (stated; source)`.
fn reached(draft: &DraftInput, name: &str, turn: &Milestone) -> String {
    let from = turn
        .source
        .as_ref()
        .and_then(|id| event(draft, id))
        .map(|event| format!(" ({})", source(draft, event)))
        .unwrap_or_default();
    format!(
        "{name} at {}{}{from}",
        instant(turn.at),
        certainty(turn.certainty)
    )
}

/// Sentence of an event, with its source.
fn told(draft: &DraftInput, called: &Contributors, event: &Event) -> String {
    format!(
        "{} ({})",
        event_sentence(draft, called, event),
        source(draft, event)
    )
}

/// List of sources, `; source, source`: the first few, since the timeline has them all.
fn sources(draft: &DraftInput, evidence: &[EventId]) -> String {
    let evidence: BTreeSet<_> = evidence.iter().collect();
    let mut named = Vec::new();
    for event in draft
        .incident
        .members
        .iter()
        .map(|member| &*member.event)
        .filter(|event| evidence.contains(&event.id))
    {
        let source = source(draft, event);
        if !named.contains(&source) {
            named.push(source);
        }
        if named.len() == SOURCES {
            break;
        }
    }
    if named.is_empty() {
        String::new()
    } else {
        format!("; {}", named.join(", "))
    }
}

fn instant(at: Time) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}
