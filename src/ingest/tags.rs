//! Properties of an alert outside its identity: tags that give its service, and times since 1970.

use chrono::SubsecRound;
use serde_json::Value;

use super::message::Message;
use super::{labels, time};
use crate::model::event::{Actor, Event, Fact};
use crate::model::labels::{LabelSet, Labels};
use crate::model::time::Time;

/// Upper bounds of counts since 1970 in seconds, milliseconds and microseconds: each is a time in
/// the 32nd century or later.
const SECONDS: i64 = 100_000_000_000;
const MILLIS: i64 = SECONDS * 1000;
const MICROS: i64 = MILLIS * 1000;

/// Converts a count since 1970, a number or a string of digits, in seconds, milliseconds,
/// microseconds or nanoseconds by its size. Integers stay integers: nanoseconds exceed the
/// precision of a float.
pub(crate) fn since_1970(value: &Value) -> Option<Time> {
    let count = match value {
        Value::Number(number) => number.as_i64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    let micros = match count {
        ..1 => return None,
        1..SECONDS => count * 1_000_000,
        SECONDS..MILLIS => count * 1000,
        MILLIS..MICROS => count,
        MICROS.. => count / 1000,
    };
    Time::from_timestamp_micros(micros).map(|time| time.trunc_subsecs(6))
}

/// Parses tags such as `service:checkout`, split at the first colon. The first tag of a name
/// counts; a tag without a colon is ignored.
pub(crate) fn tags<'a>(tags: impl IntoIterator<Item = &'a str>) -> Labels {
    let mut named = Labels::new();
    for (name, value) in tags.into_iter().filter_map(|tag| tag.split_once(':')) {
        let (name, value) = (
            super::json_fields::single_line(name),
            super::json_fields::single_line(value),
        );
        if !name.is_empty() && !value.is_empty() {
            named.entry(name).or_insert(value);
        }
    }
    named
}

/// The service named by tags.
pub(crate) fn service(tags: &LabelSet, message: &Message<'_>) -> Option<String> {
    labels::service(tags, message.names).map(|(_, service)| service.to_owned())
}

/// Fills in the service and environment of an alert from tags, if its labels give none. The alert's
/// identity depends on neither.
pub(crate) fn place(event: &mut Event, tags: &LabelSet, message: &Message<'_>) {
    if event.service.is_none() {
        event.service = service(tags, message).map(Into::into);
    }
    if event.environment.is_none() {
        event.environment = labels::environment(tags, message.names).map(Into::into);
    }
}

/// Builds an event about an incident, by its key at the source, or about a service.
pub(crate) fn context_event(
    message: &Message<'_>,
    at: Time,
    service: Option<&str>,
    incident: Option<String>,
    actor: Option<Box<Actor>>,
    fact: Fact,
) -> Event {
    let mut event = Event::new(message.source, at, fact);
    event.service = service.map(super::json_fields::single_line).map(Into::into);
    event.incident = incident.map(Into::into);
    event.actor = actor;
    event.identify();
    time::clamp(&mut event, message.now);
    event
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{since_1970, tags};

    #[test]
    fn unit_of_counts_since_1970_follows_their_size() {
        for (count, wanted) in [
            (json!(1_502_709_956), Some("2017-08-14T11:25:56Z")),
            (
                json!(1_502_709_956_288_i64),
                Some("2017-08-14T11:25:56.288Z"),
            ),
            (json!("1502709956288"), Some("2017-08-14T11:25:56.288Z")),
            (
                json!(1_502_709_956_288_000_i64),
                Some("2017-08-14T11:25:56.288Z"),
            ),
            (
                json!(1_502_709_956_288_000_110_i64),
                Some("2017-08-14T11:25:56.288Z"),
            ),
            (
                json!(1_420_452_224_764_002_246_i64),
                Some("2015-01-05T10:03:44.764002Z"),
            ),
            (json!(0), None),
            (json!(-5), None),
            (json!("$DATE"), None),
            (json!(null), None),
            (json!(u64::MAX), None),
            (json!(1.5e18), None),
        ] {
            assert_eq!(
                since_1970(&count),
                wanted.and_then(|text| text.parse().ok()),
                "{count}"
            );
        }
    }

    #[test]
    fn first_tag_of_a_name_counts() {
        let named = tags([
            "service:checkout",
            "url:http://a",
            "vip",
            "service:other",
            " env : prod ",
            "empty:",
        ]);
        let named: Vec<(&str, &str)> = named
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        assert_eq!(
            named,
            [
                ("env", "prod"),
                ("service", "checkout"),
                ("url", "http://a")
            ]
        );
    }
}
