//! Pages of samples as targets expose them: Prometheus's text format 0.0.4 and OpenMetrics 1.0. For the few names that anybody wants; all
//! other lines are passed without being read.
//!
//! A page means what it means to Prometheus's scraper (`model/textparse`), with these differences:
//!
//! - A raw new line within a label's value, a missing comma between labels, and a value or a sign glued to a name are refused. The formats
//!   do not allow them, and promtool refuses the first two.
//! - Blanks before a name are no part of it, and a time may be before 1970, as the format's own description has both.
//! - `le` and `quantile` stay as they are written. Prometheus 3 rewrites `1` as `1.0`, Prometheus 2 does not.
//! - `_created` lines are samples like others.
//!
//! As there, lines end with LF and nothing else, the last line of a text page need not end, and a page of OpenMetrics must end with
//! `# EOF`: one without was cut off on its way.

mod comment;
mod cursor;
mod histogram;
mod line;
mod number;
pub mod offer;
mod openmetrics;
mod rules;
mod text;

use memchr::memchr;

use crate::model::sample::Sample;
use crate::model::time::Time;

use super::metric_filter::MetricFilter;
use comment::Comment;
use cursor::SyntaxFault;
use line::SampleLine;
use rules::Rules;

/// The longest line that is read, in bytes. A longer one is refused.
pub const LONGEST_LINE: usize = 64 * 1024;

/// The most labels of a sample, its name not counted. One with more is refused.
pub const MOST_LABELS: usize = 64;

/// What to ask a target for: OpenMetrics, else the text format, names in UTF-8 as they are. What Prometheus 3 asks for, without protobuf.
pub const ACCEPT: &str = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                          application/openmetrics-text;version=0.0.1;q=0.5,\
                          text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";

/// The two languages of pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Prometheus's text format 0.0.4, and 1.0.0, which is the same with names in UTF-8.
    /// <https://prometheus.io/docs/instrumenting/exposition_formats/>
    Text,
    /// OpenMetrics 1.0 and before. <https://prometheus.io/docs/specs/om/open_metrics_spec/>
    OpenMetrics,
}

impl Format {
    /// The language that a `Content-Type` announces. Whatever it does not know is read as text, which most targets mean who do not say.
    #[must_use]
    pub fn of(content_type: &str) -> Self {
        let kind = content_type.split(';').next().unwrap_or_default().trim();
        if kind.eq_ignore_ascii_case("application/openmetrics-text") {
            Self::OpenMetrics
        } else {
            Self::Text
        }
    }
}

/// Why a page could not be read, and where it says what it should not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}.")]
pub struct PageFault {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong and what was expected, without a full stop.
    pub message: String,
}

/// The samples of the wanted metrics, in the order of the page. A sample is wanted by its own name: `http_seconds_bucket`, not
/// `http_seconds`.
///
/// A line without a time is at `scraped_at`; one with a time is at that time if `honor_timestamps`, to the millisecond.
///
/// # Errors
/// As in Prometheus, one bad line fails the page. Lines that nobody wants are not looked at; with [`MetricFilter::all`] each is, comments too.
pub fn read(
    page: &[u8],
    format: Format,
    wanted: &MetricFilter,
    scraped_at: Time,
    honor_timestamps: bool,
) -> Result<Vec<Sample>, PageFault> {
    let mut samples = Vec::new();
    let mut take = |line: SampleLine| {
        let at = match line.stamp {
            // A time that no calendar has is none, so that it only matters where it would be used.
            Some(stamp) if honor_timestamps => Time::from_timestamp_millis(stamp.millis)
                .ok_or_else(|| {
                    SyntaxFault::new(
                        0,
                        "this time is too far away. Expected one within 260,000 years",
                    )
                })?,
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
    let read = if wanted.is_all() {
        read_all(page, format, None, &mut take)
    } else {
        read_wanted(page, format, wanted, &mut take)
    };
    read.map_err(|misread| fault(page, &misread))?;
    Ok(samples)
}

/// Whether a page keeps all that its format demands, for who writes one: besides what [`read`] demands of each line, what
/// `promtool check metrics` demands of a text page, and the types, order and sums that OpenMetrics demands. Prometheus scrapes pages that do
/// not, some client libraries print them, and [`read`] reads them.
///
/// # Errors
/// The first fault of the page.
pub fn check(page: &[u8], format: Format) -> Result<(), PageFault> {
    let mut rules = Rules::of(format);
    read_all(page, format, Some(&mut rules), &mut |_| Ok(()))
        .map_err(|misread| fault(page, &misread))
}

type Take<'a> = dyn FnMut(SampleLine) -> Result<(), SyntaxFault> + 'a;

/// Finds the lines that are wanted; of the others, only where they end and what they begin with.
fn read_wanted(
    page: &[u8],
    format: Format,
    wanted: &MetricFilter,
    take: &mut Take<'_>,
) -> Result<(), SyntaxFault> {
    let mut begins = 0;
    let mut is_ended = false;
    while begins < page.len() {
        let rest = &page[begins..];
        let name = name_end(rest);
        let ends = memchr(b'\n', &rest[name..]).map_or(page.len(), |step| begins + name + step);
        // A name of one byte is rare, and so are lines that begin with a brace or a blank: this line keeps all others on one path.
        if name > 1 && !wanted.has(&rest[..name]) {
            begins = ends + 1;
            continue;
        }
        let line = &page[begins..ends];
        if format == Format::OpenMetrics && line == comment::END {
            end_of_page(page, ends)?;
            is_ended = true;
        } else if is_wanted(line, format, wanted) {
            let line = line::read(line, format).map_err(|misread| misread.in_page(begins))?;
            if wanted.has(line.name.as_bytes()) {
                take(line).map_err(|misread| misread.in_page(begins))?;
            }
        }
        begins = ends + 1;
    }
    if format == Format::OpenMetrics && !is_ended {
        Err(not_ended(page))
    } else {
        Ok(())
    }
}

/// Reads every line, and checks the page as a whole where there are rules for it.
fn read_all(
    page: &[u8],
    format: Format,
    mut rules: Option<&mut Rules>,
    take: &mut Take<'_>,
) -> Result<(), SyntaxFault> {
    let mut is_ended = false;
    let mut begins = 0;
    while begins < page.len() {
        let ends = memchr(b'\n', &page[begins..]).map_or(page.len(), |step| begins + step);
        let line = &page[begins..ends];
        let first = line
            .iter()
            .find(|byte| format == Format::OpenMetrics || !matches!(byte, b' ' | b'\t'));
        let read = match (first, format) {
            (None, Format::Text) => Ok(()),
            (None, Format::OpenMetrics) => {
                Err(SyntaxFault::new(0, "an empty line. OpenMetrics has none"))
            }
            (Some(b'#'), _) => comment::read(line, format).and_then(|comment| {
                is_ended = matches!(comment, Comment::End);
                rules
                    .as_mut()
                    .map_or(Ok(()), |rules| rules.comment(&comment))
            }),
            (Some(_), _) => line::read(line, format).and_then(|line| {
                rules.as_mut().map_or(Ok(()), |rules| rules.sample(&line))?;
                take(line)
            }),
        };
        read.map_err(|misread| misread.in_page(begins))?;
        if is_ended {
            end_of_page(page, ends)?;
        }
        begins = ends + 1;
    }
    if format == Format::OpenMetrics && !is_ended {
        return Err(not_ended(page));
    }
    rules.map_or(Ok(()), |rules| {
        rules.end().map_err(|misread| misread.in_page(page.len()))
    })
}

/// Whether a line states a sample that is wanted, or may.
fn is_wanted(line: &[u8], format: Format, wanted: &MetricFilter) -> bool {
    let blanks = if format == Format::Text {
        line.iter()
            .take_while(|byte| matches!(byte, b' ' | b'\t'))
            .count()
    } else {
        0
    };
    let line = &line[blanks..];
    match line.first() {
        None | Some(b'#') => false,
        // One that hides its name is read, since its name is only known then.
        Some(b'{') => {
            line::name_in_braces(line, format).is_none_or(|name| wanted.has(name.as_bytes()))
        }
        Some(_) => wanted.has(&line[..name_end(line)]),
    }
}

fn end_of_page(page: &[u8], ends: usize) -> Result<(), SyntaxFault> {
    match page.get(ends + 1) {
        None => Ok(()),
        Some(_) => Err(SyntaxFault::new(
            ends + 1,
            "something follows # EOF. Expected the end of the page",
        )),
    }
}

fn not_ended(page: &[u8]) -> SyntaxFault {
    SyntaxFault::new(
        page.len(),
        "the page ends here. Expected # EOF as its last line: without it, it was cut off or is no OpenMetrics",
    )
}

/// How many bytes of a line can be the name it begins with: up to a blank, a brace, an end, or anything that is in no name for certain.
#[inline]
fn name_end(line: &[u8]) -> usize {
    const EACH: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = EACH << 7;
    let mut at = 0;
    // Eight bytes at a time: a byte's high bit is set where it is below `!` or above `z`. No sum runs into the byte beside it.
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

fn fault(page: &[u8], misread: &SyntaxFault) -> PageFault {
    let before = &page[..misread.at.min(page.len())];
    let begins = memchr::memrchr(b'\n', before).map_or(0, |end| end + 1);
    PageFault {
        line: memchr::memchr_iter(b'\n', before).count() + 1,
        column: String::from_utf8_lossy(&before[begins..]).chars().count() + 1,
        message: misread.message.clone(),
    }
}

#[cfg(test)]
mod tests;
