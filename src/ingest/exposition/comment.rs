//! One line that begins with `#`: what a metric is, or a remark.

use std::borrow::Cow;

use super::cursor::{LineCursor, SyntaxFault};
use super::{Format, LONGEST_LINE};

/// What such a line says.
pub(crate) enum Comment<'a> {
    /// What a metric means.
    Help(Cow<'a, str>),
    /// What kind of metric it is.
    Type(Cow<'a, str>, Type),
    /// The unit of its values; OpenMetrics only.
    Unit(Cow<'a, str>, &'a str),
    /// The end of the page; OpenMetrics only.
    End,
    /// Nothing to us.
    Remark,
}

/// The types of both formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    Counter,
    Gauge,
    Histogram,
    GaugeHistogram,
    Summary,
    Info,
    StateSet,
    Unknown,
}

impl Type {
    fn of(word: &[u8], format: Format) -> Option<Self> {
        Some(match (word, format) {
            (b"counter", _) => Self::Counter,
            (b"gauge", _) => Self::Gauge,
            (b"histogram", _) => Self::Histogram,
            (b"summary", _) => Self::Summary,
            (b"untyped", Format::Text) | (b"unknown", Format::OpenMetrics) => Self::Unknown,
            (b"gaugehistogram", Format::OpenMetrics) => Self::GaugeHistogram,
            (b"info", Format::OpenMetrics) => Self::Info,
            (b"stateset", Format::OpenMetrics) => Self::StateSet,
            _ => return None,
        })
    }
}

/// The line that ends a page of OpenMetrics.
pub(crate) const END: &[u8] = b"# EOF";

/// Reads a line whose first byte, blanks aside, is `#`.
pub(crate) fn read(line: &[u8], format: Format) -> Result<Comment<'_>, SyntaxFault> {
    if format == Format::OpenMetrics && line == END {
        return Ok(Comment::End);
    }
    if line.len() > LONGEST_LINE {
        return Err(SyntaxFault::new(
            0,
            format!(
                "this line has {} bytes, and {LONGEST_LINE} are the most that is read",
                line.len()
            ),
        ));
    }
    let mut cursor = LineCursor::new(line, format);
    cursor.blanks();
    cursor.takes(b'#');
    let is_spaced = cursor.gap();
    let keyword = cursor.word();
    let is_known =
        matches!(keyword, b"HELP" | b"TYPE") || format == Format::OpenMetrics && keyword == b"UNIT";
    if !(is_spaced && is_known && cursor.gap()) {
        return match format {
            Format::Text => Ok(Comment::Remark),
            Format::OpenMetrics => Err(SyntaxFault::new(
                0,
                "no such line is known. Expected # HELP, # TYPE, # UNIT or # EOF, with single spaces",
            )),
        };
    }
    let begins = cursor.at;
    let name = if cursor.peek() == Some(b'"') {
        cursor.quoted()?
    } else {
        Cow::Borrowed(cursor.name(true))
    };
    let separated = cursor.gap();
    // In the text format a metric may go without help, but not without a space before its type.
    let may_end = format == Format::Text && keyword == b"HELP" && cursor.peek().is_none();
    if name.is_empty() || !separated && !may_end {
        return Err(SyntaxFault::new(
            begins,
            format!(
                "{}. Expected a metric's name and what there is to say of it",
                cursor.found()
            ),
        ));
    }
    let begins = cursor.at;
    let text = cursor.rest();
    if keyword == b"TYPE" {
        let known = Type::of(text, format).ok_or_else(|| {
            let expected = match format {
                Format::Text => "counter, gauge, histogram, summary or untyped",
                Format::OpenMetrics => {
                    "counter, gauge, histogram, gaugehistogram, summary, info, stateset or unknown"
                }
            };
            SyntaxFault::new(
                begins,
                format!(
                    "this is no type of a metric. Expected {expected}, and the end of the line"
                ),
            )
        })?;
        return Ok(Comment::Type(name, known));
    }
    let text = std::str::from_utf8(text).map_err(|error| {
        SyntaxFault::new(
            begins + error.valid_up_to(),
            "this is no UTF-8. Pages are written in UTF-8",
        )
    })?;
    Ok(if keyword == b"HELP" {
        Comment::Help(name)
    } else {
        Comment::Unit(name, text)
    })
}
