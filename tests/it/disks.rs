//! Disks that fill up or turn read-only under the running service, and come back: everything goes on
//! in place. Each test mounts a small file system of its own.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;

use crate::crashes::prepare;
use crate::harness::{PATIENCE, World, alert, stamp, until, webhook};

/// The place on a page where faults are told.
const SINCE: &str = "<p class=\"notice warning\" role=\"status\">Since ";

/// A mounted file system of a few megabytes.
struct Disk(TempDir);

impl Disk {
    fn mount() -> Self {
        let directory = TempDir::new().unwrap();
        let status = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=16m,mode=0700", "tmpfs"])
            .arg(directory.path())
            .status()
            .unwrap();
        assert!(
            status.success(),
            "a tmpfs cannot be mounted: run the tests as root with CAP_SYS_ADMIN (docker run --cap-add SYS_ADMIN); nothing skips"
        );
        Self(directory)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn remount(&self, mode: &str) {
        let status = Command::new("mount")
            .args(["-o", &format!("remount,{mode}")])
            .arg(self.path())
            .status()
            .unwrap();
        assert!(status.success(), "remount,{mode}");
    }

    /// Fills it to the last byte; the file that does.
    fn fill(&self) -> PathBuf {
        let path = self.path().join("filler");
        let mut file = File::options()
            .create(true)
            .append(true)
            .open(&path)
            .unwrap();
        for size in [1 << 20, 1 << 12, 1] {
            while file.write_all(&vec![7; size]).is_ok() {}
        }
        path
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

fn gauge(world: &World, name: &str) -> Option<u64> {
    let text = world.http.try_get("/metrics")?.body;
    text.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
}

fn says(world: &World, what: &str) {
    let page = until("the first page says so", PATIENCE, || {
        let page = world.http.try_get("/")?.body;
        (page.contains(SINCE) && page.contains(what)).then_some(page)
    });
    assert!(page.contains("<h1>Overview</h1>"), "{page}");
}

fn says_nothing_more(world: &World) {
    until("the banner is gone", PATIENCE, || {
        let page = world.http.try_get("/")?;
        (page.status == 200 && !page.body.contains(SINCE)).then_some(())
    });
}

fn post_alert(world: &World, name: &str) -> u16 {
    let mut alert = alert(name, "checkout", &stamp(Duration::from_secs(60)));
    alert["annotations"]["description"] = json!("x".repeat(20_000));
    world
        .post("/ingest/alertmanager", &webhook(&[alert]))
        .status
}

#[test]
fn database_on_a_disk_that_fills_and_is_freed_goes_on_in_place() {
    let disk = Disk::mount();
    let mut world = World::new();
    prepare(&world);
    let database = disk.path().join("afterword.db");
    world.store_in(&format!("sqlite://{}", database.display()));
    world.start();
    let mut acknowledged = BTreeSet::new();
    for round in 0..2 {
        assert_eq!(post_alert(&world, &format!("Before{round}")), 200);
        acknowledged.insert(format!("Before{round}"));
        let filler = disk.fill();
        let mut number = 0;
        until("nothing can be stored", PATIENCE, || {
            number += 1;
            let name = format!("Full{round}-{number}");
            match post_alert(&world, &name) {
                200 => {
                    acknowledged.insert(name);
                    None
                }
                503 => Some(()),
                other => panic!("{other}"),
            }
        });
        let answer = until("it is not ready", PATIENCE, || {
            let answer = world.http.try_get("/-/ready")?;
            (answer.status == 503).then_some(answer)
        });
        assert!(
            answer.body.contains("nothing can be stored")
                && answer.body.contains("free some disk space"),
            "{}",
            answer.body
        );
        says(&world, "free some disk space");
        assert_eq!(gauge(&world, "afterword_database_writable"), Some(0));
        assert_eq!(world.get("/-/healthy").status, 200);

        std::fs::remove_file(filler).unwrap();
        until("it is ready again", PATIENCE, || {
            (world.http.try_get("/-/ready")?.status == 200).then_some(())
        });
        assert_eq!(post_alert(&world, &format!("After{round}")), 200);
        acknowledged.insert(format!("After{round}"));
        says_nothing_more(&world);
        assert_eq!(gauge(&world, "afterword_database_writable"), Some(1));
    }
    world.until_judged();
    let kept = world.alerts_kept();
    assert!(acknowledged.is_subset(&kept), "{acknowledged:?} {kept:?}");
    assert!(world.is_alive());
}

/// A service whose drafts and invites are on the disk.
fn with_files_on(disk: &Disk) -> World {
    let mut world = World::new();
    prepare(&world);
    let settings = std::fs::read_to_string(world.path("afterword.yaml")).unwrap();
    let lines = settings
        .lines()
        .filter(|line| !line.starts_with("postmortems:") && !line.starts_with("meetings:"));
    let settings: String = lines.map(|line| format!("{line}\n")).collect();
    let place = disk.path().display();
    let files = format!(
        "postmortems: {{directory: {place}/drafts}}\nmeetings: {{directory: {place}/invites}}\n"
    );
    world.write("afterword.yaml", &format!("{settings}{files}"));
    world.start();
    world
}

fn declare(world: &World, service: &str) {
    let outage = json!({"service": service, "title": format!("{service} is down")});
    let answer = world.post("/api/v1/declarations", &outage.to_string());
    assert_eq!(answer.status, 201, "{}", answer.body);
}

fn drafts(disk: &Disk) -> usize {
    let Ok(entries) = std::fs::read_dir(disk.path().join("drafts")) else {
        return 0;
    };
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(".md")).count()
}

#[test]
fn drafts_on_a_disk_that_fills_and_is_freed_are_written_in_place() {
    let disk = Disk::mount();
    let world = with_files_on(&disk);
    declare(&world, "first");
    until("the first draft", PATIENCE, || {
        (drafts(&disk) == 1).then_some(())
    });
    let filler = disk.fill();
    declare(&world, "second");
    says(&world, "is full; free some space");
    let drafts_writable = "afterword_files_writable{directory=\"postmortems\"}";
    assert_eq!(gauge(&world, drafts_writable), Some(0));
    // Messages are still received and judged.
    assert_eq!(world.get("/-/ready").status, 200);
    std::fs::remove_file(filler).unwrap();
    until("the second draft", PATIENCE, || {
        (drafts(&disk) == 2).then_some(())
    });
    says_nothing_more(&world);
    assert_eq!(gauge(&world, drafts_writable), Some(1));
}

#[test]
fn drafts_on_a_disk_that_turns_read_only_and_back_are_written_in_place() {
    let disk = Disk::mount();
    let world = with_files_on(&disk);
    disk.remount("ro");
    // Said before there is anything to write.
    says(&world, "must be writable for the user that runs afterword");
    declare(&world, "first");
    assert_eq!(drafts(&disk), 0);
    disk.remount("rw");
    until("the draft", PATIENCE, || (drafts(&disk) == 1).then_some(()));
    says_nothing_more(&world);
}

#[test]
fn database_below_a_read_only_mount_is_said_and_comes_back() {
    let disk = Disk::mount();
    let mut world = World::new();
    prepare(&world);
    let database = disk.path().join("afterword.db");
    world.store_in(&format!("sqlite://{}", database.display()));
    world.start();
    let mount = |arguments: &[&str]| {
        let status = Command::new("mount")
            .args(arguments)
            .arg(disk.path())
            .status()
            .unwrap();
        assert!(status.success(), "{arguments:?}");
    };
    // Files that are open for writing keep a file system from being remounted; a mount above it is new.
    mount(&["--bind", disk.path().to_str().unwrap()]);
    mount(&["-o", "remount,bind,ro"]);
    let answer = until("it is not ready", PATIENCE, || {
        let answer = world.http.try_get("/-/ready")?;
        (answer.status == 503).then_some(answer)
    });
    assert!(answer.body.contains("read-only"), "{}", answer.body);
    let status = Command::new("umount").arg(disk.path()).status().unwrap();
    assert!(status.success());
    until("it is ready again", PATIENCE, || {
        (world.http.try_get("/-/ready")?.status == 200).then_some(())
    });
    says_nothing_more(&world);
    assert_eq!(post_alert(&world, "After"), 200);
}
