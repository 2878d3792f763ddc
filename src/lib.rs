//! Afterword decides which incidents deserve a postmortem, and says why.
//!
//! `docs/architecture.md` has the map; each module names only those listed for it there.

pub mod app;
pub mod calendar;
pub mod cli;
pub mod config;
pub mod deliver;
pub mod draft;
pub mod engine;
pub mod expr;
pub mod http;
pub mod ingest;
pub mod measure;
pub mod model;
pub mod rules;
pub mod store;
pub mod trial;
pub mod yaml;
