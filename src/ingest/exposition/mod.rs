//! Scraped pages to samples: Prometheus's text format 0.0.4 and OpenMetrics 1.0. Only lines of the
//! metrics asked for are parsed; of all others, nothing but their end and name is looked at.
//!
//! A page means what it means to Prometheus's scraper (`model/textparse`), with these differences:
//!
//! - A raw new line within a label's value, a missing comma between labels, and a value or a sign
//!   glued to a name are refused. The formats forbid them, and promtool refuses the first two.
//! - Blanks before a name are not part of it, and a time may be before 1970, as the format's own
//!   description has both.
//! - `le` and `quantile` stay as written. Prometheus 3 rewrites `1` as `1.0`, Prometheus 2 does not.
//! - `_created` lines are samples like others.
//! - Comments and empty lines are skipped unread.
//!
//! As there, lines end with LF and nothing else, the last line of a text page need not end, and a
//! page of OpenMetrics must end with `# EOF`: one without was truncated in transit.

mod cursor;
pub mod format;
mod line;
pub mod metadata;
mod number;

use memchr::memchr;

use super::metric_filter::MetricFilter;
use crate::model::sample::Sample;
use crate::model::time::Time;
use cursor::SyntaxFault;
use format::Format;
use line::SampleLine;

/// The line that ends a page of OpenMetrics.
const END: &[u8] = b"# EOF";

/// The reason a page was refused, and its position.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}.")]
pub struct PageFault {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The problem and the expected text, without a full stop.
    pub message: String,
}

/// Parses the samples of the metrics that `filter` matches, in the order of the page. A sample is
/// matched by its own name: `http_seconds_bucket`, not `http_seconds`.
///
/// A sample without a time gets `scraped_at`; one with a time keeps it, to the millisecond, if
/// `honor_timestamps` is set.
///
/// # Errors
/// As in Prometheus, one bad line fails the page. Lines that `filter` does not match are not
/// checked.
pub fn parse(
    page: &[u8],
    format: Format,
    filter: &MetricFilter,
    scraped_at: Time,
    honor_timestamps: bool,
) -> Result<Vec<Sample>, PageFault> {
    let mut samples = Vec::new();
    let mut take = |line: SampleLine| {
        let at = match line.millis {
            // A time beyond the calendar only matters where it would be used.
            Some(millis) if honor_timestamps => {
                Time::from_timestamp_millis(millis).ok_or_else(|| {
                    SyntaxFault::new(
                        0,
                        "this time is out of range. Expected one within 260,000 years",
                    )
                })?
            }
            _ => scraped_at,
        };
        samples.push(Sample {
            name: line.name,
            labels: line.labels,
            at,
            value: line.value,
        });
        Ok(())
    };
    parse_lines(page, format, filter, &mut take).map_err(|syntax| page_fault(page, &syntax))?;
    Ok(samples)
}

/// Passes each matching line to `take`; of the others, finds only their ends and names.
fn parse_lines(
    page: &[u8],
    format: Format,
    filter: &MetricFilter,
    take: &mut dyn FnMut(SampleLine) -> Result<(), SyntaxFault>,
) -> Result<(), SyntaxFault> {
    let mut start = 0;
    let mut is_ended = false;
    while start < page.len() {
        let rest = &page[start..];
        let name = name_end(rest);
        let end = memchr(b'\n', &rest[name..]).map_or(page.len(), |step| start + name + step);
        // A name of one byte is rare, and so are lines that begin with a brace or a blank: this
        // line keeps all others on one path.
        if name > 1 && !filter.matches(&rest[..name]) {
            start = end + 1;
            continue;
        }
        let line = &page[start..end];
        if format == Format::OpenMetrics && line == END {
            if end + 1 < page.len() {
                return Err(SyntaxFault::new(
                    end + 1,
                    "something follows # EOF. Expected the end of the page",
                ));
            }
            is_ended = true;
        } else if may_match(line, format, filter) {
            let line = line::parse(line, format).map_err(|syntax| syntax.in_page(start))?;
            if filter.matches(line.name.as_bytes()) {
                take(line).map_err(|syntax| syntax.in_page(start))?;
            }
        }
        start = end + 1;
    }
    if format == Format::OpenMetrics && !is_ended {
        return Err(SyntaxFault::new(
            page.len(),
            "the page ends here. Expected # EOF as its last line: without it, the page was truncated or is not OpenMetrics",
        ));
    }
    Ok(())
}

/// Tests whether a line may state a sample that `filter` matches.
fn may_match(line: &[u8], format: Format, filter: &MetricFilter) -> bool {
    let is_blank = |byte: &&u8| format == Format::Text && matches!(byte, b' ' | b'\t');
    let line = &line[line.iter().take_while(is_blank).count()..];
    match line.first() {
        None | Some(b'#') => false,
        // A name that one look does not find is known only once the line is parsed.
        Some(b'{') => {
            line::name_in_braces(line, format).is_none_or(|name| filter.matches(name.as_bytes()))
        }
        Some(_) => filter.matches(&line[..name_end(line)]),
    }
}

/// Length of the longest prefix of a line that can be a metric name: it ends before a blank, a
/// brace, or any byte that no name contains.
#[inline]
fn name_end(line: &[u8]) -> usize {
    const EACH: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = EACH << 7;
    let mut at = 0;
    // Eight bytes at a time: a byte's high bit is set where it is below `!` or above `z`. No sum
    // carries into the next byte.
    while let Some(eight) = line[at..].first_chunk::<8>() {
        let word = u64::from_le_bytes(*eight);
        let low = word & !HIGH;
        let stops =
            (word | (low + EACH * (0x80 - b'{' as u64)) | !(low + EACH * (0x80 - b'!' as u64)))
                & HIGH;
        if stops != 0 {
            return at + (stops.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    at + line[at..]
        .iter()
        .take_while(|byte| (b'!'..b'{').contains(byte))
        .count()
}

fn page_fault(page: &[u8], syntax: &SyntaxFault) -> PageFault {
    let before = &page[..syntax.at.min(page.len())];
    let start = memchr::memrchr(b'\n', before).map_or(0, |end| end + 1);
    PageFault {
        line: memchr::memchr_iter(b'\n', before).count() + 1,
        column: String::from_utf8_lossy(&before[start..]).chars().count() + 1,
        message: syntax.message.clone(),
    }
}

#[cfg(test)]
mod tests;
