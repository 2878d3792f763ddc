//! Corrections by people: `POST /api/v1/incidents/{id}/merge`, `/move`, `/milestones` and `/data-loss`, `POST /api/v1/identities`, and the
//! forms that post the same.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Form, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Redirect;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::api::{Said, say};
use super::body::body;
use super::error::Error;
use super::handler::find_incident;
use crate::app::App;
use crate::app::people::corrections::CorrectionFault;
use crate::model::event::Event;
use crate::model::milestone::MilestoneKind;
use crate::model::time::Time;

type Answer = Result<(StatusCode, Json<Said>), Error>;

impl From<CorrectionFault> for Error {
    fn from(fault: CorrectionFault) -> Self {
        Self::BadRequest(fault.to_string())
    }
}

/// Which incidents are one with the one in the path.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Merge {
    from: Vec<String>,
    by: Option<String>,
}

/// Which events belong elsewhere: to the incident `to`, or to one of their own.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Move {
    events: Vec<String>,
    to: Option<String>,
    by: Option<String>,
}

/// When a milestone was.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Stated {
    milestone: MilestoneKind,
    at: Time,
    by: Option<String>,
}

/// Whether data was lost.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DataLoss {
    lost: bool,
    by: Option<String>,
}

/// Whose a name is; no `person`: nobody's any more.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Identity {
    alias: String,
    person: Option<String>,
    by: Option<String>,
}

async fn posted<T: DeserializeOwned>(
    app: &App,
    headers: &HeaderMap,
    raw: Body,
) -> Result<T, Error> {
    let bytes = body(app, headers, raw).await?;
    serde_json::from_slice(&bytes)
        .map_err(|fault| Error::BadRequest(format!("the body has a fault: {fault}")))
}

/// Merges one after another; the answer is that of the last.
async fn merged(app: &Arc<App>, id: &str, posted: &Merge) -> Answer {
    let into = find_incident(app, id).await?;
    let mut events: Vec<Event> = Vec::new();
    for name in &posted.from {
        let from = find_incident(app, name).await?;
        events.push(app.merge(&into, &from, posted.by.as_deref())?);
    }
    let mut answer = Err(Error::BadRequest(
        "name the incidents that are one with this, as `from`".to_owned(),
    ));
    for event in events {
        answer = Ok(say(app, event).await?);
    }
    answer
}

/// `POST /api/v1/incidents/{id}/merge`
pub(crate) async fn merge(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    raw: Body,
) -> Answer {
    merged(&app, &id, &posted(&app, &headers, raw).await?).await
}

async fn moved(app: &Arc<App>, id: &str, posted: &Move) -> Answer {
    let from = find_incident(app, id).await?;
    let to = match &posted.to {
        Some(to) => Some(find_incident(app, to).await?),
        None => None,
    };
    say(
        app,
        app.part(&from, &posted.events, to.as_ref(), posted.by.as_deref())?,
    )
    .await
}

/// `POST /api/v1/incidents/{id}/move`
pub(crate) async fn part(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    raw: Body,
) -> Answer {
    moved(&app, &id, &posted(&app, &headers, raw).await?).await
}

/// `POST /api/v1/incidents/{id}/milestones`
pub(crate) async fn milestone(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    raw: Body,
) -> Answer {
    let stated: Stated = posted(&app, &headers, raw).await?;
    let incident = find_incident(&app, &id).await?;
    say(
        &app,
        app.milestone(&incident, stated.milestone, stated.at, stated.by.as_deref())?,
    )
    .await
}

/// `POST /api/v1/incidents/{id}/data-loss`
pub(crate) async fn data_loss(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    raw: Body,
) -> Answer {
    let stated: DataLoss = posted(&app, &headers, raw).await?;
    let incident = find_incident(&app, &id).await?;
    say(
        &app,
        app.data_loss(&incident, stated.lost, stated.by.as_deref()),
    )
    .await
}

/// `POST /api/v1/identities`
pub(crate) async fn identity(State(app): State<Arc<App>>, headers: HeaderMap, raw: Body) -> Answer {
    let stated: Identity = posted(&app, &headers, raw).await?;
    say(
        &app,
        app.identity(
            &stated.alias,
            stated.person.as_deref(),
            stated.by.as_deref(),
        )?,
    )
    .await
}

/// Where a form leads back to: the incident, under the name it has by now.
async fn back(app: &Arc<App>, id: &str) -> Redirect {
    let name = find_incident(app, id)
        .await
        .map_or_else(|_| id.to_owned(), |incident| incident.id.0);
    Redirect::to(&format!("/incidents/{name}"))
}

/// The form's fields: repeated names are a list.
fn fields(form: Vec<(String, String)>, name: &str) -> Vec<String> {
    form.into_iter()
        .filter(|(field, value)| field == name && !value.trim().is_empty())
        .map(|(_, value)| value.trim().to_owned())
        .collect()
}

/// `POST /incidents/{id}/merge`: `from`, once or more.
pub(crate) async fn merge_form(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Form(form): Form<Vec<(String, String)>>,
) -> Result<Redirect, Error> {
    let _ = merged(
        &app,
        &id,
        &Merge {
            from: fields(form, "from"),
            by: None,
        },
    )
    .await?;
    Ok(back(&app, &id).await)
}

/// `POST /incidents/{id}/move`: `event`, once or more; `to`, if it is not to be an incident of its own.
pub(crate) async fn move_form(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Form(form): Form<Vec<(String, String)>>,
) -> Result<Redirect, Error> {
    let to = fields(form.clone(), "to").pop();
    let _ = moved(
        &app,
        &id,
        &Move {
            events: fields(form, "event"),
            to,
            by: None,
        },
    )
    .await?;
    Ok(back(&app, &id).await)
}

/// What the form of a milestone posts; `when` is UTC, without a zone.
#[derive(Debug, Deserialize)]
pub(crate) struct StatedForm {
    milestone: MilestoneKind,
    when: String,
}

/// `POST /incidents/{id}/milestones`
pub(crate) async fn milestone_form(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Form(form): Form<StatedForm>,
) -> Result<Redirect, Error> {
    let text = if form.when.len() == 16 {
        format!("{}:00Z", form.when)
    } else {
        format!("{}Z", form.when)
    };
    let at = text.parse().map_err(|_| {
        Error::BadRequest(format!(
            "{:?} is no time; write it as 2026-11-23T10:30",
            form.when
        ))
    })?;
    let incident = find_incident(&app, &id).await?;
    let _ = say(&app, app.milestone(&incident, form.milestone, at, None)?).await?;
    Ok(back(&app, &id).await)
}

/// What the form of a name posts; a blank `person` is nobody.
#[derive(Debug, Deserialize)]
pub(crate) struct IdentityForm {
    alias: String,
    person: String,
}

/// `POST /incidents/{id}/identities`
pub(crate) async fn identity_form(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Form(form): Form<IdentityForm>,
) -> Result<Redirect, Error> {
    let person = Some(form.person.trim()).filter(|person| !person.is_empty());
    let _ = say(&app, app.identity(&form.alias, person, None)?).await?;
    Ok(back(&app, &id).await)
}
