//! Other processes at the database: a second service on one file, files removed and replaced, newer
//! versions, and a judge that makes no progress.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use rusqlite::Connection;

use super::harness::{Answer, PATIENCE, World, alert, stamp, until, webhook};
use super::postgres::Postgres;

const SERVE: [&str; 3] = ["serve", "--config", "afterword.yaml"];

/// A second service on the database file of the first, with an address of its own.
fn second_on(first: &World) -> World {
    let file = database(first);
    World::on(&format!("sqlite://{}", file.display()), &first.path(""))
}

fn database(world: &World) -> PathBuf {
    world.path("data/afterword.db")
}

fn send(world: &World, name: &str) -> Answer {
    let body = webhook(&[alert(name, "checkout", &stamp(Duration::from_secs(1)))]);
    world.post("/ingest/alertmanager", &body)
}

/// Until `world` has stored and judged an alert of that name.
fn works(world: &World, name: &str) {
    assert_eq!(send(world, name).status, 200);
    until("the alert is judged", PATIENCE, || {
        world.alerts_kept().contains(name).then_some(())
    });
}

fn ready_after(world: &World, status: u16) -> String {
    let answer = until(&format!("/-/ready answers {status}"), PATIENCE, || {
        world
            .http
            .try_get("/-/ready")
            .filter(|answer| answer.status == status)
    });
    answer.body
}

/// Nothing is stored, and it is said why.
fn is_refused(world: &World, name: &str, why: &str) {
    let body = ready_after(world, 503);
    assert!(body.contains(why), "{body}");
    assert_eq!(send(world, name).status, 503);
    let page = world.get("/").body;
    assert!(
        page.contains("<p class=\"notice warning\" role=\"status\">"),
        "{page}"
    );
    assert!(page.contains(why), "{page}");
}

/// Refused because of the process with that id.
fn is_locked_out(world: &World, arguments: &[&str], first: u32) {
    let ended = world.run(arguments);
    assert!(ended.code.is_some_and(|code| code != 0), "{}", ended.said);
    for part in [
        "data/afterword.db is in use by another process",
        &format!("(pid {first} on "),
        "stop that process first",
    ] {
        assert!(ended.said.contains(part), "{part}: {}", ended.said);
    }
}

#[test]
fn second_process_on_a_file_is_refused_while_the_first_lives() {
    let mut first = World::started();
    let mut second = second_on(&first);
    let pid = first.pid();
    works(&first, "Before");
    is_locked_out(&second, &SERVE, pid);
    is_locked_out(&second, &["migrate", "--config", "afterword.yaml"], pid);
    let export = ["export", "--config", "afterword.yaml", "all.jsonl"];
    assert_eq!(second.run(&export).code, Some(0), "reading is free");
    is_locked_out(
        &second,
        &["import", "--config", "afterword.yaml", "all.jsonl"],
        pid,
    );
    let backtest = ["backtest", "--config", "afterword.yaml"];
    let ended = second.run(&backtest);
    assert_eq!(ended.code, Some(0), "{}", ended.said);
    works(&first, "Beside");

    // Stopped, it still has the database.
    first.signal("STOP");
    is_locked_out(&second, &SERVE, pid);
    first.signal("CONT");
    works(&first, "Continued");

    // A crash leaves no lock behind.
    first.kill();
    second.start();
    works(&second, "Successor");
    is_locked_out(&first, &SERVE, second.pid());
    works(&second, "Still");
    let kept = second.alerts_kept();
    for name in ["Before", "Beside", "Continued", "Successor", "Still"] {
        assert!(kept.contains(name), "{name}");
    }
}

#[test]
fn judge_takes_the_lease_again_that_another_program_took() {
    let world = World::started();
    works(&world, "Before");
    let other = Connection::open(database(&world)).unwrap();
    other.busy_timeout(PATIENCE).unwrap();
    other
        .execute("update head set epoch = epoch + 1", ())
        .unwrap();
    works(&world, "After");
    assert!(
        world
            .get("/metrics")
            .body
            .lines()
            .any(|line| line == "afterword_judge 1")
    );
}

#[test]
fn nothing_is_written_to_a_database_that_a_newer_version_has_migrated() {
    let world = World::started();
    works(&world, "Before");
    let newer = Connection::open(database(&world)).unwrap();
    newer.busy_timeout(PATIENCE).unwrap();
    newer
        .execute("insert into migration values (99, 'x', 0)", ())
        .unwrap();
    is_refused(&world, "Beside", "made by a newer version of afterword");
    newer
        .execute("delete from migration where version = 99", ())
        .unwrap();
    ready_after(&world, 200);
    works(&world, "After");
    assert!(!world.alerts_kept().contains("Beside"));
}

#[test]
fn nothing_is_written_to_a_postgresql_that_a_newer_version_has_migrated() {
    let (server, files) = (Postgres::start(), tempfile::tempdir().unwrap());
    let mut world = World::on(&Postgres::url(server.port), files.path());
    world.start();
    works(&world, "Before");
    server.query("afterword", "insert into migration values (99, 'x', 0)");
    is_refused(&world, "Beside", "made by a newer version of afterword");
    server.query("afterword", "delete from migration where version = 99");
    ready_after(&world, 200);
    works(&world, "After");
}

#[test]
fn database_whose_content_was_replaced_is_used_after_a_restart() {
    let mut world = World::started();
    works(&world, "Before");
    let other = World::started();
    works(&other, "Restored");
    let back_up = other.path("back-up.db");
    Connection::open(database(&other))
        .unwrap()
        .execute("vacuum into ?1", [back_up.to_str().unwrap()])
        .unwrap();
    std::fs::copy(&back_up, database(&world)).unwrap();
    is_refused(&world, "Lost", "restart afterword");
    world.kill();
    world.start();
    works(&world, "After");
    let kept = world.alerts_kept();
    assert!(
        kept.contains("Restored") && !kept.contains("Before"),
        "{kept:?}"
    );
}

#[test]
fn removed_directory_of_the_database_is_noticed_and_may_come_back() {
    let mut world = World::started();
    works(&world, "Before");
    let (data, away) = (world.path("data"), world.path("away"));
    std::fs::rename(&data, &away).unwrap();
    is_refused(&world, "Lost", "No such file");
    std::fs::rename(&away, &data).unwrap();
    ready_after(&world, 200);
    works(&world, "After");
    for name in ["afterword.db-wal", "afterword.db-shm", "afterword.db-lock"] {
        std::fs::remove_file(data.join(name)).unwrap();
    }
    until("it stores again", PATIENCE, || {
        (send(&world, "Later").status == 200).then_some(())
    });
    is_locked_out(&second_on(&world), &SERVE, world.pid());
    world.kill();
    world.start();
    let kept = world.alerts_kept();
    for name in ["Before", "After", "Later"] {
        assert!(kept.contains(name), "{name}: {kept:?}");
    }
}

#[test]
fn judge_that_makes_no_progress_is_said_on_page_ready_and_metrics() {
    let (server, files) = (Postgres::start(), tempfile::tempdir().unwrap());
    let mut world = World::on(&Postgres::url(server.port), files.path());
    world.start();
    works(&world, "Before");
    let lock = "begin; lock table incident in exclusive mode; select pg_sleep(600)";
    let url = format!("postgres://postgres@127.0.0.1:{}/afterword", server.port);
    let mut other = Command::new("psql");
    other
        .args([&url, "-qc", lock])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let other = world.start_beside(&mut other, "psql");
    until("it is noticed", PATIENCE * 2, || {
        assert_eq!(send(&world, &stamp(Duration::ZERO)).status, 200);
        let ready = world.get("/-/ready");
        (ready.status == 503 && ready.body.contains("nothing is judged")).then_some(())
    });
    assert!(world.get("/").body.contains("nothing is judged"));
    let judging = |value: &str| {
        let line = format!("afterword_judging {value}");
        world
            .get("/metrics")
            .body
            .lines()
            .any(|found| found == line)
    };
    assert!(judging("0"));
    super::harness::send_signal(other, "KILL");
    server.query(
        "postgres",
        "select pg_terminate_backend(pid) from pg_stat_activity where query like '%pg_sleep(600)' and pid <> pg_backend_pid()",
    );
    ready_after(&world, 200);
    works(&world, "After");
    until("it is judged again", PATIENCE, || {
        judging("1").then_some(())
    });
}
