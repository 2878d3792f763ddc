//! How far a server's clock is from ours: by the time it says it answered at.

use chrono::TimeDelta;

use crate::clients::exchange_times::ExchangeTimes;
use crate::model::time::Time;

/// A smaller difference is not told from the second that the header is cut to, and from how long an answer takes.
const NOTED: TimeDelta = TimeDelta::seconds(3);

/// The difference of the clocks, server's less ours.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Skew(TimeDelta);

impl Skew {
    /// As an answer tells it that came just now. Without a word about it the clocks agree.
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

    /// Our time as the server calls it.
    pub(crate) fn theirs(self, ours: Time) -> Time {
        ours.checked_add_signed(self.0).unwrap_or(ours)
    }

    /// The server's time as we call it. Servers claim any time, the ends of what can be told included; those stay what they are.
    pub(crate) fn ours(self, theirs: Time) -> Time {
        theirs.checked_sub_signed(self.0).unwrap_or(theirs)
    }

    /// Whether it is another than was known, beyond what the header is exact to.
    pub(crate) fn differs(self, known: Self) -> bool {
        (self.0 - known.0).abs() >= NOTED
    }

    /// Whether the two clocks differ.
    pub(crate) fn is_none(self) -> bool {
        self.0 == TimeDelta::zero()
    }
}

#[cfg(test)]
mod tests {
    use super::{Skew, Time, TimeDelta};

    #[test]
    fn the_ends_of_time_are_no_reason_to_stop() {
        for apart in [TimeDelta::minutes(4), TimeDelta::minutes(-4)] {
            let skew = Skew(apart);
            for end in [Time::MIN_UTC, Time::MAX_UTC] {
                let (ours, theirs) = (skew.ours(end), skew.theirs(end));
                assert!(ours == end || theirs == end, "{apart}");
            }
        }
    }
}
