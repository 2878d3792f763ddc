//! Fetches samples: asks a Prometheus, scrapes targets; and asks an Alertmanager what it lists. Decides nothing.

mod address_guard;
pub(crate) mod alertmanager;
pub mod calendar_feed;
pub(crate) mod credentials;
pub mod error;
pub(crate) mod exchange_times;
pub(crate) mod http;
pub mod prometheus;
pub(crate) mod prometheus_response;
pub mod query_response;
mod redaction;
pub mod scrape;
pub(crate) mod sns;
pub mod tls;
