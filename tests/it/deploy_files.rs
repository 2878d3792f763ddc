//! Deployment files in `deploy/`, validated by the programs that they are for.

use crate::harness::{World, repository};

/// A program that must accept its arguments.
fn accepts(world: &World, program: &str, arguments: &[&str]) -> String {
    let ended = world.run_program(program, arguments);
    assert_eq!(
        ended.code,
        Some(0),
        "{program} {arguments:?}\n{}",
        ended.said
    );
    ended.said
}

fn deploy(file: &str) -> String {
    repository()
        .join("deploy")
        .join(file)
        .to_str()
        .unwrap()
        .to_owned()
}

#[test]
fn amtool_accepts_the_alertmanager_file() {
    let said = accepts(
        &World::new(),
        "amtool",
        &["check-config", &deploy("alertmanager.yml")],
    );
    assert!(said.contains("1 receivers"), "{said}");
}

#[test]
fn promtool_accepts_the_prometheus_files() {
    let world = World::new();
    let said = accepts(
        &world,
        "promtool",
        &["check", "config", &deploy("prometheus.yml")],
    );
    assert!(said.contains("1 rule files found"), "{said}");
    accepts(
        &world,
        "promtool",
        &["test", "rules", &deploy("prometheus-rules.test.yml")],
    );
}

#[test]
fn systemd_accepts_the_unit_and_rates_it_safe() {
    let world = World::new();
    let unit = std::fs::read_to_string(deploy("afterword.service")).unwrap();
    let installed = "/usr/local/bin/afterword";
    assert!(unit.contains(installed), "{unit}");
    // The verifier wants the program to be there.
    let unit = world.write(
        "afterword.service",
        &unit.replace(installed, env!("CARGO_BIN_EXE_afterword")),
    );
    let unit = unit.to_str().unwrap();
    let said = accepts(&world, "systemd-analyze", &["verify", "--man=no", unit]);
    assert!(!said.contains("afterword.service:"), "{said}");
    // Exposure in tenths: 0 is shut, 100 wide open.
    accepts(
        &world,
        "systemd-analyze",
        &[
            "security",
            "--no-pager",
            "--offline=true",
            "--threshold=15",
            unit,
        ],
    );
}
