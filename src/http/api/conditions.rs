//! `GET /api/v1/conditions`: metric conditions and the state of their series.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use crate::app::App;
use crate::app::conditions::status::ConditionView;
use crate::http::error::Error;
use crate::http::handler::read_store;
use std::collections::BTreeMap;

/// `GET /api/v1/conditions`
pub(crate) async fn list(State(app): State<Arc<App>>) -> Result<Json<Value>, Error> {
    let shown = read_store(&app, |app| app.conditions.list()).await?;
    let step = app.core.clock_state().last_step;
    let step = step.map(|(from, to)| json!({ "from": from, "to": to }));
    let row = |shown: &ConditionView| {
        let series = shown
            .status
            .series
            .iter()
            .map(|(labels, state)| json!({ "labels": labels, "state": state }));
        json!({
            "name": shown.name,
            "service": shown.service,
            "metrics": shown.metrics,
            "query": shown.query,
            "bounds": shown.bounds.iter().cloned().collect::<BTreeMap<_, _>>(),
            "evaluated_at": shown.status.last,
            "series": series.collect::<Vec<_>>(),
            "left_out": shown.status.left_out,
            "fault": shown.status.fault,
            "clock_set": step,
        })
    };
    Ok(Json(shown.iter().map(row).collect()))
}
