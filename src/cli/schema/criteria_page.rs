//! The reference of criteria as Markdown, `docs/criteria.md`, from the schemas.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::derived::yaml_schema;
use crate::config::parse::RawLimits;
use crate::config::severities::RawSeverityLevel;
use crate::expr::root::Root;
use crate::expr::schema::FUNCTIONS;
use crate::model::field_names::field_names;
use crate::model::verdict::CriterionKind;
use crate::rules::condition::ConditionEntry;
use crate::rules::correlation::CorrelationEntry;
use crate::rules::criterion::{CriterionEntry, KINDS, kind};
use crate::rules::criterion_hours::HoursEntry;
use crate::rules::scenario::entry::{self, COMMON, EventEntry};
use crate::rules::scenario::{ExpectationEntry, ScenarioFileKeys, ScenarioKeys};

const HEAD: &str = "# Criteria

<!-- Generated: afterword schema criteria > docs/criteria.md -->

A criterion is an entry of `criteria:` in a rule file. `afterword check` reports every fault in it, `afterword test` runs
scenarios against it, `afterword backtest` says what it would have decided. [The cookbook](../examples/policies) has the
published policies of well-known teams as rule files with scenarios.

```yaml
criteria:
  - name: checkout-down-in-business-hours
    on: degradation
    where: signal.service == \"checkout\" && signal.role != \"cause\"
    during: {hours: \"Mon-Fri 09:00-18:00\", time_zone: Europe/Berlin, holidays: [de.ics]}
    longest: 15m
    decision: hold
    form: standing
```
";

const HOURS: &str = "
Hours go by the clock of the time zone, also on days when clocks change. For `degradation` only degraded time within them
counts. Time outside is no break: an outage from Friday 17:50 to Monday 09:10 is one outage, of which 20 minutes count in
office hours. For the other kinds, events within the hours count: an outage or a measured near miss that lasts at such a
time, a step, request or report made then, a recurrence that began then. Calendars are logged with the rules, so that a
backtest uses the calendars in force at the time.
";

const DECISIONS: &str = "
The strongest decision of all criteria wins, and the heaviest form. A criterion with `decision: none` only explains: its verdict is
shown, counted and, with `same: criterion`, compared, but leads to nothing. `shadow: true` records what the decision would have
been, to try it out.
";

/// The page.
pub(crate) fn page() -> String {
    let mut page = HEAD.to_owned();
    let common = |key: &str| !KINDS.iter().any(|on| kind(*on).parameters.contains(&key));
    page.push_str("\n## Keys of every criterion\n\n");
    page.push_str(&table_of::<CriterionEntry>(common));
    page.push_str(DECISIONS);
    page.push_str("\n### `during` and `outside`\n\n");
    page.push_str(&table::<HoursEntry>());
    page.push_str(HOURS);
    page.push_str("\n## Kinds\n");
    for on in KINDS {
        let fields = kind(on);
        let _ = write!(page, "\n### `on: {}`\n\n{}\n\n", fields.word, about(on));
        let own = |key: &str| fields.parameters.contains(&key);
        if fields.parameters.is_empty() {
            page.push_str("It has no parameters of its own.\n");
        } else {
            page.push_str(&table_of::<CriterionEntry>(own));
        }
        let roots: Vec<String> = fields
            .roots
            .iter()
            .map(|root| format!("`{}`", root.name()))
            .collect();
        let _ = writeln!(page, "\n`where` sees {}.", roots.join(" and "));
    }
    page.push_str(
        "\n## `where`\n\nCEL ([cel.dev](https://cel.dev)) over these fields. An unknown name, a wrong type or an impossible value is a fault when the rules are loaded. \
         A field without a value makes the verdict unknown, not false, wherever the result depends on it.\n",
    );
    for root in Root::ALL {
        let _ = write!(
            page,
            "\n### `{}`\n\n| field | type | meaning | example |\n|---|---|---|---|\n",
            root.name()
        );
        for field in root.fields() {
            let words: Vec<String> = field.words.iter().map(|word| format!("`{word}`")).collect();
            let kind = if words.is_empty() {
                field.kind.words().to_owned()
            } else {
                words.join(", ")
            };
            let example = cell(field.example);
            let _ = writeln!(
                page,
                "| `{}` | {kind} | {} | `{example}` |",
                field.name, field.doc
            );
        }
    }
    page.push_str("\n### Functions\n\nBeside `&&`, `||`, `!`, `==`, `!=`, `<`, `<=`, `>`, `>=`, `+`, `-`, `*`, `/` and `? :`\n\n| function | example |\n|---|---|\n");
    for (name, example) in FUNCTIONS {
        let _ = writeln!(page, "| `{name}` | `{}` |", cell(example));
    }
    page.push_str("\n## Severities\n\nWithout `severities:` in the settings they are `critical`, `warning`, `info`, `none` and `unknown`. With it, its names take the place of the first three; a severity that no level takes is `unknown`.\n\n```yaml\nseverities:\n  - {name: SEV1, from: [critical, P1]}\n  - {name: SEV2, from: [P2, major]}\n  - SEV3\n```\n\n");
    page.push_str(&table::<RawSeverityLevel>());
    page.push_str(
        "\n## `correlation`\n\nCorrelation of events into incidents; an entry of a rule file.\n\n",
    );
    page.push_str(&table::<CorrelationEntry>());
    page.push_str("\n## `limits`\n\nLimits on postmortems; an entry of the settings.\n\n");
    page.push_str(&table::<RawLimits>());
    page.push_str("\n## `conditions`\n\nMetric conditions; an entry of a rule file. See [metrics](metrics.md).\n\n");
    page.push_str(&table::<ConditionEntry>());
    page.push_str("\n## Scenarios\n\nFiles `*.test.yaml`, run by `afterword test`.\n\n");
    page.push_str(&table::<ScenarioFileKeys>());
    page.push_str("\n### A scenario\n\n");
    page.push_str(&table::<ScenarioKeys>());
    page.push_str("\n### An expectation\n\n");
    page.push_str(&table::<ExpectationEntry>());
    page.push_str("\n### An event\n\nOne of `alert`, `condition`, `declaration`, `intervention`, `request`, `near_miss`, `change`, `acknowledgement`, `note` and `samples`, with the keys that fit it.\n\n| key | for | default | meaning |\n|---|---|---|---|\n");
    let (schema, keys) = (yaml_schema::<EventEntry>(), field_names::<EventEntry>());
    for key in keys {
        let kinds = entry::KINDS
            .iter()
            .filter(|kind| kind.keys().any(|own| own == *key));
        let kinds: Vec<&str> = kinds.map(|kind| kind.key).collect();
        let of = if COMMON.contains(key) {
            "any".to_owned()
        } else {
            kinds.join(", ")
        };
        let required =
            |kind: &entry::ScenarioEventKind| kind.key == *key || kind.required.contains(key);
        let is_required =
            *key == COMMON[0] || (kinds.len() == 1 && entry::KINDS.iter().any(required));
        let (default, doc) = cells(&schema["properties"][key], is_required);
        let _ = writeln!(page, "| `{key}` | {of} | {default} | {doc} |");
    }
    page
}

fn about(on: CriterionKind) -> &'static str {
    match on {
        CriterionKind::Outage => {
            "Met when an outage was declared: by a person, a status page, an incident tool, `afterword declare`, or an alert labelled `afterword: outage`."
        }
        CriterionKind::Degradation => {
            "Met when the service was degraded long enough. `where` is tested on each signal; overlapping signals count once. The decision falls at the second at which the time is reached."
        }
        CriterionKind::Intervention => {
            "Met when a person did by hand what should be automatic, in one incident or, with `within`, in several. [Which steps count](changes.md)."
        }
        CriterionKind::Request => "Met when a person requested a postmortem.",
        CriterionKind::NearMiss => {
            "Met by the best near misses of a period, in a scope that has had no postmortem for `quiet_for`; `at_most` sets the period and their number. The default form is `note`."
        }
        CriterionKind::Recurrence => {
            "Met when an incident recurs: `times` incidents within the window, this one included, that have in common what `same` names."
        }
    }
}

/// The keys of a map with their defaults and meanings.
fn table<'de, T: Deserialize<'de> + JsonSchema>() -> String {
    table_of::<T>(|_| true)
}

/// The same of those keys that `shown` selects.
fn table_of<'de, T: Deserialize<'de> + JsonSchema>(shown: impl Fn(&str) -> bool) -> String {
    let schema = yaml_schema::<T>();
    let required = schema["required"].as_array().into_iter().flatten();
    let required: BTreeSet<&str> = required.filter_map(Value::as_str).collect();
    let mut table = "| key | default | meaning |\n|---|---|---|\n".to_owned();
    for key in field_names::<T>().iter().filter(|key| shown(key)) {
        let (default, doc) = cells(&schema["properties"][key], required.contains(key));
        let _ = writeln!(table, "| `{key}` | {default} | {doc} |");
    }
    table
}

/// The default and the meaning of a key.
fn cells(key: &Value, is_required: bool) -> (String, String) {
    let default = match &key["default"] {
        _ if is_required => "required".to_owned(),
        Value::Null => "–".to_owned(),
        Value::String(text) => format!("`{text}`"),
        default => format!("`{default}`"),
    };
    (
        default,
        cell(key["description"].as_str().unwrap_or_default()),
    )
}

/// Text in a table: a bar would end its cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use std::path::Path;

    use super::page;
    use crate::expr::compile;
    use crate::expr::root::Root;
    use crate::expr::schema::FUNCTIONS;

    #[test]
    fn the_page_in_docs_is_that_of_the_code() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/criteria.md");
        if std::env::var_os("AFTERWORD_WRITE_DOCS").is_some() {
            std::fs::write(&path, page()).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            kept == page(),
            "docs/criteria.md is not what the code says; run `cargo run -- schema criteria > docs/criteria.md`"
        );
    }

    #[test]
    fn every_example_compiles() {
        for root in Root::ALL {
            let roots = if root == Root::Incident {
                vec![root]
            } else {
                vec![Root::Incident, root]
            };
            for field in root.fields() {
                assert!(compile(field.example, &roots).is_ok(), "{}", field.example);
                let name = format!("{}.{}", root.name(), field.name);
                assert!(field.example.contains(&name), "{name}: {}", field.example);
            }
        }
        for (name, example) in FUNCTIONS {
            let compiled = compile(example, &[Root::Incident, Root::Signal]);
            assert!(compiled.is_ok() && example.contains(name), "{example}");
        }
    }
}
