//! Fetches a page in one of Prometheus's text formats. What it says is read elsewhere.

use std::time::Duration;

use reqwest::Url;

use super::credentials::Reach;
use super::error::Fault;
use super::http::{Http, Redirects};
use super::prometheus_response::Heard;
use crate::config::metrics::ScrapeConfig;
use crate::ingest::exposition::ACCEPT;

/// The largest page, packed and unpacked, in bytes.
const LARGEST: usize = 10_000_000;

/// Fetches the pages of one entry of `metrics:`. Cheap to share; changed settings make a new one.
#[derive(Debug)]
pub struct Scraper {
    http: Http,
    timeout: Duration,
}

/// A page as it came, unpacked.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// Its text.
    pub bytes: Vec<u8>,
    /// The format that the server says it is in: the header `Content-Type`.
    pub content_type: Option<String>,
    /// When it was asked for and came.
    pub heard: Heard,
}

impl Scraper {
    /// A client for the pages of these settings; `reach` is what their `door` names, read.
    ///
    /// # Errors
    /// What of `reach` cannot be used, in a sentence; see [`Reach::check`].
    pub fn new(settings: &ScrapeConfig, reach: &Reach) -> Result<Self, String> {
        let timeout = Duration::from_secs(settings.timeout.unsigned_abs());
        let http = Http::new(
            reach,
            timeout,
            Redirects::Follow,
            settings.targets.iter().map(|page| page.url.as_str()),
        )?;
        Ok(Self { http, timeout })
    }

    /// One page, by its address.
    ///
    /// # Errors
    /// See [`Fault`]; [`Fault::Unreadable`] also for a page of more than 10 MB.
    pub async fn fetch(&self, url: &str) -> Result<Page, Fault> {
        let url = Url::parse(url)
            .map_err(|error| Fault::Unreachable(format!("the address cannot be used: {error}")))?;
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
            Err(Fault::Unreadable(format!(
                "reading the page failed: {error}"
            )))
        })?;
        if head.status != 200 {
            return Err(head.refusal("", &String::from_utf8_lossy(&bytes)));
        }
        Ok(Page {
            bytes,
            content_type: head.content_type,
            heard: head.heard,
        })
    }
}
