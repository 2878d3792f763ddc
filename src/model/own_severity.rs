//! A severity of a team's own scale, as it is kept in events.

/// The longest name of a severity in bytes: it is kept inline, since every alert has one.
pub(crate) const LONGEST_NAME: usize = 22;

/// A severity of a team's own scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OwnSeverity {
    /// Increases with the severity; 0 where it was read without the scale.
    rank: u8,
    length: u8,
    name: [u8; LONGEST_NAME],
}

impl OwnSeverity {
    /// A severity of that name, if it is short enough.
    #[must_use]
    pub fn new(name: &str, rank: u8) -> Option<Self> {
        let mut bytes = [0; LONGEST_NAME];
        bytes
            .get_mut(..name.len())?
            .copy_from_slice(name.as_bytes());
        Some(Self {
            rank,
            length: u8::try_from(name.len()).ok()?,
            name: bytes,
        })
    }

    /// Its rank; 0 where it was read without the scale.
    pub(crate) fn rank(self) -> u8 {
        self.rank
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        let bytes = self
            .name
            .get(..usize::from(self.length))
            .unwrap_or_default();
        std::str::from_utf8(bytes).unwrap_or_default()
    }
}
