//! Prometheus remote write 1.0: pushed samples.
//!
//! A body is a `prometheus.WriteRequest` (`prompb/remote.proto`) in snappy's block format, sent with these headers:
//!
//! ```text
//! Content-Type: application/x-protobuf
//! Content-Encoding: snappy
//! X-Prometheus-Remote-Write-Version: 0.1.0
//! ```
//!
//! Prometheus pushes all that it scrapes, and conditions query little of it. So the name of a
//! series is looked up in place, and only series that the filter matches are decoded.
//! Specification: `prometheus.io/docs/specs/prw/remote_write_spec`.

mod wire;

use std::iter::repeat_n;

use chrono::DateTime;
use prost::Message;

use super::metric_filter::MetricFilter;
use crate::model::labels::Labels;
use crate::model::sample::Sample;
use wire::{WireFault, WireFields};

/// The label that names the metric.
const NAME: &[u8] = b"__name__";

/// Maximum expansion of a byte of snappy: a copy of 64 bytes takes 3 (`google/snappy`,
/// `format_description.txt`).
const MOST_OF_A_BYTE: usize = 22;

/// Maximum memory of the samples in multiples of the size limit. Each sample has labels of its own,
/// so one long series of many samples could otherwise fill the memory. One sample per series, as
/// Prometheus sends them, stays below it.
const MOST_GROWTH: usize = 8;

/// Maximum memory of the samples in bytes, whatever the limit.
pub const MOST_KEPT: usize = 16 << 20;

/// Number of faults reported in full: a sender that makes one mistake makes it in all series.
const MOST_FAULTS: usize = 8;

/// The content of one request.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ReceivedSamples {
    /// Samples of the matched series, in the order of the request. Staleness markers have the bits
    /// [`STALE`](crate::model::sample::STALE).
    pub samples: Vec<Sample>,
    /// Approximate memory of the samples in bytes.
    pub bytes: usize,
    /// Number of samples in the request, matched or not, without native histograms and exemplars.
    pub seen: u64,
    /// Number of skipped series: not matched, or with nothing but native histograms or exemplars.
    pub left_out: u64,
    /// Number of matched series with native histograms, which are not supported.
    pub histograms: u64,
    /// Number of matched series that cannot be decoded. The others are not affected, as in
    /// Prometheus. The specification demands the answer 400, upon which the sender drops the
    /// request.
    pub faulty: u64,
    /// Faults of the first eight of them.
    pub faults: Vec<SeriesFault>,
}

/// A series that cannot be decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("timeseries[{index}]: {message}")]
pub struct SeriesFault {
    /// Position among the series of the request, from 0.
    pub index: usize,
    /// Reason of the fault.
    pub message: String,
}

/// The reason a whole request was refused. A retry would fail again: answer 400, upon which the
/// sender drops it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RemoteWriteFault {
    /// The stated size exceeds the limit; nothing was decompressed.
    #[error(
        "{bytes} bytes when decompressed; at most {limit} are accepted. Lower max_samples_per_send."
    )]
    TooLarge {
        /// Its size when unpacked, in bytes.
        bytes: u64,
        /// The largest size that is taken, in bytes.
        limit: usize,
    },
    /// The samples would take too much memory, since each copies its labels.
    #[error(
        "its samples with their labels take more than {most} bytes of memory. Lower max_samples_per_send."
    )]
    TooMuch {
        /// The most that is taken, in bytes.
        most: usize,
    },
    /// Not snappy.
    #[error("not snappy in its block format: {message}")]
    NotSnappy {
        /// Error of the decoder.
        message: String,
    },
    /// The decompressed bytes are not a `prometheus.WriteRequest`.
    #[error(
        "byte {at} of the unpacked request: expected {expected}. Send a prometheus.WriteRequest, as of remote write 1.0."
    )]
    Malformed {
        /// Bytes before it.
        at: usize,
        /// The element expected there.
        expected: &'static str,
    },
}

impl From<WireFault> for RemoteWriteFault {
    fn from(WireFault { at, expected }: WireFault) -> Self {
        Self::Malformed { at, expected }
    }
}

/// Headers of another protocol. Answer 415, so that a sender of 2.0 falls back to 1.0
/// (`prometheus.io/docs/specs/prw/remote_write_spec_2_0`).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{header}: {found} is not supported; send remote write 1.0: {spoken}")]
pub struct UnsupportedHeader {
    /// The header.
    pub header: &'static str,
    /// Its value as sent, or `nothing`.
    pub found: String,
    /// The value that is spoken.
    pub spoken: &'static str,
}

/// Checks the headers of a request that [`read`] can parse: a body of 2.0 would parse as an empty
/// request of 1.0.
///
/// # Errors
/// When they announce anything else, or nothing.
pub fn spoken(
    content_type: Option<&str>,
    content_encoding: Option<&str>,
) -> Result<(), UnsupportedHeader> {
    let unsupported = |header, found: Option<&str>, spoken| UnsupportedHeader {
        header,
        found: found.unwrap_or("nothing").to_owned(),
        spoken,
    };
    if !content_type.is_some_and(is_write_request) {
        return Err(unsupported(
            "Content-Type",
            content_type,
            "application/x-protobuf;proto=prometheus.WriteRequest",
        ));
    }
    if !content_encoding.is_some_and(|encoding| encoding.trim().eq_ignore_ascii_case("snappy")) {
        return Err(unsupported("Content-Encoding", content_encoding, "snappy"));
    }
    Ok(())
}

/// Tests for the media type of 1.0, whose `proto` parameter is optional.
fn is_write_request(content_type: &str) -> bool {
    let mut parts = content_type.split(';').map(str::trim);
    let media = parts.next().unwrap_or_default();
    let message = parts
        .filter_map(|part| part.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("proto"));
    media.eq_ignore_ascii_case("application/x-protobuf")
        && message.is_none_or(|(_, message)| {
            message.trim().trim_matches('"') == "prometheus.WriteRequest"
        })
}

/// Parses a request of at most `limit` bytes when decompressed. Of series that `filter` does not
/// match, only the framing is read.
///
/// Labels follow Prometheus: a series has a name and no repeated label; names and values are UTF-8,
/// in any order. Empty labels, metadata, exemplars, native histograms and unknown fields are
/// skipped.
///
/// # Errors
/// When the request as a whole cannot be read; faulty series are in [`ReceivedSamples::faults`].
pub fn read(
    body: &[u8],
    filter: &MetricFilter,
    limit: usize,
) -> Result<ReceivedSamples, RemoteWriteFault> {
    skim(
        &unpacked(body, limit)?,
        filter,
        limit.saturating_mul(MOST_GROWTH).min(MOST_KEPT),
    )
}

fn unpacked(body: &[u8], limit: usize) -> Result<Vec<u8>, RemoteWriteFault> {
    let not_snappy = |error: snap::Error| match error {
        snap::Error::TooBig { given, .. } => RemoteWriteFault::TooLarge {
            bytes: given,
            limit,
        },
        other => RemoteWriteFault::NotSnappy {
            message: other.to_string(),
        },
    };
    let size = snap::raw::decompress_len(body).map_err(not_snappy)?;
    if size > limit {
        return Err(RemoteWriteFault::TooLarge {
            bytes: size as u64,
            limit,
        });
    }
    // The stated size is believed only as far as the body could expand.
    if size > body.len().saturating_mul(MOST_OF_A_BYTE) {
        return Err(RemoteWriteFault::NotSnappy {
            message: format!(
                "{} bytes cannot decompress to the {size} bytes that the header states",
                body.len()
            ),
        });
    }
    // A reused buffer would save two percent (`benches/remote_write`) and retain the largest
    // request.
    let mut request = vec![0; size];
    snap::raw::Decoder::new()
        .decompress(body, &mut request)
        .map_err(not_snappy)?;
    Ok(request)
}

/// Parses a decompressed request whose samples may take `most` bytes.
fn skim(
    request: &[u8],
    filter: &MetricFilter,
    most: usize,
) -> Result<ReceivedSamples, RemoteWriteFault> {
    let mut written = ReceivedSamples::default();
    let mut index = 0;
    for field in WireFields::of(request, 0) {
        let field = field?;
        // Other fields are metadata or unknown.
        if field.number != 1 {
            continue;
        }
        let bytes = field.bytes.ok_or(RemoteWriteFault::Malformed {
            at: field.at,
            expected: "a series (field 1 of wire type 2)",
        })?;
        let series = SeriesSummary::of(bytes, field.at)?;
        written.seen += series.samples as u64;
        let asked = filter.matches(series.name.unwrap_or_default());
        written.histograms += u64::from(asked && series.histograms);
        // A malformed series is reported even if it is empty.
        let empty = series.samples == 0 && (series.histograms || series.exemplars);
        if !asked || empty {
            written.left_out += 1;
        } else {
            written.bytes = written.bytes.saturating_add(series.size());
            // Checked before decoding: an empty label or sample is two bytes in the request.
            if written.bytes > most {
                return Err(RemoteWriteFault::TooMuch { most });
            }
            if let Err(message) = decode(bytes, &mut written.samples) {
                written.faulty += 1;
                if written.faults.len() < MOST_FAULTS {
                    written.faults.push(SeriesFault { index, message });
                }
            }
        }
        index += 1;
    }
    Ok(written)
}

/// Properties of a series found without decoding it.
#[derive(Debug, Default)]
struct SeriesSummary<'a> {
    name: Option<&'a [u8]>,
    labels: usize,
    label_bytes: usize,
    samples: usize,
    exemplars: bool,
    histograms: bool,
}

impl<'a> SeriesSummary<'a> {
    fn of(series: &'a [u8], before: usize) -> Result<Self, WireFault> {
        let mut glance = Self::default();
        for field in WireFields::of(series, before) {
            let field = field?;
            match field.number {
                1 => {
                    let label = field.bytes.unwrap_or_default();
                    glance.labels += 1;
                    glance.label_bytes += label.len();
                    if glance.name.is_none() {
                        glance.name = name(label);
                    }
                }
                2 => glance.samples += 1,
                3 => glance.exemplars = true,
                4 => glance.histograms = true,
                _ => {}
            }
        }
        Ok(glance)
    }

    /// Approximate memory of its samples in bytes, each with its labels.
    fn size(&self) -> usize {
        let each =
            size_of::<Sample>() + self.labels * size_of::<(String, String)>() + self.label_bytes;
        each.saturating_mul(self.samples.max(1))
    }
}

/// The metric name, if the label is `__name__`. Malformed labels are left to the decoder.
fn name(label: &[u8]) -> Option<&[u8]> {
    let (mut name, mut value) = (&[][..], &[][..]);
    for field in WireFields::of(label, 0) {
        match field {
            Ok(field) if field.number == 1 => name = field.bytes?,
            Ok(field) if field.number == 2 => value = field.bytes?,
            Ok(_) => {}
            Err(_) => return None,
        }
    }
    (name == NAME).then_some(value)
}

/// Adds all samples of a series, or returns its fault.
fn decode(series: &[u8], samples: &mut Vec<Sample>) -> Result<(), String> {
    let TimeSeries {
        labels: pairs,
        samples: points,
    } = TimeSeries::decode(series).map_err(|error| error.to_string())?;
    let mut labels = Labels::new();
    for Label { name, value } in pairs {
        if name.is_empty() {
            return Err("a label has no name".to_owned());
        }
        if labels.contains_key(&name) {
            return Err(format!("the label {name:?} appears twice"));
        }
        labels.insert(name, value);
    }
    labels.retain(|_, value| !value.is_empty());
    let name = labels
        .remove("__name__")
        .ok_or("it has no name: the label __name__ is missing or empty")?;
    let times: Option<Vec<_>> = points
        .iter()
        .map(|point| DateTime::from_timestamp_millis(point.timestamp))
        .collect();
    let times = times.ok_or("the timestamp of a sample is further away than 260,000 years; it is in milliseconds since 1970")?;
    let series = repeat_n((name, labels), points.len());
    samples.extend(series.zip(times).zip(points).map(
        |(((name, labels), at), Point { value, .. })| Sample {
            name,
            labels,
            at,
            value,
        },
    ));
    Ok(())
}

/// `prometheus.TimeSeries` of `prompb/types.proto`; the other fields are not decoded.
#[derive(Clone, PartialEq, Message)]
struct TimeSeries {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<Label>,
    #[prost(message, repeated, tag = "2")]
    samples: Vec<Point>,
}

/// `prometheus.Label`.
#[derive(Clone, PartialEq, Message)]
struct Label {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

/// `prometheus.Sample`. A value or a timestamp of zero is not sent.
#[derive(Clone, PartialEq, Message)]
struct Point {
    #[prost(double, tag = "1")]
    value: f64,
    /// Milliseconds since 1970.
    #[prost(int64, tag = "2")]
    timestamp: i64,
}

#[cfg(test)]
mod tests;
