//! Which metrics anybody asks for. Everything else a target offers or a sender pushes is skipped before it is decoded.

use std::collections::BTreeSet;

/// A set of metric names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wanted {
    names: BTreeSet<Vec<u8>>,
    all: bool,
}

impl Wanted {
    /// These names and no others.
    pub fn these<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        Self { names: names.into_iter().map(|name| name.as_bytes().to_vec()).collect(), all: false }
    }

    /// Every name.
    #[must_use]
    pub fn all() -> Self {
        Self { names: BTreeSet::new(), all: true }
    }

    /// Whether a metric of this name is asked for.
    #[must_use]
    pub fn has(&self, name: &[u8]) -> bool {
        self.all || self.names.contains(name)
    }
}
