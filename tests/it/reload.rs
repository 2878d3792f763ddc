//! Reload of settings and rules in a running service.

use crate::harness::{PATIENCE, World, until};

fn criterion(name: &str) -> String {
    format!("criteria: [{{name: {name}, on: request, decision: hold}}]\n")
}

/// The names that the API lists.
fn criteria(world: &World) -> Vec<String> {
    let listed = world.get("/api/v1/criteria").json();
    listed
        .as_array()
        .unwrap()
        .iter()
        .map(|criterion| criterion["name"].as_str().unwrap().to_owned())
        .collect()
}

fn metric(world: &World, name: &str) -> f64 {
    let text = world.get("/metrics").body;
    let line = text
        .lines()
        .find(|line| line.starts_with(&format!("{name} ")))
        .unwrap_or_else(|| panic!("no {name} in {text}"));
    line.rsplit_once(' ').unwrap().1.parse().unwrap()
}

/// Waits until these criteria are in force.
fn awaits(world: &World, names: &[&str]) {
    until(
        &format!("the criteria {names:?} are in force"),
        PATIENCE,
        || (criteria(world) == names).then_some(()),
    );
}

#[test]
fn changed_rules_are_reloaded_and_faulty_ones_are_not() {
    const SUCCESSFUL: &str = "afterword_config_last_reload_successful";
    const SINCE: &str = "afterword_config_last_reload_success_timestamp_seconds";
    let mut world = World::new();
    world.write("rules/rules.yaml", &criterion("one"));
    world.start();
    assert_eq!(
        (criteria(&world), metric(&world, SUCCESSFUL)),
        (vec!["one".to_owned()], 1.0)
    );
    let began = metric(&world, SINCE);
    assert!(began > 1.7e9, "{began}");

    world.write("rules/rules.yaml", &criterion("two"));
    awaits(&world, &["two"]);
    let changed = metric(&world, SINCE);
    assert!(changed > began, "{changed} is not after {began}");

    // What an editor does that renames, and what Kubernetes does with a volume: the name leads to another file.
    world.write("elsewhere.yaml", &criterion("three"));
    std::fs::remove_file(world.path("rules/rules.yaml")).unwrap();
    std::os::unix::fs::symlink(world.path("elsewhere.yaml"), world.path("rules/rules.yaml"))
        .unwrap();
    awaits(&world, &["three"]);
    world.write("rules/more.yaml", &criterion("four"));
    awaits(&world, &["four", "three"]);

    world.write(
        "rules/more.yaml",
        "criteria: [{name: five, on: requst, decision: hold}]\n",
    );
    until("the fault is told", PATIENCE, || {
        (metric(&world, SUCCESSFUL) == 0.0).then_some(())
    });
    assert_eq!(
        criteria(&world),
        ["four", "three"],
        "faulty rules must not come into force"
    );
    // Two more changes of another file: the faulty one is told again with each, but not with each look.
    let settings = std::fs::read_to_string(world.path("afterword.yaml")).unwrap();
    world.write("afterword.yaml", &format!("{settings}# a remark\n"));
    until("the new content is read", PATIENCE, || {
        (metric(&world, "afterword_reload_failures_total") == 2.0).then_some(())
    });
    let log = std::fs::read_to_string(world.path("afterword.log")).unwrap();
    assert_eq!(
        log.matches("rules/more.yaml:1:29: unknown value `requst`")
            .count(),
        2,
        "{log}"
    );

    world.write("rules/more.yaml", &criterion("five"));
    awaits(&world, &["five", "three"]);
    assert_eq!(metric(&world, SUCCESSFUL), 1.0);
}
