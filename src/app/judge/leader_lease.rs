//! Replicas on one database: which of them is the judge, and what the others did meanwhile.

use std::sync::atomic::Ordering;

use chrono::TimeDelta;

use crate::app::App;
use crate::app::sync::lock;
use crate::model::id::{EventId, IncidentId};
use crate::model::time::Time;
use crate::store::incident::IncidentFilter;

/// How long the follower waits to be woken before it looks by itself.
const AT_THE_LATEST: std::time::Duration = std::time::Duration::from_secs(2);
/// Records followed at once.
const BATCH: usize = 1000;
/// How much later than promised a lapse is told where other replicas may have seen the alert and not saved that yet.
pub(crate) const OTHERS: TimeDelta = TimeDelta::seconds(15);
/// Open incidents searched for an event by a replica that is not the judge.
const SEARCHED: usize = 1000;

impl App {
    /// The epoch in which this process is the judge; `None` while another is.
    #[must_use]
    pub fn epoch(&self) -> Option<u64> {
        Some(self.office.load(Ordering::Acquire)).filter(|epoch| *epoch > 0)
    }

    /// Renews the office, or takes it when it is free. Blocks.
    ///
    /// # Errors
    /// When the store fails. The office may then be lost, which the fence finds out.
    pub fn hold_office(&self) -> anyhow::Result<()> {
        let mine = self.epoch();
        let held = self.store.hold_office(mine)?;
        if held != mine {
            match held {
                Some(epoch) => tracing::info!(epoch, "this process is the judge from now on"),
                None => tracing::warn!("another process is the judge by now"),
            }
            self.office.store(held.unwrap_or(0), Ordering::Release);
            // Wakes the judge's loop, which loads what stands, or lets go of it.
            self.progress.wake_judge();
        }
        Ok(())
    }

    /// Leaves office, if this process holds it, so that another replica takes over at once. Blocks.
    ///
    /// # Errors
    /// When the store fails; the lease then runs out.
    pub fn leave_office(&self) -> anyhow::Result<()> {
        if let Some(epoch) = self.epoch().filter(|_| self.store.is_shared()) {
            self.office.store(0, Ordering::Release);
            // A step that is under way ends first.
            *lock(&self.judge) = None;
            self.store.leave_office(epoch)?;
        }
        Ok(())
    }

    /// Waits for news of a shared database and takes note of it: how far the log and the judge are, and which alerts others were told of.
    /// Blocks.
    ///
    /// # Errors
    /// When the store fails.
    pub fn follow(&self) -> anyhow::Result<()> {
        self.store.wait_for_news(AT_THE_LATEST)?;
        let mut followed = lock(&self.followed);
        loop {
            let records = self.store.log_after(*followed, BATCH)?;
            let now = self.now();
            records
                .iter()
                .for_each(|record| self.intake.active_alerts().follow(&record.events, now));
            if let Some(last) = records.last() {
                *followed = last.position;
            }
            if records.len() < BATCH {
                break;
            }
        }
        let head = self.store.head()?;
        self.progress.follow_head(head.next - 1);
        self.progress.follow_applied(head.applied);
        Ok(())
    }

    /// Logs the leases that ran out, once. Where others receive too, what they have seen counts, and they get time to save it.
    pub(crate) fn tell_lapsed(&self, epoch: u64, now: Time) -> anyhow::Result<()> {
        let by = if self.store.is_shared() {
            now - OTHERS
        } else {
            now
        };
        let mut lapses = self.intake.active_alerts().lapses(by);
        if self.store.is_shared() && !lapses.is_empty() {
            let saved = self.store.active_alerts()?;
            let mut alerts = self.intake.active_alerts();
            alerts.merge_saved(&saved);
            lapses = alerts.lapses(by);
        }
        self.intake.commits.append_own(epoch, lapses.clone())?;
        let mut alerts = self.intake.active_alerts();
        for lapse in &lapses {
            alerts.record(lapse, None, now);
        }
        Ok(())
    }

    /// The incident that an applied event belongs to.
    pub(crate) fn find_incident_of(&self, event: &EventId) -> anyhow::Result<Option<IncidentId>> {
        if let Some(judge) = lock(&self.judge).as_ref() {
            return Ok(judge.incident_of(event));
        }
        let open = self.store.incidents(IncidentFilter {
            open_only: true,
            limit: SEARCHED,
        })?;
        let has = |members: &[crate::model::member::Member]| {
            members.iter().any(|member| member.event.id == *event)
        };
        Ok(open
            .into_iter()
            .find(|incident| has(&incident.members))
            .map(|incident| incident.id))
    }
}
