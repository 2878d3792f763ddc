//! No silence about trouble: what is wrong is said while it is, and no longer.

use crate::harness::{PATIENCE, World, alert, stamp, until, webhook};
use crate::postgres::Postgres;
use std::time::Duration;

/// The place on a page where faults are told.
const SINCE: &str = "<p class=\"notice warning\" role=\"status\">Since ";

#[track_caller]
fn is_not_ready(world: &World, why: &str) {
    let answer = until("it is not ready", PATIENCE, || {
        world
            .http
            .try_get("/-/ready")
            .filter(|answer| answer.status == 503)
    });
    assert!(answer.body.contains(why), "{}", answer.body);
    let page = world.get("/");
    assert!(
        page.body.contains(SINCE) && page.body.contains("the database is unavailable"),
        "{}",
        page.body
    );
    assert_eq!(page.status, 503);
    let body = webhook(&[alert("A", "checkout", &stamp(Duration::ZERO))]);
    assert_eq!(world.post("/ingest/alertmanager", &body).status, 503);
}

#[track_caller]
fn is_ready_again(world: &World) {
    until("it is ready again", PATIENCE, || {
        world
            .http
            .try_get("/-/ready")
            .filter(|answer| answer.status == 200)
    });
    until("the banner is gone", PATIENCE, || {
        let page = world.get("/");
        (page.status == 200 && !page.body.contains(SINCE)).then_some(())
    });
    let body = webhook(&[alert("B", "checkout", &stamp(Duration::ZERO))]);
    assert_eq!(world.post("/ingest/alertmanager", &body).status, 200);
}

#[test]
fn not_ready_while_the_database_file_is_gone() {
    let world = World::started();
    let (file, away) = (world.path("data/afterword.db"), world.path("data/away"));
    std::fs::rename(&file, &away).unwrap();
    is_not_ready(&world, "No such file");
    std::fs::rename(&away, &file).unwrap();
    is_ready_again(&world);
}

#[test]
fn not_ready_while_the_database_file_is_unreadable() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::started();
    let file = world.path("data/afterword.db");
    let mode = |mode| std::fs::set_permissions(&file, PermissionsExt::from_mode(mode)).unwrap();
    mode(0o000);
    is_not_ready(&world, "it has no read permission");
    mode(0o600);
    is_ready_again(&world);
}

#[test]
fn not_ready_while_postgresql_is_down() {
    let mut server = Postgres::start();
    let files = tempfile::tempdir().unwrap();
    let mut world = World::on(&Postgres::url(server.port), files.path());
    world.start();
    server.kill();
    is_not_ready(&world, "the database cannot be reached");
    server.go_on();
    is_ready_again(&world);
}

#[test]
fn faulty_settings_are_on_the_first_page_until_they_are_mended() {
    let world = World::started();
    let settings = std::fs::read_to_string(world.path("afterword.yaml")).unwrap();
    world.write("afterword.yaml", &format!("{settings}lisen: x\n"));
    let page = until("the fault is on the first page", PATIENCE, || {
        let page = world.get("/").body;
        page.contains("lisen").then_some(page)
    });
    assert!(
        page.contains(SINCE) && page.contains("the previous ones stay in force"),
        "{page}"
    );
    world.write("afterword.yaml", &settings);
    until("the banner is gone", PATIENCE, || {
        (!world.get("/").body.contains(SINCE)).then_some(())
    });
}

#[test]
fn redirected_log_has_no_escape_codes() {
    let world = World::started();
    world.write("rules/rules.yaml", "criteria: x\n");
    let log = until("a fault is logged", PATIENCE, || {
        let log = std::fs::read_to_string(world.path("afterword.log")).unwrap();
        log.contains("ERROR").then_some(log)
    });
    assert!(!log.contains('\u{1b}'), "{log}");
}
