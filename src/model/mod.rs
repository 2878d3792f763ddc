//! The words all other modules speak: plain data, no behaviour beyond building it right.
//!
//! One word per thing; the same words stand in SQL, pages and docs.

pub(crate) mod backoff;
pub(crate) mod correction;
pub(crate) mod directory;
pub mod event;
pub(crate) mod fault;
pub(crate) mod glob;
pub(crate) mod id;
mod identity;
pub mod incident;
pub mod labels;
pub(crate) mod ledger;
pub(crate) mod member;
pub(crate) mod on_call;
pub(crate) mod plot;
pub(crate) mod postmortem;
pub mod sample;
pub mod settings;
pub mod source;
pub(crate) mod spans;
pub(crate) mod time_parse;

/// An instant in UTC. Stored with microseconds, shown with seconds.
pub type Time = chrono::DateTime<chrono::Utc>;
