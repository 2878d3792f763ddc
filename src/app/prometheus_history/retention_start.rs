//! Start of a server's retention, found by a binary search over metric names, which reads no
//! samples.

use chrono::TimeDelta;

use crate::clients::error::ClientError;
use crate::clients::prometheus::PrometheusClient;
use crate::model::time::Time;

/// Selector that matches on any Prometheus server with targets or alerts.
const SELECTOR: &str = r#"{__name__=~"up|ALERTS"}"#;
/// Precision of the search.
const PRECISION: TimeDelta = TimeDelta::days(1);

/// Result of the search.
pub(crate) enum RetentionStart {
    /// Data begins at `at` or later.
    At {
        /// Lower bound of the first sample.
        at: Time,
        /// Set if `up` series exist.
        up: bool,
    },
    /// No matching series in the range.
    Nowhere,
    /// Retention is unknown: the query failed.
    Unknown,
}

/// Finds the start of retention. Servers answer by whole blocks, so the first sample may be later.
pub(crate) async fn find(
    client: &PrometheusClient,
    from: Time,
    until: Time,
) -> Result<RetentionStart, ClientError> {
    let names = match client.metric_names(SELECTOR, from, until).await {
        Ok(names) => names,
        Err(fault @ ClientError::Unauthorized(_)) => return Err(fault),
        Err(_) => return Ok(RetentionStart::Unknown),
    };
    if names.is_empty() {
        return Ok(RetentionStart::Nowhere);
    }
    let up = names.iter().any(|name| name == "up");
    let (mut before, mut by) = (from, until);
    while by - before > PRECISION {
        let middle = before + (by - before) / 2;
        match client.metric_names(SELECTOR, from, middle).await {
            Ok(names) if names.is_empty() => before = middle,
            Ok(_) => by = middle,
            Err(_) => break,
        }
    }
    Ok(RetentionStart::At {
        at: Time::from_timestamp(before.timestamp(), 0).unwrap_or(before),
        up,
    })
}
