//! Prometheus server whose history is read, and its connection.

use std::fmt;

use percent_encoding::percent_decode_str;
use reqwest::Url;

use super::error::HistoryError;
use crate::clients::credentials::{Credentials, ServerAccess};
use crate::clients::error::ClientError;
use crate::clients::prometheus::PrometheusClient;
use crate::config::credentials::Auth;
use crate::config::http_client::{HttpClientConfig, TlsConfig};
use crate::config::metrics::PrometheusServer;
use crate::model::time::Time;

/// Minimum request timeout, in seconds, regardless of the settings for live queries. Prometheus
/// limits a query to two minutes by default.
const PATIENCE: i64 = 120;
/// Source name of a server that is not in the settings.
const UNNAMED: &str = "prometheus";

/// Server with the Prometheus HTTP API.
pub struct HistoryServer {
    /// Source name of its alerts.
    name: String,
    /// Set if every condition is evaluated on it, whatever metrics it names.
    all: bool,
    /// Address, without secrets.
    address: String,
    client: PrometheusClient,
}

impl fmt::Debug for HistoryServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HistoryServer")
            .field("name", &self.name)
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl HistoryServer {
    /// Creates a client for an entry of `metrics:`, for the conditions that name it; `access`
    /// holds the credentials that its `http_client` names, already read.
    ///
    /// # Errors
    /// Describes, in one sentence, the part of `access` that cannot be used; see
    /// [`ServerAccess::check`].
    pub fn entry(
        name: &str,
        settings: &PrometheusServer,
        access: &ServerAccess,
    ) -> Result<Self, String> {
        let settings = PrometheusServer {
            timeout: settings.timeout.max(PATIENCE),
            ..settings.clone()
        };
        let client = PrometheusClient::new(&settings, access)?;
        Ok(Self {
            name: name.to_owned(),
            all: false,
            address: settings.url,
            client,
        })
    }

    /// Creates a client for the server at an address, `http://localhost:9090` or
    /// `https://user:password@host/prefix`, for all conditions.
    ///
    /// # Errors
    /// Describes, in one sentence without secrets, the fault of the address.
    pub fn at_address(address: &str) -> Result<Self, String> {
        let example = "write for example http://localhost:9090";
        let with_scheme = if address.contains("://") {
            address.trim().to_owned()
        } else {
            format!("http://{}", address.trim())
        };
        let mut url = Url::parse(&with_scheme)
            .map_err(|error| format!("the address cannot be read ({error}); {example}"))?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
            return Err(format!("the address is not an HTTP address; {example}"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(format!(
                "only scheme, user, host, port and path are used of an address: no `?` and no `#`; {example}"
            ));
        }
        let decoded = |text: &str| {
            percent_decode_str(text)
                .decode_utf8()
                .map(std::borrow::Cow::into_owned)
        };
        let text = |text: &str| {
            decoded(text).map_err(|_| {
                "user and password in the address must be UTF-8, percent-encoded".to_owned()
            })
        };
        let (username, password) = (
            text(url.username())?,
            text(url.password().unwrap_or_default())?,
        );
        let credentials = if username.is_empty() && password.is_empty() {
            Credentials::None
        } else {
            Credentials::Basic { username, password }
        };
        // HTTP addresses may lack both, so this cannot fail.
        let (_, _) = (url.set_username(""), url.set_password(None));
        let before = url.as_str().split("/api/v1").next().unwrap_or_default();
        let address = before.trim_end_matches('/').to_owned();
        let http_client = HttpClientConfig {
            auth: Auth::None,
            headers: std::collections::BTreeMap::new(),
            tls: TlsConfig::default(),
        };
        let settings = PrometheusServer {
            url: address.clone(),
            timeout: PATIENCE,
            concurrency: 4,
            alerts: true,
            http_client,
        };
        let client = PrometheusClient::new(
            &settings,
            &ServerAccess {
                credentials,
                ..ServerAccess::default()
            },
        )?;
        Ok(Self {
            name: UNNAMED.to_owned(),
            all: true,
            address,
            client,
        })
    }

    /// Address, without secrets.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Returns whether conditions on these metrics are evaluated on it.
    pub(crate) fn is_asked(&self, metrics: &str) -> bool {
        self.all || self.name == metrics
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn client(&self) -> &PrometheusClient {
        &self.client
    }

    pub(crate) fn fault(
        &self,
        query: &str,
        (from, until): (Time, Time),
        said: ClientError,
    ) -> HistoryError {
        HistoryError {
            server: self.address.clone(),
            query: query.to_owned(),
            from,
            until,
            said: Box::new(said),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use super::HistoryServer;

    #[test]
    fn an_address_is_read_as_people_write_it() {
        for (written, address) in [
            ("http://localhost:9090", "http://localhost:9090"),
            ("localhost:9090", "http://localhost:9090"),
            (
                " https://ada:s3%20cret@prom.example/prefix/ ",
                "https://prom.example/prefix",
            ),
            (
                "https://s3cret@prom.example/api/v1/query",
                "https://prom.example",
            ),
        ] {
            let server = HistoryServer::at_address(written).unwrap();
            assert_eq!(server.address(), address, "{written}");
            assert!(!format!("{server:?}").contains("s3"), "{server:?}");
        }
    }

    #[test]
    fn error_of_an_invalid_address_hides_its_secrets() {
        for (written, said) in [
            ("ftp://u:s3cret@host", "not an HTTP address"),
            ("http://u:s3cret@", "cannot be read"),
            ("http://u:s3cret@h/?q", "no `?`"),
            ("", "cannot be read"),
        ] {
            let why = HistoryServer::at_address(written).unwrap_err();
            assert!(
                why.contains(said) && !why.contains("s3cret"),
                "{written}: {why}"
            );
        }
    }
}
