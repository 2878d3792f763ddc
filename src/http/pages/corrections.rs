//! Forms of an incident's page that correct it: merge, move, milestones and identities.

use std::sync::Arc;

use axum::extract::{Form, Path, State};
use axum::response::Redirect;
use serde::Deserialize;

use crate::app::App;
use crate::app::people::corrections;
use crate::http::api::corrections::{MergeBody, MoveBody, apply_merge, apply_move};
use crate::http::api::recorded::record_event;
use crate::http::error::Error;
use crate::http::handler::find_incident;
use crate::http::pages::error::PageError;
use crate::model::milestone::MilestoneKind;

/// Redirects to the incident under its current id, which a merge may have changed.
async fn incident_redirect(app: &Arc<App>, id: &str) -> Redirect {
    let name = find_incident(app, id)
        .await
        .map_or_else(|_| id.to_owned(), |incident| incident.id.0);
    Redirect::to(&format!("/incidents/{name}"))
}

/// Values of a repeatable form field.
fn form_values(form: Vec<(String, String)>, name: &str) -> Vec<String> {
    form.into_iter()
        .filter(|(field, value)| field == name && !value.trim().is_empty())
        .map(|(_, value)| value.trim().to_owned())
        .collect()
}

/// `POST /incidents/{id}/merge`: `from`, once or more.
pub(crate) async fn merge(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Form(form): Form<Vec<(String, String)>>,
) -> Result<Redirect, PageError> {
    let _ = apply_merge(
        &app,
        &id,
        &MergeBody {
            from: form_values(form, "from"),
            by: None,
        },
    )
    .await?;
    Ok(incident_redirect(&app, &id).await)
}

/// `POST /incidents/{id}/move`: `event`, once or more; `to`, unless it becomes a new incident.
pub(crate) async fn move_events(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Form(form): Form<Vec<(String, String)>>,
) -> Result<Redirect, PageError> {
    let to = form_values(form.clone(), "to").pop();
    let _ = apply_move(
        &app,
        &id,
        &MoveBody {
            events: form_values(form, "event"),
            to,
            by: None,
        },
    )
    .await?;
    Ok(incident_redirect(&app, &id).await)
}

/// Form of a milestone; `when` is UTC without a zone.
#[derive(Debug, Deserialize)]
pub(crate) struct MilestoneForm {
    milestone: MilestoneKind,
    when: String,
}

/// `POST /incidents/{id}/milestones`
pub(crate) async fn milestone(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Form(form): Form<MilestoneForm>,
) -> Result<Redirect, PageError> {
    let text = if form.when.len() == 16 {
        format!("{}:00Z", form.when)
    } else {
        format!("{}Z", form.when)
    };
    let at = text.parse().map_err(|_| {
        Error::BadRequest("enter a time in UTC, such as 2026-11-23T10:30".to_owned())
    })?;
    let incident = find_incident(&app, &id).await?;
    let _ = record_event(
        &app,
        corrections::milestone(app.core.now(), &incident, form.milestone, at, None)?,
    )
    .await?;
    Ok(incident_redirect(&app, &id).await)
}

/// Form of an identity; a blank `person` removes it.
#[derive(Debug, Deserialize)]
pub(crate) struct IdentityForm {
    alias: String,
    person: String,
}

/// `POST /incidents/{id}/identities`
pub(crate) async fn identity(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Form(form): Form<IdentityForm>,
) -> Result<Redirect, PageError> {
    let person = Some(form.person.trim()).filter(|person| !person.is_empty());
    let _ = record_event(
        &app,
        corrections::identity(
            app.core.now(),
            &app.core.settings(),
            &form.alias,
            person,
            None,
        )?,
    )
    .await?;
    Ok(incident_redirect(&app, &id).await)
}
