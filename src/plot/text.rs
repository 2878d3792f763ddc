//! Text in a plot: estimated width, truncation and escaping.

use crate::wording::markdown;

/// Upper estimate of a text's width in font sizes, since the reader's font is unknown.
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

/// Truncates text to `most` font sizes, with `…` for the rest.
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

/// Cleans foreign text to one line of at most `most` characters.
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

/// Escapes plain text as XML content or as a quoted attribute.
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
