//! Alerts from the series that Prometheus records of them, `ALERTS` and `ALERTS_FOR_STATE`, with
//! one sample per evaluation.
//!
//! ```text
//! ALERTS{alertname="CheckoutDown", alertstate="pending", service="checkout"}  1 @…:04.418  1 @…:19.418
//! ALERTS{alertname="CheckoutDown", alertstate="firing", service="checkout"}   1 @…:34.418
//! ALERTS_FOR_STATE{alertname="CheckoutDown", service="checkout"}              1763881384 @…:04.418  …
//! ```
//!
//! The value of `ALERTS_FOR_STATE` is the time at which the alert became active, in whole seconds.
//! The first firing sample is the `startsAt` that is sent, to the millisecond, so alerts read here
//! and alerts from a webhook are the same. Absence is the end (`rules/alerting.go`). Unlike
//! webhooks these series miss nothing: no flap, no alert between two messages, and no alert that
//! was pending and never fired.

pub(crate) mod series_window;

use std::collections::BTreeMap;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::labels;
use crate::model::event::{
    Alert, AlertStatus, EndReason, Event, Fact, LeaseExpiry, NearMissReport, Severity,
};
use crate::model::labels::{LabelSet, Labels};
use crate::model::settings::LabelNames;
use crate::model::time::Time;
use series_window::{AlertingRule, SeriesWindow};

/// Share of its `for` after which a pending alert counts as a near miss.
const NEARLY: f64 = 0.5;
/// Evaluation interval if none is known: Prometheus's default.
const USUAL: TimeDelta = TimeDelta::minutes(1);
/// Longest gap within an episode, or four evaluations if these are further apart.
const GAP: TimeDelta = TimeDelta::minutes(5);
/// From this `for` on, in seconds, a restarted Prometheus restores the active time
/// (`--rules.alert.for-grace-period`), but fires anew.
const RESTORED: i64 = 600;
/// Silence after which an alert is unknown, or four evaluations if these are further apart.
const SILENT: TimeDelta = TimeDelta::seconds(25);

/// The state of the alerts of one Prometheus between two reads. All times are by its clock.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct AlertSeriesState {
    /// End of the window read last.
    #[serde(default)]
    pub until: Option<Time>,
    /// Time of its last `up` sample.
    #[serde(default)]
    pub up_at: Option<Time>,
    /// Start of the gapless windows.
    #[serde(default)]
    whole_from: Option<Time>,
    /// External labels as of the last read.
    #[serde(default)]
    external: Labels,
    on: Vec<AlertEpisode>,
}

/// An alert that is pending or firing, or was until lately.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct AlertEpisode {
    labels: Labels,
    active_at: Time,
    /// The value of `ALERTS_FOR_STATE`, which differs between episodes of the same labels.
    mark: Option<i64>,
    fired_at: Option<Time>,
    /// Set once it was reported as firing.
    told: bool,
    /// Time of the last evaluation that found it.
    seen_at: Time,
    /// Evaluation interval in milliseconds.
    #[serde(default)]
    interval: Option<i64>,
    #[serde(default)]
    last_word: LastReport,
}

/// The last report of an episode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum LastReport {
    /// Firing, or nothing yet.
    #[default]
    On,
    /// Lapsed: its state is unknown.
    Lapsed,
    /// Ended.
    Ended,
}

/// Context for turning samples into events.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SeriesReader<'a> {
    /// The name of the source.
    pub source: &'a str,
    /// Names of the labels that carry service, severity and the like.
    pub names: &'a LabelNames,
    /// Rules by alert name; a name may have several.
    pub rules: &'a BTreeMap<String, Vec<AlertingRule>>,
    /// Labels that it adds to the alerts it sends.
    pub external: &'a Labels,
}

/// The timing on which all rules that may have produced an alert agree.
#[derive(Clone, Copy, Default)]
struct RuleTiming {
    hold: Option<i64>,
    keep: Option<i64>,
    interval: Option<TimeDelta>,
    /// The longest of their intervals.
    longest: Option<TimeDelta>,
}

/// One evaluation of an alert.
#[derive(Clone, Copy)]
struct Evaluation {
    firing: bool,
    mark: Option<i64>,
}

impl AlertSeriesState {
    /// Reads a window that begins at or before the end of the last one, and returns the new events.
    pub(crate) fn read(&mut self, memory: &SeriesWindow, reader: &SeriesReader<'_>) -> Vec<Event> {
        let mut events = Vec::new();
        let whole_from = self
            .whole_from
            .filter(|_| self.until.is_some_and(|until| memory.from <= until))
            .unwrap_or(memory.from);
        let mut on: BTreeMap<Labels, AlertEpisode> = std::mem::take(&mut self.on)
            .into_iter()
            .map(|episode| (episode.labels.clone(), episode))
            .collect();
        for (labels, evaluations) in evaluations(memory) {
            let ruled = ruled(reader, &labels);
            let mut episode = on.remove(&labels);
            let interval = interval(ruled, &evaluations, episode.as_ref());
            for (at, seen) in evaluations {
                if episode
                    .as_ref()
                    .is_some_and(|episode| at <= episode.seen_at)
                {
                    continue;
                }
                let ended =
                    episode.take_if(|episode| !episode.goes_on(at, seen, interval, ruled, memory));
                if let Some(ended) = ended
                    .as_ref()
                    .filter(|ended| ended.last_word != LastReport::Ended)
                {
                    let recovered =
                        reason(ended, interval, Some(at), memory) == Some(EndReason::Recovered);
                    events.extend(end(ended, interval, recovered, reader));
                }
                let known = episode.get_or_insert_with(|| {
                    begin(
                        &labels,
                        at,
                        seen,
                        interval,
                        ended.as_ref(),
                        whole_from,
                        reader,
                    )
                });
                known.seen_at = at;
                known.interval = Some(interval.num_milliseconds());
                known.mark = known.mark.or(seen.mark);
                if seen.firing && known.fired_at.is_none() {
                    known.fired_at = Some(at);
                }
                let before = std::mem::take(&mut known.last_word);
                if known.fired_at.is_some() {
                    if !std::mem::replace(&mut known.told, true) {
                        events.extend(alert(known, None, None, reader));
                    } else if before != LastReport::On {
                        events.extend(alert(known, None, Some(at), reader));
                    }
                }
            }
            on.extend(episode.map(|episode| (labels, episode)));
        }
        for (labels, mut episode) in on {
            let interval = interval(ruled(reader, &labels), &BTreeMap::new(), Some(&episode));
            if episode.last_word != LastReport::Ended
                && let Some(reason) = found_over(&episode, interval, memory)
            {
                events.extend(end(
                    &episode,
                    interval,
                    reason == EndReason::Recovered,
                    reader,
                ));
                episode.last_word = LastReport::Ended;
            }
            // An ended episode is kept while it may continue, and while its samples may be read
            // again.
            if episode.last_word != LastReport::Ended
                || memory.until - episode.seen_at <= GAP.max(interval * 4)
            {
                self.on.push(episode);
            }
        }
        self.until = Some(memory.until);
        self.whole_from = Some(whole_from);
        self.external.clone_from(reader.external);
        events
    }

    /// Time before which nothing new can be reported; `None`: the end of the window read last.
    #[must_use]
    pub(crate) fn complete_until(&self) -> Option<Time> {
        self.on
            .iter()
            .filter(|episode| episode.last_word != LastReport::Ended)
            .map(|episode| episode.seen_at)
            .min()
    }

    /// Reports alerts as lapsed, once, while the series cannot be read. Alerts for which `left`
    /// holds are left to others.
    pub(crate) fn lapse(
        &mut self,
        now: Time,
        reader: &SeriesReader<'_>,
        left: impl Fn(&Event) -> bool,
    ) -> Vec<Event> {
        let reader = SeriesReader {
            external: &self.external,
            ..*reader
        };
        let mut events = Vec::new();
        for episode in &mut self.on {
            let interval = interval(
                ruled(&reader, &episode.labels),
                &BTreeMap::new(),
                Some(episode),
            );
            let on = episode.told && episode.last_word == LastReport::On;
            if !on || now - episode.seen_at <= SILENT.max(interval * 4) {
                continue;
            }
            if let Some(alert) = alert(episode, None, None, &reader).filter(|alert| !left(alert)) {
                let lapsed = LeaseExpiry {
                    of: alert.subject,
                    last_seen: episode.seen_at,
                };
                events.push(Event::new(
                    reader.source,
                    episode.seen_at,
                    Fact::Lapsed(lapsed),
                ));
                episode.last_word = LastReport::Lapsed;
            }
        }
        events
    }
}

impl AlertEpisode {
    /// Tests whether an evaluation belongs to this episode.
    fn goes_on(
        &self,
        at: Time,
        seen: Evaluation,
        interval: TimeDelta,
        ruled: RuleTiming,
        memory: &SeriesWindow,
    ) -> bool {
        let gap = at - self.seen_at;
        let fired = self.fired_at.is_some();
        match (self.mark, seen.mark) {
            // A firing alert never becomes pending again.
            _ if fired && !seen.firing => false,
            (Some(one), Some(other)) if one != other => false,
            // A restart skips two evaluations: one missing evaluation is not a restart.
            (Some(_), Some(_)) if fired && ruled.hold.is_none_or(|hold| hold >= RESTORED) => {
                gap < interval * 5 / 2
            }
            // The unread part may hold more samples.
            (Some(_), Some(_)) => {
                gap <= GAP.max(interval * 4) || memory.from > self.seen_at + interval
            }
            _ => gap < interval * 3 / 2 && self.last_word != LastReport::Ended,
        }
    }
}

/// Evaluations by labels and time.
fn evaluations(memory: &SeriesWindow) -> BTreeMap<Labels, BTreeMap<Time, Evaluation>> {
    let bare = |labels: &Labels| {
        let mut bare = labels.clone();
        bare.remove("__name__");
        bare
    };
    let mut marks: BTreeMap<Labels, BTreeMap<Time, i64>> = BTreeMap::new();
    for (labels, points) in &memory.active {
        // An instant of ours that far is none; a value that large is no time.
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a mark is only compared with marks, and cut the same each time"
        )]
        marks
            .entry(bare(labels))
            .or_default()
            .extend(points.iter().map(|(at, value)| (*at, *value as i64)));
    }
    let mut seen: BTreeMap<Labels, BTreeMap<Time, Evaluation>> = BTreeMap::new();
    for (labels, points) in &memory.alerts {
        let mut bare = bare(labels);
        let firing = bare
            .remove("alertstate")
            .is_some_and(|state| state == "firing");
        let own = marks.get(&bare);
        let points = points.iter().map(|(at, _)| {
            (
                *at,
                Evaluation {
                    firing,
                    mark: own.and_then(|marks| marks.get(at).copied()),
                },
            )
        });
        seen.entry(bare).or_default().extend(points);
    }
    seen
}

/// The timing of an alert's rule: the values on which all rules with its name and labels agree.
fn ruled(reader: &SeriesReader<'_>, labels: &Labels) -> RuleTiming {
    let named = labels
        .get("alertname")
        .and_then(|name| reader.rules.get(name))
        .map(Vec::as_slice)
        .unwrap_or_default();
    let may_be = |rule: &&AlertingRule| {
        rule.labels
            .iter()
            .all(|(name, value)| labels.get(name) == Some(value))
    };
    let candidates: Vec<&AlertingRule> = named.iter().filter(may_be).collect();
    RuleTiming {
        hold: agreed(candidates.iter().map(|rule| rule.hold)),
        keep: agreed(candidates.iter().map(|rule| rule.keep)),
        interval: agreed(candidates.iter().map(|rule| rule.interval)),
        longest: candidates.iter().map(|rule| rule.interval).max(),
    }
}

/// The common value, if all are equal.
fn agreed<T: PartialEq>(mut values: impl Iterator<Item = T>) -> Option<T> {
    let first = values.next()?;
    values.all(|value| value == first).then_some(first)
}

/// The evaluation interval: from the rule, else from the samples.
fn interval(
    ruled: RuleTiming,
    evaluations: &BTreeMap<Time, Evaluation>,
    episode: Option<&AlertEpisode>,
) -> TimeDelta {
    let apart = || {
        let apart = evaluations
            .keys()
            .zip(evaluations.keys().skip(1))
            .map(|(one, next)| *next - *one);
        middle(apart.collect())
    };
    let before = || {
        episode
            .and_then(|episode| episode.interval)
            .map(TimeDelta::milliseconds)
    };
    ruled
        .interval
        .or_else(apart)
        .or_else(before)
        .or(ruled.longest)
        .unwrap_or(USUAL)
        .max(TimeDelta::milliseconds(1))
}

/// The median.
fn middle(mut apart: Vec<TimeDelta>) -> Option<TimeDelta> {
    apart.sort_unstable();
    apart.get(apart.len().saturating_sub(1) / 2).copied()
}

/// Starts an episode, after the one that `ended`. If it fired before the data begins at
/// `whole_from`, its start is computed.
fn begin(
    labels: &Labels,
    at: Time,
    seen: Evaluation,
    interval: TimeDelta,
    ended: Option<&AlertEpisode>,
    whole_from: Time,
    reader: &SeriesReader<'_>,
) -> AlertEpisode {
    // What was not read may have been another episode's.
    let ended = ended.filter(|ended| whole_from <= ended.seen_at + interval);
    let steps = |length: TimeDelta| {
        i32::try_from(length.num_milliseconds() / interval.num_milliseconds().max(1))
            .unwrap_or(i32::MAX)
    };
    // Evaluations are one interval apart: the alert became active at the first one at or after the
    // mark. A restored mark is of a time that the previous episode has reported.
    let own = seen
        .mark
        .filter(|mark| ended.is_none_or(|ended| ended.mark != Some(*mark)));
    // Nor is it trusted if nothing was written since, and all of that was read: there were no
    // evaluations.
    let seen_since = |mark: Time| mark < whole_from || at - mark <= GAP.max(interval * 4);
    let mark = own
        .and_then(|mark| Time::from_timestamp(mark, 0))
        .filter(|mark| *mark <= at && seen_since(*mark));
    let active_at = mark.map_or(at, |mark| at - interval * steps(at - mark));
    let cut = seen.firing && at - whole_from < interval * 3 / 2 && ended.is_none();
    let fired_at = cut.then(|| {
        let hold = TimeDelta::seconds(ruled(reader, labels).hold.unwrap_or(0));
        (active_at + interval * steps(hold + interval - TimeDelta::milliseconds(1))).min(at)
    });
    AlertEpisode {
        labels: labels.clone(),
        active_at,
        mark: seen.mark,
        fired_at,
        told: false,
        seen_at: at,
        interval: None,
        last_word: LastReport::On,
    }
}

/// The reason an episode ended within the window; `None` if it goes on or that cannot be decided
/// yet.
fn found_over(
    episode: &AlertEpisode,
    interval: TimeDelta,
    memory: &SeriesWindow,
) -> Option<EndReason> {
    // An evaluation may be late, and its samples appear a little later.
    let wait = if memory.read_on {
        GAP.max(interval * 4)
    } else {
        interval * 2
    };
    let silent = memory.until - episode.seen_at > wait;
    silent
        .then(|| reason(episode, interval, None, memory))
        .flatten()
}

/// The reason of an end: recovered if a later evaluation did not find the alert, source lost if
/// there was none. `again` is the next evaluation of the same labels.
fn reason(
    episode: &AlertEpisode,
    interval: TimeDelta,
    again: Option<Time>,
    memory: &SeriesWindow,
) -> Option<EndReason> {
    let Some(looks) = &memory.looks else {
        return Some(EndReason::Recovered);
    };
    let next = episode.seen_at + interval;
    let usual =
        middle(looks.windows(2).map(|pair| pair[1] - pair[0]).collect()).unwrap_or(interval);
    let look = looks
        .get(looks.partition_point(|look| *look < next))
        .copied();
    match look.into_iter().chain(again).min() {
        Some(look) if look <= next + interval.max(usual * 2) => Some(EndReason::Recovered),
        Some(_) => Some(EndReason::SourceLost),
        // What it looked at may be seen late, too.
        None => (memory.until - episode.seen_at > interval.max(usual) * 4)
            .then_some(EndReason::SourceLost),
    }
}

/// The event for the end of an episode.
fn end(
    episode: &AlertEpisode,
    interval: TimeDelta,
    recovered: bool,
    reader: &SeriesReader<'_>,
) -> Option<Event> {
    // The evaluation that did not find it any more, if there was one.
    let next = episode.seen_at + interval;
    if episode.fired_at.is_some() {
        let end = if recovered {
            (next, EndReason::Recovered)
        } else {
            (episode.seen_at, EndReason::SourceLost)
        };
        return alert(episode, Some(end), None, reader);
    }
    let hold = ruled(reader, &episode.labels)
        .hold
        .filter(|hold| recovered && *hold > 0)?;
    let waited = (next - episode.active_at).as_seconds_f64();
    #[expect(
        clippy::cast_precision_loss,
        reason = "a `for` of more seconds than a float has digits is none"
    )]
    let closeness = waited / hold as f64;
    let severity = labels::severity(&(&episode.labels).into(), reader.names);
    if !(NEARLY..1.0).contains(&closeness) || severity <= Severity::Info {
        return None;
    }
    let name = episode
        .labels
        .get("alertname")
        .map_or("An alert", String::as_str);
    let what = format!("{name} was pending for {waited:.0}s of the {hold}s after which it fires");
    let fact = Fact::NearMiss(NearMissReport {
        what,
        severity,
        closeness: Some(closeness),
        by_luck: false,
        barriers_left: None,
    });
    Some(event(&(&episode.labels).into(), next, fact, reader))
}

/// The alert as Prometheus sends it, with what only its series show.
fn alert(
    episode: &AlertEpisode,
    end: Option<(Time, EndReason)>,
    seen_again: Option<Time>,
    reader: &SeriesReader<'_>,
) -> Option<Event> {
    let starts_at = episode.fired_at?;
    let mut labels = reader.external.clone();
    labels.extend(episode.labels.clone());
    labels.retain(|name, _| !reader.names.ignored.contains(name));
    let labels: LabelSet = labels.into();
    let alert = Alert {
        name: labels.get("alertname").unwrap_or_default().into(),
        status: if end.is_some() {
            AlertStatus::Resolved
        } else {
            AlertStatus::Firing
        },
        severity: labels::severity(&labels, reader.names),
        annotations: LabelSet::default(),
        starts_at,
        ends_at: end.map(|(at, _)| at),
        pending_for: Some((starts_at - episode.active_at).num_seconds()),
        keep_firing_for: ruled(reader, &episode.labels).keep.filter(|keep| *keep > 0),
        end_reason: end.map(|(_, reason)| reason).unwrap_or_default(),
        seen_again,
        borrowed_end: false,
        recalled: true,
        labels,
    };
    let at = end.map(|(at, _)| at).or(seen_again).unwrap_or(starts_at);
    let labels = alert.labels.clone();
    Some(event(&labels, at, Fact::Alert(alert), reader))
}

fn event(labels: &LabelSet, at: Time, fact: Fact, reader: &SeriesReader<'_>) -> Event {
    let mut event = Event::new(reader.source, at, fact);
    event.service = labels::service(labels, reader.names).map(|(_, service)| service.into());
    event.environment = labels::environment(labels, reader.names).map(Into::into);
    event.identify();
    event
}

#[cfg(test)]
mod tests;
