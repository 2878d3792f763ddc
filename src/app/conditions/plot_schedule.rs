//! Schedule of plots: selects the conditions of incidents whose plot is missing or out of date.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;

use crate::model::id::IncidentId;
use crate::model::incident::Incident;
use crate::model::lifecycle::Phase;
use crate::model::milestone::MilestoneKind;
use crate::model::signal::SignalKind;
use crate::model::time::Time;
use crate::store::database::Store;
use crate::store::error::StoreError;

/// Minimum interval between redraws. Longer plots are redrawn after 1/[`PARTS`] of their range,
/// so that long incidents cost less.
const EARLIEST: TimeDelta = TimeDelta::seconds(60);
const PARTS: i32 = 20;
/// Margin before and after the signals: at least this long, and at least one part in
/// [`AROUND_PARTS`] of the range.
const AROUND: TimeDelta = TimeDelta::minutes(5);
const AROUND_PARTS: i32 = 4;
/// Time after its last change for which a closed incident is still checked.
const LOOKED_AT: TimeDelta = TimeDelta::days(1);

/// Incidents with no plot due, by their last change and the time of the next check. `None`: not
/// until they change.
pub(crate) type Rests = BTreeMap<IncidentId, (Time, Option<Time>)>;

/// Lists incidents that have a due plot among these conditions, each with those conditions.
///
/// # Errors
/// When the store cannot be read.
pub(crate) fn due_plots(
    store: &Store,
    names: &BTreeSet<String>,
    now: Time,
    rests: &mut Rests,
) -> Result<Vec<(Incident, Vec<String>)>, StoreError> {
    let found = store.incidents_with_conditions(now - LOOKED_AT)?;
    let known: BTreeSet<&IncidentId> = found.iter().map(|(id, _)| id).collect();
    rests.retain(|id, _| known.contains(id));
    let mut due = Vec::new();
    for (id, changed) in &found {
        if rests
            .get(id)
            .is_some_and(|(seen, until)| seen == changed && until.is_none_or(|until| now < until))
        {
            continue;
        }
        let Some(incident) = store.incident(&id.0)? else {
            continue;
        };
        let shown: BTreeSet<&str> = condition_names(&incident)
            .filter(|name| names.contains(*name))
            .collect();
        let drawn = if shown.is_empty() {
            BTreeMap::new()
        } else {
            store.drawn_at(id)?
        };
        let outdated = outdated(store, &incident, &drawn)?;
        let (from, to) = plot_range(&incident, now);
        let wait = ((to - from) / PARTS).max(EARLIEST);
        let closed = incident.phase == Phase::Closed;
        let is_due = |name: &str| match drawn.get(name) {
            None => true,
            // Once: a source that gives no values any more leaves the plot as it is.
            Some(at) if outdated.contains(name) && at < changed => true,
            Some(at) if closed => *at < incident.phase_since,
            Some(at) => (now - *at).abs() >= wait,
        };
        let wanted: Vec<String> = shown
            .iter()
            .filter(|name| is_due(name))
            .map(|name| (*name).to_owned())
            .collect();
        if wanted.is_empty() {
            let next = shown
                .iter()
                .filter_map(|name| Some(*drawn.get(*name)? + wait))
                .min();
            rests.insert(id.clone(), (*changed, next.filter(|_| !closed)));
        } else {
            due.push((incident, wanted));
        }
    }
    Ok(due)
}

/// Plots drawn before a milestone was corrected.
fn outdated(
    store: &Store,
    incident: &Incident,
    drawn: &BTreeMap<String, Time>,
) -> Result<BTreeSet<String>, StoreError> {
    if drawn.is_empty() {
        return Ok(BTreeSet::new());
    }
    let outlines = store.plot_headers(&incident.id)?;
    Ok(outlines
        .into_iter()
        .map(|outline| outline.plot)
        .filter(|plot| plot.milestones != milestones_within(incident, plot.from, plot.to))
        .map(|plot| plot.condition)
        .collect())
}

/// The milestones of an incident within the range of a plot, in the order of time.
pub(crate) fn milestones_within(
    incident: &Incident,
    from: Time,
    to: Time,
) -> Vec<(MilestoneKind, Time)> {
    let known = &incident.milestones;
    let milestones = [
        (MilestoneKind::Began, &known.began),
        (MilestoneKind::Detected, &known.detected),
        (MilestoneKind::Acknowledged, &known.acknowledged),
        (MilestoneKind::Mitigated, &known.mitigated),
        (MilestoneKind::Resolved, &known.resolved),
    ];
    let mut milestones: Vec<(MilestoneKind, Time)> = milestones
        .into_iter()
        .filter_map(|(kind, milestone)| Some((kind, milestone.as_ref()?.at)))
        .filter(|(_, at)| (from..=to).contains(at))
        .collect();
    milestones.sort_by_key(|(_, at)| *at);
    milestones
}

fn condition_names(incident: &Incident) -> impl Iterator<Item = &str> {
    incident
        .signals
        .iter()
        .filter(|signal| signal.kind == SignalKind::Condition)
        .map(|signal| &*signal.name)
}

/// Time range of an incident's plots: from its first to its last signal, with a margin.
pub(crate) fn plot_range(incident: &Incident, now: Time) -> (Time, Time) {
    let spans = || incident.signals.iter().flat_map(|signal| &signal.spans);
    let first = spans().map(|span| span.start).min();
    let first = first
        .or_else(|| {
            incident
                .members
                .iter()
                .map(|member| member.event.occurred_at)
                .min()
        })
        .unwrap_or(now);
    let last = spans()
        .map(|span| span.end.unwrap_or(now))
        .max()
        .unwrap_or(now)
        .clamp(first, now.max(first));
    let around = ((last - first) / AROUND_PARTS).max(AROUND);
    (first - around, (last + around).min(now.max(last)))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use std::collections::BTreeSet;
    use std::sync::Arc;

    use super::{Incident, IncidentId, Phase, Rests, SignalKind, Store, Time, due_plots};
    use crate::model::event::{Event, Fact, Note, Severity};
    use crate::model::lifecycle::ReviewState;
    use crate::model::milestone::{Certainty, Milestone, Milestones};
    use crate::model::plot::Plot;
    use crate::model::signal::{Signal, SignalClass};
    use crate::model::spans::{Span, SpanState};
    use crate::model::verdict::Decision;
    use crate::store::apply::Changes;
    use crate::store::plot::StoredPlot;

    fn at(second: i64) -> Time {
        Time::from_timestamp(1_800_000_000 + second, 0).unwrap()
    }

    fn incident(revision: u64, phase: Phase, phase_since: i64) -> Incident {
        let event = Event::new(
            "prom",
            at(0),
            Fact::Note(Note {
                text: "x".to_owned(),
            }),
        );
        let sort = SignalClass {
            kind: SignalKind::Condition,
            name: "errors".into(),
            severity: Severity::Critical,
            service: None,
            environment: None,
            role: None,
        };
        let span = Span {
            start: at(0),
            end: None,
            state: SpanState::Degraded,
        };
        Incident {
            id: IncidentId("i-1".to_owned()),
            revision,
            title: String::new(),
            services: Vec::new(),
            unassigned: None,
            scope: Vec::new(),
            severity: Severity::Critical,
            environment: None,
            milestones: Milestones::default(),
            phase,
            phase_since: at(phase_since),
            signals: vec![Signal {
                subject: event.subject,
                sort: sort.into(),
                spans: vec![span].into(),
                event: event.id,
            }],
            members: Vec::new().into(),
            rollbacks: Vec::new(),
            verdicts: Vec::new(),
            decision: Decision::None,
            form: None,
            announced: None,
            review: None,
            standing: ReviewState::None,
            reason: String::new(),
            bundle: None,
            identities: Default::default(),
        }
    }

    /// Store with the schedule under test.
    struct Desk {
        store: Store,
        rests: Rests,
        _dir: tempfile::TempDir,
    }

    impl Desk {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let store = Store::open(&dir.path().join("afterword.db"), at(0)).unwrap();
            Self {
                store,
                rests: Rests::default(),
                _dir: dir,
            }
        }

        fn changes(&self, now: i64, incident: Incident) {
            let head = self.store.head().unwrap();
            let changes = Changes {
                incidents: vec![Arc::new(incident)],
                now: at(now),
                ..Changes::default()
            };
            self.store
                .apply(head.epoch, head.applied, head.applied, &changes)
                .unwrap();
        }

        fn draws(&self, now: i64) {
            let plot = Plot {
                condition: "errors".to_owned(),
                service: String::new(),
                query: String::new(),
                from: at(0),
                to: at(now),
                lines: Vec::new(),
                bounds: Vec::new(),
                spans: Vec::new(),
                milestones: Vec::new(),
                left_out: 0,
            };
            self.store
                .save_plots(
                    &IncidentId("i-1".to_owned()),
                    &[StoredPlot {
                        plot,
                        svg: String::new(),
                        at: at(now),
                    }],
                )
                .unwrap();
        }

        #[track_caller]
        fn check(&mut self, now: i64, is_due: bool) {
            let names = BTreeSet::from(["errors".to_owned()]);
            assert_eq!(
                !due_plots(&self.store, &names, at(now), &mut self.rests)
                    .unwrap()
                    .is_empty(),
                is_due,
                "after {now} s"
            );
        }
    }

    #[test]
    fn an_incident_is_drawn_now_and_then_and_when_it_is_closed() {
        let mut desk = Desk::new();
        desk.check(0, false);
        desk.changes(10, incident(1, Phase::Active, 10));
        desk.check(10, true);
        desk.check(20, true);
        desk.draws(20);
        desk.check(30, false);
        desk.check(79, false);
        desk.check(80, true);
        desk.draws(80);
        desk.check(90, false);
        desk.changes(100, incident(2, Phase::Closed, 100));
        desk.check(100, true);
        desk.draws(101);
        desk.check(110, false);
        assert_eq!(
            desk.rests.values().collect::<Vec<_>>(),
            [&(at(100), None)],
            "it is not read again"
        );
        desk.changes(5_000, incident(3, Phase::Closed, 4_000));
        desk.check(5_000, true);
        desk.draws(5_000);
        desk.check(200_000, false);
        assert!(desk.rests.is_empty(), "it is forgotten");
    }

    #[test]
    fn corrected_milestone_is_drawn_even_when_closed() {
        let mut desk = Desk::new();
        let mut closed = incident(2, Phase::Closed, 100);
        desk.changes(100, closed.clone());
        desk.draws(101);
        desk.check(110, false);
        closed.milestones.mitigated = Some(Milestone {
            at: at(50),
            certainty: Certainty::Stated,
            source: None,
        });
        desk.changes(200, closed);
        desk.check(200, true);
    }

    #[test]
    fn condition_of_another_entry_is_not_due() {
        let mut desk = Desk::new();
        desk.changes(10, incident(1, Phase::Active, 10));
        let names = BTreeSet::from(["latency".to_owned()]);
        assert_eq!(
            due_plots(&desk.store, &names, at(10), &mut desk.rests).unwrap(),
            []
        );
        assert_eq!(desk.rests.values().collect::<Vec<_>>(), [&(at(10), None)]);
    }
}
