//! A database file and what other programs do to it: processes beside, files removed and replaced,
//! newer versions.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{at, note, record};
use crate::store::database::{DatabaseLocation, Store, check_unused};
use crate::store::error::StoreError;
use crate::store::sql;
use crate::store::testbed::stores;

struct Home {
    dir: TempDir,
}

impl Home {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn database(&self) -> PathBuf {
        self.file("a.db")
    }

    /// The file with a record.
    fn store(&self) -> Store {
        let store = Store::open(&self.database(), at(0)).unwrap();
        append(&store, "first").unwrap();
        store
    }
}

fn append(store: &Store, text: &str) -> Result<(), StoreError> {
    store.append(&[record("a", &[note(text)])], at(1)).map(drop)
}

fn records(store: &Store) -> u64 {
    store.head().unwrap().next - 1
}

/// Another database with three records, closed, at `path`.
fn other_database(path: &Path) {
    let store = Store::open(path, at(0)).unwrap();
    for text in ["1", "2", "3"] {
        append(&store, text).unwrap();
    }
    drop(store);
    std::fs::remove_file(format!("{}-lock", path.display())).unwrap();
}

#[track_caller]
fn is_away(result: Result<(), StoreError>, why: &str) {
    match result {
        Err(error @ StoreError::Away(_)) => assert!(error.to_string().contains(why), "{error}"),
        other => panic!("{other:?} is not away"),
    }
}

#[test]
fn second_process_is_refused_and_told_which_file_who_and_what_to_do() {
    let home = Home::new();
    let first = home.store();
    let link = home.file("link.db");
    std::os::unix::fs::symlink(home.database(), &link).unwrap();
    for path in [home.database(), link] {
        let refused = Store::open(&path, at(1)).unwrap_err();
        assert!(matches!(refused, StoreError::InUse { .. }), "{refused:?}");
        let text = refused.to_string();
        let pid = format!("(pid {} on ", std::process::id());
        for part in [
            path.to_str().unwrap(),
            "in use by another process",
            &pid,
            "stop that process",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
    append(&first, "second").unwrap();
    drop(first);
    assert_eq!(records(&home.store()), 3);
}

#[test]
fn reading_store_works_beside_a_writing_one_and_writes_nothing() {
    let home = Home::new();
    let place = DatabaseLocation::Sqlite(home.database());
    assert!(Store::open_to_read(&place).is_err());
    assert!(!home.database().exists(), "reading creates nothing");
    assert!(check_unused(&place).is_ok());
    let first = home.store();
    assert!(check_unused(&place).is_err());
    let reader = Store::open_to_read(&place).unwrap();
    append(&first, "second").unwrap();
    assert_eq!(records(&reader), 2);
    assert!(append(&reader, "third").is_err());
    drop(reader);
    append(&first, "third").unwrap();
    drop(first);
    assert_eq!(records(&Store::open_to_read(&place).unwrap()), 3);
}

#[test]
fn lock_file_that_was_removed_is_locked_again() {
    let home = Home::new();
    let first = home.store();
    let lock = home.file("a.db-lock");
    std::fs::remove_file(&lock).unwrap();
    first.check().unwrap();
    assert!(matches!(
        Store::open(&home.database(), at(1)),
        Err(StoreError::InUse { .. })
    ));
    // Until it is noticed a second process may begin: then the first one says so.
    std::fs::remove_file(&lock).unwrap();
    let second = Store::open(&home.database(), at(1)).unwrap();
    assert!(matches!(first.check(), Err(StoreError::InUse { .. })));
    drop(second);
    first.check().unwrap();
}

#[test]
fn lease_that_another_program_took_is_taken_again() {
    for (_home, store) in stores() {
        let mine = store.acquire_leader_lease(None).unwrap();
        let raise = "update head set epoch = epoch + 1, lease_until = 0";
        store
            .write("test", |at| sql::execute(at, "test", raise, &[]))
            .unwrap();
        let again = store.acquire_leader_lease(mine).unwrap();
        assert!(again > mine, "{again:?} {mine:?}");
        assert_eq!(store.acquire_leader_lease(again).unwrap(), again);
    }
}

#[test]
fn nothing_is_written_beside_a_newer_version_and_all_goes_on_after_its_roll_back() {
    for (_home, store) in stores() {
        let epoch = store.acquire_leader_lease(None).unwrap();
        let to = |text: &str| {
            store
                .write_any_version("test", |at| sql::execute(at, "test", text, &[]))
                .unwrap()
        };
        to("insert into migration (version, hash, applied_at) values (99, 'x', 0)");
        let refusals = [
            append(&store, "x"),
            store.check(),
            store.release_deliveries(),
        ];
        for refused in refusals {
            assert!(
                matches!(refused, Err(StoreError::Newer { found: 99, .. })),
                "{refused:?}"
            );
        }
        if store.is_shared() {
            assert!(store.acquire_leader_lease(epoch).is_err());
        }
        assert_eq!(records(&store), 0, "it can be read");
        to("delete from migration where version = 99");
        store.check().unwrap();
        append(&store, "x").unwrap();
    }
}

#[test]
fn write_ahead_log_that_was_removed_is_saved_and_begun_anew() {
    for removed in [&["a.db-wal"][..], &["a.db-shm"], &["a.db-wal", "a.db-shm"]] {
        let home = Home::new();
        let store = home.store();
        for name in removed {
            std::fs::remove_file(home.file(name)).unwrap();
        }
        is_away(append(&store, "lost"), "write-ahead log was removed");
        store.check().unwrap();
        append(&store, "second").unwrap();
        assert_eq!(records(&store), 2, "{removed:?}");
        // As after a crash: what is in the files counts.
        let copy = home.file("copy.db");
        for suffix in ["", "-wal"] {
            let name = |path: &Path| format!("{}{suffix}", path.display());
            std::fs::copy(name(&home.database()), name(&copy)).unwrap();
        }
        assert_eq!(
            records(&Store::open(&copy, at(1)).unwrap()),
            2,
            "{removed:?}"
        );
    }
}

#[test]
fn content_that_was_replaced_in_place_is_noticed_and_left_alone() {
    for check_first in [false, true] {
        let home = Home::new();
        let back_up = home.file("back-up.db");
        other_database(&back_up);
        let store = home.store();
        std::fs::copy(&back_up, home.database()).unwrap();
        if check_first {
            is_away(store.check(), "replaced its content; restart afterword");
        }
        is_away(
            append(&store, "lost"),
            "replaced its content; restart afterword",
        );
        assert!(store.head().is_err(), "nor is it read");
        drop(store);
        assert!(home.file("a.db-wal.replaced").exists());
        let restarted = Store::open(&home.database(), at(2)).unwrap();
        assert_eq!(records(&restarted), 3);
    }
}

#[test]
fn file_that_took_the_place_is_left_alone_until_the_first_is_back() {
    let home = Home::new();
    let other = home.file("other.db");
    other_database(&other);
    let (store, away) = (home.store(), home.file("away.db"));
    std::fs::rename(home.database(), &away).unwrap();
    is_away(store.check(), "No such file");
    std::fs::rename(&other, home.database()).unwrap();
    is_away(store.check(), "another file has taken its place");
    is_away(append(&store, "lost"), "another file has taken its place");
    std::fs::rename(home.database(), &other).unwrap();
    std::fs::rename(&away, home.database()).unwrap();
    store.check().unwrap();
    append(&store, "second").unwrap();
    assert_eq!(records(&store), 2);

    std::fs::rename(home.database(), &away).unwrap();
    std::fs::rename(&other, home.database()).unwrap();
    is_away(store.check(), "another file has taken its place");
    drop(store);
    assert_eq!(records(&Store::open(&home.database(), at(2)).unwrap()), 3);
    assert_eq!(
        records(&Store::open(&away, at(2)).unwrap()),
        2,
        "the first one has all that it was told"
    );
}

#[test]
fn file_that_was_only_touched_or_checkpointed_by_another_program_is_used_further() {
    let home = Home::new();
    let store = home.store();
    let other = std::fs::File::options()
        .append(true)
        .open(home.file("a.db-wal"));
    drop(other);
    let touched = std::process::Command::new("touch")
        .arg(home.database())
        .status();
    assert!(touched.unwrap().success());
    append(&store, "second").unwrap();
    // In another process: closing a handle in this one would drop SQLite's locks.
    let script = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('pragma wal_checkpoint(truncate)').fetchall()";
    let done = std::process::Command::new("python3")
        .args(["-c", script])
        .arg(home.database())
        .status();
    assert!(done.unwrap().success());
    append(&store, "third").unwrap();
    store.check().unwrap();
    assert_eq!(records(&store), 3);
}
