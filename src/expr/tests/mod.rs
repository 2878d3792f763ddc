#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod against_cel;

use super::compile;
use super::facts::{Facts, Scope};
use crate::expr::root::Root;
use crate::expr::truth::Truth;
use crate::model::labels::LabelSet;

const BOTH: &[Root] = &[Root::Incident, Root::Signal];

fn says(source: &str) -> Truth {
    let services = ["checkout".to_owned(), "payments".to_owned()];
    let labels = LabelSet::from([("team".to_owned(), "shop".to_owned())]);
    let (mut incident, mut signal) = (Facts::new(Root::Incident), Facts::new(Root::Signal));
    incident
        .set("title", "High error rate")
        .set("service", "checkout")
        .set("services", &services[..])
        .set("severity", "critical");
    incident
        .set("environment", "production")
        .set("duration", 1800.0)
        .set("signals", 3.0);
    incident
        .set("data_loss", None::<bool>)
        .set("budget_spent", f64::NAN);
    signal
        .set("kind", "alert")
        .set("name", "Watchdog")
        .set("role", "")
        .set("labels", &labels);
    let expression = compile(source, BOTH).unwrap_or_else(|fault| panic!("{source}: {fault:?}"));
    expression.evaluate(&Scope::new().with(&incident).with(&signal))
}

fn unknown(source: &str) -> String {
    match says(source) {
        Truth::Unknown(reason) => reason,
        truth => panic!("{source} is {truth:?}"),
    }
}

/// The fault of `source`, with the text at its position.
fn fault(source: &str) -> (String, String) {
    match compile(source, BOTH) {
        Ok(_) => panic!("no fault in {source}"),
        Err(fault) => (source.chars().skip(fault.offset).collect(), fault.message),
    }
}

fn faulty(source: &str, at: &str, says: &str) {
    let (place, message) = fault(source);
    assert!(
        place.starts_with(at),
        "{source}: points at {place:?}, not {at:?}: {message}"
    );
    assert!(
        message.contains(says),
        "{source}: {message:?} does not say {says:?}"
    );
}

#[test]
fn true_expressions_are_true() {
    for source in [
        "true",
        "incident.severity == \"critical\"",
        "incident.severity != 'warning' && incident.duration >= 1800",
        "incident.duration / 60 > 29 && incident.duration / 60.0 <= 30",
        "-incident.duration < 0",
        "size(incident.services) == 2 && incident.services.size() + 1 == 3",
        "size(incident.title) > 3",
        "incident.signals > 2",
        "incident.signals in [1, 2, 3]",
        "\"payments\" in incident.services",
        "!(incident.environment in [\"dev\", \"test\", \"staging\", \"drill\"])",
        "signal.name in [\"Watchdog\", \"InfoInhibitor\"]",
        "incident.title.contains(\"error\") && incident.title.startsWith(\"High\") && incident.title.endsWith(\"rate\")",
        "incident.services.exists(s, s.startsWith(\"pay\"))",
        "incident.services.all(s, s != \"search\")",
        "[\"a\", \"b\"].exists(s, s == \"b\")",
        "has(signal.labels.team) && signal.labels.team == \"shop\" && signal.labels[\"team\"] == \"shop\"",
        "\"team\" in signal.labels && !(\"zone\" in signal.labels) && !has(signal.labels.zone)",
        "has(incident.title) && !has(incident.data_loss)",
        "(incident.duration > 60 ? incident.severity : incident.title) == \"critical\"",
        "// why\ntrue",
    ] {
        assert_eq!(says(source), Truth::True, "{source}");
    }
    assert_eq!(says("incident.duration > 1800"), Truth::False);
}

#[test]
fn unknown_field_makes_the_result_unknown() {
    assert_eq!(
        unknown("signal.labels.zone == \"b\""),
        "`zone` is not known"
    );
    assert_eq!(
        unknown("signal.labels[\"odd\"] == \"b\""),
        "`odd` is not known"
    );
    assert_eq!(unknown("incident.data_loss"), "`data_loss` is not known");
    assert_eq!(unknown("!incident.data_loss"), "`data_loss` is not known");
    assert_eq!(unknown("incident.id == 'x'"), "`id` is not known");
    unknown("incident.budget_spent > 0.2");
    unknown("incident.data_loss || false");
    unknown("true && incident.data_loss");
    unknown("incident.services.exists(s, s == incident.id)");
    let lonely = compile("signal.kind == \"alert\"", BOTH).unwrap();
    assert_eq!(
        lonely.evaluate(&Scope::new()),
        Truth::Unknown("there is no signal".to_owned())
    );
}

#[test]
fn setting_a_field_outside_the_schema_panics_in_debug() {
    let set = |name: &'static str, value: &'static str| {
        std::panic::catch_unwind(|| {
            Facts::new(Root::Signal).set(name, value);
        })
    };
    assert!(set("kind", "alert").is_ok());
    assert!(set("kinds", "alert").is_err());
    assert!(set("labels", "alert").is_err());
    let mut facts = Facts::new(Root::Request);
    facts.set("reason", None::<&str>).set("service", "checkout");
    assert_eq!(facts.unknown().collect::<Vec<_>>(), ["reason", "requester"]);
}

#[test]
fn unknown_operand_that_cannot_change_the_result_is_ignored() {
    assert_eq!(
        says("incident.data_loss || incident.duration > 1"),
        Truth::True
    );
    assert_eq!(
        says("incident.duration > 1 || incident.data_loss"),
        Truth::True
    );
    assert_eq!(
        says("incident.data_loss && incident.duration < 1"),
        Truth::False
    );
    assert_eq!(
        says("incident.duration < 1 && incident.data_loss"),
        Truth::False
    );
}

#[test]
fn wrong_names_are_faults_at_their_place() {
    faulty(
        "incident.severty == \"critical\"",
        "severty",
        "did you mean `severity`?",
    );
    faulty("\"ä\" == incident.titel", "titel", "did you mean `title`?");
    faulty(
        "incident.titl == \"\" || incident.title == \"\"",
        "titl ",
        "did you mean `title`?",
    );
    faulty(
        "true && incidnt.title == \"\"",
        "incidnt",
        "did you mean `incident`?",
    );
    faulty("banana", "banana", "known here: `incident`, `signal`");
    faulty("incident", "incident", "needs one of its fields");
    faulty(
        "request.reason == \"\"",
        "request",
        "`request` is not known here; known here: `incident`, `signal`",
    );
    faulty(
        "incident.title.startWith(\"x\")",
        "startWith",
        "did you mean `startsWith`?",
    );
    faulty("has(incident.tile)", "tile", "did you mean `title`?");
    faulty("incident.title.length > 3", "length", "text has no field");
    faulty("incident.title.matches(\"x\")", "matches", "known: `size`");
    faulty("size(incident.services, 1) == 1", "", "takes one argument");
    faulty(
        "contains(incident.title, \"x\")",
        "contains",
        "after the text",
    );
}

#[test]
fn wrong_types_and_words_are_faults() {
    faulty("incident.severity > 3", "", "text has no order");
    faulty("incident.severity > \"warning\"", "", "text has no order");
    faulty("incident.title", "incident", "must give true or false");
    faulty("1 + 1", "1", "must give true or false");
    faulty(
        "incident.duration == \"30m\"",
        "\"30m\"",
        "text is never equal to a number",
    );
    faulty(
        "incident.duration > incident.title",
        "",
        "a number is needed",
    );
    faulty("incident.duration && true", "", "true or false is needed");
    faulty("\"a\" in incident.title", "", "`in` needs a list");
    faulty("1 in incident.services", "1", "text is needed");
    faulty("incident.services.contains(\"a\")", "", "`in`");
    faulty("incident.severity == \"crit\"", "\"crit\"", "did you mean");
    faulty(
        "\"page\" == incident.severity",
        "\"page\"",
        "never has the value",
    );
    faulty(
        "signal.kind in [\"alert\", \"alarm\"]",
        "\"alarm\"",
        "known: \"alert\"",
    );
    faulty("[1, \"a\"].exists(x, true)", "\"a\"", "one type");
    faulty("[] == []", "", "the list is empty");
    faulty("{\"a\": 1} == {\"a\": 1}", "", "maps");
    faulty("has(signal.labels.x) == null", "null", "null");
    faulty(
        "incident.services.map(s, s) == incident.services",
        "",
        "`exists` and `all`",
    );
    faulty(
        "incident.services.exists_one(s, s == \"a\")",
        "",
        "`exists` and `all`",
    );
    faulty(
        "incident.services.exists(s, incident.services.all(t, s == t))",
        "",
        "cannot be nested",
    );
    faulty("incident.services[0] == \"a\"", "", "labels");
    faulty("incident.signals % 2 == 0", "", "`%`");
}

#[test]
fn what_is_not_cel_is_said_shortly_and_at_its_place() {
    faulty("incident.title ==", "", "not CEL");
    faulty("true true", "true", "not CEL");
    faulty("", "", "empty");
    faulty("incident.title == \"abc", "\"abc", "not closed");
    let (_, message) = fault("incident.title == && true");
    assert!(message.len() < 120, "{message}");
    assert_eq!(
        compile("true\n  && (true", BOTH).unwrap_err().offset,
        "true\n  && (true".len()
    );
    faulty("true\n  && ) true", ") true", "not CEL");
}

/// The limits fit the default stack of a thread in an unoptimised build.
#[test]
fn the_largest_expressions_fit_a_thread() {
    let run = || {
        let terms = |term: &str, operator: &str, count: usize| vec![term; count].join(operator);
        let nested = |open: &str, inner: &str, close: &str, depth| {
            format!("{}{inner}{}", open.repeat(depth), close.repeat(depth))
        };
        for (source, fine) in [
            (terms("true", " && ", 65), true),
            (terms("true", " && ", 66), false),
            (format!("{} > 0", terms("1", "+", 25)), true),
            (format!("{} > 0", terms("1", "+", 64)), false),
            (format!("{} > 0", terms("1", "+", 1000)), false),
            (nested("(", "true", ")", 12), true),
            (nested("(", "true", ")", 13), false),
            (nested("(", "true", ")", 1000), false),
            (nested("(true && ", "true", ")", 12), true),
            ("!".repeat(20) + "true", true),
            ("!".repeat(64) + "true", true),
            ("!".repeat(2000) + "true", false),
            ("-".repeat(60) + "1 > 0", true),
            (format!("incident{}", ".a".repeat(64)), false),
            (format!("signal.labels{}", "[\"a\"]".repeat(60)), false),
            (
                format!("incident.title in [{}]", terms("\"a\"", ",", 190)),
                true,
            ),
            (
                format!("incident.title in [{}]", terms("\"a\"", ",", 400)),
                false,
            ),
            (
                terms("(true ? true : ", "", 20) + "true" + &")".repeat(20),
                false,
            ),
            (terms("true ? true : ", "", 30) + "true", true),
            (nested("[", "1", "]", 12) + " == [1]", false),
            ("// '\n".to_owned() + &"!".repeat(1000) + "true // '", false),
            (
                "r'\\' == '' && ".to_owned() + &"!".repeat(1000) + "true",
                false,
            ),
        ] {
            let compiled = compile(&source, BOTH);
            assert_eq!(compiled.is_ok(), fine, "{source}: {compiled:?}");
            if compiled.is_ok() {
                says(&source);
            }
        }
    };
    std::thread::Builder::new()
        .stack_size(2 << 20)
        .spawn(run)
        .unwrap()
        .join()
        .unwrap();
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(source in "\\PC{0,100}") {
        let _ = compile(&source, BOTH);
    }

    #[test]
    fn no_cel_like_text_makes_it_panic(tokens in proptest::collection::vec(
        proptest::sample::select(vec![
            "incident", "signal", ".title", ".labels", ".services", "\"a\"", "'", "r\"", "\\", "(", ")", "[", "]", "{", "}", "&&", "||", "!",
            "-", "+", "==", "<", " in ", "?", ":", ",", "1", "1.5", "2u", "b'x'", "true", "null", ".exists(s, ", ".all(s,", "has(", "size(", "s",
            "//", "\n", "é", "`", "\"\"\"", "0x", "1e9", ".", "\\u0041",
        ]), 0..30)
    ) {
        let source = tokens.concat();
        match compile(&source, BOTH) {
            Ok(_) => { says(&source); }
            Err(fault) => proptest::prop_assert!(fault.offset <= source.chars().count(), "{source}: {fault:?}"),
        }
    }
}
