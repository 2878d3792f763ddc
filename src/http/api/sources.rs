//! `GET /api/v1/sources`: the sources of alerts and events, and the activity of each.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use crate::app::App;
use crate::app::intake::source_status::{SourceOverview, SourceProtocol};
use crate::config::credentials::Auth;
use crate::config::source_auth::SourceAuth;
use crate::http::error::Error;
use crate::http::format::source::silence_sentence;
use crate::http::handler::read_store;
use crate::model::time::Time;

/// `GET /api/v1/sources`
pub(crate) async fn list(State(app): State<Arc<App>>) -> Result<Json<Value>, Error> {
    let sources = read_store(&app, |app| app.intake.sources()).await?;
    let (settings, now) = (app.core.settings(), app.core.now());
    let base = settings.config.external_url.trim_end_matches('/');
    Ok(Json(
        sources
            .iter()
            .map(|source| source_json(source, base, settings.access.is_some(), now))
            .collect(),
    ))
}

fn source_json(source: &SourceOverview, base: &str, guarded: bool, now: Time) -> Value {
    let day = source.tally.last_day(now);
    let proof = match &source.auth {
        SourceAuth::Shown(Auth::None)
            if guarded
                && matches!(
                    source.speaks,
                    SourceProtocol::Alertmanager | SourceProtocol::Events
                ) =>
        {
            "access"
        }
        SourceAuth::Shown(Auth::None) => "none",
        SourceAuth::Shown(Auth::Bearer(_)) => "bearer",
        SourceAuth::Shown(Auth::Basic { .. }) => "basic",
        SourceAuth::Shown(Auth::Header { .. }) => "header",
        SourceAuth::Certificate => "certificate",
        SourceAuth::Query { .. } => "query",
        SourceAuth::Signature { .. } => "signature",
    };
    json!({
        "name": source.name,
        "kind": source.speaks.label(),
        "url": format!("{base}{}", source.path),
        "auth": proof,
        "last_message_at": source.tally.seen.last_message,
        "last_event_at": source.tally.seen.last_event,
        "last_refused_at": source.tally.seen.last_refused,
        "last_limited_at": source.tally.seen.last_limited,
        "last_24h": {"messages": day.messages, "events": day.events, "refused": day.refused, "limited": day.limited},
        "quarantined": source.waiting.as_ref().map_or(0, |waiting| waiting.count),
        "last_fault": source.waiting.as_ref().map(|waiting| json!({"at": waiting.last_at, "fault": waiting.last_fault})),
        "longest_silence_seconds": source.rhythm.longest.map(|longest| longest.num_seconds()),
        "silent_after_seconds": source.rhythm.silent_after.map(|after| after.num_seconds()),
        "silent": source.rhythm.is_silent(),
        "told": silence_sentence(source),
    })
}
