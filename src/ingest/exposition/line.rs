//! Parser of a line that states a sample.

use std::borrow::Cow;

use crate::model::labels::Labels;

use super::cursor::{LineCursor, SyntaxFault};
use super::format::Format;
use super::number;

/// The longest line that is parsed, in bytes. A longer one is refused.
pub(crate) const MAX_LINE_BYTES: usize = 64 * 1024;

/// The most labels of a sample, its name not counted. A sample with more is refused.
pub(crate) const MAX_LABELS: usize = 64;

/// A parsed line.
pub(crate) struct SampleLine {
    pub(crate) name: String,
    /// Each name once; labels with an empty value are dropped.
    pub(crate) labels: Labels,
    pub(crate) value: f64,
    /// Milliseconds since 1970, if the line states a time.
    pub(crate) millis: Option<i64>,
}

/// Parses a line without its line break.
pub(crate) fn parse(line: &[u8], format: Format) -> Result<SampleLine, SyntaxFault> {
    if line.len() > MAX_LINE_BYTES {
        return Err(SyntaxFault::new(
            0,
            format!(
                "this line has {} bytes; at most {MAX_LINE_BYTES} are accepted",
                line.len()
            ),
        ));
    }
    if line.last() == Some(&b'\r') {
        return Err(SyntaxFault::new(
            line.len() - 1,
            "the line ends with CR LF. End lines with LF alone, as Prometheus demands",
        ));
    }
    let mut cursor = LineCursor::new(line, format);
    cursor.blanks();
    let begins = cursor.at;
    let mut name = match cursor.name(true) {
        "" if cursor.peek() == Some(b'{') => None,
        "" => {
            let found = cursor.found_text();
            return Err(SyntaxFault::new(
                cursor.at,
                format!(
                    "{found}. Expected a metric's name: letters, digits, _ and :, no digit first"
                ),
            ));
        }
        name => Some(Cow::Borrowed(name)),
    };
    let after_name = cursor.at;
    cursor.blanks();
    let has_braces = cursor.take_byte(b'{');
    let labels = if has_braces {
        labels(&mut cursor, Some(&mut name))?
    } else {
        cursor.at = after_name;
        Labels::new()
    };
    let Some(name) = name else {
        return Err(SyntaxFault::new(
            begins,
            "the metric name is missing. Write it before the { or, in quotes, first within it",
        ));
    };
    // Prometheus reads `a{b="c"}1` in the text format, and so does promtool.
    if !(cursor.gap() || has_braces && format == Format::Text) {
        return Err(SyntaxFault::new(
            cursor.at,
            format!(
                "{}. Expected a space and a value, as in {name} 1",
                cursor.found_text()
            ),
        ));
    }
    let value = value(&mut cursor)?;
    let mut millis = None;
    // Blanks may end a line of the text format.
    if cursor.gap() && (format == Format::OpenMetrics || cursor.peek().is_some()) {
        let is_exemplar = format == Format::OpenMetrics && cursor.peek() == Some(b'#');
        if !is_exemplar {
            millis = Some(timestamp(&mut cursor, format)?);
        }
        if is_exemplar || format == Format::OpenMetrics && cursor.gap() {
            exemplar(&mut cursor)?;
        }
    }
    cursor.blanks();
    if cursor.peek().is_some() {
        return Err(SyntaxFault::new(
            cursor.at,
            format!("{}. Expected the end of the line", cursor.found_text()),
        ));
    }
    Ok(SampleLine {
        name: name.into_owned(),
        labels,
        value,
        millis,
    })
}

/// The metric name in a line that begins with a brace, if it comes first.
pub(crate) fn name_in_braces(line: &[u8], format: Format) -> Option<Cow<'_, str>> {
    let mut cursor = LineCursor::new(line, format);
    cursor.take_byte(b'{');
    cursor.blanks();
    if cursor.peek() != Some(b'"') {
        return None;
    }
    let name = cursor.quoted().ok()?;
    cursor.blanks();
    matches!(cursor.peek(), Some(b',' | b'}')).then_some(name)
}

/// Parses labels up to and including the closing brace. A quoted string that is not followed by
/// `=` names the metric and is stored in `name`, if given. A trailing comma is allowed.
fn labels(
    cursor: &mut LineCursor<'_>,
    mut name: Option<&mut Option<Cow<'_, str>>>,
) -> Result<Labels, SyntaxFault> {
    let mut labels = Labels::new();
    loop {
        cursor.blanks();
        if cursor.take_byte(b'}') {
            break;
        }
        let begins = cursor.at;
        let is_quoted = cursor.peek() == Some(b'"');
        let key = if is_quoted {
            cursor.quoted()?
        } else {
            Cow::Borrowed(cursor.name(false))
        };
        if key.is_empty() {
            cursor.at = begins;
            return Err(SyntaxFault::new(
                begins,
                format!("{}. Expected a label's name or }}", cursor.found_text()),
            ));
        }
        cursor.blanks();
        match (&mut name, cursor.peek()) {
            (Some(name), Some(b',' | b'}')) if is_quoted => {
                if let Some(first) = &**name {
                    return Err(SyntaxFault::new(
                        begins,
                        format!(
                            "a second name, {key:?}, for the metric {first}. Expected = and a value after it"
                        ),
                    ));
                }
                **name = Some(Cow::Owned(key.into_owned()));
            }
            _ => {
                let value = label_value(cursor, &key)?;
                // Prometheus drops labels with an empty value, but a repeated name stays an error.
                if key == "__name__" || labels.insert(key.clone().into_owned(), value).is_some() {
                    return Err(SyntaxFault::new(
                        begins,
                        format!("the label {key} appears twice. Expected each label once"),
                    ));
                }
                if labels.len() > MAX_LABELS {
                    return Err(SyntaxFault::new(
                        begins,
                        format!("more than {MAX_LABELS} labels, the most that is accepted"),
                    ));
                }
            }
        }
        cursor.blanks();
        if !cursor.take_byte(b',') && cursor.peek() != Some(b'}') {
            return Err(SyntaxFault::new(
                cursor.at,
                format!("{}. Expected , or }} after a label", cursor.found_text()),
            ));
        }
    }
    labels.retain(|_, value| !value.is_empty());
    Ok(labels)
}

fn label_value(cursor: &mut LineCursor<'_>, key: &str) -> Result<String, SyntaxFault> {
    if !cursor.take_byte(b'=') {
        return Err(SyntaxFault::new(
            cursor.at,
            format!("{}. Expected = after the label {key}", cursor.found_text()),
        ));
    }
    cursor.blanks();
    if cursor.peek() != Some(b'"') {
        return Err(SyntaxFault::new(
            cursor.at,
            format!(
                "{}. Expected the label's value in double quotes",
                cursor.found_text()
            ),
        ));
    }
    Ok(cursor.quoted()?.into_owned())
}

fn value(cursor: &mut LineCursor<'_>) -> Result<f64, SyntaxFault> {
    let begins = cursor.at;
    let word = cursor.take_word();
    if word.is_empty() {
        return Err(SyntaxFault::new(
            begins,
            format!(
                "{}. Expected a value: a number, NaN, +Inf or -Inf",
                cursor.found_text()
            ),
        ));
    }
    number::float(word).ok_or_else(|| {
        SyntaxFault::new(
            begins,
            format!(
                "{} is not a value. Expected a number, NaN, +Inf or -Inf",
                quoted(word)
            ),
        )
    })
}

fn timestamp(cursor: &mut LineCursor<'_>, format: Format) -> Result<i64, SyntaxFault> {
    let begins = cursor.at;
    let word = cursor.take_word();
    let (millis, expected) = match format {
        Format::Text => (
            number::millis(word),
            "milliseconds since 1970, a whole number",
        ),
        Format::OpenMetrics => (
            number::millis_of_seconds(word),
            "seconds since 1970, a number",
        ),
    };
    millis.ok_or_else(|| {
        SyntaxFault::new(
            begins,
            format!(
                "{} is not a time. Expected {expected}, or the end of the line",
                quoted(word)
            ),
        )
    })
}

/// Checks and skips an exemplar: `# {labels} value`, and a time if there is one.
fn exemplar(cursor: &mut LineCursor<'_>) -> Result<(), SyntaxFault> {
    if !(cursor.take_byte(b'#') && cursor.take_byte(b' ') && cursor.take_byte(b'{')) {
        return Err(SyntaxFault::new(
            cursor.at,
            format!(
                "{}. Expected an exemplar, as in # {{trace_id=\"x\"}} 0.67",
                cursor.found_text()
            ),
        ));
    }
    labels(cursor, None)?;
    if !cursor.gap() {
        return Err(SyntaxFault::new(
            cursor.at,
            format!(
                "{}. Expected a space and the exemplar's value",
                cursor.found_text()
            ),
        ));
    }
    value(cursor)?;
    if cursor.gap() {
        timestamp(cursor, Format::OpenMetrics)?;
    }
    Ok(())
}

/// A word quoted for an error message, shortened if it is long.
fn quoted(word: &[u8]) -> String {
    let text = String::from_utf8_lossy(&word[..word.len().min(200)]);
    let short: String = text.chars().take(40).collect();
    if short.len() < word.len() {
        format!("{short:?}…")
    } else {
        format!("{short:?}")
    }
}
