//! User-facing error of reading history: query, range, response of the server, and advice.

use crate::clients::error::ClientError;
use crate::model::time::Time;

/// Fault that ends reading of history.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error(
    "{server} did not return {query} from {} to {}: {said}. {}",
    time_text(*from), time_text(*until), advice(said)
)]
pub struct HistoryError {
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
            "Check that it runs and can be reached from here. If it is slow, request a shorter period or a longer step."
        }
        ClientError::Busy { .. } => {
            "Try again when it is less busy, or request a shorter period or a longer step."
        }
        ClientError::Unauthorized(_) => {
            "Name the entry of `metrics:` that has the credentials, or put user and password into the address: https://user:password@host."
        }
        ClientError::Refused { error_type, .. } if error_type == "bad_data" => {
            "Check the query on the server's own page."
        }
        ClientError::Refused { .. } => "Request a shorter period, a longer step or fewer series.",
        ClientError::Unreadable(_) => {
            "Check that the address is that of a server with the Prometheus HTTP API, and request fewer series."
        }
        ClientError::Partial { .. } => "Try again when all of its stores answer.",
    }
}
