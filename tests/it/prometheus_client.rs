//! Queries to a real Prometheus: values, samples, rules and alerts, and the errors when it does not
//! respond.

use std::future::Future;
use std::process::Command;
use std::sync::LazyLock;
use std::time::Duration;

use afterword::app::settings::Settings;
use afterword::clients::error::ClientError;
use afterword::clients::prometheus::PrometheusClient;
use afterword::clients::query_response::QueryResponse;
use afterword::clients::scrape::Scraper;
use afterword::config::metrics::MetricsKind;
use afterword::model::time::Time;
use chrono::{DateTime, TimeDelta};
use tokio::runtime::Runtime;

use crate::harness::{PATIENCE, Page, World, free_port, now, send_signal, until};

/// Waits for what is asked.
pub(crate) fn wait<T>(asked: impl Future<Output = T>) -> T {
    static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap()
    });
    RUNTIME.block_on(asked)
}

/// The settings with this one entry of `metrics:`.
fn settings(world: &World, entry: &str) -> Result<Settings, String> {
    let file = world.write("metrics.yaml", &format!("metrics:\n  - {entry}\n"));
    Settings::load(Some(&file)).map_err(|faults| {
        faults
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n")
    })
}

/// A client as this entry of `metrics:` makes it.
pub(crate) fn client(world: &World, entry: &str) -> PrometheusClient {
    let settings = settings(world, entry).unwrap();
    let MetricsKind::Prometheus(server) = &settings.config.metrics[0].kind else {
        panic!("{entry}")
    };
    PrometheusClient::new(
        server,
        &settings.metrics_access[&settings.config.metrics[0].name],
    )
    .unwrap()
}

/// The same for pages.
pub(crate) fn scraper(world: &World, entry: &str) -> Scraper {
    let settings = settings(world, entry).unwrap();
    let MetricsKind::Scrape(pages) = &settings.config.metrics[0].kind else {
        panic!("{entry}")
    };
    Scraper::new(
        pages,
        &settings.metrics_access[&settings.config.metrics[0].name],
    )
    .unwrap()
}

/// A Prometheus that scrapes `page` twice a second, and its process's id. `rest` is what else its settings say.
fn start(world: &mut World, page: &Page, port: u16, rest: &str, flags: &[&str]) -> u32 {
    world.write(
        "rules.yml",
        "groups:
  - name: checkout
    interval: 500ms
    rules:
      - {alert: CheckoutDown, expr: checkout_up == 0, for: 3s, keep_firing_for: 10m, labels: {severity: critical, value: '{{ $value }}'}}
      - {record: checkout:up, expr: checkout_up}
",
    );
    world.write(
        "prometheus.yml",
        &format!(
            "global: {{scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 500ms}}
rule_files: [rules.yml]
scrape_configs: [{{job_name: checkout, static_configs: [{{targets: ['127.0.0.1:{}']}}]}}]
{rest}",
            page.port
        ),
    );
    let mut command = Command::new("prometheus");
    command
        .args(["--config.file=prometheus.yml", "--storage.tsdb.path=tsdb"])
        .args(flags);
    command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
    world.start_beside(&mut command, "prometheus")
}

/// The server's clock, by itself.
fn clock(client: &PrometheusClient) -> Time {
    let answer = until("the server tells its time", PATIENCE, || {
        wait(client.query("timestamp(checkout_up)", epoch(0))).ok()
    });
    let sent = answer.heard.server_time.unwrap();
    assert!(answer.series.is_empty(), "in 1970: {answer:?}");
    sent
}

fn epoch(seconds: i64) -> Time {
    DateTime::from_timestamp(seconds, 0).unwrap()
}

fn one_value(answer: &QueryResponse) -> f64 {
    assert!(
        answer.series.len() == 1 && answer.series[0].points.len() == 1,
        "{answer:?}"
    );
    answer.series[0].points[0].1
}

#[test]
fn prometheus_values_samples_rules_and_alerts_are_read() {
    let (mut world, page, port) = (World::new(), Page::serve(), free_port());
    let pid = start(&mut world, &page, port, "", &[]);
    let hasty = client(
        &world,
        &format!("{{name: prom, kind: prometheus, url: http://127.0.0.1:{port}, timeout: 2s}}"),
    );
    let client = client(
        &world,
        &format!("{{name: prom, kind: prometheus, url: http://127.0.0.1:{port}, timeout: 1m}}"),
    );

    values(&client);
    samples(&client);
    ranges(&client);
    refusals(&client);
    alerts(&client, &page);
    own_page(&world, port);
    silence(&hasty, pid);
}

fn values(client: &PrometheusClient) {
    let up = until("the page is scraped", PATIENCE, || {
        let answer =
            wait(client.query("checkout_up", clock(client) + TimeDelta::seconds(1))).unwrap();
        (!answer.series.is_empty()).then_some(answer)
    });
    let labels = &up.series[0].labels;
    assert_eq!(
        (
            one_value(&up),
            labels["__name__"].as_str(),
            labels["job"].as_str()
        ),
        (1.0, "checkout_up", "checkout")
    );
    let heard = up.heard;
    assert!(
        heard.sent <= heard.received
            && (clock(client) - heard.server_time.unwrap())
                .num_seconds()
                .abs()
                <= 10
    );

    let value = |expr: &str| {
        one_value(
            &wait(client.query(expr, epoch(1_795_417_376) + TimeDelta::milliseconds(40))).unwrap(),
        )
    };
    assert!(value("vector(0) / 0").is_nan());
    assert_eq!(
        [
            value("vector(1) / 0"),
            value("-vector(1) / 0"),
            value("1e-06")
        ],
        [f64::INFINITY, f64::NEG_INFINITY, 1e-6]
    );
    assert_eq!(value("time()"), 1_795_417_376.04);
    // Longer than an address may be.
    assert_eq!(value(&format!("# {}\n7", "+&=%ü".repeat(20_000))), 7.0);
}

fn samples(client: &PrometheusClient) {
    let enough = until("there are four samples", PATIENCE, || {
        let at = clock(client);
        let answer = wait(client.raw_samples("checkout_up[10s]", at)).unwrap();
        (answer.series.first()?.points.len() >= 4).then_some((at, answer))
    });
    let (at, answer) = enough;
    let points = &answer.series[0].points;
    assert!(
        points.iter().all(|(time, value)| *time <= at
            && *time > at - TimeDelta::seconds(11)
            && *value == 1.0),
        "{at}: {points:?}"
    );
    for pair in points.windows(2) {
        let apart = (pair[1].0 - pair[0].0).num_milliseconds();
        assert!(
            (1..5000).contains(&apart),
            "samples are {apart} ms apart, scraped every 500: {points:?}"
        );
    }
    // They lie where the scrapes were, which is on no whole second for long.
    assert!(
        points
            .iter()
            .any(|(time, _)| time.timestamp_subsec_millis() != 0),
        "{points:?}"
    );
    assert!(matches!(
        wait(client.raw_samples("checkout_up", at)),
        Err(ClientError::Refused { status: 400, .. })
    ));
}

fn ranges(client: &PrometheusClient) {
    let (from, step) = (epoch(1_795_417_376), Duration::from_millis(20));
    let answer = wait(client.query_range(
        "time()",
        from,
        from + TimeDelta::milliseconds(20 * 25_000 + 7),
        step,
    ))
    .unwrap();
    let points = &answer.series[0].points;
    assert_eq!(
        (answer.series.len(), points.len()),
        (1, 25_001),
        "three pieces"
    );
    for (place, (at, value)) in (0..).zip(points) {
        assert_eq!(*at, from + TimeDelta::milliseconds(20 * place));
        #[expect(
            clippy::cast_precision_loss,
            reason = "milliseconds of this century fit"
        )]
        let expected = at.timestamp_millis() as f64 / 1000.0;
        assert!((value - expected).abs() < 1e-3, "{at}: {value}");
    }
    let none = wait(client.query_range(
        "nothing_is_called_so",
        from,
        from + TimeDelta::hours(1),
        Duration::from_secs(15),
    ))
    .unwrap();
    assert_eq!((none.series, none.warnings), (Vec::new(), Vec::new()));
    let endless =
        wait(client.query_range("time()", epoch(0), from, Duration::from_secs(1))).unwrap_err();
    assert!(
        matches!(&endless, ClientError::Refused { message, .. } if message.contains("a million points")),
        "{endless:?}"
    );
}

fn refusals(client: &PrometheusClient) {
    let refused = |expr: &str| match wait(client.query(expr, clock(client))) {
        Err(ClientError::Refused {
            status,
            error_type,
            message,
        }) => (status, error_type, message),
        other => panic!("{expr}: {other:?}"),
    };
    let (status, error_type, message) = refused("sum(up");
    assert_eq!((status, error_type.as_str()), (400, "bad_data"));
    assert!(message.contains("unclosed left parenthesis"), "{message}");
    let (status, error_type, message) =
        refused(r#"{__name__=~"up|scrape_.*"} * on(job) {__name__=~"up|scrape_.*"}"#);
    assert_eq!(
        (status, error_type.as_str()),
        (422, "execution"),
        "{message}"
    );
    assert!(refused("\"text\"").2.contains("returns a string"));
    let range =
        wait(client.query_range("up", epoch(10), epoch(5), Duration::from_secs(1))).unwrap_err();
    assert!(
        range
            .to_string()
            .contains("end timestamp must not be before start"),
        "{range}"
    );
}

fn alerts(client: &PrometheusClient, page: &Page) {
    let rules = wait(client.rules()).unwrap();
    assert_eq!(rules.len(), 1, "the other one records: {rules:?}");
    let rule = &rules[0];
    assert_eq!(
        (rule.name.as_str(), rule.group.as_str(), rule.query.as_str()),
        ("CheckoutDown", "checkout", "checkout_up == 0")
    );
    assert_eq!(
        (rule.hold, rule.keep_firing, rule.interval),
        (
            Duration::from_secs(3),
            Duration::from_mins(10),
            Duration::from_millis(500)
        )
    );
    assert!(
        rule.file.ends_with("rules.yml") && rule.labels["severity"] == "critical",
        "{rule:?}"
    );

    page.set_up(false);
    // Pending and firing are two series; one begins where the other ends, `for` after the alert did.
    let series = |state: &str| {
        let selector = format!("ALERTS{{alertname=\"CheckoutDown\", alertstate=\"{state}\"}}[5m]");
        until("the evaluation is stored", PATIENCE, || {
            let mut answer =
                wait(client.raw_samples(&selector, clock(client) + TimeDelta::seconds(1))).unwrap();
            answer.series.pop().map(|series| series.points)
        })
    };
    let (before, after) = (series("pending"), series("firing"));
    assert!(
        after[0].0 >= before[0].0 + TimeDelta::seconds(3)
            && after.iter().all(|(_, value)| *value == 1.0),
        "{before:?} {after:?}"
    );
    let state =
        wait(client.query("ALERTS_FOR_STATE", clock(client) + TimeDelta::seconds(1))).unwrap();
    let active = epoch(one_value(&state) as i64);
    assert!(
        before[0].0 >= active && before[0].0 < active + TimeDelta::seconds(1),
        "{before:?} {active}"
    );

    page.set_up(true);
    until("it fires on for its rule's sake", PATIENCE, || {
        let firing =
            "ALERTS{alertname=\"CheckoutDown\", alertstate=\"firing\"} and on() checkout_up == 1";
        let answer = wait(client.query(firing, clock(client) + TimeDelta::seconds(1))).unwrap();
        (answer.series.len() == 1).then_some(())
    });
}

fn own_page(world: &World, port: u16) {
    let url = format!("http://127.0.0.1:{port}/metrics");
    let page = wait(
        scraper(
            world,
            &format!("{{name: own, kind: scrape, targets: ['{url}']}}"),
        )
        .fetch(&url),
    )
    .unwrap();
    let text = String::from_utf8(page.bytes).unwrap();
    assert!(
        page.content_type
            .unwrap()
            .starts_with("text/plain; version=0.0.4")
            && text.ends_with('\n')
    );
    assert!(text.contains("\nprometheus_build_info{") && page.heard.sent <= page.heard.received);
}

fn silence(client: &PrometheusClient, pid: u32) {
    send_signal(pid, "STOP");
    // It may be in the middle of an answer when the signal comes.
    let (begun, fault) = until("it is stopped", PATIENCE, || {
        let begun = now();
        wait(client.query("up", epoch(1_795_417_376)))
            .err()
            .map(|fault| (begun, fault))
    });
    assert!(
        matches!(&fault, ClientError::Unreachable(why) if why.contains("no complete response within 2s")),
        "{fault:?}"
    );
    assert!(
        begun.elapsed() >= Duration::from_millis(1900) && begun.elapsed() < Duration::from_secs(20),
        "{:?}",
        begun.elapsed()
    );
    send_signal(pid, "CONT");
    until("it answers again", PATIENCE, || {
        wait(client.query("up", epoch(1_795_417_376))).ok()
    });

    send_signal(pid, "KILL");
    until("nobody is at its port", PATIENCE, || {
        match wait(client.rules()) {
            Ok(_) => None,
            Err(ClientError::Unreachable(why)) => why.contains("refused").then_some(()),
            Err(other) => panic!("{other:?}"),
        }
    });
    assert!(matches!(
        wait(client.rules()),
        Err(ClientError::Unreachable(_))
    ));
}

/// It has a second store, far away, that does not answer: what it then gives is not all there is.
#[test]
fn partial_answer_is_an_error() {
    let (mut world, page, port) = (World::new(), Page::serve(), free_port());
    let far = format!(
        "remote_read: [{{url: 'http://127.0.0.1:{}/read', read_recent: true}}]\n",
        free_port()
    );
    start(&mut world, &page, port, &far, &[]);
    let client = client(
        &world,
        &format!("{{name: prom, kind: prometheus, url: http://127.0.0.1:{port}, timeout: 1m}}"),
    );
    let step = Duration::from_millis(100);
    until("its own part is there", PATIENCE, || {
        match wait(client.query("checkout_up", epoch(1_795_417_376))) {
            Err(ClientError::Partial { .. }) => Some(()),
            Err(ClientError::Unreachable(_) | ClientError::Busy { .. }) => None,
            other => panic!("{other:?}"),
        }
    });
    until("its own part is there", PATIENCE, || {
        let at = match wait(client.query("vector(1)", epoch(0))) {
            Ok(answer) => answer.heard.server_time.unwrap(),
            Err(fault) => panic!("no store is needed for this: {fault:?}"),
        };
        let fault = wait(client.query_range(
            "checkout_up",
            at - TimeDelta::minutes(30),
            at + TimeDelta::seconds(1),
            step,
        ))
        .unwrap_err();
        let ClientError::Partial {
            why,
            rest: Some(rest),
        } = fault
        else {
            panic!("{fault:?}")
        };
        assert!(
            why.contains("remote") && why.contains("refused") && !why.contains("; "),
            "{why}"
        );
        (rest.series.len() == 1).then_some(())
    });
}

/// Behind a prefix, in the name of somebody else, to known people with known certificates only.
#[test]
fn prometheus_behind_prefix_tls_and_password_is_reached() {
    let (mut world, page, port) = (World::new(), Page::serve(), free_port());
    certificates(&world);
    world.write("password", "open sesame\n");
    world.write(
        "web.yml",
        // bcrypt of the password.
        "basic_auth_users: {ada: '$2b$04$abcdefghijklmnopqrstuu/LVz6MZlItEy42I2juLihZ66HnQx/cy'}
tls_server_config: {cert_file: server.pem, key_file: server.key, client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.pem}
",
    );
    let external = format!("--web.external-url=https://prometheus.internal:{port}/of/prom");
    start(
        &mut world,
        &page,
        port,
        "",
        &[
            "--web.config.file=web.yml",
            &external,
            "--web.route-prefix=/of/prom",
        ],
    );

    let auth = "auth: {basic: {username: ada, password_file: password}}";
    let own = "cert_file: client.pem, key_file: client.key";
    let (named, url) = (
        format!("ca_file: ca.pem, server_name: prometheus.internal, {own}"),
        format!("https://127.0.0.1:{port}/of/prom/"),
    );
    let ask = |url: &str, rest: &str, tls: &str| {
        let client = client(
            &world,
            &format!(
                "{{name: prom, kind: prometheus, url: '{url}', timeout: 1m, {rest}, tls: {{{tls}}}}}"
            ),
        );
        wait(client.query("vector(1)", epoch(1_795_417_376)))
    };
    let whole = until("it answers", PATIENCE, || ask(&url, auth, &named).ok());
    assert_eq!(one_value(&whole), 1.0);
    assert_eq!(
        one_value(&ask(&url, auth, &format!("insecure_skip_verify: true, {own}")).unwrap()),
        1.0
    );

    for rest in [
        "auth: none",
        "auth: {basic: {username: bo, password_file: password}}",
        "auth: {bearer_token_file: password}",
    ] {
        let fault = ask(&url, rest, &named).unwrap_err();
        assert!(
            matches!(fault, ClientError::Unauthorized(_)),
            "{rest}: {fault:?}"
        );
    }
    for tls in [
        own.to_owned(),
        format!("ca_file: ca.pem, {own}"),
        format!("ca_file: ca.pem, server_name: prometheus.external, {own}"),
        "ca_file: ca.pem, server_name: prometheus.internal".to_owned(),
        format!("ca_file: client.pem, server_name: prometheus.internal, {own}"),
    ] {
        let fault = ask(&url, auth, &tls).unwrap_err();
        assert!(
            matches!(fault, ClientError::Unreachable(_)),
            "{tls}: {fault:?}"
        );
        assert!(!fault.to_string().contains("sesame"), "{fault}");
    }
    let elsewhere = ask(&format!("https://127.0.0.1:{port}"), auth, &named).unwrap_err();
    assert!(
        matches!(&elsewhere, ClientError::Refused { status: 404, message, .. } if message.contains("no API")),
        "{elsewhere:?}"
    );
    let plain = ask(&format!("http://127.0.0.1:{port}/of/prom"), auth, "").unwrap_err();
    assert!(
        matches!(
            plain,
            ClientError::Refused { status: 400, .. } | ClientError::Unreachable(_)
        ),
        "{plain:?}"
    );

    let page = format!("https://127.0.0.1:{port}/of/prom/metrics");
    let scraper = scraper(
        &world,
        &format!("{{name: own, kind: scrape, targets: ['{page}'], {auth}, tls: {{{named}}}}}"),
    );
    assert!(wait(scraper.fetch(&page)).unwrap().bytes.len() > 1000);
}

/// An authority, a server's certificate for `prometheus.internal`, and a client's.
fn certificates(world: &World) {
    let openssl = |arguments: &str| {
        let ended = world.run_program("openssl", &arguments.split(' ').collect::<Vec<_>>());
        assert_eq!(ended.code, Some(0), "openssl {arguments}\n{}", ended.said);
    };
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    openssl(&format!(
        "req -x509 {key} -keyout ca.key -out ca.pem -subj /CN=authority -days 2"
    ));
    for (name, use_) in [("server", "serverAuth"), ("client", "clientAuth")] {
        world.write(
            "extensions",
            &format!("subjectAltName=DNS:prometheus.internal\nextendedKeyUsage={use_}\n"),
        );
        openssl(&format!(
            "req -new {key} -keyout {name}.key -out {name}.csr -subj /CN={name}"
        ));
        openssl(&format!(
            "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile extensions -out {name}.pem"
        ));
    }
}

#[test]
fn credentials_are_used_and_never_shown() {
    let world = World::new();
    world.write("token", "s3cret\nolder\n");
    let prom =
        |rest: &str| format!("{{name: prom, kind: prometheus, url: http://localhost:1, {rest}}}");
    let read = settings(
        &world,
        &prom("auth: {bearer_token_file: token}, headers: {X-Scope-OrgID: team}"),
    )
    .unwrap();
    assert!(!format!("{read:?}").contains("s3cret"));
    assert_eq!((read.metrics_access.len(), read.pushes.len()), (1, 0));
    assert!(
        !format!(
            "{:?}",
            client(
                &world,
                &prom("auth: {bearer_token_file: token}, headers: {X-Scope-OrgID: s3cret}")
            )
        )
        .contains("s3cret")
    );
    // A token that is renewed in its file.
    world.write("token", "n3w\n");
    let again = read.reload_metrics_access("prom").unwrap().unwrap();
    assert!(
        again != read.metrics_access["prom"]
            && read.reload_metrics_access("nobody").unwrap().is_none()
    );
    let pushed = settings(
        &world,
        "{name: pushed, kind: remote_write, auth: {bearer_token_file: token}}",
    )
    .unwrap();
    assert_eq!((pushed.metrics_access.len(), pushed.pushes.len()), (0, 1));

    for (rest, expected) in [
        (
            "auth: {bearer_token_file: gone}",
            "the secret file gone does not exist",
        ),
        (
            "auth: {bearer_token: '${AFTERWORD_NOBODY_SETS_THIS}'}",
            "the environment variable AFTERWORD_NOBODY_SETS_THIS is not set",
        ),
        ("tls: {ca_file: gone}", "the file gone does not exist"),
        (
            "tls: {ca_file: token}",
            "metrics `prom`: `ca_file` holds no certificate in PEM",
        ),
        (
            "tls: {cert_file: token, key_file: token}",
            "metrics `prom`: `cert_file` and `key_file` hold no certificate",
        ),
    ] {
        let fault = settings(&world, &prom(rest)).err().unwrap();
        assert!(fault.contains(expected), "{rest}: {fault}");
    }
}
