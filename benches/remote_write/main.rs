//! Benchmark of the Prometheus remote-write receiver. `cargo bench --bench remote_write`
//!
//! A request is 2,000 samples as a Prometheus sends them: one per series, ten labels beside the
//! name, 690 kB that snappy compresses to 146 kB.
//!
//! - `memory`, the first lines: bytes retained after a request is read. They grow with the selected
//!   series, not with those received.
//! - `one_in_a_thousand`: two of the series are selected, by a set of 50 names. The target is
//!   500,000 samples a second.
//! - `all`: every series is selected and becomes a sample with labels of its own.
//! - `all_by_prost`: everything is decoded before the selection, as a straightforward receiver
//!   does.
//! - `unpacked_only`, `unpacked_into_kept_memory`: the snappy part of every row.
//!
//! Each row is one thread, in samples of the request a second; compare `median`. Memory is counted
//! throughout, which slows allocating rows only: `all` and `all_by_prost` are a tenth faster
//! without.
//!
//! # Profile
//!
//! In 2026 a request with one selected series in a thousand takes 260 µs (7.7 million samples a
//! second), with prost 1.6 ms (1.2 million). Two fifths of that, 105 µs, are snappy; reused memory
//! for it would save 4 µs. By callgrind, two fifths of the instructions of `read` are snappy with
//! the zeroing of its memory, a third walks the fields of all series (twelve each, the next found
//! by the length of the last), a fifth looks up the name among the labels and in the set, a
//! fifteenth compares names. Decoding the two series does not show. Further gains are in snappy
//! itself, and in a set that needs no comparison.

use std::alloc::System;

use afterword::ingest::metric_filter::MetricFilter;
use afterword::ingest::remote_write::{ReceivedSamples, read};
use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use prost::Message;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static MEMORY: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Series of a request.
const OFFERED: usize = 2_000;
/// Those of one metric: one in a thousand.
const OF_ONE: usize = 2;
/// More than any request is.
const LIMIT: usize = 64 << 20;

fn main() {
    memory();
    divan::main();
}

/// What a request holds on to once it is read, and how much it held at most.
#[expect(clippy::print_stdout, reason = "a benchmark tells its figures")]
fn memory() {
    for (offered, asked) in [(OFFERED, 1), (10 * OFFERED, 1), (OFFERED, 10)] {
        let (body, wanted) = (body(offered), wanted(asked));
        let region = Region::new(MEMORY);
        let written = taken(&body, &wanted);
        let change = region.change();
        let held = change.bytes_allocated - change.bytes_deallocated;
        println!(
            "memory: {} of {offered} samples asked for: {held} bytes stay, {} are allocated while reading; the body has {}",
            written.samples.len(),
            change.bytes_allocated,
            body.len()
        );
    }
    let body = body(OFFERED);
    let region = Region::new(MEMORY);
    let request = decoded(&body);
    let change = region.change();
    let held = change.bytes_allocated - change.bytes_deallocated;
    println!(
        "memory: all {} decoded by prost: {held} bytes stay",
        request.timeseries.len()
    );
}

#[divan::bench]
fn one_in_a_thousand(bencher: Bencher<'_, '_>) {
    let (body, wanted) = (body(OFFERED), wanted(1));
    bencher
        .counter(ItemsCount::new(OFFERED))
        .bench_local(|| taken(black_box(&body), &wanted));
}

#[divan::bench]
fn all(bencher: Bencher<'_, '_>) {
    let (body, wanted) = (body(OFFERED), MetricFilter::all());
    bencher
        .counter(ItemsCount::new(OFFERED))
        .bench_local(|| taken(black_box(&body), &wanted));
}

/// What a straightforward receiver does first, before it looks for what is asked for.
#[divan::bench]
fn all_by_prost(bencher: Bencher<'_, '_>) {
    let body = body(OFFERED);
    bencher
        .counter(ItemsCount::new(OFFERED))
        .bench_local(|| decoded(black_box(&body)));
}

/// The part of every row that is only snappy.
#[divan::bench]
fn unpacked_only(bencher: Bencher<'_, '_>) {
    let body = body(OFFERED);
    bencher
        .counter(ItemsCount::new(OFFERED))
        .bench_local(|| unpacked(black_box(&body)));
}

/// The same into memory that is kept, which `read` does not do.
#[divan::bench]
fn unpacked_into_kept_memory(bencher: Bencher<'_, '_>) {
    let body = body(OFFERED);
    let mut kept = unpacked(&body);
    bencher
        .counter(ItemsCount::new(OFFERED))
        .bench_local(|| snap::raw::Decoder::new().decompress(black_box(&body), &mut kept));
}

#[expect(clippy::unwrap_used, reason = "a panic is how a benchmark fails")]
fn taken(body: &[u8], wanted: &MetricFilter) -> ReceivedSamples {
    read(body, wanted, LIMIT).unwrap()
}

#[expect(clippy::unwrap_used, reason = "a panic is how a benchmark fails")]
fn unpacked(body: &[u8]) -> Vec<u8> {
    snap::raw::Decoder::new().decompress_vec(body).unwrap()
}

#[expect(clippy::unwrap_used, reason = "a panic is how a benchmark fails")]
fn decoded(body: &[u8]) -> WriteRequest {
    WriteRequest::decode(&*unpacked(body)).unwrap()
}

/// 50 names, `present` of which are in a request.
fn wanted(present: usize) -> MetricFilter {
    let names: Vec<_> = (0..50)
        .map(|number| {
            if number < present {
                metric(number)
            } else {
                format!("checkout_{number}_seconds")
            }
        })
        .collect();
    MetricFilter::from_names(names.iter().map(String::as_str))
}

fn metric(number: usize) -> String {
    const NAMES: [&str; 8] = [
        "container_network_transmit_packets_total",
        "container_memory_working_set_bytes",
        "http_request_duration_seconds_bucket",
        "kube_pod_container_status_restarts_total",
        "node_filesystem_avail_bytes",
        "go_gc_duration_seconds",
        "process_open_fds",
        "grpc_server_handled_total",
    ];
    format!("{}_{number}", NAMES[number % NAMES.len()])
}

/// A request of so many samples, in snappy.
#[expect(clippy::unwrap_used, reason = "a panic is how a benchmark fails")]
fn body(offered: usize) -> Vec<u8> {
    let series = |number: usize| {
        let pairs = [
            ("__name__", metric(number / OF_ONE)),
            ("cluster", "eu-west-1-production".to_owned()),
            (
                "container",
                ["checkout", "payments", "search", "istio-proxy"][number % 4].to_owned(),
            ),
            ("endpoint", "https-metrics".to_owned()),
            (
                "instance",
                format!("10.{}.{}.{}:10250", number % 7, number % 31, number % 251),
            ),
            ("job", "kubelet".to_owned()),
            ("le", format!("0.{:03}", number % 997)),
            (
                "namespace",
                ["shop", "monitoring", "kube-system"][number % 3].to_owned(),
            ),
            (
                "node",
                format!(
                    "ip-10-{}-{}-{}.eu-west-1.compute.internal",
                    number % 7,
                    number % 31,
                    number % 251
                ),
            ),
            (
                "pod",
                format!(
                    "checkout-{:08x}-{:05x}",
                    number.wrapping_mul(2_654_435_761) & 0xffff_ffff,
                    number * 7919 % 0xf_ffff
                ),
            ),
            ("replica", "prometheus-0".to_owned()),
        ];
        let labels = pairs
            .map(|(name, value)| Label {
                name: name.to_owned(),
                value,
            })
            .into();
        let sample = Point {
            value: number as f64 * 1.618,
            timestamp: 1_790_000_000_000 + number as i64 % 15_000,
        };
        TimeSeries {
            labels,
            samples: vec![sample],
        }
    };
    let request = WriteRequest {
        timeseries: (0..offered).map(series).collect(),
    };
    snap::raw::Encoder::new()
        .compress_vec(&request.encode_to_vec())
        .unwrap()
}

#[derive(Clone, PartialEq, Message)]
struct WriteRequest {
    #[prost(message, repeated, tag = "1")]
    timeseries: Vec<TimeSeries>,
}

#[derive(Clone, PartialEq, Message)]
struct TimeSeries {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<Label>,
    #[prost(message, repeated, tag = "2")]
    samples: Vec<Point>,
}

#[derive(Clone, PartialEq, Message)]
struct Label {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, Message)]
struct Point {
    #[prost(double, tag = "1")]
    value: f64,
    #[prost(int64, tag = "2")]
    timestamp: i64,
}
