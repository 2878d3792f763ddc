//! Thresholds of conditions as text and as lines of a plot.

use crate::model::plot::ThresholdLine;
use crate::rules::rule_set::{Comparison, ConditionRule, Threshold};

/// Threshold lines of a condition.
pub(crate) fn threshold_lines(rule: &ConditionRule) -> Vec<ThresholdLine> {
    let bounds = [
        ("degraded", Some(rule.degraded)),
        ("near_miss", rule.near_miss),
        ("recovered", rule.recovered),
    ];
    bounds
        .into_iter()
        .filter_map(|(name, bound)| bound.map(|bound| threshold_line(name, bound)))
        .collect()
}

fn threshold_line(name: &str, Threshold { comparison, value }: Threshold) -> ThresholdLine {
    let sign = match comparison {
        Comparison::Above => ">",
        Comparison::AtLeast => ">=",
        Comparison::Below => "<",
        Comparison::AtMost => "<=",
        Comparison::Equal => "==",
        Comparison::NotEqual => "!=",
    };
    ThresholdLine {
        name: name.to_owned(),
        text: format!("{sign} {value}"),
        value,
    }
}
