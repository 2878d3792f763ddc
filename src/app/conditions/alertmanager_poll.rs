//! Poller of the Alertmanager API: renews the alerts of open incidents and reports changes that its
//! webhook missed.

use std::collections::HashMap;
use std::time::Duration;

use super::Entry;
use super::clock_skew::Skew;
use crate::app::App;
use crate::app::intake::commit::Arrival;
use crate::app::sync::{blocking, lock};
use crate::clients::alertmanager::AlertmanagerClient;
use crate::clients::credentials::ServerAccess;
use crate::clients::error::ClientError;
use crate::config::api::AlertmanagerApi;
use crate::config::sources::Source;
use crate::ingest::alertmanager_api::{AlertmanagerState, PollResult, PollTime, TrackedAlert};
use crate::model::event::{AlertStatus, Fact};
use crate::model::id::Subject;
use crate::model::lifecycle::Phase;
use crate::model::time::Time;

/// Polls at the configured interval, with backoff after faults.
pub(crate) async fn list_loop(
    entry: Entry,
    source: Source,
    api: AlertmanagerApi,
    mut client: AlertmanagerClient,
) {
    let ignored = source.labels.map(|names| names.ignored).unwrap_or_default();
    let every = Duration::from_secs(api.every.unsigned_abs());
    let (mut listing, mut attempts) = (AlertmanagerState::default(), 0);
    loop {
        let wait = match look(&entry, &client, &mut listing, &ignored).await {
            Ok(()) => {
                attempts = 0;
                entry.listed(Ok(()));
                every
            }
            Err(fault) => {
                entry.listed(Err(fault.to_string()));
                if let Some(Ok(anew)) = entry
                    .api_anew(&fault)
                    .await
                    .map(|reach| AlertmanagerClient::new(&api, &reach))
                {
                    client = anew;
                }
                attempts += 1;
                fault
                    .retry_delay(attempts, &entry.name)
                    .to_std()
                    .unwrap_or(every)
            }
        };
        tokio::time::sleep(wait).await;
    }
}

async fn look(
    entry: &Entry,
    client: &AlertmanagerClient,
    listing: &mut AlertmanagerState,
    ignored: &[String],
) -> Result<(), ClientError> {
    // Read before the request: an alert that arrives while it runs may be missing from the
    // response.
    let (app, name) = (std::sync::Arc::clone(&entry.app), entry.name.clone());
    let held = blocking(move || app.held(&name)).await.unwrap_or_default();
    let (answers, heard) = client.fetch_state().await?;
    let ours = entry.app.now();
    let at = PollTime {
        ours,
        theirs: Skew::of(&heard, ours).theirs(ours),
    };
    let looked = listing
        .read(&answers, &held, &entry.name, ignored, at)
        .map_err(|fault| ClientError::Unreadable(fault.to_string()))?;
    entry.app.listed(&entry.name, looked, ours).await;
    Ok(())
}

impl App {
    /// Alerts of a source in incidents that are not closed. Blocks.
    fn held(&self, source: &str) -> Vec<TrackedAlert> {
        let found = self.judge.with_incidents(|incidents| {
            let active_alerts = self.intake.active_alerts();
            let mut found: HashMap<Subject, TrackedAlert> = HashMap::new();
            for incident in incidents.filter(|incident| incident.phase != Phase::Closed) {
                for member in &incident.members {
                    let event = &member.event;
                    let Fact::Alert(alert) = &event.fact else {
                        continue;
                    };
                    if alert.status != AlertStatus::Firing
                        || alert.recalled
                        || &*event.source != source
                        || found.contains_key(&event.subject)
                    {
                        continue;
                    }
                    if let Some((on, last_seen)) =
                        active_alerts.firing_and_last_seen(&event.subject)
                    {
                        found.insert(
                            event.subject,
                            TrackedAlert {
                                incident: incident.id.clone(),
                                event: std::sync::Arc::clone(event),
                                on,
                                last_seen,
                            },
                        );
                    }
                }
            }
            found
        });
        let mut held: Vec<TrackedAlert> = found.into_values().collect();
        // Events reported once per incident refer to its earliest alert.
        held.sort_by_key(|held| (held.event.occurred_at, held.event.id));
        held
    }

    /// Applies the result of a poll: renews alerts and ingests new events.
    async fn listed(&self, source: &str, looked: PollResult, now: Time) {
        let PollResult {
            renewed,
            mut events,
        } = looked;
        {
            let mut alerts = self.intake.active_alerts();
            alerts.renew_all(&renewed, now);
            // The webhook may have reported the end in the meantime, with a more precise time.
            let on = |subject: &Subject| {
                alerts
                    .firing_and_last_seen(subject)
                    .is_some_and(|(on, _)| on)
            };
            events.retain(|event| {
                !matches!(&event.fact, Fact::Alert(alert) if alert.status == AlertStatus::Resolved)
                    || on(&event.subject)
            });
        }
        if events.is_empty() {
            return;
        }
        let arrival = Arrival {
            source: source.to_owned(),
            reports: events.into_iter().map(Into::into).collect(),
            ..Arrival::default()
        };
        if let Err(fault) = self.intake.receive(arrival).await {
            self.faults.report(
                "what an Alertmanager lists could not be stored",
                &anyhow::Error::new(fault),
            );
        }
    }
}

impl Entry {
    /// Records the result of a poll.
    fn listed(&self, heard: Result<(), String>) {
        let now = self.app.now();
        if lock(&self.app.measured).heard(&self.name, "api", now, heard.clone())
            && let Err(why) = heard
        {
            self.app.faults.report(
                &format!("the api of source `{}`", self.name),
                &anyhow::anyhow!(why),
            );
        }
    }

    /// Reads the credential files again after the server rejected the credentials. `None`: it was
    /// another fault, or they cannot be read.
    async fn api_anew(&self, fault: &ClientError) -> Option<ServerAccess> {
        if !matches!(fault, ClientError::Unauthorized(_)) {
            return None;
        }
        let (settings, name) = (std::sync::Arc::clone(&self.settings), self.name.clone());
        blocking(move || settings.api_reach_again(&name))
            .await
            .ok()?
            .ok()?
    }
}
