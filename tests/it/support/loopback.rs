//! Addresses of the machine's own network 127.0.0.0/8, so that several parts can use one port.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU8, Ordering};

/// Addresses on loopback that no other test uses.
#[derive(Clone, Copy)]
pub(crate) struct Network(u8, u8);

impl Network {
    pub(crate) fn new() -> Self {
        static TAKEN: AtomicU8 = AtomicU8::new(1);
        let process = u8::try_from(std::process::id() % 120).unwrap();
        Self(100 + process, TAKEN.fetch_add(1, Ordering::SeqCst))
    }

    pub(crate) fn at(self, host: u8) -> IpAddr {
        Ipv4Addr::new(127, self.0, self.1, host).into()
    }

    /// A port that is free at `host`.
    pub(crate) fn free(self, host: u8) -> SocketAddr {
        TcpListener::bind((self.at(host), 0)).unwrap().local_addr().unwrap()
    }
}
