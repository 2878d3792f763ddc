//! `afterword on-call`: the people on call for a service at an instant.

use chrono::SecondsFormat;
use clap::Args;
use form_urlencoded::Serializer;
use serde_json::Value;

use super::options::ServiceConnection;
use super::output::say;
use super::report;
use crate::model::time::Time;

/// Arguments of `afterword on-call`.
#[derive(Debug, Args)]
pub(crate) struct OnCallArgs {
    /// Service name.
    service: String,
    /// Instant: 2026-11-23T10:00Z, 2026-11-23, or a duration before now (2h). Default: now.
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    #[command(flatten)]
    from: ServiceConnection,
}

pub(crate) fn on_call(asked: &OnCallArgs) -> u8 {
    let mut query = Serializer::new(String::new());
    query.append_pair("service", &asked.service);
    if let Some(at) = &asked.at {
        query.append_pair("at", at);
    }
    let path = format!("/api/v1/on-call?{}", query.finish());
    let answer = match report::read(&asked.from, &path) {
        Ok(answer) => answer,
        Err(code) => return code,
    };
    say(&match asked.from.format {
        Some(_) => answer.to_string(),
        None => on_call_text(&answer),
    });
    0
}

fn on_call_text(answer: &Value) -> String {
    let texts = |key: &str| -> Vec<&str> {
        let values = answer.get(key).and_then(Value::as_array);
        let values = values.into_iter().flatten();
        values.filter_map(Value::as_str).collect()
    };
    let text = |key: &str| answer.get(key).and_then(Value::as_str).unwrap_or_default();
    let people = texts("people").join(", ");
    let who = match (answer.get("known"), people.is_empty()) {
        (Some(Value::Bool(true)), false) => people,
        (Some(Value::Bool(true)), true) => "no one".to_owned(),
        _ => "unknown".to_owned(),
    };
    let mut lines = vec![format!(
        "On call for {} at {}: {who}",
        text("service"),
        whole_seconds(text("at"))
    )];
    lines.extend(texts("why").iter().map(|why| format!("  {why}")));
    lines.join("\n")
}

/// A time of the service without fractions of a second.
fn whole_seconds(at: &str) -> String {
    at.parse::<Time>().map_or_else(
        |_| at.to_owned(),
        |at| at.to_rfc3339_opts(SecondsFormat::Secs, true),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::on_call_text;

    #[test]
    fn no_one_on_call_is_told_as_on_the_pages_and_without_microseconds() {
        let answer = json!({
            "service": "checkout", "at": "2026-11-29T00:37:49.007068Z", "known": true,
            "people": [], "why": ["no shift at this time"],
        });
        assert_eq!(
            on_call_text(&answer),
            "On call for checkout at 2026-11-29T00:37:49Z: no one\n  no shift at this time"
        );
    }
}
