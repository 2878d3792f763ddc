//! `on: degradation`: the service was degraded long enough, without a break or within a window.

use std::cmp::Ordering;

use chrono::TimeDelta;

use super::context::EvaluationContext;
use super::exclusions;
use super::finding::{Finding, NextChange, outcome, seconds};
use super::not_counted;
use crate::engine::incident::degraded_time::{DegradationMetric, DegradedTime};
use crate::engine::incident::intervals::{Interval, clipped_to};
use crate::engine::phrases::{duration, period, subject};
use crate::model::verdict::{Measure, Outcome, Unit};
use crate::rules::counted_hours::CountedHours;
use crate::rules::rule_set::Criterion;

pub(crate) fn evaluate<'a>(
    context: &EvaluationContext<'a>,
    criterion: &'a Criterion,
    longest: Option<i64>,
    total: Option<(i64, i64)>,
    next: &mut NextChange,
) -> Finding {
    let found = context.degraded(criterion);
    next.add(found.ahead);
    let hours = criterion.hours.as_ref();
    let bridge = TimeDelta::seconds(context.policy.rules.correlation.bridge);
    let longest = longest.map(|required| (DegradationMetric::Longest { bridge }, required));
    let total = total.map(|(required, within)| {
        let window = TimeDelta::seconds(within);
        (DegradationMetric::Within(window), required)
    });
    // Either metric suffices; the sentence is about the closer one.
    let best = longest
        .into_iter()
        .chain(total)
        .map(|(metric, required)| {
            let needed = (required, hours);
            (measure(context, &found, metric, needed, next), metric)
        })
        .max_by(|(a, _), (b, _)| {
            let share = |measure: &Measure| {
                (
                    measure.lower / measure.required,
                    measure.upper / measure.required,
                )
            };
            share(a).partial_cmp(&share(b)).unwrap_or(Ordering::Equal)
        });
    let Some((measure, metric)) = best else {
        return Finding::absent("", "");
    };
    let outcome = outcome(
        measure.lower >= measure.required,
        measure.upper >= measure.required,
    );
    let subject = subject(context.incident, found.service.as_deref())
        .unwrap_or_else(|| "An unassigned service".to_owned());
    let tense = match (found.lasting, context.log_ended) {
        (true, false) => Tense::Lasting,
        (true, true) => Tense::LogEnded,
        (false, _) => Tense::Over,
    };
    let mut excluded = exclusions::exclusions(context, criterion, &found.upper);
    if let Some(hours) = hours {
        excluded.extend(exclusions::outside(hours, &found.lower));
    }
    let not_counted = found.evidence.is_empty().then(|| {
        if excluded.is_empty() {
            format!(": {}", not_counted::reason(context, criterion))
        } else {
            String::new()
        }
    });
    let (sentence, would_change) = sentences(
        &subject,
        outcome,
        &measure,
        (metric, hours),
        (tense, not_counted.as_deref()),
    );
    let sentence = sentence + &exclusions::sentence(&excluded);
    Finding {
        excluded,
        ..Finding::new(
            outcome,
            Some(measure),
            found.evidence.clone(),
            (sentence, would_change),
        )
    }
}

/// The degraded time by one metric; adds the instants at which it could reach what is required.
fn measure(
    context: &EvaluationContext<'_>,
    found: &DegradedTime,
    metric: DegradationMetric,
    (required, hours): (i64, Option<&CountedHours>),
    next: &mut NextChange,
) -> Measure {
    let (now, required) = (context.now, TimeDelta::seconds(required));
    let of = |time: &[Interval]| metric.measure(time, hours);
    let (lower, mut upper) = (of(&found.lower), of(&found.upper));
    if let Some(closed_at) = context.closed_at() {
        // Unknown time that goes on can only change the outcome. How much it is by now would depend
        // on when it is asked.
        let by_then = of(&clipped_to(&found.upper, closed_at));
        upper = upper.min(by_then.max(required));
    }
    if found.lasting && lower < required {
        next.add(metric.reached(&found.lower, hours, required, now));
    }
    if (found.lasting || found.maybe_lasting) && upper < required {
        next.add(metric.reached(&found.upper, hours, required, now));
    }
    Measure::new(
        seconds(lower),
        seconds(upper),
        seconds(required),
        Unit::Seconds,
    )
}

/// The time of a sentence about degraded time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tense {
    /// It goes on.
    Lasting,
    /// It went on when a past log ended.
    LogEnded,
    /// It is over.
    Over,
}

/// `not_counted`: no signal counts, for this reason.
fn sentences(
    subject: &str,
    outcome: Outcome,
    measure: &Measure,
    (metric, hours): (DegradationMetric, Option<&CountedHours>),
    (tense, not_counted): (Tense, Option<&str>),
) -> (String, String) {
    let ongoing = tense == Tense::Lasting;
    let by_then = match tense {
        Tense::LogEnded => " by the end of the log",
        Tense::Lasting | Tense::Over => "",
    };
    let tense = if ongoing { "has been" } else { "was" };
    let within_hours = hours.map_or_else(String::new, |hours| format!(" {}", hours.words()));
    let manner = match metric {
        DegradationMetric::Longest { .. } => "without a break".to_owned(),
        DegradationMetric::Within(window) => format!("in total within {}", period(window)),
    } + &within_hours
        + by_then;
    let threshold = length(measure.required);
    let (lower, upper) = (length(measure.lower), length(measure.upper));
    // Rounded up, so that it would have sufficed.
    let lacking = |have: f64| length((measure.required - have).ceil().max(1.0));
    let range = if measure.lower > 0.0 {
        format!(
            "{subject} {tense} degraded for between {lower} and {upper} {manner} \
             (threshold {threshold}); the state of the rest is unknown."
        )
    } else {
        format!(
            "{subject} {tense} degraded for at most {upper} {manner} (threshold {threshold}); \
             its state in that time is unknown."
        )
    };
    match outcome {
        Outcome::Met => {
            let bounded = measure.upper > measure.lower;
            let at_least = if bounded { "at least " } else { "" };
            let margin = length(measure.lower - measure.required);
            let margin = match metric {
                _ if bounded && measure.lower <= measure.required => {
                    "If the known degraded time had been any shorter".to_owned()
                }
                _ if bounded => {
                    format!("If the known degraded time had been over {margin} shorter")
                }
                // It may have gone on after the hours that count.
                _ if hours.is_some() => shorter(&margin),
                _ if measure.lower <= measure.required => "If it had ended any earlier".to_owned(),
                DegradationMetric::Longest { .. } => {
                    format!("If it had ended more than {margin} earlier")
                }
                DegradationMetric::Within(_) => shorter(&margin),
            };
            // The unknown time might still suffice then.
            let otherwise = if bounded {
                "be unknown"
            } else {
                "not have been met"
            };
            (
                format!(
                    "{subject} {tense} degraded for {at_least}{lower} {manner} (threshold {threshold})."
                ),
                format!("{margin}, it would {otherwise}."),
            )
        }
        Outcome::Unknown => (
            range,
            format!(
                "If another {} of the unknown time was degraded, it is met.",
                lacking(measure.lower)
            ),
        ),
        Outcome::NotMet => {
            let sentence = if let Some(reason) = not_counted {
                format!(
                    "{subject} had no degraded time that counts (threshold {threshold} {manner}){reason}."
                )
            } else if measure.upper > measure.lower {
                range
            } else {
                format!("{subject} {tense} degraded for {lower} {manner} (threshold {threshold}).")
            };
            let would = if ongoing { "will" } else { "would have" };
            let meet = if ongoing { "meet" } else { "met" };
            let lacking = lacking(measure.upper);
            // More of what does not count would not help.
            let more = if not_counted.is_some() {
                format!("{lacking} of degraded time that counts")
            } else {
                format!("Another {lacking} of degraded time")
            };
            (
                sentence,
                format!("{more}{within_hours} {would} {meet} the threshold."),
            )
        }
    }
}

fn shorter(margin: &str) -> String {
    format!("If the degraded time had been over {margin} shorter")
}

fn length(seconds: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "seconds of an incident are far below 2^52"
    )]
    let milliseconds = (seconds * 1000.0).round() as i64;
    duration(TimeDelta::milliseconds(milliseconds))
}
