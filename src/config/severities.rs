//! `severities:`, a team's own scale.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use super::credentials::text_or;
use super::scalars::Text;
use crate::model::own_severity::LONGEST_NAME;
use crate::model::severity_scale::{SeverityLevel, SeverityScale};
use crate::yaml::node::{Node, Position, Value};
use crate::yaml::reader::Reader;
use crate::yaml::scalar::Spanned;

/// The most levels of a scale.
const MOST_LEVELS: usize = 20;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawSeverityLevel {
    /// Name of the severity.
    #[schemars(required)]
    name: Option<Spanned<Text>>,
    /// Other words for it at the sources; case, `-`, `_` and space are ignored.
    #[schemars(extend("default" = []))]
    from: Option<Vec<Spanned<Text>>>,
}

/// Schema of `severities:`.
pub(crate) fn schema(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "array", "items": text_or::<RawSeverityLevel>(generator)})
}

/// `severities:`, highest first: names, or maps of a name and the words that mean it.
pub(crate) fn severities(reader: &mut Reader<'_>, entries: &[Node]) -> SeverityScale {
    let mut levels = Vec::new();
    let mut seen: BTreeMap<String, Position> = BTreeMap::new();
    for node in entries {
        let raw = if matches!(node.value, Value::Map(_)) {
            reader.read::<RawSeverityLevel>(node, &["name"])
        } else {
            let name = reader.read::<Spanned<Text>>(node, &[]);
            Some(RawSeverityLevel { name, from: None })
        };
        let Some(RawSeverityLevel {
            name: Some(name),
            from,
        }) = raw
        else {
            continue;
        };
        let Text(word) = &name.value;
        if word.len() > LONGEST_NAME {
            let message = format!("the name of a severity has at most {LONGEST_NAME} letters");
            reader.fault(name.position, message);
        }
        if ["none", "unknown"].contains(&word.to_lowercase().as_str()) {
            let message = "`none` and `unknown` have a meaning of their own; use another name";
            reader.fault(name.position, message);
        }
        let from = from.unwrap_or_default();
        for word in std::iter::once(&name).chain(&from) {
            reader.unique(
                &mut seen,
                "severity",
                &word.value.0.to_lowercase(),
                word.position,
            );
        }
        levels.push(SeverityLevel {
            name: name.value.0,
            from: from.into_iter().map(|word| word.value.0).collect(),
        });
    }
    if let Some(node) = entries.get(MOST_LEVELS) {
        let message = format!("a scale has at most {MOST_LEVELS} severities");
        reader.fault(node.position(), message);
    }
    SeverityScale::new(levels)
}
