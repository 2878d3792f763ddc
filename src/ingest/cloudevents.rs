//! CloudEvents 1.0 over HTTP: structured, batched and binary. A structured one:
//!
//! ```json
//! {"specversion": "1.0", "id": "A234-1234-1234", "source": "/ci/shop", "type": "com.afterword.change", "subject": "checkout",
//!  "time": "2026-11-23T07:01:03Z", "data": {"what": "deploy", "revision": "4f2c1d9"}}
//! ```
//!
//! The content type selects the mode; if it names none, the `ce-` headers do. A null attribute is
//! unset. See
//! <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md>
//! and the JSON format beside it.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use super::error::{IngestFault, MemberFault, MemberPosition, expect_opening, json_fault};
use super::event_envelope;
use super::event_envelope::EnvelopedEvent;
use super::generic::mapping::Mapping;
use super::generic::run::MappingRun;
use super::message::Headers;
use super::message::Message;
use super::reading::Reading;

const EVENT: &str =
    "a CloudEvent, or a list of them with the content type application/cloudevents-batch+json";

/// Tests whether a message announces CloudEvents.
#[must_use]
pub(crate) fn says_so(headers: &Headers<'_>) -> bool {
    media_type(headers).starts_with("application/cloudevents")
        || headers.get("ce-specversion").is_some()
}

/// Parses a message. Of events with equal source and id only the first counts.
///
/// # Errors
/// When it is no CloudEvent in any of the three modes.
pub(crate) fn webhook(mapping: &Mapping, message: &Message<'_>) -> Result<Reading, IngestFault> {
    let mut run = MappingRun::new(message);
    let mut seen = BTreeSet::new();
    let (members, batch) = members(message)?;
    for (index, member) in members.into_iter().enumerate() {
        let index = batch.then_some(index);
        match member.and_then(|member| check_required(member, index)) {
            Ok(event) => {
                let key = ["source", "id"].map(|key| {
                    event
                        .attributes
                        .get(key)
                        .map(Value::to_string)
                        .unwrap_or_default()
                });
                if seen.insert(key) {
                    event_envelope::add_reports(&mut run, mapping, event, index, message);
                }
            }
            Err(fault) => run.fault(fault),
        }
    }
    Ok(run.reading)
}

type Members = Vec<Result<EnvelopedEvent, MemberFault>>;

/// The events of a message, and whether it is a batch.
fn members(message: &Message<'_>) -> Result<(Members, bool), IngestFault> {
    let kind = media_type(message.headers);
    if let Some(format) = kind
        .strip_prefix("application/cloudevents-batch")
        .or_else(|| kind.strip_prefix("application/cloudevents"))
        && !matches!(format, "" | "+json")
    {
        let advice =
            format!("{kind} is not supported; send the JSON format, application/cloudevents+json");
        return Err(MemberFault {
            index: None,
            path: "content-type".to_owned(),
            message: advice,
        }
        .into());
    }
    let body =
        || serde_json::from_slice::<Value>(message.body).map_err(|error| json_fault(&error, EVENT));
    if kind.starts_with("application/cloudevents-batch") {
        expect_opening(message.body, b'[', "a list of CloudEvents")?;
        return Ok((listed(body()?), true));
    }
    if kind.starts_with("application/cloudevents") {
        expect_opening(message.body, b'{', "a CloudEvent")?;
        return Ok((vec![structured(body()?, None)], false));
    }
    if message.headers.get("ce-specversion").is_some() {
        return Ok((vec![binary(message, &kind)], false));
    }
    // Some senders leave the content type at application/json.
    match body()? {
        Value::Array(list) => Ok((listed(Value::Array(list)), true)),
        one if one.get("specversion").is_some() => Ok((vec![structured(one, None)], false)),
        _ => Err(IngestFault::Missing {
            field: "specversion",
            advice: "Send the content type application/cloudevents+json, or the attributes as ce- headers.",
        }),
    }
}

fn listed(list: Value) -> Members {
    let Value::Array(list) = list else {
        return Vec::new();
    };
    list.into_iter()
        .enumerate()
        .map(|(index, one)| structured(one, Some(index)))
        .collect()
}

/// Parses one event in the JSON format.
fn structured(value: Value, index: Option<usize>) -> Result<EnvelopedEvent, MemberFault> {
    let position = MemberPosition::in_body(index);
    let Value::Object(mut object) = value else {
        return Err(position.fault("", "expected a CloudEvent, which is an object"));
    };
    let (plain, coded) = (
        object.remove("data").filter(|data| !data.is_null()),
        object.remove("data_base64").filter(|data| !data.is_null()),
    );
    let mut attributes = object;
    attributes.retain(|name, value| {
        is_attribute_name(name)
            && matches!(value, Value::String(_) | Value::Number(_) | Value::Bool(_))
    });
    let data = match (plain, coded) {
        (Some(_), Some(_)) => {
            return Err(position.fault(
                "data_base64",
                "`data` is given too; an event has one of them",
            ));
        }
        (Some(data), None) => data,
        (None, None) => Value::Null,
        (None, Some(coded)) => {
            let bytes = coded
                .as_str()
                .and_then(|text| STANDARD.decode(text.trim()).ok());
            let bytes = bytes.ok_or_else(|| position.fault("data_base64", "this is not base64"))?;
            content(
                &bytes,
                attributes
                    .get("datacontenttype")
                    .and_then(Value::as_str)
                    .unwrap_or_default(),
                position,
            )?
        }
    };
    Ok(EnvelopedEvent { attributes, data })
}

/// The event whose attributes stand in the headers.
fn binary(message: &Message<'_>, kind: &str) -> Result<EnvelopedEvent, MemberFault> {
    let position = MemberPosition::default();
    let mut attributes = Map::new();
    for (name, value) in message.headers.iter() {
        let Some(name) = name
            .strip_prefix("ce-")
            .filter(|name| is_attribute_name(name))
        else {
            continue;
        };
        let text = std::str::from_utf8(value)
            .ok()
            .and_then(|text| decoded(text.trim()));
        let text = text.ok_or_else(|| {
            position.fault(
                &format!("ce-{name}"),
                "this is not UTF-8, percent-encoded where it is not ASCII",
            )
        })?;
        attributes.insert(name.to_owned(), text.into());
    }
    let data = content(message.body, kind, position)?;
    if !kind.is_empty() {
        attributes.insert("datacontenttype".to_owned(), kind.into());
    }
    Ok(EnvelopedEvent { attributes, data })
}

/// Decodes a header's value: quotes are removed as in RFC 9110 §5.6.4, then it is percent-decoded
/// once.
fn decoded(text: &str) -> Option<String> {
    let inner = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    let plain = inner.map_or_else(
        || text.to_owned(),
        |inner| {
            let mut letters = inner.chars();
            std::iter::from_fn(|| {
                letters.next().and_then(|letter| {
                    if letter == '\\' {
                        letters.next()
                    } else {
                        Some(letter)
                    }
                })
            })
            .collect()
        },
    );
    percent_decode_str(&plain)
        .decode_utf8()
        .ok()
        .map(std::borrow::Cow::into_owned)
}

/// Parses the data by its media type. Without one it is JSON if it parses as JSON.
fn content(bytes: &[u8], kind: &str, position: MemberPosition) -> Result<Value, MemberFault> {
    if bytes.trim_ascii().is_empty() {
        return Ok(Value::Null);
    }
    let kind = kind
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    let text = || std::str::from_utf8(bytes).map_or(Value::Null, Value::from);
    match serde_json::from_slice(bytes) {
        Ok(value) if kind.is_empty() || kind.ends_with("/json") || kind.ends_with("+json") => {
            Ok(value)
        }
        Err(error) if kind.ends_with("/json") || kind.ends_with("+json") => {
            Err(position.fault("data", format!("not JSON: {error}")))
        }
        _ => Ok(text()),
    }
}

/// Tests an attribute name: lower-case letters and digits.
fn is_attribute_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit())
}

/// Checks the required attributes of an event.
fn check_required(
    event: EnvelopedEvent,
    index: Option<usize>,
) -> Result<EnvelopedEvent, MemberFault> {
    let position = MemberPosition::in_body(index);
    match event.attributes.get("specversion").and_then(Value::as_str) {
        Some("1.0") => {}
        Some(other) => {
            let other: String = other.chars().take(20).collect();
            return Err(position.fault(
                "specversion",
                format!("version {other} of CloudEvents is not supported, only 1.0 is"),
            ));
        }
        None => return Err(position.fault("specversion", "missing. Write 1.0")),
    }
    for name in ["id", "source", "type"] {
        if event
            .attributes
            .get(name)
            .and_then(Value::as_str)
            .is_none_or(|text| text.trim().is_empty())
        {
            return Err(position.fault(name, "missing. A CloudEvent has `id`, `source` and `type`"));
        }
    }
    Ok(event)
}

/// The content type without its parameters, in lower case.
fn media_type(headers: &Headers<'_>) -> String {
    headers
        .text("content-type")
        .and_then(|kind| kind.split(';').next())
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase()
}
