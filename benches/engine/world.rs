//! Open incidents and criteria of all kinds, from a fixed seed.

#![expect(clippy::unwrap_used, reason = "a panic is how a benchmark fails")]

use std::fmt::Write;

use afterword::engine::policy::Policy;
use afterword::engine::state::State;
use afterword::model::event::{
    Actor, ActorKind, Alert, AlertStatus, Condition, ConditionState, Declaration, EndReason, Event,
    Fact, Intervention, NearMissReport, PostmortemRequest, Severity,
};
use afterword::model::labels::Labels;
use afterword::model::lifecycle::Phase;
use afterword::model::settings::Service;
use afterword::model::time::Time;
use afterword::rules::parse;
use chrono::TimeDelta;

const NOT_PRODUCTION: &str =
    "!(incident.environment in [\"dev\", \"test\", \"staging\", \"drill\"])";

/// A state in which so many incidents are open, with what is in force.
pub(crate) struct World {
    pub(crate) state: State,
    pub(crate) policy: Policy,
    pub(crate) now: Time,
}

impl World {
    pub(crate) fn of(open: usize) -> Self {
        let rules = parse::load(&[("rules.yaml".to_owned(), rules())]).unwrap();
        assert_eq!(rules.criteria.len(), 50);
        let services: Vec<Service> = (0..open / 10).map(service).collect();
        let policy = Policy::new(rules, &services, &[]);
        let now = Time::from_timestamp(1_767_603_600, 0).unwrap();
        let mut dice = Dice(0x5eed);
        let mut state = State::default();
        let events = (0..open)
            .flat_map(|index| incident(index, now, &mut dice))
            .collect();
        state.apply(events, &policy, now);
        // A few have joined those of services that depend on theirs.
        let count = state
            .incidents()
            .filter(|incident| incident.phase == Phase::Active)
            .count();
        assert!(count * 100 >= open * 95, "{count} of {open} are open");
        Self { state, policy, now }
    }
}

/// The first tenth of the services is known, owned by 50 teams, and some depend on the next one.
fn service(index: usize) -> Service {
    Service {
        name: format!("service-{index}"),
        owners: vec![format!("team-{}", index % 50)],
        depends_on: if index.is_multiple_of(20) {
            vec![format!("service-{}", index + 1)]
        } else {
            Vec::new()
        },
        automatic: vec!["restart".to_owned(), "scale".to_owned()],
        ..Service::default()
    }
}

/// Fifty criteria, most of them about degradation as people write them.
pub(crate) fn rules() -> String {
    let mut text = String::from("criteria:\n");
    let mut add = |on: &str, index: usize, filter: &str, rest: &str| {
        let decision = if index.is_multiple_of(2) {
            "hold"
        } else {
            "suggest"
        };
        writeln!(text, "  - {{name: {on}-{index}, on: {on}, decision: {decision}, where: '{filter} && {NOT_PRODUCTION}'{rest}}}").unwrap();
    };
    for index in 0..6 {
        add(
            "outage",
            index,
            "signal.severity == \"critical\" && incident.services.exists(s, s.startsWith(\"service-1\"))",
            "",
        );
    }
    for index in 0..22 {
        let filter = [
            "signal.kind == \"condition\" && signal.severity == \"critical\"",
            "signal.kind == \"alert\" && signal.severity == \"critical\" && signal.role != \"cause\"",
            "signal.labels.team == \"team-7\" && incident.duration > 600",
            "has(signal.labels.zone) && signal.labels.zone == \"b\"",
        ][index % 4];
        let rest = [", longest: 30m", ", total: 1h, within: 24h"][index % 2];
        add("degradation", index, filter, rest);
    }
    for index in 0..8 {
        add(
            "intervention",
            index,
            "intervention.should_be_automatic && intervention.actor_kind == \"human\"",
            ", at_least: 1",
        );
    }
    for index in 0..4 {
        add(
            "request",
            index,
            "request.reason.contains(\"customer\")",
            "",
        );
    }
    for index in 0..5 {
        add(
            "near_miss",
            index,
            "near_miss.score > 5",
            ", quiet_for: 30d, at_most: 1 per 7d",
        );
    }
    for index in 0..5 {
        add(
            "recurrence",
            index,
            "incident.severity == \"critical\"",
            ", times: 3, within: 7d",
        );
    }
    text
}

/// SplitMix64.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: i64) -> i64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        i64::try_from((z ^ (z >> 31)) % sides.unsigned_abs()).unwrap()
    }
}

/// One to six signals of one service, the first of them on, and what people did about it.
fn incident(index: usize, now: Time, dice: &mut Dice) -> Vec<Event> {
    let began = now - TimeDelta::minutes(1 + dice.roll(180));
    let environment = [None, None, None, None, Some("staging"), Some("production")]
        [usize::try_from(dice.roll(6)).unwrap()];
    let event = |at: Time, fact: Fact| {
        let mut event = Event::new("bench", at.min(now), fact);
        event.service = Some(format!("service-{index}").into());
        event.environment = environment.map(str::to_owned).map(Into::into);
        event.identify();
        event
    };
    let mut events = Vec::new();
    for number in 0..=dice.roll(6) {
        let at = began + TimeDelta::minutes(number * 3);
        let severity = [
            Severity::Critical,
            Severity::Warning,
            Severity::Critical,
            Severity::Info,
        ][usize::try_from(dice.roll(4)).unwrap()];
        match dice.roll(10) {
            0 => {
                let state = if dice.roll(3) == 0 {
                    ConditionState::NearMiss
                } else {
                    ConditionState::Degraded
                };
                let name = format!("errors-{number}");
                events.push(event(
                    at,
                    Fact::Condition(Condition {
                        name,
                        state,
                        severity,
                        labels: labels(index, number).into(),
                        value: Some(0.1),
                        since: None,
                    }),
                ));
            }
            1 if number == 0 => events.push(event(
                at,
                Fact::Declaration(Declaration {
                    key: format!("outage-{index}"),
                    title: "Nobody can pay".to_owned(),
                    severity: Severity::Critical,
                    status: AlertStatus::Firing,
                    planned: false,
                    data_loss: None,
                    detected_by: None,
                }),
            )),
            roll => {
                let firing = alert(index, number, severity, at, None);
                events.push(event(at, firing));
                if roll < 5 && number > 0 {
                    let end = (at + TimeDelta::minutes(10)).min(now);
                    events.push(event(end, alert(index, number, severity, at, Some(end))));
                }
            }
        }
    }
    let later = began + TimeDelta::minutes(dice.roll(20));
    if dice.roll(10) < 3 {
        let action =
            ["restart", "failover", "scale"][usize::try_from(dice.roll(3)).unwrap()].to_owned();
        let step = Intervention {
            action,
            why: "it hung".to_owned(),
            stated: true,
            should_be_automatic: None,
            dry_run: false,
            refused: false,
            planned: false,
        };
        let mut step = event(later, Fact::Intervention(step));
        step.actor = Some(Box::new(Actor {
            id: format!("person-{}", dice.roll(40)),
            kind: ActorKind::Human,
        }));
        events.push(step);
    }
    if dice.roll(30) == 0 {
        events.push(event(
            later,
            Fact::Request(PostmortemRequest {
                reason: "a customer called".to_owned(),
                requester: None,
            }),
        ));
    }
    if dice.roll(30) == 0 {
        let near = NearMissReport {
            what: "the disk was nearly full".to_owned(),
            severity: Severity::Warning,
            closeness: Some(0.8),
            by_luck: true,
            barriers_left: None,
        };
        events.push(event(later, Fact::NearMiss(near)));
    }
    events
}

fn alert(
    index: usize,
    number: i64,
    severity: Severity,
    starts_at: Time,
    ends_at: Option<Time>,
) -> Fact {
    Fact::Alert(Alert {
        name: format!("HighErrorRate{number}").into(),
        status: if ends_at.is_some() {
            AlertStatus::Resolved
        } else {
            AlertStatus::Firing
        },
        labels: labels(index, number).into(),
        annotations: Labels::new().into(),
        severity,
        starts_at,
        ends_at,
        pending_for: None,
        keep_firing_for: None,
        end_reason: EndReason::Recovered,
        seen_again: None,
        borrowed_end: false,
        recalled: false,
    })
}

fn labels(index: usize, number: i64) -> Labels {
    let mut labels: Labels = [
        ("alertname", format!("HighErrorRate{number}")),
        ("service", format!("service-{index}")),
        ("team", format!("team-{}", index % 50)),
        ("cluster", format!("cluster-{}", index % 3)),
        ("namespace", "shop".to_owned()),
        ("job", "node".to_owned()),
        (
            "instance",
            format!("10.0.{}.{}:9100", index / 250, index % 250),
        ),
        ("severity", "critical".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    if index.is_multiple_of(4) {
        labels.insert("zone".to_owned(), ["a", "b"][index / 4 % 2].to_owned());
    }
    labels
}
