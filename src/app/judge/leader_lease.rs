//! Leader lease: which of the replicas on one database is the judge.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::store::database::Store;
use crate::store::error::StoreError;

/// This process's hold on the lease. Losing it unnoticed is safe: the database refuses writes of an
/// older epoch.
#[derive(Debug)]
pub(crate) struct LeaderLease {
    /// The epoch in which this process is the judge; 0 while another is.
    epoch: AtomicU64,
}

impl LeaderLease {
    pub(crate) fn new(epoch: Option<u64>) -> Self {
        Self {
            epoch: AtomicU64::new(epoch.unwrap_or(0)),
        }
    }

    /// The epoch in which this process is the judge; `None` while another is.
    pub(crate) fn epoch(&self) -> Option<u64> {
        Some(self.epoch.load(Ordering::Acquire)).filter(|epoch| *epoch > 0)
    }

    /// Renews the lease, or takes it when it is free; `true` if that changed the epoch. Blocks.
    pub(crate) fn renew(&self, store: &Store) -> Result<bool, StoreError> {
        let mine = self.epoch();
        let held = store.acquire_leader_lease(mine)?;
        if held == mine {
            return Ok(false);
        }
        match (mine, held) {
            (Some(_), Some(epoch)) => tracing::warn!(
                epoch,
                "another process had taken the leader lease; this one has taken it again"
            ),
            (None, Some(epoch)) => tracing::info!(epoch, "this process is now the judge"),
            (_, None) => tracing::warn!("another process is now the judge"),
        }
        self.epoch.store(held.unwrap_or(0), Ordering::Release);
        Ok(true)
    }

    /// Stops being the judge; gives the epoch that ends.
    pub(crate) fn give_up(&self) -> Option<u64> {
        Some(self.epoch.swap(0, Ordering::AcqRel)).filter(|epoch| *epoch > 0)
    }
}
