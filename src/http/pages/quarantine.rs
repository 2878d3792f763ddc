//! `GET /quarantine` and `/quarantine/{position}`: messages that were kept though they could not be read, and what becomes of them. Their
//! bodies are hostile: they are shown as text and as nothing else.

use std::fmt::Write as _;

use askama::Template;

use super::{Notice, Tab, show};
use crate::http::format::Badge;
use crate::model::time::Time;
use crate::store::quarantine::QuarantineState;

/// Bytes of text shown at the most.
const TEXT: usize = 64 * 1024;
/// Bytes shown in base 16 at the most.
const HEX: usize = 4 * 1024;
/// Characters shown before and after a place.
const AROUND: usize = 60;

/// What the list shows.
pub(crate) struct View {
    /// The time at which it is looked at.
    pub(crate) now: Time,
    /// Of this source only.
    pub(crate) source: Option<String>,
    /// Sources that may be read again, with how many messages wait.
    pub(crate) waiting: Vec<(String, u64)>,
    /// Newest first.
    pub(crate) messages: Vec<Message>,
    /// A word at the top.
    pub(crate) notice: Option<Notice>,
}

/// What the page of one message shows.
pub(crate) struct One {
    /// The time at which it is looked at.
    pub(crate) now: Time,
    /// The message.
    pub(crate) message: Message,
    /// What stood beside its body.
    pub(crate) headers: Vec<(String, String)>,
    /// The body; `None`: no longer kept.
    pub(crate) body: Option<Vec<u8>>,
    /// Whether reading it again can be tried.
    pub(crate) can_be_read: bool,
    /// A word at the top.
    pub(crate) notice: Option<Notice>,
}

/// A message that could not be read, or could in part.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    /// Its position in the log.
    pub(crate) position: u64,
    /// The source it came to.
    pub(crate) source: String,
    /// When.
    pub(crate) at: Time,
    /// What is wrong in it, and where.
    pub(crate) fault: String,
    /// What became of it.
    pub(crate) state: QuarantineState,
    /// When it was last read again, or dismissed.
    pub(crate) tried_at: Option<Time>,
    /// The record with what was new in it.
    pub(crate) mended_by: Option<u64>,
}

impl Message {
    fn badge(&self) -> Badge {
        match self.state {
            QuarantineState::Open => Badge {
                text: "waits",
                class: "ask",
            },
            QuarantineState::Mended => Badge {
                text: "read since",
                class: "good",
            },
            QuarantineState::Dismissed => Badge {
                text: "dismissed",
                class: "quiet",
            },
        }
    }
}

#[derive(Template)]
#[template(path = "http/pages/quarantine.html")]
struct Page<'a> {
    tab: Tab,
    view: &'a View,
}

#[derive(Template)]
#[template(path = "http/pages/quarantined.html")]
struct OnePage<'a> {
    tab: Tab,
    view: &'a One,
}

/// A body as it is shown.
enum Text {
    Gone,
    Shown(Shown),
}

/// What is shown of bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    /// Text, or bytes in base 16.
    pub(crate) text: String,
    /// How many bytes there are.
    pub(crate) bytes: usize,
    /// Whether it is no text.
    pub(crate) hex: bool,
    /// Whether there is more than is shown.
    pub(crate) cut: bool,
}

impl OnePage<'_> {
    fn text(&self) -> Text {
        self.view
            .body
            .as_deref()
            .map_or(Text::Gone, |body| Text::Shown(shown(body)))
    }

    fn place(&self) -> Option<(String, String, String)> {
        place(&self.view.message.fault, self.view.body.as_deref()?)
    }
}

/// Bytes as text where they are text, else in base 16.
pub(crate) fn shown(body: &[u8]) -> Shown {
    let bytes = body.len();
    let head = body.get(..TEXT).unwrap_or(body);
    let text = match std::str::from_utf8(head) {
        Ok(text) => Some(text),
        // Cut in the middle of a character.
        Err(fault) if head.len() < bytes && fault.error_len().is_none() => {
            std::str::from_utf8(&head[..fault.valid_up_to()]).ok()
        }
        Err(_) => None,
    };
    let is_text =
        |text: &&str| !text.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t'));
    match text.filter(is_text) {
        // Marks that turn the direction of writing would show something else than what is there.
        Some(text) => Shown {
            text: visible(text),
            bytes,
            hex: false,
            cut: head.len() < bytes,
        },
        None => Shown {
            text: hex(body.get(..HEX).unwrap_or(body)),
            bytes,
            hex: true,
            cut: bytes > HEX,
        },
    }
}

fn visible(text: &str) -> String {
    let turns = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if text.contains(turns) {
        text.chars()
            .map(|c| if turns(c) { '\u{fffd}' } else { c })
            .collect()
    } else {
        text.to_owned()
    }
}

/// Sixteen bytes a line, with the letters among them beside.
fn hex(bytes: &[u8]) -> String {
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

/// What stands where a fault says `line 3, column 7`: before, there, and after.
fn place(fault: &str, body: &[u8]) -> Option<(String, String, String)> {
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
        visible(&String::from_utf8_lossy(bytes)).replace(char::is_control, "\u{fffd}")
    };
    let before = clean(&text[at.saturating_sub(AROUND)..at]);
    let after = clean(&text[end..(end + AROUND).min(text.len())]);
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

/// The list.
pub(crate) fn render(view: &View) -> String {
    show(&Page {
        tab: Tab::Elsewhere,
        view,
    })
}

/// One message.
pub(crate) fn render_one(view: &One) -> String {
    show(&OnePage {
        tab: Tab::Elsewhere,
        view,
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use super::{HEX, TEXT, place, shown};
    use crate::http::pages::sample;

    #[test]
    fn what_came_is_shown_as_text() {
        for (name, html) in sample::pages()
            .into_iter()
            .filter(|(name, _)| name.starts_with("quarantine"))
        {
            for raw in ["<script", "<value>", "<b>"] {
                assert!(!html.contains(raw), "{name}: {raw}");
            }
        }
    }

    #[test]
    fn text_is_shown_as_text_and_anything_else_in_base_16() {
        let text = shown("{\"ü\": 1}\n".as_bytes());
        assert_eq!(
            (text.text.as_str(), text.hex, text.cut, text.bytes),
            ("{\"ü\": 1}\n", false, false, 10)
        );
        let bytes = shown(b"\x00\x9fPNG is this no text at all");
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
        assert_eq!(shown("a\u{202e}b".as_bytes()).text, "a\u{fffd}b");
        assert_eq!(shown(b"").bytes, 0);
    }

    #[test]
    fn what_is_shown_is_bounded() {
        let long = shown("ü".repeat(TEXT).as_bytes());
        assert!(
            !long.hex && long.cut && long.text.len() == TEXT,
            "{}",
            long.text.len()
        );
        let odd = format!("a{}", "ü".repeat(TEXT));
        assert_eq!(shown(odd.as_bytes()).text.len(), TEXT - 1);
        assert_eq!(shown(&vec![0; 1 << 20]).text.lines().count(), HEX / 16);
    }

    #[test]
    fn the_place_of_a_fault_is_shown() {
        let told = |fault: &str, body: &str| {
            place(fault, body.as_bytes())
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
