//! Helpers of the background loops: cancellation, and blocking steps whose faults are reported.

use std::sync::Arc;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::fault_log::FaultLog;
use super::sync::blocking;

/// Adds a loop that ends when `stop` is cancelled.
pub(crate) fn spawn(
    loops: &mut JoinSet<()>,
    stop: &CancellationToken,
    work: impl Future<Output = ()> + Send + 'static,
) {
    let stop = stop.clone();
    loops.spawn(async move {
        stop.run_until_cancelled(work).await;
    });
}

/// Runs one blocking step of a loop; reports its fault and gives `None`.
pub(crate) async fn run_step<C: Send + Sync + 'static, T: Send + 'static>(
    faults: &FaultLog,
    context: &str,
    component: &Arc<C>,
    step: fn(&C) -> anyhow::Result<T>,
) -> Option<T> {
    let component = Arc::clone(component);
    let done = blocking(move || step(&component)).await.flatten();
    match done {
        Ok(done) => {
            faults.over(context);
            Some(done)
        }
        Err(fault) => {
            faults.report_lasting(context, &fault);
            None
        }
    }
}
