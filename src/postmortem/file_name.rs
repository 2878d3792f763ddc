//! File names of drafts and their plots.

use crate::model::id::hex;
use crate::model::time::Time;

/// Maximum letters of the service and of the title; with the date well under the 255 bytes that
/// file systems allow.
const SERVICE: usize = 40;
const TITLE: usize = 80;

/// File name of a draft: `2026-11-23-checkout-high-error-rate.md`, from the start date, the service
/// and the title. Only ASCII letters, digits and dashes, for portability.
#[must_use]
pub(crate) fn file_name(began: Time, service: Option<&str>, title: &str) -> String {
    let date = began.format("%Y-%m-%d").to_string();
    let date = date.trim_start_matches(['+', '-']);
    let service = slug(service.unwrap_or_default(), SERVICE);
    let title = slug(title, usize::MAX);
    // "checkout: high error rate" names the service already.
    let title = match title.strip_prefix(&service) {
        Some(rest) if !service.is_empty() && rest.starts_with('-') => {
            cut(rest.trim_start_matches('-'), TITLE)
        }
        _ => cut(&title, TITLE),
    };
    let title = if title.is_empty() { "incident" } else { title };
    if service.is_empty() {
        format!("{date}-{title}.md")
    } else {
        format!("{date}-{service}-{title}.md")
    }
}

/// File name of a condition's plot beside the draft in `file`:
/// `2026-11-23-checkout-high-error-rate--checkout-errors.svg`. It is unique: no draft's name has
/// two dashes in a row.
#[must_use]
pub(crate) fn plot_file_name(file: &str, condition: &str) -> String {
    let (file, slug) = (file.trim_end_matches(".md"), slug(condition, TITLE));
    // Characters that a slug drops may be the only difference between two names.
    if slug == condition {
        format!("{file}--{slug}.svg")
    } else {
        format!("{file}--{slug}-{}.svg", hex(condition, 4))
    }
}

/// Builds lower-case words joined by dashes. `HighErrorRate` is three words, `HTTPErrors` two.
fn slug(text: &str, limit: usize) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    for (index, char) in chars.iter().copied().enumerate() {
        if !char.is_ascii_alphanumeric() {
            if !out.is_empty() && !out.ends_with('-') && char != '\'' {
                out.push('-');
            }
            continue;
        }
        let before = index
            .checked_sub(1)
            .and_then(|index| chars.get(index))
            .copied()
            .unwrap_or(' ');
        let after = chars.get(index + 1).copied().unwrap_or(' ');
        let begins_word = char.is_ascii_uppercase()
            && (before.is_ascii_lowercase()
                || before.is_ascii_digit()
                || before.is_ascii_uppercase() && after.is_ascii_lowercase());
        if begins_word && !out.is_empty() && !out.ends_with('-') {
            out.push('-');
        }
        out.push(char.to_ascii_lowercase());
    }
    cut(&out, limit).to_owned()
}

/// Truncates to at most `limit` letters, between words if possible.
fn cut(slug: &str, limit: usize) -> &str {
    let Some(short) = slug.get(..limit) else {
        return slug.trim_matches('-');
    };
    let whole = slug.as_bytes().get(limit).is_none_or(|next| *next == b'-');
    let end = if whole {
        limit
    } else {
        short.rfind('-').unwrap_or(limit)
    };
    short[..end].trim_matches('-')
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use std::collections::BTreeSet;

    use super::{file_name, plot_file_name};
    use proptest::prelude::{any, prop_assert, proptest};

    fn name(service: Option<&str>, title: &str) -> String {
        file_name("2026-11-23T23:59:59Z".parse().unwrap(), service, title)
    }

    #[test]
    fn words_of_alerts() {
        assert_eq!(
            name(Some("checkout"), "HighErrorRate"),
            "2026-11-23-checkout-high-error-rate.md"
        );
        assert_eq!(
            name(None, "HTTPErrors5xx p99Latency"),
            "2026-11-23-http-errors5xx-p99-latency.md"
        );
        assert_eq!(
            name(Some("checkout"), "checkout: High error rate!"),
            "2026-11-23-checkout-high-error-rate.md"
        );
        assert_eq!(
            name(Some("check"), "checkout is down"),
            "2026-11-23-check-checkout-is-down.md"
        );
        assert_eq!(
            name(Some("checkout"), "checkout"),
            "2026-11-23-checkout-checkout.md"
        );
    }

    #[test]
    fn nothing_leads_out_of_the_directory() {
        assert_eq!(
            name(Some("../../etc"), "../passwd\0.sh"),
            "2026-11-23-etc-passwd-sh.md"
        );
        assert_eq!(name(Some("/"), "漢字"), "2026-11-23-incident.md");
        assert_eq!(name(Some("C:\\x"), "a/b\r\nc"), "2026-11-23-c-x-a-b-c.md");
    }

    #[test]
    fn long_ones_end_with_a_word() {
        let long = name(Some(&"s".repeat(300)), &"word ".repeat(100));
        assert_eq!(
            long,
            format!(
                "2026-11-23-{}-{}.md",
                "s".repeat(40),
                vec!["word"; 16].join("-")
            )
        );
    }

    #[test]
    fn each_condition_of_each_draft_has_a_picture_of_its_own() {
        assert_eq!(
            plot_file_name("2026-11-23-checkout.md", "checkout-errors"),
            "2026-11-23-checkout--checkout-errors.svg"
        );
        assert_eq!(
            plot_file_name("2026-11-23-checkout.md", "checkout_errors"),
            "2026-11-23-checkout--checkout-errors-e927440e.svg"
        );
        let long = "a".repeat(100);
        let conditions = [
            "a-b",
            "a.b",
            "a_b",
            "A-b",
            "aB",
            "a b",
            "a/b",
            "a#b",
            "a?b",
            "a%b",
            "-",
            "_",
            &long[..90],
            &long,
            "c",
            "b-c",
        ];
        let files = ["2026-11-23-a.md", "2026-11-23-a-b.md"];
        let names: BTreeSet<String> = files
            .iter()
            .flat_map(|file| conditions.iter().map(|name| plot_file_name(file, name)))
            .collect();
        assert_eq!(names.len(), files.len() * conditions.len(), "{names:#?}");
        let plain = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '-';
        assert!(
            names
                .iter()
                .all(|name| name.trim_end_matches(".svg").chars().all(plain)),
            "{names:#?}"
        );
    }

    proptest! {
        #[test]
        fn always_one_safe_name(service in any::<Option<String>>(), title in any::<String>()) {
            let name = name(service.as_deref(), &title);
            prop_assert!(name.len() < 150 && name.starts_with("2026-11-23-") && name.ends_with(".md"));
            prop_assert!(name.trim_end_matches(".md").chars().all(|char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '-'));
            prop_assert!(!name.contains("--") && !name.contains("-."));
        }
    }
}
