//! Asks for a calendar, and for no more than what has changed. What it says is read elsewhere.

use std::error::Error;
use std::time::Duration;

use reqwest::header::{ETAG, HeaderName, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED};
use reqwest::{StatusCode, Url, redirect};

use crate::model::id::hex;

/// The largest calendar, in bytes.
pub const LARGEST: usize = 4_000_000;
/// How long a server has for its whole answer.
const PATIENCE: Duration = Duration::from_secs(20);
const MOST_REDIRECTS: usize = 5;

/// Asks servers for calendars.
#[derive(Debug, Clone)]
pub struct CalendarClient(reqwest::Client);

/// What a server said of the calendar that it gave last, by which it knows that none has changed since.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CacheValidators {
    /// `ETag`.
    etag: Option<String>,
    /// `Last-Modified`.
    modified: Option<String>,
}

impl CacheValidators {
    /// What is known of a calendar by its text alone: where no server tells whether it is another one.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        Self {
            etag: Some(hex(text, 16)),
            modified: None,
        }
    }
}

impl CalendarClient {
    /// A client that goes through no proxy, and never from `https` on to `http`.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new() -> Result<Self, String> {
        let policy = redirect::Policy::custom(|attempt| {
            let bared = attempt
                .previous()
                .iter()
                .any(|before| before.scheme() == "https")
                && attempt.url().scheme() != "https";
            if bared || attempt.previous().len() > MOST_REDIRECTS {
                attempt.stop()
            } else {
                attempt.follow()
            }
        });
        let builder = crate::clients::tls::client_builder()
            .no_proxy()
            .redirect(policy)
            .timeout(PATIENCE);
        let builder = builder.user_agent(concat!("Afterword/", env!("CARGO_PKG_VERSION")));
        builder
            .build()
            .map(Self)
            .map_err(|error| format!("TLS cannot be set up: {error}"))
    }

    /// The calendar at an address; `None`: it is the one of the last time, of which `seen` is known.
    ///
    /// # Errors
    /// Why there is none, in a few words that do not repeat the address: it may be a secret.
    pub async fn fetch(
        &self,
        address: &str,
        seen: &CacheValidators,
    ) -> Result<Option<(String, CacheValidators)>, String> {
        let address =
            Url::parse(address).map_err(|error| format!("its address cannot be used: {error}"))?;
        let mut request = self
            .0
            .get(address)
            .header("accept", "text/calendar, */*;q=0.1");
        for (name, value) in [
            (IF_NONE_MATCH, &seen.etag),
            (IF_MODIFIED_SINCE, &seen.modified),
        ] {
            request = value
                .iter()
                .fold(request, |request, value| request.header(&name, value));
        }
        let mut response = request.send().await.map_err(told)?;
        let status = response.status();
        if status == StatusCode::NOT_MODIFIED && *seen != CacheValidators::default() {
            return Ok(None);
        }
        if status != StatusCode::OK {
            return Err(format!(
                "its server answers with status {}",
                status.as_u16()
            ));
        }
        let header = |name: HeaderName| {
            response
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned)
        };
        let now = CacheValidators {
            etag: header(ETAG),
            modified: header(LAST_MODIFIED),
        };
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(told)? {
            if bytes.len() + chunk.len() > LARGEST {
                return Err(too_large());
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(Some((String::from_utf8_lossy(&bytes).into_owned(), now)))
    }
}

/// What to say of a calendar that is larger than [`LARGEST`].
#[must_use]
pub fn too_large() -> String {
    format!("it is larger than {} MB", LARGEST / 1_000_000)
}

fn told(error: reqwest::Error) -> String {
    if error.is_timeout() {
        return format!(
            "its server gives no whole answer within {}s",
            PATIENCE.as_secs()
        );
    }
    let error = error.without_url();
    let mut why = format!("its server cannot be reached: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        if !why.contains(&text) {
            why = format!("{why}: {text}");
        }
        source = cause.source();
    }
    why
}
