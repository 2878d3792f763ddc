//! `GET /api/v1/on-call`: the people on call for a service at an instant.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::http::error::Error;
use crate::http::query::Query;
use crate::http::time_range;
use crate::model::on_call::OnCall;
use crate::model::time::Time;

/// Query of `GET /api/v1/on-call`.
#[derive(Debug, Deserialize)]
pub(crate) struct OnCallQuery {
    service: Option<String>,
    at: Option<String>,
}

/// Answer of `GET /api/v1/on-call`.
#[derive(Debug, Serialize)]
pub(crate) struct OnCallAnswer {
    service: String,
    at: Time,
    /// False: the calendar does not say who is on call.
    known: bool,
    /// Ids from the settings; the calendar's own name of a person whom they do not list.
    people: Vec<String>,
    /// Shifts that cover the instant, or what is missing.
    why: Vec<String>,
}

/// `GET /api/v1/on-call?service=S&at=TIME`; without `at`, now.
pub(crate) async fn show(
    State(app): State<Arc<App>>,
    Query(query): Query<OnCallQuery>,
) -> Result<Json<OnCallAnswer>, Error> {
    let service = query.service.filter(|service| !service.is_empty());
    let Some(service) = service else {
        return Err(Error::BadRequest(
            "`service` is missing: /api/v1/on-call?service=checkout".to_owned(),
        ));
    };
    let at = time_range::instant(query.at.as_deref(), app.core.now())?;
    let settings = app.core.settings();
    let calendars = app.on_call_calendars();
    // A feed may need a budget's worth of steps.
    let answer = tokio::task::spawn_blocking(move || {
        let on_call = calendars.on_call_at(&service, at, &settings);
        OnCallAnswer {
            known: matches!(on_call, Some(OnCall::These(_) | OnCall::Nobody)),
            people: match on_call {
                Some(OnCall::These(people)) => people
                    .into_iter()
                    .map(|person| person.person.unwrap_or(person.name))
                    .collect(),
                _ => Vec::new(),
            },
            why: calendars.reasons_at(&service, at, &settings),
            service,
            at,
        }
    });
    let answer = answer.await;
    Ok(Json(answer.map_err(|panic| {
        Error::Internal(anyhow::anyhow!(panic))
    })?))
}
