//! Client for iCalendar feeds, with conditional requests. The feeds are parsed in `ical`.

use std::time::Duration;

use reqwest::Url;
use reqwest::header::{
    ETAG, HeaderName, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, LOCATION,
};

use super::credentials::ServerAccess;
use super::error::ClientError;
use super::http::{HttpClient, RedirectPolicy};
use crate::model::id::hex;

/// Limit on a calendar in bytes.
pub const LARGEST: usize = 4_000_000;
/// Time-out of the whole exchange, redirects and body included.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Client for calendars at any address.
#[derive(Debug)]
pub struct CalendarClient(HttpClient);

/// Cache validators of a calendar for conditional requests (RFC 9110 §8.8).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CacheValidators {
    /// `ETag`.
    etag: Option<String>,
    /// `Last-Modified`.
    modified: Option<String>,
}

impl CacheValidators {
    /// Computes validators from the text, for calendars served without any.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        Self {
            etag: Some(hex(text, 16)),
            modified: None,
        }
    }
}

impl CalendarClient {
    /// Builds the client.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new() -> Result<Self, String> {
        let access = ServerAccess::default();
        HttpClient::new(&access, TIMEOUT, RedirectPolicy::Configured, []).map(Self)
    }

    /// Fetches the calendar at an address; `None` when it is unchanged since `validators`.
    ///
    /// # Errors
    /// The reason of the failure, without the address, which may be a secret.
    pub async fn fetch(
        &self,
        address: &str,
        validators: &CacheValidators,
    ) -> Result<Option<(String, CacheValidators)>, String> {
        let conditions = [
            (IF_NONE_MATCH, &validators.etag),
            (IF_MODIFIED_SINCE, &validators.modified),
        ];
        let response = self.0.get(address, LARGEST, |request| {
            let request = request.header("accept", "text/calendar, */*;q=0.1");
            conditions
                .into_iter()
                .filter_map(|(name, value)| Some((name, value.as_ref()?)))
                .fold(request, |request, (name, value)| {
                    request.header(name, value)
                })
        });
        let (head, body) = response.await.map_err(|error| match error {
            ClientError::Unreachable(why) => format!("its server cannot be reached: {why}"),
            other => other.to_string(),
        })?;
        let text = |name: &HeaderName| head.header(name).map(str::to_owned);
        match head.status {
            200 => {
                let validators = CacheValidators {
                    etag: text(&ETAG),
                    modified: text(&LAST_MODIFIED),
                };
                Ok(Some((
                    String::from_utf8_lossy(&body).into_owned(),
                    validators,
                )))
            }
            304 if *validators != CacheValidators::default() => Ok(None),
            300..=399 => {
                // The path may be a secret, too.
                let to = head
                    .header(&LOCATION)
                    .and_then(|location| Url::parse(location).ok())
                    .map_or_else(
                        || "another address".to_owned(),
                        |url| url.origin().ascii_serialization(),
                    );
                Err(format!(
                    "its server redirects to {to}; if this is intended, put that address into the settings"
                ))
            }
            status => Err(format!("its server responds with status {status}")),
        }
    }
}

/// The message for a calendar that is larger than [`LARGEST`].
#[must_use]
pub fn too_large() -> String {
    format!("it is larger than {} MB", LARGEST / 1_000_000)
}
