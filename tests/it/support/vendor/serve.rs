//! A stand-in behind a port on loopback, over HTTP, with the faults that a real service shows now and then.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{Reply, Request, Vendor};

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
    vendor: V,
    fault: Option<(Fault, Hits)>,
    /// How far the service's clock is ahead of this machine's.
    ahead: Duration,
    /// Every request that came, by its path and whether it changes something.
    seen: Vec<(String, bool)>,
}

/// A stand-in that is served; its threads end with the process.
pub(crate) struct Served<V> {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State<V>>>,
}

impl<V> Clone for Served<V> {
    fn clone(&self) -> Self {
        Self { address: self.address, state: Arc::clone(&self.state) }
    }
}

impl<V: Vendor> Served<V> {
    pub(crate) fn start(vendor: V) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = State { vendor, fault: None, ahead: Duration::ZERO, seen: Vec::new() };
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                std::thread::spawn(move || serve(&client, &state));
            }
        });
        Self { address, state }
    }

    /// Where it is served.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn state(&self) -> MutexGuard<'_, State<V>> {
        self.state.lock().unwrap()
    }

    /// Looks at the service, or changes it behind everybody's back.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut V) -> T) -> T {
        act(&mut self.state().vendor)
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

fn serve<V: Vendor>(client: &TcpStream, state: &Mutex<State<V>>) {
    let Some(request) = read(client) else { return };
    let (fault, reply) = act(&request, &mut state.lock().unwrap());
    match fault {
        Some(Fault::Cut | Fault::ApplyThenCut) => {}
        Some(Fault::Stall | Fault::ApplyThenStall) => std::thread::sleep(STALL),
        Some(Fault::ApplyThenHalf) => write(client, &reply, Part::Half),
        Some(Fault::Garbage) => whole(client, &Reply::text(200, "\u{1}\u{2}{{{ 198.51.100.77")),
        Some(Fault::Html) => {
            let page = "<!DOCTYPE html><html><body>Your address is 198.51.100.77</body></html>";
            whole(client, &Reply::new(200, "text/html", page));
        }
        Some(Fault::Broken) => whole(client, &Reply::text(502, "Bad Gateway")),
        Some(Fault::Echo) => whole(client, &Reply::text(400, repeated(&request))),
        Some(Fault::Twice) | None => whole(client, &reply),
    }
}

/// What happens to this request, and what the service says when it does.
fn act<V: Vendor>(request: &Request, state: &mut State<V>) -> (Option<Fault>, Reply) {
    let writes = state.vendor.writes(request);
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
            state.vendor.answer(request, now);
            state.vendor.answer(request, now)
        }
        Some(Fault::ApplyThenStall | Fault::ApplyThenCut | Fault::ApplyThenHalf) | None => {
            state.vendor.answer(request, now)
        }
    };
    (fault, reply)
}

/// Everything that came, as an error page of a firewall shows it.
fn repeated(request: &Request) -> String {
    let headers: Vec<&str> = request.headers.iter().map(|(_, value)| value.as_str()).collect();
    let body = String::from_utf8_lossy(&request.body);
    // The query and the body first: of a long page only the beginning is ever shown.
    format!("{} {} {}", request.query, body, headers.join(" "))
}

/// One request with its body.
fn read(client: &TcpStream) -> Option<Request> {
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

fn whole(client: &TcpStream, reply: &Reply) {
    write(client, reply, Part::Whole);
}

/// How much of an answer is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Whole,
    Half,
}

fn write(mut client: &TcpStream, reply: &Reply, half: Part) {
    let headers: String = reply.headers.iter().map(|(n, v)| format!("{n}: {v}\r\n")).collect();
    let head = format!(
        "HTTP/1.1 {} Said\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n",
        reply.status,
        reply.body.len()
    );
    // Half of an answer without a body is half of its head.
    let head = if reply.body.is_empty() && half == Part::Half { &head[..head.len() / 2] } else { &head };
    let body = match half {
        Part::Whole => reply.body.as_bytes(),
        Part::Half => &reply.body.as_bytes()[..reply.body.len() / 2],
    };
    // A client that went away is part of what is tested.
    let _ = client.write_all(&[head.as_bytes(), body].concat());
}
