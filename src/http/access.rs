//! Access control of the API and the pages: the token of `access:`, else the loopback interface only.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::HeaderMap;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::error::Error;
use super::handler::{header_pairs, is_loopback_host};
use crate::app::App;
use crate::ingest::auth::{Authentication, authentic};

/// Middleware that requires the token of `access:`, as a bearer token or as the password of any
/// user. Without `access:` it admits loopback connections only.
pub(crate) async fn require_access(
    State(app): State<Arc<App>>,
    request: Request,
    next: Next,
) -> Response {
    let settings = app.core.settings();
    let headers = request.headers();
    let is_allowed = match &settings.access {
        Some(proof) => {
            authentic(proof, &header_pairs(headers)) || is_token_as_password(proof, headers)
        }
        None => {
            let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
            peer.is_some_and(|ConnectInfo(peer)| peer.ip().to_canonical().is_loopback())
                && is_loopback_host(headers)
        }
    };
    if is_allowed {
        return next.run(request).await;
    }
    let message = if settings.access.is_some() {
        "credentials are missing or wrong: send the token of `access:` as `Authorization: Bearer …`, or as the password of any user"
    } else {
        "access is limited to localhost until `access:` is set in the settings; connect by a loopback address"
    };
    Error::Unauthorized(message).into_response()
}

/// True when the token is sent as the password of a user, which is all that browsers can send.
fn is_token_as_password(proof: &Authentication, headers: &HeaderMap) -> bool {
    let Authentication::Bearer(tokens) = proof else {
        return false;
    };
    ["afterword", ""].iter().any(|user| {
        let basic = Authentication::Basic {
            username: (*user).to_owned(),
            passwords: tokens.clone(),
        };
        authentic(&basic, &header_pairs(headers))
    })
}
