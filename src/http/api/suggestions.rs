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
        let as_of_now = |found: Vec<Incident>| -> Vec<Incident> {
            found
                .into_iter()
                .map(|incident| app.core.as_of_now(incident))
                .collect()
        };
        Ok((
            as_of_now(app.core.store.suggestions()?),
            as_of_now(
                app.core
                    .store
                    .incidents_in_review_state(ReviewState::Snoozed, API_ROWS)?,
            ),
        ))
    })
    .await?;
    let (settings, now) = (app.core.settings(), app.core.now());
    let (due, resting): (Vec<Incident>, Vec<Incident>) = snoozed
        .into_iter()
        .partition(|incident| effects::snooze_is_over(incident, &settings, now));
    waiting.extend(due);
    Ok((waiting, resting))
}

/// The waiting suggestions that are asked for themselves: those bundled with another one on the list
/// wait for its answer.
pub(crate) fn leads(waiting: &[Incident]) -> impl Iterator<Item = &Incident> {
    waiting.iter().filter(|incident| {
        incident
            .bundle
            .as_ref()
            .is_none_or(|lead| !waiting.iter().any(|other| other.id == *lead))
    })
}

/// The number of suggestions that wait for an answer; `None` where it cannot be read.
pub(crate) async fn waiting_count(app: &Arc<App>) -> Option<usize> {
    let (waiting, _) = pending_and_snoozed(app).await.ok()?;
    Some(leads(&waiting).count())
}

/// `GET /api/v1/suggestions`
pub(crate) async fn list(State(app): State<Arc<App>>) -> Result<Json<Vec<Incident>>, Error> {
    Ok(Json(pending_and_snoozed(&app).await?.0))
}
