#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use chrono::TimeDelta;

use super::PrecisionCounter;
use crate::model::correction::{Answer, DismissReason, SnoozeUntil};
use crate::model::event::Severity;
use crate::model::id::{IncidentId, PostmortemId};
use crate::model::incident::{Announced, Reviewed};
use crate::model::ledger::{LedgerEntry, LedgerRecord, PostmortemRef};
use crate::model::lifecycle::ReviewState;
use crate::model::milestone::Milestones;
use crate::model::postmortem::PostmortemStatus;
use crate::model::time::Time;
use crate::model::verdict::{
    CriterionKind, Decision, Measure, Outcome, PostmortemForm, Unit, Verdict,
};
use crate::rules::parse;
use crate::trial::precision::report::{CriterionRecord, PrecisionReport};

fn at(minutes: i64) -> Time {
    Time::from_timestamp(1_767_603_600, 0).unwrap() + TimeDelta::minutes(minutes)
}

fn verdict(criterion: &str, outcome: Outcome, decision: Decision) -> Verdict {
    Verdict {
        criterion: criterion.trim_start_matches('~').to_owned(),
        on: if criterion == "asked" {
            CriterionKind::Request
        } else {
            CriterionKind::Degradation
        },
        outcome,
        decision,
        form: PostmortemForm::Meeting,
        shadow: criterion.starts_with('~'),
        measure: None,
        factors: Vec::new(),
        excluded: Vec::new(),
        evidence: Vec::new(),
        sentence: String::new(),
        would_change: String::new(),
    }
}

/// An incident suggested by these criteria (`~` marks a shadow), without an answer.
fn suggested(criteria: &[&str]) -> LedgerRecord {
    let live = criteria
        .iter()
        .filter(|name| !name.starts_with('~'))
        .map(|&name| name.to_owned())
        .collect();
    let entry = LedgerEntry {
        incident: IncidentId("i-1".to_owned()),
        closed_at: at(60),
        title: String::new(),
        services: Vec::new(),
        scope: Vec::new(),
        severity: Severity::Critical,
        environment: None,
        milestones: Milestones::default(),
        decision: Decision::Suggest,
        reasons: Vec::new(),
        verdicts: criteria
            .iter()
            .map(|name| verdict(name, Outcome::Met, Decision::Suggest))
            .collect(),
        announced: Some(Announced {
            limit: None,
            decision: Decision::Suggest,
            at: at(30),
            first_at: at(30),
            criteria: live,
            sentence: String::new(),
        }),
        review: None,
        standing: ReviewState::Suggested,
        reason: String::new(),
        requested_at: None,
        bundle: None,
    };
    LedgerRecord {
        entry,
        amended: None,
        postmortem: None,
        meeting: None,
        merged_into: None,
        reopened: false,
    }
}

/// An incident without an announcement; each criterion with its outcome.
fn quiet(verdicts: &[(&str, Outcome)]) -> LedgerRecord {
    let mut row = suggested(&[]);
    (row.entry.decision, row.entry.announced, row.entry.standing) =
        (Decision::None, None, ReviewState::None);
    row.entry.verdicts = verdicts
        .iter()
        .map(|(name, outcome)| verdict(name, *outcome, Decision::Suggest))
        .collect();
    row
}

fn answered(mut row: LedgerRecord, answer: Answer) -> LedgerRecord {
    let decision = row.entry.decided();
    row.entry.standing = match answer {
        Answer::Accept => ReviewState::Held,
        Answer::Dismiss { .. } => ReviewState::Dismissed,
        Answer::Snooze { .. } => ReviewState::Snoozed,
    };
    row.entry.review = Some(Reviewed {
        answer,
        at: at(90),
        by: None,
        comment: String::new(),
        decision,
    });
    row
}

fn dismissed(row: LedgerRecord, reason: DismissReason) -> LedgerRecord {
    answered(row, Answer::Dismiss { reason })
}

/// An incident held by that criterion, with a postmortem in that status.
fn held(criterion: &str, status: PostmortemStatus) -> LedgerRecord {
    let mut row = suggested(&[criterion]);
    row.entry.verdicts[0].decision = Decision::Hold;
    row.entry.announced.as_mut().unwrap().decision = Decision::Hold;
    row.entry.standing = ReviewState::Held;
    row.postmortem = Some(PostmortemRef {
        id: PostmortemId("pm-1".to_owned()),
        status,
        file: String::new(),
    });
    row
}

/// A person asks at that minute, and a postmortem is held for it.
fn requested(mut row: LedgerRecord, minutes: i64) -> LedgerRecord {
    row.entry.requested_at = Some(at(minutes));
    row.entry
        .verdicts
        .push(verdict("asked", Outcome::Met, Decision::Hold));
    let first_at = row
        .entry
        .announced
        .as_ref()
        .map_or(at(minutes), |announced| announced.first_at.min(at(minutes)));
    let criteria = vec!["asked".to_owned()];
    row.entry.announced = Some(Announced {
        limit: None,
        decision: Decision::Hold,
        at: at(minutes),
        first_at,
        criteria,
        sentence: String::new(),
    });
    row.entry.standing = ReviewState::Held;
    row
}

fn counted(rows: &[LedgerRecord]) -> PrecisionReport {
    let mut tally = PrecisionCounter::default();
    for row in rows {
        tally.take(
            row,
            row.became(row.asked_at().is_some_and(|asked| asked < at(0))),
        );
    }
    tally.end(&[])
}

fn of(rows: &[LedgerRecord], criterion: &str) -> CriterionRecord {
    let found = counted(rows);
    let record = found.criteria.iter().find(|record| {
        record.criterion == criterion.trim_start_matches('~')
            && record.shadow == criterion.starts_with('~')
    });
    record.unwrap_or_else(|| panic!("no {criterion}")).clone()
}

fn closest(record: &CriterionRecord) -> Option<(&str, f64)> {
    record
        .missed
        .closest
        .as_ref()
        .map(|closest| (closest.incident.0.as_str(), closest.measure.margin))
}

#[test]
fn answers_are_counted_for_and_against() {
    let accepted = || answered(suggested(&["long"]), Answer::Accept);
    let mut rows: Vec<LedgerRecord> = (0..7).map(|_| accepted()).collect();
    rows.extend(
        [DismissReason::TooSmall, DismissReason::Noise]
            .map(|reason| dismissed(suggested(&["long"]), reason)),
    );
    let record = of(&rows, "long");
    assert_eq!(
        (record.met, record.suggested.accepted, record.precision().of),
        (9, 7, 9)
    );
    assert_eq!(
        record.sentence(),
        "7 of 9 answered suggestions were accepted (45 % to 94 %)."
    );
    rows.extend(
        [
            DismissReason::Planned,
            DismissReason::Test,
            DismissReason::Duplicate,
        ]
        .map(|reason| dismissed(suggested(&["long"]), reason)),
    );
    let record = of(&rows, "long");
    assert_eq!((record.precision().of, record.of_all_answers().of), (9, 12));
    assert_eq!(
        record.sentence(),
        "7 of 9 answered suggestions were accepted (45 % to 94 %). 3 were dismissed as planned, a test, a duplicate, which says nothing about the \
         criterion; with them, 7 of 12 were accepted (32 % to 81 %)."
    );
    rows.push(dismissed(suggested(&["long"]), DismissReason::Other));
    assert_eq!(
        of(&rows, "long").precision().of,
        10,
        "who gives no other reason did not want it"
    );
}

#[test]
fn few_answers_tell_nothing() {
    let one = [answered(suggested(&["long"]), Answer::Accept)];
    assert_eq!(
        of(&one, "long").sentence(),
        "1 of 1 answered suggestions was accepted: too few to tell."
    );
    let aside = [dismissed(
        suggested(&["long"]),
        DismissReason::AlreadyCovered,
    )];
    assert_eq!(
        of(&aside, "long").sentence(),
        "No answer counts for or against it. 1 was dismissed as already covered, which says nothing about the criterion."
    );
    assert_eq!(
        of(&[suggested(&["long"])], "long").sentence(),
        "No answers yet."
    );
}

#[test]
fn unanswered_suggestion_counts_neither_way() {
    let mut lapsed = suggested(&["long"]);
    lapsed.entry.announced.as_mut().unwrap().at = at(-9);
    let snoozed = answered(
        suggested(&["long"]),
        Answer::Snooze {
            until: SnoozeUntil::NextWorkingDay,
        },
    );
    let mut bundled = suggested(&["long"]);
    bundled.entry.bundle = Some(IncidentId("i-0".to_owned()));
    let mut merged = suggested(&["long"]);
    merged.merged_into = Some(IncidentId("i-0".to_owned()));
    let rows = [lapsed, snoozed, suggested(&["long"]), bundled, merged];
    let record = of(&rows, "long");
    assert_eq!(
        (
            record.suggested.lapsed,
            record.suggested.waiting,
            record.suggested.bundled,
            record.precision().of
        ),
        (1, 2, 1, 0)
    );
    assert_eq!(
        (record.met, counted(&rows).incidents),
        (4, 4),
        "what fell together with another is counted there"
    );
}

#[test]
fn held_ones_are_counted_by_what_came_of_them() {
    let declined = dismissed(
        held("hard", PostmortemStatus::Declined),
        DismissReason::Duplicate,
    );
    let rows = [
        held("hard", PostmortemStatus::Completed),
        held("hard", PostmortemStatus::InDiscussion),
        declined,
    ];
    let record = of(&rows, "hard");
    assert_eq!(
        (
            record.held.completed,
            record.held.open,
            record.held.declined
        ),
        (1, 1, 1)
    );
    assert_eq!(
        record.held.dismissed,
        [(DismissReason::Duplicate, 1)].into()
    );
    assert_eq!(record.precision().of, 0);
}

#[test]
fn an_answer_stays_one_to_the_suggestion_when_a_hold_comes_later() {
    let mut rose = answered(suggested(&["long"]), Answer::Accept);
    rose.entry
        .verdicts
        .push(verdict("hard", Outcome::Met, Decision::Hold));
    let announced = rose.entry.announced.as_mut().unwrap();
    (announced.decision, announced.criteria) = (Decision::Hold, vec!["hard".to_owned()]);
    let (long, hard) = (of(&[rose.clone()], "long"), of(&[rose.clone()], "hard"));
    assert_eq!(
        (
            long.suggested.accepted,
            hard.suggested.accepted,
            hard.held.open
        ),
        (1, 0, 1)
    );
    // Without an answer it does not count as suggested.
    rose.entry.review = None;
    let long = of(&[rose], "long");
    assert_eq!((long.suggested.accepted, long.outranked), (0, 1));
}

#[test]
fn shadow_is_measured_by_answers_to_other_criteria() {
    let rows = [
        answered(suggested(&["long", "~tried"]), Answer::Accept),
        dismissed(suggested(&["long", "~tried"]), DismissReason::Noise),
        quiet(&[("long", Outcome::NotMet), ("~tried", Outcome::Met)]),
        quiet(&[("long", Outcome::NotMet), ("~tried", Outcome::Unknown)]),
        quiet(&[("long", Outcome::NotMet), ("~tried", Outcome::NotMet)]),
    ];
    let record = of(&rows, "~tried");
    assert_eq!(
        (
            record.met,
            record.unknown,
            record.precision().right,
            record.precision().of,
            record.unasked
        ),
        (3, 1, 1, 2, 2)
    );
    let words =
        "1 of 2 matching incidents suggested by other criteria was accepted: too few to tell.";
    assert_eq!(record.sentence(), words);
}

#[test]
fn requested_incident_without_suggestion_counts_as_missed() {
    let measured = |id: &str, observed: f64, outcome| {
        let mut row = quiet(&[("long", outcome), ("~tried", Outcome::Met)]);
        row.entry.incident = IncidentId(id.to_owned());
        row.entry.verdicts[0].measure = Some(Measure::new(
            observed,
            observed.max(1000.0),
            1800.0,
            Unit::Seconds,
        ));
        requested(row, 40)
    };
    let rows = [
        measured("i-a", 1000.0, Outcome::NotMet),
        measured("i-b", 1500.0, Outcome::NotMet),
        measured("i-c", 10.0, Outcome::Unknown),
    ];
    let found = counted(&rows);
    assert_eq!((found.requested, found.missed), (3, 3));
    let long = of(&rows, "long");
    assert_eq!(
        (long.missed.not_met, long.missed.unknown, closest(&long)),
        (2, 1, Some(("i-b", -300.0)))
    );
    assert_eq!(of(&rows, "~tried").missed.caught, 3);
    assert_eq!(
        of(&rows, "asked").missed,
        super::report::MissCounts::default(),
        "a request is no miss of itself"
    );
    assert_eq!(
        found.sentence(),
        "People asked for a postmortem on 3 incidents; no other criterion had suggested or opened 3 of them."
    );

    // Suggested before, or met by itself later: the request was not needed.
    let seen = [
        requested(suggested(&["long"]), 40),
        requested(suggested(&["long"]), 20),
    ];
    assert_eq!((counted(&seen).requested, counted(&seen).missed), (2, 0));
    // Suggested for an unknown outcome at resolution; the hold has replaced it in the announcement.
    let mut unknown = suggested(&["long"]);
    unknown.entry.verdicts[0].outcome = Outcome::Unknown;
    assert_eq!(counted(&[requested(unknown.clone(), 40)]).missed, 0);
    unknown.entry.announced = None;
    assert_eq!(counted(&[requested(unknown, 40)]).missed, 1);
}

#[test]
fn latest_answer_counts_and_criteria_follow_the_rules() {
    let mut late = suggested(&["long", "gone"]);
    late.amended = Some((at(90), answered(late.clone(), Answer::Accept).entry));
    let rules = "criteria: [{name: new, on: outage, decision: hold}, {name: long, on: degradation, longest: 30m, decision: hold}]";
    let rules = parse::load(&[("r.yaml".to_owned(), rules.to_owned())]).unwrap();
    let mut tally = PrecisionCounter::default();
    tally.take(&late, late.became(false));
    let found = tally.end(&rules.criteria);
    let told: Vec<_> = found
        .criteria
        .iter()
        .map(|record| {
            (
                record.criterion.as_str(),
                record.in_force,
                record.suggested.accepted,
            )
        })
        .collect();
    assert_eq!(
        told,
        [("new", true, 0), ("long", true, 1), ("gone", false, 1)]
    );
    assert_eq!(
        found.criteria[1].decision,
        Decision::Hold,
        "as the rules have it now"
    );
}
