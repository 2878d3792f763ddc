//! Who sends: the page and the JSON of it.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::Html;
use serde_json::{Value, json};

use super::error::Error;
use super::handler::read_store;
use super::pages;
use super::web::Page;
use crate::app::App;
use crate::app::intake::source_status::{SourceShown, Speaks};
use crate::config::{Auth, SourceAuth};
use crate::model::time::Time;

/// `GET /sources`
pub(crate) async fn page(State(app): State<Arc<App>>) -> Page {
    let (sources, measured) = read_store(&app, |app| Ok((app.sources()?, app.measured()?))).await?;
    let (settings, now) = (app.settings(), app.now());
    let base = settings.config.external_url.trim_end_matches('/');
    // Of an entry with targets, those tell.
    let has_parts = |name: &str| {
        measured.sources().keys().any(|other| {
            other
                .strip_prefix(name)
                .is_some_and(|rest| rest.starts_with(' '))
        })
    };
    let asked = measured
        .sources()
        .iter()
        .filter(|(name, _)| !has_parts(name));
    let view = pages::sources::View {
        now,
        rows: sources
            .iter()
            .map(|source| pages::sources::row(source, base, settings.access.is_some(), now))
            .collect(),
        metrics: asked
            .map(|(name, status)| (name.clone(), status.answered, status.fault.clone()))
            .collect(),
        replicas: app.store.is_shared(),
    };
    Ok(Html(pages::sources::render(&view)))
}

/// `GET /api/v1/sources`
pub(crate) async fn listed(State(app): State<Arc<App>>) -> Result<Json<Value>, Error> {
    let sources = read_store(&app, App::sources).await?;
    let (settings, now) = (app.settings(), app.now());
    let base = settings.config.external_url.trim_end_matches('/');
    Ok(Json(
        sources
            .iter()
            .map(|source| row(source, base, settings.access.is_some(), now))
            .collect(),
    ))
}

fn row(source: &SourceShown, base: &str, guarded: bool, now: Time) -> Value {
    let day = source.tally.last_day(now);
    let proof = match &source.auth {
        SourceAuth::Shown(Auth::None)
            if guarded && matches!(source.speaks, Speaks::Alertmanager | Speaks::Events) =>
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
        "kind": source.speaks.word(),
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
        "told": pages::sources::silence(source),
    })
}
