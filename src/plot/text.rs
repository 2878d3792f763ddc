//! Text in a picture: how wide it may be, how it is cut, how it is written.

use crate::wording::markdown;

/// An upper estimate of a text's width, in units of its font size: nothing here can ask the font that a reader has.
pub(crate) fn width(text: &str) -> f64 {
    text.chars().map(of).sum()
}

fn of(char: char) -> f64 {
    match char {
        'i' | 'j' | 'l' | 'f' | 't' | 'r' | 'I' | '.' | ',' | ':' | ';' | '\'' | '|' | '!'
        | ' ' | '/' | '(' | ')' | '[' | ']' => 0.38,
        'm' | 'w' | 'M' | 'W' | '%' | '@' => 0.95,
        'A'..='Z' | '<' | '>' | '=' | '+' | '&' | '~' => 0.72,
        char if char.is_ascii() => 0.6,
        '–' | '·' | '…' | 'µ' => 0.7,
        // Widest of what people use: ideographs.
        _ => 1.05,
    }
}

/// The text, or as much of it as fits into `most` units of its font size, with `…` for the rest.
pub(crate) fn cut(text: &str, most: f64) -> String {
    if width(text) <= most {
        return text.to_owned();
    }
    let mut left = most - width("…");
    let kept: String = text
        .chars()
        .take_while(|char| {
            left -= of(*char);
            left >= 0.0
        })
        .collect();
    format!("{}…", kept.trim_end())
}

/// One line of text from outside, at most `most` characters long.
pub(crate) fn plain(text: &str, most: usize) -> String {
    // Cut before it is cleaned: a name may be megabytes long.
    let few: String = text.chars().take(most * 4).collect();
    let line = markdown::one_line(&few);
    // No XML document may hold these two (XML 1.0 §2.2).
    let line: String = line
        .chars()
        .filter(|char| !matches!(char, '\u{fffe}' | '\u{ffff}'))
        .collect();
    if line.chars().count() <= most && few.len() == text.len() {
        return line;
    }
    let kept: String = line.chars().take(most.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

/// Plain text as XML content or as a quoted attribute.
pub(crate) fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for char in text.chars() {
        match char {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            char => out.push(char),
        }
    }
    out
}
