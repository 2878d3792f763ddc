//! Fetches samples: asks a Prometheus, scrapes targets. Decides nothing.

pub mod answer;
pub mod fault;
pub mod prometheus;
pub mod reach;
pub mod scrape;
mod transport;
