//! Configuration watcher: reads the settings again when the settings file or a rule file changes.
//!
//! File contents are compared, not modification times or file system events. So an editor that
//! renames, a Kubernetes volume that swaps a symlink, a network file system, and a new file matched by
//! a glob of `rules:` are all noticed.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::background_tasks::run_step;
use super::core::Core;
use super::judge::Judge;
use super::settings::{Settings, fingerprint};
use super::sync::lock;
use crate::model::fault::Fault;

/// The context of faulty files in the faults.
const CONTEXT: &str =
    "the settings or rules changed and have faults, so the previous ones stay in force";
/// Interval between polls of the files.
const INTERVAL: Duration = Duration::from_secs(2);

/// Puts changed settings in force.
#[derive(Debug)]
pub struct ConfigWatcher {
    core: Arc<Core>,
    judge: Arc<Judge>,
    files: Mutex<Fingerprints>,
    /// Held during a reload, so that the settings logged last are those read last.
    reloading: Mutex<()>,
}

/// Fingerprints of the files.
#[derive(Debug)]
struct Fingerprints {
    /// Fingerprint when last loaded, valid or not.
    read: String,
    /// Fingerprint of the last poll.
    seen: String,
}

/// Result of a poll of the files.
#[derive(Debug, PartialEq, Eq)]
enum ConfigChange {
    /// Nothing to read.
    Unchanged,
    /// The files changed, and are in force now.
    Reloaded,
    /// The files changed and have these faults: the old settings stay in force.
    Faulty(Vec<Fault>),
}

impl ConfigWatcher {
    pub(crate) fn new(core: Arc<Core>, judge: Arc<Judge>) -> Self {
        let hash = core.settings().logged.hash.clone();
        Self {
            core,
            judge,
            files: Mutex::new(Fingerprints {
                read: hash.clone(),
                seen: hash,
            }),
            reloading: Mutex::default(),
        }
    }

    /// Reads settings and rules again and puts them in force; with faults the old ones stay. Blocks.
    ///
    /// # Errors
    /// Every fault found.
    pub fn reload(&self) -> Result<(), Vec<Fault>> {
        let _reloading = lock(&self.reloading);
        let (core, before) = (&self.core, self.core.settings());
        // Taken before reading, so that the next look notices a change in between and a fault is
        // reported once.
        if let Some(found) = fingerprint(&before) {
            lock(&self.files).read = found;
        }
        let loaded =
            Settings::load(before.file.as_deref()).and_then(|settings| before.may_become(settings));
        core.counters.reload_failed.store(loaded.is_err(), Relaxed);
        let settings = loaded.inspect_err(|faults| {
            core.counters.reload_failures.fetch_add(1, Relaxed);
            let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
            core.faults.keep(CONTEXT, &faults.join("; "));
        })?;
        core.faults.over(CONTEXT);
        core.put_in_force(settings);
        // The judge re-evaluates everything once it reads in the log that they are in force.
        if let Err(fault) = self.judge.record_settings() {
            core.faults.report(
                "the new settings are in force, but could not be logged yet",
                &fault,
            );
        }
        Ok(())
    }

    /// Reloads if the files changed and two polls in a row found the same contents: a file that is
    /// still being written differs at the second. Blocks.
    fn check(&self) -> ConfigChange {
        let Some(found) = fingerprint(&self.core.settings()) else {
            return ConfigChange::Unchanged;
        };
        let due = {
            let mut files = lock(&self.files);
            let due = files.seen == found && files.read != found;
            files.seen = found;
            due
        };
        if !due {
            return ConfigChange::Unchanged;
        }
        match self.reload() {
            Ok(()) => ConfigChange::Reloaded,
            Err(faults) => ConfigChange::Faulty(faults),
        }
    }
}

/// Watches the files for as long as the service runs.
pub(crate) async fn watch_loop(watcher: Arc<ConfigWatcher>) {
    loop {
        tokio::time::sleep(INTERVAL).await;
        let faults = &watcher.core.faults;
        let look = |watcher: &ConfigWatcher| Ok(watcher.check());
        match run_step(faults, "the settings could not be watched", &watcher, look).await {
            Some(ConfigChange::Reloaded) => {
                tracing::info!("the settings or rules changed and were reloaded");
            }
            Some(ConfigChange::Faulty(faults)) => {
                for fault in faults {
                    tracing::error!(
                        "the settings or rules changed, but the previous ones stay in force: {fault}"
                    );
                }
            }
            Some(ConfigChange::Unchanged) | None => {}
        }
    }
}
