//! Which headers are kept beside a body, so that it can be read again: those that say what it is, and never one that proves who sent it.

use super::auth::Authentication;
use super::message::Headers;

/// Kept by name.
const NAMES: &[&str] = &[
    "content-type",
    "user-agent",
    "sentry-hook-resource",
    "sentry-hook-timestamp",
    "request-id",
    "x-github-event",
    "x-github-delivery",
    "x-github-hook-id",
    "x-github-hook-installation-target-type",
    "x-gitlab-event",
    "x-gitlab-event-uuid",
    "x-gitlab-webhook-uuid",
    "x-gitlab-instance",
    "idempotency-key",
    "webhook-id",
    "webhook-timestamp",
    "svix-id",
    "svix-timestamp",
    "x-webhook-id",
    "x-webhook-subscription",
    "x-slack-request-timestamp",
    "x-slack-retry-num",
];
/// Kept by how the name begins.
const BEGINNINGS: &[&str] = &["ce-", "x-amz-sns-"];
/// Never kept where the name has one of these: an attribute of an event may be called anything.
const SECRET: &[&str] = &[
    "auth",
    "token",
    "secret",
    "signature",
    "password",
    "cookie",
    "credential",
    "api-key",
    "apikey",
];

/// The path by which a message came, beside its headers as HTTP/2 has it. No header is called so.
pub(crate) const PATH: &str = ":path";
/// Headers at the most.
const MOST: usize = 64;
/// Bytes of a value at the most; a longer one is left out rather than cut, since half a value says something else.
const LONGEST: usize = 1024;

/// Whether a header of that name, in lower case, may prove who sends.
#[must_use]
pub(crate) fn is_secret(name: &str) -> bool {
    SECRET.iter().any(|part| name.contains(part))
}

/// The headers that a reader may see: all but the one in which `proof` is shown, whatever its name.
#[must_use]
pub(crate) fn without<'a>(headers: &Headers<'a>, proof: Option<&Authentication>) -> Headers<'a> {
    let shown = match proof {
        Some(Authentication::Header { name, .. }) => name,
        Some(Authentication::Signature(signature)) => signature.header(),
        _ => "",
    };
    headers
        .iter()
        .filter(|(name, _)| !name.eq_ignore_ascii_case(shown))
        .collect()
}

/// What is kept of the headers of a message that came by `path`, beside those that its source reads by name: `headers` as [`without`] has them.
#[must_use]
pub(crate) fn kept(headers: &Headers<'_>, path: &str, reads: &[String]) -> Vec<(String, String)> {
    let wanted = |name: &str| {
        let read = NAMES.contains(&name)
            || BEGINNINGS
                .iter()
                .any(|beginning| name.starts_with(beginning));
        !is_secret(name) && (read || reads.iter().any(|read| read == name))
    };
    let path = [(PATH.to_owned(), path.chars().take(LONGEST).collect())];
    let headers = headers
        .iter()
        .filter(|(name, value)| wanted(name) && value.len() <= LONGEST)
        .filter_map(|(name, value)| {
            // What is no text was no text to the reader either.
            Some((name.to_owned(), std::str::from_utf8(value).ok()?.to_owned()))
        });
    path.into_iter().chain(headers.take(MOST)).collect()
}

#[cfg(test)]
mod tests {
    use super::{kept, without};
    use crate::ingest::auth::Authentication;
    use crate::ingest::message::Headers;

    fn check(given: &[(&str, &str)], proof: Option<&Authentication>, expected: &[&str]) {
        let headers: Headers<'_> = given
            .iter()
            .map(|(name, value)| (*name, value.as_bytes()))
            .collect();
        let kept = kept(
            &without(&headers, proof),
            "/ingest/a",
            &["x-stage".to_owned(), "x-token".to_owned()],
        );
        let names: Vec<&str> = kept.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, [&[":path"], expected].concat());
    }

    #[test]
    fn what_says_what_a_body_is_stays_and_what_proves_who_sent_it_does_not() {
        check(
            &[
                ("authorization", "Bearer x"),
                ("cookie", "a=b"),
                ("content-type", "application/json"),
                ("x-github-event", "push"),
                ("x-hub-signature-256", "sha256=x"),
                ("x-gitlab-token", "x"),
                ("x-gitlab-event", "Push Hook"),
                ("sentry-hook-signature", "x"),
                ("sentry-hook-resource", "issue"),
                ("webhook-id", "msg_1"),
                ("webhook-signature", "v1,x"),
                ("ce-type", "a.b"),
                ("ce-authtoken", "x"),
                ("x-amz-sns-message-type", "Notification"),
                ("x-forwarded-for", "10.0.0.1"),
            ],
            None,
            &[
                "content-type",
                "x-github-event",
                "x-gitlab-event",
                "sentry-hook-resource",
                "webhook-id",
                "ce-type",
                "x-amz-sns-message-type",
            ],
        );
    }

    #[test]
    fn a_header_that_is_the_proof_is_not_kept_whatever_its_name() {
        let proof = Authentication::Header {
            name: "X-Webhook-Id".to_owned(),
            values: vec![b"s3cret".to_vec()],
        };
        check(
            &[("x-webhook-id", "s3cret"), ("content-type", "text/plain")],
            Some(&proof),
            &["content-type"],
        );
    }

    #[test]
    fn what_a_map_reads_by_name_is_kept_unless_it_is_a_secret() {
        check(
            &[("x-stage", "prod"), ("x-token", "s3cret"), ("x-other", "a")],
            None,
            &["x-stage"],
        );
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let (long, many) = ("x".repeat(1025), [("ce-a", "1"); 500]);
        check(&[("user-agent", &long)], None, &[]);
        check(&many, None, &["ce-a"; 64]);
    }
}
