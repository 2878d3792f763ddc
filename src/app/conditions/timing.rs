//! Evaluation instants, and waiting for them.

use std::time::Duration;

use crate::app::core::Core;
use crate::model::time::Time;

/// Last multiple of `every`, in seconds, that is not after `now`.
pub(super) fn last_instant(now: Time, every: i64) -> Time {
    Time::from_timestamp(now.timestamp().div_euclid(every) * every, 0).unwrap_or(now)
}

/// Waits until `then` by the service's clock, for one minute at most.
pub(super) async fn wait_until(core: &Core, then: Time) {
    let wait = (then - core.now()).to_std().unwrap_or_default();
    tokio::time::sleep(
        wait.min(Duration::from_secs(60))
            .max(Duration::from_millis(5)),
    )
    .await;
}
