//! HTTP client shared by all outgoing requests: metrics servers, Alertmanager, calendars, Amazon
//! SNS.
//!
//! It enforces common rules: a time-out over the whole exchange, a limit on the body before and
//! after decompression, credentials confined to their server and redacted from error messages, no
//! proxy and no `Referer`, redirects only within an origin or to another configured one, and no
//! host names that resolve to this machine or to its link-local metadata service.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::Read;
use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::{
    CONTENT_ENCODING, DATE, HOST, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER,
};
use reqwest::{Certificate, Identity, Method, RequestBuilder, Url, redirect};
use tokio::time::Instant;

use super::address_guard::GuardedResolver;
use super::credentials::{Credentials, ServerAccess};
use super::error::ClientError;
use super::exchange_times::ExchangeTimes;
use super::redaction::Secrets;
use super::tls::client_builder;
use crate::model::time::Time;

const MAX_REDIRECTS: usize = 5;

/// Treatment of a redirect (RFC 9110 §15.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RedirectPolicy {
    /// Return the redirect as the response: following it would lose a posted form.
    Stop,
    /// Follow within the origin, from `http` to `https` of the same host, and to origins that the
    /// settings name; stop at any other.
    Configured,
}

/// HTTP client for the servers of one settings entry.
#[derive(Debug)]
pub(crate) struct HttpClient {
    client: reqwest::Client,
    /// Clients by authority, for servers whose certificate names another host.
    renamed: BTreeMap<String, reqwest::Client>,
    server_name: Option<String>,
    credentials: Credentials,
    secrets: Secrets,
    timeout: Duration,
}

/// Response before decompression of its body.
#[derive(Debug)]
pub(crate) struct HttpResponse {
    /// Status and headers.
    pub(crate) head: ResponseHead,
    gzip: bool,
    raw_body: Vec<u8>,
}

/// Status and headers of a response.
#[derive(Debug)]
pub(crate) struct ResponseHead {
    /// HTTP status.
    pub(crate) status: u16,
    /// All headers.
    pub(crate) headers: HeaderMap,
    /// Times of request and response.
    pub(crate) times: ExchangeTimes,
    /// Secrets to redact from every message about this response.
    pub(crate) secrets: Secrets,
}

impl HttpClient {
    /// Builds the client for these addresses, which are the origins that redirects may lead to.
    ///
    /// # Errors
    /// The unusable part of `access`, in a sentence without its secrets.
    pub(crate) fn new<'a>(
        access: &ServerAccess,
        timeout: Duration,
        redirects: RedirectPolicy,
        urls: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, String> {
        check_access(access)?;
        let urls = urls
            .into_iter()
            .map(Url::parse)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| format!("an address cannot be used: {error}"))?;
        let server_name = access.tls.server_name.clone();
        let mut renamed = BTreeMap::new();
        if server_name.is_some() {
            for url in &urls {
                renamed.insert(authority(url), build(access, redirects, &urls, Some(url))?);
            }
        }
        let mut secrets = Secrets::default();
        access.collect_secrets(&mut secrets);
        Ok(Self {
            client: build(access, redirects, &urls, None)?,
            renamed,
            server_name,
            credentials: access.credentials.clone(),
            secrets,
            timeout,
        })
    }

    /// Sends a request and reads at most `limit` bytes of its response. `prepare` adds headers, a
    /// query or a form; query values that it adds do not count as secrets.
    pub(crate) async fn send(
        &self,
        method: Method,
        url: &str,
        limit: usize,
        prepare: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> Result<HttpResponse, ClientError> {
        let url = Url::parse(url).map_err(|error| {
            ClientError::Unreachable(format!("the address cannot be used: {error}"))
        })?;
        let mut secrets = self.secrets.clone();
        secrets.add_url(&url);
        let fault = |error| self.transport_error(error, &secrets);
        let (client, url) = self.client_for(url);
        let request = prepare(self.authenticate(client.request(method, url)))
            .timeout(self.timeout)
            .header("accept-encoding", "gzip");
        let sent = Instant::now();
        let mut response = request.send().await.map_err(fault)?;
        let received = Instant::now();
        let gzip = is_gzip(response.headers())?;
        let mut raw_body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(fault)? {
            if raw_body.len() + chunk.len() > limit {
                return Err(too_large(limit));
            }
            raw_body.extend_from_slice(&chunk);
        }
        let headers = response.headers().clone();
        let server_time = header(&headers, &DATE).and_then(http_date);
        let head = ResponseHead {
            status: response.status().as_u16(),
            headers,
            times: ExchangeTimes {
                sent,
                received,
                server_time,
            },
            secrets,
        };
        Ok(HttpResponse {
            head,
            gzip,
            raw_body,
        })
    }

    /// Fetches `url` and decompresses its body, at most `limit` bytes of it.
    pub(crate) async fn get(
        &self,
        url: &str,
        limit: usize,
        prepare: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> Result<(ResponseHead, Vec<u8>), ClientError> {
        let response = self.send(Method::GET, url, limit, prepare).await?;
        response.read(limit, |head, body| Ok((head, body))).await
    }

    /// Selects the client for an address, and rewrites the address to the certificate's name.
    fn client_for(&self, mut url: Url) -> (&reqwest::Client, Url) {
        if url.scheme() == "https"
            && let (Some(client), Some(name)) =
                (self.renamed.get(&authority(&url)), &self.server_name)
            && url.set_host(Some(name)).is_ok()
        {
            return (client, url);
        }
        (&self.client, url)
    }

    fn authenticate(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.credentials {
            Credentials::None => request,
            Credentials::Bearer(token) => request.bearer_auth(token),
            Credentials::Basic { username, password } => {
                request.basic_auth(username, Some(password))
            }
            // `check_access` refuses values that no header can hold.
            Credentials::Header { name, value } => match sensitive(value) {
                Ok(value) => request.header(name, value),
                Err(_) => request,
            },
        }
    }

    fn transport_error(&self, error: reqwest::Error, secrets: &Secrets) -> ClientError {
        if error.is_timeout() {
            return ClientError::Unreachable(format!(
                "no complete response within {}s",
                self.timeout.as_secs_f64()
            ));
        }
        // The caller knows the address; in a message it could show a secret.
        let error = error.without_url();
        // What our libraries tried is their business; the first cause is the reader's.
        let mut cause: &(dyn Error + 'static) = &error;
        while let Some(earlier) = cause.source() {
            cause = earlier;
        }
        let message = first_cause(cause);
        ClientError::Unreachable(secrets.redact(&message))
    }
}

/// The words for a first cause, without the number of the system's error.
fn first_cause(cause: &(dyn Error + 'static)) -> String {
    let text = cause.to_string();
    match text.split_once(" (os error ") {
        Some(("Connection refused", _)) => "connection refused".to_owned(),
        Some(("Connection reset by peer", _)) => "the connection was reset".to_owned(),
        Some((words, _)) => words.to_owned(),
        None => text,
    }
}

impl HttpResponse {
    /// Decompresses the body, at most `limit` bytes of it, and parses it on a blocking thread.
    pub(crate) async fn read<T: Send + 'static>(
        self,
        limit: usize,
        parse: impl FnOnce(ResponseHead, Vec<u8>) -> Result<T, ClientError> + Send + 'static,
    ) -> Result<T, ClientError> {
        let reading = tokio::task::spawn_blocking(move || {
            let body = if self.gzip {
                decompress(&self.raw_body, limit)?
            } else {
                self.raw_body
            };
            parse(self.head, body)
        });
        reading.await.unwrap_or_else(|error| {
            Err(ClientError::Unreadable(format!(
                "reading the response failed: {error}"
            )))
        })
    }
}

impl ResponseHead {
    /// Value of a header as text.
    pub(crate) fn header(&self, name: &HeaderName) -> Option<&str> {
        header(&self.headers, name)
    }

    /// Builds the error of an unsuccessful response from its status, the API's error type and the
    /// first line of its body.
    pub(crate) fn refusal(&self, error_type: &str, body: &str) -> ClientError {
        let status = self.status;
        let detail = self.secrets.redact(&excerpt(body));
        let with_detail = |text: &str| match detail.as_str() {
            "" => format!("{text} (status {status})"),
            detail => format!("{text} (status {status}): {detail}"),
        };
        match status {
            401 | 403 => {
                ClientError::Unauthorized(with_detail("the server rejects the credentials"))
            }
            429 | 503 => ClientError::Busy {
                retry_after: self
                    .header(&RETRY_AFTER)
                    .and_then(|after| retry_after(after, self.times.server_time)),
                why: with_detail("the server is busy"),
            },
            500.. => ClientError::Unreachable(with_detail("the server failed")),
            300..=399 => ClientError::Refused {
                status,
                error_type: String::new(),
                message: format!(
                    "the server redirects to {}; if this is intended, put that address into the settings",
                    self.redirect_target()
                ),
            },
            _ => ClientError::Refused {
                status,
                error_type: error_type.to_owned(),
                message: detail,
            },
        }
    }

    /// `Location` without user info, query and fragment, which may hold credentials.
    pub(crate) fn redirect_target(&self) -> String {
        let location = self.header(&LOCATION).unwrap_or("another address");
        let shown = match Url::parse(location) {
            Ok(mut url) => {
                // These fail for addresses without a host, which have no user info either.
                let _ = url.set_username("");
                let _ = url.set_password(None);
                url.set_query(None);
                url.set_fragment(None);
                url.to_string()
            }
            Err(_) => location
                .split(['?', '#'])
                .next()
                .unwrap_or_default()
                .to_owned(),
        };
        self.secrets.redact(&excerpt(&shown))
    }
}

/// Checks credentials, headers and certificates.
///
/// # Errors
/// The part that cannot be used, in a sentence that repeats none of it.
pub(crate) fn check_access(access: &ServerAccess) -> Result<(), String> {
    let fits_header = |what: &str, value: &str| {
        HeaderValue::from_str(value)
            .map(drop)
            .map_err(|_| format!("{what} contains a character that is not allowed in a header"))
    };
    match &access.credentials {
        // Basic credentials are sent encoded.
        Credentials::None | Credentials::Basic { .. } => {}
        Credentials::Bearer(token) => fits_header("the bearer token", token)?,
        Credentials::Header { name, value } => {
            fits_header(&format!("the value of {name}"), value)?;
        }
    }
    default_headers(access)?;
    certificate_authorities(access)?;
    client_identity(access)?;
    Ok(())
}

fn default_headers(access: &ServerAccess) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in &access.headers {
        let key = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| format!("{name:?} is not a header name"))?;
        let value = sensitive(value).map_err(|_| {
            format!("the value of {name} contains a character that is not allowed in a header")
        })?;
        headers.insert(key, value);
    }
    Ok(headers)
}

/// Builds a header value that is marked sensitive, which keeps it out of debug output.
fn sensitive(value: &str) -> Result<HeaderValue, reqwest::header::InvalidHeaderValue> {
    let mut value = HeaderValue::from_str(value)?;
    value.set_sensitive(true);
    Ok(value)
}

fn certificate_authorities(access: &ServerAccess) -> Result<Option<Vec<Certificate>>, String> {
    let Some(pem) = &access.tls.ca else {
        return Ok(None);
    };
    match Certificate::from_pem_bundle(pem) {
        Ok(certificates) if !certificates.is_empty() => Ok(Some(certificates)),
        _ => Err("`ca_file` holds no certificate in PEM".to_owned()),
    }
}

fn client_identity(access: &ServerAccess) -> Result<Option<Identity>, String> {
    let identity = access
        .tls
        .identity
        .as_ref()
        .map(|pem| Identity::from_pem(pem));
    identity
        .transpose()
        .map_err(|_| "`cert_file` and `key_file` hold no certificate and key in PEM".to_owned())
}

fn build(
    access: &ServerAccess,
    redirects: RedirectPolicy,
    urls: &[Url],
    renamed: Option<&Url>,
) -> Result<reqwest::Client, String> {
    // Credentials, and a client that knows only one host, never go to another origin.
    let bound = access.has_secrets() || renamed.is_some();
    let configured: Vec<Url> = if bound { Vec::new() } else { urls.to_vec() };
    let policy = match redirects {
        RedirectPolicy::Stop => redirect::Policy::none(),
        RedirectPolicy::Configured => redirect::Policy::custom(move |attempt| {
            if attempt.previous().len() > MAX_REDIRECTS {
                return attempt.error("too many redirects");
            }
            let (to, before) = (attempt.url(), attempt.previous());
            let allowed = before.last().is_some_and(|from| {
                from.origin() == to.origin()
                    || is_tls_upgrade(from, to)
                    || configured.iter().any(|url| url.origin() == to.origin())
            });
            if allowed {
                attempt.follow()
            } else {
                attempt.stop()
            }
        }),
    };
    let mut headers = default_headers(access)?;
    // Proxies of the environment are not in the settings, so they do not count.
    let mut builder = client_builder()
        .no_proxy()
        .referer(false)
        .redirect(policy)
        .user_agent(concat!("Afterword/", env!("CARGO_PKG_VERSION")));
    builder = match renamed {
        None => builder.dns_resolver(GuardedResolver::default()),
        Some(url) => {
            let host = HeaderValue::from_str(&authority(url))
                .map_err(|_| "an address has no host".to_owned())?;
            headers.insert(HOST, host);
            builder.dns_resolver(GuardedResolver::fixed(url.host_str().unwrap_or_default()))
        }
    };
    if let Some(certificates) = certificate_authorities(access)? {
        builder = builder.tls_certs_only(certificates);
    }
    if let Some(identity) = client_identity(access)? {
        builder = builder.identity(identity);
    }
    if access.tls.required {
        builder = builder.https_only(true);
    }
    if access.tls.insecure {
        builder = builder.tls_danger_accept_invalid_certs(true);
    }
    builder
        .default_headers(headers)
        .build()
        .map_err(|error| format!("TLS cannot be set up: {error}"))
}

/// True from `http` to `https` of the same host, both on their default ports.
fn is_tls_upgrade(from: &Url, to: &Url) -> bool {
    (from.scheme(), to.scheme()) == ("http", "https")
        && from.host() == to.host()
        && from.port().is_none()
        && to.port().is_none()
}

/// Host and port as written in an address.
fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port()
        .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn is_gzip(headers: &HeaderMap) -> Result<bool, ClientError> {
    let encoding = header(headers, &CONTENT_ENCODING).unwrap_or_default();
    match encoding.to_ascii_lowercase().as_str() {
        "" | "identity" => Ok(false),
        "gzip" | "x-gzip" => Ok(true),
        other => Err(ClientError::Unreadable(format!(
            "the response has the content encoding {}, which was not requested",
            excerpt(other)
        ))),
    }
}

fn decompress(packed: &[u8], limit: usize) -> Result<Vec<u8>, ClientError> {
    let mut body = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    flate2::read::MultiGzDecoder::new(packed)
        .take(most)
        .read_to_end(&mut body)
        .map_err(|error| {
            ClientError::Unreadable(format!("the response cannot be decompressed: {error}"))
        })?;
    if body.len() > limit {
        return Err(too_large(limit));
    }
    Ok(body)
}

fn too_large(limit: usize) -> ClientError {
    let limit = if limit < 1_000_000 {
        format!("{} kB", limit / 1000)
    } else {
        format!("{} MB", limit / 1_000_000)
    };
    ClientError::Unreadable(format!("the response is larger than {limit}"))
}

fn header<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// First line of a server's text, at most 300 characters.
pub(crate) fn excerpt(text: &str) -> String {
    let line = text.trim().lines().next().unwrap_or_default();
    let mut excerpt: String = line.chars().filter(|c| !c.is_control()).take(300).collect();
    if line.chars().count() > 300 {
        excerpt.push('…');
    }
    excerpt
}

/// Parses an HTTP-date (RFC 9110 §5.6.7) in its preferred format.
fn http_date(text: &str) -> Option<Time> {
    DateTime::parse_from_rfc2822(text)
        .ok()
        .map(|date| date.with_timezone(&Utc))
}

/// Parses `Retry-After` (RFC 9110 §10.2.3): seconds, or a date relative to the response's date.
fn retry_after(text: &str, server_time: Option<Time>) -> Option<Duration> {
    match text.trim().parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => (http_date(text)? - server_time?).to_std().ok(),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use std::time::Duration;

    use reqwest::Url;

    use super::{excerpt, http_date, is_tls_upgrade, retry_after};

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
    fn excerpt_is_one_short_line() {
        assert_eq!(excerpt("\n <html>\n<body>"), "<html>");
        assert_eq!(excerpt(&"ü".repeat(1000)).chars().count(), 301);
        assert_eq!(excerpt("a\u{7}b"), "ab");
    }

    #[test]
    fn only_the_same_host_upgrades_to_tls() {
        let check = |from: &str, to: &str| {
            is_tls_upgrade(&Url::parse(from).unwrap(), &Url::parse(to).unwrap())
        };
        assert!(check("http://a.example/x", "https://a.example/y"));
        assert!(!check("http://a.example/x", "https://b.example/x"));
        assert!(!check("https://a.example/x", "http://a.example/x"));
        assert!(!check("http://a.example:8080/", "https://a.example/"));
    }
}
