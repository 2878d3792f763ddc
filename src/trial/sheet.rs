//! A report as a sheet: CSV for spreadsheets and scripts, one row an incident.

use super::report::{Compared, Report};
use crate::model::Time;
use crate::model::incident::Decision;

const HEADER: [&str; 11] =
    ["change", "incident", "began", "services", "title", "before", "before_criteria", "after", "after_criteria", "decided_at", "why"];

/// The report's incidents.
#[must_use]
pub fn csv(report: &Report) -> String {
    let mut out = csv::Writer::from_writer(Vec::new());
    // Writing to memory does not fail.
    let mut write = |row: &[String]| drop(out.write_record(row));
    write(&HEADER.map(str::to_owned));
    for compared in &report.incidents {
        write(&row(compared));
    }
    String::from_utf8(out.into_inner().unwrap_or_default()).unwrap_or_default()
}

fn row(compared: &Compared) -> [String; 11] {
    let Compared { shift, before, before_criteria, case } = compared;
    let time = |at: Time| at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    [
        serde_json::to_string(shift).unwrap_or_default().trim_matches('"').to_owned(),
        case.incident.to_string(),
        time(case.began),
        cell(&case.services.join(" ")),
        cell(&case.title),
        decided(*before).to_owned(),
        cell(&before_criteria.join(" ")),
        decided(case.decision).to_owned(),
        cell(&case.criteria.join(" ")),
        case.decided_at.map(time).unwrap_or_default(),
        cell(&case.sentence),
    ]
}

/// The word for a decision.
#[must_use]
pub fn decided(decision: Decision) -> &'static str {
    match decision {
        Decision::None => "none",
        Decision::Suggest => "suggest",
        Decision::Hold => "hold",
    }
}

/// A text that a spreadsheet would take for a formula is one no longer.
#[must_use]
pub fn cell(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    if formula { format!("'{text}") } else { text.to_owned() }
}
