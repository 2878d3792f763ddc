//! Export and import of a whole database as JSON lines, lossless: for back-ups and moves between
//! databases.
//!
//! The first line is `{"afterword": VERSION}`, each following one a row: `{"table": NAME, "row":
//! [VALUE, …]}`, with its values in the order of the table's columns and bytes in hex, or a file
//! beside the database: `{"file": {…}}`. The last line is `{"end": LINES}`, which reveals a truncated
//! file.
//!
//! The tables are those that the database has: a database of an earlier version is exported as it is,
//! and an export of an earlier version is imported into a database of that version and then migrated.

use std::io::{BufRead, Write};

use anyhow::{Context, anyhow, bail};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use serde_json::value::RawValue;

use super::error::StoreError;
use super::log::LogRecord;
use super::migration;
use super::sql;
use super::sql::{SqlConnection, SqlRow, SqlValue};
use crate::model::time::Time;
use crate::store::database::Store;

const NOUN: &str = "export";
/// Rows read per query.
const PAGE: i64 = 100;

/// Column types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ColumnKind {
    Integer,
    Text,
    Bytes,
}

use ColumnKind::{Bytes as B, Integer as I, Text as T};

/// A table as the database has it.
#[derive(Debug)]
pub(super) struct ExportedTable {
    pub(super) name: String,
    /// Its columns, in order, with their types and places in the primary key, from 1; 0: not in it.
    pub(super) columns: Vec<(String, ColumnKind, i64)>,
}

impl ExportedTable {
    /// The columns of the primary key, in order, by their places.
    fn key(&self) -> Vec<usize> {
        let mut key: Vec<(i64, usize)> = self
            .columns
            .iter()
            .enumerate()
            .filter(|(_, (.., place))| *place > 0)
            .map(|(index, (.., place))| (*place, index))
            .collect();
        key.sort_unstable();
        key.into_iter().map(|(_, index)| index).collect()
    }

    fn names(&self, columns: impl IntoIterator<Item = usize>) -> String {
        let names = columns
            .into_iter()
            .map(|index| self.columns[index].0.as_str());
        names.collect::<Vec<_>>().join(", ")
    }
}

/// The tables of the database by name, but `migration`, which each database keeps by itself.
pub(super) fn tables(at: &SqlConnection<'_>) -> Result<Vec<ExportedTable>, StoreError> {
    let text = match at {
        SqlConnection::Sqlite(_) => {
            "select t.name, c.name, lower(c.type), c.pk from sqlite_master t, pragma_table_info(t.name) c \
             where t.type = 'table' and t.name not like 'sqlite_%' and t.name <> 'migration' order by t.name, c.cid"
        }
        SqlConnection::Postgres(_) => {
            "select c.relname::text, a.attname::text, format_type(a.atttypid, null)::text, \
             coalesce(array_position(i.indkey::int2[], a.attnum) + 1, 0)::bigint \
             from pg_class c join pg_namespace n on n.oid = c.relnamespace \
             join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped \
             left join pg_index i on i.indrelid = c.oid and i.indisprimary \
             where n.nspname = current_schema() and c.relkind = 'r' and c.relname <> 'migration' \
             order by c.relname::text collate \"C\", a.attnum"
        }
    };
    let columns = sql::rows(at, NOUN, text, &[], |row| {
        let kind: String = row.get(2)?;
        let kind = match kind.as_str() {
            "integer" | "bigint" => I,
            "text" => T,
            "blob" | "bytea" => B,
            other => return Err(sql::unreadable(2, &other)),
        };
        Ok((
            row.get::<String>(0)?,
            (row.get::<String>(1)?, kind, row.get::<i64>(3)?),
        ))
    })?;
    let mut tables: Vec<ExportedTable> = Vec::new();
    for (name, column) in columns {
        match tables.last_mut().filter(|table| table.name == name) {
            Some(table) => table.columns.push(column),
            None => tables.push(ExportedTable {
                name,
                columns: vec![column],
            }),
        }
    }
    Ok(tables)
}

/// A file beside the database that belongs to its data: a draft, a picture of one, or an invite.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportedFile {
    /// The directory of the settings that it is in.
    pub directory: ExportedDirectory,
    /// Its name there.
    pub name: String,
    /// Its content.
    pub text: String,
}

/// Directories of the settings whose files are exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExportedDirectory {
    /// `postmortems.directory`
    Postmortems,
    /// `meetings.directory`
    Meetings,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum ExportLine {
    Begin { afterword: u32 },
    Row { table: String, row: Vec<Json> },
    File { file: ExportedFile },
    End { end: u64 },
}

/// A [`Line`] whose row is parsed on demand: a backtest needs few rows of a large export.
#[derive(Deserialize)]
struct LineHeader<'a> {
    table: Option<&'a str>,
    #[serde(borrow)]
    row: Option<&'a RawValue>,
    afterword: Option<u64>,
    file: Option<IgnoredAny>,
    end: Option<u64>,
}

impl Store {
    /// Exports a snapshot of the database, whatever its version, and `files`; returns the number of
    /// rows. The service may keep running.
    ///
    /// # Errors
    /// When the database or a file cannot be read, or `out` not written.
    pub fn export_with(
        &self,
        files: &mut dyn Iterator<Item = anyhow::Result<ExportedFile>>,
        out: &mut dyn Write,
    ) -> Result<u64, StoreError> {
        self.read(NOUN, |at| {
            let version = migration::version(at)?;
            line(out, &ExportLine::Begin { afterword: version })?;
            let (mut rows, mut written) = (0, 0);
            for table in tables(at)? {
                rows += write_table(at, &table, out)?;
            }
            for file in files {
                line(out, &ExportLine::File { file: file? })?;
                written += 1;
            }
            line(
                out,
                &ExportLine::End {
                    end: rows + written,
                },
            )?;
            Ok(rows)
        })
    }

    /// Exports a snapshot of the database alone.
    ///
    /// # Errors
    /// As for [`Store::export_with`].
    pub fn export(&self, out: &mut dyn Write) -> Result<u64, StoreError> {
        self.export_with(&mut std::iter::empty(), out)
    }

    /// Imports the output of [`Store::export_with`], of this or any earlier version, into an empty
    /// database, as a whole or not at all; hands its files to `keep`, and returns the number of rows.
    ///
    /// # Errors
    /// When the database is not empty, a line cannot be read, or `keep` fails: then with the number of
    /// the line.
    pub fn import_with(
        &self,
        from: &mut dyn BufRead,
        keep: &mut dyn FnMut(&ExportedFile) -> anyhow::Result<()>,
        now: Time,
    ) -> Result<u64, StoreError> {
        self.write(NOUN, |at| {
            let held = sql::row(at, NOUN, "select next + epoch from head where id = 1", &[], |row| row.get::<i64>(0))?;
            // A database that has never logged or judged anything.
            if held != Some(1) {
                return Err(anyhow!("the database already holds data; import into an empty one").into());
            }
            let rows = read_all(at, from, keep, now)?;
            if let SqlConnection::Postgres(_) = at {
                let text = "select setval(pg_get_serial_sequence('delivery', 'sequence'), (select coalesce(max(sequence), 0) + 1 from delivery), false)";
                sql::rows(at, NOUN, text, &[], |_| Ok(()))?;
            }
            // The leader of the old database does not exist in this one.
            sql::execute(at, NOUN, "update head set lease_until = 0 where id = 1", &[])?;
            Ok(rows)
        })
    }

    /// Imports a database without its files.
    ///
    /// # Errors
    /// As for [`Store::import_with`].
    pub fn import(&self, from: &mut dyn BufRead, now: Time) -> Result<u64, StoreError> {
        self.import_with(from, &mut |_| Ok(()), now)
    }
}

/// Makes the tables of an empty database those of `version`, without rows.
pub(super) fn make_empty(
    at: &SqlConnection<'_>,
    version: u32,
    now: Time,
) -> Result<Vec<ExportedTable>, StoreError> {
    if version < migration::known() {
        for table in tables(at)? {
            sql::batch(at, NOUN, &format!("drop table {}", table.name))?;
        }
        sql::batch(at, NOUN, "drop table migration")?;
        let until = migration::STEPS.partition_point(|step| step.version <= version);
        migration::migrate(at, &migration::STEPS[..until], now)?;
    }
    let tables = tables(at)?;
    for table in &tables {
        sql::execute(at, NOUN, &format!("delete from {}", table.name), &[])?;
    }
    Ok(tables)
}

fn line(out: &mut dyn Write, line: &ExportLine) -> anyhow::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n").context("the export cannot be written")
}

fn write_table(
    at: &SqlConnection<'_>,
    table: &ExportedTable,
    out: &mut dyn Write,
) -> Result<u64, StoreError> {
    let key = table.key();
    let (name, names) = (&table.name, table.names(0..table.columns.len()));
    let order = table.names(key.iter().copied());
    let after: Vec<String> = (1..=key.len()).map(|index| format!("${index}")).collect();
    let first = format!("select {names} from {name} order by {order} limit {PAGE}");
    let next = format!(
        "select {names} from {name} where ({order}) > ({}) order by {order} limit {PAGE}",
        after.join(", ")
    );
    let mut last: Option<Vec<Json>> = None;
    let mut count = 0;
    loop {
        let place = last
            .iter()
            .flat_map(|row| key.iter().map(|index| &row[*index]));
        let values: Vec<SqlValue<'_>> = place.map(|value| given(value, I, &[])).collect();
        let text = if last.is_some() { &next } else { &first };
        let rows = sql::rows(at, name, text, &values, |row| {
            let columns = table.columns.iter().enumerate();
            columns
                .map(|(index, (_, kind, _))| read(row, index, *kind))
                .collect::<Result<Vec<Json>, StoreError>>()
        })?;
        let Some(end) = rows.last().cloned() else {
            return Ok(count);
        };
        for row in rows {
            count += 1;
            let table = name.clone();
            line(out, &ExportLine::Row { table, row })?;
        }
        last = Some(end);
    }
}

fn read(row: &SqlRow<'_>, index: usize, kind: ColumnKind) -> Result<Json, StoreError> {
    Ok(match kind {
        I => row
            .get::<Option<i64>>(index)?
            .map_or(Json::Null, Json::from),
        T => row
            .get::<Option<String>>(index)?
            .map_or(Json::Null, Json::from),
        B => Json::from(
            row.get::<Vec<u8>>(index)?
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<String>(),
        ),
    })
}

/// The log record in a line of an export; `None` for lines of other tables.
///
/// # Errors
/// When it is not a line of an export.
pub(crate) fn logged(line: &str) -> Result<Option<LogRecord>, StoreError> {
    let bad =
        |error: serde_json::Error| StoreError::from(anyhow!("not a line of an export: {error}"));
    let line: LineHeader<'_> = serde_json::from_str(line).map_err(bad)?;
    let row = match (line.table, line.row) {
        (Some("log"), Some(row)) => row,
        (Some(_), Some(_)) => return Ok(None),
        _ if line.afterword.or(line.end).is_some() || line.file.is_some() => return Ok(None),
        _ => {
            return Err(anyhow!("not a line of an export: `table` or `row` is missing").into());
        }
    };
    let values: Vec<Json> = serde_json::from_str(row.get()).map_err(bad)?;
    let number = |index: usize| values.get(index).and_then(Json::as_i64);
    let text = |index: usize| values.get(index).and_then(Json::as_str);
    let (Some(position), Some(micros), Some(source), Some(events)) =
        (number(0), number(1), text(2), text(3))
    else {
        return Err(anyhow!("not a row of the log: a value is missing").into());
    };
    let time = |micros| {
        Time::from_timestamp_micros(micros).context("the time of the record is out of range")
    };
    let logged_at = time(micros)?;
    Ok(Some(LogRecord {
        position: u64::try_from(position).context("the position of the record is out of range")?,
        logged_at,
        // Earlier versions had no other time.
        clock_at: number(4).map_or(Ok(logged_at), time)?,
        source: source.to_owned(),
        events: serde_json::from_str(events).map_err(bad)?,
    }))
}

/// The instant from which on the log of an export is whole, if this line of it says so.
pub(crate) fn log_start(line: &str) -> Option<Time> {
    let line: LineHeader<'_> = serde_json::from_str(line).ok()?;
    let row = line.row.filter(|_| line.table == Some("log_start"))?;
    let (_, micros): (u64, i64) = serde_json::from_str(row.get()).ok()?;
    (micros > 0)
        .then(|| Time::from_timestamp_micros(micros))
        .flatten()
}

/// A value of a line as a parameter; `bytes` holds the decoded value of a binary column.
fn given<'a>(value: &'a Json, kind: ColumnKind, bytes: &'a [u8]) -> SqlValue<'a> {
    match (value, kind) {
        (_, B) => SqlValue::Bytes(bytes),
        (Json::String(text), _) => SqlValue::Text(text),
        (Json::Number(number), _) => number.as_i64().map_or(SqlValue::Null, SqlValue::Integer),
        _ => SqlValue::Null,
    }
}

fn read_all(
    at: &SqlConnection<'_>,
    from: &mut dyn BufRead,
    keep: &mut dyn FnMut(&ExportedFile) -> anyhow::Result<()>,
    now: Time,
) -> anyhow::Result<u64> {
    let known = migration::known();
    let (mut tables, mut version) = (Vec::new(), known);
    let (mut rows, mut files, mut ended) = (0, 0, false);
    let mut text = String::new();
    for number in 1.. {
        text.clear();
        if from
            .read_line(&mut text)
            .with_context(|| format!("line {number} cannot be read"))?
            == 0
        {
            break;
        }
        let line = serde_json::from_str(&text)
            .map_err(|error| anyhow!("line {number}: not a line of an export: {error}"))?;
        match line {
            ExportLine::Begin { afterword } if number == 1 && (1..=known).contains(&afterword) => {
                version = afterword;
                tables = make_empty(at, version, now)?;
            }
            ExportLine::Begin { afterword } if number == 1 => {
                bail!(
                    "the export is of database version {afterword}, this program knows {known}: import it with a newer version of afterword"
                );
            }
            ExportLine::Row { table, row } if number > 1 && !ended => {
                insert(at, &tables, &table, &row).with_context(|| format!("line {number}"))?;
                rows += 1;
            }
            ExportLine::File { file } if number > 1 && !ended => {
                keep(&file).with_context(|| format!("line {number}: the file {}", file.name))?;
                files += 1;
            }
            ExportLine::End { end } if end == rows + files && !ended => ended = true,
            ExportLine::Begin { .. }
            | ExportLine::Row { .. }
            | ExportLine::File { .. }
            | ExportLine::End { .. } => {
                bail!(
                    "line {number} is out of place: the file is not a complete export; export again"
                )
            }
        }
    }
    if !ended {
        bail!("the file ends early, after {rows} rows: it is not a complete export; export again");
    }
    if version < known {
        migration::migrate(at, migration::STEPS, now)
            .with_context(|| format!("the export of version {version} cannot be migrated"))?;
    }
    Ok(rows)
}

pub(super) fn insert(
    at: &SqlConnection<'_>,
    tables: &[ExportedTable],
    table: &str,
    row: &[Json],
) -> anyhow::Result<()> {
    let table = tables
        .iter()
        .find(|known| known.name == table)
        .with_context(|| format!("there is no table {table}"))?;
    if row.len() != table.columns.len() {
        bail!(
            "a row of {} has {} values, not {}",
            table.name,
            table.columns.len(),
            row.len()
        );
    }
    let bytes: Vec<Vec<u8>> = row
        .iter()
        .zip(&table.columns)
        .map(|(value, (_, kind, _))| {
            if *kind == B {
                unhex(value.as_str().unwrap_or_default())
            } else {
                Some(Vec::new())
            }
        })
        .collect::<Option<_>>()
        .context("a binary value is not in hex")?;
    let values: Vec<SqlValue<'_>> = row
        .iter()
        .zip(&table.columns)
        .zip(&bytes)
        .map(|((value, (_, kind, _)), bytes)| given(value, *kind, bytes))
        .collect();
    let (name, names) = (&table.name, table.names(0..table.columns.len()));
    sql::insert(
        at,
        name,
        &format!("insert into {name} ({names})"),
        table.columns.len(),
        &values,
        "",
    )?;
    Ok(())
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes().chunks(2);
    digits
        .map(|pair| {
            u8::from_str_radix(
                std::str::from_utf8(pair)
                    .ok()
                    .filter(|pair| pair.len() == 2)?,
                16,
            )
            .ok()
        })
        .collect()
}
