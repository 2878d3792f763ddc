//! Clock skew of a server, measured by the `Date` header of its responses.

use chrono::TimeDelta;

use crate::clients::exchange_times::ExchangeTimes;
use crate::model::time::Time;

/// Smallest skew that is acted on: the header has a resolution of one second, and the latency of
/// the response adds to the error.
const NOTED: TimeDelta = TimeDelta::seconds(3);

/// Clock skew: the server's clock minus ours.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Skew(TimeDelta);

impl Skew {
    /// Measures the skew from a response just received. Zero if it has no `Date`.
    pub(crate) fn of(heard: &ExchangeTimes, now: Time) -> Self {
        let Some(server) = heard.server_time else {
            return Self::default();
        };
        let since = TimeDelta::from_std(
            heard.received.elapsed() + heard.received.duration_since(heard.sent) / 2,
        )
        .unwrap_or_default();
        // The header is cut to whole seconds: half a second is its middle.
        let ahead = server + TimeDelta::milliseconds(500) - (now - since);
        Self(if ahead.abs() < NOTED {
            TimeDelta::zero()
        } else {
            TimeDelta::milliseconds(ahead.num_milliseconds())
        })
    }

    /// Converts our time to the server's clock.
    pub(crate) fn to_theirs(self, ours: Time) -> Time {
        ours.checked_add_signed(self.0).unwrap_or(ours)
    }

    /// Converts the server's time to our clock. Servers may claim any time; one that would overflow
    /// is returned unchanged.
    pub(crate) fn to_ours(self, theirs: Time) -> Time {
        theirs.checked_sub_signed(self.0).unwrap_or(theirs)
    }

    /// Returns whether it differs from `known` by more than the error of measurement.
    pub(crate) fn differs(self, known: Self) -> bool {
        (self.0 - known.0).abs() >= NOTED
    }

    /// Returns whether there is no skew.
    pub(crate) fn is_none(self) -> bool {
        self.0 == TimeDelta::zero()
    }
}

#[cfg(test)]
mod tests {
    use super::{Skew, Time, TimeDelta};

    #[test]
    fn conversion_that_overflows_returns_the_time_unchanged() {
        for apart in [TimeDelta::minutes(4), TimeDelta::minutes(-4)] {
            let skew = Skew(apart);
            for end in [Time::MIN_UTC, Time::MAX_UTC] {
                let (ours, theirs) = (skew.to_ours(end), skew.to_theirs(end));
                assert!(ours == end || theirs == end, "{apart}");
            }
        }
    }
}
