//! Reader of on-call calendars: fetches those that are due, and renders drafts again when one changed.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::TimeDelta;
use futures_util::StreamExt;

use super::on_call::{CalendarState, OnCallCalendars, unreadable};
use crate::app::core::Core;
use crate::app::judge::Judge;
use crate::app::settings::{Settings, files};
use crate::app::sync::{blocking, lock};
use crate::clients::calendar_feed::{CacheValidators, CalendarClient, LARGEST, too_large};
use crate::config::people::OnCallCalendar;
use crate::ical::on_call_feed;
use crate::model::id::IncidentId;
use crate::model::lifecycle::{Phase, ReviewState};

/// Interval between reads of a file.
const FILES: TimeDelta = TimeDelta::seconds(5);
/// Interval between requests to a server.
const SERVERS: TimeDelta = TimeDelta::minutes(5);
/// Interval between requests to a server after a fault.
const AFTER_A_FAULT: TimeDelta = TimeDelta::minutes(1);
/// Interval between checks for due calendars.
const BEAT: Duration = Duration::from_secs(1);
/// Calendars read at the same time.
const AT_ONCE: usize = 8;
/// Most incidents whose drafts are rendered again when a calendar changes.
const REDRAFTED: usize = 100;

/// Keeps the shared calendars up to date.
#[derive(Debug)]
pub(crate) struct CalendarReader {
    core: Arc<Core>,
    judge: Arc<Judge>,
    calendars: Arc<Mutex<OnCallCalendars>>,
}

impl CalendarReader {
    pub(crate) fn new(
        core: Arc<Core>,
        judge: Arc<Judge>,
        calendars: Arc<Mutex<OnCallCalendars>>,
    ) -> Self {
        Self {
            core,
            judge,
            calendars,
        }
    }

    /// Renders the drafts of open incidents of these services again. Blocks.
    fn redraft_incidents(&self, services: &BTreeSet<String>) -> anyhow::Result<()> {
        let open: Vec<IncidentId> = self.judge.with_incidents(|incidents| {
            incidents
                .filter(|incident| {
                    incident.phase != Phase::Closed
                        && incident.standing == ReviewState::Held
                        && incident
                            .services
                            .iter()
                            .any(|service| services.contains(service))
                })
                .take(REDRAFTED)
                .map(|incident| incident.id.clone())
                .collect()
        });
        open.iter().try_for_each(|id| self.judge.redraft(id))
    }
}

/// Reads the calendars for as long as the service runs.
pub(crate) async fn read_loop(reader: Arc<CalendarReader>) {
    let core = Arc::clone(&reader.core);
    let client = match CalendarClient::new() {
        Ok(client) => client,
        Err(why) => {
            core.faults
                .report("calendars cannot be fetched", &anyhow::anyhow!(why));
            return;
        }
    };
    let mut settings = core.settings();
    loop {
        if !Arc::ptr_eq(&settings, &core.settings()) {
            settings = core.settings();
            // The same calendar reads differently in another time zone.
            let mut calendars = lock(&reader.calendars);
            calendars
                .0
                .retain(|feed, _| settings.config.on_call.values().any(|named| named == feed));
            for known in calendars.0.values_mut() {
                (known.seen, known.due) = (CacheValidators::default(), None);
            }
        }
        let feeds: BTreeSet<OnCallCalendar> = settings.config.on_call.values().cloned().collect();
        let now = core.now();
        let due = |feed| {
            let known = lock(&reader.calendars)
                .0
                .get(&feed)
                .cloned()
                .unwrap_or_default();
            known
                .due
                .is_none_or(|due| due <= now || due > now + SERVERS)
                .then_some((feed, known))
        };
        let due: Vec<(OnCallCalendar, CalendarState)> = feeds.into_iter().filter_map(due).collect();
        // A dead server does not delay the calendars of the others.
        let each = |(feed, known)| read(&reader, &settings, &client, feed, known);
        futures_util::stream::iter(due)
            .for_each_concurrent(AT_ONCE, each)
            .await;
        tokio::time::sleep(BEAT).await;
    }
}

/// Reads one calendar if it has changed, and redraws the drafts that it concerns.
async fn read(
    reader: &Arc<CalendarReader>,
    settings: &Arc<Settings>,
    client: &CalendarClient,
    feed: OnCallCalendar,
    mut known: CalendarState,
) {
    let core = &reader.core;
    let zone = settings.config.time_zone;
    let read = match text(settings, client, &feed, &known.seen).await {
        Ok(None) => Ok(None),
        Ok(Some((text, seen))) => {
            let parsed = blocking(move || on_call_feed::read(&text, zone)).await;
            parsed
                .unwrap_or_else(|_| Err("reading it failed".to_owned()))
                .map(|feed| Some((feed, seen)))
        }
        Err(why) => Err(why),
    };
    let now = core.now();
    let before = known.feed.as_ref().map(|(feed, _)| Arc::clone(feed));
    let was_faulty = known.fault.is_some();
    match read {
        Ok(read) => {
            if let Some((feed, seen)) = read {
                known.seen = seen;
                let feed = before
                    .iter()
                    .fold(feed, |feed, before| feed.with_past_of(before));
                let feed = before
                    .clone()
                    .filter(|before| **before == feed)
                    .unwrap_or_else(|| Arc::new(feed));
                known.feed = Some((feed, now));
            } else if let Some((_, read_at)) = &mut known.feed {
                *read_at = now;
            }
            known.fault = None;
            known.due = Some(
                now + if matches!(feed, OnCallCalendar::File(_)) {
                    FILES
                } else {
                    SERVERS
                },
            );
        }
        Err(why) => {
            let services = services_of(settings, &feed)
                .into_iter()
                .collect::<Vec<_>>()
                .join(", ");
            if known.fault.as_ref() != Some(&why) {
                core.faults.report(
                    &format!("the people on call for {services} are not known"),
                    &anyhow::anyhow!(unreadable(&why)),
                );
            }
            // The next version is read even if it is unchanged.
            known.seen = CacheValidators::default();
            known.fault = Some(why);
            known.due = Some(
                now + if matches!(feed, OnCallCalendar::File(_)) {
                    FILES
                } else {
                    AFTER_A_FAULT
                },
            );
        }
    }
    let same = match (&before, &known.feed) {
        (Some(before), Some((now, _))) => Arc::ptr_eq(before, now),
        (before, now) => before.is_none() && now.is_none(),
    };
    let changed = !same || was_faulty != known.fault.is_some();
    let services = services_of(settings, &feed);
    lock(&reader.calendars).0.insert(feed, known);
    if changed {
        let ours = Arc::clone(reader);
        let redrafted = blocking(move || ours.redraft_incidents(&services)).await;
        if let Err(fault) = redrafted.and_then(|done| done) {
            core.faults.report(
                "drafts could not be updated with the people on call",
                &fault,
            );
        }
    }
}

fn services_of(settings: &Settings, feed: &OnCallCalendar) -> BTreeSet<String> {
    settings
        .config
        .on_call
        .iter()
        .filter(|(_, named)| *named == feed)
        .map(|(service, _)| service.clone())
        .collect()
}

/// A calendar's text; `None`: it has not changed.
async fn text(
    settings: &Arc<Settings>,
    client: &CalendarClient,
    feed: &OnCallCalendar,
    seen: &CacheValidators,
) -> Result<Option<(String, CacheValidators)>, String> {
    match feed {
        OnCallCalendar::File(path) => {
            let path = files::directory_of(settings.file.as_deref()).join(path);
            let read = blocking(move || file(&path)).await;
            let text = read.unwrap_or_else(|_| Err("reading it failed".to_owned()))?;
            let now = CacheValidators::from_text(&text);
            Ok((now != *seen).then_some((text, now)))
        }
        OnCallCalendar::Url(address) => client.fetch(address, seen).await,
        OnCallCalendar::Secret(secret) => {
            let (settings, secret) = (Arc::clone(settings), secret.clone());
            let read = blocking(move || settings.address(&secret)).await;
            let address = read
                .map_err(|_| "its address cannot be read".to_owned())?
                .map_err(|fault| fault.message)?;
            client.fetch(&address, seen).await
        }
    }
}

fn file(path: &Path) -> Result<String, String> {
    let told = |error: std::io::Error| files::unreadable(&path.display().to_string(), &error);
    let mut bytes = Vec::new();
    let most = u64::try_from(LARGEST).unwrap_or(u64::MAX).saturating_add(1);
    std::fs::File::open(path)
        .map_err(told)?
        .take(most)
        .read_to_end(&mut bytes)
        .map_err(told)?;
    if bytes.len() > LARGEST {
        Err(too_large())
    } else {
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}
