//! Promises of senders to renew an alert, as an Alertmanager lists them. An alert that ends at the
//! very instant until which it was promised was not resolved: its sender fell silent.

use std::collections::HashMap;

use chrono::{SubsecRound, TimeDelta};

use super::row::time;
use super::table::{AlertTable, RowId};
use crate::ingest::alertmanager_api::ListedRenewal;
use crate::model::event::{EndReason, Event, Fact};
use crate::model::id::Subject;
use crate::model::time::Time;

/// Time a promise is kept after it was last listed: its end may be reported twice.
const KEPT: TimeDelta = TimeDelta::hours(1);

/// A promise to renew an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PromisedRenewal {
    /// End of the promise.
    pub(crate) until: Time,
    /// Time of the sender's last report.
    pub(crate) reported_at: Time,
}

/// The last promise for each alert, with the time it was listed.
#[derive(Debug, Default)]
pub(crate) struct PromisedRenewals(HashMap<Subject, (PromisedRenewal, Time)>);

impl PromisedRenewals {
    /// Takes in the promises listed at `now`.
    pub(crate) fn note(
        &mut self,
        promises: impl IntoIterator<Item = (Subject, PromisedRenewal)>,
        now: Time,
    ) {
        self.0.retain(|_, (_, listed)| now - *listed < KEPT);
        let promises = promises.into_iter();
        self.0
            .extend(promises.map(|(subject, promise)| (subject, (promise, now))));
    }

    /// Records the promises of the open episodes with these labels and starts.
    pub(super) fn note_listed(&mut self, listed: &[ListedRenewal], table: &AlertTable, now: Time) {
        let promise = |listed: &ListedRenewal| {
            let mut open = table.open_episodes(table.labels_key(&listed.labels));
            // Alertmanager lists times to the millisecond.
            let same = |row: &RowId| {
                let started = time(table.row(*row).started);
                started.trunc_subsecs(3) == listed.starts_at.trunc_subsecs(3)
            };
            let row = table.row(open.find(same)?);
            let promise = PromisedRenewal {
                until: listed.until,
                reported_at: listed.reported_at,
            };
            Some((Subject::from(row.subject), promise))
        };
        self.note(listed.iter().filter_map(promise), now);
    }

    /// Returns the end unchanged, unless a promise expired at that instant: the alert is then unknown
    /// since its last report.
    pub(crate) fn unless_lost(&self, mut event: Event) -> Event {
        let Some((promise, _)) = self.0.get(&event.subject) else {
            return event;
        };
        let Fact::Alert(alert) = &mut event.fact else {
            return event;
        };
        // Alertmanager lists times to the millisecond.
        let same = |at: Time| at.trunc_subsecs(3) == promise.until.trunc_subsecs(3);
        if alert.end_reason != EndReason::Recovered || !alert.ends_at.is_some_and(same) {
            return event;
        }
        let last = promise
            .reported_at
            .clamp(alert.starts_at, promise.until.max(alert.starts_at));
        alert.ends_at = Some(last);
        alert.end_reason = EndReason::SourceLost;
        event.occurred_at = last;
        event.identify();
        event
    }
}
