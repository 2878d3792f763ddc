//! Back-ups by the commands: exports that leave no half file, drafts and invites in them, and a copy
//! of the database before a migration.

use std::path::Path;

use serde_json::json;

use crate::crashes::prepare;
use crate::harness::{PATIENCE, World, until};

/// Whatever of this directory has to do with exports.
fn remains(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names
        .filter(|name| name.contains("export") || name.contains("jsonl"))
        .collect()
}

/// A service with a draft and an invite.
fn held() -> World {
    let mut world = World::new();
    prepare(&world);
    world.start();
    for status in ["firing", "resolved"] {
        let outage = json!({"service": "checkout", "title": "Nobody can pay", "status": status});
        let answer = world.post("/api/v1/declarations", &outage.to_string());
        assert_eq!(answer.status, 201, "{}", answer.body);
    }
    until("the draft and the invite are written", PATIENCE, || {
        let [draft] = &world.files("postmortems", ".md")[..] else {
            return None;
        };
        let draft = std::fs::read_to_string(world.path("postmortems").join(draft)).unwrap();
        // The draft names the meeting in its last version.
        (world.files("invites", ".ics").len() == 1 && draft.contains("\nmeeting: \"")).then_some(())
    });
    world
}

#[test]
fn drafts_and_invites_are_exported_and_imported() {
    let mut world = held();
    let draft = world.files("postmortems", ".md").remove(0);
    let path = world.path("postmortems").join(&draft);
    let text = std::fs::read_to_string(&path).unwrap() + "\nEdited by a person.\n";
    std::fs::write(&path, &text).unwrap();
    let done = world.run(&["export", "--config", "afterword.yaml", "all.jsonl"]);
    assert_eq!(done.code, Some(0), "{}", done.said);
    assert!(done.said.contains(" and 2 files from"), "{}", done.said);
    world.kill();

    let mut other = World::new();
    prepare(&other);
    std::fs::copy(world.path("all.jsonl"), other.path("all.jsonl")).unwrap();
    let done = other.run(&["import", "--config", "afterword.yaml", "all.jsonl"]);
    assert_eq!(done.code, Some(0), "{}", done.said);
    assert!(done.said.contains(" and 2 files into"), "{}", done.said);
    let restored = other.path("postmortems").join(&draft);
    assert_eq!(std::fs::read_to_string(&restored).unwrap(), text);
    assert_eq!(
        other.files("invites", ".ics"),
        world.files("invites", ".ics")
    );
    other.start();
    let listed = other.get("/api/v1/postmortems").json();
    assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");
    assert_eq!(std::fs::read_to_string(&restored).unwrap(), text);
}

#[test]
fn draft_that_is_there_is_left_as_it_is_by_an_import() {
    let world = held();
    let draft = world.files("postmortems", ".md").remove(0);
    let done = world.run(&["export", "--config", "afterword.yaml", "all.jsonl"]);
    assert_eq!(done.code, Some(0), "{}", done.said);
    let other = World::new();
    other.write(&format!("postmortems/{draft}"), "mine");
    std::fs::copy(world.path("all.jsonl"), other.path("all.jsonl")).unwrap();
    let done = other.run(&["import", "--config", "afterword.yaml", "all.jsonl"]);
    assert_eq!(done.code, Some(0), "{}", done.said);
    assert!(done.said.contains("was left as it is"), "{}", done.said);
    let text = std::fs::read_to_string(other.path("postmortems").join(&draft)).unwrap();
    assert_eq!(text, "mine");
}

#[test]
fn failed_export_leaves_no_file() {
    let world = held();
    let limited = |file: &str| {
        let script = format!(
            "trap '' XFSZ; ulimit -f 1; exec {} export --config afterword.yaml {file}",
            env!("CARGO_BIN_EXE_afterword")
        );
        // Its messages go to the same limited file, so only its end is looked at.
        world.run_program("bash", &["-c", &script])
    };
    assert_eq!(limited("all.jsonl").code, Some(1));
    assert_eq!(remains(&world.path("")), [""; 0]);
    let done = world.run(&["export", "--config", "afterword.yaml", "away/all.jsonl"]);
    assert_eq!(done.code, Some(1), "{}", done.said);
    assert!(
        done.said.contains("cannot write away/all.jsonl"),
        "{}",
        done.said
    );

    world.write("all.jsonl", "an earlier one");
    let done = world.run(&["export", "--config", "afterword.yaml", "all.jsonl"]);
    assert_eq!(done.code, Some(1), "{}", done.said);
    assert!(done.said.contains("already exists"), "{}", done.said);
    let text = std::fs::read_to_string(world.path("all.jsonl")).unwrap();
    assert_eq!(text, "an earlier one");
}

/// Makes the database in `world` one of version 5.
fn downgrade(world: &World) {
    let script = "import sqlite3\n\
        db = sqlite3.connect('data/afterword.db')\n\
        db.execute('drop table log_start')\n\
        db.execute('alter table log drop column clock_at')\n\
        db.execute('alter table head drop column clock_at')\n\
        db.execute('delete from migration where version > 5')\n\
        db.commit()\n\
        db.close()\n";
    world.write("downgrade.py", script);
    let done = world.run_program("python3", &["downgrade.py"]);
    assert_eq!(done.code, Some(0), "{}", done.said);
}

#[test]
fn newer_binary_exports_an_older_database_without_changing_it() {
    let mut world = held();
    world.signal("TERM");
    until("it has stopped", PATIENCE, || {
        (!world.is_alive()).then_some(())
    });
    world.kill();
    downgrade(&world);
    let before = std::fs::read(world.path("data/afterword.db")).unwrap();
    let done = world.run(&["export", "--config", "afterword.yaml", "all.jsonl"]);
    assert_eq!(done.code, Some(0), "{}", done.said);
    let exported = std::fs::read_to_string(world.path("all.jsonl")).unwrap();
    assert!(exported.starts_with("{\"afterword\":5}\n"));
    assert_eq!(
        std::fs::read(world.path("data/afterword.db")).unwrap(),
        before
    );

    let mut other = World::new();
    prepare(&other);
    std::fs::copy(world.path("all.jsonl"), other.path("all.jsonl")).unwrap();
    let done = other.run(&["import", "--config", "afterword.yaml", "all.jsonl"]);
    assert_eq!(done.code, Some(0), "{}", done.said);
    other.start();
    assert_eq!(other.incidents().len(), 1);
}

#[test]
fn migration_and_start_name_the_backup_that_they_made() {
    let backups = |world: &World| -> Vec<String> {
        let names = world.files("data", ".db");
        names
            .into_iter()
            .filter(|name| name.starts_with("afterword-v5-"))
            .collect()
    };
    let mut world = held();
    world.signal("TERM");
    until("it has stopped", PATIENCE, || {
        (!world.is_alive()).then_some(())
    });
    world.kill();
    downgrade(&world);
    let done = world.run(&["migrate", "--config", "afterword.yaml"]);
    assert_eq!(done.code, Some(0), "{}", done.said);
    let [backup] = &backups(&world)[..] else {
        panic!("one back-up: {:?}", backups(&world))
    };
    assert!(
        done.said.contains("was migrated from version 5 to")
            && done.said.contains("a back-up of version 5 is ")
            && done.said.contains(backup),
        "{}",
        done.said
    );
    std::fs::remove_file(world.path("data").join(backup)).unwrap();
    let done = world.run(&["migrate", "--config", "afterword.yaml"]);
    assert!(done.said.contains("is at version"), "{}", done.said);
    assert_eq!(backups(&world), [""; 0]);

    downgrade(&world);
    world.start();
    let log = std::fs::read_to_string(world.path("afterword.log")).unwrap();
    assert!(log.contains(&backups(&world)[0]), "{log}");
    assert_eq!(world.incidents().len(), 1);
}
