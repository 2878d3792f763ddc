//! The criteria in force, and how often each was right: as JSON and as a page.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::Html;
use chrono::TimeDelta;
use serde::Deserialize;
use serde_json::{Value, json};

use super::error::Error;
use super::handler::read_store;
use super::web::Page;
use super::{pages, time_range};
use crate::app::App;
use crate::model::time::Time;
use crate::trial::precision::proportion::Share;
use crate::trial::precision::{Precision, Record};

/// What is looked at where nothing else is asked for: a quarter holds enough answers to tell something, and no rules that nobody remembers.
const SPAN: TimeDelta = TimeDelta::days(90);

/// The incidents that closed from the first until before the second.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Span {
    since: Option<String>,
    until: Option<String>,
}

type Queried = Result<Query<Span>, QueryRejection>;

async fn found(app: &Arc<App>, queried: Queried) -> Result<(Time, Time, Precision), Error> {
    let Query(asked) = queried.map_err(|fault| Error::BadRequest(fault.body_text()))?;
    let now = app.now();
    let until = time_range::until(asked.until.as_deref(), now)?.unwrap_or(now);
    let since = time_range::since(asked.since.as_deref(), now)?.unwrap_or(until - SPAN);
    if since >= until {
        return Err(Error::BadRequest(
            "`since` is not before `until`".to_owned(),
        ));
    }
    let found = read_store(app, move |app| app.precision(since, until)).await?;
    Ok((since, until, found))
}

/// `GET /api/v1/criteria`
pub(crate) async fn listed(
    State(app): State<Arc<App>>,
    queried: Queried,
) -> Result<Json<Value>, Error> {
    let (since, until, found) = found(&app, queried).await?;
    let settings = app.settings();
    let rows = settings.policy.rules.criteria.iter().map(|criterion| {
        let record = found
            .criteria
            .iter()
            .find(|record| record.criterion == criterion.name && record.shadow == criterion.shadow);
        json!({
            "name": criterion.name,
            "on": criterion.test.kind(),
            "decision": criterion.decision,
            "shadow": criterion.shadow,
            "where": criterion.filter.as_ref().map(|filter| filter.source().to_owned()),
            "since": since,
            "until": until,
            "record": record.map(|record| told(record, &found)),
        })
    });
    Ok(Json(rows.collect()))
}

fn told(record: &Record, all: &Precision) -> Value {
    let share = |share: Share| {
        let told = share.told;
        json!({
            "accepted": share.right,
            "answered": share.of,
            "too_few": told.is_none(),
            "share": told.map(|told| told.share),
            "low": told.map(|told| told.low),
            "high": told.map(|told| told.high),
        })
    };
    json!({
        "incidents": all.incidents,
        "met": record.met,
        "unknown": record.unknown,
        "suggested": record.suggested,
        "held": record.held,
        "outranked": record.outranked,
        "unasked": record.unasked,
        "precision": share(record.precision()),
        "of_all_answers": share(record.of_all_answers()),
        "sentence": record.sentence(),
        "missed": {
            "requested": all.requested,
            "all": all.missed,
            "not_met": record.missed.not_met,
            "unknown": record.missed.unknown,
            "caught": record.missed.caught,
            "closest": record.missed.closest,
        },
    })
}

/// `GET /criteria`
pub(crate) async fn page(State(app): State<Arc<App>>, queried: Queried) -> Page {
    let (since, until, found) = found(&app, queried).await?;
    Ok(Html(pages::criteria::render(&pages::criteria::View {
        since,
        until,
        found: &found,
    })))
}
