//! Watch over the judge: says while no process judges the log.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::core::Core;
use super::fault_log::OpenFault;

/// The context of a log that is not judged in the faults.
const CONTEXT: &str = "nothing is judged";
/// Interval between looks.
const INTERVAL: Duration = Duration::from_secs(1);

impl Core {
    /// The fault of the judge, while nothing is judged.
    #[must_use]
    pub(crate) fn judge_fault(&self) -> Option<OpenFault> {
        self.faults.of(CONTEXT)
    }
}

/// Watches for as long as the service runs.
pub(crate) async fn watch_loop(core: Arc<Core>) {
    loop {
        let (head, applied) = core.progress.positions();
        let stalled = core.judge_signs.look(head, applied, Instant::now());
        core.faults.record(CONTEXT, stalled.map_or(Ok(()), Err));
        tokio::time::sleep(INTERVAL).await;
    }
}
