//! `GET /api/v1/postmortems`: postmortems, with their text and meeting.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Value, json};

use crate::app::App;
use crate::http::error::Error;
use crate::http::handler::{API_ROWS, read_store};
use crate::model::id::PostmortemId;
use crate::model::postmortem::Postmortem;

/// `GET /api/v1/postmortems`
pub(crate) async fn list(State(app): State<Arc<App>>) -> Result<Json<Value>, Error> {
    let list = read_store(&app, |app| app.core.store.postmortems(API_ROWS)).await?;
    let rows: Vec<Value> = list
        .iter()
        .map(|postmortem| postmortem_json(&app, postmortem))
        .collect();
    Ok(Json(Value::from(rows)))
}

/// `GET /api/v1/postmortems/{id}`
pub(crate) async fn show(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    let wanted = PostmortemId(id.clone());
    let found = read_store(&app, move |app| {
        Ok((
            app.core.store.postmortem(&wanted)?,
            app.core.store.meeting(&wanted)?,
        ))
    })
    .await?;
    let (Some(postmortem), meeting) = found else {
        return Err(Error::NotFound(format!(
            "postmortem `{id}` does not exist; see /api/v1/postmortems"
        )));
    };
    let mut row = postmortem_json(&app, &postmortem);
    row["meeting"] = json!(meeting);
    row["text"] = json!(postmortem.generated);
    Ok(Json(row))
}

fn postmortem_json(app: &App, postmortem: &Postmortem) -> Value {
    let path = app
        .core
        .settings()
        .path(&app.core.settings().config.postmortems_directory)
        .join(&postmortem.file);
    json!({
        "id": postmortem.id,
        "incident": postmortem.incident,
        "title": postmortem.title,
        "status": postmortem.status,
        "path": path.display().to_string(),
        "opened_at": postmortem.opened_at,
    })
}
