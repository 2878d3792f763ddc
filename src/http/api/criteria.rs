//! `GET /api/v1/criteria`: the criteria in force and the precision of each.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::App;
use crate::app::ledger;
use crate::http::error::Error;
use crate::http::handler::read_store;
use crate::http::query::Query;
use crate::http::time_range;
use crate::model::time::Time;
use crate::trial::precision::proportion::Proportion;
use crate::trial::precision::report::{CriterionRecord, PrecisionReport};
use chrono::TimeDelta;

/// Default period: a quarter holds enough answers for an estimate and only recent rules.
const DEFAULT_PERIOD: TimeDelta = TimeDelta::days(90);

/// Query for a period, by closing time: `since` inclusive, `until` exclusive.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct PeriodQuery {
    since: Option<String>,
    until: Option<String>,
}

pub(crate) type PeriodQueryResult = Result<Query<PeriodQuery>, Error>;

pub(crate) async fn read_precision(
    app: &Arc<App>,
    queried: PeriodQueryResult,
) -> Result<(Time, Time, PrecisionReport), Error> {
    let Query(asked) = queried?;
    let now = app.core.now();
    let until = time_range::until(asked.until.as_deref(), now)?.unwrap_or(now);
    let since = time_range::since(asked.since.as_deref(), now)?.unwrap_or(until - DEFAULT_PERIOD);
    if since >= until {
        return Err(Error::BadRequest(
            "`since` must be before `until`".to_owned(),
        ));
    }
    let found = read_store(app, move |app| ledger::precision(&app.core, since, until)).await?;
    Ok((since, until, found))
}

/// `GET /api/v1/criteria`
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    queried: PeriodQueryResult,
) -> Result<Json<Value>, Error> {
    let (since, until, found) = read_precision(&app, queried).await?;
    let settings = app.core.settings();
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
            "record": record.map(|record| record_json(record, &found)),
        })
    });
    Ok(Json(rows.collect()))
}

fn record_json(record: &CriterionRecord, all: &PrecisionReport) -> Value {
    let share = |share: Proportion| {
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
