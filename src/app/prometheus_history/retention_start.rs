//! Where what a server remembers begins: by the names it has for series up to some day, which cost it no sample.

use chrono::TimeDelta;

use crate::clients::error::ClientError;
use crate::clients::prometheus::PrometheusClient;
use crate::model::time::Time;

/// What every Prometheus with targets or alerts has.
const ANYTHING: &str = r#"{__name__=~"up|ALERTS"}"#;
/// As exact as it is worth to know.
const CLOSE: TimeDelta = TimeDelta::days(1);

/// Where what is remembered begins.
pub(crate) enum Beginning {
    /// Not before `at`.
    At {
        /// Nothing is before it.
        at: Time,
        /// Whether it has an `up`.
        up: bool,
    },
    /// It has none of that.
    Nowhere,
    /// It does not say.
    Unknown,
}

/// Finds it; servers tell of whole blocks, so that it may be later.
pub(crate) async fn find(
    client: &PrometheusClient,
    from: Time,
    until: Time,
) -> Result<Beginning, ClientError> {
    let names = match client.metric_names(ANYTHING, from, until).await {
        Ok(names) => names,
        Err(fault @ ClientError::Unauthorized(_)) => return Err(fault),
        Err(_) => return Ok(Beginning::Unknown),
    };
    if names.is_empty() {
        return Ok(Beginning::Nowhere);
    }
    let up = names.iter().any(|name| name == "up");
    let (mut before, mut by) = (from, until);
    while by - before > CLOSE {
        let middle = before + (by - before) / 2;
        match client.metric_names(ANYTHING, from, middle).await {
            Ok(names) if names.is_empty() => before = middle,
            Ok(_) => by = middle,
            Err(_) => break,
        }
    }
    Ok(Beginning::At {
        at: Time::from_timestamp(before.timestamp(), 0).unwrap_or(before),
        up,
    })
}
