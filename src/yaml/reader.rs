//! Section reader: collects faults, rejects keys of later versions, checks references.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;

use super::entry::read_entry;
use super::error;
use super::node::{Key, Node, Position, Value};
use super::scalar::{Duration, Spanned};
use crate::model::fault::{Fault, nearest};
use crate::model::field_names::field_names;

/// Reader of the sections of one file, which collects their faults.
pub(crate) struct Reader<'a> {
    /// Its name in faults.
    pub(crate) file: &'a str,
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

    /// A positive duration, in seconds.
    pub(crate) fn positive(
        &mut self,
        name: &str,
        given: Option<&Spanned<Duration>>,
    ) -> Option<i64> {
        let given = given?;
        if given.value.seconds == 0 {
            let message = format!("`{name}` must be longer than 0; write for example 10s");
            self.fault(given.position, message);
            return None;
        }
        Some(given.value.seconds)
    }

    /// The entries of a list; a fault if it is not a list. Null is an empty list.
    pub(crate) fn list<'n>(&mut self, node: &'n Node) -> &'n [Node] {
        match &node.value {
            Value::List(entries) => entries,
            Value::Null => &[],
            _ => {
                let message = format!("expected a list, found {}", node.describe());
                self.fault(node.position(), message);
                &[]
            }
        }
    }

    /// The entries of a map with the keys of `T`; a fault for each other key, or if it is not a
    /// map. Null is an empty map.
    pub(crate) fn sections<'n, T: DeserializeOwned>(
        &mut self,
        node: &'n Node,
    ) -> Vec<(&'n Key, &'n Node)> {
        let sections = match &node.value {
            Value::Map(sections) => sections.as_slice(),
            Value::Null => &[],
            _ => {
                let message = format!("expected a map, found {}", node.describe());
                self.fault(node.position(), message);
                &[]
            }
        };
        let known = field_names::<T>();
        let (right, wrong): (Vec<_>, Vec<_>) = sections
            .iter()
            .map(|(key, node)| (key, node))
            .partition(|(key, _)| known.contains(&key.name.as_str()));
        for (key, _) in wrong {
            self.fault(key.position(), error::unknown("key", &key.name, known));
        }
        right
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
