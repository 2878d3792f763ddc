//! Shared parts of the service benchmarks: a server process, its resource usage, and the clock.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

/// Clock ticks of `/proc` in a second: 100 on every Linux.
const TICKS: f64 = 100.0;

/// Processor time, in seconds.
#[derive(Clone, Copy)]
pub(crate) struct Used {
    pub(crate) all: f64,
    /// Of it that of the threads called `judge`.
    pub(crate) judge: f64,
}

/// A server under load; ends with it.
pub(crate) struct Server {
    process: Child,
    pub(crate) port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Server {
    pub(crate) fn used(&self) -> Used {
        let root = format!("/proc/{}", self.process.id());
        let all = seconds(&read(&format!("{root}/stat")));
        let threads = fs::read_dir(format!("{root}/task")).expect("the threads of the server");
        let paths = threads.flatten().map(|thread| thread.path());
        let judges = paths.filter(|path| {
            fs::read_to_string(path.join("comm")).is_ok_and(|name| name.trim() == "judge")
        });
        let judge = judges
            .filter_map(|path| fs::read_to_string(path.join("stat")).ok())
            .map(|stat| seconds(&stat))
            .sum();
        Used { all, judge }
    }

    /// Resident memory in bytes: now, and at the most so far.
    pub(crate) fn memory(&self) -> (u64, u64) {
        (self.status("VmRSS:"), self.status("VmHWM:"))
    }

    fn status(&self, name: &str) -> u64 {
        let status = read(&format!("/proc/{}/status", self.process.id()));
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .expect("a line of that name");
        line.trim()
            .trim_end_matches(" kB")
            .parse::<u64>()
            .expect("kilobytes")
            * 1024
    }
}

/// User and system time of a `stat` file.
pub(crate) fn seconds(stat: &str) -> f64 {
    let after_name = stat.rsplit(") ").next().expect("fields after the name");
    after_name
        .split(' ')
        .skip(11)
        .take(2)
        .map(|ticks| ticks.parse::<f64>().expect("ticks"))
        .sum::<f64>()
        / TICKS
}

pub(crate) fn afterword(directory: &Path, port: u16) -> Server {
    let settings = format!(
        "listen: 127.0.0.1:{port}\nstorage: sqlite://{}/afterword.db\n",
        directory.display()
    );
    fs::write(directory.join("afterword.yaml"), settings).expect("settings");
    let mut command = Command::new(env!("CARGO_BIN_EXE_afterword"));
    start(
        command.args(["serve", "--config", "afterword.yaml"]),
        directory,
        "afterword",
        port,
    )
}

pub(crate) fn start(command: &mut Command, directory: &Path, name: &str, port: u16) -> Server {
    let log = File::create(directory.join(format!("{name}.log"))).expect("a log");
    let command = command
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a log"))
        .stderr(log);
    let process = command.spawn().unwrap_or_else(|fault| {
        panic!("{name} does not start ({fault}); tests/run.sh installs what is needed")
    });
    let server = Server { process, port };
    for _ in 0..600 {
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return server;
        }
        pause(Duration::from_millis(50));
    }
    panic!(
        "{name} does not answer: {}",
        read(&directory.join(format!("{name}.log")).display().to_string())
    );
}

pub(crate) fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("the server is there");
    stream.set_nodelay(true).expect("an option of the socket");
    stream
}

/// One request and its answer, which must be 200 and has a short body or none.
pub(crate) fn send(stream: &mut TcpStream, request: &str) {
    stream
        .write_all(request.as_bytes())
        .expect("the server reads");
    let mut answer = [0; 4096];
    let mut length = 0;
    loop {
        let read = stream
            .read(&mut answer[length..])
            .expect("the server answers");
        assert!(read > 0, "the server closed the connection");
        length += read;
        let text = String::from_utf8_lossy(&answer[..length]);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            assert!(head.starts_with("HTTP/1.1 200"), "{text}");
            let told = head.lines().find_map(|line| {
                line.to_ascii_lowercase()
                    .strip_prefix("content-length:")?
                    .trim()
                    .parse()
                    .ok()
            });
            if body.len() >= told.unwrap_or(0) {
                return;
            }
        }
    }
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a free port")
        .port()
}

pub(crate) fn load() -> String {
    read("/proc/loadavg").trim().to_owned()
}

pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_else(|fault| panic!("{path}: {fault}"))
}

pub(crate) fn pause(length: Duration) {
    std::thread::sleep(length);
}

#[expect(
    clippy::disallowed_methods,
    reason = "a benchmark measures by the clock"
)]
pub(crate) fn instant() -> Instant {
    Instant::now()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the servers judge by the wall clock, so what they are told must be recent"
)]
pub(crate) fn now() -> DateTime<Utc> {
    Utc::now()
}

#[expect(clippy::print_stdout, reason = "a benchmark tells its figures")]
pub(crate) fn tell(line: &str) {
    println!("{line}");
}
