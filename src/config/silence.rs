//! `silent_after:` of a source.

use serde::Deserialize;

use crate::yaml::scalar::Duration;

/// After how long the silence of a source is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SilentAfter {
    /// By the longest silence of late.
    #[default]
    Learned,
    /// After so long.
    After(chrono::TimeDelta),
    /// Not at all.
    Never,
}

/// How long a source may be silent: a duration, or `never` to say that it may for ever.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Silence(pub(crate) SilentAfter);

impl TryFrom<String> for Silence {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text == "never" {
            return Ok(Self(SilentAfter::Never));
        }
        match Duration::parse(&text) {
            Ok(Duration { seconds: 0 }) => Err(
                "the duration must be longer than 0; write for example 2h, or `never`".to_owned(),
            ),
            Ok(Duration { seconds }) => Ok(Self(SilentAfter::After(chrono::TimeDelta::seconds(
                seconds,
            )))),
            Err(why) => Err(format!("{why}; or `never`")),
        }
    }
}
