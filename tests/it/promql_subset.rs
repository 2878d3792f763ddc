//! Condition queries over samples, compared with a real Prometheus over the same samples.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::Command;

use afterword::engine::conditions::promql_subset::sample_buffer::SampleBuffer;
use afterword::model::labels::Labels;
use afterword::model::sample::Sample;
use afterword::rules::promql::parse_query;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use crate::harness::{Http, PATIENCE, World, free_port, until, wall};
use crate::metric_target::seconds;

const QUERIES: &[&str] = &[
    "prometheus_http_requests_total",
    "rate(prometheus_http_requests_total[7s])",
    "increase(prometheus_http_requests_total{handler=~\"/api.*\"}[11s])",
    "increase(prometheus_tsdb_head_samples_appended_total[9s])",
    "sum by (code) (rate(prometheus_http_requests_total[13s]))",
    "sum(rate(prometheus_http_requests_total{handler!=\"/metrics\"}[13s])) / sum(rate(prometheus_http_requests_total[13s]))",
    "max without (handler, code) (prometheus_http_requests_total)",
    "min by (job) (up)",
    "avg(prometheus_http_requests_total)",
    "count by (code) (prometheus_http_requests_total)",
    "100 * (1 - process_open_fds / process_max_fds)",
    "process_resident_memory_bytes / on(instance) process_virtual_memory_bytes",
    "prometheus_http_request_duration_seconds_sum / prometheus_http_request_duration_seconds_count",
    "histogram_quantile(0.9, sum by (le) (rate(prometheus_http_request_duration_seconds_bucket[13s])))",
    "histogram_quantile(0.5, prometheus_http_response_size_bytes_bucket)",
    "histogram_quantile(1, prometheus_http_response_size_bytes_bucket)",
    "histogram_quantile(0, sum by (le, handler) (increase(prometheus_http_response_size_bytes_bucket[9s])))",
];

fn ask(prometheus: &Http, query: &str, at: DateTime<Utc>) -> Vec<Value> {
    let mut encoded = String::new();
    query
        .bytes()
        .for_each(|byte| write!(encoded, "%{byte:02X}").unwrap());
    let answer = prometheus
        .try_get(&format!(
            "/api/v1/query?query={encoded}&time={}",
            at.timestamp_micros() as f64 / 1e6
        ))
        .unwrap();
    assert_eq!(answer.status, 200, "{query}: {}", answer.body);
    answer.json()["data"]["result"].as_array().unwrap().clone()
}

fn labels(result: &Value) -> Labels {
    let all = result["metric"].as_object().unwrap().iter();
    all.filter(|(name, _)| *name != "__name__")
        .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
        .collect()
}

fn number(text: &Value) -> f64 {
    text.as_str()
        .unwrap()
        .replace("+Inf", "inf")
        .replace("-Inf", "-inf")
        .parse()
        .unwrap()
}

#[test]
fn queries_on_samples_match_prometheus() {
    let mut world = World::new();
    let port = free_port();
    // It looks at itself, whose counters and histograms move with what it is asked.
    let settings = format!(
        "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\nscrape_configs:\n  - {{job_name: itself, static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}\n"
    );
    world.write("prometheus.yml", &settings);
    let mut command = Command::new("prometheus");
    command
        .args([
            "--config.file=prometheus.yml",
            "--storage.tsdb.path=prometheus",
        ])
        .arg(format!("--web.listen-address=127.0.0.1:{port}"));
    world.start_beside(&mut command, "prometheus");
    let prometheus = Http::new(port);
    until("it is ready", PATIENCE, || {
        prometheus
            .try_get("/-/ready")
            .filter(|answer| answer.status == 200)
    });
    until("it has looked at itself", PATIENCE, || {
        (!ask(&prometheus, "process_open_fds", wall()).is_empty()).then_some(())
    });
    for _ in 0..16 {
        seconds(1);
        ask(&prometheus, "up", wall());
    }
    let end = wall() - TimeDelta::seconds(1);
    let mut samples = SampleBuffer::default();
    for result in ask(
        &prometheus,
        "{__name__=~\"(prometheus_http|prometheus_tsdb_head_samples|process_|up).*\"}[1m]",
        end,
    ) {
        let name = result["metric"]["__name__"].as_str().unwrap().to_owned();
        for point in result["values"].as_array().unwrap() {
            let at = DateTime::from_timestamp_millis(
                (point[0].as_f64().unwrap() * 1000.0).round() as i64
            )
            .unwrap();
            samples.take(Sample {
                name: name.clone(),
                labels: labels(&result),
                at,
                value: number(&point[1]),
            });
        }
    }
    assert!(samples.series() > 50, "{}", samples.series());
    let mut compared = 0;
    for query in QUERIES {
        let understood = parse_query(query)
            .of_samples
            .unwrap_or_else(|why| panic!("{query}: {why}"));
        // Off the beat of the scrapes, so that none lies on an edge: there the versions of Prometheus differ.
        for step in 0..9 {
            let at = end - TimeDelta::milliseconds(step * 700 + 13);
            let at = DateTime::from_timestamp_millis(at.timestamp_millis()).unwrap();
            let theirs: BTreeMap<Labels, f64> = ask(&prometheus, query, at)
                .iter()
                .map(|result| (labels(result), number(&result["value"][1])))
                .collect();
            let ours: BTreeMap<Labels, f64> = samples.answer(&understood, at).into_iter().collect();
            assert_eq!(
                ours.keys().collect::<Vec<_>>(),
                theirs.keys().collect::<Vec<_>>(),
                "{query} at {at}"
            );
            for (labels, value) in &ours {
                let other = theirs[labels];
                let same = value.is_nan() && other.is_nan()
                    || *value == other
                    || (value - other).abs() <= 1e-9 * value.abs().max(other.abs());
                assert!(
                    same,
                    "{query} at {at} of {labels:?}: {value}, and Prometheus says {other}"
                );
                compared += 1;
            }
        }
    }
    assert!(compared > 200, "only {compared} values were compared");
}
