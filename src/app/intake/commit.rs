//! Receiving: arrivals share a commit, and only after it does anybody hear that it is done.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use super::active_alerts::row::NEVER;
use super::source_stats::What;
use crate::app::App;
use crate::app::sync::lock;
use crate::app::worker_thread::Thread;
use crate::ingest::reading::{AlertRef, Reported};
use crate::model::event::{Event, Fact};
use crate::model::id::EventId;
use crate::model::time::Time;
use crate::store::error::StoreError;
use crate::store::log::{MessageContext, NewRecord};

/// One inbound message as it came, and what was read from it.
#[derive(Debug, Default)]
pub struct Arrival {
    /// The source's name.
    pub source: String,
    /// The body as it came.
    pub body: Vec<u8>,
    /// What it states.
    pub reports: Vec<Reported>,
    /// Number of alerts that [`App::renewed`] took, which are not among the reports.
    pub renewed: usize,
    /// What could not be read, if anything.
    pub fault: Option<String>,
    /// How it came, as far as that is kept.
    pub beside: MessageContext,
    /// Of a message that is read again: its events that are durable from the first time.
    pub again: Option<BTreeSet<EventId>>,
    /// The room that its body takes.
    pub room: Option<Room>,
}

/// What became durable of an arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kept {
    /// Where; `None`: nothing was new.
    pub(crate) position: Option<u64>,
    /// How many events of it.
    pub(crate) events: usize,
}

impl Arrival {
    /// Whether anything of it may have to be kept: more than repetitions of what is known.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        !self.reports.is_empty() || self.fault.is_some()
    }
}

/// Room for the bytes of a message, given back when this is dropped.
#[derive(Debug)]
pub struct Room(OwnedSemaphorePermit);

impl Room {
    /// How many bytes it is for.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.0.num_permits()
    }

    /// Gives back all beyond so many bytes.
    pub fn keep(&mut self, bytes: usize) {
        drop(self.0.split(self.bytes().saturating_sub(bytes)));
    }

    /// Takes more of it.
    pub fn add(&mut self, more: Self) {
        self.0.merge(more.0);
    }
}

/// An arrival waiting for its commit.
#[derive(Debug)]
pub(crate) struct Waiting {
    record: NewRecord,
    /// How long each of its events holds, where its sender says so.
    leases: Vec<Option<Time>>,
    received_at: Time,
    /// Taken until it is committed, whether or not its sender still waits.
    room: Option<Room>,
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

/// Arrivals committed together at the most.
const BATCH: usize = 512;

impl App {
    /// Makes an arrival durable. Pure repetitions of what is durable renew their alerts and are answered at once.
    ///
    /// # Errors
    /// When it could not be made durable.
    pub async fn receive(&self, arrival: Arrival) -> Result<Option<u64>, Unstored> {
        let source = arrival.source.clone();
        self.tally(&source, What::Message);
        let kept = self.make_durable(arrival, Vec::new()).await?;
        if kept.events > 0 {
            self.tally(&source, What::Events(kept.events));
        }
        Ok(kept.position)
    }

    /// The same for what no source sent just now; `more` is appended as it is.
    pub(crate) async fn make_durable(
        &self,
        mut arrival: Arrival,
        more: Vec<Event>,
    ) -> Result<Kept, Unstored> {
        let received_at = arrival.beside.came_at.unwrap_or_else(|| self.now());
        let all = arrival.reports.len() + arrival.renewed;
        let (mut events, mut leases): (Vec<_>, Vec<_>) = lock(&self.active_alerts)
            .new_events(
                std::mem::take(&mut arrival.reports),
                arrival.again.as_ref(),
                received_at,
            )
            .into_iter()
            .unzip();
        let news = events
            .iter()
            .filter(|event| !matches!(event.fact, Fact::Lapsed(_)))
            .count();
        if arrival.again.is_none() {
            self.counters
                .heartbeats
                .fetch_add(all.saturating_sub(news) as u64, Ordering::Relaxed);
        }
        leases.extend(more.iter().map(|_| None));
        events.extend(more);
        let count = events.len();
        if events.is_empty() && arrival.fault.is_none() {
            return Ok(Kept {
                position: None,
                events: 0,
            });
        }
        let (done, answer) = oneshot::channel();
        let Arrival {
            source,
            body,
            fault,
            beside,
            room,
            ..
        } = arrival;
        let record = NewRecord {
            source,
            body,
            events,
            fault,
            beside,
        };
        let waiting = Waiting {
            record,
            leases,
            received_at,
            room,
            done,
        };
        self.inbox.try_send(waiting).map_err(|_| Unstored::Busy)?;
        let position = answer.await.map_err(|_| {
            Unstored::Store("the service is stopping; try again in a moment".to_owned())
        })??;
        Ok(Kept {
            position: Some(position),
            events: count,
        })
    }

    /// Whether a firing alert only repeats what is durable; then it is renewed, and nothing more is to be done about it.
    #[must_use]
    pub fn renewed(&self, alert: &AlertRef<'_>, now: Time) -> bool {
        lock(&self.active_alerts).renew(alert, now)
    }

    /// Takes room for so many bytes, before they are read.
    ///
    /// # Errors
    /// When there is none for now.
    pub fn room(&self, bytes: usize) -> Result<Room, Unstored> {
        let bytes = u32::try_from(bytes).map_err(|_| Unstored::Busy)?;
        Arc::clone(&self.room)
            .try_acquire_many_owned(bytes)
            .map(Room)
            .map_err(|_| Unstored::Busy)
    }

    /// Whether there is room for so many bytes now.
    #[must_use]
    pub fn has_room(&self, bytes: usize) -> bool {
        self.room.available_permits() >= bytes
    }

    /// Makes what a person said durable and waits until its effect can be seen, two seconds at most.
    ///
    /// # Errors
    /// When it could not be made durable.
    pub async fn tell(&self, event: Event) -> Result<Told, Unstored> {
        let body = serde_json::to_vec(&event).unwrap_or_default();
        let arrival = Arrival {
            source: event.source.to_string(),
            body,
            reports: vec![event.into()],
            ..Arrival::default()
        };
        // Never a mere repetition: only alerts are, and people do not send those this way.
        let position = self
            .make_durable(arrival, Vec::new())
            .await?
            .position
            .unwrap_or_default();
        Ok(Told {
            position,
            applied: self.wait_until_applied(position).await,
        })
    }

    /// Waits until the judge has applied `position`, two seconds at most.
    pub async fn wait_until_applied(&self, position: u64) -> bool {
        self.progress.wait_until_applied(position).await
    }

    /// Commits whatever waits, in one transaction. Blocks.
    fn commit(&self, waiting: Vec<Waiting>) {
        let mut records = Vec::with_capacity(waiting.len());
        let mut rest = Vec::with_capacity(waiting.len());
        for Waiting {
            record,
            leases,
            received_at,
            room,
            done,
        } in waiting
        {
            records.push(record);
            rest.push((leases, received_at, room, done));
        }
        match self.store.append(&records, self.now()) {
            Ok(logged) => {
                let events: usize = records.iter().map(|record| record.events.len()).sum();
                self.counters
                    .arrivals
                    .fetch_add(records.len() as u64, Ordering::Relaxed);
                self.counters
                    .events
                    .fetch_add(events as u64, Ordering::Relaxed);
                self.progress
                    .advance_head(logged.last().map(|last| last.position));
                let settings = self.settings();
                for ((record, (leases, received_at, room, done)), logged) in
                    records.into_iter().zip(rest).zip(logged)
                {
                    let mut alerts = lock(&self.active_alerts);
                    for (event, lease) in record.events.iter().zip(leases) {
                        // What the engine ignores has no end that anybody would miss.
                        let lease = if settings.policy.ignores(event) {
                            Some(NEVER)
                        } else {
                            lease
                        };
                        alerts.record(event, lease, received_at);
                    }
                    drop(alerts);
                    drop(room);
                    // A sender that went away has its fact durable all the same.
                    let _ = done.send(Ok(logged.position));
                }
            }
            Err(fault) => {
                let told = Unstored::Store(advice(&fault));
                self.faults
                    .report("an arrival could not be stored", &anyhow::Error::new(fault));
                for (.., done) in rest {
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
        let Arrival {
            source,
            body,
            reports,
            fault,
            beside,
            ..
        } = arrival;
        let record = NewRecord {
            source,
            body,
            events: reports.into_iter().map(|report| report.event).collect(),
            fault,
            beside,
        };
        let records = [record];
        let logged = self.store.append(&records, now)?;
        for record in &records {
            self.tally(&record.source, What::Message);
            self.tally(&record.source, What::Events(record.events.len()));
        }
        self.progress
            .advance_head(logged.last().map(|last| last.position));
        let mut alerts = lock(&self.active_alerts);
        for event in records.iter().flat_map(|record| &record.events) {
            alerts.record(event, None, now);
        }
        Ok(())
    }

    /// Commits arrivals until all senders are gone.
    pub(crate) async fn commit_loop(self: Arc<Self>) {
        let Some(mut outbox) = lock(&self.outbox).take() else {
            return;
        };
        let thread = Thread::named("commit");
        while let Some(batch) = gather(&mut outbox).await {
            let app = Arc::clone(&self);
            if let Err(fault) = thread.run(move || app.commit(batch)).await {
                self.faults.report("arrivals could not be stored", &fault);
            }
        }
    }

    /// Appends facts of the service's own. Blocks.
    pub(crate) fn append_own(&self, epoch: u64, events: Vec<Event>) -> Result<(), StoreError> {
        if events.is_empty() {
            return Ok(());
        }
        let record = NewRecord {
            source: "afterword".to_owned(),
            body: Vec::new(),
            events,
            fault: None,
            beside: MessageContext::default(),
        };
        let logged = self.store.append_as(Some(epoch), &[record], self.now())?;
        self.progress
            .advance_head(logged.last().map(|last| last.position));
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
        StoreError::Full(_) => {
            "the disk is full or read-only, nothing was stored; try again once there is room"
                .to_owned()
        }
        _ => "the message could not be stored; try again".to_owned(),
    }
}
