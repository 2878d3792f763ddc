//! A lock that outlives panics.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A panic leaves a connection usable, since its transaction was rolled back while unwinding.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
