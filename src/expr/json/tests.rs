#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use serde_json::{Value as Json, json};

use super::compile;
use crate::expr::json::failure::Failure;
use crate::expr::json::inputs::Given;

const NAMES: [&str; 3] = ["body", "item", "now"];

fn body() -> Json {
    json!({
        "title": "High <load>", "n": 3, "big": 9_007_199_254_740_993_u64, "half": 1.5, "none": null, "blank": " ", "flag": true,
        "tags": ["env:prod", "team:shop"], "at": {"s": 1_577_840_461, "ms": "1577840461500", "zero": 0, "kuma": "2026-11-23 07:00:01.250"},
        "list": [{"k": "a", "v": 1}, {"k": "b", "v": 2}, {"k": "c"}], "path": "/subscriptions/1/resourceGroups/shop-rg/providers/x",
    })
}

fn given(source: &str) -> Result<Json, Failure> {
    let formula = compile(source, &NAMES).unwrap_or_else(|fault| panic!("{source}: {fault:?}"));
    let (body, now) = (body(), json!("2026-11-23T12:00:00Z"));
    formula
        .evaluate(
            &Given::default().with("body", &body).with("now", &now),
            &mut 10_000,
        )
        .map(std::borrow::Cow::into_owned)
}

fn check(source: &str, wanted: impl Into<Json>) {
    assert_eq!(given(source), Ok(wanted.into()), "{source}");
}

fn fails(source: &str, wanted: &str) {
    match given(source) {
        Err(Failure::Absent(why) | Failure::Wrong(why)) => {
            assert!(why.contains(wanted), "{source}: {why}");
        }
        other => panic!("{source}: {other:?}"),
    }
}

#[test]
fn fields_lists_and_maps_are_read() {
    check("body.title", "High <load>");
    check("body.list[1].k", "b");
    check("body[\"n\"]", 3);
    check(
        "{\"url\": body.title, \"nothing\": body.nowhere, \"null\": body.none}",
        json!({"url": "High <load>"}),
    );
    check("[body.n, \"x\"]", json!([3, "x"]));
    check("{\"a\": 1} + {\"a\": 2, \"b\": 3}", json!({"a": 2, "b": 3}));
    check("now", "2026-11-23T12:00:00Z");
}

#[test]
fn absent_field_fails_with_its_path_and_has_tests_for_it() {
    for source in [
        "has(body.title)",
        "!has(body.nope)",
        "!has(body.none)",
        "!has(body.a.b.c)",
        "!has(body.title.inside)",
        "body.none == null",
    ] {
        check(source, true);
    }
    fails("body.nope.deeper", "body.nope");
    fails("body.list[9]", "body.list[9]");
    fails("item.x", "item");
    check(
        "first(body.nope, body.none, body.blank, body.title)",
        "High <load>",
    );
    check("first(seconds(body.title), \"else\")", "else");
    check("first(body.none, \"\")", "");
    check("first(body.nope, body.none)", Json::Null);
    fails("first(body.none, body.nope)", "body.nope");
    fails("seconds(body.none)", "body.none");
    check("has(body.nope) && body.nope.x == 1", false);
    check("body.nope == 1 || body.n == 3", true);
}

#[test]
fn numbers_are_of_one_kind_and_ids_stay_whole() {
    for source in [
        "body.n == 3.0",
        "body.n + body.half == 4.5",
        "body.n > 2",
        "body.half < body.n",
        "body.n in [1, 3]",
        "-body.n == -3",
    ] {
        check(source, true);
    }
    check("string(body.big)", "9007199254740993");
    check("body.big == 9007199254740992", false);
    check("body.n * 2", 6);
    check("double(\"2.50\")", 2.5);
    fails("body.title + 1", "cannot be added");
    fails("body.n / 0", "not a finite number");
}

#[test]
fn texts_are_taken_apart() {
    check(
        "body.title.lowerAscii().contains(\"load\") && body.title.startsWith(\"High\")",
        true,
    );
    check(
        "body.path.extract(\"(?i)/resourcegroups/([^/]+)\")",
        "shop-rg",
    );
    fails("body.title.extract(\"[0-9]+\")", "a match for");
    check(
        "body.tags.filter(t, t.startsWith(\"env:\"))[0].split(\":\")[1]",
        "prod",
    );
    check(
        "body.tags.map(t, t.replace(\":\", \"=\")).join(\",\")",
        "env=prod,team=shop",
    );
    check("\" a \".trim().upperAscii()", "A");
    check("size(body.title) == 11 && body.tags.size() == 2", true);
    check("body.title.matches(\"^High\")", true);
}

#[test]
fn macros_go_through_lists() {
    check("body.list.exists(l, l.v == 2)", true);
    check("body.list.exists_one(l, l.k == \"a\")", true);
    check("body.list.all(l, has(l.k))", true);
    check("body.list.filter(l, has(l.v)).map(l, l.v)", json!([1, 2]));
    check("body.list.map(l, has(l.v), l.k)", json!(["a", "b"]));
    check(
        "body.list.map(a, body.list.exists(b, b.k == a.k))",
        json!([true, true, true]),
    );
    check("body.at.exists(k, k == \"ms\")", true);
    fails("body.list.all(l, l.v > 0)", "l.v");
    fails("body.title.map(t, t)", "not a list");
}

#[test]
fn times_of_any_form_become_rfc_3339() {
    check("seconds(body.at.s)", "2020-01-01T01:01:01Z");
    check("millis(body.at.ms)", "2020-01-01T01:01:01.500Z");
    fails("seconds(body.at.zero)", "a time");
    fails("seconds(body.title)", "is not a number");
    fails("seconds(999999999999999)", "year 9999");
    check("local(body.at.kuma, \"UTC\")", "2026-11-23T07:00:01.250Z");
    check(
        "local(\"3/22/2019 1:36:31 PM\", \"UTC\")",
        "2019-03-22T13:36:31Z",
    );
    check(
        "local(\"2026.11.23 08:00:00\", \"Europe/Berlin\")",
        "2026-11-23T07:00:00Z",
    );
    check(
        "local(\"2026-11-23T08:00:00.5+0100\", \"America/New_York\")",
        "2026-11-23T07:00:00.500Z",
    );
    check(
        "local(\"2026-10-25 02:30:00\", \"Europe/Berlin\")",
        "2026-10-25T00:30:00Z",
    );
    check(
        "local(\"2026-11-23 08:00\", \"+01:00\")",
        "2026-11-23T07:00:00Z",
    );
    fails(
        "local(\"2026-03-29 02:30:00\", \"Europe/Berlin\")",
        "put forward",
    );
    fails("local(body.title, \"UTC\")", "not a date");
}

#[test]
fn faults_are_found_before_anything_runs() {
    for (source, offset, wanted) in [
        ("body.a == bdy.b", 10, "did you mean `body`?"),
        ("warning", 0, "in quotes: \"warning\""),
        ("lower(body.a)", 0, "did you mean `lowerAscii`?"),
        ("body.a.extract(\"(\")", 15, "not a pattern"),
        ("body.a.extract(body.b)", 19, "in quotes"),
        ("local(body.a, \"Mars/Base\")", 14, "not a time zone"),
        ("contains(body.a, \"x\")", 0, "after a text"),
        ("body.a % 2", 7, "not available"),
        ("body.a ==", 9, "not CEL"),
        ("", 0, "empty"),
    ] {
        let fault = compile(source, &NAMES).map(|_| ()).unwrap_err();
        assert!(fault.message.contains(wanted), "{source}: {fault:?}");
        assert_eq!(fault.offset, offset, "{source}: {fault:?}");
    }
}

#[test]
fn a_choice_of_texts_is_known_before_anything_runs() {
    let formula = compile("body.a == 1 ? \"x\" : body.b ? \"y\" : \"z\"", &NAMES).unwrap();
    assert_eq!(
        formula.texts().unwrap(),
        [
            (14, "x".to_owned()),
            (29, "y".to_owned()),
            (35, "z".to_owned())
        ]
    );
    assert!(compile("body.a", &NAMES).unwrap().texts().is_none());
}

#[test]
fn evaluation_ends() {
    let many: Vec<u32> = (0..3000).collect();
    let body = json!({ "many": many, "long": "x".repeat(1 << 19) });
    let given = Given::default().with("body", &body);
    for source in [
        "body.many.all(a, body.many.all(b, body.many.all(c, a + b + c >= 0)))",
        "body.many.map(a, body.many)",
        "body.many.map(a, body.long)",
        "body.many.map(a, body.long.lowerAscii()).join(\"\")",
    ] {
        let mut steps = 100_000;
        let formula = compile(source, &NAMES).unwrap();
        assert_eq!(
            formula.evaluate(&given, &mut steps),
            Err(Failure::Spent),
            "{source}"
        );
    }
    let formula = compile("body.long + body.long + body.long", &NAMES).unwrap();
    assert!(matches!(
        formula.evaluate(&given, &mut 10_000_000),
        Err(Failure::Wrong(_))
    ));
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(tokens in proptest::collection::vec(
        proptest::sample::select(vec![
            "body", "item", "now", ".title", ".list", ".at", ".s", "[0]", "\"a\"", "\"(\"", "(", ")", "[", "]", "{", "}", "&&", "||", "!", "-", "+", "*",
            "/", "==", "<", " in ", "?", ":", ",", "1", "1.5", "null", "true", ".map(x, ", ".filter(x,", ".exists(x,", "has(", "first(", "seconds(",
            "local(", ".extract(", "x", "size(", ".split(", "string(", "é", "//", "\n", ".?", "[?",
        ]), 0..24)
    ) {
        let source = tokens.concat();
        match compile(&source, &NAMES) {
            Ok(_) => { let _ = given(&source); }
            Err(fault) => proptest::prop_assert!(fault.offset <= source.chars().count(), "{source}: {fault:?}"),
        }
    }
}
