//! The face to the network: router, credentials, limits, pages. Reads may use the store; every write goes through the app.

mod access;
mod api;
mod backtests;
mod body;
mod body_buffer;
mod correct;
mod criteria;
mod error;
pub(crate) mod format;
mod handler;
mod ingest;
mod ledger;
mod ledger_csv;
mod metrics;
mod pages;
mod quarantine;
mod remote_write;
mod serve;
mod source_auth;
mod sources;
mod time_range;
mod web;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware;
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::csrf::CsrfLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::timeout::TimeoutLayer;

use crate::app::App;

use error::Error;

/// A request that takes longer is given up. Slow senders get no thread, only this.
const PATIENCE: Duration = Duration::from_secs(30);

/// The content security policy of all pages: no scripts, nothing from elsewhere.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// Serves on `listener` until `stop` is cancelled, then lets open requests finish.
pub async fn serve(app: Arc<App>, listener: TcpListener, stop: CancellationToken) {
    serve::serve(router(app), listener, stop).await;
}

fn router(app: Arc<App>) -> Router {
    let people = Router::new()
        .route("/api/v2/alerts", post(ingest::alerts))
        .route("/api/v1/events", post(api::events))
        .route("/api/v1/declarations", post(api::declare))
        .route("/api/v1/requests", post(api::request))
        .route("/api/v1/interventions", post(api::intervene))
        .route("/api/v1/near-misses", post(api::near_miss))
        .route("/api/v1/maintenance", get(api::planned).post(api::plan))
        .route("/api/v1/incidents", get(api::incidents))
        .route("/api/v1/incidents/{id}", get(api::incident))
        .route("/api/v1/incidents/{id}/verdicts", get(api::verdicts))
        .route("/api/v1/incidents/{id}/review", post(api::review))
        .route("/api/v1/incidents/{id}/merge", post(correct::merge))
        .route("/api/v1/incidents/{id}/move", post(correct::part))
        .route(
            "/api/v1/incidents/{id}/milestones",
            post(correct::milestone),
        )
        .route("/api/v1/incidents/{id}/data-loss", post(correct::data_loss))
        .route("/api/v1/identities", post(correct::identity))
        .route("/api/v1/suggestions", get(api::suggestions))
        .route("/api/v1/postmortems", get(api::postmortems))
        .route("/api/v1/postmortems/{id}", get(api::postmortem))
        .route("/api/v1/criteria", get(criteria::listed))
        .route("/api/v1/conditions", get(api::conditions))
        .route("/api/v1/ledger", get(ledger::listed))
        .route(
            "/api/v1/backtests",
            get(backtests::listed).post(backtests::begin),
        )
        .route(
            "/api/v1/backtests/{number}",
            get(backtests::one).delete(backtests::cancel),
        )
        .route("/api/v1/deliveries", get(api::deliveries))
        .route("/api/v1/deliveries/retry", post(api::retry_delivery))
        .route("/api/v1/sources", get(sources::listed))
        .route("/api/v1/quarantine", get(quarantine::listed))
        .route("/api/v1/quarantine/{position}", get(quarantine::one))
        .route(
            "/api/v1/quarantine/{position}/retry",
            post(quarantine::retry),
        )
        .route(
            "/api/v1/quarantine/{position}/dismiss",
            post(quarantine::dismiss),
        )
        .route("/metrics", get(metrics::metrics))
        .route("/-/reload", post(reload))
        .merge(web::routes())
        .layer(middleware::from_fn_with_state(
            Arc::clone(&app),
            access::require_access,
        ));
    let fixed = |name: HeaderName, value: &'static str| {
        SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
    };
    Router::new()
        .route(
            "/ingest/{source}",
            post(ingest::webhook)
                .put(ingest::webhook)
                .get(ingest::looked_at)
                .options(ingest::wanted),
        )
        .route("/api/v1/write", post(remote_write::write))
        .route("/-/healthy", get(|| async { "Afterword is healthy.\n" }))
        .route("/-/ready", get(ready))
        .route("/style.css", get(web::style))
        .merge(people)
        .fallback(web::nowhere)
        .layer(CsrfLayer::new())
        .layer(TimeoutLayer::with_status_code(
            StatusCode::REQUEST_TIMEOUT,
            PATIENCE,
        ))
        .layer(CatchPanicLayer::new())
        .layer(fixed(header::CONTENT_SECURITY_POLICY, POLICY))
        .layer(fixed(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(fixed(header::REFERRER_POLICY, "same-origin"))
        .with_state(app)
}

/// `GET /-/ready`: once the judge has applied what was logged before the start.
async fn ready(State(app): State<Arc<App>>) -> (StatusCode, &'static str) {
    let (head, applied) = app.progress();
    // A judge a few records behind is at work; one far behind is catching up after a stop.
    if head.saturating_sub(applied) < 10_000 {
        (StatusCode::OK, "Afterword is ready.\n")
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "Afterword is catching up with its log.\n",
        )
    }
}

/// `POST /-/reload`
async fn reload(State(app): State<Arc<App>>) -> Result<&'static str, Error> {
    let ours = Arc::clone(&app);
    let done = tokio::task::spawn_blocking(move || ours.reload())
        .await
        .map_err(|panic| Error::Internal(anyhow::anyhow!(panic)))?;
    done.map(|()| "The settings and rules were read again.\n")
        .map_err(|faults| {
            let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
            Error::BadRequest(format!(
                "the old settings stay in force: {}",
                told.join("; ")
            ))
        })
}
