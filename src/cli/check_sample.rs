//! `afterword check --sample`: reads one body as a source would, without a service and without
//! storing anything.

use std::fmt::Write as _;
use std::path::Path;

use chrono::SecondsFormat;
use serde::Serialize;
use serde_json::Value;

use super::output::{FAULTS, USAGE, complain, json, say};
use crate::app::clock::Clock;
use crate::app::settings::Settings;
use crate::app::settings::files;
use crate::ingest::error::MemberFault;
use crate::ingest::message::{Headers, Message};
use crate::ingest::reading::{Reading, Reported, Start};
use crate::ingest::{dispatch, header_filter};
use crate::model::event::{AlertStatus, Event, Fact};
use crate::model::fault::Fault;
use crate::model::time::Time;

/// Result of reading a body, serialized as is for `--format json`.
#[derive(Debug, Default, Serialize)]
struct SampleReport {
    /// Source that read it.
    source: String,
    /// In the order of the body.
    events: Vec<Value>,
    /// Indexes into `events` of alerts without a start time; they join an open episode with the
    /// same labels.
    unstarted: Vec<usize>,
    /// Indexes into `events` of resolves that apply only if an episode with the same labels is
    /// open.
    if_on: Vec<usize>,
    /// Leases: deadlines by which the sender repeats a firing alert.
    leases: Vec<Lease>,
    /// Parts that could not be read.
    faults: Vec<Unread>,
    /// Response body to the sender.
    reply: Option<String>,
    /// URL that the service would request to confirm a subscription.
    confirm: Option<String>,
}

/// Deadline by which the sender repeats a firing alert.
#[derive(Debug, Serialize)]
struct Lease {
    /// Index into `events`.
    event: usize,
    /// Deadline; `None` if the sender reports each change only once.
    until: Option<Time>,
}

/// A part that could not be read.
#[derive(Debug, Serialize)]
struct Unread {
    /// Path in the body; empty for the whole body.
    path: String,
    message: String,
}

/// Reads a body with a source of the settings. `headers` are written `Name: value`.
pub(crate) fn sample(
    body: &Path,
    settings: &Path,
    source: Option<&str>,
    headers: &[String],
    as_json: bool,
) -> u8 {
    let settings = match Settings::load(Some(settings)) {
        Ok(settings) => settings,
        Err(faults) => return refused(&faults, as_json),
    };
    let bytes = match std::fs::read(body) {
        Ok(bytes) => bytes,
        Err(error) => {
            let fault = files::fault(body, files::unreadable("this file", &error));
            return refused(&[fault], as_json);
        }
    };
    let all = &settings.config.sources;
    let names = || {
        all.iter()
            .map(|source| source.name.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    };
    let found = match (source, all.as_slice()) {
        (Some(name), _) => all
            .iter()
            .find(|source| source.name == name)
            .ok_or_else(|| {
                format!(
                    "unknown source `{name}`; sources in the settings: {}",
                    names()
                )
            }),
        (None, [only]) => Ok(only),
        (None, _) => Err(format!(
            "choose the source with --source; sources in the settings: {}",
            names()
        )),
    };
    let pairs: Option<Vec<(String, &str)>> = headers
        .iter()
        .map(|header| {
            header
                .split_once(':')
                .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim()))
        })
        .collect();
    let (found, pairs) = match (found, pairs) {
        (Ok(found), Some(pairs)) => (found, pairs),
        (Err(why), _) => return usage(&why),
        (_, None) => return usage("a header must be written as `Name: value`"),
    };
    let headers: Headers<'_> = pairs
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_bytes()))
        .collect();
    let headers = header_filter::without(&headers, settings.proofs.get(&found.name));
    let labels = found.labels.as_ref().unwrap_or(&settings.config.labels);
    let message = Message {
        source: &found.name,
        headers: &headers,
        body: &bytes,
        names: labels,
        now: Clock::System.now(),
    };
    let read = match settings.readers.get(&found.name) {
        Some(reader) => dispatch::read(reader, &message, &mut |_| false),
        None => Ok(Reading::default()),
    };
    let report = match read {
        Ok(reading) => of(found.name.clone(), reading),
        Err(fault) => {
            let faults = vec![Unread {
                path: String::new(),
                message: fault.to_string(),
            }];
            SampleReport {
                source: found.name.clone(),
                faults,
                ..SampleReport::default()
            }
        }
    };
    if as_json {
        say(&json(&report));
    } else {
        say(text(&report).trim_end());
        report
            .faults
            .iter()
            .for_each(|fault| complain(&format!("{}: {}", body.display(), fault_line(fault))));
    }
    if report.faults.is_empty() { 0 } else { FAULTS }
}

pub(crate) fn usage(why: &str) -> u8 {
    complain(&format!("error: {why}"));
    USAGE
}

fn refused(faults: &[Fault], as_json: bool) -> u8 {
    if as_json {
        let unread = |fault: &Fault| Unread {
            path: fault.place(),
            message: fault.message.clone(),
        };
        say(&json(&SampleReport {
            faults: faults.iter().map(unread).collect(),
            ..SampleReport::default()
        }));
    } else {
        faults.iter().for_each(|fault| complain(&fault.to_string()));
    }
    FAULTS
}

fn of(source: String, reading: Reading) -> SampleReport {
    let lease = |(event, report): (usize, &Reported)| {
        report.lease.map(|until| Lease {
            event,
            until: (until != Time::MAX_UTC).then_some(until),
        })
    };
    let positions = |has: fn(&Reported) -> bool| {
        let reports = reading.reports.iter().enumerate();
        let found = reports.filter(|(_, report)| has(report));
        found.map(|(position, _)| position).collect()
    };
    SampleReport {
        leases: reading
            .reports
            .iter()
            .enumerate()
            .filter_map(lease)
            .collect(),
        source,
        events: reading.events().map(shown).collect(),
        unstarted: positions(|report| report.start == Start::Guessed),
        if_on: positions(|report| report.only_if_firing),
        faults: reading
            .faults
            .into_iter()
            .map(|MemberFault { path, message, .. }| Unread { path, message })
            .collect(),
        reply: reading.reply.map(|reply| reply.body),
        confirm: reading.confirm,
    }
}

/// An event as it is printed: a firing alert has not ended, so it has no reason of an end.
fn shown(event: &Event) -> Value {
    let mut shown = serde_json::to_value(event).unwrap_or_default();
    let fires = matches!(&event.fact, Fact::Alert(alert) if alert.status == AlertStatus::Firing);
    if let Some(fact) = shown.get_mut("fact").and_then(Value::as_object_mut)
        && fires
    {
        fact.remove("end_reason");
    }
    shown
}

fn fault_line(fault: &Unread) -> String {
    if fault.path.is_empty() {
        fault.message.clone()
    } else {
        format!("{}: {}", fault.path, fault.message)
    }
}

/// Text output: one paragraph per event, one line per value.
fn text(report: &SampleReport) -> String {
    let mut text = match report.events.len() {
        0 => "no events\n".to_owned(),
        1 => "1 event\n".to_owned(),
        many => format!("{many} events\n"),
    };
    for (place, event) in report.events.iter().enumerate() {
        text.push('\n');
        lines(&mut text, "", event);
        if report.unstarted.contains(&place) {
            text.push_str("(no start time: it joins an open episode with the same labels)\n");
        }
        if report.if_on.contains(&place) {
            text.push_str("(it counts only if an episode with the same labels is open)\n");
        }
        match report
            .leases
            .iter()
            .find(|lease| lease.event == place)
            .map(|lease| lease.until)
        {
            Some(Some(until)) => {
                let _ = writeln!(
                    text,
                    "(the sender repeats it by {})",
                    until.to_rfc3339_opts(SecondsFormat::AutoSi, true)
                );
            }
            Some(None) => text.push_str(
                "(the sender reports each change once: it stays firing until it is resolved)\n",
            ),
            None => {}
        }
    }
    for (what, value) in [("reply", &report.reply), ("to confirm", &report.confirm)] {
        if let Some(value) = value {
            let _ = writeln!(text, "\n{what}: {value}");
        }
    }
    text
}

fn lines(text: &mut String, path: &str, value: &Value) {
    let below = |name: &str| {
        if path.is_empty() {
            name.to_owned()
        } else {
            format!("{path}.{name}")
        }
    };
    match value {
        Value::Object(map) => {
            // The fields of the fact are printed without the `fact.` prefix.
            map.iter().for_each(|(name, value)| {
                lines(
                    text,
                    &if path.is_empty() && name == "fact" {
                        String::new()
                    } else {
                        below(name)
                    },
                    value,
                );
            });
        }
        Value::Array(list) => list
            .iter()
            .enumerate()
            .for_each(|(place, value)| lines(text, &format!("{path}[{place}]"), value)),
        Value::String(value) => {
            // Control characters from senders must not reach the terminal.
            let _ = writeln!(text, "{path}: {}", value.escape_debug());
        }
        other => {
            let _ = writeln!(text, "{path}: {other}");
        }
    }
}
