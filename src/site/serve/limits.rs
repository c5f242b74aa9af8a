//! How much a server takes upon itself.

use std::time::Duration;

/// How much a server takes upon itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections in all; one more is closed at once.
    pub connections: u32,
    /// Connections of one address; of one /64 for IPv6.
    pub per_address: u32,
    /// For a TLS handshake, from the first byte to the last.
    pub handshake: Duration,
    /// TLS handshakes that each worker has under way; one more, and the one that has taken longest ends.
    pub handshakes: usize,
    /// For the head of a request, the wait for it included. Looked at in spans of this length, so that it may take up to
    /// two of them; what has begun and is not whole has one more.
    pub head: Duration,
    /// Without a request over HTTP/2; the wait for the first one is that of `head`.
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
            handshake: Duration::from_secs(10),
            handshakes: 128,
            head: Duration::from_secs(10),
            idle: Duration::from_secs(75),
            stall: Duration::from_secs(30),
            drain: Duration::from_secs(5),
            workers: std::thread::available_parallelism().map_or(2, usize::from),
        }
    }
}
