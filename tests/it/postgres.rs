//! PostgreSQL server for one test, behind a connection that can be cut.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tempfile::TempDir;

use super::harness::{PATIENCE, free_port, pause, repository, send_signal, until};

/// A server with one empty database.
pub(crate) struct Postgres {
    pub(crate) port: u16,
    script: Option<Child>,
    dir: TempDir,
}

impl Postgres {
    /// Starts it.
    pub(crate) fn start() -> Self {
        let dir = tempfile::Builder::new()
            .prefix("afterword-postgres")
            .tempdir_in("/tmp")
            .unwrap();
        let mut server = Self {
            port: free_port(),
            script: None,
            dir,
        };
        server.go_on();
        server.query("postgres", "create database afterword");
        server
    }

    /// Its address by way of `port`, as settings have it.
    pub(crate) fn url(port: u16) -> String {
        format!("postgres://postgres@127.0.0.1:{port}/afterword")
    }

    /// Starts it again on the same data.
    pub(crate) fn go_on(&mut self) {
        until("PostgreSQL serves", PATIENCE, || {
            let ended = self
                .script
                .as_mut()
                .is_none_or(|script| script.try_wait().unwrap().is_some());
            if ended {
                let mut command = Command::new(repository().join("tests/postgres.sh"));
                command
                    .arg(self.dir.path())
                    .arg(self.port.to_string())
                    .stdin(Stdio::piped());
                self.script = Some(command.spawn().unwrap());
            }
            self.try_query("postgres", "select 1").then_some(())
        });
    }

    /// `kill -9` of the server.
    pub(crate) fn kill(&mut self) {
        let file: PathBuf = self.dir.path().join("data/postmaster.pid");
        let pid = std::fs::read_to_string(file)
            .unwrap()
            .lines()
            .next()
            .unwrap()
            .parse()
            .unwrap();
        send_signal(pid, "KILL");
        if let Some(mut script) = self.script.take() {
            script.wait().unwrap();
        }
    }

    /// Runs a statement that must succeed.
    pub(crate) fn query(&self, database: &str, text: &str) {
        assert!(self.try_query(database, text), "{text}");
    }

    fn try_query(&self, database: &str, text: &str) -> bool {
        let url = format!("postgres://postgres@127.0.0.1:{}/{database}", self.port);
        let done = Command::new("psql")
            .args([&url, "-qc", text])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        done.expect("psql is installed").success()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Some(mut script) = self.script.take() {
            drop(script.stdin.take());
            let _ = script.wait();
        }
    }
}

/// A way to a server that can be cut without either side being told, as a switch that fails does.
pub(crate) struct Way {
    pub(crate) port: u16,
    cut: Arc<AtomicBool>,
}

impl Way {
    /// Opens a way to `target`.
    pub(crate) fn to(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let way = Self {
            port: listener.local_addr().unwrap().port(),
            cut: Arc::new(AtomicBool::new(false)),
        };
        let cut = Arc::clone(&way.cut);
        std::thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let Ok(far) = TcpStream::connect(("127.0.0.1", target)) else {
                    continue;
                };
                for (from, to) in [(near.try_clone(), far.try_clone()), (Ok(far), Ok(near))] {
                    let (from, to, cut) = (from.unwrap(), to.unwrap(), Arc::clone(&cut));
                    std::thread::spawn(move || carry(from, to, &cut));
                }
            }
        });
        way
    }

    /// Cuts it or mends it.
    pub(crate) fn set_cut(&self, cut: bool) {
        self.cut.store(cut, Ordering::Relaxed);
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, cut: &AtomicBool) {
    let mut bytes = vec![0; 1 << 16];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        while cut.load(Ordering::Relaxed) {
            pause(Duration::from_millis(20));
        }
        if to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Both);
}
