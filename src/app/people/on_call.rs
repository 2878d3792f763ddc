//! On-call lookup in the calendars that `services[].on_call` names. A calendar that cannot be read
//! leaves the answer unknown.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::TimeDelta;

use crate::app::settings::Settings;
use crate::clients::calendar_feed::CacheValidators;
use crate::config::people::OnCallCalendar;
use crate::ical::on_call_feed::OnCallFeed;
use crate::model::incident::Incident;
use crate::model::on_call::{OnCall, ServiceOnCall};
use crate::model::time::Time;

/// Time for which a calendar that can no longer be read is still relied on.
const RELIED_ON: TimeDelta = TimeDelta::hours(24);

/// The calendars named by `services[].on_call`, as last read.
#[derive(Debug, Clone, Default)]
pub struct OnCallCalendars(pub(super) BTreeMap<OnCallCalendar, CalendarState>);

/// State of one calendar.
#[derive(Debug, Clone, Default)]
pub(super) struct CalendarState {
    /// Parsed calendar, and the time it was read.
    pub(super) feed: Option<(Arc<OnCallFeed>, Time)>,
    /// Fault of the last attempt to read it.
    pub(super) fault: Option<String>,
    /// Version read last, to skip an unchanged one.
    pub(super) seen: CacheValidators,
    /// Time of the next attempt.
    pub(super) due: Option<Time>,
}

/// On-call status of a service, for pages and metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnCallStatus {
    /// The service.
    pub service: String,
    /// People on call now.
    pub now: OnCall,
    /// Time its calendar was last read; `None`: never.
    pub read_at: Option<Time>,
    /// Fault that keeps it, or some of its entries, from being read.
    pub fault: Option<String>,
}

impl OnCallCalendars {
    /// People on call for a service at an instant; `None` if the service names no calendar.
    #[must_use]
    pub fn on_call_at(&self, service: &str, at: Time, settings: &Settings) -> Option<OnCall> {
        let feed = settings.config.on_call.get(service)?;
        Some(match self.feed_for(feed, at) {
            Ok(feed) => feed.at(at, &settings.policy.who),
            Err(why) => OnCall::Unknown(why),
        })
    }

    /// Reasons for the answer of [`Self::on_call_at`]: shifts, or what is missing.
    #[must_use]
    pub fn reasons_at(&self, service: &str, at: Time, settings: &Settings) -> Vec<String> {
        let Some(feed) = settings.config.on_call.get(service) else {
            let services = &settings.config.services;
            let is_known = services.iter().any(|known| known.name == service);
            return vec![if is_known {
                format!("the settings name no calendar for `{service}` (services[].on_call)")
            } else {
                format!("the settings have no service `{service}`")
            }];
        };
        match self.feed_for(feed, at) {
            Ok(feed) => feed.reasons_at(at, &settings.policy.who),
            Err(why) => vec![why],
        }
    }

    /// The calendar as last read, if it can be relied on at an instant; else the reason.
    fn feed_for(&self, feed: &OnCallCalendar, at: Time) -> Result<&OnCallFeed, String> {
        let known = self.0.get(feed);
        let fault = known.and_then(|known| known.fault.as_deref());
        match (known.and_then(|known| known.feed.as_ref()), fault) {
            (Some((_, read_at)), Some(fault)) if at > *read_at + RELIED_ON => {
                Err(unreadable(fault))
            }
            (Some((feed, _)), _) => Ok(feed),
            (None, Some(fault)) => Err(unreadable(fault)),
            (None, None) => Err("its calendar has not been read yet".to_owned()),
        }
    }

    /// People on call at an instant, for each service of an incident that names a calendar.
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

    /// People on call when the incident was detected; empty while that time is unknown.
    #[must_use]
    pub fn at_detection(&self, incident: &Incident, settings: &Settings) -> Vec<ServiceOnCall> {
        let detected = incident.milestones.detected.as_ref();
        detected.map_or_else(Vec::new, |detected| {
            self.duties(incident, detected.at, settings)
        })
    }

    /// On-call status of each service that names a calendar.
    #[must_use]
    pub fn statuses(&self, settings: &Settings, now: Time) -> Vec<OnCallStatus> {
        let show = |(service, feed): (&String, &OnCallCalendar)| {
            let known = self.0.get(feed);
            let feed = known.and_then(|known| known.feed.as_ref());
            let left_out = feed
                .map(|(feed, _)| feed.left_out)
                .filter(|count| *count > 0);
            let fault = known.and_then(|known| known.fault.clone());
            Some(OnCallStatus {
                service: service.clone(),
                now: self.on_call_at(service, now, settings)?,
                read_at: feed.map(|(_, read_at)| *read_at),
                fault: fault.or_else(|| {
                    left_out.map(|count| format!("{count} of its entries cannot be read"))
                }),
            })
        };
        settings.config.on_call.iter().filter_map(show).collect()
    }
}

pub(super) fn unreadable(fault: &str) -> String {
    format!("its calendar cannot be read: {fault}")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use super::{CalendarState, OnCallCalendar, OnCallCalendars, Settings};
    use crate::ical::on_call_feed;
    use crate::model::directory::Directory;
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
    fn rotas(shifts: &[(&str, &str, &str)], fault: Option<&str>) -> OnCallCalendars {
        let entry = |(from, to, who): &(&str, &str, &str)| {
            format!(
                "BEGIN:VEVENT\r\nUID:{from}\r\nDTSTART:202611{from}Z\r\nDTEND:202611{to}Z\r\nSUMMARY:{who}\r\nEND:VEVENT\r\n"
            )
        };
        let text = format!(
            "BEGIN:VCALENDAR\r\n{}END:VCALENDAR\r\n",
            shifts.iter().map(entry).collect::<String>()
        );
        let feed = Arc::new(on_call_feed::read(&text, chrono_tz::UTC).unwrap());
        let known = CalendarState {
            feed: Some((feed, at("23T12:00:00"))),
            fault: fault.map(str::to_owned),
            ..CalendarState::default()
        };
        OnCallCalendars([(OnCallCalendar::File("rota.ics".to_owned()), known)].into())
    }

    #[test]
    fn unreadable_calendar_is_relied_on_for_a_day() {
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
            OnCallCalendars::default().on_call_at("search", at("02T00:00:00"), &settings),
            None
        );
        let unread =
            OnCallCalendars::default().on_call_at("checkout", at("02T00:00:00"), &settings);
        assert_eq!(
            unread,
            Some(OnCall::Unknown(
                "its calendar has not been read yet".to_owned()
            ))
        );
    }
}
