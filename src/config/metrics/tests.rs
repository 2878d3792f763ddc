#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::collections::BTreeMap;

use super::{MetricsKind, MetricsSource, PrometheusServer, ScrapeConfig, ScrapeTarget};
use crate::config::credentials::{Auth, SecretRef};
use crate::config::http_client::{HttpClientConfig, TlsConfig};
use crate::config::parse::parse;

/// The entries of `metrics:`.
fn metrics(entries: &str) -> Vec<MetricsSource> {
    parse("f", &format!("metrics:\n{entries}"))
        .unwrap_or_else(|faults| panic!("{entries}\n{faults:#?}"))
        .metrics
}

fn faults(text: &str) -> Vec<String> {
    parse("f", text)
        .err()
        .unwrap_or_default()
        .iter()
        .map(ToString::to_string)
        .collect()
}

/// The entry has exactly one fault, and it says this.
#[track_caller]
fn check(entry: &str, expected: &str) {
    let found = faults(&format!("metrics: [{{name: a, {entry}}}]"));
    assert!(
        found.len() == 1 && found[0].contains(expected),
        "{entry}\nexpected {expected}\nfound {found:#?}"
    );
}

fn open() -> HttpClientConfig {
    HttpClientConfig {
        auth: Auth::None,
        headers: BTreeMap::new(),
        tls: TlsConfig::default(),
    }
}

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

#[test]
fn the_short_forms() {
    let read = metrics(
        "  - {name: prom, kind: prometheus, url: http://localhost:9090}
  - {name: web, kind: scrape, targets: [http://localhost:8080/metrics, 'https://[::1]', http://a.example/probe?target=b], interval: 5s}
  - {name: pushed, kind: remote_write}
",
    );
    let url = "http://localhost:9090".to_owned();
    let prom = PrometheusServer {
        url,
        timeout: 10,
        concurrency: 4,
        alerts: true,
        http_client: open(),
    };
    let page = |url: &str, instance: &str| ScrapeTarget {
        url: url.to_owned(),
        instance: instance.to_owned(),
    };
    let web = ScrapeConfig {
        targets: vec![
            page("http://localhost:8080/metrics", "localhost:8080"),
            page("https://[::1]/metrics", "[::1]:443"),
            page("http://a.example/probe?target=b", "a.example:80"),
        ],
        interval: 5,
        timeout: 5,
        honor_timestamps: true,
        honor_labels: false,
        labels: map(&[("job", "web")]),
        http_client: open(),
    };
    let entry = |name: &str, kind: MetricsKind| MetricsSource {
        name: name.to_owned(),
        kind,
    };
    let expected = [
        entry("prom", MetricsKind::Prometheus(prom)),
        entry("web", MetricsKind::Scrape(web)),
        entry("pushed", MetricsKind::RemoteWrite(Auth::None)),
    ];
    assert_eq!(read, expected);
    assert_eq!(faults("metrics: [{}]").len(), 2);
}

#[test]
fn all_keys_are_read() {
    let read = metrics(
        "  - name: mimir
    kind: prometheus
    url: https://mimir.example.com/prometheus/
    timeout: 1m30s
    concurrency: 1
    alerts: false
    auth: {basic: {username: u, password_file: p}}
    headers: {X-Scope-OrgID: team}
    tls: {ca_file: ca.pem, cert_file: c.pem, key_file: k.pem, server_name: mimir.internal}
  - name: web
    kind: scrape
    targets: [http://a:1/metrics]
    timeout: 3s
    honor_timestamps: false
    honor_labels: true
    labels: {job: shop, instance: one, team: 7}
    auth: {bearer_token: '${T}'}
    tls: {insecure_skip_verify: true}
  - {name: pushed, kind: remote_write, auth: {header: {name: X-T, value_file: v}}}
",
    );
    let MetricsKind::Prometheus(mimir) = &read[0].kind else {
        panic!("{read:?}")
    };
    let own = Some(("c.pem".to_owned(), "k.pem".to_owned()));
    let tls = TlsConfig {
        ca: Some("ca.pem".to_owned()),
        own,
        server_name: Some("mimir.internal".to_owned()),
        insecure: false,
    };
    let auth = Auth::Basic {
        username: "u".to_owned(),
        password: SecretRef::File("p".to_owned()),
    };
    assert_eq!(
        mimir.http_client,
        HttpClientConfig {
            auth,
            headers: map(&[("X-Scope-OrgID", "team")]),
            tls
        }
    );
    assert_eq!(
        (mimir.url.as_str(), mimir.timeout),
        ("https://mimir.example.com/prometheus", 90)
    );
    assert_eq!((mimir.concurrency, mimir.alerts), (1, false));
    let MetricsKind::Scrape(web) = &read[1].kind else {
        panic!("{read:?}")
    };
    assert_eq!(
        (
            web.interval,
            web.timeout,
            web.honor_timestamps,
            web.honor_labels
        ),
        (15, 3, false, true)
    );
    assert_eq!(
        web.labels,
        map(&[("instance", "one"), ("job", "shop"), ("team", "7")])
    );
    assert_eq!(
        (&web.http_client.auth, web.http_client.tls.insecure),
        (&Auth::Bearer(SecretRef::Env("T".to_owned())), true)
    );
    let header = Auth::Header {
        name: "X-T".to_owned(),
        value: SecretRef::File("v".to_owned()),
    };
    assert_eq!(read[2].kind, MetricsKind::RemoteWrite(header));
}

#[test]
fn names_kinds_and_keys_are_checked() {
    let found =
        faults("metrics:\n- {name: a, kind: remote_write}\n- {name: a, kind: remote_write}");
    assert_eq!(found, ["f:3:10: metrics `a` is given twice, first at 2:10"]);
    assert_eq!(
        faults("metrics: [{name: A b, kind: remote_write}]").len(),
        1
    );
    assert!(faults("metrics: [{kind: remote_write}]")[0].contains("`name` is missing"));
    assert!(faults("metrics: prom")[0].contains("`metrics` must be a list"));
    check(
        "kind: prometeus, url: http://a",
        "unknown kind \"prometeus\"; known: `prometheus`, `scrape`, `remote_write`",
    );
    check(
        "kind: prometheus, ulr: http://a",
        "f:1:39: unknown key `ulr`; did you mean `url`?",
    );
    check(
        "kind: prometheus",
        "`url` is missing: the address of the server",
    );
    check(
        "kind: prometheus, url: http://a, targets: [http://a]",
        "f:1:54: `targets` is for kind `scrape`, not for `prometheus`; remove it",
    );
    check(
        "kind: remote_write, tls: {}",
        "`tls` is for kind `prometheus` and `scrape`, not for `remote_write`",
    );
    check(
        "kind: scrape, targets: [http://a], url: http://a",
        "`url` is for kind `prometheus`",
    );
    check("kind: scrape", "`targets` is missing");
    check("kind: scrape, targets: []", "`targets` is empty");
    check(
        "kind: scrape, targets: [http://a, 'http://a/metrics']",
        "target `http://a/metrics` is given twice",
    );
    check(
        "kind: scrape, targets: [http://a], labels: {a-b: c}",
        "\"a-b\" is not a valid label name",
    );
    check(
        "kind: scrape, targets: [http://a], labels: {__name__: c}",
        "f:1:65: \"__name__\" is not a valid label name",
    );
}

#[test]
fn lengths_and_numbers_are_checked() {
    check(
        "kind: prometheus, url: http://a, timeout: 0",
        "f:1:63: `timeout` must be longer than 0",
    );
    check(
        "kind: prometheus, url: http://a, timeout: -5s",
        "it cannot be negative",
    );
    check(
        "kind: prometheus, url: http://a, timeout: 10",
        "the unit is missing",
    );
    check(
        "kind: prometheus, url: http://a, concurrency: 0",
        "a number from 1 to 64, found 0",
    );
    check(
        "kind: scrape, targets: [http://a], interval: 0s",
        "`interval` must be longer than 0",
    );
    check(
        "kind: scrape, targets: [http://a], interval: 10s, timeout: 11s",
        "`timeout` is longer than `interval`, which is 10s",
    );
    check(
        "kind: scrape, targets: [http://a], interval: 10s, timeout: 0s",
        "`timeout` must be longer than 0",
    );
}

#[test]
fn addresses_are_checked_and_not_repeated() {
    for (url, expected) in [
        ("localhost:9090", "it must begin with http:// or https://"),
        ("ftp://a", "it must begin with http:// or https://"),
        ("http://", "neither an address nor a name"),
        ("http:///x", "neither an address nor a name"),
        ("http://300.1.1.1", "neither an address nor a name"),
        ("'http://[1]:9'", "neither an address nor a name"),
        ("http://a b", "neither an address nor a name"),
        ("http://a:0", "the port must be a number from 1 to 65535"),
        ("http://a:+1", "the port must be a number from 1 to 65535"),
        (
            "http://a:70000/x",
            "the port must be a number from 1 to 65535",
        ),
        ("'http://a/b c'", "must be percent-encoded"),
        ("'http://a/#b'", "the part after `#` is never sent"),
        ("http://me:hunter2@a:9090/x", "put them in `auth`"),
        ("http://hunter2@a", "put them in `auth`"),
        ("'http://me:hunter 2@a'", "put them in `auth`"),
    ] {
        check(&format!("kind: prometheus, url: {url}"), expected);
        check(&format!("kind: scrape, targets: [{url}]"), expected);
        assert!(
            !faults(&format!(
                "metrics: [{{name: a, kind: prometheus, url: {url}}}]"
            ))[0]
                .contains("hunter"),
            "{url}"
        );
    }
    check("kind: prometheus, url: 'http://a/?tenant=1'", "no `?`");
    check(
        "kind: prometheus, url: http://a/api/v1/query",
        "only the part before /api/v1",
    );
}

#[test]
fn secrets_headers_and_certificates_are_checked() {
    let prom = |rest: &str, expected: &str| {
        check(
            &format!("kind: prometheus, url: http://a, {rest}"),
            expected,
        );
    };
    prom(
        "auth: {bearer_token: hunter2}",
        "secrets must not be written in this file",
    );
    prom(
        "auth: {bearer_token_file: a, basic: {username: u, password_file: b}}",
        "more than one method",
    );
    prom("auth: {}", "`auth` is empty");
    prom(
        "headers: {'a b': c}",
        "f:1:64: \"a b\" is not a valid header name",
    );
    prom(
        "headers: {Authorization: hunter2}",
        "put the value of `Authorization` in `auth`",
    );
    prom(
        "headers: {X-Token: '${T}'}",
        "only `auth` takes values from the environment",
    );
    prom("headers: {X-Team: 'ü'}", "ASCII");
    prom(
        "tls: {cert_file: a}",
        "`cert_file` needs `key_file` beside it",
    );
    prom(
        "tls: {key_file: a}",
        "`key_file` needs `cert_file` beside it",
    );
    prom(
        "tls: {cafile: a}",
        "unknown key `cafile`; did you mean `ca_file`?",
    );
    prom("tls: {server_name: 'a b'}", "is not a valid server name");
    prom("tls: {server_name: 10.0.0.1}", "is not a valid server name");
    prom(
        "tls: {ca_file: a, insecure_skip_verify: true}",
        "disables all certificate checks",
    );
    assert!(
        !format!(
            "{:?}",
            faults("metrics: [{name: a, kind: prometheus, url: http://a, auth: hunter2}]")
        )
        .contains("hunter2")
    );
    assert!(metrics("  - {name: a, kind: remote_write, auth: }").len() == 1);
}

#[test]
fn remote_write_needs_auth_unless_loopback() {
    let open = "listen: 0.0.0.0:9099\naccess: {token_file: t}\n";
    for entry in [
        "{name: a, kind: remote_write}",
        "{name: a, kind: remote_write, auth: none}",
    ] {
        let found = faults(&format!("{open}metrics: [{entry}]"));
        assert!(
            found.len() == 1 && found[0].contains("other machines can reach 0.0.0.0:9099"),
            "{found:?}"
        );
    }
    let proven =
        format!("{open}metrics: [{{name: a, kind: remote_write, auth: {{bearer_token_file: x}}}}]");
    assert!(matches!(
        parse("f", &proven).unwrap().metrics[0].kind,
        MetricsKind::RemoteWrite(Auth::Bearer(_))
    ));
}
