//! Whether a sender shows what it should. The secrets come resolved; how long a comparison takes tells nothing about them.

pub mod signature;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use super::message::Headers;
use crate::model::source::SourceKind;
use signature::SignatureVerifier;

/// What a sender has to show. Lists hold every secret that is live, so that one can be changed without a gap.
/// An empty secret matches nothing.
#[derive(Clone, PartialEq, Eq)]
pub enum Authentication {
    /// Nothing.
    None,
    /// Nothing beside its body, in which each message is signed: see [`super::sns::signature`].
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
    /// A parameter of the address, for senders that can be given nothing but an address.
    Query {
        /// Its name, as it is.
        name: String,
        /// Live values.
        values: Vec<Vec<u8>>,
    },
    /// A signature over the body: nothing can be said before that is read.
    Signature(SignatureVerifier),
}

impl std::fmt::Debug for Authentication {
    // Secrets must not reach a log by way of somebody's `{:?}`.
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

/// True when the headers show the proof.
#[must_use]
pub fn authentic(proof: &Authentication, headers: &Headers<'_>) -> bool {
    authentic_with(proof, headers, "")
}

/// True when the headers, or the query of the address, show the proof. Never for a signature, which [`SignatureVerifier::verify`] looks at.
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
            // Comparing encoded text needs no decoder, and so none that an attacker can feed.
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

/// Whether a sender of this kind sends this unsigned by custom, and waits only for a 2xx: Slack looks at our certificate now and then.
#[must_use]
pub fn is_unsigned_check(kind: SourceKind, body: &[u8]) -> bool {
    kind == SourceKind::Slack
        && form_urlencoded::parse(body).any(|(name, value)| name == "ssl_check" && value == "1")
}

/// What follows the scheme, which is written in any case (RFC 9110 §11.1).
fn credentials<'a>(value: &'a [u8], scheme: &[u8]) -> Option<&'a [u8]> {
    let (head, rest) = value.split_at_checked(scheme.len())?;
    (head.eq_ignore_ascii_case(scheme) && rest.first() == Some(&b' ')).then(|| rest.trim_ascii())
}

/// Compares digests, which are all of one length, and goes through every secret whichever one matches.
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
