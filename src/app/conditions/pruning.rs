//! Deletion of expired samples and of the saved state of removed conditions.

use std::time::Duration;

use super::retention::{PLOT_RETENTION, lookback};
use super::task::MetricsTask;
use crate::engine::conditions::evaluator::ConditionEvaluator;
use crate::store::condition_state::{SavedState, StateOwner};

/// Deletes expired samples, and the saved state of conditions that were removed.
pub(super) async fn prune_loop(task: MetricsTask) {
    let names: Vec<String> = task
        .settings
        .policy
        .rules
        .conditions
        .iter()
        .map(|rule| rule.name.clone())
        .collect();
    if !end_removed(&task, &names).await {
        return;
    }
    let longest = task
        .settings
        .config
        .metrics
        .iter()
        .map(|metrics| lookback(&task.settings, &metrics.name))
        .max()
        .unwrap_or_default();
    loop {
        let before = task.now() - longest - PLOT_RETENTION;
        if task
            .run_blocking("old samples could not be dropped", move |monitor| {
                monitor.core.store.forget_samples(before)
            })
            .await
            .is_none()
        {
            return;
        }
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
}

/// Ends removed conditions as unknown, as they are no longer evaluated, and deletes their state.
/// `false`: this process has lost leadership.
async fn end_removed(task: &MetricsTask, names: &[String]) -> bool {
    let Some(remembered) = task
        .run_blocking(
            "the saved state of conditions could not be read",
            |monitor| monitor.core.store.saved_states(StateOwner::Conditions),
        )
        .await
    else {
        return false;
    };
    let now = task.now();
    let gone = remembered
        .into_iter()
        .filter(|one| !names.contains(&one.name));
    let (mut forgotten, mut events) = (Vec::new(), Vec::new());
    for one in gone {
        let watches: Option<ConditionEvaluator> = one
            .state
            .as_deref()
            .and_then(|state| serde_json::from_str(state).ok());
        events.extend(watches.iter().flat_map(|watches| watches.end(now)));
        forgotten.push(SavedState { state: None, ..one });
    }
    forgotten.is_empty() || task.append(StateOwner::Conditions, forgotten, events).await
}
