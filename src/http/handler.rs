//! Helpers that every handler shares: store reads off the async threads, lookups by id, and request headers.

use std::net::IpAddr;
use std::sync::Arc;

use axum::http::{HeaderMap, header};

use super::error::Error;
use crate::app::App;
use crate::ingest::message::Headers;
use crate::model::incident::Incident;
use crate::store::error::StoreError;
use crate::store::incident::IncidentFilter;

/// The most rows of a JSON list.
pub(crate) const API_ROWS: usize = 500;
/// The most rows of a page.
pub(crate) const PAGE_ROWS: usize = 200;

/// Runs a read of the store off the async threads.
pub(crate) async fn read_store<T, F>(app: &Arc<App>, read: F) -> Result<T, Error>
where
    T: Send + 'static,
    F: FnOnce(&App) -> Result<T, StoreError> + Send + 'static,
{
    let app = Arc::clone(app);
    let done = tokio::task::spawn_blocking(move || read(&app)).await;
    Ok(done.map_err(|panic| Error::Internal(anyhow::anyhow!(panic)))??)
}

/// Incidents as of now, newest first.
pub(crate) async fn list_incidents(
    app: &Arc<App>,
    filter: IncidentFilter,
) -> Result<Vec<Incident>, Error> {
    read_store(app, move |app| {
        let found = app.core.store.incidents(filter)?;
        Ok(found
            .into_iter()
            .map(|incident| app.core.as_of_now(incident))
            .collect())
    })
    .await
}

/// The incident of that id or alias, as of now.
///
/// # Errors
/// 404 when there is none.
pub(crate) async fn find_incident(app: &Arc<App>, id: &str) -> Result<Incident, Error> {
    let name = id.to_owned();
    let found = read_store(app, move |app| app.core.store.incident(&name)).await?;
    found
        .map(|incident| app.core.as_of_now(incident))
        .ok_or_else(|| {
            Error::NotFound(format!(
                "incident `{id}` does not exist; see /api/v1/incidents"
            ))
        })
}

/// The names of the configured services.
pub(crate) fn service_names(app: &App) -> Vec<String> {
    app.core
        .settings()
        .config
        .services
        .iter()
        .map(|service| service.name.clone())
        .collect()
}

/// Header names and values as the parsers and authenticators of `ingest` take them.
pub(crate) fn header_pairs(headers: &HeaderMap) -> Headers<'_> {
    headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_bytes()))
        .collect()
}

/// True when the `Host` header is absent or a loopback name. Guards against DNS rebinding: a
/// foreign site that resolves its own name to this machine sends that name.
pub(crate) fn is_loopback_host(headers: &HeaderMap) -> bool {
    let Some(host) = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
    else {
        return true;
    };
    let name = if let Some(rest) = host.strip_prefix('[') {
        rest.split(']').next()
    } else {
        host.split(':').next()
    };
    let name = name.unwrap_or_default();
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}
