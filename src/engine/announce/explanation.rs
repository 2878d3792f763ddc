//! The words of verdicts: one sentence a stakeholder understands, with numbers.

use std::collections::BTreeMap;
use std::fmt::Write;

use chrono::TimeDelta;

use crate::engine::incident::degraded_time::DegradationMetric;
use crate::model::correction::Answer;
use crate::model::event::{Event, Fact};
use crate::model::incident::{Incident, Reviewed};
use crate::model::time::Time;
use crate::model::verdict::{Measure, Outcome, Verdict};

/// What an event is about, in a few words.
pub(crate) fn title(event: &Event) -> String {
    let words = match &event.fact {
        Fact::Alert(alert) => alert.name.to_string(),
        Fact::Condition(condition) => condition.name.clone(),
        Fact::Declaration(declaration) if declaration.title.is_empty() => {
            "Declared outage".to_owned()
        }
        Fact::Declaration(declaration) => declaration.title.clone(),
        Fact::Intervention(step) => format!("Manual step: {}", step.action),
        Fact::Request(request) => format!("Postmortem asked for: {}", clip(&request.reason, 60)),
        Fact::NearMiss(near_miss) => format!("Near miss: {}", near_miss.what),
        Fact::Change(_)
        | Fact::Acknowledgement(_)
        | Fact::Note(_)
        | Fact::Maintenance(_)
        | Fact::Review(_)
        | Fact::Edit(_)
        | Fact::Lapsed(_)
        | Fact::Settings(_) => "Incident".to_owned(),
    };
    clip(&words, 120)
}

/// At most `limit` characters of the first line.
pub(crate) fn clip(text: &str, limit: usize) -> String {
    let line = text.trim().lines().next().unwrap_or_default().trim();
    if line.chars().count() <= limit {
        return line.to_owned();
    }
    let cut: String = line.chars().take(limit.saturating_sub(1)).collect();
    format!("{}…", cut.trim_end())
}

/// A length of time as people write it: `42m`, `1h 5m`, `7d`, `36s`.
pub(crate) fn span(time: TimeDelta) -> String {
    let seconds = time.num_seconds().max(0);
    let units = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
    let mut rest = seconds;
    let mut words = String::new();
    for (size, name) in units {
        if rest >= size {
            let between = if words.is_empty() { "" } else { " " };
            // Writing to a string does not fail.
            let _ = write!(words, "{between}{}{name}", rest / size);
            rest %= size;
        }
    }
    if words.is_empty() {
        "0s".to_owned()
    } else {
        words
    }
}

/// An instant in UTC.
pub(crate) fn instant(at: Time) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// Whom or what a sentence is about, capitalised.
pub(crate) fn subject(incident: &Incident, service: Option<&str>) -> String {
    let name = service
        .or_else(|| incident.services.first().map(String::as_str))
        .unwrap_or(&incident.title);
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

fn seconds(count: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "seconds of an incident are far below 2^52"
    )]
    let milliseconds = (count * 1000.0).round() as i64;
    span(TimeDelta::milliseconds(milliseconds))
}

/// What still lacks, rounded up so that it would have sufficed.
fn lacking(measure: &Measure, have: f64) -> String {
    seconds((measure.required - have).ceil().max(1.0))
}

pub(crate) fn degradation(
    subject: &str,
    outcome: Outcome,
    measure: &Measure,
    count: DegradationMetric,
    ongoing: bool,
) -> (String, String) {
    let tense = if ongoing { "has been" } else { "was" };
    let manner = match count {
        DegradationMetric::Longest { .. } => "in one stretch".to_owned(),
        DegradationMetric::Within(window) => format!("within {}", span(window)),
    };
    let required = seconds(measure.required);
    if outcome == Outcome::NotMet && measure.upper <= 0.0 {
        return (
            format!("{subject} had no degraded time that counts; it takes {required} {manner}."),
            format!("{required} of degraded time {manner}."),
        );
    }
    let (lower, upper) = (seconds(measure.lower), seconds(measure.upper));
    match outcome {
        Outcome::Met => {
            let margin = seconds(measure.lower - measure.required);
            let less = if measure.lower > measure.required {
                format!("Being over more than {margin} sooner.")
            } else {
                "Being over sooner.".to_owned()
            };
            (
                format!("{subject} {tense} degraded for {lower} {manner}; {required} is enough."),
                less,
            )
        }
        Outcome::Unknown => (
            format!(
                "{subject} {tense} degraded for between {lower} and {upper} of the {required} it takes {manner}; nobody can say for the rest."
            ),
            format!(
                "Evidence for {} of the unknown time.",
                lacking(measure, measure.lower)
            ),
        ),
        Outcome::NotMet if measure.upper > measure.lower => (
            format!(
                "{subject} {tense} degraded for between {lower} and {upper} of the {required} it takes {manner}."
            ),
            format!(
                "{} more would have opened one.",
                lacking(measure, measure.upper)
            ),
        ),
        Outcome::NotMet => {
            let more = lacking(measure, measure.upper);
            let would = if ongoing {
                "opens one"
            } else {
                "would have opened one"
            };
            (
                format!(
                    "{subject} {tense} degraded {lower} of the {required} it takes {manner}; {more} more {would}."
                ),
                format!("{more} more {would}."),
            )
        }
    }
}

pub(crate) fn outage(
    incident: &Incident,
    outcome: Outcome,
    named: Option<&str>,
    why: Option<&str>,
) -> (String, String) {
    let subject = subject(incident, None);
    match (outcome, named) {
        (Outcome::Met, Some(title)) if !title.is_empty() => (
            format!("An outage of {subject} was declared: {title}."),
            "No declaration.".to_owned(),
        ),
        (Outcome::Met, _) => (
            format!("An outage of {subject} was declared."),
            "No declaration.".to_owned(),
        ),
        (Outcome::Unknown, _) => (
            format!(
                "An outage of {subject} was declared, but whether it counts is unknown: {}.",
                why.unwrap_or("a field is unknown")
            ),
            "Knowing that field.".to_owned(),
        ),
        (Outcome::NotMet, Some(_)) => (
            "An outage was declared that this criterion does not count.".to_owned(),
            "A declaration that passes its `where`.".to_owned(),
        ),
        (Outcome::NotMet, None) => (
            "No outage was declared.".to_owned(),
            "A declared outage.".to_owned(),
        ),
    }
}

pub(crate) fn request(
    outcome: Outcome,
    words: Option<&str>,
    why: Option<&str>,
) -> (String, String) {
    match (outcome, words) {
        (Outcome::Met, Some(words)) => (ended(words), "No request.".to_owned()),
        (Outcome::Unknown, Some(words)) => (
            format!(
                "{} Whether it counts is unknown: {}.",
                ended(words),
                why.unwrap_or("a field is unknown")
            ),
            "Knowing that field.".to_owned(),
        ),
        (Outcome::NotMet, Some(_)) => (
            "A request came that this criterion does not count.".to_owned(),
            "A request that passes its `where`.".to_owned(),
        ),
        _ => (
            "Nobody asked for a postmortem.".to_owned(),
            "A request by anybody.".to_owned(),
        ),
    }
}

fn ended(words: &str) -> String {
    if words.ends_with(['.', '!', '?', '…']) {
        words.to_owned()
    } else {
        format!("{words}.")
    }
}

fn count(times: f64, one: &str, many: &str) -> String {
    if (times - 1.0).abs() < 0.5 {
        format!("1 {one}")
    } else {
        format!("{times:.0} {many}")
    }
}

pub(crate) fn intervention(
    outcome: Outcome,
    measure: &Measure,
    actions: &[&str],
    all: usize,
    left_out: &BTreeMap<&'static str, usize>,
) -> (String, String) {
    let took = |times: f64| count(times, "manual step", "manual steps");
    if all == 0 && outcome == Outcome::NotMet {
        let more = format!(
            "{} more that counts.",
            took(measure.required - measure.upper)
        );
        return (
            "No human stepped in, as far as anybody told.".to_owned(),
            more,
        );
    }
    let what = if actions.is_empty() {
        String::new()
    } else {
        format!(" ({})", actions.join(", "))
    };
    let enough = format!("{:.0}", measure.required);
    let more = format!(
        "{} more that counts.",
        took(measure.required - measure.upper)
    );
    match outcome {
        Outcome::Met => (
            format!(
                "It took {}{what} to bring it back; {enough} is enough.",
                took(measure.lower)
            ),
            "The step taken by automation.".to_owned(),
        ),
        Outcome::Unknown => (
            format!(
                "Between {:.0} and {}{what} count; it takes {enough}.",
                measure.lower,
                took(measure.upper)
            ),
            "Knowing who took them, and whether they should be automatic.".to_owned(),
        ),
        Outcome::NotMet => {
            let why: Vec<String> = left_out
                .iter()
                .map(|(why, times)| format!("{times} {why}"))
                .collect();
            let why = if why.is_empty() {
                String::new()
            } else {
                format!(" ({})", why.join(", "))
            };
            let told = if all == 1 {
                "1 action".to_owned()
            } else {
                format!("{all} actions")
            };
            (
                format!(
                    "{:.0} of {told} that were told count as a human stepping in{why}; it takes {enough}.",
                    measure.upper
                ),
                more,
            )
        }
    }
}

/// A score, to a decimal where it has one.
pub(crate) fn score(score: f64) -> String {
    let rounded = (score * 10.0).round() / 10.0;
    format!("{rounded}")
}

/// `1 near miss`, `3 near misses`.
pub(crate) fn near_misses(number: usize) -> String {
    if number == 1 {
        "1 near miss".to_owned()
    } else {
        format!("{number} near misses")
    }
}

/// `the best`, `the best 3`.
pub(crate) fn best_of(most: u32) -> String {
    if most == 1 {
        "the best".to_owned()
    } else {
        format!("the best {most}")
    }
}

pub(crate) fn no_near_miss() -> (String, String) {
    (
        "No near miss was seen or reported.".to_owned(),
        "A near miss, measured or reported.".to_owned(),
    )
}

pub(crate) fn nothing_to_recur() -> (String, String) {
    (
        "No alert or condition opened it, so nothing can have come back.".to_owned(),
        "An opening alert or condition.".to_owned(),
    )
}

pub(crate) fn recurrence(
    incident: &Incident,
    outcome: Outcome,
    measure: &Measure,
    within: TimeDelta,
    name: &str,
    filtered: bool,
) -> (String, String) {
    let subject = subject(incident, None);
    let seen = if measure.lower <= 1.5 {
        "once".to_owned()
    } else {
        format!("{:.0} times", measure.lower)
    };
    let lacks = measure.required - measure.lower;
    match outcome {
        Outcome::Met => (
            format!(
                "{name} on {subject} came {seen} within {}; {:.0} is enough.",
                span(within),
                measure.required
            ),
            "Coming back less often.".to_owned(),
        ),
        Outcome::Unknown => (
            format!(
                "{name} on {subject} came {seen} within {}, but whether it counts is unknown.",
                span(within)
            ),
            "Knowing the fields its `where` asks for.".to_owned(),
        ),
        Outcome::NotMet if filtered => (
            format!("{name} on {subject} came {seen}, but this criterion does not count it."),
            "An incident that passes its `where`.".to_owned(),
        ),
        Outcome::NotMet => (
            format!(
                "{name} on {subject} came {seen} of the {:.0} times within {} it takes.",
                measure.required,
                span(within)
            ),
            format!(
                "{} within {}.",
                count(lacks, "more time", "more times"),
                span(within)
            ),
        ),
    }
}

/// Why an incident stands as it does: what was announced, or the verdict that came closest.
pub(crate) fn reason(incident: &Incident) -> String {
    if let Some(announced) = &incident.announced {
        // What was made known at its moment, in the numbers of now.
        let still = |verdict: &&Verdict| {
            announced.criteria.contains(&verdict.criterion) && verdict.outcome == Outcome::Met
        };
        let standing: Vec<&Verdict> = incident.verdicts.iter().filter(still).collect();
        return if standing.is_empty() || incident.review.is_some() {
            announced.sentence.clone()
        } else {
            announcement(&standing, None)
        };
    }
    let share = |verdict: &Verdict| {
        verdict.measure.map_or(0.0, |measure| {
            measure.upper / measure.required.max(f64::MIN_POSITIVE)
        })
    };
    let counted = incident.verdicts.iter().filter(|verdict| !verdict.shadow);
    // Of equally close ones the first of the rules speaks.
    let closest = counted.rev().max_by(|a, b| share(a).total_cmp(&share(b)));
    match closest {
        Some(verdict) => format!("No postmortem: {}", uncapitalised(&verdict.sentence)),
        None => "No postmortem: there are no criteria.".to_owned(),
    }
}

/// Service names keep their spelling mid-sentence; only our own first words are lowered.
fn uncapitalised(sentence: &str) -> String {
    let lowered = ["No ", "Nobody ", "An ", "A ", "Between "];
    match lowered.iter().find(|word| sentence.starts_with(**word)) {
        Some(word) => format!("{}{}", word.to_lowercase(), &sentence[word.len()..]),
        None => sentence.to_owned(),
    }
}

/// Why a decision is made known: the strongest reason first, the others after it.
pub(crate) fn announcement(reasons: &[&Verdict], review: Option<&Reviewed>) -> String {
    let sentences: Vec<&str> = reasons
        .iter()
        .map(|verdict| verdict.sentence.as_str())
        .collect();
    let why = sentences.join(" ");
    match review.map(|review| review.answer) {
        Some(Answer::Dismiss { reason }) => format!(
            "{why} It was dismissed before ({}); this is new since then.",
            reason.word()
        ),
        _ => why,
    }
}
