//! Databases of every earlier version, filled: exported as they are, imported, upgraded, backed up.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::collections::BTreeMap;

use serde_json::Value;

use super::{apply, at, delivery, incident, note, record};
use crate::model::id::Subject;
use crate::model::ledger::LedgerEntry;
use crate::model::lifecycle::Phase;
use crate::store::active_alerts::ActiveAlert;
use crate::store::apply::Changes;
use crate::store::database::{self, Backup, DatabaseLocation, Store};
use crate::store::export::{insert, make_empty, tables};
use crate::store::incident::IncidentFilter;
use crate::store::log::NewRecord;
use crate::store::migration;
use crate::store::testbed::stores;

/// A row as an export has it, by column.
type Row = BTreeMap<String, Value>;

fn fill(store: &Store) {
    let unread = NewRecord {
        fault: Some("no JSON".to_owned()),
        ..record("a", &[])
    };
    store
        .append(
            &[record("a", &[super::alert("One"), note("1")]), unread],
            at(0),
        )
        .unwrap();
    let closed = incident("i-1", 0, Phase::Closed);
    let changes = Changes {
        ledger: vec![LedgerEntry::of(&closed)],
        incidents: vec![closed.into(), incident("i-2", 5, Phase::Active).into()],
        loose: vec![note("loose")],
        deliveries: vec![delivery("a1", "a")],
        ..Changes::default()
    };
    store.take_leadership().unwrap();
    apply(store, &changes);
    let active = ActiveAlert {
        subject: Subject::from(0xaa),
        last_seen: at(5),
        lease_end: Some(at(90_000)),
    };
    store.save_active_alerts(&[active], &[]).unwrap();
}

fn text(store: &Store) -> String {
    let mut out = Vec::new();
    store.export(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// The rows of a filled database of this version, by table.
fn filled_rows() -> BTreeMap<String, Vec<Row>> {
    let (_home, store) = stores().swap_remove(0);
    fill(&store);
    let tables = store.read("test", tables).unwrap();
    let mut rows: BTreeMap<String, Vec<Row>> = BTreeMap::new();
    for line in text(&store).lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let Some(name) = line["table"].as_str() else {
            continue;
        };
        let table = tables.iter().find(|table| table.name == name).unwrap();
        let names = table.columns.iter().map(|(name, ..)| name.clone());
        let values = line["row"].as_array().unwrap().iter().cloned();
        rows.entry(name.to_owned())
            .or_default()
            .push(names.zip(values).collect());
    }
    rows
}

/// Makes an empty database one of `version` that holds these rows, as far as it has their columns.
fn make_old(store: &Store, version: u32, rows: &BTreeMap<String, Vec<Row>>) {
    store
        .write_any_version("test", |connection| {
            for table in make_empty(connection, version, at(0))? {
                let now = if table.name == "sight" {
                    "active_alert"
                } else {
                    &table.name
                };
                for row in rows.get(now).into_iter().flatten() {
                    let values: Vec<Value> = table
                        .columns
                        .iter()
                        .map(|(name, ..)| row[name].clone())
                        .collect();
                    insert(
                        connection,
                        std::slice::from_ref(&table),
                        &table.name,
                        &values,
                    )?;
                }
            }
            Ok(())
        })
        .unwrap();
}

fn version_of(place: &DatabaseLocation) -> u32 {
    let store = Store::open_to_export(place).unwrap();
    store.read("test", migration::version).unwrap()
}

fn incidents(store: &Store) -> Vec<String> {
    let all = IncidentFilter {
        open_only: false,
        limit: 99,
    };
    let all = store.incidents(all).unwrap();
    all.iter()
        .map(|incident| serde_json::to_string(incident).unwrap())
        .collect()
}

#[test]
fn database_of_every_version_is_exported_as_it_is_imported_and_upgraded() {
    let rows = filled_rows();
    let (_home, reference) = stores().swap_remove(0);
    fill(&reference);
    let known = migration::known();
    for version in 1..=known {
        for (home, store) in stores() {
            make_old(&store, version, &rows);
            drop(store);
            let old = Store::open_to_export(&home.place).unwrap();
            let exported = text(&old);
            drop(old);
            assert_eq!(
                version_of(&home.place),
                version,
                "an export migrates nothing"
            );
            assert!(exported.starts_with(&format!("{{\"afterword\":{version}}}\n")));

            let before = database::migrate(&home.place, Backup::Made, at(9)).unwrap();
            assert_eq!((before.versions.from, before.versions.to), (version, known));
            let upgraded = Store::open_at(&home.place, at(9)).unwrap();
            assert_eq!(incidents(&upgraded), incidents(&reference), "{version}");
            assert_eq!(
                upgraded.log_after(0, 9).unwrap(),
                reference.log_after(0, 9).unwrap()
            );
            assert_eq!(
                upgraded.active_alerts().unwrap(),
                reference.active_alerts().unwrap()
            );
            assert_eq!(
                upgraded.quarantined_at(2).unwrap().unwrap().fault,
                "no JSON"
            );

            for (_home, new) in stores() {
                new.import(&mut exported.as_bytes(), at(9)).unwrap();
                assert_eq!(text(&new), text(&upgraded), "import of {version}");
            }

            let is_file = matches!(home.place, DatabaseLocation::Sqlite(_));
            assert_eq!(before.backup.is_some(), is_file && version < known);
            if let Some(backup) = before.backup {
                use std::os::unix::fs::PermissionsExt;
                let mode = std::fs::metadata(&backup).unwrap().permissions().mode();
                assert_eq!(mode & 0o777, 0o600);
                let place = DatabaseLocation::Sqlite(backup.clone());
                assert_eq!(version_of(&place), version);
                assert_eq!(text(&Store::open_to_export(&place).unwrap()), exported);
                // Rolled back: the back-up takes the place of the database, and is upgraded again.
                drop(upgraded);
                let DatabaseLocation::Sqlite(path) = &home.place else {
                    unreachable!("only files have back-ups")
                };
                for ending in ["", "-wal", "-shm"] {
                    let _ = std::fs::remove_file(format!("{}{ending}", path.display()));
                }
                std::fs::rename(&backup, path).unwrap();
                assert_eq!(version_of(&home.place), version);
                let again = Store::open_at(&home.place, at(10)).unwrap();
                assert_eq!(incidents(&again), incidents(&reference));
            }
        }
    }
}

#[test]
fn export_of_a_newer_version_is_refused_and_leaves_the_database_empty() {
    for (_home, store) in stores() {
        let newer = "{\"afterword\":99}\n{\"end\":0}\n";
        let error = store.import(&mut newer.as_bytes(), at(0)).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("import it with a newer version of afterword"),
            "{error}"
        );
        assert_eq!(store.head().unwrap().next, 1);
    }
}

#[test]
fn failed_backup_stops_the_migration_and_leaves_nothing_behind() {
    let rows = filled_rows();
    let (home, store) = stores().swap_remove(0);
    make_old(&store, 4, &rows);
    drop(store);
    let DatabaseLocation::Sqlite(path) = &home.place else {
        unreachable!("the first is a file")
    };
    // The place of the back-up is taken.
    let name = format!("afterword-v4-{}.db", at(9).format("%Y%m%dT%H%M%SZ"));
    std::fs::write(path.with_file_name(&name), "in the way").unwrap();
    let files = || -> Vec<String> {
        let entries = std::fs::read_dir(path.parent().unwrap()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.contains("back-up")).collect()
    };
    let error = database::migrate(&home.place, Backup::Made, at(9)).unwrap_err();
    let text = format!("{:#}", anyhow::Error::new(error));
    assert!(
        text.contains("afterword migrate --no-backup") && text.contains(&name),
        "{text}"
    );
    assert_eq!(version_of(&home.place), 4);
    assert_eq!(files(), [""; 0]);
    let done = database::migrate(&home.place, Backup::Skipped, at(9)).unwrap();
    assert_eq!((done.versions.from, done.backup), (4, None));
}
