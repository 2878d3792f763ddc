//! Status of every source, for the pages, the API and `/metrics`.

use std::sync::Mutex;

use chrono::TimeDelta;

use super::reprocess::{API, PROMETHEUS};
use super::source_stats::{MessageInterval, SourceCounts, SourceStats};
use crate::app::core::Core;
use crate::app::sync::lock;
use crate::config::credentials::Auth;
use crate::config::silence::SilentAfter;
use crate::config::source_auth::SourceAuth;
use crate::model::source::{KINDS, SourceKind};
use crate::store::error::StoreError;
use crate::store::quarantine::QuarantineBacklog;

/// A source with its counts and its expected interval.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SourceOverview {
    /// Its name.
    pub name: String,
    /// Its protocol.
    pub speaks: SourceProtocol,
    /// The path it posts to.
    pub path: String,
    /// Its authentication; none for the built-in endpoints, which `access:` guards.
    pub auth: SourceAuth,
    /// Its counts.
    pub tally: SourceCounts,
    /// Its expected and its present silence.
    pub rhythm: MessageInterval,
    /// The configured silence.
    pub silent_after: SilentAfter,
    /// Its messages in quarantine.
    pub waiting: Option<QuarantineBacklog>,
}

/// Protocol of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SourceProtocol {
    /// A webhook of this kind.
    Kind(SourceKind),
    /// Alertmanager's own API.
    Alertmanager,
    /// Events in the native format.
    Events,
}

impl SourceProtocol {
    /// Its name.
    #[must_use]
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Kind(kind) => KINDS
                .iter()
                .find(|(known, _)| *known == kind)
                .map_or("", |(_, words)| words[0]),
            Self::Alertmanager => "Alertmanager's API",
            Self::Events => "events",
        }
    }
}

/// Every source of the settings, then the two ways in that need no entry there. Blocks.
///
/// # Errors
/// When the store fails.
pub(crate) fn list(
    core: &Core,
    stats: &Mutex<SourceStats>,
) -> Result<Vec<SourceOverview>, StoreError> {
    let waiting = core.store.quarantine_by_source()?;
    let (settings, now) = (core.settings(), core.now());
    let shown = |name: &str, speaks, path: String, auth: &SourceAuth, silent_after| {
        let stats = lock(stats);
        SourceOverview {
            name: name.to_owned(),
            speaks,
            path,
            auth: auth.clone(),
            tally: stats.counts_of(name),
            rhythm: stats.rhythm(name, silent_after, now),
            silent_after,
            waiting: waiting.get(name).cloned(),
        }
    };
    let named = settings.config.sources.iter().map(|source| {
        shown(
            &source.name,
            SourceProtocol::Kind(source.kind),
            format!("/ingest/{}", source.name),
            &source.auth,
            source.silent_after,
        )
    });
    let own = [
        (PROMETHEUS, SourceProtocol::Alertmanager, "/api/v2/alerts"),
        (API, SourceProtocol::Events, "/api/v1/events"),
    ];
    let own = own
        .into_iter()
        .filter(|(name, ..)| {
            !settings
                .config
                .sources
                .iter()
                .any(|source| source.name == *name)
        })
        .map(|(name, speaks, path)| {
            shown(
                name,
                speaks,
                path.to_owned(),
                &SourceAuth::Shown(Auth::None),
                SilentAfter::Learned,
            )
        });
    Ok(named.chain(own).collect())
}

/// The present silence and the longest before it, of a source that is silent for too long.
#[must_use]
pub(crate) fn silence(source: &SourceOverview) -> Option<(TimeDelta, Option<TimeDelta>)> {
    source
        .rhythm
        .quiet_for
        .filter(|_| source.rhythm.is_silent())
        .map(|quiet| (quiet, source.rhythm.longest))
}
