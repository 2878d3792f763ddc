//! Cursor of a list in order of time: the place of a row, from which the next page goes on.

use std::fmt;
use std::str::FromStr;

/// The place of a row in a list, newest first, then by id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ListCursor {
    /// The time it is sorted by, in microseconds since 1970.
    pub(crate) micros: i64,
    /// Its id.
    pub(crate) id: String,
}

impl ListCursor {
    /// The place before the first row.
    pub(crate) fn start() -> Self {
        Self {
            micros: i64::MAX,
            id: String::new(),
        }
    }
}

impl fmt::Display for ListCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.micros, self.id)
    }
}

impl FromStr for ListCursor {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (micros, id) = text.split_once('.').ok_or(())?;
        Ok(Self {
            micros: micros.parse().map_err(|_| ())?,
            id: id.to_owned(),
        })
    }
}
