//! Runs a backtest: reads events once and judges them under two rule sets.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::ScopedJoinHandle;

use anyhow::{anyhow, bail};
use chrono::TimeDelta;

use super::event_source::{EventSource, SourceRecord};
use super::input::{BacktestFault, BacktestInput, BacktestProgress, BacktestSource};
use crate::app::prometheus_history::HistorySpan;
use crate::app::prometheus_history::server::HistoryServer;
use crate::app::settings::{Settings, as_logged, in_force, put_in_force};
use crate::clients::credentials::ServerAccess;
use crate::config::metrics::MetricsKind;
use crate::config::settings::Config;
use crate::engine::policy::Policy;
use crate::model::event::AppliedSettings as Logged;
use crate::model::time::Time;
use crate::rules::rule_set::RuleSet;
use crate::store::database::Store;
use crate::trial::backtest::{BacktestResult, Backtester};
use crate::trial::comparison::{
    BacktestReport, DecisionCounts, changed_conditions, compare, shifts,
};

/// Default look-back into Prometheus history.
const DEFAULT_LOOKBACK: TimeDelta = TimeDelta::days(5 * 366);
/// Capacity, in batches, of the channel to each judging thread.
const CHANNEL_CAPACITY: usize = 4;

type Batch = Arc<Vec<SourceRecord>>;

/// Baseline of the comparison.
struct Baseline {
    /// Policy in force at the start.
    policy: Arc<Policy>,
    /// Set if later policies are taken from the log itself.
    held: bool,
    /// Description for the report.
    told: &'static str,
}

/// Totals of the records read.
#[derive(Debug, Default)]
struct InputTotals {
    records: u64,
    events: u64,
    first: Option<Time>,
    last: Option<Time>,
}

/// Runs a backtest: reads the events once and judges them under both rule sets, each on its own
/// thread. Blocks.
///
/// # Errors
/// When the events cannot be read, or `told` cancels.
pub(crate) fn run(
    store: Option<&Store>,
    ask: BacktestInput,
    told: &mut dyn FnMut(BacktestProgress) -> ControlFlow<()>,
) -> Result<BacktestReport, BacktestFault> {
    let tried = Arc::new(in_force(ask.rules.clone(), &ask.config));
    let other = ask
        .against
        .clone()
        .map(|rules| Arc::new(in_force(rules, &ask.config)));
    // The look-back of the rules extends the range before the report; a log is always read whole.
    let longest = [Some(&tried), other.as_ref()]
        .into_iter()
        .flatten()
        .map(|policy| policy.retention())
        .max()
        .unwrap_or_default();
    let start = ask.from.and_then(|from| from.checked_sub_signed(longest));
    // A file does not say what happened after its end.
    let ends = !matches!(ask.facts, BacktestSource::File(_));
    let none = RuleSet::default();
    let rules = [&ask.rules, ask.against.as_ref().unwrap_or(&none)];
    let mut origin = open(store, ask.facts, rules, start, ask.now, &ask.config)?;
    let from = ask.from.unwrap_or(Time::MIN_UTC);
    let first = origin.next(&mut || {
        told(BacktestProgress {
            done: 0.0,
            events: 0,
        })
        .is_continue()
    })?;
    let mut logged = first
        .iter()
        .flatten()
        .filter_map(|told| put_in_force(&told.events));
    let baseline = baseline(other, logged.find_map(|fact| read(fact).ok()), &ask.config);
    let began_with = Arc::clone(&baseline.policy);
    let (fed, until, after, before) = std::thread::scope(|scope| -> Result<_, BacktestFault> {
        let (to_tried, tried_from) = sync_channel(CHANNEL_CAPACITY);
        let (to_other, other_from) = sync_channel(CHANNEL_CAPACITY);
        let trying = scope.spawn(|| judge(tried_from, tried, from, 0, false));
        let comparing = scope.spawn(|| judge(other_from, baseline.policy, from, 1, baseline.held));
        let to = [to_tried, to_other];
        let fed = feed(&mut origin, first, &to, told);
        let until = fed
            .as_ref()
            .ok()
            .and_then(|fed| fed.last)
            .filter(|_| !ends)
            .unwrap_or(ask.now);
        if fed.is_ok() {
            // A thread that ended early returns its fault below.
            let end = if ends { Work::End } else { Work::EndOfLog };
            to.iter().for_each(|to| drop(to.send(end(until))));
        }
        drop(to);
        let (trying, comparing) = (join_thread(trying), join_thread(comparing));
        Ok((fed?, until, trying?, comparing?))
    })?;
    let ((after, _), (before, mut notes)) = (after, before);
    if !matches!(origin, EventSource::Past(..)) {
        notes.extend(conditions(&ask.rules, &began_with.rules));
    }
    let start = origin.start();
    notes.extend(origin.notes(ask.from, longest));
    let incidents = compare(&before, &after);
    Ok(BacktestReport {
        from: ask
            .from
            .or(after
                .cases
                .values()
                .map(|case| case.began)
                .chain(fed.first)
                .min()
                // Single records from before it are still in use.
                .max(start))
            .unwrap_or(ask.now),
        until,
        records: fed.records,
        events: fed.events,
        against: baseline.told.to_owned(),
        before: DecisionCounts::of(&before),
        after: DecisionCounts::of(&after),
        shifts: shifts(&incidents),
        criteria: after.criteria,
        incidents,
        notes,
    })
}

/// Opens the event source.
fn open<'a>(
    store: Option<&'a Store>,
    facts: BacktestSource,
    rules: [&RuleSet; 2],
    start: Option<Time>,
    now: Time,
    config: &Config,
) -> anyhow::Result<EventSource<'a>> {
    Ok(match (facts, store) {
        (BacktestSource::File(path), _) => EventSource::lines(&path, &config.labels, now)?,
        // From the start: assignments and rules in force may have been logged long ago.
        (BacktestSource::Log, Some(store)) => EventSource::log(store)?,
        (BacktestSource::Log, None) => bail!("there is no log to read"),
        (BacktestSource::Prometheus(server, step), _) => {
            let span = HistorySpan {
                from: start.unwrap_or(now - DEFAULT_LOOKBACK),
                until: now,
                step,
            };
            EventSource::past(*server, rules, &config.recorded_alert_labels(), span)?
        }
    })
}

/// Selects the baseline: the given rules, else the logged rules, else no rules.
fn baseline(other: Option<Arc<Policy>>, logged: Option<Policy>, config: &Config) -> Baseline {
    match (other, logged) {
        (Some(policy), _) => Baseline {
            policy,
            held: false,
            told: "the other rules",
        },
        // The first policy is in force before it is logged.
        (None, Some(policy)) => Baseline {
            policy: Arc::new(policy),
            held: true,
            told: "the rules in force at the time",
        },
        (None, None) => {
            let policy = Arc::new(in_force(RuleSet::default(), config));
            Baseline {
                policy,
                held: true,
                told: "no rules, since the events do not include the rules in force at the time",
            }
        }
    }
}

/// Reads the events to the end, starting with the batch `ahead`, and sends each batch to both
/// threads.
fn feed(
    origin: &mut EventSource<'_>,
    mut ahead: Option<Vec<SourceRecord>>,
    to: &[SyncSender<Work>; 2],
    told: &mut dyn FnMut(BacktestProgress) -> ControlFlow<()>,
) -> Result<InputTotals, BacktestFault> {
    let mut fed = InputTotals::default();
    while let Some(stretch) = ahead {
        fed.records += u64::try_from(stretch.len()).unwrap_or_default();
        fed.events += stretch
            .iter()
            .map(|told| u64::try_from(told.events.len()).unwrap_or_default())
            .sum::<u64>();
        fed.first = fed.first.or(stretch.first().map(|told| told.at));
        fed.last = stretch.last().map(|told| told.at).or(fed.last);
        let stretch = Arc::new(stretch);
        to.iter()
            .for_each(|to| drop(to.send(Work::Facts(Arc::clone(&stretch)))));
        drop(stretch);
        let progress = BacktestProgress {
            done: origin.fraction_read(),
            events: fed.events,
        };
        let mut wanted = || told(progress).is_continue();
        if !wanted() {
            return Err(BacktestFault::Cancelled);
        }
        ahead = origin.next(&mut wanted)?;
    }
    Ok(fed)
}

enum Work {
    Facts(Batch),
    /// End of the records at the present time.
    End(Time),
    /// End of the records of a past log, after which nothing is known.
    EndOfLog(Time),
}

/// Judges batches for the rule set at index `place`; `held`: under the policies logged in them.
fn judge(
    work: Receiver<Work>,
    policy: Arc<Policy>,
    from: Time,
    place: usize,
    held: bool,
) -> anyhow::Result<(BacktestResult, Vec<String>)> {
    let mut backtest = Backtester::under(policy, from);
    let mut notes = Vec::new();
    for work in work {
        let stretch = match work {
            Work::Facts(stretch) => stretch,
            Work::End(until) => return Ok((backtest.end(until), notes)),
            Work::EndOfLog(end) => return Ok((backtest.end_of_log(end), notes)),
        };
        // Copied only if the other thread still holds it.
        let stretch = Arc::try_unwrap(stretch).unwrap_or_else(|shared| shared.to_vec());
        for SourceRecord {
            at: logged_at,
            events,
            ..
        } in stretch.into_iter().filter(|told| told.of[place])
        {
            let next = if held {
                put_in_force(&events).map(read)
            } else {
                None
            };
            backtest.take(logged_at, events);
            match next {
                Some(Ok(policy)) => backtest.adopt(Arc::new(policy)),
                Some(Err(fault)) => {
                    notes.push(format!(
                        "The settings applied on {} cannot be used and were skipped: {fault}",
                        logged_at.format("%F at %R")
                    ));
                }
                None => {}
            }
        }
    }
    bail!("the backtest was interrupted; run it again")
}

fn join_thread<T>(thread: ScopedJoinHandle<'_, anyhow::Result<T>>) -> anyhow::Result<T> {
    thread.join().unwrap_or_else(|_| {
        Err(anyhow!(
            "the engine failed on these events, which is a bug in Afterword; report it with the log"
        ))
    })
}

fn read(fact: &Logged) -> Result<Policy, String> {
    as_logged(fact).map_err(|faults| {
        faults
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("; ")
    })
}

/// Remark on conditions whose query changed since the log was written.
fn conditions(rules: &RuleSet, in_force: &RuleSet) -> Option<String> {
    let names = changed_conditions(rules, in_force);
    let shown = names
        .iter()
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ");
    (!names.is_empty()).then(|| {
        format!("The log has the states of conditions as they were evaluated at the time. These conditions are new or have changed since, and were not evaluated again: {shown}. To evaluate them, run the backtest on the history of a Prometheus.")
    })
}

/// Finds the Prometheus server of an entry of `metrics:`, or the one at an address.
///
/// # Errors
/// Describes, in one sentence without secrets, why there is none.
pub(crate) fn history_server(settings: &Settings, named: &str) -> Result<HistoryServer, String> {
    let Some(entry) = settings
        .config
        .metrics
        .iter()
        .find(|entry| entry.name == named)
    else {
        // A misspelt entry would become a host that does not exist.
        if named != "localhost" && !named.contains(['.', ':', '/']) {
            let entries: Vec<String> = settings
                .config
                .metrics
                .iter()
                .map(|entry| format!("`{}`", entry.name))
                .collect();
            let entries = match entries.as_slice() {
                [] => "there are none".to_owned(),
                entries => format!("there are {}", entries.join(", ")),
            };
            return Err(format!(
                "`{named}` is not an entry of `metrics:` ({entries}), nor an address such as http://localhost:9090"
            ));
        }
        return HistoryServer::at_address(named);
    };
    match &entry.kind {
        MetricsKind::Prometheus(http_client) => HistoryServer::entry(
            named,
            http_client,
            settings
                .metrics_access
                .get(named)
                .unwrap_or(&ServerAccess::default()),
        ),
        _ => Err(format!(
            "`{named}` under `metrics:` is not of kind `prometheus`; only a Prometheus server has history"
        )),
    }
}
