//! Preview of a message body: text where it is text, else a hex dump, and the place of a parse error.

use std::fmt::Write as _;

/// Maximum bytes of text shown.
const TEXT_BYTES: usize = 64 * 1024;

/// Maximum bytes shown as a hex dump.
const HEX_BYTES: usize = 4 * 1024;

/// Characters shown before and after an error.
const CONTEXT: usize = 60;

/// Displayable beginning of a body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BodyPreview {
    /// Text or hex dump.
    pub(crate) text: String,
    /// Length of the whole body.
    pub(crate) bytes: usize,
    /// True for a hex dump.
    pub(crate) hex: bool,
    /// True when only the beginning is shown.
    pub(crate) cut: bool,
}

impl BodyPreview {
    /// Shows printable UTF-8 as text, anything else as a hex dump.
    pub(crate) fn new(body: &[u8]) -> Self {
        let bytes = body.len();
        let head = body.get(..TEXT_BYTES).unwrap_or(body);
        let text = match std::str::from_utf8(head) {
            Ok(text) => Some(text),
            // Cut in the middle of a character.
            Err(fault) if head.len() < bytes && fault.error_len().is_none() => {
                std::str::from_utf8(&head[..fault.valid_up_to()]).ok()
            }
            Err(_) => None,
        };
        let is_text = |text: &&str| {
            !text.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
        };
        match text.filter(is_text) {
            // Bidirectional control characters would misrepresent the text.
            Some(text) => Self {
                text: without_bidi_marks(text),
                bytes,
                hex: false,
                cut: head.len() < bytes,
            },
            None => Self {
                text: hex_dump(body.get(..HEX_BYTES).unwrap_or(body)),
                bytes,
                hex: true,
                cut: bytes > HEX_BYTES,
            },
        }
    }
}

fn without_bidi_marks(text: &str) -> String {
    let turns = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if text.contains(turns) {
        text.chars()
            .map(|c| if turns(c) { '\u{fffd}' } else { c })
            .collect()
    } else {
        text.to_owned()
    }
}

/// Hex dump of sixteen bytes a line, with printable characters beside.
fn hex_dump(bytes: &[u8]) -> String {
    let mut text = String::new();
    for (index, line) in bytes.chunks(16).enumerate() {
        let digits: Vec<String> = line.iter().map(|byte| format!("{byte:02x}")).collect();
        let letters: String = line
            .iter()
            .map(|byte| {
                if byte.is_ascii_graphic() || *byte == b' ' {
                    char::from(*byte)
                } else {
                    '.'
                }
            })
            .collect();
        let _ = writeln!(
            text,
            "{:06x}  {:<47}  {letters}",
            16 * index,
            digits.join(" ")
        );
    }
    text
}

/// Text before, at and after the position of an error that starts with `line 3, column 7`.
pub(crate) fn fault_context(fault: &str, body: &[u8]) -> Option<(String, String, String)> {
    let rest = fault.strip_prefix("line ")?;
    let (line, rest) = rest.split_once(", column ")?;
    let digits = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    let (line, column): (usize, usize) = (line.parse().ok()?, rest[..digits].parse().ok()?);
    let text = body
        .split(|byte| *byte == b'\n')
        .nth(line.checked_sub(1)?)?;
    // Columns count bytes.
    let at = column.saturating_sub(1).min(text.len());
    let end = (at + 1).min(text.len());
    let clean = |bytes: &[u8]| {
        without_bidi_marks(&String::from_utf8_lossy(bytes)).replace(char::is_control, "\u{fffd}")
    };
    let before = clean(&text[at.saturating_sub(CONTEXT)..at]);
    let after = clean(&text[end..(end + CONTEXT).min(text.len())]);
    (!text.is_empty()).then(|| {
        (
            before,
            if at == end {
                "\u{2423}".to_owned()
            } else {
                clean(&text[at..end])
            },
            after,
        )
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use super::{BodyPreview, HEX_BYTES, TEXT_BYTES, fault_context};

    #[test]
    fn text_is_shown_as_text_and_anything_else_in_base_16() {
        let text = BodyPreview::new("{\"ü\": 1}\n".as_bytes());
        assert_eq!(
            (text.text.as_str(), text.hex, text.cut, text.bytes),
            ("{\"ü\": 1}\n", false, false, 10)
        );
        let bytes = BodyPreview::new(b"\x00\x9fPNG is this no text at all");
        assert!(
            bytes.hex && bytes.text.starts_with("000000  00 9f 50 4e 47 20"),
            "{}",
            bytes.text
        );
        assert!(
            bytes
                .text
                .lines()
                .next()
                .unwrap()
                .ends_with("..PNG is this no"),
            "{}",
            bytes.text
        );
        assert_eq!(BodyPreview::new("a\u{202e}b".as_bytes()).text, "a\u{fffd}b");
        assert_eq!(BodyPreview::new(b"").bytes, 0);
    }

    #[test]
    fn what_is_shown_is_bounded() {
        let long = BodyPreview::new("ü".repeat(TEXT_BYTES).as_bytes());
        assert!(
            !long.hex && long.cut && long.text.len() == TEXT_BYTES,
            "{}",
            long.text.len()
        );
        let odd = format!("a{}", "ü".repeat(TEXT_BYTES));
        assert_eq!(BodyPreview::new(odd.as_bytes()).text.len(), TEXT_BYTES - 1);
        assert_eq!(
            BodyPreview::new(&vec![0; 1 << 20]).text.lines().count(),
            HEX_BYTES / 16
        );
    }

    #[test]
    fn the_place_of_a_fault_is_shown() {
        let told = |fault: &str, body: &str| {
            fault_context(fault, body.as_bytes())
                .map(|(before, at, after)| format!("{before}>{at}<{after}"))
        };
        assert_eq!(
            told("line 2, column 3: not JSON", "{\n a?b}").as_deref(),
            Some(" a>?<b}")
        );
        assert_eq!(
            told("line 1, column 9: not JSON: EOF", "{\"a\": ").as_deref(),
            Some("{\"a\": >\u{2423}<")
        );
        for (fault, body) in [
            ("line 9, column 1: x", "{}"),
            ("alerts[0]: missing", "{}"),
            ("line 1, column 1: x", ""),
        ] {
            assert_eq!(told(fault, body), None, "{fault}");
        }
        assert_eq!(
            told("line 1, column 2: x", "\u{0}ü").as_deref(),
            Some("\u{fffd}>\u{fffd}<\u{fffd}")
        );
        assert!(
            told("line 1, column 5000: x", &"y".repeat(10_000))
                .unwrap()
                .len()
                < 130
        );
    }
}
