//! Receiving: arrivals share a commit, and only after it does anybody hear that it is done.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::{App, lock};
use crate::model::Time;
use crate::model::event::{Event, Fact, Subject};
use crate::store::error::StoreError;
use crate::store::log::NewRecord;

/// One inbound message as it came, and what was read from it.
#[derive(Debug, Clone, Default)]
pub struct Arrival {
    /// The source's name.
    pub source: String,
    /// The body as it came.
    pub body: Vec<u8>,
    /// What it states.
    pub events: Vec<Event>,
    /// How long firing alerts in it hold unless renewed.
    pub leases: Vec<(Subject, Time)>,
    /// Positions of alerts whose start their sender left out.
    pub unstarted: Vec<usize>,
    /// What could not be read, if anything.
    pub fault: Option<String>,
}

/// An arrival waiting for its commit.
#[derive(Debug)]
pub struct Waiting {
    record: NewRecord,
    done: oneshot::Sender<Result<u64, Unstored>>,
}

/// Why an arrival could not be made durable. The sender should try again.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Unstored {
    /// Too many arrivals wait already.
    #[error("too many messages are waiting to be stored; try again in a moment")]
    Busy,
    /// The database refused.
    #[error("{0}")]
    Store(String),
}

/// How a person's fact fared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// Its position in the log.
    pub position: u64,
    /// Whether its effect can be seen already.
    pub applied: bool,
}

/// The lease of what never lapses.
const NEVER: Time = Time::MAX_UTC;
/// Arrivals committed together at the most.
const BATCH: usize = 512;
/// How long a person waits to see the effect of what they said.
const PATIENCE: Duration = Duration::from_secs(2);

impl App {
    /// Makes an arrival durable. Pure repetitions of what is durable renew their sights and are answered at once.
    ///
    /// # Errors
    /// When it could not be made durable.
    pub async fn receive(&self, mut arrival: Arrival) -> Result<Option<u64>, Unstored> {
        let now = self.now();
        let all = arrival.events.len();
        let leases: HashMap<Subject, Time> = {
            let mut sights = lock(&self.sights);
            for index in std::mem::take(&mut arrival.unstarted) {
                let Some(event) = arrival.events.get_mut(index) else { continue };
                let before = event.subject.clone();
                *event = sights.dated(event.clone());
                for (subject, _) in arrival.leases.iter_mut().filter(|(subject, _)| *subject == before) {
                    *subject = event.subject.clone();
                }
            }
            let leases = std::mem::take(&mut arrival.leases).into_iter().collect::<HashMap<_, _>>();
            let events = std::mem::take(&mut arrival.events);
            arrival.events = events
                .into_iter()
                .flat_map(|event| {
                    let lease = leases.get(&event.subject).copied();
                    [sights.overtaken(&event), sights.news(event, lease, now)]
                })
                .flatten()
                .collect();
            leases
        };
        let news = arrival.events.iter().filter(|event| !matches!(event.fact, Fact::Lapsed(_))).count();
        self.counts.heartbeats.fetch_add(all.saturating_sub(news) as u64, Ordering::Relaxed);
        if arrival.events.is_empty() && arrival.fault.is_none() {
            return Ok(None);
        }
        let seen: Vec<(Event, Option<Time>)> =
            arrival.events.iter().map(|event| (event.clone(), leases.get(&event.subject).copied())).collect();
        let (done, answer) = oneshot::channel();
        let record = NewRecord { source: arrival.source, body: arrival.body, events: arrival.events, fault: arrival.fault };
        self.inbox.try_send(Waiting { record, done }).map_err(|_| Unstored::Busy)?;
        let position = answer.await.map_err(|_| Unstored::Store("the service is stopping; try again in a moment".to_owned()))??;
        let mut sights = lock(&self.sights);
        let settings = self.settings();
        for (event, lease) in &seen {
            // What the engine ignores has no end that anybody would miss.
            let lease = if settings.force.ignores(event) { Some(NEVER) } else { *lease };
            sights.forget(std::slice::from_ref(event), now);
            sights.saw(event, lease, now);
        }
        Ok(Some(position))
    }

    /// Makes what a person said durable and waits until its effect can be seen, two seconds at most.
    ///
    /// # Errors
    /// When it could not be made durable.
    pub async fn tell(&self, event: Event) -> Result<Told, Unstored> {
        let body = serde_json::to_vec(&event).unwrap_or_default();
        let arrival = Arrival { source: event.source.clone(), body, events: vec![event], ..Arrival::default() };
        // Never a mere repetition: only alerts are, and people do not send those this way.
        let position = self.receive(arrival).await?.unwrap_or_default();
        Ok(Told { position, applied: self.wait_until_applied(position).await })
    }

    /// Waits until the judge has applied `position`, two seconds at most.
    pub async fn wait_until_applied(&self, position: u64) -> bool {
        let mut applied = self.applied.subscribe();
        tokio::time::timeout(PATIENCE, applied.wait_for(|applied| *applied >= position)).await.is_ok_and(|seen| seen.is_ok())
    }

    /// Commits whatever waits, in one transaction. Blocks.
    fn commit(&self, waiting: Vec<Waiting>) {
        let (records, dones): (Vec<NewRecord>, Vec<_>) = waiting.into_iter().map(|waiting| (waiting.record, waiting.done)).unzip();
        match self.store.append(&records, self.now()) {
            Ok(logged) => {
                let events: usize = records.iter().map(|record| record.events.len()).sum();
                self.counts.arrivals.fetch_add(records.len() as u64, Ordering::Relaxed);
                self.counts.events.fetch_add(events as u64, Ordering::Relaxed);
                if let Some(last) = logged.last() {
                    self.head.send_modify(|head| *head = last.position.max(*head));
                }
                for (done, logged) in dones.into_iter().zip(logged) {
                    // A sender that went away has its fact durable all the same.
                    let _ = done.send(Ok(logged.position));
                }
            }
            Err(fault) => {
                let told = Unstored::Store(advice(&fault));
                self.trouble("an arrival could not be stored", &anyhow::Error::new(fault));
                for done in dones {
                    let _ = done.send(Err(told.clone()));
                }
            }
        }
    }

    /// Commits one arrival at once: for whoever has no loops running, as the demo. Blocks.
    ///
    /// # Errors
    /// When the store fails.
    pub fn receive_now(&self, arrival: Arrival) -> Result<(), StoreError> {
        let now = self.now();
        let events = arrival.events.clone();
        let record = NewRecord { source: arrival.source, body: arrival.body, events: arrival.events, fault: arrival.fault };
        let logged = self.store.append(&[record], now)?;
        self.head.send_modify(|head| *head = logged.last().map_or(*head, |last| last.position.max(*head)));
        let mut sights = lock(&self.sights);
        for event in &events {
            sights.saw(event, None, now);
        }
        Ok(())
    }

    /// Commits arrivals until all senders are gone.
    pub(super) async fn commit_loop(self: std::sync::Arc<Self>) {
        let Some(mut outbox) = lock(&self.outbox).take() else { return };
        while let Some(batch) = gather(&mut outbox).await {
            let app = std::sync::Arc::clone(&self);
            // The thread pool ends only with the process; then nobody waits for an answer.
            let _ = tokio::task::spawn_blocking(move || app.commit(batch)).await;
        }
    }

    /// Appends facts of the service's own. Blocks.
    pub(super) fn append_own(&self, epoch: u64, events: Vec<Event>) -> Result<(), StoreError> {
        if events.is_empty() {
            return Ok(());
        }
        let record = NewRecord { source: "afterword".to_owned(), body: Vec::new(), events, fault: None };
        let logged = self.store.append_as(Some(epoch), &[record], self.now())?;
        self.head.send_modify(|head| *head = logged.last().map_or(*head, |last| last.position.max(*head)));
        Ok(())
    }
}

async fn gather(outbox: &mut mpsc::Receiver<Waiting>) -> Option<Vec<Waiting>> {
    let mut batch = Vec::new();
    let count = outbox.recv_many(&mut batch, BATCH).await;
    (count > 0).then_some(batch)
}

/// What to tell a sender whose message could not be stored.
fn advice(fault: &StoreError) -> String {
    match fault {
        StoreError::Full(_) => "the disk is full or read-only, nothing was stored; try again once there is room".to_owned(),
        _ => "the message could not be stored; try again".to_owned(),
    }
}
