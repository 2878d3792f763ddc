//! SQLite files, and checks before a database is used.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::path::PathBuf;

use tempfile::TempDir;

use super::{at, incident, note, record};
use crate::model::lifecycle::Phase;
use crate::store::apply::Changes;
use crate::store::database::Database;
use crate::store::database::Store;
use crate::store::error::StoreError;
use crate::store::log::{MessageContext, NewRecord, RawMessage};
use crate::store::migration;
use crate::store::migration::{Migration, STEPS};
use crate::store::mutex::lock;
use crate::store::quarantine::QuarantineState;
use crate::store::sql;
use crate::store::testbed::stores;

fn home() -> (TempDir, PathBuf) {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("data/afterword.db");
    (home, path)
}

fn store() -> (TempDir, Store) {
    let (home, path) = home();
    (home, Store::open(&path, at(0)).unwrap())
}

/// The file's single writer.
fn writer(store: &Store) -> std::sync::MutexGuard<'_, rusqlite::Connection> {
    match &store.database {
        Database::Sqlite(database) => lock(&database.writer),
        Database::Postgres(_) => unreachable!("only files have one"),
    }
}

/// The current version.
const LAST: u32 = STEPS.len() as u32;

#[test]
fn a_full_disk_costs_nothing_that_was_stored() {
    let (_home, store) = store();
    store
        .append(&[record("a", &[note("kept")])], at(0))
        .unwrap();
    let epoch = store.take_leadership().unwrap();
    let pages = |pages: u32| {
        writer(&store)
            .query_row(&format!("pragma max_page_count = {pages}"), [], |row| {
                row.get::<_, u32>(0)
            })
            .unwrap()
    };
    let before = pages(1);
    let large = NewRecord {
        source: "a".to_owned(),
        body: vec![7; 200_000],
        events: Vec::new(),
        fault: None,
        beside: MessageContext::default(),
    };
    let error = store
        .append(&[record("a", &[note("with it")]), large.clone()], at(1))
        .unwrap_err();
    assert!(matches!(error, StoreError::Full(_)), "{error:?}");
    assert!(
        error.to_string().contains("free some disk space"),
        "{error}"
    );
    let mut incident = incident("i-1", 0, Phase::Active);
    incident.title = "t".repeat(200_000);
    let changes = Changes {
        incidents: vec![incident.into()],
        ..Changes::default()
    };
    assert!(matches!(
        store.apply(epoch, 0, 1, &changes),
        Err(StoreError::Full(_))
    ));
    assert_eq!(
        (
            store.log_after(0, 9).unwrap().len(),
            store.head().unwrap().applied
        ),
        (1, 0)
    );

    pages(before.max(100_000));
    store.apply(epoch, 0, 1, &changes).unwrap();
    assert_eq!(store.append(&[large], at(2)).unwrap()[0].position, 2);
}

#[test]
fn a_database_of_a_newer_version_is_refused_and_left_alone() {
    let (_home, path) = home();
    let store = Store::open(&path, at(0)).unwrap();
    let newer = "insert into migration (version, hash, applied_at) values (99, 'x', 0)";
    store
        .write("test", |at| sql::execute(at, "test", newer, &[]))
        .unwrap();
    drop(store);
    let error = Store::open(&path, at(1)).unwrap_err();
    assert!(
        matches!(error, StoreError::Newer { found: 99, known } if known == LAST),
        "{error:?}"
    );
    let text = error.to_string();
    assert!(
        text.contains("made by a newer version of afterword") && text.contains("restore a back-up"),
        "{text}"
    );
}

#[test]
fn a_step_is_applied_to_a_database_with_data_and_only_once() {
    for (_home, store) in stores() {
        store
            .append(&[record("a", &[note("kept")])], at(0))
            .unwrap();
        let with = |text| {
            STEPS
                .iter()
                .map(|step| Migration {
                    version: step.version,
                    text: step.text,
                })
                .chain([Migration {
                    version: LAST + 1,
                    text,
                }])
                .collect()
        };
        let next: Vec<Migration> =
            with("alter table log add column size bigint not null default 0;");
        let broken: Vec<Migration> =
            with("drop table raw; alter table nowhere add column x bigint;");
        let other: Vec<Migration> = with("select 1;");
        let migrate = |steps: &[Migration]| {
            store.write_any_version("test", |at_| migration::migrate(at_, steps, at(1)))
        };
        assert!(migrate(&broken).is_err());
        let migrated = migrate(&next).unwrap();
        assert_eq!((migrated.from, migrated.to), (LAST, LAST + 1));
        let migrated = migrate(&next).unwrap();
        assert_eq!((migrated.from, migrated.to), (LAST + 1, LAST + 1));
        assert!(
            matches!(migrate(STEPS), Err(StoreError::Newer { found, known }) if (found, known) == (LAST + 1, LAST))
        );
        let error = migrate(&other).unwrap_err();
        assert!(
            error
                .to_string()
                .contains(&format!("step {} of the database is not the one", LAST + 1)),
            "{error}"
        );
        assert_eq!(store.log_after(0, 9).unwrap()[0].events, [note("kept")]);
        assert_eq!(
            store.raw(1).unwrap().unwrap().body,
            b"body",
            "the broken step left nothing behind"
        );
        let refused = store.append(&[record("a", &[])], at(4)).unwrap_err();
        assert!(
            matches!(refused, StoreError::Newer { found, .. } if found == LAST + 1),
            "{refused:?}"
        );
    }
}

#[test]
fn migration_keeps_quarantined_records_of_version_3() {
    let (_home, path) = home();
    drop(Store::open(&path, at(0)).unwrap());
    std::fs::remove_file(&path).unwrap();
    // A file as the previous version left it.
    let file = rusqlite::Connection::open(&path).unwrap();
    file.execute_batch("create table migration (version bigint primary key, hash text not null, applied_at bigint not null)").unwrap();
    for step in STEPS.iter().filter(|step| step.version < 4) {
        file.execute_batch(step.text).unwrap();
        let hash = crate::model::id::hex(step.text, 32);
        file.execute(
            "insert into migration (version, hash, applied_at) values (?1, ?2, 0)",
            (step.version, hash),
        )
        .unwrap();
    }
    file.execute_batch(
        "insert into log (position, logged_at, source, events) values (1, 1800000000000000, 'a', '[]');
         insert into raw (position, body) values (1, x'7b');
         insert into quarantine (position, logged_at, source, fault) values (1, 1800000000000000, 'a', 'no JSON');
         insert into source_stat values ('a', 1, 0, 1, 1, 1800000000000000), ('b', 1, 2, 0, 1, 1800000000000000);
         update head set next = 2;",
    )
    .unwrap();
    drop(file);
    let store = Store::open(&path, at(1)).unwrap();
    let found = store.quarantined_at(1).unwrap().unwrap();
    assert_eq!(
        (found.state, found.passed, found.fault.as_str()),
        (QuarantineState::Open, false, "no JSON")
    );
    assert_eq!(
        store.raw(1).unwrap().unwrap(),
        RawMessage {
            body: b"{".to_vec(),
            beside: MessageContext::default()
        }
    );
    assert!(store.mark_reprocessed(1, Some(1), at(2)).unwrap());
    let seen: Vec<_> = store
        .source_counts()
        .unwrap()
        .into_iter()
        .map(|(name, seen, _)| (name, seen.last_message, seen.last_event))
        .collect();
    assert_eq!(
        seen,
        [
            ("a".to_owned(), Some(at(0)), None),
            ("b".to_owned(), Some(at(0)), Some(at(0)))
        ]
    );
}

#[test]
fn a_foreign_file_is_refused_with_what_to_do() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("x.db");
    std::fs::write(
        &path,
        "this is a letter, not a database, and long enough to be looked at ".repeat(20),
    )
    .unwrap();
    let error = Store::open(&path, at(0)).unwrap_err().to_string();
    assert!(error.contains("is not a SQLite database"), "{error}");

    let path = home.path().join("y.db");
    rusqlite::Connection::open(&path)
        .unwrap()
        .execute_batch("create table album (title text)")
        .unwrap();
    let error = Store::open(&path, at(0)).unwrap_err().to_string();
    assert!(error.contains("belongs to another program"), "{error}");

    std::fs::write(home.path().join("file"), "").unwrap();
    let error = Store::open(&home.path().join("file/z.db"), at(0))
        .unwrap_err()
        .to_string();
    assert!(error.contains("its directory must be writable"), "{error}");
}

#[cfg(unix)]
#[test]
fn the_file_is_for_its_owner_only_and_set_up_to_last() {
    use std::os::unix::fs::PermissionsExt;
    let (_home, path) = home();
    let store = Store::open(&path, at(0)).unwrap();
    store.append(&[record("a", &[])], at(0)).unwrap();
    for file in ["afterword.db", "afterword.db-wal"] {
        let mode = std::fs::metadata(path.with_file_name(file))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    let writer = writer(&store);
    let pragma = |name: &str| {
        writer
            .query_row(&format!("pragma {name}"), [], |row| {
                row.get::<_, rusqlite::types::Value>(0)
            })
            .unwrap()
    };
    assert_eq!(pragma("journal_mode"), "wal".to_owned().into());
    for (name, value) in [
        ("synchronous", 2_i64),
        ("page_size", 8192),
        ("wal_autocheckpoint", 4000),
        ("busy_timeout", 5000),
    ] {
        assert_eq!(pragma(name), value.into(), "{name}");
    }
}

#[test]
fn a_panic_inside_a_transaction_undoes_it_and_the_store_goes_on() {
    for (_home, store) in stores() {
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            store.write("test", |at| -> Result<(), StoreError> {
                sql::execute(at, "test", "update head set applied = 7", &[])?;
                panic!("on purpose");
            })
        }));
        assert!(panicked.is_err());
        assert_eq!(store.head().unwrap().applied, 0);
        assert_eq!(
            store.append(&[record("a", &[])], at(0)).unwrap()[0].position,
            1
        );
    }
}
