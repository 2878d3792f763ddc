//! `afterword explain`: the verdicts on an incident, with evidence and margin.

use chrono::TimeDelta;
use clap::Args;
use serde_json::Value;

use super::options::ServiceConnection;
use super::output::{FAULTS, complain, say};
use super::report;
use crate::model::incident::Incident;
use crate::model::lifecycle::Phase;
use crate::model::verdict::{Decision, Measure, Outcome, Unit, Verdict};
use crate::wording::milestones::contradictions;
use crate::wording::{duration, number};

/// Arguments of `afterword explain`.
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// Incident id.
    incident: String,
    #[command(flatten)]
    from: ServiceConnection,
}

pub(crate) fn explain(asked: &Explain) -> u8 {
    let path = format!("/api/v1/incidents/{}", asked.incident);
    let answer = match report::read(&asked.from, &path) {
        Ok(answer) => answer,
        Err(code) => return code,
    };
    if asked.from.format.is_some() {
        say(&answer.get("verdicts").unwrap_or(&Value::Null).to_string());
        return 0;
    }
    match serde_json::from_value::<Incident>(answer) {
        Ok(incident) => {
            say(&incident_text(&incident));
            0
        }
        Err(fault) => {
            complain(&format!(
                "this version cannot read the answer of the service ({fault}); compare `afterword --version` with the version of the service"
            ));
            FAULTS
        }
    }
}

fn incident_text(incident: &Incident) -> String {
    let services = if incident.services.is_empty() {
        "unassigned".to_owned()
    } else {
        incident.services.join(", ")
    };
    let mut lines = vec![
        format!("{} {} ({services})", incident.id, incident.title),
        incident.reason.clone(),
    ];
    if let Some(form) = incident.form {
        lines.push(format!("Form of the postmortem: {}", form.label()));
    }
    lines.extend(contradictions(incident));
    lines.push(String::new());
    for verdict in &incident.verdicts {
        lines.push(verdict_lines(verdict, incident.phase));
    }
    lines.join("\n")
}

fn verdict_lines(verdict: &Verdict, phase: Phase) -> String {
    let outcome = match verdict.outcome {
        Outcome::Met => "met",
        Outcome::NotMet => "not met",
        Outcome::Unknown => "unknown",
    };
    let shadow = match (verdict.shadow, verdict.leads_to(phase)) {
        (false, _) if verdict.decision == Decision::None => ", only explains",
        (false, _) => "",
        (true, Decision::None) if verdict.decision == Decision::Hold => {
            ", a shadow that would not have opened a postmortem"
        }
        (true, Decision::None) => ", a shadow that would not have suggested a postmortem",
        (true, Decision::Suggest) => ", a shadow that would have suggested a postmortem",
        (true, Decision::Hold) => ", a shadow that would have opened a postmortem",
    };
    let mut text = format!(
        "{}: {outcome}{shadow}\n  {}\n  What would change it: {}",
        verdict.criterion, verdict.sentence, verdict.would_change
    );
    if !verdict.shadow && verdict.leads_to(phase) > Decision::None {
        text.push_str(&format!("\n  Form: {}", verdict.form.label()));
    }
    if let Some(measure) = &verdict.measure {
        text.push_str(&format!("\n  {}", measure_text(measure)));
    }
    if !verdict.factors.is_empty() {
        let factors: Vec<String> = verdict
            .factors
            .iter()
            .map(|factor| format!("{} ({}: {})", factor.value, factor.name, factor.why))
            .collect();
        text.push_str(&format!("\n  Score: {}", factors.join(" × ")));
    }
    if !verdict.evidence.is_empty() {
        let ids: Vec<String> = verdict
            .evidence
            .iter()
            .map(|id| id.to_string().chars().take(12).collect())
            .collect();
        text.push_str(&format!("\n  Evidence: {}", ids.join(", ")));
    }
    text
}

fn measure_text(measure: &Measure) -> String {
    let say = |value: f64| match measure.unit {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "seconds of an incident are far below 2^52"
        )]
        Unit::Seconds => duration::exact(TimeDelta::seconds(value.round() as i64)),
        Unit::Times if (value - 1.0).abs() < 0.5 => "1 time".to_owned(),
        Unit::Times => format!("{} times", number::short(value)),
        Unit::Score => format!("{} points", number::short(value)),
    };
    let observed = if measure.lower < measure.upper {
        format!("between {} and {}", say(measure.lower), say(measure.upper))
    } else {
        say(measure.lower)
    };
    let margin = say(measure.margin.abs());
    let side = if measure.margin < 0.0 {
        "below"
    } else {
        "above"
    };
    let required = say(measure.required);
    if measure.margin == 0.0 {
        format!("Observed {observed}, required {required}")
    } else {
        format!("Observed {observed}, required {required}: {margin} {side}")
    }
}

#[cfg(test)]
mod tests {
    use super::measure_text;
    use crate::model::verdict::{Measure, Unit};

    #[test]
    fn margin_is_told_in_the_units_of_the_sentence() {
        for (lower, upper, required, unit, text) in [
            (
                2402.088,
                2402.088,
                1800.0,
                Unit::Seconds,
                "Observed 40m 2s, required 30m: 10m 2s above",
            ),
            (
                1320.0,
                1500.0,
                1800.0,
                Unit::Seconds,
                "Observed between 22m and 25m, required 30m: 5m below",
            ),
            (
                1.0,
                1.0,
                1.0,
                Unit::Times,
                "Observed 1 time, required 1 time",
            ),
            (
                1.0,
                1.0,
                3.0,
                Unit::Times,
                "Observed 1 time, required 3 times: 2 times below",
            ),
            (
                22.5,
                22.5,
                3.0,
                Unit::Score,
                "Observed 22.5 points, required 3 points: 19.5 points above",
            ),
        ] {
            assert_eq!(
                measure_text(&Measure::new(lower, upper, required, unit)),
                text
            );
        }
    }
}
