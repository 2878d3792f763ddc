//! Client for the Alertmanager API v2. Its responses are parsed in `ingest::alertmanager_api`.

use std::time::Duration;

use super::credentials::ServerAccess;
use super::error::ClientError;
use super::exchange_times::ExchangeTimes;
use super::http::{HttpClient, RedirectPolicy};
use crate::config::api::AlertmanagerApi;
use crate::ingest::alertmanager_api::PollResponses;

/// Limit on a response in bytes, compressed and decompressed.
const MAX_RESPONSE_BYTES: usize = 64 << 20;

/// Client for one Alertmanager. Changed settings need a new one.
#[derive(Debug)]
pub(crate) struct AlertmanagerClient {
    http: HttpClient,
    api: String,
}

impl AlertmanagerClient {
    /// Builds the client from its settings and the credentials that they name.
    ///
    /// # Errors
    /// The unusable part of `access`, in a sentence.
    pub(crate) fn new(settings: &AlertmanagerApi, access: &ServerAccess) -> Result<Self, String> {
        let timeout = Duration::from_secs(settings.timeout.unsigned_abs());
        let http = HttpClient::new(
            access,
            timeout,
            RedirectPolicy::Stop,
            [settings.url.as_str()],
        )?;
        Ok(Self {
            http,
            api: format!("{}/api/v2/", settings.url),
        })
    }

    /// Fetches alerts and silences between two requests for the status, which show a restart, and
    /// the times of the request for alerts.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub(crate) async fn fetch_state(&self) -> Result<(PollResponses, ExchangeTimes), ClientError> {
        let (before, _) = self.get("status").await?;
        let (alerts, times) = self.get("alerts").await?;
        let (silences, _) = self.get("silences").await?;
        let (after, _) = self.get("status").await?;
        Ok((
            PollResponses {
                before,
                alerts,
                silences,
                after,
            },
            times,
        ))
    }

    async fn get(&self, path: &str) -> Result<(Vec<u8>, ExchangeTimes), ClientError> {
        let url = format!("{}{path}", self.api);
        let (head, body) = self
            .http
            .get(&url, MAX_RESPONSE_BYTES, |request| {
                request.header("accept", "application/json")
            })
            .await?;
        if head.status != 200 {
            return Err(head.refusal("", &String::from_utf8_lossy(&body)));
        }
        Ok((body, head.times))
    }
}
