//! Connection handling: limits on number and idle time, and graceful shutdown.
//!
//! Idle connections are closed after a time-out. At the connection limit, the longest idle one is
//! closed to make room for the next.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_service::Service;

/// Maximum number of connections, well under the usual limit of 1024 open files.
const CONNECTIONS: usize = 768;
/// Time limit for the headers of a request, from connecting or from the previous response.
/// Longer than a minute, the interval at which Prometheus resends.
const QUIET: Duration = Duration::from_secs(75);
/// Age from which a connection with an incomplete request may be closed to make room.
const SLOW: Duration = Duration::from_secs(5);
/// Maximum bytes of request headers, and read size for bodies.
const BUFFER: usize = 64 * 1024;
/// Maximum number of headers of a request.
const HEADERS: usize = 100;

/// Open connections by id.
#[derive(Debug, Default)]
struct Held(Mutex<HashMap<u64, Connection>>);

#[derive(Debug)]
struct Connection {
    /// Time of the last change between idle and busy.
    since: Instant,
    /// True from the headers of a request until its response.
    busy: bool,
    close: CancellationToken,
}

impl Held {
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Connection>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Admits a connection. At the limit it closes the longest idle one, or one whose request is
    /// slow;
    /// `None` when all are busy.
    fn enter(&self, id: u64) -> Option<CancellationToken> {
        let mut held = self.lock();
        if held.len() >= CONNECTIONS {
            let goes = held
                .iter()
                .filter(|(_, other)| !other.busy || other.since.elapsed() > SLOW);
            let (&oldest, _) = goes.min_by_key(|(_, other)| (other.busy, other.since))?;
            held.remove(&oldest)?.close.cancel();
        }
        let close = CancellationToken::new();
        held.insert(
            id,
            Connection {
                since: Instant::now(),
                busy: false,
                close: close.clone(),
            },
        );
        Some(close)
    }

    fn mark(&self, id: u64, busy: bool) {
        if let Some(connection) = self.lock().get_mut(&id) {
            (connection.busy, connection.since) = (busy, Instant::now());
        }
    }
}

/// Serves `router` on `listener` until `stop` is cancelled, then lets open requests finish.
pub(crate) async fn serve(router: Router, listener: TcpListener, stop: CancellationToken) {
    let held = Arc::new(Held::default());
    let open = TaskTracker::new();
    let mut id = 0;
    while let Some((stream, peer)) = stop.run_until_cancelled(accept(&listener)).await {
        id += 1;
        // Dropping the stream closes it: all connections are busy, and the sender retries.
        let Some(close) = held.enter(id) else {
            continue;
        };
        let connection = connection(
            router.clone(),
            stream,
            peer,
            Arc::clone(&held),
            id,
            stop.clone(),
        );
        let held = Arc::clone(&held);
        open.spawn(async move {
            close.run_until_cancelled(connection).await;
            held.lock().remove(&id);
        });
    }
    open.close();
    open.wait().await;
}

/// Accepts the next connection. Errors concern one connection, or pass when others end.
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(fault) if fault.kind() == std::io::ErrorKind::ConnectionAborted => {}
            Err(fault) => {
                tracing::error!("a connection could not be accepted: {fault}");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
}

async fn connection(
    router: Router,
    stream: TcpStream,
    peer: SocketAddr,
    held: Arc<Held>,
    id: u64,
    stop: CancellationToken,
) {
    // Responses are small and written at once.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: Request<Incoming>| {
        held.mark(id, true);
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        let answer = router.clone().call(request);
        let held = Arc::clone(&held);
        async move {
            let answer = answer.await;
            held.mark(id, false);
            answer
        }
    });
    let mut served = std::pin::pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(QUIET)
            .max_buf_size(BUFFER)
            .max_headers(HEADERS)
            .serve_connection(TokioIo::new(stream), service)
    );
    // Errors here are the client's, which has noticed or is gone.
    tokio::select! {
        _ = served.as_mut() => {}
        () = stop.cancelled() => {
            served.as_mut().graceful_shutdown();
            let _ = served.await;
        }
    }
}
