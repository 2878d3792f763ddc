//! Scrape coverage of a Prometheus server: in gaps between scrapes its values are stale, or missing
//! without having ended.

use chrono::TimeDelta;

use super::chunking::ChunkSize;
use super::error::HistoryError;
use super::server::HistoryServer;
use crate::clients::error::ClientError;
use crate::clients::query_response::QueryResponse;
use crate::model::time::Time;

/// Query for the time of the newest scrape of any target.
const NEWEST_LOOK: &str = "max(timestamp(up))";
/// Minimum step of that query.
const STEP: TimeDelta = TimeDelta::seconds(15);
/// Retention of scrape times behind the read position.
const KEPT: TimeDelta = TimeDelta::hours(1);

/// Scrape times of a server.
#[derive(Debug)]
pub(crate) struct ScrapeCoverage {
    times: Vec<Time>,
    /// Median interval between scrapes.
    pace: Option<TimeDelta>,
    step: TimeDelta,
    /// Set if the server has `up` series.
    known: bool,
    first: Option<Time>,
    piece: ChunkSize,
}

impl ScrapeCoverage {
    pub(crate) fn new(step: Option<TimeDelta>) -> Self {
        let step = step.unwrap_or(STEP).max(STEP);
        Self {
            times: Vec::new(),
            pace: None,
            step,
            known: false,
            first: None,
            piece: ChunkSize::default(),
        }
    }

    /// Records whether `up` exists in the span.
    pub(crate) fn expect(&mut self, up: bool) {
        self.known |= up;
    }

    /// Returns whether scrape times are known.
    pub(crate) fn is_known(&self) -> bool {
        self.known
    }

    pub(crate) fn first(&self) -> Option<Time> {
        self.first
    }

    /// Reads the range that follows the last one.
    pub(crate) async fn read(
        &mut self,
        server: &HistoryServer,
        from: Time,
        until: Time,
    ) -> Result<(), HistoryError> {
        let mut next = after(from, self.step);
        while next <= until {
            let last = at_or_before(self.piece.end(next, until), self.step).max(next);
            let step = self.step.to_std().unwrap_or_default();
            let answer = match server
                .client()
                .query_range(NEWEST_LOOK, next, last, step)
                .await
            {
                // A partial response is enough: a reported scrape has happened.
                Err(ClientError::Partial {
                    rest: Some(rest), ..
                }) => Ok(*rest),
                answer => answer,
            };
            match answer {
                Ok(answer) => {
                    self.piece.answered();
                    self.take(answer);
                    next = last + self.step;
                }
                Err(fault) => {
                    let failed = self.piece.failed(last - next, fault, server.name()).await;
                    failed.map_err(|said| {
                        server.fault(&format!("`{NEWEST_LOOK}`"), (next, last), said)
                    })?;
                }
            }
        }
        let mut apart: Vec<TimeDelta> = self
            .times
            .windows(2)
            .map(|pair| pair[1] - pair[0])
            .collect();
        apart.sort_unstable();
        self.pace = apart.get(apart.len() / 2).copied().or(self.pace);
        Ok(())
    }

    fn take(&mut self, answer: QueryResponse) {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "what is out of range becomes the last instant, which is none"
        )]
        let time = |seconds: f64| Time::from_timestamp_millis((seconds * 1000.0).round() as i64);
        for look in answer
            .series
            .into_iter()
            .flat_map(|series| series.points)
            .filter_map(|(_, seconds)| time(seconds))
        {
            self.known = true;
            if self.times.last().is_none_or(|last| *last < look) {
                self.first.get_or_insert(look);
                self.times.push(look);
            }
        }
    }

    /// Scrape times, to tell the end of an alert from a gap. `None`: unknown.
    pub(crate) fn times(&self) -> Option<Vec<Time>> {
        self.known.then(|| self.times.clone())
    }

    /// Returns whether any target was scraped shortly before `at`; assumed if unknown.
    pub(crate) fn was_scraped_before(&self, at: Time) -> bool {
        if !self.known {
            return true;
        }
        let newest = self
            .times
            .partition_point(|look| *look <= at)
            .checked_sub(1)
            .and_then(|place| self.times.get(place));
        // Scrapes between two steps of the query are not visible.
        newest.is_some_and(|look| at - *look <= self.pace.unwrap_or(self.step) * 3 / 2 + self.step)
    }

    /// Drops scrape times more than [`KEPT`] before `told`.
    pub(crate) fn forget(&mut self, told: Time) {
        self.times.retain(|look| *look >= told - KEPT);
    }
}

/// First multiple of `step` after an instant.
pub(crate) fn after(time: Time, step: TimeDelta) -> Time {
    at_or_before(time, step) + step
}

/// Last multiple of `step`, in seconds, that is not after an instant.
pub(crate) fn at_or_before(time: Time, step: TimeDelta) -> Time {
    let step = step.num_seconds().max(1);
    Time::from_timestamp(time.timestamp().div_euclid(step) * step, 0).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use super::{ScrapeCoverage, Time, TimeDelta, after, at_or_before};

    fn at(second: i64) -> Time {
        Time::from_timestamp(1_800_000_000 + second, 0).unwrap_or_default()
    }

    #[test]
    fn instants_are_multiples_of_a_step() {
        let minute = TimeDelta::minutes(1);
        assert_eq!(
            (at_or_before(at(0), minute), after(at(0), minute)),
            (at(0), at(60))
        );
        assert_eq!(
            (at_or_before(at(59), minute), after(at(59), minute)),
            (at(0), at(60))
        );
    }

    #[test]
    fn scrape_within_the_usual_interval_counts_as_recent() {
        let mut looks = ScrapeCoverage::new(None);
        assert!(looks.was_scraped_before(at(0)), "nobody can say");
        looks.expect(true);
        assert!(!looks.was_scraped_before(at(0)));
        looks.times = (0..10).map(|index| at(30 * index)).collect();
        looks.pace = Some(TimeDelta::seconds(30));
        for (second, was_scraped_before) in [
            (-1, false),
            (0, true),
            (290, true),
            (330, true),
            (331, false),
        ] {
            assert_eq!(
                looks.was_scraped_before(at(second)),
                was_scraped_before,
                "{second}"
            );
        }
    }
}
