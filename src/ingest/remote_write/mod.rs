//! Prometheus remote write 1.0: what a Prometheus pushes to samples.
//!
//! A body is a `prometheus.WriteRequest` (`prompb/remote.proto`) in snappy's block format, sent with these headers:
//!
//! ```text
//! Content-Type: application/x-protobuf
//! Content-Encoding: snappy
//! X-Prometheus-Remote-Write-Version: 0.1.0
//! ```
//!
//! A Prometheus pushes all that it scrapes and conditions ask for little of that, so a request is skimmed: the name of a series is looked
//! for in place, and only series that somebody asked for are decoded. The specification: `prometheus.io/docs/specs/prw/remote_write_spec`.

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

/// No byte of snappy says more than this many bytes: a copy of 64 takes 3 (`google/snappy`, `format_description.txt`).
const MOST_OF_A_BYTE: usize = 22;

/// Samples may take up so many times the limit of the bytes they come in. Each has labels of its own, so that one long series with many
/// short samples could otherwise fill the memory. One sample a series, as a Prometheus sends them, stays below whatever its labels are.
const MOST_GROWTH: usize = 8;

/// Nor more than so many bytes, whatever the limit: of all that a Prometheus sends, conditions ask for little.
pub const MOST_KEPT: usize = 16 << 20;

/// So many faults are told in full: a sender that does one thing wrong does it in all its series.
const MOST_FAULTS: usize = 8;

/// What one request says.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ReceivedSamples {
    /// Samples of the series asked for, in the order of the request. What says that a series ended has the bits
    /// [`STALE`](crate::model::sample::STALE).
    pub samples: Vec<Sample>,
    /// About how many bytes of memory they take up.
    pub bytes: usize,
    /// How many samples the request holds, whether asked for or not. Native histograms and exemplars are none.
    pub seen: u64,
    /// How many series are passed over: nobody asked for them, or they hold no sample but a native histogram or an exemplar.
    pub left_out: u64,
    /// How many of the series asked for hold native histograms, which are not read.
    pub histograms: u64,
    /// How many of the series asked for cannot be read. They cost the others nothing, as in a Prometheus that receives such.
    /// By the specification the answer then is 400, upon which the sender drops the request and does not send it again.
    pub faulty: u64,
    /// What is wrong with the first eight of them.
    pub faults: Vec<SeriesFault>,
}

/// A series that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("timeseries[{index}]: {message}")]
pub struct SeriesFault {
    /// Position among the series of the request, from 0.
    pub index: usize,
    /// What is wrong.
    pub message: String,
}

/// Why a whole request cannot be read. Sent again it would fail again: answer 400, upon which the sender drops it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RemoteWriteFault {
    /// It says itself that it is larger than is taken; nothing was unpacked.
    #[error(
        "{bytes} bytes when unpacked, and at most {limit} are taken. Send less at once: lower max_samples_per_send."
    )]
    TooLarge {
        /// Its size when unpacked, in bytes.
        bytes: u64,
        /// The largest size that is taken, in bytes.
        limit: usize,
    },
    /// Its samples would take up too much memory, since each has a copy of its labels.
    #[error(
        "its samples with their labels take up more than {most} bytes. Send less at once: lower max_samples_per_send."
    )]
    TooMuch {
        /// The most that is taken, in bytes.
        most: usize,
    },
    /// It is not snappy.
    #[error("not snappy in its block format: {message}")]
    NotSnappy {
        /// What the decoder met.
        message: String,
    },
    /// What was unpacked is no `prometheus.WriteRequest`.
    #[error(
        "byte {at} of the unpacked request: expected {expected}. Send a prometheus.WriteRequest, as of remote write 1.0."
    )]
    Malformed {
        /// Bytes before it.
        at: usize,
        /// What belongs there.
        expected: &'static str,
    },
}

impl From<WireFault> for RemoteWriteFault {
    fn from(WireFault { at, expected }: WireFault) -> Self {
        Self::Malformed { at, expected }
    }
}

/// Headers that announce something else than remote write 1.0. Answer 415, so that a sender of 2.0 falls back to 1.0
/// (`prometheus.io/docs/specs/prw/remote_write_spec_2_0`).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{header}: {found} is not spoken here; remote write 1.0 is: {spoken}")]
pub struct UnsupportedHeader {
    /// The header.
    pub header: &'static str,
    /// Its value as sent, or `nothing`.
    pub found: String,
    /// The value that is spoken.
    pub spoken: &'static str,
}

/// Whether headers announce what [`read`] reads. They have to be looked at: a body of 2.0 reads as an empty request of 1.0.
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

/// Whether a media type is that of 1.0, which need not name its message.
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

/// Reads a request whose size when unpacked is at most `limit` bytes. Of series not asked for only the framing is looked at.
///
/// The rules for labels are Prometheus's own: a series has a name, names no label twice, and its names and values are UTF-8, in any order.
/// A label without a value is none. Metadata, exemplars, native histograms and fields that are not known are passed over.
///
/// # Errors
/// When the request as a whole cannot be read; a series that cannot is among [`ReceivedSamples::faults`].
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
    // What the header says is taken for true only as far as the body could keep it.
    if size > body.len().saturating_mul(MOST_OF_A_BYTE) {
        return Err(RemoteWriteFault::NotSnappy {
            message: format!(
                "{} bytes cannot unpack to the {size} of the header",
                body.len()
            ),
        });
    }
    // Memory that is kept from one request to the next would save a fiftieth (`benches/remote_write`) and hold on to the largest request.
    let mut request = vec![0; size];
    snap::raw::Decoder::new()
        .decompress(body, &mut request)
        .map_err(not_snappy)?;
    Ok(request)
}

/// Reads an unpacked request whose samples may take up `most` bytes.
fn skim(
    request: &[u8],
    filter: &MetricFilter,
    most: usize,
) -> Result<ReceivedSamples, RemoteWriteFault> {
    let mut written = ReceivedSamples::default();
    let mut index = 0;
    for field in WireFields::of(request, 0) {
        let field = field?;
        // The others are metadata, or not known.
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
        // A series that cannot be read is told even where it holds nothing.
        let empty = series.samples == 0 && (series.histograms || series.exemplars);
        if !asked || empty {
            written.left_out += 1;
        } else {
            written.bytes = written.bytes.saturating_add(series.size());
            // Before it is decoded: a label or a sample without content is two bytes in the request.
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

/// What can be said of a series without decoding it.
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

    /// About how much memory its samples take up, in bytes, each with its labels.
    fn size(&self) -> usize {
        let each =
            size_of::<Sample>() + self.labels * size_of::<(String, String)>() + self.label_bytes;
        each.saturating_mul(self.samples.max(1))
    }
}

/// The value of a label if it is the one that names the metric. One that is broken is not: decoding it says so.
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

/// Adds the samples of a series, all or none, or says what is wrong with it.
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
            return Err(format!("the label {name:?} is there twice"));
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

/// `prometheus.TimeSeries` of `prompb/types.proto`, of which only this is decoded.
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
