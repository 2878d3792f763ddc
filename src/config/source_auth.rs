//! Authentication and limits of a source: `auth:` and `limits:` of an entry of `sources:`.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use super::credentials::{
    Auth, RawAuth, RawBasic, RawHeader, SecretRef, is_header, is_map, read_credentials, secret,
};
use super::scalars::{ByteSize, Text};
use crate::model::source::{SignatureFormat, SourceKind, signing};
use crate::yaml::node::{Node, Value};
use crate::yaml::reader::Reader;
use crate::yaml::scalar::{Quota, Spanned};

/// Authentication method of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceAuth {
    /// Message signature of Amazon SNS only, with the certificate named in the message.
    Certificate,
    /// Credential sent with the message.
    Shown(Auth),
    /// Query parameter.
    Query {
        /// Its name.
        name: String,
        /// Its value.
        value: SecretRef,
    },
    /// Signature over the body, in the format of the kind.
    Signature {
        /// Signing secret.
        secret: SecretRef,
        /// Header of the signature, if the kind does not fix it.
        header: Option<String>,
        /// Header of the signed timestamp, if the kind does not fix it.
        timestamp: Option<String>,
    },
}

/// Limits of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceLimits {
    /// Maximum message rate; `None`: unlimited.
    pub rate: Option<RateLimit>,
    /// Maximum size of a body in bytes, both compressed and decompressed.
    pub size: usize,
}

/// Message rate, bursts included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// Number of messages, at least one.
    pub count: u32,
    /// Period in seconds, at least one.
    pub seconds: i64,
}

/// Authentication methods of a source, for messages.
pub(crate) const PROOFS: &str = "`bearer_token_file`, `bearer_token`, `basic`, `header`, `query`, `hmac_secret_file` or `hmac_secret`";

/// Maximum configurable body size.
const LARGEST: usize = 32 << 20;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawProof {
    /// The file that holds the bearer token.
    bearer_token_file: Option<Spanned<String>>,
    /// The bearer token from the environment, as `${VARIABLE}`.
    bearer_token: Option<Spanned<String>>,
    /// User name and password.
    basic: Option<RawBasic>,
    /// A header with a fixed value.
    header: Option<RawHeader>,
    /// A query parameter with a fixed value, for senders that support nothing else.
    query: Option<RawHeader>,
    /// The file that holds the signing secret, in the format of the sender.
    hmac_secret_file: Option<Spanned<String>>,
    /// The signing secret from the environment, as `${VARIABLE}`.
    hmac_secret: Option<Spanned<String>>,
    /// Grafana, and kinds without a signature of their own: the header that holds the signature.
    signature_header: Option<Spanned<Text>>,
    /// Grafana: the header with the signed timestamp; if set, messages without it are rejected.
    timestamp_header: Option<Spanned<Text>>,
}

/// `limits:` of a source.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawSourceLimits {
    /// Maximum message rate, as `100 per 1s`; further messages get 429, which not all senders
    /// retry.
    rate: Option<Quota>,
    /// Maximum body size, as 512KiB or 10MiB; larger bodies get 413.
    #[schemars(extend("default" = "32MiB"))]
    size: Option<Spanned<ByteSize>>,
}

/// Schema of `auth:` of a source.
pub(crate) fn schema(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({"oneOf": [{"enum": ["none", "signature"]}, RawProof::json_schema(generator)]})
}

/// `auth:` of a source. Its values may be secrets, so no message repeats them.
pub(crate) fn auth(reader: &mut Reader<'_>, node: &Node) -> Option<SourceAuth> {
    if node.value == Value::String("none".to_owned()) {
        return Some(SourceAuth::Shown(Auth::None));
    }
    let at = node.position();
    if !is_map(
        reader,
        node,
        &format!("`auth` must be `none`, or a map with one of {PROOFS}"),
    ) {
        return None;
    }
    for name in ["basic", "header", "query"] {
        if let Some(inner) = node.get(name)
            && !is_map(reader, inner, &format!("`auth.{name}` is a map"))
        {
            return None;
        }
    }
    let raw: RawProof = reader.read_whole(node, &[])?;
    let bearer = raw.bearer_token_file.is_some() || raw.bearer_token.is_some();
    let signed = raw.hmac_secret_file.is_some() || raw.hmac_secret.is_some();
    for (name, given) in [
        ("signature_header", &raw.signature_header),
        ("timestamp_header", &raw.timestamp_header),
    ] {
        let Some(Spanned {
            position,
            value: Text(header),
            ..
        }) = given
        else {
            continue;
        };
        if !signed {
            reader.fault(
                *position,
                format!(
                    "`{name}` requires `hmac_secret_file` or `hmac_secret`; add one, or remove it"
                ),
            );
        } else if !is_header(header) {
            reader.fault(
                *position,
                format!(
                    "{header:?} is not a valid header name; write for example X-Hub-Signature-256"
                ),
            );
        }
    }
    match [
        bearer,
        raw.basic.is_some(),
        raw.header.is_some(),
        raw.query.is_some(),
        signed,
    ]
    .iter()
    .filter(|given| **given)
    .count()
    {
        0 => {
            reader.fault(at, format!("`auth` is empty; give one of {PROOFS}, or write `auth: none` for no authentication"));
            return None;
        }
        1 => {}
        _ => {
            reader.fault(
                at,
                format!("`auth` has more than one method; keep one of {PROOFS}"),
            );
            return None;
        }
    }
    if let Some(query) = raw.query {
        let value = secret(reader, at, "value", query.value_file, query.value)?;
        return Some(SourceAuth::Query {
            name: query.name.value.0,
            value,
        });
    }
    if signed {
        let secret = secret(
            reader,
            at,
            "hmac_secret",
            raw.hmac_secret_file,
            raw.hmac_secret,
        )?;
        let name = |word: Option<Spanned<Text>>| word.map(|word| word.value.0);
        return Some(SourceAuth::Signature {
            secret,
            header: name(raw.signature_header),
            timestamp: name(raw.timestamp_header),
        });
    }
    let RawProof {
        bearer_token_file,
        bearer_token,
        basic,
        header,
        ..
    } = raw;
    read_credentials(
        reader,
        at,
        RawAuth {
            bearer_token_file,
            bearer_token,
            basic,
            header,
        },
    )
    .map(SourceAuth::Shown)
}

/// Records a fault for signature headers that do not fit the kind. `node` is that of `auth`.
pub(crate) fn fits(
    reader: &mut Reader<'_>,
    node: Option<&Node>,
    kind: SourceKind,
    given: &str,
    auth: Option<&SourceAuth>,
) {
    let (
        Some(node),
        Some(SourceAuth::Signature {
            header, timestamp, ..
        }),
    ) = (node, auth)
    else {
        return;
    };
    let signing = signing(kind);
    match (signing, header) {
        (SignatureFormat::Plain, None) => {
            let how = "add `signature_header`, the header that holds it; for senders that do not sign, use `bearer_token_file` or `header`";
            reader.fault(
                node.position(),
                format!("kind `{given}` has no signature of its own; {how}"),
            );
        }
        (SignatureFormat::Plain | SignatureFormat::Grafana, _) | (_, None) => {}
        (_, Some(_)) => {
            let at = node.key_position("signature_header");
            reader.fault(
                at,
                format!(
                    "the signature header of kind `{given}` is fixed; remove `signature_header`"
                ),
            );
        }
    }
    if timestamp.is_some() && signing != SignatureFormat::Grafana {
        let at = node.key_position("timestamp_header");
        reader.fault(
            at,
            "`timestamp_header` is only for kind `grafana`; remove it",
        );
    }
}

/// `limits:` of a source.
pub(crate) fn limits(reader: &mut Reader<'_>, raw: Option<RawSourceLimits>) -> SourceLimits {
    let Some(raw) = raw else {
        return SourceLimits::default();
    };
    let size = raw.size.and_then(
        |Spanned {
             position,
             value: ByteSize(bytes),
             ..
         }| {
            let fits = (1024..=LARGEST).contains(&bytes);
            if !fits {
                reader.fault(position, "`size` must be from 1KiB to 32MiB");
            }
            fits.then_some(bytes)
        },
    );
    SourceLimits {
        rate: raw
            .rate
            .map(|Quota { count, seconds }| RateLimit { count, seconds }),
        size: size.unwrap_or(LARGEST),
    }
}

impl Default for SourceLimits {
    fn default() -> Self {
        Self {
            rate: None,
            size: LARGEST,
        }
    }
}
