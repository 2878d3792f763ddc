//! Schema migrations: upgrades a database to the current version and rejects newer ones.

use anyhow::anyhow;

use super::error::StoreError;
use super::sql;
use super::sql::{SqlConnection, values};
use crate::model::id::hex;
use crate::model::time::Time;

const NOUN: &str = "migration";

/// All migrations, in order; a released one is never edited.
pub(crate) const STEPS: &[Migration] = &[
    Migration {
        version: 1,
        text: include_str!("../../migrations/0001_start.sql"),
    },
    Migration {
        version: 2,
        text: include_str!("../../migrations/0002_replicas.sql"),
    },
    Migration {
        version: 3,
        text: include_str!("../../migrations/0003_metrics.sql"),
    },
    Migration {
        version: 4,
        text: include_str!("../../migrations/0004_sources.sql"),
    },
    Migration {
        version: 5,
        text: include_str!("../../migrations/0005_active_alerts.sql"),
    },
    Migration {
        version: 6,
        text: include_str!("../../migrations/0006_retention.sql"),
    },
    Migration {
        version: 7,
        text: include_str!("../../migrations/0007_clock.sql"),
    },
];

/// One migration to the next version.
pub(crate) struct Migration {
    pub(crate) version: u32,
    pub(crate) text: &'static str,
}

/// Result of a migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MigrationReport {
    /// The version before; 0 for an empty database.
    pub from: u32,
    /// The version after.
    pub to: u32,
}

/// The version that this program reads and writes.
pub(crate) fn known() -> u32 {
    STEPS.last().map_or(0, |step| step.version)
}

/// Checks that no newer program has migrated the database: this one would not keep what that one
/// added.
pub(crate) fn check_version(at: &SqlConnection<'_>) -> Result<(), StoreError> {
    match (version(at)?, known()) {
        (found, known) if found > known => Err(StoreError::Newer { found, known }),
        _ => Ok(()),
    }
}

/// The version of the database; 0 for one without migrations.
pub(crate) fn version(at: &SqlConnection<'_>) -> Result<u32, StoreError> {
    let text = "select coalesce(max(version), 0) from migration";
    Ok(sql::row(at, NOUN, text, &[], |row| row.get::<u32>(0))?.unwrap_or(0))
}

/// The version of the database; 0 for one without tables of ours.
pub(crate) fn version_if_any(at: &SqlConnection<'_>) -> Result<u32, StoreError> {
    if has_migrations(&table_names(at)?) {
        version(at)
    } else {
        Ok(0)
    }
}

fn has_migrations(tables: &[String]) -> bool {
    tables.iter().any(|table| table == "migration")
}

fn table_names(at: &SqlConnection<'_>) -> Result<Vec<String>, StoreError> {
    let text = match at {
        SqlConnection::Sqlite(_) => {
            "select name from sqlite_master where type = 'table' and name not like 'sqlite_%'"
        }
        SqlConnection::Postgres(_) => {
            "select tablename::text from pg_tables where schemaname = current_schema()"
        }
    };
    sql::rows(at, NOUN, text, &[], |row| row.get(0))
}

/// Applies missing migrations, all or none: the caller commits.
pub(crate) fn migrate(
    at: &SqlConnection<'_>,
    steps: &[Migration],
    now: Time,
) -> Result<MigrationReport, StoreError> {
    if let SqlConnection::Postgres(_) = at {
        // Replicas start together; one migrates, the others wait and find it done. The number is
        // arbitrary and unlikely to collide with other programs.
        sql::rows(
            at,
            NOUN,
            "select 1 from (select pg_advisory_xact_lock(20861)) as held",
            &[],
            |_| Ok(()),
        )?;
    }
    let tables = table_names(at)?;
    if !has_migrations(&tables) {
        if !tables.is_empty() {
            return Err(
                anyhow!("the database belongs to another program (it has a table {}); name another under `storage:`", tables[0]).into()
            );
        }
        sql::batch(
            at,
            NOUN,
            "create table migration (version bigint primary key, hash text not null, applied_at bigint not null)",
        )?;
    }
    let applied: Vec<(u32, String)> = sql::rows(
        at,
        NOUN,
        "select version, hash from migration order by version",
        &[],
        |row| {
            Ok((
                u32::try_from(row.get::<i64>(0)?).unwrap_or(u32::MAX),
                row.get(1)?,
            ))
        },
    )?;
    let from = applied.last().map_or(0, |(version, _)| *version);
    let known = steps.last().map_or(0, |step| step.version);
    if from > known {
        return Err(StoreError::Newer { found: from, known });
    }
    for step in steps {
        let hash = hex(step.text, 32);
        match applied.iter().find(|(version, _)| *version == step.version) {
            Some((_, found)) if *found == hash => {}
            Some(_) => {
                return Err(anyhow!(
                    "step {} of the database is not the one this program knows: restore a back-up",
                    step.version
                )
                .into());
            }
            None => {
                sql::batch(at, NOUN, step.text)?;
                let insert =
                    "insert into migration (version, hash, applied_at) values ($1, $2, $3)";
                sql::execute(
                    at,
                    NOUN,
                    insert,
                    values![i64::from(step.version), &hash, sql::micros(now)],
                )?;
            }
        }
    }
    Ok(MigrationReport { from, to: known })
}
