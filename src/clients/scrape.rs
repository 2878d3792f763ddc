//! Fetches a page in one of Prometheus's text formats. What it says is read elsewhere.

use std::time::Duration;

use reqwest::Url;

use super::credentials::ServerAccess;
use super::error::ClientError;
use super::exchange_times::ExchangeTimes;
use super::http::{HttpClient, RedirectPolicy};
use crate::config::metrics::ScrapeConfig;
use crate::ingest::exposition::format::ACCEPT;

/// The largest page, packed and unpacked, in bytes.
const LARGEST: usize = 10_000_000;

/// Fetches the pages of one entry of `metrics:`. Cheap to share; changed settings make a new one.
#[derive(Debug)]
pub struct Scraper {
    http: HttpClient,
    timeout: Duration,
}

/// A page as it came, unpacked.
#[derive(Debug, Clone, PartialEq)]
pub struct ScrapedPage {
    /// Its text.
    pub bytes: Vec<u8>,
    /// The format that the server says it is in: the header `Content-Type`.
    pub content_type: Option<String>,
    /// When it was asked for and came.
    pub heard: ExchangeTimes,
}

impl Scraper {
    /// A client for the pages of these settings; `reach` is what their `door` names, read.
    ///
    /// # Errors
    /// What of `reach` cannot be used, in a sentence; see [`ServerAccess::check`].
    pub fn new(settings: &ScrapeConfig, reach: &ServerAccess) -> Result<Self, String> {
        let timeout = Duration::from_secs(settings.timeout.unsigned_abs());
        let http = HttpClient::new(
            reach,
            timeout,
            RedirectPolicy::Follow,
            settings.targets.iter().map(|page| page.url.as_str()),
        )?;
        Ok(Self { http, timeout })
    }

    /// One page, by its address.
    ///
    /// # Errors
    /// See [`ClientError`]; [`ClientError::Unreadable`] also for a page of more than 10 MB.
    pub async fn fetch(&self, url: &str) -> Result<ScrapedPage, ClientError> {
        let url = Url::parse(url).map_err(|error| {
            ClientError::Unreachable(format!("the address cannot be used: {error}"))
        })?;
        let request = self.http.get(url).header("accept", ACCEPT);
        let request = request.header(
            "x-prometheus-scrape-timeout-seconds",
            self.timeout.as_secs_f64().to_string(),
        );
        let mut reply = self.http.send(request, LARGEST).await?;
        let reading = tokio::task::spawn_blocking(move || {
            reply.body(LARGEST).map(|bytes| (reply.head, bytes))
        });
        let (head, bytes) = reading.await.unwrap_or_else(|error| {
            Err(ClientError::Unreadable(format!(
                "reading the page failed: {error}"
            )))
        })?;
        if head.status != 200 {
            return Err(head.refusal("", &String::from_utf8_lossy(&bytes)));
        }
        Ok(ScrapedPage {
            bytes,
            content_type: head.content_type,
            heard: head.heard,
        })
    }
}
