//! Figures in the documentation for the public incident histories, checked against the program.

use serde_json::Value;

use crate::harness::{World, repository};

const HISTORIES: [(&str, &str); 3] = [
    ("GitHub", "github"),
    ("Google Cloud", "gcp"),
    ("Jenkins", "jenkins"),
];

#[test]
fn documented_numbers_match_the_backtests() {
    let page = std::fs::read_to_string(repository().join("docs/backtest.md")).unwrap();
    let world = World::new();
    let examples = repository().join("examples/histories");
    let place = |name: &str| examples.join(name).display().to_string();
    for (name, file) in HISTORIES {
        let events = place(&format!("{file}.jsonl"));
        let (sooner, policy) = (place("sooner"), place("policy"));
        let asked = [
            "backtest",
            "--events",
            &events,
            "--rules",
            &sooner,
            "--against",
            &policy,
            "--format",
            "json",
        ];
        let report: Value = serde_json::from_str(&world.run(&asked).said).unwrap();
        assert_eq!(
            report["notes"],
            serde_json::json!([]),
            "every line is taken"
        );
        let (before, after) = (&report["before"], &report["after"]);
        let row = format!(
            "| {name} | {} | {} | {} | {} | {} |",
            after["incidents"],
            before["held"],
            after["held"],
            before["suggested"],
            after["suggested"]
        );
        assert!(page.contains(&row), "{row}");
        let written = |row: &&Value| row["title"].as_str().unwrap().ends_with("(written up)");
        let incidents = report["incidents"].as_array().unwrap();
        let held: Vec<&Value> = incidents
            .iter()
            .filter(|row| row["before"] == "hold")
            .collect();
        let right = held.iter().copied().filter(|row| written(row)).count();
        if right > 0 {
            assert!(
                page.contains(&format!("| {name} | "))
                    && page.contains(&format!("| {right} of {} (", held.len())),
                "{right} of {}",
                held.len()
            );
        }
    }
}
