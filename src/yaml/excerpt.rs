//! Excerpts of the text in messages.

/// The first 40 characters, quoted and escaped, so that a message stays on one line.
pub(crate) fn excerpt(text: &str) -> String {
    let mut short: String = text.chars().take(40).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("{short:?}")
}
