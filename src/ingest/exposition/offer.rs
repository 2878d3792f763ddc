//! What a target offers, for checking the names that somebody wrote against it when it is first seen. By the `prometheus-parse` crate,
//! whose losses matter little there: a name it does not see is answered with "not found", and the sample is read all the same.
//!
//! It does not see names with `:` or in quotes, lines with `}` in a label's value, nor types that only OpenMetrics has, whose metrics are
//! [`MetricKind::Untyped`], each sample's name for itself. It does not decode escapes in help. It takes about 3 µs a line, two hundred times
//! as long as [`super::read`].

use std::collections::HashMap;

use prometheus_parse::{LineInfo, SampleType};

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// It only grows, but for restarts: ask for its rate.
    Counter,
    /// It goes up and down.
    Gauge,
    /// Counts in buckets by upper bound, `le`.
    Histogram,
    /// Quantiles that the target worked out.
    Summary,
    /// Not said, or of a type that is none of the others.
    Untyped,
}

/// One metric of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricMetadata {
    /// Its name, of which the names of its samples are made; see [`MetricMetadata::has`].
    pub name: String,
    /// What it is.
    pub kind: MetricKind,
    /// What it means in its author's words; empty where they gave none.
    pub help: String,
}

impl MetricMetadata {
    /// Whether samples of this name belong to the metric: `x_bucket`, `x_sum` and `x_count` to a histogram `x`, `x_total` to a counter of
    /// OpenMetrics.
    #[must_use]
    pub fn has(&self, sample: &str) -> bool {
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

/// The metrics of a page, in its order. One that is described and has no samples yet is offered too.
#[must_use]
pub fn offer(page: &str) -> Vec<MetricMetadata> {
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
                // The crate calls a histogram by its buckets.
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
                        whole.is_some_and(|&place: &usize| offered[place].has(metric_name))
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

/// The metric of this name, at the end if it is new.
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
    use super::{MetricKind, MetricMetadata, offer};

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
    fn names_and_kinds() {
        let found = offer(PAGE);
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
    fn whose_sample_it_is() {
        let check = |name: &str, kind, sample: &str, has: bool| {
            let offered = MetricMetadata {
                name: name.to_owned(),
                kind,
                help: String::new(),
            };
            assert_eq!(offered.has(sample), has, "{sample} of the {kind:?} {name}");
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
