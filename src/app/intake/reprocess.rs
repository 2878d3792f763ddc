//! Reprocessing: messages in quarantine are parsed again with the present settings and parsers.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::anyhow;
use chrono::TimeDelta;

use super::commit::{Arrival, CommitQueue, Unstored};
use super::sns_verification::SnsVerifier;
use crate::app::core::Core;
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

/// Source name of what is posted to Alertmanager's API.
pub(crate) const PROMETHEUS: &str = "prometheus";
/// Source name of what is posted to the service's own API.
pub(crate) const API: &str = "api";
/// Messages of a source parsed again in one call.
const AT_ONCE: usize = 500;
/// Longest duration of a call, which a page waits for.
const FOR: TimeDelta = TimeDelta::seconds(15);

/// Result of parsing a message again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reprocessed {
    /// The state of the message.
    pub state: QuarantineState,
    /// Position of the record with its new events; `None` if there were none.
    pub record: Option<u64>,
    /// Number of new events.
    pub events: usize,
    /// Parse error that remains.
    pub fault: Option<String>,
}

/// Reason why a message could not be reprocessed. It stays as it was.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReprocessFault {
    /// No such message.
    #[error("there is no message {0} in quarantine; GET /api/v1/quarantine lists them")]
    Unknown(u64),
    /// It was read already.
    #[error("the message has been processed already")]
    Already,
    /// Its bytes are gone.
    #[error("the body is no longer kept, so the message cannot be reprocessed; dismiss it")]
    Gone,
    /// Its source is not in the settings.
    #[error("no source is named `{0}` in the settings; add it again, then retry")]
    NoSource(String),
    /// Its events could not be stored.
    #[error(transparent)]
    Unstored(#[from] Unstored),
    /// The database or the parser failed.
    #[error(transparent)]
    Failed(#[from] anyhow::Error),
}

impl From<StoreError> for ReprocessFault {
    fn from(fault: StoreError) -> Self {
        Self::Failed(fault.into())
    }
}

/// Numbers of messages of a source that were parsed again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct ReprocessedAll {
    /// Messages tried.
    pub tried: usize,
    /// Of these, messages without a fault now.
    pub mended: usize,
    /// Set if more are waiting.
    pub more: bool,
}

/// Content of a message that was parsed again.
struct Again {
    arrival: Arrival,
    /// Events of a record that the engine rejected; they are appended again.
    passed: Vec<Event>,
    fault: Option<String>,
    /// A subscription to confirm, with its source.
    confirm: Option<(Source, String)>,
}

/// Reads messages in quarantine again.
#[derive(Debug, Clone)]
pub(crate) struct Reprocessor {
    pub(crate) core: Arc<Core>,
    pub(crate) commits: Arc<CommitQueue>,
    pub(crate) sns: Arc<SnsVerifier>,
}

impl Reprocessor {
    /// Parses a quarantined message again. Its new events become a record of their own; `now` is
    /// the time of arrival.
    ///
    /// # Errors
    /// When it cannot even be tried; the message stays as it was.
    pub(crate) async fn reprocess(&self, position: u64) -> Result<Reprocessed, ReprocessFault> {
        let again = self
            .off_the_threads(move |this| this.read_again(position))
            .await?;
        let Again {
            arrival,
            passed,
            fault,
            confirm,
        } = again;
        // Appended first: a stop in between has it read and appended once more, and the engine knows the repeat.
        let kept = self.commits.store(arrival, passed).await?;
        if let Some((source, url)) = confirm {
            self.sns.confirm(&source, url).await?;
        }
        let told = fault.clone();
        self.off_the_threads(move |this| {
            match &told {
                None => this
                    .core
                    .store
                    .mark_reprocessed(position, kept.position, this.core.now())
                    .map(drop)?,
                Some(fault) => this
                    .core
                    .store
                    .still_faulty(position, fault, this.core.now())?,
            }
            Ok(())
        })
        .await?;
        let state = if fault.is_some() {
            QuarantineState::Open
        } else {
            QuarantineState::Mended
        };
        Ok(Reprocessed {
            state,
            record: kept.position,
            events: kept.events,
            fault,
        })
    }

    /// Parses the quarantined messages of a source again, oldest first, up to a limit per call; the
    /// caller repeats the call for the rest.
    ///
    /// # Errors
    /// When nothing can be stored for now.
    pub(crate) async fn reprocess_all(
        &self,
        source: &str,
    ) -> Result<ReprocessedAll, ReprocessFault> {
        let (name, begun) = (source.to_owned(), self.core.now());
        let listed = move |this: &Self| {
            let filter = QuarantineFilter {
                source: Some(&name),
                open_only: true,
                oldest_first: true,
                before: None,
                limit: AT_ONCE + 1,
            };
            Ok(this.core.store.quarantined(filter)?)
        };
        let waiting = self.off_the_threads(listed).await?;
        let mut all = ReprocessedAll {
            more: waiting.len() > AT_ONCE,
            ..ReprocessedAll::default()
        };
        for waits in waiting.iter().take(AT_ONCE) {
            if self.core.now() - begun > FOR {
                all.more = true;
                break;
            }
            match self.reprocess(waits.position).await {
                Ok(mended) => all.mended += usize::from(mended.state == QuarantineState::Mended),
                // A message that cannot be retried does not block the next.
                Err(
                    ReprocessFault::Already | ReprocessFault::Unknown(_) | ReprocessFault::Gone,
                ) => {}
                Err(fault) => return Err(fault),
            }
            all.tried += 1;
        }
        Ok(all)
    }

    async fn off_the_threads<T, F>(&self, work: F) -> Result<T, ReprocessFault>
    where
        T: Send + 'static,
        F: FnOnce(&Self) -> Result<T, ReprocessFault> + Send + 'static,
    {
        let this = self.clone();
        tokio::task::spawn_blocking(move || work(&this))
            .await
            .map_err(|panic| ReprocessFault::Failed(anyhow!(panic)))?
    }

    /// Parses a quarantined message again. Blocks.
    fn read_again(&self, position: u64) -> Result<Again, ReprocessFault> {
        let waits = self
            .core
            .store
            .quarantined_at(position)?
            .ok_or(ReprocessFault::Unknown(position))?;
        if waits.state == QuarantineState::Mended {
            return Err(ReprocessFault::Already);
        }
        let record = self
            .core
            .store
            .record(position)?
            .ok_or(ReprocessFault::Unknown(position))?;
        let already: BTreeSet<_> = record.events.iter().map(|event| event.id).collect();
        let read = match self.core.store.raw(position)? {
            Some(raw) => self.read_raw(&waits, &raw),
            None => Err(ReprocessFault::Gone),
        };
        let (reading, came_at) = match read {
            Ok(read) => read,
            // What people said has no reader, and needs none: it was read.
            Err(ReprocessFault::Gone | ReprocessFault::NoSource(_)) if waits.passed => {
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
        let settings = self.core.settings();
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

    /// Verifies a quarantined message under the current settings, as of its arrival. Blocks.
    fn is_verified(&self, source: &Source, message: &Message<'_>) -> bool {
        tokio::runtime::Handle::try_current()
            .is_ok_and(|runtime| runtime.block_on(self.sns.verify(source, message)).is_ok())
    }

    /// Parses the stored bytes under the current settings; also returns the time of arrival.
    fn read_raw(
        &self,
        waits: &QuarantineEntry,
        raw: &RawMessage,
    ) -> Result<(Result<Reading, IngestFault>, Time), ReprocessFault> {
        let settings = self.core.settings();
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
                        .filter(|_| named.is_some_and(|named| self.is_verified(named, &message)));
                }
                read
            }
            (_, None, _) => return Err(ReprocessFault::NoSource(source.to_owned())),
        };
        Ok((reading, now))
    }
}
