//! Tests of the whole, one file a feature. What they need and do not find is a failure that names `tests/run.sh`.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod bad_input;
mod commands;
mod deploy;
mod layers;
mod prometheus;
mod promtool;
mod reload;
mod storms;
mod world;
