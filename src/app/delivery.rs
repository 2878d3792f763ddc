//! Performs what is due of the outbox, in order for each destination, until it is done.

use std::path::Path;
use std::sync::atomic::Ordering;

use super::App;
use super::settings::Settings;
use crate::deliver::{backoff, files};
use crate::model::delivery::DeliveryAction;
use crate::model::delivery::DeliveryOutcome;
use crate::model::time::Time;
use crate::postmortem;
use crate::store::error::StoreError;

/// Deliveries performed in one step at the most.
const BATCH: usize = 64;

impl App {
    /// One step of the deliverer; gives how many were due. Blocks.
    ///
    /// # Errors
    /// When the store fails; what was performed is performed again under the same key.
    pub fn deliver_step(&self) -> anyhow::Result<usize> {
        let settings = self.settings();
        let due = self.store.claim_deliveries(self.now(), BATCH)?;
        let count = due.len();
        for item in due {
            let performed = self.perform(&item.delivery.action, &settings)?;
            let now = self.now();
            match performed {
                DeliveryOutcome::Delivered => {
                    self.counters.delivered.fetch_add(1, Ordering::Relaxed);
                    self.store.delivered(&item.key, now)?;
                }
                DeliveryOutcome::Retry(why) => {
                    self.counters
                        .delivery_failures
                        .fetch_add(1, Ordering::Relaxed);
                    tracing::warn!(
                        key = item.key,
                        attempts = item.attempts + 1,
                        "a delivery has to be tried again: {why}"
                    );
                    self.store.retry(
                        &item.key,
                        now + backoff(item.attempts + 1, &item.key),
                        &why,
                    )?;
                }
                DeliveryOutcome::Refused(why) => {
                    self.counters
                        .delivery_failures
                        .fetch_add(1, Ordering::Relaxed);
                    tracing::error!(key = item.key, "a delivery cannot be made: {why}");
                    self.store.refused(&item.key, &why, now)?;
                }
            }
        }
        Ok(count)
    }

    /// Gives a refused delivery another turn; `false` when none of that key is refused. Blocks.
    ///
    /// # Errors
    /// When the store fails.
    pub fn retry_delivery(&self, key: &str) -> Result<bool, StoreError> {
        let tried = self.store.try_again(key, self.now())?;
        self.progress.wake_delivery();
        Ok(tried)
    }

    /// When the next delivery is due.
    ///
    /// # Errors
    /// When the store fails.
    pub fn next_delivery(&self) -> anyhow::Result<Option<Time>> {
        Ok(self.store.next_delivery_at()?)
    }

    fn perform(
        &self,
        action: &DeliveryAction,
        settings: &Settings,
    ) -> Result<DeliveryOutcome, StoreError> {
        let directory = settings.path(&settings.config.postmortems_directory);
        Ok(match action {
            DeliveryAction::WriteDraft {
                file, before, text, ..
            } => write_draft(&directory, file, before, text),
            DeliveryAction::WritePicture {
                file,
                incident,
                condition,
            } => match self.store.plot(incident, condition)? {
                Some(drawn) => files::write(&directory, file, &drawn.svg),
                None => DeliveryOutcome::Refused(format!(
                    "nothing is drawn of `{condition}` in {incident}"
                )),
            },
            DeliveryAction::Confirm { url, .. } => self.intake.sns.visit(url),
            DeliveryAction::WriteInvite { file, text } => files::write(
                &settings.path(&settings.config.meetings.directory),
                file,
                text,
            ),
        })
    }
}

/// Brings the file up to date; sections that somebody has touched stay as they are.
fn write_draft(directory: &Path, file: &str, before: &str, text: &str) -> DeliveryOutcome {
    match files::read(directory, file) {
        Ok(None) => files::write(directory, file, text),
        Ok(Some(current)) => files::replace(
            directory,
            file,
            Some(&current),
            &postmortem::merge::merge(before, text, &current),
        ),
        Err(fault) => DeliveryOutcome::Retry(format!(
            "{file} in {} cannot be read: {fault}",
            directory.display()
        )),
    }
}
