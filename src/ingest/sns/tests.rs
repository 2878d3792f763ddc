#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::envelope::{SnsEnvelope, envelopes};
use super::signature::{SnsFault, canonical, certificate_url, subscribe_url, verify};
use crate::model::time::Time;

/// Signed by the key of a certificate made for these tests, which is in no use.
const SIGNED: &str = include_str!("tests/signed.json");
const CERTIFICATE: &[u8] = include_bytes!("tests/certificate.pem");
const ANOTHER: &[u8] = include_bytes!("tests/another.pem");

fn now() -> Time {
    "2026-12-01T12:00:00Z".parse().unwrap()
}

fn signed(name: &str) -> Value {
    serde_json::from_str::<Value>(SIGNED).unwrap()[name].take()
}

fn envelope(body: &Value) -> SnsEnvelope {
    envelopes(body.to_string().as_bytes()).unwrap().remove(0)
}

/// The message, with some of its fields changed, is found to be authentic, or why not.
#[track_caller]
fn check(name: &str, changed: &[(&str, Value)], certificate: &[u8], expected: Option<&SnsFault>) {
    let mut body = signed(name);
    for (field, value) in changed {
        body[*field] = value.clone();
    }
    assert_eq!(
        verify(&envelope(&body), certificate, now()).err().as_ref(),
        expected,
        "{name} with {changed:?}"
    );
}

#[test]
fn signed_message_is_authentic() {
    for name in ["version_1", "version_2", "without_subject", "confirmation"] {
        check(name, &[], CERTIFICATE, None);
        // None of these is signed.
        check(
            name,
            &[
                ("UnsubscribeURL", json!("https://example.org")),
                ("MessageAttributes", json!({"a": 1})),
            ],
            CERTIFICATE,
            None,
        );
    }
}

#[test]
fn changed_message_is_not_authentic() {
    let doubt = || Some(&SnsFault::Signature);
    for name in ["version_1", "version_2", "without_subject", "confirmation"] {
        check(name, &[], ANOTHER, doubt());
        for field in ["Message", "MessageId", "Timestamp", "TopicArn"] {
            check(
                name,
                &[(field, json!("arn:aws:sns:eu-west-1:999999999999:other"))],
                CERTIFICATE,
                doubt(),
            );
        }
        check(name, &[("Signature", json!("AAAA"))], CERTIFICATE, doubt());
        check(
            name,
            &[("Signature", json!("no base64!"))],
            CERTIFICATE,
            doubt(),
        );
    }
    check(
        "version_2",
        &[("Subject", json!("OK"))],
        CERTIFICATE,
        doubt(),
    );
    check(
        "version_2",
        &[("Subject", Value::Null)],
        CERTIFICATE,
        doubt(),
    );
    check(
        "without_subject",
        &[("Subject", json!("OK"))],
        CERTIFICATE,
        doubt(),
    );
    check(
        "confirmation",
        &[("Token", json!("mine"))],
        CERTIFICATE,
        doubt(),
    );
    check(
        "confirmation",
        &[(
            "SubscribeURL",
            json!("https://sns.eu-west-1.amazonaws.com/?Action=Other"),
        )],
        CERTIFICATE,
        doubt(),
    );
    // The text of a confirmation holds what that of a notification does not.
    check(
        "confirmation",
        &[("Type", json!("Notification"))],
        CERTIFICATE,
        doubt(),
    );
    check(
        "version_2",
        &[("Type", json!("SubscriptionConfirmation"))],
        CERTIFICATE,
        Some(&SnsFault::Missing("a field that is signed")),
    );
    check(
        "version_2",
        &[("Type", json!("Other"))],
        CERTIFICATE,
        Some(&SnsFault::Missing("a field that is signed")),
    );
}

#[test]
fn a_version_is_what_it_says() {
    check(
        "version_1",
        &[("SignatureVersion", json!("2"))],
        CERTIFICATE,
        Some(&SnsFault::Signature),
    );
    check(
        "version_2",
        &[("SignatureVersion", json!("1"))],
        CERTIFICATE,
        Some(&SnsFault::Signature),
    );
    for version in [json!("3"), json!(2), Value::Null] {
        check(
            "version_2",
            &[("SignatureVersion", version)],
            CERTIFICATE,
            Some(&SnsFault::Version),
        );
    }
}

#[test]
fn a_certificate_must_be_one_and_valid() {
    for bad in [
        b"".as_slice(),
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        &CERTIFICATE[..200],
    ] {
        let verified = verify(&envelope(&signed("version_2")), bad, now());
        assert!(
            matches!(verified, Err(SnsFault::Certificate(_))),
            "{verified:?}"
        );
    }
    for when in ["2026-11-01T00:00:00Z", "2101-01-01T00:00:00Z"] {
        let verified = verify(
            &envelope(&signed("version_2")),
            CERTIFICATE,
            when.parse().unwrap(),
        );
        assert_eq!(verified, Err(SnsFault::Certificate("it is not valid now")));
    }
}

#[test]
fn a_function_that_wraps_it_changes_nothing() {
    let mut inside = signed("version_2");
    let url = inside
        .as_object_mut()
        .unwrap()
        .remove("SigningCertURL")
        .unwrap();
    inside["SigningCertUrl"] = url;
    let all = envelopes(
        json!({"Records": [{"EventSource": "aws:sns", "Sns": inside}]})
            .to_string()
            .as_bytes(),
    )
    .unwrap();
    assert_eq!(all.len(), 1);
    assert!(certificate_url(&all[0], now()).unwrap().ends_with(".pem"));
    assert_eq!(verify(&all[0], CERTIFICATE, now()), Ok(()));
}

#[test]
fn the_canonical_text_has_a_line_for_each_name_and_value() {
    let body = json!({"Type": "Notification", "MessageId": "1", "TopicArn": "t", "Message": "m\nn", "Timestamp": "z", "Other": "o"});
    assert_eq!(
        canonical(&envelope(&body)).unwrap(),
        "Message\nm\nn\nMessageId\n1\nTimestamp\nz\nTopicArn\nt\nType\nNotification\n"
    );
    let body = json!({"Type": "SubscriptionConfirmation", "MessageId": "1", "TopicArn": "t", "Message": "m", "Timestamp": "z", "Token": "k",
                      "SubscribeURL": "s", "Subject": "not signed"});
    let expected = "Message\nm\nMessageId\n1\nSubscribeURL\ns\nTimestamp\nz\nToken\nk\nTopicArn\nt\nType\nSubscriptionConfirmation\n";
    assert_eq!(canonical(&envelope(&body)).unwrap(), expected);
}

#[test]
fn only_amazons_addresses_are_visited() {
    let check = |url: &str, good: bool| {
        let mut body = signed("confirmation");
        body["SigningCertURL"] = json!(url);
        body["SubscribeURL"] = json!(url);
        let envelope = envelope(&body);
        assert_eq!(
            certificate_url(&envelope, now()).is_ok(),
            good,
            "certificate {url}"
        );
        assert_eq!(subscribe_url(&envelope).is_ok(), good, "subscribe {url}");
    };
    for good in [
        "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-1.pem",
        "https://sns.cn-north-1.amazonaws.com.cn/SimpleNotificationService-1.pem",
        "https://sns.us-gov-west-1.amazonaws.com:443/a.pem",
        "https://SNS.eu-west-1.amazonaws.com/a.pem",
    ] {
        check(good, true);
    }
    for bad in [
        "http://sns.eu-west-1.amazonaws.com/a.pem",
        "https://sns.eu-west-1.amazonaws.com:8443/a.pem",
        "https://sns.eu-west-1.amazonaws.com.example.org/a.pem",
        "https://sns.eu-west-1.amazonaws.org/a.pem",
        "https://sns.amazonaws.com/a.pem",
        "https://sns.eu.west.amazonaws.com/a.pem",
        "https://sns.e_w.amazonaws.com/a.pem",
        "https://sns.ab.amazonaws.com/a.pem",
        "https://xsns.eu-west-1.amazonaws.com/a.pem",
        "https://s3.eu-west-1.amazonaws.com/bucket/a.pem",
        "https://example.org/sns.eu-west-1.amazonaws.com/a.pem",
        "https://sns.eu-west-1.amazonaws.com@example.org/a.pem",
        "https://user@sns.eu-west-1.amazonaws.com/a.pem",
        "https://:secret@sns.eu-west-1.amazonaws.com/a.pem",
        "https://example.org\\@sns.eu-west-1.amazonaws.com/a.pem",
        "https://sns.eu-west-1.amazonaws.com\n/a.pem",
        " https://sns.eu-west-1.amazonaws.com/a.pem",
        "https://127.0.0.1/a.pem",
        "https://[::1]/a.pem",
        "file:///etc/a.pem",
        "ftp://sns.eu-west-1.amazonaws.com/a.pem",
        "//sns.eu-west-1.amazonaws.com/a.pem",
        "",
    ] {
        check(bad, false);
    }
    let mut body = signed("version_2");
    for other in [
        "https://sns.eu-west-1.amazonaws.com/a.crt",
        "https://sns.eu-west-1.amazonaws.com/?x=.pem",
        "https://sns.eu-west-1.amazonaws.com/a#.pem",
    ] {
        body["SigningCertURL"] = json!(other);
        assert!(certificate_url(&envelope(&body), now()).is_err(), "{other}");
    }
}

#[test]
fn certificate_is_not_fetched_for_old_or_future_messages() {
    let envelope = envelope(&signed("version_2"));
    let sent = envelope.timestamp().unwrap();
    let check = |after: TimeDelta, good: bool| {
        assert_eq!(
            certificate_url(&envelope, sent + after).is_ok(),
            good,
            "{after}"
        );
    };
    check(TimeDelta::zero(), true);
    check(TimeDelta::hours(1), true);
    check(TimeDelta::seconds(3601), false);
    check(TimeDelta::minutes(-5), true);
    check(TimeDelta::seconds(-301), false);
}

proptest::proptest! {
    #[test]
    fn no_body_makes_it_panic(body in "\\PC*", field in "\\PC*") {
        let _ = envelopes(body.as_bytes());
        let mut signed = signed("version_2");
        for name in ["Signature", "SigningCertURL", "Timestamp", "Message"] {
            signed[name] = json!(field);
            let envelope = envelope(&signed);
            let _ = (certificate_url(&envelope, now()), verify(&envelope, CERTIFICATE, now()), verify(&envelope, field.as_bytes(), now()));
        }
    }
}
