//! A relay in front of a name server over TCP that can lose an update, or the answer to it after the server applied it,
//! and that can hold either for as long as a test wants to look.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::time::Duration;

/// The operation code of an update (RFC 2136 section 2.2), where the header has it.
pub(crate) const UPDATE: u8 = 5;

/// The operation code of a message.
pub(crate) fn operation(message: &[u8]) -> u8 {
    message.get(2).map_or(0, |flags| (flags >> 3) & 0x0f)
}

/// A relay; its thread ends with the process.
pub(crate) struct DnsProxy {
    address: SocketAddr,
    losing: Arc<AtomicU32>,
    updates: Arc<AtomicU32>,
    holding: Arc<Holding>,
}

/// Nothing is held.
const NOTHING: u8 = 0;
/// Updates are held before they reach the server.
const QUESTIONS: u8 = 1;
/// Updates reach the server, and their answers are held.
const ANSWERS: u8 = 2;

/// What is held. When it is let go, what was held is lost.
#[derive(Default)]
struct Holding {
    what: AtomicU8,
    held: AtomicU32,
}

impl Holding {
    /// Whether `what` was held here.
    fn hold(&self, what: u8) -> bool {
        if self.what.load(Ordering::SeqCst) != what {
            return false;
        }
        self.held.fetch_add(1, Ordering::SeqCst);
        while self.what.load(Ordering::SeqCst) == what {
            std::thread::sleep(Duration::from_millis(5));
        }
        true
    }
}

impl DnsProxy {
    /// Starts a relay to `server`.
    pub(crate) fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (losing, updates) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let holding = Arc::new(Holding::default());
        let shared = (Arc::clone(&losing), Arc::clone(&updates), Arc::clone(&holding));
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (losing, updates, holding) = shared.clone();
                std::thread::spawn(move || relay(client, server, &losing, &updates, &holding));
            }
        });
        Self { address, losing, updates, holding }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The answers to the next `count` updates are lost; the updates are not.
    pub(crate) fn lose_answers(&self, count: u32) {
        self.losing.store(count, Ordering::SeqCst);
    }

    /// From now on updates are held before they reach the server.
    pub(crate) fn hold_updates(&self) {
        self.holding.what.store(QUESTIONS, Ordering::SeqCst);
    }

    /// From now on the server applies updates, and its answers are held.
    pub(crate) fn hold_answers(&self) {
        self.holding.what.store(ANSWERS, Ordering::SeqCst);
    }

    /// What is held is lost, and everything passes again.
    pub(crate) fn let_go(&self) {
        self.holding.what.store(NOTHING, Ordering::SeqCst);
    }

    /// How many messages were held so far.
    pub(crate) fn held(&self) -> u32 {
        self.holding.held.load(Ordering::SeqCst)
    }

    /// How many updates went through.
    pub(crate) fn updates(&self) -> u32 {
        self.updates.load(Ordering::SeqCst)
    }
}

/// Relays one connection until either side ends it.
fn relay(
    mut client: TcpStream,
    server: SocketAddr,
    losing: &AtomicU32,
    updates: &AtomicU32,
    holding: &Holding,
) -> Option<()> {
    let mut server = TcpStream::connect(server).ok()?;
    server.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    loop {
        let question = receive(&mut client)?;
        let update = operation(&question) == UPDATE;
        if update && holding.hold(QUESTIONS) {
            return None;
        }
        send(&mut server, &question)?;
        let answer = receive(&mut server)?;
        if update {
            updates.fetch_add(1, Ordering::SeqCst);
            if losing.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok() {
                return None;
            }
            if holding.hold(ANSWERS) {
                return None;
            }
        }
        send(&mut client, &answer)?;
    }
}

/// One message of a TCP connection; None when it ended.
pub(crate) fn receive(mut stream: impl Read) -> Option<Vec<u8>> {
    let mut length = [0; 2];
    stream.read_exact(&mut length).ok()?;
    let mut bytes = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut bytes).ok()?;
    Some(bytes)
}

/// Sends one message.
pub(crate) fn send(mut stream: impl Write, bytes: &[u8]) -> Option<()> {
    let length = u16::try_from(bytes.len()).ok()?;
    stream.write_all(&[length.to_be_bytes().as_slice(), bytes].concat()).ok()
}
