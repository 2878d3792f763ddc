//! `GET /api/v1/suggestions`: suggested postmortems that wait for an answer.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use crate::app::App;
use crate::app::judge::effects;
use crate::http::error::Error;
use crate::http::handler::{API_ROWS, read_store};
use crate::model::incident::Incident;
use crate::model::lifecycle::ReviewState;

/// Suggestions waiting for an answer, including those whose snooze is over, and snoozed ones.
pub(crate) async fn pending_and_snoozed(
    app: &Arc<App>,
) -> Result<(Vec<Incident>, Vec<Incident>), Error> {
    let (mut waiting, snoozed) = read_store(app, |app| {
        Ok((
            app.store.suggestions()?,
            app.store.standing(ReviewState::Snoozed, API_ROWS)?,
        ))
    })
    .await?;
    let (settings, now) = (app.settings(), app.now());
    let (due, resting): (Vec<Incident>, Vec<Incident>) = snoozed
        .into_iter()
        .partition(|incident| effects::snooze_is_over(incident, &settings, now));
    waiting.extend(due);
    Ok((waiting, resting))
}

/// `GET /api/v1/suggestions`
pub(crate) async fn list(State(app): State<Arc<App>>) -> Result<Json<Vec<Incident>>, Error> {
    Ok(Json(pending_and_snoozed(&app).await?.0))
}
