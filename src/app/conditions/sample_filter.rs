//! Sample filter of an entry of `metrics:`: only series that its conditions select are stored.

use crate::config::metrics::{MetricsKind, MetricsSource};
use crate::engine::conditions::promql_subset::sample_buffer::UP;
use crate::ingest::metric_filter::MetricFilter;
use crate::model::fault::{Fault, nearest};
use crate::model::sample::Sample;
use crate::rules::promql::Selector;
use crate::rules::rule_set::ConditionRule;

/// Series selected by a set of conditions.
#[derive(Debug, Clone, Default)]
pub struct SampleFilter {
    /// Filter by metric name, applied while parsing.
    pub wanted: MetricFilter,
    selectors: Vec<Selector>,
}

impl SampleFilter {
    /// Collects the selectors of these conditions.
    #[must_use]
    pub fn from_conditions<'a>(conditions: impl Iterator<Item = &'a ConditionRule>) -> Self {
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

    /// Returns whether any condition selects the series of this sample.
    #[must_use]
    pub fn selects(&self, sample: &Sample) -> bool {
        self.selectors
            .iter()
            .any(|selector| selector.name == sample.name && selector.selects(&sample.labels))
    }

    /// Filters pushed samples: keeps the selected ones, and every [`UP`] series of a target that a
    /// selector may match, as proof that the target was scraped.
    #[must_use]
    pub fn of_pushed(&self, mut samples: Vec<Sample>) -> Vec<Sample> {
        let looked = |sample: &Sample| {
            sample.name == UP
                && self
                    .selectors
                    .iter()
                    .any(|selector| selector.may_be_about(&sample.labels))
        };
        samples.retain(|sample| self.selects(sample) || looked(sample));
        samples
    }
}

/// Validates conditions against the settings. Returns faults (unknown entry, unsupported query) and
/// warnings (query of doubtful syntax).
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
                let told = format!(
                    "this may not be valid PromQL ({doubt}); the Prometheus server decides"
                );
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
