//! Delivery: performs what is due in the outbox, in order for each destination, until it succeeds or
//! is refused.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::background_tasks::run_step;
use super::core::Core;
use super::intake::sns_verification::SnsVerifier;
use super::settings::Settings;
use super::sync::lock;
use crate::deliver::{backoff, files};
use crate::model::delivery::DeliveryAction;
use crate::model::delivery::DeliveryOutcome;
use crate::model::time::Time;
use crate::postmortem;
use crate::store::error::StoreError;

/// Most deliveries performed in one step.
const BATCH: usize = 64;
/// Longest pause between two polls of the outbox.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Performs deliveries of the outbox.
#[derive(Debug)]
pub struct DeliveryWorker {
    core: Arc<Core>,
    sns: Arc<SnsVerifier>,
    /// The last failure to write a file, by the context of its directory in the faults.
    failing: Mutex<BTreeMap<&'static str, String>>,
}

/// The contexts of the directories in the faults.
const DRAFTS: &str = "drafts cannot be written";
const INVITES: &str = "invites cannot be written";
/// Attempts after which the pause between two attempts to write a file no longer grows: a disk that is
/// freed gets its files within seconds.
const FILE_ATTEMPTS: u32 = 4;

/// The context of the directory that an action writes to.
fn directory_context(action: &DeliveryAction) -> Option<&'static str> {
    match action {
        DeliveryAction::WriteDraft { .. } | DeliveryAction::WritePicture { .. } => Some(DRAFTS),
        DeliveryAction::WriteInvite { .. } => Some(INVITES),
        DeliveryAction::Confirm { .. } => None,
    }
}

impl DeliveryWorker {
    pub(crate) fn new(core: Arc<Core>, sns: Arc<SnsVerifier>) -> Self {
        Self {
            core,
            sns,
            failing: Mutex::default(),
        }
    }

    /// Performs the deliveries that are due; gives how many there were. Blocks.
    ///
    /// # Errors
    /// When the store fails; a delivery may then be performed again, under the same key.
    pub fn step(&self) -> anyhow::Result<usize> {
        let settings = self.core.settings();
        self.check_directories(&settings);
        let due = self.core.store.claim_deliveries(self.core.now(), BATCH)?;
        let count = due.len();
        for item in due {
            let performed = self.perform(&item.delivery.action, &settings)?;
            let now = self.core.now();
            let context = directory_context(&item.delivery.action);
            match performed {
                DeliveryOutcome::Delivered => {
                    if let Some(context) = context {
                        lock(&self.failing).remove(context);
                    }
                    self.core.counters.delivered.fetch_add(1, Ordering::Relaxed);
                    self.core.store.mark_delivered(&item.key, now)?;
                }
                DeliveryOutcome::Retry(why) => {
                    self.core
                        .counters
                        .delivery_failures
                        .fetch_add(1, Ordering::Relaxed);
                    tracing::warn!(
                        key = item.key,
                        attempts = item.attempts + 1,
                        "a delivery failed and will be retried: {why}"
                    );
                    // A first failure may be an edit in the same moment.
                    if let Some(context) = context.filter(|_| item.attempts > 0) {
                        lock(&self.failing).insert(context, why.clone());
                    }
                    let attempts = match context {
                        Some(_) => (item.attempts + 1).min(FILE_ATTEMPTS),
                        None => item.attempts + 1,
                    };
                    self.core.store.reschedule_delivery(
                        &item.key,
                        now + backoff(attempts, &item.key),
                        &why,
                    )?;
                }
                DeliveryOutcome::Refused(why) => {
                    if let Some(context) = context {
                        lock(&self.failing).remove(context);
                    }
                    self.core
                        .counters
                        .delivery_failures
                        .fetch_add(1, Ordering::Relaxed);
                    tracing::error!(
                        key = item.key,
                        "a delivery failed permanently and is not retried: {why}"
                    );
                    self.core.store.mark_refused(&item.key, &why, now)?;
                }
            }
        }
        Ok(count)
    }

    /// Takes note of the directories that cannot be written, by their disk or by the last attempt.
    fn check_directories(&self, settings: &Settings) {
        for (context, directory) in directories(settings) {
            let failed = lock(&self.failing).get(context).cloned();
            let found = files::check(&directory).and_then(|()| failed.map_or(Ok(()), Err));
            self.core.faults.record(context, found);
        }
    }

    /// The directories of files by name, and true for those that can be written.
    #[must_use]
    pub(crate) fn writable_directories(&self) -> [(&'static str, bool); 2] {
        [("postmortems", DRAFTS), ("invites", INVITES)]
            .map(|(name, context)| (name, self.core.faults.of(context).is_none()))
    }

    /// Retries a refused delivery; `false` when no refused delivery has that key. Blocks.
    ///
    /// # Errors
    /// When the store fails.
    pub fn retry(&self, key: &str) -> Result<bool, StoreError> {
        let found = self
            .core
            .store
            .retry_refused_delivery(key, self.core.now())?;
        self.core.progress.wake_delivery();
        Ok(found)
    }

    /// Time at which the next delivery is due.
    ///
    /// # Errors
    /// When the store fails.
    fn next_due(&self) -> anyhow::Result<Option<Time>> {
        Ok(self.core.store.next_delivery_at()?)
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
            } => match self.core.store.plot(incident, condition)? {
                Some(drawn) => files::write(&directory, file, &drawn.svg),
                None => {
                    DeliveryOutcome::Refused(format!("{incident} has no plot of `{condition}`"))
                }
            },
            DeliveryAction::Confirm { url, .. } => self.sns.visit(url),
            DeliveryAction::WriteInvite { file, text } => files::write(
                &settings.path(&settings.config.meetings.directory),
                file,
                text,
            ),
        })
    }
}

fn directories(settings: &Settings) -> [(&'static str, PathBuf); 2] {
    let config = &settings.config;
    [
        (DRAFTS, settings.path(&config.postmortems_directory)),
        (INVITES, settings.path(&config.meetings.directory)),
    ]
}

/// Delivers for as long as the service runs.
pub(crate) async fn delivery_loop(worker: Arc<DeliveryWorker>) {
    let core = &worker.core;
    let mut applied = core.progress.applied_changes();
    loop {
        applied.mark_unchanged();
        let context = "deliveries could not be processed";
        let pause = match run_step(&core.faults, context, &worker, DeliveryWorker::step).await {
            Some(0) => {
                match run_step(&core.faults, context, &worker, DeliveryWorker::next_due).await {
                    Some(next) => core.wait_until(next).min(LONGEST_PAUSE),
                    None => LONGEST_PAUSE,
                }
            }
            Some(_) => continue,
            None => LONGEST_PAUSE,
        };
        let _ = tokio::time::timeout(pause, applied.changed()).await;
    }
}

/// Updates the draft; sections that a person has edited stay as they are.
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
