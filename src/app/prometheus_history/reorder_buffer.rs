//! Reorder buffer: returns events in log order, once no earlier event can arrive.

use std::collections::BTreeSet;

use super::record::HistoryRecord;
use crate::model::event::Event;
use crate::model::time::Time;

/// Buffer of records that earlier ones may still precede.
#[derive(Debug)]
pub(crate) struct ReorderBuffer {
    waiting: Vec<HistoryRecord>,
    /// Log time of the last record returned; later additions are logged no earlier.
    last: Time,
}

impl ReorderBuffer {
    /// Creates a buffer; earlier events are logged at `from`.
    pub(crate) fn from(from: Time) -> Self {
        Self {
            waiting: Vec::new(),
            last: from,
        }
    }

    /// Adds events, in any order.
    pub(crate) fn add(&mut self, events: Vec<Event>, of: Option<&BTreeSet<usize>>) {
        let record = |event: Event| HistoryRecord {
            logged_at: event.occurred_at.max(self.last),
            events: vec![event],
            of: of.cloned(),
        };
        self.waiting.extend(events.into_iter().map(record));
    }

    /// Removes and returns the records before `until`, or all of them.
    pub(crate) fn take(&mut self, until: Option<Time>) -> Vec<HistoryRecord> {
        // Ties are broken by event id, as in the engine.
        self.waiting.sort_by(|one, other| {
            let key = |record: &HistoryRecord| {
                record
                    .events
                    .first()
                    .map(|event| (event.occurred_at, event.id))
            };
            (one.logged_at, key(one), &one.of).cmp(&(other.logged_at, key(other), &other.of))
        });
        let ready = until.map_or(self.waiting.len(), |until| {
            self.waiting
                .partition_point(|record| record.logged_at < until)
        });
        let mut records: Vec<HistoryRecord> = Vec::new();
        for record in self.waiting.drain(..ready) {
            self.last = record.logged_at;
            match records
                .last_mut()
                .filter(|last| last.logged_at == record.logged_at && last.of == record.of)
            {
                Some(last) => last.events.extend(record.events),
                None => records.push(record),
            }
        }
        records
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{ReorderBuffer, Time};
    use crate::model::event::{Event, Fact, Note};

    fn at(second: i64) -> Time {
        Time::from_timestamp(1_800_000_000 + second, 0).unwrap_or_default()
    }

    fn notes(seconds: &[i64]) -> Vec<Event> {
        seconds
            .iter()
            .map(|second| {
                Event::new(
                    "prom",
                    at(*second),
                    Fact::Note(Note {
                        text: format!("{second}"),
                    }),
                )
            })
            .collect()
    }

    fn told(order: &mut ReorderBuffer, until: Option<i64>) -> Vec<(i64, usize, bool)> {
        let records = order.take(until.map(at));
        records
            .iter()
            .map(|record| {
                (
                    (record.logged_at - at(0)).num_seconds(),
                    record.events.len(),
                    record.is_for(0),
                )
            })
            .collect()
    }

    #[test]
    fn records_come_in_order_whatever_was_read_first() {
        let mut order = ReorderBuffer::from(at(0));
        order.add(notes(&[50, 10, -30]), None);
        order.add(notes(&[10, 20]), Some(&BTreeSet::from([1])));
        assert_eq!(
            told(&mut order, Some(20)),
            [(0, 1, true), (10, 1, true), (10, 1, false)]
        );
        order.add(notes(&[15, 20]), None);
        assert_eq!(
            told(&mut order, Some(50)),
            [(15, 1, true), (20, 1, true), (20, 1, false)]
        );
        // Late events are logged after the last record returned.
        order.add(notes(&[5]), None);
        assert_eq!(told(&mut order, None), [(20, 1, true), (50, 1, true)]);
        assert_eq!(told(&mut order, None), []);
    }
}
