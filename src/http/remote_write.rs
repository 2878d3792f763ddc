//! `POST /api/v1/write`: Prometheus remote write, for servers that cannot be scraped or queried.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};

use super::body::{LIMIT, read_compressed};
use super::error::Error;
use super::handler::{header_pairs, is_loopback_host};
use crate::app::App;
use crate::config::metrics::MetricsKind;
use crate::ingest::auth::{Authentication, authentic};
use crate::ingest::remote_write;
use crate::ingest::remote_write::{MOST_KEPT, RemoteWriteFault};

/// Largest expansion of a byte of snappy when decompressed.
const GROWTH: usize = 22;

/// Stores pushed samples. 2xx once they are durable; 400 for requests that a retry would not mend,
/// upon which Prometheus drops them.
pub(crate) async fn write(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    raw: Body,
) -> Result<StatusCode, Error> {
    let name = whose(&app, &headers)?;
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    remote_write::spoken(text(header::CONTENT_TYPE), text(header::CONTENT_ENCODING))?;
    let body = read_compressed(&app, &headers, raw).await?;
    let mut room = app
        .intake
        .commits
        .reserve(body.len().saturating_mul(GROWTH).min(LIMIT) + MOST_KEPT)?;
    let work = move || {
        let settings = app.core.settings();
        let asked = settings.asked.get(&name).cloned().unwrap_or_default();
        let written =
            remote_write::read(&body, &asked.wanted, LIMIT).map_err(|fault| match fault {
                RemoteWriteFault::TooLarge { limit, .. } => Error::TooLarge(limit),
                other => Error::BadRequest(other.to_string()),
            })?;
        // Taken until they are stored.
        room.keep(written.bytes);
        let out_of_bounds =
            app.conditions
                .push(&name, asked.of_pushed(written.samples), written.seen)?;
        match written.faults.first() {
            // As a Prometheus that receives does: the others were taken.
            None if out_of_bounds > 0 => Err(Error::BadRequest(format!(
                "{out_of_bounds} samples are out of bounds (more than ten minutes ahead, or older than the retention) and were dropped; the others were stored"
            ))),
            Some(fault) => Err(Error::BadRequest(format!(
                "{} series could not be read and were dropped, the others were stored: {fault}",
                written.faulty
            ))),
            None => Ok(StatusCode::NO_CONTENT),
        }
    };
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|panic| Error::Internal(anyhow::anyhow!(panic)))?
}

/// The entry of `metrics:` whose proof is shown.
fn whose(app: &App, headers: &HeaderMap) -> Result<String, Error> {
    let settings = app.core.settings();
    let entries = || {
        settings
            .config
            .metrics
            .iter()
            .filter(|entry| matches!(entry.kind, MetricsKind::RemoteWrite(_)))
    };
    if entries().next().is_none() {
        return Err(Error::NotFound(
            "no samples are expected; add `{name: pushed, kind: remote_write}` under `metrics:`"
                .to_owned(),
        ));
    }
    let proven = |proof: &Authentication| {
        // A sender without credentials must at least name this machine as its host; a foreign site
        // that resolves to it does not.
        let open = matches!(proof, Authentication::None) && settings.access.is_none();
        authentic(proof, &header_pairs(headers)) && (!open || is_loopback_host(headers))
    };
    match entries().find(|entry| settings.pushes.get(&entry.name).is_some_and(proven)) {
        Some(entry) => Ok(entry.name.clone()),
        None => {
            app.core.counters.refused.fetch_add(1, Ordering::Relaxed);
            Err(Error::Unauthorized(
                "the credentials are missing or wrong; compare the sender's with `metrics:` of the settings",
            ))
        }
    }
}
