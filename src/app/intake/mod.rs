//! Intake: from an inbound message to events that are durable in the log.

pub(crate) mod active_alerts;
pub(crate) mod commit;
pub(crate) mod rate_limit;
pub(crate) mod rejection;
pub(crate) mod replay_guard;
pub(crate) mod reprocess;
pub(crate) mod sns_verification;
pub(crate) mod source_stats;
pub(crate) mod source_status;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use chrono::TimeDelta;

use super::background_tasks::run_step;
use super::core::Core;
use super::settings::Settings;
use super::sync::lock;
use crate::config::source_auth::SourceAuth;
use crate::config::sources::Source;
use crate::ingest;
use crate::ingest::auth::signature::{ReplayKey, SignatureFault};
use crate::ingest::auth::{Authentication, authentic_with, is_unsigned_check};
use crate::ingest::error::IngestFault;
use crate::ingest::message::{Headers, Message};
use crate::ingest::reading::{AlertRef, Reading, ReplyBody};
use crate::model::event::Event;
use crate::model::id::EventId;
use crate::model::time::Time;
use crate::store::error::StoreError;
use crate::store::log::MessageContext;
use active_alerts::ActiveAlerts;
use commit::{Arrival, CommitQueue, ReceivedBody, Unstored};
use rate_limit::RateLimiter;
use rejection::{RejectReason, Rejection};
use replay_guard::ReplayGuard;
use reprocess::{API, PROMETHEUS, Reprocessor};
use sns_verification::{SnsVerifier, Unverified};
use source_stats::{SourceEvent, SourceStats};
use source_status::SourceOverview;

/// Interval at which active alerts and source statistics are saved.
const SAVED_EVERY: Duration = Duration::from_secs(5);

const MISSING: &str =
    "the credentials are missing or wrong; compare the sender's with `sources:` of the settings";
const PASSWORD: &str = "the user name or password is missing or wrong; compare the sender's with `sources:` of the settings";
const UNSIGNED: &str = "the signature is missing or wrong; compare the sender's secret with `sources:` of the settings";
const STALE: &str = "the signature is right, but for a time more than five minutes from now; compare the clocks, or send it anew";
const UNSIGNED_TOPIC: &str = "the message is not signed for one of the `topics` of the source; see the log or the overview page of the service for the reason";

/// Parts of a request that precede its body.
#[derive(Debug, Clone)]
pub(crate) struct RequestHead<'a> {
    pub(crate) headers: Headers<'a>,
    /// The query of the URL, which may hold a secret.
    pub(crate) query: &'a str,
    /// Set if the request names this machine as its host. A website that resolves to it does not.
    pub(crate) is_loopback_host: bool,
}

/// Receives messages, keeps the active alerts, and appends to the log.
#[derive(Debug)]
pub(crate) struct Intake {
    core: Arc<Core>,
    pub(crate) commits: Arc<CommitQueue>,
    active_alerts: Arc<Mutex<ActiveAlerts>>,
    stats: Mutex<SourceStats>,
    limiter: RateLimiter,
    rejected: Mutex<BTreeMap<(String, RejectReason), u64>>,
    replays: ReplayGuard,
    pub(crate) sns: Arc<SnsVerifier>,
    pub(crate) quarantine: Reprocessor,
}

impl Intake {
    /// Restores the active alerts from `alerts`, the alerts of the stored incidents, and the
    /// counts of sources.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) fn load<'a>(
        core: &Arc<Core>,
        alerts: impl Iterator<Item = &'a Event>,
    ) -> anyhow::Result<Self> {
        let saved = core.store.active_alerts()?;
        let active_alerts = ActiveAlerts::load(&saved, alerts, core.now());
        let active_alerts = Arc::new(Mutex::new(active_alerts));
        let commits = Arc::new(CommitQueue::new(
            Arc::clone(core),
            Arc::clone(&active_alerts),
        ));
        let sns = Arc::new(SnsVerifier::new(Arc::clone(core)));
        Ok(Self {
            core: Arc::clone(core),
            active_alerts,
            stats: Mutex::new(SourceStats::load(&core.store, core.now())?),
            limiter: RateLimiter::default(),
            rejected: Mutex::default(),
            replays: ReplayGuard::default(),
            quarantine: Reprocessor {
                core: Arc::clone(core),
                commits: Arc::clone(&commits),
                sns: Arc::clone(&sns),
            },
            commits,
            sns,
        })
    }

    /// Takes a message of a source: authenticates, parses, drops what only repeats active alerts,
    /// appends the rest, and gives the body of the answer, if the sender expects one. `read_body`
    /// reads the body up to a size, once the credentials beside it are right.
    ///
    /// # Errors
    /// When the message is rejected, or `read_body` fails.
    pub(crate) async fn accept<E, F>(
        &self,
        name: &str,
        head: &RequestHead<'_>,
        read_body: impl FnOnce(usize) -> F,
    ) -> Result<Option<ReplyBody>, E>
    where
        E: From<Rejection>,
        F: Future<Output = Result<ReceivedBody, E>>,
    {
        let settings = self.core.settings();
        let source = find_source(&settings, name)?;
        let signed = self.check_head(&settings, source, head)?;
        let body = read_body(source.limits.size).await?;
        let replay_key = if signed {
            match self.check_signature(&settings, source, head, &body)? {
                Signed::Message(key) => key,
                Signed::ConnectionTest => return Ok(None),
            }
        } else {
            None
        };
        Ok(self
            .store_message(&settings, source, head, body, replay_key)
            .await?)
    }

    /// Checks what the head of a request shows, and the rate. `true`: the body has a signature to
    /// check.
    fn check_head(
        &self,
        settings: &Settings,
        source: &Source,
        head: &RequestHead<'_>,
    ) -> Result<bool, Rejection> {
        let authentication = settings.proofs.get(&source.name);
        let signed = matches!(authentication, Some(Authentication::Signature(_)));
        // Without credentials, the sender must at least mean this machine.
        let open =
            matches!(authentication, Some(Authentication::None)) && settings.access.is_none();
        let shown = authentication.is_some_and(|authentication| {
            authentic_with(authentication, &head.headers, head.query)
                && (!open || head.is_loopback_host)
        });
        if !signed && !shown {
            // Amazon SNS sends a password only after this challenge.
            let message = match authentication {
                Some(Authentication::Basic { .. }) => PASSWORD,
                _ => MISSING,
            };
            self.count_rejected(&source.name, RejectReason::Credentials);
            return Err(Rejection::Unauthenticated(message));
        }
        // A signature is checked later, and until then a stranger must not empty the bucket.
        let known = !signed && authentication != Some(&Authentication::Certificate);
        self.check_rate(source, known)?;
        Ok(signed)
    }

    /// Checks the signature by the time at which the whole body has arrived: that of a slow sender
    /// may have become stale.
    fn check_signature(
        &self,
        settings: &Settings,
        source: &Source,
        head: &RequestHead<'_>,
        body: &[u8],
    ) -> Result<Signed, Rejection> {
        let Some(Authentication::Signature(verifier)) = settings.proofs.get(&source.name) else {
            return Ok(Signed::Message(None));
        };
        let (reason, message) = match verifier.verify(&head.headers, body, self.core.now()) {
            Ok(key) => {
                self.check_rate(source, true)?;
                return Ok(Signed::Message(key));
            }
            Err(SignatureFault::Wrong) if is_unsigned_check(source.kind, body) => {
                return Ok(Signed::ConnectionTest);
            }
            Err(SignatureFault::Wrong) => (RejectReason::Credentials, UNSIGNED),
            Err(SignatureFault::Stale) => (RejectReason::Stale, STALE),
        };
        self.count_rejected(&source.name, reason);
        Err(Rejection::Unauthenticated(message))
    }

    async fn store_message(
        &self,
        settings: &Settings,
        source: &Source,
        head: &RequestHead<'_>,
        body: ReceivedBody,
        replay_key: Option<ReplayKey>,
    ) -> Result<Option<ReplyBody>, Rejection> {
        let (name, now) = (&source.name, self.core.now());
        // No mapping of the settings may copy a secret into an event.
        let headers = ingest::header_filter::without(&head.headers, settings.proofs.get(name));
        let message = Message {
            source: name,
            headers: &headers,
            body: &body,
            names: source.labels.as_ref().unwrap_or(&settings.config.labels),
            now,
        };
        self.verify_body(source, &message).await?;
        let parser = settings.readers.get(name);
        let parsed = parser.map_or_else(
            || Ok(Reading::default()),
            |parser| ingest::dispatch::read(parser, &message, &mut |alert| self.renew(alert, now)),
        );
        let redacted = parser.and_then(|parser| ingest::dispatch::stored_body(parser, &body));
        // A message that is authentic is never answered by 4xx: its sender would repeat it for
        // ever, or give up on the alert. What cannot be parsed goes to quarantine.
        let (mut reading, unreadable) = match parsed {
            Ok(reading) => (reading, None),
            Err(fault) => (Reading::default(), Some(fault.to_string())),
        };
        let (reply, confirm) = (reading.reply.take(), reading.confirm.take());
        let mut arrival = arrival(name, body, reading);
        arrival.fault = unreadable.or(arrival.fault);
        if let Some(redacted) = redacted {
            arrival.body = redacted;
        }
        // A repeat is parsed for its answer only, which its sender did not get.
        if replay_key.is_some_and(|key| self.replays.contains(name, &key, now)) {
            self.count_rejected(name, RejectReason::Repeat);
            return Ok(reply);
        }
        if arrival.may_be_stored() {
            let mapped = parser.map_or(&[] as &[String], ingest::dispatch::headers);
            arrival.beside = message_context(&headers, &format!("/ingest/{name}"), mapped, now);
        }
        self.receive(arrival).await?;
        if let Some(url) = confirm {
            self.sns.confirm(source, url).await?;
        }
        if let Some(key) = replay_key {
            self.replays.insert(name, key, now);
        }
        Ok(reply)
    }

    /// Verifies a message whose body names its sender.
    async fn verify_body(&self, source: &Source, message: &Message<'_>) -> Result<(), Rejection> {
        match self.sns.verify(source, message).await {
            Ok(()) => {}
            Err(Unverified::Refused(_)) => {
                self.count_rejected(&source.name, RejectReason::Credentials);
                return Err(Rejection::Unauthenticated(UNSIGNED_TOPIC));
            }
            Err(Unverified::Unknown(_)) => return Err(Rejection::Unverifiable),
        }
        if source.auth == SourceAuth::Certificate {
            self.check_rate(source, true)?;
        }
        Ok(())
    }

    /// Takes alerts posted to Alertmanager's API.
    ///
    /// # Errors
    /// When the body or a part of it cannot be parsed; as in Alertmanager, the rest is stored.
    pub(crate) async fn accept_alerts(
        &self,
        headers: &Headers<'_>,
        body: ReceivedBody,
    ) -> Result<(), Rejection> {
        let (settings, now) = (self.core.settings(), self.core.now());
        let reading = ingest::prometheus::news_v2(
            &body,
            PROMETHEUS,
            &settings.config.labels,
            now,
            &mut |alert| self.renew(alert, now),
        )
        .map_err(|fault| invalid(&fault))?;
        let mut arrival = arrival(PROMETHEUS, body, reading);
        let fault = arrival.fault.clone();
        if arrival.may_be_stored() {
            arrival.beside = message_context(headers, "/api/v2/alerts", &[], now);
        }
        self.receive(arrival).await?;
        fault.map_or(Ok(()), |fault| Err(Rejection::Invalid(fault)))
    }

    /// Takes events posted to the service's own API, and gives their ids and the position of those
    /// that are new.
    ///
    /// # Errors
    /// When the body or a part of it cannot be parsed; the rest is stored.
    pub(crate) async fn accept_events(
        &self,
        headers: &Headers<'_>,
        body: ReceivedBody,
    ) -> Result<(Vec<EventId>, Option<u64>), Rejection> {
        let (settings, now) = (self.core.settings(), self.core.now());
        let names = &settings.config.labels;
        let parsed = match &settings.cloudevents {
            Some(mapping) if ingest::cloudevents::says_so(headers) => {
                let message = Message {
                    source: API,
                    headers,
                    body: &body,
                    names,
                    now,
                };
                ingest::cloudevents::webhook(mapping, &message)
            }
            _ => ingest::events::events(&body, names, now),
        };
        let reading = parsed.map_err(|fault| invalid(&fault))?;
        let ids = reading.events().map(|event| event.id).collect();
        let mut arrival = arrival(API, body, reading);
        let fault = arrival.fault.clone();
        arrival.beside = message_context(headers, "/api/v1/events", &[], now);
        let position = self.receive(arrival).await?;
        match fault {
            Some(fault) => Err(Rejection::Invalid(fault)),
            None => Ok((ids, position)),
        }
    }

    /// Appends what is new in an arrival; gives its position, if anything was.
    ///
    /// # Errors
    /// When it could not be stored.
    pub(crate) async fn receive(&self, arrival: Arrival) -> Result<Option<u64>, Unstored> {
        let source = arrival.source.clone();
        self.count(&source, SourceEvent::Message);
        let stored = self.commits.store(arrival, Vec::new()).await?;
        if stored.events > 0 {
            self.count(&source, SourceEvent::Events(stored.events));
        }
        Ok(stored.position)
    }

    /// Appends what a person stated, and waits for its effect for two seconds at most; `true` if
    /// it is applied.
    ///
    /// # Errors
    /// When it could not be stored.
    pub(crate) async fn append_stated(&self, event: Event) -> Result<bool, Unstored> {
        let arrival = Arrival {
            source: event.source.to_string(),
            body: serde_json::to_vec(&event).unwrap_or_default(),
            reports: vec![event.into()],
            ..Arrival::default()
        };
        let stored = self.commits.store(arrival, Vec::new()).await?;
        // Only alerts can be repeats, and people state none this way.
        let position = stored.position.unwrap_or_default();
        Ok(self.core.progress.wait_until_applied(position).await)
    }

    /// Commits an arrival at once, for the demo, which runs no background tasks. Blocks.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn receive_now(&self, arrival: Arrival) -> Result<(), StoreError> {
        self.count(&arrival.source, SourceEvent::Message);
        let events = arrival.reports.len();
        self.count(&arrival.source, SourceEvent::Events(events));
        self.commits.store_now(arrival)
    }

    /// The active alerts, locked.
    pub(crate) fn active_alerts(&self) -> MutexGuard<'_, ActiveAlerts> {
        lock(&self.active_alerts)
    }

    fn renew(&self, alert: &AlertRef<'_>, now: Time) -> bool {
        self.active_alerts().renew(alert, now)
    }

    /// Takes a token of the source's rate, or only checks that there is one.
    fn check_rate(&self, source: &Source, take: bool) -> Result<(), Rejection> {
        let checked = self
            .limiter
            .check(&source.name, source.limits.rate, take, self.core.now());
        checked.map_err(|retry_after| {
            self.count_rejected(&source.name, RejectReason::Rate);
            Rejection::RateLimited { retry_after }
        })
    }

    /// Counts a message that is not stored. The one place where that is done.
    pub(crate) fn count_rejected(&self, source: &str, reason: RejectReason) {
        let event = match reason {
            RejectReason::Credentials | RejectReason::Stale => SourceEvent::Refused,
            RejectReason::Rate | RejectReason::Size => SourceEvent::Limited,
            RejectReason::Repeat => SourceEvent::Message,
        };
        if event == SourceEvent::Refused {
            self.core.counters.refused.fetch_add(1, Ordering::Relaxed);
        }
        *lock(&self.rejected)
            .entry((source.to_owned(), reason))
            .or_default() += 1;
        self.count(source, event);
    }

    /// Number of rejected messages by source and reason.
    pub(crate) fn rejected(&self) -> Vec<(String, RejectReason, u64)> {
        lock(&self.rejected)
            .iter()
            .map(|((source, reason), count)| (source.clone(), *reason, *count))
            .collect()
    }

    fn count(&self, source: &str, event: SourceEvent) {
        lock(&self.stats).note(source, event, self.core.now());
    }

    /// Every source of the settings, then the two built-in endpoints. Blocks.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn sources(&self) -> Result<Vec<SourceOverview>, StoreError> {
        source_status::list(&self.core, &self.stats)
    }

    /// Saves the active alerts that changed and removes those that ended, if it is time. Blocks.
    ///
    /// # Errors
    /// When the store fails; they are saved the next time.
    pub(crate) fn save_active_alerts(&self) -> anyhow::Result<()> {
        let store = &self.core.store;
        // The judge among replicas goes by what the others saved.
        let every = if store.is_shared() {
            TimeDelta::seconds(5)
        } else {
            TimeDelta::minutes(1)
        };
        loop {
            let unsaved = self.active_alerts().take_unsaved(self.core.now(), every);
            let Some(unsaved) = unsaved else {
                return Ok(());
            };
            if let Err(fault) = store.save_active_alerts(&unsaved.firing, &unsaved.ended) {
                self.active_alerts().restore_unsaved(unsaved);
                return Err(fault.into());
            }
        }
    }

    /// Saves the counts of sources, if it is time or `at_once`. Blocks.
    ///
    /// # Errors
    /// When the store fails; they are saved the next time.
    pub(crate) fn save_source_stats(&self, at_once: bool) -> anyhow::Result<()> {
        SourceStats::save(&self.stats, &self.core.store, at_once, self.core.now())
    }
}

/// A body whose signature was checked.
enum Signed {
    /// A message, with the key that tells repeats, where the signature covers one.
    Message(Option<ReplayKey>),
    /// An unsigned connection test, which states nothing and expects a 2xx.
    ConnectionTest,
}

fn find_source<'a>(settings: &'a Settings, name: &str) -> Result<&'a Source, Rejection> {
    let sources = &settings.config.sources;
    let found = sources.iter().find(|source| source.name == name);
    found.ok_or_else(|| {
        let known: Vec<&str> = sources.iter().map(|source| source.name.as_str()).collect();
        Rejection::UnknownSource(format!(
            "no source is named `{name}`; the settings name: {}. Add it under `sources:` or correct the address",
            known.join(", ")
        ))
    })
}

fn invalid(fault: &IngestFault) -> Rejection {
    Rejection::Invalid(fault.to_string())
}

fn arrival(source: &str, body: ReceivedBody, reading: Reading) -> Arrival {
    let faults: Vec<String> = reading.faults.iter().map(ToString::to_string).collect();
    // Renewals alone are not stored, and need no copy of the body.
    let stored = !reading.reports.is_empty() || !faults.is_empty() || reading.renewed == 0;
    Arrival {
        source: source.to_owned(),
        body: if stored {
            body.bytes.into()
        } else {
            Vec::new()
        },
        fault: (!faults.is_empty()).then(|| faults.join("; ")),
        renewed: reading.renewed,
        room: Some(body.room),
        reports: reading.reports,
        ..Arrival::default()
    }
}

/// Headers, path and time of arrival kept beside a body, to parse it again.
fn message_context(
    headers: &Headers<'_>,
    path: &str,
    mapped: &[String],
    now: Time,
) -> MessageContext {
    MessageContext {
        headers: ingest::header_filter::stored_headers(headers, path, mapped),
        came_at: Some(now),
    }
}

/// Saves active alerts and source statistics for as long as the service runs.
pub(crate) async fn save_loop(intake: Arc<Intake>) {
    loop {
        tokio::time::sleep(SAVED_EVERY).await;
        let faults = &intake.core.faults;
        let context = "active alerts could not be saved";
        run_step(faults, context, &intake, Intake::save_active_alerts).await;
        let save = |intake: &Intake| intake.save_source_stats(false);
        run_step(
            faults,
            "source statistics could not be saved",
            &intake,
            save,
        )
        .await;
    }
}
