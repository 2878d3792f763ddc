//! What can go wrong with a request, and the status it gives.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, http};

use crate::app::intake::commit::Unstored;
use crate::ingest::remote_write::UnsupportedHeader;
use crate::store::error::StoreError;

/// Why a request was not served. Each says what to do; internals stay in the log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// 400: the body or the path has a fault.
    #[error("{0}")]
    BadRequest(String),
    /// 401: no or wrong credentials.
    #[error("{0}")]
    Unauthorized(&'static str),
    /// 404: there is nothing of that name.
    #[error("{0}")]
    NotFound(String),
    /// 409: what was answered has changed meanwhile; with the news.
    #[error("{0}")]
    Conflict(String),
    /// 413: more bytes than are read.
    #[error("the body is larger than the {} that are read; send fewer alerts at a time (Alertmanager: `max_alerts`)", size(*.0))]
    TooLarge(usize),
    /// 415: a content encoding that is not read.
    #[error("bodies are read as they are or with `Content-Encoding: gzip`; send one of these")]
    Encoding,
    /// 415: another protocol than the one spoken there.
    #[error(transparent)]
    Unspoken(#[from] UnsupportedHeader),
    /// 429 with `Retry-After`, in seconds: more than the source may send.
    #[error(
        "more than `limits.rate` of this source; try again in {0}s, or raise it in the settings"
    )]
    TooMany(u64),
    /// 503 with `Retry-After`: could not be stored.
    #[error("{0}")]
    Unavailable(String),
    /// 500: a fault of ours, told in the log.
    #[error("something failed here; the log of the service says what")]
    Internal(#[source] anyhow::Error),
}

impl Error {
    /// The status of each kind.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::Unauthorized(_) => StatusCode::UNAUTHORIZED,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Encoding | Self::Unspoken(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The headers that go with the status.
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
            Self::Internal(fault) => tracing::error!("a request failed: {fault:#}"),
            _ => {}
        }
    }
}

/// So many bytes, in the largest unit that makes them a whole number.
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
        Self::Internal(anyhow::Error::new(fault))
    }
}
