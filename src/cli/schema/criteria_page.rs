//! The reference of criteria as Markdown, `docs/criteria.md`, from the tables of the schemas.

use std::fmt::Write as _;

use super::key::SchemaKey;
use super::{config, rules, scenario};
use crate::expr::root::Root;
use crate::expr::schema::FUNCTIONS;
use crate::model::verdict::CriterionKind;
use crate::rules::criterion::{KINDS, kind};

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
counts. Time outside does not break a stretch: an outage from Friday 17:50 to Monday 09:10 is one stretch, of which 20 minutes
count in office hours. For the other kinds, what happens within them counts: an outage or a measured near miss that lasts at
such a time, a step, request or report made then, a recurrence that began then. Calendars are logged with the rules, so that
a backtest has those of the time.
";

const DECISIONS: &str = "
The strongest decision of all criteria wins, and the heaviest form. A criterion with `decision: none` only explains: its verdict is
shown, counted and, with `same: criterion`, compared, but leads to nothing. `shadow: true` records what the decision would have
been, to try it out.
";

/// The page.
pub(crate) fn page() -> String {
    let mut page = HEAD.to_owned();
    let common = |key: &&SchemaKey| {
        !KINDS
            .iter()
            .any(|on| kind(*on).parameters.contains(&key.name))
    };
    page.push_str("\n## Keys of every criterion\n\n");
    page.push_str(&table(rules::CRITERION.iter().filter(common)));
    page.push_str(DECISIONS);
    page.push_str("\n### `during` and `outside`\n\n");
    page.push_str(&table(rules::HOURS));
    page.push_str(HOURS);
    page.push_str("\n## Kinds\n");
    for on in KINDS {
        let fields = kind(on);
        let _ = write!(page, "\n### `on: {}`\n\n{}\n\n", fields.word, about(on));
        let own = |key: &&SchemaKey| fields.parameters.contains(&key.name);
        if fields.parameters.is_empty() {
            page.push_str("It has no parameters of its own.\n");
        } else {
            page.push_str(&table(rules::CRITERION.iter().filter(own)));
        }
        let roots: Vec<String> = fields
            .roots
            .iter()
            .map(|root| format!("`{}`", root.name()))
            .collect();
        let _ = writeln!(page, "\n`where` sees {}.", roots.join(" and "));
    }
    page.push_str(
        "\n## `where`\n\nCEL ([cel.dev](https://cel.dev)) over these fields. A name, type or value that cannot be is a fault when the rules are loaded. \
         What is not known makes the verdict unknown, not false, wherever the result depends on it.\n",
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
    page.push_str(&table(config::SEVERITY));
    page.push_str(
        "\n## `correlation`\n\nWhich events are one incident; an entry of a rule file.\n\n",
    );
    page.push_str(&table(rules::CORRELATION));
    page.push_str("\n## `limits`\n\nHow many postmortems; an entry of the settings.\n\n");
    page.push_str(&table(config::LIMITS));
    page.push_str("\n## `conditions`\n\nMetric conditions; an entry of a rule file. See [metrics](metrics.md).\n\n");
    page.push_str(&table(rules::CONDITION));
    page.push_str("\n## Scenarios\n\nFiles `*.test.yaml`, run by `afterword test`.\n\n");
    page.push_str(&table(scenario::KEYS));
    page.push_str("\n### A scenario\n\n");
    page.push_str(&table(scenario::SCENARIO));
    page.push_str("\n### An expectation\n\n");
    page.push_str(&table(scenario::EXPECT));
    page.push_str("\n### An event\n\nOne of `alert`, `condition`, `declaration`, `intervention`, `request`, `near_miss`, `change`, `acknowledgement`, `note` and `samples`, with the keys that fit it.\n\n| key | for | default | meaning |\n|---|---|---|---|\n");
    for (of, key) in scenario::EVENT {
        let of = if of.is_empty() { "any" } else { of };
        let _ = writeln!(
            page,
            "| `{}` | {of} | {} | {} |",
            key.name,
            default(key),
            cell(key.doc)
        );
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
        CriterionKind::Request => "Met when somebody asked for a postmortem.",
        CriterionKind::NearMiss => {
            "Met when it nearly happened, in a quiet time: of the near misses of a period the best are suggested. Its form is a note unless stated."
        }
        CriterionKind::Recurrence => {
            "Met when it came back: as many incidents within the window that are the same, this one included."
        }
    }
}

fn table<'a>(keys: impl IntoIterator<Item = &'a SchemaKey>) -> String {
    let mut table = "| key | default | meaning |\n|---|---|---|\n".to_owned();
    for key in keys {
        let _ = writeln!(
            table,
            "| `{}` | {} | {} |",
            key.name,
            default(key),
            cell(key.doc)
        );
    }
    table
}

fn default(key: &SchemaKey) -> String {
    match key.default {
        None => "required".to_owned(),
        Some("null") => "–".to_owned(),
        Some(default) => format!("`{}`", default.trim_matches('"')),
    }
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
