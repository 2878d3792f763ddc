//! Escaping of foreign text for one line of Markdown, a table cell, a link or YAML.

use std::fmt::Write as _;

/// Cleans text to one line, without control characters and bidirectional marks, which can make a
/// line look like another.
pub(crate) fn one_line(text: &str) -> String {
    let line: String = text
        .chars()
        .filter(|char| !is_bidi_mark(*char))
        .map(|char| if char.is_control() { ' ' } else { char })
        .collect();
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// True for bidirectional marks (UAX #9) and the byte order mark.
fn is_bidi_mark(char: char) -> bool {
    matches!(char, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Escapes `text` so that Markdown shows it unchanged: no markup, HTML, table cell or heading.
pub(crate) fn escape(text: &str) -> String {
    let line = one_line(text);
    let mut out = String::with_capacity(line.len() + 8);
    let mut before = ' ';
    let mut chars = line.chars().peekable();
    // "1." at the beginning of a block makes a list.
    let mut counting = true;
    while let Some(char) = chars.next() {
        let after = chars.peek().copied().unwrap_or(' ');
        match char {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            // Within a word an underscore means nothing, and `http_requests_total` should stay readable.
            '_' if before.is_alphanumeric() && after.is_alphanumeric() => out.push('_'),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' => out.extend(['\\', char]),
            '#' | '-' | '+' | '=' if out.is_empty() => out.extend(['\\', char]),
            '.' | ')' if counting && before.is_ascii_digit() => out.extend(['\\', char]),
            char => out.push(char),
        }
        counting &= char.is_ascii_digit();
        before = char;
    }
    out
}

/// Escapes an address as a link destination; `None` for anything but `http` and `https`.
pub(crate) fn link_target(url: &str) -> Option<String> {
    let url = url.trim();
    let (scheme, rest) = url.split_once("://")?;
    let web = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
    if !web || rest.is_empty() || rest.starts_with('/') {
        return None;
    }
    let mut out = String::with_capacity(url.len());
    for char in url.chars() {
        match char {
            // `&copy;` and the like would be read as a character.
            '&' if url.contains(';') => out.push_str("&amp;"),
            char if char.is_whitespace()
                || char.is_control()
                || is_bidi_mark(char)
                || "()<>[]|\\\"'`*{}^~".contains(char) =>
            {
                for byte in char.encode_utf8(&mut [0; 4]).bytes() {
                    let _ = write!(out, "%{byte:02X}");
                }
            }
            char => out.push(char),
        }
    }
    Some(out)
}

/// Renders a link; the title alone where the address is not `http` or `https`.
pub(crate) fn link(title: &str, address: &str) -> String {
    let title = escape(title);
    match link_target(address) {
        Some(url) if !title.is_empty() => format!("[{title}]({url})"),
        Some(url) => format!("[{}]({url})", escape(address)),
        None => title,
    }
}

/// Renders a double-quoted YAML scalar (YAML 1.2 §7.3.1).
pub(crate) fn yaml_string(text: &str) -> String {
    let mut out = String::from("\"");
    for char in one_line(text).chars() {
        match char {
            '"' | '\\' => out.extend(['\\', char]),
            // Line breaks to YAML 1.1 readers, and what YAML calls not printable.
            '\u{2028}' | '\u{2029}' | '\u{fffe}' | '\u{ffff}' => {
                let _ = write!(out, "\\u{:04X}", u32::from(char));
            }
            char => out.push(char),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use super::{escape, link, link_target, yaml_string};
    use proptest::prelude::{ProptestConfig, any, prop_assert, prop_assert_eq, proptest};
    use pulldown_cmark::{Event, Options, Parser};

    #[test]
    fn ordinary_text_stays_readable() {
        assert_eq!(
            escape("http_requests_total is 5.2 (max. 3)"),
            "http_requests_total is 5.2 (max. 3)"
        );
        assert_eq!(escape("1. x"), "1\\. x");
        assert_eq!(
            escape("# x\n## Root causes\r\n| a | b |"),
            "\\# x ## Root causes \\| a \\| b \\|"
        );
        assert_eq!(
            escape("<img src=x onerror=alert(1)> `rm` *b*"),
            "&lt;img src=x onerror=alert(1)&gt; \\`rm\\` \\*b\\*"
        );
        assert_eq!(escape("user\u{202e}nimda"), "usernimda");
    }

    #[test]
    fn only_web_addresses_become_links() {
        for bad in [
            "javascript:alert(1)",
            "file:///etc/passwd",
            "data:text/html,x",
            "//x/y",
            "http://",
            "http:///x",
            "",
            "x",
        ] {
            assert_eq!(link_target(bad), None, "{bad}");
        }
        assert_eq!(link("javascript", "javascript:alert(1)"), "javascript");
        assert_eq!(
            link("a|b", "https://x/?q=a|b) [c](d"),
            "[a\\|b](https://x/?q=a%7Cb%29%20%5Bc%5D%28d)"
        );
        assert_eq!(link("", "https://x/y"), "[https://x/y](https://x/y)");
        assert_eq!(
            link_target("HTTPS://x/?a=1&b=2").unwrap(),
            "HTTPS://x/?a=1&b=2"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]
        #[test]
        fn escaped_text_renders_as_itself(said in "[-+#=0-9.)a-z *_`~<>|&;:!\\\\\\[\\]()\r\n\t]{0,24}|\\PC{0,12}") {
            let mut shown = String::new();
            for event in Parser::new_ext(&format!("x {}\n\n{}", escape(&said), escape(&said)), Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH) {
                match event {
                    Event::Text(text) => shown.push_str(&text),
                    Event::Start(tag) => prop_assert_eq!(tag, pulldown_cmark::Tag::Paragraph),
                    Event::End(_) => {}
                    other => prop_assert!(false, "{:?}", other),
                }
            }
            let plain = super::one_line(&said);
            prop_assert_eq!(shown, if plain.is_empty() { "x".to_owned() } else { format!("x {plain}{plain}") });
        }

        #[test]
        fn yaml_string_reads_back_as_one_scalar(said in any::<String>()) {
            let quoted = yaml_string(&said);
            prop_assert!(!quoted.contains('\n'));
            let back: String = serde_saphyr::from_str(&quoted).unwrap();
            prop_assert_eq!(back, super::one_line(&said));
        }
    }
}
