//! Backtests: replays of past events under other rules, with the engine used live.

mod event_source;
pub(crate) mod input;
pub(crate) mod jobs;
pub(crate) mod runner;
