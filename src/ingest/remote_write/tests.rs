//! Results of made and captured requests.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::fmt::Write;

use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, proptest};
use prost::Message;

use super::{Label, Point, ReceivedSamples, RemoteWriteFault, TimeSeries, read, spoken};
use crate::ingest::metric_filter::MetricFilter;
use crate::model::sample::{STALE, Sample, is_stale};

/// The first request of a Prometheus 2.42 that scrapes a page with a zero, a not-a-number and an infinity on it.
const CAPTURED: &[u8] =
    include_bytes!("../../../tests/it/payloads/prometheus/lab_remote_write_first.snappy.bin");

const LIMIT: usize = 1 << 20;

/// A whole `prometheus.TimeSeries`; the reader has only the part that it decodes.
#[derive(Clone, PartialEq, Message)]
struct Series {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<Label>,
    #[prost(message, repeated, tag = "2")]
    samples: Vec<Point>,
    /// Of exemplars and histograms any bytes will do.
    #[prost(bytes, repeated, tag = "3")]
    exemplars: Vec<Vec<u8>>,
    #[prost(bytes, repeated, tag = "4")]
    histograms: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct WriteRequest {
    #[prost(message, repeated, tag = "1")]
    timeseries: Vec<Series>,
    #[prost(bytes, repeated, tag = "3")]
    metadata: Vec<Vec<u8>>,
    #[prost(string, tag = "7")]
    not_known: String,
}

/// A series of these labels, as `name=value`, and samples.
fn series(labels: &[&str], samples: &[(f64, i64)]) -> Series {
    let label = |text: &&str| {
        let (name, value) = text.split_once('=').unwrap();
        Label {
            name: name.to_owned(),
            value: value.to_owned(),
        }
    };
    let samples = samples
        .iter()
        .map(|&(value, timestamp)| Point { value, timestamp })
        .collect();
    Series {
        labels: labels.iter().map(label).collect(),
        samples,
        ..Series::default()
    }
}

fn request(timeseries: &[Series]) -> Vec<u8> {
    WriteRequest {
        timeseries: timeseries.to_vec(),
        ..WriteRequest::default()
    }
    .encode_to_vec()
}

fn packed(request: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(request).unwrap()
}

fn all(timeseries: &[Series]) -> ReceivedSamples {
    read(&packed(&request(timeseries)), &MetricFilter::all(), LIMIT).unwrap()
}

fn fault(request: &[u8]) -> RemoteWriteFault {
    read(&packed(request), &MetricFilter::all(), LIMIT).unwrap_err()
}

/// A reading as a person would tell it. Not-a-numbers by their bits, so that they are equal to themselves.
fn told(written: &ReceivedSamples) -> String {
    let mut text = samples_told(&written.samples);
    let ReceivedSamples {
        seen,
        left_out,
        histograms,
        faulty,
        faults,
        ..
    } = written;
    writeln!(
        text,
        "seen {seen}, left out {left_out}, histograms {histograms}, faulty {faulty}"
    )
    .unwrap();
    for fault in faults {
        writeln!(text, "{fault}").unwrap();
    }
    text
}

fn samples_told<'a>(samples: impl IntoIterator<Item = &'a Sample>) -> String {
    let mut text = String::new();
    for Sample {
        name,
        labels,
        at,
        value,
    } in samples
    {
        let labels: Vec<_> = labels
            .iter()
            .map(|(name, value)| format!("{name}={value:?}"))
            .collect();
        let value = match value {
            value if is_stale(*value) => "stale".to_owned(),
            value if value.is_nan() => format!("NaN {:x}", value.to_bits()),
            value => value.to_string(),
        };
        writeln!(
            text,
            "{name}{{{}}} {value} @{}",
            labels.join(","),
            at.timestamp_millis()
        )
        .unwrap();
    }
    text
}

#[test]
fn a_captured_request_is_read() {
    insta::assert_snapshot!(told(&read(CAPTURED, &MetricFilter::all(), LIMIT).unwrap()), @r#"
lab_up{cluster="lab",instance="127.0.0.1:5902",job="lab",replica="a",svc="checkout"} 1 @1795417374926
lab_nan{cluster="lab",instance="127.0.0.1:5902",job="lab",replica="a"} NaN 7ff8000000000001 @1795417374926
lab_inf{cluster="lab",instance="127.0.0.1:5902",job="lab",replica="a"} inf @1795417374926
lab_requests_total{cluster="lab",code="200",instance="127.0.0.1:5902",job="lab",path="C:\\x\"y\nz",replica="a"} 46.533 @1795417374926
lab_gap{cluster="lab",instance="127.0.0.1:5902",job="lab",replica="a"} 1 @1795417374926
up{cluster="lab",instance="127.0.0.1:5902",job="lab",replica="a"} 1 @1795417374926
scrape_duration_seconds{cluster="lab",instance="127.0.0.1:5902",job="lab",replica="a"} 0.001894675 @1795417374926
scrape_samples_scraped{cluster="lab",instance="127.0.0.1:5902",job="lab",replica="a"} 5 @1795417374926
scrape_samples_post_metric_relabeling{cluster="lab",instance="127.0.0.1:5902",job="lab",replica="a"} 5 @1795417374926
scrape_series_added{cluster="lab",instance="127.0.0.1:5902",job="lab",replica="a"} 5 @1795417374926
seen 10, left out 0, histograms 0, faulty 0
"#);
    insta::assert_snapshot!(told(&read(CAPTURED, &MetricFilter::from_names(["lab_nan", "up"]), LIMIT).unwrap()), @r#"
lab_nan{cluster="lab",instance="127.0.0.1:5902",job="lab",replica="a"} NaN 7ff8000000000001 @1795417374926
up{cluster="lab",instance="127.0.0.1:5902",job="lab",replica="a"} 1 @1795417374926
seen 10, left out 8, histograms 0, faulty 0
"#);
}

#[test]
fn values_keep_their_bits_and_what_is_absent_is_zero() {
    let samples = [
        (f64::from_bits(STALE), 1),
        (f64::NAN, 2),
        (-0.5, 3),
        (f64::NEG_INFINITY, 4),
        (0.0, 5),
        (7.5, 0),
        (1.0, -6),
    ];
    let written = all(&[series(&["__name__=up"], &samples)]);
    let bits = |values: &mut dyn Iterator<Item = f64>| values.map(f64::to_bits).collect::<Vec<_>>();
    assert_eq!(
        bits(&mut written.samples.iter().map(|sample| sample.value)),
        bits(&mut samples.iter().map(|sample| sample.0))
    );
    let times: Vec<_> = written
        .samples
        .iter()
        .map(|sample| sample.at.timestamp_millis())
        .collect();
    assert_eq!(times, [1, 2, 3, 4, 5, 0, -6]);
    assert_eq!(
        written
            .samples
            .iter()
            .filter(|sample| is_stale(sample.value))
            .count(),
        1
    );
}

#[test]
fn labels_come_in_any_order_and_are_none_without_a_value() {
    let written = all(&[series(
        &["z=1", "empty=", "__name__=up", "a=ü"],
        &[(1.0, 1), (2.0, 2)],
    )]);
    insta::assert_snapshot!(told(&written), @r#"
up{a="ü",z="1"} 1 @1
up{a="ü",z="1"} 2 @2
seen 2, left out 0, histograms 0, faulty 0
"#);
}

#[test]
fn exemplars_histograms_and_metadata_are_skipped() {
    let exemplar = Series {
        exemplars: vec![b"\x11".to_vec()],
        ..series(&["__name__=up"], &[])
    };
    let histogram = Series {
        histograms: vec![b"\xff".to_vec(); 2],
        ..series(&["__name__=latency"], &[])
    };
    let both = Series {
        histograms: vec![b"\xff".to_vec()],
        ..series(&["__name__=both"], &[(1.0, 1)])
    };
    let request = WriteRequest {
        timeseries: vec![
            exemplar,
            histogram,
            both,
            series(&["__name__=other"], &[(1.0, 1); 3]),
        ],
        metadata: vec![b"\xff".to_vec()],
        not_known: "x".to_owned(),
    };
    let body = packed(&request.encode_to_vec());
    insta::assert_snapshot!(told(&read(&body, &MetricFilter::from_names(["up", "latency", "both"]), LIMIT).unwrap()), @r"
both{} 1 @1
seen 4, left out 3, histograms 2, faulty 0
");
    let metadata = WriteRequest {
        metadata: vec![b"\x0a\x02up".to_vec()],
        ..WriteRequest::default()
    };
    assert_eq!(
        read(
            &packed(&metadata.encode_to_vec()),
            &MetricFilter::all(),
            LIMIT
        )
        .unwrap(),
        ReceivedSamples::default()
    );
    assert_eq!(all(&[]), ReceivedSamples::default());
}

#[test]
fn a_series_that_cannot_be_read_costs_the_others_nothing() {
    let raw = |label: &[u8], rest: &[u8]| {
        let label = [&[0x0a, u8::try_from(label.len()).unwrap()], label].concat();
        let series = [
            b"\x0a\x0e\x0a\x08__name__\x12\x02up".as_slice(),
            &label,
            rest,
        ]
        .concat();
        [&[0x0a, u8::try_from(series.len()).unwrap()], &series[..]].concat()
    };
    let request = [
        request(&[
            series(&["__name__=up"], &[(1.0, 1)]),
            series(&["job=a"], &[(1.0, 1)]),
            series(&["__name__=", "job=a"], &[(1.0, 1)]),
            series(&["__name__=up", "job=a", "job=b"], &[(1.0, 1)]),
            series(&["__name__=up", "=a"], &[(1.0, 1)]),
            series(&["__name__=up"], &[(1.0, 1), (1.0, i64::MAX)]),
        ]),
        raw(b"\x0a\x02\xff\xfe\x12\x01x", b""),
        raw(b"\x0a\x09", b""),
        raw(b"", b"\x10\x01"),
        request(&[series(&[], &[]), series(&["__name__=down"], &[(2.0, 2)])]),
    ]
    .concat();
    insta::assert_snapshot!(told(&read(&packed(&request), &MetricFilter::all(), LIMIT).unwrap()), @r#"
up{} 1 @1
down{} 2 @2
seen 9, left out 0, histograms 0, faulty 9
timeseries[1]: it has no name: the label __name__ is missing or empty
timeseries[2]: it has no name: the label __name__ is missing or empty
timeseries[3]: the label "job" appears twice
timeseries[4]: a label has no name
timeseries[5]: the timestamp of a sample is further away than 260,000 years; it is in milliseconds since 1970
timeseries[6]: failed to decode Protobuf message: Label.name: TimeSeries.labels: invalid string value: data is not UTF-8 encoded
timeseries[7]: failed to decode Protobuf message: Label.name: TimeSeries.labels: buffer underflow
timeseries[8]: failed to decode Protobuf message: TimeSeries.samples: invalid wire type: Varint (expected LengthDelimited)
"#);
    // A series without a name matches no filter.
    insta::assert_snapshot!(told(&read(&packed(&request), &MetricFilter::from_names(["up"]), LIMIT).unwrap()), @r#"
up{} 1 @1
seen 9, left out 4, histograms 0, faulty 6
timeseries[3]: the label "job" appears twice
timeseries[4]: a label has no name
timeseries[5]: the timestamp of a sample is further away than 260,000 years; it is in milliseconds since 1970
timeseries[6]: failed to decode Protobuf message: Label.name: TimeSeries.labels: invalid string value: data is not UTF-8 encoded
timeseries[7]: failed to decode Protobuf message: Label.name: TimeSeries.labels: buffer underflow
timeseries[8]: failed to decode Protobuf message: TimeSeries.samples: invalid wire type: Varint (expected LengthDelimited)
"#);
}

#[test]
fn what_is_no_request_is_refused_with_the_place() {
    let check = |request: &[u8], wanted: &str| {
        assert_eq!(
            fault(request).to_string().split(" Send").next(),
            Some(wanted)
        );
    };
    check(
        b"\x0a\x05\x0a\x03\x0a\x01",
        "byte 2 of the unpacked request: expected as many bytes as the field's length says.",
    );
    check(
        b"\x0a\x02\x0a\x03",
        "byte 4 of the unpacked request: expected as many bytes as the field's length says.",
    );
    check(
        b"\x0a\x00\x08\x01",
        "byte 2 of the unpacked request: expected a series (field 1 of wire type 2).",
    );
    check(
        b"<html>",
        "byte 0 of the unpacked request: expected a field of wire type 0, 1, 2, 3 or 5.",
    );
    check(
        &[0; 9],
        "byte 0 of the unpacked request: expected a field with a number from 1 to 536870911.",
    );
    for body in [
        &b""[..],
        b"{}",
        &request(&[series(&["__name__=up"], &[(1.0, 1)])]),
        b"\xff\x06\x00\x00sNaPpY",
    ] {
        let fault = read(body, &MetricFilter::all(), LIMIT).unwrap_err();
        assert!(
            matches!(fault, RemoteWriteFault::NotSnappy { .. }),
            "{body:x?}: {fault}"
        );
    }
}

#[test]
fn a_request_cut_short_anywhere_is_refused_or_holds_less() {
    let whole = read(CAPTURED, &MetricFilter::all(), LIMIT).unwrap();
    let request = super::unpacked(CAPTURED, LIMIT).unwrap();
    for length in 0..CAPTURED.len() {
        assert!(
            matches!(
                read(&CAPTURED[..length], &MetricFilter::all(), LIMIT),
                Err(RemoteWriteFault::NotSnappy { .. })
            ),
            "{length}"
        );
    }
    for length in 0..request.len() {
        match read(&packed(&request[..length]), &MetricFilter::all(), LIMIT) {
            Ok(written) => {
                assert!(written.faults.is_empty() && written.samples.len() < whole.samples.len());
                assert!(samples_told(&whole.samples).starts_with(&samples_told(&written.samples)));
            }
            Err(RemoteWriteFault::Malformed { at, .. }) => assert!(at <= length),
            Err(other) => panic!("{length}: {other}"),
        }
    }
}

#[test]
fn decompression_bombs_are_refused() {
    let check = |body: &[u8], wanted: &str| {
        assert_eq!(
            read(body, &MetricFilter::all(), LIMIT)
                .unwrap_err()
                .to_string()
                .split('.')
                .next(),
            Some(wanted)
        );
    };
    // Headers that say 4 GiB, 4 GiB less one, and one more than is taken.
    check(
        b"\x80\x80\x80\x80\x10",
        "4294967296 bytes when decompressed; at most 1048576 are accepted",
    );
    check(
        b"\xff\xff\xff\xff\x0f",
        "4294967295 bytes when decompressed; at most 1048576 are accepted",
    );
    check(
        &packed(&vec![0; LIMIT + 1]),
        "1048577 bytes when decompressed; at most 1048576 are accepted",
    );
    check(
        b"\x80\x80\x40\x00",
        "not snappy in its block format: 4 bytes cannot decompress to the 1048576 bytes that the header states",
    );
    // What packs best is less than what a header is believed.
    assert!(matches!(
        read(&packed(&vec![0; LIMIT]), &MetricFilter::all(), LIMIT),
        Err(RemoteWriteFault::Malformed { at: 0, .. })
    ));
    // Small in the request, large when decoded: one long label for many samples, labels without content, series without content.
    let most = "its samples with their labels take more than 8388608 bytes of memory";
    let long = format!("long={}", "x".repeat(100_000));
    check(
        &packed(&request(&[series(
            &["__name__=up", &long],
            &[(0.0, 0); 1000],
        )])),
        most,
    );
    check(
        &packed(&request(&[Series {
            labels: vec![Label::default(); LIMIT / 3],
            ..series(&["__name__=up"], &[(1.0, 1)])
        }])),
        most,
    );
    check(&packed(&b"\x0a\x00".repeat(LIMIT / 2)), most);
    // No filter matches, so nothing is decoded.
    assert_eq!(
        read(
            &packed(&b"\x0a\x00".repeat(LIMIT / 2)),
            &MetricFilter::from_names(["up"]),
            LIMIT
        )
        .unwrap()
        .left_out,
        LIMIT as u64 / 2
    );
    let faulty = read(
        &packed(&b"\x0a\x00".repeat(50_000)),
        &MetricFilter::all(),
        LIMIT,
    )
    .unwrap();
    assert_eq!((faulty.faulty, faulty.faults.len()), (50_000, 8));
}

#[test]
fn a_request_as_large_as_is_taken_may_be_asked_for_whole() {
    // What grows most: samples without content, and no label but a short name, or none but short ones.
    for labels in [
        &["__name__=x"][..],
        &[
            "__name__=x",
            "a=1",
            "b=1",
            "c=1",
            "d=1",
            "e=1",
            "f=1",
            "g=1",
            "h=1",
        ],
    ] {
        let smallest = series(labels, &[(0.0, 0)]);
        let count = LIMIT / request(std::slice::from_ref(&smallest)).len();
        assert_eq!(all(&vec![smallest; count]).samples.len(), count);
    }
}

#[test]
fn only_remote_write_1_0_is_spoken() {
    let check = |content_type: Option<&str>, encoding: Option<&str>, wanted: Option<&str>| {
        assert_eq!(
            spoken(content_type, encoding)
                .err()
                .map(|error| error.to_string())
                .as_deref(),
            wanted,
            "{content_type:?}, {encoding:?}"
        );
    };
    let (plain, snappy) = (Some("application/x-protobuf"), Some("snappy"));
    check(plain, snappy, None);
    check(
        Some("application/x-protobuf;proto=prometheus.WriteRequest"),
        snappy,
        None,
    );
    check(
        Some("Application/X-Protobuf ; charset=utf-8; Proto=\"prometheus.WriteRequest\""),
        Some(" Snappy"),
        None,
    );
    let other = |found: &str| {
        format!(
            "Content-Type: {found} is not supported; send remote write 1.0: application/x-protobuf;proto=prometheus.WriteRequest"
        )
    };
    for found in [
        "application/x-protobuf;proto=io.prometheus.write.v2.Request",
        "application/json",
        "application/x-protobuf2",
        "",
    ] {
        check(Some(found), snappy, Some(&other(found)));
    }
    check(None, snappy, Some(&other("nothing")));
    check(
        plain,
        Some("zstd"),
        Some("Content-Encoding: zstd is not supported; send remote write 1.0: snappy"),
    );
    check(
        plain,
        None,
        Some("Content-Encoding: nothing is not supported; send remote write 1.0: snappy"),
    );
}

/// Series of few names, so that some are asked for, with all that a sender may do.
fn any_series() -> impl Strategy<Value = Series> {
    let label = ("[a-c_]{0,2}|__name__", "up|down|[a-zü]{0,3}")
        .prop_map(|(name, value)| Label { name, value });
    let point =
        (any::<u64>(), any::<i64>(), any::<bool>()).prop_map(|(bits, timestamp, is_far)| {
            let timestamp = if is_far {
                timestamp
            } else {
                timestamp % 4_000_000_000_000
            };
            Point {
                value: f64::from_bits(bits),
                timestamp,
            }
        });
    let bytes = || proptest::collection::vec(any::<Vec<u8>>(), 0..2);
    let parts = (
        proptest::collection::vec(label, 0..4),
        proptest::collection::vec(point, 0..4),
        bytes(),
        bytes(),
        any::<Option<bool>>(),
    );
    parts.prop_map(|(mut labels, samples, exemplars, histograms, up)| {
        if let Some(up) = up {
            labels.push(Label {
                name: "__name__".to_owned(),
                value: if up { "up" } else { "down" }.to_owned(),
            });
        }
        Series {
            labels,
            samples,
            exemplars,
            histograms,
        }
    })
}

/// A good series, as Prometheus itself sends it: labels in order, none empty, none twice.
fn good_series() -> impl Strategy<Value = Series> {
    let labels = proptest::collection::btree_map("[a-zA-Z]{1,5}", "\\PC{1,9}", 0..12);
    let points = proptest::collection::vec(
        (any::<u64>(), -8_000_000_000_000_i64..8_000_000_000_000),
        1..4,
    );
    (labels, "up|down|\\PC{1,9}", points).prop_map(|(mut labels, name, points)| {
        labels.insert("__name__".to_owned(), name);
        let labels = labels
            .into_iter()
            .map(|(name, value)| Label { name, value })
            .collect();
        let samples = points
            .into_iter()
            .map(|(bits, timestamp)| Point {
                value: f64::from_bits(bits),
                timestamp,
            })
            .collect();
        Series {
            labels,
            samples,
            ..Series::default()
        }
    })
}

/// Samples of all series that remain after filtering by these names.
fn filtered<'a>(all: &'a ReceivedSamples, names: &[&str]) -> Vec<&'a Sample> {
    all.samples
        .iter()
        .filter(|sample| names.contains(&sample.name.as_str()))
        .collect()
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>) {
        for body in [&bytes, &packed(&bytes)] {
            for wanted in [MetricFilter::all(), MetricFilter::from_names(["up"])] {
                let _ = read(body, &wanted, LIMIT).map_err(|fault| fault.to_string());
            }
        }
    }

    #[test]
    fn no_changed_request_makes_it_panic(
        series in proptest::collection::vec(any_series(), 1..5),
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut request = request(&series);
        for (place, byte) in changes {
            let place = place.index(request.len());
            request[place] = byte;
        }
        let (all, up) = (read(&packed(&request), &MetricFilter::all(), LIMIT), read(&packed(&request), &MetricFilter::from_names(["up"]), LIMIT));
        // The framing is parsed for every filter, so that a malformed request is malformed for all.
        match (all, up) {
            (Ok(all), Ok(up)) => prop_assert_eq!(samples_told(filtered(&all, &["up"])), samples_told(&up.samples)),
            (all, up) => prop_assert_eq!(all.err(), up.err()),
        }
    }

    #[test]
    fn filtered_read_equals_filtered_full_read(series in proptest::collection::vec(any_series(), 0..12)) {
        let all = all(&series);
        for names in [&["up"][..], &["up", "down"], &["neither"], &[]] {
            let some = read(&packed(&request(&series)), &MetricFilter::from_names(names.iter().copied()), LIMIT).unwrap();
            prop_assert_eq!(samples_told(filtered(&all, names)), samples_told(&some.samples));
            prop_assert_eq!(all.seen, some.seen);
            prop_assert!(some.faulty <= all.faulty && some.left_out >= all.left_out);
        }
    }

    #[test]
    fn good_series_round_trip(series in proptest::collection::vec(good_series(), 0..12)) {
        let written = all(&series);
        prop_assert_eq!(written.faulty + written.left_out + written.histograms, 0);
        prop_assert_eq!(written.seen, written.samples.len() as u64);
        let mut read = written.samples.iter();
        for Series { labels, samples, .. } in &series {
            for point in samples {
                let Sample { name, labels: others, at, value } = read.next().unwrap();
                let mut pairs = others.clone();
                pairs.insert("__name__".to_owned(), name.clone());
                let pairs: Vec<_> = pairs.into_iter().map(|(name, value)| Label { name, value }).collect();
                let mut sent = labels.clone();
                sent.sort_by(|one, other| one.name.cmp(&other.name));
                prop_assert_eq!((pairs, at.timestamp_millis(), value.to_bits()), (sent, point.timestamp, point.value.to_bits()));
            }
        }
        prop_assert!(read.next().is_none());
    }

    #[test]
    fn what_is_decoded_is_what_prost_decodes(series in any_series()) {
        let ours = TimeSeries::decode(&*series.encode_to_vec()).unwrap();
        prop_assert_eq!(ours.labels, series.labels);
        prop_assert_eq!(ours.samples.len(), series.samples.len());
    }
}
