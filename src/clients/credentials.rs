//! What is shown to reach a server: credentials, headers and certificates, read and ready. None of it can be printed.

use std::fmt;

use super::redaction::Secrets;

/// What is shown to reach a server. Equal ones make equal clients, so that only what changed needs a new one.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct ServerAccess {
    /// How we prove who we are.
    pub credentials: Credentials,
    /// Further headers.
    pub headers: Vec<(String, String)>,
    /// What TLS needs to know.
    pub tls: TlsMaterial,
}

/// How we prove who we are.
#[derive(Clone, PartialEq, Eq, Default)]
pub enum Credentials {
    /// We do not.
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
        /// Its name.
        name: String,
        /// Its value.
        value: String,
    },
}

/// What TLS needs to know.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct TlsMaterial {
    /// The certificates (PEM) that a server's must descend from; `None`: those of the system.
    pub ca: Option<Vec<u8>>,
    /// Our own certificate, with those between it and its root, and its key (PEM).
    pub identity: Option<Vec<u8>>,
    /// The name in the server's certificate, where it is not the host of the address.
    pub server_name: Option<String>,
    /// Whether the server's certificate is not checked at all.
    pub insecure: bool,
    /// Refuse plain `http`.
    pub required: bool,
}

impl fmt::Debug for ServerAccess {
    // Secrets must not reach a log by way of somebody's `{:?}`; a header may hold one, whatever the settings say.
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
    /// True when part of it must not go to any other server.
    pub(crate) fn has_secrets(&self) -> bool {
        self.credentials != Credentials::None
            || !self.headers.is_empty()
            || self.tls.identity.is_some()
    }

    /// Adds the texts in it that no message may repeat.
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
