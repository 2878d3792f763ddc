//! Watch over the database: says while it is away, and when it is back.

use std::sync::Arc;
use std::time::Duration;

use super::core::Core;
use super::fault_log::OpenFault;
use super::sync::blocking;

/// The context of an absent database in the faults.
const CONTEXT: &str = "the database is away";
/// Interval between checks.
const INTERVAL: Duration = Duration::from_secs(1);

impl Core {
    /// Checks whether the database can be used, and takes note of the result. Blocks.
    pub(crate) fn check_database(&self) {
        match self.store.check() {
            Ok(()) if self.database_fault().is_some() => self.faults.all_over(),
            Ok(()) => {}
            Err(fault) => {
                let fault = anyhow::Error::new(fault);
                self.faults.report_lasting(CONTEXT, &fault);
            }
        }
    }

    /// The fault of the database, while it is away.
    #[must_use]
    pub(crate) fn database_fault(&self) -> Option<OpenFault> {
        self.faults.of(CONTEXT)
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
