//! The outcome of one delivery attempt.

/// Outcome of one delivery attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DeliveryOutcome {
    /// It is done, now or before.
    Delivered,
    /// Not done, but a later attempt may succeed; what is in the way and what to do, in a sentence.
    Retry(String),
    /// Not done, and no later attempt will; why, in a sentence.
    Refused(String),
}
