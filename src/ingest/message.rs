//! An inbound message before parsing.

use crate::model::settings::LabelNames;
use crate::model::time::Time;

/// An inbound message.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// Name of the source.
    pub source: &'a str,
    /// Headers of the request.
    pub headers: &'a Headers<'a>,
    /// The body.
    pub body: &'a [u8],
    /// Names of the labels that give service, severity and environment, for this source.
    pub names: &'a LabelNames,
    /// Time of arrival.
    pub now: Time,
}

/// Header names in lower case with their values; a name may occur more than once.
#[derive(Debug, Clone, Default)]
pub struct Headers<'a>(Vec<(&'a str, &'a [u8])>);

impl<'a> Headers<'a> {
    /// The first value of a name, which must be given in lower case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'a [u8]> {
        self.0
            .iter()
            .find(|(given, _)| *given == name)
            .map(|(_, value)| *value)
    }

    /// The first value as trimmed text; `None` if it is empty or not UTF-8.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&'a str> {
        self.get(name)
            .and_then(|value| std::str::from_utf8(value).ok())
            .map(str::trim)
            .filter(|text| !text.is_empty())
    }

    /// All headers in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        self.0.iter().copied()
    }
}

impl<'a> FromIterator<(&'a str, &'a [u8])> for Headers<'a> {
    fn from_iter<T: IntoIterator<Item = (&'a str, &'a [u8])>>(all: T) -> Self {
        Self(all.into_iter().collect())
    }
}
