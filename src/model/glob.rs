//! Glob patterns in which only `*` is special: it matches any text, including none.

/// True when the whole text matches the pattern.
#[must_use]
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else {
        return false;
    };
    let Some(last) = parts.next_back() else {
        return rest.is_empty();
    };
    for part in parts {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_pattern_has_stars_and_nothing_else() {
        for (pattern, text, fits) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("a*", "a", true),
            ("a*a", "a", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "acb", false),
            ("ab*ba", "aba", false),
            ("*[bot]", "x[bot]", true),
            ("*[bot]", "xb", false),
            ("shop/checkout", "shop/checkout-2", false),
            ("shop/*", "shop/checkout", true),
            ("shop/*", "shop/", true),
            ("shop/*", "shopping/checkout", false),
            ("*/checkout*", "shop/checkout-db", true),
            ("*-db", "shop/checkout-db", true),
        ] {
            assert_eq!(matches(pattern, text), fits, "{pattern} {text}");
        }
    }
}
