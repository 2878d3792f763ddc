//! `GET /api/v1/postmortems`: postmortems, with their text and meeting.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::App;
use crate::http::error::Error;
use crate::http::handler::read_store;
use crate::http::paging::{self, JsonPage};
use crate::model::id::PostmortemId;
use crate::model::postmortem::Postmortem;
use crate::store::list_cursor::ListCursor;

/// Rows read at once: each has a whole draft.
const READ_AT_ONCE: usize = 50;

/// Query of the list.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct PostmortemQuery {
    limit: Option<String>,
    pub(crate) after: Option<String>,
}

/// `GET /api/v1/postmortems`
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    Query(query): Query<PostmortemQuery>,
) -> Result<Response, Error> {
    let mut after = paging::after(query.after.as_deref())?.unwrap_or_else(ListCursor::start);
    let limit = paging::limit(query.limit.as_deref())?;
    let (page, next) = read_store(&app, move |app| {
        let mut page = JsonPage::new(limit);
        loop {
            let rows = app.core.store.list_postmortems(&after, READ_AT_ONCE)?;
            let cut = rows.len() == READ_AT_ONCE;
            let last = rows.last().map(|(place, _)| place.clone());
            let rows = rows
                .into_iter()
                .map(|(place, postmortem)| (place, postmortem_json(app, &postmortem)));
            let next = page.extend(rows, cut)?;
            // All that was read is on the page: it goes on if there is room.
            match next {
                Some(next) if Some(&next) == last.as_ref() && page.has_room() => after = next,
                next => return Ok((page, next)),
            }
        }
    })
    .await?;
    let next = next.map(|next| {
        let after = next.to_string();
        paging::address(
            "/api/v1/postmortems",
            &[
                ("limit", query.limit.as_deref()),
                ("after", Some(after.as_str())),
            ],
        )
    });
    Ok(page.respond(next.as_deref()))
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
