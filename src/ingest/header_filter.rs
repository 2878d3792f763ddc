//! Selection of the headers stored with a body for reprocessing: those that describe it, never
//! credentials.

use super::auth::Authentication;
use super::message::Headers;

/// Stored by name.
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
/// Stored by prefix.
const BEGINNINGS: &[&str] = &["ce-", "x-amz-sns-"];
/// Never stored if the name contains one of these: the name of a CloudEvents attribute is
/// arbitrary.
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

/// Pseudo-header with the request path, as in HTTP/2. No real header has this name.
pub(crate) const PATH: &str = ":path";
/// Maximum number of headers.
const MOST: usize = 64;
/// Maximum length of a value in bytes; a longer one is dropped, since a truncated value means
/// something else.
const LONGEST: usize = 1024;

/// Tests whether a header, by its lower-case name, may hold a credential.
#[must_use]
pub(crate) fn is_secret(name: &str) -> bool {
    SECRET.iter().any(|part| name.contains(part))
}

/// The headers a parser may see: all except the one that carries the credential.
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

/// The headers to store for a message to `path`, including `reads`, which the source reads by name.
/// `headers` come from [`without`].
#[must_use]
pub(crate) fn stored_headers(
    headers: &Headers<'_>,
    path: &str,
    reads: &[String],
) -> Vec<(String, String)> {
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
            // A value that is not UTF-8 was invisible to the parser too.
            Some((name.to_owned(), std::str::from_utf8(value).ok()?.to_owned()))
        });
    path.into_iter().chain(headers.take(MOST)).collect()
}

#[cfg(test)]
mod tests {
    use super::{stored_headers, without};
    use crate::ingest::auth::Authentication;
    use crate::ingest::message::Headers;

    fn check(given: &[(&str, &str)], proof: Option<&Authentication>, expected: &[&str]) {
        let headers: Headers<'_> = given
            .iter()
            .map(|(name, value)| (*name, value.as_bytes()))
            .collect();
        let kept = stored_headers(
            &without(&headers, proof),
            "/ingest/a",
            &["x-stage".to_owned(), "x-token".to_owned()],
        );
        let names: Vec<&str> = kept.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, [&[":path"], expected].concat());
    }

    #[test]
    fn descriptive_headers_are_stored_and_credentials_are_not() {
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
    fn credential_header_is_not_stored_whatever_its_name() {
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
    fn headers_read_by_a_map_are_stored_unless_secret() {
        check(
            &[("x-stage", "prod"), ("x-token", "s3cret"), ("x-other", "a")],
            None,
            &["x-stage"],
        );
    }

    #[test]
    fn stored_headers_are_bounded() {
        let (long, many) = ("x".repeat(1025), [("ce-a", "1"); 500]);
        check(&[("user-agent", &long)], None, &[]);
        check(&many, None, &["ce-a"; 64]);
    }
}
