//! Remote write from a real Prometheus: the samples received equal those it returns to queries,
//! including the end of a target.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use afterword::ingest::metric_filter::MetricFilter;
use afterword::ingest::remote_write::{read, spoken};
use afterword::model::labels::Labels;
use afterword::model::sample::{Sample, is_stale};

use crate::harness::{Http, PATIENCE, World, until};

const LIMIT: usize = 1 << 20;

const PAGE: &str = "# TYPE lab_gauge gauge
lab_gauge{path=\"C:\\\\x\\\"y\\nz\",city=\"Zürich\"} 0.1
lab_gauge{city=\"nowhere\"} 0
lab_nan NaN
lab_inf -Inf
# TYPE lab_seconds histogram
lab_seconds_bucket{le=\"1\"} 3
lab_seconds_bucket{le=\"+Inf\"} 1e+17
lab_seconds_sum 12.5
lab_seconds_count 1e+17
";

/// Series of the page.
const SERIES: usize = 8;

/// The values of one series by their milliseconds since 1970, as text: a not-a-number is then equal to itself.
type Values = BTreeMap<i64, String>;

#[test]
fn pushed_samples_match_prometheus_answers() {
    let mut world = World::new();
    let (target, is_up) = page();
    let (receiver, bodies) = receiver();
    let prometheus = world.start_prometheus_with(&format!(
        "global: {{scrape_interval: 1s, scrape_timeout: 1s, external_labels: {{cluster: lab}}}}
scrape_configs:
  - job_name: lab
    static_configs: [{{targets: ['127.0.0.1:{target}']}}]
remote_write:
  - url: http://127.0.0.1:{receiver}/api/v1/write
    queue_config: {{batch_send_deadline: 100ms, max_shards: 1}}
    metadata_config: {{send_interval: 1s}}
"
    ));
    let gauges = || pushed(&bodies, &MetricFilter::from_names(["lab_gauge"]));
    until("three scrapes are pushed", PATIENCE, || {
        (gauges().len() >= 6).then_some(())
    });
    is_up.store(false, Ordering::Relaxed);
    let ended = || {
        pushed(&bodies, &MetricFilter::all())
            .iter()
            .filter(|sample| of_page(sample) && is_stale(sample.value))
            .count()
    };
    until("the end of the target is pushed", PATIENCE, || {
        (ended() >= SERIES).then_some(())
    });

    let samples = pushed(&bodies, &MetricFilter::all());
    // What is asked for is the same as everything, less what nobody asked for.
    let of_all: Vec<_> = samples
        .iter()
        .filter(|sample| sample.name == "lab_gauge")
        .cloned()
        .collect();
    assert_eq!(format!("{of_all:?}"), format!("{:?}", gauges()));

    let mut series: BTreeMap<(String, Labels), (Values, Option<i64>)> = BTreeMap::new();
    for Sample {
        name,
        labels,
        at,
        value,
    } in samples.into_iter().filter(of_page)
    {
        let (values, ended) = series.entry((name, labels)).or_default();
        let at = at.timestamp_millis();
        if is_stale(value) {
            assert_eq!(ended.replace(at), None, "a series ends once");
        } else {
            assert_eq!(
                values.insert(at, value.to_string()),
                None,
                "a value is pushed once"
            );
        }
    }
    assert_eq!(series.len(), SERIES, "{series:?}");
    for ((name, mut labels), (values, ended)) in series {
        assert_eq!(
            labels.remove("cluster").as_deref(),
            Some("lab"),
            "external labels are pushed and not answered"
        );
        assert_eq!(
            answered(&prometheus, &format!("{name}[1h]"), None).get(&labels),
            Some(&values),
            "{name}{labels:?}"
        );
        // A marker is nothing that Prometheus answers: it shows as the end of the last value.
        let ended = ended.unwrap_or_else(|| panic!("{name}{labels:?} has no end"));
        assert!(values.keys().all(|at| *at < ended));
        assert!(answered(&prometheus, &name, Some(ended - 1)).contains_key(&labels));
        assert!(!answered(&prometheus, &name, Some(ended)).contains_key(&labels));
    }
}

/// Not one of those that Prometheus makes itself.
fn of_page(sample: &Sample) -> bool {
    sample.name.starts_with("lab_")
}

/// What the API answers for a selector, at an instant or now.
fn answered(prometheus: &Http, selector: &str, at: Option<i64>) -> BTreeMap<Labels, Values> {
    let selector = selector.replace('[', "%5B").replace(']', "%5D");
    let time = at
        .map(|at| format!("&time={}.{:03}", at / 1000, at % 1000))
        .unwrap_or_default();
    let answer = prometheus
        .try_get(&format!("/api/v1/query?query={selector}{time}"))
        .unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    let mut series = BTreeMap::new();
    for member in answer.json()["data"]["result"].as_array().unwrap() {
        let mut labels: Labels = serde_json::from_value(member["metric"].clone()).unwrap();
        labels.remove("__name__").unwrap();
        let pairs = member["values"]
            .as_array()
            .cloned()
            .unwrap_or_else(|| vec![member["value"].clone()]);
        let value = |pair: &serde_json::Value| {
            pair[1]
                .as_str()
                .unwrap()
                .parse::<f64>()
                .unwrap()
                .to_string()
        };
        let values = pairs.iter().map(|pair| {
            (
                (pair[0].as_f64().unwrap() * 1000.0).round() as i64,
                value(pair),
            )
        });
        series.insert(labels, values.collect());
    }
    series
}

/// The samples of all requests so far, each of which must be good.
fn pushed(bodies: &Mutex<Vec<Vec<u8>>>, wanted: &MetricFilter) -> Vec<Sample> {
    let mut samples = Vec::new();
    for body in &*bodies.lock().unwrap() {
        let written = read(body, wanted, LIMIT).unwrap();
        assert!(
            written.faults.is_empty() && written.histograms == 0,
            "{written:?}"
        );
        samples.extend(written.samples);
    }
    samples
}

/// Serves [`PAGE`] until it is told that it is down; then it hangs up.
fn page() -> (u16, Arc<AtomicBool>) {
    let is_up = Arc::new(AtomicBool::new(true));
    let shown = Arc::clone(&is_up);
    let port = serve(move |mut stream| {
        if shown.load(Ordering::Relaxed) && request(&mut BufReader::new(&stream)).is_some() {
            let head =
                "HTTP/1.1 200 OK\r\ncontent-type: text/plain; version=0.0.4\r\nconnection: close";
            let _ = write!(
                stream,
                "{head}\r\ncontent-length: {}\r\n\r\n{PAGE}",
                PAGE.len()
            );
        }
    });
    (port, is_up)
}

/// Takes what is pushed and keeps the bodies.
fn receiver() -> (u16, Arc<Mutex<Vec<Vec<u8>>>>) {
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&bodies);
    let port = serve(move |stream| {
        let mut reader = BufReader::new(&stream);
        while let Some((headers, body)) = request(&mut reader) {
            let header = |name: &str| headers.get(name).map(String::as_str);
            let refused = spoken(header("content-type"), header("content-encoding")).err();
            assert_eq!(refused, None);
            kept.lock().unwrap().push(body);
            let _ = write!(&stream, "HTTP/1.1 204 No Content\r\n\r\n");
        }
    });
    (port, bodies)
}

/// Hands each connection to a thread of its own, until the tests end.
fn serve(answer: impl Fn(TcpStream) + Clone + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = answer.clone();
            std::thread::spawn(move || answer(stream));
        }
    });
    port
}

/// The headers, in lower case, and the body of the next request of a connection, if there is one.
fn request(stream: &mut impl BufRead) -> Option<(BTreeMap<String, String>, Vec<u8>)> {
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line.trim().is_empty() {
            break;
        }
        // The first line has no colon before its path, which then is a header that nobody asks for.
        let (name, value) = line.split_once(':').unwrap_or((&line, ""));
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers
        .get("content-length")
        .map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some((headers, body))
}
