//! What a whole page of OpenMetrics must keep beyond its single lines: types, groups, order and sums, as the specification demands them and
//! its conformance cases test them (prometheus/OpenMetrics, `tests/testdata/parsers`). Prometheus's scraper asks for none of this, nor does
//! a reader of a few names.

use std::collections::HashSet;

use crate::model::labels::Labels;

use super::comment::{Comment, Type};
use super::cursor::SyntaxFault;
use super::histogram::Histogram;
use super::line::SampleLine;
use super::number;

/// The most characters in an exemplar's labels.
const LONGEST_EXEMPLAR: usize = 128;

/// The metrics of a page, of which one is being read.
#[derive(Default)]
pub(crate) struct Metrics {
    /// Names that metrics before this one have taken, those of their samples included.
    taken: HashSet<String>,
    open: Option<Metric>,
}

/// One metric: what is said of it, and what its samples have shown.
#[derive(Default)]
struct Metric {
    name: String,
    kind: Option<Type>,
    has_help: bool,
    unit: Option<String>,
    /// The group of the last sample and its time: the samples that differ only in what belongs to the type.
    group: Option<(Labels, Option<f64>)>,
    groups: HashSet<Labels>,
    histogram: Histogram,
}

impl Metrics {
    pub(crate) fn comment(&mut self, comment: &Comment<'_>) -> Result<(), SyntaxFault> {
        let name = match comment {
            Comment::Help(name) | Comment::Type(name, _) | Comment::Unit(name, _) => name,
            Comment::End | Comment::Remark => return Ok(()),
        };
        let metric = self.metric(name)?;
        if metric.group.is_some() {
            return refuse(format!(
                "{name} is described after its samples. Expected all of # TYPE, # UNIT and # HELP before them"
            ));
        }
        let is_first = match comment {
            Comment::Help(_) => !std::mem::replace(&mut metric.has_help, true),
            Comment::Type(_, kind) => metric.kind.replace(*kind).is_none(),
            Comment::Unit(_, unit) => metric.unit.replace((*unit).to_owned()).is_none(),
            Comment::End | Comment::Remark => true,
        };
        if is_first {
            Ok(())
        } else {
            refuse(format!(
                "the same is said twice of {name}. Expected each of # TYPE, # UNIT and # HELP once"
            ))
        }
    }

    pub(crate) fn sample(&mut self, line: &SampleLine) -> Result<(), SyntaxFault> {
        let belongs = self.open.as_ref().is_some_and(|metric| {
            line.name
                .strip_prefix(&metric.name)
                .is_some_and(|suffix| suffixes(metric.kind).contains(&suffix))
        });
        if belongs {
            if let Some(metric) = &mut self.open {
                metric.sample(line)?;
            }
            return Ok(());
        }
        self.close()?;
        self.open
            .insert(Metric {
                name: line.name.clone(),
                kind: Some(Type::Unknown),
                ..Metric::default()
            })
            .sample(line)
    }

    /// The page is over.
    pub(crate) fn end(&mut self) -> Result<(), SyntaxFault> {
        self.close()
    }

    /// The metric of this name, which is the one being read or the next.
    fn metric(&mut self, name: &str) -> Result<&mut Metric, SyntaxFault> {
        if self.open.as_ref().is_none_or(|metric| metric.name != name) {
            self.close()?;
        }
        Ok(self.open.get_or_insert_with(|| Metric {
            name: name.to_owned(),
            ..Metric::default()
        }))
    }

    fn close(&mut self) -> Result<(), SyntaxFault> {
        let Some(metric) = self.open.take() else {
            return Ok(());
        };
        let name = &metric.name;
        for suffix in suffixes(metric.kind)
            .iter()
            .chain(&[""])
            .collect::<HashSet<_>>()
        {
            if !self.taken.insert(format!("{name}{suffix}")) {
                return refuse(format!(
                    "{name}{suffix} is here a second time, the last line of {name} being above. Expected a metric in one place"
                ));
            }
        }
        match metric.unit.as_deref() {
            None | Some("") => {}
            Some(_) if matches!(metric.kind, Some(Type::Info | Type::StateSet)) => {
                return refuse(format!(
                    "{name} has a unit. Expected none of an info or a stateset"
                ));
            }
            Some(unit)
                if !name
                    .strip_suffix(unit)
                    .is_some_and(|rest| rest.ends_with('_')) =>
            {
                return refuse(format!(
                    "the unit of {name} is {unit}. Expected the name to end with _{unit}"
                ));
            }
            Some(_) => {}
        }
        metric.histogram.end().or_else(refuse)
    }
}

impl Metric {
    fn sample(&mut self, line: &SampleLine) -> Result<(), SyntaxFault> {
        let suffix = &line.name[self.name.len()..];
        let kind = self.kind.unwrap_or(Type::Unknown);
        self.check_labels(kind, suffix, line).or_else(refuse)?;
        check_value(kind, suffix, line.value).or_else(refuse)?;
        let may_have = matches!(
            (kind, suffix),
            (Type::Histogram | Type::GaugeHistogram, "_bucket") | (Type::Counter, "_total")
        );
        match line.exemplar {
            Some(_) if !may_have => {
                return refuse(
                    "an exemplar here. Expected none but on a counter's _total and a histogram's _bucket",
                );
            }
            Some(length) if length > LONGEST_EXEMPLAR => {
                return refuse(format!(
                    "the exemplar's labels have {length} characters. Expected {LONGEST_EXEMPLAR} at most"
                ));
            }
            _ => {}
        }

        let group = self.group_of(kind, suffix, line);
        let seconds = line.stamp.map(|stamp| stamp.seconds);
        if matches!(kind, Type::Histogram | Type::GaugeHistogram) {
            self.histogram
                .sample(&group, seconds, suffix, line)
                .or_else(refuse)?;
        }
        match &self.group {
            Some((last, before)) if *last == group => match (*before, seconds) {
                (Some(before), Some(now)) if before > now && kind != Type::Info => {
                    return refuse(
                        "the time is before the one above. Expected times of one group of samples in order",
                    );
                }
                (Some(_), None) | (None, Some(_)) => {
                    return refuse(
                        "some samples of one group have a time and some have none. Expected it of all or none",
                    );
                }
                _ => {}
            },
            Some(_) if self.groups.contains(&group) => {
                return refuse(
                    "other samples of the same labels stand further up, others between. Expected them together",
                );
            }
            _ => {}
        }
        self.groups.insert(group.clone());
        self.group = Some((group, seconds));
        Ok(())
    }

    fn check_labels(&self, kind: Type, suffix: &str, line: &SampleLine) -> Result<(), String> {
        let number = |name: &str| {
            let text = line.labels.get(name)?;
            let value = number::float(text.as_bytes()).filter(|value| !value.is_nan())?;
            // The one number that has one spelling to all.
            (!value.is_infinite() || matches!(text.as_str(), "+Inf" | "-Inf")).then_some(value)
        };
        match (kind, suffix) {
            (Type::StateSet, _) if !line.labels.contains_key(&self.name) => Err(format!(
                "a stateset without the label {}. Expected the state there",
                self.name
            )),
            (Type::Histogram | Type::GaugeHistogram, "_bucket") if number("le").is_none() => Err(
                "a bucket without a bound. Expected a label le with a number, or with +Inf"
                    .to_owned(),
            ),
            (Type::Summary, "")
                if !number("quantile").is_some_and(|quantile| (0.0..=1.0).contains(&quantile)) =>
            {
                Err(
                    "a summary's sample without a quantile. Expected a label quantile from 0 to 1"
                        .to_owned(),
                )
            }
            _ => Ok(()),
        }
    }

    fn group_of(&self, kind: Type, suffix: &str, line: &SampleLine) -> Labels {
        let mut group = line.labels.clone();
        match (kind, suffix) {
            (Type::Info, _) => group.clear(),
            (Type::StateSet, _) => drop(group.remove(&self.name)),
            (Type::Summary, "") => drop(group.remove("quantile")),
            (Type::Histogram | Type::GaugeHistogram, "_bucket") => drop(group.remove("le")),
            _ => {}
        }
        group
    }
}

/// What the names of a metric's samples add to its own.
fn suffixes(kind: Option<Type>) -> &'static [&'static str] {
    match kind {
        Some(Type::Counter) => &["_total", "_created"],
        Some(Type::Summary) => &["", "_count", "_sum", "_created"],
        Some(Type::Histogram) => &["_count", "_sum", "_bucket", "_created"],
        Some(Type::GaugeHistogram) => &["_gcount", "_gsum", "_bucket"],
        Some(Type::Info) => &["_info"],
        Some(Type::Gauge | Type::StateSet | Type::Unknown) | None => &[""],
    }
}

fn check_value(kind: Type, suffix: &str, value: f64) -> Result<(), String> {
    let counts = matches!(suffix, "_total" | "_sum" | "_count" | "_bucket" | "_gcount");
    let expected = match (kind, suffix) {
        (Type::StateSet, _) if value != 0.0 && value != 1.0 => "0 or 1 of a stateset",
        (Type::Info, _) if value != 1.0 => "1 of an info",
        (Type::Summary, "") if value < 0.0 => "no negative quantile",
        (_, "_bucket" | "_count" | "_gcount") if value.fract() != 0.0 => {
            "a whole number of what is counted"
        }
        _ if counts && (value.is_nan() || value < 0.0) || suffix == "_gsum" && value.is_nan() => {
            "no negative number and no NaN of what only grows"
        }
        _ => return Ok(()),
    };
    Err(format!("the value is {value}. Expected {expected}"))
}

fn refuse<T>(message: impl Into<String>) -> Result<T, SyntaxFault> {
    Err(SyntaxFault::new(0, message))
}
