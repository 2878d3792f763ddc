//! Who comes in at `/ingest/{source}`, and with how much. What is shown beside a body is looked at before it is read, a signature after.

use axum::body::Body;
use axum::http::HeaderMap;

use super::body::{Whole, within};
use super::error::Error;
use super::handler::{header_pairs, is_loopback_host};
use crate::app::App;
use crate::app::intake::rate_limit::Away;
use crate::app::settings::Settings;
use crate::config::sources::Source;
use crate::ingest::auth::signature::{ReplayKey, SignatureFault, SignatureVerifier};
use crate::ingest::auth::{Authentication, authentic_with, is_unsigned_check};

const MISSING: &str =
    "the credentials are missing or wrong; compare the sender's with `sources:` of the settings";
const PASSWORD: &str = "the user name or password is missing or wrong; compare the sender's with `sources:` of the settings";
const UNSIGNED: &str = "the signature is missing or wrong; compare the sender's secret with `sources:` of the settings";
const STALE: &str = "the signature is right, but for a time more than five minutes from now; compare the clocks, or send it anew";

/// What came beside a body.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Beside<'a> {
    pub(crate) headers: &'a HeaderMap,
    /// The query of the address. It may hold a secret.
    pub(crate) query: &'a str,
}

/// A message that may be read.
#[derive(Debug)]
pub(crate) struct Admitted {
    pub(crate) body: Whole,
    /// What tells this delivery from others, where its signature covers that.
    pub(crate) once: Option<ReplayKey>,
}

/// Reads the body of a message that its source may send. `None`: there is nothing in it to be taken, and its sender waits for a 2xx.
///
/// # Errors
/// When it is not shown who sent it, or when it is more than that source may send.
pub(crate) async fn admitted(
    app: &App,
    settings: &Settings,
    source: &Source,
    beside: Beside<'_>,
    raw: Body,
) -> Result<Option<Admitted>, Error> {
    let refuse = |why: Away, fault: Error| {
        app.turn_away(&source.name, why);
        Err(fault)
    };
    let proof = settings.proofs.get(&source.name);
    let signature = match proof {
        Some(Authentication::Signature(signature)) => Some(signature),
        shown if is_shown(shown, settings, beside) => None,
        // Amazon SNS shows a password only to whoever asks for one.
        Some(Authentication::Basic { .. }) => {
            return refuse(Away::Credentials, Error::Unauthorized(PASSWORD));
        }
        _ => return refuse(Away::Credentials, Error::Unauthorized(MISSING)),
    };
    // Whoever signs is only known later: until then nothing is taken from the bucket, which a stranger could empty otherwise.
    let is_known = signature.is_none() && proof != Some(&Authentication::Certificate);
    if let Err(wait) = app.pace(&source.name, source.limits.rate, is_known) {
        return refuse(Away::Rate, Error::TooMany(wait));
    }
    let body = match within(source.limits.size, app, beside.headers, raw).await {
        Err(fault @ Error::TooLarge(_)) => return refuse(Away::Size, fault),
        other => other?,
    };
    let Some(signature) = signature else {
        return Ok(Some(Admitted { body, once: None }));
    };
    match verified(signature, beside, &body, app) {
        Ok(once) => match app.pace(&source.name, source.limits.rate, true) {
            Ok(()) => Ok(Some(Admitted { body, once })),
            Err(wait) => refuse(Away::Rate, Error::TooMany(wait)),
        },
        Err(SignatureFault::Wrong) if is_unsigned_check(source.kind, &body) => Ok(None),
        Err(SignatureFault::Wrong) => refuse(Away::Credentials, Error::Unauthorized(UNSIGNED)),
        Err(SignatureFault::Stale) => refuse(Away::Stale, Error::Unauthorized(STALE)),
    }
}

/// Whether the proof is shown beside the body.
fn is_shown(proof: Option<&Authentication>, settings: &Settings, beside: Beside<'_>) -> bool {
    // Whoever shows nothing must at least mean this machine; a foreign site that resolves to it does not.
    let open = matches!(proof, Some(Authentication::None)) && settings.access.is_none();
    proof.is_some_and(|proof| authentic_with(proof, &header_pairs(beside.headers), beside.query))
        && (!open || is_loopback_host(beside.headers))
}

/// By the time at which the whole body is here: a slow sender's signature may have become stale meanwhile.
fn verified(
    signature: &SignatureVerifier,
    beside: Beside<'_>,
    body: &[u8],
    app: &App,
) -> Result<Option<ReplayKey>, SignatureFault> {
    signature.verify(&header_pairs(beside.headers), body, app.now())
}
