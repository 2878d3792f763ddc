//! Runs SQL texts and turns columns into our types, so that a query is one call that names its noun.
//!
//! The texts number their parameters `$1`, `$2`, … as PostgreSQL wants them.

use rusqlite::types::Type;
use rusqlite::{Connection, Params, Row};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::{StoreError, fault};
use crate::model::Time;

/// Runs a statement that returns no rows; gives the number of rows it touched.
pub(super) fn execute(at: &Connection, noun: &str, text: &str, values: impl Params) -> Result<usize, StoreError> {
    at.prepare_cached(&numbered(text)).and_then(|mut statement| statement.execute(values)).map_err(|error| fault(noun, error))
}

/// All rows of a query, read by `read`.
pub(super) fn rows<T>(
    at: &Connection,
    noun: &str,
    text: &str,
    values: impl Params,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>, StoreError> {
    at.prepare_cached(&numbered(text))
        .and_then(|mut statement| statement.query_map(values, read)?.collect())
        .map_err(|error| fault(noun, error))
}

/// The first row of a query, if there is one.
pub(super) fn row<T>(
    at: &Connection,
    noun: &str,
    text: &str,
    values: impl Params,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Option<T>, StoreError> {
    Ok(rows(at, noun, text, values, read)?.into_iter().next())
}

/// `$n` to `?n`: SQLite takes `$1` for a name and numbers names by first appearance. No text of ours holds a literal `$`.
fn numbered(text: &str) -> String {
    text.replace('$', "?")
}

/// A value as JSON text.
pub(super) fn json<T: Serialize>(noun: &str, value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Other(anyhow::Error::new(error).context(noun.to_owned())))
}

/// The word that a plain enum has in JSON, without its quotes.
pub(super) fn word<T: Serialize>(noun: &str, value: &T) -> Result<String, StoreError> {
    Ok(json(noun, value)?.trim_matches('"').to_owned())
}

/// A time as it is stored.
pub(super) fn micros(time: Time) -> i64 {
    time.timestamp_micros()
}

/// A count, position or limit as it is stored.
pub(super) fn integer(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

/// Reads JSON text.
pub(super) fn read_json<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text =
        row.get_ref(column)?.as_str().map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error)))?;
    serde_json::from_str(text).map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error)))
}

/// Reads a time.
pub(super) fn read_time(row: &Row<'_>, column: usize) -> rusqlite::Result<Time> {
    let micros = row.get(column)?;
    Time::from_timestamp_micros(micros).ok_or(rusqlite::Error::IntegralValueOutOfRange(column, micros))
}

/// Reads a time that may be absent.
pub(super) fn read_time_if_any(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Time>> {
    match row.get::<_, Option<i64>>(column)? {
        None => Ok(None),
        Some(_) => read_time(row, column).map(Some),
    }
}

/// Reads a count or position.
pub(super) fn read_count(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let number = row.get(column)?;
    u64::try_from(number).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, number))
}
