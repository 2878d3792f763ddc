//! Retention of samples.

use chrono::TimeDelta;

use crate::app::settings::Settings;

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
