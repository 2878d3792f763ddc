//! Reports to the service manager (`Type=notify`): <https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html>.
//!
//! Without one they do nothing.

use std::convert::Infallible;
use std::time::Duration;

use sd_notify::NotifyState;

use crate::app::App;
use crate::http;

/// Interval between looks at the progress of a start.
const INTERVAL: Duration = Duration::from_millis(500);
/// Time for which a start that goes on is granted more, in microseconds.
const GRANTED: u32 = 30_000_000;

/// Waits for a part of the start, which may take longer than the time-out of the unit.
pub(crate) async fn patient<T>(work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    loop {
        report(&[NotifyState::ExtendTimeoutUsec(GRANTED)]);
        if let Ok(done) = tokio::time::timeout(INTERVAL, work.as_mut()).await {
            return done;
        }
    }
}

/// Reports the service as started once it is ready, and the progress until then. Never ends.
pub(crate) async fn report_ready(app: &App) -> Infallible {
    while let Some(why) = http::not_ready(app).await {
        let status = format!("not ready{why}");
        report(&[
            NotifyState::ExtendTimeoutUsec(GRANTED),
            NotifyState::Status(&status),
        ]);
        tokio::time::sleep(INTERVAL).await;
    }
    report(&[NotifyState::Ready, NotifyState::Status("ready")]);
    std::future::pending().await
}

/// Reports that the service stops.
pub(crate) fn report_stopping() {
    report(&[NotifyState::Stopping, NotifyState::Status("stopping")]);
}

fn report(states: &[NotifyState<'_>]) {
    if let Err(fault) = sd_notify::notify(states) {
        tracing::warn!("the service manager cannot be told: {fault}");
    }
}
