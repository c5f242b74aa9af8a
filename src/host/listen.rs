//! TCP listeners, bound the same way everywhere.
//!
//! Never accepts a connection, and never moves to another port than the one that was asked for.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1024;

/// Why an address could not be listened on.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Somebody else listens there.
    #[error("{0} is taken by another process; `ss -ltnp 'sport = :{port}'` says which", port = .0.port())]
    InUse(SocketAddr),
    /// Ports below 1024 are for root (capabilities(7)).
    #[error(
        "not allowed to listen on {0}; ports below 1024 need CAP_NET_BIND_SERVICE: run under the supplied systemd \
         unit, or choose a port from 1024"
    )]
    Denied(SocketAddr),
    /// No interface of this machine holds the address.
    #[error("{0} is no address of this machine; `ip address` shows which there are")]
    NotHere(SocketAddr),
    /// Something else.
    #[error("cannot listen on {address}: {source}")]
    Other {
        /// Where.
        address: SocketAddr,
        /// What the kernel said.
        source: io::Error,
    },
}

/// Listens on `address`. `[::]` takes IPv4 as well; on a machine without IPv6 it means `0.0.0.0`. A port that was in
/// use by a process that has just ended can be taken at once. Must be called within a tokio runtime.
///
/// # Errors
/// When the address cannot be bound; the error says what to do.
pub fn tcp(address: SocketAddr) -> Result<TcpListener, ListenError> {
    match bind(address) {
        Err(error) if address.ip().is_unspecified() && has_no_ipv6(&error) => {
            let plain = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), address.port());
            tracing::info!("this machine has no IPv6: listening on {plain} in place of {address}");
            bind(plain).map_err(|error| meaning(plain, error))
        }
        outcome => outcome.map_err(|error| meaning(address, error)),
    }
}

/// Listens on each of `addresses`, or on none.
///
/// # Errors
/// The first address that cannot be bound.
pub fn all(addresses: &[SocketAddr]) -> Result<Vec<TcpListener>, ListenError> {
    addresses.iter().copied().map(tcp).collect()
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        // Dual stack only for the unspecified address (RFC 3493 section 5.3); elsewhere it has no effect.
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// EAFNOSUPPORT: IPv6 is not in the kernel. EADDRNOTAVAIL for `[::]`: it is switched off by sysctl.
fn has_no_ipv6(error: &io::Error) -> bool {
    let code = error.raw_os_error();
    [rustix::io::Errno::AFNOSUPPORT, rustix::io::Errno::ADDRNOTAVAIL]
        .iter()
        .any(|e| code == Some(e.raw_os_error()))
}

#[expect(clippy::wildcard_enum_match_arm, reason = "io::ErrorKind is open")]
fn meaning(address: SocketAddr, error: io::Error) -> ListenError {
    match error.kind() {
        io::ErrorKind::AddrInUse => ListenError::InUse(address),
        io::ErrorKind::PermissionDenied => ListenError::Denied(address),
        io::ErrorKind::AddrNotAvailable => ListenError::NotHere(address),
        _ => ListenError::Other { address, source: error },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loopback(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    #[tokio::test]
    async fn a_port_that_is_taken_is_named_with_the_way_to_find_who_has_it() {
        let first = tcp(loopback(0)).unwrap();
        let address = first.local_addr().unwrap();
        let error = tcp(address).unwrap_err();
        assert!(matches!(error, ListenError::InUse(_)));
        let (said, port) = (error.to_string(), address.port());
        assert!(
            said.contains(&address.to_string()) && said.contains(&format!("ss -ltnp 'sport = :{port}'")),
            "{said}"
        );
        drop(first);
        tcp(address).expect("free again at once");
    }

    #[tokio::test]
    async fn the_unspecified_ipv6_address_takes_ipv4_as_well() {
        let listener = tcp("[::]:0".parse().unwrap()).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (accepted, connected) =
            tokio::join!(listener.accept(), tokio::net::TcpStream::connect(loopback(port)));
        accepted.unwrap();
        connected.unwrap();
    }

    #[tokio::test]
    async fn an_address_of_another_machine_is_refused_by_name() {
        let error = tcp("192.0.2.1:0".parse().unwrap()).unwrap_err();
        assert!(matches!(error, ListenError::NotHere(_)), "{error}");
    }

    #[test]
    fn a_privileged_port_asks_for_the_capability() {
        let denied = meaning(loopback(80), io::ErrorKind::PermissionDenied.into());
        assert!(denied.to_string().contains("CAP_NET_BIND_SERVICE"));
    }

    #[tokio::test]
    async fn all_or_none() {
        let taken = tcp(loopback(0)).unwrap();
        let taken = taken.local_addr().map(|address| (taken, address)).unwrap();
        assert!(all(&[loopback(0), taken.1]).is_err());
        assert_eq!(all(&[loopback(0), loopback(0)]).unwrap().len(), 2);
    }
}
