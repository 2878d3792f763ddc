//! Backtests: what other rules would have decided over the same facts, by the engine that decides live.

pub mod jobs;
mod origin;

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::ScopedJoinHandle;

use anyhow::{anyhow, bail};
use chrono::TimeDelta;

use super::past::Span;
use super::past::server::Server;
use super::settings::{Settings, as_logged, in_force};
use crate::config::Config;
use crate::config::metrics::Kind;
use crate::engine::InForce;
use crate::measure::reach::Reach;
use crate::model::Time;
use crate::model::event::{Event, Fact, Settings as Logged};
use crate::rules::RuleSet;
use crate::store::Store;
use crate::trial::backtest::{Backtest, Result as Outcome};
use crate::trial::report::{Report, Tally, asked_otherwise, compare, shifts};
use origin::{Origin, Told};

/// How far back a Prometheus is asked when nobody says.
const LONG_AGO: TimeDelta = TimeDelta::days(5 * 366);
/// Stretches that wait for a rule set that is slower than the other.
const WAITING: usize = 4;

/// What to try.
#[derive(Debug)]
pub struct Ask {
    /// Services, people, planned work, and how labels are read.
    pub config: Config,
    /// The rules that are tried.
    pub rules: RuleSet,
    /// The rules they are compared with; `None`: those that held when, as the log says.
    pub against: Option<RuleSet>,
    /// Where the facts are.
    pub facts: Facts,
    /// Incidents that began since then are told of; `None`: all.
    pub from: Option<Time>,
    /// The present.
    pub now: Time,
}

/// Where facts are.
#[derive(Debug)]
pub enum Facts {
    /// In the log of the store.
    Log,
    /// In a file: what `afterword export` wrote, or a normalised event a line.
    File(PathBuf),
    /// In a Prometheus's memory, looked at once in so long, if that is said.
    Prometheus(Box<Server>, Option<TimeDelta>),
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
pub fn run(store: Option<&Store>, ask: Ask, told: &mut dyn FnMut(Progress) -> ControlFlow<()>) -> Result<Report, Fault> {
    let tried = Arc::new(in_force(ask.rules.clone(), &ask.config));
    let other = ask.against.clone().map(|rules| Arc::new(in_force(rules, &ask.config)));
    // What the rules look back at comes before what is told of.
    let longest = [Some(&tried), other.as_ref()].into_iter().flatten().map(|force| force.remembers()).max().unwrap_or_default();
    let start = ask.from.and_then(|from| from.checked_sub_signed(longest));
    // Of a file nobody knows what was after it.
    let ends = !matches!(ask.facts, Facts::File(_));
    let mut logged = None;
    let mut origin = match (ask.facts, store) {
        (Facts::File(path), _) => Origin::lines(&path, &ask.config.labels)?,
        (Facts::Log, Some(store)) => {
            if let Some(start) = start {
                logged = settings_before(store, start)?;
            }
            Origin::log(store, start)?
        }
        (Facts::Log, None) => return Err(anyhow!("there is no log to read").into()),
        (Facts::Prometheus(server, step), _) => {
            let none = RuleSet::default();
            let rules = [&ask.rules, ask.against.as_ref().unwrap_or(&none)];
            let start = start.unwrap_or(ask.now - LONG_AGO);
            Origin::past(*server, rules, &ask.config.labels, Span { from: start, until: ask.now, step })?
        }
    };
    let from = ask.from.unwrap_or(Time::MIN_UTC);
    let (mut records, mut events, mut first, mut last) = (0_u64, 0_u64, None, None);
    let mut ahead = origin.next(&mut || told(Progress { done: 0.0, events: 0 }).is_continue())?;
    let mut notes = Vec::new();
    let held = other.is_none();
    let mut against = if held { "the rules that held at the time" } else { "the other rules" };
    let other = match other {
        Some(other) => other,
        // What a service starts with is in force before it is logged.
        None => match logged.or_else(|| ahead.iter().flatten().flat_map(|told| &told.events).find_map(settings_in)) {
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
        let trying = scope.spawn(|| judge(tried_from, tried, from, 0, false));
        let comparing = scope.spawn(|| judge(other_from, other, from, 1, held));
        let mut fed = Ok(());
        while let Some(stretch) = ahead.take() {
            records += u64::try_from(stretch.len()).unwrap_or_default();
            events += stretch.iter().map(|told| u64::try_from(told.events.len()).unwrap_or_default()).sum::<u64>();
            first = first.or(stretch.first().map(|told| told.at));
            last = stretch.last().map(|told| told.at).or(last);
            let stretch = Arc::new(stretch);
            // A thread that ended early is asked why below.
            let _ = (to_tried.send(Work::Facts(Arc::clone(&stretch))), to_other.send(Work::Facts(stretch)));
            let progress = Progress { done: origin.done(), events };
            let mut wanted = || told(progress).is_continue();
            let next = if wanted() { origin.next(&mut wanted) } else { Err(Fault::Cancelled) };
            match next {
                Ok(next) => ahead = next,
                Err(fault) => {
                    fed = Err(fault);
                    break;
                }
            }
        }
        if fed.is_ok() {
            let until = if ends { ask.now } else { last.unwrap_or(ask.now) };
            let _ = (to_tried.send(Work::End(until)), to_other.send(Work::End(until)));
        }
        drop((to_tried, to_other));
        let ended = (ended(trying), ended(comparing));
        fed?;
        Ok((ended.0?, ended.1?))
    })?;
    notes.extend(before.1);
    if !matches!(origin, Origin::Past(..)) {
        notes.extend(conditions(&ask.rules, &began_with.rules));
    }
    notes.extend(origin.notes(ask.from));
    let (after, before) = (after.0, before.0);
    let incidents = compare(&before, &after);
    Ok(Report {
        from: ask.from.or(first).unwrap_or(ask.now),
        until: if ends { ask.now } else { last.unwrap_or(ask.now) },
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

/// Judges what comes for the rule set at `place`; `held`: under what the facts say themselves is in force.
fn judge(work: Receiver<Work>, force: Arc<InForce>, from: Time, place: usize, held: bool) -> anyhow::Result<(Outcome, Vec<String>)> {
    let mut backtest = Backtest::under(force, from);
    let mut notes = Vec::new();
    for work in work {
        let stretch = match work {
            Work::Facts(stretch) => stretch,
            Work::End(until) => return Ok((backtest.end(until), notes)),
        };
        // The other thread has it too, unless that is done with it.
        let stretch = Arc::try_unwrap(stretch).unwrap_or_else(|shared| shared.to_vec());
        for Told { at: logged_at, events, .. } in stretch.into_iter().filter(|told| told.of[place]) {
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

/// The Prometheus that an entry of `metrics:` names, or the one at an address.
///
/// # Errors
/// Why there is none, in a sentence that repeats nothing secret.
pub fn prometheus(settings: &Settings, named: &str) -> Result<Server, String> {
    let Some(entry) = settings.config.metrics.iter().find(|entry| entry.name == named) else {
        return Server::at(named);
    };
    match &entry.kind {
        Kind::Prometheus(door) => Server::entry(named, door, settings.reach.get(named).unwrap_or(&Reach::default())),
        _ => Err(format!("`{named}` of `metrics:` is no Prometheus: only one remembers")),
    }
}
