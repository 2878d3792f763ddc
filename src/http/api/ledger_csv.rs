//! The ledger as a table for spreadsheets: CSV (RFC 4180), UTF-8, one header row.
//!
//! ```text
//! incident,closed_at,title,…
//! i-3f2a91c0de,2026-11-23T11:21:00Z,HighErrorRate,…
//! ```

use chrono::SecondsFormat;

use crate::app::ledger::LedgerRow;
use crate::model::correction::Answer;
use crate::model::milestone::Milestone;
use crate::model::time::Time;
use crate::model::verdict::{Decision, Exclusion};
use crate::trial::csv::lines;

/// Column names. New columns are appended; none is renamed or moved.
pub(crate) const COLUMNS: [&str; 37] = [
    "incident",
    "closed_at",
    "title",
    "services",
    "owners",
    "severity",
    "environment",
    "began_at",
    "detected_at",
    "acknowledged_at",
    "mitigated_at",
    "resolved_at",
    "detect_seconds",
    "acknowledge_seconds",
    "mitigate_seconds",
    "resolve_seconds",
    "duration_seconds",
    "decision",
    "decided_at",
    "criteria",
    "reason",
    "answer",
    "answer_reason",
    "answered_at",
    "answered_by",
    "answer_comment",
    "became",
    "postmortem",
    "postmortem_path",
    "meeting_at",
    "bundled_into",
    "merged_into",
    "requested_at",
    "amended_at",
    "decision_at_closing",
    "shadows",
    "excluded",
];

/// Header row as CSV.
pub(crate) fn header_row() -> Vec<u8> {
    lines(std::iter::once(COLUMNS.map(str::to_owned)))
}

/// One line per entry in its latest state.
pub(crate) fn rows(rows: &[LedgerRow]) -> Vec<u8> {
    lines(rows.iter().map(cells))
}

fn cells(row: &LedgerRow) -> [String; COLUMNS.len()] {
    let (ledgered, entry) = (&row.ledgered, row.ledgered.latest());
    let milestones = &entry.milestones;
    let at = |milestone: &Option<Milestone>| milestone.as_ref().map(|milestone| milestone.at);
    let began = at(&milestones.began);
    let detected = at(&milestones.detected);
    // Empty if either end is unknown, or if they contradict each other.
    let between = |from: Option<Time>, to: &Option<Milestone>| {
        let seconds = at(to).zip(from).map(|(to, from)| (to - from).num_seconds());
        seconds
            .filter(|seconds| *seconds >= 0)
            .map(|seconds| seconds.to_string())
            .unwrap_or_default()
    };
    let review = entry.review.as_ref();
    let (answer, reason) = match review.map(|review| review.answer) {
        None => ("", String::new()),
        Some(Answer::Accept) => ("accept", String::new()),
        Some(Answer::Dismiss { reason }) => ("dismiss", wire_name(&reason)),
        Some(Answer::Snooze { until }) => ("snooze", wire_name(&until)),
    };
    let announced = entry.announced.as_ref();
    let shadows = entry
        .shadows()
        .map(|(verdict, would_have)| format!("{}: {}", verdict.criterion, wire_name(&would_have)));
    let excluded = entry.verdicts.iter().flat_map(|verdict| {
        let of = |excluded: &Exclusion| {
            let seconds = excluded.seconds;
            format!("{}: {seconds:.0}s {}", verdict.criterion, excluded.why)
        };
        verdict.excluded.iter().map(of)
    });
    let named =
        |id: Option<&crate::model::id::IncidentId>| id.map(|id| id.0.clone()).unwrap_or_default();
    [
        entry.incident.0.clone(),
        time(ledgered.entry.closed_at),
        entry.title.clone(),
        entry.services.join("; "),
        entry.scope.join("; "),
        wire_name(&entry.severity),
        entry.environment.clone().unwrap_or_default(),
        time_if_any(began),
        time_if_any(detected),
        time_if_any(at(&milestones.acknowledged)),
        time_if_any(at(&milestones.mitigated)),
        time_if_any(at(&milestones.resolved)),
        between(began, &milestones.detected),
        between(detected, &milestones.acknowledged),
        between(detected, &milestones.mitigated),
        between(detected, &milestones.resolved),
        between(began, &milestones.resolved),
        wire_name(&entry.decided()),
        time_if_any(announced.map(|announced| announced.at)),
        announced
            .map(|announced| announced.criteria.join("; "))
            .unwrap_or_default(),
        entry.reason.clone(),
        answer.to_owned(),
        reason,
        time_if_any(review.map(|review| review.at)),
        review
            .and_then(|review| review.by.clone())
            .unwrap_or_default(),
        review
            .map(|review| review.comment.clone())
            .unwrap_or_default(),
        wire_name(&row.became),
        ledgered
            .postmortem
            .as_ref()
            .map(|postmortem| postmortem.id.0.clone())
            .unwrap_or_default(),
        row.path
            .as_ref()
            .map(|path| path.display().to_string())
            .unwrap_or_default(),
        time_if_any(
            ledgered
                .meeting
                .filter(|meeting| !meeting.cancelled)
                .map(|meeting| meeting.starts_at),
        ),
        named(entry.bundle.as_ref()),
        named(ledgered.merged_into.as_ref()),
        time_if_any(entry.requested_at),
        time_if_any(ledgered.amended.as_ref().map(|(at, _)| *at)),
        wire_name(
            &ledgered
                .entry
                .announced
                .as_ref()
                .map_or(Decision::None, |announced| announced.decision),
        ),
        shadows.collect::<Vec<_>>().join("; "),
        excluded.collect::<Vec<_>>().join("; "),
    ]
}

fn time(at: Time) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

fn time_if_any(at: Option<Time>) -> String {
    at.map(time).unwrap_or_default()
}

/// Name of an enum value in JSON.
fn wire_name(of: &impl serde::Serialize) -> String {
    serde_json::to_value(of)
        .ok()
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use std::path::PathBuf;

    use csv::ReaderBuilder;

    use super::{COLUMNS, header_row, rows};
    use crate::app::ledger::LedgerRow;
    use crate::http::pages::sample;

    fn read(entries: &[LedgerRow]) -> Vec<Vec<String>> {
        let text = [header_row(), rows(entries)].concat();
        let read = ReaderBuilder::new()
            .has_headers(false)
            .from_reader(text.as_slice())
            .into_records();
        read.map(|row| row.unwrap().iter().map(str::to_owned).collect())
            .collect()
    }

    fn cell<'a>(table: &'a [Vec<String>], row: usize, column: &str) -> &'a str {
        &table[row][COLUMNS.iter().position(|name| *name == column).unwrap()]
    }

    #[test]
    fn each_entry_is_a_line_that_is_read_back() {
        let mut entries = sample::ledger::rows();
        entries[0].ledgered.entry.title =
            "=HYPERLINK(\"https://x\";\"y\"),\nline two, ö".to_owned();
        entries[0].path = Some(PathBuf::from("@a.md"));
        let table = read(&entries);
        assert_eq!(
            (table.len(), &table[0][..]),
            (5, &COLUMNS.map(str::to_owned)[..])
        );
        for (row, column, expected) in [
            (1, "incident", "i-3f2a91c0de"),
            (1, "closed_at", "2026-11-23T11:22:00Z"),
            (1, "title", "'=HYPERLINK(\"https://x\";\"y\"),\nline two, ö"),
            (1, "services", "checkout; payments"),
            (1, "duration_seconds", "2820"),
            (1, "decision", "suggest"),
            (1, "criteria", "critical-alerts; fixed-by-hand"),
            (1, "answer", ""),
            (1, "became", "completed"),
            (1, "postmortem", "pm-3f2a91c0de"),
            (1, "postmortem_path", "'@a.md"),
            (1, "meeting_at", "2026-11-24T09:00:00Z"),
            (1, "shadows", "tried: suggest"),
            (2, "answer", "dismiss"),
            (2, "answer_reason", "too_small"),
            (2, "answered_by", "ada"),
            (2, "amended_at", "2026-11-23T12:02:00Z"),
            (3, "bundled_into", "i-0"),
            (4, "merged_into", "i-9"),
        ] {
            assert_eq!(cell(&table, row, column), expected, "{column} of {row}");
        }
    }

    #[test]
    fn every_column_is_documented_in_order() {
        let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/ledger.md"))
            .unwrap();
        let told = page
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
            .map(|(name, _)| name);
        assert_eq!(told.collect::<Vec<_>>(), COLUMNS);
    }
}
