//! What is shown to reach a server: credentials, headers and certificates, read and ready. None of it can be printed.

use std::fmt;

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
    pub own: Option<Vec<u8>>,
    /// The name in the server's certificate, where it is not the host of the address.
    pub server_name: Option<String>,
    /// Whether the server's certificate is not checked at all.
    pub insecure: bool,
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
        let (ca, own) = (self.ca.is_some(), self.own.is_some());
        write!(
            f,
            "TlsMaterial {{ ca: {ca}, own: {own}, server_name: {:?}, insecure: {} }}",
            self.server_name, self.insecure
        )
    }
}

impl ServerAccess {
    /// What is wrong with it, in a sentence that repeats none of it.
    ///
    /// # Errors
    /// A certificate or key is not one in PEM; a secret holds what no header can.
    pub fn check(&self) -> Result<(), String> {
        super::http::check(self)
    }

    /// Whether anything in it must not go to another server than the one it is for.
    pub(crate) fn is_private(&self) -> bool {
        self.credentials != Credentials::None || !self.headers.is_empty() || self.tls.own.is_some()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use super::{Credentials, ServerAccess, TlsMaterial};

    #[test]
    fn secrets_do_not_show() {
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
                own: Some(b"s3cret".to_vec()),
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
    fn what_no_server_could_be_shown_is_told() {
        let check = |reach: &ServerAccess, expected: &str| {
            let why = reach.check().unwrap_err();
            assert!(why.contains(expected) && !why.contains("s3cret"), "{why}");
        };
        let pem = |text: &str| Some(text.as_bytes().to_vec());
        assert_eq!(ServerAccess::default().check(), Ok(()));
        check(
            &ServerAccess {
                credentials: Credentials::Bearer("s3cret\u{1}".to_owned()),
                ..ServerAccess::default()
            },
            "no header can hold",
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
                    own: pem("s3cret"),
                    ..TlsMaterial::default()
                },
                ..ServerAccess::default()
            },
            "`cert_file` and `key_file`",
        );
    }
}
