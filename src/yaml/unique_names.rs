//! Names that must be unique across all files of one run.

use std::collections::HashMap;

use serde::de::DeserializeOwned;

use super::node::{Node, Position};
use super::reader::{self, Reader};
use super::scalar::Spanned;

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
    pub(crate) fn declare(&mut self, reader: &mut Reader<'_>, position: Position, name: &str) {
        if let Some((first, Position { line, column })) = self.first.get(name) {
            let what = self.what;
            let message = format!(
                "there is a second {what} `{name}`; the first is at {first}:{line}:{column}"
            );
            reader.fault(position, message);
        } else {
            let place = (reader.file.to_owned(), position);
            self.first.insert(name.to_owned(), place);
        }
    }

    /// Reads an entry as [`Reader::read`] does and adds its `name`, even if another part of it has a
    /// fault.
    pub(crate) fn read<T: DeserializeOwned>(
        &mut self,
        reader: &mut Reader<'_>,
        entry: &Node,
        required: &[&str],
    ) -> Option<T> {
        let name = entry.get("name");
        if let Some(Ok(name)) = name.map(|node| reader::read::<Spanned<String>>(reader.file, node))
        {
            self.declare_word(reader, &name);
        }
        reader.read(entry, required)
    }

    /// Adds a name used in paths, metrics and other files, which must be one word.
    fn declare_word(&mut self, reader: &mut Reader<'_>, name: &Spanned<String>) {
        let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.value.is_empty() || !name.value.chars().all(is_word) {
            let message = "this must be one word of letters, digits, `-`, `_` and `.`";
            reader.fault(name.position, message);
        } else {
            self.declare(reader, name.position, &name.value);
        }
    }
}
