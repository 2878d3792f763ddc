//! Order independence: messages reordered or repeated lead to the same result.

use serde_json::Value;
use std::collections::BTreeMap;

use super::harness::World;
use super::source_payloads::{Payload, payload};

/// The beginning and the end of one alert, by payload.
const PAIRS: &[(&str, &str)] = &[
    ("opsgenie/create", "opsgenie/close"),
    ("datadog/triggered", "datadog/recovered"),
    ("sns/alarm", "sns/ok"),
    (
        "sentry/metric_alert_critical",
        "sentry/metric_alert_resolved",
    ),
    (
        "azure_monitor/metric_fired",
        "azure_monitor/metric_resolved",
    ),
    (
        "google_cloud_monitoring/open",
        "google_cloud_monitoring/closed",
    ),
    ("uptime_kuma/down", "uptime_kuma/up"),
    ("icinga/critical", "icinga/recovered"),
    ("zabbix/problem", "zabbix/recovery"),
    ("pingdom/down", "pingdom/up"),
];

/// What stands after the messages of every pair were posted in this order: 0 is the beginning, 1 the end.
fn told(order: &[usize]) -> BTreeMap<String, Value> {
    let mut world = World::new();
    let mut text = format!("listen: 127.0.0.1:{}\nsources:\n", world.port);
    for (first, _) in PAIRS {
        let kind = first.split('/').next().unwrap();
        let more = std::fs::read_to_string(format!(
            "{}/tests/payloads/{kind}/source.yaml",
            env!("CARGO_MANIFEST_DIR")
        ))
        .unwrap_or_default();
        let more: String = more.lines().map(|line| format!("    {line}\n")).collect();
        text.push_str(&format!(
            "  - name: {}\n    kind: {kind}\n    auth: none\n{more}",
            kind.replace('_', "-")
        ));
    }
    world.write("afterword.yaml", &text);
    world.start();
    let post = |payload: &Payload| {
        let kind = payload.name.split('/').next().unwrap().replace('_', "-");
        let headers: Vec<(&str, &str)> = payload
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let body = std::str::from_utf8(&payload.body).unwrap();
        let answer = world
            .http
            .try_post(&format!("/ingest/{kind}"), body, &headers)
            .unwrap();
        assert_eq!(answer.status, 200, "{}: {}", payload.name, answer.body);
    };
    let pairs: Vec<[Payload; 2]> = PAIRS
        .iter()
        .map(|(first, last)| [payload(first), payload(last)])
        .collect();
    for step in order {
        pairs.iter().for_each(|pair| post(&pair[*step]));
    }
    let signals = || {
        let mut found = BTreeMap::new();
        for listed in world.incidents() {
            let incident = world.incident(listed["id"].as_str().unwrap());
            for signal in incident["signals"].as_array().unwrap() {
                found.insert(
                    format!("{} {}", signal["service"], signal["name"]),
                    signal["spans"].clone(),
                );
            }
        }
        found
    };
    world.until_judged();
    signals()
}

#[test]
fn starts_and_ends_in_any_order_give_one_result() {
    let plain = told(&[0, 1]);
    for spans in plain.values() {
        assert!(spans[0]["end"].is_string(), "{plain:#?}");
    }
    for order in [&[1, 0][..], &[0, 1, 0], &[1, 0, 1], &[0, 0, 1, 1, 0]] {
        let other = told(order);
        assert_eq!(other, plain, "{order:?}");
    }
}
