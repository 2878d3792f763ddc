#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::fmt::Write as _;

use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};
use proptest::test_runner::TestCaseError;

use super::format::Format;
use super::line::MAX_LABELS;
use super::{PageFault, parse};
use crate::ingest::metric_filter::MetricFilter;
use crate::model::sample::{Sample, is_stale};
use crate::model::time::Time;

const TEXT: Format = Format::Text;
const OPEN: Format = Format::OpenMetrics;

fn now() -> Time {
    Time::from_timestamp_millis(1_795_417_263_000).unwrap()
}

fn all(page: &[u8], format: Format) -> Result<Vec<Sample>, PageFault> {
    parse(page, format, &MetricFilter::all(), now(), true)
}

/// Samples as text: bits for NaN, milliseconds for times, `now` for samples without one.
fn shown(samples: &[Sample]) -> Vec<String> {
    let line = |sample: &Sample| {
        let labels: Vec<String> = sample
            .labels
            .iter()
            .map(|(name, value)| format!("{name}={value:?}"))
            .collect();
        let at = if sample.at == now() {
            "now".to_owned()
        } else {
            sample.at.timestamp_millis().to_string()
        };
        let value = if sample.value.is_nan() {
            format!("NaN:{:x}", sample.value.to_bits())
        } else {
            sample.value.to_string()
        };
        format!("{} {{{}}} {value} {at}", sample.name, labels.join(","))
    };
    samples.iter().map(line).collect()
}

/// Parses one line in both formats.
fn check(line: &str, expected: &str) {
    check_text(line, expected);
    check_open(line, expected);
}

fn check_text(line: &str, expected: &str) {
    for page in [format!("{line}\n"), line.to_owned()] {
        assert_eq!(
            all(page.as_bytes(), TEXT).map(|samples| shown(&samples)),
            Ok(vec![expected.to_owned()]),
            "{page:?}"
        );
    }
}

fn check_open(line: &str, expected: &str) {
    for end in ["# EOF", "# EOF\n"] {
        let page = format!("{line}\n{end}");
        assert_eq!(
            all(page.as_bytes(), OPEN).map(|samples| shown(&samples)),
            Ok(vec![expected.to_owned()]),
            "{page:?}"
        );
    }
}

#[test]
fn samples_of_both_formats() {
    check("up 1", "up {} 1 now");
    check("a{} 1", "a {} 1 now");
    check(r#"a{b="c"} 1"#, r#"a {b="c"} 1 now"#);
    check(r#"a{b="c",d="e"} -1.5e3"#, r#"a {b="c",d="e"} -1500 now"#);
    check(r#"a{d="e",b="c",} 1"#, r#"a {b="c",d="e"} 1 now"#);
    check(
        "level:errors:rate5m 0.25",
        "level:errors:rate5m {} 0.25 now",
    );
    check(":a 1", ":a {} 1 now");
    check(
        r#"a{b="x,y=z}{# \"q\" \\ \n"} 1"#,
        r#"a {b="x,y=z}{# \"q\" \\ \n"} 1 now"#,
    );
    check(r#"a{b="\z"} 1"#, r#"a {b="\\z"} 1 now"#);
    check("a{b=\"\t é ☃\"} 1", "a {b=\"\\t é ☃\"} 1 now");
    check("a{b=\"\0\"} 1", "a {b=\"\\0\"} 1 now");
    check("a NaN", "a {} NaN:7ff8000000000001 now");
    check("a nan", "a {} NaN:7ff8000000000001 now");
    check("a +Inf", "a {} inf now");
    check("a -infinity", "a {} -inf now");
    // A label without a value is no label.
    check(r#"a{b="",c="d"} 1"#, r#"a {c="d"} 1 now"#);
    // Names in UTF-8, as Prometheus 3 writes them.
    check(r#"{"my.metric"} 1"#, "my.metric {} 1 now");
    check(r#"{"my.metric",k="v"} 1"#, r#"my.metric {k="v"} 1 now"#);
    check(
        r#"{"my.metric","k.l"="v",} 1"#,
        r#"my.metric {k.l="v"} 1 now"#,
    );
    check(
        r#"{k="v","my \"metric\""} 1"#,
        r#"my "metric" {k="v"} 1 now"#,
    );
    check(r#"a{"k.l"="v"} 1"#, r#"a {k.l="v"} 1 now"#);
}

#[test]
fn samples_of_the_text_format() {
    check_text("a 1 1395066363000", "a {} 1 1395066363000");
    check_text("a 1 -3982045", "a {} 1 -3982045");
    check_text(
        " \ta\t{ b = \"c\" , d=\"e\" , }\t1 \t 5 \t",
        r#"a {b="c",d="e"} 1 5"#,
    );
    check_text(r#"a{b="c"}1"#, r#"a {b="c"} 1 now"#);
    check_text(
        "\n \t\n# a remark\n#\n# HELP\n# EOF\n#HELP 1\n# TYPES a b\n# HELP a what \\ it is\n  # TYPE a gauge\na 1",
        "a {} 1 now",
    );
    check_text("# HELP a\na 1", "a {} 1 now");
    check_text(
        "# HELP \"my.metric\" what it is\n# TYPE \"my.metric\" gauge\n{\"my.metric\"} 1",
        "my.metric {} 1 now",
    );
}

#[test]
fn samples_of_openmetrics() {
    check_open("a 1 1520879607.789", "a {} 1 1520879607789");
    check_open("a 1 -1.5", "a {} 1 -1500");
    check_open(
        "# TYPE a counter\n# UNIT a \na_total 1 # {} 0.5",
        "a_total {} 1 now",
    );
    check_open(
        "# TYPE a counter\na_total{b=\" # {\"} 1 2 # {trace_id=\"x\",s=\"}\"} 0.67 1520879607.7",
        "a_total {b=\" # {\"} 1 2000",
    );
}

#[test]
fn refused_lines_state_position_and_expectation() {
    let check = |page: &str, format: Format, line: usize, column: usize, part: &str| {
        let fault = all(page.as_bytes(), format)
            .map(|samples| shown(&samples))
            .unwrap_err();
        assert_eq!(
            (fault.line, fault.column),
            (line, column),
            "{page:?}: {fault}"
        );
        assert!(fault.message.contains(part), "{page:?}: {fault}");
    };
    for format in [TEXT, OPEN] {
        check(
            "a 1\nb\n",
            format,
            2,
            2,
            "the line ends here. Expected a space and a value",
        );
        check("a{b=\"é\"} x\n", format, 1, 10, "\"x\" is not a value");
        check("a{b=\"c\"\n", format, 1, 8, "Expected , or }");
        check("a{b=\"c\n", format, 1, 5, "begins here and does not end");
        check(
            "a{b=\"c\\\n\"} 1\n",
            format,
            1,
            5,
            "begins here and does not end",
        );
        check(
            "a{b=\"c\"d=\"e\"} 1\n",
            format,
            1,
            8,
            "found 'd'. Expected , or }",
        );
        check("a{,} 1\n", format, 1, 3, "Expected a label's name");
        check(
            "a{b=\"c\",,d=\"e\"} 1\n",
            format,
            1,
            9,
            "Expected a label's name",
        );
        check("a{b} 1\n", format, 1, 4, "Expected =");
        check("a{b=c} 1\n", format, 1, 5, "in double quotes");
        check("a{1=\"c\"} 1\n", format, 1, 3, "Expected a label's name");
        check("a{b:c=\"c\"} 1\n", format, 1, 4, "Expected =");
        check(
            "a{b=\"c\",b=\"d\"} 1\n",
            format,
            1,
            9,
            "the label b appears twice",
        );
        check(
            "a{b=\"\",b=\"d\"} 1\n",
            format,
            1,
            8,
            "the label b appears twice",
        );
        check("a{__name__=\"b\"} 1\n", format, 1, 3, "appears twice");
        check("a{\"b\"} 1\n", format, 1, 3, "a second name");
        check("{\"a\",\"b\"} 1\n", format, 1, 6, "a second name");
        check("{b=\"c\"} 1\n", format, 1, 1, "metric name is missing");
        check("{} 1\n", format, 1, 1, "metric name is missing");
        check("{\"\"} 1\n", format, 1, 2, "Expected a label's name");
        check("0a 1\n", format, 1, 1, "Expected a metric's name");
        check("a.b 1\n", format, 1, 2, "found '.'");
        check("a-b 1\n", format, 1, 2, "found '-'");
        check("a 1\r\n", format, 1, 4, "CR LF");
        check("a 1 1\r\n", format, 1, 6, "CR LF");
        check("\r\n", format, 1, 1, "CR LF");
        check("\0\n", format, 1, 1, "Expected a metric's name");
        check("a 1e400\n", format, 1, 3, "is not a value");
        check("a 0x1p-2\n", format, 1, 3, "is not a value");
        check("a 1_000\n", format, 1, 3, "is not a value");
        check(
            "a 1 2 3\n",
            format,
            1,
            7,
            if format == TEXT {
                "Expected the end"
            } else {
                "Expected an exemplar"
            },
        );
        check("a 1 NaN\n", format, 1, 5, "is not a time");
        check(
            "a 1 9300000000000000000\n",
            format,
            1,
            if format == TEXT { 5 } else { 1 },
            if format == TEXT {
                "not a time"
            } else {
                "out of range"
            },
        );
    }
    check("a 1 1.5\n", TEXT, 1, 5, "a whole number");
    check("a 1 # {} 1\n", TEXT, 1, 5, "is not a time");
    check("a 1\n", OPEN, 2, 1, "Expected # EOF");
    check("", OPEN, 1, 1, "Expected # EOF");
    check("a 1\n# EOF\n\n", OPEN, 3, 1, "something follows # EOF");
    check("a  1\n# EOF\n", OPEN, 1, 3, "Expected a value");
    check(" a 1\n# EOF\n", OPEN, 1, 1, "found a space");
    check("a 1 \n# EOF\n", OPEN, 1, 5, "is not a time");
    check(
        "a{b=\"c\", d=\"e\"} 1\n# EOF\n",
        OPEN,
        1,
        9,
        "found a space",
    );
    check("a{b=\"c\"}1\n# EOF\n", OPEN, 1, 9, "Expected a space");
    check(
        "# TYPE a counter\na_total 1 # {\"x\"} 1\n# EOF\n",
        OPEN,
        2,
        17,
        "Expected =",
    );
}

#[test]
fn invalid_utf8_is_refused_in_matching_lines_only() {
    let page = b"a{b=\"\xff\"} 1\nc 1\n";
    let fault = all(page, TEXT).unwrap_err();
    assert_eq!((fault.line, fault.column), (1, 6));
    assert!(fault.to_string().contains("not UTF-8"), "{fault}");
    let read = parse(page, TEXT, &MetricFilter::from_names(["c"]), now(), true);
    assert_eq!(
        read.map(|samples| shown(&samples)),
        Ok(vec!["c {} 1 now".to_owned()])
    );
}

#[test]
fn long_lines_and_many_labels_are_refused() {
    let labels = |count: usize| {
        (0..count)
            .map(|number| format!("l{number}=\"x\""))
            .collect::<Vec<_>>()
            .join(",")
    };
    let read = |page: String| all(page.as_bytes(), TEXT).map(|samples| samples[0].labels.len());
    assert_eq!(
        read(format!("a{{{}}} 1\n", labels(MAX_LABELS))),
        Ok(MAX_LABELS)
    );
    assert!(
        read(format!("a{{{}}} 1\n", labels(MAX_LABELS + 1)))
            .unwrap_err()
            .message
            .contains("more than 64 labels")
    );
    let long = |length: usize| {
        format!(
            "a{{b=\"{}\"}} 1\n",
            "x".repeat(length - r#"a{b=""} 1"#.len())
        )
    };
    assert_eq!(read(long(64 * 1024)), Ok(1));
    assert!(
        read(long(64 * 1024 + 1))
            .unwrap_err()
            .message
            .contains("65537 bytes")
    );
}

#[test]
fn timestamps_are_kept_only_if_honored() {
    let read = |honor| {
        parse(
            b"a 1 5\nb 1 9200000000000000\n",
            TEXT,
            &MetricFilter::from_names(["a", "b"]),
            now(),
            honor,
        )
    };
    assert_eq!(
        read(false).map(|samples| shown(&samples)),
        Ok(vec!["a {} 1 now".to_owned(), "b {} 1 now".to_owned()])
    );
    let fault = read(true).unwrap_err();
    assert_eq!(fault.line, 2, "{fault}");
}

#[test]
fn only_matching_lines_are_parsed() {
    let page = "broken{\n\nup 1\nupp 2\nu 3\n  up{a=\"b\"} 4\n\tother 5\n{\"up\",c=\"d\"} 6\n{\"my.metric\"} 7\n{\"other\", broken\n\
                # up 8\n1up 9\nup\t10\nhttp_requests_total_by_status_code{code=\"200\"} 11\n";
    let filter = MetricFilter::from_names([
        "up",
        "my.metric",
        "http_requests_total_by_status_code",
        "absent",
    ]);
    let samples = parse(page.as_bytes(), TEXT, &filter, now(), true).unwrap();
    let values: Vec<f64> = samples.iter().map(|sample| sample.value).collect();
    assert_eq!(values, [1.0, 4.0, 6.0, 7.0, 10.0, 11.0]);
    assert_eq!(
        parse(page.as_bytes(), TEXT, &MetricFilter::default(), now(), true),
        Ok(Vec::new())
    );
    // A name that needs quotes is refused without them.
    assert!(
        parse(b"my.metric 1\n", TEXT, &filter, now(), true)
            .unwrap_err()
            .message
            .contains("found '.'")
    );
}

#[test]
fn truncated_openmetrics_page_is_refused() {
    let filter = MetricFilter::from_names(["up"]);
    let read = |page: &str| {
        parse(page.as_bytes(), OPEN, &filter, now(), true).map(|samples| samples.len())
    };
    assert_eq!(read("other 1\nup 1\n# EOF\n"), Ok(1));
    assert_eq!(read("up 1\n# EOF"), Ok(1));
    for (page, part) in [
        ("up 1\nother 1\n", "Expected # EOF"),
        ("up 1\n# EO", "Expected # EOF"),
        ("# EOF\nup 1\n# EOF\n", "follows # EOF"),
    ] {
        assert!(read(page).unwrap_err().message.contains(part), "{page:?}");
    }
}

#[test]
fn content_type_gives_the_format() {
    for (kind, format) in [
        (
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
            OPEN,
        ),
        ("Application/OpenMetrics-Text;version=0.0.1", OPEN),
        (
            "text/plain; version=0.0.4; charset=utf-8; escaping=values",
            TEXT,
        ),
        ("text/html", TEXT),
        ("", TEXT),
    ] {
        assert_eq!(Format::from_content_type(kind), format, "{kind}");
    }
}

/// A sample that a page can state.
fn sample() -> impl Strategy<Value = Sample> {
    let name = prop_oneof!["[a-z_:][a-z0-9_:]{0,30}", "[a-c]", "\\PC{1,12}"];
    let labels = btree_map(
        prop_oneof!["[a-z_][a-z0-9_]{0,8}", "\\PC{1,4}"],
        "(\\PC|[\\\\\"\n,={}# ]){1,12}",
        0..5,
    )
    .prop_map(|labels| {
        labels
            .into_iter()
            .filter(|(name, _)| name != "__name__")
            .collect()
    });
    let value = any::<u64>().prop_map(f64::from_bits).prop_map(|value| {
        if value.is_nan() {
            f64::from_bits(0x7ff8_0000_0000_0001)
        } else {
            value
        }
    });
    let at = option::of(-4_000_000_000_000_i64..4_000_000_000_000).prop_map(|millis| {
        millis.map_or_else(now, |millis| Time::from_timestamp_millis(millis).unwrap())
    });
    (
        name,
        labels,
        prop_oneof![value, (-9_i32..9).prop_map(f64::from)],
        at,
    )
        .prop_map(|(name, labels, value, at)| Sample {
            name,
            labels,
            at,
            value,
        })
}

fn print(samples: &[Sample], format: Format) -> String {
    let escaped = |text: &str| {
        text.replace('\\', "\\\\")
            .replace('"', "\\\"")
            .replace('\n', "\\n")
    };
    let is_plain = |name: &str, extra: &str| {
        name.chars()
            .all(|sign| sign.is_ascii_alphanumeric() || extra.contains(sign))
            && !name.starts_with(|sign: char| sign.is_ascii_digit())
    };
    let mut page = String::new();
    for Sample {
        name,
        labels,
        at,
        value,
    } in samples
    {
        let mut parts = Vec::new();
        if is_plain(name, "_:") {
            page.push_str(name);
        } else {
            parts.push(format!("\"{}\"", escaped(name)));
        }
        for (name, value) in labels {
            let name = if is_plain(name, "_") {
                name.clone()
            } else {
                format!("\"{}\"", escaped(name))
            };
            parts.push(format!("{name}=\"{}\"", escaped(value)));
        }
        if !parts.is_empty() {
            write!(page, "{{{}}}", parts.join(",")).unwrap();
        }
        write!(page, " {value}").unwrap();
        let millis = at.timestamp_millis();
        match format {
            _ if *at == now() => {}
            Format::Text => write!(page, " {millis}").unwrap(),
            Format::OpenMetrics => write!(page, " {}.{:03}", millis / 1000, millis % 1000).unwrap(),
        }
        page.push('\n');
    }
    if format == OPEN {
        page.push_str("# EOF\n");
    }
    page
}

fn same(ours: &[Sample], theirs: &[Sample]) {
    assert_eq!(shown(ours), shown(theirs));
}

/// A valid page with pieces cut out or inserted.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop_oneof![
        Just(b"\"".to_vec()),
        Just(b"\\".to_vec()),
        Just(b"{".to_vec()),
        Just(b"}\n".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b" # {".to_vec()),
        Just(b"\n# EOF\n".to_vec()),
        Just(b"\n# TYPE a histogram\na_bucket{le=\"".to_vec()),
        vec(any::<u8>(), 0..4),
    ];
    let good = (vec(sample(), 0..4), any::<bool>())
        .prop_map(|(samples, text)| print(&samples, if text { TEXT } else { OPEN }).into_bytes());
    (
        good,
        vec((any::<proptest::sample::Index>(), 0..3_usize, pieces), 0..5),
    )
        .prop_map(|(mut page, changes)| {
            for (place, gone, piece) in changes {
                let at = place.index(page.len() + 1);
                let end = (at + gone).min(page.len());
                page.splice(at..end, piece);
            }
            page
        })
}

/// Parses with a full and a small filter in both formats: no panic, and the small filter gives the
/// matching part of the full result.
fn check_any_bytes(page: &[u8]) {
    let filter = MetricFilter::from_names(["a", "b", "c", "a_bucket"]);
    for format in [TEXT, OPEN] {
        let everything = all(page, format);
        let little = parse(page, format, &filter, now(), true);
        if let Ok(mut samples) = everything {
            samples.retain(|sample| filter.matches(sample.name.as_bytes()));
            same(&little.unwrap(), &samples);
        }
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_do_not_panic(page in vec(any::<u8>(), 0..300)) {
        check_any_bytes(&page);
    }

    #[test]
    fn damaged_pages_do_not_panic(page in damaged()) {
        check_any_bytes(&page);
    }

    #[test]
    fn printed_samples_are_parsed_back(samples in vec(sample(), 0..20)) {
        same(&all(print(&samples, TEXT).as_bytes(), TEXT).unwrap(), &samples);
        // Parts of a millisecond are cut off: a number of seconds that is not exact may lose one.
        let whole: Vec<Sample> = samples.iter().cloned().map(|sample| Sample { at: whole_second(sample.at), ..sample }).collect();
        let names: Vec<&str> = samples.iter().map(|sample| sample.name.as_str()).collect();
        same(&parse(
print(&whole, OPEN).as_bytes(), OPEN, &MetricFilter::from_names(names), now(), true).unwrap(), &whole);
        assert!(!whole.iter().any(|sample| is_stale(sample.value)));
    }

    #[test]
    fn filtered_parse_equals_filtered_full_parse(samples in vec(sample(), 0..20), others in vec("[a-c]", 0..3), chosen: u64) {
        let page = print(&samples, TEXT);
        let names = samples.iter().zip(0..).filter(|(_, bit)| chosen >> bit & 1 == 1).map(|(sample, _)| sample.name.as_str());
        let filter = MetricFilter::from_names(names.chain(others.iter().map(String::as_str)));
        let mut expected = all(page.as_bytes(), TEXT).unwrap();
        expected.retain(|sample| filter.matches(sample.name.as_bytes()));
        same(&parse(
page.as_bytes(), TEXT, &filter, now(), true).unwrap(), &expected);
    }

    /// Restricted to what the crate parses correctly: plain names, plain label values, untyped.
    #[test]
    fn prometheus_parse_crate_gives_the_same_samples(
        names in btree_set("[a-z_][a-z0-9_]{0,20}", 1..20),
        labels in btree_map("[a-z_][a-z0-9_]{0,6}", "[a-z0-9 /.:-]{1,8}", 0..4),
        value: f64,
        millis in option::of(0_i64..4_000_000_000_000),
    ) {
        let labels: crate::model::labels::Labels = labels.into_iter().filter(|(name, _)| name != "__name__").collect();
        let at = millis.map_or_else(now, |millis| Time::from_timestamp_millis(millis).unwrap());
        let samples: Vec<Sample> = names.into_iter().map(|name| Sample { name, labels: labels.clone(), at, value }).collect();
        let page = print(&samples, TEXT);
        let theirs = prometheus_parse::Scrape::parse_at(page.lines().map(|line| Ok(line.to_owned())), now()).unwrap();
        let theirs: Vec<Sample> = theirs
            .samples
            .into_iter()
            .map(|sample| {
                let prometheus_parse::Value::Untyped(value) = sample.value else { return Err(TestCaseError::fail("a type")) };
                let labels = sample.labels.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
                Ok(Sample { name: sample.metric, labels, at: sample.timestamp, value })
            })
            .collect::<Result<_, _>>()?;
        same(&all(page.as_bytes(), TEXT).unwrap(), &theirs);
        same(&theirs, &samples);
    }
}

fn whole_second(at: Time) -> Time {
    Time::from_timestamp(at.timestamp(), 0).unwrap()
}
