//! Event sources of a backtest, read in batches.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;

use anyhow::Context;
use chrono::TimeDelta;
use tokio::runtime::{Builder, Runtime};

use super::input::BacktestFault;
use crate::app::prometheus_history::record::HistoryRecord;
use crate::app::prometheus_history::server::HistoryServer;
use crate::app::prometheus_history::{HistorySpan, PrometheusHistory};
use crate::engine::horizons::RECONSIDER;
use crate::ingest;
use crate::model::event::Event;
use crate::model::settings::LabelNames;
use crate::model::time::Time;
use crate::rules::rule_set::RuleSet;
use crate::store::database::Store;
use crate::store::export;

/// Interval between checks for cancellation.
const CANCEL_CHECK_INTERVAL: Duration = Duration::from_millis(200);
/// Records per batch.
const BATCH_SIZE: usize = 1000;
/// Maximum number of unreadable lines reported one by one.
const MAX_REPORTED_LINES: usize = 10;
/// Maximum length of a line, in bytes.
const MAX_LINE_BYTES: u64 = 64 << 20;

/// Tolerance for event times in the future, for clock skew of senders.
const MAX_CLOCK_AHEAD: TimeDelta = TimeDelta::minutes(2);
/// Placeholder time of events without one: later than any time that can be written.
const UNDATED: Time = match Time::from_timestamp(253_402_300_799, 0) {
    Some(never) => never,
    None => Time::MAX_UTC,
};

/// Log record.
#[derive(Debug, Clone)]
pub(crate) struct SourceRecord {
    /// Time of logging.
    pub(crate) at: Time,
    /// Events of the record.
    pub(crate) events: Vec<Event>,
    /// Visibility to the candidate and the baseline rules, in this order.
    pub(crate) of: [bool; 2],
}

/// Source of log records, in order of logging.
pub(crate) enum EventSource<'a> {
    /// Log of a store.
    Log(Log<'a>),
    /// File: an export, or one normalised event per line.
    Lines(Box<Lines>),
    /// History of a Prometheus server, read on a runtime of its own.
    Past(Box<PrometheusHistory>, Runtime),
}

/// Log of a store, up to its end at the time of opening.
pub(crate) struct Log<'a> {
    store: &'a Store,
    position: u64,
    last: u64,
    /// Earlier records were removed.
    start: Option<Time>,
}

/// File, read line by line.
pub(crate) struct Lines {
    path: PathBuf,
    file: BufReader<File>,
    names: LabelNames,
    number: u64,
    read: u64,
    size: u64,
    clock: Option<Time>,
    /// `Some` if the file is an export; `true` once its final line was read.
    export: Option<bool>,
    notes: Vec<String>,
    faulty: usize,
    /// Current time; later events are rejected.
    now: Time,
    /// Set once a line with content was read.
    begun: bool,
    /// Number of lines long out of order.
    late: usize,
    /// Of an export: earlier records had been removed.
    start: Option<Time>,
}

impl<'a> EventSource<'a> {
    /// Opens the log of a store, up to its current end.
    pub(crate) fn log(store: &'a Store) -> anyhow::Result<Self> {
        Ok(Self::Log(Log {
            store,
            position: 0,
            last: store.head()?.next.saturating_sub(1),
            start: store.log_start()?,
        }))
    }

    /// Opens a file.
    pub(crate) fn lines(path: &Path, names: &LabelNames, now: Time) -> anyhow::Result<Self> {
        let file =
            File::open(path).with_context(|| format!("{} cannot be read", path.display()))?;
        let size = file.metadata().map_or(0, |file| file.len());
        Ok(Self::Lines(Box::new(Lines {
            path: path.to_owned(),
            file: BufReader::with_capacity(1 << 18, file),
            names: names.clone(),
            number: 0,
            read: 0,
            size,
            clock: None,
            export: None,
            notes: Vec::new(),
            faulty: 0,
            now,
            begun: false,
            late: 0,
            start: None,
        })))
    }

    /// Opens the history of a Prometheus server: its alerts, and the conditions of both rule sets
    /// evaluated on its metrics.
    pub(crate) fn past(
        server: HistoryServer,
        rules: [&RuleSet; 2],
        names: &LabelNames,
        span: HistorySpan,
    ) -> anyhow::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        Ok(Self::Past(
            Box::new(PrometheusHistory::of(server, &rules, names, span)),
            runtime,
        ))
    }

    /// Reads the next batch, which may be empty; `None` at the end. While waiting for a server,
    /// `wanted` is polled and returns whether to continue.
    pub(crate) fn next(
        &mut self,
        wanted: &mut dyn FnMut() -> bool,
    ) -> Result<Option<Vec<SourceRecord>>, BacktestFault> {
        match self {
            Self::Log(log) => Ok(log.next()?),
            Self::Lines(lines) => Ok(lines.next()?),
            Self::Past(past, runtime) => {
                let told = |record: HistoryRecord| {
                    let of = [record.is_for(0), record.is_for(1)];
                    SourceRecord {
                        at: record.logged_at,
                        events: record.events,
                        of,
                    }
                };
                let read = runtime.block_on(async {
                    let mut next = pin!(past.next());
                    loop {
                        match tokio::time::timeout(CANCEL_CHECK_INTERVAL, &mut next).await {
                            Ok(read) => {
                                return read
                                    .map_err(|fault| BacktestFault::Unreadable(fault.into()));
                            }
                            Err(_) if wanted() => {}
                            Err(_) => return Err(BacktestFault::Cancelled),
                        }
                    }
                });
                Ok(read?.map(|records| records.into_iter().map(told).collect()))
            }
        }
    }

    /// Fraction read so far, from 0 to 1.
    pub(crate) fn fraction_read(&self) -> f64 {
        let (done, all) = match self {
            Self::Log(log) => (log.position, log.last),
            Self::Lines(lines) => (lines.read, lines.size),
            Self::Past(past, _) => return past.progress(),
        };
        #[expect(
            clippy::cast_precision_loss,
            reason = "a share of what is shown as a bar"
        )]
        let share = done as f64 / all.max(1) as f64;
        share.min(1.0)
    }

    /// The instant before which records were removed by the retention, if any were.
    pub(crate) fn start(&self) -> Option<Time> {
        match self {
            Self::Log(log) => log.start,
            Self::Lines(lines) => lines.start,
            Self::Past(..) => None,
        }
    }

    /// Remarks on data quality for readers of a report since `from`, whose rules look back by
    /// `lookback`.
    pub(crate) fn notes(self, from: Option<Time>, lookback: TimeDelta) -> Vec<String> {
        let removed = self
            .start()
            .and_then(|start| removed_note(start, from, lookback));
        match self {
            Self::Log(_) => removed.into_iter().collect(),
            Self::Lines(lines) => removed.into_iter().chain(lines.notes()).collect(),
            Self::Past(past, _) => {
                let day = |at: Time| at.format("%F").to_string();
                let mut notes = past.remarks();
                match (past.remembered_from(), from) {
                    (None, _) => notes.insert(
                        0,
                        "The server has no data in this period: neither alerts nor the series that the conditions query."
                            .to_owned(),
                    ),
                    (Some(first), Some(from)) if first > from + TimeDelta::days(1) => {
                        notes.insert(
                            0,
                            format!(
                                "History was requested from {}, but the data of the server begins on {}.",
                                day(from),
                                day(first)
                            ),
                        );
                    }
                    _ => {}
                }
                notes
            }
        }
    }
}

/// Remark on events that the retention has removed, where the report would need them.
fn removed_note(start: Time, from: Option<Time>, lookback: TimeDelta) -> Option<String> {
    let removed = format!(
        "Events before {} were removed (`retention.events`)",
        start.format("%F")
    );
    match from {
        Some(from) if start <= from - lookback => None,
        Some(from) if start <= from => Some(format!(
            "{removed}: criteria that look back further count only incidents since then."
        )),
        _ => Some(format!(
            "{removed}: earlier incidents are missing here, and those open at that time may be incomplete."
        )),
    }
}

fn source_record(at: Time, events: Vec<Event>) -> SourceRecord {
    SourceRecord {
        at,
        events,
        of: [true; 2],
    }
}

impl Log<'_> {
    fn next(&mut self) -> anyhow::Result<Option<Vec<SourceRecord>>> {
        if self.position >= self.last {
            return Ok(None);
        }
        let mut records = self.store.log_after(self.position, BATCH_SIZE)?;
        // Records appended in the meantime are left out: both rule sets see the same log.
        records.retain(|record| record.position <= self.last);
        self.position = records.last().map_or(self.last, |record| record.position);
        Ok(Some(
            records
                .into_iter()
                .map(|record| source_record(record.clock_at, record.events))
                .collect(),
        ))
    }
}

impl Lines {
    fn next(&mut self) -> anyhow::Result<Option<Vec<SourceRecord>>> {
        let mut told = Vec::new();
        let mut line = Vec::new();
        while told.len() < BATCH_SIZE {
            line.clear();
            let place = || {
                format!(
                    "{}:{}: cannot be read",
                    self.path.display(),
                    self.number + 1
                )
            };
            let mut read = std::io::Read::take(&mut self.file, MAX_LINE_BYTES)
                .read_until(b'\n', &mut line)
                .with_context(place)?;
            if read == 0 {
                return Ok((!told.is_empty()).then_some(told));
            }
            let whole = line.ends_with(b"\n")
                || u64::try_from(read).unwrap_or(MAX_LINE_BYTES) < MAX_LINE_BYTES;
            if !whole {
                read += self.file.skip_until(b'\n').with_context(place)?;
            }
            self.number += 1;
            self.read += u64::try_from(read).unwrap_or_default();
            if !whole {
                self.note(&format!(
                    "the line is longer than {} MiB",
                    MAX_LINE_BYTES >> 20
                ));
                continue;
            }
            let Ok(text) = std::str::from_utf8(&line) else {
                self.note("it is not in UTF-8");
                continue;
            };
            // Some editors write a byte order mark.
            let text = text.trim_start_matches('\u{feff}').trim();
            if text.is_empty() {
                continue;
            }
            if !std::mem::replace(&mut self.begun, true) {
                self.export = text.starts_with("{\"afterword\":").then_some(false);
            }
            match if self.export.is_some() {
                self.record(text)
            } else {
                Ok(self.events(text))
            } {
                Ok(record) => told.extend(record),
                Err(fault) => self.note(&fault),
            }
        }
        Ok(Some(told))
    }

    fn record(&mut self, line: &str) -> Result<Option<SourceRecord>, String> {
        if line.starts_with("{\"end\":") {
            self.export = Some(true);
        }
        if line.starts_with("{\"table\":\"log_start\"") {
            self.start = export::log_start(line);
        }
        let record = export::logged(line).map_err(|fault| fault.to_string())?;
        Ok(record.map(|record| source_record(record.clock_at, record.events)))
    }

    /// Parses a line of normalised events. Without a time of logging, they count as logged when
    /// they occurred.
    fn events(&mut self, line: &str) -> Option<SourceRecord> {
        let reading = match ingest::events::events(line.as_bytes(), &self.names, UNDATED) {
            Ok(reading) => reading,
            Err(fault) => {
                self.note(&fault.to_string());
                return None;
            }
        };
        reading
            .faults
            .iter()
            .for_each(|fault| self.note(&fault.to_string()));
        let mut events = reading.into_events();
        if events.iter().any(|event| event.occurred_at >= UNDATED) {
            self.note("`occurred_at` is missing; add the time of the event to this line");
            events.retain(|event| event.occurred_at < UNDATED);
        }
        let latest = self.now + MAX_CLOCK_AHEAD;
        if events.iter().any(|event| event.occurred_at > latest) {
            self.note("`occurred_at` is in the future; correct the time, or leave the line out");
            events.retain(|event| event.occurred_at <= latest);
        }
        let at = events.iter().map(|event| event.occurred_at).max()?;
        let clock = self.clock.map_or(at, |clock| at.max(clock));
        self.clock = Some(clock);
        self.late += usize::from(at < clock - RECONSIDER);
        Some(source_record(clock, events))
    }

    fn note(&mut self, fault: &str) {
        self.faulty += 1;
        if self.faulty <= MAX_REPORTED_LINES {
            self.notes.push(format!(
                "{}:{}:1: skipped: {fault}",
                self.path.display(),
                self.number
            ));
        }
    }

    fn notes(mut self) -> Vec<String> {
        if self.faulty > MAX_REPORTED_LINES {
            self.notes.push(format!(
                "{} more lines of {} were skipped.",
                self.faulty - MAX_REPORTED_LINES,
                self.path.display()
            ));
        }
        if self.late > 0 {
            self.notes.push(format!(
                "{} lines of {} are more than {} days older than a line before them, so they were used as context only; sort the file by time.",
                self.late,
                self.path.display(),
                RECONSIDER.num_days()
            ));
        }
        if self.export == Some(false) {
            self.notes.push(format!(
                "{} is truncated: the last line of an export is missing; export again.",
                self.path.display()
            ));
        }
        self.notes
    }
}
