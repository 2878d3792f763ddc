//! Per-source statistics: messages received and rejected by hour, and detection of silent sources.
//! Kept in memory and saved periodically.
//!
//! The expected interval of a source is the longest silence between two of its messages, renewals
//! included, in the last fourteen days. Time in which this service was down does not count.

use std::collections::BTreeMap;
use std::sync::Mutex;

use chrono::TimeDelta;

use crate::app::sync::lock;
use crate::config::silence::SilentAfter;
use crate::model::time::Time;
use crate::store::database::Store;
use crate::store::source_stats::{HourlyCounts, SourceActivity, SourceStatsDelta};

/// Retention of gaps between messages, counted back from the last message.
pub(crate) const RETENTION: TimeDelta = TimeDelta::days(14);
/// Observation time before an expected interval is learned.
const LEARN_AFTER: TimeDelta = TimeDelta::days(1);
/// Messages needed before an expected interval is learned.
const MIN_MESSAGES: u64 = 4;
/// Multiple of the longest gap after which a source is reported silent.
const SILENCE_FACTOR: i32 = 3;
/// Shortest learned silence that is reported; a configured one may be shorter.
const MIN_SILENCE: TimeDelta = TimeDelta::hours(1);
/// Interval between saves.
const SAVE_INTERVAL: TimeDelta = TimeDelta::seconds(10);
/// Multiple of the save interval while no messages arrive.
const IDLE_FACTOR: i32 = 6;
/// Number of sources kept. The settings bound the configured ones; this also bounds those removed
/// by reloads.
const MAX_SOURCES: usize = 1000;
/// Name of the row for this service's own heartbeat. No source has an empty name.
const OWN_HEARTBEAT: &str = "";

/// Event counted for a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SourceEvent {
    /// An authentic message came, whatever is in it.
    Message,
    /// Number of new events of a message, once they are durable.
    Events(usize),
    /// A message was refused because it was not authentic.
    Refused,
    /// A message was refused because there were too many.
    Limited,
}

/// Statistics of one source.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct SourceCounts {
    /// Times of the last message, event and rejection, across all processes.
    pub seen: SourceActivity,
    /// Counters of this process since it started.
    pub counted: HourlyCounts,
    /// Hourly counters across all processes, by the start of the hour.
    hours: BTreeMap<Time, HourlyCounts>,
    /// Part of the above that is not saved yet.
    unsaved: (SourceActivity, BTreeMap<Time, HourlyCounts>),
}

/// Expected and present message interval of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MessageInterval {
    /// Longest recent gap between two of its messages; `None`: too little data.
    pub longest: Option<TimeDelta>,
    /// Silence after which the source is reported silent; `None`: never.
    pub silent_after: Option<TimeDelta>,
    /// Time since the last message, less downtime of this service; `None`: no message yet.
    pub quiet_for: Option<TimeDelta>,
}

impl MessageInterval {
    /// True if the present silence exceeds the expected one.
    #[must_use]
    pub(crate) fn is_silent(&self) -> bool {
        self.quiet_for
            .zip(self.silent_after)
            .is_some_and(|(quiet, after)| quiet > after)
    }
}

/// Statistics of all sources.
#[derive(Debug)]
pub(crate) struct SourceStats {
    sources: BTreeMap<String, SourceCounts>,
    /// Downtime before this process started, from the last heartbeat to the start.
    deaf: (Time, Time),
    saved_at: Option<Time>,
}

impl SourceStats {
    /// Loads the statistics saved before the last stop.
    pub(crate) fn load(store: &Store, now: Time) -> anyhow::Result<Self> {
        let mut stats = Self {
            sources: BTreeMap::new(),
            deaf: (now, now),
            saved_at: None,
        };
        stats.take_over(store.source_counts()?);
        if let Some(until) = stats
            .sources
            .remove(OWN_HEARTBEAT)
            .and_then(|ourselves| ourselves.seen.last_message)
        {
            stats.deaf = (until.min(now), now);
        }
        for stat in store.source_stats()? {
            // Heard, and killed before that was saved.
            let seen = &mut stats.sources.entry(stat.source).or_default().seen;
            if seen.last_message.is_none() {
                (seen.last_message, seen.last_event) = (
                    Some(stat.last_at),
                    (stat.events > 0).then_some(stat.last_at),
                );
            }
        }
        Ok(stats)
    }

    /// Counts an event of a source.
    pub(crate) fn note(&mut self, source: &str, what: SourceEvent, now: Time) {
        if !self.sources.contains_key(source) {
            if self.sources.len() >= MAX_SOURCES {
                return;
            }
            self.sources
                .insert(source.to_owned(), SourceCounts::default());
        }
        let deaf = self.deaf;
        let Some(tally) = self.sources.get_mut(source) else {
            return;
        };
        let silence = tally.seen.last_message.map_or(0, |last| {
            listened(deaf, last, now).num_microseconds().unwrap_or(0)
        });
        let hour = hour_of(now);
        let mut one = (SourceActivity::default(), HourlyCounts::default());
        match what {
            SourceEvent::Message => {
                one.0.last_message = Some(now);
                one.1 = HourlyCounts {
                    messages: 1,
                    first_message: Some(now),
                    longest: silence.max(0),
                    ..one.1
                };
            }
            SourceEvent::Events(count) => {
                one.0.last_event = Some(now);
                one.1.events = count as u64;
            }
            SourceEvent::Refused => {
                one.0.last_refused = Some(now);
                one.1.refused = 1;
            }
            SourceEvent::Limited => {
                one.0.last_limited = Some(now);
                one.1.limited = 1;
            }
        }
        for (seen, hours) in [
            (&mut tally.seen, &mut tally.hours),
            (&mut tally.unsaved.0, &mut tally.unsaved.1),
        ] {
            *seen = latest(*seen, one.0);
            let counted = hours.entry(hour).or_default();
            *counted = sum(*counted, one.1);
        }
        tally.counted = sum(tally.counted, one.1);
        let forget = tally.forgets(now);
        while tally
            .hours
            .first_key_value()
            .is_some_and(|(hour, _)| *hour < forget)
        {
            tally.hours.pop_first();
        }
    }

    /// Statistics of a source; zero if it is unknown.
    pub(crate) fn counts_of(&self, source: &str) -> SourceCounts {
        self.sources.get(source).cloned().unwrap_or_default()
    }

    /// Expected and present interval of a source; `stated` is the configured silence.
    pub(crate) fn rhythm(&self, source: &str, stated: SilentAfter, now: Time) -> MessageInterval {
        let Some(tally) = self.sources.get(source) else {
            return MessageInterval {
                longest: None,
                silent_after: None,
                quiet_for: None,
            };
        };
        let longest = tally.longest();
        let silent_after = match stated {
            SilentAfter::Never => None,
            SilentAfter::After(length) => Some(length),
            SilentAfter::Learned => {
                longest.map(|longest| (longest * SILENCE_FACTOR).max(MIN_SILENCE))
            }
        };
        let quiet_for = tally
            .seen
            .last_message
            .map(|last| listened(self.deaf, last, now));
        MessageInterval {
            longest,
            silent_after,
            quiet_for,
        }
    }

    /// Unsaved counters, if a save is due: per source, with the time before which its hours are
    /// dropped.
    fn due_for_saving(
        &mut self,
        now: Time,
        every: TimeDelta,
    ) -> Option<Vec<(SourceStatsDelta, Time)>> {
        // While nothing comes, only until when we listened is to be saved.
        let idle = self
            .sources
            .values()
            .all(|tally| tally.unsaved.1.is_empty());
        let every = if idle { every * IDLE_FACTOR } else { every };
        if self.saved_at.is_some_and(|at| (now - at).abs() < every) {
            return None;
        }
        self.saved_at = Some(now);
        let ourselves = (
            OWN_HEARTBEAT.to_owned(),
            SourceActivity {
                last_message: Some(now),
                ..SourceActivity::default()
            },
            Vec::new(),
        );
        let moved = self.sources.iter_mut().filter_map(|(name, tally)| {
            let (seen, hours) = std::mem::take(&mut tally.unsaved);
            let forget = tally.forgets(now);
            (!hours.is_empty()).then(|| ((name.clone(), seen, hours.into_iter().collect()), forget))
        });
        Some(moved.chain([(ourselves, now)]).collect())
    }

    /// Takes back what could not be saved.
    fn unsaved(&mut self, added: Vec<(SourceStatsDelta, Time)>) {
        self.saved_at = None;
        for ((name, seen, hours), _) in added {
            let Some(tally) = self.sources.get_mut(&name) else {
                continue;
            };
            tally.unsaved.0 = latest(tally.unsaved.0, seen);
            for (hour, counted) in hours {
                let whole = tally.unsaved.1.entry(hour).or_default();
                *whole = sum(*whole, counted);
            }
        }
    }

    /// Takes over what all processes saved; what this one has not saved yet comes on top.
    fn take_over(&mut self, saved: Vec<SourceStatsDelta>) {
        for (name, seen, hours) in saved {
            let tally = self.sources.entry(name).or_default();
            tally.seen = latest(seen, tally.unsaved.0);
            tally.hours = hours.into_iter().collect();
            for (hour, counted) in &tally.unsaved.1 {
                let whole = tally.hours.entry(*hour).or_default();
                *whole = sum(*whole, *counted);
            }
        }
    }
}

impl SourceCounts {
    /// Sum of the counters over the 24 hours before `now`; the first hour counts in part.
    #[must_use]
    pub(crate) fn last_day(&self, now: Time) -> HourlyCounts {
        let from = now - TimeDelta::hours(24);
        self.hours
            .range(hour_of(from) + TimeDelta::hours(1)..)
            .map(|(_, hour)| *hour)
            .fold(HourlyCounts::default(), sum)
    }

    /// The longest silence that is remembered; `None` while too little is known.
    fn longest(&self) -> Option<TimeDelta> {
        let first = self.hours.values().find_map(|hour| hour.first_message)?;
        let heard = self.seen.last_message? - first;
        let messages: u64 = self.hours.values().map(|hour| hour.messages).sum();
        // The silence before the first kept message counts too.
        let longest = self.hours.values().map(|hour| hour.longest).max()?;
        (heard >= LEARN_AFTER && messages >= MIN_MESSAGES).then(|| TimeDelta::microseconds(longest))
    }

    /// Time before which hours are dropped. It follows the last message, so that a long silence
    /// does not erase the interval learned before it.
    fn forgets(&self, now: Time) -> Time {
        hour_of(self.seen.last_message.unwrap_or(now) - RETENTION)
    }
}

fn hour_of(time: Time) -> Time {
    let seconds = time.timestamp();
    Time::from_timestamp(seconds - seconds.rem_euclid(3600), 0).unwrap_or(time)
}

/// Time between two instants, less the downtime of this service.
fn listened(deaf: (Time, Time), from: Time, to: Time) -> TimeDelta {
    let missed = deaf.1.min(to) - deaf.0.max(from);
    to - from - missed.max(TimeDelta::zero())
}

fn latest(one: SourceActivity, other: SourceActivity) -> SourceActivity {
    SourceActivity {
        last_message: one.last_message.max(other.last_message),
        last_event: one.last_event.max(other.last_event),
        last_refused: one.last_refused.max(other.last_refused),
        last_limited: one.last_limited.max(other.last_limited),
    }
}

fn sum(one: HourlyCounts, other: HourlyCounts) -> HourlyCounts {
    HourlyCounts {
        messages: one.messages + other.messages,
        events: one.events + other.events,
        refused: one.refused + other.refused,
        limited: one.limited + other.limited,
        first_message: [one.first_message, other.first_message]
            .into_iter()
            .flatten()
            .min(),
        longest: one.longest.max(other.longest),
    }
}

impl SourceStats {
    /// Saves what was counted, if it is time or `at_once`, and takes in what other replicas
    /// counted. Blocks.
    ///
    /// # Errors
    /// When the store fails; it is saved the next time.
    pub(crate) fn save(
        stats: &Mutex<Self>,
        store: &Store,
        at_once: bool,
        now: Time,
    ) -> anyhow::Result<()> {
        let every = if at_once {
            TimeDelta::zero()
        } else {
            SAVE_INTERVAL
        };
        let Some(added) = lock(stats).due_for_saving(now, every) else {
            return Ok(());
        };
        if let Err(fault) = store.add_source_counts(&added) {
            lock(stats).unsaved(added);
            return Err(fault.into());
        }
        if store.is_shared() && !at_once {
            let mut saved = store.source_counts()?;
            saved.retain(|(name, ..)| name != OWN_HEARTBEAT);
            lock(stats).take_over(saved);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use super::{MAX_SOURCES, MIN_SILENCE, SourceEvent, SourceStats};
    use crate::config::silence::SilentAfter;
    use crate::model::time::Time;
    use crate::store::database::Store;
    use chrono::TimeDelta;

    fn at(minutes: i64) -> Time {
        Time::from_timestamp(1_800_000_000 + 60 * minutes, 0).unwrap()
    }

    fn stats() -> SourceStats {
        SourceStats {
            sources: std::collections::BTreeMap::new(),
            deaf: (at(0), at(0)),
            saved_at: None,
        }
    }

    const DAY: i64 = 24 * 60;

    fn silent(stats: &SourceStats, stated: SilentAfter, minutes: i64) -> bool {
        stats.rhythm("a", stated, at(minutes)).is_silent()
    }

    #[test]
    fn silence_is_reported_after_three_times_the_longest_gap() {
        let mut often = stats();
        (0..=DAY)
            .step_by(5)
            .for_each(|minute| often.note("a", SourceEvent::Message, at(minute)));
        assert_eq!(
            often.rhythm("a", SilentAfter::Learned, at(DAY)).longest,
            Some(TimeDelta::minutes(5))
        );
        assert!(
            !silent(&often, SilentAfter::Learned, DAY + 60),
            "never sooner than an hour"
        );
        assert!(silent(&often, SilentAfter::Learned, DAY + 61));
        let mut seldom = stats();
        [0, 1, 600, DAY, DAY + 1]
            .iter()
            .for_each(|minute| seldom.note("a", SourceEvent::Message, at(*minute)));
        assert!(!silent(&seldom, SilentAfter::Learned, DAY + 1 + 3 * 840));
        assert!(silent(&seldom, SilentAfter::Learned, DAY + 2 + 3 * 840));
    }

    #[test]
    fn source_with_too_few_messages_has_no_learned_interval() {
        let mut stats = stats();
        assert!(
            !silent(&stats, SilentAfter::After(MIN_SILENCE), 9 * DAY),
            "nothing ever came"
        );
        (0..60).for_each(|minute| stats.note("a", SourceEvent::Message, at(minute)));
        assert!(
            !silent(&stats, SilentAfter::Learned, 9 * DAY),
            "one incident is no rhythm"
        );
        assert!(silent(&stats, SilentAfter::After(TimeDelta::hours(2)), 180));
        assert!(!silent(&stats, SilentAfter::Never, 9 * DAY));
    }

    #[test]
    fn long_silence_is_dropped_fourteen_days_after_it_ended() {
        let mut stats = stats();
        let talk = |stats: &mut SourceStats, from: i64, to: i64| {
            (from..=to)
                .step_by(30)
                .for_each(|minute| stats.note("a", SourceEvent::Message, at(minute)));
        };
        talk(&mut stats, 0, 2 * DAY);
        talk(&mut stats, 4 * DAY, 10 * DAY);
        assert_eq!(
            stats
                .rhythm("a", SilentAfter::Learned, at(10 * DAY))
                .longest,
            Some(TimeDelta::days(2))
        );
        assert!(
            silent(&stats, SilentAfter::Learned, 60 * DAY),
            "what came before is remembered"
        );
        talk(&mut stats, 10 * DAY, 19 * DAY);
        assert_eq!(
            stats
                .rhythm("a", SilentAfter::Learned, at(19 * DAY))
                .longest,
            Some(TimeDelta::minutes(30))
        );
        assert!(stats.counts_of("a").hours.len() <= 14 * 24 + 1);
    }

    #[test]
    fn rejected_messages_do_not_end_a_silence() {
        let mut stats = stats();
        (0..=DAY)
            .step_by(30)
            .for_each(|minute| stats.note("a", SourceEvent::Message, at(minute)));
        stats.note("a", SourceEvent::Events(3), at(DAY));
        stats.note("a", SourceEvent::Refused, at(DAY + 100));
        stats.note("a", SourceEvent::Limited, at(DAY + 100));
        assert!(silent(&stats, SilentAfter::Learned, DAY + 101));
        let day = stats.counts_of("a").last_day(at(DAY + 101));
        assert_eq!((day.events, day.refused, day.limited), (3, 1, 1));
        assert_eq!(stats.counts_of("a").seen.last_event, Some(at(DAY)));
    }

    #[test]
    fn the_rate_is_of_the_last_day() {
        let mut stats = stats();
        (0..3 * DAY)
            .step_by(10)
            .for_each(|minute| stats.note("a", SourceEvent::Message, at(minute)));
        assert!((138..=144).contains(&stats.counts_of("a").last_day(at(3 * DAY)).messages));
        assert_eq!(stats.counts_of("a").last_day(at(9 * DAY)).messages, 0);
        assert_eq!(stats.counts_of("a").counted.messages, 3 * 144);
    }

    #[test]
    fn number_of_sources_is_bounded() {
        let mut stats = stats();
        (0..2 * MAX_SOURCES)
            .for_each(|number| stats.note(&format!("s{number}"), SourceEvent::Refused, at(0)));
        assert_eq!(stats.sources.len(), MAX_SOURCES);
    }

    fn save(stats: &mut SourceStats, store: &Store, minutes: i64) {
        store
            .add_source_counts(
                &stats
                    .due_for_saving(at(minutes), TimeDelta::zero())
                    .unwrap(),
            )
            .unwrap();
    }

    #[test]
    fn restart_keeps_counts_and_downtime_is_no_silence() {
        let home = tempfile::tempdir().unwrap();
        let store = Store::open(&home.path().join("a.db"), at(0)).unwrap();
        let mut before = stats();
        (0..=DAY)
            .step_by(30)
            .for_each(|minute| before.note("a", SourceEvent::Message, at(minute)));
        before.note("a", SourceEvent::Events(2), at(DAY));
        save(&mut before, &store, DAY);
        save(&mut before, &store, DAY + 60);
        let mut after = SourceStats::load(&store, at(2 * DAY)).unwrap();
        assert_eq!(
            (after.counts_of("a").seen, &after.counts_of("a").hours),
            (before.counts_of("a").seen, &before.counts_of("a").hours)
        );
        assert_eq!(
            after.counts_of("a").counted.messages,
            0,
            "a counter of a process begins with it"
        );
        assert!(
            !silent(&after, SilentAfter::Learned, 2 * DAY + 30),
            "an hour before, and half an hour since"
        );
        assert!(silent(&after, SilentAfter::Learned, 2 * DAY + 31));
        after.note("a", SourceEvent::Message, at(2 * DAY + 20));
        assert_eq!(
            after
                .rhythm("a", SilentAfter::Learned, at(2 * DAY + 20))
                .longest,
            Some(TimeDelta::minutes(80))
        );
    }

    #[test]
    fn replicas_add_up_and_what_could_not_be_saved_is_saved_later() {
        let home = tempfile::tempdir().unwrap();
        let store = Store::open(&home.path().join("a.db"), at(0)).unwrap();
        let (mut one, mut other) = (stats(), stats());
        one.note("a", SourceEvent::Message, at(1));
        other.note("a", SourceEvent::Message, at(2));
        other.note("b", SourceEvent::Refused, at(2));
        let lost = one.due_for_saving(at(3), TimeDelta::zero()).unwrap();
        one.unsaved(lost);
        assert!(
            one.due_for_saving(at(3), TimeDelta::minutes(1))
                .is_some_and(|added| store.add_source_counts(&added).is_ok())
        );
        assert!(
            one.due_for_saving(at(3), TimeDelta::minutes(1)).is_none(),
            "not again within the minute"
        );
        save(&mut other, &store, 3);
        one.note("a", SourceEvent::Message, at(4));
        one.take_over(store.source_counts().unwrap());
        let seen = one.counts_of("a");
        assert_eq!(
            (seen.last_day(at(5)).messages, seen.seen.last_message),
            (3, Some(at(4)))
        );
        assert_eq!(one.counts_of("b").last_day(at(5)).refused, 1);
    }
}
