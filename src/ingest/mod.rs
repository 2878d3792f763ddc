//! Parsers of inbound payloads, one file per source, and the authentication of their senders.
//!
//! Pure: the same bytes at the same `now` give the same events. Adding a source takes a file here,
//! a captured payload with its snapshot in `tests/payloads`, and a line in [`dispatch`].

mod alert_group;
mod alert_payload;
pub(crate) mod alertmanager;
pub(crate) mod alertmanager_api;
pub(crate) mod argocd;
pub mod auth;
pub(crate) mod cloudevents;
pub(crate) mod datadog;
pub mod dispatch;
pub mod error;
mod event_envelope;
pub(crate) mod event_keys;
pub(crate) mod events;
pub mod exposition;
pub(crate) mod generic;
pub(crate) mod github;
pub(crate) mod gitlab;
pub(crate) mod grafana;
pub(crate) mod header_filter;
pub(crate) mod incident_io;
mod json_fields;
pub(crate) mod kubernetes_audit;
pub(crate) mod labels;
pub mod message;
pub(crate) mod metric_check;
pub mod metric_filter;
pub(crate) mod opsgenie;
pub(crate) mod pagerduty;
pub(crate) mod people;
pub(crate) mod prometheus;
pub(crate) mod prometheus_alert_series;
pub mod reading;
mod redaction;
pub mod remote_write;
mod replicas;
pub(crate) mod sentry;
mod service_mapping;
pub(crate) mod slack;
pub(crate) mod sns;
pub(crate) mod standard_webhooks;
pub(crate) mod statuspage;
mod strict_fields;
mod tags;
mod time;

#[cfg(test)]
mod tests;
