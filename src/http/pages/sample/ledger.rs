//! Ledger entries with every outcome, and the precision of criteria.

use std::path::PathBuf;

use super::model::{at, incident, meeting, postmortem};
use crate::app::ledger::LedgerRow;
use crate::http::pages::ledger::{LedgerInput, LedgerView};
use crate::model::correction::{Answer, DismissReason};
use crate::model::directory::Directory;
use crate::model::id::IncidentId;
use crate::model::incident::Reviewed;
use crate::model::ledger::{Disposition, LedgerEntry, LedgerRecord, MeetingRef, PostmortemRef};
use crate::model::lifecycle::{Phase, ReviewState};
use crate::model::postmortem::PostmortemStatus;
use crate::model::verdict::{CriterionKind, Decision, Measure, Outcome, Unit};
use crate::trial::precision::report::{
    ClosestMiss, CriterionRecord, HoldCounts, MissCounts, PrecisionReport, SuggestionCounts,
};

fn entry() -> LedgerEntry {
    let mut incident = incident();
    incident.phase = Phase::Closed;
    incident.phase_since = at(4800);
    let mut tried = incident.verdicts[0].clone();
    tried.criterion = "tried".to_owned();
    tried.shadow = true;
    incident.verdicts.push(tried);
    LedgerEntry::of(&incident)
}

fn row(entry: LedgerEntry) -> LedgerRow {
    let ledgered = LedgerRecord {
        entry,
        amended: None,
        postmortem: None,
        meeting: None,
        merged_into: None,
        reopened: false,
    };
    LedgerRow {
        became: ledgered.became(false),
        ledgered,
        path: None,
    }
}

/// Entries: completed, dismissed after closing, bundled and merged.
pub(crate) fn rows() -> Vec<LedgerRow> {
    let mut completed = row(entry());
    let filed = postmortem();
    completed.ledgered.postmortem = Some(PostmortemRef {
        id: filed.id,
        status: PostmortemStatus::Completed,
        file: filed.file,
    });
    completed.ledgered.meeting = Some(MeetingRef {
        starts_at: meeting().starts_at,
        cancelled: false,
    });
    completed.became = completed.ledgered.became(false);
    completed.path = Some(PathBuf::from("data/postmortems/a.md"));
    let mut dismissed = row(entry());
    let answer = Answer::Dismiss {
        reason: DismissReason::TooSmall,
    };
    let by = Some("ada".to_owned());
    let review = Reviewed {
        answer,
        at: at(7200),
        by,
        comment: "a <b> word".to_owned(),
        decision: Decision::Suggest,
    };
    let late = LedgerEntry {
        review: Some(review),
        standing: ReviewState::Dismissed,
        ..entry()
    };
    dismissed.ledgered.amended = Some((at(7200), late));
    dismissed.became = Disposition::Dismissed;
    let bundled = row(LedgerEntry {
        bundle: Some(IncidentId("i-0".to_owned())),
        ..entry()
    });
    let mut merged = row(entry());
    merged.ledgered.merged_into = Some(IncidentId("i-9".to_owned()));
    merged.became = merged.ledgered.became(false);
    vec![completed, dismissed, bundled, merged]
}

/// Ledger page with a filter.
pub(crate) fn ledger<'a>(who: &'a Directory, rows: &'a [LedgerRow]) -> LedgerView<'a> {
    LedgerView {
        rows,
        who,
        services: vec!["checkout".to_owned()],
        criteria: vec!["critical-alerts".to_owned()],
        asked: LedgerInput {
            service: "check out".to_owned(),
            decision: "suggest".to_owned(),
            ..LedgerInput::default()
        },
        csv: "/api/v1/ledger?service=check%20out&format=csv".to_owned(),
        older: Some("/ledger?before=i-3f2a91c0de".to_owned()),
    }
}

/// Criteria: with enough answers, with too few, a shadow, and one no longer in the rules.
pub(crate) fn precision() -> PrecisionReport {
    let record = |criterion: &str, shadow, in_force| CriterionRecord {
        criterion: criterion.to_owned(),
        shadow,
        in_force,
        on: CriterionKind::Degradation,
        decision: Decision::Suggest,
        met: 12,
        unknown: 1,
        suggested: SuggestionCounts::default(),
        held: HoldCounts::default(),
        outranked: 0,
        unasked: 0,
        missed: MissCounts::default(),
    };
    let enough = CriterionRecord {
        suggested: SuggestionCounts {
            accepted: 7,
            dismissed: [(DismissReason::TooSmall, 2), (DismissReason::Planned, 3)].into(),
            lapsed: 1,
            waiting: 1,
            bundled: 1,
        },
        missed: MissCounts {
            not_met: 2,
            unknown: 0,
            caught: 0,
            closest: Some(ClosestMiss {
                incident: IncidentId("i-7".to_owned()),
                measure: Measure::new(1440.0, 1440.0, 1800.0, Unit::Seconds),
            }),
        },
        ..record("a & b", false, true)
    };
    let few = CriterionRecord {
        suggested: SuggestionCounts {
            accepted: 3,
            ..SuggestionCounts::default()
        },
        ..record("few", false, true)
    };
    let shadow = CriterionRecord {
        unasked: 4,
        missed: MissCounts {
            caught: 1,
            ..MissCounts::default()
        },
        ..record("tried", true, true)
    };
    let held = HoldCounts {
        completed: 2,
        declined: 1,
        open: 1,
        bundled: 0,
        dismissed: [(DismissReason::Duplicate, 1)].into(),
    };
    let former = CriterionRecord {
        held,
        decision: Decision::Hold,
        ..record("former", false, false)
    };
    PrecisionReport {
        incidents: 40,
        requested: 5,
        missed: 2,
        criteria: vec![enough, few, shadow, former],
    }
}

#[test]
fn a_shadow_that_was_met_is_no_reason() {
    let entry = entry();
    let met = entry
        .verdicts
        .iter()
        .filter(|verdict| verdict.outcome == Outcome::Met)
        .count();
    assert_eq!((met, entry.reasons.len()), (3, 2));
    assert!(entry.rests_on("tried") && !entry.rests_on("declared-outage"));
}
