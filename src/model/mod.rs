//! The words all other modules speak: plain data, no behaviour beyond building it right.
//!
//! One word per thing; the same words stand in SQL, pages and docs.

pub mod backoff;
pub mod correction;
pub mod event;
pub mod fault;
pub mod glob;
pub mod id;
mod identity;
pub mod incident;
pub mod labels;
pub mod ledger;
pub mod member;
pub mod on_call;
pub mod plot;
pub mod postmortem;
pub mod sample;
pub mod settings;
pub mod source;
pub mod span;
pub mod when;
pub mod who;

/// An instant in UTC. Stored with microseconds, shown with seconds.
pub type Time = chrono::DateTime<chrono::Utc>;
