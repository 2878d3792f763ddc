//! Sights: when each alert was last seen firing. Renewals move a sight and are no facts.
//!
//! Made for a million open alerts: a sight is a row of 56 bytes, about 100 with its places in indexes and lists, found by a keyed hash of
//! its labels, and what is due is found in buckets of time. A row stands in the bucket of the time that it had to wait for when it was put there; when that comes, it moves
//! on to the bucket of the time that it has by then. So a renewal costs no move, and looking for what is due no search.

mod early_resolves;
pub(crate) mod row;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::{BuildHasher, Hasher, RandomState};

use chrono::TimeDelta;
use hashbrown::HashTable;
use siphasher::sip128::SipHasher13;

use crate::ingest::AlertRef;
use crate::model::event::{Alert, AlertStatus, Event, Fact};
use crate::model::id::Subject;
use crate::model::labels::LabelSet;
use crate::model::time::Time;
use crate::store::Store;
use row::{
    Known, LabelsKey, NEVER, Sight, UNSTATED_LEASE, ending, episode_hash, micros, mixed, time,
    until,
};

/// How much time senders get after a start of ours to renew what they could not while we were down.
const GRACE: TimeDelta = TimeDelta::minutes(5);
/// A firing message this soon after the end was sent before it.
const STRAGGLING: TimeDelta = TimeDelta::minutes(1);
/// Lapses told in one step at the most: more than this fall silent together only when their sender is gone.
const TOLD_AT_ONCE: usize = 10_000;
/// Sights saved in one transaction at the most.
const SAVED_AT_ONCE: usize = 20_000;

/// The sights of all alerts that were seen lately.
#[derive(Debug)]
pub(crate) struct Sights {
    /// Keys of the hashes, new in every process.
    keys: [u64; 2],
    rows: Vec<Sight>,
    free: Vec<u32>,
    /// Rows by labels and start.
    episodes: HashTable<u32>,
    /// By labels: the row of the episode that began last, unless it ended.
    open: HashTable<u32>,
    subjects: HashTable<u32>,
    /// Rows by the second, since 1970, in which they must be looked at. A row stands only where its `bucket` says; other places are stale.
    due: BTreeMap<u32, Vec<u32>>,
    /// Rows told as lapsed, until that is committed.
    telling: Vec<u32>,
    /// Rows that moved since they were saved.
    changed: Vec<u32>,
    /// Rows being saved.
    saving: Vec<u32>,
    saved_at: Option<Time>,
    /// Ends without a start that found nothing on, the newest last, with when they came: what they end may be late.
    early: VecDeque<(LabelsKey, Time, Event)>,
}

impl Default for Sights {
    fn default() -> Self {
        Self {
            keys: [(); 2].map(|()| RandomState::new().build_hasher().finish()),
            rows: Vec::new(),
            free: Vec::new(),
            episodes: HashTable::new(),
            open: HashTable::new(),
            subjects: HashTable::new(),
            due: BTreeMap::new(),
            telling: Vec::new(),
            changed: Vec::new(),
            saving: Vec::new(),
            saved_at: None,
            early: VecDeque::new(),
        }
    }
}

impl Sights {
    /// The alerts of the incidents as stored, with the sights saved before the last stop. What is missing is only
    /// committed again, and deduplicated by the engine.
    pub(crate) fn load<'a>(
        store: &Store,
        events: impl Iterator<Item = &'a Event>,
        now: Time,
    ) -> anyhow::Result<Self> {
        let saved = store
            .sights()?
            .into_iter()
            .map(|(subject, last_seen, lease_end)| (subject.number(), (last_seen, lease_end)));
        let saved: HashMap<u64, (Time, Option<Time>)> = saved.collect();
        let mut sights = Self::default();
        for event in events {
            if let Fact::Lapsed(lapsed) = &event.fact {
                sights.forget(std::slice::from_ref(event), lapsed.last_seen);
                continue;
            }
            if recalled(event) {
                continue;
            }
            let (last_seen, lease_end) = saved
                .get(&event.subject.number())
                .copied()
                .unwrap_or((now, None));
            // Whoever renews did so in vain while we were down: they get the time to do it again.
            sights.saw(
                event,
                Some(
                    lease_end
                        .unwrap_or(assumed_lease(event, now))
                        .max(now + GRACE),
                ),
                last_seen,
            );
        }
        Ok(sights)
    }

    /// Whether its sender told of it lately, so that the end of its lease is told here.
    pub(crate) fn knows(&self, subject: &Subject) -> bool {
        self.by_subject(subject).is_some()
    }

    /// Whether an alert is on, and when it was last seen; `None`: nothing is known of it.
    pub(crate) fn state_of(&self, subject: &Subject) -> Option<(bool, Time)> {
        let sight = self.rows[at(self.by_subject(subject)?)];
        Some((sight.known == Known::On, time(sight.last_seen)))
    }

    /// Renews the sights of those that are on.
    pub(crate) fn renew_all(&mut self, subjects: &[Subject], now: Time) {
        for subject in subjects {
            if let Some(row) = self
                .by_subject(subject)
                .filter(|row| self.rows[at(*row)].known == Known::On)
            {
                self.renew(row, None, now);
            }
        }
    }

    /// Whether a firing alert only repeats what is known; then its sight is renewed.
    pub(crate) fn renewed(&mut self, alert: &AlertRef<'_>, now: Time) -> bool {
        let labels = self.labels_key(
            alert
                .labels
                .iter()
                .map(|(name, value)| (name.as_ref(), value.as_ref())),
        );
        let Some(row) = self.episode(labels, micros(alert.starts_at)) else {
            return false;
        };
        let sight = self.rows[at(row)];
        match sight.known {
            Known::On if sight.open => self.renew(row, alert.lease, now),
            // A straggler: sent before the end, and overtaken by it.
            Known::Ended if sight.was_on && self.straggles(row, now) => {}
            Known::On | Known::Ended | Known::Lapsed | Known::Nothing => return false,
        }
        true
    }

    /// Reads an event against what is known: `None` when it only repeats that, and renews its sight.
    pub(crate) fn news(
        &mut self,
        mut event: Event,
        lease: Option<Time>,
        now: Time,
    ) -> Option<Event> {
        let ending = ending(&event);
        let Fact::Alert(alert) = &mut event.fact else {
            return Some(event);
        };
        let Some(row) = self.of(alert) else {
            return Some(event);
        };
        let sight = self.rows[at(row)];
        match (sight.known, alert.status) {
            // Another end than the one known is news.
            (Known::Ended, AlertStatus::Resolved) if sight.end == ending => {}
            (_, AlertStatus::Resolved) => return Some(event),
            (Known::On, AlertStatus::Firing) => {}
            // Its end came first: it is as it says.
            (Known::Ended, AlertStatus::Firing) if !sight.was_on => return Some(event),
            // Who tells each change once only repeats itself: the end is the later word.
            (Known::Ended, AlertStatus::Firing)
                if lease == Some(NEVER) || self.straggles(row, now) =>
            {
                return None;
            }
            (Known::Lapsed | Known::Ended | Known::Nothing, AlertStatus::Firing) => {
                alert.seen_again = Some(now);
                event.occurred_at = now;
                event.identify();
                return Some(event);
            }
        }
        self.renew(row, lease, now);
        None
    }

    /// An alert that fires anew while its earlier episode is believed to be on: that one ended, at a time nobody saw, after it was last seen.
    pub(crate) fn overtaken(&self, event: &Event) -> Option<Event> {
        let Fact::Alert(alert) = &event.fact else {
            return None;
        };
        let sight = self.rows[at(self.open_episode(&alert.labels)?)];
        let overtaken = alert.status == AlertStatus::Firing
            && sight.known == Known::On
            && sight.started < micros(alert.starts_at);
        overtaken.then(|| sight.lapse(time(sight.last_seen).min(alert.starts_at)))
    }

    /// Whether an episode with the labels of this alert is open, and was when this happened.
    pub(crate) fn is_on(&self, event: &Event) -> bool {
        let Fact::Alert(alert) = &event.fact else {
            return false;
        };
        self.open_episode(&alert.labels)
            .is_some_and(|row| self.rows[at(row)].started <= micros(event.occurred_at))
    }

    /// A message without `startsAt` about an alert that is on is about its open episode: gives the event so dated. `None`: the end of
    /// nothing that is on, as an end that is told again, or late and of an episode before this one.
    pub(crate) fn dated(&self, mut event: Event) -> Option<Event> {
        let Fact::Alert(alert) = &mut event.fact else {
            return Some(event);
        };
        let ended = alert.status == AlertStatus::Resolved;
        let Some(row) = self.open_episode(&alert.labels) else {
            return (!ended).then_some(event);
        };
        let started = self.rows[at(row)].started;
        // Where the start is ours, and not its sender's, their clocks may differ.
        if ended
            && alert
                .ends_at
                .is_some_and(|end| end + STRAGGLING < time(started))
        {
            return None;
        }
        alert.starts_at = time(started);
        alert.ends_at = alert.ends_at.map(|end| end.max(alert.starts_at));
        if !ended {
            event.occurred_at = alert.starts_at;
        }
        event.identify();
        Some(event)
    }

    /// Whether an alert that is told to fire is known to have ended by now. Its start may be a guess: then any end of such an alert counts
    /// that came later.
    pub(crate) fn has_ended(&self, event: &Event) -> bool {
        let Fact::Alert(alert) = &event.fact else {
            return false;
        };
        let labels = self.labels_of(&alert.labels);
        let ended = |sight: &Sight| {
            sight.labels == labels
                && sight.known == Known::Ended
                && (sight.started == micros(alert.starts_at)
                    || sight.last_seen >= micros(event.occurred_at))
        };
        alert.status == AlertStatus::Firing && self.rows.iter().any(ended)
    }

    /// Remembers a committed event.
    pub(crate) fn saw(&mut self, event: &Event, lease: Option<Time>, now: Time) {
        let Fact::Alert(alert) = &event.fact else {
            return;
        };
        let Some(row) = self.of(alert).or_else(|| self.add(event, alert)) else {
            return;
        };
        let labels = self.rows[at(row)].labels;
        let found = self
            .open
            .find_entry(labels[0], |other| self.rows[at(*other)].labels == labels);
        let before = self.rows[at(row)];
        let (known, end) = match alert.status {
            // The beginning of what is known to have ended: the end came first.
            AlertStatus::Firing if before.known == Known::Ended && alert.seen_again.is_none() => {
                (before.known, before.end)
            }
            AlertStatus::Firing => {
                match found {
                    Ok(mut before) => {
                        self.rows[at(std::mem::replace(before.get_mut(), row))].open = false;
                    }
                    Err(_) => drop(
                        self.open
                            .insert_unique(labels[0], row, |row| self.rows[at(*row)].labels[0]),
                    ),
                }
                (Known::On, until(lease.unwrap_or(now + UNSTATED_LEASE)))
            }
            AlertStatus::Resolved => {
                if let Ok(open) = found
                    && *open.get() == row
                {
                    open.remove();
                }
                (Known::Ended, ending(event))
            }
        };
        let sight = &mut self.rows[at(row)];
        (sight.known, sight.end, sight.last_seen, sight.open) =
            (known, end, micros(now), known == Known::On);
        sight.was_on |= alert.status == AlertStatus::Firing;
        self.moved(row);
        self.stand(row);
    }

    /// Takes note of what has been told as lapsed.
    pub(crate) fn forget(&mut self, lapsed: &[Event], now: Time) {
        for event in lapsed
            .iter()
            .filter(|event| matches!(event.fact, Fact::Lapsed(_)))
        {
            if let Some(row) = self.by_subject(&event.subject) {
                let sight = &mut self.rows[at(row)];
                sight.known = Known::Lapsed;
                sight.last_seen = sight.last_seen.max(micros(now));
                self.stand(row);
            }
        }
    }

    /// Takes note of records that another replica appended, as they stand in the log. Those known already change nothing.
    pub(crate) fn follow(&mut self, events: &[Event], now: Time) {
        for event in events {
            let Fact::Alert(alert) = &event.fact else {
                let on = self
                    .by_subject(&event.subject)
                    .is_some_and(|row| self.rows[at(row)].known == Known::On);
                if on {
                    self.forget(std::slice::from_ref(event), now);
                }
                continue;
            };
            if recalled(event) {
                continue;
            }
            let sight = self.of(alert).map(|row| self.rows[at(row)]);
            let known = sight.is_some_and(|sight| match (sight.known, alert.status) {
                (Known::On, AlertStatus::Firing) => true,
                // Older than the end that is known: who sees it again after that says so.
                (Known::Ended | Known::Lapsed, AlertStatus::Firing) => alert
                    .seen_again
                    .is_none_or(|again| micros(again) < sight.last_seen),
                (Known::Ended, AlertStatus::Resolved) => sight.end == ending(event),
                (Known::On | Known::Lapsed, AlertStatus::Resolved) | (Known::Nothing, _) => false,
            });
            if !known {
                self.saw(event, Some(assumed_lease(event, now)), now);
            }
        }
    }

    /// Takes over what another replica saved of alerts that are on here too: sights and leases only move ahead.
    pub(crate) fn take_over(&mut self, saved: Vec<(Subject, Time, Option<Time>)>) {
        for (subject, last_seen, lease_end) in saved {
            let Some(row) = self.by_subject(&subject) else {
                continue;
            };
            let sight = &mut self.rows[at(row)];
            if sight.known == Known::On {
                sight.last_seen = sight.last_seen.max(micros(last_seen));
                sight.end = sight.end.max(lease_end.map_or(0, until));
            }
        }
    }

    /// Facts for the leases that ran out by `now`; each is told until it is forgotten. At most ten thousand: [`Sights::next`] says whether
    /// there are more.
    pub(crate) fn lapsed(&mut self, now: Time) -> Vec<Event> {
        let mut lapsed = Vec::new();
        // Those told before whose fact did not become durable.
        for row in std::mem::take(&mut self.telling) {
            let sight = self.rows[at(row)];
            if sight.known == Known::On && sight.bucket == 0 {
                self.look_at(row, now, &mut lapsed);
            }
        }
        while let Some(bucket) = self
            .due
            .first_entry()
            .filter(|bucket| i64::from(*bucket.key()) <= now.timestamp())
        {
            let (bucket, mut rows) = bucket.remove_entry();
            while let Some(row) = rows.pop() {
                if lapsed.len() >= TOLD_AT_ONCE {
                    rows.push(row);
                    self.due.insert(bucket, rows);
                    return lapsed;
                }
                if self.rows[at(row)].bucket == bucket {
                    self.look_at(row, now, &mut lapsed);
                }
            }
        }
        lapsed
    }

    fn look_at(&mut self, row: u32, now: Time, lapsed: &mut Vec<Event>) {
        let sight = &mut self.rows[at(row)];
        sight.bucket = 0;
        if sight.waits_for() > micros(now) {
            self.stand(row);
        } else if sight.known == Known::On && sight.end.cast_signed() != NEVER.timestamp_micros() {
            lapsed.push(sight.lapse(time(sight.last_seen)));
            self.telling.push(row);
        } else {
            self.remove(row);
        }
    }

    /// When something may have to be told next: a lease may run out.
    pub(crate) fn next(&self) -> Option<Time> {
        self.due
            .first_key_value()
            .map(|(bucket, _)| time(i64::from(*bucket) * 1_000_000))
    }

    /// What moved since it was saved last: once a minute, not with every renewal, and then in parts until there is no more.
    pub(crate) fn due_for_saving(
        &mut self,
        now: Time,
        every: TimeDelta,
    ) -> Option<Vec<(Subject, Time, Option<Time>)>> {
        if self.saving.is_empty() {
            if self.saved_at.is_some_and(|at| now - at < every) {
                return None;
            }
            self.saved_at = Some(now);
            self.saving = std::mem::take(&mut self.changed);
        }
        let part = self
            .saving
            .split_off(self.saving.len().saturating_sub(SAVED_AT_ONCE));
        if self.saving.is_empty() {
            self.saving = Vec::new();
        }
        let open = part.into_iter().filter_map(|row| {
            let sight = &mut self.rows[at(row)];
            let due = std::mem::take(&mut sight.changed) && sight.known == Known::On;
            due.then(|| {
                (
                    Subject::from(sight.subject),
                    time(sight.last_seen),
                    Some(time(sight.end.cast_signed())),
                )
            })
        });
        let open: Vec<_> = open.collect();
        (!open.is_empty() || !self.saving.is_empty()).then_some(open)
    }

    /// Takes back what could not be saved, so that it is tried again.
    pub(crate) fn unsaved(&mut self, sights: &[(Subject, Time, Option<Time>)]) {
        for (subject, _, _) in sights {
            if let Some(row) = self.by_subject(subject) {
                self.moved(row);
            }
        }
        self.changed.append(&mut self.saving);
    }

    fn renew(&mut self, row: u32, lease: Option<Time>, now: Time) {
        let sight = &mut self.rows[at(row)];
        sight.last_seen = sight.last_seen.max(micros(now));
        if sight.known == Known::On {
            // No move to another bucket: it is looked at when this one is due.
            sight.end = sight.end.max(until(lease.unwrap_or(now + UNSTATED_LEASE)));
        }
        self.moved(row);
    }

    fn straggles(&self, row: u32, now: Time) -> bool {
        now - time(self.rows[at(row)].last_seen) < STRAGGLING
    }

    fn moved(&mut self, row: u32) {
        if !std::mem::replace(&mut self.rows[at(row)].changed, true) {
            self.changed.push(row);
        }
    }

    /// Puts a row into the bucket of what it waits for, unless it stands in an earlier one.
    fn stand(&mut self, row: u32) {
        let sight = &mut self.rows[at(row)];
        // The second after, so that nothing is looked at in vain.
        let second = sight
            .waits_for()
            .saturating_add(999_999)
            .div_euclid(1_000_000)
            .clamp(1, i64::from(u32::MAX));
        let second = u32::try_from(second).unwrap_or(u32::MAX);
        if sight.bucket == 0 || second < sight.bucket {
            sight.bucket = second;
            self.due.entry(second).or_default().push(row);
        }
    }

    fn of(&self, alert: &Alert) -> Option<u32> {
        self.episode(self.labels_of(&alert.labels), micros(alert.starts_at))
    }

    fn episode(&self, labels: LabelsKey, started: i64) -> Option<u32> {
        let same = |row: &u32| {
            self.rows[at(*row)].labels == labels && self.rows[at(*row)].started == started
        };
        self.episodes
            .find(episode_hash(labels, started), same)
            .copied()
    }

    fn open_episode(&self, labels: &LabelSet) -> Option<u32> {
        let labels = self.labels_of(labels);
        self.open
            .find(labels[0], |row| self.rows[at(*row)].labels == labels)
            .copied()
    }

    fn by_subject(&self, subject: &Subject) -> Option<u32> {
        let subject = subject.number();
        self.subjects
            .find(mixed(subject, self.keys), |row| {
                self.rows[at(*row)].subject == subject
            })
            .copied()
    }

    fn labels_of(&self, labels: &LabelSet) -> LabelsKey {
        self.labels_key(labels.iter())
    }

    fn labels_key<'a>(&self, labels: impl Iterator<Item = (&'a str, &'a str)>) -> LabelsKey {
        let mut stated = Vec::with_capacity(512);
        for (name, value) in labels {
            stated.extend_from_slice(name.as_bytes());
            // No UTF-8 has this byte.
            stated.push(0xff);
            stated.extend_from_slice(value.as_bytes());
            stated.push(0xff);
        }
        let hash = SipHasher13::new_with_keys(self.keys[0], self.keys[1]).hash(&stated);
        [hash.h1, hash.h2]
    }

    fn add(&mut self, event: &Event, alert: &Alert) -> Option<u32> {
        let (labels, started, subject) = (
            self.labels_of(&alert.labels),
            micros(alert.starts_at),
            event.subject.number(),
        );
        let sight = Sight {
            labels,
            started,
            subject,
            last_seen: 0,
            end: 0,
            bucket: 0,
            known: Known::Nothing,
            open: false,
            changed: false,
            was_on: false,
        };
        let row = match self.free.pop() {
            Some(row) => {
                self.rows[at(row)] = sight;
                row
            }
            None => {
                self.rows.push(sight);
                u32::try_from(self.rows.len() - 1).ok()?
            }
        };
        let (rows, keys) = (&self.rows, self.keys);
        let again = |row: &u32| episode_hash(rows[at(*row)].labels, rows[at(*row)].started);
        self.episodes
            .insert_unique(episode_hash(labels, started), row, again);
        self.subjects
            .insert_unique(mixed(subject, keys), row, |row| {
                mixed(rows[at(*row)].subject, keys)
            });
        Some(row)
    }

    fn remove(&mut self, row: u32) {
        let sight = self.rows[at(row)];
        let same = |other: &u32| *other == row;
        let places = [
            self.episodes
                .find_entry(episode_hash(sight.labels, sight.started), same),
            self.subjects
                .find_entry(mixed(sight.subject, self.keys), same),
            self.open.find_entry(sight.labels[0], same),
        ];
        for place in places.into_iter().flatten() {
            place.remove();
        }
        let sight = &mut self.rows[at(row)];
        (sight.known, sight.changed) = (Known::Nothing, false);
        self.free.push(row);
    }
}

/// Whether it was read from what its Prometheus remembers: nobody sends that, and who reads it tells when it can be read no more.
fn recalled(event: &Event) -> bool {
    matches!(&event.fact, Fact::Alert(alert) if alert.recalled)
}

/// How long an alert holds whose lease nobody here has seen.
fn assumed_lease(event: &Event, now: Time) -> Time {
    if *event.source == *"prometheus" {
        now + GRACE
    } else {
        now + UNSTATED_LEASE
    }
}

fn at(row: u32) -> usize {
    row as usize
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::{AlertRef, NEVER, Sight, Sights, TOLD_AT_ONCE, UNSTATED_LEASE};
    use crate::model::event::{Alert, AlertStatus, EndReason, Event, Fact, Severity};
    use crate::model::id::Subject;
    use crate::model::labels::Labels;
    use crate::model::time::Time;

    fn at(seconds: i64) -> Time {
        Time::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    fn alert(end: Option<i64>) -> Event {
        let fact = Fact::Alert(Alert {
            name: "A".to_owned().into(),
            status: if end.is_some() {
                AlertStatus::Resolved
            } else {
                AlertStatus::Firing
            },
            labels: Labels::from([("alertname".to_owned(), "A".to_owned())]).into(),
            annotations: Labels::new().into(),
            severity: Severity::Critical,
            starts_at: at(0),
            ends_at: end.map(at),
            pending_for: None,
            keep_firing_for: None,
            end_reason: EndReason::Recovered,
            seen_again: None,
            recalled: false,
        });
        Event::new("test", at(end.unwrap_or(0)), fact)
    }

    /// What `event` is at `now`: nothing new, news as it came, or told again.
    fn check(sights: &mut Sights, event: &Event, now: i64, expected: &str) {
        let got = match sights.news(event.clone(), None, at(now)) {
            None => "renewal",
            Some(news) if news == *event => "news",
            Some(news)
                if news.occurred_at == at(now)
                    && news.subject == event.subject
                    && news.id != event.id =>
            {
                "again"
            }
            Some(_) => "something else",
        };
        assert_eq!(got, expected, "{:?} at {now}", event.fact);
    }

    /// As [`check`], for an alert of which nothing has been built.
    fn glimpsed(sights: &mut Sights, starts_at: i64, until: Option<i64>, now: i64) -> bool {
        let labels = [("alertname".into(), "A".into())];
        sights.renewed(
            &AlertRef {
                labels: &labels,
                starts_at: at(starts_at),
                lease: until.map(at),
            },
            at(now),
        )
    }

    #[test]
    fn at_a_glimpse_a_renewal_is_known_and_moves_the_lease() {
        let mut sights = Sights::default();
        assert!(!glimpsed(&mut sights, 0, Some(240), 0));
        sights.saw(&alert(None), Some(at(240)), at(0));
        assert!(glimpsed(&mut sights, 0, Some(300), 60));
        assert!(!glimpsed(&mut sights, 1, Some(300), 60), "another episode");
        assert_eq!(sights.lapsed(at(299)), []);
        assert_eq!(sights.next(), Some(at(300)));
        assert_eq!(
            sights
                .lapsed(at(300))
                .first()
                .map(|event| event.occurred_at),
            Some(at(60))
        );
        sights.saw(&alert(Some(310)), None, at(310));
        assert!(glimpsed(&mut sights, 0, Some(400), 320), "a straggler");
        assert!(!glimpsed(&mut sights, 0, Some(800), 500), "told again");
    }

    #[test]
    fn a_lapse_is_told_until_it_is_forgotten() {
        let mut sights = Sights::default();
        sights.saw(&alert(None), Some(at(240)), at(0));
        assert_eq!(sights.lapsed(at(240)), sights.lapsed(at(241)));
        assert!(glimpsed(&mut sights, 0, Some(300), 250));
        assert_eq!(
            sights.lapsed(at(260)),
            [],
            "seen again before the lapse was durable"
        );
        assert_eq!(sights.next(), Some(at(300)));
    }

    #[test]
    fn what_ended_is_forgotten_after_a_day() {
        let mut sights = Sights::default();
        sights.saw(&alert(Some(90)), None, at(91));
        let day = 24 * 3600;
        assert_eq!(
            (
                sights.lapsed(at(90 + day)).len(),
                sights.rows.len() - sights.free.len()
            ),
            (0, 1)
        );
        assert_eq!(
            (
                sights.lapsed(at(91 + day)).len(),
                sights.rows.len() - sights.free.len()
            ),
            (0, 0)
        );
        check(&mut sights, &alert(None), 92 + day, "news");
        sights.saw(&alert(None), Some(NEVER), at(100 + day));
        assert_eq!(sights.rows.len(), 1, "the row is used again");
        assert_eq!(sights.lapsed(at(100 + 2 * day)), []);
        assert!(glimpsed(&mut sights, 0, None, 101 + 2 * day));
        assert_eq!(
            (sights.lapsed(at(100 + 30 * day)).len(), sights.free.len()),
            (0, 1),
            "an ignored one never lapses"
        );
    }

    #[test]
    fn who_tells_each_change_once_does_not_revive_what_ended() {
        let mut sights = Sights::default();
        sights.saw(&alert(None), Some(NEVER), at(0));
        sights.saw(&alert(Some(90)), None, at(91));
        assert_eq!(sights.news(alert(None), Some(NEVER), at(9000)), None);
        check(&mut sights, &alert(None), 9000, "again");
    }

    #[test]
    fn only_what_moved_is_saved() {
        let mut sights = Sights::default();
        assert_eq!(sights.due_for_saving(at(0), TimeDelta::minutes(1)), None);
        sights.saw(&alert(None), Some(at(240)), at(0));
        assert_eq!(sights.due_for_saving(at(59), TimeDelta::minutes(1)), None);
        let saved = vec![(alert(None).subject, at(0), Some(at(240)))];
        assert_eq!(
            sights.due_for_saving(at(60), TimeDelta::minutes(1)),
            Some(saved.clone())
        );
        sights.unsaved(&saved);
        assert_eq!(
            sights.due_for_saving(at(120), TimeDelta::minutes(1)),
            Some(saved)
        );
        assert_eq!(sights.due_for_saving(at(180), TimeDelta::minutes(1)), None);
        assert!(glimpsed(&mut sights, 0, None, 200));
        assert_eq!(
            sights
                .due_for_saving(at(240), TimeDelta::minutes(1))
                .map(|saved| saved.len()),
            Some(1)
        );
    }

    #[test]
    fn the_records_of_another_replica_are_taken_in_once() {
        let mut sights = Sights::default();
        sights.follow(&[alert(None)], at(0));
        check(&mut sights, &alert(None), 60, "renewal");
        sights.follow(&[alert(Some(90))], at(91));
        sights.follow(&[alert(None), alert(Some(90))], at(95));
        check(&mut sights, &alert(Some(90)), 100, "renewal");
        check(&mut sights, &alert(None), 120, "renewal");
        let mut again = alert(None);
        if let Fact::Alert(alert) = &mut again.fact {
            alert.seen_again = Some(at(400));
        }
        again.identify();
        sights.follow(&[again], at(400));
        check(&mut sights, &alert(None), 460, "renewal");
        let lapsed = sights.lapsed(at(1_000_000));
        assert_eq!(lapsed.len(), 1);
        sights.follow(&lapsed, at(1_000_000));
        check(&mut sights, &alert(None), 1_000_100, "again");
    }

    #[test]
    fn what_a_prometheus_remembers_takes_no_lease() {
        let mut sights = Sights::default();
        let mut read = alert(None);
        if let Fact::Alert(alert) = &mut read.fact {
            alert.recalled = true;
        }
        sights.follow(&[read.clone()], at(0));
        assert!(!sights.knows(&read.subject));
        assert_eq!(sights.lapsed(at(1_000_000)), []);
        sights.saw(&alert(None), Some(at(240)), at(0));
        assert!(sights.knows(&read.subject), "it was received, too");
    }

    #[test]
    fn what_another_replica_saw_only_moves_ahead() {
        let mut sights = Sights::default();
        sights.saw(&alert(None), Some(at(240)), at(100));
        let subject = alert(None).subject;
        sights.take_over(vec![
            (subject, at(50), Some(at(120))),
            (Subject::from(0), at(50), None),
        ]);
        assert_eq!(
            sights.due_for_saving(at(101), TimeDelta::minutes(1)),
            Some(vec![(subject, at(100), Some(at(240)))])
        );
        sights.take_over(vec![(subject, at(200), Some(at(300)))]);
        assert_eq!(sights.lapsed(at(299)), []);
        assert_eq!(
            sights
                .lapsed(at(300))
                .first()
                .map(|event| event.occurred_at),
            Some(at(200))
        );
    }

    #[test]
    fn a_late_word_of_an_earlier_episode_is_closed_by_the_open_one() {
        let mut sights = Sights::default();
        let mut later = alert(None);
        if let Fact::Alert(alert) = &mut later.fact {
            alert.starts_at = at(50);
        }
        later.identify();
        sights.saw(&later, None, at(60));
        assert!(glimpsed(&mut sights, 50, None, 70));
        sights.saw(&alert(None), None, at(80));
        assert!(!glimpsed(&mut sights, 50, None, 90), "to be read in full");
        assert_eq!(
            sights.overtaken(&later).map(|lapsed| lapsed.subject),
            Some(alert(None).subject)
        );
    }

    #[test]
    fn a_sight_is_small() {
        assert_eq!(size_of::<Sight>(), 56);
    }

    #[test]
    fn many_lapses_are_told_in_parts() {
        let mut sights = Sights::default();
        let count = 2 * TOLD_AT_ONCE + 1;
        for number in 0..count {
            let mut event = alert(None);
            if let Fact::Alert(alert) = &mut event.fact {
                alert.labels = [("number".to_owned(), number.to_string())].into();
            }
            event.identify();
            sights.saw(&event, Some(at(240)), at(0));
        }
        let mut told = 0;
        while sights.next().is_some_and(|next| next <= at(240)) {
            let lapsed = sights.lapsed(at(240));
            assert!(lapsed.len() <= TOLD_AT_ONCE);
            told += lapsed.len();
            sights.forget(&lapsed, at(240));
        }
        assert_eq!(told, count);
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
        sights.saw(&alert(None), None, at(0));
        sights.saw(&alert(Some(90)), None, at(91));
        check(&mut sights, &alert(None), 120, "renewal");
        check(&mut sights, &alert(None), 300, "again");
    }

    #[test]
    fn a_beginning_that_comes_after_its_end_is_news_and_revives_nothing() {
        for late in [92, 300] {
            let mut sights = Sights::default();
            sights.saw(&alert(Some(90)), None, at(91));
            assert!(!glimpsed(&mut sights, 0, None, late));
            check(&mut sights, &alert(None), late, "news");
            sights.saw(&alert(None), None, at(late));
            assert_eq!(
                sights.state_of(&alert(None).subject).map(|(on, _)| on),
                Some(false)
            );
            check(&mut sights, &alert(None), late + 1, "renewal");
        }
    }

    #[test]
    fn an_end_without_a_start_waits_for_its_beginning() {
        let mut sights = Sights::default();
        sights.note_early(alert(Some(90)), at(91));
        let mut later = alert(None);
        if let Fact::Alert(alert) = &mut later.fact {
            alert.starts_at = at(95);
        }
        assert_eq!(sights.ended_early(&later), None, "another episode");
        let end = sights
            .ended_early(&alert(None))
            .map(|end| (end.subject, end.occurred_at));
        assert_eq!(end, Some((alert(None).subject, at(90))));
        assert_eq!(sights.ended_early(&alert(None)), None);
    }

    #[test]
    fn a_lease_that_runs_out_is_told_once_and_renewing_it_is_news() {
        let mut sights = Sights::default();
        sights.saw(&alert(None), Some(at(240)), at(0));
        assert_eq!(sights.lapsed(at(239)), []);
        let lapsed = sights.lapsed(at(240));
        assert_eq!(lapsed.len(), 1);
        assert_eq!(
            (&lapsed[0].subject, lapsed[0].occurred_at),
            (&alert(None).subject, at(0))
        );
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
        let lapsed = sights
            .overtaken(&later)
            .map(|lapsed| (lapsed.subject, lapsed.occurred_at));
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
    fn an_end_is_of_the_episode_that_was_open_then() {
        let mut sights = Sights::default();
        let end = |seconds: i64| {
            let mut end = alert(Some(seconds));
            if let Fact::Alert(alert) = &mut end.fact {
                alert.starts_at = at(seconds);
            }
            end.identify();
            end
        };
        assert!(!sights.is_on(&end(500)));
        let mut open = alert(None);
        if let Fact::Alert(alert) = &mut open.fact {
            alert.starts_at = at(400);
        }
        open.identify();
        sights.saw(&open, None, at(400));
        assert_eq!(
            (sights.is_on(&end(500)), sights.is_on(&end(399))),
            (true, false)
        );
        assert_eq!(
            sights.dated(end(500)).map(|end| end.subject),
            Some(open.subject)
        );
        assert_eq!(
            sights.dated(end(399)).map(|end| end.subject),
            Some(open.subject),
            "clocks may differ"
        );
        assert_eq!(sights.dated(end(200)), None, "of the episode before");
    }

    #[test]
    fn an_alert_posted_without_a_start_is_about_its_open_episode() {
        let mut sights = Sights::default();
        let mut later = alert(None);
        if let Fact::Alert(alert) = &mut later.fact {
            alert.starts_at = at(50);
        }
        later.identify();
        assert_eq!(
            sights.dated(later.clone()).map(|event| event.subject),
            Some(later.subject)
        );
        sights.saw(&alert(None), None, at(0));
        assert_eq!(
            sights.dated(later).map(|event| event.id),
            Some(alert(None).id)
        );
    }

    #[test]
    fn an_end_without_a_start_is_that_of_the_open_episode_or_of_none() {
        let mut sights = Sights::default();
        let end = |seconds: i64| {
            let mut event = alert(Some(seconds));
            if let Fact::Alert(alert) = &mut event.fact {
                alert.starts_at = at(seconds);
            }
            event.identify();
            event
        };
        assert_eq!(sights.dated(end(60)), None);
        sights.saw(&alert(None), None, at(0));
        assert_eq!(sights.dated(end(-120)), None);
        assert_eq!(
            sights.dated(end(60)).map(|event| event.id),
            Some(alert(Some(60)).id)
        );
        sights.saw(&alert(Some(60)), None, at(61));
        assert_eq!(sights.dated(end(60)), None, "told again");
    }
}
