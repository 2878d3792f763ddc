//! Signed times and ids: how old a message may be.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::super::{SignatureFault, mac};
use super::{NOW, hex, named, signature, verify};
use crate::model::source::SignatureFormat;

#[test]
fn five_minutes_either_way() {
    let standard = signature(
        SignatureFormat::StandardWebhooks,
        &["whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"],
    );
    let slack = signature(SignatureFormat::Slack, &["k"]);
    let grafana = named(SignatureFormat::Grafana, None, Some("x-time"), &["k"]);
    for (off, expected) in [
        (0, None),
        (300, None),
        (-300, None),
        (301, Some(SignatureFault::Stale)),
        (-301, Some(SignatureFault::Stale)),
        (86_400 * 365, Some(SignatureFault::Stale)),
        (-NOW, Some(SignatureFault::Stale)),
    ] {
        let time = (NOW + off).to_string();
        let key: Vec<u8> = (0..24).collect();
        let signed = format!(
            "v1,{}",
            BASE64.encode(mac(&key, &[b"a.", time.as_bytes(), b".body"]).unwrap())
        );
        let shown = [
            ("webhook-id", "a"),
            ("webhook-timestamp", &time),
            ("webhook-signature", &signed),
        ];
        assert_eq!(
            verify(&standard, &shown, b"body", NOW).err(),
            expected,
            "standard webhooks, {off}"
        );
        let signed = format!("v0={}", hex("k", format!("v0:{time}:body").as_bytes()));
        let shown = [
            ("x-slack-request-timestamp", time.as_str()),
            ("x-slack-signature", &signed),
        ];
        assert_eq!(
            verify(&slack, &shown, b"body", NOW).err(),
            expected,
            "slack, {off}"
        );
        let signed = hex("k", format!("{time}:body").as_bytes());
        let shown = [
            ("x-time", time.as_str()),
            ("x-grafana-alerting-signature", &signed),
        ];
        assert_eq!(
            verify(&grafana, &shown, b"body", NOW).err(),
            expected,
            "grafana, {off}"
        );
        // Only a sender with a right signature learns that the time is wrong.
        let shown = [
            ("x-time", time.as_str()),
            ("x-grafana-alerting-signature", &"0".repeat(64)),
        ];
        assert_eq!(
            verify(&grafana, &shown, b"body", NOW),
            Err(SignatureFault::Wrong)
        );
    }
}

#[test]
fn a_time_is_digits_and_nothing_else() {
    let slack = signature(SignatureFormat::Slack, &["k"]);
    let got = |time: &str| {
        let signed = format!("v0={}", hex("k", format!("v0:{time}:body").as_bytes()));
        verify(
            &slack,
            &[
                ("x-slack-request-timestamp", time),
                ("x-slack-signature", &signed),
            ],
            b"body",
            NOW,
        )
    };
    // Signed verbatim, so leading zeros change nothing.
    assert!(got("1800000000").is_ok() && got("0001800000000").is_ok());
    let times = [
        "+1800000000",
        "-1800000000",
        " 1800000000",
        "1800000000 ",
        "1800000000.0",
        "1.8e9",
        "0x6b49d200",
        "",
        "1800000000:x",
    ];
    for time in times.iter().copied().chain([
        "99999999999999999999",
        "१८००००००००",
        "1800000000,1800000000",
    ]) {
        assert_eq!(got(time), Err(SignatureFault::Wrong), "{time}");
    }
    assert_eq!(got("9223372036854775807"), Err(SignatureFault::Stale));
    // Another writing of the time under the same signature.
    let signed = format!("v0={}", hex("k", b"v0:1800000000:body"));
    assert_eq!(
        verify(
            &slack,
            &[
                ("x-slack-request-timestamp", "01800000000"),
                ("x-slack-signature", &signed)
            ],
            b"body",
            NOW
        ),
        Err(SignatureFault::Wrong)
    );
}

/// A signature without a time must not pass if one is required, nor may the border between time and
/// body move.
#[test]
fn required_timestamp_cannot_be_omitted() {
    let timed = named(SignatureFormat::Grafana, None, Some("X-Time"), &["k"]);
    let got = |time: Option<&str>, signed: &[u8], body: &[u8]| {
        let shown = hex("k", signed);
        let mut headers = vec![("x-grafana-alerting-signature", shown.as_str())];
        headers.extend(time.map(|time| ("x-time", time)));
        verify(&timed, &headers, body, NOW)
    };
    let now = NOW.to_string();
    assert!(
        got(Some(&now), format!("{now}:body").as_bytes(), b"body")
            .unwrap()
            .is_some()
    );
    assert_eq!(got(None, b"body", b"body"), Err(SignatureFault::Wrong));
    assert_eq!(
        got(Some(&now), b"body", b"body"),
        Err(SignatureFault::Wrong)
    );
    assert_eq!(got(Some(""), b":body", b"body"), Err(SignatureFault::Wrong));
    assert_eq!(got(Some(""), b"body", b"body"), Err(SignatureFault::Wrong));
    // One that was signed without a time, whose body begins as if it had one.
    assert_eq!(
        got(
            None,
            format!("{now}:body").as_bytes(),
            format!("{now}:body").as_bytes()
        ),
        Err(SignatureFault::Wrong)
    );
    let signed = format!("{now}:1:body");
    assert_eq!(
        got(Some(&format!("{now}:1")), signed.as_bytes(), b"body"),
        Err(SignatureFault::Wrong)
    );
    assert!(got(Some(&now), signed.as_bytes(), b"1:body").is_ok());
    // And where none is asked for, a time beside it is not looked at.
    let plain = signature(SignatureFormat::Grafana, &["k"]);
    let shown = hex("k", b"body");
    assert_eq!(
        verify(
            &plain,
            &[("x-time", "1"), ("x-grafana-alerting-signature", &shown)],
            b"body",
            NOW
        ),
        Ok(None)
    );
    assert_eq!(
        verify(
            &plain,
            &[
                ("x-time", &now),
                (
                    "x-grafana-alerting-signature",
                    &hex("k", format!("{now}:body").as_bytes())
                )
            ],
            b"body",
            NOW
        ),
        Err(SignatureFault::Wrong)
    );
}

#[test]
fn the_id_is_signed_and_may_hold_dots_but_no_time() {
    let key: Vec<u8> = (0..24).collect();
    let standard = signature(
        SignatureFormat::StandardWebhooks,
        &["whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"],
    );
    let got = |signed: &str, id: &str, time: &str, body: &str| {
        let shown = format!(
            "v1,{}",
            BASE64.encode(mac(&key, &[signed.as_bytes()]).unwrap())
        );
        verify(
            &standard,
            &[
                ("webhook-id", id),
                ("webhook-timestamp", time),
                ("webhook-signature", &shown),
            ],
            body.as_bytes(),
            NOW,
        )
    };
    let (now, later) = (NOW.to_string(), (NOW + 60).to_string());
    let first = got(&format!("a.{now}.body"), "a", &now, "body").unwrap();
    assert!(first.is_some());
    assert_eq!(
        got(&format!("a.{later}.body"), "a", &later, "body").unwrap(),
        first,
        "tried again, it is the same delivery"
    );
    assert_ne!(
        got(&format!("b.{now}.body"), "b", &now, "body").unwrap(),
        first
    );
    assert_eq!(
        got(&format!("a.{now}.body"), "b", &now, "body"),
        Err(SignatureFault::Wrong)
    );
    assert_eq!(
        got(&format!(".{now}.body"), "", &now, "body"),
        Err(SignatureFault::Wrong)
    );
    for id in ["msg.2", "com.example.order.v1", "a."] {
        let dotted = got(&format!("{id}.{now}.body"), id, &now, "body").unwrap();
        assert!(dotted.is_some_and(|key| Some(key) != first), "{id}");
    }
    // One signature, two readings: `a.NOW` at now, and `a` at now with another body.
    let signed = format!("a.{now}.{now}.body");
    assert_eq!(
        got(&signed, &format!("a.{now}"), &now, "body"),
        Err(SignatureFault::Wrong)
    );
}
