//! What the conditions on one entry of `metrics:` ask of the samples that come from it. All others are dropped where they come in.

use crate::config::metrics::{MetricsKind, MetricsSource};
use crate::engine::conditions::promql_subset::sample_buffer::UP;
use crate::ingest::metric_filter::MetricFilter;
use crate::model::fault::{Fault, nearest};
use crate::model::sample::Sample;
use crate::rules::promql::Selector;
use crate::rules::rule_set::ConditionRule;

/// The series that are asked for.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// By the names of their metrics.
    pub wanted: MetricFilter,
    selectors: Vec<Selector>,
}

impl Asked {
    /// What these conditions ask for.
    #[must_use]
    pub fn by<'a>(conditions: impl Iterator<Item = &'a ConditionRule>) -> Self {
        let queries = conditions.filter_map(|rule| rule.understood.of_samples.as_ref().ok());
        let selectors: Vec<Selector> = queries
            .flat_map(|query| query.selectors().into_iter().cloned())
            .collect();
        Self {
            wanted: MetricFilter::from_names(
                selectors
                    .iter()
                    .map(|selector| selector.name.as_str())
                    .chain([UP]),
            ),
            selectors,
        }
    }

    /// Whether any condition asks for the series of a sample.
    #[must_use]
    pub fn takes(&self, sample: &Sample) -> bool {
        self.selectors
            .iter()
            .any(|selector| selector.name == sample.name && selector.takes(&sample.labels))
    }

    /// Of pushed samples those that are asked for, and each [`UP`] of a target that may be asked about: that somebody looked at it.
    #[must_use]
    pub fn of_pushed(&self, mut samples: Vec<Sample>) -> Vec<Sample> {
        let looked = |sample: &Sample| {
            sample.name == UP
                && self
                    .selectors
                    .iter()
                    .any(|selector| selector.may_be_about(&sample.labels))
        };
        samples.retain(|sample| self.takes(sample) || looked(sample));
        samples
    }
}

/// Conditions that cannot be evaluated with these settings, and those of whose query it is doubtful.
pub(crate) fn faults(
    conditions: &[ConditionRule],
    metrics: &[MetricsSource],
) -> (Vec<Fault>, Vec<Fault>) {
    let (mut faults, mut warnings) = (Vec::new(), Vec::new());
    for rule in conditions {
        let places = &rule.places;
        let Some(entry) = metrics.iter().find(|entry| entry.name == rule.metrics) else {
            let known = || metrics.iter().map(|entry| entry.name.as_str());
            let hint = match nearest(&rule.metrics, known()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None if metrics.is_empty() => format!(
                    "add: metrics: [{{name: {}, kind: prometheus, url: …}}]",
                    rule.metrics
                ),
                None => format!("they have: {}", known().collect::<Vec<_>>().join(", ")),
            };
            faults.push(places.metrics.fault(
                &places.file,
                format!(
                    "the settings have no `{}` under `metrics`; {hint}",
                    rule.metrics
                ),
            ));
            continue;
        };
        match (
            &entry.kind,
            &rule.understood.of_samples,
            &rule.understood.doubt,
        ) {
            (MetricsKind::Prometheus(_), _, Some(doubt)) => {
                let told = format!("this may be no PromQL ({doubt}); the server has the last word");
                warnings.push(places.query.fault(&places.file, told));
            }
            (MetricsKind::Scrape(_) | MetricsKind::RemoteWrite(_), Err(why), _) => {
                faults.push(places.query.fault(&places.file, why.clone()));
            }
            _ => {}
        }
    }
    (faults, warnings)
}
