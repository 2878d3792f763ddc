//! Check that a target exposes the metrics a condition queries, made when the target is first
//! scraped instead of when the condition needs them.

use super::exposition::metadata::{MetricKind, MetricMetadata};
use crate::model::fault::nearest;

/// The first problem with querying these metrics of a target, given the metadata it exposes.
/// `counters` are those of `names` in `rate` or `increase`; `sampled` are names the page has samples
/// of, which need no metadata.
#[must_use]
pub(crate) fn fault<'a>(
    names: &[&'a str],
    counters: &[&'a str],
    exposed: &[MetricMetadata],
    sampled: &[&str],
) -> Option<String> {
    // The metadata parser misses names of recording rules and quoted names.
    let plain = |name: &str| {
        name.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    for name in names
        .iter()
        .filter(|name| plain(name) && !sampled.contains(name))
    {
        if !exposed.iter().any(|metric| metric.has_sample(name)) {
            let known = exposed.iter().map(|metric| metric.name.as_str());
            let hint = nearest(name, known)
                .map(|meant| format!("; did you mean `{meant}`?"))
                .unwrap_or_default();
            return Some(format!("the target does not expose `{name}`{hint}"));
        }
    }
    let gauge = counters.iter().find(|name| {
        exposed
            .iter()
            .any(|metric| metric.kind == MetricKind::Gauge && metric.has_sample(name))
    });
    gauge.map(|name| {
        format!("`{name}` is a gauge: rate and increase would take each fall for a restart")
    })
}

#[cfg(test)]
mod tests {
    use super::fault;
    use crate::ingest::exposition::metadata::parse;

    #[test]
    fn missing_metric_and_rate_of_a_gauge_are_reported() {
        let page = "# TYPE requests_total counter\nrequests_total 1\n# TYPE queue gauge\nqueue 3\n# TYPE s histogram\ns_bucket{le=\"+Inf\"} 1\n";
        let exposed = parse(page);
        assert_eq!(
            fault(
                &["requests_total", "queue", "s_bucket"],
                &["requests_total", "s_bucket"],
                &exposed,
                &[]
            ),
            None
        );
        let message = fault(&["request_total"], &[], &exposed, &[]).unwrap_or_default();
        assert_eq!(
            message,
            "the target does not expose `request_total`; did you mean `requests_total`?"
        );
        assert!(
            fault(&["queue"], &["queue"], &exposed, &[])
                .unwrap_or_default()
                .contains("is a gauge")
        );
        assert_eq!(fault(&["job:rate5m", "odd"], &[], &exposed, &["odd"]), None);
    }
}
