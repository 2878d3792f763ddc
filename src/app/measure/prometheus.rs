//! Conditions whose queries a Prometheus evaluates.
//!
//! Where an answer is missing (it was away, or we were) the past is asked once it answers again. And since it answers from what it has, a
//! Prometheus that was away itself would tell old values for five minutes: whether it had looked at anything shortly before an instant is asked
//! with every instant, by its own `up`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use futures_util::future::join_all;

use super::skew::Skew;
use super::{Entry, instant, wait_until};
use crate::app::App;
use crate::config::metrics::Prometheus as Settings;
use crate::engine::samples::Values;
use crate::engine::watches::{Answer, Watches};
use crate::measure::answer;
use crate::measure::fault::Fault;
use crate::measure::prometheus::Client;
use crate::model::Time;
use crate::model::event::{Event, Labels};
use crate::rules::ConditionRule;

/// How far a condition that is evaluated for the first time looks back, so that what began before us begins when it did.
const FIRST_LOOK: TimeDelta = TimeDelta::hours(6);
/// What was not asked for longer than this stays unknown.
const FURTHEST: TimeDelta = TimeDelta::hours(24);
/// How often it is found out how often the Prometheus looks.
const PREPARED_EVERY: TimeDelta = TimeDelta::minutes(10);

/// The newest time at which it looked at any target.
const NEWEST_LOOK: &str = "max(timestamp(up))";
/// The target that it looks at most often.
pub(super) const BUSIEST: &str = "topk(1, count_over_time(up[10m]))";

/// Between two attempts to ask a server that does not answer, in evaluations: what was not asked meanwhile is asked later.
const WAITS: i32 = 4;

pub(super) async fn evaluate_loop(entry: Entry, settings: Settings, client: Arc<Client>) {
    let Some(mut book) = entry.load().await else { return };
    if book.watches.is_empty() {
        return;
    }
    let mut server = Server::new(client);
    let mut pause = Pause::default();
    loop {
        let now = entry.app.now();
        let due: Vec<(&ConditionRule, Time)> = entry
            .conditions()
            .map(|rule| (rule, instant(now, rule.every)))
            .filter(|(rule, at)| book.watches.get(&rule.name).and_then(Watches::last).is_none_or(|last| last < *at))
            .collect();
        if !due.is_empty() {
            let events = if pause.lasts(now) {
                // Known to be in trouble: it is left alone, and this is asked later.
                due.iter()
                    .flat_map(|(rule, at)| book.watches.entry(rule.name.clone()).or_default().evaluate(rule, *at, &Answer::Failed))
                    .collect()
            } else {
                let (events, fault) = round(&entry, &mut server, &mut book.watches, &due).await;
                if let Some(fault) = &fault
                    && let Some(Ok(client)) = entry.shown_anew(fault).await.map(|reach| Client::new(&settings, &reach))
                {
                    server = Server::new(Arc::new(client));
                }
                let often = entry.conditions().map(|rule| rule.every).min().unwrap_or(1);
                pause.note(fault.as_ref(), &entry.name, now, TimeDelta::seconds(often) * WAITS);
                events
            };
            if !entry.save(&mut book, events).await {
                return;
            }
        }
        let next = entry.conditions().map(|rule| instant(entry.app.now(), rule.every) + TimeDelta::seconds(rule.every)).min();
        wait_until(&entry.app, next.unwrap_or(now + TimeDelta::seconds(1))).await;
    }
}

/// Asks for all that is due, at once as far as the client allows.
async fn round(
    entry: &Entry,
    server: &mut Server,
    watches: &mut BTreeMap<String, Watches>,
    due: &[(&ConditionRule, Time)],
) -> (Vec<Event>, Option<Fault>) {
    let mut events = Vec::new();
    if let Err(fault) = server.prepare(&entry.app).await {
        entry.heard("", Err(fault.to_string()));
        for (rule, at) in due {
            events.extend(watches.entry(rule.name.clone()).or_default().evaluate(rule, *at, &Answer::Failed));
        }
        return (events, Some(fault));
    }
    let asked = due.iter().map(|(rule, at)| {
        let from = first_asked(watches.get(&rule.name), rule, *at);
        server.ask(&entry.app, rule, from, *at)
    });
    let answers = join_all(asked).await;
    let (mut heard, mut trouble) = (Ok(()), None);
    for ((rule, at), answer) in due.iter().zip(answers) {
        let watches = watches.entry(rule.name.clone()).or_default();
        match answer {
            Ok(Asked { skew, .. }) if skew.differs(server.skew) => {
                // One of the clocks was set. What was asked for was another time than was meant.
                server.prepared_at = None;
                events.extend(watches.evaluate(rule, *at, &Answer::Failed));
            }
            Ok(Asked { answers, .. }) => {
                // What there was before anything was measured is not unknown: nobody asked for it.
                let first = if watches.last().is_none() { answers.iter().position(|(_, answer)| has_values(answer)) } else { Some(0) };
                events.extend(watches.fill(rule, &answers[first.unwrap_or(answers.len().saturating_sub(1))..]));
            }
            Err(fault) => {
                heard = Err(format!("condition `{}`: {fault}", rule.name));
                // One query that it refuses says nothing about the others.
                trouble = Some(fault).filter(|fault| !matches!(fault, Fault::Refused { .. })).or(trouble);
                events.extend(watches.evaluate(rule, *at, &Answer::Failed));
            }
        }
    }
    entry.heard("", heard);
    (events, trouble)
}

/// How long a server that does not answer is left alone.
#[derive(Default)]
struct Pause {
    attempts: u32,
    until: Option<Time>,
}

impl Pause {
    fn lasts(&self, now: Time) -> bool {
        self.until.is_some_and(|until| now < until)
    }

    /// How the last attempt went, and how long it waits at the most.
    fn note(&mut self, fault: Option<&Fault>, whom: &str, now: Time, most: TimeDelta) {
        self.attempts = if fault.is_some() { self.attempts + 1 } else { 0 };
        self.until = fault.map(|fault| now + fault.wait(self.attempts, whom).min(most));
    }
}

fn has_values(answer: &Answer) -> bool {
    matches!(answer, Answer::Whole(values) | Answer::Partial(values) if !values.is_empty())
}

/// The first instant to ask for: the first that nobody answered, the first after the last, or some hours ago where there was none.
fn first_asked(watches: Option<&Watches>, rule: &ConditionRule, at: Time) -> Time {
    let every = TimeDelta::seconds(rule.every);
    let first = match watches.and_then(|watches| watches.unanswered().or_else(|| Some(watches.last()? + every))) {
        Some(first) => first.max(at - FURTHEST),
        None => at - FIRST_LOOK,
    };
    // An `every` that was changed has other instants.
    (instant(first - TimeDelta::microseconds(1), rule.every) + every).min(at)
}

/// A Prometheus and what was found out about it.
pub(super) struct Server {
    client: Arc<Client>,
    skew: Skew,
    /// How often it looks at the target it looks at most often. `None`: nobody can say.
    pace: Option<TimeDelta>,
    prepared_at: Option<Time>,
}

/// What was asked for, and how the server's clock was when it answered.
struct Asked {
    answers: Vec<(Time, Answer)>,
    skew: Skew,
}

impl Server {
    pub(super) fn new(client: Arc<Client>) -> Self {
        Self { client, skew: Skew::default(), pace: None, prepared_at: None }
    }

    /// Finds out how often it looks and how its clock is.
    pub(super) async fn prepare(&mut self, app: &App) -> Result<(), Fault> {
        let now = app.now();
        if self.prepared_at.is_some_and(|at| now - at < PREPARED_EVERY && now >= at) {
            return Ok(());
        }
        let mut answer = self.client.query(BUSIEST, now).await?;
        self.skew = Skew::of(&answer.heard, app.now());
        if !self.skew.is_none() {
            answer = self.client.query(BUSIEST, self.skew.theirs(now)).await?;
        }
        if let Some(busiest) = answer.series.first() {
            let raw = self.client.raw(&format!("up{}[10m]", selector(&busiest.labels)), self.skew.theirs(now)).await?;
            let points = raw.series.first().map(|series| series.points.as_slice()).unwrap_or_default();
            let mut apart: Vec<TimeDelta> = points.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
            apart.sort_unstable();
            // What lies between most of them: a stretch in which it was away does not count.
            self.pace = apart.get(apart.len() / 2).copied().or(self.pace);
        }
        self.prepared_at = self.pace.map(|_| now);
        Ok(())
    }

    /// The answers at `from` and every `every` seconds until `to`.
    async fn ask(&self, app: &App, rule: &ConditionRule, from: Time, to: Time) -> Result<Asked, Fault> {
        let (whole, asked) = unless_partial(self.range(&rule.query, from, to, rule.every).await)?;
        // Of those that were asked, the ones that told when they looked have looked.
        let (_, looks) = unless_partial(self.range(NEWEST_LOOK, from, to, rule.every).await)?;
        let skew = Skew::of(&asked.heard, app.now());
        let looks: BTreeMap<Time, f64> = looks.series.into_iter().flat_map(|series| series.points).collect();
        let mut values = self.by_time(asked);
        let mut answers = Vec::new();
        let mut at = from;
        while at <= to {
            let values = values.remove(&at).unwrap_or_default();
            let looked = self.had_looked(looks.get(&self.skew.theirs(at)), self.skew.theirs(at));
            let answer = match (looked, whole) {
                (false, _) => Answer::Failed,
                (true, true) => Answer::Whole(values),
                (true, false) => Answer::Partial(values),
            };
            answers.push((at, answer));
            at += TimeDelta::seconds(rule.every);
        }
        Ok(Asked { answers, skew })
    }

    /// What a condition's query gives at `from` and every `step` seconds until `to`, by time; as much of it as there is.
    pub(super) async fn values(&self, rule: &ConditionRule, from: Time, to: Time, step: i64) -> Result<BTreeMap<Time, Values>, Fault> {
        let (_, asked) = unless_partial(self.range(&rule.query, from, to, step).await)?;
        Ok(self.by_time(asked))
    }

    fn by_time(&self, answer: answer::Answer) -> BTreeMap<Time, Values> {
        let mut values: BTreeMap<Time, Values> = BTreeMap::new();
        for mut series in answer.series {
            series.labels.remove("__name__");
            for (at, value) in series.points {
                values.entry(self.skew.ours(at)).or_default().push((series.labels.clone(), value));
            }
        }
        values
    }

    /// A range in our time.
    async fn range(&self, query: &str, from: Time, to: Time, step: i64) -> Result<answer::Answer, Fault> {
        let (from, to) = (self.skew.theirs(from), self.skew.theirs(to));
        if from < to {
            self.client.query_range(query, from, to, Duration::from_secs(step.unsigned_abs())).await
        } else {
            self.client.query(query, to).await
        }
    }
    /// Whether it had looked at something shortly before `at`. Without any `up` nobody can say, and it is believed.
    fn had_looked(&self, newest: Option<&f64>, at: Time) -> bool {
        let Some(pace) = self.pace else { return true };
        newest.is_some_and(|seconds| {
            let ago = at.timestamp_micros() as f64 / 1e6 - seconds;
            // A scrape that takes longer than half the pause to the next is not there yet; it is when the past is asked.
            ago <= 1.5 * pace.as_seconds_f64()
        })
    }
}

/// An answer, and whether it is whole.
fn unless_partial(answer: Result<answer::Answer, Fault>) -> Result<(bool, answer::Answer), Fault> {
    match answer {
        Ok(answer) => Ok((true, answer)),
        Err(Fault::Partial { rest: Some(rest), .. }) => Ok((false, *rest)),
        Err(fault) => Err(fault),
    }
}

/// Labels as a selector.
pub(super) fn selector(labels: &Labels) -> String {
    let named = labels.iter().filter(|(name, _)| *name != "__name__");
    let parts: Vec<String> = named.map(|(name, value)| format!("{name}={value:?}")).collect();
    format!("{{{}}}", parts.join(","))
}
