//! Wording that titles and sentences share: clipped text, lengths of time, instants, counts.

use std::fmt::Write;

use chrono::TimeDelta;

use crate::model::incident::Incident;
use crate::model::time::Time;

/// At most `limit` characters of the first line.
pub(crate) fn clip(text: &str, limit: usize) -> String {
    let line = text.trim().lines().next().unwrap_or_default().trim();
    if line.chars().count() <= limit {
        return line.to_owned();
    }
    let cut: String = line.chars().take(limit.saturating_sub(1)).collect();
    format!("{}…", cut.trim_end())
}

/// A length of time: `42m`, `1h 5m`, `7d`, `36s`.
pub(crate) fn duration(time: TimeDelta) -> String {
    let seconds = time.num_seconds().max(0);
    let units = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
    let mut rest = seconds;
    let mut words = String::new();
    for (size, name) in units {
        if rest >= size {
            let between = if words.is_empty() { "" } else { " " };
            // Writing to a string does not fail.
            let _ = write!(words, "{between}{}{name}", rest / size);
            rest %= size;
        }
    }
    if words.is_empty() {
        "0s".to_owned()
    } else {
        words
    }
}

/// A length of time as a period: `7 days` where it is whole days.
pub(crate) fn period(time: TimeDelta) -> String {
    match time.num_days() {
        1 if time == TimeDelta::days(1) => "1 day".to_owned(),
        days if days > 1 && time == TimeDelta::days(days) => format!("{days} days"),
        _ => duration(time),
    }
}

/// An instant in UTC.
pub(crate) fn instant(at: Time) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// The subject of a sentence about an incident: its service, capitalised. A title is no subject:
/// "NoService has been degraded" says the opposite of what happened.
pub(crate) fn subject(incident: &Incident, service: Option<&str>) -> Option<String> {
    let name = service.or_else(|| incident.services.first().map(String::as_str));
    name.map(capitalised)
}

/// Text with its first letter in upper case.
pub(crate) fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

/// The name of an alert or condition in plain words, without the service it repeats:
/// `CheckoutHighErrorRate` of `checkout` is `high error rate`. A name of several words is prose, and
/// stays as it is; so does one with other signs.
pub(crate) fn plain_name(name: &str, service: Option<&str>) -> String {
    let name = name.trim();
    let is_technical = |letter: char| letter.is_alphanumeric() || matches!(letter, '-' | '_');
    if !name.chars().all(is_technical) {
        return name.to_owned();
    }
    let words = words(name);
    let prefix = service.map(self::words).unwrap_or_default();
    let same = |(word, other): (&String, &String)| word.eq_ignore_ascii_case(other);
    let repeats = words.len() > prefix.len() && words.iter().zip(&prefix).all(same);
    words[if repeats { prefix.len() } else { 0 }..].join(" ")
}

/// The words of a technical name, in lower case but for acronyms: `HTTPErrors` is `HTTP errors`.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for part in name.split(['-', '_']).filter(|part| !part.is_empty()) {
        let letters: Vec<char> = part.chars().collect();
        let mut word = String::new();
        for (index, &letter) in letters.iter().enumerate() {
            let before = index.checked_sub(1).map(|index| letters[index]);
            let after = letters.get(index + 1);
            let begins = letter.is_uppercase()
                && before.is_some_and(|before| {
                    before.is_lowercase()
                        || before.is_uppercase() && after.is_some_and(|after| after.is_lowercase())
                });
            if begins {
                words.push(std::mem::take(&mut word));
            }
            word.push(letter);
        }
        words.push(word);
    }
    for word in &mut words {
        let is_acronym = word.chars().filter(|letter| letter.is_uppercase()).count() > 1;
        if !is_acronym {
            *word = word.to_lowercase();
        }
    }
    words
}

/// A number with its noun: `1 manual step`, `3 manual steps`.
pub(crate) fn count(number: f64, one: &str, many: &str) -> String {
    if (number - 1.0).abs() < 0.5 {
        format!("1 {one}")
    } else {
        format!("{number:.0} {many}")
    }
}

/// Foreign words at the end of a sentence, with a full stop unless they bring their own.
pub(crate) fn with_full_stop(words: &str) -> String {
    if words.ends_with(['.', '!', '?', '…']) {
        words.to_owned()
    } else {
        format!("{words}.")
    }
}

#[cfg(test)]
mod tests {
    use super::{plain_name, with_full_stop};

    #[test]
    fn title_that_ends_with_a_dot_gets_no_second_one() {
        assert_eq!(
            with_full_stop("Declared: Down at Shop Inc."),
            "Declared: Down at Shop Inc."
        );
        assert_eq!(with_full_stop("Declared: Down"), "Declared: Down.");
    }

    #[test]
    fn technical_names_become_plain_words() {
        for (name, service, plain) in [
            ("HighErrorRate", Some("checkout"), "high error rate"),
            ("CheckoutHighErrorRate", Some("checkout"), "high error rate"),
            ("checkout-errors", Some("checkout"), "errors"),
            ("Checkout", Some("checkout"), "checkout"),
            ("HTTPErrors", None, "HTTP errors"),
            ("KubeCPUOvercommit", None, "kube CPU overcommit"),
            ("node_disk_full", None, "node disk full"),
            ("api.example.com", None, "api.example.com"),
            ("Disk of db-1 is full", Some("db"), "Disk of db-1 is full"),
            ("", None, ""),
        ] {
            assert_eq!(plain_name(name, service), plain, "{name}");
        }
    }
}
