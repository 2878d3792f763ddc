//! Watch over the database: says while it is away or left to others, and when it is back.

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
/// Interval between checks.
const INTERVAL: Duration = Duration::from_secs(1);

impl Core {
    /// Checks whether the database can be used, and takes note of the result. Blocks.
    pub(crate) fn check_database(&self) {
        match self.store.check() {
            Ok(()) if self.database_fault().is_some() => self.faults.all_over(),
            Ok(()) => {}
            Err(fault) => {
                let (context, other) = match fault {
                    StoreError::Newer { .. } | StoreError::InUse { .. } => (NOT_OURS, AWAY),
                    _ => (AWAY, NOT_OURS),
                };
                self.faults.over(other);
                let fault = anyhow::Error::new(fault);
                self.faults.report_lasting(context, &fault);
            }
        }
    }

    /// The fault of the database, while it is away or left to others.
    #[must_use]
    pub(crate) fn database_fault(&self) -> Option<OpenFault> {
        self.faults.of(AWAY).or_else(|| self.faults.of(NOT_OURS))
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
