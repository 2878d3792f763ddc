//! Names that must be unique across all files of one run.

use std::collections::HashMap;

use serde::de::DeserializeOwned;

use super::node::{Node, Position};
use super::scalar::Spanned;
use super::{entry, reader};
use crate::model::fault::Fault;

/// Names so far, with their positions.
pub(crate) struct UniqueNames {
    what: &'static str,
    first: HashMap<String, (String, Position)>,
}

impl UniqueNames {
    /// Empty set of names of things called `what` in messages.
    #[must_use]
    pub(crate) fn new(what: &'static str) -> Self {
        Self {
            what,
            first: HashMap::new(),
        }
    }

    /// Adds a name, with a fault if it is taken.
    pub(crate) fn declare(
        &mut self,
        file: &str,
        position: Position,
        name: &str,
        faults: &mut Vec<Fault>,
    ) {
        if let Some((first, Position { line, column })) = self.first.get(name) {
            let what = self.what;
            faults.push(position.fault(
                file,
                format!(
                    "there is a second {what} `{name}`; the first is at {first}:{line}:{column}"
                ),
            ));
        } else {
            self.first
                .insert(name.to_owned(), (file.to_owned(), position));
        }
    }

    /// Reads an entry as [`entry::read_entry`] does and adds its `name`, even if another part of it
    /// has a fault.
    pub(crate) fn read<T: DeserializeOwned>(
        &mut self,
        file: &str,
        entry: &Node,
        required: &[&str],
        faults: &mut Vec<Fault>,
    ) -> Option<T> {
        if let Some(Ok(name)) = entry
            .get("name")
            .map(|node| reader::read::<Spanned<String>>(file, node))
        {
            self.declare_word(file, &name, faults);
        }
        entry::read_entry(file, entry, required, faults)
    }

    /// Adds a name used in paths, metrics and other files, which must be one word.
    pub(crate) fn declare_word(
        &mut self,
        file: &str,
        name: &Spanned<String>,
        faults: &mut Vec<Fault>,
    ) {
        let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.value.is_empty() || !name.value.chars().all(is_word) {
            faults.push(name.position.fault(
                file,
                "this must be one word of letters, digits, `-`, `_` and `.`",
            ));
        } else {
            self.declare(file, name.position, &name.value, faults);
        }
    }
}
