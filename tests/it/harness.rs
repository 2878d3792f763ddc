//! Test harness: the real binary in a directory of its own, real Prometheus and Alertmanager
//! processes, and helpers to drive them.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::{File, read_to_string};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// How long anything may take that takes a moment on an idle machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Short times, so that an incident lasts seconds: hold after 5 s of critical degradation, resolved after 2 s of quiet, closed after 4 s.
pub(crate) const RULES: &str = r#"criteria:
  - name: degraded-for-five-seconds
    on: degradation
    where: signal.severity == "critical"
    longest: 5s
    decision: hold
correlation: {correlate_by: [service], settle: 2s, reopen_within: 4s, bridge: 1s}
"#;

/// Asks again and again until there is an answer; fails after `deadline`, saying what was waited for.
pub(crate) fn until<T>(what: &str, deadline: Duration, mut ask: impl FnMut() -> Option<T>) -> T {
    let begun = now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(
            begun.elapsed() < deadline,
            "waited {deadline:?} for this: {what}"
        );
        pause(Duration::from_millis(50));
    }
}

/// Lets time pass where passing time is what is tested, and between two looks of [`until`].
pub(crate) fn pause(length: Duration) {
    std::thread::sleep(length);
}

/// The clock by which tests measure their own deadlines.
#[expect(
    clippy::disallowed_methods,
    reason = "deadlines of the tests themselves; the product's time is not read here"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The wall clock.
#[expect(
    clippy::disallowed_methods,
    reason = "the real binary judges by the wall clock, so what it is told must be recent"
)]
pub(crate) fn wall() -> chrono::DateTime<chrono::Utc> {
    chrono::Utc::now()
}

/// The wall clock, `ago` before now, as alerts state their times.
pub(crate) fn stamp(ago: Duration) -> String {
    (wall() - ago).to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

/// A line for who reads a failed run: seeds, logs.
#[expect(
    clippy::print_stderr,
    reason = "the test runner shows it with a failure"
)]
pub(crate) fn tell(line: &str) {
    eprintln!("{line}");
}

/// A port that nothing listens on. Below the range that the system hands out for outgoing connections, so that a program
/// that is killed and started again finds its port free.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    loop {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port =
            20_000 + u16::try_from((std::process::id() * 37 + u32::from(step)) % 12_000).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<String>,
    /// What it asks to be shown.
    pub(crate) challenge: Option<String>,
    /// Its media type.
    pub(crate) kind: Option<String>,
    /// Where the rest of a list is.
    pub(crate) link: Option<String>,
    pub(crate) body: String,
}

impl Answer {
    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body)
            .unwrap_or_else(|error| panic!("no JSON ({error}): {}", self.body))
    }
}

/// Speaks HTTP to one server; cheap to clone into a thread.
#[derive(Clone)]
pub(crate) struct Http {
    base: String,
    client: reqwest::Client,
    runtime: Arc<tokio::runtime::Runtime>,
}

impl Http {
    pub(crate) fn new(port: u16) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        // A killed server leaves dead connections behind; each request makes its own.
        let client = afterword::clients::tls::client_builder()
            .no_proxy()
            .pool_max_idle_per_host(0)
            .timeout(PATIENCE)
            .build()
            .unwrap();
        Self {
            base: format!("http://127.0.0.1:{port}"),
            client,
            runtime: Arc::new(runtime),
        }
    }

    /// GET; `None` when nobody answers.
    pub(crate) fn try_get(&self, path: &str) -> Option<Answer> {
        self.send(self.client.get(format!("{}{path}", self.base)))
    }

    /// GET of one media type; `None` when nobody answers.
    pub(crate) fn try_get_as(&self, path: &str, media_type: &str) -> Option<Answer> {
        self.send(
            self.client
                .get(format!("{}{path}", self.base))
                .header("accept", media_type),
        )
    }

    /// POST, of JSON unless a header says otherwise; `None` when nobody answers.
    pub(crate) fn try_post(
        &self,
        path: &str,
        body: &str,
        headers: &[(&str, &str)],
    ) -> Option<Answer> {
        self.post_as("application/json", path, body, headers)
    }

    /// POST of a form; `None` when nobody answers.
    pub(crate) fn try_form(
        &self,
        path: &str,
        body: &str,
        headers: &[(&str, &str)],
    ) -> Option<Answer> {
        self.post_as("application/x-www-form-urlencoded", path, body, headers)
    }

    fn post_as(
        &self,
        media_type: &str,
        path: &str,
        body: &str,
        headers: &[(&str, &str)],
    ) -> Option<Answer> {
        let mut request = self.client.post(format!("{}{path}", self.base));
        if !headers
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case("content-type"))
        {
            request = request.header("content-type", media_type);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(body.to_owned()))
    }

    fn send(&self, request: reqwest::RequestBuilder) -> Option<Answer> {
        self.runtime.block_on(async {
            let response = request.send().await.ok()?;
            let status = response.status().as_u16();
            let header = |name: &str| {
                response
                    .headers()
                    .get(name)
                    .map(|value| value.to_str().unwrap().to_owned())
            };
            let (retry_after, challenge) = (header("retry-after"), header("www-authenticate"));
            let (kind, link) = (header("content-type"), header("link"));
            Some(Answer {
                status,
                retry_after,
                challenge,
                kind,
                link,
                body: response.text().await.ok()?,
            })
        })
    }
}

/// A program started by a test; ends with it.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself, which is fine.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a program that ended left behind.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    /// Standard output, then standard error.
    pub(crate) said: String,
}

/// Afterword in a directory of its own.
pub(crate) struct World {
    // Before `dir`: a program must end before its directory goes.
    afterword: Option<Running>,
    others: Vec<Running>,
    pub(crate) http: Http,
    pub(crate) port: u16,
    dir: TempDir,
}

impl World {
    /// A directory with settings and rules; nothing runs yet.
    pub(crate) fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let path = dir.path().to_owned();
        Self::with(
            dir,
            &format!("sqlite://{}/data/afterword.db", path.display()),
            &path,
        )
    }

    /// The same on a database that others may be at, with the files in a directory that they share.
    pub(crate) fn on(storage: &str, files: &Path) -> Self {
        Self::with(TempDir::new().unwrap(), storage, files)
    }

    fn with(dir: TempDir, storage: &str, files: &Path) -> Self {
        let port = free_port();
        let world = Self {
            afterword: None,
            others: Vec::new(),
            http: Http::new(port),
            port,
            dir,
        };
        world.write("rules/rules.yaml", RULES);
        world.write("bearer", "open sesame\n");
        let (path, files) = (world.dir.path().display(), files.display());
        world.write(
            "afterword.yaml",
            &format!(
                r"listen: 127.0.0.1:{port}
external_url: http://127.0.0.1:{port}
storage: {storage}
rules: ['{path}/rules/*.yaml']
sources:
  - {{name: alertmanager, kind: alertmanager, auth: none}}
  - {{name: guarded, kind: alertmanager, auth: {{bearer_token_file: {path}/bearer}}}}
services:
  - {{name: checkout, owners: [ada, bo], stakeholders: [lin]}}
people:
  - {{id: ada, name: Ada L., email: ada@example.com, time_zone: Europe/Berlin, hours: 'Mon-Fri 09:00-17:00'}}
  - {{id: bo, name: Bo M., email: bo@example.com, time_zone: Europe/Berlin, hours: 'Mon-Fri 09:00-17:00'}}
  - {{id: lin, name: Lin N., email: lin@example.com, time_zone: Europe/Berlin, hours: 'Mon-Fri 09:00-17:00'}}
postmortems: {{directory: {files}/postmortems}}
meetings: {{directory: {files}/invites, organizer: postmortems@example.com, facilitators: [lin], send: automatic}}
"
            ),
        );
        world
    }

    /// The same, running and ready.
    pub(crate) fn started() -> Self {
        let mut world = Self::new();
        world.start();
        world
    }

    /// Has the settings name another database.
    pub(crate) fn store_in(&self, storage: &str) {
        let settings = std::fs::read_to_string(self.path("afterword.yaml")).unwrap();
        let lines = settings.lines().map(|line| {
            if line.starts_with("storage:") {
                format!("storage: {storage}")
            } else {
                line.to_owned()
            }
        });
        self.write(
            "afterword.yaml",
            &format!("{}\n", lines.collect::<Vec<_>>().join("\n")),
        );
    }

    /// The path of a file in the directory.
    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.dir.path().join(file)
    }

    /// Writes a file into the directory.
    pub(crate) fn write(&self, file: &str, text: &str) -> PathBuf {
        let path = self.path(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// `afterword serve`, until it says that it is ready.
    pub(crate) fn start(&mut self) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_afterword"));
        command.args(["serve", "--config", "afterword.yaml"]);
        self.start_as(command);
    }

    /// The same with everything in its log that any part of it has to say.
    pub(crate) fn start_telling_all(&mut self) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_afterword"));
        command
            .args(["serve", "--config", "afterword.yaml"])
            .env("AFTERWORD_LOG", "trace");
        self.start_as(command);
    }

    /// The same where no file may grow beyond `kilobytes`: what a full disk does, without needing to mount one.
    pub(crate) fn start_with_files_up_to(&mut self, kilobytes: u32) {
        let mut command = Command::new("bash");
        // The signal must be ignored, or the process would be killed in place of the write failing.
        let script = format!(
            "trap '' XFSZ; ulimit -f {kilobytes}; exec \"$0\" serve --config afterword.yaml"
        );
        command.args(["-c", &script, env!("CARGO_BIN_EXE_afterword")]);
        self.start_as(command);
    }

    /// The same with a clock that is so far off: `+180s`.
    pub(crate) fn start_at(&mut self, shift: &str) {
        // As the program `faketime` does, but without the process that it leaves between: whoever kills that would not kill this.
        let mut command = Command::new(env!("CARGO_BIN_EXE_afterword"));
        command
            .args(["serve", "--config", "afterword.yaml"])
            .env("LD_PRELOAD", faketime_library())
            .env("FAKETIME", shift);
        self.start_as(command);
    }

    /// The same with a clock that [`Self::set_clock`] sets while it runs, so far off at first.
    pub(crate) fn start_with_clock(&mut self, shift: &str) {
        self.set_clock(shift);
        let mut command = Command::new(env!("CARGO_BIN_EXE_afterword"));
        command
            .args(["serve", "--config", "afterword.yaml"])
            .env("LD_PRELOAD", faketime_library())
            .env("FAKETIME_TIMESTAMP_FILE", self.path("clock"))
            .env("FAKETIME_NO_CACHE", "1")
            // A monotonic clock cannot be set.
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        self.start_as(command);
    }

    /// Sets the clock of the running program: `+40m`, `-2h` of the true time.
    pub(crate) fn set_clock(&self, shift: &str) {
        let file = self.write("clock.new", &format!("{shift}\n"));
        std::fs::rename(file, self.path("clock")).unwrap();
    }

    fn start_as(&mut self, command: Command) {
        self.launch_as(command);
        self.wait_until_ready();
    }

    /// `afterword serve`, without waiting until it is ready.
    pub(crate) fn launch(&mut self, environment: &[(&str, &str)]) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_afterword"));
        command
            .args(["serve", "--config", "afterword.yaml"])
            .envs(environment.iter().copied());
        self.launch_as(command);
    }

    fn launch_as(&mut self, mut command: Command) {
        assert!(self.afterword.is_none(), "it is running already");
        self.afterword = Some(Running(self.spawn(&mut command, "afterword")));
    }

    /// Waits until the process that was launched is ready.
    pub(crate) fn wait_until_ready(&mut self) {
        let mut process = self.afterword.take().unwrap();
        until("afterword is ready", PATIENCE, || {
            if let Some(status) = process.0.try_wait().unwrap() {
                panic!(
                    "afterword serve ended with {status}:\n{}",
                    self.log("afterword")
                );
            }
            self.http
                .try_get("/-/ready")
                .filter(|answer| answer.status == 200)
        });
        self.afterword = Some(process);
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        drop(self.afterword.take().unwrap());
    }

    /// Waits until the process ends by itself; its exit code.
    pub(crate) fn wait_until_ended(&mut self) -> Option<i32> {
        let mut process = self.afterword.take().unwrap();
        let status = until("afterword ends", PATIENCE, || process.0.try_wait().unwrap());
        status.code()
    }

    /// The process, for signals.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.afterword.as_ref().unwrap().0.id();
        send_signal(pid, name);
    }

    /// Whether the process is still there.
    pub(crate) fn is_alive(&mut self) -> bool {
        self.afterword
            .as_mut()
            .is_some_and(|process| process.0.try_wait().unwrap().is_none())
    }

    /// The process's id.
    pub(crate) fn pid(&self) -> u32 {
        self.afterword.as_ref().unwrap().0.id()
    }

    /// GET, which must be answered.
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.http
            .try_get(path)
            .unwrap_or_else(|| panic!("GET {path}: no answer"))
    }

    /// POST, which must be answered.
    pub(crate) fn post(&self, path: &str, body: &str) -> Answer {
        self.http
            .try_post(path, body, &[])
            .unwrap_or_else(|| panic!("POST {path}: no answer"))
    }

    /// Until all that was answered for so far is judged.
    pub(crate) fn until_judged(&self) {
        let gauge = |text: &str, name: &str| -> Option<u64> {
            text.lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
        };
        until("the judge to have read all", PATIENCE, || {
            let text = self.get("/metrics").body;
            (gauge(&text, "afterword_log_head")? == gauge(&text, "afterword_log_applied")?)
                .then_some(())
        });
    }

    /// Runs the binary until it ends by itself.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        self.run_program(env!("CARGO_BIN_EXE_afterword"), arguments)
    }

    /// Runs a program in the directory until it ends by itself.
    pub(crate) fn run_program(&self, program: &str, arguments: &[&str]) -> Ended {
        let out = self.path("ended.out");
        let to = File::create(&out).unwrap();
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(self.dir.path())
            .stdin(Stdio::null())
            .stdout(to.try_clone().unwrap())
            .stderr(to);
        let mut process = Running(start(&mut command));
        let status: ExitStatus = until(&format!("{program} {arguments:?} ends"), PATIENCE, || {
            process.0.try_wait().unwrap()
        });
        Ended {
            code: status.code(),
            said: read_to_string(out).unwrap(),
        }
    }

    /// Names of the files in a directory whose name ends so; a directory not there yet has none.
    pub(crate) fn files(&self, directory: &str, ending: &str) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.path(directory)) else {
            return Vec::new();
        };
        let names = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
        names.filter(|name| name.ends_with(ending)).collect()
    }

    /// The incidents that the API lists.
    pub(crate) fn incidents(&self) -> Vec<Value> {
        let listed = self.get("/api/v1/incidents");
        assert_eq!(listed.status, 200, "{}", listed.body);
        match listed.json() {
            Value::Array(all) => all,
            Value::Object(mut page) => page
                .remove("incidents")
                .and_then(|all| all.as_array().cloned())
                .unwrap(),
            other => panic!("no list of incidents: {other}"),
        }
    }

    /// One incident in full.
    pub(crate) fn incident(&self, id: &str) -> Value {
        let answer = self.get(&format!("/api/v1/incidents/{id}"));
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()
    }

    /// The names of all alerts that belong to any incident. Fails when an incident holds one event twice.
    pub(crate) fn alerts_kept(&self) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        for listed in self.incidents() {
            let incident = self.incident(listed["id"].as_str().unwrap());
            let mut ids = BTreeSet::new();
            for member in incident["members"].as_array().unwrap() {
                assert!(
                    ids.insert(member["event"]["id"].to_string()),
                    "an event is here twice: {member}"
                );
                if let Some(name) = member["event"]["fact"]["name"].as_str() {
                    names.insert(name.to_owned());
                }
            }
        }
        names
    }

    /// Prometheus, scraping `page` every second, its alert (after one second) going to Alertmanager's API at `alerts_to`.
    pub(crate) fn start_prometheus(&mut self, page: &Page, alerts_to: u16) {
        self.write(
            "alerts.yml",
            "groups:
  - name: checkout
    rules:
      - alert: CheckoutDown
        expr: checkout_up == 0
        for: 1s
        labels: {service: checkout, severity: critical}
        annotations: {summary: Checkout does not answer}
",
        );
        self.start_prometheus_with(&format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}
rule_files: [alerts.yml]
scrape_configs:
  - job_name: checkout
    static_configs: [{{targets: ['127.0.0.1:{}']}}]
alerting:
  alertmanagers:
    - api_version: v2
      static_configs: [{{targets: ['127.0.0.1:{alerts_to}']}}]
",
            page.port
        ));
    }

    /// Alertmanager, posting to our webhook at once and every five seconds; returns its port.
    pub(crate) fn start_alertmanager(&mut self) -> u16 {
        let port = free_port();
        self.write_alertmanager_settings("5s");
        self.start_alertmanager_on(port);
        port
    }

    /// Settings of an Alertmanager that posts to our webhook at once and again after `repeat`.
    pub(crate) fn write_alertmanager_settings(&self, repeat: &str) {
        self.write(
            "alertmanager.yml",
            &format!(
                "route: {{receiver: afterword, group_by: [alertname], group_wait: 0s, group_interval: 1s, repeat_interval: {repeat}}}
receivers:
  - name: afterword
    webhook_configs: [{{url: 'http://127.0.0.1:{}/ingest/alertmanager', send_resolved: true}}]
",
                self.port
            ),
        );
    }

    /// Alertmanager with its settings on this port, until it is ready; returns its process's id.
    pub(crate) fn start_alertmanager_on(&mut self, port: u16) -> u32 {
        let mut command = Command::new("prometheus-alertmanager");
        command.args([
            "--config.file=alertmanager.yml",
            "--storage.path=alertmanager",
            "--cluster.listen-address=",
        ]);
        command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
        let pid = self.start_beside(&mut command, "alertmanager");
        await_ready(port, "alertmanager");
        pid
    }

    /// Prometheus with these settings; returns its API.
    pub(crate) fn start_prometheus_with(&mut self, settings: &str) -> Http {
        let port = free_port();
        self.write("prometheus.yml", settings);
        let mut command = Command::new("prometheus");
        command.args([
            "--config.file=prometheus.yml",
            "--storage.tsdb.path=prometheus",
            "--rules.alert.resend-delay=2s",
        ]);
        command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
        self.start_other(&mut command, "prometheus", port)
    }

    /// A program that runs in the directory, its log in `{name}.log`, until the world ends; its process's id.
    pub(crate) fn start_beside(&mut self, command: &mut Command, name: &str) -> u32 {
        let process = self.spawn(command, name);
        let pid = process.id();
        self.others.push(Running(process));
        pid
    }

    fn start_other(&mut self, command: &mut Command, name: &str, port: u16) -> Http {
        self.start_beside(command, name);
        await_ready(port, name)
    }

    fn spawn(&self, command: &mut Command, name: &str) -> Child {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.path(&format!("{name}.log")))
            .unwrap();
        start(
            command
                .current_dir(self.dir.path())
                .stdin(Stdio::null())
                .stdout(log.try_clone().unwrap())
                .stderr(log),
        )
    }

    fn log(&self, name: &str) -> String {
        read_to_string(self.path(&format!("{name}.log"))).unwrap_or_default()
    }
}

/// The API of a program on this port, once it is ready.
fn await_ready(port: u16, name: &str) -> Http {
    let http = Http::new(port);
    until(&format!("{name} is ready"), PATIENCE, || {
        http.try_get("/-/ready")
            .filter(|answer| answer.status == 200)
    });
    http
}

impl Drop for World {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let mut text = String::new();
        for name in ["afterword", "prometheus", "alertmanager"] {
            let log = self.log(name);
            let lines: Vec<&str> = log.lines().collect();
            let last = &lines[lines.len().saturating_sub(40)..];
            if !last.is_empty() {
                writeln!(text, "--- end of {name}.log\n{}", last.join("\n")).unwrap();
            }
        }
        tell(&text);
    }
}

fn faketime_library() -> PathBuf {
    let mut libraries = std::fs::read_dir("/usr/lib")
        .unwrap()
        .map(|entry| entry.unwrap().path().join("faketime/libfaketime.so.1"));
    libraries
        .find(|path| path.is_file())
        .expect("apt-get install faketime, or run tests/run.sh")
}

/// Starts a program of [`World`]; one that is not installed is a failure that says what to do.
fn start(command: &mut Command) -> Child {
    command.spawn().unwrap_or_else(|error| {
        let program = command.get_program().to_string_lossy();
        panic!("{program} does not start ({error}); tests/run.sh installs what the tests need");
    })
}

/// A page with one metric, `checkout_up`, that a test switches between 1 and 0.
pub(crate) struct Page {
    pub(crate) port: u16,
    up: Arc<AtomicBool>,
}

impl Page {
    /// Serves it until the tests end; up at first.
    pub(crate) fn serve() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let up = Arc::new(AtomicBool::new(true));
        let shown = Arc::clone(&up);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                // A scraper that hangs up early is its own affair: the next scrape comes in a second.
                let Ok(mut stream) = stream else { continue };
                let _ = stream.set_read_timeout(Some(Duration::from_secs(1)));
                let _ = stream.read(&mut [0; 4096]);
                let body = format!(
                    "# TYPE checkout_up gauge\ncheckout_up {}\n",
                    u8::from(shown.load(Ordering::Relaxed))
                );
                let head = format!(
                    "HTTP/1.1 200 OK\r\ncontent-type: text/plain; version=0.0.4\r\ncontent-length: {}",
                    body.len()
                );
                let _ = write!(stream, "{head}\r\nconnection: close\r\n\r\n{body}");
            }
        });
        Self { port, up }
    }

    /// Switches the metric.
    pub(crate) fn set_up(&self, up: bool) {
        self.up.store(up, Ordering::Relaxed);
    }
}

/// A body of Alertmanager's webhook with these alerts, each from [`alert`].
pub(crate) fn webhook(alerts: &[Value]) -> String {
    serde_json::json!({
        "version": "4", "groupKey": "{}:{}", "truncatedAlerts": 0, "status": "firing", "receiver": "afterword",
        "groupLabels": {}, "commonLabels": {}, "commonAnnotations": {}, "externalURL": "http://alertmanager.example", "alerts": alerts,
    })
    .to_string()
}

/// A firing warning of this name and service that began at `starts_at`.
pub(crate) fn alert(name: &str, service: &str, starts_at: &str) -> Value {
    serde_json::json!({
        "status": "firing", "labels": {"alertname": name, "service": service, "severity": "warning"}, "annotations": {"summary": name},
        "startsAt": starts_at, "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "http://prometheus.example/graph", "fingerprint": "00000000",
    })
}

/// `kill -NAME PID`
pub(crate) fn send_signal(pid: u32, name: &str) {
    Command::new("kill")
        .args([&format!("-{name}"), &pid.to_string()])
        .status()
        .unwrap();
}

/// The root of the repository.
pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
