//! How often rules were evaluated in a stretch that is long past: as the samples say, where the rules of today say something else.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use super::{AlertingRule, SeriesWindow};
use crate::model::time::Time;

/// So many steps from one evaluation to the next are needed to know how long one is.
const KNOWN_BY: usize = 4;

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
