//! Compares our evaluation with the `cel` crate's interpreter on random well-typed expressions and
//! facts.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use cel::objects::Key;
use cel::parser::{Expression, Parser};
use cel::{Context, ExecutionError, Value};
use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq};
use proptest::strategy::{BoxedStrategy, Union};
use proptest::test_runner::{Config, TestRunner};

use crate::expr::facts::{Facts, FieldValue, Scope};
use crate::expr::root::Root;
use crate::expr::schema::{SEVERITIES, Type};
use crate::expr::truth::Truth;
use crate::expr::{check, compile};
use crate::model::labels::LabelSet;

const ROOTS: [Root; 3] = [Root::Incident, Root::Signal, Root::Intervention];
const TEXT: [&str; 6] = ["", "a", "é", "team", "checkout", "check"];
const NUMBERS: [f64; 6] = [0.0, 1.0, 2.0, 1.5, -3.0, 4.0];

static LISTS: LazyLock<[Vec<String>; 4]> = LazyLock::new(|| {
    [&[][..], &["a"], &["team", "checkout"], &["é", "a", "check"]]
        .map(|list| list.iter().map(|&text| text.to_owned()).collect())
});

static LABELS: LazyLock<[LabelSet; 4]> = LazyLock::new(|| {
    [
        &[][..],
        &[("a", "a")],
        &[("team", "checkout"), ("é", "")],
        &[("a", "check"), ("team", "é"), ("checkout", "a")],
    ]
    .map(|labels| {
        labels
            .iter()
            .map(|&(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    })
});

/// One expression source per type.
#[derive(Clone)]
struct Grammar {
    logic: BoxedStrategy<String>,
    text: BoxedStrategy<String>,
    number: BoxedStrategy<String>,
    texts: BoxedStrategy<String>,
    numbers: BoxedStrategy<String>,
    labels: BoxedStrategy<String>,
}

fn one_of(sources: &[&str]) -> BoxedStrategy<String> {
    proptest::sample::select(
        sources
            .iter()
            .map(|&source| source.to_owned())
            .collect::<Vec<_>>(),
    )
    .boxed()
}

/// `pattern` with each `$` replaced by a value of the strategies, in order.
fn filled(pattern: &'static str, holes: &[&BoxedStrategy<String>]) -> BoxedStrategy<String> {
    let holes: Vec<BoxedStrategy<String>> = holes.iter().map(|&hole| hole.clone()).collect();
    let fill = move |values: Vec<String>| {
        values.iter().fold(pattern.to_owned(), |text, value| {
            text.replacen('$', value, 1)
        })
    };
    holes.prop_map(fill).boxed()
}

fn union(options: Vec<BoxedStrategy<String>>) -> BoxedStrategy<String> {
    Union::new(options).boxed()
}

/// Leaf expressions; `text` and `number` are the macro variables in scope.
fn leaves(text: &[&str], number: &[&str]) -> Grammar {
    let texts = [
        "incident.title",
        "signal.labels.team",
        "incident.service",
        "signal.name",
        "\"a\"",
        "'checkout'",
        "\"\"",
        "\"é\"",
    ];
    let numbers = [
        "incident.duration",
        "incident.budget_spent",
        "incident.signals",
        "0",
        "1",
        "1.5",
        "4",
        "2",
    ];
    let logic = [
        "true",
        "false",
        "incident.data_loss",
        "intervention.stated",
        "has(incident.title)",
        "has(intervention.stated)",
        "has(signal.labels.team)",
        "incident.severity == \"critical\"",
        "signal.kind in [\"alert\", \"condition\"]",
        "\"team\" in signal.labels",
    ];
    Grammar {
        logic: one_of(&logic),
        text: one_of(&[&texts[..], text, text, text].concat()),
        number: one_of(&[&numbers[..], number, number, number].concat()),
        texts: one_of(&[
            "incident.services",
            "incident.scope",
            "[\"a\", \"checkout\"]",
            "['é']",
        ]),
        numbers: one_of(&["[1]", "[0, 1.5, 4]"]),
        labels: one_of(&["signal.labels"]),
    }
}

/// Expressions one level deeper; `bodies` are macro bodies over strings and over numbers.
fn deeper(of: &Grammar, bodies: Option<(&Grammar, &Grammar)>) -> Grammar {
    let Grammar {
        logic,
        text,
        number,
        texts,
        numbers,
        labels,
    } = of;
    let choice = |of: &BoxedStrategy<String>| filled("($ ? $ : $)", &[logic, of, of]);
    let mut logics = vec![
        logic.clone(),
        filled("($ && $)", &[logic, logic]),
        filled("($ && $)", &[logic, logic]),
        filled("($ || $)", &[logic, logic]),
        filled("($ || $)", &[logic, logic]),
        filled(
            "$ && $ && $ || $ || $",
            &[logic, logic, logic, logic, logic],
        ),
        filled("!($)", &[logic]),
        choice(logic),
        filled("($ == $)", &[logic, logic]),
        filled("($ != $)", &[logic, logic]),
        filled("($ == $)", &[text, text]),
        filled("($ != $)", &[text, text]),
        filled("($ == $)", &[number, number]),
        filled("($ != $)", &[number, number]),
        filled("($ == $)", &[texts, texts]),
        filled("($ != $)", &[numbers, numbers]),
        filled("($ == $)", &[labels, labels]),
        filled("($ < $)", &[number, number]),
        filled("($ <= $)", &[number, number]),
        filled("($ > $)", &[number, number]),
        filled("($ >= $)", &[number, number]),
        filled("($ in $)", &[text, texts]),
        filled("($ in $)", &[text, labels]),
        filled("($ in $)", &[number, numbers]),
        filled("$.contains($)", &[text, text]),
        filled("$.startsWith($)", &[text, text]),
        filled("$.endsWith($)", &[text, text]),
        filled("has($.a)", &[labels]),
    ];
    if let Some((over_text, over_numbers)) = bodies {
        logics.extend([
            filled("$.exists(v, $)", &[texts, &over_text.logic]),
            filled("$.all(v, $)", &[texts, &over_text.logic]),
            filled("$.exists(v, $)", &[labels, &over_text.logic]),
            filled("$.all(v, $)", &[labels, &over_text.logic]),
            filled("$.exists(v, $)", &[numbers, &over_numbers.logic]),
            filled("$.all(v, $)", &[numbers, &over_numbers.logic]),
        ]);
    }
    Grammar {
        logic: union(logics),
        text: union(vec![
            text.clone(),
            text.clone(),
            choice(text),
            filled("$[$]", &[labels, text]),
            filled("$.checkout", &[labels]),
        ]),
        number: union(vec![
            number.clone(),
            number.clone(),
            choice(number),
            filled("-($)", &[number]),
            filled("($ + $)", &[number, number]),
            filled("($ - $)", &[number, number]),
            filled("($ * $)", &[number, number]),
            filled("($ / $)", &[number, number]),
            filled("size($)", &[text]),
            filled("$.size()", &[texts]),
            filled("size($)", &[numbers]),
            filled("size($)", &[labels]),
        ]),
        texts: union(vec![
            texts.clone(),
            texts.clone(),
            choice(texts),
            filled("[$, $]", &[text, text]),
        ]),
        numbers: union(vec![
            numbers.clone(),
            choice(numbers),
            filled("[$, $]", &[number, number]),
        ]),
        labels: union(vec![labels.clone(), labels.clone(), choice(labels)]),
    }
}

fn expressions() -> impl Strategy<Value = String> {
    let (plain, over_text, over_numbers) =
        (leaves(&[], &[]), leaves(&["v"], &[]), leaves(&[], &["v"]));
    let (text, numbers) = (deeper(&over_text, None), deeper(&over_numbers, None));
    let first = deeper(&plain, Some((&text, &numbers)));
    let second = deeper(&first, Some((&text, &numbers)));
    let third = deeper(&second, None);
    proptest::prop_oneof![first.logic, second.logic, third.logic]
}

/// The facts encoded by `dice`, one per field; `None` for an absent root.
fn facts(root: Root, dice: &[u8]) -> Option<Facts<'static>> {
    let mut facts = Facts::new(root);
    for (field, &die) in root.fields().iter().zip(dice) {
        let (known, pick) = (die % 5 != 0, usize::from(die / 5));
        let value: FieldValue<'static> = match field.kind {
            Type::Text if !field.words.is_empty() => field.words[pick % field.words.len()].into(),
            Type::Text => TEXT[pick % TEXT.len()].into(),
            Type::Number => NUMBERS[pick % NUMBERS.len()].into(),
            Type::Bool => (pick % 2 == 0).into(),
            Type::Texts => (&LISTS[pick % LISTS.len()]).into(),
            Type::Labels => (&LABELS[pick % LABELS.len()]).into(),
            Type::Numbers => FieldValue::Unknown,
        };
        facts.set(field.name, if known { value } else { FieldValue::Unknown });
    }
    (dice.last()? % 16 != 0).then_some(facts)
}

fn value(field: FieldValue<'_>) -> Option<Value> {
    let text = |text: &str| Value::String(Arc::new(text.to_owned()));
    Some(match field {
        FieldValue::Unknown => return None,
        FieldValue::Text(value) => text(value),
        FieldValue::Number(value) => Value::Float(value),
        FieldValue::Bool(value) => Value::Bool(value),
        FieldValue::Texts(list) => {
            Value::List(Arc::new(list.iter().map(|value| text(value)).collect()))
        }
        FieldValue::Labels(labels) => {
            let labels = labels.map(|(name, value)| (Key::from(name), text(value)));
            Value::Map(cel::objects::Map {
                map: Arc::new(labels.collect()),
            })
        }
    })
}

/// The checked expression in CEL's form, and the roots it reads.
fn parsed(source: &str) -> (Expression, Vec<Root>) {
    let (mut expression, places) = Parser::new().parse_with_source_info(source).unwrap();
    let reads = check::check(&mut expression, source, &places, (&ROOTS, SEVERITIES)).unwrap();
    (expression, reads.into_keys().collect())
}

/// The result of CEL's interpreter.
fn cel_says(
    (expression, roots): &(Expression, Vec<Root>),
    scope: &Scope<'_>,
) -> Result<Truth, ExecutionError> {
    let mut context = Context::default();
    for root in roots {
        let Some(facts) = scope.get(*root) else {
            return Ok(Truth::Unknown(format!("there is no {}", root.words())));
        };
        let known = root
            .fields()
            .iter()
            .enumerate()
            .filter_map(|(i, field)| Some((Key::from(field.name), value(facts.value(i))?)));
        let map = cel::objects::Map {
            map: Arc::new(known.collect::<HashMap<_, _>>()),
        };
        context.add_variable_from_value(root.name(), Value::Map(map));
    }
    match Value::resolve(expression, &context) {
        Ok(Value::Bool(true)) => Ok(Truth::True),
        Ok(Value::Bool(false)) => Ok(Truth::False),
        Ok(other) => panic!("{other:?} is neither true nor false"),
        Err(ExecutionError::NoSuchKey(key)) => Ok(Truth::Unknown(format!("`{key}` is not known"))),
        Err(error) => Err(error),
    }
}

#[test]
fn evaluation_agrees_with_the_cel_crate() {
    let dice = proptest::collection::vec(any::<u8>(), 13);
    let scopes = proptest::collection::vec([dice.clone(), dice.clone(), dice], 4);
    let (said, skipped) = (Cell::new([0; 4]), Cell::new(0));
    let mut runner = TestRunner::new(Config {
        cases: 700,
        failure_persistence: None,
        ..Config::default()
    });
    let run = |(source, scopes): (String, Vec<[Vec<u8>; 3]>)| {
        let Ok(ours) = compile(&source, &ROOTS) else {
            skipped.set(skipped.get() + 1);
            return Ok(());
        };
        let theirs = parsed(&source);
        for dice in scopes {
            let known: Vec<Facts<'_>> = ROOTS
                .iter()
                .zip(&dice)
                .filter_map(|(root, dice)| facts(*root, dice))
                .collect();
            let scope = known.iter().fold(Scope::new(), Scope::with);
            let says = ours.evaluate(&scope);
            let outcome = match cel_says(&theirs, &scope) {
                Ok(truth) => {
                    prop_assert_eq!(&says, &truth, "{} of {:?}", &source, &known);
                    match truth {
                        Truth::True => 0,
                        Truth::False => 1,
                        Truth::Unknown(_) => 2,
                    }
                }
                Err(error) => {
                    let fits =
                        matches!(&says, Truth::Unknown(why) if why.contains("cannot be compared"));
                    prop_assert!(fits, "{source}: {says:?}, and CEL: {error}, of {known:?}");
                    3
                }
            };
            let mut counts = said.get();
            counts[outcome] += 1;
            said.set(counts);
        }
        Ok(())
    };
    runner
        .run(&(expressions(), scopes), run)
        .unwrap_or_else(|failure| panic!("{failure}"));
    let counts = said.get();
    assert!(
        skipped.get() < 50,
        "{} of 700 were too large",
        skipped.get()
    );
    assert!(
        counts[..3].iter().all(|count| *count > 300),
        "too much of one kind: {counts:?}"
    );
}
