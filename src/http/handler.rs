//! Helpers that every handler shares: store reads off the async threads, lookups by id, and request headers.

use std::net::IpAddr;
use std::sync::Arc;

use axum::http::{HeaderMap, header};

use super::error::Error;
use crate::app::App;
use crate::ingest::message::Headers;
use crate::model::incident::Incident;
use crate::store::error::StoreError;
use crate::store::incident::{IncidentList, ListStep};
use crate::store::list_cursor::ListCursor;

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

/// Members, signals and pieces of evidence of an incident that a list has at most.
const LISTED: usize = 100;

/// A part of a list of incidents.
#[derive(Debug)]
pub(crate) struct IncidentSelection {
    /// The list.
    pub(crate) list: IncidentList,
    /// The place to go on from.
    pub(crate) after: Option<ListCursor>,
}

impl IncidentSelection {
    /// The beginning of a list.
    pub(crate) fn start(list: IncidentList) -> Self {
        Self { list, after: None }
    }

    /// Hands the incidents to `take` as of now, newest first, each as a list shows it, until it has
    /// enough. Returns the place of the last one taken if there are more. Blocks.
    pub(crate) fn each(
        self,
        app: &App,
        mut take: impl FnMut(Incident) -> Result<ListStep, StoreError>,
    ) -> Result<Option<ListCursor>, StoreError> {
        app.core
            .store
            .list_incidents(self.list, self.after, |incident| {
                take(shortened(app.core.as_of_now(incident)))
            })
    }
}

/// Drops what is too much for a list.
fn shortened(mut incident: Incident) -> Incident {
    if incident.members.len() > LISTED {
        let members = std::mem::take(&mut incident.members).into_vec();
        incident.members = members.into_iter().take(LISTED).collect::<Vec<_>>().into();
    }
    incident.signals.truncate(LISTED);
    for verdict in &mut incident.verdicts {
        verdict.evidence.truncate(LISTED);
    }
    incident
}

/// Incidents as of now, newest first, at most [`PAGE_ROWS`], and the place of the last one if there
/// are more.
pub(crate) async fn list_incidents(
    app: &Arc<App>,
    selection: IncidentSelection,
) -> Result<(Vec<Incident>, Option<ListCursor>), Error> {
    read_store(app, move |app| {
        let mut found = Vec::new();
        let next = selection.each(app, |incident| {
            found.push(incident);
            Ok(if found.len() < PAGE_ROWS {
                ListStep::More
            } else {
                ListStep::Enough
            })
        })?;
        Ok((found, next))
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
