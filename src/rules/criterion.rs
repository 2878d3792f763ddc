//! One entry of `criteria:`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::expr;
use crate::expr::Expr;
use crate::expr::root::Root;
use crate::model::severity_scale::SeverityScale;
use crate::model::verdict::{CriterionKind, Decision, PostmortemForm};
use crate::rules::criterion_hours::{self, Calendars, HoursEntry};
use crate::rules::rule_set::{Criterion, CriterionTest, Likeness, StepGrouping, StepWindow};
use crate::rules::seconds::Seconds;
use crate::yaml::node::Node;
use crate::yaml::reader::Reader;
use crate::yaml::scalar::{Duration, Quota, Spanned, TextOrTexts};
use crate::yaml::unique_names::UniqueNames;

const DAY: Seconds = 86_400;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CriterionEntry {
    /// Unique name in verdicts, pages and scenarios: one word.
    #[schemars(required)]
    name: Option<Spanned<String>>,
    /// Subject of the criterion.
    #[schemars(required)]
    on: Option<CriterionKind>,
    /// Decision when it is met: `hold` opens the postmortem, `suggest` asks a person, `none` only
    /// explains.
    #[schemars(required)]
    decision: Option<Spanned<Decision>>,
    /// Form of the postmortem: a meeting of its own (`meeting`, the default), an entry in the next
    /// standing review (`standing`), or one page (`note`, the default of near_miss). Of several the
    /// heaviest wins.
    form: Option<PostmortemForm>,
    /// Shadow mode: only record what it would have decided.
    #[schemars(extend("default" = false))]
    shadow: Option<Spanned<bool>>,
    /// CEL filter over the incident and the subject; by default all count.
    r#where: Option<Spanned<String>>,
    /// Hours that count: only degraded time within them, only what happens within them; by default
    /// always.
    during: Option<HoursEntry>,
    /// The opposite of `during`: these hours do not count.
    outside: Option<HoursEntry>,
    /// degradation: minimum degraded time without a break.
    longest: Option<Spanned<Duration>>,
    /// degradation: minimum total degraded time within `within`.
    total: Option<Spanned<Duration>>,
    /// degradation, intervention, recurrence: time window. For intervention, the steps of all
    /// incidents in it are counted.
    within: Option<Spanned<Duration>>,
    /// intervention: minimum number of manual steps.
    #[schemars(range(min = 1), extend("default" = 1))]
    at_least: Option<Spanned<u32>>,
    /// near_miss: minimum score.
    #[schemars(range(min = 0), extend("default" = 0))]
    score_at_least: Option<Spanned<f64>>,
    /// near_miss: minimum time since the last postmortem.
    #[schemars(extend("default" = "30d"))]
    quiet_for: Option<Spanned<Duration>>,
    /// near_miss: maximum rate of postmortems.
    #[schemars(extend("default" = "1 per 7d"))]
    at_most: Option<Quota>,
    /// recurrence: number of occurrences, including this one; required there.
    #[schemars(range(min = 2))]
    times: Option<Spanned<u32>>,
    /// intervention with `within`: what the steps must have in common: `service` (the default),
    /// `scope` (an owner), `action`, or a list of them.
    per: Option<TextOrTexts>,
    /// recurrence: what must be the same, by default the service and the alert or condition: any of
    /// `service`, `alert` and `condition` (that opened it), `criterion` (that is met), `label:NAME`
    /// (of the opening alert or condition).
    same: Option<TextOrTexts>,
}

/// A value of `on:`, the parameters it takes, and the roots its `where` may use.
pub(crate) struct KindFields {
    pub(crate) word: &'static str,
    pub(crate) parameters: &'static [&'static str],
    pub(crate) roots: &'static [Root],
}

/// All values of `on:`.
pub(crate) const KINDS: [CriterionKind; 6] = [
    CriterionKind::Outage,
    CriterionKind::Degradation,
    CriterionKind::Intervention,
    CriterionKind::Request,
    CriterionKind::NearMiss,
    CriterionKind::Recurrence,
];

/// The parameters and roots of a kind.
pub(crate) fn kind(on: CriterionKind) -> KindFields {
    let (word, parameters, roots): (_, &[&str], &[Root]) = match on {
        CriterionKind::Outage => ("outage", &[], &[Root::Incident, Root::Signal]),
        CriterionKind::Degradation => (
            "degradation",
            &["longest", "total", "within"],
            &[Root::Incident, Root::Signal],
        ),
        CriterionKind::Intervention => (
            "intervention",
            &["at_least", "within", "per"],
            &[Root::Incident, Root::Intervention],
        ),
        CriterionKind::Request => ("request", &[], &[Root::Incident, Root::Request]),
        CriterionKind::NearMiss => (
            "near_miss",
            &["score_at_least", "quiet_for", "at_most"],
            &[Root::Incident, Root::NearMiss],
        ),
        CriterionKind::Recurrence => (
            "recurrence",
            &["times", "within", "same"],
            &[Root::Incident],
        ),
    };
    KindFields {
        word,
        parameters,
        roots,
    }
}

/// The parts of a rule set that its criteria refer to.
pub(crate) struct CriteriaContext<'a> {
    /// True if every criterion of the file is a shadow.
    pub(crate) all_shadow: bool,
    /// The calendars of holidays.
    pub(crate) calendars: &'a Calendars<'a>,
    /// The severities.
    pub(crate) scale: &'a SeverityScale,
}

/// Reads one criterion; `None` when it has a fault.
pub(crate) fn read(
    reader: &mut Reader<'_>,
    node: &Node,
    context: &CriteriaContext<'_>,
    names: &mut UniqueNames,
) -> Option<Criterion> {
    let before = reader.faults.len();
    let mut entry: CriterionEntry = names.read(reader, node, &["name", "on", "decision"])?;
    if let Some(shadow) = entry
        .shadow
        .as_ref()
        .filter(|shadow| context.all_shadow && !shadow.value)
    {
        let message = "`shadow: true` at the top of the file applies to all its criteria; remove this line, or move the criterion to a file without it";
        reader.fault(shadow.position, message);
    }
    let on = entry.on?;
    let kind = kind(on);
    refuse_parameters_of_others(reader, node, &kind);
    let filter = entry
        .r#where
        .as_ref()
        .and_then(|source| filter(reader, source, (kind.roots, context.scale)));
    let hours = [entry.during.take(), entry.outside.take()];
    let hours = criterion_hours::read(reader, node, hours, context.calendars);
    let mut parameters = ParameterReader { reader, node };
    let test = match on {
        CriterionKind::Outage => Some(CriterionTest::Outage),
        CriterionKind::Request => Some(CriterionTest::Request),
        CriterionKind::Degradation => parameters.degradation(&entry),
        CriterionKind::Intervention => Some(parameters.intervention(&entry)),
        CriterionKind::NearMiss => parameters.near_miss(&entry),
        CriterionKind::Recurrence => parameters.recurrence(&entry),
    };
    let CriterionEntry {
        name,
        decision,
        form,
        shadow,
        ..
    } = entry;
    let shadow = context.all_shadow || shadow.is_some_and(|shadow| shadow.value);
    let criterion = Criterion {
        name: name?.value,
        decision: decision?.value,
        form: form.unwrap_or(default_form(on)),
        shadow,
        filter,
        hours,
        test: test?,
    };
    (reader.faults.len() == before).then_some(criterion)
}

/// A near miss harmed nobody, so that a page about it is enough.
fn default_form(on: CriterionKind) -> PostmortemForm {
    match on {
        CriterionKind::NearMiss => PostmortemForm::Note,
        _ => PostmortemForm::Meeting,
    }
}

/// Compiles an expression; its fault points at the exact character in the file.
pub(crate) fn filter(
    reader: &mut Reader<'_>,
    source: &Spanned<String>,
    (roots, scale): (&[Root], &SeverityScale),
) -> Option<Expr> {
    match expr::compile_for(&source.value, roots, &scale.words()) {
        Ok(expression) => Some(expression),
        Err(fault) => {
            reader.fault(source.place(fault.offset), fault.message);
            None
        }
    }
}

fn refuse_parameters_of_others(reader: &mut Reader<'_>, node: &Node, kind: &KindFields) {
    for parameter in [
        "longest",
        "total",
        "within",
        "at_least",
        "score_at_least",
        "quiet_for",
        "at_most",
        "times",
        "per",
        "same",
    ] {
        if node.get(parameter).is_none() || kind.parameters.contains(&parameter) {
            continue;
        }
        let own = kind
            .parameters
            .iter()
            .map(|name| format!("`{name}`"))
            .collect::<Vec<_>>()
            .join(", ");
        let own = if own.is_empty() {
            format!("`on: {}` has none of its own", kind.word)
        } else {
            format!("it takes {own}")
        };
        let message = format!(
            "`{parameter}` is not a parameter of `on: {}`; {own}",
            kind.word
        );
        reader.fault(node.key_position(parameter), message);
    }
}

struct ParameterReader<'r, 'f> {
    reader: &'r mut Reader<'f>,
    node: &'r Node,
}

impl ParameterReader<'_, '_> {
    fn fault_here(&mut self, message: &str) {
        self.reader.fault(self.node.position(), message);
    }

    fn fault_at_key(&mut self, key: &str, message: &str) {
        self.reader.fault(self.node.key_position(key), message);
    }

    fn count(&mut self, key: &str, value: Option<&Spanned<u32>>, least: u32) -> u32 {
        let Some(count) = value else {
            return least;
        };
        if count.value < least {
            self.reader
                .fault(count.position, format!("`{key}` must be at least {least}"));
        }
        count.value
    }

    fn degradation(&mut self, entry: &CriterionEntry) -> Option<CriterionTest> {
        let longest = self.reader.positive("longest", entry.longest.as_ref());
        let total = self.reader.positive("total", entry.total.as_ref());
        let within = self.reader.positive("within", entry.within.as_ref());
        let total = match (total, within) {
            (Some(total), Some(within)) => {
                if total > within {
                    self.fault_at_key(
                        "total",
                        "`total` is longer than `within`, so it can never be met",
                    );
                }
                Some((total, within))
            }
            (Some(_), None) if !self.node.mentions("within") => {
                self.fault_at_key(
                    "total",
                    "`total` needs `within`, the window over which degraded time is summed",
                );
                return None;
            }
            (None, Some(_)) if !self.node.mentions("total") => {
                self.fault_at_key(
                    "within",
                    "`within` needs `total`, the degraded time required in that window",
                );
                return None;
            }
            _ => None,
        };
        if !self.node.mentions("longest") && !self.node.mentions("total") {
            self.fault_here(
                "the duration is missing; give `longest` (one unbroken period), or `total` and `within` (sum over a window)",
            );
        }
        Some(CriterionTest::Degradation { longest, total })
    }

    fn intervention(&mut self, entry: &CriterionEntry) -> CriterionTest {
        let at_least = self.count("at_least", entry.at_least.as_ref(), 1);
        let within = self.reader.positive("within", entry.within.as_ref());
        let groupings = [
            ("service", StepGrouping::Service),
            ("scope", StepGrouping::Scope),
            ("action", StepGrouping::Action),
        ];
        let per = self.words(
            "per",
            entry.per.as_ref(),
            "service, scope or action",
            |word| {
                let found = groupings.iter().find(|(name, _)| *name == word);
                found.map(|(_, grouping)| *grouping)
            },
        );
        if within.is_none() && entry.per.is_some() && !self.node.mentions("within") {
            self.fault_at_key(
                "per",
                "`per` needs `within`, the window in which the steps of several incidents are counted",
            );
        }
        let per = per.unwrap_or_else(|| vec![StepGrouping::Service]);
        let window = within.map(|within| StepWindow { within, per });
        CriterionTest::Intervention { at_least, window }
    }

    /// The values of a key that takes one word or a list of them; `None` when it is left out.
    fn words<T>(
        &mut self,
        key: &str,
        given: Option<&TextOrTexts>,
        allowed: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Option<Vec<T>> {
        let given = given?;
        let mut found = Vec::new();
        for word in &given.0 {
            match read(word) {
                Some(value) => found.push(value),
                None => {
                    let message = format!(
                        "`{key}` cannot be `{}`; it takes {allowed}",
                        word.escape_debug()
                    );
                    self.fault_at_key(key, &message);
                }
            }
        }
        if given.0.is_empty() {
            self.fault_at_key(key, &format!("`{key}` is empty; it takes {allowed}"));
        }
        Some(found)
    }

    fn near_miss(&mut self, entry: &CriterionEntry) -> Option<CriterionTest> {
        let score_at_least = entry.score_at_least.as_ref().map_or(0.0, |score| {
            if !score.value.is_finite() || score.value < 0.0 {
                self.reader.fault(
                    score.position,
                    "`score_at_least` must be a number of at least 0",
                );
            }
            score.value
        });
        let quiet_for = self
            .reader
            .positive("quiet_for", entry.quiet_for.as_ref())
            .unwrap_or(30 * DAY);
        let at_most = entry
            .at_most
            .map_or((1, 7 * DAY), |quota| (quota.count, quota.seconds));
        Some(CriterionTest::NearMiss {
            score_at_least,
            quiet_for,
            at_most,
        })
    }

    fn recurrence(&mut self, entry: &CriterionEntry) -> Option<CriterionTest> {
        if !self.node.mentions("times") {
            self.fault_here(
                "`times` is missing: the number of occurrences required, this one included",
            );
        }
        if !self.node.mentions("within") {
            self.fault_here("`within` is missing: the window in which the occurrences must lie");
        }
        let times = self.count("times", entry.times.as_ref(), 2);
        let allowed = "service, alert, condition, criterion or label:NAME";
        let same = self.words("same", entry.same.as_ref(), allowed, |word| {
            match (word, word.strip_prefix("label:")) {
                ("service", _) => Some(Likeness::Service),
                ("alert", _) => Some(Likeness::Alert),
                ("condition", _) => Some(Likeness::Condition),
                ("criterion", _) => Some(Likeness::Criterion),
                (_, Some(name)) if !name.is_empty() => Some(Likeness::Label(name.to_owned())),
                _ => None,
            }
        });
        let within = self.reader.positive("within", entry.within.as_ref())?;
        Some(CriterionTest::Recurrence {
            times,
            within,
            same: same.unwrap_or_default(),
        })
    }
}
