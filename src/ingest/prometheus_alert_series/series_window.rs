//! How often rules were evaluated in a stretch that is long past: as the samples say, where the rules of today say something else.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use crate::model::labels::Labels;
use crate::model::time::Time;

/// So many steps from one evaluation to the next are needed to know how long one is.
const KNOWN_BY: usize = 4;

/// A stretch of the memory.
#[derive(Debug, Clone, Default)]
pub(crate) struct SeriesWindow {
    /// Samples of `ALERTS`, by labels.
    pub alerts: Vec<(Labels, Vec<(Time, f64)>)>,
    /// Samples of `ALERTS_FOR_STATE`, by labels.
    pub active: Vec<(Labels, Vec<(Time, f64)>)>,
    /// When it looked at its targets, in order; `None`: nobody can say, and it is believed to have.
    pub looks: Option<Vec<Time>>,
    /// The beginning of the stretch.
    pub from: Time,
    /// Its end.
    pub until: Time,
    /// Whether what came after it is read next: what may turn out to go on is not over before that.
    pub read_on: bool,
}

/// What is known of an alerting rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AlertingRule {
    /// The labels that all of its alerts have: those that are no templates.
    pub labels: Labels,
    /// `for`, in seconds.
    pub hold: i64,
    /// `keep_firing_for`, in seconds.
    pub keep: i64,
    /// From one evaluation to the next.
    pub interval: TimeDelta,
}

impl SeriesWindow {
    /// The first sample in it.
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

    /// The rules with the intervals that they had in this stretch. One that was evaluated every minute and now is every 15 s would otherwise seem
    /// to have ended after each evaluation.
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
                // Where it ended and came back in between, a step is longer.
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
