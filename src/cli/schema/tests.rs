#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::collections::BTreeSet;
use std::path::Path;

use chrono::TimeZone;
use serde_json::{Map, Value as Json, json};

use super::{Of, schema};
use crate::config::parse::parse as read_config;
use crate::ingest::events;
use crate::model::settings::LabelNames;
use crate::rules::parse::load;
use crate::rules::scenario::parse as read_scenario;
use crate::yaml;
use crate::yaml::node::{Node, Value};

/// The faults of a text under its parser, as people see them.
fn faults(of: Of, text: &str) -> Vec<String> {
    let found = match of {
        Of::Rules | Of::Criteria => load(&[("f".to_owned(), text.to_owned())]).err(),
        Of::Config => read_config("f", text).err(),
        Of::Scenario => read_scenario("f", text).err(),
        Of::Event => {
            let now = chrono::Utc.timestamp_opt(1_800_000_000, 0).unwrap();
            let read = events::events(text.as_bytes(), &LabelNames::default(), now).unwrap();
            return read.faults.iter().map(ToString::to_string).collect();
        }
    };
    found
        .unwrap_or_default()
        .iter()
        .map(ToString::to_string)
        .collect()
}

/// The keys that a parser of a text lists as known when it is given `zzzzzzzz`.
fn known(of: Of, text: &str) -> BTreeSet<String> {
    let faults = faults(of, text);
    let fault = faults.iter().find(|fault| fault.contains("zzzzzzzz"));
    let (_, list) = fault
        .and_then(|fault| fault.split_once("known: "))
        .unwrap_or_else(|| panic!("no list of keys in {faults:?} of {text}"));
    let words = list.split(',').map(|word| word.trim().trim_matches('`'));
    words.map(str::to_owned).collect()
}

/// Maps of the files with defaults: a text with a placeholder for one, and where its schema is.
const MAPS: &[(Of, &str, &str)] = &[
    (Of::Config, "@", ""),
    (Of::Config, "labels: {@}", "/properties/labels"),
    (Of::Config, "defaults: {@}", "/properties/defaults"),
    (Of::Config, "postmortems: {@}", "/properties/postmortems"),
    (Of::Config, "meetings: {@}", "/properties/meetings"),
    (Of::Config, "limits: {@}", "/properties/limits"),
    (Of::Config, "retention: {@}", "/properties/retention"),
    (Of::Rules, "correlation: {@}", "/properties/correlation"),
    (
        Of::Rules,
        "conditions: [{name: a, service: s, metrics: m, query: up, degraded: '> 1', @}]",
        "/properties/conditions/items",
    ),
    (
        Of::Rules,
        "criteria: [{name: a, on: near_miss, decision: hold, @}]",
        "/properties/criteria/items",
    ),
];

#[test]
fn parsers_and_schemas_know_the_same_keys() {
    for (of, place, pointer) in MAPS {
        let schema = schema(*of);
        let keys = schema.pointer(pointer).unwrap()["properties"]
            .as_object()
            .unwrap();
        let text = place.replace('@', "zzzzzzzz: 1");
        assert_eq!(
            keys.keys().cloned().collect::<BTreeSet<_>>(),
            known(*of, &text),
            "{place}"
        );
    }
}

#[test]
fn defaults_written_out_change_nothing() {
    let mut written = 0;
    for (of, place, pointer) in MAPS {
        let schema = schema(*of);
        let keys = schema.pointer(pointer).unwrap()["properties"]
            .as_object()
            .unwrap();
        // That of `intervention`; a near miss has no such parameter.
        for (name, key) in keys.iter().filter(|(name, _)| *name != "at_least") {
            let Some(default) = key.get("default") else {
                continue;
            };
            written += 1;
            let read = |line: &str| {
                let text = place.replace('@', line);
                match of {
                    Of::Config => format!("{:?}", read_config("f", &text)),
                    _ => format!("{:?}", load(&[("f".to_owned(), text)])),
                }
            };
            assert!(read("").starts_with("Ok("), "{}", read(""));
            assert_eq!(
                read(&format!("{name}: {default}")),
                read(""),
                "{place}: {name}"
            );
        }
    }
    assert!(written > 40, "only {written} defaults");
}

#[test]
fn every_key_has_one_line_of_documentation() {
    fn check(schema: &Json) -> usize {
        let keys = schema["properties"].as_object().into_iter().flatten();
        let own = keys.map(|(name, key)| {
            let doc = key["description"].as_str().unwrap_or_default();
            let is_line = doc.ends_with('.') && !doc.contains('\n') && doc.contains(' ');
            assert!(is_line, "`{name}`: {doc:?}");
            1 + check(key)
        });
        let here: usize = own.sum();
        let choices = schema["oneOf"].as_array().into_iter().flatten();
        here + choices.map(check).sum::<usize>() + schema.get("items").map_or(0, check)
    }
    for (of, least) in [(Of::Rules, 45), (Of::Config, 150), (Of::Scenario, 90)] {
        assert!(check(&schema(of)) >= least, "{}", check(&schema(of)));
    }
    assert!(check(&schema(Of::Event)["$defs"]["event"]) > 100);
}

/// A YAML tree as JSON.
fn plain(node: &Node) -> Json {
    match &node.value {
        Value::Null => Json::Null,
        Value::Bool(value) => json!(value),
        Value::Int(value) => json!(value),
        Value::Float(value) => json!(value),
        Value::String(text) => json!(text),
        Value::List(entries) => entries.iter().map(plain).collect(),
        Value::Map(entries) => entries
            .iter()
            .map(|(key, node)| (key.name.clone(), plain(node)))
            .collect::<Map<_, _>>()
            .into(),
    }
}

fn errors(of: Of, value: &Json) -> Vec<String> {
    let validator = jsonschema::draft202012::new(&schema(of)).unwrap();
    validator
        .iter_errors(value)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}

#[test]
fn shipped_files_are_valid() {
    assert!(jsonschema::draft202012::meta::is_valid(&schema(Of::Rules)));
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = vec![
        (Of::Config, root.join("src/cli/init.yaml")),
        (Of::Config, root.join("src/cli/demo/afterword.yaml")),
    ];
    for entry in ["rules", "deploy"]
        .iter()
        .flat_map(|directory| std::fs::read_dir(root.join(directory)).unwrap())
    {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        match name.as_str() {
            _ if name.ends_with(".test.yaml") => files.push((Of::Scenario, path)),
            _ if name.starts_with("afterword") && name.ends_with(".yaml") => {
                files.push((Of::Config, path));
            }
            _ if name.ends_with(".yaml") && path.parent().unwrap().ends_with("rules") => {
                files.push((Of::Rules, path));
            }
            _ => {}
        }
    }
    assert!(files.len() >= 4, "{files:?}");
    for (of, path) in files {
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(
            errors(of, &plain(&yaml::tree::parse("f", &text).unwrap())),
            [""; 0],
            "{}",
            path.display()
        );
    }
    let bodies =
        std::fs::read_to_string(root.join("tests/it/payloads/events/every_kind.json")).unwrap();
    assert_eq!(
        errors(Of::Event, &serde_json::from_str(&bodies).unwrap()),
        [""; 0]
    );
}

/// Schema and parser accept and reject the same texts.
#[test]
fn parsers_and_schemas_agree() {
    let check = |of: Of, text: &str, valid: bool| {
        assert_eq!(
            faults(of, text).is_empty(),
            valid,
            "the parser of {text}: {:?}",
            faults(of, text)
        );
        let errors = errors(of, &plain(&yaml::tree::parse("f", text).unwrap()));
        assert_eq!(errors.is_empty(), valid, "the schema of {text}: {errors:?}");
    };
    check(Of::Rules, "", true);
    check(
        Of::Rules,
        "criteria:\ncorrelation: {settle: 0, bridge: 1h30m}",
        true,
    );
    check(Of::Rules, "correlation: {settle: 5}", false);
    check(Of::Rules, "correlation: {settle: 3 m}", false);
    check(Of::Rules, "correlation: {settle: ''}", false);
    check(
        Of::Rules,
        "criteria: [{name: a, on: outage, decision: hold, shadow: , where: }]",
        true,
    );
    check(
        Of::Rules,
        "criteria: [{name: a, on: outage, decision: none, during: {hours: [Mon, Tue 09:00-10:00]}}]",
        true,
    );
    check(Of::Rules, "criteria: [{name: a, on: outage}]", false);
    check(
        Of::Rules,
        "criteria: [{name: a, on: intervention, decision: hold, at_least: 0}]",
        false,
    );
    check(
        Of::Config,
        "people: \nrules: rules/*.yaml\nsources: [{name: 7, kind: alertmanager, auth: {bearer_token_file: x}}]",
        true,
    );
    check(
        Of::Config,
        "sources: [{name: a, kind: alertmanager}]",
        false,
    );
    check(
        Of::Config,
        "sources: [{name: a, kind: alertmanager, auth: nobody}]",
        false,
    );
    let signed =
        "{hmac_secret_file: x, signature_header: X-A}, limits: {rate: 1 per 1s, size: 1MiB}";
    check(
        Of::Config,
        &format!("sources: [{{name: a, kind: alertmanager, auth: {signed}}}]"),
        true,
    );
    check(
        Of::Config,
        "sources: [{name: a, kind: alertmanager, auth: {query: {name: token, value_file: x}}, limits: }]",
        true,
    );
    check(
        Of::Config,
        "sources: [{name: a, kind: alertmanager, auth: {query: {value_file: x}}}]",
        false,
    );
    check(
        Of::Config,
        "sources: [{name: a, kind: alertmanager, auth: none, limits: {sizes: 1MiB}}]",
        false,
    );
    check(
        Of::Config,
        "sources: [{name: a, kind: generic, auth: none, map: {name: body.a, status: '\"firing\"', labels: {a: body.b}}}]",
        true,
    );
    check(
        Of::Config,
        "sources: [{name: a, kind: generic, auth: none, map: [{kind: '\"note\"', text: body.a, labels.a: 7}]}]",
        true,
    );
    check(
        Of::Config,
        "sources: [{name: a, kind: generic, auth: none, map: []}]",
        false,
    );
    check(
        Of::Config,
        "sources: [{name: a, kind: generic, auth: none, map: {name: [a]}}]",
        false,
    );
    check(
        Of::Config,
        "sources: [{name: a, kind: generic, auth: none, map: {name: {a: b}}}]",
        false,
    );
    check(
        Of::Config,
        "sources: [{name: a, kind: zabbix, auth: none, map: }]",
        true,
    );
    let topics = "topics: ['arn:aws:sns:eu-west-1:1:a']";
    check(
        Of::Config,
        &format!("sources: [{{name: a, kind: sns, {topics}}}]"),
        true,
    );
    check(
        Of::Config,
        &format!("sources: [{{name: a, kind: sns, auth: signature, {topics}}}]"),
        true,
    );
    check(
        Of::Config,
        &format!("sources: [{{name: a, kind: sns, auth: none, {topics}}}]"),
        true,
    );
    check(Of::Config, "sources: [{name: a, kind: sns}]", false);
    check(
        Of::Config,
        "sources: [{name: a, kind: sns, topics: []}]",
        false,
    );
    check(
        Of::Config,
        &format!("sources: [{{name: a, kind: sentry, auth: none, {topics}}}]"),
        false,
    );
    check(
        Of::Config,
        "sources: [{name: a, kind: sentry, auth: signature}]",
        false,
    );
    check(Of::Config, "meetings: {minutes: 481}", false);
    check(
        Of::Config,
        "metrics: [{name: a, kind: prometheus, url: http://a, alerts: false, timeout: 1m, headers: {X-A: 1}, tls: {ca_file: x}}]",
        true,
    );
    check(
        Of::Config,
        "metrics: [{name: a, kind: scrape, targets: [http://a], labels: {team: 7}, auth: none}]",
        true,
    );
    check(
        Of::Config,
        "metrics: [{name: a, kind: remote_write, auth: {bearer_token_file: x}}]",
        true,
    );
    check(Of::Config, "metrics: [{name: a, kind: push}]", false);
    check(Of::Config, "metrics: [{name: a}]", false);
    check(
        Of::Config,
        "metrics: [{name: a, kind: prometheus, url: http://a, concurrency: 65}]",
        false,
    );
    check(
        Of::Config,
        "metrics: [{name: a, kind: prometheus, url: http://a, timeout: 10}]",
        false,
    );
    check(
        Of::Scenario,
        "rules: [a]\nscenarios: [{name: a, events: [{at: 0, note: x, actor: a}], expect: []}]",
        true,
    );
    check(
        Of::Scenario,
        "rules: [a]\nscenarios: [{name: a, events: [{at: 0, note: x, state: healthy}], expect: []}]",
        false,
    );
    check(
        Of::Scenario,
        "rules: [a]\nscenarios: [{name: a, events: [{at: 0, alert: x}], expect: []}]",
        false,
    );
    check(
        Of::Event,
        r#"{"kind": "note", "text": "a", "actor": "ada", "links": [{"url": "https://a.example"}]}"#,
        true,
    );
    check(
        Of::Event,
        r#"[{"kind": "note", "text": "a", "titel": "b"}]"#,
        false,
    );
    check(Of::Event, r#"{"kind": "note"}"#, false);
}
