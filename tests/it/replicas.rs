//! Three replicas on one PostgreSQL, killed, stopped and disconnected in turn under load.

use std::time::Duration;

use tempfile::TempDir;

use super::crashes::{Load, assert_eq_to_a_replay, assert_nothing_lost_or_twice, prepare};
use super::harness::{PATIENCE, World, alert, now, pause, stamp, tell, until, webhook};
use super::postgres::{Postgres, Way};
use super::rng::Rng;

/// Longer than the judge's office is lent.
const PAST_THE_LEASE: Duration = Duration::from_secs(7);
const TURNS: usize = 9;

fn is_judge(world: &World) -> bool {
    world
        .http
        .try_get("/metrics")
        .is_some_and(|answer| answer.body.lines().any(|line| line == "afterword_judge 1"))
}

/// Until a replica other than `gone` decides what is told to it.
fn takeover(replicas: &[World], gone: usize) {
    let since = now();
    until("another replica is the judge", PATIENCE, || {
        replicas
            .iter()
            .enumerate()
            .any(|(index, world)| index != gone && is_judge(world))
            .then_some(())
    });
    tell(&format!("takeover after {:?}", since.elapsed()));
    assert!(since.elapsed() < Duration::from_secs(12));
}

#[test]
fn three_replicas_lose_nothing_and_decide_once() {
    let (server, files) = (Postgres::start(), TempDir::new().unwrap());
    let ways: Vec<Way> = (0..3).map(|_| Way::to(server.port)).collect();
    let mut replicas: Vec<World> = ways
        .iter()
        .map(|way| World::on(&Postgres::url(way.port), files.path()))
        .collect();
    for replica in &mut replicas {
        prepare(replica);
        replica.start();
    }
    let mut dice = Rng::new();
    let load = Load::on(
        replicas
            .iter()
            .map(|replica| replica.http.clone())
            .collect(),
    );
    for turn in 0..TURNS {
        pause(Duration::from_millis(dice.roll() % 500));
        let before = load.count();
        let judge = until("there is a judge", PATIENCE, || {
            replicas.iter().position(is_judge)
        });
        match turn % 3 {
            0 => {
                replicas[judge].kill();
                takeover(&replicas, judge);
                replicas[judge].start();
            }
            1 => {
                replicas[judge].signal("STOP");
                pause(PAST_THE_LEASE);
                takeover(&replicas, judge);
                replicas[judge].signal("CONT");
            }
            _ => {
                ways[judge].set_cut(true);
                takeover(&replicas, judge);
                ways[judge].set_cut(false);
            }
        }
        until("alerts are acknowledged again", PATIENCE, || {
            (load.count() > before + 20).then_some(())
        });
    }
    let told = load.stop();
    until("one replica is the judge", PATIENCE, || {
        (replicas.iter().filter(|world| is_judge(world)).count() == 1).then_some(())
    });
    for replica in &replicas {
        assert_nothing_lost_or_twice(replica, &told, files.path());
    }
    assert_eq_to_a_replay(&replicas[0]);
}

#[test]
fn fact_sent_to_one_replica_is_shown_by_all() {
    let (server, files) = (Postgres::start(), TempDir::new().unwrap());
    let mut replicas: Vec<World> = (0..2)
        .map(|_| World::on(&Postgres::url(server.port), files.path()))
        .collect();
    replicas.iter_mut().for_each(World::start);
    let other = usize::from(is_judge(&replicas[0]));
    let body = webhook(&[alert("Told", "checkout", &stamp(Duration::from_secs(1)))]);
    assert_eq!(
        replicas[other].post("/ingest/alertmanager", &body).status,
        200
    );
    for replica in &replicas {
        until("both show it", PATIENCE, || {
            replica.alerts_kept().contains("Told").then_some(())
        });
    }
    // A judge that is stopped in order leaves its office at once.
    let judge = 1 - other;
    let since = now();
    replicas[judge].signal("TERM");
    until("the other is the judge", PATIENCE, || {
        is_judge(&replicas[other]).then_some(())
    });
    assert!(
        since.elapsed() < Duration::from_secs(5),
        "{:?}",
        since.elapsed()
    );
}
