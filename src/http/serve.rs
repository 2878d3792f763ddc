//! Connection handling: limits on number and idle time, and graceful shutdown.
//!
//! Idle connections are closed after a time-out. At the connection limit, the longest idle one is
//! closed to make room for the next. At the end every request that was sent whole is answered.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::http::{HeaderValue, header};
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
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
/// Time after the stop for which idle connections stay open, so that a request which is on its way is
/// answered.
const LINGER: Duration = Duration::from_millis(500);
/// Time after the stop for which requests may still arrive in part.
const HALF_SENT: Duration = Duration::from_secs(2);
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
    stage: Stage,
    close: CancellationToken,
}

/// The progress of the request on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// There is none, or only a part of its headers.
    Idle,
    /// From its headers on.
    Receiving,
    /// From the end of its body until its response.
    Whole,
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
                .filter(|(_, other)| !other.is_busy() || other.since.elapsed() > SLOW);
            let (&oldest, _) = goes.min_by_key(|(_, other)| (other.is_busy(), other.since))?;
            held.remove(&oldest)?.close.cancel();
        }
        let close = CancellationToken::new();
        held.insert(
            id,
            Connection {
                since: Instant::now(),
                stage: Stage::Idle,
                close: close.clone(),
            },
        );
        Some(close)
    }

    fn mark(&self, id: u64, stage: Stage) {
        if let Some(connection) = self.lock().get_mut(&id) {
            if stage != Stage::Whole {
                connection.since = Instant::now();
            }
            connection.stage = stage;
        }
    }

    /// True if the connection has a request that was sent whole and is not answered.
    fn is_whole(&self, id: u64) -> bool {
        self.lock()
            .get(&id)
            .is_some_and(|connection| connection.stage == Stage::Whole)
    }
}

impl Connection {
    fn is_busy(&self) -> bool {
        self.stage != Stage::Idle
    }
}

/// Serves the current router on `listener` until `stop` is cancelled, then ends in order: requests
/// that were sent whole are answered, half-sent ones end within [`HALF_SENT`].
pub(crate) async fn serve(
    router: watch::Receiver<Router>,
    listener: TcpListener,
    stop: CancellationToken,
) {
    let held = Arc::new(Held::default());
    let open = TaskTracker::new();
    let mut id = 0;
    let mut admit = |stream, peer| {
        id += 1;
        // Dropping the stream closes it: all connections are busy, and the sender retries.
        let Some(close) = held.enter(id) else {
            return;
        };
        let held = Arc::clone(&held);
        let (router, stop) = (router.clone(), stop.clone());
        open.spawn(async move {
            let connection = connection(router, stream, peer, Arc::clone(&held), id, stop);
            close.run_until_cancelled(connection).await;
            held.lock().remove(&id);
        });
    };
    while let Some((stream, peer)) = stop.run_until_cancelled(accept(&listener)).await {
        admit(stream, peer);
    }
    // Clients whose connection the system has already taken may have sent their request.
    if let Ok(listener) = listener.into_std() {
        while let Ok((stream, peer)) = listener.accept() {
            let stream = stream.set_nonblocking(true).map(|()| stream);
            if let Ok(stream) = stream.and_then(TcpStream::from_std) {
                admit(stream, peer);
            }
        }
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
    router: watch::Receiver<Router>,
    stream: TcpStream,
    peer: SocketAddr,
    held: Arc<Held>,
    id: u64,
    stop: CancellationToken,
) {
    // Responses are small and written at once.
    let _ = stream.set_nodelay(true);
    let (requests, stopping) = (Arc::clone(&held), stop.clone());
    let service = service_fn(move |request: Request<Incoming>| {
        requests.mark(id, Stage::Receiving);
        let mut request = request.map(|body| Body::new(Counted::new(body, &requests, id)));
        request.extensions_mut().insert(ConnectInfo(peer));
        let answer = router.borrow().clone().call(request);
        let (held, stopping) = (Arc::clone(&requests), stopping.clone());
        async move {
            let mut answer = answer.await;
            held.mark(id, Stage::Idle);
            if stopping.is_cancelled()
                && let Ok(answer) = &mut answer
            {
                let close = HeaderValue::from_static("close");
                answer.headers_mut().insert(header::CONNECTION, close);
            }
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
    // Errors of the connection are the client's, which has noticed or is gone.
    tokio::select! {
        _ = served.as_mut() => return,
        () = stop.cancelled() => {}
    }
    let stopped = Instant::now();
    tokio::select! {
        _ = served.as_mut() => return,
        () = tokio::time::sleep_until(stopped + LINGER) => served.as_mut().graceful_shutdown(),
    }
    tokio::select! {
        _ = served.as_mut() => return,
        () = tokio::time::sleep_until(stopped + HALF_SENT) => {}
    }
    if held.is_whole(id) {
        let _ = served.await;
    }
}

/// The body of a request, which takes note of its end.
struct Counted {
    body: Incoming,
    held: Arc<Held>,
    id: u64,
}

impl Counted {
    fn new(body: Incoming, held: &Arc<Held>, id: u64) -> Self {
        let counted = Self {
            body,
            held: Arc::clone(held),
            id,
        };
        counted.note_end();
        counted
    }

    fn note_end(&self) {
        if self.body.is_end_stream() {
            self.held.mark(self.id, Stage::Whole);
        }
    }
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        match &frame {
            Poll::Ready(None) => self.held.mark(self.id, Stage::Whole),
            Poll::Ready(Some(Ok(_))) => self.note_end(),
            _ => {}
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
