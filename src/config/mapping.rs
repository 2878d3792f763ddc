//! `map:` of a source: expressions by the key they give. Keys and expressions are validated when
//! compiled.

use crate::model::fault::Fault;
use crate::yaml;
use crate::yaml::node::{Key, Node, Position, Value};
use crate::yaml::reader::Reader;
use crate::yaml::scalar::Spanned;

/// Keys that hold a map of names to expressions.
const NESTED: [&str; 4] = ["labels", "annotations", "links", "actor"];

/// `map:`
#[derive(Debug, Clone, PartialEq)]
pub struct MappingRules {
    /// The rules, tried in their order.
    pub rules: Vec<MappingRuleSource>,
    /// Written as a list of rules; otherwise a single rule.
    pub list: bool,
}

/// Mapping rule for a body or for each item of it.
#[derive(Debug, Clone, PartialEq)]
pub struct MappingRuleSource {
    /// Position in the file.
    pub at: Position,
    /// Its keys.
    pub lines: Vec<MappingEntry>,
}

/// An expression and the key that it gives.
#[derive(Debug, Clone, PartialEq)]
pub struct MappingEntry {
    /// The key; below `labels`, `annotations`, `links` and `actor` with its name, as `labels.host`.
    pub path: String,
    /// Position of the key.
    pub at: Position,
    /// The expression.
    pub text: Spanned<String>,
}

/// Reads a mapping from a separate file.
///
/// # Errors
/// Every fault of its shape.
pub(crate) fn parse(file: &str, text: &str) -> Result<MappingRules, Vec<Fault>> {
    let root = yaml::tree::parse(file, text).map_err(|fault| vec![fault])?;
    let mut reader = Reader::new(file);
    let map = map(&mut reader, &root);
    match map {
        Some(map) if reader.faults.is_empty() => Ok(map),
        _ => Err(reader.faults),
    }
}

/// The value of `map:`.
pub(crate) fn map(reader: &mut Reader<'_>, node: &Node) -> Option<MappingRules> {
    let rule = |reader: &mut Reader<'_>, node: &Node| match &node.value {
        Value::Map(entries) if !entries.is_empty() => Some(MappingRuleSource {
            at: node.position(),
            lines: lines(reader, entries),
        }),
        _ => {
            let message = format!(
                "expected a map of keys to expressions, found {}",
                node.describe()
            );
            reader.fault(node.position(), message);
            None
        }
    };
    match &node.value {
        Value::List(nodes) if !nodes.is_empty() => Some(MappingRules {
            rules: nodes.iter().filter_map(|node| rule(reader, node)).collect(),
            list: true,
        }),
        _ => rule(reader, node).map(|rule| MappingRules {
            rules: vec![rule],
            list: false,
        }),
    }
}

fn lines(reader: &mut Reader<'_>, entries: &[(Key, Node)]) -> Vec<MappingEntry> {
    let mut lines = Vec::with_capacity(entries.len());
    for (key, node) in entries {
        match &node.value {
            Value::Map(inner) if NESTED.contains(&key.name.as_str()) => {
                for (name, node) in inner {
                    lines.extend(read_entry(
                        reader,
                        format!("{}.{}", key.name, name.name),
                        name,
                        node,
                    ));
                }
            }
            _ => lines.extend(read_entry(reader, key.name.clone(), key, node)),
        }
    }
    lines
}

fn read_entry(
    reader: &mut Reader<'_>,
    path: String,
    key: &Key,
    node: &Node,
) -> Option<MappingEntry> {
    if matches!(node.value, Value::Null | Value::List(_) | Value::Map(_)) {
        let message = format!(
            "`{path}` must be an expression, found {}; put it in quotes: '…'",
            node.describe()
        );
        reader.fault(node.position(), message);
        return None;
    }
    Some(MappingEntry {
        path,
        at: key.position(),
        text: reader.read(node, &[])?,
    })
}
