//! `GET /api/v1/incidents`: incidents and their verdicts.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::App;
use crate::http::error::Error;
use crate::http::handler::{API_ROWS, find_incident, list_incidents};
use crate::model::incident::Incident;
use crate::store::incident::IncidentFilter;
use crate::wording::milestones::contradictions;

/// Query of the list.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct IncidentQuery {
    /// Leave out closed incidents.
    #[serde(default)]
    open: bool,
}

/// `GET /api/v1/incidents`
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    Query(query): Query<IncidentQuery>,
) -> Result<Json<Vec<Incident>>, Error> {
    let filter = IncidentFilter {
        open_only: query.open,
        limit: API_ROWS,
    };
    Ok(Json(list_incidents(&app, filter).await?))
}

/// `GET /api/v1/incidents/{id}`
pub(crate) async fn show(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let incident = find_incident(&app, &id).await?;
    let contradictions = contradictions(&incident.milestones);
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
