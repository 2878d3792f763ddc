//! Export and import of a whole database as JSON lines, lossless: for back-ups and moves between
//! databases.
//!
//! The first line is `{"afterword": VERSION}`, each following one a row: `{"table": NAME, "row":
//! [VALUE, …]}`, with bytes in hex. The last line is `{"end": ROWS}`, which reveals a truncated
//! file.

use std::io::{BufRead, Write};

use anyhow::{Context, anyhow, bail};
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
/// The oldest database version whose exports can be read: since then tables were only renamed.
const OLDEST: u32 = 4;
/// Tables under their earlier names, with their present ones.
const RENAMED: [(&str, &str); 1] = [("sight", "active_alert")];
/// Rows read per query.
const PAGE: i64 = 500;

/// Column types.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ColumnKind {
    Integer,
    Text,
    Bytes,
}

/// A table: its name, its key columns in export order, and all columns.
struct Table {
    name: &'static str,
    key: &'static [&'static str],
    columns: &'static [(&'static str, ColumnKind)],
}

use ColumnKind::{Bytes as B, Integer as I, Text as T};

/// Every table except `migration`, which each database maintains itself. A test compares them with
/// the migrations.
const TABLES: &[Table] = &[
    Table {
        name: "head",
        key: &["id"],
        columns: &[
            ("id", I),
            ("next", I),
            ("clock", I),
            ("applied", I),
            ("epoch", I),
            ("lease_until", I),
            ("last_alert", I),
            ("judged_at", I),
        ],
    },
    Table {
        name: "log",
        key: &["position"],
        columns: &[
            ("position", I),
            ("logged_at", I),
            ("source", T),
            ("events", T),
        ],
    },
    Table {
        name: "log_start",
        key: &["id"],
        columns: &[("id", I), ("at", I)],
    },
    Table {
        name: "raw",
        key: &["position"],
        columns: &[("position", I), ("body", B), ("headers", T), ("came_at", I)],
    },
    Table {
        name: "quarantine",
        key: &["position"],
        columns: &[
            ("position", I),
            ("logged_at", I),
            ("source", T),
            ("fault", T),
            ("state", T),
            ("passed", I),
            ("tried_at", I),
            ("mended_by", I),
        ],
    },
    Table {
        name: "source_stat",
        key: &["source"],
        columns: &[
            ("source", T),
            ("records", I),
            ("events", I),
            ("faults", I),
            ("last_position", I),
            ("last_at", I),
        ],
    },
    Table {
        name: "source_seen",
        key: &["source"],
        columns: &[
            ("source", T),
            ("last_message", I),
            ("last_event", I),
            ("last_refused", I),
            ("last_limited", I),
        ],
    },
    Table {
        name: "source_hour",
        key: &["source", "hour"],
        columns: &[
            ("source", T),
            ("hour", I),
            ("messages", I),
            ("events", I),
            ("refused", I),
            ("limited", I),
            ("first_message", I),
            ("longest", I),
        ],
    },
    Table {
        name: "active_alert",
        key: &["subject"],
        columns: &[("subject", T), ("last_seen", I), ("lease_end", I)],
    },
    Table {
        name: "incident",
        key: &["id"],
        columns: &[
            ("id", T),
            ("revision", I),
            ("phase", T),
            ("phase_since", I),
            ("standing", T),
            ("opened_at", I),
            ("updated_at", I),
            ("state", T),
            ("parts", I),
            ("measured", I),
        ],
    },
    Table {
        name: "part",
        key: &["incident", "kind", "number"],
        columns: &[
            ("incident", T),
            ("kind", T),
            ("number", I),
            ("hash", I),
            ("state", T),
        ],
    },
    Table {
        name: "alias",
        key: &["alias"],
        columns: &[("alias", T), ("incident", T)],
    },
    Table {
        name: "loose",
        key: &["event_id"],
        columns: &[("event_id", T), ("occurred_at", I), ("event", T)],
    },
    Table {
        name: "ledger",
        key: &["incident"],
        columns: &[
            ("incident", T),
            ("closed_at", I),
            ("decision", T),
            ("standing", T),
            ("entry", T),
            ("amended_at", I),
            ("amended", T),
        ],
    },
    Table {
        name: "postmortem",
        key: &["id"],
        columns: &[
            ("id", T),
            ("incident", T),
            ("status", T),
            ("opened_at", I),
            ("state", T),
        ],
    },
    Table {
        name: "meeting",
        key: &["id"],
        columns: &[("id", T), ("sequence", I), ("starts_at", I), ("state", T)],
    },
    Table {
        name: "delivery",
        key: &["sequence"],
        columns: &[
            ("sequence", I),
            ("key", T),
            ("destination", T),
            ("action", T),
            ("state", T),
            ("attempts", I),
            ("next_at", I),
            ("error", T),
            ("created_at", I),
            ("done_at", I),
            ("claimed_until", I),
        ],
    },
    Table {
        name: "watch",
        key: &["condition"],
        columns: &[("condition", T), ("state", T)],
    },
    Table {
        name: "recall",
        key: &["metrics"],
        columns: &[("metrics", T), ("state", T)],
    },
    Table {
        name: "sample",
        key: &["position"],
        columns: &[
            ("position", I),
            ("metrics", T),
            ("came_at", I),
            ("samples", T),
        ],
    },
    Table {
        name: "sample_head",
        key: &["id"],
        columns: &[("id", I), ("next", I)],
    },
    Table {
        name: "plot",
        key: &["incident", "condition"],
        columns: &[
            ("incident", T),
            ("condition", T),
            ("drawn_at", I),
            ("state", T),
            ("svg", T),
            ("hash", T),
        ],
    },
];

/// Single-row tables that exist in every new database.
const HEADS: [&str; 3] = ["head", "sample_head", "log_start"];

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum ExportLine {
    Begin { afterword: u32 },
    Row { table: String, row: Vec<Json> },
    End { end: u64 },
}

/// A [`Line`] whose row is parsed on demand: a backtest needs few rows of a large export.
#[derive(Deserialize)]
struct LineHeader<'a> {
    table: Option<&'a str>,
    #[serde(borrow)]
    row: Option<&'a RawValue>,
    afterword: Option<u64>,
    end: Option<u64>,
}

impl Store {
    /// Exports a snapshot and returns the number of rows. The service may keep running.
    ///
    /// # Errors
    /// When the database cannot be read or `out` not written.
    pub fn export(&self, out: &mut dyn Write) -> Result<u64, StoreError> {
        self.read(NOUN, |at| {
            let version = migration::STEPS.last().map_or(0, |step| step.version);
            line(out, &ExportLine::Begin { afterword: version })?;
            let mut rows = 0;
            for table in TABLES {
                rows += write_table(at, table, out)?;
            }
            line(out, &ExportLine::End { end: rows })?;
            Ok(rows)
        })
    }

    /// Imports the output of [`Store::export`] into an empty database, as a whole or not at all;
    /// returns the number of rows.
    ///
    /// # Errors
    /// When the database is not empty, or a line cannot be read: then with its number.
    pub fn import(&self, from: &mut dyn BufRead) -> Result<u64, StoreError> {
        self.write(NOUN, |at| {
            let held = sql::row(at, NOUN, "select next + epoch from head where id = 1", &[], |row| row.get::<i64>(0))?;
            // A database that has never logged or judged anything.
            if held != Some(1) {
                return Err(anyhow!("the database already holds data; import into an empty one").into());
            }
            for table in HEADS {
                sql::execute(at, NOUN, &format!("delete from {table}"), &[])?;
            }
            let rows = read_all(at, from)?;
            if let SqlConnection::Postgres(_) = at {
                let text = "select setval(pg_get_serial_sequence('delivery', 'sequence'), (select coalesce(max(sequence), 0) + 1 from delivery), false)";
                sql::rows(at, NOUN, text, &[], |_| Ok(()))?;
            }
            // The leader of the old database does not exist in this one.
            sql::execute(at, NOUN, "update head set lease_until = 0 where id = 1", &[])?;
            Ok(rows)
        })
    }
}

fn line(out: &mut dyn Write, line: &ExportLine) -> anyhow::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n").context("the export cannot be written")
}

fn write_table(
    at: &SqlConnection<'_>,
    table: &Table,
    out: &mut dyn Write,
) -> Result<u64, StoreError> {
    let names: Vec<&str> = table.columns.iter().map(|(name, _)| *name).collect();
    let (names, key) = (names.join(", "), table.key.join(", "));
    let after: Vec<String> = (1..=table.key.len())
        .map(|index| format!("${index}"))
        .collect();
    let first = format!(
        "select {names} from {} order by {key} limit {PAGE}",
        table.name
    );
    let next = format!(
        "select {names} from {} where ({key}) > ({}) order by {key} limit {PAGE}",
        table.name,
        after.join(", ")
    );
    let mut last: Option<Vec<Json>> = None;
    let mut count = 0;
    loop {
        let place: Vec<Json> = last.iter().flat_map(|row| key_of(table, row)).collect();
        let values: Vec<SqlValue<'_>> = place.iter().map(|value| given(value, I, &[])).collect();
        let text = if last.is_some() { &next } else { &first };
        let rows = sql::rows(at, table.name, text, &values, |row| {
            table
                .columns
                .iter()
                .enumerate()
                .map(|(index, (_, kind))| read(row, index, *kind))
                .collect::<Result<Vec<Json>, StoreError>>()
        })?;
        let Some(end) = rows.last().cloned() else {
            return Ok(count);
        };
        for row in rows {
            count += 1;
            line(
                out,
                &ExportLine::Row {
                    table: table.name.to_owned(),
                    row,
                },
            )?;
        }
        last = Some(end);
    }
}

fn key_of<'a>(table: &'a Table, row: &'a [Json]) -> impl Iterator<Item = Json> + 'a {
    let index = |key: &&str| table.columns.iter().position(|(name, _)| name == key);
    table
        .key
        .iter()
        .filter_map(index)
        .filter_map(|index| row.get(index).cloned())
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
        _ if line.afterword.or(line.end).is_some() => return Ok(None),
        _ => {
            return Err(anyhow!("not a line of an export: `table` or `row` is missing").into());
        }
    };
    let (position, micros, source, events): (u64, i64, String, String) =
        serde_json::from_str(row.get()).map_err(bad)?;
    let logged_at =
        Time::from_timestamp_micros(micros).context("the time of the record is out of range")?;
    Ok(Some(LogRecord {
        position,
        logged_at,
        source,
        events: serde_json::from_str(&events).map_err(bad)?,
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

fn read_all(at: &SqlConnection<'_>, from: &mut dyn BufRead) -> anyhow::Result<u64> {
    let known = migration::STEPS.last().map_or(0, |step| step.version);
    let (mut rows, mut ended) = (0, false);
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
            ExportLine::Begin { afterword }
                if number == 1 && (OLDEST..=known).contains(&afterword) => {}
            ExportLine::Begin { afterword } if number == 1 => {
                bail!(
                    "the export is of database version {afterword}, this program knows {known}: import it with the version that wrote it, then migrate"
                );
            }
            ExportLine::Row { table, row } if number > 1 && !ended => {
                insert(at, &table, &row).with_context(|| format!("line {number}"))?;
                rows += 1;
            }
            ExportLine::End { end } if end == rows && !ended => ended = true,
            ExportLine::Begin { .. } | ExportLine::Row { .. } | ExportLine::End { .. } => {
                bail!(
                    "line {number} is out of place: the file is not a complete export; export again"
                )
            }
        }
    }
    if !ended {
        bail!("the file ends early, after {rows} rows: it is not a complete export; export again");
    }
    Ok(rows)
}

fn insert(at: &SqlConnection<'_>, table: &str, row: &[Json]) -> anyhow::Result<()> {
    let renamed = RENAMED.iter().find(|(earlier, _)| *earlier == table);
    let table = renamed.map_or(table, |(_, present)| present);
    let table = TABLES
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
        .zip(table.columns)
        .map(|(value, (_, kind))| {
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
        .zip(table.columns)
        .zip(&bytes)
        .map(|((value, (_, kind)), bytes)| given(value, *kind, bytes))
        .collect();
    let names: Vec<&str> = table.columns.iter().map(|(name, _)| *name).collect();
    sql::insert(
        at,
        table.name,
        &format!("insert into {} ({})", table.name, names.join(", ")),
        names.len(),
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

#[cfg(test)]
impl Store {
    /// Columns of the database that the export does not cover.
    pub(crate) fn tables_unknown_to_export(&self) -> Result<Vec<String>, StoreError> {
        self.read(NOUN, |at| {
            let text = match at {
                SqlConnection::Sqlite(_) => {
                    "select t.name || '.' || c.name from sqlite_master t, pragma_table_info(t.name) c \
                     where t.type = 'table' and t.name not like 'sqlite_%'"
                }
                SqlConnection::Postgres(_) => {
                    "select table_name || '.' || column_name from information_schema.columns where table_schema = current_schema()"
                }
            };
            let known: Vec<String> =
                TABLES.iter().flat_map(|table| table.columns.iter().map(|(name, _)| format!("{}.{name}", table.name))).collect();
            let all: Vec<String> = sql::rows(at, NOUN, text, &[], |row| row.get(0))?;
            Ok(all.into_iter().filter(|name| !known.contains(name) && !name.starts_with("migration.")).collect())
        })
    }
}
