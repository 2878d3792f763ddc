//! Reads what a Prometheus remembers of its alerts: true times of those whose webhooks came late or never, and those that nearly fired.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;

use super::prometheus::{BUSIEST, selector};
use super::{Entry, SAVED_EVERY};
use crate::config::metrics::Prometheus as Settings;
use crate::ingest::recall::{Memory as Stretch, Reader, Recalled, Rule};
use crate::measure::answer::Answer;
use crate::measure::fault::Fault;
use crate::measure::prometheus::Client;
use crate::model::Time;
use crate::model::event::Labels;
use crate::store::watch::{Memory, Remembered};

/// Between two looks.
const EVERY: Duration = Duration::from_secs(15);
/// How far the first look goes back.
const FIRST_LOOK: TimeDelta = TimeDelta::hours(6);
/// What is longer ago is not asked for.
const FURTHEST: TimeDelta = TimeDelta::hours(24);
/// How much is asked for at once.
const STRETCH: TimeDelta = TimeDelta::hours(1);
/// How much of what was read is read again: what was evaluated then may have been written later.
const AGAIN: TimeDelta = TimeDelta::minutes(3);
/// How long rules and labels are believed.
const RULES_EVERY: TimeDelta = TimeDelta::minutes(2);

/// What is known of a Prometheus besides its samples.
#[derive(Default)]
struct Known {
    rules: BTreeMap<String, Rule>,
    external: Labels,
    read_at: Option<Time>,
}

pub(super) async fn recall_loop(entry: Entry, settings: Settings, mut client: Arc<Client>) {
    let Some(remembered) = entry.stored("what was read of alerts could not be read", |app| app.store.remembered(Memory::Alerts)).await
    else {
        return;
    };
    let state = remembered.into_iter().find(|one| one.name == entry.name).and_then(|one| one.state);
    let mut recalled: Recalled = state.and_then(|state| serde_json::from_str(&state).ok()).unwrap_or_default();
    let mut known = Known::default();
    let mut saved_at = entry.app.now();
    let mut attempts = 0;
    loop {
        let wait = match look(&entry, &client, &mut recalled, &mut known, &mut saved_at).await {
            Ok(true) => EVERY,
            Ok(false) => return,
            Err(fault) => {
                entry.heard("alerts", Err(fault.to_string()));
                if let Some(Ok(anew)) = entry.shown_anew(&fault).await.map(|reach| Client::new(&settings, &reach)) {
                    client = Arc::new(anew);
                }
                attempts += 1;
                fault.wait(attempts, &entry.name).to_std().unwrap_or(EVERY)
            }
        };
        if wait == EVERY {
            attempts = 0;
            entry.heard("alerts", Ok(()));
        }
        tokio::time::sleep(wait).await;
    }
}

/// Reads up to now, stretch by stretch. `false`: another process is the judge by now.
async fn look(entry: &Entry, client: &Client, recalled: &mut Recalled, known: &mut Known, saved_at: &mut Time) -> Result<bool, Fault> {
    let now = entry.app.now();
    known.refresh(client, now).await?;
    loop {
        let from = recalled.until.map_or(now - FIRST_LOOK, |until| (until - AGAIN).max(now - FURTHEST));
        let until = now.min(from + STRETCH);
        let stretch = stretch(client, from, until).await?;
        let settings = &entry.settings.config;
        let reader = Reader { source: &entry.name, names: &settings.labels, rules: &known.rules, external: &known.external };
        let events = recalled.read(&stretch, &reader);
        if !events.is_empty() || now - *saved_at >= SAVED_EVERY {
            let state = serde_json::to_string(&recalled).ok();
            if !entry.append(Memory::Alerts, vec![Remembered { name: entry.name.clone(), state }], events).await {
                return Ok(false);
            }
            *saved_at = now;
        }
        if until >= now {
            return Ok(true);
        }
    }
}

impl Known {
    async fn refresh(&mut self, client: &Client, now: Time) -> Result<(), Fault> {
        if self.read_at.is_some_and(|at| now - at < RULES_EVERY && now >= at) {
            return Ok(());
        }
        // Not every server that answers queries has rules, or tells of its settings.
        self.rules = match client.rules().await {
            Ok(rules) => {
                let rule = |rule: &crate::measure::answer::AlertRule| Rule {
                    hold: i64::try_from(rule.hold.as_secs()).unwrap_or(i64::MAX),
                    keep: i64::try_from(rule.keep_firing.as_secs()).unwrap_or(i64::MAX),
                    interval: TimeDelta::from_std(rule.interval).unwrap_or(TimeDelta::minutes(1)),
                };
                rules.iter().map(|found| (found.name.clone(), rule(found))).collect()
            }
            Err(Fault::Refused { .. } | Fault::Unreadable(_)) => BTreeMap::new(),
            Err(fault) => return Err(fault),
        };
        self.external = match client.external_labels().await {
            Ok(labels) => labels,
            Err(Fault::Refused { .. } | Fault::Unreadable(_)) => Labels::new(),
            Err(fault) => return Err(fault),
        };
        self.read_at = Some(now);
        Ok(())
    }
}

async fn stretch(client: &Client, from: Time, until: Time) -> Result<Stretch, Fault> {
    let window = format!("[{}s]", (until - from).num_seconds().max(1));
    let raw = async |selector: String| client.raw(&format!("{selector}{window}"), until).await;
    let alerts = raw("ALERTS".to_owned()).await?;
    let active = raw("ALERTS_FOR_STATE".to_owned()).await?;
    let busiest = client.query(BUSIEST, until).await?;
    let looks = match busiest.series.first() {
        Some(series) => {
            let up = raw(format!("up{}", selector(&series.labels))).await?;
            Some(up.series.into_iter().flat_map(|series| series.points).map(|(at, _)| at).collect())
        }
        None => None,
    };
    let series = |answer: Answer| answer.series.into_iter().map(|series| (series.labels, series.points)).collect();
    Ok(Stretch { alerts: series(alerts), active: series(active), looks, from, until })
}
