#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use serde::Deserialize;

use super::entry::read_entry;
use super::node::{Node, Position, Value};
use super::reader::{Reader, read};
use super::scalar::{Duration, Spanned};
use super::tree::parse;

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    longest: Option<Duration>,
    #[serde(default)]
    times: u32,
    #[serde(default)]
    word: Option<Word>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Word {
    Hold,
    Suggest,
}

fn tree(text: &str) -> Node {
    parse("f.yaml", text).unwrap()
}

/// The one fault of an entry, as people see it.
fn fault(text: &str) -> String {
    match parse("f.yaml", text).and_then(|node| read::<Entry>("f.yaml", &node)) {
        Ok(entry) => panic!("no fault in {entry:?}"),
        Err(fault) => fault.to_string(),
    }
}

#[test]
fn a_typed_entry_is_read() {
    let entry: Entry = read(
        "f.yaml",
        &tree("name: a\nlongest: 1h30m\ntimes: 3\nword: hold"),
    )
    .unwrap();
    let longest = Some(Duration { seconds: 5400 });
    assert_eq!(
        entry,
        Entry {
            name: "a".to_owned(),
            longest,
            times: 3,
            word: Some(Word::Hold)
        }
    );
}

#[test]
fn faults_have_position_and_advice() {
    assert_eq!(
        fault("name: a\nlongst: 3m"),
        "f.yaml:2:1: unknown key `longst`; did you mean `longest`? known: `name`, `longest`, `times`, `word`"
    );
    assert_eq!(
        fault("name: a\nword: hld"),
        "f.yaml:2:7: unknown value `hld`; did you mean `hold`? known: `hold`, `suggest`"
    );
    assert_eq!(
        fault("name: a\nword: zzzzzzz"),
        "f.yaml:2:7: unknown value `zzzzzzz`; known: `hold`, `suggest`"
    );
    assert_eq!(fault("longest: 3m"), "f.yaml:1:1: `name` is missing");
    assert_eq!(
        fault("name: [a]"),
        "f.yaml:1:7: expected text, found a list"
    );
    assert_eq!(fault("name:"), "f.yaml:1:5: expected text, found nothing");
    assert_eq!(
        fault("name: a\ntimes: -3"),
        "f.yaml:2:8: expected a number that is not negative, found the number -3"
    );
    assert_eq!(
        fault("name: a\ntimes: many"),
        "f.yaml:2:8: expected a whole number, found the text \"many\""
    );
    assert_eq!(fault("- a"), "f.yaml:1:1: expected a map, found a list");
    assert_eq!(
        fault("name: a\nname: b"),
        "f.yaml:2:1: `name` is given twice, first at 1:1"
    );
    assert_eq!(
        fault("name: a\nword: {hold: 1}"),
        "f.yaml:2:7: expected one of `hold`, `suggest`, found a map"
    );
    assert!(
        fault("name: [a\nb: c").starts_with("f.yaml:2:2: not YAML: "),
        "{}",
        fault("name: [a\nb: c")
    );
    assert!(
        fault("name: a\nlongest: 3 min")
            .contains("f.yaml:2:10: \"3 min\" is not a duration: the units are w, d, h, m and s")
    );
}

#[test]
fn words_of_yaml_1_1_are_words() {
    assert_eq!(tree("on").value, Value::String("on".to_owned()));
    assert_eq!(tree("no").value, Value::String("no".to_owned()));
    assert_eq!(tree("inf").value, Value::String("inf".to_owned()));
    assert_eq!(tree("3m").value, Value::String("3m".to_owned()));
    assert_eq!(tree("0x10").value, Value::Int(16));
    assert_eq!(tree("1e3").value, Value::Float(1000.0));
    assert_eq!(tree("'3'").value, Value::String("3".to_owned()));
    assert_eq!(tree("!!str 3").value, Value::String("3".to_owned()));
    assert_eq!(tree("").value, Value::Null);
    assert_eq!(tree("# only this\n").value, Value::Null);
}

#[test]
fn a_number_is_text_as_it_is_written_where_text_is_asked_for() {
    let labels: std::collections::BTreeMap<String, String> =
        read("f", &tree("{code: 500, version: 1.10, up: true, 7: x}")).unwrap();
    assert_eq!(labels["code"], "500");
    assert_eq!(labels["version"], "1.10");
    assert_eq!(labels["up"], "true");
    assert_eq!(labels["7"], "x");
}

#[test]
fn one_run_finds_the_fault_of_every_entry() {
    let node = tree("- {name: a}\n- {nam: b}\n- {name: c, longest: soon}\n- {name: d}");
    let mut reader = Reader::new("f");
    let entries = reader.list(&node).iter();
    let entries: Vec<Entry> = entries
        .filter_map(|entry| reader.read_whole(entry, &[]))
        .collect();
    assert_eq!(
        entries
            .iter()
            .map(|entry| entry.name.as_str())
            .collect::<Vec<_>>(),
        ["a", "d"]
    );
    assert_eq!(
        reader
            .faults
            .iter()
            .map(|fault| (fault.line, fault.column))
            .collect::<Vec<_>>(),
        [(2, 4), (3, 22)]
    );
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Loose {
    name: Option<String>,
    times: Option<u32>,
    inner: Option<Entry>,
    words: Option<Vec<Word>>,
}

#[test]
fn one_run_finds_every_fault_of_an_entry() {
    let check = |text: &str, places: &[(u64, u64)], left: Option<Loose>| {
        let mut faults = Vec::new();
        let read = read_entry::<Loose>("f", &tree(text), &["name"], &mut faults);
        faults.sort();
        assert_eq!(
            faults
                .iter()
                .map(|fault| (fault.line, fault.column))
                .collect::<Vec<_>>(),
            places,
            "{faults:#?}"
        );
        assert_eq!(read, left, "{text}");
    };
    let loose = |times, inner, words| {
        Some(Loose {
            name: None,
            times,
            inner,
            words,
        })
    };
    check(
        "{nme: a, tims: 2, times: 3}",
        &[(1, 2), (1, 10)],
        loose(Some(3), None, None),
    );
    check(
        "{name: [a], times: many, words: [hld, hold, sugest]}",
        &[(1, 8), (1, 20), (1, 34), (1, 45)],
        loose(None, None, Some(vec![Word::Hold])),
    );
    // A key that is there with a fault is not missing as well.
    check(
        "{name: , inner: {name: [x], tims: 1, times: 4}}",
        &[(1, 6), (1, 24), (1, 29)],
        loose(None, None, None),
    );
    check(
        "{name: {}, inner: {times: x, word: y}}",
        &[(1, 8), (1, 19), (1, 27), (1, 36)],
        loose(None, None, None),
    );
    check("[a]", &[(1, 1)], None);
}

#[test]
fn anchors_aliases_and_merges_work_within_a_budget() {
    let node = tree("base: &base {a: 1, b: 2}\nmore: {<<: *base, b: 3}\nsame: *base");
    let more = node.get("more").unwrap();
    assert_eq!(
        (
            more.get("a").unwrap().value.clone(),
            more.get("b").unwrap().value.clone()
        ),
        (Value::Int(1), Value::Int(3))
    );
    assert_eq!(
        node.get("same").unwrap().get("b").unwrap().value,
        Value::Int(2)
    );

    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let aliases = vec![format!("*a{}", level - 1); 9].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    assert!(parse("f", &bomb).unwrap_err().message.contains("too large"));
    let long = format!(
        "a: &a {}\nb: [{}]",
        "x".repeat(100_000),
        vec!["*a"; 1000].join(", ")
    );
    assert!(parse("f", &long).unwrap_err().message.contains("too large"));
    assert!(parse("f", &"[".repeat(2000)).is_err());
    assert!(parse("f", &"- ".repeat(2000)).is_err());
}

#[test]
fn other_documents_and_tags_are_faults() {
    assert_eq!(parse("f", "a: 1\n---\nb: 2").unwrap_err().line, 2);
    assert!(
        parse("f", "a: !secret x")
            .unwrap_err()
            .message
            .contains("!secret")
    );
    assert!(parse("f", "a: *nowhere").is_err());
    assert!(parse("f", "a: &a [*a]").is_err());
}

#[test]
fn durations_have_units() {
    let seconds = |text| Duration::parse(text).map(|duration| duration.seconds);
    assert_eq!(seconds("90s"), Ok(90));
    assert_eq!(seconds("30m"), Ok(1800));
    assert_eq!(seconds("1h30m"), Ok(5400));
    assert_eq!(seconds("1w1d"), Ok(8 * 86_400));
    assert_eq!(seconds("0"), Ok(0));
    for bad in [
        "",
        "30",
        "m",
        "-3m",
        "3y",
        "1.5h",
        "3m1h",
        "1m1m",
        "3 m",
        "99999999999999999999s",
        "9999999999w",
        "３m",
    ] {
        assert!(seconds(bad).is_err(), "{bad}");
    }
    assert!(seconds("30").unwrap_err().contains("unit is missing"));
}

/// Each `@` of an expression is found at its position in the file.
#[test]
fn characters_are_found_in_their_file_however_they_are_quoted() {
    #[derive(Deserialize)]
    struct Holder {
        v: Spanned<String>,
    }
    for text in [
        "v: abc @",
        "{v: 'it''s @'}",
        "v: \"tab\\t \\u0041 \\\"@\"",
        "v: |\n  one\n  two @ x",
        "v: >-\n  one\n  two @ x",
        "v: one\n  two\n  @",
        "  v:   é @",
        "v: \"one\n  two @\"",
    ] {
        let holder: Holder = read("f", &tree(text)).unwrap();
        let offset = holder.v.value.chars().position(|c| c == '@').unwrap();
        let Position { line, column } = holder.v.place(offset);
        let found = text
            .lines()
            .nth(line as usize - 1)
            .and_then(|line| line.chars().nth(column as usize - 1));
        assert_eq!(found, Some('@'), "{text:?} at {line}:{column}");
    }
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "[\\PC\n\t]{0,200}") {
        let _ = parse("f", &text);
    }

    #[test]
    fn no_yaml_like_text_makes_it_panic(text in "[-a:{}\\[\\], &*|>'\"#!<\n]{0,80}") {
        if let Ok(node) = parse("f", &text) {
            let _ = read::<Entry>("f", &node);
            let _ = read::<Spanned<String>>("f", &node).map(|text| text.place(3));
        }
    }
}
