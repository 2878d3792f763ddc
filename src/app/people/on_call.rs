//! Who is on call: keeps the calendars that `services[].on_call` names at hand, and answers from them. What cannot be read is unknown.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use futures_util::StreamExt;

use crate::app::App;
use crate::app::judge::Judge;
use crate::app::settings::{Settings, base};
use crate::app::sync::{blocking, lock};
use crate::clients::calendar_feed::{CacheValidators, CalendarClient, LARGEST, too_large};
use crate::config::people::OnCallCalendar;
use crate::ical::on_call_feed;
use crate::ical::on_call_feed::OnCallFeed;
use crate::model::id::IncidentId;
use crate::model::incident::Incident;
use crate::model::lifecycle::{Phase, ReviewState};
use crate::model::on_call::{OnCall, ServiceOnCall};
use crate::model::time::Time;

/// Between two looks at a file.
const FILES: TimeDelta = TimeDelta::seconds(5);
/// Between two questions to a server.
const SERVERS: TimeDelta = TimeDelta::minutes(5);
/// The same after a fault.
const AFTER_A_FAULT: TimeDelta = TimeDelta::minutes(1);
/// How long a calendar that cannot be read any more is relied on.
const RELIED_ON: TimeDelta = TimeDelta::hours(24);
/// Between two looks at what is due.
const BEAT: Duration = Duration::from_secs(1);
/// Calendars that are read at the same time.
const AT_ONCE: usize = 8;
/// Incidents whose drafts are made again at once when a rota changes.
const REDRAFTED: usize = 100;

/// What is known of each calendar.
#[derive(Debug, Clone, Default)]
pub struct Rotas(BTreeMap<OnCallCalendar, Known>);

/// What is known of a calendar.
#[derive(Debug, Clone, Default)]
struct Known {
    /// As it was read last, and when.
    rota: Option<(Arc<OnCallFeed>, Time)>,
    /// Why it cannot be read now.
    fault: Option<String>,
    seen: CacheValidators,
    /// When to look again.
    due: Option<Time>,
}

/// A service's calendar, for pages and metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The service.
    pub service: String,
    /// Who is on call now.
    pub now: OnCall,
    /// When its calendar was read last; `None`: never.
    pub read_at: Option<Time>,
    /// Why it cannot be read now, or not all of it.
    pub fault: Option<String>,
}

/// Whom to tell of an incident, by the ids of the settings, and why them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addressees {
    /// Nobody twice. Empty: the page alone tells it.
    pub people: Vec<String>,
    /// Why.
    pub because: Because,
}

/// Why somebody is told of an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Because {
    /// They were on call when it was detected.
    OnCallAtDetection,
    /// They are on call now.
    OnCallNow,
    /// They own the services.
    Owners,
    /// Nobody else is known.
    Nobody,
}

impl Rotas {
    /// Who was on call for a service at an instant; `None`: no calendar of it is named.
    #[must_use]
    pub fn on_call_at(&self, service: &str, at: Time, settings: &Settings) -> Option<OnCall> {
        let feed = settings.config.on_call.get(service)?;
        let Some(known) = self.0.get(feed) else {
            return Some(OnCall::Unknown("its calendar was not read yet".to_owned()));
        };
        Some(match (&known.rota, &known.fault) {
            (Some((_, read_at)), Some(fault)) if at > *read_at + RELIED_ON => {
                OnCall::Unknown(unreadable(fault))
            }
            (Some((rota, _)), _) => rota.at(at, &settings.policy.who),
            (None, Some(fault)) => OnCall::Unknown(unreadable(fault)),
            (None, None) => OnCall::Unknown("its calendar was not read yet".to_owned()),
        })
    }

    /// Who was on call for each service of an incident at an instant, where a calendar is named.
    #[must_use]
    pub fn duties(&self, incident: &Incident, at: Time, settings: &Settings) -> Vec<ServiceOnCall> {
        let duty = |service: &String| {
            Some(ServiceOnCall {
                service: service.clone(),
                who: self.on_call_at(service, at, settings)?,
            })
        };
        incident.services.iter().filter_map(duty).collect()
    }

    /// The same when it was detected; nothing where nobody can say when that was.
    #[must_use]
    pub fn at_detection(&self, incident: &Incident, settings: &Settings) -> Vec<ServiceOnCall> {
        let detected = incident.milestones.detected.as_ref();
        detected.map_or_else(Vec::new, |detected| {
            self.duties(incident, detected.at, settings)
        })
    }

    /// Whom to tell of an incident: who was on call at detection, else who is now, else the owners.
    #[must_use]
    pub fn addressees(&self, incident: &Incident, settings: &Settings, now: Time) -> Addressees {
        let known = |duties: Vec<ServiceOnCall>| {
            let mut ids: Vec<String> = Vec::new();
            for duty in duties {
                let OnCall::These(on_duty) = duty.who else {
                    continue;
                };
                for id in on_duty.into_iter().filter_map(|one| one.person) {
                    if !ids.contains(&id) {
                        ids.push(id);
                    }
                }
            }
            ids
        };
        let found = [
            (
                known(self.at_detection(incident, settings)),
                Because::OnCallAtDetection,
            ),
            (
                known(self.duties(incident, now, settings)),
                Because::OnCallNow,
            ),
            (incident.scope.clone(), Because::Owners),
        ];
        let first = found.into_iter().find(|(people, _)| !people.is_empty());
        let (people, because) = first.unwrap_or((Vec::new(), Because::Nobody));
        Addressees { people, because }
    }

    /// Each service's calendar as it is now.
    #[must_use]
    pub fn shown(&self, settings: &Settings, now: Time) -> Vec<Shown> {
        let show = |(service, feed): (&String, &OnCallCalendar)| {
            let known = self.0.get(feed);
            let rota = known.and_then(|known| known.rota.as_ref());
            let left_out = rota
                .map(|(rota, _)| rota.left_out)
                .filter(|count| *count > 0);
            let fault = known.and_then(|known| known.fault.clone());
            Some(Shown {
                service: service.clone(),
                now: self.on_call_at(service, now, settings)?,
                read_at: rota.map(|(_, read_at)| *read_at),
                fault: fault.or_else(|| {
                    left_out.map(|count| format!("{count} of its entries cannot be read"))
                }),
            })
        };
        settings.config.on_call.iter().filter_map(show).collect()
    }
}

fn unreadable(fault: &str) -> String {
    format!("its calendar cannot be read: {fault}")
}

impl App {
    /// What is known of who is on call.
    #[must_use]
    pub fn rotas(&self) -> Rotas {
        lock(&self.rotas).clone()
    }

    /// Who was on call for a service at an instant; `None`: no calendar of it is named.
    #[must_use]
    pub fn on_call_at(&self, service: &str, at: Time) -> Option<OnCall> {
        self.rotas().on_call_at(service, at, &self.settings())
    }

    /// Makes the drafts of open incidents again whose rota has changed. Blocks.
    fn redraft_of(&self, services: &BTreeSet<String>) -> anyhow::Result<()> {
        for id in self.open_of(services) {
            self.redraft(&id)?;
        }
        Ok(())
    }

    fn open_of(&self, services: &BTreeSet<String>) -> Vec<IncidentId> {
        let held = lock(&self.judge);
        let all = held.iter().flat_map(Judge::incidents);
        let open = all.filter(|incident| {
            incident.phase != Phase::Closed && incident.standing == ReviewState::Held
        });
        let of = open.filter(|incident| {
            incident
                .services
                .iter()
                .any(|service| services.contains(service))
        });
        of.take(REDRAFTED)
            .map(|incident| incident.id.clone())
            .collect()
    }
}

/// Keeps the calendars at hand.
pub(crate) async fn rota_loop(app: Arc<App>) {
    let client = match CalendarClient::new() {
        Ok(client) => client,
        Err(why) => {
            app.faults
                .report("calendars cannot be asked for", &anyhow::anyhow!(why));
            return;
        }
    };
    let mut settings = app.settings();
    loop {
        if !Arc::ptr_eq(&settings, &app.settings()) {
            settings = app.settings();
            // Another zone reads the same calendar otherwise.
            let mut rotas = lock(&app.rotas);
            rotas
                .0
                .retain(|feed, _| settings.config.on_call.values().any(|named| named == feed));
            for known in rotas.0.values_mut() {
                (known.seen, known.due) = (CacheValidators::default(), None);
            }
        }
        let feeds: BTreeSet<OnCallCalendar> = settings.config.on_call.values().cloned().collect();
        let now = app.now();
        let due = |feed| {
            let known = lock(&app.rotas).0.get(&feed).cloned().unwrap_or_default();
            known
                .due
                .is_none_or(|due| due <= now)
                .then_some((feed, known))
        };
        let due: Vec<(OnCallCalendar, Known)> = feeds.into_iter().filter_map(due).collect();
        // One dead server does not keep the others' calendars from being read.
        let each = |(feed, known)| look(&app, &settings, &client, feed, known);
        futures_util::stream::iter(due)
            .for_each_concurrent(AT_ONCE, each)
            .await;
        tokio::time::sleep(BEAT).await;
    }
}

/// Reads a calendar again, if it has changed.
async fn look(
    app: &Arc<App>,
    settings: &Arc<Settings>,
    client: &CalendarClient,
    feed: OnCallCalendar,
    mut known: Known,
) {
    let zone = settings.config.time_zone;
    let read = match text(settings, client, &feed, &known.seen).await {
        Ok(None) => Ok(None),
        Ok(Some((text, seen))) => {
            let parsed = blocking(move || on_call_feed::read(&text, zone)).await;
            parsed
                .unwrap_or_else(|_| Err("reading it failed".to_owned()))
                .map(|rota| Some((rota, seen)))
        }
        Err(why) => Err(why),
    };
    let now = app.now();
    let before = known.rota.as_ref().map(|(rota, _)| Arc::clone(rota));
    let was_faulty = known.fault.is_some();
    match read {
        Ok(read) => {
            if let Some((rota, seen)) = read {
                known.seen = seen;
                let rota = before
                    .iter()
                    .fold(rota, |rota, before| rota.with_past_of(before));
                let rota = before
                    .clone()
                    .filter(|before| **before == rota)
                    .unwrap_or_else(|| Arc::new(rota));
                known.rota = Some((rota, now));
            } else if let Some((_, read_at)) = &mut known.rota {
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
            let services = of(settings, &feed)
                .into_iter()
                .collect::<Vec<_>>()
                .join(", ");
            if known.fault.as_ref() != Some(&why) {
                app.faults.report(
                    &format!("who is on call for {services} is not known"),
                    &anyhow::anyhow!(unreadable(&why)),
                );
            }
            // Whatever comes next is read whole.
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
    let same = match (&before, &known.rota) {
        (Some(before), Some((now, _))) => Arc::ptr_eq(before, now),
        (before, now) => before.is_none() && now.is_none(),
    };
    let changed = !same || was_faulty != known.fault.is_some();
    let services = of(settings, &feed);
    lock(&app.rotas).0.insert(feed, known);
    if changed {
        let ours = Arc::clone(app);
        let redrafted = blocking(move || ours.redraft_of(&services)).await;
        if let Err(fault) = redrafted.and_then(|done| done) {
            app.faults.report(
                "drafts could not be brought up to date with who was on call",
                &fault,
            );
        }
    }
}

fn of(settings: &Settings, feed: &OnCallCalendar) -> BTreeSet<String> {
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
            let path = base(settings.file.as_deref()).join(path);
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
    let told = |error: std::io::Error| format!("{} cannot be read: {error}", path.display());
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

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use super::{Because, Known, OnCallCalendar, Rotas, Settings, on_call_feed};
    use crate::model::directory::Directory;
    use crate::model::incident::Incident;
    use crate::model::on_call::{OnCall, OnCallPerson};
    use crate::model::settings::{Hours, Person};
    use crate::model::time::Time;
    use std::sync::Arc;

    fn at(time: &str) -> Time {
        format!("2026-11-{time}Z").parse().unwrap()
    }

    fn settings() -> Settings {
        let person = |id: &str| Person {
            id: id.to_owned(),
            name: id.to_uppercase(),
            email: None,
            time_zone: chrono_tz::UTC,
            hours: Hours {
                days: [true; 7],
                from: 540,
                to: 1020,
            },
            aliases: Vec::new(),
        };
        let mut settings = Settings::load(None).unwrap();
        settings.policy = settings.policy.with_people(Directory::new(
            &[person("ada"), person("bo"), person("lin")],
            &[],
        ));
        settings.config.on_call.insert(
            "checkout".to_owned(),
            OnCallCalendar::File("rota.ics".to_owned()),
        );
        settings
    }

    /// Read on the 23rd at noon: these shifts.
    fn rotas(shifts: &[(&str, &str, &str)], fault: Option<&str>) -> Rotas {
        let entry = |(from, to, who): &(&str, &str, &str)| {
            format!(
                "BEGIN:VEVENT\r\nUID:{from}\r\nDTSTART:202611{from}Z\r\nDTEND:202611{to}Z\r\nSUMMARY:{who}\r\nEND:VEVENT\r\n"
            )
        };
        let text = format!(
            "BEGIN:VCALENDAR\r\n{}END:VCALENDAR\r\n",
            shifts.iter().map(entry).collect::<String>()
        );
        let rota = Arc::new(on_call_feed::read(&text, chrono_tz::UTC).unwrap());
        let known = Known {
            rota: Some((rota, at("23T12:00:00"))),
            fault: fault.map(str::to_owned),
            ..Known::default()
        };
        Rotas([(OnCallCalendar::File("rota.ics".to_owned()), known)].into())
    }

    /// Of checkout, whose owner is Lin, detected on the 23rd at noon.
    fn incident() -> Incident {
        let detected = serde_json::json!({"at": at("23T12:00:00"), "certainty": "measured"});
        let nothing = serde_json::json!([]);
        serde_json::from_value(serde_json::json!({
            "id": "i-0000000001", "revision": 1, "title": "High", "services": ["checkout", "search"], "scope": ["lin"], "severity": "critical",
            "environment": null, "milestones": {"detected": detected}, "phase": "active", "phase_since": at("23T12:00:00"), "signals": nothing,
            "members": nothing, "verdicts": nothing, "decision": "none", "standing": "none", "reason": "",
        }))
        .unwrap()
    }

    #[test]
    fn who_was_on_call_is_told_else_who_is_now_else_the_owners() {
        let (settings, now) = (settings(), at("24T12:00:00"));
        let then = ("23T080000", "23T200000", "ada");
        let today = ("24T080000", "24T200000", "bo");
        let stranger = ("23T080000", "23T200000", "Zoe Q.");
        for (shifts, people, because) in [
            (vec![then, today], vec!["ada"], Because::OnCallAtDetection),
            (vec![stranger, today], vec!["bo"], Because::OnCallNow),
            (
                vec![("22T080000", "22T200000", "ada"), today],
                vec!["bo"],
                Because::OnCallNow,
            ),
            (vec![stranger], vec!["lin"], Because::Owners),
        ] {
            let told = rotas(&shifts, None).addressees(&incident(), &settings, now);
            assert_eq!(
                (told.people, told.because),
                (people.into_iter().map(str::to_owned).collect(), because),
                "{shifts:?}"
            );
        }
        let nobody = Incident {
            scope: Vec::new(),
            ..incident()
        };
        assert_eq!(
            Rotas::default().addressees(&nobody, &settings, now).because,
            Because::Nobody
        );
    }

    #[test]
    fn what_cannot_be_read_any_more_is_relied_on_for_a_day_and_for_what_was() {
        let settings = settings();
        let broken = rotas(&[("01T000000", "30T000000", "ada")], Some("status 500"));
        let on = |time: &str| broken.on_call_at("checkout", at(time), &settings).unwrap();
        let ada = OnCall::These(vec![OnCallPerson {
            name: "ADA".to_owned(),
            person: Some("ada".to_owned()),
        }]);
        assert_eq!((on("02T00:00:00"), on("24T12:00:00")), (ada.clone(), ada));
        assert_eq!(
            on("24T12:00:01"),
            OnCall::Unknown("its calendar cannot be read: status 500".to_owned())
        );
        assert_eq!(
            Rotas::default().on_call_at("search", at("02T00:00:00"), &settings),
            None
        );
        let unread = Rotas::default().on_call_at("checkout", at("02T00:00:00"), &settings);
        assert_eq!(
            unread,
            Some(OnCall::Unknown("its calendar was not read yet".to_owned()))
        );
    }
}
