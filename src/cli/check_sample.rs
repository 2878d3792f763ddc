//! `afterword check --sample`: what a source makes of one body, without a service and without storing anything.

use std::fmt::Write as _;
use std::path::Path;

use chrono::SecondsFormat;
use serde::Serialize;
use serde_json::Value;

use super::{FAULTS, USAGE, complain, json, say};
use crate::app::clock::Clock;
use crate::app::settings::Settings;
use crate::ingest::error::MemberFault;
use crate::ingest::message::{Headers, Message};
use crate::ingest::reading::{Reading, Reported, Start};
use crate::ingest::{dispatch, header_filter};
use crate::model::fault::Fault;
use crate::model::time::Time;

/// What came of a body; this is also its shape as JSON.
#[derive(Debug, Default, Serialize)]
struct Told {
    /// The source that read it.
    source: String,
    /// In the order of the body.
    events: Vec<Value>,
    /// Places in `events` of alerts that came without their beginning: an open episode with the same labels takes them in.
    unstarted: Vec<usize>,
    /// Places in `events` of ends that count only where an open episode has the same labels.
    if_on: Vec<usize>,
    /// Promises to say again that an alert is on.
    leases: Vec<Held>,
    /// What could not be read.
    faults: Vec<Unread>,
    /// What the sender is answered beside the status.
    reply: Option<String>,
    /// An address that would be visited, by which a subscription is confirmed.
    confirm: Option<String>,
}

/// A promise to say again that an alert is on.
#[derive(Debug, Serialize)]
struct Held {
    /// Its place in `events`.
    event: usize,
    /// By when; nothing: its sender tells every change once.
    until: Option<Time>,
}

/// A part that could not be read.
#[derive(Debug, Serialize)]
struct Unread {
    /// Where in the body; empty: all of it.
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
            let message = format!("cannot be read: {error}");
            return refused(
                &[Fault {
                    file: body.display().to_string(),
                    line: 1,
                    column: 1,
                    message,
                }],
                as_json,
            );
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
            .ok_or_else(|| format!("no source is named `{name}`; there are: {}", names())),
        (None, [only]) => Ok(only),
        (None, _) => Err(format!(
            "say which source is to read it, with --source; there are: {}",
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
        (_, None) => return usage("a header is written `Name: value`"),
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
    let told = match read {
        Ok(reading) => of(found.name.clone(), reading),
        Err(fault) => {
            let faults = vec![Unread {
                path: String::new(),
                message: fault.to_string(),
            }];
            Told {
                source: found.name.clone(),
                faults,
                ..Told::default()
            }
        }
    };
    if as_json {
        say(&json(&told));
    } else {
        say(text(&told).trim_end());
        told.faults
            .iter()
            .for_each(|fault| complain(&format!("{}: {}", body.display(), line(fault))));
    }
    if told.faults.is_empty() { 0 } else { FAULTS }
}

pub(crate) fn usage(why: &str) -> u8 {
    complain(&format!("error: {why}"));
    USAGE
}

fn refused(faults: &[Fault], as_json: bool) -> u8 {
    if as_json {
        let unread = |fault: &Fault| Unread {
            path: format!("{}:{}:{}", fault.file, fault.line, fault.column),
            message: fault.message.clone(),
        };
        say(&json(&Told {
            faults: faults.iter().map(unread).collect(),
            ..Told::default()
        }));
    } else {
        faults.iter().for_each(|fault| complain(&fault.to_string()));
    }
    FAULTS
}

fn of(source: String, reading: Reading) -> Told {
    let held = |(event, report): (usize, &Reported)| {
        report.lease.map(|until| Held {
            event,
            until: (until != Time::MAX_UTC).then_some(until),
        })
    };
    let positions = |has: fn(&Reported) -> bool| {
        let reports = reading.reports.iter().enumerate();
        let found = reports.filter(|(_, report)| has(report));
        found.map(|(position, _)| position).collect()
    };
    Told {
        leases: reading
            .reports
            .iter()
            .enumerate()
            .filter_map(held)
            .collect(),
        source,
        events: reading
            .events()
            .map(|event| serde_json::to_value(event).unwrap_or_default())
            .collect(),
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

fn line(fault: &Unread) -> String {
    if fault.path.is_empty() {
        fault.message.clone()
    } else {
        format!("{}: {}", fault.path, fault.message)
    }
}

/// An event a paragraph, a value a line.
fn text(told: &Told) -> String {
    let mut text = match told.events.len() {
        0 => "no events\n".to_owned(),
        1 => "1 event\n".to_owned(),
        many => format!("{many} events\n"),
    };
    for (place, event) in told.events.iter().enumerate() {
        text.push('\n');
        lines(&mut text, "", event);
        if told.unstarted.contains(&place) {
            text.push_str(
                "(its beginning was not told: an open episode with the same labels takes it in)\n",
            );
        }
        if told.if_on.contains(&place) {
            text.push_str("(it counts only where an open episode has the same labels)\n");
        }
        match told
            .leases
            .iter()
            .find(|held| held.event == place)
            .map(|held| held.until)
        {
            Some(Some(until)) => {
                let _ = writeln!(
                    text,
                    "(its sender promises to say it again by {})",
                    until.to_rfc3339_opts(SecondsFormat::AutoSi, true)
                );
            }
            Some(None) => text
                .push_str("(its sender tells every change once: it is on until its end is told)\n"),
            None => {}
        }
    }
    for (what, value) in [("reply", &told.reply), ("to confirm", &told.confirm)] {
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
            // What it states stands without the word for that.
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
            // What came from elsewhere must not steer the terminal.
            let _ = writeln!(text, "{path}: {}", value.escape_debug());
        }
        other => {
            let _ = writeln!(text, "{path}: {other}");
        }
    }
}
