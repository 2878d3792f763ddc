//! Credentials: authentication methods and where their secrets are found.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use super::scalars::Text;
use crate::yaml::node::{Node, Position, Value};
use crate::yaml::reader::{Reader, Supported};
use crate::yaml::scalar::Spanned;

/// Credential sent with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Auth {
    /// No authentication.
    None,
    /// `Authorization: Bearer …`
    Bearer(SecretRef),
    /// `Authorization: Basic …`
    Basic {
        /// User name.
        username: String,
        /// Password.
        password: SecretRef,
    },
    /// A header with a fixed value.
    Header {
        /// Its name.
        name: String,
        /// Its value.
        value: SecretRef,
    },
}

/// Location of a secret, never the secret itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum SecretRef {
    /// In a file; a trailing newline is dropped.
    File(String),
    /// In an environment variable.
    Env(String),
}

/// Access tokens, required when the listen address is not loopback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// Bearer token of people and scripts.
    pub token: SecretRef,
}

pub(crate) const PROOFS: &str = "`bearer_token_file`, `bearer_token`, `basic` or `header`";

/// Credential sent with a request.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawAuth {
    /// The file that holds the bearer token.
    pub(crate) bearer_token_file: Option<Spanned<String>>,
    /// The bearer token from the environment, as `${VARIABLE}`.
    pub(crate) bearer_token: Option<Spanned<String>>,
    /// User name and password.
    pub(crate) basic: Option<RawBasic>,
    /// A header with a fixed value.
    pub(crate) header: Option<RawHeader>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawBasic {
    /// The user name.
    username: Text,
    /// The file that holds the password.
    password_file: Option<Spanned<String>>,
    /// The password from the environment, as `${VARIABLE}`.
    password: Option<Spanned<String>>,
}

/// A name with a secret value.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawHeader {
    /// The name of the header.
    pub(crate) name: Spanned<Text>,
    /// The file that holds its value.
    pub(crate) value_file: Option<Spanned<String>>,
    /// Its value from the environment, as `${VARIABLE}`.
    pub(crate) value: Option<Spanned<String>>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawAccess {
    /// The file that holds the token.
    token_file: Option<Spanned<String>>,
    /// The token from the environment, as `${VARIABLE}`.
    token: Option<Spanned<String>>,
}

/// Schema of `auth` of a server: `none`, or one method.
pub(crate) fn none_or_auth(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({"oneOf": [{"const": "none"}, RawAuth::json_schema(generator)]})
}

/// Schema of a text, or a map that says where to find it.
pub(crate) fn text_or<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({"oneOf": [{"type": "string"}, T::json_schema(generator)]})
}

/// `auth:` of an entry of `metrics:`. Its values may be secrets, so no message repeats them.
pub(crate) fn auth(reader: &mut Reader<'_>, node: &Node) -> Option<Auth> {
    if node.value == Value::String("none".to_owned()) {
        return Some(Auth::None);
    }
    let at = node.position();
    if !is_map(
        reader,
        node,
        &format!("`auth` must be `none`, or a map with one of {PROOFS}"),
    ) {
        return None;
    }
    for name in ["basic", "header"] {
        if let Some(inner) = node.get(name)
            && !is_map(reader, inner, &format!("`auth.{name}` is a map"))
        {
            return None;
        }
    }
    let raw: RawAuth = reader.read_whole(node, &[])?;
    read_credentials(reader, at, raw)
}

/// Reads the single authentication method of an `auth:` map.
pub(crate) fn read_credentials(
    reader: &mut Reader<'_>,
    at: Position,
    raw: RawAuth,
) -> Option<Auth> {
    let bearer = raw.bearer_token_file.is_some() || raw.bearer_token.is_some();
    match (bearer, raw.basic, raw.header) {
        (true, None, None) => secret(
            reader,
            at,
            "bearer_token",
            raw.bearer_token_file,
            raw.bearer_token,
        )
        .map(Auth::Bearer),
        (false, Some(basic), None) => {
            let password = secret(reader, at, "password", basic.password_file, basic.password)?;
            Some(Auth::Basic {
                username: basic.username.0,
                password,
            })
        }
        (false, None, Some(header)) => {
            let name = header.name.value.0;
            if !is_header(&name) {
                reader.fault(
                    header.name.position,
                    format!(
                        "{name:?} is not a valid header name; write for example X-Afterword-Token"
                    ),
                );
            }
            let value = secret(reader, at, "value", header.value_file, header.value)?;
            Some(Auth::Header { name, value })
        }
        (false, None, None) => {
            reader.fault(at, format!("`auth` is empty; give one of {PROOFS}, or write `auth: none` for no authentication"));
            None
        }
        _ => {
            reader.fault(
                at,
                format!("`auth` has more than one method; keep one of {PROOFS}"),
            );
            None
        }
    }
}

/// Header name test: a token of RFC 9110 §5.6.2.
pub(crate) fn is_header(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// `access:`
pub(crate) fn access(reader: &mut Reader<'_>, node: &Node) -> Option<Access> {
    if !is_map(
        reader,
        node,
        "`access` must be a map with `token_file` or `token`",
    ) {
        return None;
    }
    let Supported { node, whole } = reader.supported(node, "access", &["oidc", "tokens"]);
    let raw: RawAccess = reader.read_whole(&node, &[])?;
    if !whole && raw.token_file.is_none() && raw.token.is_none() {
        return None;
    }
    secret(reader, node.position(), "token", raw.token_file, raw.token)
        .map(|token| Access { token })
}

pub(crate) fn is_map(reader: &mut Reader<'_>, node: &Node, message: &str) -> bool {
    let map = matches!(node.value, Value::Map(_));
    if !map {
        reader.fault(node.position(), message);
    }
    map
}

/// `NAME_file: PATH` or `NAME: "${VARIABLE}"`, one of them.
pub(crate) fn secret(
    reader: &mut Reader<'_>,
    at: Position,
    name: &str,
    file: Option<Spanned<String>>,
    inline: Option<Spanned<String>>,
) -> Option<SecretRef> {
    let forms = format!("`{name}_file: PATH` or `{name}: \"${{VARIABLE}}\"`");
    match (file, inline) {
        (Some(path), None) => {
            if path.value.trim().is_empty() || path.value.chars().any(char::is_control) {
                reader.fault(
                    path.position,
                    format!("`{name}_file` must be the path of a file"),
                );
                return None;
            }
            Some(SecretRef::File(path.value))
        }
        (None, Some(text)) => match variable(&text.value) {
            Some(variable) => Some(SecretRef::Env(variable.to_owned())),
            None => {
                reader.fault(
                    text.position,
                    format!("secrets must not be written in this file; write {forms}"),
                );
                None
            }
        },
        (None, None) => {
            reader.fault(at, format!("`{name}` is missing; write {forms}"));
            None
        }
        (Some(_), Some(text)) => {
            reader.fault(
                text.position,
                format!("`{name}` is given twice; write {forms}"),
            );
            None
        }
    }
}

/// `NAME` of `${NAME}`.
fn variable(text: &str) -> Option<&str> {
    let name = text.strip_prefix("${")?.strip_suffix('}')?;
    let letters = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    (letters && name.starts_with(|c: char| !c.is_ascii_digit())).then_some(name)
}
