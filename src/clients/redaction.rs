//! Redaction of credentials in messages.

use std::fmt;

use reqwest::Url;

/// Minimum length of a secret in bytes: shorter texts are part of ordinary words, and redacting
/// them would garble a message.
const MIN_LENGTH: usize = 4;

/// Secrets to redact from messages.
#[derive(Clone, Default)]
pub(crate) struct Secrets(Vec<String>);

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({})", self.0.len())
    }
}

impl Secrets {
    /// Adds a credential or header value.
    pub(crate) fn add(&mut self, secret: &str) {
        if secret.len() >= MIN_LENGTH && !self.0.iter().any(|known| known == secret) {
            self.0.push(secret.to_owned());
            // Within a longer secret a shorter one must not be replaced first.
            self.0.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        }
    }

    /// Adds the user info and the query values of an address, as written and decoded.
    pub(crate) fn add_url(&mut self, url: &Url) {
        self.add(url.username());
        self.add(url.password().unwrap_or_default());
        for pair in url.query().unwrap_or_default().split('&') {
            self.add(pair.split_once('=').map_or(pair, |(_, value)| value));
        }
        for (_, value) in url.query_pairs() {
            self.add(&value);
        }
    }

    /// `text` with every secret replaced by `…`.
    pub(crate) fn redact(&self, text: &str) -> String {
        self.0
            .iter()
            .fold(text.to_owned(), |text, secret| text.replace(secret, "…"))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use reqwest::Url;

    use super::Secrets;

    #[test]
    fn credentials_of_an_address_are_redacted() {
        let mut secrets = Secrets::default();
        secrets.add_url(&Url::parse("http://ada:hunter2@x/?token=s3%20cret&a=1").unwrap());
        secrets.add("s3 cret and more");
        assert_eq!(
            secrets.redact("hunter2, s3%20cret, s3 cret, s3 cret and more, a=1"),
            "…, …, …, …, a=1"
        );
        assert_eq!(format!("{secrets:?}"), "Secrets(4)");
    }
}
