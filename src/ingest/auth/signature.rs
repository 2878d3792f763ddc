//! Verification of signatures over a body.
//!
//! ```text
//! X-PagerDuty-Signature: v1=0c0b9495b893a39e70d1fea2fe11fbe0a825f88b9f67846f6cc07dd2bc5476cd
//! ```
//!
//! The signed body is the one the sender's program made: a `Content-Encoding` is undone first,
//! because an intermediary may have added it. Nothing else is decoded, and the body need not be
//! UTF-8.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use ring::signature::{ED25519, UnparsedPublicKey};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use crate::ingest::message::Headers;
use crate::model::source::SignatureFormat;
use crate::model::time::Time;

/// Maximum difference between a signature's time and ours in seconds, as Slack and Standard
/// Webhooks ask of receivers. Grafana leaves it open.
pub const TOLERANCE: i64 = 300;
/// Maximum number of signatures checked. Senders that rotate their secret send two.
const MOST: usize = 16;

/// Identity of a signed delivery, equal for repeats.
pub type ReplayKey = [u8; 32];

/// The scheme and keys of a sender.
#[derive(Clone, PartialEq, Eq)]
pub struct SignatureVerifier {
    scheme: SignatureScheme,
    keys: Vec<VerificationKey>,
}

/// The signed text and its encoding.
#[derive(Debug, Clone, PartialEq, Eq)]
enum SignatureScheme {
    /// HMAC-SHA256 in hex over the body, after one of these prefixes.
    Body {
        header: String,
        prefixes: &'static [&'static str],
    },
    /// As [`Self::Body`], over `TIME:BODY`.
    TimedBody { header: String, timestamp: String },
    /// As [`Self::Body`], over `v0:TIME:BODY`.
    Slack,
    /// HMAC-SHA256 or Ed25519 in base64 over `ID.TIME.BODY`.
    StandardWebhooks,
}

#[derive(Clone, PartialEq, Eq)]
enum VerificationKey {
    Hmac(Vec<u8>),
    Ed25519(Vec<u8>),
}

/// The reason a signature was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureFault {
    /// No signature, or none that is right.
    Wrong,
    /// A right one whose time is too far from ours.
    Stale,
}

impl SignatureVerifier {
    /// Creates a verifier for a signature format and any of these secrets. `header` is the signature
    /// header of Grafana and plain senders, `timestamp` the timestamp header of Grafana, if it signs
    /// one.
    ///
    /// # Errors
    /// When a secret does not fit the scheme; the text gives its position, not its value.
    pub fn new(
        signing: SignatureFormat,
        header: Option<&str>,
        timestamp: Option<&str>,
        secrets: &[Vec<u8>],
    ) -> Result<Self, String> {
        let header = |otherwise: &str| header.unwrap_or(otherwise).to_ascii_lowercase();
        let scheme = match (signing, timestamp) {
            (SignatureFormat::Grafana, Some(timestamp)) => SignatureScheme::TimedBody {
                header: header(GRAFANA),
                timestamp: timestamp.to_ascii_lowercase(),
            },
            (SignatureFormat::Grafana, None) => SignatureScheme::Body {
                header: header(GRAFANA),
                prefixes: &[""],
            },
            (SignatureFormat::PagerDuty, _) => SignatureScheme::Body {
                header: "x-pagerduty-signature".to_owned(),
                prefixes: &["v1="],
            },
            (SignatureFormat::Sentry, _) => SignatureScheme::Body {
                header: "sentry-hook-signature".to_owned(),
                prefixes: &[""],
            },
            (SignatureFormat::GitHub, _) => SignatureScheme::Body {
                header: "x-hub-signature-256".to_owned(),
                prefixes: &["sha256="],
            },
            (SignatureFormat::Plain, _) => SignatureScheme::Body {
                header: header("x-hub-signature-256"),
                prefixes: &["sha256=", ""],
            },
            (SignatureFormat::Slack, _) => SignatureScheme::Slack,
            (SignatureFormat::StandardWebhooks, _) => SignatureScheme::StandardWebhooks,
        };
        let mut keys = Vec::new();
        for (place, secret) in secrets
            .iter()
            .enumerate()
            .filter(|(_, secret)| !secret.is_empty())
        {
            keys.push(match &scheme {
                SignatureScheme::StandardWebhooks => {
                    standard_key(secret).map_err(|why| format!("secret {}: {why}", place + 1))?
                }
                SignatureScheme::Body { .. }
                | SignatureScheme::TimedBody { .. }
                | SignatureScheme::Slack => VerificationKey::Hmac(secret.clone()),
            });
        }
        Ok(Self { scheme, keys })
    }

    /// The header that carries the signature, in lower case.
    #[must_use]
    pub fn header(&self) -> &str {
        match &self.scheme {
            SignatureScheme::Body { header, .. } | SignatureScheme::TimedBody { header, .. } => {
                header
            }
            SignatureScheme::Slack => "x-slack-signature",
            SignatureScheme::StandardWebhooks => "webhook-signature",
        }
    }

    /// Verifies the signatures of a body. For schemes that sign a time, and an id if there is one,
    /// returns the replay key of the delivery: a repeat with the same key can be dropped.
    ///
    /// # Errors
    /// When no signature matches, or the signed time is not within the tolerance.
    pub fn verify(
        &self,
        headers: &Headers<'_>,
        body: &[u8],
        now: Time,
    ) -> Result<Option<ReplayKey>, SignatureFault> {
        match &self.scheme {
            SignatureScheme::Body { header, prefixes } => {
                self.hex(headers, header, prefixes, &[body]).map(|()| None)
            }
            SignatureScheme::TimedBody { header, timestamp } => {
                let (text, time) = self::time(headers, timestamp)?;
                let signed = [text, b":", body];
                self.hex(headers, header, &[""], &signed)?;
                fresh(time, now).map(|()| self.once(&signed))
            }
            SignatureScheme::Slack => {
                let (text, time) = time(headers, "x-slack-request-timestamp")?;
                let signed = [b"v0:", text, b":", body];
                self.hex(headers, "x-slack-signature", &["v0="], &signed)?;
                fresh(time, now).map(|()| self.once(&signed))
            }
            SignatureScheme::StandardWebhooks => self.standard(headers, body, now).map(Some),
        }
    }

    /// Checks the signatures in a header, listed or repeated, for a correct one.
    fn hex(
        &self,
        headers: &Headers<'_>,
        header: &str,
        prefixes: &[&str],
        signed: &[&[u8]],
    ) -> Result<(), SignatureFault> {
        let shown = headers
            .iter()
            .filter(|(name, _)| *name == header)
            .flat_map(|(_, value)| value.split(|byte| *byte == b','));
        let bare = shown.map(<[u8]>::trim_ascii).filter_map(|part| {
            prefixes
                .iter()
                .find_map(|prefix| part.strip_prefix(prefix.as_bytes()))
        });
        let shown: Vec<Vec<u8>> = bare.filter_map(unhex).take(MOST).collect();
        if self.right(&shown, &[], signed) {
            Ok(())
        } else {
            Err(SignatureFault::Wrong)
        }
    }

    fn standard(
        &self,
        headers: &Headers<'_>,
        body: &[u8],
        now: Time,
    ) -> Result<ReplayKey, SignatureFault> {
        let names = [
            ["webhook-id", "webhook-timestamp", "webhook-signature"],
            ["svix-id", "svix-timestamp", "svix-signature"],
        ];
        let [id, timestamp, signature] = names
            .into_iter()
            .find(|names| headers.get(names[0]).is_some())
            .ok_or(SignatureFault::Wrong)?;
        let id = headers
            .get(id)
            .filter(|id| !id.is_empty())
            .ok_or(SignatureFault::Wrong)?;
        if id.split(|byte| *byte == b'.').skip(1).any(may_be_a_time) {
            return Err(SignatureFault::Wrong);
        }
        let (text, time) = self::time(headers, timestamp)?;
        let (mut macs, mut others) = (Vec::new(), Vec::new());
        let shown = headers
            .iter()
            .filter(|(name, _)| *name == signature)
            .flat_map(|(_, value)| value.split(|byte| *byte == b' '));
        for part in shown.filter(|part| !part.is_empty()).take(MOST) {
            let (version, coded) = part.split_at(
                part.iter()
                    .position(|byte| *byte == b',')
                    .unwrap_or(part.len()),
            );
            let Ok(decoded) = STANDARD.decode(coded.get(1..).unwrap_or_default()) else {
                continue;
            };
            match version {
                b"v1" => macs.push(decoded),
                b"v1a" => others.push(decoded),
                // Future versions are ignored.
                _ => {}
            }
        }
        if !self.right(&macs, &others, &[id, b".", text, b".", body]) {
            return Err(SignatureFault::Wrong);
        }
        fresh(time, now)?;
        // The id alone: it stays the same when a delivery is retried later.
        Ok(Sha256::digest(id).into())
    }

    /// Tests the signatures under every key, regardless of earlier matches.
    fn right(&self, macs: &[Vec<u8>], others: &[Vec<u8>], signed: &[&[u8]]) -> bool {
        let mut found = Choice::from(0);
        let whole = if others.is_empty() {
            Vec::new()
        } else {
            signed.concat()
        };
        for key in &self.keys {
            match key {
                VerificationKey::Hmac(key) => {
                    let Some(expected) = mac(key, signed) else {
                        continue;
                    };
                    // A comparison of unequal lengths reveals only the length.
                    found |= macs
                        .iter()
                        .map(|shown| expected.as_slice().ct_eq(shown))
                        .fold(Choice::from(0), |all, equal| all | equal);
                }
                VerificationKey::Ed25519(public) => {
                    let key = UnparsedPublicKey::new(&ED25519, public);
                    let right = others
                        .iter()
                        .filter(|shown| key.verify(&whole, shown).is_ok())
                        .count();
                    found |= Choice::from(u8::from(right > 0));
                }
            }
        }
        found.into()
    }

    /// Uses the first key, whichever one signed: two secrets used in turn must not make two
    /// deliveries of one.
    fn once(&self, signed: &[&[u8]]) -> Option<ReplayKey> {
        self.keys.iter().find_map(|key| {
            if let VerificationKey::Hmac(key) = key {
                mac(key, signed)
            } else {
                None
            }
        })
    }
}

const GRAFANA: &str = "x-grafana-alerting-signature";

/// Set if a part of an id reads as a time in seconds since 1970: it would let the border between id,
/// time and body move under one signature.
fn may_be_a_time(part: &[u8]) -> bool {
    part.len() >= 10 && part.iter().all(u8::is_ascii_digit)
}

/// HMAC accepts keys of any length (RFC 2104 §3), so this never fails.
fn mac(key: &[u8], parts: &[&[u8]]) -> Option<[u8; 32]> {
    let mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    Some(
        parts
            .iter()
            .fold(mac, Mac::chain_update)
            .finalize()
            .into_bytes()
            .into(),
    )
}

/// The time in a header, as text and as seconds. Digits only: a sign, a blank or a colon would
/// leave open where it ends and the body begins.
fn time<'a>(headers: &Headers<'a>, name: &str) -> Result<(&'a [u8], i64), SignatureFault> {
    let text = headers
        .get(name)
        .filter(|text| text.iter().all(u8::is_ascii_digit))
        .ok_or(SignatureFault::Wrong)?;
    let seconds = std::str::from_utf8(text)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or(SignatureFault::Wrong)?;
    Ok((text, seconds))
}

/// Decodes a MAC of 32 bytes in hex of either case.
fn unhex(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    let pairs = (text.len() == 64).then(|| text.chunks_exact(2))?;
    pairs
        .map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?))
        .collect()
}

fn fresh(time: i64, now: Time) -> Result<(), SignatureFault> {
    if now.timestamp().abs_diff(time) <= TOLERANCE.unsigned_abs() {
        Ok(())
    } else {
        Err(SignatureFault::Stale)
    }
}

/// Parses `whsec_` or `whpk_` and base64; without a prefix, as Svix shows some, it is a secret.
fn standard_key(text: &[u8]) -> Result<VerificationKey, &'static str> {
    let decoded = |text: &[u8]| {
        let end = text
            .iter()
            .rposition(|byte| *byte != b'=')
            .map_or(0, |last| last + 1);
        STANDARD_NO_PAD
            .decode(&text[..end])
            .ok()
            .filter(|bytes| !bytes.is_empty())
    };
    if text.starts_with(b"whsk_") {
        return Err(
            "this is the sender's private key; use its public key, which begins with `whpk_`",
        );
    }
    if let Some(rest) = text.strip_prefix(b"whpk_") {
        return decoded(rest)
            .filter(|key| key.len() == 32)
            .map(VerificationKey::Ed25519)
            .ok_or("`whpk_` must be followed by 32 bytes in base64");
    }
    let rest = text.strip_prefix(b"whsec_").unwrap_or(text);
    decoded(rest)
        .map(VerificationKey::Hmac)
        .ok_or("a secret of Standard Webhooks is `whsec_` and base64; copy it whole")
}

#[cfg(test)]
mod tests;
