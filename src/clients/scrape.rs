//! Client for scrape targets. Their exposition formats are parsed in `ingest::exposition`.

use std::time::Duration;

use reqwest::header::CONTENT_TYPE;

use super::credentials::ServerAccess;
use super::error::ClientError;
use super::exchange_times::ExchangeTimes;
use super::http::{HttpClient, RedirectPolicy};
use crate::config::metrics::ScrapeConfig;
use crate::ingest::exposition::format::ACCEPT;

/// Limit on a page in bytes, compressed and decompressed.
const MAX_PAGE_BYTES: usize = 10_000_000;

/// Client for the targets of one `scrape` entry. Changed settings need a new one.
#[derive(Debug)]
pub struct Scraper {
    http: HttpClient,
    timeout: Duration,
}

/// Decompressed metrics page of a target.
#[derive(Debug, Clone, PartialEq)]
pub struct ScrapedPage {
    /// The body.
    pub bytes: Vec<u8>,
    /// Header `Content-Type`, which gives the exposition format.
    pub content_type: Option<String>,
    /// Times of request and response.
    pub heard: ExchangeTimes,
}

impl Scraper {
    /// Builds the client from its settings and the credentials that they name.
    ///
    /// # Errors
    /// The unusable part of `access`, in a sentence.
    pub fn new(settings: &ScrapeConfig, access: &ServerAccess) -> Result<Self, String> {
        let timeout = Duration::from_secs(settings.timeout.unsigned_abs());
        let urls = settings.targets.iter().map(|target| target.url.as_str());
        let http = HttpClient::new(access, timeout, RedirectPolicy::Configured, urls)?;
        Ok(Self { http, timeout })
    }

    /// Scrapes one target by its address.
    ///
    /// # Errors
    /// See [`ClientError`]; [`ClientError::Unreadable`] also for a page of more than 10 MB.
    pub async fn fetch(&self, url: &str) -> Result<ScrapedPage, ClientError> {
        let timeout = self.timeout.as_secs_f64().to_string();
        let (head, bytes) = self
            .http
            .get(url, MAX_PAGE_BYTES, |request| {
                request
                    .header("accept", ACCEPT)
                    .header("x-prometheus-scrape-timeout-seconds", timeout)
            })
            .await?;
        if head.status != 200 {
            return Err(head.refusal("", &String::from_utf8_lossy(&bytes)));
        }
        Ok(ScrapedPage {
            bytes,
            content_type: head.header(&CONTENT_TYPE).map(str::to_owned),
            heard: head.times,
        })
    }
}
