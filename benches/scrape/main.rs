//! Benchmark of the exposition parser: scanning a page for a few selected metrics.
//! `cargo bench --bench scrape`
//!
//! The page has the shape of a large target's: 10,000 lines of 175 bytes, 400 metrics whose names
//! share long prefixes, the lines of one together. All figures are lines per second on one core.
//!
//! - `lines`: finds line ends by `memchr` and nothing else: the floor.
//! - `ours`: twenty selected names; the argument says how many of them are on the page, each with
//!   25 lines, which become samples.
//! - `ours_openmetrics`: the same in OpenMetrics.
//! - `ours_all`: everything is selected, hence everything is read and validated.
//! - `prometheus_parse`: the crate, which has no selection.
//!
//! # Profile
//!
//! From callgrind and `perf record` on a core of 2026 that finds line ends at 6.4 ns a line. An
//! unselected line costs 11.8 ns and 226 instructions: half the time goes to its end, found by
//! `memchr`, and half to its name: eight bytes at a time to the end of the name, then a hash of
//! both ends of the name and one lookup in a sparse table. That does not grow with the number of
//! selected names. A selected line costs 600 ns: a third goes to the allocator, since every label
//! becomes two strings, a fifth to the tree of labels, the rest to parsing. So the rate falls with
//! the matches, from 85 million lines a second to 57 million with four of 400 metrics and to 25
//! million with all twenty; the crate's is half a million.

use std::fmt::Write as _;

use afterword::ingest::exposition::format::Format;
use afterword::ingest::exposition::parse;
use afterword::ingest::metric_filter::MetricFilter;
use afterword::model::time::Time;
use divan::counter::ItemsCount;
use divan::{Bencher, black_box};

/// Lines of the page, comments included.
const LINES: usize = 10_000;
/// Metrics of the page.
const METRICS: usize = 400;

fn main() {
    divan::main();
}

fn name(metric: usize) -> String {
    const SUBJECTS: [&str; 8] = [
        "request",
        "response",
        "storage",
        "etcd_request",
        "admission",
        "watch",
        "flowcontrol",
        "audit",
    ];
    const ENDS: [&str; 5] = [
        "duration_seconds_bucket",
        "duration_seconds_sum",
        "duration_seconds_count",
        "errors_total",
        "inflight",
    ];
    format!(
        "apiserver_{}_{}_{}",
        SUBJECTS[metric % 8],
        metric / 8,
        ENDS[metric % 5]
    )
}

fn page(format: Format) -> String {
    let mut page = String::new();
    for metric in 0..METRICS {
        let name = name(metric);
        writeln!(page, "# HELP {name} What number {metric} counts, in as many words as help usually has, more than most people read.")
            .expect("memory");
        writeln!(page, "# TYPE {name} gauge").expect("memory");
        for line in 2..LINES / METRICS {
            let verb = ["GET", "LIST", "PATCH", "POST", "WATCH"][line % 5];
            let labels = format!(
                "component=\"apiserver\",endpoint=\"https://10.0.{}.{line}:6443\",group=\"apps\",resource=\"deployments\",verb=\"{verb}\"",
                metric % 256
            );
            let start = page.len();
            let value = (metric * 7919 + line * 104_729) % 1_000_000;
            writeln!(page, "{name}{{{labels},le=\"0.{line}\"}} {value}").expect("memory");
            // The last label fills the line up to the length of the others.
            let missing = 175_usize.saturating_sub(page.len() - start);
            let end = start + name.len() + 1 + labels.len();
            page.insert_str(end.saturating_sub(1), &"x".repeat(missing));
        }
    }
    if format == Format::OpenMetrics {
        page.push_str("# EOF\n");
    }
    page
}

/// Twenty names, of which the page has `hits`.
fn filter(hits: usize) -> MetricFilter {
    let names: Vec<String> = (0..20)
        .map(|place| {
            if place < hits {
                name(place * 17)
            } else {
                format!("{}_of_another", name(place))
            }
        })
        .collect();
    MetricFilter::from_names(names.iter().map(String::as_str))
}

fn lines_of(page: &str) -> ItemsCount {
    ItemsCount::new(page.lines().count())
}

#[divan::bench]
fn lines(bencher: Bencher<'_, '_>) {
    let page = page(Format::Text);
    bencher.counter(lines_of(&page)).bench_local(|| {
        memchr::memchr_iter(b'\n', black_box(page.as_bytes())).fold(0, |sum, end| sum ^ end)
    });
}

fn bench(bencher: Bencher<'_, '_>, format: Format, filter: &MetricFilter) {
    let page = page(format);
    bencher.counter(lines_of(&page)).bench_local(|| {
        parse(
            black_box(page.as_bytes()),
            format,
            filter,
            Time::UNIX_EPOCH,
            true,
        )
        .expect("a good page")
        .len()
    });
}

#[divan::bench(args = [0, 1, 4, 20])]
fn ours(bencher: Bencher<'_, '_>, hits: usize) {
    bench(bencher, Format::Text, &filter(hits));
}

#[divan::bench(args = [0, 4])]
fn ours_openmetrics(bencher: Bencher<'_, '_>, hits: usize) {
    bench(bencher, Format::OpenMetrics, &filter(hits));
}

#[divan::bench(sample_count = 20)]
fn ours_all(bencher: Bencher<'_, '_>) {
    bench(bencher, Format::Text, &MetricFilter::all());
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn prometheus_parse(bencher: Bencher<'_, '_>) {
    let page = page(Format::Text);
    bencher.counter(lines_of(&page)).bench_local(|| {
        let lines = black_box(&page).lines().map(|line| Ok(line.to_owned()));
        prometheus_parse::Scrape::parse_at(lines, Time::UNIX_EPOCH)
            .map(|scrape| scrape.samples.len())
    });
}
