//! Outgoing authentication: credentials, headers and TLS material, loaded and ready. Debug output
//! shows none of it.

use std::fmt;

use super::redaction::Secrets;

/// Authentication towards one server. Comparable, so that only changed settings need a new client.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct ServerAccess {
    /// Credentials of the request.
    pub credentials: Credentials,
    /// Additional request headers, as name and value.
    pub headers: Vec<(String, String)>,
    /// CA certificates, client identity and TLS options.
    pub tls: TlsMaterial,
}

/// HTTP authentication of outgoing requests.
#[derive(Clone, PartialEq, Eq, Default)]
pub enum Credentials {
    /// No authentication.
    #[default]
    None,
    /// `Authorization: Bearer …`
    Bearer(String),
    /// `Authorization: Basic …`
    Basic {
        /// User name.
        username: String,
        /// Password.
        password: String,
    },
    /// A header with a fixed value.
    Header {
        /// Header name.
        name: String,
        /// Header value.
        value: String,
    },
}

/// TLS settings of outgoing requests.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct TlsMaterial {
    /// Trusted root certificates (PEM); `None`: those of the system.
    pub ca: Option<Vec<u8>>,
    /// Client certificate with its intermediates and its private key (PEM), for mutual TLS.
    pub identity: Option<Vec<u8>>,
    /// Name expected in the server's certificate, where it differs from the host of the URL.
    pub server_name: Option<String>,
    /// Disables the verification of the server's certificate.
    pub insecure: bool,
    /// Refuses plain `http`.
    pub required: bool,
}

impl fmt::Debug for ServerAccess {
    // Secrets must not reach a log through a `{:?}`; any header may hold one, whatever its name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("ServerAccess")
            .field("credentials", &self.credentials)
            .field("headers", &names)
            .field("tls", &self.tls)
            .finish()
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Bearer(_) => "Bearer(…)",
            Self::Basic { .. } => "Basic(…)",
            Self::Header { .. } => "Header(…)",
        })
    }
}

impl fmt::Debug for TlsMaterial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (ca, own) = (self.ca.is_some(), self.identity.is_some());
        write!(
            f,
            "TlsMaterial {{ ca: {ca}, own: {own}, server_name: {:?}, insecure: {} }}",
            self.server_name, self.insecure
        )
    }
}

impl ServerAccess {
    /// True when part of it must not be sent to any other server.
    pub(crate) fn has_secrets(&self) -> bool {
        self.credentials != Credentials::None
            || !self.headers.is_empty()
            || self.tls.identity.is_some()
    }

    /// Adds its secrets to the texts that messages must redact.
    pub(crate) fn collect_secrets(&self, secrets: &mut Secrets) {
        match &self.credentials {
            Credentials::None => {}
            Credentials::Bearer(secret)
            | Credentials::Basic {
                password: secret, ..
            }
            | Credentials::Header { value: secret, .. } => secrets.add(secret),
        }
        for (_, value) in &self.headers {
            secrets.add(value);
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use super::{Credentials, ServerAccess, TlsMaterial};
    use crate::clients::http::check_access;

    #[test]
    fn debug_output_hides_secrets() {
        let secret = || "s3cret".to_owned();
        for credentials in [
            Credentials::Bearer(secret()),
            Credentials::Basic {
                username: "u".to_owned(),
                password: secret(),
            },
            Credentials::Header {
                name: "X-Token".to_owned(),
                value: secret(),
            },
        ] {
            let tls = TlsMaterial {
                identity: Some(b"s3cret".to_vec()),
                ca: Some(b"s3cret".to_vec()),
                ..TlsMaterial::default()
            };
            let shown = format!(
                "{:?}",
                ServerAccess {
                    credentials,
                    headers: vec![("X-A".to_owned(), secret())],
                    tls
                }
            );
            assert!(
                !shown.contains("s3cret") && !shown.contains("115") && shown.contains("X-A"),
                "{shown}"
            );
        }
    }

    #[test]
    fn unusable_access_is_refused_without_repeating_it() {
        let check = |access: &ServerAccess, expected: &str| {
            let why = check_access(access).unwrap_err();
            assert!(why.contains(expected) && !why.contains("s3cret"), "{why}");
        };
        let pem = |text: &str| Some(text.as_bytes().to_vec());
        assert_eq!(check_access(&ServerAccess::default()), Ok(()));
        check(
            &ServerAccess {
                credentials: Credentials::Bearer("s3cret\u{1}".to_owned()),
                ..ServerAccess::default()
            },
            "not allowed in a header",
        );
        check(
            &ServerAccess {
                tls: TlsMaterial {
                    ca: pem("s3cret"),
                    ..TlsMaterial::default()
                },
                ..ServerAccess::default()
            },
            "holds no certificate",
        );
        check(
            &ServerAccess {
                tls: TlsMaterial {
                    identity: pem("s3cret"),
                    ..TlsMaterial::default()
                },
                ..ServerAccess::default()
            },
            "`cert_file` and `key_file`",
        );
    }
}
