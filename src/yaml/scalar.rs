//! Durations with units, quotas, instants, and values with their position.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use chrono::{DateTime, Utc};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, SeqAccess, Visitor};
use serde_json::json;

use super::node::Position;
use crate::model::time::Time;

/// Struct name by which the deserializer recognizes values with positions.
pub(crate) const SPANNED: &str = "$afterword::Spanned";

const UNITS: [(char, i64); 5] = [
    ('w', 7 * 86_400),
    ('d', 86_400),
    ('h', 3_600),
    ('m', 60),
    ('s', 1),
];

/// A length of time with its units: `30m`, `1h30m`, `90s`, `7d`, `1w`. Never negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, JsonSchema)]
#[schemars(
    with = "String",
    extend(
        "type" = ["string", "integer"],
        "pattern" = "^(0|(?=.)([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?)$",
        "minimum" = 0,
        "maximum" = 0,
        "examples" = ["90s", "30m", "1h30m", "7d"]
    )
)]
pub(crate) struct Duration {
    /// In seconds.
    pub seconds: i64,
}

impl Duration {
    /// Reads `text`.
    ///
    /// # Errors
    /// A message with the reason and an example.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let bad = |why: &str| {
            format!(
                "{text:?} is not a duration: {why}; write for example 90s, 30m, 1h30m, 7d or 1w"
            )
        };
        if text == "0" {
            return Ok(Self { seconds: 0 });
        }
        if text.starts_with('-') {
            return Err(bad("it cannot be negative"));
        }
        let mut seconds: i64 = 0;
        let mut rest = text;
        let mut smaller = UNITS.as_slice();
        while !rest.is_empty() {
            let digits = rest
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(rest.len());
            let (number, after) = rest.split_at(digits);
            let number: i64 = number.parse().map_err(|_| {
                bad(if digits == 0 {
                    "a whole number must come first"
                } else {
                    "it is too long"
                })
            })?;
            let Some(unit) = after.chars().next() else {
                return Err(bad("the unit is missing: w, d, h, m or s"));
            };
            let Some(index) = smaller.iter().position(|(name, _)| *name == unit) else {
                let known = UNITS.iter().any(|(name, _)| *name == unit);
                return Err(bad(if known {
                    "units go from large to small, each once"
                } else {
                    "the units are w, d, h, m and s"
                }));
            };
            seconds = number
                .checked_mul(smaller[index].1)
                .and_then(|part| seconds.checked_add(part))
                // Beyond a century it is a slip, and sums with instants could overflow.
                .filter(|sum| *sum <= 100 * 366 * 86_400)
                .ok_or_else(|| bad("it is too long"))?;
            smaller = &smaller[index + 1..];
            rest = &after[unit.len_utf8()..];
        }
        if text.is_empty() {
            Err(bad("it is empty"))
        } else {
            Ok(Self { seconds })
        }
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = Duration;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration such as 90s, 30m, 1h30m, 7d or 1w")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Duration, E> {
                Duration::parse(text).map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Reader)
    }
}

/// Count per period: `1 per 7d`, `3 per 24h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub(crate) struct Quota {
    /// Count, at least one.
    pub count: u32,
    /// Period, in seconds.
    pub seconds: i64,
}

impl TryFrom<String> for Quota {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let bad =
            || format!("{text:?} is not a rate; write for example `1 per 7d` or `100 per 1s`");
        let (count, period) = text.split_once(" per ").ok_or_else(bad)?;
        let count: u32 = count
            .trim()
            .parse()
            .ok()
            .filter(|count| *count > 0)
            .ok_or_else(bad)?;
        let period = period.trim();
        if let Some(unit) = word_of_unit(period) {
            return Err(format!(
                "{text:?} is not a rate; write `{count} per {unit}`"
            ));
        }
        let period = Duration::parse(period)?;
        if period.seconds == 0 {
            Err(bad())
        } else {
            Ok(Self {
                count,
                seconds: period.seconds,
            })
        }
    }
}

/// The period that a word means: `1d` for `day`.
fn word_of_unit(word: &str) -> Option<&'static str> {
    match word {
        "second" | "s" => Some("1s"),
        "minute" | "min" | "m" => Some("1m"),
        "hour" | "h" => Some("1h"),
        "day" | "d" => Some("1d"),
        "week" | "w" => Some("1w"),
        _ => None,
    }
}

/// An instant by RFC 3339, also without seconds.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub(crate) struct Timestamp(pub(crate) Time);

impl TryFrom<String> for Timestamp {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let with_seconds = match (text.get(..16), text.get(16..)) {
            (Some(minutes), Some(offset)) if offset.starts_with(['Z', 'z', '+', '-']) => {
                format!("{minutes}:00{offset}")
            }
            _ => text.clone(),
        };
        DateTime::parse_from_rfc3339(&with_seconds)
            .map(|instant| Self(instant.with_timezone(&Utc)))
            .map_err(|_| format!("{text:?} is not a time; write for example 2026-12-01T22:00Z or 2026-12-01T23:00+01:00"))
    }
}

/// One text, or a list of them.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
#[schemars(transform = text_or_texts)]
pub(crate) struct TextOrTexts(pub(crate) Vec<String>);

impl<'de> Deserialize<'de> for TextOrTexts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = TextOrTexts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text or a list of texts")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<TextOrTexts, E> {
                Ok(TextOrTexts(vec![text.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<TextOrTexts, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = entries.next_element()? {
                    texts.push(text);
                }
                Ok(TextOrTexts(texts))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

/// Schema of one text, or a list of them.
pub(crate) fn text_or_texts(schema: &mut Schema) {
    let texts = json!({"type": "array", "items": {"type": "string"}});
    *schema = json_schema!({"oneOf": [{"type": "string", "minLength": 1}, texts]});
}

/// Value with its position in the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Spanned<T> {
    /// Position of its first character.
    pub position: Position,
    /// The value.
    pub value: T,
    raw: String,
}

impl Spanned<String> {
    /// Position in the file of the character at `offset` of the text, for any style of quoting or
    /// folding.
    #[must_use]
    pub fn place(&self, offset: usize) -> Position {
        let mut source = Source::new(self.position, &self.raw);
        // White space is folded and indented away, so only what is not white is matched.
        let black = self
            .value
            .chars()
            .take(offset)
            .filter(|c| !c.is_whitespace())
            .count();
        for _ in 0..black {
            source.skip_white();
            source.unit();
        }
        if self
            .value
            .chars()
            .nth(offset)
            .is_some_and(|c| !c.is_whitespace())
        {
            source.skip_white();
        }
        source.at
    }
}

/// A walk over a scalar as it is written.
struct Source<'a> {
    rest: &'a str,
    at: Position,
    quote: Option<char>,
}

impl<'a> Source<'a> {
    fn new(at: Position, raw: &'a str) -> Self {
        let first = raw.chars().next();
        let mut source = Self {
            rest: raw,
            at,
            quote: first.filter(|c| matches!(c, '"' | '\'')),
        };
        if source.quote.is_some() {
            source.step();
        } else if matches!(first, Some('|' | '>')) {
            while source.rest.starts_with(|c| c != '\n') {
                source.step();
            }
        }
        source
    }

    fn step(&mut self) {
        let mut chars = self.rest.chars();
        match chars.next() {
            Some('\n') => {
                self.at = Position {
                    line: self.at.line + 1,
                    column: 1,
                }
            }
            Some(_) => self.at.column += 1,
            None => {}
        }
        self.rest = chars.as_str();
    }

    fn skip_white(&mut self) {
        loop {
            let escaped = self.quote == Some('"')
                && ["\\n", "\\t", "\\r", "\\ ", "\\\n"]
                    .iter()
                    .any(|escape| self.rest.starts_with(escape));
            if escaped {
                self.step();
            } else if !self.rest.starts_with(char::is_whitespace) {
                return;
            }
            self.step();
        }
    }

    /// One character of the text: a letter, `''`, or an escape.
    fn unit(&mut self) {
        let length = match self.quote {
            Some('\'') if self.rest.starts_with("''") => 2,
            Some('"') if self.rest.starts_with("\\x") => 4,
            Some('"') if self.rest.starts_with("\\u") => 6,
            Some('"') if self.rest.starts_with("\\U") => 10,
            Some('"') if self.rest.starts_with('\\') => 2,
            _ => 1,
        };
        for _ in 0..length {
            self.step();
        }
    }
}

impl<T: JsonSchema> JsonSchema for Spanned<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Spanned<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Reader<T> {
            type Value = Spanned<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value with its place")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Spanned<T>, A::Error> {
                let missing = || A::Error::custom("only a YAML text has places");
                let line = parts.next_element()?.ok_or_else(missing)?;
                let column = parts.next_element()?.ok_or_else(missing)?;
                let raw = parts.next_element()?.ok_or_else(missing)?;
                let value = parts.next_element()?.ok_or_else(missing)?;
                Ok(Spanned {
                    position: Position { line, column },
                    value,
                    raw,
                })
            }
        }
        deserializer.deserialize_struct(SPANNED, &[], Reader(PhantomData))
    }
}
