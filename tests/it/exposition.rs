//! Exposition parser against independent judges: the OpenMetrics conformance cases, promtool, and a
//! real Prometheus that scrapes the same pages.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use afterword::ingest::exposition::format::{ACCEPT, Format};
use afterword::ingest::exposition::{PageFault, parse};
use afterword::ingest::metric_filter::MetricFilter;
use afterword::model::labels::Labels;
use afterword::model::time::Time;
use serde_json::Value;

use crate::harness::{PATIENCE, World, stamp, until};

/// Parses every line of a page.
fn parse_all(page: &str, format: Format) -> Result<usize, PageFault> {
    let now = Time::UNIX_EPOCH;
    parse(page.as_bytes(), format, &MetricFilter::all(), now, false).map(|samples| samples.len())
}

/// The bad pages among the cases break rules of whole pages too, such as order and types, which a
/// scraper does not check: only those with a malformed sample or end are refused.
#[test]
fn openmetrics_conformance_pages_are_parsed() {
    let file: Value = serde_json::from_str(include_str!("openmetrics.json")).unwrap();
    let cases = file["cases"].as_array().unwrap();
    assert!(cases.len() > 200, "only {} cases", cases.len());
    let mut refused_bad_pages = 0;
    for case in cases {
        let (name, is_good, page) = (
            case[0].as_str().unwrap(),
            case[1].as_bool().unwrap(),
            case[2].as_str().unwrap(),
        );
        let parsed = parse_all(page, Format::OpenMetrics);
        assert!(parsed.is_ok() || !is_good, "{name}: {parsed:?}");
        refused_bad_pages += usize::from(parsed.is_err());
    }
    assert_eq!(refused_bad_pages, 66);
}

#[test]
fn promtool_accepts_and_refuses_the_same_lines() {
    let world = World::new();
    let promtool = |page: &str| {
        world.write("page.prom", page);
        let ended = world.run_program("bash", &["-c", "promtool check metrics < page.prom"]);
        match ended.code {
            // 3: read, and found in bad style.
            Some(0 | 3) => true,
            Some(1) => false,
            other => panic!(
                "promtool ended with {other:?} ({}); tests/run.sh installs it",
                ended.said
            ),
        }
    };
    let ours = |page: &str| parse_all(page, Format::Text);
    for page in [
        "a 1\n",
        "\n\n  \n\t\na 1\n",
        "# a remark\n#\n# HELP\n# TYPE a gauge\n# HELP a is \\\\ and \\n\na 1\n",
        "# HELP a\na 1\n",
        "  # TYPE a counter\n  a{b=\"c\"} 1\n",
        "level:errors:rate5m 0.25\n:a 1\n_b 1\n",
        "a{} 1\na{b=\"c\",} 1\na{ b = \"d\" , e=\"f\" } 1\na\t{b=\"g\"}\t1\t5\n",
        "a{b=\"x,y=z}{# \\\"q\\\" \\\\ \\n\"} 1\n",
        "a{b=\"é ☃\"} 1\n",
        "a{b=\"\"} 1\n",
        "a{b=\"c\"}1\n",
        "a NaN\nb nan\nc +Inf\nd -inf\ne infinity\nf .5\ng 1.\nh 1E3\ni -0\nj 1e-400\n",
        "a 1 -3982045\nb 1 1395066363000\nc 1 +5\n",
        "# TYPE a histogram\na_bucket{le=\"0.1\"} 1\na_bucket{le=\"+Inf\"} 2\na_sum 3\na_count 2\n",
        "# TYPE a summary\na{quantile=\"0.5\"} 1\na_sum 3\na_count 2\n",
        "# TYPE a untyped\na 1\n",
        "a 1\na 2\n",
        "a 1\nb 1\na 2\n",
        "# TYPE a_count counter\n# TYPE a gauge\na_count 1\na 1\n",
        "",
    ] {
        assert!(promtool(page), "promtool refuses {page:?}");
        assert!(ours(page).is_ok(), "{page:?}: {:?}", ours(page));
    }
    for page in [
        "a\n",
        "a x\n",
        "a 1 x\n",
        "a 1 1.5\n",
        "a 1 2 3\n",
        "a 1 # {} 1\n",
        "a 1\r\n",
        "a 1 5\r\n",
        "\r\n",
        "\u{0}\n",
        "1a 1\n",
        "-a 1\n",
        "a.b 1\n",
        "é 1\n",
        "a{b} 1\n",
        "a{b=c} 1\n",
        "a{b=\"c} 1\n",
        "a{b=\"c\nd\"} 1\n",
        "a{b=\"c\" 1\n",
        "a{b=\"c\"d=\"e\"} 1\n",
        "a{,} 1\n",
        "a{b=\"c\",,d=\"e\"} 1\n",
        "a{1=\"c\"} 1\n",
        "a{b:c=\"d\"} 1\n",
        "a{b=\"c\",b=\"d\"} 1\n",
        "a{__name__=\"b\"} 1\n",
        "{} 1\n",
        "{b=\"c\"} 1\n",
        "a +nan\n",
        "a infi\n",
        "a 1e400\n",
        "a 0x1\n",
        "a 0x1p-2\n",
        "a 1_000\n",
        "a 0b1\n",
        "a 1 9223372036854775808\n",
    ] {
        assert!(!promtool(page), "promtool reads {page:?}");
        assert!(ours(page).is_err(), "{page:?}: {:?}", ours(page));
    }
    // Where Prometheus's scraper and promtool differ, we hold with the scraper.
    for (page, reason) in [
        ("a 1", "the last line may be without an end"),
        ("a 1 \na 1 5 \n", "blanks may end a line"),
        ("a{b=\"\\z\"} 1\n", "an unknown escape is what it is"),
        (
            "{\"my.metric\"} 1\n",
            "names in UTF-8 are newer than this promtool",
        ),
    ] {
        assert!(!promtool(page), "promtool reads {page:?}, though {reason}");
        assert!(ours(page).is_ok(), "{page:?}: {:?}", ours(page));
    }
}

/// Everything odd that Prometheus reads. `NOW` stands for a second since 1970 that it takes samples of.
const QUIRKS: &str = r#"
  	
# a remark
#
# HELP
	# HELP quirk_help   has \\ and \n and "quotes"
# TYPE quirk_type untyped
quirk_bare 1
quirk_braces{} 2
quirk_comma{a="b",} 3
quirk_blanks	{ a = "b" , c="d" } 	 4 	
quirk_glued{a="b"}5
quirk_signs{a="x,y=z}{# \"q\" \\ \n",b="\z é ☃"} 6
quirk_empty{a="",b="c"} 7
level:quirk:rate5m 8
:quirk 9
quirk_number{n="dot"} 1.
quirk_number{n="half"} .5
quirk_number{n="exponent"} -1.5E-3
quirk_number{n="tiny"} 1e-400
quirk_number{n="least"} 5e-324
quirk_number{n="most"} 1.7976931348623157e308
quirk_number{n="zero"} -0
quirk_number{n="long"} 0.1000000000000000055511151231257827021181583404541015625000000001
quirk_number{n="uint"} 18446744073709551615
quirk_number{n="nan"} nAn
quirk_number{n="inf"} +INF
quirk_number{n="infinity"} -infinity
quirk_time{at="now"} 1 NOW123
quirk_time{at="later"} 2 NOW999	
quirk_time{at="same"} 3	NOW000
# TYPE quirk_gauge gauge
quirk_gauge 10
# TYPE quirk_gauge gauge
quirk_gauge{a="1"} 11
quirk_last 12"#;

/// All types of the text format, in the shape that client libraries print them.
const TYPES: &str = r#"# HELP go_gc_duration_seconds A summary of the pause duration of garbage collection cycles.
# TYPE go_gc_duration_seconds summary
go_gc_duration_seconds{quantile="0"} 2.6461e-05
go_gc_duration_seconds{quantile="0.5"} 0.000123456
go_gc_duration_seconds{quantile="1"} NaN
go_gc_duration_seconds_sum 0.002968391
go_gc_duration_seconds_count 9
# HELP request_seconds How long requests took.
# TYPE request_seconds histogram
request_seconds_bucket{path="/api/v1/query",method="GET",le="0.005"} 3
request_seconds_bucket{path="/api/v1/query",method="GET",le="0.1"} 41
request_seconds_bucket{path="/api/v1/query",method="GET",le="1"} 41
request_seconds_bucket{path="/api/v1/query",method="GET",le="+Inf"} 43
request_seconds_sum{path="/api/v1/query",method="GET"} 7.25
request_seconds_count{path="/api/v1/query",method="GET"} 43
# HELP requests_total Requests.
# TYPE requests_total counter
requests_total{path="C:\\DIR\\FILE.TXT",code="200"} 1027
requests_total{path="/",code="500"} 3
# TYPE process_start_time_seconds gauge
process_start_time_seconds 1.79541720017e+09
"#;

/// All types of OpenMetrics but those that Prometheus of Debian does not know, with exemplars and times.
const OPEN: &str = r#"# HELP om_request_seconds How long requests took. With # {signs="}"} and \n.
# TYPE om_request_seconds histogram
# UNIT om_request_seconds seconds
om_request_seconds_bucket{generation="20",le="0.005"} 0
om_request_seconds_bucket{generation="20",le="1.0"} 8 # {trace_id="KOO5S4vxi0o",s="} # {"} 0.67
om_request_seconds_bucket{generation="20",le="+Inf"} 10 # {trace_id="oHg5SJYRHA0"} 9.8 NOW.789
om_request_seconds_sum{generation="20"} 324789.3
om_request_seconds_count{generation="20"} 10
om_request_seconds_created{generation="20"} 1520430000.123
# TYPE om_requests counter
om_requests_total{a="x,y=z}{# \"q\" \\ \n"} 17 NOW.5 # {} 0.5
om_requests_created{a="x,y=z}{# \"q\" \\ \n"} 1520430000.123 NOW.5
# TYPE om_time gauge
om_time{at="fraction"} 1 NOW.789
om_time{at="cut"} 2 NOW.9996
om_time{at="exact"} 3 NOW.001
om_time{at="whole"} 4 NOW
# TYPE om_sizes gaugehistogram
om_sizes_bucket{le="-1.0"} 1
om_sizes_bucket{le="+Inf"} 3
om_sizes_gcount 3
om_sizes_gsum -5
# TYPE om_against_the_rules histogram
om_against_the_rules_sum -5
# TYPE om_build info
om_build_info{version="8.2.7"} 1
# TYPE om_state stateset
om_state{om_state="on"} 1
om_state{om_state="off"} 0
# TYPE om_latency summary
om_latency{quantile="0.5"} 0.7
om_latency_count 1
om_latency_sum 2
# TYPE om_unknown unknown
om_unknown NaN
# EOF
"#;

/// Name, labels, milliseconds and bits: one sample.
type Found = (String, Labels, i64, u64);

/// Not-a-numbers are told by a word, since JSON has one spelling for all.
fn bits(value: f64) -> u64 {
    if value.is_nan() {
        0x7ff8_0000_0000_0001
    } else {
        value.to_bits()
    }
}

#[test]
fn prometheus_scrapes_the_same_samples() {
    // Within what Prometheus takes: not long ago.
    let second = chrono::DateTime::parse_from_rfc3339(&stamp(Duration::from_secs(20)))
        .unwrap()
        .timestamp();
    let kinds = [
        "text/plain; version=0.0.4",
        "text/plain; version=0.0.4",
        "application/openmetrics-text; version=1.0.0",
    ];
    let pages = [QUIRKS, TYPES, OPEN].map(|page| page.replace("NOW", &second.to_string()));
    let port = serve(
        kinds
            .into_iter()
            .zip(pages.clone())
            .map(|(kind, page)| (kind.to_owned(), page))
            .collect(),
    );
    let mut world = World::new();
    let jobs: String = (0..pages.len())
        .map(|place| {
            format!("  - {{job_name: 'page{place}', metrics_path: '/{place}', static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}\n")
        })
        .collect();
    let http = world.start_prometheus_with(&format!(
        "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\nscrape_configs:\n{jobs}"
    ));
    for (place, page) in pages.iter().enumerate() {
        // When it scraped, and what it found then or at times that the page states.
        let (scraped, theirs) = until("Prometheus has scraped the page", PATIENCE, || {
            let selector = format!("%7Bjob%3D%22page{place}%22%7D%5B2m%5D");
            let answer = http
                .try_get(&format!("/api/v1/query?query={selector}"))?
                .json();
            let samples = samples(&answer);
            let up = samples.iter().find(|(name, ..)| name == "up")?;
            assert_eq!(
                f64::from_bits(up.3),
                1.0,
                "Prometheus refuses page {place}: {}",
                http.try_get("/api/v1/targets")?.body
            );
            let scraped = up.2;
            let stated = second * 1000..second * 1000 + 1000;
            let is_own = |name: &str| name == "up" || name.starts_with("scrape_");
            let own = samples.into_iter().filter(|(name, _, at, _)| {
                !is_own(name) && (*at == scraped || stated.contains(at))
            });
            Some((scraped, own.collect::<Vec<Found>>()))
        });
        let at = Time::from_timestamp_millis(scraped).unwrap();
        let mut ours: Vec<Found> = parse(
            page.as_bytes(),
            Format::from_content_type(kinds[place]),
            &MetricFilter::all(),
            at,
            true,
        )
        .unwrap()
        .into_iter()
        .map(|sample| {
            (
                sample.name,
                sample.labels,
                sample.at.timestamp_millis(),
                bits(sample.value),
            )
        })
        .collect();
        ours.sort();
        let mut theirs = theirs;
        theirs.sort();
        assert_eq!(ours, theirs, "page {place}");
        assert!(ours.len() > 10, "page {place}: only {ours:?}");
    }
    assert!(ACCEPT.contains("version=1.0.0") && ACCEPT.contains("version=0.0.4"));
}

/// The raw samples of an answer, without the labels that Prometheus adds.
fn samples(answer: &Value) -> Vec<Found> {
    let mut found = Vec::new();
    for series in answer["data"]["result"]
        .as_array()
        .unwrap_or_else(|| panic!("{answer}"))
    {
        let mut labels: BTreeMap<String, String> =
            serde_json::from_value(series["metric"].clone()).unwrap();
        labels.remove("job");
        labels.remove("instance");
        let name = labels.remove("__name__").unwrap();
        for sample in series["values"].as_array().unwrap() {
            let millis = (sample[0].as_f64().unwrap() * 1000.0).round() as i64;
            found.push((
                name.clone(),
                labels.clone(),
                millis,
                bits(sample[1].as_str().unwrap().parse().unwrap()),
            ));
        }
    }
    found
}

/// Serves each page, with its `Content-Type`, at `/` and its place, until the tests end.
fn serve(pages: Vec<(String, String)>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            // A scraper that hangs up early is its own affair: the next scrape comes in a second.
            let Ok(mut stream) = stream else { continue };
            let _ = stream.set_read_timeout(Some(Duration::from_secs(1)));
            let mut request = [0; 4096];
            let length = stream.read(&mut request).unwrap_or_default();
            let line = String::from_utf8_lossy(&request[..length]);
            let path = line
                .split(' ')
                .nth(1)
                .and_then(|path| path.strip_prefix('/')?.parse::<usize>().ok());
            let Some((kind, body)) = path.and_then(|place| pages.get(place)) else {
                continue;
            };
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close",
                body.len()
            );
            let _ = write!(stream, "{head}\r\n\r\n{body}");
        }
    });
    port
}
