//! Positions of values in the settings file, for faults that are found after it was read.

use std::path::Path;

use crate::model::fault::Fault;
use crate::yaml;
use crate::yaml::node::{Node, Position, Value};

/// The settings file as a tree; empty for the defaults.
#[derive(Debug, Clone)]
pub(crate) struct NamedValues {
    file: String,
    root: Option<Node>,
}

impl NamedValues {
    pub(crate) fn new(file: &Path, text: &str) -> Self {
        let file = file.display().to_string();
        Self {
            root: yaml::tree::parse(&file, text).ok(),
            file,
        }
    }

    /// A fault at the first place where a section has the value, else of the whole file. An empty
    /// section is any.
    pub(crate) fn fault(&self, section: &str, value: &str, message: String) -> Fault {
        let within = match section {
            "" => self.root.as_ref(),
            section => self.root.as_ref().and_then(|root| root.get(section)),
        };
        match within.and_then(|node| find(node, value)) {
            Some(node) => node.position().fault(&self.file, message),
            None => Position::default().fault(&self.file, message),
        }
    }
}

fn find<'a>(node: &'a Node, value: &str) -> Option<&'a Node> {
    match &node.value {
        Value::String(text) if text == value => Some(node),
        Value::List(entries) => entries.iter().find_map(|entry| find(entry, value)),
        Value::Map(entries) => entries.iter().find_map(|(_, entry)| find(entry, value)),
        _ => None,
    }
}
