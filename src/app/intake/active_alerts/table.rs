//! The rows of all episodes, with their indexes and the buckets of time in which they fall due.
//!
//! Made for a million open alerts: a row has 56 bytes, about 100 with its entries in the indexes.
//! It is in the bucket of the time it fell due when it was scheduled; when that comes, it moves on
//! to the bucket of the time it has by then. So a renewal moves nothing, and finding what is due
//! searches nothing. `benches/ingest` measures renewals at that size: indexes that own their keys
//! (`HashMap<LabelsKey, _>`) take twice the memory, and hashing the labels is most of the time.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher, RandomState};

use chrono::TimeDelta;
use hashbrown::HashTable;
use siphasher::sip128::SipHasher13;

use super::row::{AlertRow, EpisodeState, LabelsKey, micros};
use crate::model::event::Alert;
use crate::model::id::Subject;
use crate::model::labels::LabelSet;
use crate::model::time::Time;

/// The position of a row.
pub(crate) type RowId = u32;

/// Rows of all episodes that are open or remembered.
#[derive(Debug)]
pub(crate) struct AlertTable {
    /// Keys of the hashes, random in every process.
    keys: [u64; 2],
    rows: Vec<AlertRow>,
    free: Vec<RowId>,
    /// Rows by labels and start.
    episodes: HashTable<RowId>,
    /// Rows by labels: those that fire or lapsed. Nearly always one for the same labels.
    open: HashTable<RowId>,
    subjects: HashTable<RowId>,
    /// Rows by the second, since 1970, in which they fall due. A row is only in the bucket it
    /// names; entries elsewhere are stale.
    due: BTreeMap<u32, Vec<RowId>>,
}

impl Default for AlertTable {
    fn default() -> Self {
        Self {
            keys: [(); 2].map(|()| RandomState::new().build_hasher().finish()),
            rows: Vec::new(),
            free: Vec::new(),
            episodes: HashTable::new(),
            open: HashTable::new(),
            subjects: HashTable::new(),
            due: BTreeMap::new(),
        }
    }
}

impl AlertTable {
    pub(crate) fn row(&self, row: RowId) -> &AlertRow {
        &self.rows[row as usize]
    }

    pub(crate) fn row_mut(&mut self, row: RowId) -> &mut AlertRow {
        &mut self.rows[row as usize]
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = &AlertRow> {
        self.rows.iter()
    }

    /// Number of rows in use, and of rows allocated.
    #[cfg(test)]
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.rows.len() - self.free.len(), self.rows.len())
    }

    pub(crate) fn labels_key(&self, labels: &LabelSet) -> LabelsKey {
        self.key_of_pairs(labels.iter())
    }

    /// The key of labels sorted by name.
    pub(crate) fn key_of_pairs<'a>(
        &self,
        labels: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> LabelsKey {
        let mut text = Vec::with_capacity(512);
        for (name, value) in labels {
            text.extend_from_slice(name.as_bytes());
            // No UTF-8 has this byte.
            text.push(0xff);
            text.extend_from_slice(value.as_bytes());
            text.push(0xff);
        }
        let hash = SipHasher13::new_with_keys(self.keys[0], self.keys[1]).hash(&text);
        [hash.h1, hash.h2]
    }

    /// The row of the episode with these labels and this start.
    pub(crate) fn episode(&self, labels: LabelsKey, started: i64) -> Option<RowId> {
        let same =
            |row: &RowId| self.row(*row).labels == labels && self.row(*row).started == started;
        self.episodes
            .find(episode_hash(labels, started), same)
            .copied()
    }

    pub(crate) fn episode_of(&self, alert: &Alert) -> Option<RowId> {
        self.episode(self.labels_key(&alert.labels), micros(alert.starts_at))
    }

    /// Of the firing episodes with these labels, the one that was opened last.
    pub(crate) fn open_episode(&self, labels: &LabelSet) -> Option<RowId> {
        self.open_episodes(self.labels_key(labels))
            .max_by_key(|row| (self.row(*row).open, self.row(*row).started))
    }

    /// The firing and lapsed episodes with these labels.
    pub(crate) fn open_episodes(&self, labels: LabelsKey) -> impl Iterator<Item = RowId> {
        self.open
            .iter_hash(labels[0])
            .copied()
            .filter(move |row| self.row(*row).labels == labels)
    }

    pub(crate) fn by_subject(&self, subject: &Subject) -> Option<RowId> {
        let subject = subject.number();
        self.subjects
            .find(mixed(subject, self.keys), |row| {
                self.row(*row).subject == subject
            })
            .copied()
    }

    /// Makes this the episode of its labels that was opened last.
    pub(crate) fn open(&mut self, row: RowId) {
        let labels = self.row(row).labels;
        let others: Vec<RowId> = self.open_episodes(labels).collect();
        for other in &others {
            self.row_mut(*other).open = false;
        }
        if !others.contains(&row) {
            let rows = &self.rows;
            self.open
                .insert_unique(labels[0], row, |row| rows[*row as usize].labels[0]);
        }
        self.row_mut(row).open = true;
    }

    /// Removes this from the open episodes.
    pub(crate) fn close(&mut self, row: RowId) {
        let closed = self.row_mut(row);
        closed.open = false;
        let hash = closed.labels[0];
        if let Ok(entry) = self.open.find_entry(hash, |other| *other == row) {
            entry.remove();
        }
    }

    /// Adds a row; `None` once there are 2³² of them.
    pub(crate) fn insert(&mut self, added: AlertRow) -> Option<RowId> {
        let row = match self.free.pop() {
            Some(row) => {
                *self.row_mut(row) = added;
                row
            }
            None => {
                self.rows.push(added);
                RowId::try_from(self.rows.len() - 1).ok()?
            }
        };
        let (rows, keys) = (&self.rows, self.keys);
        let episode = |row: &RowId| {
            let row = &rows[*row as usize];
            episode_hash(row.labels, row.started)
        };
        let subject = |row: &RowId| mixed(rows[*row as usize].subject, keys);
        self.episodes.insert_unique(episode(&row), row, episode);
        self.subjects.insert_unique(subject(&row), row, subject);
        Some(row)
    }

    pub(crate) fn remove(&mut self, row: RowId) {
        self.close(row);
        let removed = *self.row(row);
        let same = |other: &RowId| *other == row;
        let entries = [
            self.episodes
                .find_entry(episode_hash(removed.labels, removed.started), same),
            self.subjects
                .find_entry(mixed(removed.subject, self.keys), same),
        ];
        for entry in entries.into_iter().flatten() {
            entry.remove();
        }
        *self.row_mut(row) = AlertRow::new(removed.labels, 0, 0, 0);
        self.free.push(row);
    }

    /// Puts a row into the bucket of the time it falls due, unless it is in an earlier one.
    pub(crate) fn schedule(&mut self, row: RowId) {
        let scheduled = self.row_mut(row);
        // The second after, so that no row is looked at too soon.
        let second = scheduled
            .due_at()
            .saturating_add(999_999)
            .div_euclid(1_000_000)
            .clamp(1, i64::from(u32::MAX));
        let second = u32::try_from(second).unwrap_or(u32::MAX);
        if scheduled.bucket == 0 || second < scheduled.bucket {
            scheduled.bucket = second;
            self.due.entry(second).or_default().push(row);
        }
    }

    /// Moves what is remembered of all rows by a step of the clock; starts stay, as they identify
    /// episodes. Gives the rows that fire.
    pub(crate) fn shift(&mut self, by: TimeDelta) -> Vec<RowId> {
        let by = by.num_microseconds().unwrap_or_default();
        self.due.clear();
        for id in 0..RowId::try_from(self.rows.len()).unwrap_or(RowId::MAX) {
            let row = self.row_mut(id);
            row.bucket = 0;
            if row.state == EpisodeState::Free {
                continue;
            }
            row.last_seen = row.last_seen.saturating_add(by);
            if row.is_firing() && !row.never_lapses() {
                let end = row.end.cast_signed().saturating_add(by);
                row.end = end.max(0).cast_unsigned();
            }
            self.schedule(id);
        }
        let rows = (0..).zip(&self.rows);
        let firing = rows.filter(|(_, row)| row.is_firing());
        firing.map(|(id, _)| id).collect()
    }

    /// Takes one row whose bucket has come by `now`. It may be due later by then.
    pub(crate) fn pop_due(&mut self, now: Time) -> Option<RowId> {
        loop {
            let mut entry = self
                .due
                .first_entry()
                .filter(|entry| i64::from(*entry.key()) <= now.timestamp())?;
            let bucket = *entry.key();
            let Some(row) = entry.get_mut().pop() else {
                entry.remove();
                continue;
            };
            if self.rows[row as usize].bucket == bucket {
                self.rows[row as usize].bucket = 0;
                return Some(row);
            }
        }
    }

    /// The second of the first bucket.
    pub(crate) fn first_due(&self) -> Option<u32> {
        self.due.first_key_value().map(|(bucket, _)| *bucket)
    }
}

fn episode_hash(labels: LabelsKey, started: i64) -> u64 {
    mixed(started.cast_unsigned(), labels)
}

/// Mixes a value that a sender may choose with keys that it does not know.
fn mixed(value: u64, keys: [u64; 2]) -> u64 {
    let product = u128::from(value ^ keys[0]) * u128::from(keys[1] | 1);
    let [low, high] = [0, 64].map(|shift| (product >> shift) & u128::from(u64::MAX));
    u64::try_from(low ^ high).unwrap_or_default()
}
