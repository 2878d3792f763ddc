//! `GET /api/v1/suggestions`: suggested postmortems that wait for an answer.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;

use crate::app::App;
use crate::app::judge::effects;
use crate::app::settings::Settings;
use crate::http::api::incidents::{incidents_page, respond};
use crate::http::error::Error;
use crate::http::handler::{IncidentSelection, list_incidents};
use crate::http::paging;
use crate::model::incident::Incident;
use crate::model::lifecycle::ReviewState;
use crate::model::time::Time;
use crate::store::incident::IncidentList;
use crate::store::list_cursor::ListCursor;

/// The newest suggestions that are asked for, [`PAGE_ROWS`] at most: those waiting for an answer,
/// including those whose snooze is over, and snoozed ones.
#[derive(Debug)]
pub(crate) struct Suggestions {
    pub(crate) waiting: Vec<Incident>,
    pub(crate) snoozed: Vec<Incident>,
    /// The place of the last one, if there are more.
    pub(crate) next: Option<ListCursor>,
}

/// Reads the suggestions from a place in the list on.
pub(crate) async fn pending_and_snoozed(
    app: &Arc<App>,
    after: Option<ListCursor>,
) -> Result<Suggestions, Error> {
    let selection = IncidentSelection {
        list: IncidentList::Asked,
        after,
    };
    let (all, next) = list_incidents(app, selection).await?;
    let (settings, now) = (app.core.settings(), app.core.now());
    let (snoozed, waiting) = all
        .into_iter()
        .partition(|incident| is_snoozed(incident, &settings, now));
    Ok(Suggestions {
        waiting,
        snoozed,
        next,
    })
}

fn is_snoozed(incident: &Incident, settings: &Settings, now: Time) -> bool {
    incident.standing == ReviewState::Snoozed && !effects::snooze_is_over(incident, settings, now)
}

/// Suggestions that need an answer of their own: those bundled with another one on the list share its
/// answer.
pub(crate) fn leads(waiting: &[Incident]) -> impl Iterator<Item = &Incident> {
    waiting.iter().filter(|incident| {
        incident
            .bundle
            .as_ref()
            .is_none_or(|lead| !waiting.iter().any(|other| other.id == *lead))
    })
}

/// The number of suggestions that wait for an answer, as it is shown; `None` where it cannot be read.
pub(crate) async fn waiting_count(app: &Arc<App>) -> Option<String> {
    let found = pending_and_snoozed(app, None).await.ok()?;
    let count = leads(&found.waiting).count();
    let more = if found.next.is_some() { "+" } else { "" };
    (count > 0).then(|| format!("{count}{more}"))
}

/// Query of the list.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct SuggestionQuery {
    limit: Option<String>,
    pub(crate) after: Option<String>,
}

/// `GET /api/v1/suggestions`
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    Query(query): Query<SuggestionQuery>,
) -> Result<Response, Error> {
    let selection = IncidentSelection {
        list: IncidentList::Asked,
        after: paging::after(query.after.as_deref())?,
    };
    let limit = paging::limit(query.limit.as_deref())?;
    let (settings, now) = (app.core.settings(), app.core.now());
    let waits = move |incident: &Incident| !is_snoozed(incident, &settings, now);
    let (page, next) = incidents_page(&app, selection, limit, waits).await?;
    Ok(respond(
        page,
        "/api/v1/suggestions",
        &query.limit,
        next,
        None,
    ))
}
