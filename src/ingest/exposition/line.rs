//! One line that states a sample.

use std::borrow::Cow;

use crate::model::labels::Labels;

use super::cursor::{LineCursor, SyntaxFault};
use super::number;
use super::number::SampleTime;
use super::{Format, LONGEST_LINE, MOST_LABELS};

/// A sample as its line states it.
pub(crate) struct SampleLine {
    pub(crate) name: String,
    /// Each name once. A label without a value is none.
    pub(crate) labels: Labels,
    pub(crate) value: f64,
    pub(crate) stamp: Option<SampleTime>,
    /// The characters in names and values of the exemplar's labels, where there is one.
    pub(crate) exemplar: Option<usize>,
}

/// Reads a line without its end.
pub(crate) fn read(line: &[u8], format: Format) -> Result<SampleLine, SyntaxFault> {
    if line.len() > LONGEST_LINE {
        return Err(SyntaxFault::new(
            0,
            format!(
                "this line has {} bytes, and {LONGEST_LINE} are the most that is read",
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
            let found = cursor.found();
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
    let has_braces = cursor.takes(b'{');
    let labels = if has_braces {
        labels(&mut cursor, Some(&mut name))?
    } else {
        cursor.at = after_name;
        Labels::new()
    };
    let Some(name) = name else {
        return Err(SyntaxFault::new(
            begins,
            "no metric is named. Write its name before the { or, in quotes, first within it",
        ));
    };
    // Prometheus reads `a{b="c"}1` in the text format, and so does promtool.
    if !(cursor.gap() || has_braces && format == Format::Text) {
        return Err(SyntaxFault::new(
            cursor.at,
            format!(
                "{}. Expected a space and a value, as in {name} 1",
                cursor.found()
            ),
        ));
    }
    let value = value(&mut cursor)?;
    let mut stamp = None;
    let mut exemplar = None;
    // Blanks may end a line of the text format.
    if cursor.gap() && (format == Format::OpenMetrics || cursor.peek().is_some()) {
        let is_exemplar = format == Format::OpenMetrics && cursor.peek() == Some(b'#');
        if !is_exemplar {
            stamp = Some(read_stamp(&mut cursor, format)?);
        }
        if is_exemplar || format == Format::OpenMetrics && cursor.gap() {
            exemplar = Some(read_exemplar(&mut cursor)?);
        }
    }
    cursor.blanks();
    if cursor.peek().is_some() {
        return Err(SyntaxFault::new(
            cursor.at,
            format!("{}. Expected the end of the line", cursor.found()),
        ));
    }
    Ok(SampleLine {
        name: name.into_owned(),
        labels,
        value,
        stamp,
        exemplar,
    })
}

/// The metric that a line beginning with a brace names, where one look tells.
pub(crate) fn name_in_braces(line: &[u8], format: Format) -> Option<Cow<'_, str>> {
    let mut cursor = LineCursor::new(line, format);
    cursor.takes(b'{');
    cursor.blanks();
    if cursor.peek() != Some(b'"') {
        return None;
    }
    let name = cursor.quoted().ok()?;
    cursor.blanks();
    matches!(cursor.peek(), Some(b',' | b'}')).then_some(name)
}

/// Labels up to and with the closing brace. A text in quotes that is not followed by `=` names the metric, for which `name` has room where
/// one may stand. A comma may stand before the brace.
fn labels(
    cursor: &mut LineCursor<'_>,
    mut name: Option<&mut Option<Cow<'_, str>>>,
) -> Result<Labels, SyntaxFault> {
    let mut labels = Labels::new();
    loop {
        cursor.blanks();
        if cursor.takes(b'}') {
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
                format!("{}. Expected a label's name or }}", cursor.found()),
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
                // A label without a value is none to Prometheus, but two of one name are two.
                if key == "__name__" || labels.insert(key.clone().into_owned(), value).is_some() {
                    return Err(SyntaxFault::new(
                        begins,
                        format!("the label {key} is here twice. Expected each label once"),
                    ));
                }
                if labels.len() > MOST_LABELS {
                    return Err(SyntaxFault::new(
                        begins,
                        format!("more than {MOST_LABELS} labels, the most that is read"),
                    ));
                }
            }
        }
        cursor.blanks();
        if !cursor.takes(b',') && cursor.peek() != Some(b'}') {
            return Err(SyntaxFault::new(
                cursor.at,
                format!("{}. Expected , or }} after a label", cursor.found()),
            ));
        }
    }
    labels.retain(|_, value| !value.is_empty());
    Ok(labels)
}

fn label_value(cursor: &mut LineCursor<'_>, key: &str) -> Result<String, SyntaxFault> {
    if !cursor.takes(b'=') {
        return Err(SyntaxFault::new(
            cursor.at,
            format!("{}. Expected = after the label {key}", cursor.found()),
        ));
    }
    cursor.blanks();
    if cursor.peek() != Some(b'"') {
        return Err(SyntaxFault::new(
            cursor.at,
            format!(
                "{}. Expected the label's value in double quotes",
                cursor.found()
            ),
        ));
    }
    Ok(cursor.quoted()?.into_owned())
}

fn value(cursor: &mut LineCursor<'_>) -> Result<f64, SyntaxFault> {
    let begins = cursor.at;
    let word = cursor.word();
    if word.is_empty() {
        return Err(SyntaxFault::new(
            begins,
            format!(
                "{}. Expected a value: a number, NaN, +Inf or -Inf",
                cursor.found()
            ),
        ));
    }
    number::float(word).ok_or_else(|| {
        SyntaxFault::new(
            begins,
            format!(
                "{} is no value. Expected a number, NaN, +Inf or -Inf",
                shown(word)
            ),
        )
    })
}

fn read_stamp(cursor: &mut LineCursor<'_>, format: Format) -> Result<SampleTime, SyntaxFault> {
    let begins = cursor.at;
    let word = cursor.word();
    let (stamp, expected) = match format {
        Format::Text => (
            number::millis(word),
            "milliseconds since 1970, a whole number",
        ),
        Format::OpenMetrics => (number::seconds(word), "seconds since 1970, a number"),
    };
    stamp.ok_or_else(|| {
        SyntaxFault::new(
            begins,
            format!(
                "{} is no time. Expected {expected}, or the end of the line",
                shown(word)
            ),
        )
    })
}

/// `# {labels} value`, and the time if there is one. Only whether it is well written matters to a reader of samples.
fn read_exemplar(cursor: &mut LineCursor<'_>) -> Result<usize, SyntaxFault> {
    if !(cursor.takes(b'#') && cursor.takes(b' ') && cursor.takes(b'{')) {
        return Err(SyntaxFault::new(
            cursor.at,
            format!(
                "{}. Expected an exemplar, as in # {{trace_id=\"x\"}} 0.67",
                cursor.found()
            ),
        ));
    }
    let labels = labels(cursor, None)?;
    if !cursor.gap() {
        return Err(SyntaxFault::new(
            cursor.at,
            format!(
                "{}. Expected a space and the exemplar's value",
                cursor.found()
            ),
        ));
    }
    value(cursor)?;
    if cursor.gap() {
        read_stamp(cursor, Format::OpenMetrics)?;
    }
    Ok(labels
        .iter()
        .map(|(name, value)| name.chars().count() + value.chars().count())
        .sum())
}

/// A word for a sentence; a long one is shown in part.
fn shown(word: &[u8]) -> String {
    let text = String::from_utf8_lossy(&word[..word.len().min(200)]);
    let short: String = text.chars().take(40).collect();
    if short.len() < word.len() {
        format!("{short:?}…")
    } else {
        format!("{short:?}")
    }
}
