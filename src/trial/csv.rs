//! Backtest report as CSV, one row per incident.

use super::comparison::{BacktestReport, IncidentComparison};
use crate::model::time::Time;
use crate::model::verdict::Decision;

const HEADER: [&str; 12] = [
    "change",
    "incident",
    "began",
    "services",
    "title",
    "before",
    "before_criteria",
    "after",
    "after_criteria",
    "decided_at",
    "why",
    "bundled_into",
];

/// The report's incidents.
#[must_use]
pub(crate) fn csv(report: &BacktestReport) -> String {
    let rows = report.incidents.iter().map(row);
    String::from_utf8(lines(
        std::iter::once(HEADER.map(str::to_owned)).chain(rows),
    ))
    .unwrap_or_default()
}

/// Rows as CSV (RFC 4180).
#[must_use]
pub(crate) fn lines<const N: usize>(rows: impl Iterator<Item = [String; N]>) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        // Writing to memory cannot fail, and all rows have one length.
        let _ = writer.write_record(row.map(harmless));
    }
    writer.into_inner().unwrap_or_default()
}

/// Prefixes a cell that spreadsheets would run as a formula with an apostrophe (OWASP, CSV
/// injection).
fn harmless(cell: String) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']) {
        format!("'{cell}")
    } else {
        cell
    }
}

fn row(compared: &IncidentComparison) -> [String; 12] {
    let IncidentComparison {
        shift,
        before,
        before_criteria,
        case,
    } = compared;
    let time = |at: Time| at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    [
        serde_json::to_string(shift)
            .unwrap_or_default()
            .trim_matches('"')
            .to_owned(),
        case.incident.to_string(),
        time(case.began),
        case.services.join("; "),
        case.title.clone(),
        decided(before).to_owned(),
        before_criteria.join("; "),
        decided(&case.decision).to_owned(),
        case.criteria.join("; "),
        case.decided_at.map(time).unwrap_or_default(),
        case.sentence.clone(),
        case.bundle
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
    ]
}

/// The label of a decision.
#[must_use]
pub(crate) fn decided(decision: &Decision) -> &'static str {
    match decision {
        Decision::None => "none",
        Decision::Suggest => "suggest",
        Decision::Hold => "hold",
    }
}

#[cfg(test)]
mod tests {
    use super::harmless;

    #[test]
    fn formula_cells_are_escaped() {
        for hostile in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"] {
            assert_eq!(harmless(hostile.to_owned()), format!("'{hostile}"));
        }
        for plain in ["", "a=1", "2026-11-23", "'=1"] {
            assert_eq!(harmless(plain.to_owned()), plain);
        }
    }
}
