//! Asks one Alertmanager what it lists. What it answers is read elsewhere.

use std::time::Duration;

use reqwest::Url;

use super::credentials::ServerAccess;
use super::error::ClientError;
use super::exchange_times::ExchangeTimes;
use super::http::{HttpClient, RedirectPolicy};
use crate::config::api::AlertmanagerApi;
use crate::ingest::alertmanager_api::PollResponses;

/// The largest answer that is read, packed and unpacked.
const LARGEST: usize = 64 << 20;

/// One Alertmanager. Changed settings make a new one.
#[derive(Debug)]
pub(crate) struct AlertmanagerClient {
    http: HttpClient,
    api: String,
}

impl AlertmanagerClient {
    /// A client for the server of these settings; `reach` is what their `door` names, read.
    ///
    /// # Errors
    /// What of `reach` cannot be used, in a sentence; see [`ServerAccess::check`].
    pub(crate) fn new(settings: &AlertmanagerApi, reach: &ServerAccess) -> Result<Self, String> {
        let timeout = Duration::from_secs(settings.timeout.unsigned_abs());
        let http = HttpClient::new(
            reach,
            timeout,
            RedirectPolicy::Stop,
            [settings.url.as_str()],
        )?;
        Ok(Self {
            http,
            api: format!("{}/api/v2/", settings.url),
        })
    }

    /// Everything that it lists, between two looks at whether it was started anew, and when the list of alerts came.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub(crate) async fn fetch_state(&self) -> Result<(PollResponses, ExchangeTimes), ClientError> {
        let (before, _) = self.get("status").await?;
        let (alerts, heard) = self.get("alerts").await?;
        let (silences, _) = self.get("silences").await?;
        let (after, _) = self.get("status").await?;
        Ok((
            PollResponses {
                before,
                alerts,
                silences,
                after,
            },
            heard,
        ))
    }

    async fn get(&self, path: &str) -> Result<(Vec<u8>, ExchangeTimes), ClientError> {
        let url = Url::parse(&format!("{}{path}", self.api));
        let url = url.map_err(|error| {
            ClientError::Unreachable(format!("the address cannot be used: {error}"))
        })?;
        let mut reply = self
            .http
            .send(
                self.http.get(url).header("accept", "application/json"),
                LARGEST,
            )
            .await?;
        let reading = tokio::task::spawn_blocking(move || {
            reply.body(LARGEST).map(|bytes| (reply.head, bytes))
        });
        let (head, bytes) = reading.await.unwrap_or_else(|error| {
            Err(ClientError::Unreadable(format!(
                "reading the answer failed: {error}"
            )))
        })?;
        if head.status != 200 {
            return Err(head.refusal("", &String::from_utf8_lossy(&bytes)));
        }
        Ok((bytes, head.heard))
    }
}
