//! Why there is no answer, or not the whole of it, in the kinds that a caller acts on differently.

use std::time::Duration;

use chrono::TimeDelta;

use super::query_response::QueryResponse;
use crate::model::backoff::backoff;

/// The longest wait between two attempts, unless a server asks for more.
const LONGEST: TimeDelta = TimeDelta::minutes(1);
/// The longest wait that a server's `Retry-After` is heard for.
const HEARD: TimeDelta = TimeDelta::minutes(10);

/// Why there is no answer, or not the whole of it. None of these says that nothing is wrong with what was asked about: it is unknown.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ClientError {
    /// Nobody answers: no connection, no trust, too slow, cut off in the middle, or a status of 500 and above. A later attempt may succeed.
    #[error("{0}")]
    Unreachable(String),
    /// It answers that it has too much to do, or ran out of time over this query (429, 503). A later attempt may succeed.
    #[error("{why}")]
    Busy {
        /// How long it asks us to wait.
        retry_after: Option<Duration>,
        /// What it says.
        why: String,
    },
    /// It does not accept who we are (401, 403).
    #[error("{0}")]
    Unauthorized(String),
    /// It answers, and will not do this. Asking the same again gives the same, except where an `execution` depends on data.
    #[error("{}", refused(*.status, .error_type, .message))]
    Refused {
        /// The status of HTTP.
        status: u16,
        /// The API's own word: `bad_data` (the query cannot be read, or asks for too much), `execution` (it failed over the data); empty
        /// where it is not the API that answers.
        error_type: String,
        /// What it says.
        message: String,
    },
    /// It answers something else than was asked for: no JSON, a page for people, more than we take.
    #[error("{0}")]
    Unreadable(String),
    /// It answers in part and says that something is missing. What is absent here may well exist.
    #[error("the answer is not whole: {why}")]
    Partial {
        /// What it says.
        why: String,
        /// What did come, of a query.
        rest: Option<Box<QueryResponse>>,
    },
}

impl ClientError {
    /// How long to wait after `attempts` attempts (from 1) of asking `whom`: a second, doubled each time, at most a minute; longer where a
    /// server asks for it. Up to a quarter less, by `whom`, so that not all come back at once.
    #[must_use]
    pub fn retry_delay(&self, attempts: u32, whom: &str) -> TimeDelta {
        let asked = match self {
            Self::Busy {
                retry_after: Some(asked),
                ..
            } => TimeDelta::from_std(*asked).unwrap_or(HEARD).min(HEARD),
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
