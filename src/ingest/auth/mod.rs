//! Authentication of senders. Secrets come resolved, and comparisons take constant time.

pub mod signature;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use super::message::Headers;
use crate::model::source::SourceKind;
use signature::SignatureVerifier;

/// The credential a sender must present. Lists hold every live secret, so that one can be rotated
/// without a gap. An empty secret matches nothing.
#[derive(Clone, PartialEq, Eq)]
pub enum Authentication {
    /// No credential.
    None,
    /// A signature in the body: see [`super::sns::signature`].
    Certificate,
    /// `Authorization: Bearer …` with one of these.
    Bearer(Vec<Vec<u8>>),
    /// `Authorization: Basic …`, RFC 7617.
    Basic {
        /// User name; holds no colon.
        username: String,
        /// Live passwords.
        passwords: Vec<Vec<u8>>,
    },
    /// A header with one of these values.
    Header {
        /// Its name, in any case.
        name: String,
        /// Live values.
        values: Vec<Vec<u8>>,
    },
    /// A query parameter, for senders that can only be given a URL.
    Query {
        /// Its name, as it is.
        name: String,
        /// Live values.
        values: Vec<Vec<u8>>,
    },
    /// A signature over the body, verified once that is read.
    Signature(SignatureVerifier),
}

impl std::fmt::Debug for Authentication {
    // Secrets must not reach a log through `{:?}`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Certificate => "Certificate",
            Self::Bearer(_) => "Bearer(…)",
            Self::Basic { .. } => "Basic(…)",
            Self::Header { .. } => "Header(…)",
            Self::Query { .. } => "Query(…)",
            Self::Signature(_) => "Signature(…)",
        })
    }
}

/// Tests the credential in the headers.
#[must_use]
pub fn authentic(proof: &Authentication, headers: &Headers<'_>) -> bool {
    authentic_with(proof, headers, "")
}

/// Tests the credential in the headers or the query. Always `false` for a signature, which
/// [`SignatureVerifier::verify`] checks.
#[must_use]
pub fn authentic_with(proof: &Authentication, headers: &Headers<'_>, query: &str) -> bool {
    match proof {
        Authentication::None | Authentication::Certificate => true,
        Authentication::Bearer(tokens) => headers.get("authorization").is_some_and(|value| {
            credentials(value, b"bearer")
                .is_some_and(|shown| one_of(tokens.iter().map(Vec::as_slice), shown))
        }),
        Authentication::Basic {
            username,
            passwords,
        } => headers.get("authorization").is_some_and(|value| {
            // Comparing encoded text avoids a decoder that an attacker could feed.
            let expected: Vec<String> = passwords
                .iter()
                .filter(|password| !password.is_empty())
                .map(|password| STANDARD.encode([username.as_bytes(), b":", password].concat()))
                .collect();
            credentials(value, b"basic")
                .is_some_and(|shown| one_of(expected.iter().map(String::as_bytes), shown))
        }),
        Authentication::Header { name, values } => headers
            .get(&name.to_ascii_lowercase())
            .is_some_and(|shown| one_of(values.iter().map(Vec::as_slice), shown)),
        Authentication::Query { name, values } => form_urlencoded::parse(query.as_bytes())
            .find(|(given, _)| given == name)
            .is_some_and(|(_, shown)| one_of(values.iter().map(Vec::as_slice), shown.as_bytes())),
        Authentication::Signature(_) => false,
    }
}

/// Tests for a message that this kind sends unsigned and that only needs a 2xx: Slack's certificate
/// check.
#[must_use]
pub fn is_unsigned_check(kind: SourceKind, body: &[u8]) -> bool {
    kind == SourceKind::Slack
        && form_urlencoded::parse(body).any(|(name, value)| name == "ssl_check" && value == "1")
}

/// The credentials after the scheme, which may be in any case (RFC 9110 §11.1).
fn credentials<'a>(value: &'a [u8], scheme: &[u8]) -> Option<&'a [u8]> {
    let (head, rest) = value.split_at_checked(scheme.len())?;
    (head.eq_ignore_ascii_case(scheme) && rest.first() == Some(&b' ')).then(|| rest.trim_ascii())
}

/// Compares digests, which have equal length, with every secret regardless of earlier matches.
fn one_of<'a>(secrets: impl Iterator<Item = &'a [u8]>, shown: &[u8]) -> bool {
    let shown = Sha256::digest(shown);
    let found = secrets
        .filter(|secret| !secret.is_empty())
        .map(|secret| Sha256::digest(secret).as_slice().ct_eq(shown.as_slice()))
        .fold(Choice::from(0), |found, equal| found | equal);
    found.into()
}

#[cfg(test)]
mod tests;
