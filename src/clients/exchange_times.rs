//! Timestamps of one HTTP exchange, for measuring clock skew.

use tokio::time::Instant;

use crate::model::time::Time;

/// When an answer came, by our clock and by the server's, so that a caller can tell how far these are apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExchangeTimes {
    /// When the request went out.
    pub sent: Instant,
    /// When the head of the answer was there.
    pub received: Instant,
    /// The server's clock in between, cut to whole seconds: the header `Date`.
    pub server_time: Option<Time>,
}
