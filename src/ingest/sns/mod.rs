//! CloudWatch alarms through Amazon SNS. An envelope contains the alarm as text:
//!
//! ```json
//! {"Type": "Notification", "MessageId": "e288882d-…", "TopicArn": "arn:aws:sns:eu-west-1:123456789012:alarms",
//!  "Subject": "ALARM: \"checkout-5xx\" in EU (Ireland)", "Timestamp": "2026-11-23T07:01:03.134Z",
//!  "Message": "{\"AlarmName\":\"checkout-5xx\",\"NewStateValue\":\"ALARM\",\"StateChangeTime\":\"2026-11-23T07:01:03.093+0000\",…}",
//!  "SignatureVersion": "2", "Signature": "Wui8Zx…", "SigningCertURL": "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-….pem"}
//! ```
//!
//! The content type is `text/plain`. A forwarding function wraps the message in `Records[].Sns` and
//! writes `SigningCertUrl`; with raw delivery the alarm comes bare and unsigned, with the topic in
//! a header. A subscription begins with a message that must be confirmed. [`signature`]
//! authenticates messages before they are parsed here, if the settings ask for it.

mod alarm;
pub(crate) mod envelope;
pub(crate) mod signature;

use serde_json::Value;

use super::error::{IngestFault, MemberFault};
use super::json_fields;
use super::json_fields::{fault, prose, single_line};
use super::message::Message;
use super::reading::Reading;
use super::redaction;
use crate::model::event::{Fact, Note};
use envelope::{SnsEnvelope, SnsMessageType, envelopes};

/// Lower-case name of the topic's header. With raw delivery the topic is nowhere else.
const TOPIC: &str = "x-amz-sns-topic-arn";

/// Fields that end or confirm a subscription, in both spellings.
const SECRETS: [&str; 5] = [
    "UnsubscribeURL",
    "UnsubscribeUrl",
    "Token",
    "SubscribeURL",
    "SubscribeUrl",
];
/// Number of those that are never stored.
const NEVER: usize = 3;

/// Parses a message: alarms, and a note for any other content.
///
/// # Errors
/// When it is neither an SNS envelope nor the content of one.
pub(crate) fn webhook(message: &Message<'_>) -> Result<Reading, IngestFault> {
    let envelopes = match envelopes(message.body) {
        // With raw delivery, any content is possible.
        Err(_) if message.headers.text(TOPIC).is_some() => Vec::new(),
        read => read?,
    };
    if envelopes.is_empty() {
        let text = String::from_utf8_lossy(message.body);
        let mut reading = Reading::default();
        read_content(message, &mut reading, &text, None, None)?;
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
    let topic = single_line(envelope.get("TopicArn").unwrap_or("no topic"));
    let told = |reading: &mut Reading, text: String| note(message, reading, &text, Some(envelope));
    match envelope.kind() {
        Some(SnsMessageType::Notification) => read_content(
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
        // Its URL would subscribe again.
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

/// Handles the published content: an alarm, or anything else.
fn read_content(
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

/// The body without what ends or confirms a subscription. The URL of a confirmation that could not
/// be verified stays, for people to look at.
#[must_use]
pub(crate) fn redacted_body(body: &[u8]) -> Vec<u8> {
    let unread = |envelope: &SnsEnvelope| {
        envelope.kind() == Some(SnsMessageType::SubscriptionConfirmation)
            && signature::subscribe_url(envelope).is_err()
    };
    let unread = envelopes(body).is_ok_and(|all| !all.is_empty() && all.iter().all(unread));
    redaction::json(body, if unread { &SECRETS[..NEVER] } else { &SECRETS })
}

/// The topics a message claims to belong to, from its envelopes or its header; `None` if one is not
/// stated.
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
