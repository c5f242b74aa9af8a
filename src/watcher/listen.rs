//! The watcher's HTTP server: takes beats, shows the status.
//!
//! HTTP/1.1 on listeners that the caller has bound, with TLS where it has a certificate; beats and answers are sealed, so
//! that a proxy in front that adds TLS is not trusted with more than their delivery. Never decides whether a beat counts: what has a good seal goes to
//! the driver, which answers, and nothing else does.

mod crowd;
mod door;
mod route;

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tracing::{debug, warn};

use crate::heartbeat::seal::{SigningKey, VerifyingKey};
use crate::heartbeat::window::Replayed;
use crate::heartbeat::{Answer, Beat, NodeName};
use crate::watcher::Asked;
use crowd::Crowd;
pub use door::Door;

/// A beat whose seal is good, on its way to the driver.
#[derive(Debug)]
pub struct Accepted {
    /// What the node says.
    pub beat: Beat,
    /// Where the driver's answer goes: what to tell the node, or that the window refused it.
    pub reply: oneshot::Sender<Result<Answer, Replayed>>,
}

/// Makes a page or a JSON text from what is known now. Must be quick: it runs on the connection's task.
pub type Show = Box<dyn Fn() -> String + Send + Sync>;

/// What the server shows.
pub struct Shows {
    /// The status page, HTML. It must escape what it shows.
    pub page: Show,
    /// The status, JSON.
    pub status: Show,
    /// The last weeks, JSON.
    pub history: Show,
    /// The numbers, for Prometheus.
    pub metrics: Show,
    /// Whether the deciding loop runs.
    pub alive: Box<dyn Fn() -> bool + Send + Sync>,
}

/// Nothing is shown, and all is well: for whoever wants beats alone.
impl Default for Shows {
    fn default() -> Self {
        let nothing = || Box::new(String::new) as Show;
        let (page, status, history, metrics) = (nothing(), nothing(), nothing(), nothing());
        Self { page, status, history, metrics, alive: Box::new(|| true) }
    }
}

/// What the server needs from the rest of the watcher.
pub struct Handler {
    /// Seals the answers.
    pub key: Arc<SigningKey>,
    /// The nodes that may beat here.
    pub peers: BTreeMap<NodeName, VerifyingKey>,
    /// To the driver.
    pub beats: mpsc::Sender<Accepted>,
    /// What it shows.
    pub shows: Shows,
    /// Who may look and act.
    pub door: Door,
    /// To the driver: words of people who may act.
    pub words: mpsc::Sender<Asked>,
}

impl fmt::Debug for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handler").field("key", &self.key).field("peers", &self.peers).finish_non_exhaustive()
    }
}

/// How much a client may ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// For the head of a request, and for the pause between two requests.
    pub header: Duration,
    /// For the body of a beat.
    pub body: Duration,
    /// For the driver to answer a beat.
    pub answer: Duration,
    /// For a connection, from the first byte to the last: a client that does not read is cut off.
    pub connection: Duration,
    /// For answers that are under way when the server stops.
    pub drain: Duration,
    /// Connections in all.
    pub connections: usize,
    /// Connections of one IPv4 address, or one IPv6 network of 64 bits. A proxy in front is one address: behind one,
    /// give it the limit in all, and let it limit its clients.
    pub per_address: usize,
}

impl Default for Limits {
    fn default() -> Self {
        let s = Duration::from_secs;
        Self {
            header: s(5),
            body: s(5),
            answer: s(2),
            connection: s(30),
            drain: s(3),
            connections: 256,
            per_address: 24,
        }
    }
}

/// The largest head of a request, in bytes. A browser behind a proxy stays well below.
const MAX_HEAD: usize = 16 * 1024;

/// The pause after an accept that failed: without it, a process out of descriptors would spin.
const AFTER_ACCEPT_ERROR: Duration = Duration::from_millis(100);

/// Serves on `listeners` until `shutdown` completes; then takes no more connections and lets answers that are under
/// way finish within [`Limits::drain`].
pub async fn run(
    listeners: Vec<TcpListener>,
    handler: Handler,
    limits: Limits,
    tls: Option<Arc<ServerConfig>>,
    shutdown: impl Future<Output = ()>,
) {
    let (crowd, tls) = (Crowd::of(&limits), tls.map(TlsAcceptor::from));
    let server = Server { handler: Arc::new(handler), crowd, limits: Arc::new(limits), tls };
    let (open, closing) = watch::channel(());
    let mut connections = JoinSet::new();
    tokio::select! {
        () = server.accept(&listeners, &closing, &mut connections) => {}
        () = shutdown => {}
    }
    drop((listeners, open));
    let ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(server.limits.drain, ended).await.is_err() {
        debug!(connections = connections.len(), "cutting off connections that did not end in time");
    }
    connections.shutdown().await;
}

struct Server {
    handler: Arc<Handler>,
    limits: Arc<Limits>,
    crowd: Crowd,
    /// None: connections are plain.
    tls: Option<TlsAcceptor>,
}

impl Server {
    /// Accepts for ever. An accept that fails is the business of one client, or passes.
    async fn accept(
        &self,
        listeners: &[TcpListener],
        closing: &watch::Receiver<()>,
        connections: &mut JoinSet<()>,
    ) {
        let mut turn = 0;
        loop {
            turn = (turn + 1) % listeners.len().max(1);
            match next(listeners, turn).await {
                Ok((stream, from)) => self.admit(stream, from, closing, connections),
                Err(error) => {
                    warn!(%error, "a connection to the watcher could not be accepted; going on");
                    tokio::time::sleep(AFTER_ACCEPT_ERROR).await;
                }
            }
            while let Some(ended) = connections.try_join_next() {
                ended.unwrap_or_else(|error| warn!(%error, "a connection to the watcher ended in a panic"));
            }
        }
    }

    /// Serves a connection when there is room for it, else closes it.
    fn admit(
        &self,
        stream: TcpStream,
        from: SocketAddr,
        closing: &watch::Receiver<()>,
        connections: &mut JoinSet<()>,
    ) {
        let Some(place) = self.crowd.enter(from.ip()) else {
            debug!(%from, "too many connections; this one is closed");
            return;
        };
        let (handler, limits, closing) = (self.handler.clone(), self.limits.clone(), closing.clone());
        let tls = self.tls.clone();
        connections.spawn(async move {
            let whole = limits.connection;
            let serving = async {
                match tls {
                    None => serve(stream, handler, limits, closing).await,
                    Some(tls) => match tokio::time::timeout(limits.header, tls.accept(stream)).await {
                        Ok(Ok(stream)) => serve(stream, handler, limits, closing).await,
                        Ok(Err(error)) => debug!(%from, %error, "a TLS handshake failed"),
                        Err(_) => debug!(%from, "a TLS handshake took too long"),
                    },
                }
            };
            if tokio::time::timeout(whole, serving).await.is_err() {
                debug!(%from, "a connection was cut off after {whole:?}");
            }
            drop(place);
        });
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    handler: Arc<Handler>,
    limits: Arc<Limits>,
    mut closing: watch::Receiver<()>,
) {
    let header = limits.header;
    let service = service_fn(move |request| route::respond(handler.clone(), limits.clone(), request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(header)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let ended = async {
        tokio::select! {
            ended = connection.as_mut() => return ended,
            _ = closing.changed() => connection.as_mut().graceful_shutdown(),
        }
        connection.await
    };
    if let Err(error) = ended.await {
        debug!(%error, "a connection broke off");
    }
}

/// The next connection of any listener. `turn` moves the first look on, so that a flood on one starves no other.
async fn next(listeners: &[TcpListener], turn: usize) -> io::Result<(TcpStream, SocketAddr)> {
    std::future::poll_fn(|context| {
        for offset in 0..listeners.len() {
            let listener = &listeners[(turn + offset) % listeners.len()];
            if let Poll::Ready(accepted) = listener.poll_accept(context) {
                return Poll::Ready(accepted);
            }
        }
        Poll::Pending
    })
    .await
}
