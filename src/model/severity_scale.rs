//! A team's own scale of severities.

use super::event::Severity;
use super::own_severity::OwnSeverity;

/// The severities of a team, highest first; empty: critical, warning and info.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SeverityScale {
    levels: Vec<SeverityLevel>,
}

/// A severity of a scale.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeverityLevel {
    /// Its name.
    pub name: String,
    /// Other words for it at the sources.
    pub from: Vec<String>,
}

impl SeverityScale {
    /// A scale of these levels, highest first.
    #[must_use]
    pub fn new(levels: Vec<SeverityLevel>) -> Self {
        Self { levels }
    }

    /// True without a scale of one's own.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.levels.is_empty()
    }

    /// The names, highest first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.levels.iter().map(|level| level.name.as_str())
    }

    /// The severity of a word at a source: a name or another word of a level. Case and `-`, `_`,
    /// space are ignored.
    #[must_use]
    pub fn find(&self, word: &str) -> Option<Severity> {
        let word = bare(word);
        let is_it = |level: &SeverityLevel| {
            bare(&level.name) == word || level.from.iter().any(|other| bare(other) == word)
        };
        let place = self.levels.iter().position(is_it)?;
        let rank = u8::try_from(self.levels.len() - place).ok()?;
        OwnSeverity::new(&self.levels[place].name, rank).map(Severity::Own)
    }

    /// A severity on this scale: one that no level takes is unknown.
    #[must_use]
    pub fn place(&self, severity: Severity) -> Severity {
        match severity {
            Severity::None | Severity::Unknown => severity,
            Severity::Own(_) if self.is_empty() => Severity::Unknown,
            _ if self.is_empty() => severity,
            _ => self.find(severity.word()).unwrap_or_default(),
        }
    }

    /// A severity that a person wrote, on this scale.
    ///
    /// # Errors
    /// The words that are known, if it is none of them.
    pub fn accept(&self, severity: Severity) -> Result<Severity, String> {
        let placed = self.place(severity);
        if placed != Severity::Unknown || severity == Severity::Unknown {
            return Ok(placed);
        }
        let known = self.words().into_iter().map(|word| format!("`{word}`"));
        Err(format!(
            "unknown value `{}`; known: {}",
            severity.word().escape_debug(),
            known.collect::<Vec<_>>().join(", ")
        ))
    }

    /// The words that a severity may have in rules.
    #[must_use]
    pub fn words(&self) -> Vec<&str> {
        if self.is_empty() {
            return vec!["critical", "warning", "info", "none", "unknown"];
        }
        self.names().chain(["none", "unknown"]).collect()
    }

    /// The height of a severity on the scale, from 0 for the lowest to 1 for the highest.
    #[must_use]
    pub(crate) fn height(&self, severity: OwnSeverity) -> f64 {
        let Some(Severity::Own(own)) = self.find(severity.name()) else {
            return 0.0;
        };
        let steps = self.levels.len().saturating_sub(1).max(1);
        f64::from(own.rank().saturating_sub(1)) / f64::from(u8::try_from(steps).unwrap_or(u8::MAX))
    }
}

fn bare(word: &str) -> String {
    let letters = word.trim().chars();
    letters
        .filter(|letter| !matches!(letter, '-' | '_' | ' '))
        .flat_map(char::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use super::{SeverityLevel, SeverityScale};
    use crate::model::event::Severity;

    fn scale() -> SeverityScale {
        let level = |name: &str, from: &[&str]| SeverityLevel {
            name: name.to_owned(),
            from: from.iter().map(|&word| word.to_owned()).collect(),
        };
        SeverityScale::new(vec![
            level("SEV1", &["critical", "P1"]),
            level("SEV2", &["Major"]),
            level("SEV3", &[]),
        ])
    }

    #[test]
    fn words_of_sources_find_their_level() {
        let scale = scale();
        for (word, name) in [
            ("sev-1", "SEV1"),
            ("P1", "SEV1"),
            ("major", "SEV2"),
            ("SEV3", "SEV3"),
        ] {
            assert_eq!(scale.find(word).unwrap().word(), name, "{word}");
        }
        assert_eq!(scale.find("warning"), None);
        assert_eq!(scale.place(Severity::Critical).word(), "SEV1");
        assert_eq!(scale.place(Severity::Warning), Severity::Unknown);
        assert_eq!(scale.place(Severity::None), Severity::None);
        assert_eq!(
            SeverityScale::default().place(Severity::Warning),
            Severity::Warning
        );
    }

    #[test]
    fn the_first_level_is_the_highest() {
        let [one, two, three] = ["SEV1", "SEV2", "SEV3"].map(|name| scale().find(name).unwrap());
        assert!(one > two && two > three && three > Severity::Unknown);
        // What was stored has its name and no rank.
        let stored: Severity = serde_json::from_str("\"SEV2\"").unwrap();
        assert_eq!(scale().place(stored), two);
        assert_eq!(serde_json::to_string(&two).unwrap(), "\"SEV2\"");
    }

    #[test]
    fn an_unknown_word_is_refused_with_the_known_ones() {
        let crit: Severity = serde_json::from_str("\"crit\"").unwrap();
        assert_eq!(
            scale().accept(crit).unwrap_err(),
            "unknown value `crit`; known: `SEV1`, `SEV2`, `SEV3`, `none`, `unknown`"
        );
    }
}
