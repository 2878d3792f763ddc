//! Tests of the whole, one file a feature. What they need and do not find is a failure that names `tests/run.sh`.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod alertmanager;
mod bad_input;
mod clouds;
mod commands;
mod crashes;
mod declared;
mod degradation;
mod deploy;
mod dice;
mod exposition;
mod grafana;
mod hands;
mod layers;
mod limits;
mod mapped;
mod measure;
mod mutations;
mod odd_servers;
mod orders;
mod people;
mod postgres;
mod prometheus;
mod promtool;
mod queries;
mod quirks;
mod recall;
mod reload;
mod remote_write;
mod replicas;
mod senders;
mod sources;
mod sources_page;
mod storms;
mod target;
mod world;
