#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::collections::BTreeSet;
use std::path::Path;

use chrono::TimeZone;
use serde_json::{Map, Value as Json, json};

use super::key::{SchemaKey, Shape, of_kind};
use super::{Of, config, event, rules, scenario, schema, source};
use crate::config::parse::parse as read_config;
use crate::ingest::events;
use crate::model::settings::LabelNames;
use crate::rules::parse::load;
use crate::rules::scenario::{entry, parse as read_scenario};
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

/// The words that a parser lists as known when it is given `zzzzzzzz`.
fn known(of: Of, text: &str) -> BTreeSet<String> {
    let faults = faults(of, text);
    let fault = faults
        .iter()
        .find(|fault| fault.contains("zzzzzzzz"))
        .unwrap_or_else(|| panic!("nothing about zzzzzzzz in {faults:?} of {text}"));
    let (_, list) = fault
        .split_once("known: ")
        .or_else(|| fault.split_once("known are "))
        .or_else(|| fault.split_once("expected one of "))
        .unwrap_or_else(|| panic!("no list in {fault}"));
    list.split(',')
        .map(|word| word.trim().trim_matches('`').to_owned())
        .collect()
}

fn set<'a>(words: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    words.into_iter().map(str::to_owned).collect()
}

/// Every map of every file format: a text with a placeholder for it, and its keys.
const MAPS: &[(Of, &str, &[SchemaKey])] = &[
    (Of::Rules, "@", rules::KEYS),
    (Of::Rules, "criteria: [{@}]", rules::CRITERION),
    (Of::Rules, "criteria: [{during: {@}}]", rules::HOURS),
    (Of::Rules, "criteria: [{outside: {@}}]", rules::HOURS),
    (Of::Rules, "conditions: [{@}]", rules::CONDITION),
    (Of::Rules, "correlation: {@}", rules::CORRELATION),
    (Of::Config, "@", config::KEYS),
    (Of::Config, "labels: {@}", source::LABELS),
    (Of::Config, "sources: [{@}]", source::SOURCE),
    (Of::Config, "sources: [{labels: {@}}]", source::LABELS),
    (
        Of::Config,
        "sources: [{limits: {@}}]",
        source::SOURCE_LIMITS,
    ),
    (Of::Config, "sources: [{auth: {@}}]", source::SOURCE_AUTH),
    (Of::Config, "sources: [{auth: {query: {@}}}]", source::QUERY),
    (Of::Config, "sources: [{declares: {@}}]", source::DECLARES),
    (Of::Config, "sources: [{auth: {basic: {@}}}]", source::BASIC),
    (
        Of::Config,
        "sources: [{auth: {header: {@}}}]",
        source::HEADER,
    ),
    (Of::Config, "sources: [{api: {@}}]", source::API),
    (Of::Config, "sources: [{api: {auth: {@}}}]", source::AUTH),
    (Of::Config, "sources: [{api: {tls: {@}}}]", source::TLS),
    (Of::Config, "metrics: [{@}]", config::METRICS),
    (Of::Config, "metrics: [{auth: {@}}]", source::AUTH),
    (Of::Config, "metrics: [{auth: {basic: {@}}}]", source::BASIC),
    (
        Of::Config,
        "metrics: [{auth: {header: {@}}}]",
        source::HEADER,
    ),
    (Of::Config, "metrics: [{tls: {@}}]", source::TLS),
    (Of::Config, "services: [{@}]", config::SERVICE),
    (Of::Config, "severities: [{@}]", config::SEVERITY),
    (Of::Config, "people: [{@}]", config::PERSON),
    (Of::Config, "defaults: {@}", config::DEFAULTS),
    (Of::Config, "postmortems: {@}", config::POSTMORTEMS),
    (Of::Config, "meetings: {@}", config::MEETINGS),
    (Of::Config, "maintenance: [{@}]", config::MAINTENANCE),
    (Of::Config, "access: {@}", config::ACCESS),
    (Of::Scenario, "@", scenario::KEYS),
    (Of::Scenario, "scenarios: [{@}]", scenario::SCENARIO),
    (
        Of::Scenario,
        "scenarios: [{expect: [{@}]}]",
        scenario::EXPECT,
    ),
];

#[test]
fn parsers_and_schemas_know_the_same_keys() {
    for (of, place, keys) in MAPS {
        assert_eq!(
            set(keys.iter().map(|key| key.name)),
            known(*of, &place.replace('@', "zzzzzzzz: 1")),
            "{place}"
        );
    }
    let named = set(scenario::EVENT.iter().map(|(_, key)| key.name));
    assert_eq!(
        named,
        known(Of::Scenario, "scenarios: [{events: [{zzzzzzzz: 1}]}]")
    );
    for (kind, own) in entry::KINDS {
        for name in entry::COMMON.iter().chain(own).chain([&kind]) {
            assert!(
                of_kind(scenario::EVENT, kind, name).is_some(),
                "`{name}` of `{kind}` is not in the schema of scenarios"
            );
        }
    }
    for (kind, own) in events::KINDS {
        let own = events::COMMON
            .iter()
            .chain(own)
            .filter(|name| **name != "kind");
        for name in own {
            assert!(
                of_kind(event::EVENT, kind, name).is_some(),
                "`{name}` of `{kind}` is not in the schema of events"
            );
        }
    }
    for (kind, key) in event::EVENT {
        let has = |(of, own): &(&str, &[&str])| {
            (kind.is_empty() || kind == of) && own.contains(&key.name)
        };
        assert!(
            events::COMMON.contains(&key.name) || events::KINDS.iter().any(has),
            "no event has `{}`",
            key.name
        );
    }
}

#[test]
fn parsers_and_schemas_know_the_same_words() {
    let words = |shape: Shape| match shape {
        Shape::Word(words) => Some((words, "zzzzzzzz")),
        Shape::NamedWords(words) => Some((words, "{a: zzzzzzzz}")),
        _ => None,
    };
    for (of, place, keys) in MAPS {
        for (key, (listed, bad)) in keys.iter().filter_map(|key| Some((key, words(key.shape)?))) {
            let mut known = known(*of, &place.replace('@', &format!("{}: {bad}", key.name)));
            // These words are read, and refused for what they would mean here.
            if key.name == "no_data" {
                assert!(known.remove("near_miss"));
            }
            assert_eq!(set(listed.iter().copied()), known, "{place}: {}", key.name);
        }
    }
    for (_, key) in scenario::EVENT {
        if let Some((listed, bad)) = words(key.shape) {
            let text = format!("scenarios: [{{events: [{{{}: {bad}}}]}}]", key.name);
            assert_eq!(
                set(listed.iter().copied()),
                known(Of::Scenario, &text),
                "{text}"
            );
        }
    }
    for (kind, own) in events::KINDS {
        for key in own
            .iter()
            .filter_map(|name| of_kind(event::EVENT, kind, name))
        {
            let Some((listed, bad)) = words(key.shape) else {
                continue;
            };
            let mut event = json!({"kind": kind});
            for name in own.iter().filter(|name| {
                of_kind(event::EVENT, kind, name).is_some_and(|key| key.default.is_none())
            }) {
                event[*name] = if *name == "status" {
                    json!("firing")
                } else {
                    json!("healthy")
                };
            }
            event["name"] = if own.contains(&"name") {
                json!("a")
            } else {
                Json::Null
            };
            event["title"] = if own.contains(&"title") {
                json!("a")
            } else {
                Json::Null
            };
            event
                .as_object_mut()
                .unwrap()
                .retain(|_, value| !value.is_null());
            event[key.name] = json!(bad);
            assert_eq!(
                set(listed.iter().copied()),
                known(Of::Event, &event.to_string()),
                "{event}"
            );
        }
    }
}

#[test]
fn defaults_written_out_change_nothing() {
    let default = |key: &SchemaKey| {
        key.default
            .filter(|default| *default != "null")
            .map(|default| format!("{}: {default}", key.name))
    };
    for (of, place, keys) in MAPS
        .iter()
        .filter(|(of, place, _)| matches!(of, Of::Config) && !place.contains('['))
    {
        let written = keys.iter().filter_map(default);
        for line in written {
            let text = place.replace('@', &line);
            assert_eq!(
                read_config("f", &text).unwrap(),
                crate::config::settings::Config::default(),
                "{of:?}: {text}"
            );
        }
    }
    let rules = |text: String| {
        format!(
            "{:?}",
            load(&[("f".to_owned(), text)]).unwrap_or_else(|faults| panic!("{faults:?}"))
        )
    };
    let same = |place: &str, keys: &[SchemaKey], own: &dyn Fn(&str) -> bool| {
        let written: Vec<String> = keys
            .iter()
            .filter(|key| own(key.name))
            .filter_map(default)
            .collect();
        assert_eq!(
            rules(place.replace('@', &written.join(", "))),
            rules(place.replace('@', "")),
            "{place}"
        );
    };
    same("correlation: {@}", rules::CORRELATION, &|_| true);
    same(
        "conditions: [{name: a, service: s, metrics: m, query: up, degraded: '> 1', @}]",
        rules::CONDITION,
        &|_| true,
    );
    same(
        "criteria: [{name: a, on: near_miss, decision: hold, @}]",
        rules::CRITERION,
        &|name| name != "at_least",
    );
    same(
        "criteria: [{name: a, on: intervention, decision: hold, @}]",
        rules::CRITERION,
        &|name| matches!(name, "at_least" | "shadow"),
    );
    for keys in MAPS.iter().map(|(_, _, keys)| *keys) {
        for default in keys.iter().filter_map(|key| key.default) {
            assert!(serde_json::from_str::<Json>(default).is_ok(), "{default}");
        }
    }
}

#[test]
fn every_key_has_one_line_of_documentation() {
    let events = scenario::EVENT
        .iter()
        .chain(event::EVENT)
        .map(|(_, key)| key);
    for key in MAPS.iter().flat_map(|(_, _, keys)| *keys).chain(events) {
        assert!(
            key.doc.ends_with('.') && !key.doc.contains('\n') && key.doc.contains(' '),
            "`{}`: {:?}",
            key.name,
            key.doc
        );
    }
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
