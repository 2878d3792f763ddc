//! Sections of a draft: reason, trigger, resolution, detection, supporting information.
//! Each fact names its source.

use std::collections::BTreeSet;

use super::contributors::Contributors;
use super::draft_input::DraftInput;
use super::event_text::{event_sentence, noun};
use super::impact::went_on;
use super::references::{certainty, event, incident_page, page, source};
use crate::model::correction::Answer;
use crate::model::event::{ActorKind, Event, Fact};
use crate::model::id::EventId;
use crate::model::incident::{Announced, Incident};
use crate::model::member::{JoinReason, Member};
use crate::model::milestone::Milestone;
use crate::model::on_call::{OnCall, OnCallPerson, ServiceOnCall};
use crate::model::time::Time;
use crate::model::verdict::{CriterionKind, Outcome, Verdict};
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
            .map(|at| format!("; as of {}", instant(at)))
            .unwrap_or_default();
        let sentence = asked(draft, verdict, called).unwrap_or_else(|| verdict.sentence.clone());
        reasons.push(format!(
            "{} ({}{as_of}{evidence})",
            markdown::escape(&sentence),
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

/// Sentence of a verdict on a request, with the draft's name for the person who asked.
fn asked(draft: &DraftInput, verdict: &Verdict, called: &Contributors) -> Option<String> {
    let event = event(draft, verdict.evidence.first()?)?;
    let Fact::Request(request) = &event.fact else {
        return None;
    };
    let id = request.requester.as_deref()?;
    let name = called.name(&event.source, id, ActorKind::Human);
    let stop = if request.reason.trim().ends_with(['.', '!', '?', '…']) {
        ""
    } else {
        "."
    };
    Some(format!(
        "{name} asked for a postmortem: {}{stop}",
        request.reason.trim()
    ))
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
    let before = if draft.incident.milestones.began.is_some() {
        "Change before it began"
    } else {
        "Change before that"
    };
    facts.extend(changes(draft).map(|event| {
        format!(
            "{before}, at {}: {}",
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
                "{}: {}{}",
                instant(event.occurred_at),
                told(draft, called, event),
                went_on(draft, event.occurred_at)
                    .map(|words| format!("; {words}"))
                    .unwrap_or_default()
            )
        })
        .collect();
    let took = |turn: &Milestone| {
        let began = milestones
            .began
            .as_ref()
            .filter(|began| began.at <= turn.at);
        began
            .map(|began| {
                format!(
                    ", {} after it began",
                    duration::exact(duration::between(began.at, turn.at))
                )
            })
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
                    duration::exact(duration::between(began.at, detected.at))
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
    facts.extend(detected_by(draft));
    if let Some(taken) = &milestones.acknowledged {
        let after = milestones
            .detected
            .as_ref()
            .filter(|detected| detected.at <= taken.at);
        let after = after
            .map(|detected| {
                format!(
                    ", {} after it was detected",
                    duration::exact(duration::between(detected.at, taken.at))
                )
            })
            .unwrap_or_default();
        facts.push(format!("{}{after}.", reached(draft, "Acknowledged", taken)));
    }
    facts.extend(milestones::contradictions(draft.incident));
    facts.extend(draft.on_call.iter().map(|duty| on_call(duty, called)));
    facts
}

/// First detector, as those stated who declared the outage.
fn detected_by(draft: &DraftInput) -> Option<String> {
    let events = draft.incident.members.iter().map(|member| &*member.event);
    let mut stated = events.filter_map(|event| match &event.fact {
        Fact::Declaration(declared) if !declared.planned => {
            Some((event, terms::detector(declared.detected_by?)?))
        }
        _ => None,
    });
    stated.next_back().map(|(event, who)| {
        format!(
            "First detected by {who}, as stated with the declaration ({}).",
            source(draft, event)
        )
    })
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
