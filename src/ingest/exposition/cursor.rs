//! Lexer of a line: names, quoted strings, blanks.

use std::borrow::Cow;

use super::format::Format;

/// A syntax error and its byte offset: within the line until [`SyntaxFault::in_page`] adds the
/// offset of the line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SyntaxFault {
    pub(crate) at: usize,
    pub(crate) message: String,
}

impl SyntaxFault {
    pub(crate) fn new(at: usize, message: impl Into<String>) -> Self {
        Self {
            at,
            message: message.into(),
        }
    }

    pub(crate) fn in_page(self, line: usize) -> Self {
        Self {
            at: self.at + line,
            ..self
        }
    }
}

/// A position in a line, moved from left to right.
pub(crate) struct LineCursor<'a> {
    line: &'a [u8],
    pub(crate) at: usize,
    format: Format,
}

impl<'a> LineCursor<'a> {
    pub(crate) fn new(line: &'a [u8], format: Format) -> Self {
        Self {
            line,
            at: 0,
            format,
        }
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.line.get(self.at).copied()
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        &self.line[self.at..]
    }

    /// Skips this byte if it is the next.
    pub(crate) fn take_byte(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    /// Skips blanks where they are optional, which is nowhere in OpenMetrics.
    pub(crate) fn blanks(&mut self) {
        if self.format == Format::Text {
            self.at += self
                .rest()
                .iter()
                .take_while(|byte| matches!(byte, b' ' | b'\t'))
                .count();
        }
    }

    /// Skips the separator between two parts of a line: blanks, or exactly one space in OpenMetrics.
    /// Returns `false` if there is none.
    pub(crate) fn gap(&mut self) -> bool {
        let before = self.at;
        match self.format {
            Format::Text => self.blanks(),
            Format::OpenMetrics => {
                self.take_byte(b' ');
            }
        }
        self.at > before
    }

    /// The bytes before the next blank.
    pub(crate) fn take_word(&mut self) -> &'a [u8] {
        let rest = self.rest();
        let length = rest
            .iter()
            .take_while(|byte| !matches!(byte, b' ' | b'\t'))
            .count();
        self.at += length;
        &rest[..length]
    }

    /// A name without quotes: letters, digits, `_`, and `:` in names of metrics. Empty if there is
    /// none.
    pub(crate) fn name(&mut self, colons: bool) -> &'a str {
        let rest = self.rest();
        let fits = |(place, byte): (usize, &u8)| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => true,
            b':' => colons,
            b'0'..=b'9' => place > 0,
            _ => false,
        };
        let length = rest
            .iter()
            .enumerate()
            .take_while(|&entry| fits(entry))
            .count();
        self.at += length;
        // It is ASCII.
        std::str::from_utf8(&rest[..length]).unwrap_or_default()
    }

    /// A string in double quotes; the opening quote is the next byte. `\\`, `\"` and `\n` are
    /// unescaped; a backslash before anything else is itself, as in Prometheus and the OpenMetrics
    /// conformance cases.
    pub(crate) fn quoted(&mut self) -> Result<Cow<'a, str>, SyntaxFault> {
        let begins = self.at;
        let body = &self.line[begins + 1..];
        let mut end = 0;
        let mut escapes = false;
        loop {
            let Some(step) = memchr::memchr2(b'"', b'\\', &body[end.min(body.len())..]) else {
                return Err(SyntaxFault::new(
                    begins,
                    "a quoted string begins here and does not end. Close it with \"; a new line within it is written \\n",
                ));
            };
            end += step;
            if body[end] == b'"' {
                break;
            }
            escapes = true;
            end += 2;
        }
        self.at = begins + 1 + end + 1;
        let text = std::str::from_utf8(&body[..end]).map_err(|error| {
            SyntaxFault::new(
                begins + 1 + error.valid_up_to(),
                "not UTF-8. Pages are encoded in UTF-8",
            )
        })?;
        Ok(if escapes {
            Cow::Owned(unescape(text))
        } else {
            Cow::Borrowed(text)
        })
    }

    /// A description of the next character, for error messages.
    pub(crate) fn found_text(&self) -> String {
        let rest = self.rest();
        let shown = String::from_utf8_lossy(&rest[..rest.len().min(80)]);
        match shown.chars().next() {
            None => "the line ends here".to_owned(),
            Some('\r') => "the line ends with CR LF here".to_owned(),
            Some(' ') => "found a space".to_owned(),
            Some(sign) => format!("found {sign:?}"),
        }
    }
}

fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut signs = text.chars();
    while let Some(sign) = signs.next() {
        if sign != '\\' {
            plain.push(sign);
            continue;
        }
        match signs.next() {
            Some('n') => plain.push('\n'),
            Some(escaped @ ('\\' | '"')) => plain.push(escaped),
            other => {
                plain.push('\\');
                plain.extend(other);
            }
        }
    }
    plain
}
