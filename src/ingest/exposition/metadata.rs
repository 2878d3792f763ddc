//! Names, types and help texts of a target's metrics, for checking configured names when the target
//! is first scraped. Parsed by the `prometheus-parse` crate, whose gaps matter little here: a name it
//! misses is reported as not found, and its samples are read all the same.
//!
//! The crate misses names with `:` or in quotes, lines with `}` in a label's value, and types that
//! only OpenMetrics has: their metrics are [`MetricKind::Untyped`], one for each name of a sample. It
//! does not unescape help. It takes about 3 µs a line, two hundred times as long as
//! [`super::parse`].

use std::collections::HashMap;

use prometheus_parse::{LineInfo, SampleType};

/// The type of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// Grows except at restarts: ask for its rate.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts by upper bound, `le`.
    Histogram,
    /// Quantiles computed by the target.
    Summary,
    /// Not stated, or of another type.
    Untyped,
}

/// Metadata of one metric of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricMetadata {
    /// Name of the metric, from which the names of its samples are built; see
    /// [`MetricMetadata::has_sample`].
    pub name: String,
    /// Type of the metric.
    pub kind: MetricKind,
    /// Help text; empty if there is none.
    pub help: String,
}

impl MetricMetadata {
    /// Tests whether samples of this name belong to the metric: `x_bucket`, `x_sum` and `x_count` to
    /// a histogram `x`, `x_total` to a counter of OpenMetrics.
    #[must_use]
    pub fn has_sample(&self, sample: &str) -> bool {
        sample
            .strip_prefix(self.name.as_str())
            .is_some_and(|suffix| suffixes(self.kind).contains(&suffix))
    }
}

fn suffixes(kind: MetricKind) -> &'static [&'static str] {
    match kind {
        MetricKind::Counter => &["", "_total", "_created"],
        MetricKind::Histogram => &["_bucket", "_sum", "_count", "_created"],
        MetricKind::Summary => &["", "_sum", "_count", "_created"],
        MetricKind::Gauge | MetricKind::Untyped => &[""],
    }
}

/// Extracts the metrics of a page in its order, those without samples included.
#[must_use]
pub fn parse(page: &str) -> Vec<MetricMetadata> {
    let mut offered = Vec::new();
    let mut places = HashMap::new();
    for line in page.lines() {
        match LineInfo::parse(line) {
            LineInfo::Doc { metric_name, doc } => {
                place(&mut offered, &mut places, metric_name).help = doc.to_owned();
            }
            LineInfo::Type {
                metric_name,
                metric_alias,
                sample_type,
            } => {
                // The crate names a histogram after its buckets.
                let name = metric_alias.unwrap_or(metric_name);
                place(&mut offered, &mut places, &name).kind = match sample_type {
                    SampleType::Counter => MetricKind::Counter,
                    SampleType::Gauge => MetricKind::Gauge,
                    SampleType::Histogram => MetricKind::Histogram,
                    SampleType::Summary => MetricKind::Summary,
                    SampleType::Untyped => MetricKind::Untyped,
                };
            }
            LineInfo::Sample { metric_name, .. } => {
                let is_part = ["", "_bucket", "_sum", "_count", "_total", "_created"]
                    .iter()
                    .any(|suffix| {
                        let whole = metric_name
                            .strip_suffix(suffix)
                            .and_then(|whole| places.get(whole));
                        whole.is_some_and(|&place: &usize| offered[place].has_sample(metric_name))
                    });
                if !is_part {
                    place(&mut offered, &mut places, metric_name);
                }
            }
            LineInfo::Empty | LineInfo::Ignored => {}
        }
    }
    offered
}

/// The metric of this name, appended if it is new.
fn place<'a>(
    offered: &'a mut Vec<MetricMetadata>,
    places: &mut HashMap<String, usize>,
    name: &str,
) -> &'a mut MetricMetadata {
    let place = *places.entry(name.to_owned()).or_insert_with(|| {
        offered.push(MetricMetadata {
            name: name.to_owned(),
            kind: MetricKind::Untyped,
            help: String::new(),
        });
        offered.len() - 1
    });
    &mut offered[place]
}

#[cfg(test)]
mod tests {
    use super::{MetricKind, MetricMetadata, parse};

    const PAGE: &str = "# HELP http_seconds How long requests took.
# TYPE http_seconds histogram
http_seconds_bucket{le=\"1\"} 2
http_seconds_bucket{le=\"+Inf\"} 3
http_seconds_sum 4.5
http_seconds_count 3
# TYPE rpc_seconds summary
rpc_seconds{quantile=\"0.5\"} 1
rpc_seconds_sum 1
rpc_seconds_count 1
# TYPE jobs counter
jobs_total{queue=\"a,b\"} 7
# TYPE old_total counter
old_total 1
# TYPE queue_length gauge
# HELP queue_length Waiting jobs.
queue_length 3
queue_length_count 3
bare{a=\"b\"} 1
bare{a=\"c\"} 1
# TYPE sizes gaugehistogram
sizes_bucket{le=\"+Inf\"} 1
sizes_gcount 1
level:errors:rate5m 0.1
# EOF
";

    #[test]
    fn page_gives_names_types_and_help() {
        let found = parse(PAGE);
        let shown: Vec<(&str, MetricKind, &str)> = found
            .iter()
            .map(|offered| (&*offered.name, offered.kind, &*offered.help))
            .collect();
        assert_eq!(
            shown,
            [
                (
                    "http_seconds",
                    MetricKind::Histogram,
                    "How long requests took."
                ),
                ("rpc_seconds", MetricKind::Summary, ""),
                ("jobs", MetricKind::Counter, ""),
                ("old_total", MetricKind::Counter, ""),
                ("queue_length", MetricKind::Gauge, "Waiting jobs."),
                ("queue_length_count", MetricKind::Untyped, ""),
                ("bare", MetricKind::Untyped, ""),
                ("sizes", MetricKind::Untyped, ""),
                ("sizes_bucket", MetricKind::Untyped, ""),
                ("sizes_gcount", MetricKind::Untyped, ""),
            ]
        );
    }

    #[test]
    fn sample_belongs_to_a_metric_by_its_suffix() {
        let check = |name: &str, kind, sample: &str, has: bool| {
            let offered = MetricMetadata {
                name: name.to_owned(),
                kind,
                help: String::new(),
            };
            assert_eq!(
                offered.has_sample(sample),
                has,
                "{sample} of the {kind:?} {name}"
            );
        };
        for part in ["x_bucket", "x_sum", "x_count"] {
            check("x", MetricKind::Histogram, part, true);
            check("x", MetricKind::Gauge, part, false);
            check("xx", MetricKind::Histogram, part, false);
        }
        check("x", MetricKind::Histogram, "x", false);
        check("x", MetricKind::Summary, "x", true);
        check("x", MetricKind::Summary, "x_bucket", false);
        check("x", MetricKind::Counter, "x_total", true);
        check("x_total", MetricKind::Counter, "x_total", true);
        check("x", MetricKind::Untyped, "x_total", false);
    }
}
