//! Both databases for tests: a file, and a PostgreSQL server that lives as long as the test
//! program.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tempfile::TempDir;

use crate::model::time::Time;
use crate::store::database::{DatabaseLocation, Store};
use crate::store::postgresql::PostgresAddress;

/// Location of a test's store.
pub(crate) struct TestDatabase {
    pub(crate) place: DatabaseLocation,
    _dir: Option<TempDir>,
}

/// A new store of each kind, so that one test runs on both.
pub(crate) fn stores() -> Vec<(TestDatabase, Store)> {
    let dir = tempfile::tempdir().unwrap();
    let file = DatabaseLocation::Sqlite(dir.path().join("data/afterword.db"));
    let homes = [
        TestDatabase {
            place: file,
            _dir: Some(dir),
        },
        TestDatabase {
            place: database(),
            _dir: None,
        },
    ];
    let open = |home: TestDatabase| {
        let store =
            Store::open_at(&home.place, Time::from_timestamp(1_800_000_000, 0).unwrap()).unwrap();
        (home, store)
    };
    homes.into_iter().map(open).collect()
}

/// A database of its own on the shared server.
fn database() -> DatabaseLocation {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("t{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let port = server().port;
    let mut client = connect(port).unwrap();
    client
        .batch_execute(&format!("create database {name} template template0"))
        .unwrap();
    DatabaseLocation::Postgres(PostgresAddress {
        url: format!("postgres://postgres@127.0.0.1:{port}/{name}"),
        password: None,
    })
}

struct Server {
    port: u16,
    /// Dropping it closes the standard input of the server's script, which ends the server.
    _process: Child,
    _dir: TempDir,
}

fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let dir = tempfile::Builder::new()
            .prefix("afterword-postgres")
            .tempdir_in("/tmp")
            .unwrap();
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/postgres.sh");
        #[expect(
            clippy::zombie_processes,
            reason = "it lives as long as this program, and ends with its standard input"
        )]
        let process = Command::new(script)
            .arg(dir.path())
            .arg(port.to_string())
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        for _ in 0..600 {
            if connect(port).is_ok() {
                return Server {
                    port,
                    _process: process,
                    _dir: dir,
                };
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!(
            "PostgreSQL does not start; apt-get install postgresql, and see {}",
            dir.path().display()
        );
    })
}

fn connect(port: u16) -> Result<postgres::Client, postgres::Error> {
    postgres::Client::connect(
        &format!("postgres://postgres@127.0.0.1:{port}/postgres"),
        postgres::NoTls,
    )
}
