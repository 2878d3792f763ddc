//! User-facing error of reading history: query, range, response of the server, and advice.

use crate::clients::error::ClientError;
use crate::model::time::Time;

/// Fault that ends reading of history.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error(
    "{server} was asked for {query} from {} to {}, and there is no answer: {said}. {}",
    time_text(*from), time_text(*until), advice(said)
)]
pub struct PastFault {
    /// Address of the server, without secrets.
    pub server: String,
    /// Query.
    pub query: String,
    /// Start of the range.
    pub from: Time,
    /// End of the range.
    pub until: Time,
    /// Fault of the request.
    pub said: Box<ClientError>,
}

fn time_text(time: Time) -> String {
    time.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

fn advice(said: &ClientError) -> &'static str {
    match said {
        ClientError::Unreachable(_) => {
            "See whether it runs and can be reached from here; a server that is slow answers a shorter span or a longer step sooner."
        }
        ClientError::Busy { .. } => {
            "Try again when it has less to do, or ask for a shorter span or a longer step."
        }
        ClientError::Unauthorized(_) => {
            "Name the entry of `metrics:` that has the credentials, or write a user into the address: https://user:password@host."
        }
        ClientError::Refused { error_type, .. } if error_type == "bad_data" => {
            "See whether the query is right, by asking the same on the server's own page."
        }
        ClientError::Refused { .. } => {
            "Ask for a shorter span or a longer step, or for fewer series."
        }
        ClientError::Unreadable(_) => {
            "See whether the address is that of a server that speaks Prometheus's HTTP API, and ask for fewer series."
        }
        ClientError::Partial { .. } => "Try again when all that it asks itself answers.",
    }
}
