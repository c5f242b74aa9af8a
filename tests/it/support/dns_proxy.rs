//! A relay in front of a name server over TCP that can lose the answer to an update after the server applied it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// The operation code of an update (RFC 2136 section 2.2), where the header has it.
const UPDATE: u8 = 5;

/// A relay; its thread ends with the process.
pub(crate) struct DnsProxy {
    address: SocketAddr,
    losing: Arc<AtomicU32>,
    updates: Arc<AtomicU32>,
}

impl DnsProxy {
    /// Starts a relay to `server`.
    pub(crate) fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (losing, updates) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let shared = (Arc::clone(&losing), Arc::clone(&updates));
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (losing, updates) = (Arc::clone(&shared.0), Arc::clone(&shared.1));
                std::thread::spawn(move || relay(client, server, &losing, &updates));
            }
        });
        Self { address, losing, updates }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The answers to the next `count` updates are lost; the updates are not.
    pub(crate) fn lose_answers(&self, count: u32) {
        self.losing.store(count, Ordering::SeqCst);
    }

    /// How many updates went through.
    pub(crate) fn updates(&self) -> u32 {
        self.updates.load(Ordering::SeqCst)
    }
}

/// Relays one connection until either side ends it.
fn relay(mut client: TcpStream, server: SocketAddr, losing: &AtomicU32, updates: &AtomicU32) -> Option<()> {
    let mut server = TcpStream::connect(server).ok()?;
    server.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    loop {
        let question = receive(&mut client)?;
        let update = (question[2] >> 3) & 0x0f == UPDATE;
        send(&mut server, &question)?;
        let answer = receive(&mut server)?;
        if update {
            updates.fetch_add(1, Ordering::SeqCst);
            if losing.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok() {
                return None;
            }
        }
        send(&mut client, &answer)?;
    }
}

/// One message of a TCP connection; None when it ended.
pub(crate) fn receive(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut length = [0; 2];
    stream.read_exact(&mut length).ok()?;
    let mut bytes = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut bytes).ok()?;
    Some(bytes)
}

/// Sends one message.
pub(crate) fn send(stream: &mut TcpStream, bytes: &[u8]) -> Option<()> {
    let length = u16::try_from(bytes.len()).ok()?;
    stream.write_all(&[length.to_be_bytes().as_slice(), bytes].concat()).ok()
}
