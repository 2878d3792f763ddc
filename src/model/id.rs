//! Ids of events, subjects, incidents and postmortems, derived from content and written as hex
//! digits.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest, Sha256};

/// Id of an incident, derived from its opening event: `i-` and ten hex digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IncidentId(pub String);

impl fmt::Display for IncidentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Id of a postmortem: `pm-` and the digits of its incident's id. An incident has at most one
/// postmortem.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PostmortemId(pub String);

impl fmt::Display for PostmortemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The first `bytes` bytes of the SHA-256 of `text`, in hex.
#[must_use]
pub fn hex(text: &str, bytes: usize) -> String {
    let digest = Sha256::digest(text.as_bytes());
    digest
        .iter()
        .take(bytes)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Id of an event, a hash of its content: equal facts have equal ids, whichever source repeats
/// them. Written as 32 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId([u8; 16]);

/// Id of an event's subject, shared by firing, acknowledgement and resolution. Written as 16 hex
/// digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject(u64);

/// Parse error of an id: not the given number of lower-case hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected {0} lower-case hex digits")]
pub struct ParseIdError(usize);

impl EventId {
    /// The smallest id.
    pub const FIRST: Self = Self([0; 16]);

    /// The id of the fact with this canonical text.
    pub(crate) fn of(text: &str) -> Self {
        let digest = Sha256::digest(text.as_bytes());
        Self(std::array::from_fn(|index| digest[index]))
    }

    /// Its first eight bytes as a number.
    #[must_use]
    pub fn digest(self) -> u64 {
        let digits: [u8; 32] = std::array::from_fn(|place| {
            let byte = self.0[place / 2];
            b"0123456789abcdef"[usize::from(if place % 2 == 0 { byte >> 4 } else { byte & 15 })]
        });
        let digest = Sha256::digest(digits);
        u64::from_be_bytes(std::array::from_fn(|index| digest[index]))
    }

    /// Its bytes. It is a hash, so any part of them is one too.
    #[must_use]
    pub fn bytes(self) -> [u8; 16] {
        self.0
    }
}

impl Subject {
    /// The subject with this canonical text.
    pub(crate) fn of(text: &str) -> Self {
        let digest = Sha256::digest(text.as_bytes());
        Self(u64::from_be_bytes(std::array::from_fn(|index| {
            digest[index]
        })))
    }

    /// Its value as a number.
    #[must_use]
    pub fn number(self) -> u64 {
        self.0
    }
}

impl From<u128> for EventId {
    fn from(number: u128) -> Self {
        Self(number.to_be_bytes())
    }
}

impl From<u64> for Subject {
    fn from(number: u64) -> Self {
        Self(number)
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EventId(\"{self}\")")
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Subject(\"{self}\")")
    }
}

impl FromStr for EventId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        digits(text, 32)
            .and_then(|text| u128::from_str_radix(text, 16).map_err(|_| ParseIdError(32)))
            .map(Self::from)
    }
}

impl FromStr for Subject {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        digits(text, 16)
            .and_then(|text| u64::from_str_radix(text, 16).map_err(|_| ParseIdError(16)))
            .map(Self)
    }
}

/// Validates `text` as `length` lower-case hex digits. Only this form is accepted, so that equal
/// ids are equal texts.
fn digits(text: &str, length: usize) -> Result<&str, ParseIdError> {
    let fits = text.len() == length
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if fits {
        Ok(text)
    } else {
        Err(ParseIdError(length))
    }
}

impl Serialize for EventId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for Subject {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for EventId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        parse(deserializer)
    }
}

impl<'de> Deserialize<'de> for Subject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        parse(deserializer)
    }
}

fn parse<'de, D: Deserializer<'de>, T: FromStr<Err = ParseIdError>>(
    deserializer: D,
) -> Result<T, D::Error> {
    // Owned when the JSON string has escapes, borrowed otherwise.
    let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
    text.parse().map_err(de::Error::custom)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use super::{EventId, Subject};

    #[test]
    fn names_read_back_as_they_are_written() {
        let id = EventId::of("alert firing");
        assert_eq!(
            serde_json::from_str::<EventId>(&serde_json::to_string(&id).unwrap()).unwrap(),
            id
        );
        let subject = Subject::from(0xab);
        assert_eq!(subject.to_string(), "00000000000000ab");
        assert_eq!(
            serde_json::from_value::<Subject>(serde_json::to_value(subject).unwrap()).unwrap(),
            subject
        );
    }

    #[test]
    fn there_is_one_way_to_write_a_name() {
        for text in [
            "",
            "ab",
            "00000000000000AB",
            "+0000000000000ab",
            "00000000000000abc",
        ] {
            assert_eq!(
                text.parse::<Subject>().unwrap_err().to_string(),
                "expected 16 lower-case hex digits",
                "{text}"
            );
        }
        assert!(
            "00000000000000ab00000000000000ag"
                .parse::<EventId>()
                .is_err()
        );
    }

    #[test]
    fn names_are_in_the_order_of_their_text() {
        let mut ids: Vec<EventId> = ["a", "b", "c", "d"].map(EventId::of).to_vec();
        ids.sort_unstable();
        assert!(ids.is_sorted_by_key(ToString::to_string));
        assert!(EventId::FIRST < ids[0]);
    }
}
