//! Secrets and certificates that settings name: read from their files and from the environment.

use std::path::{Path, PathBuf};

use super::files::{directory_of, unreadable};
use super::named_values::NamedValues;
use crate::clients::credentials::{Credentials, ServerAccess, TlsMaterial};
use crate::clients::http::check_access;
use crate::config::credentials::{Auth, SecretRef};
use crate::config::http_client::HttpClientConfig;
use crate::config::metrics;
use crate::config::metrics::MetricsSource;
use crate::config::source_auth::SourceAuth;
use crate::config::sources::Source;
use crate::ingest::auth::Authentication;
use crate::ingest::auth::signature::SignatureVerifier;
use crate::model::fault::Fault;
use crate::model::source::signing;

/// Base directory for the secrets and certificates that the settings name; faults cite the file.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// The directory that paths begin at.
    base: PathBuf,
    /// The file that names them.
    named: NamedValues,
}

impl Place {
    pub(super) fn new(base: PathBuf, named: NamedValues) -> Self {
        Self { base, named }
    }

    /// Resolves names relative to the settings file with this text.
    pub(super) fn beside(file: Option<&Path>, text: &str) -> Self {
        let base = directory_of(file);
        let named = NamedValues::new(file.unwrap_or(&base), text);
        Self { base, named }
    }

    /// A fault where the settings name a file or a variable.
    fn fault(&self, value: &str, message: String) -> Fault {
        self.named.fault("", value, message)
    }

    /// All live values of a secret, one per line, so that it can be rotated without a gap.
    pub(crate) fn all(&self, secret: &SecretRef) -> Result<Vec<Vec<u8>>, Fault> {
        Ok(self
            .lines(secret)?
            .into_iter()
            .map(String::into_bytes)
            .collect())
    }

    /// The secret that we show: the first of those.
    pub(super) fn first(&self, secret: &SecretRef) -> Result<String, Fault> {
        Ok(self.lines(secret)?.swap_remove(0))
    }

    /// At least one.
    fn lines(&self, secret: &SecretRef) -> Result<Vec<String>, Fault> {
        let text = match secret {
            SecretRef::File(path) => {
                std::fs::read_to_string(self.base.join(path)).map_err(|error| {
                    self.fault(path, unreadable(&format!("the secret file {path}"), &error))
                })?
            }
            SecretRef::Env(name) => environment(name).ok_or_else(|| {
                self.fault(
                    &format!("${{{name}}}"),
                    format!("the environment variable {name} is not set"),
                )
            })?,
        };
        let live: Vec<String> = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .map(str::to_owned)
            .collect();
        if live.is_empty() {
            let value = match secret {
                SecretRef::File(path) => path.clone(),
                SecretRef::Env(name) => format!("${{{name}}}"),
            };
            return Err(self.fault(&value, format!("the secret {secret:?} is empty")));
        }
        Ok(live)
    }

    /// Resolves the credentials expected of a sender.
    pub(crate) fn proof(&self, auth: &Auth) -> Result<Authentication, Fault> {
        Ok(match auth {
            Auth::None => Authentication::None,
            Auth::Bearer(token) => Authentication::Bearer(self.all(token)?),
            Auth::Basic { username, password } => Authentication::Basic {
                username: username.clone(),
                passwords: self.all(password)?,
            },
            Auth::Header { name, value } => Authentication::Header {
                name: name.clone(),
                values: self.all(value)?,
            },
        })
    }

    /// Resolves the credentials or the signing secret expected of a source.
    pub(crate) fn source(&self, source: &Source) -> Result<Authentication, Fault> {
        match &source.auth {
            SourceAuth::Shown(auth) => self.proof(auth),
            SourceAuth::Certificate => Ok(Authentication::Certificate),
            SourceAuth::Query { name, value } => Ok(Authentication::Query {
                name: name.clone(),
                values: self.all(value)?,
            }),
            SourceAuth::Signature {
                secret,
                header,
                timestamp,
            } => SignatureVerifier::new(
                signing(source.kind),
                header.as_deref(),
                timestamp.as_deref(),
                &self.all(secret)?,
            )
            .map(Authentication::Signature)
            .map_err(|why| {
                self.fault(
                    &source.name,
                    format!("source `{}`: {secret:?}, {why}", source.name),
                )
            }),
        }
    }

    /// Resolves the credentials for the servers of a `metrics:` entry; `None`: it fetches nothing.
    pub(crate) fn metrics_access(
        &self,
        named: &MetricsSource,
    ) -> Result<Option<ServerAccess>, Fault> {
        let http_client = match &named.kind {
            metrics::MetricsKind::Prometheus(server) => &server.http_client,
            metrics::MetricsKind::Scrape(pages) => &pages.http_client,
            metrics::MetricsKind::RemoteWrite(_) => return Ok(None),
        };
        self.through(http_client, &format!("metrics `{}`", named.name))
            .map(Some)
    }

    /// Resolves the credentials for the API of a source; `None`: it is not polled.
    pub(crate) fn api_access(&self, source: &Source) -> Result<Option<ServerAccess>, Fault> {
        source
            .api
            .as_ref()
            .map(|api| {
                self.through(
                    &api.http_client,
                    &format!("the API of source `{}`", source.name),
                )
            })
            .transpose()
    }

    /// Resolves the credentials and TLS files of a client; `whose` names it in faults.
    fn through(&self, http_client: &HttpClientConfig, whose: &str) -> Result<ServerAccess, Fault> {
        let HttpClientConfig { auth, headers, tls } = http_client;
        let credentials = match auth {
            Auth::None => Credentials::None,
            Auth::Bearer(token) => Credentials::Bearer(self.first(token)?),
            Auth::Basic { username, password } => Credentials::Basic {
                username: username.clone(),
                password: self.first(password)?,
            },
            Auth::Header { name, value } => Credentials::Header {
                name: name.clone(),
                value: self.first(value)?,
            },
        };
        let identity = match &tls.own {
            Some((certificate, key)) => {
                Some([self.pem(certificate)?, b"\n".to_vec(), self.pem(key)?].concat())
            }
            None => None,
        };
        let ca = tls.ca.as_ref().map(|path| self.pem(path)).transpose()?;
        let tls = TlsMaterial {
            ca,
            identity,
            server_name: tls.server_name.clone(),
            insecure: tls.insecure,
            required: false,
        };
        let metrics_access = ServerAccess {
            credentials,
            headers: headers.clone().into_iter().collect(),
            tls,
        };
        check_access(&metrics_access).map_err(|why| self.fault("", format!("{whose}: {why}")))?;
        Ok(metrics_access)
    }

    fn pem(&self, path: &str) -> Result<Vec<u8>, Fault> {
        std::fs::read(self.base.join(path))
            .map_err(|error| self.fault(path, unreadable(&format!("the file {path}"), &error)))
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "secrets may be given in the environment; nothing else is read from it"
)]
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
