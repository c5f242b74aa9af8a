//! Stand-ins for what a watcher looks at: a node that proves itself and beats, and the pages that visitors fall back to.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hearth::address::Verdict;
use hearth::heartbeat::proof::{self, Nonce};
use hearth::heartbeat::seal::{SigningKey, VerifyingKey};
use hearth::heartbeat::send::{Sender, SenderSettings};
use hearth::heartbeat::witness::Testimony;
use hearth::heartbeat::{
    Beat, BootId, Claim, Leaving, NodeName, RecordsReport, SiteReport, SourceState, WatcherPin,
};

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::support::authority::Issued;

/// What every page of the site says.
pub(super) const MARKER: &str = "two lamps on a shelf";

/// Between two beats.
const EVERY: Duration = Duration::from_millis(200);

/// What a place answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Serving {
    /// What it should.
    Well,
    /// The page, and no proof of anybody's.
    AsStranger,
    /// An error for every page.
    Broken,
    /// Connections end without an answer.
    Nothing,
}

/// What a place shows in a handshake. None: it serves without TLS.
type Shown = Option<Arc<Mutex<Arc<ServerConfig>>>>;

/// A web server at one address. It ends with this value.
pub(crate) struct Place {
    pub(crate) address: SocketAddr,
    serving: Arc<Mutex<Serving>>,
    shown: Shown,
    over: Arc<AtomicBool>,
}

impl Place {
    /// Serves the pages of the fallback, which prove nothing.
    pub(crate) fn pages(address: SocketAddr) -> Self {
        Self::start(address, None, None)
    }

    /// The same over TLS, under this certificate.
    pub(super) fn secure_pages(address: SocketAddr, issued: &Issued) -> Self {
        Self::start(address, None, Some(Arc::new(Mutex::new(issued.server()))))
    }

    /// Shows this certificate from now on.
    pub(super) fn shows(&self, issued: &Issued) {
        *self.shown.as_ref().expect("it serves over TLS").lock().unwrap() = issued.server();
    }

    pub(super) fn scheme(&self) -> &'static str {
        if self.shown.is_some() { "https" } else { "http" }
    }

    /// Serves as the node called `name`.
    pub(super) fn node(address: SocketAddr, name: &str) -> Self {
        Self::start(address, Some(name.parse().unwrap()), None)
    }

    fn start(address: SocketAddr, node: Option<NodeName>, shown: Shown) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let place = Self {
            address: listener.local_addr().unwrap(),
            serving: Arc::new(Mutex::new(Serving::Well)),
            shown: shown.clone(),
            over: Arc::default(),
        };
        let (serving, over) = (place.serving.clone(), place.over.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if over.load(Ordering::SeqCst) {
                    break;
                }
                let (serving, node) = (serving.clone(), node.clone());
                let shown = shown.as_ref().map(|shown| shown.lock().unwrap().clone());
                std::thread::spawn(move || {
                    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
                    match shown {
                        None => answer(stream, &serving, node.as_ref()),
                        Some(shown) => {
                            let connection = ServerConnection::new(shown).unwrap();
                            answer(StreamOwned::new(connection, stream), &serving, node.as_ref())
                        }
                    }
                });
            }
        });
        place
    }

    pub(super) fn serves(&self, what: Serving) {
        *self.serving.lock().unwrap() = what;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

/// Answers the requests of one connection until the client ends it.
fn answer(stream: impl Read + Write, serving: &Mutex<Serving>, node: Option<&NodeName>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let (path, host) = head(&mut reader)?;
        let serving = *serving.lock().unwrap();
        let nonce = Nonce::of_path(&path);
        let (status, seal, body) = match (serving, node, nonce) {
            (Serving::Nothing, ..) => return None,
            (Serving::Broken, ..) => ("500 Internal Server Error", None, b"broken".to_vec()),
            (Serving::Well, Some(node), Some(nonce)) => {
                let proof = proof::answer(&key_of(node.as_str()), node, &nonce, &host, Some("g1".to_owned()));
                ("200 OK", Some(proof.seal), proof.body)
            }
            (_, _, Some(_)) => ("404 Not Found", None, Vec::new()),
            (_, _, None) => ("200 OK", None, format!("<title>{MARKER}</title>").into_bytes()),
        };
        let seal = seal.map(|seal| format!("Hearth-Seal: {seal}\r\n")).unwrap_or_default();
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{seal}\r\n", body.len());
        reader.get_mut().write_all(&[head.as_bytes(), &body].concat()).ok()?;
    }
}

/// The path and the host of the next request.
fn head(reader: &mut impl BufRead) -> Option<(String, String)> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut host = String::new();
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        if name.eq_ignore_ascii_case("host") {
            host = value.to_owned();
        }
    }
    Some((path, host))
}

/// The key of a node: the same for a name everywhere.
pub(super) fn key_of(name: &str) -> SigningKey {
    let mut seed = [0x5a; 32];
    seed[..name.len()].copy_from_slice(name.as_bytes());
    SigningKey::from_seed(seed)
}

/// What a node says.
#[derive(Clone, Debug)]
pub(super) struct Voice {
    pub(super) speaks: bool,
    pub(super) address: IpAddr,
    pub(super) leaving: bool,
    /// The digest of what it serves, and how its source stands.
    generation: &'static str,
    source: SourceState,
    testimonies: Vec<Testimony>,
    boot: u8,
    sequence: u64,
}

/// A node: a place, and a voice.
pub(super) struct Node {
    pub(super) place: Place,
    name: String,
    voice: Arc<Mutex<Voice>>,
    over: Arc<AtomicBool>,
}

impl Node {
    /// A node that serves at `address` and beats to the watcher at `watcher`.
    pub(super) fn start(name: &str, address: SocketAddr, watcher: SocketAddr, pin: VerifyingKey) -> Self {
        let voice = Voice {
            speaks: true,
            address: address.ip(),
            leaving: false,
            generation: "g1",
            source: SourceState::Ok,
            testimonies: Vec::new(),
            boot: 1,
            sequence: 0,
        };
        let (voice, over) = (Arc::new(Mutex::new(voice)), Arc::new(AtomicBool::new(false)));
        let (says, until, who) = (voice.clone(), over.clone(), name.to_owned());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let pin = WatcherPin { url: format!("http://{watcher}"), key: pin, roots: Vec::new() };
            let sender = Sender::new(pin, &SenderSettings::default()).unwrap();
            while !until.load(Ordering::SeqCst) {
                if let Some(beat) = next(&who, &says) {
                    // A watcher that is dead, or does not want this beat, hears the next one.
                    let _ = runtime.block_on(sender.beat(&beat, &key_of(&who)));
                }
                std::thread::sleep(EVERY);
            }
        });
        Self { place: Place::node(address, name), name: name.to_owned(), voice, over }
    }

    /// Neither answers nor speaks.
    pub(super) fn dies(&self) {
        self.voice.lock().unwrap().speaks = false;
        self.place.serves(Serving::Nothing);
    }

    /// Is started again.
    pub(super) fn lives(&self) {
        self.place.serves(Serving::Well);
        let mut voice = self.voice.lock().unwrap();
        (voice.speaks, voice.leaving, voice.boot, voice.sequence) = (true, false, voice.boot + 1, 0);
    }

    /// Says that it is leaving, and goes on serving.
    pub(super) fn leaves(&self) {
        self.voice.lock().unwrap().leaving = true;
    }

    /// Serves this from now on, from a source that stands so.
    pub(super) fn holds(&self, generation: &'static str, source: SourceState) {
        let mut voice = self.voice.lock().unwrap();
        (voice.generation, voice.source) = (generation, source);
    }

    /// Says from now on that it saw this.
    pub(super) fn testifies(&self, what: Vec<Testimony>) {
        self.voice.lock().unwrap().testimonies = what;
    }

    /// Says from now on that it is at `address`.
    pub(super) fn claims(&self, address: IpAddr) {
        self.voice.lock().unwrap().address = address;
    }

    /// Says nothing any more, and what it would say next.
    pub(super) fn falls_silent(&self) -> Beat {
        let next = next(&self.name, &self.voice).expect("it speaks");
        self.voice.lock().unwrap().speaks = false;
        next
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
    }
}

fn next(name: &str, voice: &Mutex<Voice>) -> Option<Beat> {
    let mut voice = voice.lock().unwrap();
    voice.sequence += 1;
    voice.speaks.then(|| Beat {
        form: 1,
        node: name.parse().unwrap(),
        boot: BootId::new([voice.boot; 16]),
        sequence: voice.sequence,
        uptime_ms: voice.sequence * 200,
        wall_ms: 1_700_000_000_000,
        version: "0.1.0".to_owned(),
        addresses: vec![Claim { address: voice.address, verdict: Verdict::Public }],
        sites: vec![SiteReport {
            hosts: Vec::new(),
            generation: Some(voice.generation.to_owned()),
            source: voice.source,
        }],
        mounts: Vec::new(),
        records: RecordsReport::InForce,
        led: "all-well".to_owned(),
        leaving: voice.leaving.then(|| Leaving { reason: "a restart".to_owned() }),
        testimonies: voice.testimonies.clone(),
    })
}

/// Something that is always up, until it is closed: it takes connections.
pub(super) struct Reference {
    address: SocketAddr,
    open: Option<(Arc<AtomicBool>, std::thread::JoinHandle<()>)>,
}

impl Reference {
    pub(super) fn start(ip: IpAddr) -> Self {
        let listener = TcpListener::bind((ip, 0)).unwrap();
        let mut reference = Self { address: listener.local_addr().unwrap(), open: None };
        reference.serve(listener);
        reference
    }

    fn serve(&mut self, listener: TcpListener) {
        let over = Arc::new(AtomicBool::new(false));
        let until = over.clone();
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                drop(stream);
                if until.load(Ordering::SeqCst) {
                    break;
                }
            }
        });
        self.open = Some((over, thread));
    }

    pub(super) fn closes(&mut self) {
        let (over, thread) = self.open.take().expect("it is open");
        over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        thread.join().unwrap();
    }

    pub(super) fn opens(&mut self) {
        self.serve(TcpListener::bind(self.address).unwrap());
    }

    pub(super) fn text(&self) -> String {
        self.address.to_string()
    }
}
