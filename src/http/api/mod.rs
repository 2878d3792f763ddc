//! The JSON API under `/api/v1`: one file a resource.

pub(crate) mod backtests;
pub(crate) mod conditions;
pub(crate) mod corrections;
pub(crate) mod criteria;
pub(crate) mod deliveries;
pub(crate) mod events;
pub(crate) mod incidents;
pub(crate) mod ledger;
pub(crate) mod ledger_csv;
pub(crate) mod ledger_query;
pub(crate) mod maintenance;
pub(crate) mod on_call;
pub(crate) mod postmortems;
pub(crate) mod quarantine;
pub(crate) mod recorded;
pub(crate) mod reports;
pub(crate) mod reviews;
pub(crate) mod sources;
pub(crate) mod suggestions;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use crate::app::App;

/// The routes of the API.
pub(crate) fn routes() -> Router<Arc<App>> {
    let api = Router::new()
        .route("/events", post(events::post))
        .route("/declarations", post(reports::declare))
        .route("/requests", post(reports::request))
        .route("/interventions", post(reports::intervene))
        .route("/near-misses", post(reports::near_miss))
        .route(
            "/maintenance",
            get(maintenance::list).post(maintenance::post),
        )
        .route("/incidents", get(incidents::list))
        .route("/incidents/{id}", get(incidents::show))
        .route("/incidents/{id}/verdicts", get(incidents::verdicts))
        .route("/incidents/{id}/review", post(reviews::post))
        .route("/incidents/{id}/merge", post(corrections::merge))
        .route("/incidents/{id}/move", post(corrections::move_events))
        .route("/incidents/{id}/milestones", post(corrections::milestone))
        .route("/incidents/{id}/data-loss", post(corrections::data_loss))
        .route("/identities", post(corrections::identity))
        .route("/suggestions", get(suggestions::list))
        .route("/postmortems", get(postmortems::list))
        .route("/postmortems/{id}", get(postmortems::show))
        .route("/on-call", get(on_call::show))
        .route("/criteria", get(criteria::list))
        .route("/conditions", get(conditions::list))
        .route("/ledger", get(ledger::list))
        .route("/backtests", get(backtests::list).post(backtests::post))
        .route(
            "/backtests/{number}",
            get(backtests::show).delete(backtests::cancel),
        )
        .route("/deliveries", get(deliveries::list))
        .route("/deliveries/retry", post(deliveries::retry))
        .route("/sources", get(sources::list))
        .route("/quarantine", get(quarantine::list))
        .route("/quarantine/{position}", get(quarantine::show))
        .route("/quarantine/{position}/retry", post(quarantine::retry))
        .route("/quarantine/{position}/dismiss", post(quarantine::dismiss));
    Router::new().nest("/api/v1", api)
}
