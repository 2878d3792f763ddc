//! A year of a large organisation, from a fixed seed: 20,000 incidents with a hundred alert events
//! each, grouped as Alertmanager groups them, and the actions of people.

#![expect(clippy::unwrap_used, reason = "a panic is how a benchmark fails")]

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use afterword::model::event::{
    Actor, ActorKind, Alert, AlertStatus, Declaration, EndReason, Event, Fact, Intervention,
    PostmortemRequest, Severity,
};
use afterword::model::labels::{LabelSet, Labels};
use afterword::model::settings::Service;
use afterword::model::time::Time;
use chrono::TimeDelta;

use super::world::Dice;

/// Incidents of the year.
pub(crate) const INCIDENTS: i64 = 20_000;
/// Services that they befall.
const SERVICES: i64 = 500;
/// Alerts of an incident, each of which fires and is resolved.
const ALERTS: i64 = 50;
/// Alerts told together.
const GROUP: i64 = 10;

/// The services: fifty teams own them, and every tenth needs the next one.
pub(crate) fn services() -> Vec<Service> {
    let service = |index: i64| Service {
        name: format!("service-{index}"),
        owners: vec![format!("team-{}", index % 50)],
        depends_on: if index % 10 == 0 {
            vec![format!("service-{}", index + 1)]
        } else {
            Vec::new()
        },
        automatic: vec!["restart".to_owned(), "scale".to_owned()],
        ..Service::default()
    };
    (0..SERVICES).map(service).collect()
}

/// A group of facts that come together.
type Told = (Time, u64, Vec<Event>);

/// The log of the year, record by record.
pub(crate) struct Year {
    dice: Dice,
    begun: Time,
    next: i64,
    number: u64,
    told: BinaryHeap<Reverse<Kept>>,
    clock: Time,
}

/// What is told later, by when and number.
struct Kept(Told);

impl PartialEq for Kept {
    fn eq(&self, other: &Self) -> bool {
        (self.0.0, self.0.1) == (other.0.0, other.0.1)
    }
}

impl Eq for Kept {}

impl PartialOrd for Kept {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Kept {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.0.0, self.0.1).cmp(&(other.0.0, other.0.1))
    }
}

impl Year {
    pub(crate) fn new() -> Self {
        let begun = Time::from_timestamp(1_735_689_600, 0).unwrap();
        Self {
            dice: Dice(0x5eed),
            begun,
            next: 0,
            number: 0,
            told: BinaryHeap::new(),
            clock: begun,
        }
    }

    fn opens_at(&self, incident: i64) -> Time {
        self.begun + TimeDelta::seconds(365 * 86_400 / INCIDENTS * incident)
    }

    fn tell(&mut self, at: Time, events: Vec<Event>) {
        self.number += 1;
        self.told.push(Reverse(Kept((at, self.number, events))));
    }

    fn incident(&mut self) {
        let began = self.opens_at(self.next) + TimeDelta::seconds(self.dice.roll(900));
        self.next += 1;
        let service = self.dice.roll(SERVICES);
        let lasts = [4, 8, 15, 25, 40, 90][usize::try_from(self.dice.roll(6)).unwrap()] * 60
            + self.dice.roll(240);
        let severity = [
            Severity::Critical,
            Severity::Warning,
            Severity::Warning,
            Severity::Info,
        ][usize::try_from(self.dice.roll(4)).unwrap()];
        let spread = self.dice.roll(lasts) / 2 + 60;
        for group in 0..ALERTS / GROUP {
            let starts_at = began + TimeDelta::seconds(spread * group / (ALERTS / GROUP));
            let ends_at = began
                + TimeDelta::seconds(lasts - spread / 2 + (spread / 2) * group / (ALERTS / GROUP));
            let all = group * GROUP..(group + 1) * GROUP;
            let told = |ends_at: Option<Time>| {
                all.clone()
                    .map(|number| alert(service, number, severity, starts_at, ends_at))
                    .collect()
            };
            let (firing, resolved) = (told(None), told(Some(ends_at.max(starts_at))));
            self.tell(starts_at + TimeDelta::seconds(10), firing);
            self.tell(ends_at.max(starts_at) + TimeDelta::seconds(15), resolved);
        }
        let said = |at: Time, fact: Fact, by: i64| {
            let mut event = Event::new("people", at, fact);
            event.service = Some(format!("service-{service}").into());
            event.actor = Some(Box::new(Actor {
                id: format!("person-{by}"),
                kind: ActorKind::Human,
            }));
            event.identify();
            vec![event]
        };
        let later = began + TimeDelta::seconds(self.dice.roll(lasts));
        let by = self.dice.roll(40);
        match self.dice.roll(100) {
            0..10 => {
                let action = ["restart", "failover", "scale"]
                    [usize::try_from(self.dice.roll(3)).unwrap()]
                .to_owned();
                let step = Intervention {
                    action,
                    why: "it hung".to_owned(),
                    stated: true,
                    should_be_automatic: None,
                    dry_run: false,
                    refused: false,
                    planned: false,
                };
                self.tell(later, said(later, Fact::Intervention(step), by));
            }
            10..12 => {
                let reason = "a customer called".to_owned();
                self.tell(
                    later,
                    said(
                        later,
                        Fact::Request(PostmortemRequest {
                            reason,
                            requester: None,
                        }),
                        by,
                    ),
                );
            }
            12..14 => {
                for (at, status) in [
                    (later, AlertStatus::Firing),
                    (began + TimeDelta::seconds(lasts), AlertStatus::Resolved),
                ] {
                    let declared = Declaration {
                        key: format!("outage-{}", self.next),
                        title: "Nobody can pay".to_owned(),
                        severity: Severity::Critical,
                        status,
                        planned: false,
                        data_loss: None,
                        detected_by: None,
                    };
                    self.tell(at, said(at, Fact::Declaration(declared), by));
                }
            }
            _ => {}
        }
    }
}

impl Iterator for Year {
    type Item = (Time, Vec<Event>);

    fn next(&mut self) -> Option<Self::Item> {
        while self.next < INCIDENTS
            && self
                .told
                .peek()
                .is_none_or(|Reverse(Kept((at, ..)))| *at >= self.opens_at(self.next))
        {
            self.incident();
        }
        let Reverse(Kept((at, _, events))) = self.told.pop()?;
        self.clock = at.max(self.clock + TimeDelta::microseconds(1));
        Some((self.clock, events))
    }
}

fn alert(
    service: i64,
    number: i64,
    severity: Severity,
    starts_at: Time,
    ends_at: Option<Time>,
) -> Event {
    let text = format!("service-{service}");
    let labels: Labels = [
        ("alertname", format!("HighErrorRate{}", number % 5)),
        ("service", text.clone()),
        ("team", format!("team-{}", service % 50)),
        ("cluster", format!("cluster-{}", service % 3)),
        ("namespace", "shop".to_owned()),
        ("instance", format!("10.0.{}.{number}:9100", service % 250)),
        ("severity", "critical".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    let fact = Alert {
        name: format!("HighErrorRate{}", number % 5).into(),
        status: if ends_at.is_some() {
            AlertStatus::Resolved
        } else {
            AlertStatus::Firing
        },
        labels: LabelSet::from(labels),
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
    };
    let mut event = Event::new(
        "alertmanager",
        ends_at.unwrap_or(starts_at),
        Fact::Alert(fact),
    );
    event.service = Some(text.into());
    event.identify();
    event
}
