//! Commit queue: messages share a transaction, and their senders are answered only after it.

use std::collections::BTreeSet;
use std::ops::Deref;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::active_alerts::ActiveAlerts;
use super::active_alerts::row::NEVER;
use crate::app::core::Core;
use crate::app::sync::lock;
use crate::app::worker_thread::Thread;
use crate::ingest::reading::Reported;
use crate::model::event::{Event, Fact};
use crate::model::id::EventId;
use crate::model::time::Time;
use crate::store::error::StoreError;
use crate::store::log::{MessageContext, NewRecord};

/// Messages that may wait for their commit before senders are asked to try again.
const QUEUE: usize = 4096;
/// Bytes of messages that may be held between their first byte and their commit.
const ROOM: usize = 64 << 20;
/// The context of a failed commit in the faults.
const CONTEXT: &str = "a message could not be stored";
/// Messages committed together at most.
const BATCH: usize = 512;

/// One inbound message with its parsed content.
#[derive(Debug, Default)]
pub(crate) struct Arrival {
    /// The name of the source.
    pub source: String,
    /// The body as received.
    pub body: Vec<u8>,
    /// The parsed content.
    pub reports: Vec<Reported>,
    /// Number of alerts that were only renewed and are not among the reports.
    pub renewed: usize,
    /// Parse error, if a part of the body could not be parsed.
    pub fault: Option<String>,
    /// Headers to keep, and the time of arrival.
    pub beside: MessageContext,
    /// Of a message that is read again: the events already logged.
    pub again: Option<BTreeSet<EventId>>,
    /// The room reserved for its body.
    pub room: Option<Room>,
}

impl Arrival {
    /// Set if it may have to be stored: it is more than renewals.
    #[must_use]
    pub(crate) fn may_be_stored(&self) -> bool {
        !self.reports.is_empty() || self.fault.is_some()
    }

    fn record(self, events: Vec<Event>) -> NewRecord {
        NewRecord {
            source: self.source,
            body: self.body,
            events,
            fault: self.fault,
            beside: self.beside,
        }
    }
}

/// Result of storing an arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stored {
    /// Position in the log; `None` if nothing was new.
    pub(crate) position: Option<u64>,
    /// Number of new events.
    pub(crate) events: usize,
}

/// Room for the bytes of a message, given back on drop.
#[derive(Debug)]
pub(crate) struct Room(OwnedSemaphorePermit);

impl Room {
    /// Number of bytes.
    #[must_use]
    pub(crate) fn bytes(&self) -> usize {
        self.0.num_permits()
    }

    /// Gives back all but `bytes`.
    pub(crate) fn keep(&mut self, bytes: usize) {
        drop(self.0.split(self.bytes().saturating_sub(bytes)));
    }

    /// Takes over `more`.
    pub(crate) fn add(&mut self, more: Self) {
        self.0.merge(more.0);
    }
}

/// The body of a request, with the room it takes.
#[derive(Debug)]
pub(crate) struct ReceivedBody {
    pub(crate) bytes: Bytes,
    pub(crate) room: Room,
}

impl Deref for ReceivedBody {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

/// An arrival that waits for its commit.
#[derive(Debug)]
struct Waiting {
    record: NewRecord,
    /// The lease of each event, where its sender gives one.
    leases: Vec<Option<Time>>,
    received_at: Time,
    /// Held until the commit, even if the sender has gone.
    room: Option<Room>,
    done: oneshot::Sender<Result<u64, Unstored>>,
}

/// Reason why a message could not be stored. The sender should try again.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Unstored {
    /// Too many arrivals wait already.
    #[error("too many messages are waiting to be stored; try again in a moment")]
    Busy,
    /// The service is stopping.
    #[error("the service is stopping, nothing was stored; try again in a moment")]
    Stopping,
    /// The database failed.
    #[error("{0}")]
    Store(String),
}

/// Messages on their way into the log.
#[derive(Debug)]
pub(crate) struct CommitQueue {
    core: Arc<Core>,
    active_alerts: Arc<Mutex<ActiveAlerts>>,
    /// Remaining capacity of [`ROOM`], one permit per byte.
    room: Arc<Semaphore>,
    sender: mpsc::Sender<Waiting>,
    /// Taken by [`Self::run`].
    receiver: Mutex<Option<mpsc::Receiver<Waiting>>>,
}

impl CommitQueue {
    pub(crate) fn new(core: Arc<Core>, active_alerts: Arc<Mutex<ActiveAlerts>>) -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE);
        Self {
            core,
            active_alerts,
            room: Arc::new(Semaphore::new(ROOM)),
            sender,
            receiver: Mutex::new(Some(receiver)),
        }
    }

    /// Reserves room for bytes before they are read.
    ///
    /// # Errors
    /// When there is none at present.
    pub(crate) fn reserve(&self, bytes: usize) -> Result<Room, Unstored> {
        let bytes = u32::try_from(bytes).map_err(|_| Unstored::Busy)?;
        Arc::clone(&self.room)
            .try_acquire_many_owned(bytes)
            .map(Room)
            .map_err(|_| Unstored::Busy)
    }

    /// Set if there is room for so many bytes at present.
    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        self.room.available_permits() >= bytes
    }

    /// Appends what is new in an arrival, and the events of `more`, and waits for the commit.
    /// Repeats renew their active alerts and are answered at once.
    ///
    /// # Errors
    /// When it could not be stored.
    pub(crate) async fn store(
        &self,
        mut arrival: Arrival,
        more: Vec<Event>,
    ) -> Result<Stored, Unstored> {
        let received_at = arrival.beside.came_at.unwrap_or_else(|| self.core.now());
        let all = arrival.reports.len() + arrival.renewed;
        let (mut events, mut leases): (Vec<_>, Vec<_>) = lock(&self.active_alerts)
            .new_events(
                std::mem::take(&mut arrival.reports),
                arrival.again.as_ref(),
                received_at,
            )
            .into_iter()
            .unzip();
        if arrival.again.is_none() {
            let new = events
                .iter()
                .filter(|event| !matches!(event.fact, Fact::Lapsed(_)))
                .count();
            let renewed = all.saturating_sub(new) as u64;
            let counter = &self.core.counters.heartbeats;
            counter.fetch_add(renewed, Ordering::Relaxed);
        }
        leases.extend(more.iter().map(|_| None));
        events.extend(more);
        let count = events.len();
        if events.is_empty() && arrival.fault.is_none() {
            // The alerts that it renews may be in a database that is gone.
            if let Some(away) = self.core.database_fault() {
                return Err(Unstored::Store(away.message));
            }
            return Ok(Stored {
                position: None,
                events: 0,
            });
        }
        let (done, answer) = oneshot::channel();
        let waiting = Waiting {
            leases,
            received_at,
            room: arrival.room.take(),
            record: arrival.record(events),
            done,
        };
        self.sender.try_send(waiting).map_err(|error| match error {
            TrySendError::Full(_) => Unstored::Busy,
            TrySendError::Closed(_) => Unstored::Stopping,
        })?;
        let position = answer.await.map_err(|_| {
            Unstored::Store("the message may not be stored; try again in a moment".to_owned())
        })??;
        Ok(Stored {
            position: Some(position),
            events: count,
        })
    }

    /// Commits what waits in one transaction. Blocks.
    fn commit(&self, batch: Vec<Waiting>) {
        let mut records = Vec::with_capacity(batch.len());
        let mut rest = Vec::with_capacity(batch.len());
        for Waiting {
            record,
            leases,
            received_at,
            room,
            done,
        } in batch
        {
            records.push(record);
            rest.push((leases, received_at, room, done));
        }
        let positions = match self.append(None, &records) {
            Ok(positions) => positions,
            Err(fault) => {
                let unstored = Unstored::Store(advice(&fault));
                self.core
                    .faults
                    .report_lasting(CONTEXT, &anyhow::Error::new(fault));
                for (.., done) in rest {
                    let _ = done.send(Err(unstored.clone()));
                }
                return;
            }
        };
        self.core.faults.over(CONTEXT);
        let events: usize = records.iter().map(|record| record.events.len()).sum();
        let counters = &self.core.counters;
        counters
            .arrivals
            .fetch_add(records.len() as u64, Ordering::Relaxed);
        counters.events.fetch_add(events as u64, Ordering::Relaxed);
        let settings = self.core.settings();
        for ((record, (leases, received_at, room, done)), position) in
            records.into_iter().zip(rest).zip(positions)
        {
            let mut alerts = lock(&self.active_alerts);
            for (event, lease) in record.events.iter().zip(leases) {
                // The engine ignores it, so its lapse is not needed.
                let ignored = settings.policy.ignores(event);
                let lease = if ignored { Some(NEVER) } else { lease };
                alerts.record(event, lease, received_at);
            }
            drop(alerts);
            drop(room);
            // The sender may have gone; its facts are durable all the same.
            let _ = done.send(Ok(position));
        }
    }

    /// The one place that appends to the log and moves its head: gives the position of each
    /// record. Blocks.
    fn append(&self, epoch: Option<u64>, records: &[NewRecord]) -> Result<Vec<u64>, StoreError> {
        let logged = self.core.store.append_as(epoch, records, self.core.now())?;
        let positions: Vec<u64> = logged.iter().map(|logged| logged.position).collect();
        self.core.progress.advance_head(positions.last().copied());
        Ok(positions)
    }

    /// Commits one arrival at once, for the demo, which runs no background tasks. Blocks.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn store_now(&self, mut arrival: Arrival) -> Result<(), StoreError> {
        let reports = std::mem::take(&mut arrival.reports);
        let events = reports.into_iter().map(|report| report.event).collect();
        let record = arrival.record(events);
        self.append(None, std::slice::from_ref(&record))?;
        let mut alerts = lock(&self.active_alerts);
        for event in &record.events {
            alerts.record(event, None, self.core.now());
        }
        Ok(())
    }

    /// Appends facts of the service itself, if this is still the judge of `epoch`. Blocks.
    ///
    /// # Errors
    /// When the store fails, or another process is the judge.
    pub(crate) fn append_own(&self, epoch: u64, events: Vec<Event>) -> Result<(), StoreError> {
        if events.is_empty() {
            return Ok(());
        }
        let arrival = Arrival {
            source: "afterword".to_owned(),
            ..Arrival::default()
        };
        self.append(Some(epoch), &[arrival.record(events)])?;
        Ok(())
    }

    /// Commits arrivals until all senders are gone.
    pub(crate) async fn run(self: Arc<Self>) {
        let Some(mut receiver) = lock(&self.receiver).take() else {
            return;
        };
        let thread = Thread::named("commit");
        loop {
            let mut batch = Vec::new();
            if receiver.recv_many(&mut batch, BATCH).await == 0 {
                return;
            }
            let queue = Arc::clone(&self);
            if let Err(fault) = thread.run(move || queue.commit(batch)).await {
                self.core
                    .faults
                    .report("messages could not be stored", &fault);
            }
        }
    }
}

/// The answer to a sender whose message could not be stored.
fn advice(fault: &StoreError) -> String {
    match fault {
        StoreError::Full(_) => {
            "the disk is full or read-only, nothing was stored; try again once there is room"
                .to_owned()
        }
        StoreError::Newer { .. } | StoreError::InUse { .. } => {
            "this process no longer writes to its database, nothing was stored; try again at its successor"
                .to_owned()
        }
        _ => "the message could not be stored; try again".to_owned(),
    }
}
