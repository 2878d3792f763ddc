//! Runs SQL on either database and converts columns to our types, so that a query is one call that
//! names its noun.
//!
//! Both databases share one set of texts: parameters are numbered `$1`, `$2`, … as in PostgreSQL,
//! times and counts are `bigint`, JSON is text. Only two things differ, and both are marked: the
//! column types of the migrations, and [`SKIP_LOCKED`].

use std::cell::RefCell;
use std::collections::HashMap;

use postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use rusqlite::types::{ToSqlOutput, ValueRef};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::{StoreError, fault, postgres_fault};
use crate::model::time::Time;

/// Replaced in PostgreSQL by a clause that skips rows locked by another process; SQLite has no such
/// rows.
pub(crate) const SKIP_LOCKED: &str = "/* skip locked */";

/// A transaction on either database.
pub(crate) enum SqlConnection<'a> {
    /// The single writer, or a reader.
    Sqlite(&'a rusqlite::Connection),
    /// A pooled connection. Its client needs a mutable borrow even for reading.
    Postgres(RefCell<Session<'a>>),
}

/// A PostgreSQL transaction with the prepared statements of its connection.
pub(crate) struct Session<'a> {
    pub(crate) transaction: postgres::Transaction<'a>,
    pub(crate) statements: &'a mut HashMap<String, postgres::Statement>,
}

impl Session<'_> {
    fn prepare(&mut self, text: &str) -> Result<postgres::Statement, postgres::Error> {
        if let Some(statement) = self.statements.get(text) {
            return Ok(statement.clone());
        }
        let statement = self
            .transaction
            .prepare(&text.replace(SKIP_LOCKED, "for update skip locked"))?;
        self.statements.insert(text.to_owned(), statement.clone());
        Ok(statement)
    }
}

/// A parameter.
#[derive(Debug, Clone, Copy)]
pub(crate) enum SqlValue<'a> {
    Null,
    Integer(i64),
    Text(&'a str),
    Bytes(&'a [u8]),
}

macro_rules! parameters {
    ($($type:ty: |$value:ident| $into:expr),* $(,)?) => {$(
        impl<'a> From<&'a $type> for SqlValue<'a> {
            fn from($value: &'a $type) -> Self {
                $into
            }
        }
    )*};
}
parameters! {
    i64: |value| Self::Integer(*value),
    u32: |value| Self::Integer(i64::from(*value)),
    String: |value| Self::Text(value),
    &'a String: |value| Self::Text(value),
    &'a str: |value| Self::Text(value),
    Vec<u8>: |value| Self::Bytes(value),
    Option<i64>: |value| value.map_or(Self::Null, Self::Integer),
}

/// Parameters in order.
macro_rules! values {
    ($($value:expr),* $(,)?) => { &[$($crate::store::sql::SqlValue::from(&$value)),*] };
}
pub(crate) use values;

impl rusqlite::ToSql for SqlValue<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Integer(number) => ValueRef::Integer(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

impl ToSql for SqlValue<'_> {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut bytes::BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            // PostgreSQL infers a smaller integer type for a parameter compared with a literal.
            Self::Integer(number) if *ty == Type::INT4 => i32::try_from(*number)?.to_sql(ty, out),
            Self::Integer(number) => number.to_sql(ty, out),
            // PostgreSQL's text cannot hold a NUL, which a hostile sender may well send.
            Self::Text(text) if text.contains('\0') => {
                text.replace('\0', "\u{fffd}").to_sql(ty, out)
            }
            Self::Text(text) => text.to_sql(ty, out),
            Self::Bytes(bytes) => bytes.to_sql(ty, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// A row of a result.
pub(crate) enum SqlRow<'a> {
    Sqlite(&'a rusqlite::Row<'a>),
    Postgres(&'a postgres::Row),
}

/// Types a column can be read as.
pub(crate) trait Column: Sized {
    fn read(row: &SqlRow<'_>, column: usize) -> Result<Self, StoreError>;
}

macro_rules! columns {
    ($($type:ty),*) => {$(
        impl Column for $type {
            fn read(row: &SqlRow<'_>, column: usize) -> Result<Self, StoreError> {
                match row {
                    SqlRow::Sqlite(row) => row.get(column).map_err(|error| fault(COLUMN, error)),
                    SqlRow::Postgres(row) => row.try_get(column).map_err(|error| postgres_fault(COLUMN, &error)),
                }
            }
        }
    )*};
}
columns!(i64, Option<i64>, String, Option<String>, Vec<u8>);

impl Column for u32 {
    fn read(row: &SqlRow<'_>, column: usize) -> Result<Self, StoreError> {
        let number: i64 = row.get(column)?;
        Self::try_from(number).map_err(|_| unreadable(column, &number))
    }
}

const COLUMN: &str = "column";

impl SqlRow<'_> {
    /// Reads the column as that type.
    pub(crate) fn get<T: Column>(&self, column: usize) -> Result<T, StoreError> {
        T::read(self, column)
    }

    /// The text of a column, borrowed.
    fn text(&self, column: usize) -> Result<&str, StoreError> {
        match self {
            SqlRow::Sqlite(row) => {
                let value = row.get_ref(column).map_err(|error| fault(COLUMN, error))?;
                value.as_str().map_err(|error| unreadable(column, &error))
            }
            SqlRow::Postgres(row) => row
                .try_get(column)
                .map_err(|error| postgres_fault(COLUMN, &error)),
        }
    }
}

/// Runs a statement that returns no rows; returns the number of rows affected.
pub(crate) fn execute(
    at: &SqlConnection<'_>,
    noun: &str,
    text: &str,
    values: &[SqlValue<'_>],
) -> Result<u64, StoreError> {
    match at {
        SqlConnection::Sqlite(connection) => connection
            .prepare_cached(&numbered(text))
            .and_then(|mut statement| statement.execute(rusqlite::params_from_iter(values)))
            .map(|count| count as u64)
            .map_err(|error| fault(noun, error)),
        SqlConnection::Postgres(session) => {
            let session = &mut *session.borrow_mut();
            let done = session
                .prepare(text)
                .and_then(|statement| session.transaction.execute(&statement, &borrowed(values)));
            done.map_err(|error| postgres_fault(noun, &error))
        }
    }
}

/// All rows of a query, converted by `read`.
pub(crate) fn rows<T>(
    at: &SqlConnection<'_>,
    noun: &str,
    text: &str,
    values: &[SqlValue<'_>],
    mut read: impl FnMut(&SqlRow<'_>) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    match at {
        SqlConnection::Sqlite(connection) => {
            let mut statement = connection
                .prepare_cached(&numbered(text))
                .map_err(|error| fault(noun, error))?;
            let mut found = statement
                .query(rusqlite::params_from_iter(values))
                .map_err(|error| fault(noun, error))?;
            let mut all = Vec::new();
            while let Some(row) = found.next().map_err(|error| fault(noun, error))? {
                all.push(read(&SqlRow::Sqlite(row)).map_err(|error| error.about(noun))?);
            }
            Ok(all)
        }
        SqlConnection::Postgres(session) => {
            let session = &mut *session.borrow_mut();
            let found = session
                .prepare(text)
                .and_then(|statement| session.transaction.query(&statement, &borrowed(values)));
            let found = found.map_err(|error| postgres_fault(noun, &error))?;
            found
                .iter()
                .map(|row| read(&SqlRow::Postgres(row)).map_err(|error| error.about(noun)))
                .collect()
        }
    }
}

/// The first row of a query, if there is one.
pub(crate) fn row<T>(
    at: &SqlConnection<'_>,
    noun: &str,
    text: &str,
    values: &[SqlValue<'_>],
    read: impl FnMut(&SqlRow<'_>) -> Result<T, StoreError>,
) -> Result<Option<T>, StoreError> {
    Ok(rows(at, noun, text, values, read)?.into_iter().next())
}

/// Rows per insert statement: saves round trips to PostgreSQL, and a fixed size keeps the number of
/// prepared statements small.
const TOGETHER: usize = 32;

/// Inserts rows of `columns` values each; `into` is the statement before the rows, `then` the part
/// after them.
pub(crate) fn insert(
    at: &SqlConnection<'_>,
    noun: &str,
    into: &str,
    columns: usize,
    values: &[SqlValue<'_>],
    then: &str,
) -> Result<(), StoreError> {
    let (whole, rest) = values.split_at(values.len() - values.len() % (columns * TOGETHER));
    for rows in whole.chunks(columns * TOGETHER).chain(rest.chunks(columns)) {
        let places = (0..rows.len() / columns).map(|row| {
            let places: Vec<String> = (1..=columns)
                .map(|column| format!("${}", row * columns + column))
                .collect();
            format!("({})", places.join(", "))
        });
        let text = format!(
            "{into} values {} {then}",
            places.collect::<Vec<_>>().join(", ")
        );
        execute(at, noun, &text, rows)?;
    }
    Ok(())
}

/// Runs several statements without parameters, for migrations.
pub(crate) fn batch(at: &SqlConnection<'_>, noun: &str, text: &str) -> Result<(), StoreError> {
    match at {
        SqlConnection::Sqlite(connection) => connection
            .execute_batch(text)
            .map_err(|error| fault(noun, error)),
        SqlConnection::Postgres(session) => session
            .borrow_mut()
            .transaction
            .batch_execute(&to_postgres(text))
            .map_err(|error| postgres_fault(noun, &error)),
    }
}

/// Translates SQLite's column types to PostgreSQL's. Text is compared by bytes, whatever the
/// database's locale.
fn to_postgres(ddl: &str) -> String {
    ddl.replace(
        "integer primary key autoincrement",
        "bigint generated by default as identity primary key",
    )
    .replace("integer primary key", "bigint primary key")
    .replace(" blob", " bytea")
    .replace(" text", " text collate \"C\"")
}

fn borrowed<'a>(values: &'a [SqlValue<'a>]) -> Vec<&'a (dyn ToSql + Sync)> {
    values
        .iter()
        .map(|value| value as &(dyn ToSql + Sync))
        .collect()
}

/// Rewrites `$n` to `?n`: SQLite takes `$1` for a name and numbers names by first appearance. None
/// of our texts contains a literal `$`.
fn numbered(text: &str) -> String {
    text.replace('$', "?")
}

/// A value as JSON text.
pub(crate) fn json<T: Serialize + ?Sized>(noun: &str, value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value)
        .map_err(|error| StoreError::Other(anyhow::Error::new(error).context(noun.to_owned())))
}

/// The JSON word of a unit enum variant, without quotes.
pub(crate) fn word<T: Serialize>(noun: &str, value: &T) -> Result<String, StoreError> {
    Ok(json(noun, value)?.trim_matches('"').to_owned())
}

/// A time as stored.
pub(crate) fn micros(time: Time) -> i64 {
    time.timestamp_micros()
}

/// A count, position or limit as stored.
pub(crate) fn integer(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

/// Reads JSON text.
pub(crate) fn read_json<T: DeserializeOwned>(
    row: &SqlRow<'_>,
    column: usize,
) -> Result<T, StoreError> {
    serde_json::from_str(row.text(column)?).map_err(|error| unreadable(column, &error))
}

/// Reads a time.
pub(crate) fn read_time(row: &SqlRow<'_>, column: usize) -> Result<Time, StoreError> {
    let micros: i64 = row.get(column)?;
    Time::from_timestamp_micros(micros).ok_or_else(|| unreadable(column, &micros))
}

/// Reads a time that may be absent.
pub(crate) fn read_time_if_any(
    row: &SqlRow<'_>,
    column: usize,
) -> Result<Option<Time>, StoreError> {
    match row.get::<Option<i64>>(column)? {
        None => Ok(None),
        Some(_) => read_time(row, column).map(Some),
    }
}

/// Reads JSON text that may be absent.
pub(crate) fn read_json_if_any<T: DeserializeOwned>(
    row: &SqlRow<'_>,
    column: usize,
) -> Result<Option<T>, StoreError> {
    match row.get::<Option<String>>(column)? {
        None => Ok(None),
        Some(text) => serde_json::from_str(&text)
            .map(Some)
            .map_err(|error| unreadable(column, &error)),
    }
}

/// Reads a count or position.
pub(crate) fn read_count(row: &SqlRow<'_>, column: usize) -> Result<u64, StoreError> {
    let number: i64 = row.get(column)?;
    u64::try_from(number).map_err(|_| unreadable(column, &number))
}

pub(crate) fn unreadable(column: usize, why: &dyn std::fmt::Display) -> StoreError {
    StoreError::Other(anyhow::anyhow!("column {column} cannot be read: {why}"))
}
