//! CloudWatch alarms by way of Amazon SNS. An envelope, and in it the alarm as text:
//!
//! ```json
//! {"Type": "Notification", "MessageId": "e288882d-…", "TopicArn": "arn:aws:sns:eu-west-1:123456789012:alarms",
//!  "Subject": "ALARM: \"checkout-5xx\" in EU (Ireland)", "Timestamp": "2026-11-23T07:01:03.134Z",
//!  "Message": "{\"AlarmName\":\"checkout-5xx\",\"NewStateValue\":\"ALARM\",\"StateChangeTime\":\"2026-11-23T07:01:03.093+0000\",…}",
//!  "SignatureVersion": "2", "Signature": "Wui8Zx…", "SigningCertURL": "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-….pem"}
//! ```
//!
//! It comes as `text/plain`. A function that passes it on wraps it in `Records[].Sns` and writes `SigningCertUrl`; with raw delivery the alarm
//! comes bare, the topic in a header, and nothing is signed. A subscription begins with a message of its own that has to be confirmed.
//! Whose a message is, is told by [`signature`]; what is read here has been found to be authentic, where the settings ask for it.

mod alarm;
pub(crate) mod envelope;
pub(crate) mod signature;

use serde_json::Value;

use super::error::{IngestFault, MemberFault};
use super::json_fields;
use super::json_fields::{fault, line, prose};
use super::message::Message;
use super::reading::Reading;
use super::redaction;
use crate::model::event::{Fact, Note};
use envelope::{SnsEnvelope, SnsMessageType, envelopes};

/// The header that names the topic of a message, in lower case. Raw delivery has it nowhere else.
const TOPIC: &str = "x-amz-sns-topic-arn";

/// What ends a subscription or confirms one, in both spellings.
const SECRETS: [&str; 5] = [
    "UnsubscribeURL",
    "UnsubscribeUrl",
    "Token",
    "SubscribeURL",
    "SubscribeUrl",
];
/// Of them, those that are never kept.
const NEVER: usize = 3;

/// Reads a message: alarms, and a note of each message that is none.
///
/// # Errors
/// When it is neither an envelope of SNS nor what such a one holds.
pub(crate) fn webhook(message: &Message<'_>) -> Result<Reading, IngestFault> {
    let envelopes = match envelopes(message.body) {
        // By raw delivery anything may come.
        Err(_) if message.headers.text(TOPIC).is_some() => Vec::new(),
        read => read?,
    };
    if envelopes.is_empty() {
        let text = String::from_utf8_lossy(message.body);
        let mut reading = Reading::default();
        said(message, &mut reading, &text, None, None)?;
        return Ok(reading);
    }
    let mut reading = Reading::default();
    for (index, envelope) in envelopes.iter().enumerate() {
        if let Err(mut fault) = enveloped(message, &mut reading, envelope) {
            if envelopes.len() > 1 {
                fault.index = Some(index);
                fault.path = format!("Records[{index}].Sns.{}", fault.path);
            }
            reading.faults.push(fault);
        }
    }
    Ok(reading)
}

fn enveloped(
    message: &Message<'_>,
    reading: &mut Reading,
    envelope: &SnsEnvelope,
) -> Result<(), MemberFault> {
    let text = envelope.get("Message").unwrap_or_default();
    let topic = line(envelope.get("TopicArn").unwrap_or("no topic"));
    let told = |reading: &mut Reading, text: String| note(message, reading, &text, Some(envelope));
    match envelope.kind() {
        Some(SnsMessageType::Notification) => said(
            message,
            reading,
            text,
            envelope.get("Subject"),
            Some(envelope),
        )?,
        Some(SnsMessageType::SubscriptionConfirmation) => {
            told(
                reading,
                format!("Amazon SNS asks to confirm the subscription to {topic}"),
            );
            let url = signature::subscribe_url(envelope)
                .map_err(|doubt| fault("SubscribeURL", doubt.to_string()))?;
            reading.confirm = Some(url);
        }
        // Its address would subscribe again.
        Some(SnsMessageType::UnsubscribeConfirmation) => {
            told(reading, format!("The subscription to {topic} has ended"));
        }
        None => {
            return Err(fault(
                "Type",
                "expected Notification, SubscriptionConfirmation or UnsubscribeConfirmation",
            ));
        }
    }
    Ok(())
}

/// What was published: an alarm, or anything.
fn said(
    message: &Message<'_>,
    reading: &mut Reading,
    text: &str,
    subject: Option<&str>,
    envelope: Option<&SnsEnvelope>,
) -> Result<(), MemberFault> {
    let alarm = serde_json::from_str::<Value>(text)
        .ok()
        .filter(|value| value.get("AlarmName").is_some());
    match alarm {
        Some(alarm) => {
            let topic = envelope.map_or_else(
                || message.headers.text(TOPIC),
                |envelope| envelope.get("TopicArn"),
            );
            alarm::read(message, reading, &alarm, topic)
        }
        None => {
            note(message, reading, subject.unwrap_or(text), envelope);
            Ok(())
        }
    }
}

fn note(message: &Message<'_>, reading: &mut Reading, text: &str, envelope: Option<&SnsEnvelope>) {
    let text = prose(text);
    if !text.is_empty() {
        let at = envelope
            .and_then(SnsEnvelope::timestamp)
            .unwrap_or(message.now);
        reading.push(json_fields::event(
            message,
            at,
            None,
            Fact::Note(Note { text }),
        ));
    }
}

/// What may be kept of a body: it without what ends or confirms a subscription. The address of a confirmation that could not be read stays,
/// for people to look at.
#[must_use]
pub(crate) fn kept(body: &[u8]) -> Vec<u8> {
    let unread = |envelope: &SnsEnvelope| {
        envelope.kind() == Some(SnsMessageType::SubscriptionConfirmation)
            && signature::subscribe_url(envelope).is_err()
    };
    let unread = envelopes(body).is_ok_and(|all| !all.is_empty() && all.iter().all(unread));
    redaction::json(body, if unread { &SECRETS[..NEVER] } else { &SECRETS })
}

/// The topics that a message claims to be of: those of its envelopes, or the one in its header. `None` of them where one is not told.
#[must_use]
pub(crate) fn topics(message: &Message<'_>) -> Option<Vec<String>> {
    let envelopes = envelopes(message.body).unwrap_or_default();
    if envelopes.is_empty() {
        return message
            .headers
            .text(TOPIC)
            .map(|topic| vec![topic.to_owned()]);
    }
    envelopes
        .iter()
        .map(|envelope| envelope.get("TopicArn").map(str::to_owned))
        .collect()
}

#[cfg(test)]
mod tests;
