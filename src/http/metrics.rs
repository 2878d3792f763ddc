//! `GET /metrics`: OpenMetrics text if accepted, else Prometheus text format.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, header};
use chrono::TimeDelta;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::error::Error;
use super::handler::read_store;
use crate::app::App;
use crate::app::core::ClockState;
use crate::app::intake::rejection::RejectReason;
use crate::app::intake::source_status::SourceOverview;
use crate::store::source_stats::HourlyCounts;

type Gauges = Family<Vec<(&'static str, String)>, Gauge>;
type Counters = Family<Vec<(&'static str, String)>, Counter>;

/// Content type of [`encode`].
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Content type of [`plain`].
const PLAIN: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(crate) async fn metrics(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
) -> Result<([(HeaderName, &'static str); 1], String), Error> {
    let stored = read_store(&app, |app| app.core.store.counts()).await?;
    let mut registry = Registry::with_prefix("afterword");
    let counted = &app.core.counters;
    let mut counter = |name: &str, help: &str, value: &AtomicU64| {
        let counter = Counter::<u64>::default();
        counter.inc_by(value.load(Ordering::Relaxed));
        registry.register(name, help, counter);
    };
    counter(
        "arrivals",
        "Messages committed to the event log",
        &counted.arrivals,
    );
    counter(
        "events",
        "Events committed to the event log",
        &counted.events,
    );
    counter(
        "heartbeats",
        "Renewals: firing alerts sent again, without a new state",
        &counted.heartbeats,
    );
    counter(
        "pushed_samples",
        "Samples received by remote write, used or not",
        &counted.pushed,
    );
    counter(
        "refused_arrivals",
        "Messages refused for missing or wrong credentials",
        &counted.refused,
    );
    counter(
        "deliveries_performed",
        "Deliveries performed",
        &counted.delivered,
    );
    counter(
        "delivery_failures",
        "Failed delivery attempts",
        &counted.delivery_failures,
    );
    counter(
        "reload_failures",
        "Reloads rejected because of errors in the settings or rules",
        &counted.reload_failures,
    );
    let (head, applied) = app.progress();
    let mut gauge = |name: &str, help: &str, value: u64| {
        let gauge = Gauge::<i64>::default();
        gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        registry.register(name, help, gauge);
    };
    gauge(
        "judge",
        "1 if this process holds the leader lease of the database",
        u64::from(app.judge.epoch().is_some()),
    );
    gauge(
        "judging",
        "1 while a process judges what is logged",
        u64::from(app.core.judge_fault().is_none() && app.core.database_fault().is_none()),
    );
    gauge("log_head", "Last position of the event log", head);
    gauge(
        "log_applied",
        "Last position of the event log that the judge has applied",
        applied,
    );
    gauge(
        "config_last_reload_successful",
        "1 if the last reload of settings and rules succeeded",
        u64::from(!counted.reload_failed.load(Ordering::Relaxed)),
    );
    let reloaded_at =
        u64::try_from(counted.reloaded_at.load(Ordering::Relaxed)).unwrap_or_default();
    gauge(
        "config_last_reload_success_timestamp_seconds",
        "Time of the last successful reload",
        reloaded_at,
    );
    gauge(
        "quarantined_records",
        "Messages in quarantine",
        stored.quarantined,
    );
    clock(app.core.clock_state(), &mut registry);
    let rows = [
        (
            "incidents",
            "Incidents by phase",
            "phase",
            &stored.incidents,
        ),
        (
            "standings",
            "Incidents by review state",
            "standing",
            &stored.standings,
        ),
        (
            "postmortems",
            "Postmortems by status",
            "status",
            &stored.postmortems,
        ),
        (
            "deliveries",
            "Deliveries by state",
            "state",
            &stored.deliveries,
        ),
    ];
    for (name, help, label, counts) in rows {
        let family = Gauges::default();
        for (value, count) in counts {
            family
                .get_or_create(&vec![(label, value.clone())])
                .set(i64::try_from(*count).unwrap_or(i64::MAX));
        }
        registry.register(name, help, family);
    }
    let rotas = Gauges::default();
    for rota in app
        .on_call_calendars()
        .statuses(&app.core.settings(), app.core.now())
    {
        rotas
            .get_or_create(&vec![("service", rota.service)])
            .set(i64::from(rota.fault.is_none() && rota.read_at.is_some()));
    }
    registry.register(
        "on_call_up",
        "1 if the on-call calendar of the service was read successfully last time",
        rotas,
    );
    let (database, files) = (Gauge::<i64>::default(), Gauges::default());
    database.set(i64::from(app.core.database_fault().is_none()));
    for (directory, writable) in app.delivery.writable_directories() {
        files
            .get_or_create(&vec![("directory", directory.to_owned())])
            .set(i64::from(writable));
    }
    registry.register(
        "database_writable",
        "1 if the database can be written; 0 for example while its disk is full or read-only",
        database,
    );
    registry.register(
        "files_writable",
        "1 if files can be written to the directory; 0 for example while its disk is full or read-only",
        files,
    );
    let measured = read_store(&app, |app| app.conditions.status()).await?;
    let (series, left_out, answers, cut) = (
        Gauges::default(),
        Gauges::default(),
        Gauges::default(),
        Gauges::default(),
    );
    for (name, status) in measured.conditions() {
        for (state, count) in status.counts() {
            let state = serde_json::to_string(&state)
                .unwrap_or_default()
                .trim_matches('"')
                .to_owned();
            series
                .get_or_create(&vec![("condition", name.clone()), ("state", state)])
                .set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        left_out
            .get_or_create(&vec![("condition", name.clone())])
            .set(i64::try_from(status.left_out).unwrap_or(i64::MAX));
    }
    for (name, status) in measured.sources() {
        answers
            .get_or_create(&vec![("metrics", name.clone())])
            .set(i64::from(
                status.fault.is_none() && status.answered.is_some(),
            ));
        cut.get_or_create(&vec![("metrics", name.clone())])
            .set(i64::try_from(status.left_out).unwrap_or(i64::MAX));
    }
    registry.register(
        "condition_series",
        "Series of each condition by state",
        series,
    );
    registry.register(
        "condition_series_left_out",
        "Series left out because of max_series, by condition",
        left_out,
    );
    registry.register(
        "metrics_series_left_out",
        "Series left out because of the series limit, by entry of metrics",
        cut,
    );
    registry.register(
        "metrics_up",
        "1 if the entry of metrics, or its target, answered last time",
        answers,
    );
    let (refused, repeated) = (Counters::default(), Counters::default());
    for (source, why, count) in app.intake.rejected() {
        match why {
            RejectReason::Repeat => repeated
                .get_or_create(&vec![("source", source)])
                .inc_by(count),
            _ => refused
                .get_or_create(&vec![("source", source), ("why", why.label().to_owned())])
                .inc_by(count),
        };
    }
    registry.register("refused", "Rejected messages by source and reason", refused);
    registry.register(
        "repeated",
        "Signed messages rejected as repeated, by source",
        repeated,
    );
    sources(
        &read_store(&app, |app| app.intake.sources()).await?,
        &mut registry,
    );
    let mut text = String::new();
    encode(&mut text, &registry).map_err(|fault| Error::Internal(anyhow::anyhow!(fault)))?;
    let accepted = headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .unwrap_or_default();
    Ok(if accepted.contains("application/openmetrics-text") {
        ([(header::CONTENT_TYPE, OPENMETRICS)], text)
    } else {
        ([(header::CONTENT_TYPE, PLAIN)], plain(&text))
    })
}

/// Registers the metrics of the reference clock.
fn clock(state: ClockState, registry: &mut Registry) {
    let steps = Counter::<u64>::default();
    steps.inc_by(state.steps);
    registry.register(
        "clock_steps",
        "Times that the reference clock was set forward or back by more than two seconds",
        steps,
    );
    let mut gauge = |name: &str, help: &str, value: TimeDelta| {
        let gauge = Gauge::<f64, AtomicU64>::default();
        gauge.set(value.as_seconds_f64());
        registry.register(name, help, gauge);
    };
    let step = state
        .last_step
        .map_or(TimeDelta::zero(), |(from, to)| to - from);
    gauge(
        "clock_last_step_seconds",
        "Length of the last step of the reference clock; negative: back",
        step,
    );
    gauge(
        "clock_lead_seconds",
        "Lead of the clock of this machine over that of the database, by which everything goes; 0 on SQLite",
        state.machine_lead,
    );
}

/// Converts our OpenMetrics text to Prometheus text format, which describes a counter under the
/// name of its samples.
fn plain(open: &str) -> String {
    let counters: Vec<&str> = open
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter"))
        .collect();
    let mut text = String::with_capacity(open.len());
    for line in open.lines().filter(|line| *line != "# EOF") {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some(what), Some(name), Some(rest)) if counters.contains(&name) => {
                text.extend(["# ", what, " ", name, "_total ", rest]);
            }
            _ => text.push_str(line),
        }
        text.push('\n');
    }
    text
}

/// Registers the metrics of each source: counters of this process, and gauges shared by all
/// replicas.
fn sources(sources: &[SourceOverview], registry: &mut Registry) {
    type Counted = fn(&HourlyCounts) -> u64;
    let label = |source: &SourceOverview| vec![("source", source.name.clone())];
    let counters: [(&str, &str, Counted); 2] = [
        (
            "source_messages",
            "Messages by source, repetitions included",
            |hour| hour.messages,
        ),
        ("source_events", "New events by source", |hour| hour.events),
    ];
    for (name, help, counted) in counters {
        let family = Counters::default();
        for source in sources {
            family
                .get_or_create(&label(source))
                .inc_by(counted(&source.tally.counted));
        }
        registry.register(name, help, family);
    }
    let (message, event, silent, waiting) = (
        Gauges::default(),
        Gauges::default(),
        Gauges::default(),
        Gauges::default(),
    );
    for source in sources {
        // An unknown time is left out; 0 would be a valid sample.
        for (family, at) in [
            (&message, source.tally.seen.last_message),
            (&event, source.tally.seen.last_event),
        ] {
            if let Some(at) = at {
                family.get_or_create(&label(source)).set(at.timestamp());
            }
        }
        silent
            .get_or_create(&label(source))
            .set(i64::from(source.rhythm.is_silent()));
        let count = source.waiting.as_ref().map_or(0, |waiting| waiting.count);
        waiting
            .get_or_create(&label(source))
            .set(i64::try_from(count).unwrap_or(i64::MAX));
    }
    registry.register(
        "source_last_message_timestamp_seconds",
        "Time of the last message of the source, to any replica",
        message,
    );
    registry.register(
        "source_last_event_timestamp_seconds",
        "Time of the last new event of the source, to any replica",
        event,
    );
    registry.register(
        "source_silent",
        "1 if the source has been silent for longer than expected",
        silent,
    );
    registry.register(
        "source_unread_messages",
        "Messages of the source waiting in quarantine",
        waiting,
    );
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn a_counter_is_described_under_the_name_of_its_samples() {
        let open = "# HELP a_b Bs.\n# TYPE a_b counter\na_b_total{x=\"# TYPE y counter\"} 3\n# HELP c Cs.\n# TYPE c gauge\nc 1\n# EOF\n";
        let expected = "# HELP a_b_total Bs.\n# TYPE a_b_total counter\na_b_total{x=\"# TYPE y counter\"} 3\n# HELP c Cs.\n# TYPE c gauge\nc 1\n";
        assert_eq!(plain(open), expected);
    }
}
