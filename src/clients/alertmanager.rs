//! Asks one Alertmanager what it lists. What it answers is read elsewhere.

use std::time::Duration;

use reqwest::Url;

use super::credentials::Reach;
use super::error::Fault;
use super::http::{Http, Redirects};
use super::prometheus_response::Heard;
use crate::config::api::AlertmanagerApi;
use crate::ingest::alertmanager_api::PollResponses;

/// The largest answer that is read, packed and unpacked.
const LARGEST: usize = 64 << 20;

/// One Alertmanager. Changed settings make a new one.
#[derive(Debug)]
pub(crate) struct Client {
    http: Http,
    api: String,
}

impl Client {
    /// A client for the server of these settings; `reach` is what their `door` names, read.
    ///
    /// # Errors
    /// What of `reach` cannot be used, in a sentence; see [`Reach::check`].
    pub(crate) fn new(settings: &AlertmanagerApi, reach: &Reach) -> Result<Self, String> {
        let timeout = Duration::from_secs(settings.timeout.unsigned_abs());
        let http = Http::new(reach, timeout, Redirects::Stop, [settings.url.as_str()])?;
        Ok(Self {
            http,
            api: format!("{}/api/v2/", settings.url),
        })
    }

    /// Everything that it lists, between two looks at whether it was started anew, and when the list of alerts came.
    ///
    /// # Errors
    /// See [`Fault`].
    pub(crate) async fn look(&self) -> Result<(PollResponses, Heard), Fault> {
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

    async fn get(&self, path: &str) -> Result<(Vec<u8>, Heard), Fault> {
        let url = Url::parse(&format!("{}{path}", self.api));
        let url = url
            .map_err(|error| Fault::Unreachable(format!("the address cannot be used: {error}")))?;
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
            Err(Fault::Unreadable(format!(
                "reading the answer failed: {error}"
            )))
        })?;
        if head.status != 200 {
            return Err(head.refusal("", &String::from_utf8_lossy(&bytes)));
        }
        Ok((bytes, head.heard))
    }
}
