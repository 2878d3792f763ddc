//! The HTTP server: router, access control, limits, API and pages. Reads may use the store; every
//! write goes through the app.

mod access;
mod api;
mod body;
pub mod body_buffer;
mod body_preview;
mod error;
mod format;
mod handler;
mod ingest;
mod management;
mod metrics;
mod pages;
mod paging;
mod query;
mod remote_write;
mod serve;
mod starting;
mod time_range;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware;
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::csrf::CsrfLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::timeout::TimeoutLayer;

use crate::app::App;
use crate::app::start_progress::StartProgress;

/// Time limit of a request, so that a slow sender cannot hold its resources.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Content security policy of all pages: no scripts, and nothing from other origins.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// Serves on `listener` until `stop` is cancelled, then lets open requests finish.
pub async fn serve(app: Arc<App>, listener: TcpListener, stop: CancellationToken) {
    let (_router, current) = watch::channel(router(app));
    serve::serve(current, listener, stop).await;
}

/// The reason why the service is not ready, if so; for the service manager.
pub(crate) async fn not_ready(app: &App) -> Option<String> {
    management::not_ready(app).await
}

/// A server that listens before its app is there.
#[derive(Debug)]
pub(crate) struct EarlyServer {
    router: watch::Sender<Router>,
}

impl EarlyServer {
    /// Until the app is there it says that the process is healthy, and how far the start is.
    pub(crate) fn new(progress: Arc<StartProgress>) -> Self {
        Self {
            router: watch::Sender::new(starting::router(progress)),
        }
    }

    /// Serves all requests from now on by `app`.
    pub(crate) fn open(&self, app: Arc<App>) {
        drop(self.router.send_replace(router(app)));
    }

    /// Serves on `listener` until `stop` is cancelled, then lets open requests finish.
    pub(crate) fn serve(
        &self,
        listener: TcpListener,
        stop: CancellationToken,
    ) -> impl Future<Output = ()> + Send + 'static {
        serve::serve(self.router.subscribe(), listener, stop)
    }
}

fn router(app: Arc<App>) -> Router {
    let guarded = Router::new()
        .route("/api/v2/alerts", post(ingest::alerts))
        .route("/metrics", get(metrics::metrics))
        .route("/-/reload", post(management::reload))
        .merge(api::routes())
        .merge(pages::routes())
        .layer(middleware::from_fn_with_state(
            Arc::clone(&app),
            pages::fault_notices::fill,
        ))
        .layer(middleware::from_fn_with_state(
            Arc::clone(&app),
            access::require_access,
        ));
    let set_header = |name: HeaderName, value: &'static str| {
        SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
    };
    let all = Router::new()
        .route(
            "/ingest/{source}",
            post(ingest::webhook)
                .put(ingest::webhook)
                .get(ingest::certificate_probe)
                .options(ingest::validation_handshake),
        )
        .route("/api/v1/write", post(remote_write::write))
        .route("/-/healthy", get(management::healthy))
        .route("/-/ready", get(management::ready))
        .route("/style.css", get(pages::layout::style))
        .merge(guarded)
        .fallback(pages::error::not_found)
        .with_state(app);
    // A router states the allowed methods outside of its own layers.
    Router::new()
        .fallback_service(all)
        .layer(middleware::from_fn(pages::error::explain_method))
        .layer(CsrfLayer::new())
        .layer(TimeoutLayer::with_status_code(
            StatusCode::REQUEST_TIMEOUT,
            REQUEST_TIMEOUT,
        ))
        .layer(CatchPanicLayer::new())
        .layer(set_header(
            header::CONTENT_SECURITY_POLICY,
            CONTENT_SECURITY_POLICY,
        ))
        .layer(set_header(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(set_header(header::REFERRER_POLICY, "same-origin"))
}
