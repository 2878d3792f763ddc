#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod secrets;
mod times;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::TimeZone;

use super::{ReplayKey, SignatureFault, SignatureVerifier, mac};
use crate::ingest::message::Headers;
use crate::model::source::SignatureFormat;
use crate::model::time::Time;

const NOW: i64 = 1_800_000_000;

fn at(seconds: i64) -> Time {
    chrono::Utc.timestamp_opt(seconds, 0).unwrap()
}

fn signature(signing: SignatureFormat, secrets: &[&str]) -> SignatureVerifier {
    named(signing, None, None, secrets)
}

fn named(
    signing: SignatureFormat,
    header: Option<&str>,
    timestamp: Option<&str>,
    secrets: &[&str],
) -> SignatureVerifier {
    let secrets: Vec<Vec<u8>> = secrets
        .iter()
        .map(|secret| secret.as_bytes().to_vec())
        .collect();
    SignatureVerifier::new(signing, header, timestamp, &secrets).unwrap()
}

fn verify(
    signature: &SignatureVerifier,
    headers: &[(&str, &str)],
    body: &[u8],
    now: i64,
) -> Result<Option<ReplayKey>, SignatureFault> {
    let headers: Headers<'_> = headers
        .iter()
        .map(|(name, value)| (*name, value.as_bytes()))
        .collect();
    signature.verify(&headers, body, at(now))
}

/// A header that is right over `signed` under `secret`.
fn hex(secret: &str, signed: &[u8]) -> String {
    mac(secret.as_bytes(), &[signed])
        .unwrap()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Checks a signature stated by an upstream project or its documentation, and every small change to
/// it.
fn check(
    what: &str,
    signature: &SignatureVerifier,
    headers: &[(&str, &str)],
    body: &[u8],
    now: i64,
) {
    verify(signature, headers, body, now).unwrap_or_else(|refusal| panic!("{what}: {refusal:?}"));
    let refused = |change: &str, headers: &[(&str, &str)], body: &[u8]| {
        assert_eq!(
            verify(signature, headers, body, now),
            Err(SignatureFault::Wrong),
            "{what}, {change}"
        );
    };
    refused("nothing beside it", &[], body);
    refused("a byte more", headers, &[body, b"\n"].concat());
    refused("a byte less", headers, &body[..body.len() - 1]);
    refused(
        "a bit flipped",
        headers,
        &[&[body[0] ^ 1], &body[1..]].concat(),
    );
    refused("no body", headers, b"");
    for left_out in 0..headers.len() {
        let rest: Vec<(&str, &str)> = headers
            .iter()
            .enumerate()
            .filter(|(place, _)| *place != left_out)
            .map(|(_, pair)| *pair)
            .collect();
        refused("a header less", &rest, body);
    }
    let (name, value) = *headers.last().unwrap();
    let shown = |value: &str| {
        let mut headers = headers.to_vec();
        *headers.last_mut().unwrap() = (name, value);
        verify(signature, &headers, body, now)
    };
    let start = value
        .find(['=', ','])
        .filter(|place| *place < 10)
        .map_or(0, |place| place + 1);
    let (prefix, digits) = value.split_at(start);
    for wrong in [
        String::new(),
        prefix.to_owned(),
        format!("{prefix}{}", &digits[..digits.len() - 1]),
        format!("{prefix}{}", &digits[..digits.len() - 2]),
        format!("{prefix}{}", &digits[..16]),
        format!("{prefix}{digits}00"),
        format!("{prefix}{digits}{digits}"),
        format!("{prefix}{}", "0".repeat(64)),
        format!("{prefix}{}", digits.chars().rev().collect::<String>()),
        format!("v9={digits}"),
        format!("sha1={digits}"),
        format!("{prefix}{prefix}{digits}x"),
        format!("{prefix}é{}", &digits[2..]),
    ] {
        assert_eq!(shown(&wrong), Err(SignatureFault::Wrong), "{what}, {wrong}");
    }
}

const PAGERDUTY: &[u8] =
    include_bytes!("../../../../../tests/it/payloads/signatures/pagerduty.json");
const STANDARD_SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const STANDARD_BODY: &[u8] = br#"{"email":"test@example.com","username":"test_user"}"#;
const STANDARD: [(&str, &str); 3] = [
    ("webhook-id", "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk"),
    ("webhook-timestamp", "1649367553"),
    (
        "webhook-signature",
        "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
    ),
];
const STANDARD_AT: i64 = 1_649_367_553;
const SLACK: &str = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&\
    user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2F\
    T1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
const SLACK_SHOWN: [(&str, &str); 2] = [
    ("x-slack-request-timestamp", "1531420618"),
    (
        "x-slack-signature",
        "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
    ),
];

/// From the documentation of GitHub, go-pagerduty, python-slack-sdk and standard-webhooks; Grafana's and Sentry's by `openssl dgst -hmac`.
#[test]
fn published_examples_of_senders_verify() {
    let github = signature(SignatureFormat::GitHub, &["It's a Secret to Everybody"]);
    let shown = [(
        "x-hub-signature-256",
        "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
    )];
    check("github", &github, &shown, b"Hello, World!", NOW);

    // Looks like base64, and is used verbatim.
    let pagerduty = signature(
        SignatureFormat::PagerDuty,
        &["lDQHScfUeXUKaQRNF+8XIiDKZ7XX3itBAYzwU0TARw8lJqRnkKl2iB1anSb0Z+IK"],
    );
    let shown = [(
        "x-pagerduty-signature",
        "v1=0c0b9495b893a39e70d1fea2fe11fbe0a825f88b9f67846f6cc07dd2bc5476cd",
    )];
    check(
        "pagerduty",
        &pagerduty,
        &shown,
        PAGERDUTY.trim_ascii_end(),
        NOW,
    );

    check(
        "slack",
        &signature(
            SignatureFormat::Slack,
            &["8f742231b10e8888abcd99yyyzzz85a5"],
        ),
        &SLACK_SHOWN,
        SLACK.as_bytes(),
        1_531_420_618,
    );
    check(
        "standard webhooks",
        &signature(SignatureFormat::StandardWebhooks, &[STANDARD_SECRET]),
        &STANDARD,
        STANDARD_BODY,
        STANDARD_AT,
    );
    let svix = STANDARD.map(|(name, value)| (name, value));
    let svix = [
        ("svix-id", svix[0].1),
        ("svix-timestamp", svix[1].1),
        ("svix-signature", svix[2].1),
    ];
    check(
        "svix",
        &signature(SignatureFormat::StandardWebhooks, &[STANDARD_SECRET]),
        &svix,
        STANDARD_BODY,
        STANDARD_AT,
    );

    // The key whose seed is 00 01 … 1f; signed by another library.
    let public = signature(
        SignatureFormat::StandardWebhooks,
        &["whpk_A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="],
    );
    let signed = "v1a,CnkujwXFUOk59gNZFCCzmJ2MkkC0yKa+OmyYFXFtPnxkRhEkUBAd4PGNNNjLh4huOXNuqy+Eyxud5+wHP2ezBA==";
    check(
        "ed25519",
        &public,
        &[STANDARD[0], STANDARD[1], ("webhook-signature", signed)],
        STANDARD_BODY,
        STANDARD_AT,
    );

    let body = br#"{"status":"firing"}"#;
    let plain = [(
        "x-grafana-alerting-signature",
        "7fd98394c7633dff3c43d5429ad72b920e8723aa2773ae542ef440b120beee95",
    )];
    check(
        "grafana",
        &signature(SignatureFormat::Grafana, &["test-secret"]),
        &plain,
        body,
        NOW,
    );
    let timed = named(
        SignatureFormat::Grafana,
        None,
        Some("X-Time"),
        &["test-secret"],
    );
    let shown = [
        ("x-time", "1715263200"),
        (
            "x-grafana-alerting-signature",
            "225b1856cba48306f67e057e0206b154b2b22d2afa38496e4413238dfba836a9",
        ),
    ];
    check("grafana with a time", &timed, &shown, body, 1_715_263_200);

    let shown = [(
        "sentry-hook-signature",
        "6bcea0225caf20fdf919c015a6d2cc38a6e5f792d2527f3fa796c5afee4ef7a5",
    )];
    check(
        "sentry",
        &signature(SignatureFormat::Sentry, &["s3ntry"]),
        &shown,
        br#"{"action":"resolved"}"#,
        NOW,
    );
}

#[test]
fn signature_in_another_format_is_refused() {
    let right = hex("k", b"body");
    for (signing, header, taken, refused) in [
        (
            SignatureFormat::GitHub,
            "x-hub-signature-256",
            vec!["sha256=@"],
            vec!["@", "sha1=@", "SHA256=@", "v1=@", "sha256= @"],
        ),
        (
            SignatureFormat::PagerDuty,
            "x-pagerduty-signature",
            vec!["v1=@", "v0=00,v1=@", "v1=00, v1=@"],
            vec!["@", "v2=@", "v1=@ v1=00", "sha256=@"],
        ),
        (
            SignatureFormat::Sentry,
            "sentry-hook-signature",
            vec!["@"],
            vec!["sha256=@", "v1=@"],
        ),
        (
            SignatureFormat::Grafana,
            "x-grafana-alerting-signature",
            vec!["@"],
            vec!["sha256=@", "v1=@", "\"@\""],
        ),
        (
            SignatureFormat::Plain,
            "x-hub-signature-256",
            vec!["@", "sha256=@"],
            vec!["sha1=@", "v1=@"],
        ),
    ] {
        let signature = signature(signing, &["k"]);
        let got = |value: &str| {
            verify(
                &signature,
                &[(header, &value.replace('@', &right))],
                b"body",
                NOW,
            )
        };
        taken
            .iter()
            .for_each(|value| assert_eq!(got(value), Ok(None), "{signing:?} {value}"));
        taken.iter().for_each(|value| {
            assert_eq!(
                got(&value.replace('@', &right.to_uppercase())),
                Ok(None),
                "{signing:?} {value}"
            );
        });
        refused.iter().for_each(|value| {
            assert_eq!(
                got(value),
                Err(SignatureFault::Wrong),
                "{signing:?} {value}"
            );
        });
        let base64 = BASE64.encode(mac(b"k", &[b"body"]).unwrap());
        assert_eq!(
            got(&taken[0].replace('@', &base64)),
            Err(SignatureFault::Wrong),
            "{signing:?} in base64"
        );
        assert_eq!(
            verify(&signature, &[("x-other", &right)], b"body", NOW),
            Err(SignatureFault::Wrong),
            "{signing:?} elsewhere"
        );
    }
}

#[test]
fn the_header_may_be_named() {
    for signing in [SignatureFormat::Plain, SignatureFormat::Grafana] {
        let signature = named(signing, Some("X-My-Signature"), None, &["k"]);
        assert_eq!(
            verify(
                &signature,
                &[("x-my-signature", &hex("k", b"body"))],
                b"body",
                NOW
            ),
            Ok(None)
        );
        assert_eq!(
            verify(
                &signature,
                &[("x-hub-signature-256", &hex("k", b"body"))],
                b"body",
                NOW
            ),
            Err(SignatureFault::Wrong)
        );
        assert_eq!(
            verify(
                &signature,
                &[("x-grafana-alerting-signature", &hex("k", b"body"))],
                b"body",
                NOW
            ),
            Err(SignatureFault::Wrong)
        );
    }
}

#[test]
fn a_list_of_standard_webhooks_may_hold_what_is_not_known() {
    let signature = signature(SignatureFormat::StandardWebhooks, &[STANDARD_SECRET]);
    let right = STANDARD[2].1;
    let wrong = "v1,tFtCZ5RDCPxzWQRWXWPgrCgE2frDBe9gjpbWQxnVfsQ=";
    let got = |list: &str| {
        verify(
            &signature,
            &[STANDARD[0], STANDARD[1], ("webhook-signature", list)],
            STANDARD_BODY,
            STANDARD_AT,
        )
        .is_ok()
    };
    for list in [
        format!("{wrong} {right}"),
        format!("{right} {wrong}"),
        format!("v2,abc v1a,AAAA v1 {right}"),
        format!("  {right}  "),
    ] {
        assert!(got(&list), "{list}");
    }
    for list in [
        wrong.to_owned(),
        right.replace("v1,", "v2,"),
        right.replace("v1,", "v1a,"),
        right.replace("v1,", "v1="),
        right.replace("v1,", "v1, "),
        right.replace("v1,", "V1,"),
        right.replace(',', ""),
        // A prefix of the right one, and none at all: comparing as far as the shorter goes would take them.
        "v1,tZ1I4/hD".to_owned(),
        "v1,".to_owned(),
        // The same bytes written otherwise.
        right.trim_end_matches('=').to_owned(),
        right.replace("Kkw=", "Kkx="),
        right.replace('+', "-").replace('/', "_"),
        format!("{wrong},{right}"),
        // More than are looked at.
        format!("{}{right}", format!("{wrong} ").repeat(16)),
    ] {
        assert!(!got(&list), "{list}");
    }
}

#[test]
fn a_body_need_not_be_text() {
    let body = b"\xff\xfe\x00{\"a\":1}";
    let shown = [(
        "x-hub-signature-256",
        "sha256=9de170c677bd87440d34019a72bfe671db0bbc9efa03eb78d51bc181c7511425",
    )];
    check(
        "not UTF-8",
        &signature(SignatureFormat::GitHub, &["shared"]),
        &shown,
        body,
        NOW,
    );
    // A form is signed as it was sent; another coding of the same is another body.
    let form = signature(SignatureFormat::GitHub, &["k"]);
    let shown = format!("sha256={}", hex("k", b"payload=%7b%7D+"));
    assert!(
        verify(
            &form,
            &[("x-hub-signature-256", &shown)],
            b"payload=%7b%7D+",
            NOW
        )
        .is_ok()
    );
    assert_eq!(
        verify(
            &form,
            &[("x-hub-signature-256", &shown)],
            b"payload=%7B%7D%20",
            NOW
        ),
        Err(SignatureFault::Wrong)
    );
    let shown = "sha256=53d804bbed467ef8ba889c37a3167e2f64427ad8289cf4cfcd4daeb683e6907f";
    assert_eq!(
        verify(
            &signature(SignatureFormat::GitHub, &["shared"]),
            &[("x-hub-signature-256", shown)],
            b"",
            NOW
        ),
        Ok(None),
        "no body at all"
    );
}
