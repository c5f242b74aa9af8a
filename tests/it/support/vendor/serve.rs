//! A stand-in behind a port on loopback, over HTTP or DNS, with the faults that a real service shows now and then.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{Reply, Request, Vendor};
use crate::support::dns_proxy;

/// How long a stalled request is held: longer than a client under test waits.
const STALL: Duration = Duration::from_secs(3);

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The connection ends before anything was done.
    Cut,
    /// Nothing is done and nothing answered.
    Stall,
    /// The change is made and nothing answered.
    ApplyThenStall,
    /// The change is made and the connection ends.
    ApplyThenCut,
    /// The change is made and half of the answer comes.
    ApplyThenHalf,
    /// Nothing is done, and the answer is no answer.
    Garbage,
    /// Nothing is done, and the answer is a page with an address in it.
    Html,
    /// Nothing is done, and the answer is an error of the server's.
    Broken,
    /// Nothing is done, and the answer is an error page that repeats the request.
    Echo,
    /// The request arrives twice, and the second answer comes.
    Twice,
}

/// Which requests a fault is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hits {
    /// Every one.
    All,
    /// Those that change something, after so many of them went well.
    WritesAfter(usize),
}

struct State<V> {
    /// None: the test is over.
    vendor: Option<V>,
    fault: Option<(Fault, Hits)>,
    /// How far the service's clock is ahead of this machine's.
    ahead: Duration,
    /// Every request that came, by its path and whether it changes something.
    seen: Vec<(String, bool)>,
}

/// A stand-in that is served, until the last of these values is gone.
pub(crate) struct Served<V> {
    pub(crate) address: SocketAddr,
    life: Arc<Life<V>>,
}

/// Threads that serve a client may outlive the test: a stand-in that is a real server ends with this value, not with them.
struct Life<V>(Arc<Mutex<State<V>>>);

impl<V> Drop for Life<V> {
    fn drop(&mut self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).vendor = None;
    }
}

impl<V> Clone for Served<V> {
    fn clone(&self) -> Self {
        Self { address: self.address, life: Arc::clone(&self.life) }
    }
}

impl<V: Vendor> Served<V> {
    pub(crate) fn start(vendor: V) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = State { vendor: Some(vendor), fault: None, ahead: Duration::ZERO, seen: Vec::new() };
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                std::thread::spawn(move || serve(&client, &state));
            }
        });
        Self { address, life: Arc::new(Life(state)) }
    }

    /// Where it is served.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn state(&self) -> MutexGuard<'_, State<V>> {
        self.life.0.lock().unwrap()
    }

    /// Looks at the service, or changes it behind everybody's back.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut V) -> T) -> T {
        act(self.state().vendor.as_mut().expect("it is served"))
    }

    /// From now on `fault` happens; None: all is well again.
    pub(crate) fn fail(&self, fault: Option<(Fault, Hits)>) {
        let mut state = self.state();
        state.fault = fault;
        state.seen.clear();
    }

    /// Lets time pass at the service.
    pub(crate) fn pass(&self, span: Duration) {
        self.state().ahead += span;
    }

    /// How many requests came since the last fault was set: those that change something, and the others.
    pub(crate) fn asked(&self) -> (usize, usize) {
        let state = self.state();
        let writes = state.seen.iter().filter(|(_, writes)| *writes).count();
        (writes, state.seen.len() - writes)
    }
}

/// How a service is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wire {
    /// One request for each connection.
    Http,
    /// Messages behind their lengths (RFC 1035 section 4.2.2).
    Dns,
}

fn serve<V: Vendor>(client: &TcpStream, state: &Mutex<State<V>>) {
    while let Some(request) = V::WIRE.read(client) {
        let Some((fault, reply)) = act(&request, &mut state.lock().unwrap()) else { return };
        let said = V::WIRE.said(&request, &reply, fault);
        if fault.is_some_and(|fault| matches!(fault, Fault::Stall | Fault::ApplyThenStall)) {
            std::thread::sleep(STALL);
        }
        // A client that went away is part of what is tested.
        let _ = { client }.write_all(&said);
        if V::WIRE == Wire::Http || said.is_empty() || fault == Some(Fault::ApplyThenHalf) {
            return;
        }
    }
}

impl Wire {
    fn read(self, client: &TcpStream) -> Option<Request> {
        match self {
            Wire::Http => read(client),
            Wire::Dns => Some(Request { body: dns_proxy::receive(client)?, ..Request::default() }),
        }
    }

    /// The bytes that are sent; none, and the connection ends.
    fn said(self, request: &Request, reply: &Reply, fault: Option<Fault>) -> Vec<u8> {
        match fault {
            Some(Fault::Cut | Fault::ApplyThenCut | Fault::Stall | Fault::ApplyThenStall) => Vec::new(),
            Some(Fault::ApplyThenHalf) => self.half(reply),
            Some(Fault::Garbage) => self.whole(&Reply::text(200, GARBAGE)),
            Some(Fault::Html) => http(&Reply::new(200, "text/html", PAGE)),
            Some(Fault::Broken) => self.broken(request),
            Some(Fault::Echo) => self.repeated(request),
            Some(Fault::Twice) | None => self.whole(reply),
        }
    }

    fn whole(self, reply: &Reply) -> Vec<u8> {
        match self {
            Wire::Http => http(reply),
            Wire::Dns => framed(&bytes(&reply.body)),
        }
    }

    /// Half of an answer; of one without a body it is half of its head.
    fn half(self, reply: &Reply) -> Vec<u8> {
        let whole = self.whole(reply);
        let head = match self {
            Wire::Http => whole.len() - reply.body.len(),
            Wire::Dns => 2,
        };
        let half = if reply.body.is_empty() { head / 2 } else { head + (whole.len() - head) / 2 };
        whole[..half].to_vec()
    }

    /// An error of the server's.
    fn broken(self, request: &Request) -> Vec<u8> {
        let Wire::Dns = self else { return http(&Reply::text(502, "Bad Gateway")) };
        // An answer (QR) that says SERVFAIL, unsigned (RFC 1035 section 4.1.1).
        let mut header = [0; 12];
        header.copy_from_slice(&request.body[..12]);
        header[2] |= 0x80;
        header[3] = 2;
        header[4..].fill(0);
        framed(&header)
    }

    /// Everything that came, as an error page of a firewall shows it.
    fn repeated(self, request: &Request) -> Vec<u8> {
        let Wire::Http = self else { return framed(&request.body) };
        let headers: Vec<&str> = request.headers.iter().map(|(_, value)| value.as_str()).collect();
        let body = String::from_utf8_lossy(&request.body);
        // The query and the body first: of a long page only the beginning is ever shown.
        http(&Reply::text(400, format!("{} {} {}", request.query, body, headers.join(" "))))
    }
}

const GARBAGE: &str = "\u{1}\u{2}{{{ 198.51.100.77";
const PAGE: &str = "<!DOCTYPE html><html><body>Your address is 198.51.100.77</body></html>";

/// The bytes that the characters of a body stand for.
fn bytes(body: &str) -> Vec<u8> {
    body.chars().map(|c| u8::try_from(c).expect("a byte")).collect()
}

fn framed(message: &[u8]) -> Vec<u8> {
    let mut framed = Vec::new();
    dns_proxy::send(&mut framed, message).expect("a Vec takes everything");
    framed
}

/// What happens to this request, and what the service says when it does. None: there is no service any more.
fn act<V: Vendor>(request: &Request, state: &mut State<V>) -> Option<(Option<Fault>, Reply)> {
    let vendor = state.vendor.as_mut()?;
    let writes = vendor.writes(request);
    let before = state.seen.iter().filter(|(_, writes)| *writes).count();
    state.seen.push((request.path.clone(), writes));
    let hit = |hits| match hits {
        Hits::All => true,
        Hits::WritesAfter(well) => writes && before >= well,
    };
    let fault = state.fault.filter(|(_, hits)| hit(*hits)).map(|(fault, _)| fault);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + state.ahead;
    let reply = match fault {
        Some(Fault::Cut | Fault::Stall | Fault::Garbage | Fault::Html | Fault::Broken | Fault::Echo) => {
            Reply::text(500, "")
        }
        Some(Fault::Twice) => {
            vendor.answer(request, now);
            vendor.answer(request, now)
        }
        Some(Fault::ApplyThenStall | Fault::ApplyThenCut | Fault::ApplyThenHalf) | None => {
            vendor.answer(request, now)
        }
    };
    Some((fault, reply))
}

/// One request with its body.
pub(crate) fn read(client: impl Read) -> Option<Request> {
    let mut reader = BufReader::new(client);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let mut words = lines.first()?.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let headers: Vec<(String, String)> = lines[1..]
        .iter()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect();
    let mut request =
        Request { method, path: path.to_owned(), query: query.to_owned(), headers, body: Vec::new() };
    let length = request.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    request.body = vec![0; length];
    reader.read_exact(&mut request.body).ok()?;
    Some(request)
}

/// An answer, as it is sent.
pub(crate) fn http(reply: &Reply) -> Vec<u8> {
    let headers: String = reply.headers.iter().map(|(n, v)| format!("{n}: {v}\r\n")).collect();
    let head = format!(
        "HTTP/1.1 {} Said\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n",
        reply.status,
        reply.body.len()
    );
    [head.as_bytes(), reply.body.as_bytes()].concat()
}
