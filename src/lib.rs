//! Afterword decides which incidents deserve a postmortem, and says why.
//!
//! `docs/architecture.md` has the map; each module names only those listed for it there.

pub mod app;
pub mod cli;
pub mod clients;
pub mod config;
pub(crate) mod deliver;
pub mod engine;
pub mod expr;
pub mod http;
pub mod ical;
pub mod ingest;
pub(crate) mod meeting;
pub mod model;
pub(crate) mod plot;
pub(crate) mod postmortem;
pub mod rules;
pub mod store;
pub mod trial;
pub(crate) mod wording;
pub(crate) mod yaml;
