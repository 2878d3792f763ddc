//! The functions of expressions over JSON.

use std::borrow::Cow;

use serde_json::{Number, Value as Json};

use super::node::Function;
use super::times::{since_1970, what};
use crate::expr::json::failure::Failure;

/// Maximum length of a computed string, in characters.
const LONGEST: usize = 1 << 20;

/// Calls `function` with the number of values it takes.
pub(crate) fn call(function: Function, values: &[Cow<'_, Json>]) -> Result<Json, Failure> {
    let text = |place: usize| {
        values
            .get(place)
            .map_or(Err(Failure::Spent), |value| text(value))
    };
    Ok(match function {
        Function::Size => match values.first().map(AsRef::as_ref) {
            Some(Json::String(text)) => text.chars().count().into(),
            Some(Json::Array(list)) => list.len().into(),
            Some(Json::Object(map)) => map.len().into(),
            other => {
                return Err(Failure::Wrong(format!(
                    "{} has no size",
                    what(other.unwrap_or(&Json::Null))
                )));
            }
        },
        Function::Contains => text(0)?.contains(text(1)?).into(),
        Function::StartsWith => text(0)?.starts_with(text(1)?).into(),
        Function::EndsWith => text(0)?.ends_with(text(1)?).into(),
        Function::Lower => text(0)?.to_ascii_lowercase().into(),
        Function::Upper => text(0)?.to_ascii_uppercase().into(),
        Function::Trim => text(0)?.trim().into(),
        Function::Split => text(0)?.split(text(1)?).map(Json::from).collect(),
        Function::Replace => {
            let (whole, old, new) = (text(0)?, text(1)?, text(2)?);
            let found = if old.is_empty() {
                whole.len() + 1
            } else {
                whole.matches(old).count()
            };
            bounded(whole.len().saturating_add(found.saturating_mul(new.len())))?;
            whole.replace(old, new).into()
        }
        Function::Join => {
            let Some(Json::Array(list)) = values.first().map(AsRef::as_ref) else {
                return Err(Failure::Wrong("`join` takes a list of texts".to_owned()));
            };
            let parts = list.iter().map(self::text).collect::<Result<Vec<_>, _>>()?;
            let length: usize = parts.iter().map(|part| part.len()).sum();
            bounded(length.saturating_add(text(1)?.len().saturating_mul(parts.len())))?;
            parts.join(text(1)?).into()
        }
        Function::Text => match values.first().map(AsRef::as_ref) {
            Some(Json::String(text)) => text.as_str().into(),
            Some(Json::Number(number)) => number.to_string().into(),
            Some(Json::Bool(value)) => value.to_string().into(),
            other => {
                return Err(Failure::Wrong(format!(
                    "{} is not a text",
                    what(other.unwrap_or(&Json::Null))
                )));
            }
        },
        Function::Number => match values.first().map(AsRef::as_ref) {
            Some(Json::Number(number)) => Json::Number(number.clone()),
            Some(Json::String(text)) => match text.trim().parse() {
                Ok(value) => number(value)?,
                Err(_) => {
                    return Err(Failure::Wrong(format!(
                        "{} is not a number",
                        what(&Json::String(text.clone()))
                    )));
                }
            },
            other => {
                return Err(Failure::Wrong(format!(
                    "{} is not a number",
                    what(other.unwrap_or(&Json::Null))
                )));
            }
        },
        Function::Seconds => {
            since_1970(values.first().map_or(&Json::Null, AsRef::as_ref), 1.0)?.into()
        }
        Function::Millis => {
            since_1970(values.first().map_or(&Json::Null, AsRef::as_ref), 1000.0)?.into()
        }
    })
}

/// The value as a string.
pub(crate) fn text(value: &Json) -> Result<&str, Failure> {
    value.as_str().ok_or_else(|| {
        Failure::Wrong(format!(
            "{} is not a text; convert a number with `string(…)`",
            what(value)
        ))
    })
}

/// The value as a JSON number, an integer where it is whole.
pub(crate) fn number(value: f64) -> Result<Json, Failure> {
    #[expect(clippy::cast_possible_truncation, reason = "whole and below 2^53")]
    if value.fract() == 0.0 && value.abs() < 9_007_199_254_740_992.0 {
        return Ok((value as i64).into());
    }
    Number::from_f64(value)
        .map(Json::Number)
        .ok_or_else(|| Failure::Wrong("the result is not a finite number".to_owned()))
}

/// Rejects a string that would be too long.
pub(crate) fn bounded(length: usize) -> Result<(), Failure> {
    if length > LONGEST {
        Err(Failure::Wrong(
            "the resulting text is longer than 1 MiB".to_owned(),
        ))
    } else {
        Ok(())
    }
}
