//! Sights: when each alert was last seen firing. Renewals move a sight and are no facts.

use std::collections::HashMap;

use chrono::TimeDelta;

use crate::model::Time;
use crate::model::event::{AlertStatus, Event, EventId, Fact, Labels, Lapsed, Subject, alert_subject};
use crate::store::Store;

/// A webhook has no lease. Its sender repeats firing alerts, daily at the least by any usual `repeat_interval`.
const UNSTATED_LEASE: TimeDelta = TimeDelta::hours(25);
/// How long an ended or lapsed alert is remembered: within it, the same episode may be told firing again.
const REMEMBERED: TimeDelta = TimeDelta::hours(24);
/// How much time senders get after a start of ours to renew what they could not while we were down.
const GRACE: TimeDelta = TimeDelta::minutes(5);
/// A firing message this soon after the end was sent before it.
const STRAGGLING: TimeDelta = TimeDelta::minutes(1);

/// One alert as last seen.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Sight {
    last_seen: Time,
    lease_end: Time,
    state: Known,
}

/// What is known of an alert's episode.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Known {
    /// It is on.
    On,
    /// Its sender fell silent.
    Lapsed,
    /// This event ended it.
    Ended(EventId),
}

/// The sights of all alerts that were seen lately.
#[derive(Debug, Default)]
pub(super) struct Sights {
    seen: HashMap<Subject, Sight>,
    /// When the open episode of these labels started.
    open: HashMap<Labels, Time>,
    saved_at: Option<Time>,
}

impl Sights {
    /// The alerts of the incidents as stored, with the sights saved before the last stop. What is missing is only
    /// committed again, and deduplicated by the engine.
    pub(super) fn load<'a>(store: &Store, events: impl Iterator<Item = &'a Event>, now: Time) -> anyhow::Result<Self> {
        let saved: HashMap<Subject, (Time, Option<Time>)> =
            store.sights()?.into_iter().map(|(subject, last_seen, lease_end)| (subject, (last_seen, lease_end))).collect();
        let mut sights = Self::default();
        for event in events {
            if let Fact::Lapsed(lapsed) = &event.fact {
                sights.forget(std::slice::from_ref(event), lapsed.last_seen);
                continue;
            }
            let (last_seen, lease_end) = saved.get(&event.subject).copied().unwrap_or((now, None));
            // Whoever renews did so in vain while we were down: they get the time to do it again.
            let default = if event.source == "prometheus" { now + GRACE } else { now + UNSTATED_LEASE };
            sights.saw(event, Some(lease_end.unwrap_or(default).max(now + GRACE)), last_seen);
        }
        Ok(sights)
    }

    /// Reads an event against what is known: `None` when it only repeats that, and renews its sight.
    pub(super) fn news(&mut self, mut event: Event, lease: Option<Time>, now: Time) -> Option<Event> {
        let Fact::Alert(alert) = &mut event.fact else { return Some(event) };
        let Some(sight) = self.seen.get_mut(&event.subject) else { return Some(event) };
        match (&sight.state, alert.status) {
            // Another end than the one known is news.
            (Known::Ended(end), AlertStatus::Resolved) if *end == event.id => {}
            (_, AlertStatus::Resolved) => return Some(event),
            (Known::On, AlertStatus::Firing) => {}
            // A straggler: sent before the end, and overtaken by it.
            (Known::Ended(_), AlertStatus::Firing) if now - sight.last_seen < STRAGGLING => return None,
            (Known::Lapsed | Known::Ended(_), AlertStatus::Firing) => {
                alert.seen_again = Some(now);
                event.occurred_at = now;
                event.identify();
                return Some(event);
            }
        }
        sight.last_seen = sight.last_seen.max(now);
        sight.lease_end = sight.lease_end.max(lease.unwrap_or(now + UNSTATED_LEASE));
        None
    }

    /// An alert that fires anew while its earlier episode is believed to be on: that one ended, at a time nobody saw, after it was last seen.
    pub(super) fn overtaken(&self, event: &Event) -> Option<Event> {
        let Fact::Alert(alert) = &event.fact else { return None };
        let started = self.open.get(&alert.labels).filter(|started| alert.status == AlertStatus::Firing && **started < alert.starts_at)?;
        let of = alert_subject(&alert.labels, *started);
        let last_seen = self.seen.get(&of).filter(|sight| sight.state == Known::On)?.last_seen.min(alert.starts_at);
        Some(Event::new("afterword", last_seen, Fact::Lapsed(Lapsed { of, last_seen })))
    }

    /// A message without `startsAt` about an alert that is on is about its open episode: gives the event so dated.
    pub(super) fn dated(&self, mut event: Event) -> Event {
        let Fact::Alert(alert) = &mut event.fact else { return event };
        if let Some(starts_at) = self.open.get(&alert.labels) {
            alert.starts_at = *starts_at;
            if alert.status == AlertStatus::Firing {
                event.occurred_at = *starts_at;
            }
            event.identify();
        }
        event
    }

    /// Remembers a committed event.
    pub(super) fn saw(&mut self, event: &Event, lease: Option<Time>, now: Time) {
        let Fact::Alert(alert) = &event.fact else { return };
        let state = match alert.status {
            AlertStatus::Firing => {
                self.open.insert(alert.labels.clone(), alert.starts_at);
                Known::On
            }
            AlertStatus::Resolved => {
                if self.open.get(&alert.labels) == Some(&alert.starts_at) {
                    self.open.remove(&alert.labels);
                }
                Known::Ended(event.id.clone())
            }
        };
        let lease_end = lease.unwrap_or(now + UNSTATED_LEASE);
        self.seen.insert(event.subject.clone(), Sight { last_seen: now, lease_end, state });
    }

    /// Remembers what another replica, or this one, committed. A lease that is known better stays.
    pub(super) fn follow(&mut self, event: &Event, lease: Option<Time>, now: Time) {
        let known = self.seen.get(&event.subject).map(|sight| (sight.last_seen, sight.lease_end));
        self.saw(event, lease, now);
        if let (Some(sight), Some((last_seen, lease_end))) = (self.seen.get_mut(&event.subject), known)
            && sight.state == Known::On
        {
            sight.last_seen = sight.last_seen.max(last_seen);
            sight.lease_end = lease_end.min(sight.lease_end);
        }
    }

    /// Takes over what other replicas have seen: a sight moves forward, never back.
    pub(super) fn take_over(&mut self, saved: Vec<crate::store::sight::Sight>) {
        for (subject, last_seen, lease_end) in saved {
            if let Some(sight) = self.seen.get_mut(&subject) {
                sight.last_seen = sight.last_seen.max(last_seen);
                sight.lease_end = lease_end.map_or(sight.lease_end, |end| end.max(sight.lease_end));
            }
        }
    }

    /// Facts for the leases that ran out by `now`; each is told once.
    pub(super) fn lapsed(&mut self, now: Time) -> Vec<Event> {
        self.seen.retain(|_, sight| sight.state == Known::On || now - sight.last_seen < REMEMBERED);
        let out = self.seen.iter().filter(|(_, sight)| sight.state == Known::On && sight.lease_end <= now);
        out.map(|(of, sight)| {
            let last_seen = sight.last_seen;
            Event::new("afterword", last_seen, Fact::Lapsed(Lapsed { of: of.clone(), last_seen }))
        })
        .collect()
    }

    /// Takes note of what has been told as lapsed.
    pub(super) fn forget(&mut self, lapsed: &[Event], now: Time) {
        for event in lapsed.iter().filter(|event| matches!(event.fact, Fact::Lapsed(_))) {
            if let Some(sight) = self.seen.get_mut(&event.subject) {
                sight.state = Known::Lapsed;
                sight.last_seen = sight.last_seen.max(now);
            }
        }
    }

    /// When the next lease runs out.
    pub(super) fn next(&self) -> Option<Time> {
        self.seen.values().filter(|sight| sight.state == Known::On && sight.lease_end < Time::MAX_UTC).map(|sight| sight.lease_end).min()
    }

    /// What to save now and then: once a minute, not with every renewal.
    pub(super) fn due_for_saving(&mut self, now: Time) -> Option<Vec<(Subject, Time, Option<Time>)>> {
        if self.saved_at.is_some_and(|at| now - at < TimeDelta::minutes(1)) {
            return None;
        }
        self.saved_at = Some(now);
        let open = self.seen.iter().filter(|(_, sight)| sight.state == Known::On);
        Some(open.map(|(subject, sight)| (subject.clone(), sight.last_seen, Some(sight.lease_end))).collect())
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::{Sights, UNSTATED_LEASE};
    use crate::model::Time;
    use crate::model::event::{Alert, AlertStatus, EndReason, Event, Fact, Labels, Severity};

    fn at(seconds: i64) -> Time {
        Time::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    fn alert(end: Option<i64>) -> Event {
        let fact = Fact::Alert(Alert {
            name: "A".to_owned(),
            status: if end.is_some() { AlertStatus::Resolved } else { AlertStatus::Firing },
            labels: Labels::from([("alertname".to_owned(), "A".to_owned())]),
            annotations: Labels::new(),
            severity: Severity::Critical,
            starts_at: at(0),
            ends_at: end.map(at),
            pending_for: None,
            keep_firing_for: None,
            end_reason: EndReason::Recovered,
            seen_again: None,
        });
        Event::new("test", at(end.unwrap_or(0)), fact)
    }

    /// What `event` is at `now`: nothing new, news as it came, or told again.
    fn check(sights: &mut Sights, event: &Event, now: i64, expected: &str) {
        let got = match sights.news(event.clone(), None, at(now)) {
            None => "renewal",
            Some(news) if news == *event => "news",
            Some(news) if news.occurred_at == at(now) && news.subject == event.subject && news.id != event.id => "again",
            Some(_) => "something else",
        };
        assert_eq!(got, expected, "{:?} at {now}", event.fact);
    }

    #[test]
    fn a_firing_alert_renews_until_its_end_which_is_news_once() {
        let mut sights = Sights::default();
        check(&mut sights, &alert(None), 0, "news");
        sights.saw(&alert(None), None, at(0));
        check(&mut sights, &alert(None), 60, "renewal");
        check(&mut sights, &alert(Some(90)), 91, "news");
        sights.saw(&alert(Some(90)), None, at(91));
        check(&mut sights, &alert(Some(90)), 100, "renewal");
        check(&mut sights, &alert(Some(95)), 100, "news");
    }

    #[test]
    fn firing_after_the_end_is_a_straggler_at_first_and_news_later() {
        let mut sights = Sights::default();
        sights.saw(&alert(Some(90)), None, at(91));
        check(&mut sights, &alert(None), 120, "renewal");
        check(&mut sights, &alert(None), 300, "again");
    }

    #[test]
    fn a_lease_that_runs_out_is_told_once_and_renewing_it_is_news() {
        let mut sights = Sights::default();
        sights.saw(&alert(None), Some(at(240)), at(0));
        assert_eq!(sights.lapsed(at(239)), []);
        let lapsed = sights.lapsed(at(240));
        assert_eq!(lapsed.len(), 1);
        assert_eq!((&lapsed[0].subject, lapsed[0].occurred_at), (&alert(None).subject, at(0)));
        sights.forget(&lapsed, at(240));
        assert_eq!(sights.lapsed(at(500)), []);
        check(&mut sights, &alert(None), 500, "again");
    }

    #[test]
    fn firing_anew_closes_the_episode_before_at_its_last_sight() {
        let mut sights = Sights::default();
        let mut later = alert(None);
        if let Fact::Alert(alert) = &mut later.fact {
            alert.starts_at = at(500);
        }
        later.identify();
        assert_eq!(sights.overtaken(&later), None);
        sights.saw(&alert(None), None, at(0));
        check(&mut sights, &alert(None), 240, "renewal");
        assert_eq!(sights.overtaken(&alert(None)), None);
        let lapsed = sights.overtaken(&later).map(|lapsed| (lapsed.subject, lapsed.occurred_at));
        assert_eq!(lapsed, Some((alert(None).subject, at(240))));
        sights.saw(&later, None, at(500));
        assert_eq!(sights.overtaken(&later), None);
    }

    #[test]
    fn without_a_lease_a_day_of_silence_passes_first() {
        let mut sights = Sights::default();
        sights.saw(&alert(None), None, at(0));
        assert_eq!(sights.next(), Some(at(0) + UNSTATED_LEASE));
    }

    #[test]
    fn an_alert_posted_without_a_start_is_about_its_open_episode() {
        let mut sights = Sights::default();
        let mut later = alert(None);
        if let Fact::Alert(alert) = &mut later.fact {
            alert.starts_at = at(50);
        }
        later.identify();
        assert_eq!(sights.dated(later.clone()).subject, later.subject);
        sights.saw(&alert(None), None, at(0));
        assert_eq!(sights.dated(later).id, alert(None).id);
    }
}
