//! Watch over the database: says while it is away, cannot be written or is left to others, and when that is over.

use std::sync::Arc;
use std::time::Duration;

use super::core::Core;
use super::fault_log::OpenFault;
use super::sync::blocking;
use crate::store::error::StoreError;

/// The context of an absent database in the faults.
const AWAY: &str = "the database is unavailable";
/// The context of a database that this process must leave to others.
const NOT_OURS: &str = "this process no longer writes";
/// The context of a database that can be read and not written.
const UNWRITABLE: &str = "nothing can be stored";
/// All of them.
const CONTEXTS: [&str; 3] = [AWAY, NOT_OURS, UNWRITABLE];
/// Interval between checks.
const INTERVAL: Duration = Duration::from_secs(1);

impl Core {
    /// Checks whether the database can be used, and takes note of the result. Blocks.
    pub(crate) fn check_database(&self) {
        let checked = self
            .store
            .check()
            .and_then(|()| self.store.check_writable());
        match checked {
            Ok(()) if self.database_fault().is_some() => self.faults.all_over(),
            Ok(()) => {}
            Err(fault) => {
                let context = match fault {
                    StoreError::Newer { .. } | StoreError::InUse { .. } => NOT_OURS,
                    StoreError::Full(_) => UNWRITABLE,
                    _ => AWAY,
                };
                for other in CONTEXTS.into_iter().filter(|other| *other != context) {
                    self.faults.over(other);
                }
                let fault = anyhow::Error::new(fault);
                self.faults.report_lasting(context, &fault);
            }
        }
    }

    /// The fault of the database, while it is away, cannot be written or is left to others.
    #[must_use]
    pub(crate) fn database_fault(&self) -> Option<OpenFault> {
        CONTEXTS
            .into_iter()
            .find_map(|context| self.faults.of(context))
    }
}

/// Watches for as long as the service runs.
pub(crate) async fn watch_loop(core: Arc<Core>) {
    loop {
        let ours = Arc::clone(&core);
        // A panic is reported by whatever else uses the database.
        let _ = blocking(move || ours.check_database()).await;
        tokio::time::sleep(INTERVAL).await;
    }
}
