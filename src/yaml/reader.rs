//! Section reader: collects faults, rejects keys of later versions, checks references.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;

use super::entry::read_entry;
use super::error;
use super::node::{Key, Node, Position, Value};
use super::scalar::Spanned;
use crate::model::fault::{Fault, nearest};

/// Reader of the sections of one file, which collects their faults.
pub(crate) struct Reader<'a> {
    file: &'a str,
    /// Faults so far.
    pub(crate) faults: Vec<Fault>,
}

/// A map without its keys of later versions.
pub(crate) struct Supported {
    /// Remaining map.
    pub(crate) node: Node,
    /// True if no key was removed; otherwise a missing key may be a consequence of that.
    pub(crate) whole: bool,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(file: &'a str) -> Self {
        Self {
            file,
            faults: Vec::new(),
        }
    }

    /// Records a fault.
    pub(crate) fn fault(&mut self, at: Position, message: impl Into<String>) {
        self.faults.push(at.fault(self.file, message));
    }

    /// Reads a node as a `T` as far as possible and records all its faults, including missing keys
    /// of `required`.
    pub(crate) fn read<T: DeserializeOwned>(
        &mut self,
        node: &Node,
        required: &[&str],
    ) -> Option<T> {
        read_entry(self.file, node, required, &mut self.faults)
    }

    /// Reads a node as a `T`; `None` if it has any fault.
    pub(crate) fn read_whole<T: DeserializeOwned>(
        &mut self,
        node: &Node,
        required: &[&str],
    ) -> Option<T> {
        let before = self.faults.len();
        self.read(node, required)
            .filter(|_| self.faults.len() == before)
    }

    /// Reads a section that may be missing or empty.
    pub(crate) fn section<T: DeserializeOwned>(
        &mut self,
        root: &Node,
        name: &str,
        later: &[&str],
    ) -> Option<T> {
        let node = given(root, name)?;
        let Supported { node, .. } = self.supported(node, name, later);
        self.read(&node, &[])
    }

    /// The entries of a list that may be missing or empty.
    pub(crate) fn entries<'n>(&mut self, root: &'n Node, name: &str) -> &'n [Node] {
        match given(root, name).map(|node| (node, &node.value)) {
            None => &[],
            Some((_, Value::List(entries))) => entries,
            Some((node, _)) => {
                self.fault(
                    node.position(),
                    format!("`{name}` must be a list, found {}", node.describe()),
                );
                &[]
            }
        }
    }

    /// Removes keys of later versions and records a fault for each.
    pub(crate) fn supported(&mut self, node: &Node, section: &str, later: &[&str]) -> Supported {
        let mut node = node.clone();
        let mut whole = true;
        if let Value::Map(entries) = &mut node.value {
            entries.retain(|(key, _)| {
                let known = !later.contains(&key.name.as_str());
                if !known {
                    let path = if section.is_empty() {
                        key.name.clone()
                    } else {
                        format!("{section}.{}", key.name)
                    };
                    self.fault(
                        key.position(),
                        format!("`{path}` is not supported by this version; remove it"),
                    );
                    whole = false;
                }
                known
            });
        }
        Supported { node, whole }
    }

    /// Records a fault for a duplicate `name`.
    pub(crate) fn unique(
        &mut self,
        seen: &mut BTreeMap<String, Position>,
        what: &str,
        name: &str,
        at: Position,
    ) {
        if let Some(first) = seen.get(name) {
            self.fault(
                at,
                format!(
                    "{what} `{name}` is given twice, first at {}:{}",
                    first.line, first.column
                ),
            );
        } else {
            seen.insert(name.to_owned(), at);
        }
    }

    /// Records a fault for each unknown person id.
    pub(crate) fn known_people(&mut self, ids: &[Spanned<String>], people: &[String]) {
        for id in ids.iter().filter(|id| !people.contains(&id.value)) {
            let hint = nearest(&id.value, people.iter().map(String::as_str)).map_or_else(
                || "add it to `people`".to_owned(),
                |name| format!("did you mean `{name}`?"),
            );
            self.fault(
                id.position,
                format!("unknown person `{}`; {hint}", id.value.escape_debug()),
            );
        }
    }
}

/// The node of a key that has a value.
pub(crate) fn given<'n>(root: &'n Node, name: &str) -> Option<&'n Node> {
    root.get(name).filter(|node| node.value != Value::Null)
}

/// Reads a node as a `T`.
///
/// # Errors
/// The first position that does not fit.
pub(crate) fn read<T: DeserializeOwned>(file: &str, node: &Node) -> Result<T, Fault> {
    T::deserialize(node).map_err(|error| error.fault(file, node.position()))
}

/// Entries of a list; a fault if it is not a list. Null is an empty list.
pub(crate) fn entries<'a>(file: &str, node: &'a Node, faults: &mut Vec<Fault>) -> &'a [Node] {
    match &node.value {
        Value::List(entries) => entries,
        Value::Null => &[],
        Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::String(_) | Value::Map(_) => {
            faults.push(
                node.position()
                    .fault(file, format!("expected a list, found {}", node.describe())),
            );
            &[]
        }
    }
}

/// Sections of a map with the keys `known`; a fault for each other key, or if it is not a map. Null
/// is an empty map.
pub(crate) fn sections<'a>(
    file: &str,
    node: &'a Node,
    known: &[&str],
    faults: &mut Vec<Fault>,
) -> Vec<(&'a Key, &'a Node)> {
    let sections = match &node.value {
        Value::Map(sections) => sections.as_slice(),
        Value::Null => &[],
        Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::String(_) | Value::List(_) => {
            faults.push(
                node.position()
                    .fault(file, format!("expected a map, found {}", node.describe())),
            );
            &[]
        }
    };
    let (right, wrong): (Vec<_>, Vec<_>) = sections
        .iter()
        .map(|(key, node)| (key, node))
        .partition(|(key, _)| known.contains(&key.name.as_str()));
    faults.extend(wrong.iter().map(|(key, _)| {
        key.position()
            .fault(file, error::unknown("key", &key.name, known))
    }));
    right
}

/// Reads each entry of a list as a `T` with its position, and records all faults. Null is an empty
/// list.
pub(crate) fn read_list<T: DeserializeOwned>(
    file: &str,
    node: &Node,
    faults: &mut Vec<Fault>,
) -> Vec<(Position, T)> {
    let mut values = Vec::new();
    for entry in entries(file, node, faults) {
        let before = faults.len();
        let value = read_entry(file, entry, &[], faults);
        values.extend(
            value
                .filter(|_| faults.len() == before)
                .map(|value| (entry.position(), value)),
        );
    }
    values
}
