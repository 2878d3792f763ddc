//! Authentication of SNS messages: an RSA signature over a canonical text, by the certificate the
//! message itself names, so the certificate's URL is checked first.
//!
//! <https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html>

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::TimeDelta;
use ring::signature::{
    RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256, RsaParameters,
    UnparsedPublicKey,
};
use url::Url;
use x509_cert::Certificate;

use super::envelope::{SnsEnvelope, SnsMessageType};
use crate::model::time::Time;

/// Maximum age of a message: SNS retries for an hour at most.
const FRESH: TimeDelta = TimeDelta::hours(1);
/// Maximum lead of SNS's clock.
const AHEAD: TimeDelta = TimeDelta::minutes(5);

/// The reason a message was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SnsFault {
    /// A signed field is missing.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A URL that is not Amazon's.
    #[error("{field} is not an address of Amazon SNS: {why}")]
    Elsewhere {
        /// The field.
        field: &'static str,
        /// The problem of the URL.
        why: &'static str,
    },
    /// Too old, or in the future.
    #[error("Timestamp is more than an hour old or in the future; compare the clocks")]
    Stale,
    /// An unsupported signature version.
    #[error("SignatureVersion is neither 1 nor 2")]
    Version,
    /// The certificate is unusable.
    #[error("the certificate cannot be used: {0}")]
    Certificate(&'static str),
    /// The signature does not match text and certificate.
    #[error("the signature does not match")]
    Signature,
}

/// The URL of the certificate, if it is safe to fetch. Messages that are too old get no further.
///
/// # Errors
/// When a check fails.
pub(crate) fn certificate_url(envelope: &SnsEnvelope, now: Time) -> Result<String, SnsFault> {
    let timestamp = envelope.timestamp().ok_or(SnsFault::Missing("Timestamp"))?;
    if now - timestamp > FRESH || timestamp - now > AHEAD {
        return Err(SnsFault::Stale);
    }
    if canonical(envelope).is_none() || envelope.get("Signature").is_none() {
        return Err(SnsFault::Missing("a field that is signed, or Signature"));
    }
    let url = amazons(envelope, "SigningCertURL")?;
    if !url.path().ends_with(".pem") {
        return Err(SnsFault::Elsewhere {
            field: "SigningCertURL",
            why: "its path does not end in .pem",
        });
    }
    Ok(url.into())
}

/// The URL that confirms a subscription, if it is Amazon's.
///
/// # Errors
/// The check that fails.
pub(crate) fn subscribe_url(envelope: &SnsEnvelope) -> Result<String, SnsFault> {
    amazons(envelope, "SubscribeURL").map(Into::into)
}

/// Checks a URL of SNS: `https`, host `sns.REGION.amazonaws.com` or its Chinese equivalent, no port
/// and no user.
fn amazons(envelope: &SnsEnvelope, field: &'static str) -> Result<Url, SnsFault> {
    let text = envelope.get(field).ok_or(SnsFault::Missing(field))?;
    let elsewhere = |why| SnsFault::Elsewhere { field, why };
    // A browser would alter these, so they were not part of the signed text.
    if text
        .chars()
        .any(|letter| letter.is_whitespace() || letter.is_control() || letter == '\\')
    {
        return Err(elsewhere("it holds blanks or backslashes"));
    }
    let url = Url::parse(text).map_err(|_| elsewhere("it is not a URL"))?;
    if url.scheme() != "https" {
        return Err(elsewhere("it does not begin with https"));
    }
    if url.port().is_some() {
        return Err(elsewhere("it names a port"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(elsewhere("it names a user"));
    }
    let host = url.host_str().unwrap_or_default();
    let region = host.strip_prefix("sns.").and_then(|rest| {
        rest.strip_suffix(".amazonaws.com")
            .or_else(|| rest.strip_suffix(".amazonaws.com.cn"))
    });
    let is_region = |region: &str| {
        region.len() >= 3
            && region
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    if !region.is_some_and(is_region) {
        return Err(elsewhere("its host is not sns.REGION.amazonaws.com"));
    }
    Ok(url)
}

/// The signed text: names and values of the signed fields, one per line, sorted by name. `None` if
/// a required one is missing.
#[must_use]
pub(crate) fn canonical(envelope: &SnsEnvelope) -> Option<String> {
    let fields: &[&str] = match envelope.kind()? {
        SnsMessageType::Notification => &[
            "Message",
            "MessageId",
            "Subject",
            "Timestamp",
            "TopicArn",
            "Type",
        ],
        SnsMessageType::SubscriptionConfirmation | SnsMessageType::UnsubscribeConfirmation => &[
            "Message",
            "MessageId",
            "SubscribeURL",
            "Timestamp",
            "Token",
            "TopicArn",
            "Type",
        ],
    };
    let mut text = String::new();
    for name in fields {
        match envelope.get(name) {
            Some(value) => {
                for part in [name, "\n", value, "\n"] {
                    text.push_str(part);
                }
            }
            None if *name == "Subject" => {}
            None => return None,
        }
    }
    Some(text)
}

/// Verifies a message with the PEM certificate it names.
///
/// # Errors
/// The check that fails.
pub(crate) fn verify(
    envelope: &SnsEnvelope,
    certificate: &[u8],
    now: Time,
) -> Result<(), SnsFault> {
    let how: &'static RsaParameters = match envelope.get("SignatureVersion") {
        // SNS signs with SHA-1 unless the topic is configured otherwise.
        Some("1") => &RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
        Some("2") => &RSA_PKCS1_2048_8192_SHA256,
        _ => return Err(SnsFault::Version),
    };
    let text = canonical(envelope).ok_or(SnsFault::Missing("a field that is signed"))?;
    let signature = envelope
        .get("Signature")
        .ok_or(SnsFault::Missing("Signature"))?;
    let signature = STANDARD
        .decode(signature)
        .map_err(|_| SnsFault::Signature)?;
    let key = key(certificate, now)?;
    UnparsedPublicKey::new(how, key)
        .verify(text.as_bytes(), &signature)
        .map_err(|_| SnsFault::Signature)
}

/// The public key of the first certificate in a PEM file, if it is valid now.
fn key(pem: &[u8], now: Time) -> Result<Vec<u8>, SnsFault> {
    let chain = Certificate::load_pem_chain(pem)
        .map_err(|_| SnsFault::Certificate("it is not a PEM certificate"))?;
    let certificate = chain
        .first()
        .ok_or(SnsFault::Certificate("the file contains no certificate"))?
        .tbs_certificate();
    let validity = certificate.validity();
    let at = |time: &x509_cert::time::Time| {
        i64::try_from(time.to_unix_duration().as_secs()).unwrap_or(i64::MAX)
    };
    let now = now.timestamp();
    if now < at(&validity.not_before) || at(&validity.not_after) < now {
        return Err(SnsFault::Certificate("it is not valid now"));
    }
    let key = certificate
        .subject_public_key_info()
        .subject_public_key
        .as_bytes();
    key.map(<[u8]>::to_vec)
        .ok_or(SnsFault::Certificate("it holds no key"))
}
