//! Fetches a page in one of Prometheus's text formats. What it says is read elsewhere.

use super::answer::Heard;
use super::fault::Fault;
use super::reach::Reach;
use crate::config::metrics::Scrape;

/// Fetches the pages of one entry of `metrics:`. Cheap to share; changed settings make a new one.
#[derive(Debug)]
pub struct Scraper {}

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
    pub fn new(settings: &Scrape, reach: &Reach) -> Result<Self, String> {
        let _ = (settings, reach);
        Ok(Self {})
    }

    /// One page, by its address.
    ///
    /// # Errors
    /// See [`Fault`]; [`Fault::Unreadable`] also for a page of more than 10 MB.
    pub async fn fetch(&self, url: &str) -> Result<Page, Fault> {
        let _ = url;
        Err(Fault::Unreachable(String::new()))
    }
}
