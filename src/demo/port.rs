//! Free ports on several loopback addresses.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpListener;

/// How often another port is tried.
const TRIES: usize = 32;

/// Listeners on one port that is free on every one of `addresses`: an address record carries no port, so every server
/// of the site has to listen on the same one.
///
/// # Errors
/// When no port was found, or an address is not on this machine.
pub async fn same<const N: usize>(addresses: [Ipv4Addr; N]) -> io::Result<[TcpListener; N]> {
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    for _ in 0..TRIES {
        match on_one(addresses).await {
            Ok(listeners) => return Ok(listeners),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => last = error,
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

async fn on_one<const N: usize>(addresses: [Ipv4Addr; N]) -> io::Result<[TcpListener; N]> {
    let mut port = 0;
    let mut listeners = Vec::with_capacity(N);
    for address in addresses {
        let listener = TcpListener::bind((address, port)).await?;
        port = listener.local_addr()?.port();
        listeners.push(listener);
    }
    Ok(listeners.try_into().expect("one listener for each address"))
}

/// A port of `address` for a child process to listen on. It is free now, and loopback addresses other than 127.0.0.1
/// are hardly used by anybody else, so it stays free until the child has started.
///
/// # Errors
/// When the address is not on this machine, or every port is taken.
pub async fn for_child(address: Ipv4Addr) -> io::Result<SocketAddr> {
    TcpListener::bind((address, 0)).await?.local_addr()
}
