//! Links to URLs from outside.

/// The URL if it is safe to link: HTTP or HTTPS. Others (`javascript:`, `data:`) are shown as text.
pub(crate) fn web_url(url: &str) -> Option<&str> {
    let lower = url.trim_start().to_ascii_lowercase();
    (lower.starts_with("https://") || lower.starts_with("http://")).then_some(url)
}

#[cfg(test)]
mod tests {
    use super::web_url;

    #[test]
    fn only_web_addresses_become_links() {
        assert_eq!(
            web_url("https://example.com/x"),
            Some("https://example.com/x")
        );
        for hostile in [
            "javascript:alert(1)",
            " JavaScript:alert(1)",
            "data:text/html,x",
            "//example.com",
        ] {
            assert_eq!(web_url(hostile), None, "{hostile}");
        }
    }
}
