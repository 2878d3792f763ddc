//! Parsers of sources, compiled from the settings and the shipped mappings.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::mapping;
use crate::config::mapping::{MappingEntry, MappingRules};
use crate::config::settings::Config;
use crate::config::sources::Source;
use crate::ingest::dispatch::SourceParser;
use crate::ingest::generic::compile::{MapFault, MappingLine, compile};
use crate::ingest::generic::mapping::Mapping;
use crate::ingest::generic::shipped;
use crate::ingest::slack;
use crate::model::directory::key;
use crate::model::fault::Fault;
use crate::model::source::SourceKind;
use crate::yaml::node::Position;

/// A mapping rule with the file of each of its lines.
struct Rule<'a> {
    file: &'a str,
    at: Position,
    lines: Vec<(&'a str, MappingEntry)>,
}

/// Compiles the parser of each source; `file` names the settings in faults.
pub(crate) fn readers(
    config: &Config,
    file: &str,
    faults: &mut Vec<Fault>,
) -> BTreeMap<String, SourceParser> {
    let mut readers = BTreeMap::new();
    for source in &config.sources {
        match reader(config, source, file) {
            Ok(reader) => drop(readers.insert(source.name.clone(), reader)),
            Err(found) => faults.extend(found),
        }
    }
    readers
}

/// Compiles the mapping for CloudEvents that are sent to no named source.
pub(crate) fn cloudevents(faults: &mut Vec<Fault>) -> Option<Mapping> {
    let rules = shipped_rules(SourceKind::CloudEvents)
        .and_then(|rules| compiled(&rules, SourceKind::CloudEvents));
    rules.map_err(|found| faults.extend(found)).ok()
}

fn reader(config: &Config, source: &Source, file: &str) -> Result<SourceParser, Vec<Fault>> {
    let shipped = shipped_rules(source.kind)?;
    let rules = match &source.map {
        None if shipped.is_empty() => return Ok(source_parser(config, source)),
        None => shipped,
        // Single keys override the shipped ones; a list of rules replaces the shipped mapping.
        Some(map) if !map.list && shipped.len() == 1 && !is_envelope(source.kind) => shipped
            .into_iter()
            .map(|rule| with_mapping(rule, map, file))
            .collect(),
        Some(map) => mapping_rules(map.clone(), file),
    };
    compiled(&rules, source.kind).map(|mapping| SourceParser::Mapped(source.kind, mapping))
}

/// The names that people have at a Kubernetes source by their aliases, in lower case.
fn user_names(config: &Config, source: &Source) -> BTreeSet<String> {
    let schemes = ["kubernetes:".to_owned(), format!("{}:", key(&source.name))];
    let aliases = config.people.iter().flat_map(|person| &person.aliases);
    aliases
        .map(|alias| key(alias))
        .filter_map(|alias| {
            let scheme = schemes.iter().find(|scheme| alias.starts_with(&**scheme))?;
            Some(alias[scheme.len()..].to_owned())
        })
        .collect()
}

/// A source that is read by the file of its kind.
fn source_parser(config: &Config, source: &Source) -> SourceParser {
    match source.kind {
        SourceKind::PagerDuty => {
            SourceParser::PagerDuty(source.declares.clone().unwrap_or_default())
        }
        SourceKind::Slack => SourceParser::Slack(slack::SlackContext {
            services: config
                .services
                .iter()
                .map(|service| service.name.clone())
                .collect(),
            address: config.external_url.trim_end_matches('/').to_owned(),
        }),
        SourceKind::KubernetesAudit => {
            SourceParser::Kubernetes(source.naming.clone(), user_names(config, source))
        }
        kind => SourceParser::Named(kind, source.naming.clone()),
    }
}

/// Kinds whose bodies are what others put into them.
fn is_envelope(kind: SourceKind) -> bool {
    matches!(kind, SourceKind::CloudEvents | SourceKind::StandardWebhooks)
}

fn shipped_rules(kind: SourceKind) -> Result<Vec<Rule<'static>>, Vec<Fault>> {
    let Some((file, text)) = shipped::text(kind) else {
        return Ok(Vec::new());
    };
    Ok(mapping_rules(mapping::parse(file, text)?, file))
}

fn mapping_rules(map: MappingRules, file: &str) -> Vec<Rule<'_>> {
    let lines = |lines: Vec<MappingEntry>| lines.into_iter().map(|line| (file, line)).collect();
    map.rules
        .into_iter()
        .map(|rule| Rule {
            file,
            at: rule.at,
            lines: lines(rule.lines),
        })
        .collect()
}

/// Overrides keys of the shipped rule by those of the settings. An expression for the whole of
/// `labels` replaces every shipped key below it.
fn with_mapping<'a>(mut rule: Rule<'a>, map: &MappingRules, file: &'a str) -> Rule<'a> {
    for own in map.rules.iter().flat_map(|rule| &rule.lines) {
        let below = format!("{}.", own.path);
        rule.lines
            .retain(|(_, line)| line.path != own.path && !line.path.starts_with(&below));
        rule.lines.push((file, own.clone()));
    }
    rule
}

fn compiled(rules: &[Rule<'_>], kind: SourceKind) -> Result<Mapping, Vec<Fault>> {
    let line = |(_, line): &(&str, MappingEntry)| (line.path.clone(), line.text.value.clone());
    let texts: Vec<Vec<(String, String)>> = rules
        .iter()
        .map(|rule| rule.lines.iter().map(line).collect())
        .collect();
    let lines: Vec<Vec<MappingLine<'_>>> = texts
        .iter()
        .map(|rule| {
            rule.iter()
                .map(|(path, text)| MappingLine { path, text })
                .collect()
        })
        .collect();
    compile(&lines, is_envelope(kind))
        .map_err(|faults| faults.iter().map(|fault| placed(rules, fault)).collect())
}

fn placed(rules: &[Rule<'_>], fault: &MapFault) -> Fault {
    let rule = &rules[fault.rule];
    let Some((number, offset)) = fault.line else {
        return rule.at.fault(rule.file, fault.message.clone());
    };
    let (file, line) = &rule.lines[number];
    offset
        .map_or(line.at, |offset| line.text.place(offset))
        .fault(file, fault.message.clone())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use serde_json::json;

    use super::readers;
    use crate::config::parse::parse;
    use crate::ingest::dispatch;
    use crate::ingest::dispatch::SourceParser;
    use crate::ingest::message::{Headers, Message};
    use crate::model::settings::LabelNames;
    use crate::model::source::{KINDS, SourceKind};

    fn faults(rest: &str) -> Vec<String> {
        let config = parse(
            "f",
            &format!("sources:\n- name: a\n  auth: none\n  {rest}\n"),
        )
        .unwrap();
        let mut faults = Vec::new();
        readers(&config, "f", &mut faults);
        faults.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_shipped_mapping_compiles() {
        for (kind, words) in KINDS
            .iter()
            .filter(|(kind, _)| super::shipped::text(*kind).is_some())
        {
            assert_eq!(faults(&format!("kind: {}", words[0])), [""; 0], "{kind:?}");
        }
        let mut faults = Vec::new();
        assert!(super::cloudevents(&mut faults).is_some(), "{faults:?}");
    }

    #[test]
    fn mapping_fault_has_the_position_in_the_settings() {
        let map = "kind: generic\n  map:\n    name: body.title\n    status: >-\n      body.open\n      ? \"firing\" : itm.x\n    labels: {h: 'lower(body.h)'}";
        let found = faults(map);
        assert!(
            found[0].starts_with("f:9:20: unknown name `itm`"),
            "{found:?}"
        );
        assert!(
            found[1].starts_with("f:10:18: unknown function `lower`"),
            "{found:?}"
        );
        assert!(
            faults("kind: generic\n  map: {name: body.a}")[0]
                .starts_with("f:5:8: `status` is missing")
        );
        assert!(
            faults("kind: pingdom\n  map: {servce: body.a}")[0]
                .starts_with("f:5:9: unknown key `servce`; did you mean `service`?")
        );
        assert!(
            faults("kind: cloudevents\n  map: {kind: '\"note\"', text: event.type}").is_empty()
        );
        assert!(
            faults("kind: pingdom\n  map: {name: event.type}")[0].contains("unknown name `event`")
        );
    }

    #[test]
    fn settings_override_single_keys_of_a_shipped_mapping() {
        let read = |map: &str| {
            let config = parse(
                "f",
                &format!("sources: [{{name: a, kind: pingdom, auth: none, map: {map}}}]"),
            )
            .unwrap();
            let mut faults = Vec::new();
            let readers = readers(&config, "f", &mut faults);
            assert!(faults.is_empty(), "{faults:?}");
            let body = br#"{"current_state": "DOWN", "check_name": "shop", "check_id": 7, "tags": ["s:front"], "state_changed_timestamp": 1795431504}"#;
            let now = "2026-11-23T12:00:00Z".parse().unwrap();
            let message = Message {
                source: "a",
                headers: &Headers::default(),
                body,
                names: &config.labels,
                now,
            };
            let reading = dispatch::read(&readers["a"], &message, &mut |_| false).unwrap();
            assert!(reading.faults.is_empty(), "{reading:?}");
            serde_json::to_value(reading.into_events()).unwrap()
        };
        let own = read("{service: 'body.tags[0].split(\":\")[1]', labels: {team: '\"shop\"'}}");
        assert_eq!(
            (&own[0]["service"], &own[0]["fact"]["name"]),
            (&"front".into(), &"shop".into()),
            "{own:#}"
        );
        assert_eq!(
            (
                &own[0]["fact"]["labels"]["team"],
                &own[0]["fact"]["labels"]["check_id"]
            ),
            (&"shop".into(), &"7".into()),
            "{own:#}"
        );
        let whole = read("{labels: '{\"team\": \"shop\"}'}");
        assert_eq!(
            whole[0]["fact"]["labels"].get("check_id"),
            None,
            "{whole:#}"
        );
        assert_eq!(
            read("[{kind: '\"note\"', text: body.check_name}]")[0]["fact"]["kind"],
            "note"
        );
    }

    /// Number of reports that the shipped mapping of a kind reads from a body.
    fn read_by(kind: SourceKind, body: &serde_json::Value) -> usize {
        let rules = super::shipped_rules(kind).unwrap();
        let reader = SourceParser::Mapped(kind, super::compiled(&rules, kind).unwrap());
        let body = body.to_string();
        let now = "2026-11-23T12:00:00Z".parse().unwrap();
        let message = Message {
            source: "a",
            headers: &Headers::default(),
            body: body.as_bytes(),
            names: &LabelNames::default(),
            now,
        };
        dispatch::read(&reader, &message, &mut |_| false).map_or(0, |reading| reading.reports.len())
    }

    proptest::proptest! {
        #[test]
        fn no_body_makes_a_shipped_mapping_panic(kind in 0..KINDS.len(), text in "\\PC*", number in proptest::num::f64::ANY, pick in 0..8_usize) {
            let odd = [json!(text), json!(number), json!(null), json!([text]), json!({"a": text}), json!(true), json!([]), json!({})][pick].clone();
            let kind = KINDS[kind].0;
            if let Some((_, yaml)) = super::shipped::text(kind) {
                // Any value in place of an expected field.
                let words = || yaml.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').filter(|word| !word.is_empty());
                let level = |inner: &serde_json::Value| words().map(|word| (word.to_owned(), inner.clone())).collect::<serde_json::Value>();
                proptest::prop_assert!(read_by(kind, &level(&odd)) <= 1);
                proptest::prop_assert!(read_by(kind, &level(&level(&odd))) <= 1);
                proptest::prop_assert!(read_by(kind, &odd) <= 1);
            }
        }
    }
}
