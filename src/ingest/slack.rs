//! Slack's slash commands, buttons and forms. A slash command is sent as a form; here as a list of
//! its fields, made, without those that are not read:
//!
//! ```text
//! command=/postmortem
//! text=checkout nobody could pay between nine and ten
//! user_id=U2CERLKJA
//! ```
//!
//! Buttons and forms are sent as a form with one field, `payload`, which is JSON:
//!
//! ```json
//! {"type": "block_actions", "user": {"id": "U2CERLKJA"}, "container": {"message_ts": "1795418463.000200"},
//!  "actions": [{"action_id": "afterword_request", "block_id": "i-0a1b2c3d4e", "value": "Nobody could pay", "action_ts": "1795418465.194939"}]}
//! ```
//!
//! A command requests a postmortem, and so does the action `afterword_request`; `afterword_note`
//! adds a note. The block of a button may name the incident. Slack waits three seconds for the
//! reply and shows it to the user.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::error::IngestFault;
use super::json_fields::{object, prose, single_line, text, value_at};
use super::message::Message;
use super::reading::{Reading, ReplyBody};
use super::redaction;
use crate::model::event::{Actor, ActorKind, Event, Fact, Note, PostmortemRequest};
use crate::model::time::Time;

/// Settings used for replies and requests.
#[derive(Debug, Clone, Default)]
pub struct SlackContext {
    /// Services a request may begin with.
    pub services: Vec<String>,
    /// Base URL of the pages, without a trailing slash.
    pub address: String,
}

/// Maximum number of fields in a form.
const FIELDS: usize = 100;
/// Maximum number of actions in a payload.
const ACTIONS: usize = 20;
/// Fields that give access to the workspace and are never stored.
const SECRETS: [&str; 4] = ["token", "trigger_id", "response_url", "response_urls"];

const JSON: &str = "application/json; charset=utf-8";

/// Parses a message.
///
/// # Errors
/// When a payload is not a JSON object.
pub(crate) fn webhook(message: &Message<'_>, desk: &SlackContext) -> Result<Reading, IngestFault> {
    if redaction::is_json(message.body) {
        return challenge(message);
    }
    let fields: Vec<(Cow<'_, str>, Cow<'_, str>)> =
        form_urlencoded::parse(message.body).take(FIELDS).collect();
    let field = |name: &str| {
        fields
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.trim())
            .filter(|text| !text.is_empty())
    };
    if let Some(payload) = field("payload") {
        let payload = object(payload.as_bytes(), "a payload as Slack sends it")?;
        return Ok(Reading::from_iter(pressed(message, desk, &payload)));
    }
    match (field("command"), field("user_id")) {
        (Some(command), Some(user)) => Ok(slash_command(
            message,
            desk,
            command,
            user,
            field("text").unwrap_or_default(),
        )),
        // Slack checks the address now and then, with `ssl_check=1`.
        _ => Ok(Reading::default()),
    }
}

/// The body without the fields that give access to the workspace.
#[must_use]
pub(crate) fn redacted_body(body: &[u8]) -> Vec<u8> {
    if redaction::is_json(body) {
        return redaction::json(body, &SECRETS);
    }
    let mut kept: Vec<Vec<u8>> = Vec::new();
    for field in body.split(|byte| *byte == b'&') {
        match form_urlencoded::parse(field).next() {
            Some((name, _)) if SECRETS.contains(&name.trim()) => {}
            Some((name, value)) if name == "payload" => {
                let cleaned = redaction::json(value.as_bytes(), &SECRETS);
                let cleaned = form_urlencoded::byte_serialize(&cleaned).collect::<String>();
                kept.push(format!("payload={cleaned}").into_bytes());
            }
            // The field may contain anything.
            _ => kept.push(redaction::text(field, &SECRETS)),
        }
    }
    kept.join(&b'&')
}

/// Replies to Slack's URL verification; channel events are ignored.
fn challenge(message: &Message<'_>) -> Result<Reading, IngestFault> {
    let body = object(message.body, "an event as Slack sends it")?;
    let reply = (text(&body, "type") == Some("url_verification"))
        .then(|| text(&body, "challenge"))
        .flatten();
    let reply = reply.map(|challenge| ReplyBody {
        media_type: JSON,
        body: json!({"challenge": single_line(challenge)}).to_string(),
    });
    Ok(Reading {
        reply,
        ..Reading::default()
    })
}

/// Handles a slash command.
fn slash_command(
    message: &Message<'_>,
    desk: &SlackContext,
    command: &str,
    user: &str,
    words: &str,
) -> Reading {
    if words.is_empty() || words.eq_ignore_ascii_case("help") {
        let command = single_line(command);
        let help = format!(
            "Say in a sentence what you want to understand, and when it was: `{command} nobody could pay between nine and ten`. \
             If you know the service, begin with its name; you need not."
        );
        return Reading {
            reply: Some(reply(&help)),
            ..Reading::default()
        };
    }
    let who = SlackUser {
        message,
        user,
        at: sent_at(message),
        incident: None,
    };
    let event = who.request(desk, words);
    let of = event
        .service
        .as_deref()
        .map(|service| format!(" about {}", plain(service)))
        .unwrap_or_default();
    let told = format!(
        "Your request for a postmortem{of} is recorded. Follow it at {}/incidents",
        desk.address
    );
    Reading {
        reports: vec![event.into()],
        reply: Some(reply(&told)),
        ..Reading::default()
    }
}

fn reply(words: &str) -> ReplyBody {
    ReplyBody {
        media_type: JSON,
        body: json!({"response_type": "ephemeral", "text": words}).to_string(),
    }
}

/// Escapes text for Slack.
fn plain(words: &str) -> String {
    words
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// Time of the request by its header: a command states no other time.
fn sent_at(message: &Message<'_>) -> Time {
    message
        .headers
        .text("x-slack-request-timestamp")
        .and_then(stamp)
        .unwrap_or(message.now)
}

/// Parses `1795418465.194939`, in seconds; the fraction distinguishes events of the same second.
fn stamp(text: &str) -> Option<Time> {
    let (seconds, micros) = text.split_once('.').unwrap_or((text, "0"));
    let number = |text: &str| {
        (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| text.parse::<i64>().ok())?
    };
    let micros = number(&format!("{:0<6}", micros.get(..micros.len().min(6))?))?;
    Time::from_timestamp_micros(
        number(seconds)?
            .checked_mul(1_000_000)?
            .checked_add(micros)?,
    )
}

/// A user's action at a time, perhaps about an incident.
struct SlackUser<'a> {
    message: &'a Message<'a>,
    user: &'a str,
    at: Time,
    incident: Option<&'a str>,
}

impl SlackUser<'_> {
    /// A request for a postmortem, about the service that its first word names, if any.
    fn request(&self, desk: &SlackContext, words: &str) -> Event {
        let first = words
            .split_whitespace()
            .next()
            .unwrap_or_default()
            .trim_end_matches([':', ',']);
        let service = desk
            .services
            .iter()
            .find(|known| known.eq_ignore_ascii_case(first));
        let request = PostmortemRequest {
            reason: prose(words),
            requester: Some(self.name()),
        };
        self.report_event(service.map(String::as_str), Fact::Request(request))
    }

    fn note(&self, words: &str) -> Event {
        self.report_event(None, Fact::Note(Note { text: prose(words) }))
    }

    fn name(&self) -> String {
        format!("slack:{}", single_line(self.user))
    }

    fn report_event(&self, service: Option<&str>, fact: Fact) -> Event {
        let mut event = Event::new(self.message.source, self.at, fact);
        event.service = service.map(Into::into);
        event.incident = self.incident.map(|incident| single_line(incident).into());
        event.actor = Some(Box::new(Actor {
            id: self.name(),
            kind: ActorKind::Human,
        }));
        event.identify();
        super::time::clamp(&mut event, self.message.now);
        event
    }

    /// The event of an action by its name; `None` if it is not one of ours.
    fn action_event(&self, name: &str, desk: &SlackContext, words: &str) -> Option<Event> {
        match name {
            "afterword_request" => Some(self.request(desk, words)),
            "afterword_note" => Some(self.note(words)),
            _ => None,
        }
    }
}

/// Events of a payload.
fn pressed(message: &Message<'_>, desk: &SlackContext, payload: &Value) -> Vec<Event> {
    let Some(user) = text(payload, "user.id") else {
        return Vec::new();
    };
    match text(payload, "type") {
        Some("block_actions") => {
            let actions = value_at(payload, "actions")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .take(ACTIONS);
            actions
                .filter_map(|action| button(message, desk, user, action))
                .collect()
        }
        Some("view_submission") => filled_in(message, desk, user, payload)
            .into_iter()
            .collect(),
        Some("message_action") => {
            let at = text(payload, "action_ts")
                .and_then(stamp)
                .unwrap_or_else(|| sent_at(message));
            let who = SlackUser {
                message,
                user,
                at,
                incident: None,
            };
            let event = || {
                who.action_event(
                    text(payload, "callback_id")?,
                    desk,
                    text(payload, "message.text")?,
                )
            };
            event().into_iter().collect()
        }
        _ => Vec::new(),
    }
}

/// The event of a button. It may be sent twice, even after its message changed; the time of the
/// action identifies it.
fn button(message: &Message<'_>, desk: &SlackContext, user: &str, action: &Value) -> Option<Event> {
    let at = text(action, "action_ts").and_then(stamp)?;
    let incident = text(action, "block_id").filter(|block| block.starts_with("i-"));
    let words = text(action, "value").or_else(|| text(action, "text.text"))?;
    SlackUser {
        message,
        user,
        at,
        incident,
    }
    .action_event(text(action, "action_id")?, desk, words)
}

/// The event of a submitted form with the fields `reason` and `service`. Its private metadata holds
/// the incident.
fn filled_in(
    message: &Message<'_>,
    desk: &SlackContext,
    user: &str,
    payload: &Value,
) -> Option<Event> {
    let blocks = value_at(payload, "view.state.values").and_then(Value::as_object)?;
    let entered = |name: &str| {
        let field = blocks.values().find_map(|block| value_at(block, name))?;
        text(field, "value").or_else(|| text(field, "selected_option.value"))
    };
    let reason = entered("reason")?;
    let words = entered("service").map_or_else(
        || reason.to_owned(),
        |service| format!("{service} {reason}"),
    );
    let incident =
        text(payload, "view.private_metadata").filter(|incident| incident.starts_with("i-"));
    SlackUser {
        message,
        user,
        at: sent_at(message),
        incident,
    }
    .action_event(text(payload, "view.callback_id")?, desk, &words)
}
