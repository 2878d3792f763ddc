//! Counters and gauges of this process for `/metrics`.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use crate::model::time::Time;

/// Counters since the process began.
#[derive(Debug, Default)]
pub struct Counters {
    /// Arrivals committed.
    pub arrivals: AtomicU64,
    /// Events committed.
    pub events: AtomicU64,
    /// Alerts that only renewed a known alert.
    pub heartbeats: AtomicU64,
    /// Samples pushed to this process, dropped ones included.
    pub pushed: AtomicU64,
    /// Arrivals refused because they were not authentic.
    pub refused: AtomicU64,
    /// Deliveries performed.
    pub delivered: AtomicU64,
    /// Attempts at a delivery that failed.
    pub delivery_failures: AtomicU64,
    /// Reloads of the settings that failed.
    pub reload_failures: AtomicU64,
    /// The last reload failed: the settings in force are older than the files.
    pub reload_failed: AtomicBool,
    /// Time at which the settings in force were read, in seconds since 1970.
    pub reloaded_at: AtomicI64,
}

impl Counters {
    /// Notes that settings were read and are in force since `now`.
    pub(crate) fn note_reload(&self, now: Time) {
        self.reloaded_at.store(now.timestamp(), Ordering::Relaxed);
    }
}
