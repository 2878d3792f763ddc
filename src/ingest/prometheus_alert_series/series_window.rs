//! Samples of a time window, and the evaluation intervals in it, which may differ from those of
//! today's rules.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use crate::model::labels::Labels;
use crate::model::time::Time;

/// Number of intervals needed to determine their length.
const KNOWN_BY: usize = 4;

/// Samples of a time window.
#[derive(Debug, Clone, Default)]
pub(crate) struct SeriesWindow {
    /// Samples of `ALERTS`, by labels.
    pub alerts: Vec<(Labels, Vec<(Time, f64)>)>,
    /// Samples of `ALERTS_FOR_STATE`, by labels.
    pub active: Vec<(Labels, Vec<(Time, f64)>)>,
    /// Times of scrapes, in order; `None` if unknown, in which case it is assumed to have scraped.
    pub looks: Option<Vec<Time>>,
    /// Start of the window.
    pub from: Time,
    /// End of the window.
    pub until: Time,
    /// Set if the next window follows: an alert that may continue is not over before that.
    pub read_on: bool,
}

/// An alerting rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AlertingRule {
    /// Labels without templates, which all its alerts have.
    pub labels: Labels,
    /// `for`, in seconds.
    pub hold: i64,
    /// `keep_firing_for`, in seconds.
    pub keep: i64,
    /// Evaluation interval.
    pub interval: TimeDelta,
}

impl SeriesWindow {
    /// Time of the first sample.
    #[must_use]
    pub(crate) fn first(&self) -> Option<Time> {
        let alerts = self
            .alerts
            .iter()
            .filter_map(|(_, points)| points.first())
            .map(|(at, _)| *at);
        alerts
            .chain(
                self.looks
                    .iter()
                    .flatten()
                    .copied()
                    .find(|look| *look > self.from),
            )
            .min()
    }

    /// The rules with their intervals in this window. Otherwise an alert evaluated every minute,
    /// whose rule is now evaluated every 15 s, would seem to end after each evaluation.
    #[must_use]
    pub(crate) fn paced(
        &self,
        rules: &BTreeMap<String, Vec<AlertingRule>>,
    ) -> BTreeMap<String, Vec<AlertingRule>> {
        let mut paced = rules.clone();
        for (name, rules) in &mut paced {
            for rule in rules {
                let own = self.alerts.iter().filter(|(labels, _)| {
                    labels.get("alertname") == Some(name)
                        && rule
                            .labels
                            .iter()
                            .all(|(name, value)| labels.get(name) == Some(value))
                });
                let mut steps: Vec<TimeDelta> = own
                    .flat_map(|(_, points)| points.windows(2))
                    .map(|pair| pair[1].0 - pair[0].0)
                    .collect();
                // Where the alert ended and came back, a step is longer.
                steps.sort_unstable();
                let step = steps.get(steps.len() / 4).copied().unwrap_or(rule.interval);
                let other = step * 2 > rule.interval * 3 || rule.interval * 2 > step * 3;
                if steps.len() >= KNOWN_BY && other {
                    rule.interval = step;
                }
            }
        }
        paced
    }
}
