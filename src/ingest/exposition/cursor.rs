//! A place in a line, and the pieces that all lines are made of: names, quoted texts, blanks.

use std::borrow::Cow;

use super::Format;

/// What is wrong, and at which byte: of the line where a line is read, of the page once [`SyntaxFault::in_page`] was told where that begins.
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

/// Reads a line from left to right.
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

    /// Passes this byte if it is the next.
    pub(crate) fn takes(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    /// Passes blanks where they mean nothing, which is nowhere in OpenMetrics.
    pub(crate) fn blanks(&mut self) {
        if self.format == Format::Text {
            self.at += self
                .rest()
                .iter()
                .take_while(|byte| matches!(byte, b' ' | b'\t'))
                .count();
        }
    }

    /// Passes what stands between two parts of a line: blanks, or exactly one space in OpenMetrics. False when it is not there.
    pub(crate) fn gap(&mut self) -> bool {
        let before = self.at;
        match self.format {
            Format::Text => self.blanks(),
            Format::OpenMetrics => {
                self.takes(b' ');
            }
        }
        self.at > before
    }

    /// What stands before the next blank.
    pub(crate) fn word(&mut self) -> &'a [u8] {
        let rest = self.rest();
        let length = rest
            .iter()
            .take_while(|byte| !matches!(byte, b' ' | b'\t'))
            .count();
        self.at += length;
        &rest[..length]
    }

    /// A name without quotes: letters, digits, `_`, and `:` in names of metrics. Empty when none stands here.
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

    /// A text in double quotes, the first of which is the next byte. `\\`, `\"` and `\n` are what they stand for; a backslash before anything
    /// else is itself, as Prometheus and the cases of OpenMetrics have it.
    pub(crate) fn quoted(&mut self) -> Result<Cow<'a, str>, SyntaxFault> {
        let begins = self.at;
        let body = &self.line[begins + 1..];
        let mut end = 0;
        let mut escapes = false;
        loop {
            let Some(step) = memchr::memchr2(b'"', b'\\', &body[end.min(body.len())..]) else {
                return Err(SyntaxFault::new(
                    begins,
                    "a quoted text begins here and does not end. Close it with \"; a new line within it is written \\n",
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
                "this is no UTF-8. Pages are written in UTF-8",
            )
        })?;
        Ok(if escapes {
            Cow::Owned(unescape(text))
        } else {
            Cow::Borrowed(text)
        })
    }

    /// What stands here, for a sentence that says that something else should.
    pub(crate) fn found(&self) -> String {
        let rest = self.rest();
        let shown = String::from_utf8_lossy(&rest[..rest.len().min(80)]);
        match shown.chars().next() {
            None => "the line ends here".to_owned(),
            Some('\r') => "the line ends with CR LF here".to_owned(),
            Some(' ') => "a space stands here".to_owned(),
            Some(sign) => format!("{sign:?} stands here"),
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
