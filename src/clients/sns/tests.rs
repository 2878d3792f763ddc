#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use chrono::TimeDelta;

use super::{MAX_RESPONSE_BYTES, SnsClient, TIMEOUT};
use crate::clients::credentials::ServerAccess;
use crate::clients::http::{HttpClient, RedirectPolicy};
use crate::model::delivery::DeliveryOutcome;
use crate::model::time::Time;

/// Server that gives every client the same response, and counts requests.
fn server(answer: String) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/a.pem", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            count.fetch_add(1, Ordering::SeqCst);
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    (url, asked)
}

fn answer(status: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nLocation: https://example.org/\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

/// Client as in production, but without the `https` requirement.
fn plain() -> SnsClient {
    let http = HttpClient::new(&ServerAccess::default(), TIMEOUT, RedirectPolicy::Stop, []);
    SnsClient {
        http: OnceLock::from(http),
        ..SnsClient::default()
    }
}

fn at(seconds: i64) -> Time {
    Time::UNIX_EPOCH + TimeDelta::seconds(seconds)
}

#[tokio::test]
async fn a_certificate_is_fetched_once() {
    let (url, asked) = server(answer("200 OK", "pem"));
    let sns = plain();
    for _ in 0..3 {
        assert_eq!(
            sns.certificate(&url, at(0)).await.as_deref(),
            Ok(b"pem".as_slice())
        );
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn failed_certificate_is_not_fetched_again_for_30_seconds() {
    let (url, asked) = server(answer("403 Forbidden", ""));
    let sns = plain();
    for seconds in [0, 29, 30] {
        assert!(
            sns.certificate(&url, at(seconds))
                .await
                .unwrap_err()
                .contains("403")
        );
    }
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn redirect_and_oversized_certificate_are_refused() {
    let (url, _) = server(answer("302 Found", ""));
    assert!(
        plain()
            .certificate(&url, at(0))
            .await
            .unwrap_err()
            .contains("302")
    );
    let (url, _) = server(answer("200 OK", &"a".repeat(MAX_RESPONSE_BYTES + 1)));
    assert!(
        plain()
            .certificate(&url, at(0))
            .await
            .unwrap_err()
            .contains("larger than 64 kB")
    );
}

#[tokio::test]
async fn plain_http_certificate_url_is_not_requested() {
    let (url, asked) = server(answer("200 OK", "pem"));
    let sns = SnsClient::default();
    assert!(sns.certificate(&url, at(0)).await.is_err());
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn few_certificates_are_kept() {
    let sns = plain();
    for number in 0..200 {
        sns.cache(
            &format!("https://sns.eu-west-1.amazonaws.com/{number:03}.pem"),
            &Arc::from(b"pem".as_slice()),
        );
    }
    assert_eq!(sns.known.lock().unwrap().len(), super::KEPT);
}

#[tokio::test]
async fn a_confirmation_is_tried_again_only_where_that_makes_sense() {
    let check = async |status: &str, expected: fn(&DeliveryOutcome) -> bool| {
        let (url, _) = server(answer(status, ""));
        let performed = plain().confirm(&url).await;
        assert!(expected(&performed), "{status}: {performed:?}");
    };
    check("200 OK", |performed| {
        *performed == DeliveryOutcome::Delivered
    })
    .await;
    check("503 Busy", |performed| {
        matches!(performed, DeliveryOutcome::Retry(_))
    })
    .await;
    check("302 Found", |performed| {
        matches!(performed, DeliveryOutcome::Refused(_))
    })
    .await;
    check("403 Forbidden", |performed| {
        matches!(performed, DeliveryOutcome::Refused(_))
    })
    .await;
    assert!(matches!(
        plain().confirm("http://127.0.0.1:1/").await,
        DeliveryOutcome::Retry(_)
    ));
}
