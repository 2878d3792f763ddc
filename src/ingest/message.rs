//! One message as it came to a source, before anything is read of it.

use crate::model::settings::LabelNames;
use crate::model::time::Time;

/// One message as it came to a source.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// The name of the source.
    pub source: &'a str,
    /// What came beside the body.
    pub headers: &'a Headers<'a>,
    /// The body.
    pub body: &'a [u8],
    /// Which labels give what, for this source.
    pub names: &'a LabelNames,
    /// When it came.
    pub now: Time,
}

/// Names, in lower case, with values; a name may come more than once.
#[derive(Debug, Clone, Default)]
pub struct Headers<'a>(Vec<(&'a str, &'a [u8])>);

impl<'a> Headers<'a> {
    /// The first value of a name, which is given in lower case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'a [u8]> {
        self.0
            .iter()
            .find(|(given, _)| *given == name)
            .map(|(_, value)| *value)
    }

    /// The same as text without blanks around it; `None` where it is not UTF-8 or says nothing.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&'a str> {
        self.get(name)
            .and_then(|value| std::str::from_utf8(value).ok())
            .map(str::trim)
            .filter(|text| !text.is_empty())
    }

    /// All of them, in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        self.0.iter().copied()
    }
}

impl<'a> FromIterator<(&'a str, &'a [u8])> for Headers<'a> {
    fn from_iter<T: IntoIterator<Item = (&'a str, &'a [u8])>>(all: T) -> Self {
        Self(all.into_iter().collect())
    }
}
