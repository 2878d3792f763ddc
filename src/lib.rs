//! Afterword decides which incidents deserve a postmortem, and says why.
//!
//! `docs/architecture.md` has the map; each module names only those listed for it there.

pub mod config;
pub mod engine;
pub mod expr;
pub mod model;
pub mod rules;
