//! What a Prometheus remembers of its alerts: its own series `ALERTS` and `ALERTS_FOR_STATE`, one sample an evaluation.
//!
//! ```text
//! ALERTS{alertname="CheckoutDown", alertstate="pending", service="checkout"}  1 @…:04.418  1 @…:19.418
//! ALERTS{alertname="CheckoutDown", alertstate="firing", service="checkout"}   1 @…:34.418
//! ALERTS_FOR_STATE{alertname="CheckoutDown", service="checkout"}              1763881384 @…:04.418  …
//! ```
//!
//! The value of `ALERTS_FOR_STATE` is when the alert became active, in whole seconds; the first firing sample is the `startsAt` that is sent, to
//! the millisecond, so that what is read here and what comes by a webhook are one alert. Absence is the end (`rules/alerting.go`). Unlike
//! webhooks these series miss nothing: no flap, no alert that came and went between two messages, and none that was pending and never fired.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::labels;
use crate::model::Time;
use crate::model::event::{Alert, AlertStatus, EndReason, Event, Fact, LabelSet, Labels, NearMiss, Severity};
use crate::model::settings::LabelNames;

/// How far it must have come, as a share of its `for`, to have nearly fired.
const NEARLY: f64 = 0.5;
/// How often rules are evaluated where nobody says: Prometheus's own default.
const USUAL: TimeDelta = TimeDelta::minutes(1);

/// What is known of the alerts of one Prometheus, from one look at its memory to the next.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Recalled {
    /// Up to when its memory has been read.
    #[serde(default)]
    pub until: Option<Time>,
    on: Vec<Episode>,
}

/// An alert that is pending or fires.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Episode {
    labels: Labels,
    active_at: Time,
    /// The value of `ALERTS_FOR_STATE`, which another episode of the same labels has not.
    mark: Option<i64>,
    fired_at: Option<Time>,
    /// Whether it was told that it fires.
    told: bool,
    /// The last evaluation that it was seen in.
    seen_at: Time,
}

/// A stretch of the memory.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    /// Samples of `ALERTS`, by labels.
    pub alerts: Vec<(Labels, Vec<(Time, f64)>)>,
    /// Samples of `ALERTS_FOR_STATE`, by labels.
    pub active: Vec<(Labels, Vec<(Time, f64)>)>,
    /// When it looked at its targets, in order; `None`: nobody can say, and it is believed to have.
    pub looks: Option<Vec<Time>>,
    /// The beginning of the stretch.
    pub from: Time,
    /// Its end.
    pub until: Time,
}

/// What is known of an alerting rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// `for`, in seconds.
    pub hold: i64,
    /// `keep_firing_for`, in seconds.
    pub keep: i64,
    /// From one evaluation to the next.
    pub interval: TimeDelta,
}

/// How what is read becomes events.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    /// The name of the source.
    pub source: &'a str,
    /// Which labels give what.
    pub names: &'a LabelNames,
    /// The rules by the names of their alerts.
    pub rules: &'a BTreeMap<String, Rule>,
    /// Labels that it adds to the alerts it sends.
    pub external: &'a Labels,
}

/// One evaluation of one alert.
#[derive(Clone, Copy)]
struct Seen {
    firing: bool,
    mark: Option<i64>,
}

impl Recalled {
    /// Reads a stretch that begins where the last one ended, or before; gives what it makes known. What ended in a stretch that is read again is
    /// told again, in the same words.
    pub fn read(&mut self, memory: &Memory, reader: &Reader<'_>) -> Vec<Event> {
        let mut seen: BTreeMap<Labels, BTreeMap<Time, Seen>> = BTreeMap::new();
        let mut marks: BTreeMap<&Labels, BTreeMap<Time, i64>> = BTreeMap::new();
        for (labels, points) in &memory.active {
            // An instant of ours that far is none; a value that large is no time.
            #[expect(clippy::cast_possible_truncation, reason = "a mark is only compared with marks, and cut the same each time")]
            marks.entry(labels).or_default().extend(points.iter().map(|(at, value)| (*at, *value as i64)));
        }
        for (labels, points) in &memory.alerts {
            let mut bare = labels.clone();
            let firing = bare.remove("alertstate").is_some_and(|state| state == "firing");
            bare.remove("__name__");
            let own = marks.iter().find(|(labels, _)| same(labels, &bare)).map(|(_, marks)| marks);
            let points = points.iter().map(|(at, _)| (*at, Seen { firing, mark: own.and_then(|marks| marks.get(at).copied()) }));
            seen.entry(bare).or_default().extend(points);
        }
        let mut events = Vec::new();
        let mut on: BTreeMap<Labels, Episode> =
            std::mem::take(&mut self.on).into_iter().map(|episode| (episode.labels.clone(), episode)).collect();
        for (labels, evaluations) in seen {
            let interval = interval(reader, &labels, &evaluations);
            let mut episode = on.remove(&labels);
            for (at, seen) in evaluations {
                if episode.as_ref().is_some_and(|episode| at <= episode.seen_at) {
                    continue;
                }
                let goes_on = |episode: &mut Episode| {
                    let other = seen.mark.is_some() && episode.mark.is_some() && seen.mark != episode.mark;
                    at - episode.seen_at < interval + interval / 2 && !other
                };
                if let Some(ended) = episode.take_if(|episode| !goes_on(episode)) {
                    events.extend(end(&ended, interval, memory, reader));
                }
                let known = episode.get_or_insert_with(|| begin(&labels, at, seen, interval, memory, reader));
                known.seen_at = at;
                if seen.firing && known.fired_at.is_none() {
                    known.fired_at = Some(at);
                }
                if known.fired_at.is_some() && !std::mem::replace(&mut known.told, known.fired_at.is_some()) {
                    events.extend(alert(known, None, reader));
                }
            }
            on.extend(episode.map(|episode| (labels, episode)));
        }
        for (labels, episode) in on {
            let interval = interval(reader, &labels, &BTreeMap::new());
            // An evaluation may be late, and what it wrote is seen a little later.
            if memory.until - episode.seen_at > interval * 2 {
                events.extend(end(&episode, interval, memory, reader));
            } else {
                self.on.push(episode);
            }
        }
        self.until = Some(memory.until);
        events
    }
}

/// Whether these are the labels of the series, but for its name.
fn same(series: &Labels, bare: &Labels) -> bool {
    series.iter().filter(|(name, _)| *name != "__name__").eq(bare)
}

fn rule<'a>(reader: &Reader<'a>, labels: &Labels) -> Option<&'a Rule> {
    labels.get("alertname").and_then(|name| reader.rules.get(name))
}

/// From one evaluation to the next: as the rule says, else as the samples do.
fn interval(reader: &Reader<'_>, labels: &Labels, evaluations: &BTreeMap<Time, Seen>) -> TimeDelta {
    let apart = || evaluations.keys().zip(evaluations.keys().skip(1)).map(|(one, next)| *next - *one).min();
    rule(reader, labels).map(|rule| rule.interval).or_else(apart).unwrap_or(USUAL).max(TimeDelta::milliseconds(1))
}

/// The first that is seen of an episode. Where it fired before the stretch that is read began, since when is reckoned.
fn begin(labels: &Labels, at: Time, seen: Seen, interval: TimeDelta, memory: &Memory, reader: &Reader<'_>) -> Episode {
    // Evaluations are one interval apart: the one at which it became active is the first of them at or after the mark.
    let active_at = seen.mark.and_then(|mark| Time::from_timestamp(mark, 0)).filter(|mark| *mark <= at).map_or(at, |mark| {
        let steps = (at - mark).num_milliseconds() / interval.num_milliseconds().max(1);
        at - interval * i32::try_from(steps).unwrap_or(i32::MAX)
    });
    let cut = seen.firing && at - memory.from < interval + interval / 2;
    let fired_at = cut.then(|| {
        let hold = rule(reader, labels).map_or(0, |rule| rule.hold) * 1000;
        let steps = hold.unsigned_abs().div_ceil(interval.num_milliseconds().unsigned_abs().max(1));
        (active_at + interval * i32::try_from(steps).unwrap_or(i32::MAX)).min(at)
    });
    Episode { labels: labels.clone(), active_at, mark: seen.mark, fired_at, told: false, seen_at: at }
}

/// What the end of an episode makes known.
fn end(episode: &Episode, interval: TimeDelta, memory: &Memory, reader: &Reader<'_>) -> Option<Event> {
    // The evaluation that did not find it any more, if there was one.
    let next = episode.seen_at + interval;
    let looked = memory.looks.as_ref().is_none_or(|looks| {
        let mut apart: Vec<TimeDelta> = looks.windows(2).map(|pair| pair[1] - pair[0]).collect();
        apart.sort_unstable();
        let usual = apart.get(apart.len() / 2).copied().unwrap_or(interval);
        looks.get(looks.partition_point(|look| *look < next)).is_some_and(|look| *look <= next + interval.max(usual * 2))
    });
    if episode.fired_at.is_some() {
        let end = if looked { (next, EndReason::Recovered) } else { (episode.seen_at, EndReason::SourceLost) };
        return alert(episode, Some(end), reader);
    }
    let rule = rule(reader, &episode.labels).filter(|rule| looked && rule.hold > 0)?;
    let waited = (next - episode.active_at).as_seconds_f64();
    #[expect(clippy::cast_precision_loss, reason = "a `for` of more seconds than a float has digits is none")]
    let closeness = waited / rule.hold as f64;
    let severity = labels::severity(&(&episode.labels).into(), reader.names);
    if !(NEARLY..1.0).contains(&closeness) || severity <= Severity::Info {
        return None;
    }
    let name = episode.labels.get("alertname").map_or("An alert", String::as_str);
    let what = format!("{name} was pending for {waited:.0}s of the {}s after which it fires", rule.hold);
    let fact = Fact::NearMiss(NearMiss { what, severity, closeness: Some(closeness), by_luck: false, barriers_left: None });
    Some(event(&(&episode.labels).into(), next, fact, reader))
}

/// The alert as its Prometheus sends it, with what only its memory knows.
fn alert(episode: &Episode, end: Option<(Time, EndReason)>, reader: &Reader<'_>) -> Option<Event> {
    let starts_at = episode.fired_at?;
    let mut labels = reader.external.clone();
    labels.extend(episode.labels.clone());
    let labels: LabelSet = labels.into();
    let alert = Alert {
        name: labels.get("alertname").unwrap_or_default().into(),
        status: if end.is_some() { AlertStatus::Resolved } else { AlertStatus::Firing },
        severity: labels::severity(&labels, reader.names),
        annotations: LabelSet::default(),
        starts_at,
        ends_at: end.map(|(at, _)| at),
        pending_for: Some((starts_at - episode.active_at).num_seconds()),
        keep_firing_for: rule(reader, &episode.labels).map(|rule| rule.keep).filter(|keep| *keep > 0),
        end_reason: end.map(|(_, reason)| reason).unwrap_or_default(),
        seen_again: None,
        recalled: true,
        labels,
    };
    let at = end.map_or(starts_at, |(at, _)| at);
    let labels = alert.labels.clone();
    Some(event(&labels, at, Fact::Alert(alert), reader))
}

fn event(labels: &LabelSet, at: Time, fact: Fact, reader: &Reader<'_>) -> Event {
    let mut event = Event::new(reader.source, at, fact);
    event.service = labels::service(labels, reader.names).map(|(_, service)| service.into());
    event.environment = labels::environment(labels, reader.names).map(Into::into);
    event.identify();
    event
}

#[cfg(test)]
mod tests;
