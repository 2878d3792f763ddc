//! Whether a sender shows what it should. The secrets come resolved; how long a comparison takes tells nothing about them.

use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use super::message::Headers;

/// What a sender has to show. Lists hold every secret that is live, so that one can be changed without a gap.
/// An empty secret matches nothing.
#[derive(Clone, PartialEq, Eq)]
pub enum Proof {
    /// Nothing.
    None,
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
}

impl std::fmt::Debug for Proof {
    // Secrets must not reach a log by way of somebody's `{:?}`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Bearer(_) => "Bearer(…)",
            Self::Basic { .. } => "Basic(…)",
            Self::Header { .. } => "Header(…)",
        })
    }
}

/// True when the headers show the proof.
#[must_use]
pub fn authentic(proof: &Proof, headers: &Headers<'_>) -> bool {
    match proof {
        Proof::None => true,
        Proof::Bearer(tokens) => headers
            .get("authorization")
            .is_some_and(|value| credentials(value, b"bearer").is_some_and(|shown| one_of(tokens.iter().map(Vec::as_slice), shown))),
        Proof::Basic { username, passwords } => headers.get("authorization").is_some_and(|value| {
            let expected: Vec<Vec<u8>> = passwords
                .iter()
                .filter(|password| !password.is_empty())
                .map(|password| base64(&[username.as_bytes(), b":", password].concat()))
                .collect();
            credentials(value, b"basic").is_some_and(|shown| one_of(expected.iter().map(Vec::as_slice), shown))
        }),
        Proof::Header { name, values } => {
            headers.get(&name.to_ascii_lowercase()).is_some_and(|shown| one_of(values.iter().map(Vec::as_slice), shown))
        }
    }
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

/// RFC 4648 §4, padded. We only encode: comparing encoded text needs no decoder, and so none that an attacker can feed.
fn base64(bytes: &[u8]) -> Vec<u8> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = Vec::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0_usize, |group, &byte| group << 8 | usize::from(byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let sextet = (group >> (18 - 6 * place)) & 0x3f;
            text.push(if place <= chunk.len() { ALPHABET[sextet] } else { b'=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Proof, authentic, base64};

    fn check(proof: &Proof, header: Option<(&str, &str)>, wanted: bool) {
        let headers = header.iter().map(|&(name, value)| (name, value.as_bytes())).collect();
        assert_eq!(authentic(proof, &headers), wanted, "{header:?}");
    }

    #[test]
    fn base64_as_in_rfc_4648() {
        for (plain, coded) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64(plain.as_bytes()), coded.as_bytes(), "{plain}");
        }
        assert_eq!(base64(&[0xfb, 0xff, 0xfe]), b"+//+");
    }

    #[test]
    fn no_proof_asked_is_always_shown() {
        check(&Proof::None, None, true);
    }

    #[test]
    fn bearer() {
        let proof = Proof::Bearer(vec![b"old".to_vec(), b"new".to_vec()]);
        check(&proof, Some(("authorization", "Bearer new")), true);
        check(&proof, Some(("authorization", "bearer old")), true);
        for header in [
            None,
            Some(("authorization", "Bearer other")),
            Some(("authorization", "Bearer ")),
            Some(("authorization", "Bearer")),
            Some(("authorization", "Bearernew")),
            Some(("authorization", "new")),
            Some(("authorization", "Basic new")),
            Some(("authorization", "Bearer ne")),
            Some(("authorization", "Bearer newer")),
            Some(("x-token", "new")),
        ] {
            check(&proof, header, false);
        }
    }

    #[test]
    fn an_empty_secret_opens_nothing() {
        check(&Proof::Bearer(vec![Vec::new()]), Some(("authorization", "Bearer ")), false);
        check(&Proof::Bearer(Vec::new()), Some(("authorization", "Bearer x")), false);
        check(&Proof::Header { name: "x-token".to_owned(), values: vec![Vec::new()] }, Some(("x-token", "")), false);
        check(&Proof::Basic { username: "am".to_owned(), passwords: vec![Vec::new()] }, Some(("authorization", "Basic YW06")), false);
    }

    #[test]
    fn basic_as_in_rfc_7617() {
        let proof = Proof::Basic { username: "Aladdin".to_owned(), passwords: vec![b"open sesame".to_vec()] };
        check(&proof, Some(("authorization", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")), true);
        check(&proof, Some(("authorization", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZR==")), false);
        check(&proof, Some(("authorization", "Basic qwxhZGRpbjpvcGVuIHNlc2FtZQ==")), false);
        check(&proof, Some(("authorization", "Bearer QWxhZGRpbjpvcGVuIHNlc2FtZQ==")), false);
    }

    #[test]
    fn header() {
        let proof = Proof::Header { name: "X-Token".to_owned(), values: vec![b"one".to_vec(), b"two".to_vec()] };
        check(&proof, Some(("x-token", "two")), true);
        check(&proof, Some(("x-token", "Two")), false);
        check(&proof, None, false);
    }

    #[test]
    fn secrets_do_not_show() {
        assert!(!format!("{:?}", Proof::Bearer(vec![b"s3cret".to_vec()])).contains("115"));
    }
}
