//! Faults in files people wrote: message and position.

use std::fmt;

use serde::Serialize;

/// One fault in a file, shown as `FILE:LINE:COL: message`, or as `FILE: message` if it concerns the
/// whole file. Lines and columns count from 1; 0 is unknown.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Fault {
    /// The file as the person named it.
    pub file: String,
    /// Line, from 1; 0: the whole file.
    pub line: u64,
    /// Column in characters, from 1; 0: the whole file.
    pub column: u64,
    /// The problem and its remedy.
    pub message: String,
}

impl Fault {
    /// Its place, as `FILE:LINE:COL` or `FILE`.
    pub(crate) fn place(&self) -> String {
        let Self {
            file, line, column, ..
        } = self;
        if *line == 0 {
            file.clone()
        } else {
            format!("{file}:{line}:{column}")
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place(), self.message)
    }
}

impl std::error::Error for Fault {}

/// The entry of `known` closest to a misspelt `word`: within two edits, or starting with it. `None`
/// when there is no close one.
#[must_use]
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = word.to_lowercase();
    known
        .into_iter()
        .map(|candidate| {
            (
                strsim::damerau_levenshtein(&folded, &candidate.to_lowercase()),
                candidate,
            )
        })
        .filter(|(distance, candidate)| {
            let length = candidate.chars().count().max(folded.chars().count());
            *distance * 3 <= length
                || folded.chars().count() >= 3 && candidate.to_lowercase().starts_with(&folded)
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}
