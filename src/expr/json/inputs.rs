//! Named JSON values that an expression reads.

use serde_json::Value as Json;

/// Named JSON values.
#[derive(Debug, Clone, Default)]
pub(crate) struct Given<'a>(Vec<(&'static str, &'a Json)>);

impl<'a> Given<'a> {
    /// Adds a value; a repeated name replaces the earlier one.
    #[must_use]
    pub(crate) fn with(mut self, name: &'static str, value: &'a Json) -> Self {
        self.0.retain(|(known, _)| *known != name);
        self.0.push((name, value));
        self
    }

    pub(super) fn get(&self, name: &str) -> Option<&'a Json> {
        self.0
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| *value)
    }
}
