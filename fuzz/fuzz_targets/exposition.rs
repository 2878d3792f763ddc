//! Arbitrary bytes as pages of both formats: no panic, and a small filter gives the matching part of
//! what a full one gives.
#![no_main]

use afterword::ingest::exposition::format::Format;
use afterword::ingest::exposition::{metadata, parse};
use afterword::ingest::metric_filter::MetricFilter;
use afterword::model::sample::{Sample, is_stale};
use libfuzzer_sys::fuzz_target;

fn same(one: &Sample, other: &Sample) -> bool {
    one.name == other.name && one.labels == other.labels && one.at == other.at && one.value.to_bits() == other.value.to_bits()
}

fuzz_target!(|page: &[u8]| {
    let now = chrono::DateTime::UNIX_EPOCH;
    let filter = MetricFilter::from_names(["a", "a_total", "a_bucket", "up", "my.metric", "http_requests_total"]);
    for format in [Format::Text, Format::OpenMetrics] {
        for honor in [false, true] {
            let few = parse(page, format, &filter, now, honor);
            if let Ok(mut all) = parse(page, format, &MetricFilter::all(), now, honor) {
                all.retain(|sample| filter.matches(sample.name.as_bytes()));
                let few = few.expect("a page that is good as a whole is good in part");
                assert!(few.len() == all.len() && few.iter().zip(&all).all(|(one, other)| same(one, other)), "{few:?} {all:?}");
            } else if let Err(fault) = few {
                assert!(fault.line > 0 && fault.column > 0 && !fault.message.is_empty());
            }
            assert_eq!(parse(page, format, &MetricFilter::default(), now, honor).map_or(0, |samples| samples.len()), 0);
            let samples = parse(page, format, &MetricFilter::all(), now, honor).unwrap_or_default();
            assert!(!samples.iter().any(|sample| is_stale(sample.value) || sample.labels.len() > 64));
        }
    }
    if let Ok(page) = std::str::from_utf8(page) {
        let _ = metadata::parse(page);
    }
});
