//! Clients for outgoing requests: Prometheus, Alertmanager, scrape targets, calendars and Amazon
//! SNS. They fetch and parse; decisions are made elsewhere.

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
