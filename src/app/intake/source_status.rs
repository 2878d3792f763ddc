//! Who sends: every source with what is known of it, for the pages, the API and `/metrics`.

use chrono::TimeDelta;

use super::reprocess::{API, PROMETHEUS};
use super::source_stats::{Rhythm, Tally};
use crate::app::App;
use crate::app::sync::lock;
use crate::config::credentials::Auth;
use crate::config::silence::SilentAfter;
use crate::config::source_auth::SourceAuth;
use crate::model::source::{KINDS, SourceKind};
use crate::store::error::StoreError;
use crate::store::quarantine::QuarantineBacklog;

/// A source and how it is.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceShown {
    /// Its name.
    pub name: String,
    /// What it speaks.
    pub speaks: Speaks,
    /// Where it posts to, without the host.
    pub path: String,
    /// How it proves who it is; of our own APIs nothing, since `access:` guards them.
    pub auth: SourceAuth,
    /// What was counted.
    pub tally: Tally,
    /// Whether it talks as it used to.
    pub rhythm: Rhythm,
    /// What the settings say of its silence.
    pub silent_after: SilentAfter,
    /// What of it waits in quarantine.
    pub waiting: Option<QuarantineBacklog>,
}

/// What a source speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaks {
    /// A webhook of this kind.
    Kind(SourceKind),
    /// Alertmanager's own API.
    Alertmanager,
    /// Our own events.
    Events,
}

impl Speaks {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
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

impl App {
    /// Every source of the settings, then the two ways in that need no entry there. Blocks.
    ///
    /// # Errors
    /// When the store fails.
    pub fn sources(&self) -> Result<Vec<SourceShown>, StoreError> {
        let waiting = self.store.quarantine_by_source()?;
        let (settings, now) = (self.settings(), self.now());
        let shown = |name: &str, speaks, path: String, auth: &SourceAuth, silent_after| {
            let tallies = lock(&self.tallies);
            SourceShown {
                name: name.to_owned(),
                speaks,
                path,
                auth: auth.clone(),
                tally: tallies.of(name),
                rhythm: tallies.rhythm(name, silent_after, now),
                silent_after,
                waiting: waiting.get(name).cloned(),
            }
        };
        let named = settings.config.sources.iter().map(|source| {
            shown(
                &source.name,
                Speaks::Kind(source.kind),
                format!("/ingest/{}", source.name),
                &source.auth,
                source.silent_after,
            )
        });
        let own = [
            (PROMETHEUS, Speaks::Alertmanager, "/api/v2/alerts"),
            (API, Speaks::Events, "/api/v1/events"),
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
}

/// What to say of a silence: `None` while there is nothing to say.
#[must_use]
pub(crate) fn silence(source: &SourceShown) -> Option<(TimeDelta, Option<TimeDelta>)> {
    source
        .rhythm
        .quiet_for
        .filter(|_| source.rhythm.is_silent())
        .map(|quiet| (quiet, source.rhythm.longest))
}
