//! Retention of samples and of the saved state of conditions.

use std::time::Duration;

use chrono::TimeDelta;

use super::task::MetricsTask;
use crate::app::settings::Settings;
use crate::engine::conditions::evaluator::ConditionEvaluator;
use crate::store::condition_state::{SavedState, StateOwner};

/// Longest look-back of the conditions on samples of an entry; older samples serve only plots.
pub(super) fn lookback(settings: &Settings, metrics: &str) -> TimeDelta {
    let asked = settings
        .policy
        .rules
        .conditions
        .iter()
        .filter(|rule| rule.metrics == metrics);
    let longest = asked
        .filter_map(|rule| Some(rule.understood.of_samples.as_ref().ok()?.looks_back()))
        .max()
        .unwrap_or(0);
    TimeDelta::seconds(longest)
}

/// Retention of samples beyond the look-back, so that incidents of several hours can be plotted.
pub(super) const PLOT_RETENTION: TimeDelta = TimeDelta::hours(6);

/// Retention of the samples of an entry.
pub(super) fn sample_retention(settings: &Settings, metrics: &str) -> TimeDelta {
    lookback(settings, metrics) + PLOT_RETENTION
}

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
        .run_blocking("what conditions remember could not be read", |monitor| {
            monitor.core.store.remembered(StateOwner::Conditions)
        })
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
