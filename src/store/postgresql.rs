//! PostgreSQL: a bounded pool of connections to one database shared by replicas, and one connection
//! that listens for notifications.

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, anyhow};
use postgres::config::SslMode;
use postgres::fallible_iterator::FallibleIterator;
use postgres::{Client, Config, IsolationLevel, NoTls};

use super::error::{StoreError, postgres_fault};
use super::sql::{Session, SqlConnection};
use crate::store::mutex::lock;

/// Maximum number of connections; further callers wait.
const CONNECTIONS: usize = 12;
/// Timeout for connecting.
const TO_CONNECT: Duration = Duration::from_secs(5);
/// Time that sent data may stay unacknowledged before the connection counts as dead.
const TCP_USER_TIMEOUT: Duration = Duration::from_secs(10);
/// Timeouts of each connection, in milliseconds. A process suspended inside a transaction must not
/// hold a lock that others wait for, and no process waits for a lock for ever.
const LIMITS: &str = "-c idle_in_transaction_session_timeout=4000 -c lock_timeout=10000 -c statement_timeout=60000 \
                      -c synchronous_commit=on -c client_min_messages=warning";
/// Channel for notifications of appended and applied records.
const CHANNEL: &str = "afterword";

/// Address of a PostgreSQL database.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresAddress {
    /// `postgres://user@host:port/database`, without a password.
    pub url: String,
    /// The password, where one is required.
    pub password: Option<Vec<u8>>,
}

impl std::fmt::Debug for PostgresAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PostgresAddress(…)")
    }
}

/// A connection with its prepared statements.
struct Connection {
    client: Client,
    statements: HashMap<String, postgres::Statement>,
}

impl PostgresAddress {
    /// Checks the address without connecting.
    ///
    /// # Errors
    /// When it cannot be read, or asks for what is not supported.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        self.parsed().map(drop)
    }

    fn parsed(&self) -> Result<Config, StoreError> {
        let config: Config = self
            .url
            .parse()
            .context("the address under `storage:` cannot be read")?;
        if config.get_ssl_mode() == SslMode::Require {
            return Err(anyhow!(
                "`sslmode=require` is not supported: reach the database over a local socket, a private network or a tunnel"
            )
            .into());
        }
        Ok(config)
    }
}

#[derive(Default)]
struct Pool {
    idle: Vec<Connection>,
    open: usize,
}

/// The pool.
pub(crate) struct Postgres {
    config: Config,
    name: String,
    pool: Mutex<Pool>,
    freed: Condvar,
    listener: Mutex<Option<Client>>,
}

impl std::fmt::Debug for Postgres {
    // The configuration holds the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Postgres({})", self.name)
    }
}

impl Postgres {
    /// Prepares the pool without connecting.
    pub(crate) fn new(address: &PostgresAddress) -> Result<Self, StoreError> {
        let mut config = address.parsed()?;
        if let Some(password) = &address.password {
            config.password(password);
        }
        let hosts: Vec<String> = config
            .get_hosts()
            .iter()
            .map(|host| format!("{host:?}"))
            .collect();
        let name = format!(
            "{} on {}",
            config.get_dbname().unwrap_or("(no name)"),
            hosts.join(", ")
        );
        config
            .connect_timeout(TO_CONNECT)
            .keepalives_idle(TCP_USER_TIMEOUT)
            .keepalives_interval(Duration::from_secs(2))
            .keepalives_retries(3)
            .tcp_user_timeout(TCP_USER_TIMEOUT)
            .application_name("afterword");
        let options = config
            .get_options()
            .map_or_else(|| LIMITS.to_owned(), |given| format!("{LIMITS} {given}"));
        config.options(&options).ssl_mode(SslMode::Disable);
        Ok(Self {
            config,
            name,
            pool: Mutex::default(),
            freed: Condvar::new(),
            listener: Mutex::default(),
        })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn write<T>(
        &self,
        noun: &str,
        work: impl FnOnce(&SqlConnection<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.transact(noun, false, work)
    }

    pub(crate) fn read<T>(
        &self,
        noun: &str,
        work: impl FnOnce(&SqlConnection<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.transact(noun, true, work)
    }

    fn transact<T>(
        &self,
        noun: &str,
        reads: bool,
        work: impl FnOnce(&SqlConnection<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        off_the_runtime(|| self.transact_here(noun, reads, work))
    }

    fn transact_here<T>(
        &self,
        noun: &str,
        reads: bool,
        work: impl FnOnce(&SqlConnection<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut lent = self.lend(noun)?;
        // A pooled connection may have died with the server; a new one shows if the server is back.
        // Nothing was executed on the old one.
        if lent.get()?.client.is_valid(TO_CONNECT).is_err() {
            lent.connection = None;
            lock(&self.pool).idle.clear();
            lent.connection = Some(self.connect(noun)?);
        }
        let Connection { client, statements } = lent.get()?;
        let begin = client.build_transaction();
        // A reader sees one snapshot. A writer waits for the head row and must then see what its
        // last holder committed.
        let begin = if reads {
            begin
                .read_only(true)
                .isolation_level(IsolationLevel::RepeatableRead)
        } else {
            begin
        };
        let transaction = begin
            .start()
            .map_err(|error| postgres_fault(noun, &error))?;
        let at = SqlConnection::Postgres(std::cell::RefCell::new(Session {
            transaction,
            statements,
        }));
        let result = work(&at)?;
        if let SqlConnection::Postgres(session) = at {
            session
                .into_inner()
                .transaction
                .commit()
                .map_err(|error| postgres_fault(noun, &error))?;
        }
        Ok(result)
    }

    fn connect(&self, noun: &str) -> Result<Connection, StoreError> {
        let client = self
            .config
            .connect(NoTls)
            .map_err(|error| postgres_fault(&format!("{noun}: {}", self.name), &error))?;
        Ok(Connection {
            client,
            statements: HashMap::new(),
        })
    }

    fn lend(&self, noun: &str) -> Result<Lent<'_>, StoreError> {
        let mut pool = lock(&self.pool);
        loop {
            if let Some(connection) = pool.idle.pop() {
                return Ok(Lent {
                    of: self,
                    connection: Some(connection),
                });
            }
            if pool.open < CONNECTIONS {
                pool.open += 1;
                drop(pool);
                let mut lent = Lent {
                    of: self,
                    connection: None,
                };
                lent.connection = Some(self.connect(noun)?);
                return Ok(lent);
            }
            pool = self
                .freed
                .wait(pool)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits until any process appends or applies something, at most `patience`.
    pub(crate) fn wait(&self, patience: Duration) -> Result<(), StoreError> {
        let mut listener = lock(&self.listener);
        if listener.is_none() {
            let mut client = self.connect("listen")?.client;
            client
                .batch_execute(&format!("listen {CHANNEL}"))
                .map_err(|error| postgres_fault("listen", &error))?;
            *listener = Some(client);
            // Earlier changes may have gone unnoticed, so the caller checks at once.
            return Ok(());
        }
        let Some(client) = listener.as_mut() else {
            return Ok(());
        };
        let heard = client.notifications().timeout_iter(patience).next();
        let gone = client.is_closed();
        // One check covers all pending notifications.
        let rest = heard.and_then(|_| client.notifications().iter().count());
        if gone || rest.is_err() {
            *listener = None;
        }
        rest.map(drop)
            .map_err(|error| postgres_fault("listen", &error))
    }
}

/// Runs `work` outside the async runtime: each client runs a small runtime of its own, which a
/// thread that runs async tasks must not enter.
fn off_the_runtime<T>(work: impl FnOnce() -> T) -> T {
    if tokio::runtime::Handle::try_current().is_ok() {
        tokio::task::block_in_place(work)
    } else {
        work()
    }
}

/// Notifies all waiting processes when the transaction commits.
pub(crate) fn notify(at: &SqlConnection<'_>) -> Result<(), StoreError> {
    match at {
        SqlConnection::Sqlite(_) => Ok(()),
        SqlConnection::Postgres(_) => {
            super::sql::execute(at, "notify", "select pg_notify('afterword', '')", &[]).map(drop)
        }
    }
}

/// A connection on loan from the pool; dropping it returns the connection or frees its slot.
struct Lent<'a> {
    of: &'a Postgres,
    connection: Option<Connection>,
}

impl Lent<'_> {
    fn get(&mut self) -> Result<&mut Connection, StoreError> {
        self.connection
            .as_mut()
            .ok_or_else(|| StoreError::Away("no connection".to_owned()))
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let mut pool = lock(&self.of.pool);
        match self
            .connection
            .take()
            .filter(|connection| !connection.client.is_closed())
        {
            Some(connection) => pool.idle.push(connection),
            None => pool.open -= 1,
        }
        self.of.freed.notify_one();
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let idle = std::mem::take(&mut lock(&self.pool).idle);
        let listener = lock(&self.listener).take();
        // Each client owns a small runtime, which must not be dropped on a thread of another
        // runtime.
        let _ = std::thread::spawn(move || drop((idle, listener))).join();
    }
}
