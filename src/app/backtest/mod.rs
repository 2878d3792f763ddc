//! Backtests: what other rules would have decided over the same facts, by the engine that decides live.

mod origin;

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::ScopedJoinHandle;

use anyhow::{anyhow, bail};

use super::settings::{as_logged, in_force};
use crate::config::Config;
use crate::engine::InForce;
use crate::model::Time;
use crate::model::event::{Event, Fact, Settings as Logged};
use crate::rules::RuleSet;
use crate::store::Store;
use crate::trial::backtest::{Backtest, Result as Outcome};
use crate::trial::report::{Report, Tally, asked_otherwise, compare, shifts};
use origin::{Origin, Told};

/// Stretches that wait for a rule set that is slower than the other.
const WAITING: usize = 4;

/// What to try.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Services, people, planned work, and how labels are read.
    pub config: Config,
    /// The rules that are tried.
    pub rules: RuleSet,
    /// The rules they are compared with; `None`: those that held when, as the log says.
    pub against: Option<RuleSet>,
    /// Where the facts are; `None`: in the store's log.
    pub events: Option<PathBuf>,
    /// Incidents that began since then are told of; `None`: all.
    pub from: Option<Time>,
    /// The present.
    pub now: Time,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// From 0 to 1.
    pub done: f64,
    /// Events read.
    pub events: u64,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// Somebody wanted no more of it.
    #[error("cancelled")]
    Cancelled,
    /// The facts cannot be read.
    #[error("{0:#}")]
    Unreadable(#[from] anyhow::Error),
}

type Stretch = Arc<Vec<Told>>;

/// Runs a backtest: the facts are read once and judged under both rule sets, each on a thread of its own. Blocks.
///
/// # Errors
/// When the facts cannot be read, or `told` breaks it off.
pub fn run(store: Option<&Store>, ask: &Ask, told: &mut dyn FnMut(Progress) -> ControlFlow<()>) -> Result<Report, Fault> {
    let tried = Arc::new(in_force(ask.rules.clone(), &ask.config));
    let other = ask.against.clone().map(|rules| Arc::new(in_force(rules, &ask.config)));
    // What the rules look back at comes before what is told of.
    let longest = [Some(&tried), other.as_ref()].into_iter().flatten().map(|force| force.remembers()).max().unwrap_or_default();
    let start = ask.from.and_then(|from| from.checked_sub_signed(longest));
    let mut origin = match (&ask.events, store) {
        (Some(path), _) => Origin::lines(path, &ask.config.labels)?,
        (None, Some(store)) => Origin::log(store, start)?,
        (None, None) => return Err(anyhow!("there are no facts to read").into()),
    };
    let from = ask.from.unwrap_or(Time::MIN_UTC);
    let mut ahead = origin.next()?;
    let (mut records, mut events, mut first, mut last) = (0_u64, 0_u64, None, None);
    let logged = match (&ask.events, store, start) {
        (None, Some(store), Some(start)) => settings_before(store, start)?,
        _ => None,
    };
    let mut notes = Vec::new();
    let held = other.is_none();
    let mut against = if held { "the rules that held at the time" } else { "the other rules" };
    let other = match other {
        Some(other) => other,
        // What a service starts with is in force before it is logged.
        None => match logged.or_else(|| ahead.iter().flat_map(|(_, events)| events).find_map(settings_in)) {
            Some(fact) => Arc::new(read(&fact).map_err(anyhow::Error::msg)?),
            None => {
                against = "no rules at all, as the facts do not say which rules held";
                Arc::new(in_force(RuleSet::default(), &ask.config))
            }
        },
    };
    let began_with = Arc::clone(&other);
    let (after, before) = std::thread::scope(|scope| -> Result<_, Fault> {
        let (to_tried, tried_from) = sync_channel(WAITING);
        let (to_other, other_from) = sync_channel(WAITING);
        let trying = scope.spawn(|| judge(tried_from, tried, from, false));
        let comparing = scope.spawn(|| judge(other_from, other, from, held));
        let mut fed = Ok(());
        while !ahead.is_empty() {
            records += u64::try_from(ahead.len()).unwrap_or_default();
            events += ahead.iter().map(|(_, events)| u64::try_from(events.len()).unwrap_or_default()).sum::<u64>();
            first = first.or(ahead.first().map(|(at, _)| *at));
            last = ahead.last().map(|(at, _)| *at);
            let stretch = Arc::new(std::mem::take(&mut ahead));
            // A thread that ended early is asked why below.
            let _ = (to_tried.send(Work::Facts(Arc::clone(&stretch))), to_other.send(Work::Facts(stretch)));
            if told(Progress { done: origin.done(), events }).is_break() {
                fed = Err(Fault::Cancelled);
                break;
            }
            match origin.next() {
                Ok(next) => ahead = next,
                Err(fault) => {
                    fed = Err(fault.into());
                    break;
                }
            }
        }
        if fed.is_ok() {
            // The service's log goes on until now; a file tells nothing of the time after it.
            let until = if ask.events.is_some() { last } else { Some(ask.now) };
            let until = until.unwrap_or(ask.now);
            let _ = (to_tried.send(Work::End(until)), to_other.send(Work::End(until)));
        }
        drop((to_tried, to_other));
        let ended = (ended(trying), ended(comparing));
        fed?;
        Ok((ended.0?, ended.1?))
    })?;
    notes.extend(before.1);
    notes.extend(conditions(&ask.rules, &began_with.rules));
    notes.extend(origin.notes());
    let (after, before) = (after.0, before.0);
    let incidents = compare(&before, &after);
    Ok(Report {
        from: ask.from.or(first).unwrap_or(ask.now),
        until: if ask.events.is_some() { last.unwrap_or(ask.now) } else { ask.now },
        records,
        events,
        against: against.to_owned(),
        before: Tally::of(&before),
        after: Tally::of(&after),
        shifts: shifts(&incidents),
        criteria: after.criteria,
        incidents,
        notes,
    })
}

enum Work {
    Facts(Stretch),
    End(Time),
}

/// Judges what comes; `held`: under what it says itself is in force.
fn judge(work: Receiver<Work>, force: Arc<InForce>, from: Time, held: bool) -> anyhow::Result<(Outcome, Vec<String>)> {
    let mut backtest = Backtest::under(force, from);
    let mut notes = Vec::new();
    for work in work {
        let stretch = match work {
            Work::Facts(stretch) => stretch,
            Work::End(until) => return Ok((backtest.end(until), notes)),
        };
        // The other thread has it too, unless that is done with it.
        let stretch = Arc::try_unwrap(stretch).unwrap_or_else(|shared| shared.to_vec());
        for (logged_at, events) in stretch {
            let put_in_force = if held { events.iter().rev().find_map(settings_in) } else { None };
            backtest.take(logged_at, events);
            let Some(fact) = put_in_force else { continue };
            match read(&fact) {
                Ok(force) => backtest.adopt(Arc::new(force)),
                Err(fault) => notes.push(format!("What was put in force on {} is passed over: {fault}", logged_at.format("%F at %R"))),
            }
        }
    }
    bail!("it was broken off")
}

fn ended<T>(thread: ScopedJoinHandle<'_, anyhow::Result<T>>) -> anyhow::Result<T> {
    thread.join().unwrap_or_else(|_| Err(anyhow!("judging the facts failed; that is a fault of Afterword's")))
}

fn settings_in(event: &Event) -> Option<Logged> {
    if let Fact::Settings(fact) = &event.fact { Some(fact.clone()) } else { None }
}

fn read(fact: &Logged) -> Result<InForce, String> {
    as_logged(fact).map_err(|faults| faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
}

/// The settings that were logged last before `start`.
fn settings_before(store: &Store, start: Time) -> anyhow::Result<Option<Logged>> {
    Ok(store.settings_before(start)?.as_ref().and_then(settings_in))
}

/// Of conditions that are asked otherwise now.
fn conditions(rules: &RuleSet, in_force: &RuleSet) -> Option<String> {
    let names = asked_otherwise(rules, in_force);
    let shown = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    (!names.is_empty()).then(|| {
        format!("The log holds the turns of conditions as they were asked then. New or asked otherwise now, and not judged anew: {shown}.")
    })
}
