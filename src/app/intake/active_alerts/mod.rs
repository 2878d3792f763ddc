//! Active alerts: firing alerts with the end of their lease, and recently ended episodes.
//!
//! `new_events` decides what a message begins, changes or ends, late and repeated ones too. A renewal
//! changes only memory and is answered without a commit; leases are saved now and then. `prune` drops
//! an episode once its end or lapse is recorded and no late message can be about it any more.

mod ends_before_starts;
mod ends_without_start;
pub(crate) mod promised_renewals;
pub(crate) mod row;
mod stated_ends;
mod table;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use chrono::TimeDelta;

use crate::ingest::alertmanager_api::ListedRenewal;
use crate::ingest::reading::{AlertRef, Reported, Start};
use crate::model::event::{Alert, AlertStatus, Event, Fact};
use crate::model::id::{EventId, Subject};
use crate::model::time::Time;
use crate::store::active_alerts::ActiveAlert;
use ends_before_starts::{EndBeforeStart, EndsBeforeStarts};
use ends_without_start::EndsWithoutStart;
use promised_renewals::{PromisedRenewal, PromisedRenewals};
use row::{
    AlertRow, EpisodeState, NEVER, REPLICA_SKEW, RESTART_GRACE, RETENTION, STRAGGLER_WINDOW,
    assumed_lease, end_key, is_late, is_straggler, lease_end, lease_until, micros, split_last,
    time,
};
use stated_ends::{
    beginning, begins, ended_declarations, is_end, is_replica, restarted, stated_end,
};
use table::{AlertTable, RowId};

/// Lapses recorded in one step.
const MAX_LAPSES: usize = 10_000;

/// All episodes that fire or ended lately.
#[derive(Debug, Default)]
pub(crate) struct ActiveAlerts {
    table: AlertTable,
    /// Rows whose lapse was handed out and is not durable yet.
    lapsing: Vec<RowId>,
    /// Rows that changed since they were saved.
    changed: Vec<RowId>,
    /// Rows of the saving under way that are not handed out yet.
    saving: Vec<RowId>,
    /// Subjects that fire no more and still have a row in the database.
    ended: Vec<Subject>,
    /// Of these, those that the saving under way has not handed out yet.
    removing: Vec<Subject>,
    saved_at: Option<Time>,
    early: EndsWithoutStart,
    ends: EndsBeforeStarts,
    promised: PromisedRenewals,
    /// Names of sources by the number that rows have; the last number is shared by all others.
    sources: Vec<Arc<str>>,
}

/// Rows to write to the database and to remove from it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct UnsavedAlerts {
    pub(crate) firing: Vec<ActiveAlert>,
    pub(crate) ended: Vec<Subject>,
}

/// An event to commit, with the end of its lease where its sender gives one.
pub(crate) type NewEvent = (Event, Option<Time>);

impl ActiveAlerts {
    /// Restores the alerts in `events`, those of the stored incidents, with the leases `saved`
    /// before the last stop. An alert missing here is committed again, and the engine drops the
    /// duplicate.
    pub(crate) fn load<'a>(
        saved: &[ActiveAlert],
        events: impl Iterator<Item = &'a Event>,
        now: Time,
    ) -> Self {
        let by_subject: HashMap<u64, &ActiveAlert> = saved
            .iter()
            .map(|alert| (alert.subject.number(), alert))
            .collect();
        let mut alerts = Self::default();
        for event in events {
            let alert = match &event.fact {
                Fact::Alert(alert) if !alert.recalled => alert,
                Fact::Lapsed(lapsed) => {
                    alerts.record_lapse(&event.subject, lapsed.last_seen);
                    continue;
                }
                _ => continue,
            };
            let saved = by_subject.get(&event.subject.number());
            // Saved by a clock that was ahead.
            let ahead = saved.map_or(TimeDelta::zero(), |saved| saved.last_seen - now);
            let ahead = ahead.max(TimeDelta::zero());
            let unsaved = match alert.status {
                AlertStatus::Firing => now,
                AlertStatus::Resolved => event.occurred_at.min(now),
            };
            let last_seen = saved.map_or(unsaved, |saved| saved.last_seen - ahead);
            let lease = saved.and_then(|saved| saved.lease_end?.checked_sub_signed(ahead));
            // Renewals were lost while the service was down.
            let lease = lease
                .unwrap_or(assumed_lease(event, now))
                .max(now + RESTART_GRACE);
            alerts.record(event, Some(lease), last_seen);
        }
        for saved in saved {
            match alerts.table.by_subject(&saved.subject) {
                Some(row) => alerts.table.row_mut(row).set_saved(true),
                None if now - saved.last_seen > RETENTION => alerts.ended.push(saved.subject),
                // It may be in a record of another replica that is not applied yet.
                None => {}
            }
        }
        alerts
    }

    /// Set if the alert is known, so that the end of its lease will be recorded.
    pub(crate) fn contains(&self, subject: &Subject) -> bool {
        self.table.by_subject(subject).is_some()
    }

    /// Firing state of a known alert, and the time of its last report.
    pub(crate) fn firing_and_last_seen(&self, subject: &Subject) -> Option<(bool, Time)> {
        let row = self.table.row(self.table.by_subject(subject)?);
        Some((row.is_firing(), time(row.last_seen)))
    }

    /// Renews the alerts that fire.
    pub(crate) fn renew_all(&mut self, subjects: &[Subject], now: Time) {
        for subject in subjects {
            if let Some(row) = self.table.by_subject(subject)
                && self.table.row(row).is_firing()
            {
                self.renew_row(row, None, now);
            }
        }
    }

    /// Moves what is remembered by a step of the clock: an alert seen a minute before it was seen a
    /// minute ago, and its lease lasts as long.
    pub(crate) fn shift(&mut self, by: TimeDelta) {
        (self.promised, self.saved_at) = (PromisedRenewals::default(), None);
        for id in self.table.shift(by) {
            self.mark_changed(id);
        }
    }

    /// Records the times until which senders promised to renew their alerts; `listed`: of alerts in no
    /// incident.
    pub(crate) fn note_promises(
        &mut self,
        promises: Vec<(Subject, PromisedRenewal)>,
        listed: &[ListedRenewal],
        now: Time,
    ) {
        self.promised.note(promises, now);
        self.promised.note_listed(listed, &self.table, now);
    }

    /// Renews a firing alert whose episode is open; `false` if it may be new and has to be parsed.
    pub(crate) fn renew(&mut self, alert: &AlertRef<'_>, now: Time) -> bool {
        let labels = alert.labels.iter();
        let labels = self
            .table
            .key_of_pairs(labels.map(|(name, value)| (name.as_ref(), value.as_ref())));
        let Some(id) = self.table.episode(labels, micros(alert.starts_at)) else {
            return false;
        };
        let row = self.table.row(id);
        match row.state {
            EpisodeState::Firing if row.open => self.renew_row(id, alert.lease, now),
            // Sent before the end, and overtaken by it.
            EpisodeState::Ended if is_straggler(row, now) => {}
            _ => return false,
        }
        true
    }

    /// The events of a message that have to be committed: those that are new, and the ends and
    /// lapses that follow from them. Repeats renew their alert. `replayed` are the events already
    /// logged of a message that is read again.
    pub(crate) fn new_events(
        &mut self,
        reports: Vec<Reported>,
        replayed: Option<&BTreeSet<EventId>>,
        now: Time,
    ) -> Vec<NewEvent> {
        let mut new: Vec<NewEvent> = Vec::with_capacity(reports.len());
        let declared = ended_declarations(&reports);
        for Reported {
            mut event,
            lease,
            start,
            only_if_firing,
        } in reports
        {
            let guessed = start == Start::Guessed;
            if only_if_firing && !self.is_firing_at(&event) {
                if guessed {
                    self.keep_early(event, now);
                }
                continue;
            }
            // A message may tell the beginning with the end.
            let tells = |(begun, _): &NewEvent| begun.subject == event.subject;
            if guessed && is_end(&event) && new.iter().any(tells) {
                new.push((event, lease));
                continue;
            }
            if guessed && !self.adopt_start(&mut event) {
                self.keep_early(event, now);
                continue;
            }
            // A message read again is old: its alert may be known by now, or over.
            if replayed.is_some_and(|logged| logged.contains(&event.id) || self.has_ended(&event)) {
                continue;
            }
            if !guessed && is_end(&event) {
                let opens = begins(&event, &declared);
                new.extend(self.ends(event, opens, now));
                continue;
            }
            new.extend(self.lapses_of_earlier(&event).map(|lapse| (lapse, None)));
            if !guessed && self.renew_replica(&event, lease, now) {
                continue;
            }
            if let Some(event) = self.unless_repeated(event, lease, now) {
                let end = self.take_early(&event).or_else(|| self.recent_end(&event));
                new.push((event, lease));
                new.extend(end.map(|end| (end, None)));
            }
        }
        new
    }

    /// The events of an end whose start its sender states.
    ///
    /// It ends every open episode with its labels that began before it, whatever start it states.
    /// With a start never reported it states a whole episode, and its beginning too if `opens`. A
    /// start close to that of an open episode comes from a replica and is the same episode.
    fn ends(&mut self, event: Event, opens: bool, now: Time) -> Vec<NewEvent> {
        let event = self.promised.unless_lost(event);
        let Fact::Alert(alert) = &event.fact else {
            return vec![(event, None)];
        };
        let (start, end) = (alert.starts_at, stated_end(&event));
        let labels = self.table.labels_key(&alert.labels);
        let source = self.source_number(&event.source);
        let own = self.table.episode(labels, micros(start));
        let told_replica = |row: &AlertRow| row.is_firing() && is_replica(time(row.started), start);
        let told = own.is_some_and(|row| self.table.row(row).state != EpisodeState::EndedUnseen)
            || self
                .table
                .open_episodes(labels)
                .any(|row| told_replica(self.table.row(row)));
        let closed: Vec<Time> = self
            .table
            .open_episodes(labels)
            .map(|row| self.table.row(row))
            .filter(|row| row.source == source && row.started != micros(start))
            .filter(|row| time(row.started) < end)
            // If its own start was reported, it closes only episodes of replicas besides: when earlier
            // ones ended is unknown.
            .filter(|row| !told || row.is_firing() && start - time(row.started) <= REPLICA_SKEW)
            .map(|row| time(row.started))
            .collect();
        let of_replica = closed
            .iter()
            .any(|open| *open < start && is_replica(*open, start));
        let mut new: Vec<NewEvent> = closed
            .into_iter()
            .map(|open| self.promised.unless_lost(restarted(event.clone(), open)))
            .map(|end| (end, None))
            .collect();
        let repeats =
            start == end && (!new.is_empty() || self.ends.has_ended(labels, source, micros(end)));
        if own.is_none() && (of_replica || repeats) {
            // A start that is received later finds it all the same.
            self.keep_end(&event, false, now);
            return new;
        }
        let beginning = (own.is_none() && opens).then(|| beginning(&event));
        let end = self.unless_repeated(event, None, now);
        new.extend(end.map(|end| (end, None)));
        // After its end, so that it is known to be no report of its own.
        new.extend(beginning.map(|event| (event, None)));
        new
    }

    /// Takes a firing alert as a renewal of an open episode with the same labels that began shortly
    /// before: another replica of its sender reports it, too.
    fn renew_replica(&mut self, event: &Event, lease: Option<Time>, now: Time) -> bool {
        let Fact::Alert(alert) = &event.fact else {
            return false;
        };
        let source = self.source_number(&event.source);
        let labels = self.table.labels_key(&alert.labels);
        if self
            .table
            .episode(labels, micros(alert.starts_at))
            .is_some()
        {
            return false;
        }
        let of_replica = |row: &AlertRow| {
            let later = alert.starts_at - time(row.started);
            row.is_firing()
                && row.source == source
                && (TimeDelta::zero()..=REPLICA_SKEW).contains(&later)
        };
        let known = self
            .table
            .open_episodes(labels)
            .find(|row| of_replica(self.table.row(*row)));
        known.is_some_and(|row| {
            self.renew_row(row, lease, now);
            true
        })
    }

    /// The end of a new episode that was received before its start, under another start.
    fn recent_end(&mut self, event: &Event) -> Option<Event> {
        let Fact::Alert(alert) = &event.fact else {
            return None;
        };
        if alert.status != AlertStatus::Firing || self.table.episode_of(alert).is_some() {
            return None;
        }
        let source = self.source_number(&event.source);
        let labels = self.table.labels_key(&alert.labels);
        let end = self.ends.closing(labels, source, micros(alert.starts_at))?;
        let mut ended = event.clone();
        if let Fact::Alert(alert) = &mut ended.fact {
            alert.borrowed_end = !is_replica(alert.starts_at, time(end.started));
            alert.status = AlertStatus::Resolved;
            alert.ends_at = Some(time(end.ended));
            alert.end_reason = end.reason;
        }
        ended.occurred_at = time(end.ended);
        ended.identify();
        Some(ended)
    }

    fn keep_end(&mut self, event: &Event, told: bool, now: Time) {
        let Fact::Alert(alert) = &event.fact else {
            return;
        };
        if alert.borrowed_end {
            return;
        }
        let end = EndBeforeStart {
            source: self.source_number(&event.source),
            started: micros(alert.starts_at),
            ended: micros(stated_end(event)),
            reason: alert.end_reason,
            told,
        };
        let labels = self.table.labels_key(&alert.labels);
        self.ends.push(labels, end, now);
    }

    fn source_number(&mut self, name: &Arc<str>) -> u8 {
        let known = self.sources.iter().position(|known| known == name);
        let number = known.unwrap_or_else(|| {
            if self.sources.len() < usize::from(u8::MAX) {
                self.sources.push(Arc::clone(name));
            }
            self.sources.len() - 1
        });
        u8::try_from(number).unwrap_or(u8::MAX)
    }

    /// The event unless it repeats what is known; a repeat renews the alert.
    fn unless_repeated(
        &mut self,
        mut event: Event,
        lease: Option<Time>,
        now: Time,
    ) -> Option<Event> {
        let end = end_key(&event);
        let overtaken = self.is_overtaken(&event);
        let Fact::Alert(alert) = &mut event.fact else {
            return Some(event);
        };
        let Some(id) = self.table.episode_of(alert) else {
            return Some(event);
        };
        let row = self.table.row(id);
        match (row.state, alert.status) {
            // Another end than the recorded one is new.
            (EpisodeState::Ended | EpisodeState::EndedUnseen, AlertStatus::Resolved)
                if row.end == end => {}
            (_, AlertStatus::Resolved) => return Some(event),
            (EpisodeState::Firing, AlertStatus::Firing) => {}
            // Its end came first.
            (EpisodeState::EndedUnseen, AlertStatus::Firing) => return Some(event),
            // A sender that reports each change once only repeats the start: the end is later.
            (EpisodeState::Ended, AlertStatus::Firing)
                if lease == Some(NEVER) || is_straggler(row, now) || is_late(lease, now) =>
            {
                return None;
            }
            // An old message: it has fired anew since.
            (_, AlertStatus::Firing) if overtaken => return None,
            (_, AlertStatus::Firing) => {
                alert.seen_again = Some(now);
                event.occurred_at = now;
                event.identify();
                return Some(event);
            }
        }
        self.renew_row(id, lease, now);
        None
    }

    /// Set if an episode with the labels of this alert began later.
    fn is_overtaken(&self, event: &Event) -> bool {
        let Fact::Alert(alert) = &event.fact else {
            return false;
        };
        let labels = self.table.labels_key(&alert.labels);
        let later = |started: i64| time(started) - alert.starts_at > REPLICA_SKEW;
        let mut open = self.table.open_episodes(labels);
        open.any(|row| later(self.table.row(row).started)) || self.ends.starts(labels).any(later)
    }

    /// The lapses of earlier episodes that still count as firing when the same alert fires anew:
    /// they ended at an unknown time after they were last reported. Replicas of a sender give
    /// starts that differ a little.
    fn lapses_of_earlier(&self, event: &Event) -> impl Iterator<Item = Event> + use<> {
        let mut lapses = Vec::new();
        if let Fact::Alert(alert) = &event.fact
            && alert.status == AlertStatus::Firing
        {
            let labels = self.table.labels_key(&alert.labels);
            let rows = self
                .table
                .open_episodes(labels)
                .map(|row| self.table.row(row));
            let overtaken = rows.filter(|row| {
                row.is_firing() && alert.starts_at - time(row.started) > REPLICA_SKEW
            });
            lapses.extend(overtaken.filter_map(|row| row.lapse_before(alert.starts_at)));
        }
        lapses.into_iter()
    }

    /// Set if an episode with the labels of this alert is open and had begun at the time of the
    /// event.
    fn is_firing_at(&self, event: &Event) -> bool {
        let Fact::Alert(alert) = &event.fact else {
            return false;
        };
        self.table
            .open_episode(&alert.labels)
            .is_some_and(|row| self.table.row(row).started <= micros(event.occurred_at))
    }

    /// Gives an event with a guessed start the start of the open episode with its labels. `false`
    /// for the end of no open episode: a repeated one, or a late one of an earlier episode.
    fn adopt_start(&self, event: &mut Event) -> bool {
        let Fact::Alert(alert) = &mut event.fact else {
            return true;
        };
        let ended = alert.status == AlertStatus::Resolved;
        let Some(row) = self.table.open_episode(&alert.labels) else {
            return !ended;
        };
        let started = time(self.table.row(row).started);
        // The start may be by this service's clock, and the end by the sender's.
        if ended
            && alert
                .ends_at
                .is_some_and(|end| end + STRAGGLER_WINDOW < started)
        {
            return false;
        }
        alert.starts_at = started;
        alert.ends_at = alert.ends_at.map(|end| end.max(started));
        if !ended {
            event.occurred_at = started;
        }
        event.identify();
        true
    }

    /// Set if the episode of a firing alert has ended by now. The start may be a guess, so any
    /// later end with the same labels counts.
    fn has_ended(&self, event: &Event) -> bool {
        let Fact::Alert(alert) = &event.fact else {
            return false;
        };
        let labels = self.table.labels_key(&alert.labels);
        let ended = |row: &AlertRow| {
            row.labels == labels
                && row.has_ended()
                && (row.started == micros(alert.starts_at)
                    || row.last_seen >= micros(event.occurred_at))
        };
        alert.status == AlertStatus::Firing && self.table.rows().any(ended)
    }

    fn keep_early(&mut self, event: Event, now: Time) {
        if let Fact::Alert(alert) = &event.fact {
            let labels = self.table.labels_key(&alert.labels);
            self.early.push(labels, event, now);
        }
    }

    fn take_early(&mut self, event: &Event) -> Option<Event> {
        match &event.fact {
            Fact::Alert(alert) if !self.early.is_empty() => {
                let labels = self.table.labels_key(&alert.labels);
                self.early.take(labels, event)
            }
            _ => None,
        }
    }

    /// Takes in a committed event, if it is of an alert or of a lapse.
    pub(crate) fn record(&mut self, event: &Event, lease: Option<Time>, now: Time) {
        let alert = match &event.fact {
            Fact::Alert(alert) => alert,
            Fact::Lapsed(_) => return self.record_lapse(&event.subject, now),
            _ => return,
        };
        let Some(id) = self
            .table
            .episode_of(alert)
            .or_else(|| self.insert(event, alert))
        else {
            return;
        };
        let before = *self.table.row(id);
        let (state, end) = match alert.status {
            // The start of an episode whose end came first: it is a report of its own unless it
            // comes from the message with the end.
            AlertStatus::Firing if before.has_ended() && alert.seen_again.is_none() => {
                let same_message = before.last_seen == micros(now);
                let state = if same_message {
                    before.state
                } else {
                    EpisodeState::Ended
                };
                (state, before.end)
            }
            AlertStatus::Firing => (EpisodeState::Firing, lease_end(lease_until(lease, now))),
            AlertStatus::Resolved => {
                let unseen = matches!(before.state, EpisodeState::Free | EpisodeState::EndedUnseen);
                let state = if unseen {
                    EpisodeState::EndedUnseen
                } else {
                    EpisodeState::Ended
                };
                self.keep_end(event, !unseen, now);
                (state, end_key(event))
            }
        };
        // A late message shows that it fired when it began, and not that it fires now.
        let late = state == EpisodeState::Firing && is_late(lease, now);
        let seen = if late {
            event.occurred_at.min(now)
        } else {
            now
        };
        let row = self.table.row_mut(id);
        (row.state, row.end, row.last_seen) = (state, end, micros(seen));
        if state == EpisodeState::Firing {
            self.table.open(id);
            self.mark_changed(id);
        } else {
            self.table.close(id);
            self.unsave(id);
        }
        self.table.schedule(id);
    }

    fn record_lapse(&mut self, subject: &Subject, now: Time) {
        if let Some(id) = self.table.by_subject(subject) {
            let row = self.table.row_mut(id);
            row.state = EpisodeState::Lapsed;
            row.last_seen = row.last_seen.max(micros(now));
            self.unsave(id);
            self.table.schedule(id);
        }
    }

    /// Takes in events that another replica logged. Those known already change nothing.
    pub(crate) fn follow(&mut self, events: &[Event], now: Time) {
        for event in events {
            let alert = match &event.fact {
                Fact::Alert(alert) if !alert.recalled => alert,
                Fact::Lapsed(_) => {
                    if self
                        .firing_and_last_seen(&event.subject)
                        .is_some_and(|(firing, _)| firing)
                    {
                        self.record_lapse(&event.subject, now);
                    }
                    continue;
                }
                _ => continue,
            };
            let row = self.table.episode_of(alert).map(|id| self.table.row(id));
            let known = row.is_some_and(|row| match (row.state, alert.status) {
                (EpisodeState::Free, _) => false,
                (EpisodeState::Firing, status) => status == AlertStatus::Firing,
                // Older than the recorded end, unless it says that it fires again since.
                (_, AlertStatus::Firing) => alert
                    .seen_again
                    .is_none_or(|again| micros(again) < row.last_seen),
                (EpisodeState::Lapsed, AlertStatus::Resolved) => false,
                (_, AlertStatus::Resolved) => row.end == end_key(event),
            });
            if !known {
                self.record(event, Some(assumed_lease(event, now)), now);
            }
        }
    }

    /// Takes in leases that other replicas saved, which only move forward.
    pub(crate) fn merge_saved(&mut self, saved: &[ActiveAlert]) {
        for saved in saved {
            let Some(id) = self.table.by_subject(&saved.subject) else {
                continue;
            };
            let row = self.table.row_mut(id);
            if row.is_firing() {
                row.set_saved(true);
                row.last_seen = row.last_seen.max(micros(saved.last_seen));
                row.end = row.end.max(saved.lease_end.map_or(0, lease_end));
            }
        }
    }

    /// Lapses of the leases that ran out by `now`, ten thousand at most: [`Self::next_due`] says
    /// whether there are more. Each is returned again until it is recorded.
    pub(crate) fn lapses(&mut self, now: Time) -> Vec<Event> {
        let mut lapses = Vec::new();
        for row in std::mem::take(&mut self.lapsing) {
            let AlertRow { state, bucket, .. } = *self.table.row(row);
            if state == EpisodeState::Firing && bucket == 0 {
                lapses.extend(self.lapse_if_due(row, now));
            }
        }
        while lapses.len() < MAX_LAPSES
            && let Some(row) = self.table.pop_due(now)
        {
            lapses.extend(self.lapse_if_due(row, now));
        }
        lapses
    }

    fn lapse_if_due(&mut self, id: RowId, now: Time) -> Option<Event> {
        let row = self.table.row(id);
        if row.due_at() > micros(now) {
            self.table.schedule(id);
        } else if row.is_firing() && !row.never_lapses() {
            let lapse = row.lapse(time(row.last_seen));
            self.lapsing.push(id);
            return Some(lapse);
        } else {
            self.remove(id);
        }
        None
    }

    /// Drops the episodes that nothing refers to any more. A lease that ran out is left to
    /// [`Self::lapses`], which only the judge calls.
    fn prune(&mut self, now: Time) {
        let mut expired = Vec::new();
        while let Some(id) = self.table.pop_due(now) {
            let row = self.table.row(id);
            if row.is_firing() && !row.never_lapses() && row.due_at() <= micros(now) {
                expired.push(id);
            } else {
                self.lapse_if_due(id, now);
            }
        }
        for id in expired {
            self.table.schedule(id);
        }
    }

    /// Time at which a lease may run out next.
    pub(crate) fn next_due(&self) -> Option<Time> {
        self.table
            .first_due()
            .map(|second| time(i64::from(second) * 1_000_000))
    }

    /// Drops what nothing refers to any more, and takes what changed since the last saving, if
    /// that is `every` ago: in parts, until it gives none.
    pub(crate) fn take_unsaved(&mut self, now: Time, every: TimeDelta) -> Option<UnsavedAlerts> {
        if self.saving.is_empty() && self.removing.is_empty() {
            if self.saved_at.is_some_and(|at| now - at < every) {
                return None;
            }
            self.saved_at = Some(now);
            self.prune(now);
            self.saving = std::mem::take(&mut self.changed);
            self.removing = std::mem::take(&mut self.ended);
        }
        let part = split_last(&mut self.saving);
        let mut unsaved = UnsavedAlerts {
            firing: Vec::new(),
            ended: split_last(&mut self.removing),
        };
        for id in part {
            let row = self.table.row_mut(id);
            let changed = row.is_changed();
            row.set_changed(false);
            if changed && row.is_firing() {
                row.set_saved(true);
                unsaved.firing.push(ActiveAlert {
                    subject: Subject::from(row.subject),
                    last_seen: time(row.last_seen),
                    lease_end: Some(time(row.end.cast_signed())),
                });
            }
        }
        // One that fires again keeps its row.
        unsaved.ended.retain(|subject| {
            let row = self.table.by_subject(subject);
            let Some(row) = row.map(|id| self.table.row_mut(id)) else {
                return true;
            };
            if row.is_firing() {
                row.set_saved(true);
            }
            !row.is_firing()
        });
        let more = !self.saving.is_empty() || !self.removing.is_empty();
        (more || unsaved != UnsavedAlerts::default()).then_some(unsaved)
    }

    /// Takes back what could not be saved.
    pub(crate) fn restore_unsaved(&mut self, unsaved: UnsavedAlerts) {
        for alert in unsaved.firing {
            if let Some(row) = self.table.by_subject(&alert.subject) {
                self.mark_changed(row);
            }
        }
        self.ended.extend(unsaved.ended);
        self.changed.append(&mut self.saving);
        self.ended.append(&mut self.removing);
    }

    fn renew_row(&mut self, id: RowId, lease: Option<Time>, now: Time) {
        let row = self.table.row_mut(id);
        if !is_late(lease, now) {
            row.last_seen = row.last_seen.max(micros(now));
        }
        if row.is_firing() {
            // It stays in its bucket, and moves on when that comes.
            row.end = row.end.max(lease_end(lease_until(lease, now)));
            self.mark_changed(id);
        }
    }

    fn mark_changed(&mut self, id: RowId) {
        let row = self.table.row_mut(id);
        if !row.is_changed() {
            row.set_changed(true);
            self.changed.push(id);
        }
    }

    /// Schedules the row of an ended alert for removal from the database.
    fn unsave(&mut self, id: RowId) {
        let row = self.table.row_mut(id);
        if row.is_saved() {
            row.set_saved(false);
            self.ended.push(Subject::from(row.subject));
        }
    }

    fn insert(&mut self, event: &Event, alert: &Alert) -> Option<RowId> {
        let labels = self.table.labels_key(&alert.labels);
        let started = micros(alert.starts_at);
        let source = self.source_number(&event.source);
        let row = AlertRow::new(labels, started, event.subject.number(), source);
        self.table.insert(row)
    }

    fn remove(&mut self, id: RowId) {
        self.unsave(id);
        self.table.remove(id);
    }
}

#[cfg(test)]
mod tests;
