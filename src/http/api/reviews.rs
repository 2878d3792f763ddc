//! `POST /api/v1/incidents/{id}/review`: answers to a suggestion.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::App;
use crate::app::people::reviews;
use crate::app::people::reviews::ReviewFault;
use crate::http::api::recorded::applied_status;
use crate::http::body::body;
use crate::http::error::Error;
use crate::http::handler::find_incident;
use crate::model::correction::{Answer, DismissReason, SnoozeUntil};

/// Answer of a person, posted as JSON or as a form.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReviewBody {
    /// Incident revision that the person saw.
    pub(crate) revision: u64,
    /// `accept`, `dismiss` or `snooze`.
    pub(crate) answer: String,
    /// Reason of a dismissal.
    pub(crate) reason: Option<DismissReason>,
    /// End of a snooze.
    pub(crate) until: Option<SnoozeUntil>,
    #[serde(default)]
    pub(crate) comment: String,
    /// Id of the person.
    pub(crate) by: Option<String>,
}

impl ReviewBody {
    pub(crate) fn answer(&self) -> Result<Answer, Error> {
        match (self.answer.as_str(), self.reason, self.until) {
            ("accept", ..) => Ok(Answer::Accept),
            ("dismiss", Some(reason), _) => Ok(Answer::Dismiss { reason }),
            ("dismiss", None, _) => Err(Error::BadRequest(
                "a dismissal needs a `reason`: planned, test, duplicate, noise, too_small, already_covered or other".to_owned(),
            )),
            ("snooze", _, until) => Ok(Answer::Snooze { until: until.unwrap_or(SnoozeUntil::NextWorkingDay) }),
            (other, ..) => Err(Error::BadRequest(format!("unknown answer `{other}`; use accept, dismiss or snooze"))),
        }
    }
}

/// Records an answer, and gives whether it is applied already; 409 if the incident has changed since
/// `revision`.
pub(crate) async fn submit_review(
    app: &Arc<App>,
    id: &str,
    body: &ReviewBody,
) -> Result<bool, Error> {
    let incident = find_incident(app, id).await?;
    let event = reviews::event(
        &incident,
        body.revision,
        body.answer()?,
        &body.comment,
        body.by.as_deref(),
        app.core.now(),
    )?;
    let applied = app.intake.append_stated(event.clone()).await?;
    if applied {
        reviews::check_overtaken(&app.core.store, &event)?;
    }
    Ok(applied)
}

impl From<ReviewFault> for Error {
    fn from(fault: ReviewFault) -> Self {
        Self::Conflict(fault.to_string())
    }
}

/// `POST /api/v1/incidents/{id}/review`
pub(crate) async fn post(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    raw: Body,
) -> Result<(StatusCode, Json<Value>), Error> {
    let bytes = body(&app, &headers, raw).await?;
    let posted: ReviewBody = serde_json::from_slice(&bytes)
        .map_err(|fault| Error::BadRequest(format!("invalid body: {fault}")))?;
    let applied = submit_review(&app, &id, &posted).await?;
    Ok((applied_status(applied), Json(json!({ "applied": applied }))))
}
