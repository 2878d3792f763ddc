//! `silent_after:` of a source.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::yaml::scalar::Duration;

/// Silence after which a source is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SilentAfter {
    /// Derived from the longest recent silence.
    #[default]
    Learned,
    /// After this duration.
    After(chrono::TimeDelta),
    /// Never.
    Never,
}

/// Reads `silent_after`: a duration, or `never`.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String", extend(
    "pattern" = "^(never|(?=.*[1-9])([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?)$",
    "examples" = ["2h", "1d", "never"]
))]
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
