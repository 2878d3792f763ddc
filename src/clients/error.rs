//! Errors of outgoing requests, by the reaction that each needs from the caller.

use std::time::Duration;

use chrono::TimeDelta;

use super::query_response::QueryResponse;
use crate::model::backoff::backoff;

/// Maximum back-off between two attempts, unless the server asks for more.
const LONGEST: TimeDelta = TimeDelta::minutes(1);
/// Upper bound on a server's `Retry-After`.
const MAX_RETRY_AFTER: TimeDelta = TimeDelta::minutes(10);

/// Error of an outgoing request. None of these means that the monitored service is healthy: its
/// state is unknown.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ClientError {
    /// No usable response: connection or TLS failure, time-out, truncated body, or a status of 500
    /// and above. Retryable.
    #[error("{0}")]
    Unreachable(String),
    /// Overload or query time-out reported by the server (429, 503). Retryable.
    #[error("{why}")]
    Busy {
        /// Delay that the server asks for in `Retry-After`.
        retry_after: Option<Duration>,
        /// Message of the server.
        why: String,
    },
    /// Authentication or authorization failure (401, 403).
    #[error("{0}")]
    Unauthorized(String),
    /// Request refused by the server. Retrying gives the same result, except where an `execution`
    /// error depends on data.
    #[error("{}", refused(*.status, .error_type, .message))]
    Refused {
        /// HTTP status.
        status: u16,
        /// Error type of the API: `bad_data` (invalid or too large a query) or `execution` (failed
        /// over the data); empty where the response is not from the API.
        error_type: String,
        /// Message of the server.
        message: String,
    },
    /// Response of an unexpected form: not JSON, an HTML page, or larger than the limit.
    #[error("{0}")]
    Unreadable(String),
    /// Partial response, marked so by the server. A series absent from it may exist.
    #[error("the answer is not whole: {why}")]
    Partial {
        /// Message of the server.
        why: String,
        /// Partial result, for queries.
        rest: Option<Box<QueryResponse>>,
    },
}

impl ClientError {
    /// Exponential back-off after `attempts` attempts (from 1) on `whom`: one second, doubled each
    /// time, at most a minute; longer where the server asks for it. Jitter by `whom` takes off up
    /// to a quarter, so that retries spread.
    #[must_use]
    pub fn retry_delay(&self, attempts: u32, whom: &str) -> TimeDelta {
        let asked = match self {
            Self::Busy {
                retry_after: Some(asked),
                ..
            } => TimeDelta::from_std(*asked)
                .unwrap_or(MAX_RETRY_AFTER)
                .min(MAX_RETRY_AFTER),
            _ => TimeDelta::zero(),
        };
        backoff(attempts, whom, LONGEST).max(asked)
    }
}

fn refused(status: u16, error_type: &str, message: &str) -> String {
    if error_type.is_empty() {
        format!("{message} (status {status})")
    } else {
        format!("{error_type}: {message}")
    }
}
