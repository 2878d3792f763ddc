//! Client for the Prometheus HTTP API, as Prometheus, Thanos, Mimir and VictoriaMetrics offer it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use reqwest::Method;
use tokio::sync::Semaphore;

use super::credentials::ServerAccess;
use super::error::ClientError;
use super::http::{HttpClient, HttpResponse, RedirectPolicy, ResponseHead};
use super::prometheus_response;
use super::prometheus_response::AlertRule;
use super::query_response::{QueryResponse, Series};
use crate::config::metrics::PrometheusServer;
use crate::model::labels::Labels;
use crate::model::time::Time;

/// Limit on a response in bytes, compressed and decompressed.
const MAX_RESPONSE_BYTES: usize = 64 << 20;
/// Maximum points per series in one response (`web/api/v1/api.go`); longer ranges are split.
const MAX_POINTS: i64 = 11_000;
/// Maximum requests per range query: a million points per series are a mistake, and would exhaust
/// the memory.
const MAX_REQUESTS: usize = 100;

/// Client for one server. Cheap to share; changed settings need a new one.
#[derive(Debug)]
pub struct PrometheusClient {
    http: HttpClient,
    api: String,
    timeout: Duration,
    permits: Semaphore,
    /// Set once the server refuses POST, as some reverse proxies do.
    only_get: AtomicBool,
}

/// Form fields of a request.
type Form = Vec<(&'static str, String)>;

impl PrometheusClient {
    /// Builds the client from its settings and the credentials that they name.
    ///
    /// # Errors
    /// The unusable part of `access`, in a sentence without its secrets.
    pub fn new(settings: &PrometheusServer, access: &ServerAccess) -> Result<Self, String> {
        let timeout = Duration::from_secs(settings.timeout.unsigned_abs());
        let http = HttpClient::new(
            access,
            timeout,
            RedirectPolicy::Stop,
            [settings.url.as_str()],
        )?;
        let (api, permits) = (
            format!("{}/api/v1/", settings.url),
            Semaphore::new(settings.concurrency),
        );
        Ok(Self {
            http,
            api,
            timeout,
            permits,
            only_get: AtomicBool::new(false),
        })
    }

    /// Evaluates `expr` at an instant (cut to milliseconds).
    ///
    /// # Errors
    /// See [`ClientError`]. A partial result is an error, because a series absent from it may
    /// exist.
    pub async fn query(&self, expr: &str, at: Time) -> Result<QueryResponse, ClientError> {
        let form = [
            ("query", expr.to_owned()),
            ("time", format_seconds(at.timestamp_millis())),
            self.timeout_parameter(),
        ];
        let form = form.into_iter().chain(exact_result_parameters()).collect();
        self.post("query", form).await
    }

    /// Evaluates `expr` at `from` and every `step` after it until `to`, both included (all cut to
    /// milliseconds).
    ///
    /// # Errors
    /// As [`PrometheusClient::query`].
    pub async fn query_range(
        &self,
        expr: &str,
        from: Time,
        to: Time,
        step: Duration,
    ) -> Result<QueryResponse, ClientError> {
        let step = i64::try_from(step.as_millis()).unwrap_or(i64::MAX).max(1);
        let mut whole: Option<JoinedResponse> = None;
        for (from, to) in split_range(from.timestamp_millis(), to.timestamp_millis(), step)? {
            let times = [
                ("start", format_seconds(from)),
                ("end", format_seconds(to)),
                ("step", format_seconds(step)),
                self.timeout_parameter(),
            ];
            let form = [("query", expr.to_owned())]
                .into_iter()
                .chain(times)
                .chain(exact_result_parameters())
                .collect();
            let (answer, why) = match self.post("query_range", form).await {
                Ok(answer) => (answer, None),
                Err(ClientError::Partial {
                    why,
                    rest: Some(rest),
                }) => (*rest, Some(why)),
                Err(fault) => return Err(fault),
            };
            match &mut whole {
                None => whole = Some(JoinedResponse::new(answer, why)),
                Some(joined) => joined.add(answer, why),
            }
        }
        whole.map_or_else(|| Err(too_many_points()), JoinedResponse::done)
    }

    /// Fetches the raw samples of a range selector with their own timestamps:
    /// `ALERTS{alertname="Down"}[5m]`. Up to Prometheus 2 the range includes a sample exactly at
    /// its far end; since 3.0 it does not.
    ///
    /// # Errors
    /// As [`PrometheusClient::query`]; [`ClientError::Refused`] when `selector` has no range.
    pub async fn raw_samples(
        &self,
        selector: &str,
        at: Time,
    ) -> Result<QueryResponse, ClientError> {
        // Anything else is evaluated at `at`, and its points have that time and not their own.
        if !selector.trim_end().ends_with(']') {
            let message = "raw samples need a selector with a range, such as up[5m]".to_owned();
            return Err(ClientError::Refused {
                status: 400,
                error_type: "bad_data".to_owned(),
                message,
            });
        }
        self.query(selector, at).await
    }

    /// Fetches the alerting rules.
    ///
    /// # Errors
    /// As [`PrometheusClient::query`].
    pub async fn rules(&self) -> Result<Vec<AlertRule>, ClientError> {
        let response = self
            .send("rules", &[("type", "alert".to_owned())], false)
            .await?;
        parse(response, prometheus_response::rules).await
    }

    /// Fetches the `external_labels` that the server adds to the alerts it sends.
    ///
    /// # Errors
    /// As [`PrometheusClient::query`]; [`ClientError::Refused`] from servers that hide their
    /// configuration.
    pub async fn external_labels(&self) -> Result<Labels, ClientError> {
        let response = self.send("status/config", &[], false).await?;
        parse(response, prometheus_response::external_labels).await
    }

    /// Fetches the metric names that match `selector` between two instants. Servers may round the
    /// range up to whole blocks and return more.
    ///
    /// # Errors
    /// As [`PrometheusClient::query`].
    pub async fn metric_names(
        &self,
        selector: &str,
        from: Time,
        to: Time,
    ) -> Result<Vec<String>, ClientError> {
        let times = [
            ("start", format_seconds(from.timestamp_millis())),
            ("end", format_seconds(to.timestamp_millis())),
        ];
        let form: Form = [("match[]", selector.to_owned())]
            .into_iter()
            .chain(times)
            .collect();
        let response = self.send("label/__name__/values", &form, false).await?;
        parse(response, prometheus_response::names).await
    }

    /// The `timeout` parameter, which ends the query on the server when the client gives up.
    fn timeout_parameter(&self) -> (&'static str, String) {
        ("timeout", format!("{}ms", self.timeout.as_millis()))
    }

    async fn post(&self, path: &str, form: Form) -> Result<QueryResponse, ClientError> {
        if !self.only_get.load(Relaxed) {
            // A query may be longer than what fits into an address.
            let response = self.send(path, &form, true).await?;
            if response.head.status != 405 {
                return parse(response, prometheus_response::query).await;
            }
        }
        let response = self.send(path, &form, false).await?;
        let taken = response.head.status != 405;
        let answer = parse(response, prometheus_response::query).await;
        self.only_get.store(taken, Relaxed);
        answer
    }

    async fn send(
        &self,
        path: &str,
        form: &[(&'static str, String)],
        post: bool,
    ) -> Result<HttpResponse, ClientError> {
        // The semaphore is never closed.
        let _permit = self
            .permits
            .acquire()
            .await
            .map_err(|error| ClientError::Unreachable(error.to_string()))?;
        let method = if post { Method::POST } else { Method::GET };
        let url = format!("{}{path}", self.api);
        let sending = self.http.send(method, &url, MAX_RESPONSE_BYTES, |request| {
            let request = request.header("accept", "application/json");
            match (post, form) {
                (true, form) => request.form(form),
                (false, []) => request,
                (false, form) => request.query(form),
            }
        });
        sending.await
    }
}

async fn parse<T: Send + 'static>(
    response: HttpResponse,
    parser: fn(&ResponseHead, &[u8]) -> Result<T, ClientError>,
) -> Result<T, ClientError> {
    response
        .read(MAX_RESPONSE_BYTES, move |head, body| parser(&head, &body))
        .await
}

/// Parameters that make VictoriaMetrics return exact results: by default it repeats the last value
/// for the most recent half minute and reads from a cache
/// (<https://docs.victoriametrics.com/#prometheus-querying-api-enhancements>). Other servers ignore
/// them.
fn exact_result_parameters() -> [(&'static str, String); 2] {
    [
        ("latency_offset", "1ms".to_owned()),
        ("nocache", "1".to_owned()),
    ]
}

/// Formats milliseconds as the seconds of the API.
fn format_seconds(millis: i64) -> String {
    let sign = if millis < 0 { "-" } else { "" };
    format!(
        "{sign}{}.{:03}",
        (millis / 1000).abs(),
        (millis % 1000).abs()
    )
}

/// Splits a range into requests of at most [`MAX_POINTS`] points, each one step after the one
/// before, so that together they give the points of the whole. Milliseconds.
fn split_range(from: i64, to: i64, step: i64) -> Result<Vec<(i64, i64)>, ClientError> {
    let mut pieces = Vec::new();
    let mut at = from;
    loop {
        if pieces.len() == MAX_REQUESTS {
            return Err(too_many_points());
        }
        let last = at
            .saturating_add(step.saturating_mul(MAX_POINTS - 1))
            .min(to);
        pieces.push((at, last));
        match last.checked_add(step) {
            Some(next) if next <= to => at = at.saturating_add(step.saturating_mul(MAX_POINTS)),
            _ => return Ok(pieces),
        }
        if at > to {
            return Ok(pieces);
        }
    }
}

fn too_many_points() -> ClientError {
    let message =
        "the range has more than a million points; ask for a longer step or a shorter range"
            .to_owned();
    ClientError::Refused {
        status: 400,
        error_type: "bad_data".to_owned(),
        message,
    }
}

/// Joins responses for consecutive ranges of one query.
struct JoinedResponse {
    answer: QueryResponse,
    places: HashMap<Labels, usize>,
    why: Vec<String>,
}

impl JoinedResponse {
    fn new(answer: QueryResponse, why: Option<String>) -> Self {
        let places = answer
            .series
            .iter()
            .enumerate()
            .map(|(place, series)| (series.labels.clone(), place))
            .collect();
        Self {
            answer,
            places,
            why: why.into_iter().collect(),
        }
    }

    fn add(&mut self, next: QueryResponse, why: Option<String>) {
        for Series { labels, points } in next.series {
            if let Some(series) = self
                .places
                .get(&labels)
                .and_then(|place| self.answer.series.get_mut(*place))
            {
                series.points.extend(points);
            } else {
                self.places.insert(labels.clone(), self.answer.series.len());
                self.answer.series.push(Series { labels, points });
            }
        }
        for warning in next.warnings {
            if !self.answer.warnings.contains(&warning) {
                self.answer.warnings.push(warning);
            }
        }
        self.answer.histograms += next.histograms;
        self.answer.heard = next.heard;
        self.why.extend(why.filter(|why| !self.why.contains(why)));
    }

    fn done(self) -> Result<QueryResponse, ClientError> {
        if self.why.is_empty() {
            return Ok(self.answer);
        }
        Err(ClientError::Partial {
            why: self.why.join("; "),
            rest: Some(Box::new(self.answer)),
        })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use super::{MAX_POINTS, MAX_REQUESTS, format_seconds, split_range};

    proptest::proptest! {
        #[test]
        fn split_ranges_cover_every_point_once(from in -5_000_i64..5_000, length in 0_i64..3_000_000, step in 1_i64..500) {
            let to = from + length;
            let points = |(from, to): (i64, i64)| (0..=(to - from) / step).map(move |n| from + n * step);
            if length / step >= MAX_POINTS * i64::try_from(MAX_REQUESTS).unwrap() {
                assert!(split_range(from, to, step).is_err());
            } else {
                let cut = split_range(from, to, step).unwrap();
                assert!(cut.iter().all(|(from, to)| (to - from) / step < MAX_POINTS));
                assert!(cut.iter().copied().flat_map(points).eq(points((from, to))));
            }
        }
    }

    #[test]
    fn a_range_of_one_point_and_one_without_end() {
        assert_eq!(split_range(5, 5, 1).unwrap(), [(5, 5)]);
        assert_eq!(split_range(0, 10_999, 1).unwrap(), [(0, 10_999)]);
        assert_eq!(
            split_range(0, 11_000, 1).unwrap(),
            [(0, 10_999), (11_000, 11_000)]
        );
        // Backwards: the server says what is wrong with it.
        assert_eq!(split_range(9, 5, 1).unwrap(), [(9, 5)]);
        assert!(split_range(0, i64::MAX, 1).is_err());
        assert_eq!(split_range(0, i64::MAX, i64::MAX).unwrap(), [(0, i64::MAX)]);
    }

    #[test]
    fn times_are_seconds_with_three_digits() {
        assert_eq!(
            [
                format_seconds(1_795_417_376_040),
                format_seconds(0),
                format_seconds(15_000),
                format_seconds(-1_500),
                format_seconds(-5)
            ],
            ["1795417376.040", "0.000", "15.000", "-1.500", "-0.005"]
        );
    }
}
