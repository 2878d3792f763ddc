//! Expired alert leases: logs that the end of an alert is unknown once its sender stopped renewing it.

use chrono::TimeDelta;

use crate::app::core::Core;
use crate::app::intake::Intake;
use crate::model::time::Time;

/// Extra time on a shared database, where another replica may have received a renewal and not saved
/// it yet.
const REPLICA_DELAY: TimeDelta = TimeDelta::seconds(15);

/// Logs each expired lease once. On a shared database the renewals that other replicas saved count.
pub(crate) fn log_expired(
    core: &Core,
    intake: &Intake,
    epoch: u64,
    now: Time,
) -> anyhow::Result<()> {
    let by = if core.store.is_shared() {
        now - REPLICA_DELAY
    } else {
        now
    };
    let mut expired = intake.active_alerts().lapses(by);
    if core.store.is_shared() && !expired.is_empty() {
        let saved = core.store.active_alerts()?;
        let mut alerts = intake.active_alerts();
        alerts.merge_saved(&saved);
        expired = alerts.lapses(by);
    }
    intake.commits.append_own(epoch, expired.clone())?;
    let mut alerts = intake.active_alerts();
    for lapse in &expired {
        alerts.record(lapse, None, now);
    }
    Ok(())
}
