//! Scalar values of the settings: names, addresses, hours, time zones, times.

use core::net::IpAddr;
use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};

use crate::model::settings::Hours;
use crate::yaml::node::Position;
use crate::yaml::reader::Reader;
use crate::yaml::scalar::text_or_texts;
use crate::yaml::weekly_hours::{read_clock, read_days};

/// The name of an entry that messages call `what`, which must be its own and fit into an address.
pub(crate) fn entry_name(
    reader: &mut Reader<'_>,
    what: &str,
    name: &str,
    at: Position,
    seen: &mut BTreeMap<String, Position>,
) {
    reader.unique(seen, what, name, at);
    if !name
        .bytes()
        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    {
        reader.fault(
            at,
            format!("the name {name:?} is part of an address: use only a-z, 0-9 and -"),
        );
    }
}

/// Non-empty text on one line.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub(crate) struct Text(pub(crate) String);

/// One word, or a list of them.
#[derive(Debug, Clone, JsonSchema)]
#[schemars(transform = text_or_texts)]
pub(crate) struct TextList(pub(crate) Vec<String>);

/// An email address.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub(crate) struct Email(pub(crate) String);

/// Weekly hours: `Mon-Fri 09:00-17:00`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub(crate) struct WorkingHours(pub(crate) Hours);

/// `host:port`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub(crate) struct Listen {
    /// As it is written.
    pub(crate) address: String,
    /// True for a loopback address.
    pub(crate) loopback: bool,
    /// URL for a person on this machine.
    pub(crate) url: String,
}

/// Base URL without a trailing slash.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub(crate) struct BaseUrl(pub(crate) String);

/// URL of a metric source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HttpUrl {
    /// The address.
    pub(crate) url: String,
    /// Its host and port; the scheme's where none is written.
    pub(crate) instance: String,
    /// True if the URL has no path.
    pub(crate) bare: bool,
    /// True if the URL has a query.
    pub(crate) query: bool,
}

/// Size in bytes: `512KiB`, `10MiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub(crate) struct ByteSize(pub(crate) usize);

impl TryFrom<String> for Text {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Err("this is empty; write a value, or remove the key".to_owned());
        }
        if text.chars().any(char::is_control) {
            return Err(format!(
                "{text:?} holds a line break or another control character"
            ));
        }
        Ok(Self(text))
    }
}

impl<'de> Deserialize<'de> for TextList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextListVisitor;
        impl<'de> Visitor<'de> for TextListVisitor {
            type Value = TextList;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text or a list of texts")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<TextList, E> {
                Text::try_from(text.to_owned())
                    .map(|word| TextList(vec![word.0]))
                    .map_err(E::custom)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<TextList, A::Error> {
                let mut words = Vec::new();
                while let Some(Text(word)) = entries.next_element()? {
                    words.push(word);
                }
                Ok(TextList(words))
            }
        }
        deserializer.deserialize_any(TextListVisitor)
    }
}

impl TryFrom<String> for Email {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        // The address is copied into invites unescaped: a line break or a blank would begin a new line.
        let clean = !text.chars().any(|c| c.is_whitespace() || c.is_control());
        let parts: Vec<&str> = text.split('@').collect();
        if clean && matches!(parts.as_slice(), [user, host] if !user.is_empty() && !host.is_empty())
        {
            Ok(Self(text))
        } else {
            Err(format!(
                "{text:?} is not an email address; write for example name@example.com"
            ))
        }
    }
}

impl TryFrom<String> for WorkingHours {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let bad = |why: String| {
            format!(
                "{text:?} is not a weekly schedule: {why}; write for example Mon-Fri 09:00-17:00"
            )
        };
        let (days, times) = text
            .trim()
            .split_once(' ')
            .ok_or_else(|| bad("days and times are required".to_owned()))?;
        let days = read_days(days).map_err(bad)?;
        let (from, to) = times
            .trim()
            .split_once('-')
            .ok_or_else(|| bad("the end of the day is missing".to_owned()))?;
        let minute = |clock: &str| {
            read_clock(clock).ok_or_else(|| bad(format!("{clock:?} is not a time of day")))
        };
        let (from, to) = (minute(from)?, minute(to)?);
        if from >= to {
            return Err(bad("the day ends before it begins".to_owned()));
        }
        Ok(Self(Hours { days, from, to }))
    }
}

impl TryFrom<String> for Listen {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let bad = |why: &str| {
            format!("{text:?} is not a listen address: {why}; write for example 127.0.0.1:9099")
        };
        let (host, port) = text
            .rsplit_once(':')
            .ok_or_else(|| bad("the port is missing"))?;
        let digits = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
        let port: u16 = port
            .parse()
            .ok()
            .filter(|_| digits)
            .ok_or_else(|| bad("the port must be a number up to 65535"))?;
        let bracketed = host
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        let ip: Option<IpAddr> = match bracketed {
            Some(inner) => Some(
                inner
                    .parse()
                    .map(IpAddr::V6)
                    .map_err(|_| bad("the part between [ and ] must be an IPv6 address"))?,
            ),
            None => host.parse().ok().map(IpAddr::V4),
        };
        let named = !host.is_empty()
            && host
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-._".contains(c));
        if ip.is_none() {
            match host {
                "" => {
                    return Err(bad(
                        "the host is missing, and 0.0.0.0 is every address of this machine",
                    ));
                }
                // `300.1.1.1` would otherwise be looked up as a name.
                _ if !named || host.bytes().all(|b| b.is_ascii_digit() || b == b'.') => {
                    return Err(bad("the host is neither an address nor a name"));
                }
                _ => {}
            }
        }
        let loopback = ip.map_or_else(
            || host.eq_ignore_ascii_case("localhost"),
            |ip| ip.is_loopback(),
        );
        let reached = if ip.is_some_and(|ip| ip.is_unspecified()) {
            "localhost"
        } else {
            host
        };
        Ok(Self {
            loopback,
            url: format!("http://{reached}:{port}"),
            address: text,
        })
    }
}

impl TryFrom<String> for ByteSize {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let bad = || {
            format!(
                "{text:?} is not a size: the units are KiB and MiB; write for example 512KiB or 10MiB"
            )
        };
        let units = [("KiB", 1 << 10), ("MiB", 1 << 20)];
        let (number, unit) = units
            .iter()
            .find_map(|(name, bytes)| Some((text.strip_suffix(name)?, bytes)))
            .ok_or_else(bad)?;
        let number: usize = number.trim_end().parse().map_err(|_| bad())?;
        number.checked_mul(*unit).map(Self).ok_or_else(bad)
    }
}

impl TryFrom<String> for BaseUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let rest = text
            .strip_prefix("https://")
            .or_else(|| text.strip_prefix("http://"));
        let clean = !text
            .chars()
            .any(|c| c.is_whitespace() || c.is_control() || "<>\"'`\\".contains(c));
        let host =
            rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with(['/', ':', '?', '#']));
        if !clean || !host {
            return Err(format!(
                "{text:?} is not a web address; write for example https://afterword.example.com"
            ));
        }
        if text.contains(['@', '?', '#']) {
            return Err(
                "only scheme, host, port and path are allowed here: no user, `?` or `#`".to_owned(),
            );
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }
}

impl HttpUrl {
    /// Reads a URL. No message repeats it, since it may contain a password.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let bad = |why: &str| {
            format!("this is not a URL of a server: {why}; write for example http://localhost:9090")
        };
        let (rest, port) = match (text.strip_prefix("http://"), text.strip_prefix("https://")) {
            (Some(rest), _) => (rest, "80"),
            (_, Some(rest)) => (rest, "443"),
            _ => return Err(bad("it must begin with http:// or https://")),
        };
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(
                "an address must not contain a user or password; put them in `auth`".to_owned(),
            );
        }
        if path.contains('#') {
            return Err(bad("the part after `#` is never sent"));
        }
        if !path
            .bytes()
            .all(|b| b.is_ascii_graphic() && !b"<>\"`\\^{|}".contains(&b))
        {
            return Err(bad(
                "its path contains a character that must be percent-encoded",
            ));
        }
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port),
            _ => (authority, port),
        };
        let bracketed = host
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        if !bracketed.map_or_else(
            || is_host(host),
            |inner| inner.parse::<core::net::Ipv6Addr>().is_ok(),
        ) {
            return Err(bad("the host is neither an address nor a name"));
        }
        if !port.bytes().all(|b| b.is_ascii_digit())
            || !port.parse::<u16>().is_ok_and(|port| port > 0)
        {
            return Err(bad("the port must be a number from 1 to 65535"));
        }
        Ok(Self {
            url: text.to_owned(),
            instance: format!("{host}:{port}"),
            bare: path.is_empty(),
            query: path.contains('?'),
        })
    }
}

/// Host name or IPv4 address test.
pub(crate) fn is_host(text: &str) -> bool {
    let named = !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-._".contains(c));
    // `300.1.1.1` would otherwise be looked up as a name.
    named
        && (!text.bytes().all(|b| b.is_ascii_digit() || b == b'.')
            || text.parse::<core::net::Ipv4Addr>().is_ok())
}
