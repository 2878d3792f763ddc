//! Errors of requests and their HTTP status.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, http};

use crate::app::intake::commit::Unstored;
use crate::app::intake::rejection::Rejection;
use crate::ingest::remote_write::UnsupportedHeader;
use crate::store::error::StoreError;

/// Reason for a failed request. Messages say how to fix it; internals go to the log only.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// 400: invalid body, path or query.
    #[error("{0}")]
    BadRequest(String),
    /// 401: missing or wrong credentials.
    #[error("{0}")]
    Unauthorized(&'static str),
    /// 404: no such resource.
    #[error("{0}")]
    NotFound(String),
    /// 405: the address takes other methods only, which are listed.
    #[error("this address takes only {0}")]
    Method(String),
    /// 409: the resource has changed or does not allow this.
    #[error("{0}")]
    Conflict(String),
    /// 413: body larger than the limit, in bytes.
    #[error("the body exceeds the limit of {}; send fewer alerts at a time (Alertmanager: `max_alerts`)", size(*.0))]
    TooLarge(usize),
    /// 415: unsupported content encoding.
    #[error("the Content-Encoding is not supported; send the body uncompressed or with gzip")]
    Encoding,
    /// 415: unsupported remote write protocol.
    #[error(transparent)]
    UnsupportedProtocol(#[from] UnsupportedHeader),
    /// 429 with `Retry-After`, in seconds: rate limit exceeded.
    #[error(
        "the rate limit `limits.rate` of this source is exceeded; retry in {0}s, or raise it in the settings"
    )]
    TooMany(u64),
    /// 503 with `Retry-After`: storage unavailable or busy.
    #[error("{0}")]
    Unavailable(String),
    /// 500: internal error, logged.
    #[error("internal error; see the log of the service")]
    Internal(#[source] anyhow::Error),
}

impl Error {
    /// HTTP status of the error.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::Unauthorized(_) => StatusCode::UNAUTHORIZED,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Encoding | Self::UnsupportedProtocol(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Adds the headers that go with the status, and logs an internal error.
    pub(crate) fn mark(&self, headers: &mut http::HeaderMap) {
        match self {
            Self::Unavailable(_) => {
                drop(headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5")));
            }
            Self::TooMany(seconds) => {
                drop(headers.insert(header::RETRY_AFTER, HeaderValue::from(*seconds)));
            }
            Self::Unauthorized(challenge) => {
                let value = if challenge.contains("password") {
                    "Basic realm=\"afterword\""
                } else {
                    "Bearer"
                };
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(value));
            }
            Self::Internal(fault) => tracing::error!("request failed: {fault:#}"),
            _ => {}
        }
    }
}

/// Byte count in the largest unit that gives a whole number.
fn size(bytes: usize) -> String {
    match bytes >> 10 {
        kibibytes if kibibytes % 1024 == 0 => format!("{} MiB", kibibytes >> 10),
        kibibytes => format!("{kibibytes} KiB"),
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let mut response = (
            self.status(),
            Json(serde_json::json!({ "error": self.to_string() })),
        )
            .into_response();
        self.mark(response.headers_mut());
        response
    }
}

impl From<Unstored> for Error {
    fn from(fault: Unstored) -> Self {
        Self::Unavailable(fault.to_string())
    }
}

impl From<StoreError> for Error {
    fn from(fault: StoreError) -> Self {
        match fault {
            StoreError::Away(_)
            | StoreError::Full(_)
            | StoreError::Newer { .. }
            | StoreError::InUse { .. } => Self::Unavailable(fault.to_string()),
            fault => Self::Internal(anyhow::Error::new(fault)),
        }
    }
}

impl From<Rejection> for Error {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::UnknownSource(message) => Self::NotFound(message),
            Rejection::Unauthenticated(message) => Self::Unauthorized(message),
            Rejection::RateLimited { retry_after } => Self::TooMany(retry_after),
            Rejection::Invalid(message) => Self::BadRequest(message),
            Rejection::Unverifiable => Self::Unavailable(rejection.to_string()),
            Rejection::Unstored(fault) => fault.into(),
            Rejection::Store(fault) => fault.into(),
        }
    }
}
