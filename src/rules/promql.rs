//! PromQL queries of conditions, and the subset that scraped and pushed samples can answer without
//! a Prometheus.
//!
//! The subset: the newest value of a selector, `rate` and `increase` over a window, aggregations by
//! labels, the ratio of two of these, arithmetic with a number, and `histogram_quantile`. Anything
//! else needs a Prometheus.

use promql_parser::label::{METRIC_NAME, MatchOp, Matcher, Matchers};
use promql_parser::parser::{
    self, AggregateExpr, BinaryExpr, Call, Expr, LabelModifier, VectorMatchCardinality,
    VectorSelector,
};

use crate::model::labels::Labels;
use crate::rules::seconds::Seconds;

/// Maximum length of a query in bytes; it also bounds the parser's recursion.
const LONGEST: usize = 8 * 1024;
/// Maximum nesting depth of a query.
const DEEPEST: usize = 24;

/// A query over samples.
#[derive(Debug, Clone, PartialEq)]
pub enum PromqlQuery {
    /// `selector`: the newest value of each series.
    Newest(Selector),
    /// `rate(selector[over])` or `increase(selector[over])`, as Prometheus extrapolates them.
    Change {
        /// The counters.
        of: Selector,
        /// The window.
        over: Seconds,
        /// `rate`.
        per_second: bool,
    },
    /// `sum by (…) (of)` and other aggregations.
    Fold {
        /// The aggregation.
        how: Aggregation,
        /// The values.
        of: Box<PromqlQuery>,
        /// The labels that form groups.
        groups: Grouping,
    },
    /// `of / to`, matched by labels.
    Ratio {
        /// The dividend.
        of: Box<PromqlQuery>,
        /// The divisor.
        to: Box<PromqlQuery>,
        /// The labels that must match.
        agree: Grouping,
    },
    /// Arithmetic with a number.
    Scaled {
        /// The values.
        of: Box<PromqlQuery>,
        /// The operator.
        how: BinaryOperator,
        /// The number.
        number: f64,
        /// True when the number is the left operand: `1 - of`.
        number_first: bool,
    },
    /// `histogram_quantile(share, of)`.
    Quantile {
        /// The quantile, usually between 0 and 1.
        share: f64,
        /// The buckets, distinguished by `le`.
        of: Box<PromqlQuery>,
    },
}

/// The series of one metric.
#[derive(Debug, Clone, PartialEq)]
pub struct Selector {
    /// The metric's name.
    pub name: String,
    matchers: Vec<Matcher>,
}

impl Selector {
    /// True when a series of this metric with these labels is selected. An absent label counts as
    /// empty.
    #[must_use]
    pub fn selects(&self, labels: &Labels) -> bool {
        self.matchers
            .iter()
            .all(|matcher| matcher.is_match(labels.get(&matcher.name).map_or("", String::as_str)))
    }

    /// True when it may select series of a target whose `up` has these labels: its matchers accept
    /// them.
    #[must_use]
    pub fn may_be_about(&self, up: &Labels) -> bool {
        self.matchers.iter().all(|matcher| {
            up.get(&matcher.name)
                .is_none_or(|value| matcher.is_match(value))
        })
    }
}

/// Aggregations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aggregation {
    /// `sum`
    Sum,
    /// `avg`
    Average,
    /// `min`
    Least,
    /// `max`
    Most,
    /// `count`
    Count,
}

/// The labels that form groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grouping {
    /// Only these: `by`, `on`.
    By(Vec<String>),
    /// All but these: `without`, `ignoring`.
    Without(Vec<String>),
}

impl Grouping {
    /// The labels of a series that identify its group.
    #[must_use]
    pub fn grouping_labels(&self, labels: &Labels) -> Labels {
        let kept = |name: &String| match self {
            Self::By(names) => names.contains(name),
            Self::Without(names) => !names.contains(name),
        };
        labels
            .iter()
            .filter(|(name, _)| kept(name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    }
}

/// Arithmetic operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BinaryOperator {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
}

impl PromqlQuery {
    /// The selectors of the query, in order.
    #[must_use]
    pub fn selectors(&self) -> Vec<&Selector> {
        match self {
            Self::Newest(selector) | Self::Change { of: selector, .. } => vec![selector],
            Self::Fold { of, .. } | Self::Scaled { of, .. } | Self::Quantile { of, .. } => {
                of.selectors()
            }
            Self::Ratio { of, to, .. } => {
                of.selectors().into_iter().chain(to.selectors()).collect()
            }
        }
    }

    /// The counters read by `rate` or `increase`, which give nonsense for other metrics.
    #[must_use]
    pub fn counters(&self) -> Vec<&Selector> {
        match self {
            Self::Newest(_) => Vec::new(),
            Self::Change { of, .. } => vec![of],
            Self::Fold { of, .. } | Self::Scaled { of, .. } | Self::Quantile { of, .. } => {
                of.counters()
            }
            Self::Ratio { of, to, .. } => of.counters().into_iter().chain(to.counters()).collect(),
        }
    }

    /// The longest window of the query in seconds; 0 when only newest values count.
    #[must_use]
    pub fn looks_back(&self) -> Seconds {
        match self {
            Self::Newest(_) => 0,
            Self::Change { over, .. } => *over,
            Self::Fold { of, .. } | Self::Scaled { of, .. } | Self::Quantile { of, .. } => {
                of.looks_back()
            }
            Self::Ratio { of, to, .. } => of.looks_back().max(to.looks_back()),
        }
    }
}

/// A parsed query.
#[derive(Debug, Clone, PartialEq)]
pub struct ParsedQuery {
    /// The reason it seems to be invalid PromQL. Only a Prometheus can tell for certain.
    pub doubt: Option<String>,
    /// The query over samples, or the reason samples cannot answer it.
    pub of_samples: Result<PromqlQuery, String>,
}

/// Parses a query.
#[must_use]
pub fn parse_query(text: &str) -> ParsedQuery {
    if text.len() > LONGEST {
        let why = format!(
            "a query of {} bytes is too long; the maximum is {LONGEST}",
            text.len()
        );
        return ParsedQuery {
            doubt: Some(why.clone()),
            of_samples: Err(why),
        };
    }
    match parser::parse(text) {
        Ok(expression) => ParsedQuery {
            doubt: None,
            of_samples: read(&expression, DEEPEST),
        },
        Err(why) => ParsedQuery {
            doubt: Some(why.clone()),
            of_samples: Err(format!("invalid PromQL: {why}")),
        },
    }
}

const RICHER: &str = "scraped or pushed samples support only a selector, rate, increase, sum, avg, min, max and count by labels, the ratio \
                      of two of these, arithmetic with a number, and histogram_quantile; for other queries name a Prometheus under `metrics`";

fn richer<T>(what: &str) -> Result<T, String> {
    Err(format!("{what} needs a Prometheus: {RICHER}"))
}

fn read(expression: &Expr, depth: usize) -> Result<PromqlQuery, String> {
    let Some(depth) = depth.checked_sub(1) else {
        return richer("a query nested this deep");
    };
    match expression {
        Expr::Paren(inner) => read(&inner.expr, depth),
        Expr::VectorSelector(inner) => selector(inner).map(PromqlQuery::Newest),
        Expr::Call(call) => function(call, depth),
        Expr::Aggregate(inner) => fold(inner, depth),
        Expr::Binary(inner) => binary(inner, depth),
        Expr::NumberLiteral(_) | Expr::StringLiteral(_) => {
            Err(format!("the query has no metric; {RICHER}"))
        }
        Expr::MatrixSelector(_) => Err(
            "a range of samples is not a value; write rate(…[5m]) or increase(…[5m])".to_owned(),
        ),
        Expr::Unary(_) => richer("a unary sign"),
        Expr::Subquery(_) => richer("a subquery"),
        Expr::Extension(_) => richer("this"),
    }
}

fn selector(found: &VectorSelector) -> Result<Selector, String> {
    if found.offset.is_some() || found.at.is_some() {
        return richer("`offset` or `@`");
    }
    let Matchers {
        matchers,
        or_matchers,
    } = &found.matchers;
    if !or_matchers.is_empty() {
        return richer("`or` between matchers");
    }
    let (names, matchers): (Vec<Matcher>, Vec<Matcher>) = matchers
        .iter()
        .cloned()
        .partition(|matcher| matcher.name == METRIC_NAME);
    let equal = names
        .iter()
        .find(|matcher| matcher.op == MatchOp::Equal)
        .map(|matcher| matcher.value.clone());
    match found.name.clone().or(equal) {
        Some(name) if names.iter().all(|matcher| matcher.is_match(&name)) => {
            Ok(Selector { name, matchers })
        }
        _ => richer("a selector that does not name its metric"),
    }
}

fn function(call: &Call, depth: usize) -> Result<PromqlQuery, String> {
    let arguments = &call.args.args;
    match (call.func.name, arguments.as_slice()) {
        (name @ ("rate" | "increase"), [argument]) => match unwrapped(argument) {
            Expr::MatrixSelector(matrix) => {
                let over = Seconds::try_from(matrix.range.as_secs()).unwrap_or(Seconds::MAX);
                if over == 0 {
                    return Err(format!("the window of {name} is shorter than one second"));
                }
                Ok(PromqlQuery::Change {
                    of: selector(&matrix.vs)?,
                    over,
                    per_second: name == "rate",
                })
            }
            _ => richer(&format!("{name} of anything but a selector")),
        },
        ("histogram_quantile", [share, of]) => match unwrapped(share) {
            Expr::NumberLiteral(share) => Ok(PromqlQuery::Quantile {
                share: share.val,
                of: Box::new(read(of, depth)?),
            }),
            _ => richer("a quantile that is not a number"),
        },
        (name, _) => richer(&format!("`{name}`")),
    }
}

fn fold(found: &AggregateExpr, depth: usize) -> Result<PromqlQuery, String> {
    let how = match found.op.to_string().as_str() {
        "sum" => Aggregation::Sum,
        "avg" => Aggregation::Average,
        "min" => Aggregation::Least,
        "max" => Aggregation::Most,
        "count" => Aggregation::Count,
        other => return richer(&format!("`{other}`")),
    };
    let groups = found
        .modifier
        .as_ref()
        .map_or(Grouping::By(Vec::new()), groups);
    Ok(PromqlQuery::Fold {
        how,
        of: Box::new(read(&found.expr, depth)?),
        groups,
    })
}

fn groups(modifier: &LabelModifier) -> Grouping {
    let names = modifier.labels().labels.clone();
    if modifier.is_include() {
        Grouping::By(names)
    } else {
        Grouping::Without(names)
    }
}

fn binary(found: &BinaryExpr, depth: usize) -> Result<PromqlQuery, String> {
    let sign = found.op.to_string();
    let how = match sign.as_str() {
        "+" => BinaryOperator::Add,
        "-" => BinaryOperator::Subtract,
        "*" => BinaryOperator::Multiply,
        "/" => BinaryOperator::Divide,
        ">" | "<" | ">=" | "<=" | "==" | "!=" => {
            return Err(format!(
                "`{sign}` does not belong in the query; write it under `degraded`, `near_miss` or `recovered`"
            ));
        }
        other => return richer(&format!("`{other}`")),
    };
    match (unwrapped(&found.lhs), unwrapped(&found.rhs)) {
        (Expr::NumberLiteral(_), Expr::NumberLiteral(_)) => {
            Err(format!("the query has no metric; {RICHER}"))
        }
        (of, Expr::NumberLiteral(number)) => Ok(PromqlQuery::Scaled {
            of: Box::new(read(of, depth)?),
            how,
            number: number.val,
            number_first: false,
        }),
        (Expr::NumberLiteral(number), of) => Ok(PromqlQuery::Scaled {
            of: Box::new(read(of, depth)?),
            how,
            number: number.val,
            number_first: true,
        }),
        (of, to) if how == BinaryOperator::Divide => {
            let modifier = found.modifier.as_ref();
            if modifier.is_some_and(|modifier| modifier.card != VectorMatchCardinality::OneToOne) {
                return richer("`group_left` or `group_right`");
            }
            let agree = modifier
                .and_then(|modifier| modifier.matching.as_ref())
                .map_or(Grouping::Without(Vec::new()), groups);
            Ok(PromqlQuery::Ratio {
                of: Box::new(read(of, depth)?),
                to: Box::new(read(to, depth)?),
                agree,
            })
        }
        _ => richer(&format!("`{sign}` between two metrics")),
    }
}

fn unwrapped(expression: &Expr) -> &Expr {
    match expression {
        Expr::Paren(inner) => unwrapped(&inner.expr),
        other => other,
    }
}

#[cfg(test)]
mod tests;
