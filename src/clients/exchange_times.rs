//! Timestamps of one HTTP exchange, for measuring clock skew.

use tokio::time::Instant;

use crate::model::time::Time;

/// Timestamps of one HTTP exchange by the local and the server's clock, for measuring clock skew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExchangeTimes {
    /// Start of the request.
    pub sent: Instant,
    /// Arrival of the response head.
    pub received: Instant,
    /// Server time from the `Date` header, in whole seconds; it lies between the other two.
    pub server_time: Option<Time>,
}
