//! Rejected messages: the counted reason, and the answer to the sender.

use super::commit::Unstored;
use crate::store::error::StoreError;

/// Reason by which rejected messages are counted in `/metrics`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum RejectReason {
    /// Its credentials or its signature were missing or wrong.
    Credentials,
    /// Its signature was right, but for a time too far from now.
    Stale,
    /// Its source sent more than its rate allows.
    Rate,
    /// It was larger than its source may send.
    Size,
    /// It was stored before; it is answered as if it had been stored again.
    Repeat,
}

impl RejectReason {
    /// Label value in `/metrics`.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Credentials => "credentials",
            Self::Stale => "stale",
            Self::Rate => "rate",
            Self::Size => "size",
            Self::Repeat => "repeat",
        }
    }
}

/// The answer to a message that is not stored; the text is for its sender.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Rejection {
    /// No source has the name.
    #[error("{0}")]
    UnknownSource(String),
    /// The sender is not shown to be who it claims to be.
    #[error("{0}")]
    Unauthenticated(&'static str),
    /// More than the source may send.
    #[error("too many messages; try again in {retry_after} s")]
    RateLimited {
        /// Seconds until the next message is accepted.
        retry_after: u64,
    },
    /// The body as a whole, or a part of it, cannot be parsed.
    #[error("{0}")]
    Invalid(String),
    /// The sender cannot be verified at present.
    #[error("the sender of the message cannot be verified at present; send it again in a moment")]
    Unverifiable,
    /// It could not be stored.
    #[error(transparent)]
    Unstored(#[from] Unstored),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
