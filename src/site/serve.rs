//! The server: connections in, answers out of the current generation.
//!
//! Speaks HTTP/1.1 and, with prior knowledge, HTTP/2. Never binds a port, never touches a file, and never takes a lock
//! for a request: a connection looks at an atomic counter to learn whether there is a new generation.

use std::cell::RefCell;
use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Ready;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use futures_util::future::Either;
use hyper::body::{Body as _, Incoming};
use hyper::header::{CONNECTION, HeaderValue, TRANSFER_ENCODING};
use hyper::service::Service;
use hyper::{Request, Response, Version};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};
use tokio::task::JoinSet;

use super::body::Outgoing;
use super::generation::date;
use super::host::Scheme;
use super::load::Current;
use super::log::{AccessLog, Answered};
use super::page;
use super::path;
use super::patience::Patient;
use super::reply::{self, Admitted, Body, Question, Reply};
use super::served::{Served, SharedSite};

/// What `/.well-known/hearth/` is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WellKnownRequest<'a> {
    /// What follows `/.well-known/hearth/`, decoded.
    pub path: &'a str,
    /// The host, which is one of the site's.
    pub host: &'a str,
    /// The number of the site.
    pub site: usize,
}

/// Answers `/.well-known/hearth/…`, before a site does. None: there is nothing of this name. Must not wait.
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
    /// Without a request, over HTTP/2 too; the wait for the first one is that of `head`.
    pub idle: Duration,
    /// In which a client must take some of an answer that waits for it.
    pub stall: Duration,
    /// For the answers under way when the server stops.
    pub drain: Duration,
    /// Threads that answer.
    pub workers: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 2048,
            per_address: 256,
            head: Duration::from_secs(10),
            idle: Duration::from_secs(75),
            stall: Duration::from_secs(30),
            drain: Duration::from_secs(5),
            workers: std::thread::available_parallelism().map_or(2, usize::from),
        }
    }
}

/// Serves at `doors` until `stop` says true: then the ports are closed at once, and answers under way are given
/// time to end.
///
/// Each worker is a thread with a runtime of its own: a connection stays on its core, and nothing else that the process
/// does delays an answer.
pub async fn run(
    doors: Vec<(TcpListener, Served)>,
    limits: Limits,
    stop: watch::Receiver<bool>,
) -> std::io::Result<()> {
    let open = |(listener, served): (TcpListener, Served)| Ok((listener.into_std()?, Arc::new(served)));
    let doors = doors.into_iter().map(open).collect::<std::io::Result<Vec<_>>>()?;
    let house = Arc::new(House::new(limits));
    let mut ends = Vec::new();
    for number in 0..limits.workers.max(1) {
        let own = doors.iter().map(|(listener, served)| Ok((listener.try_clone()?, Arc::clone(served))));
        let work = work(own.collect::<std::io::Result<_>>()?, Arc::clone(&house), stop.clone());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (end, ended) = oneshot::channel();
        std::thread::Builder::new().name(format!("site-{number}")).spawn(move || {
            let outcome = runtime.block_on(work);
            // An error: nobody waits for it any more.
            let _ = end.send(outcome);
        })?;
        ends.push(ended);
    }
    drop(doors);
    for ended in ends {
        // An error: the thread panicked, which is on standard error.
        ended.await.unwrap_or_else(|_| Err(std::io::Error::other("a worker panicked")))?;
    }
    Ok(())
}

/// One worker, from the first connection until it is stopped and everybody has left.
async fn work(
    open: Vec<(std::net::TcpListener, Arc<Served>)>,
    house: Arc<House>,
    mut stop: watch::Receiver<bool>,
) -> std::io::Result<()> {
    let mut doors = JoinSet::new();
    for (listener, served) in open {
        let listener = TcpListener::from_std(listener)?;
        doors.spawn(accept(listener, served, Arc::clone(&house)));
    }
    // An error: whoever could stop us is gone, and so should we be.
    let _ = stop.wait_for(|stopped| *stopped).await;
    doors.shutdown().await;
    house.closing.send_replace(Closing::Drain);
    let everybody_left = house.room.acquire_many(house.limits.connections);
    if tokio::time::timeout(house.limits.drain, everybody_left).await.is_err() {
        house.closing.send_replace(Closing::Now);
    }
    Ok(())
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
    closing: watch::Sender<Closing>,
}

impl House {
    fn new(limits: Limits) -> Self {
        Self {
            room: Arc::new(Semaphore::new(limits.connections as usize)),
            by_address: Mutex::default(),
            limits,
            server: server(limits),
            closing: watch::Sender::new(Closing::Open),
        }
    }
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
async fn accept(listener: TcpListener, served: Arc<Served>, house: Arc<House>) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                if let Some(seat) = Seat::take(&house, peer) {
                    tokio::spawn(converse(stream, peer.ip(), Arc::clone(&served), seat));
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
async fn converse(stream: TcpStream, peer: IpAddr, served: Arc<Served>, seat: Seat) {
    // Without it a small answer may wait for the acknowledgement of the one before; an error only means that it does.
    let _ = stream.set_nodelay(true);
    let (house, asked) = (&seat.house, Arc::new(AtomicU32::new(0)));
    let io = TokioIo::new(Patient::new(stream, house.limits.stall));
    let connection = house.server.serve_connection(io, Visit::new(served, peer, Arc::clone(&asked)));
    tokio::pin!(connection);
    let mut closed = house.closing.subscribe();
    tokio::select! {
        biased;
        // Errors are of the client or the network, and there is nobody left to tell.
        _ = &mut connection => return,
        _ = closed.wait_for(|closing| *closing != Closing::Open) => {}
        () = silence(&asked, house.limits) => {}
    }
    // Answers under way go on; nothing else does.
    connection.as_mut().graceful_shutdown();
    let mut closed = house.closing.subscribe();
    tokio::select! {
        _ = &mut connection => {}
        _ = closed.wait_for(|closing| *closing == Closing::Now) => {}
    }
}

/// Ends when a connection has not asked for anything for too long. One that has not said which HTTP it speaks has no
/// other limit: hyper's begins with the head.
async fn silence(asked: &AtomicU32, limits: Limits) {
    let mut span = limits.head;
    let mut before = 0;
    loop {
        tokio::time::sleep(span).await;
        let now = asked.load(Ordering::Relaxed);
        if now == before {
            return;
        }
        (span, before) = (limits.idle, now);
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
    served: Arc<Served>,
    asked: Arc<AtomicU32>,
    peer: IpAddr,
    current: RefCell<Option<Seen>>,
}

/// The site of the last request, its generation at that time, and when that was.
struct Seen {
    site: usize,
    receiver: watch::Receiver<Current>,
    generation: Current,
    second: u64,
    expires: HeaderValue,
}

impl Visit {
    fn new(served: Arc<Served>, peer: IpAddr, asked: Arc<AtomicU32>) -> Self {
        Self { served, peer, asked, current: RefCell::new(None) }
    }

    /// The answer, and the site that gives it.
    fn answer(&self, request: &Request<Incoming>) -> (Reply, &SharedSite) {
        let nobody = self.served.site(self.served.first);
        if let Some(refused) = refuse_body(request) {
            return (refused, nobody);
        }
        let question = Question {
            method: request.method(),
            uri: request.uri(),
            headers: request.headers(),
            scheme: Scheme::Http,
        };
        let rules = |site| self.served.site(site).rules;
        let admitted = match reply::admit(question, &self.served.hosts, rules) {
            Ok(admitted) => admitted,
            Err(reply) => return (*reply, nobody),
        };
        let site = self.served.site(admitted.site);
        if let Some(reply) = self.well_known(question, admitted) {
            return (reply, site);
        }
        let mut current = self.current.borrow_mut();
        let seen = match &mut *current {
            Some(seen) if seen.site == admitted.site => seen,
            other => other.insert(Seen::new(admitted.site, site)),
        };
        seen.refresh((self.served.now)());
        (reply::answer(question, seen.generation.as_deref(), &seen.expires), site)
    }

    /// What is ours and not the site's; reading it is all that can be done with it.
    fn well_known(&self, question: Question<'_>, admitted: Admitted<'_>) -> Option<Reply> {
        if !matches!(question.method.as_str(), "GET" | "HEAD") {
            return None;
        }
        // A look at the bytes spares almost every request the second resolving; ours may come escaped.
        let target = question.uri.path();
        if !target.contains('%') && !target.contains("/.") {
            return None;
        }
        let path = path::resolve(target.as_bytes()).ok()?;
        let Admitted { host, site } = admitted;
        let request = WellKnownRequest { path: path.name.strip_prefix(OURS)?, host, site };
        let missing = || page::not_found(self.served.site(site).rules);
        let reply = (self.served.well_known)(&request).unwrap_or_else(missing);
        Some(if question.method == hyper::Method::HEAD { reply.without_body() } else { reply })
    }
}

impl Seen {
    fn new(number: usize, site: &SharedSite) -> Self {
        let mut receiver = site.current.clone();
        let generation = receiver.borrow_and_update().clone();
        Self { site: number, receiver, generation, second: 0, expires: HeaderValue::from_static("") }
    }

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
    type Future = Either<
        Ready<Result<Self::Response, Infallible>>,
        Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>,
    >;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let (reply, site) = self.answer(&request);
        let scribe = Scribe { log: &site.log, now: self.served.now, peer: self.peer };
        match reply.body {
            Body::Left(_) => {
                let reading = read(site.clone(), self.served.now, self.peer, request, reply);
                Either::Right(Box::pin(reading))
            }
            Body::Empty | Body::Held(_) | Body::Pieces(_) => {
                Either::Left(std::future::ready(Ok(scribe.respond(&request, reply))))
            }
        }
    }
}

/// An answer with what is not held in memory, or 503 when it cannot be read now.
async fn read(
    site: SharedSite,
    now: WallClock,
    peer: IpAddr,
    request: Request<Incoming>,
    mut reply: Reply,
) -> Result<Response<Outgoing>, Infallible> {
    let scribe = Scribe { log: &site.log, now, peer };
    let Body::Left(part) = std::mem::take(&mut reply.body) else {
        return Ok(scribe.respond(&request, reply));
    };
    Ok(match Outgoing::read(site.large.clone(), part).await {
        Ok(body) => scribe.respond_with(&request, reply, body),
        Err(error) => {
            tracing::debug!("a large file cannot be read: {error}");
            scribe.respond(&request, page::unavailable())
        }
    })
}

/// Makes responses of replies, and a line in the log of each.
struct Scribe<'a> {
    log: &'a AccessLog,
    now: WallClock,
    peer: IpAddr,
}

impl Scribe<'_> {
    fn respond(&self, request: &Request<Incoming>, mut reply: Reply) -> Response<Outgoing> {
        let body = Outgoing::of(std::mem::take(&mut reply.body));
        self.respond_with(request, reply, body)
    }

    fn respond_with(
        &self,
        request: &Request<Incoming>,
        mut reply: Reply,
        body: Outgoing,
    ) -> Response<Outgoing> {
        if self.log.is_on() {
            self.log.add(&Answered {
                at: (self.now)(),
                peer: self.peer,
                method: request.method(),
                uri: request.uri(),
                version: request.version(),
                headers: request.headers(),
                status: reply.status.as_u16(),
                bytes: body.size_hint().lower(),
            });
        }
        if request.version() == Version::HTTP_2 {
            // Connections of HTTP/2 end by other means (RFC 9113 section 8.2.2).
            reply.headers.remove(CONNECTION);
        }
        let mut response = Response::new(body);
        *response.status_mut() = reply.status;
        *response.headers_mut() = reply.headers;
        response
    }
}
