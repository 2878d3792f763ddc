//! Effects of a decision: the postmortem's record, draft and meeting, as deliveries for the outbox.

use crate::config;
use crate::config::settings::InviteSending;
use crate::engine::as_of::as_of;
use crate::ical::invite;
use crate::meeting::attendees::{Candidates, Invitees, choose_attendees};
use crate::meeting::slot::{SlotRequest, find_slot, next_working_day};
use crate::model::correction::{Answer, SnoozeUntil};
use crate::model::delivery::{Delivery, DeliveryAction};
use crate::model::event::Fact;
use crate::model::id::{IncidentId, PostmortemId};
use crate::model::incident::Incident;
use crate::model::lifecycle::{Phase, ReviewState};
use crate::model::meeting::Meeting;
use crate::model::member::JoinReason;
use crate::model::plot::Plot;
use crate::model::postmortem::{Postmortem, PostmortemStatus};
use crate::model::settings::Person;
use crate::model::signal::{Signal, SignalKind};
use crate::model::spans::SpanState;
use crate::model::time::Time;
use crate::postmortem;
use crate::postmortem::draft_input::{DraftInput, PersonNaming};
use crate::postmortem::file_name::{file_name, plot_file_name};
use crate::store::apply::Changes;
use crate::store::database::Store;

use crate::app::people::on_call::OnCallCalendars;
use crate::app::settings::Settings;

/// Limit for reading every postmortem; no team writes as many.
const ALL: usize = 100_000;

/// Settings and on-call data that effects are derived from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EffectInputs<'a> {
    /// The settings in force.
    pub(crate) settings: &'a Settings,
    /// On-call calendars.
    pub(crate) calendars: &'a OnCallCalendars,
}

/// Brings the postmortem and the meeting of `incident` in line with its review state, into
/// `stored`.
pub(crate) fn effects(
    store: &Store,
    incident: &Incident,
    bundled: &[&Incident],
    known: EffectInputs<'_>,
    now: Time,
    stored: &mut Changes,
) -> anyhow::Result<()> {
    let EffectInputs {
        settings,
        calendars,
    } = known;
    let held = incident.standing == ReviewState::Held;
    let moved = stored
        .postmortems
        .iter()
        .find(|postmortem| postmortem.incident == incident.id)
        .cloned();
    let known_before = if moved.is_some() {
        moved
    } else {
        store.postmortem_of(&incident.id)?
    };
    // A bundled incident is announced with the lead of its bundle.
    if known_before.is_none() && (!held || incident.bundle.is_some()) {
        return Ok(());
    }
    let before = match known_before.clone() {
        Some(postmortem) => postmortem,
        None => open(store, incident, now, stored)?,
    };
    let mut postmortem = before.clone();
    postmortem.title.clone_from(&incident.title);
    postmortem.status = match (held, before.status) {
        (false, PostmortemStatus::Draft | PostmortemStatus::InDiscussion) => {
            PostmortemStatus::Declined
        }
        (true, PostmortemStatus::Declined) => PostmortemStatus::Draft,
        (_, status) => status,
    };
    let guests = guests(incident, &postmortem.id, settings);
    let scheduled = store.meeting(&postmortem.id)?;
    let meeting = meeting(
        scheduled.as_ref(),
        incident,
        &postmortem,
        &guests,
        settings,
        now,
    );
    if let Some(meeting) = meeting
        .as_ref()
        .filter(|meeting| scheduled.as_ref() != Some(meeting))
    {
        stored.deliveries.push(invite(meeting));
        stored.meetings.push(meeting.clone());
    }
    let facilitator = guests
        .facilitator
        .as_deref()
        .and_then(|id| person(settings, id));
    let measured = incident
        .signals
        .iter()
        .any(|signal| signal.kind == SignalKind::Condition);
    let drawn = if measured {
        store.plot_headers(&incident.id)?
    } else {
        Vec::new()
    };
    for picture in &drawn {
        stored.deliveries.push(Delivery {
            // Drawn alike, it is one picture: the key names what it shows.
            key: format!(
                "picture {} {} {}",
                postmortem.id, picture.plot.condition, picture.hash
            ),
            destination: format!("draft {}", postmortem.id),
            action: DeliveryAction::WritePicture {
                file: plot_file_name(&postmortem.file, &picture.plot.condition),
                incident: incident.id.clone(),
                condition: picture.plot.condition.clone(),
            },
        });
    }
    let plots: Vec<&Plot> = drawn.iter().map(|drawn| &drawn.plot).collect();
    let on_call = calendars.at_detection(incident, settings);
    let shown = as_of(incident.clone(), &settings.policy, now);
    let text = postmortem::render(&DraftInput {
        incident: &shown,
        as_of: (incident.phase == Phase::Active).then_some(now),
        bundled,
        postmortem: &postmortem,
        who: &settings.policy.who,
        facilitator,
        meeting: meeting.as_ref(),
        external_url: &settings.config.external_url,
        owners: &incident.scope,
        names: match settings.config.names {
            config::settings::NameStyle::Full => PersonNaming::Full,
            config::settings::NameStyle::Role => PersonNaming::Role,
        },
        plots: &plots,
        on_call: &on_call,
    });
    if text != before.generated {
        stored.deliveries.push(Delivery {
            key: format!("draft {} {}", postmortem.id, now.timestamp_micros()),
            destination: format!("draft {}", postmortem.id),
            action: DeliveryAction::WriteDraft {
                postmortem: postmortem.id.clone(),
                file: postmortem.file.clone(),
                before: before.generated.clone(),
                text: text.clone(),
            },
        });
        postmortem.generated = text;
    }
    if postmortem != before || known_before.is_none() {
        stored.postmortems.push(postmortem);
    }
    Ok(())
}

/// Handles an incident that no longer exists: its postmortem moves to the incident that has its
/// events now, or is called off if that one has its own.
pub(crate) fn effects_of_merge(
    store: &Store,
    gone: &IncidentId,
    heir: Option<&IncidentId>,
    known: EffectInputs<'_>,
    now: Time,
    stored: &mut Changes,
) -> anyhow::Result<()> {
    let Some(mut postmortem) = store.postmortem_of(gone)? else {
        return Ok(());
    };
    let free = match heir {
        Some(heir) => {
            store.postmortem_of(heir)?.is_none()
                && !stored
                    .postmortems
                    .iter()
                    .any(|other| other.incident == *heir)
        }
        None => false,
    };
    if let Some(heir) = heir.filter(|_| free) {
        postmortem.incident = heir.clone();
        stored.postmortems.push(postmortem);
        return Ok(());
    }
    let Some(incident) = store.incident(&gone.0)? else {
        return Ok(());
    };
    effects(
        store,
        &Incident {
            standing: ReviewState::Dismissed,
            ..incident
        },
        &[],
        known,
        now,
        stored,
    )
}

/// A new record, with a file name that no other postmortem has.
fn open(
    store: &Store,
    incident: &Incident,
    now: Time,
    stored: &Changes,
) -> anyhow::Result<Postmortem> {
    let digits = incident.id.0.trim_start_matches("i-");
    let began = incident
        .milestones
        .began
        .as_ref()
        .or(incident.milestones.detected.as_ref())
        .map(|milestone| milestone.at);
    let began = began
        .or_else(|| {
            incident
                .members
                .iter()
                .find(|member| member.reason == JoinReason::Opened)
                .map(|member| member.event.occurred_at)
        })
        .unwrap_or(now);
    let mut file = file_name(
        began,
        incident.services.first().map(String::as_str),
        &incident.title,
    );
    let taken = |other: &Postmortem| other.file == file;
    if store.postmortems(ALL)?.iter().any(taken) || stored.postmortems.iter().any(taken) {
        file = format!("{}-{digits}.md", file.trim_end_matches(".md"));
    }
    Ok(Postmortem {
        id: PostmortemId(format!("pm-{digits}")),
        incident: incident.id.clone(),
        title: incident.title.clone(),
        status: PostmortemStatus::Draft,
        file,
        generated: String::new(),
        opened_at: now,
    })
}

fn person<'a>(settings: &'a Settings, id: &str) -> Option<&'a Person> {
    settings.config.people.iter().find(|person| person.id == id)
}

/// People the postmortem concerns: responders, owners and stakeholders.
fn guests(incident: &Incident, postmortem: &PostmortemId, settings: &Settings) -> Invitees {
    let config = &settings.config;
    let concerned = config
        .services
        .iter()
        .filter(|service| incident.services.contains(&service.name));
    let stakeholders: Vec<String> = concerned
        .flat_map(|service| service.stakeholders.iter().cloned())
        .collect();
    choose_attendees(&Candidates {
        postmortem,
        responders: &responders(incident, settings),
        owners: &incident.scope,
        stakeholders: &stakeholders,
        facilitators: &config.meetings.facilitators,
        people: &config.people,
    })
}

/// Preview of the meeting that accepting would call: number of guests and start. `None` if there
/// would be none.
pub(crate) fn invitation(
    incident: &Incident,
    settings: &Settings,
    now: Time,
) -> Option<(usize, Time)> {
    let digits = incident.id.0.trim_start_matches("i-");
    let guests = guests(incident, &PostmortemId(format!("pm-{digits}")), settings);
    if guests.reachable < 2 {
        return None;
    }
    let ended_at = incident
        .milestones
        .resolved
        .as_ref()
        .map_or(now, |milestone| milestone.at);
    Some((
        guests.required.len() + guests.optional.len(),
        first_slot(&guests, ended_at, settings, now)?,
    ))
}

/// True once a snoozed suggestion is due to be shown again.
pub(crate) fn snooze_is_over(incident: &Incident, settings: &Settings, now: Time) -> bool {
    let Some(review) = &incident.review else {
        return true;
    };
    match review.answer {
        Answer::Snooze {
            until: SnoozeUntil::WhenResolved,
        } => incident.phase >= Phase::Resolved,
        Answer::Snooze {
            until: SnoozeUntil::NextWorkingDay,
        } => now >= next_working_day(review.at, &settings.config.hours, settings.config.time_zone),
        _ => true,
    }
}

/// Ids of the people who acted on the incident, by id or alias, in order of their first act.
fn responders(incident: &Incident, settings: &Settings) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let worked = |fact: &Fact| {
        matches!(
            fact,
            Fact::Acknowledgement(_) | Fact::Intervention(_) | Fact::Note(_) | Fact::Change(_)
        )
    };
    let acts = incident
        .members
        .iter()
        .map(|member| &*member.event)
        .filter(|event| worked(&event.fact));
    for event in acts {
        let person = event.actor.as_ref().and_then(|actor| {
            settings
                .policy
                .who
                .person(&event.source, &actor.id, &incident.identities)
        });
        if let Some(person) = person.filter(|person| !found.contains(&person.id)) {
            found.push(person.id.clone());
        }
    }
    found
}

/// The meeting as it should be; `None` while there is none to hold.
fn meeting(
    scheduled: Option<&Meeting>,
    incident: &Incident,
    postmortem: &Postmortem,
    guests: &Invitees,
    settings: &Settings,
    now: Time,
) -> Option<Meeting> {
    if postmortem.status == PostmortemStatus::Declined {
        let called_off = scheduled.filter(|meeting| !meeting.cancelled);
        return called_off
            .map(|meeting| Meeting {
                cancelled: true,
                sequence: meeting.sequence + 1,
                stamp: now,
                ..meeting.clone()
            })
            .or(scheduled.cloned());
    }
    // Without `people:` guests cannot be counted: the entry is kept in the file, for manual import.
    let nobody_known = settings.config.people.is_empty();
    let approved = settings.config.meetings.send == InviteSending::Automatic
        || incident
            .review
            .as_ref()
            .is_some_and(|review| review.answer == Answer::Accept);
    let enough = nobody_known || guests.reachable >= 2;
    // With an unknown end, the incident ends when it is closed.
    let closed_at = (incident.phase == Phase::Closed).then_some(incident.phase_since);
    let ended_at = incident
        .milestones
        .resolved
        .as_ref()
        .map(|milestone| milestone.at)
        .or(closed_at);
    let (Some(ended_at), true, true, true) = (ended_at, approved, enough, is_over(incident)) else {
        return scheduled.cloned();
    };
    let earliest = ended_at + chrono::TimeDelta::hours(24);
    if let Some(kept) = scheduled.filter(|meeting| {
        !meeting.cancelled && (meeting.starts_at >= earliest || meeting.starts_at <= now)
    }) {
        let summary = summary(incident);
        return Some(if kept.summary == summary || kept.starts_at <= now {
            kept.clone()
        } else {
            Meeting {
                summary,
                sequence: kept.sequence + 1,
                stamp: now,
                ..kept.clone()
            }
        });
    }
    let config = &settings.config;
    let starts_at = first_slot(guests, ended_at, settings, now)?;
    let url = format!(
        "{}/postmortems/{}",
        config.external_url.trim_end_matches('/'),
        postmortem.id
    );
    let lead = match guests
        .facilitator
        .as_deref()
        .and_then(|id| person(settings, id))
    {
        Some(facilitator) => format!("{} leads the meeting.", facilitator.name),
        None => "A facilitator is still needed: a person who did not respond to the incident."
            .to_owned(),
    };
    Some(Meeting {
        id: postmortem.id.clone(),
        uid: format!(
            "{}-review@{}",
            postmortem.id,
            config
                .meetings
                .organizer
                .rsplit('@')
                .next()
                .unwrap_or("afterword")
        ),
        sequence: scheduled.map_or(0, |meeting| meeting.sequence + 1),
        stamp: now,
        starts_at,
        ends_at: starts_at + chrono::TimeDelta::minutes(config.meetings.minutes),
        cancelled: false,
        summary: summary(incident),
        description: format!("Together we look at what happened and how. {lead}\nDraft: {url}"),
        url,
        organizer: config.meetings.organizer.clone(),
        attendees: guests
            .required
            .iter()
            .chain(&guests.optional)
            .cloned()
            .collect(),
    })
}

/// True once the incident is over: resolved with known ends, or closed. While an end is unknown,
/// the meeting waits until the incident closes.
fn is_over(incident: &Incident) -> bool {
    let unknown = |signal: &Signal| {
        signal
            .spans
            .last()
            .is_some_and(|span| span.end.is_none() && span.state == SpanState::Unknown)
    };
    match incident.phase {
        Phase::Active => false,
        Phase::Resolved => !incident.signals.iter().any(unknown),
        Phase::Closed => true,
    }
}

/// The first slot at which all who are required can come.
fn first_slot(guests: &Invitees, ended_at: Time, settings: &Settings, now: Time) -> Option<Time> {
    let config = &settings.config;
    let people: Vec<&Person> = guests
        .required_ids
        .iter()
        .filter_map(|id| person(settings, id))
        .collect();
    let ask = SlotRequest {
        ended_at,
        people: &people,
        default_hours: &config.hours,
        default_zone: config.time_zone,
        minutes: config.meetings.minutes,
        now,
    };
    find_slot(&ask).map(|slot| slot.starts_at)
}

fn summary(incident: &Incident) -> String {
    format!("Postmortem: {}", incident.title)
}

fn invite(meeting: &Meeting) -> Delivery {
    Delivery {
        key: format!("invite {} {}", meeting.id, meeting.sequence),
        destination: format!("invite {}", meeting.id),
        action: DeliveryAction::WriteInvite {
            file: format!("{}.ics", meeting.id),
            text: invite::render_invite(meeting, invite::itip_method(meeting)),
        },
    }
}
