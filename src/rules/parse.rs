//! Rule text to a [`RuleSet`], or every fault in it with file, line and column.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Comparison, ConditionRule, Correlation, Criterion, RuleSet, Test, Threshold};
use crate::expr::{self, Expr, Root};
use crate::model::event::Severity;
use crate::model::fault::{Fault, nearest};
use crate::model::incident::{CriterionKind, Decision};
use crate::yaml::{self, Duration, Node, Position, Spanned, Value};

/// The keys a rule file may have.
const SECTIONS: [&str; 3] = ["criteria", "conditions", "correlation"];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CriterionText {
    name: Spanned<String>,
    on: Spanned<CriterionKind>,
    decision: Spanned<Decision>,
    #[serde(default)]
    shadow: bool,
    r#where: Option<Spanned<String>>,
    longest: Option<Spanned<Duration>>,
    total: Option<Spanned<Duration>>,
    within: Option<Spanned<Duration>>,
    at_least: Option<Spanned<u32>>,
    score_at_least: Option<Spanned<f64>>,
    quiet_for: Option<Spanned<Duration>>,
    at_most: Option<Spanned<String>>,
    times: Option<Spanned<u32>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConditionText {
    name: Spanned<String>,
    service: String,
    #[serde(default)]
    severity: Severity,
    metrics: String,
    query: Spanned<String>,
    degraded: Spanned<String>,
    near_miss: Option<Spanned<String>>,
    recovered: Option<Spanned<String>>,
    r#for: Option<Spanned<Duration>>,
    every: Option<Spanned<Duration>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CorrelationText {
    correlate_by: Option<Spanned<Vec<String>>>,
    join_within: Option<Spanned<Duration>>,
    settle: Option<Spanned<Duration>>,
    reopen_within: Option<Spanned<Duration>>,
    bridge: Option<Spanned<Duration>>,
    ignore: Option<Spanned<String>>,
}

/// Reads rule files, given as name and text.
///
/// # Errors
/// All faults of all files.
pub fn load(files: &[(String, String)]) -> Result<RuleSet, Vec<Fault>> {
    let mut reader = Reader::default();
    for (file, text) in files {
        match yaml::parse(file, text) {
            Ok(node) => reader.file(file, &node),
            Err(fault) => reader.faults.push(fault),
        }
    }
    if reader.faults.is_empty() { Ok(reader.rules) } else { Err(reader.faults) }
}

#[derive(Default)]
struct Reader {
    rules: RuleSet,
    faults: Vec<Fault>,
    /// Where each name was first used: of criteria and of conditions.
    names: BTreeMap<(&'static str, String), String>,
    correlation: Option<String>,
}

impl Reader {
    fn file(&mut self, file: &str, node: &Node) {
        let entries = match &node.value {
            Value::Map(entries) => entries.as_slice(),
            Value::Null => &[],
            _ => {
                let message = format!("expected a map with {}, found {}", SECTIONS.join(", "), node.describe());
                self.faults.push(node.position().fault(file, message));
                &[]
            }
        };
        for (key, value) in entries {
            match key.name.as_str() {
                "criteria" => {
                    let texts: Vec<(Position, CriterionText)> = yaml::read_list(file, value, &mut self.faults);
                    for (_, text) in texts {
                        self.criterion(file, &text);
                    }
                }
                "conditions" => {
                    let texts: Vec<(Position, ConditionText)> = yaml::read_list(file, value, &mut self.faults);
                    for (_, text) in texts {
                        self.condition(file, &text);
                    }
                }
                "correlation" => match yaml::read::<CorrelationText>(file, value) {
                    Ok(text) => self.correlation(file, key.position(), &text),
                    Err(fault) => self.faults.push(fault),
                },
                other => {
                    let hint = nearest(other, SECTIONS).map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
                    let message = format!("unknown key `{other}`{hint} A rule file has {}", SECTIONS.join(", "));
                    self.faults.push(key.position().fault(file, message));
                }
            }
        }
    }

    fn fault(&mut self, file: &str, at: Position, message: impl Into<String>) {
        self.faults.push(at.fault(file, message));
    }

    /// Notes the first use of a name; a second one is a fault.
    fn name(&mut self, kind: &'static str, file: &str, name: &Spanned<String>) {
        if name.value.trim().is_empty() {
            self.fault(file, name.position, format!("the {kind} needs a name"));
        }
        let place = format!("{file}:{}:{}", name.position.line, name.position.column);
        if let Some(first) = self.names.get(&(kind, name.value.clone())) {
            let message = format!("a {kind} named `{}` exists already at {first}; give this one another name", name.value);
            self.fault(file, name.position, message);
        } else {
            self.names.insert((kind, name.value.clone()), place);
        }
    }

    fn expression(&mut self, file: &str, text: Option<&Spanned<String>>, roots: &[Root]) -> Option<Expr> {
        let text = text?;
        match expr::compile(&text.value, roots) {
            Ok(expr) => Some(expr),
            Err(fault) => {
                self.fault(file, text.place(fault.offset), fault.message);
                None
            }
        }
    }

    /// A duration that must be longer than nothing.
    fn positive(&mut self, file: &str, key: &str, duration: &Spanned<Duration>) -> i64 {
        if duration.value.seconds == 0 {
            self.fault(file, duration.position, format!("`{key}` must be longer than 0s"));
        }
        duration.value.seconds
    }

    fn criterion(&mut self, file: &str, text: &CriterionText) {
        self.name("criterion", file, &text.name);
        if text.decision.value == Decision::None {
            let message = "`decision: none` would never do anything; write hold or suggest, with `shadow: true` to only record it";
            self.fault(file, text.decision.position, message);
        }
        let kind = text.on.value;
        self.foreign_parameters(file, kind, text);
        let roots: &[Root] = match kind {
            CriterionKind::Outage | CriterionKind::Degradation => &[Root::Incident, Root::Signal],
            CriterionKind::Intervention => &[Root::Incident, Root::Intervention],
            CriterionKind::Request => &[Root::Incident, Root::Request],
            CriterionKind::NearMiss => &[Root::Incident, Root::NearMiss],
            CriterionKind::Recurrence => &[Root::Incident],
        };
        let filter = self.expression(file, text.r#where.as_ref(), roots);
        let Some(test) = self.test(file, kind, text) else { return };
        self.rules.criteria.push(Criterion {
            name: text.name.value.clone(),
            decision: text.decision.value,
            shadow: text.shadow,
            filter,
            test,
        });
    }

    /// Parameters that mean nothing for the kind are faults: whoever wrote them expects an effect.
    fn foreign_parameters(&mut self, file: &str, kind: CriterionKind, text: &CriterionText) {
        use CriterionKind::{Degradation, Intervention, NearMiss, Recurrence};
        let given: [(&str, Option<Position>, &[CriterionKind]); 8] = [
            ("longest", text.longest.as_ref().map(|v| v.position), &[Degradation]),
            ("total", text.total.as_ref().map(|v| v.position), &[Degradation]),
            ("within", text.within.as_ref().map(|v| v.position), &[Degradation, Recurrence]),
            ("at_least", text.at_least.as_ref().map(|v| v.position), &[Intervention]),
            ("score_at_least", text.score_at_least.as_ref().map(|v| v.position), &[NearMiss]),
            ("quiet_for", text.quiet_for.as_ref().map(|v| v.position), &[NearMiss]),
            ("at_most", text.at_most.as_ref().map(|v| v.position), &[NearMiss]),
            ("times", text.times.as_ref().map(|v| v.position), &[Recurrence]),
        ];
        for (key, at, kinds) in given {
            if let Some(at) = at.filter(|_| !kinds.contains(&kind)) {
                let on = word(kind);
                let fits: Vec<&str> = kinds.iter().map(|&kind| word(kind)).collect();
                self.fault(file, at, format!("`{key}` means nothing for `on: {on}`; it belongs to {}", fits.join(" and ")));
            }
        }
    }

    fn test(&mut self, file: &str, kind: CriterionKind, text: &CriterionText) -> Option<Test> {
        Some(match kind {
            CriterionKind::Outage => Test::Outage,
            CriterionKind::Request => Test::Request,
            CriterionKind::Degradation => self.degradation(file, text)?,
            CriterionKind::Intervention => {
                let at_least = text.at_least.as_ref().map_or(1, |count| count.value);
                if let Some(count) = text.at_least.as_ref().filter(|count| count.value == 0) {
                    self.fault(file, count.position, "`at_least` must be 1 or more");
                }
                Test::Intervention { at_least }
            }
            CriterionKind::NearMiss => {
                let quiet_for = text.quiet_for.as_ref().map_or(30 * 86_400, |quiet| quiet.value.seconds);
                let at_most = text.at_most.as_ref().map_or(Some((1, 7 * 86_400)), |quota| self.quota(file, quota))?;
                Test::NearMiss { score_at_least: text.score_at_least.as_ref().map_or(0.0, |score| score.value), quiet_for, at_most }
            }
            CriterionKind::Recurrence => {
                let (Some(times), Some(within)) = (&text.times, &text.within) else {
                    self.fault(file, text.on.position, "`on: recurrence` needs `times` and `within`, as in `times: 3` and `within: 7d`");
                    return None;
                };
                if times.value < 2 {
                    self.fault(file, times.position, "`times` must be 2 or more: this incident counts as one");
                }
                Test::Recurrence { times: times.value, within: self.positive(file, "within", within) }
            }
        })
    }

    fn degradation(&mut self, file: &str, text: &CriterionText) -> Option<Test> {
        let longest = text.longest.as_ref().map(|longest| self.positive(file, "longest", longest));
        let total = match (&text.total, &text.within) {
            (Some(total), Some(within)) => {
                let sums = (self.positive(file, "total", total), self.positive(file, "within", within));
                if sums.0 > sums.1 {
                    self.fault(file, total.position, "`total` is longer than `within`, so it can never be met");
                }
                Some(sums)
            }
            (Some(total), None) => {
                self.fault(file, total.position, "`total` needs `within`: the window that it is summed over, as in `within: 24h`");
                return None;
            }
            (None, Some(within)) => {
                self.fault(file, within.position, "`within` needs `total`: how much degraded time in it is enough");
                return None;
            }
            (None, None) => None,
        };
        if longest.is_none() && total.is_none() {
            let message = "`on: degradation` needs `longest` (one unbroken stretch), or `total` with `within` (summed over a window)";
            self.fault(file, text.on.position, message);
            return None;
        }
        Some(Test::Degradation { longest, total })
    }

    /// `1 per 7d`
    fn quota(&mut self, file: &str, text: &Spanned<String>) -> Option<(u32, i64)> {
        let quota = text.value.split_once(" per ").and_then(|(count, per)| {
            let per = Duration::parse(per.trim()).ok().filter(|per| per.seconds > 0)?;
            Some((count.trim().parse().ok().filter(|&count: &u32| count > 0)?, per.seconds))
        });
        if quota.is_none() {
            self.fault(file, text.position, format!("{:?} is no quota; write for example `1 per 7d`", text.value));
        }
        quota
    }

    fn condition(&mut self, file: &str, text: &ConditionText) {
        self.name("condition", file, &text.name);
        if text.query.value.trim().is_empty() {
            self.fault(file, text.query.position, "the query is empty");
        }
        let every = text.every.as_ref().map_or(15, |every| self.positive(file, "every", every));
        let near_miss = text.near_miss.as_ref().and_then(|text| self.threshold(file, text));
        let recovered = text.recovered.as_ref().and_then(|text| self.threshold(file, text));
        let Some(degraded) = self.threshold(file, &text.degraded) else { return };
        self.rules.conditions.push(ConditionRule {
            name: text.name.value.clone(),
            service: text.service.clone(),
            severity: text.severity,
            metrics: text.metrics.clone(),
            query: text.query.value.clone(),
            degraded,
            near_miss,
            recovered,
            pending_for: text.r#for.as_ref().map_or(0, |pending| pending.value.seconds),
            every,
        });
    }

    fn threshold(&mut self, file: &str, text: &Spanned<String>) -> Option<Threshold> {
        let comparisons = [
            (">=", Comparison::AtLeast),
            ("<=", Comparison::AtMost),
            ("==", Comparison::Equal),
            ("!=", Comparison::NotEqual),
            (">", Comparison::Above),
            ("<", Comparison::Below),
        ];
        let trimmed = text.value.trim();
        let found = comparisons.iter().find_map(|(sign, comparison)| Some((trimmed.strip_prefix(sign)?, *comparison)));
        let threshold = found.and_then(|(rest, comparison)| {
            let value: f64 = rest.trim().parse().ok()?;
            (!value.is_nan()).then_some(Threshold { comparison, value })
        });
        if threshold.is_none() {
            self.fault(
                file,
                text.position,
                format!("{:?} is no threshold; write a comparison and a number, as in `\"> 0.02\"`", text.value),
            );
        }
        threshold
    }

    fn correlation(&mut self, file: &str, at: Position, text: &CorrelationText) {
        let place = format!("{file}:{}:{}", at.line, at.column);
        if let Some(first) = self.correlation.replace(place) {
            self.fault(file, at, format!("`correlation` stands already at {first}; keep one"));
            return;
        }
        let given = Correlation::default();
        let correlate_by = text.correlate_by.as_ref().map(|labels| {
            if labels.value.is_empty() {
                self.fault(file, labels.position, "`correlate_by` names no label, so nothing would ever join; the default is [service]");
            }
            labels.value.clone()
        });
        let or = |given: i64, text: &Option<Spanned<Duration>>| text.as_ref().map_or(given, |duration| duration.value.seconds);
        let ignore = self.expression(file, text.ignore.as_ref(), &[Root::Signal]);
        self.rules.correlation = Correlation {
            correlate_by: correlate_by.unwrap_or(given.correlate_by),
            join_within: or(given.join_within, &text.join_within),
            settle: or(given.settle, &text.settle),
            reopen_within: or(given.reopen_within, &text.reopen_within),
            bridge: or(given.bridge, &text.bridge),
            lifetime: given.lifetime,
            ignore,
        };
    }
}

fn word(kind: CriterionKind) -> &'static str {
    match kind {
        CriterionKind::Outage => "outage",
        CriterionKind::Degradation => "degradation",
        CriterionKind::Intervention => "intervention",
        CriterionKind::Request => "request",
        CriterionKind::NearMiss => "near_miss",
        CriterionKind::Recurrence => "recurrence",
    }
}
