//! `storage:`: the database and its password.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;

use super::credentials::{SecretRef, secret, text_or};
use crate::yaml::node::{Node, Value};
use crate::yaml::reader::Reader;
use crate::yaml::scalar::Spanned;

/// Database: a file for one process, or a server that replicas can share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Storage {
    /// Path of the SQLite file.
    Sqlite(String),
    /// PostgreSQL.
    Postgres {
        /// URL without a password.
        url: String,
        /// Password, if required.
        password: Option<SecretRef>,
    },
}

/// Reads a database URL.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub(crate) struct StorageUrl(pub(crate) Storage);

impl TryFrom<String> for StorageUrl {
    type Error = String;

    // The text is not repeated: an address of PostgreSQL often holds a password.
    fn try_from(text: String) -> Result<Self, String> {
        const FORMS: &str = "write sqlite://data/afterword.db, or postgres://user@host/afterword";
        if text.chars().any(char::is_control) {
            return Err("the address contains a control character".to_owned());
        }
        if let Some(rest) = text
            .strip_prefix("postgres://")
            .or_else(|| text.strip_prefix("postgresql://"))
        {
            let user = rest
                .split('/')
                .next()
                .unwrap_or_default()
                .rsplit_once('@')
                .map(|(user, _)| user);
            if user.is_some_and(|user| user.contains(':')) || rest.contains("password=") {
                return Err(
                    "a password does not belong here; write storage: {url: postgres://user@host/afterword, password_file: …}".to_owned()
                );
            }
            return Ok(Self(Storage::Postgres {
                url: text,
                password: None,
            }));
        }
        match text.strip_prefix("sqlite://").map(str::trim) {
            Some("") => Err("the path is missing; write sqlite://data/afterword.db".to_owned()),
            Some(path) => Ok(Self(Storage::Sqlite(path.to_owned()))),
            None => Err(format!(
                "`storage` must begin with sqlite:// or postgres://; {FORMS}"
            )),
        }
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawStorage {
    /// postgres://USER@HOST/NAME, without a password.
    url: Spanned<StorageUrl>,
    /// The file that holds the password.
    password_file: Option<Spanned<String>>,
    /// Environment variable, as ${NAME}.
    password: Option<Spanned<String>>,
}

/// Schema of `storage:`.
pub(crate) fn schema(generator: &mut SchemaGenerator) -> Schema {
    text_or::<RawStorage>(generator)
}

/// `storage:`: a URL, or a URL with the location of its password.
pub(crate) fn storage(reader: &mut Reader<'_>, node: &Node) -> Option<Storage> {
    if !matches!(node.value, Value::Map(_)) {
        return reader.read_whole::<StorageUrl>(node, &[]).map(|url| url.0);
    }
    let raw: RawStorage = reader.read_whole(node, &[])?;
    let asked = raw.password_file.is_some() || raw.password.is_some();
    match raw.url.value.0 {
        Storage::Sqlite(_) if asked => {
            reader.fault(node.position(), "a SQLite file has no password; remove it");
            None
        }
        Storage::Postgres { url, .. } if asked => {
            let password = secret(
                reader,
                node.position(),
                "password",
                raw.password_file,
                raw.password,
            )?;
            Some(Storage::Postgres {
                url,
                password: Some(password),
            })
        }
        storage => Some(storage),
    }
}
