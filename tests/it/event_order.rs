//! Order independence: messages reordered or repeated lead to the same result.

use serde_json::Value;
use std::collections::BTreeMap;

use super::source_payloads::{Payload, payload, world_with_sources};

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
    let world = world_with_sources(
        PAIRS
            .iter()
            .map(|(first, _)| first.split('/').next().unwrap()),
    );
    let pairs: Vec<[Payload; 2]> = PAIRS
        .iter()
        .map(|(first, last)| [payload(first), payload(last)])
        .collect();
    for step in order {
        pairs.iter().for_each(|pair| pair[*step].post(&world));
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
