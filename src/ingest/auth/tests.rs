use super::signature::SignatureVerifier;
use super::{Authentication, authentic, authentic_with, is_unsigned_check};
use crate::ingest::message::Headers;
use crate::model::source::{SignatureFormat, SourceKind};

fn check(proof: &Authentication, header: Option<(&str, &str)>, wanted: bool) {
    let headers = header
        .iter()
        .map(|&(name, value)| (name, value.as_bytes()))
        .collect();
    assert_eq!(authentic(proof, &headers), wanted, "{header:?}");
}

#[test]
fn auth_none_accepts_every_message() {
    check(&Authentication::None, None, true);
}

#[test]
fn bearer() {
    let proof = Authentication::Bearer(vec![b"old".to_vec(), b"new".to_vec()]);
    check(&proof, Some(("authorization", "Bearer new")), true);
    check(&proof, Some(("authorization", "bearer old")), true);
    for header in [
        None,
        Some(("authorization", "Bearer other")),
        Some(("authorization", "Bearer ")),
        Some(("authorization", "Bearer")),
        Some(("authorization", "Bearernew")),
        Some(("authorization", "new")),
        Some(("authorization", "Basic new")),
        Some(("authorization", "Bearer ne")),
        Some(("authorization", "Bearer newer")),
        Some(("x-token", "new")),
    ] {
        check(&proof, header, false);
    }
}

#[test]
fn an_empty_secret_opens_nothing() {
    check(
        &Authentication::Bearer(vec![Vec::new()]),
        Some(("authorization", "Bearer ")),
        false,
    );
    check(
        &Authentication::Bearer(Vec::new()),
        Some(("authorization", "Bearer x")),
        false,
    );
    check(
        &Authentication::Header {
            name: "x-token".to_owned(),
            values: vec![Vec::new()],
        },
        Some(("x-token", "")),
        false,
    );
    check(
        &Authentication::Basic {
            username: "am".to_owned(),
            passwords: vec![Vec::new()],
        },
        Some(("authorization", "Basic YW06")),
        false,
    );
}

#[test]
fn basic_as_in_rfc_7617() {
    let proof = Authentication::Basic {
        username: "Aladdin".to_owned(),
        passwords: vec![b"open sesame".to_vec()],
    };
    check(
        &proof,
        Some(("authorization", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")),
        true,
    );
    check(
        &proof,
        Some(("authorization", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZR==")),
        false,
    );
    check(
        &proof,
        Some(("authorization", "Basic qwxhZGRpbjpvcGVuIHNlc2FtZQ==")),
        false,
    );
    check(
        &proof,
        Some(("authorization", "Bearer QWxhZGRpbjpvcGVuIHNlc2FtZQ==")),
        false,
    );
}

#[test]
fn header() {
    let proof = Authentication::Header {
        name: "X-Token".to_owned(),
        values: vec![b"one".to_vec(), b"two".to_vec()],
    };
    check(&proof, Some(("x-token", "two")), true);
    check(&proof, Some(("x-token", "Two")), false);
    check(&proof, None, false);
}

#[test]
fn secrets_do_not_show() {
    let secret = || vec![b"s3cret".to_vec()];
    let signature = SignatureVerifier::new(SignatureFormat::GitHub, None, None, &secret())
        .map(Authentication::Signature);
    for proof in [
        Ok(Authentication::Bearer(secret())),
        Ok(Authentication::Query {
            name: "token".to_owned(),
            values: secret(),
        }),
        signature,
    ] {
        let shown = format!("{proof:?}");
        assert!(
            !shown.contains("115") && !shown.contains("s3cret"),
            "{shown}"
        );
    }
}

#[test]
fn a_token_in_the_address() {
    let proof = Authentication::Query {
        name: "token".to_owned(),
        values: vec![b"old".to_vec(), b"a b+c/\xc3\xa9=".to_vec()],
    };
    let check = |query: &str, wanted: bool| {
        assert_eq!(
            authentic_with(&proof, &Headers::default(), query),
            wanted,
            "{query}"
        );
    };
    check("token=old", true);
    check("a=1&token=a%20b%2Bc%2F%C3%A9%3D", true);
    check("token=a+b%2Bc%2F%c3%a9%3D&b=2", true);
    // The first one counts, so that another cannot be put beside it.
    check("token=old&token=x", true);
    check("token=x&token=old", false);
    for query in [
        "",
        "token",
        "token=",
        "token=ol",
        "token=older",
        "Token=old",
        "tokens=old",
        "old",
        "token=%",
        "x=token=old",
    ] {
        check(query, false);
    }
    let empty = Authentication::Query {
        name: "token".to_owned(),
        values: vec![Vec::new()],
    };
    assert!(!authentic_with(&empty, &Headers::default(), "token="));
    assert!(!authentic(&proof, &Headers::default()));
}

#[test]
fn a_signature_is_never_shown_by_headers_alone() {
    let signature = SignatureVerifier::new(SignatureFormat::GitHub, None, None, &[b"x".to_vec()])
        .map(Authentication::Signature);
    check(
        signature.as_ref().unwrap_or(&Authentication::None),
        Some(("x-hub-signature-256", "sha256=00")),
        false,
    );
}

#[test]
fn slack_looks_at_the_certificate_unsigned() {
    assert!(is_unsigned_check(SourceKind::Slack, b"token=x&ssl_check=1"));
    for (kind, body) in [
        (SourceKind::GitHub, b"token=x&ssl_check=1".as_slice()),
        (SourceKind::Slack, b"ssl_check=0"),
        (SourceKind::Slack, b"text=ssl_check%3D1"),
        (SourceKind::Slack, b"\xff\xfe"),
        (SourceKind::Slack, b""),
    ] {
        assert!(!is_unsigned_check(kind, body));
    }
}
