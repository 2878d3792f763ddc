//! Scrape target with metrics set by a test, which records the truth over time and compares it with
//! the findings.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use crate::harness::{World, pause, wall};

/// A service with a metric `checkout_errors`, a gauge, and a counter of failures.
pub(crate) struct Target {
    pub(crate) port: u16,
    shown: Arc<Mutex<Shown>>,
    truth: Vec<(DateTime<Utc>, bool)>,
    begun: DateTime<Utc>,
}

/// What the page says.
pub(crate) struct Shown {
    /// The gauge.
    pub(crate) errors: f64,
    /// The counters; they grow with each look by their rates.
    pub(crate) failed: f64,
    pub(crate) all: f64,
    pub(crate) failing: f64,
    /// It answers with an error instead.
    pub(crate) gone: bool,
    /// Its page leaves the metrics out.
    pub(crate) empty: bool,
    /// It states times, by a clock that is so far ahead.
    pub(crate) clock: Option<TimeDelta>,
    last: DateTime<Utc>,
}

impl Target {
    pub(crate) fn serve() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shown = Shown {
            errors: 0.0,
            failed: 0.0,
            all: 0.0,
            failing: 0.0,
            gone: false,
            empty: false,
            clock: None,
            last: wall(),
        };
        let shown = Arc::new(Mutex::new(shown));
        let theirs = Arc::clone(&shown);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { continue };
                let _ = stream.set_read_timeout(Some(Duration::from_secs(1)));
                let _ = stream.read(&mut [0; 4096]);
                let mut shown = theirs.lock().unwrap();
                shown.grow();
                let now = wall() + shown.clock.unwrap_or_default();
                let date = now.format("%a, %d %b %Y %H:%M:%S GMT");
                let status = if shown.gone {
                    "503 Service Unavailable"
                } else {
                    "200 OK"
                };
                let body = shown.page(now);
                let head = format!(
                    "HTTP/1.1 {status}\r\ndate: {date}\r\ncontent-type: text/plain; version=0.0.4\r\ncontent-length: {}",
                    body.len()
                );
                let _ = write!(stream, "{head}\r\nconnection: close\r\n\r\n{body}");
            }
        });
        Self {
            port,
            shown,
            truth: vec![(wall(), false)],
            begun: wall(),
        }
    }

    /// Changes what it shows.
    pub(crate) fn show(&self, change: impl FnOnce(&mut Shown)) {
        let mut shown = self.shown.lock().unwrap();
        shown.grow();
        change(&mut shown);
    }

    /// Degraded or not, from now on: by the gauge, and by the share of failures.
    pub(crate) fn degrade(&mut self, degraded: bool) {
        self.show(|shown| {
            shown.errors = if degraded { 9.0 } else { 1.0 };
            shown.failing = if degraded { 50.0 } else { 0.0 };
        });
        self.truth.push((wall(), degraded));
    }

    fn was_degraded(&self, at: DateTime<Utc>) -> bool {
        self.truth
            .iter()
            .rev()
            .find(|(since, _)| *since <= at)
            .is_some_and(|(_, degraded)| *degraded)
    }

    /// Compares what a condition was found to be with what was true, from the beginning until now: it is the same, or unknown, but for `slack`
    /// around each change. `shift` is how far our clock is ahead. Gives the seconds found degraded, and found unknown.
    #[track_caller]
    pub(crate) fn compare(
        &self,
        world: &World,
        condition: &str,
        slack: TimeDelta,
        shift: TimeDelta,
    ) -> Found {
        let spans = spans(world, condition);
        let (mut at, until) = (self.begun, wall() - slack);
        let step = TimeDelta::milliseconds(100);
        let mut found = Found::default();
        while at < until {
            let state = state(&spans, at + shift);
            let near = self
                .truth
                .iter()
                .any(|(change, _)| (at - *change).abs() <= slack);
            let agrees = state == "unknown" || (state == "degraded") == self.was_degraded(at);
            assert!(
                agrees || near,
                "at {at} it was {} and found {state:?}; changes: {:?}; found: {spans:#?}; log:\n{}",
                if self.was_degraded(at) {
                    "degraded"
                } else {
                    "healthy"
                },
                self.truth,
                logged(world)
            );
            match state {
                "degraded" => found.degraded += 0.1,
                "unknown" => found.unknown += 0.1,
                _ => {}
            }
            at += step;
        }
        found
    }
}

/// Seconds.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) degraded: f64,
    pub(crate) unknown: f64,
}

impl Shown {
    fn grow(&mut self) {
        let now = wall();
        let passed = (now - self.last).as_seconds_f64();
        self.failed += self.failing * passed;
        self.all += 100.0 * passed;
        self.last = now;
    }

    fn page(&self, now: DateTime<Utc>) -> String {
        let time = if self.clock.is_some() {
            format!(" {}", now.timestamp_millis())
        } else {
            String::new()
        };
        if self.empty {
            return "# nothing\n".to_owned();
        }
        let Self {
            errors,
            failed,
            all,
            ..
        } = self;
        format!(
            "# TYPE checkout_errors gauge\ncheckout_errors {errors}{time}\n# TYPE failed_total counter\nfailed_total {failed}{time}\n\
             # TYPE all_total counter\nall_total {all}{time}\n"
        )
    }
}

/// A stretch of a signal.
pub(crate) type Stretch = (DateTime<Utc>, Option<DateTime<Utc>>, String);

/// The stretches of a condition in all incidents: beginning, end and state.
pub(crate) fn spans(world: &World, condition: &str) -> Vec<Stretch> {
    let mut spans = Vec::new();
    for listed in world.incidents() {
        let incident = world.incident(listed["id"].as_str().unwrap());
        let signals = incident["signals"].as_array().unwrap().iter();
        for span in signals
            .filter(|signal| signal["name"] == condition)
            .flat_map(|signal| signal["spans"].as_array().unwrap().clone())
        {
            let time = |value: &Value| value.as_str().map(|text| text.parse().unwrap());
            spans.push((
                time(&span["start"]).unwrap(),
                time(&span["end"]),
                span["state"].as_str().unwrap().to_owned(),
            ));
        }
    }
    spans.sort();
    spans
}

/// What a condition was found to be at an instant, the worst first.
pub(crate) fn state(spans: &[Stretch], at: DateTime<Utc>) -> &str {
    let holding = spans
        .iter()
        .filter(|(start, end, _)| *start <= at && end.is_none_or(|end| at < end));
    let states: Vec<&str> = holding.map(|(.., state)| state.as_str()).collect();
    ["degraded", "unknown"]
        .into_iter()
        .find(|state| states.contains(state))
        .unwrap_or("healthy")
}

/// Lets so many seconds pass.
pub(crate) fn seconds(count: u64) {
    pause(Duration::from_secs(count));
}

/// What conditions said, for whoever reads a failed run.
fn logged(world: &World) -> String {
    let exported = world.run(&["export", "--config", "afterword.yaml"]).said;
    let lines = exported
        .lines()
        .filter(|line| line.contains("\"log\"") && line.contains("condition"));
    lines.collect::<Vec<_>>().join("\n")
}
