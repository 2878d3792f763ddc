//! HTTP as both clients need it: credentials that stay with their server, a time-out over all of it, and no body larger than is asked for.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::Read;
use std::net::SocketAddr;
use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{
    CONTENT_ENCODING, CONTENT_TYPE, DATE, HOST, HeaderMap, HeaderName, HeaderValue, LOCATION,
    RETRY_AFTER,
};
use reqwest::{Certificate, Identity, Url, redirect};
use tokio::time::Instant;

use super::credentials::{Credentials, ServerAccess};
use super::error::ClientError;
use super::exchange_times::ExchangeTimes;
use crate::model::time::Time;

const MOST_REDIRECTS: usize = 5;

/// Whether an answer that names another address is followed there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RedirectPolicy {
    /// It is the answer: what was posted would be lost on the way.
    Stop,
    /// On the same server, and further only by who shows nothing that is not meant for others.
    Follow,
}

/// Speaks to the servers of one entry of the settings.
#[derive(Debug)]
pub(crate) struct HttpClient {
    client: reqwest::Client,
    /// Where certificates are in another name than the host's: a client for each host.
    renamed: BTreeMap<String, reqwest::Client>,
    server_name: Option<String>,
    credentials: Credentials,
    timeout: Duration,
}

/// What came, its body still packed.
#[derive(Debug)]
pub(crate) struct HttpResponse {
    /// What came before the body.
    pub(crate) head: ResponseHead,
    gzip: bool,
    packed: Vec<u8>,
}

/// What comes before a body.
#[derive(Debug)]
pub(crate) struct ResponseHead {
    /// The status of HTTP.
    pub(crate) status: u16,
    /// `Content-Type`.
    pub(crate) content_type: Option<String>,
    /// `Retry-After`, as the time from the answer on.
    pub(crate) retry_after: Option<Duration>,
    /// `Location`.
    pub(crate) location: Option<String>,
    /// When.
    pub(crate) heard: ExchangeTimes,
}

impl HttpClient {
    /// For these addresses. Their hosts matter only where `reach` gives the name in their certificates.
    pub(crate) fn new<'a>(
        reach: &ServerAccess,
        timeout: Duration,
        redirects: RedirectPolicy,
        urls: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, String> {
        check(reach)?;
        let server_name = reach.tls.server_name.clone();
        let client = build(reach, redirects, None)?;
        let mut renamed = BTreeMap::new();
        if server_name.is_some() {
            for url in urls {
                let url = Url::parse(url)
                    .map_err(|error| format!("an address cannot be used: {error}"))?;
                renamed.insert(authority(&url), build(reach, redirects, Some(&url))?);
            }
        }
        Ok(Self {
            client,
            renamed,
            server_name,
            credentials: reach.credentials.clone(),
            timeout,
        })
    }

    /// GET.
    pub(crate) fn get(&self, url: Url) -> reqwest::RequestBuilder {
        let (client, url) = self.named(url);
        self.dress(client.get(url))
    }

    /// POST.
    pub(crate) fn post(&self, url: Url) -> reqwest::RequestBuilder {
        let (client, url) = self.named(url);
        self.dress(client.post(url))
    }

    /// The client for an address, and the address by the name that the certificate has.
    fn named(&self, mut url: Url) -> (&reqwest::Client, Url) {
        let renamed = self
            .renamed
            .get(&authority(&url))
            .filter(|_| url.scheme() == "https");
        if let (Some(client), Some(name)) = (renamed, &self.server_name)
            && url.set_host(Some(name)).is_ok()
        {
            return (client, url);
        }
        (&self.client, url)
    }

    fn dress(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        let request = request
            .timeout(self.timeout)
            .header("accept-encoding", "gzip");
        match &self.credentials {
            Credentials::None => request,
            Credentials::Bearer(token) => request.bearer_auth(token),
            Credentials::Basic { username, password } => {
                request.basic_auth(username, Some(password))
            }
            Credentials::Header { name, value } => {
                let value = HeaderValue::from_str(value).map(|mut value| {
                    value.set_sensitive(true);
                    value
                });
                match value {
                    Ok(value) => request.header(name, value),
                    // `check` lets no other in.
                    Err(_) => request,
                }
            }
        }
    }

    /// Sends a request and takes in at most `limit` bytes of what comes.
    pub(crate) async fn send(
        &self,
        request: reqwest::RequestBuilder,
        limit: usize,
    ) -> Result<HttpResponse, ClientError> {
        let sent = Instant::now();
        let mut response = request.send().await.map_err(|error| self.fault(error))?;
        let received = Instant::now();
        let headers = response.headers();
        let text = |name: HeaderName| {
            headers
                .get(name)
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned)
        };
        let server_time = text(DATE).and_then(|date| http_date(&date));
        let retry_after = text(RETRY_AFTER).and_then(|after| retry_after(&after, server_time));
        let (content_type, location) = (text(CONTENT_TYPE), text(LOCATION));
        let gzip = match text(CONTENT_ENCODING)
            .unwrap_or_default()
            .to_ascii_lowercase()
            .as_str()
        {
            "" | "identity" => false,
            "gzip" | "x-gzip" => true,
            other => {
                return Err(ClientError::Unreadable(format!(
                    "the answer is packed as {}, which nobody asked for",
                    shown(other)
                )));
            }
        };
        let mut packed = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.fault(error))? {
            if packed.len() + chunk.len() > limit {
                return Err(too_large(limit));
            }
            packed.extend_from_slice(&chunk);
        }
        let status = response.status().as_u16();
        let heard = ExchangeTimes {
            sent,
            received,
            server_time,
        };
        Ok(HttpResponse {
            head: ResponseHead {
                status,
                content_type,
                retry_after,
                location,
                heard,
            },
            gzip,
            packed,
        })
    }

    fn fault(&self, error: reqwest::Error) -> ClientError {
        if error.is_timeout() {
            return ClientError::Unreachable(format!(
                "there is no whole answer within {}s",
                self.timeout.as_secs_f64()
            ));
        }
        // The address may hold what only the settings should show, and who reads this knows whom we asked.
        let error = error.without_url();
        let mut why = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            let cause_text = cause.to_string();
            if !why.contains(&cause_text) {
                why = format!("{why}: {cause_text}");
            }
            source = cause.source();
        }
        ClientError::Unreachable(why)
    }
}

impl HttpResponse {
    /// The body, unpacked, and no more than `limit` bytes of it. Takes its time: not for a thread that others wait for.
    pub(crate) fn body(&mut self, limit: usize) -> Result<Vec<u8>, ClientError> {
        let packed = std::mem::take(&mut self.packed);
        if !self.gzip {
            return Ok(packed);
        }
        let mut body = Vec::new();
        let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
        flate2::read::MultiGzDecoder::new(packed.as_slice())
            .take(most)
            .read_to_end(&mut body)
            .map_err(|error| {
                ClientError::Unreadable(format!("the answer cannot be unpacked: {error}"))
            })?;
        if body.len() > limit {
            Err(too_large(limit))
        } else {
            Ok(body)
        }
    }
}

impl ResponseHead {
    /// The fault of an answer that is none, going by its status alone; `said` is what its body says.
    pub(crate) fn refusal(&self, error_type: &str, said: &str) -> ClientError {
        let (status, said) = (self.status, shown(said));
        let told = |what: &str| {
            if said.is_empty() {
                format!("{what} (status {status})")
            } else {
                format!("{what} (status {status}): {said}")
            }
        };
        match status {
            401 | 403 => {
                ClientError::Unauthorized(told("the server does not accept the credentials"))
            }
            429 | 503 => ClientError::Busy {
                retry_after: self.retry_after,
                why: told("the server cannot answer now"),
            },
            500.. => ClientError::Unreachable(told("the server failed")),
            300..=399 => {
                let to = self
                    .location
                    .as_deref()
                    .map_or("another address", |location| {
                        location.get(..200).unwrap_or(location)
                    });
                let message = format!(
                    "the server sends us on to {to}; where that is right, write it in the settings"
                );
                ClientError::Refused {
                    status,
                    error_type: String::new(),
                    message,
                }
            }
            _ => ClientError::Refused {
                status,
                error_type: error_type.to_owned(),
                message: said,
            },
        }
    }
}

/// What is wrong with `reach`; repeats none of it.
pub(crate) fn check(reach: &ServerAccess) -> Result<(), String> {
    let held = |what: &str, value: &str| {
        HeaderValue::from_str(value)
            .map(drop)
            .map_err(|_| format!("{what} holds a character that no header can hold"))
    };
    match &reach.credentials {
        // These are encoded.
        Credentials::None | Credentials::Basic { .. } => {}
        Credentials::Bearer(token) => held("the bearer token", token)?,
        Credentials::Header { name, value } => held(&format!("the value of {name}"), value)?,
    }
    default_headers(reach)?;
    authorities(reach)?;
    identity(reach)?;
    Ok(())
}

fn default_headers(reach: &ServerAccess) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in &reach.headers {
        let key = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| format!("{name:?} is no name of a header"))?;
        let mut value = HeaderValue::from_str(value).map_err(|_| {
            format!("the value of {name} holds a character that no header can hold")
        })?;
        value.set_sensitive(true);
        headers.insert(key, value);
    }
    Ok(headers)
}

fn authorities(reach: &ServerAccess) -> Result<Option<Vec<Certificate>>, String> {
    let Some(pem) = &reach.tls.ca else {
        return Ok(None);
    };
    match Certificate::from_pem_bundle(pem) {
        Ok(certificates) if !certificates.is_empty() => Ok(Some(certificates)),
        _ => Err("`ca_file` holds no certificate in PEM".to_owned()),
    }
}

fn identity(reach: &ServerAccess) -> Result<Option<Identity>, String> {
    let own = reach
        .tls
        .own
        .as_ref()
        .map(|pem| Identity::from_pem(pem))
        .transpose();
    own.map_err(|_| "`cert_file` and `key_file` hold no certificate and key in PEM".to_owned())
}

fn build(
    reach: &ServerAccess,
    redirects: RedirectPolicy,
    renamed: Option<&Url>,
) -> Result<reqwest::Client, String> {
    let mut headers = default_headers(reach)?;
    let bound = reach.is_private() || renamed.is_some();
    let policy = match redirects {
        RedirectPolicy::Stop => redirect::Policy::none(),
        RedirectPolicy::Follow => redirect::Policy::custom(move |attempt| {
            let same = attempt
                .previous()
                .first()
                .is_some_and(|first| first.origin() == attempt.url().origin());
            if attempt.previous().len() > MOST_REDIRECTS {
                attempt.error("the server sends us on and on")
            } else if same || !bound {
                attempt.follow()
            } else {
                attempt.stop()
            }
        }),
    };
    // What goes through a proxy is not what the settings say; nothing else of the environment counts either.
    let mut builder = crate::clients::tls::client_builder()
        .no_proxy()
        .redirect(policy)
        .user_agent(concat!("Afterword/", env!("CARGO_PKG_VERSION")));
    if let Some(url) = renamed {
        let host = url.host_str().unwrap_or_default();
        let resolver = Fixed(
            host.trim_start_matches('[')
                .trim_end_matches(']')
                .to_owned(),
        );
        headers.insert(
            HOST,
            HeaderValue::from_str(&authority(url))
                .map_err(|_| "an address has no host".to_owned())?,
        );
        builder = builder.dns_resolver(resolver);
    }
    if let Some(certificates) = authorities(reach)? {
        builder = builder.tls_certs_only(certificates);
    }
    if let Some(identity) = identity(reach)? {
        builder = builder.identity(identity);
    }
    if reach.tls.insecure {
        builder = builder.tls_danger_accept_invalid_certs(true);
    }
    builder
        .default_headers(headers)
        .build()
        .map_err(|error| format!("TLS cannot be set up: {error}"))
}

/// Host and port as they stand in an address.
fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port()
        .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Finds one host, whatever it is asked for: the address has the name of the certificate, and the server is elsewhere.
#[derive(Debug, Clone)]
struct Fixed(String);

impl Resolve for Fixed {
    fn resolve(&self, _: Name) -> Resolving {
        let host = self.0.clone();
        Box::pin(async move {
            // Port 0: that of the address is taken.
            let found: Vec<SocketAddr> = tokio::net::lookup_host((host, 0)).await?.collect();
            let found: Addrs = Box::new(found.into_iter());
            Ok(found)
        })
    }
}

fn too_large(limit: usize) -> ClientError {
    ClientError::Unreadable(format!(
        "the answer is larger than {} MB; ask for less",
        limit / 1_000_000
    ))
}

/// The first line of what a server says, and not much of it.
pub(crate) fn shown(text: &str) -> String {
    let line = text.trim().lines().next().unwrap_or_default();
    let mut shown: String = line.chars().filter(|c| !c.is_control()).take(300).collect();
    if line.chars().count() > 300 {
        shown.push('…');
    }
    shown
}

/// An HTTP-date (RFC 9110 §5.6.7) of the form that is sent.
fn http_date(text: &str) -> Option<Time> {
    DateTime::parse_from_rfc2822(text)
        .ok()
        .map(|date| date.with_timezone(&Utc))
}

/// `Retry-After` (RFC 9110 §10.2.3): seconds, or a date, which counts from the answer's own.
fn retry_after(text: &str, server_time: Option<Time>) -> Option<Duration> {
    match text.trim().parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => (http_date(text)? - server_time?).to_std().ok(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{http_date, retry_after, shown};

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = http_date("Wed, 25 Nov 2026 07:00:00 GMT");
        assert!(now.is_some());
        for (text, seconds) in [
            ("120", Some(120)),
            (" 3 ", Some(3)),
            ("Wed, 25 Nov 2026 07:01:30 GMT", Some(90)),
            ("Wed, 25 Nov 2026 06:00:00 GMT", None),
            ("soon", None),
            ("-1", None),
        ] {
            assert_eq!(
                retry_after(text, now),
                seconds.map(Duration::from_secs),
                "{text}"
            );
        }
        assert_eq!(retry_after("Wed, 25 Nov 2026 07:01:30 GMT", None), None);
    }

    #[test]
    fn little_is_shown_of_what_a_server_says() {
        assert_eq!(shown("\n <html>\n<body>"), "<html>");
        assert_eq!(shown(&"ü".repeat(1000)).chars().count(), 301);
        assert_eq!(shown("a\u{7}b"), "ab");
    }
}
