//! Secrets: several at once, empty, and of another kind.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::super::{SignatureFault, SignatureVerifier, mac};
use super::{
    NOW, STANDARD, STANDARD_AT, STANDARD_BODY, STANDARD_SECRET, at, hex, named, signature, verify,
};
use crate::ingest::message::Headers;
use crate::model::source::SignatureFormat;

#[test]
fn two_secrets_are_live_while_one_is_changed() {
    let (old, new, gone) = (
        hex("old", b"body"),
        hex("new", b"body"),
        hex("gone", b"body"),
    );
    let both = signature(SignatureFormat::PagerDuty, &["old", "new"]);
    let got = |value: &str| verify(&both, &[("x-pagerduty-signature", value)], b"body", NOW);
    assert_eq!(got(&format!("v1={old}")), Ok(None));
    assert_eq!(got(&format!("v1={new}")), Ok(None));
    // The sender signs with both while it changes its own.
    assert_eq!(got(&format!("v1={gone},v1={new}")), Ok(None));
    assert_eq!(got(&format!("v1={gone}")), Err(SignatureFault::Wrong));
    assert_eq!(
        verify(
            &both,
            &[
                ("x-pagerduty-signature", &format!("v1={gone}")),
                ("x-pagerduty-signature", &format!("v1={old}"))
            ],
            b"body",
            NOW
        ),
        Ok(None)
    );

    let other = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";
    for secrets in [[STANDARD_SECRET, other], [other, STANDARD_SECRET]] {
        assert!(
            verify(
                &signature(SignatureFormat::StandardWebhooks, &secrets),
                &STANDARD,
                STANDARD_BODY,
                STANDARD_AT
            )
            .is_ok()
        );
    }
    assert_eq!(
        verify(
            &signature(SignatureFormat::StandardWebhooks, &[other]),
            &STANDARD,
            STANDARD_BODY,
            STANDARD_AT
        ),
        Err(SignatureFault::Wrong)
    );

    // Whichever signs, it is the same delivery.
    let slack = |secrets: &[&str], by: &str| {
        let shown = format!("v0={}", hex(by, format!("v0:{NOW}:body").as_bytes()));
        verify(
            &signature(SignatureFormat::Slack, secrets),
            &[
                ("x-slack-request-timestamp", &NOW.to_string()),
                ("x-slack-signature", &shown),
            ],
            b"body",
            NOW,
        )
    };
    assert_eq!(slack(&["old", "new"], "old"), slack(&["old", "new"], "new"));
    assert!(slack(&["old", "new"], "new").unwrap().is_some());
}

#[test]
fn a_public_key_checks_only_its_own_kind() {
    let public = "whpk_A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=";
    let signed = "v1a,CnkujwXFUOk59gNZFCCzmJ2MkkC0yKa+OmyYFXFtPnxkRhEkUBAd4PGNNNjLh4huOXNuqy+Eyxud5+wHP2ezBA==";
    let got = |secrets: &[&str], list: &str| {
        let headers = [STANDARD[0], STANDARD[1], ("webhook-signature", list)];
        verify(
            &signature(SignatureFormat::StandardWebhooks, secrets),
            &headers,
            STANDARD_BODY,
            STANDARD_AT,
        )
    };
    let both = format!("{} {signed}", STANDARD[2].1);
    assert!(
        got(&[public], &both).is_ok()
            && got(&[STANDARD_SECRET], &both).is_ok()
            && got(&[public, STANDARD_SECRET], signed).is_ok()
    );
    assert_eq!(got(&[STANDARD_SECRET], signed), Err(SignatureFault::Wrong));
    assert_eq!(got(&[public], STANDARD[2].1), Err(SignatureFault::Wrong));
    // Everybody knows the public key: an HMAC by it proves nothing.
    let key = BASE64
        .decode(public.strip_prefix("whpk_").unwrap().as_bytes())
        .unwrap();
    let by_public = mac(
        &key,
        &[
            b"msg_27UH4WbU6Z5A5EzD8u03UvzRbpk.1649367553.",
            STANDARD_BODY,
        ],
    )
    .unwrap();
    assert_eq!(
        got(&[public], &format!("v1,{}", BASE64.encode(by_public))),
        Err(SignatureFault::Wrong)
    );
}

#[test]
fn secrets_of_standard_webhooks_are_checked_when_they_are_read() {
    let read = |secret: &str| {
        SignatureVerifier::new(
            SignatureFormat::StandardWebhooks,
            None,
            None,
            &[b"whsec_AAAA".to_vec(), secret.as_bytes().to_vec()],
        )
    };
    for secret in [
        STANDARD_SECRET,
        "C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
        "whsec_AAE=",
        "whsec_AAE",
    ] {
        assert!(read(secret).is_ok(), "{secret}");
    }
    for secret in [
        "whsec_",
        "whsec_===",
        "whsec_not base64",
        "hunter2!",
        "whpk_AAAA",
        "whpk_",
        "whsk_AAAA",
    ] {
        let why = read(secret).err().unwrap();
        assert!(
            why.starts_with("secret 2: ") && !why.contains("hunter2") && !why.contains("AAAA"),
            "{why}"
        );
    }
}

#[test]
fn an_empty_secret_opens_nothing() {
    let by_none = hex("", b"body");
    for secrets in [vec![], vec![""], vec!["", ""]] {
        let github = signature(SignatureFormat::GitHub, &secrets);
        assert_eq!(
            verify(
                &github,
                &[("x-hub-signature-256", &format!("sha256={by_none}"))],
                b"body",
                NOW
            ),
            Err(SignatureFault::Wrong)
        );
        let standard = signature(SignatureFormat::StandardWebhooks, &secrets);
        assert_eq!(
            verify(&standard, &STANDARD, STANDARD_BODY, STANDARD_AT),
            Err(SignatureFault::Wrong)
        );
    }
    assert!(
        verify(
            &signature(SignatureFormat::GitHub, &["", "k"]),
            &[(
                "x-hub-signature-256",
                &format!("sha256={}", hex("k", b"body"))
            )],
            b"body",
            NOW
        )
        .is_ok()
    );
    assert_eq!(
        verify(
            &signature(SignatureFormat::GitHub, &["", "k"]),
            &[("x-hub-signature-256", &format!("sha256={by_none}"))],
            b"body",
            NOW
        ),
        Err(SignatureFault::Wrong)
    );
}

proptest::proptest! {
    #[test]
    fn nothing_makes_it_panic(value in proptest::collection::vec(proptest::num::u8::ANY, 0..80), body in proptest::collection::vec(proptest::num::u8::ANY, 0..40)) {
        for signing in [SignatureFormat::Grafana, SignatureFormat::PagerDuty, SignatureFormat::Slack, SignatureFormat::StandardWebhooks, SignatureFormat::Plain] {
            let signature = named(signing, None, Some("x-time").filter(|_| signing == SignatureFormat::Grafana), &[STANDARD_SECRET]);
            let names = [
                "x-time", "x-grafana-alerting-signature", "x-pagerduty-signature", "x-slack-signature", "x-slack-request-timestamp",
                "webhook-id", "webhook-timestamp", "webhook-signature", "x-hub-signature-256",
            ];
            let headers: Headers<'_> = names.iter().map(|name| (*name, value.as_slice())).collect();
            proptest::prop_assert!(signature.verify(&headers, &body, at(NOW)).is_err());
        }
    }
}
