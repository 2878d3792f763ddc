//! Named JSON values that an expression reads.

use serde_json::Value as Json;

/// Named JSON values.
#[derive(Debug, Clone, Default)]
pub(crate) struct Given<'a> {
    values: Vec<(&'static str, &'a Json)>,
    later: bool,
}

impl<'a> Given<'a> {
    /// Adds a value; a repeated name replaces the earlier one.
    #[must_use]
    pub(crate) fn with(mut self, name: &'static str, value: &'a Json) -> Self {
        self.values.retain(|(known, _)| *known != name);
        self.values.push((name, value));
        self
    }

    /// Makes `local` resolve ambiguous times, of an hour that occurs twice, to the second one.
    #[must_use]
    pub(crate) fn reading_later(mut self) -> Self {
        self.later = true;
        self
    }

    pub(super) fn reads_later(&self) -> bool {
        self.later
    }

    pub(super) fn get(&self, name: &str) -> Option<&'a Json> {
        self.values
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| *value)
    }
}
