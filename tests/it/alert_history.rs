//! Alert history read from Prometheus: alerts with lost webhooks, exact starts and ends, and alerts
//! that stayed pending.

use std::time::Duration;

use chrono::TimeDelta;

use crate::degradation::{EXACT, Prometheus, until_closed, world};
use crate::harness::{PATIENCE, RULES, World, free_port, until, wall};
use crate::metric_target::{Target, seconds, spans};

/// A scrape and an evaluation of the Prometheus's own stand before an alert.
const ALERTED: TimeDelta = TimeDelta::seconds(5);

/// Afterword that asks a Prometheus with an alert on the gauge, which is sent to us or nowhere.
fn alerting(hold: &str, to_us: bool) -> (World, Target, Prometheus) {
    alerting_after(hold, to_us, World::start)
}

/// The same, with Afterword started that way.
fn alerting_after(
    hold: &str,
    to_us: bool,
    start: impl FnOnce(&mut World),
) -> (World, Target, Prometheus) {
    let (target, port) = (Target::serve(), free_port());
    let mut world = world(&Prometheus::entry(port), RULES);
    let rule = format!(
        "alert: CheckoutErrors, expr: checkout_errors > 5, for: {hold}, labels: {{service: checkout, severity: critical}}"
    );
    world.write(
        "alerts.yml",
        &format!("groups: [{{name: checkout, rules: [{{{rule}}}]}}]\n"),
    );
    let us = format!(
        "alerting: {{alertmanagers: [{{api_version: v2, static_configs: [{{targets: ['127.0.0.1:{}']}}]}}]}}\n",
        world.port
    );
    let more = format!(
        "rule_files: [alerts.yml]\n{}",
        if to_us { us } else { String::new() }
    );
    start(&mut world);
    let prometheus = Prometheus::start(&mut world, port, &target, &more);
    (world, target, prometheus)
}

/// What `prometheus.yml` says of alerts.
fn alerting_settings(world: &World) -> String {
    let settings = std::fs::read_to_string(world.path("prometheus.yml")).unwrap();
    settings
        .lines()
        .skip_while(|line| !line.starts_with("rule_files"))
        .map(|line| format!("{line}\n"))
        .collect()
}

#[test]
fn alert_without_webhook_is_read_from_prometheus() {
    let (world, mut target, _prometheus) = alerting("3s", false);
    seconds(3);
    target.degrade(true);
    seconds(9);
    target.degrade(false);
    let spans = until("the alert is known with its end", PATIENCE, || {
        let spans = spans(&world, "CheckoutErrors");
        spans
            .iter()
            .any(|(_, end, _)| end.is_some())
            .then_some(spans)
    });
    seconds(5);
    let found = target.compare(&world, "CheckoutErrors", ALERTED, EXACT);
    assert!(
        found.degraded > 5.0 && found.unknown < 0.5,
        "{found:?}: {spans:?}"
    );
}

#[test]
fn sent_and_remembered_alert_is_one_with_its_true_start() {
    let (world, mut target, _prometheus) = alerting("4s", true);
    seconds(3);
    target.degrade(true);
    seconds(10);
    target.degrade(false);
    until_closed(&world);
    // What is sent begins when it fired; what is recalled, four seconds before.
    until("it begins when it did", PATIENCE, || {
        let spans = spans(&world, "CheckoutErrors");
        (spans.len() == 1 && spans[0].1? - spans[0].0 > TimeDelta::milliseconds(7500)).then_some(())
    });
    target.compare(&world, "CheckoutErrors", ALERTED, EXACT);
}

#[test]
fn expired_lease_is_no_recovery_while_prometheus_was_down() {
    let (mut world, mut target, prometheus) = alerting("1s", true);
    seconds(3);
    target.degrade(true);
    seconds(7);
    prometheus.signal("KILL");
    // It would have promised four minutes: nothing is said of the end until it is back and tells what it remembers.
    seconds(4);
    target.degrade(false);
    seconds(5);
    let more = alerting_settings(&world);
    let _prometheus = Prometheus::start(&mut world, prometheus.port, &target, &more);
    until("the end is unknown", PATIENCE, || {
        spans(&world, "CheckoutErrors")
            .iter()
            .any(|(.., state)| state == "unknown")
            .then_some(())
    });
    let found = target.compare(&world, "CheckoutErrors", ALERTED, EXACT);
    assert!(found.degraded > 2.0 && found.unknown > 4.0, "{found:?}");
}

#[test]
fn skewed_server_alert_is_one_in_sent_time() {
    let (world, mut target, _prometheus) =
        alerting_after("3s", true, |world| world.start_at("+180s"));
    seconds(4);
    target.degrade(true);
    seconds(10);
    target.degrade(false);
    until(
        "it is known with its beginning and its end",
        PATIENCE,
        || {
            let spans = spans(&world, "CheckoutErrors");
            (spans.len() == 1 && spans[0].1? - spans[0].0 > TimeDelta::milliseconds(7500))
                .then_some(())
        },
    );
    seconds(5);
    let found = target.compare(&world, "CheckoutErrors", ALERTED, EXACT);
    assert!(
        found.degraded > 5.0 && found.unknown < 0.5,
        "{found:?}: {:?}",
        spans(&world, "CheckoutErrors")
    );
}

#[test]
fn remembered_alert_is_unknown_after_prometheus_dies() {
    let (mut world, mut target, prometheus) = alerting("1s", false);
    seconds(3);
    target.degrade(true);
    until("the alert is known", PATIENCE, || {
        spans(&world, "CheckoutErrors").pop()
    });
    prometheus.signal("KILL");
    let killed = wall();
    let unknown = || {
        spans(&world, "CheckoutErrors")
            .into_iter()
            .find(|(.., state)| state == "unknown")
    };
    let (since, end, _) = until("it is unknown", Duration::from_secs(45), unknown);
    assert!(
        (since - killed).abs() < ALERTED && end.is_none(),
        "killed at {killed}, unknown from {since} to {end:?}"
    );
    let more = alerting_settings(&world);
    let _prometheus = Prometheus::start(&mut world, prometheus.port, &target, &more);
    let fires = || {
        spans(&world, "CheckoutErrors")
            .into_iter()
            .find(|(since, _, state)| state == "degraded" && *since > killed + ALERTED)
    };
    until("it fires again", Duration::from_secs(45), fires);
    let found = target.compare(&world, "CheckoutErrors", ALERTED, EXACT);
    assert!(found.unknown > 10.0, "{found:?}");
}

#[test]
fn remembered_alert_continues_after_prometheus_was_suspended() {
    let (world, mut target, prometheus) = alerting("1s", false);
    seconds(3);
    target.degrade(true);
    until("the alert is known", PATIENCE, || {
        spans(&world, "CheckoutErrors").pop()
    });
    prometheus.signal("STOP");
    let is = |expected: &str| {
        spans(&world, "CheckoutErrors")
            .into_iter()
            .find(|(_, end, state)| state == expected && end.is_none())
    };
    until("it is unknown", Duration::from_secs(45), || is("unknown"));
    prometheus.signal("CONT");
    until("it goes on", Duration::from_secs(60), || is("degraded"));
    target.degrade(false);
    let whole = until("it ended", PATIENCE, || {
        spans(&world, "CheckoutErrors")
            .pop()
            .filter(|(_, end, _)| end.is_some())
    });
    assert_eq!(spans(&world, "CheckoutErrors"), [whole]);
    seconds(5);
    target.compare(&world, "CheckoutErrors", ALERTED, EXACT);
}

#[test]
fn long_pending_alert_is_a_near_miss() {
    let (world, mut target, _prometheus) = alerting("8s", false);
    seconds(3);
    target.degrade(true);
    seconds(6);
    target.degrade(false);
    let said = until("a near miss is told", PATIENCE, || {
        let incidents = world.incidents();
        let full = incidents
            .iter()
            .map(|incident| world.incident(incident["id"].as_str().unwrap()).to_string());
        full.into_iter()
            .find(|text| text.contains("\"near_miss\"") && text.contains("was pending for"))
    });
    assert!(said.contains("of the 8s after which it fires"), "{said}");
}
