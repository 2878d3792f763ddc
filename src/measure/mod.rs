//! Fetches samples: asks a Prometheus, scrapes targets; and asks an Alertmanager what it lists. Decides nothing.

pub mod alertmanager;
pub mod answer;
pub mod fault;
pub mod prometheus;
pub mod reach;
pub mod scrape;
mod transport;
