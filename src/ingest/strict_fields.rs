//! Strict access to the JSON of our own API: each fault names its path, and an unknown key names
//! the nearest known one.

use serde::de::value::Error as ValueError;
use serde::de::{DeserializeOwned, IntoDeserializer};
use serde_json::{Map, Value};

use super::error::MemberFault;
use super::event_keys::LinkKeys;
use super::{alert_payload, time};
use crate::model::event::{Link, Severity};
use crate::model::field_names::field_names;
use crate::model::labels::Labels;
use crate::model::settings::LabelNames;
use crate::model::time::Time;

/// Maximum length of a name in characters: a service, a title, a key.
pub(crate) const LINE: usize = 300;
/// Maximum length of an explanation in characters.
pub(crate) const PROSE: usize = 4000;

/// An object and its path in the body.
pub(crate) struct StrictFields<'a> {
    index: Option<usize>,
    path: String,
    map: &'a Map<String, Value>,
}

impl<'a> StrictFields<'a> {
    /// Opens `value`, the `index`th member of a list, or the whole body.
    pub(crate) fn open(value: &'a Value, index: Option<usize>) -> Result<Self, MemberFault> {
        Self::open_at(
            value,
            index,
            index.map_or_else(String::new, |index| format!("[{index}]")),
        )
    }

    fn open_at(value: &'a Value, index: Option<usize>, path: String) -> Result<Self, MemberFault> {
        match value {
            Value::Object(map) => Ok(Self { index, path, map }),
            other => Err(MemberFault {
                index,
                path,
                message: format!("expected an object, found {}", type_name(other)),
            }),
        }
    }

    /// Refuses keys that are not in `known`.
    pub(crate) fn only(&self, known: &[&str]) -> Result<(), MemberFault> {
        match self.map.keys().find(|key| !known.contains(&key.as_str())) {
            Some(key) => Err(self.fault(key, format!("unknown key{}", nearest(key, known)))),
            None => Ok(()),
        }
    }

    pub(crate) fn fault(&self, key: &str, message: impl Into<String>) -> MemberFault {
        let dot = if self.path.is_empty() || key.is_empty() {
            ""
        } else {
            "."
        };
        MemberFault {
            index: self.index,
            path: format!("{}{dot}{}", self.path, short(key)),
            message: message.into(),
        }
    }

    /// The value of a key; `None` for null.
    fn get(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    fn string(&self, key: &str, most: usize) -> Result<Option<&'a str>, MemberFault> {
        let text = match self.get(key) {
            None => return Ok(None),
            Some(Value::String(text)) => text.trim(),
            Some(other) => {
                return Err(self.fault(
                    key,
                    format!("expected a string, found {}", type_name(other)),
                ));
            }
        };
        let length = text.chars().count();
        if length > most {
            return Err(self.fault(
                key,
                format!("{length} characters; at most {most} are accepted. Link to the rest"),
            ));
        }
        // Forms send what was left empty as an empty string.
        Ok(Some(text).filter(|text| !text.is_empty()))
    }

    /// A short text of one line; blank is absent.
    pub(crate) fn single_line(&self, key: &str) -> Result<Option<String>, MemberFault> {
        let text = self.string(key, LINE)?;
        if text.is_some_and(|text| text.chars().any(char::is_control)) {
            return Err(self.fault(key, "expected one line of text without control characters"));
        }
        Ok(text.map(str::to_owned))
    }

    /// A text that may have several lines; blank is absent.
    pub(crate) fn prose(&self, key: &str) -> Result<Option<String>, MemberFault> {
        let text = self
            .string(key, PROSE)?
            .map(|text| text.replace("\r\n", "\n").replace('\r', "\n"));
        if text.as_ref().is_some_and(|text| {
            text.chars()
                .any(|letter| letter.is_control() && !matches!(letter, '\n' | '\t'))
        }) {
            return Err(self.fault(key, "expected text without control characters"));
        }
        Ok(text)
    }

    /// Unwraps a required value, or gives a fault with `advice`.
    pub(crate) fn required<T>(
        &self,
        key: &str,
        value: Option<T>,
        advice: &str,
    ) -> Result<T, MemberFault> {
        value.ok_or_else(|| {
            self.fault(
                key,
                format!(
                    "{}. {advice}",
                    if self.has(key) { "blank" } else { "missing" }
                ),
            )
        })
    }

    pub(crate) fn time(&self, key: &str) -> Result<Option<Time>, MemberFault> {
        self.string(key, LINE)?
            .map(|text| time::parse_stated(text).map_err(|message| self.fault(key, message)))
            .transpose()
    }

    pub(crate) fn flag(&self, key: &str) -> Result<Option<bool>, MemberFault> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(other) => Err(self.fault(
                key,
                format!("expected true or false, found {}", type_name(other)),
            )),
        }
    }

    pub(crate) fn number(&self, key: &str) -> Result<Option<f64>, MemberFault> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Number(number)) => Ok(number.as_f64()),
            Some(other) => Err(self.fault(
                key,
                format!("expected a number, found {}", type_name(other)),
            )),
        }
    }

    /// Whole seconds, zero or more, at most a year.
    pub(crate) fn seconds(&self, key: &str) -> Result<Option<i64>, MemberFault> {
        match self.get(key) {
            None => Ok(None),
            Some(value) => match value
                .as_i64()
                .filter(|seconds| (0..=366 * 86_400).contains(seconds))
            {
                Some(seconds) => Ok(Some(seconds)),
                None => Err(self.fault(key, "expected whole seconds from 0 to one year")),
            },
        }
    }

    /// A whole number, zero or more.
    pub(crate) fn count(&self, key: &str) -> Result<Option<u32>, MemberFault> {
        match self.get(key) {
            None => Ok(None),
            Some(value) => match value.as_u64().and_then(|count| u32::try_from(count).ok()) {
                Some(count) => Ok(Some(count)),
                None => Err(self.fault(key, "expected a whole number, zero or more")),
            },
        }
    }

    /// The value of a key that accepts the words of an enum.
    pub(crate) fn keyword<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, MemberFault> {
        let word = self.one_of(key, field_names::<T>())?;
        let read =
            |word: String| T::deserialize(IntoDeserializer::<ValueError>::into_deserializer(word));
        Ok(word.and_then(|word| read(word).ok()))
    }

    /// The value of a key that accepts these words.
    pub(crate) fn one_of(&self, key: &str, words: &[&str]) -> Result<Option<String>, MemberFault> {
        let word = self.single_line(key)?;
        match &word {
            Some(text) if !words.contains(&text.as_str()) => Err(self.fault(
                key,
                format!(
                    "`{}` is not a valid value{}",
                    text.chars().take(40).collect::<String>(),
                    nearest(text, words)
                ),
            )),
            _ => Ok(word),
        }
    }

    pub(crate) fn severity(
        &self,
        key: &str,
        names: &LabelNames,
    ) -> Result<Option<Severity>, MemberFault> {
        let Some(word) = self.single_line(key)? else {
            return Ok(None);
        };
        match super::labels::severity_word(&word, names) {
            Some(severity) => Ok(Some(severity)),
            None => Err(self.fault(
                key,
                "unknown severity. Write critical, warning, info, none or unknown, or add the word to `labels.severities`",
            )),
        }
    }

    /// An object of strings; empty strings are dropped, as in Prometheus.
    pub(crate) fn labels(&self, key: &str) -> Result<Labels, MemberFault> {
        let map = match self.get(key) {
            None => return Ok(Labels::new()),
            Some(Value::Object(map)) => map,
            Some(other) => {
                return Err(self.fault(
                    key,
                    format!("expected an object of strings, found {}", type_name(other)),
                ));
            }
        };
        let mut labels = Labels::new();
        for (name, value) in map {
            match value {
                Value::String(text) if text.is_empty() => {}
                Value::String(text) => {
                    labels.insert(name.clone(), text.clone());
                }
                other => {
                    return Err(self.fault(
                        &format!("{key}.{name}"),
                        format!("expected a string, found {}", type_name(other)),
                    ));
                }
            }
        }
        Ok(labels)
    }

    pub(crate) fn object(&self, key: &str) -> Result<Option<StrictFields<'a>>, MemberFault> {
        self.get(key)
            .map(|value| StrictFields::open_at(value, self.index, self.fault(key, "").path))
            .transpose()
    }

    /// A list of `{"title": …, "url": …}`; the title may be left out.
    pub(crate) fn links(&self, key: &str) -> Result<Vec<Link>, MemberFault> {
        let list = match self.get(key) {
            None => return Ok(Vec::new()),
            Some(Value::Array(list)) => list,
            Some(other) => {
                return Err(self.fault(
                    key,
                    format!("expected a list of links, found {}", type_name(other)),
                ));
            }
        };
        let read = |(place, value): (usize, &'a Value)| {
            let fields = StrictFields::open_at(
                value,
                self.index,
                self.fault(&format!("{key}[{place}]"), "").path,
            )?;
            fields.only(field_names::<LinkKeys>())?;
            let url = fields.required(
                "url",
                fields.string("url", PROSE)?,
                "Write the address, beginning with https:// or http://",
            )?;
            let title = fields
                .single_line("title")?
                .unwrap_or_else(|| url.to_owned());
            alert_payload::link(&title, url).ok_or_else(|| {
                fields.fault(
                    "url",
                    "not an address that begins with https:// or http:// and has no spaces",
                )
            })
        };
        list.iter().enumerate().map(read).collect()
    }
}

/// A hint naming the nearest of `known`, or all of them when none is near.
fn nearest(word: &str, known: &[&str]) -> String {
    let word = short(word);
    // A plain distance: one slip, or two in a longer word, is a typing error; more is another word.
    let near = known
        .iter()
        .map(|known| (strsim::damerau_levenshtein(&word, known), known))
        .min();
    match near {
        Some((distance, known)) if distance <= 1 + known.len() / 4 => {
            format!("; did you mean `{known}`?")
        }
        _ => format!("; expected one of {}", known.join(", ")),
    }
}

/// Shortens a sender's text for a message.
fn short(text: &str) -> String {
    if text.chars().count() <= 80 {
        text.to_owned()
    } else {
        text.chars().take(80).chain(['…']).collect()
    }
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
