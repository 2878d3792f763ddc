//! `GET /api/v1/incidents`: incidents and their verdicts.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::App;
use crate::http::error::Error;
use crate::http::handler::{IncidentSelection, find_incident, read_store};
use crate::http::paging::{self, JsonPage};
use crate::http::query::Query;
use crate::model::incident::Incident;
use crate::store::incident::{IncidentList, ListStep};
use crate::store::list_cursor::ListCursor;
use crate::wording::milestones::contradictions;

/// Query of the list.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct IncidentQuery {
    /// Leave out closed incidents.
    #[serde(default)]
    open: bool,
    limit: Option<String>,
    after: Option<String>,
}

/// `GET /api/v1/incidents`
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    Query(query): Query<IncidentQuery>,
) -> Result<Response, Error> {
    let list = if query.open {
        IncidentList::Open
    } else {
        IncidentList::All
    };
    let selection = IncidentSelection {
        list,
        after: paging::after(query.after.as_deref())?,
    };
    let limit = paging::limit(query.limit.as_deref())?;
    let (page, next) = incidents_page(&app, selection, limit, |_| true).await?;
    let open = query.open.then_some("true");
    Ok(respond(page, "/api/v1/incidents", &query.limit, next, open))
}

/// A page of the incidents that `wanted` accepts, and the place to go on from.
pub(crate) async fn incidents_page(
    app: &Arc<App>,
    selection: IncidentSelection,
    limit: usize,
    wanted: impl Fn(&Incident) -> bool + Send + 'static,
) -> Result<(JsonPage, Option<ListCursor>), Error> {
    read_store(app, move |app| {
        let mut page = JsonPage::new(limit);
        let next = selection.each(app, |incident| {
            Ok(if !wanted(&incident) || page.push(&incident)? {
                ListStep::More
            } else {
                ListStep::Enough
            })
        })?;
        Ok((page, next))
    })
    .await
}

/// The response of a page of incidents.
pub(crate) fn respond(
    page: JsonPage,
    path: &str,
    limit: &Option<String>,
    next: Option<ListCursor>,
    open: Option<&str>,
) -> Response {
    let next = next.map(|next| {
        let after = next.to_string();
        let parameters = [
            ("open", open),
            ("limit", limit.as_deref()),
            ("after", Some(after.as_str())),
        ];
        paging::address(path, &parameters)
    });
    page.respond(next.as_deref())
}

/// `GET /api/v1/incidents/{id}`
pub(crate) async fn show(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let incident = find_incident(&app, &id).await?;
    let contradictions = contradictions(&incident);
    if contradictions.is_empty() && incident.verdicts.iter().all(|verdict| !verdict.shadow) {
        return Ok(Json(incident).into_response());
    }
    let verdicts = verdicts_json(&incident);
    let mut whole =
        serde_json::to_value(&incident).map_err(|fault| Error::Internal(fault.into()))?;
    whole["verdicts"] = verdicts;
    if !contradictions.is_empty() {
        whole["contradictions"] = json!(contradictions);
    }
    Ok(Json(whole).into_response())
}

/// `GET /api/v1/incidents/{id}/verdicts`
pub(crate) async fn verdicts(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    Ok(Json(verdicts_json(&find_incident(&app, &id).await?)))
}

/// Verdicts as JSON; a shadow's with the decision it would have led to.
fn verdicts_json(incident: &Incident) -> Value {
    let told = incident.verdicts.iter().map(|verdict| {
        let mut told = json!(verdict);
        if verdict.shadow {
            told["would_have"] = json!(verdict.leads_to(incident.phase));
        }
        told
    });
    told.collect()
}
