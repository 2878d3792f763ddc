//! Whether what somebody asks of a target is there to be had: found out when the target is first seen, not when it is needed.

use super::exposition::offer::{MetricKind, MetricMetadata};
use crate::model::fault::nearest;

/// What is wrong with asking a target that offers this for metrics of these names, of which `counters` are asked how fast they grow.
/// `read`: names of which it had samples, whatever became of its descriptions.
#[must_use]
pub(crate) fn fault<'a>(
    names: &[&'a str],
    counters: &[&'a str],
    offered: &[MetricMetadata],
    read: &[&str],
) -> Option<String> {
    // Names of recording rules and quoted ones are not among what is offered even where they are there.
    let plain = |name: &str| {
        name.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    for name in names
        .iter()
        .filter(|name| plain(name) && !read.contains(name))
    {
        if !offered.iter().any(|metric| metric.has(name)) {
            let known = offered.iter().map(|metric| metric.name.as_str());
            let hint = nearest(name, known)
                .map(|meant| format!("; did you mean `{meant}`?"))
                .unwrap_or_default();
            return Some(format!("the target does not offer `{name}`{hint}"));
        }
    }
    let gauge = counters.iter().find(|name| {
        offered
            .iter()
            .any(|metric| metric.kind == MetricKind::Gauge && metric.has(name))
    });
    gauge.map(|name| format!("`{name}` is a gauge: it goes up and down, so rate and increase would take each fall for a restart"))
}

#[cfg(test)]
mod tests {
    use super::fault;
    use crate::ingest::exposition::offer::offer;

    #[test]
    fn names_and_kinds_are_compared_with_what_is_offered() {
        let page = "# TYPE requests_total counter\nrequests_total 1\n# TYPE queue gauge\nqueue 3\n# TYPE s histogram\ns_bucket{le=\"+Inf\"} 1\n";
        let offered = offer(page);
        assert_eq!(
            fault(
                &["requests_total", "queue", "s_bucket"],
                &["requests_total", "s_bucket"],
                &offered,
                &[]
            ),
            None
        );
        let told = fault(&["request_total"], &[], &offered, &[]).unwrap_or_default();
        assert_eq!(
            told,
            "the target does not offer `request_total`; did you mean `requests_total`?"
        );
        assert!(
            fault(&["queue"], &["queue"], &offered, &[])
                .unwrap_or_default()
                .contains("is a gauge")
        );
        assert_eq!(fault(&["job:rate5m", "odd"], &[], &offered, &["odd"]), None);
    }
}
