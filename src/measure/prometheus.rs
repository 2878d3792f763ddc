//! Asks one server that speaks Prometheus's HTTP API: Prometheus itself, Thanos, Mimir, VictoriaMetrics.

use std::time::Duration;

use super::answer::{ActiveAlert, AlertRule, Answer};
use super::fault::Fault;
use super::reach::Reach;
use crate::config::metrics::Prometheus;
use crate::model::Time;

/// One server. Cheap to share; changed settings make a new one.
#[derive(Debug)]
pub struct Client {}

impl Client {
    /// A client for the server of these settings; `reach` is what its `door` names, read.
    ///
    /// # Errors
    /// What of `reach` cannot be used, in a sentence; see [`Reach::check`].
    pub fn new(settings: &Prometheus, reach: &Reach) -> Result<Self, String> {
        let _ = (settings, reach);
        Ok(Self {})
    }

    /// The value of `expr` at an instant (cut to milliseconds).
    ///
    /// # Errors
    /// See [`Fault`]. That an answer is not whole is one, because what is absent in it may exist.
    pub async fn query(&self, expr: &str, at: Time) -> Result<Answer, Fault> {
        let _ = (expr, at);
        Err(Fault::Unreachable(String::new()))
    }

    /// The values of `expr` at `from` and every `step` after it until `to`, both included.
    ///
    /// # Errors
    /// As [`Client::query`].
    pub async fn query_range(&self, expr: &str, from: Time, to: Time, step: Duration) -> Result<Answer, Fault> {
        let _ = (expr, from, to, step);
        Err(Fault::Unreachable(String::new()))
    }

    /// The samples themselves, with the times they have, of a selector with a range: `ALERTS{alertname="Down"}[5m]`.
    ///
    /// # Errors
    /// As [`Client::query`].
    pub async fn raw(&self, selector: &str, at: Time) -> Result<Answer, Fault> {
        self.query(selector, at).await
    }

    /// Its rules that make alerts.
    ///
    /// # Errors
    /// As [`Client::query`].
    pub async fn rules(&self) -> Result<Vec<AlertRule>, Fault> {
        Err(Fault::Unreachable(String::new()))
    }

    /// Its alerts that are pending or fire.
    ///
    /// # Errors
    /// As [`Client::query`].
    pub async fn alerts(&self) -> Result<Vec<ActiveAlert>, Fault> {
        Err(Fault::Unreachable(String::new()))
    }
}
