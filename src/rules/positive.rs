//! Durations that must not be zero.

use super::seconds::Seconds;
use crate::model::fault::Fault;
use crate::yaml::scalar::{Duration, Spanned};

/// A duration that must not be zero, in seconds.
pub(crate) fn positive(
    file: &str,
    key: &str,
    duration: &Spanned<Duration>,
    faults: &mut Vec<Fault>,
) -> Seconds {
    if duration.value.seconds == 0 {
        faults.push(
            duration
                .position
                .fault(file, format!("`{key}` must be longer than zero")),
        );
    }
    duration.value.seconds
}
