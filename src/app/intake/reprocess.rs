//! Reading again what is in quarantine, with the settings and the readers of today.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::anyhow;
use chrono::TimeDelta;

use super::commit::{Arrival, Unstored};
use crate::app::App;
use crate::config::sources::Source;
use crate::ingest;
use crate::ingest::error::IngestFault;
use crate::ingest::header_filter::PATH;
use crate::ingest::message::{Headers, Message};
use crate::ingest::reading::Reading;
use crate::model::event::Event;
use crate::model::time::Time;
use crate::store::error::StoreError;
use crate::store::log::{MessageContext, RawMessage};
use crate::store::quarantine::{QuarantineEntry, QuarantineFilter, QuarantineState};

/// The name under which what comes to Alertmanager's own API is logged.
pub(crate) const PROMETHEUS: &str = "prometheus";
/// The name under which what comes to our own API is logged.
pub(crate) const API: &str = "api";
/// Messages of a source read again at once.
const AT_ONCE: usize = 500;
/// And for how long at the most: somebody waits for the page.
const FOR: TimeDelta = TimeDelta::seconds(15);

/// What came of reading a message again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mended {
    /// What became of it.
    pub state: QuarantineState,
    /// The record with what was new in it; `None`: nothing was.
    pub record: Option<u64>,
    /// How many events were new.
    pub events: usize,
    /// What still cannot be read.
    pub fault: Option<String>,
}

/// Why a message could not be read again. It stays as it was.
#[derive(Debug, thiserror::Error)]
pub enum MendFault {
    /// No such message.
    #[error("there is no message {0} in quarantine; GET /api/v1/quarantine lists them")]
    Unknown(u64),
    /// It was read already.
    #[error("it was read already")]
    Already,
    /// Its bytes are gone.
    #[error("its bytes are no longer kept, so that it cannot be read again; dismiss it")]
    Gone,
    /// Its source is not in the settings.
    #[error("no source is named `{0}` in the settings; add it again, then retry")]
    NoSource(String),
    /// What was read of it could not be stored.
    #[error(transparent)]
    Unstored(#[from] Unstored),
    /// The database, or the reader itself, failed.
    #[error(transparent)]
    Failed(#[from] anyhow::Error),
}

impl From<StoreError> for MendFault {
    fn from(fault: StoreError) -> Self {
        Self::Failed(fault.into())
    }
}

/// How many messages of a source were read again, and how many of them could be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MendedAll {
    /// Read again.
    pub tried: usize,
    /// Of these, mended.
    pub mended: usize,
    /// Whether more wait that were not tried yet.
    pub more: bool,
}

/// What is to be stored of a message that was read again.
struct Again {
    arrival: Arrival,
    /// Events that the engine passed over: they are told once more, though they are in the log.
    passed: Vec<Event>,
    fault: Option<String>,
    /// A subscription to confirm, and of which source.
    confirm: Option<(Source, String)>,
}

impl App {
    /// Reads a message in quarantine again. What is new in it becomes a record of its own, with the time at which the message came as
    /// its `now`.
    ///
    /// # Errors
    /// When it cannot even be tried; the message stays as it was.
    pub async fn mend(self: &Arc<Self>, position: u64) -> Result<Mended, MendFault> {
        let again = self
            .off_the_threads(move |app| app.read_again(position))
            .await?;
        let Again {
            arrival,
            passed,
            fault,
            confirm,
        } = again;
        // Appended first: a stop in between has it read and appended once more, and the engine knows the repeat.
        let kept = self.make_durable(arrival, passed).await?;
        if let Some((source, url)) = confirm {
            self.confirm(&source, url).await?;
        }
        let told = fault.clone();
        self.off_the_threads(move |app| {
            match &told {
                None => app
                    .store
                    .mended(position, kept.position, app.now())
                    .map(drop)?,
                Some(fault) => app.store.still_faulty(position, fault, app.now())?,
            }
            Ok(())
        })
        .await?;
        let state = if fault.is_some() {
            QuarantineState::Open
        } else {
            QuarantineState::Mended
        };
        Ok(Mended {
            state,
            record: kept.position,
            events: kept.events,
            fault,
        })
    }

    /// Reads what waits of a source again, the oldest first. A part of it when there is very much: whoever asks asks again.
    ///
    /// # Errors
    /// When nothing can be stored for now.
    pub async fn mend_all(self: &Arc<Self>, source: &str) -> Result<MendedAll, MendFault> {
        let (name, begun) = (source.to_owned(), self.now());
        let listed = move |app: &App| {
            let filter = QuarantineFilter {
                source: Some(&name),
                open_only: true,
                oldest_first: true,
                limit: AT_ONCE + 1,
            };
            Ok(app.store.quarantined(filter)?)
        };
        let waiting = self.off_the_threads(listed).await?;
        let mut all = MendedAll {
            more: waiting.len() > AT_ONCE,
            ..MendedAll::default()
        };
        for waits in waiting.iter().take(AT_ONCE) {
            if self.now() - begun > FOR {
                all.more = true;
                break;
            }
            match self.mend(waits.position).await {
                Ok(mended) => all.mended += usize::from(mended.state == QuarantineState::Mended),
                // One that cannot be tried keeps nobody from the next.
                Err(MendFault::Already | MendFault::Unknown(_) | MendFault::Gone) => {}
                Err(fault) => return Err(fault),
            }
            all.tried += 1;
        }
        Ok(all)
    }

    async fn off_the_threads<T, F>(self: &Arc<Self>, work: F) -> Result<T, MendFault>
    where
        T: Send + 'static,
        F: FnOnce(&App) -> Result<T, MendFault> + Send + 'static,
    {
        let app = Arc::clone(self);
        tokio::task::spawn_blocking(move || work(&app))
            .await
            .map_err(|panic| MendFault::Failed(anyhow!(panic)))?
    }

    /// Blocks.
    fn read_again(&self, position: u64) -> Result<Again, MendFault> {
        let waits = self
            .store
            .quarantined_at(position)?
            .ok_or(MendFault::Unknown(position))?;
        if waits.state == QuarantineState::Mended {
            return Err(MendFault::Already);
        }
        let record = self
            .store
            .record(position)?
            .ok_or(MendFault::Unknown(position))?;
        let already: BTreeSet<_> = record.events.iter().map(|event| event.id).collect();
        let read = match self.store.raw(position)? {
            Some(raw) => self.read_raw(&waits, &raw),
            None => Err(MendFault::Gone),
        };
        let (reading, came_at) = match read {
            Ok(read) => read,
            // What people said has no reader, and needs none: it was read.
            Err(MendFault::Gone | MendFault::NoSource(_)) if waits.passed => {
                (Ok(Reading::default()), waits.logged_at)
            }
            Err(fault) => return Err(fault),
        };
        let (reading, fault) = match reading {
            Ok(reading) => {
                let faults: Vec<String> = reading.faults.iter().map(ToString::to_string).collect();
                (reading, (!faults.is_empty()).then(|| faults.join("; ")))
            }
            Err(fault) => (Reading::default(), Some(fault.to_string())),
        };
        let settings = self.settings();
        let source = settings
            .config
            .sources
            .iter()
            .find(|source| source.name == waits.source);
        let confirm = source.cloned().zip(reading.confirm);
        let arrival = Arrival {
            source: waits.source,
            reports: reading.reports,
            beside: MessageContext {
                headers: Vec::new(),
                came_at: Some(came_at),
            },
            again: Some(already),
            ..Arrival::default()
        };
        Ok(Again {
            arrival,
            passed: if waits.passed {
                record.events
            } else {
                Vec::new()
            },
            fault,
            confirm,
        })
    }

    /// Whether today's settings let such a message in, as of when it came. Blocks.
    fn is_vouched(&self, source: &Source, message: &Message<'_>) -> bool {
        tokio::runtime::Handle::try_current()
            .is_ok_and(|runtime| runtime.block_on(self.vouched(source, message)).is_ok())
    }

    /// What the bytes say today, and when they came.
    fn read_raw(
        &self,
        waits: &QuarantineEntry,
        raw: &RawMessage,
    ) -> Result<(Result<Reading, IngestFault>, Time), MendFault> {
        let settings = self.settings();
        let source = waits.source.as_str();
        let now = raw.beside.came_at.unwrap_or(waits.logged_at);
        let headers: Headers<'_> = raw
            .beside
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes()))
            .collect();
        let named = settings
            .config
            .sources
            .iter()
            .find(|named| named.name == source);
        let names = named
            .and_then(|named| named.labels.as_ref())
            .unwrap_or(&settings.config.labels);
        // Older records do not say by which way they came: a source of that name comes first then.
        let reading = match (headers.text(PATH), settings.readers.get(source), source) {
            (Some("/api/v2/alerts"), _, _) | (None, None, PROMETHEUS) => {
                ingest::prometheus::alerts_v2(&raw.body, source, names, now)
            }
            (Some("/api/v1/events"), _, _) | (None, None, API) => {
                ingest::events::events(&raw.body, names, now)
            }
            (_, Some(reader), _) => {
                let message = Message {
                    source,
                    headers: &headers,
                    body: &raw.body,
                    names,
                    now,
                };
                let mut read = ingest::dispatch::read(reader, &message, &mut |_| false);
                if let Ok(reading) = &mut read {
                    // Who sent it was asked by the settings of then, which may have taken anybody's.
                    reading.confirm = reading
                        .confirm
                        .take()
                        .filter(|_| named.is_some_and(|named| self.is_vouched(named, &message)));
                }
                read
            }
            (_, None, _) => return Err(MendFault::NoSource(source.to_owned())),
        };
        Ok((reading, now))
    }
}
