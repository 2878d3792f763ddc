//! The envelope of Amazon SNS, in both spellings.

use serde_json::{Map, Value};

use crate::ingest::error::{IngestFault, expect_opening, json_fault};
use crate::ingest::time;
use crate::model::time::Time;

/// Maximum number of envelopes in a body. A function gets one at a time.
const MOST: usize = 100;

/// A message of a topic.
#[derive(Debug, Clone)]
pub(crate) struct SnsEnvelope(Map<String, Value>);

/// The `Type` of an envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SnsMessageType {
    /// A published message.
    Notification,
    /// A request to confirm a subscription.
    SubscriptionConfirmation,
    /// The end of a subscription.
    UnsubscribeConfirmation,
}

impl SnsEnvelope {
    /// A string field, byte by byte as sent. Forwarding functions write `Url` for `URL`.
    #[must_use]
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let other = || {
            name.strip_suffix("URL")
                .and_then(|stem| self.0.get(&format!("{stem}Url")))
        };
        self.0.get(name).or_else(other).and_then(Value::as_str)
    }

    /// The type; `None` if it is unknown.
    #[must_use]
    pub(crate) fn kind(&self) -> Option<SnsMessageType> {
        Some(match self.get("Type")? {
            "Notification" => SnsMessageType::Notification,
            "SubscriptionConfirmation" => SnsMessageType::SubscriptionConfirmation,
            "UnsubscribeConfirmation" => SnsMessageType::UnsubscribeConfirmation,
            _ => return None,
        })
    }

    /// Time of publication.
    #[must_use]
    pub(crate) fn timestamp(&self) -> Option<Time> {
        time::parse(self.get("Timestamp")?).ok()
    }
}

/// The envelopes in a body; none if the content came bare.
///
/// # Errors
/// When it is not a JSON object. Bare text is not accepted: it names no topic and is not signed.
pub(crate) fn envelopes(body: &[u8]) -> Result<Vec<SnsEnvelope>, IngestFault> {
    const EXPECTED: &str = "a message of Amazon SNS";
    expect_opening(body, b'{', EXPECTED)?;
    let Value::Object(mut whole) =
        serde_json::from_slice(body).map_err(|error| json_fault(&error, EXPECTED))?
    else {
        return Err(IngestFault::Missing {
            field: "Type",
            advice: "Amazon SNS sends a JSON object.",
        });
    };
    if let Some(Value::Array(records)) = whole.get_mut("Records") {
        let inside = records.iter_mut().take(MOST).filter_map(|record| {
            match record.get_mut("Sns").map(Value::take) {
                Some(Value::Object(envelope)) => Some(SnsEnvelope(envelope)),
                _ => None,
            }
        });
        let inside: Vec<SnsEnvelope> = inside.collect();
        if inside.is_empty() {
            return Err(IngestFault::Missing {
                field: "Records[0].Sns",
                advice: "The records contain no message of Amazon SNS.",
            });
        }
        return Ok(inside);
    }
    // A bare alarm has none of these fields.
    let enveloped = ["Type", "TopicArn", "MessageId"]
        .iter()
        .all(|key| whole.contains_key(*key));
    Ok(if enveloped {
        vec![SnsEnvelope(whole)]
    } else {
        Vec::new()
    })
}
