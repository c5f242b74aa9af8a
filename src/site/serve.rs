//! The server: connections in, answers out of the current generation.
//!
//! Speaks HTTP/1.1 and, with prior knowledge, HTTP/2. Never binds a port, never touches a file, and never takes a lock
//! for a request: a connection looks at an atomic counter to learn whether there is a new generation.

use std::cell::RefCell;
use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Ready;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use hyper::body::{Body as _, Incoming};
use hyper::header::{CONNECTION, HeaderValue, TRANSFER_ENCODING};
use hyper::service::Service;
use hyper::{Request, Response, Version};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use super::body::Outgoing;
use super::generation::date;
use super::host::Scheme;
use super::load::Current;
use super::path;
use super::reply::{self, Question, Reply};
use super::{Rules, page};

/// What `/.well-known/hearth/` is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WellKnownRequest<'a> {
    /// What follows `/.well-known/hearth/`, decoded.
    pub path: &'a str,
    /// The host, which is one of the site's.
    pub host: &'a str,
}

/// Answers `/.well-known/hearth/…`, before the site does. None: there is nothing of this name. Must not wait.
pub type WellKnown = Arc<dyn Fn(&WellKnownRequest<'_>) -> Option<Reply> + Send + Sync>;

/// Reads the wall clock.
pub type WallClock = fn() -> SystemTime;

/// The names under the site's root that are ours.
const OURS: &str = ".well-known/hearth/";

/// How much a server takes upon itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections in all; one more is closed at once.
    pub connections: u32,
    /// Connections of one address; of one /64 for IPv6.
    pub per_address: u32,
    /// For the head of a request, the wait for it included.
    pub head: Duration,
    /// For the answers under way when the server stops.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 2048,
            per_address: 256,
            head: Duration::from_secs(10),
            drain: Duration::from_secs(5),
        }
    }
}

/// A site as the server sees it.
#[derive(Clone)]
pub struct SharedSite {
    /// The hosts that are answered.
    pub hosts: Arc<[String]>,
    /// How a path becomes an answer.
    pub rules: Rules,
    /// The current generation.
    pub current: watch::Receiver<Current>,
    /// What is answered before the site.
    pub well_known: WellKnown,
    /// For `Expires`.
    pub now: WallClock,
}

/// Serves on `listeners` until `stop` says true: then the ports are closed at once, and answers under way are given
/// time to end.
pub async fn run(
    listeners: Vec<TcpListener>,
    site: SharedSite,
    limits: Limits,
    mut stop: watch::Receiver<bool>,
) {
    let (closing, closed) = watch::channel(Closing::Open);
    let house = Arc::new(House {
        room: Arc::new(Semaphore::new(limits.connections as usize)),
        by_address: Mutex::default(),
        limits,
        server: server(limits),
        closed,
    });
    let mut doors = JoinSet::new();
    for listener in listeners {
        doors.spawn(accept(listener, site.clone(), Arc::clone(&house)));
    }
    // An error: whoever could stop us is gone, and so should we be.
    let _ = stop.wait_for(|stopped| *stopped).await;
    doors.shutdown().await;
    closing.send_replace(Closing::Drain);
    let everybody_left = house.room.acquire_many(limits.connections);
    if tokio::time::timeout(limits.drain, everybody_left).await.is_err() {
        closing.send_replace(Closing::Now);
    }
}

/// Whether connections are to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Closing {
    Open,
    Drain,
    Now,
}

/// What the connections share.
struct House {
    room: Arc<Semaphore>,
    by_address: Mutex<HashMap<IpAddr, u32>>,
    limits: Limits,
    server: auto::Builder<TokioExecutor>,
    closed: watch::Receiver<Closing>,
}

/// hyper with its limits pinned. `pipeline_flush` stays off: it swallows the answer to a malformed request.
fn server(limits: Limits) -> auto::Builder<TokioExecutor> {
    let mut server = auto::Builder::new(TokioExecutor::new());
    server
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(16 * 1024)
        .max_headers(64);
    server
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(64)
        .max_send_buf_size(64 * 1024)
        .max_header_list_size(16 * 1024)
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(limits.head);
    server
}

/// Takes connections. An error of accept(2) is of one connection, or of a table that is full: warn, wait, go on.
async fn accept(listener: TcpListener, site: SharedSite, house: Arc<House>) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                if let Some(seat) = Seat::take(&house, peer) {
                    tokio::spawn(converse(stream, site.clone(), seat));
                }
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be taken; waiting a moment");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
}

/// One connection, from the first byte to the last.
async fn converse(stream: TcpStream, site: SharedSite, seat: Seat) {
    // Without it a small answer may wait for the acknowledgement of the one before; an error only means that it does.
    let _ = stream.set_nodelay(true);
    let mut closed = seat.house.closed.clone();
    let connection = seat.house.server.serve_connection(TokioIo::new(stream), Visit::new(site));
    tokio::pin!(connection);
    let asked_to_leave = closed.wait_for(|closing| *closing != Closing::Open);
    tokio::select! {
        // Errors are of the client or the network, and there is nobody left to tell.
        _ = &mut connection => return,
        _ = asked_to_leave => connection.as_mut().graceful_shutdown(),
    }
    let mut closed = seat.house.closed.clone();
    tokio::select! {
        _ = &mut connection => {}
        _ = closed.wait_for(|closing| *closing == Closing::Now) => {}
    }
}

/// A connection's place; given back when it is dropped.
struct Seat {
    house: Arc<House>,
    address: IpAddr,
    _room: OwnedSemaphorePermit,
}

impl Seat {
    /// None when the house, or what one address may take of it, is full.
    fn take(house: &Arc<House>, peer: SocketAddr) -> Option<Self> {
        let room = Arc::clone(&house.room).try_acquire_owned().ok()?;
        let address = network(peer.ip());
        let mut by_address = house.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = by_address.entry(address).or_insert(0);
        if *taken >= house.limits.per_address {
            return None;
        }
        *taken += 1;
        Some(Self { house: Arc::clone(house), address, _room: room })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut by_address = self.house.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(taken) = by_address.get_mut(&self.address) {
            *taken -= 1;
            if *taken == 0 {
                by_address.remove(&self.address);
            }
        }
    }
}

/// What counts as one address: an IPv6 network has as many addresses as it likes.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() >> 64 << 64).into()),
    }
}

/// What one connection remembers between requests.
struct Visit {
    site: SharedSite,
    current: RefCell<Seen>,
}

/// The generation that was current at the last request, and when that was.
struct Seen {
    receiver: watch::Receiver<Current>,
    generation: Current,
    second: u64,
    expires: HeaderValue,
}

impl Visit {
    fn new(site: SharedSite) -> Self {
        let mut receiver = site.current.clone();
        let generation = receiver.borrow_and_update().clone();
        let seen = Seen { receiver, generation, second: 0, expires: HeaderValue::from_static("") };
        Self { site, current: RefCell::new(seen) }
    }

    fn answer(&self, request: &Request<Incoming>) -> Reply {
        if let Some(refused) = refuse_body(request) {
            return refused;
        }
        let question = Question {
            method: request.method(),
            uri: request.uri(),
            headers: request.headers(),
            scheme: Scheme::Http,
        };
        let host = match reply::admit(question, &self.site.hosts, self.site.rules) {
            Ok(host) => host,
            Err(reply) => return *reply,
        };
        if let Some(reply) = self.well_known(question, host) {
            return reply;
        }
        let mut seen = self.current.borrow_mut();
        seen.refresh((self.site.now)());
        reply::answer(question, seen.generation.as_deref(), &seen.expires)
    }

    /// What is ours and not the site's; reading it is all that can be done with it.
    fn well_known(&self, question: Question<'_>, host: &str) -> Option<Reply> {
        if !matches!(question.method.as_str(), "GET" | "HEAD") {
            return None;
        }
        let path = path::resolve(question.uri.path().as_bytes()).ok()?;
        let request = WellKnownRequest { path: path.name.strip_prefix(OURS)?, host };
        let reply = (self.site.well_known)(&request).unwrap_or_else(|| page::not_found(self.site.rules));
        Some(if question.method == hyper::Method::HEAD { reply.without_body() } else { reply })
    }
}

impl Seen {
    fn refresh(&mut self, now: SystemTime) {
        // An error means that no other generation will come; the last one is good.
        if self.receiver.has_changed().unwrap_or(false) {
            self.generation = self.receiver.borrow_and_update().clone();
        }
        let second = now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
        if self.second != second {
            self.second = second;
            self.expires = date(now + Duration::from_secs(600));
        }
    }
}

/// A static site needs no request body: one that brings a body is told so, and the connection ends.
fn refuse_body(request: &Request<Incoming>) -> Option<Reply> {
    if request.headers().contains_key(TRANSFER_ENCODING) {
        Some(page::coding_refused())
    } else if request.body().is_end_stream() {
        None
    } else {
        Some(page::body_refused())
    }
}

impl Service<Request<Incoming>> for Visit {
    type Response = Response<Outgoing>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let mut reply = self.answer(&request);
        if request.version() == Version::HTTP_2 {
            // Connections of HTTP/2 end by other means (RFC 9113 section 8.2.2).
            reply.headers.remove(CONNECTION);
        }
        let mut response = Response::new(Outgoing::of(reply.body));
        *response.status_mut() = reply.status;
        *response.headers_mut() = reply.headers;
        std::future::ready(Ok(response))
    }
}
