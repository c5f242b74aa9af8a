//! Listening sockets that the service manager opened before this process was started (sd_listen_fds(3)).
//!
//! They stay open while one program takes the place of another ([`Handed::pass_on`]), so that a visitor who comes in between
//! waits and is not refused. Never binds anything unless no socket was handed over for it.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::{WaitOptions, wait};
use socket2::SockRef;

use super::listen::{self, ListenError};

/// Between two attempts to accept where the last one failed.
const BREATHER: Duration = Duration::from_millis(200);

/// The sockets that were handed over. They stay where they were found, and whoever listens does so on a duplicate.
#[derive(Debug, Default)]
pub struct Handed {
    sockets: Vec<Socket>,
}

#[derive(Debug)]
struct Socket {
    address: SocketAddr,
    original: TcpListener,
    taken: bool,
}

impl Handed {
    /// Takes what the service manager handed over: nothing, when it did not or when there is none. To be called once,
    /// at the start of the process. What is no TCP socket that listens is closed with a warning.
    #[must_use]
    pub fn take() -> Self {
        match sd_notify::listen_fds() {
            Ok(descriptors) => Self { sockets: descriptors.filter_map(adopt).collect() },
            Err(error) => {
                tracing::warn!("the sockets of the service manager cannot be taken over: {error}");
                Self::default()
            }
        }
    }

    /// Listens on `address`: on the socket that was handed over for it, else on one of its own. Must be called within a
    /// tokio runtime.
    ///
    /// # Errors
    /// As of [`listen::tcp`].
    pub fn tcp(&mut self, address: SocketAddr) -> Result<tokio::net::TcpListener, ListenError> {
        let fits = |socket: &&mut Socket| !socket.taken && serves(socket.address, address);
        let Some(socket) = self.sockets.iter_mut().find(fits) else { return listen::tcp(address) };
        socket.taken = true;
        tracing::debug!("listening on {}, which the service manager opened", socket.address);
        socket.duplicate().map_err(|source| ListenError::Other { address, source })
    }

    /// Turns away whoever comes to a socket that nobody has taken: the service manager holds it open, so that without
    /// this a visitor would wait there for ever. Must be called within a tokio runtime.
    pub fn turn_away_the_rest(&self) {
        for socket in self.sockets.iter().filter(|socket| !socket.taken) {
            let address = socket.address;
            tracing::info!(
                "nothing is served on {address}, which the service manager opened: closing connections"
            );
            match socket.duplicate() {
                Ok(listener) => drop(tokio::spawn(turn_away(listener))),
                Err(error) => tracing::warn!("{address} is held open, and nobody answers there: {error}"),
            }
        }
    }

    /// Lets `program` take the place of this one, in this very process and with the same sockets. To be called when
    /// everything else has ended; returns only when it could not be done.
    #[must_use]
    pub fn pass_on(self, program: &mut Command) -> io::Error {
        // Whoever ended on the way out would be a child that the next program does not know of.
        while matches!(wait(WaitOptions::NOHANG), Ok(Some(_))) {}
        for socket in &self.sockets {
            if let Err(error) = fcntl_setfd(&socket.original, FdFlags::empty()) {
                return error.into();
            }
        }
        program.exec()
    }
}

impl Socket {
    fn duplicate(&self) -> io::Result<tokio::net::TcpListener> {
        let socket = self.original.try_clone()?;
        socket.set_nonblocking(true)?;
        tokio::net::TcpListener::from_std(socket)
    }
}

/// Whether a socket at `handed` is what `wanted` asks for. The service manager decides which of the unspecified
/// addresses a bare port number means, by what the machine has.
fn serves(handed: SocketAddr, wanted: SocketAddr) -> bool {
    let any = |address: SocketAddr| address.ip().is_unspecified();
    handed == wanted || (any(handed) && any(wanted) && handed.port() == wanted.port())
}

#[expect(unsafe_code, reason = "a descriptor that another process left here can be had in no other way")]
fn adopt(descriptor: RawFd) -> Option<Socket> {
    // SAFETY: the service manager opened it for this process, and nobody else here knows of it: it is taken once.
    let socket = unsafe { OwnedFd::from_raw_fd(descriptor) };
    match address_of(&socket) {
        Ok(address) => Some(Socket { address, original: socket.into(), taken: false }),
        Err(error) => {
            tracing::warn!(
                "descriptor {descriptor} of the service manager is no TCP socket that listens: {error}"
            );
            None
        }
    }
}

fn address_of(socket: &OwnedFd) -> io::Result<SocketAddr> {
    let socket = SockRef::from(socket);
    if !socket.is_listener()? {
        return Err(io::Error::other("it does not listen"));
    }
    socket.local_addr()?.as_socket().ok_or_else(|| io::Error::other("it has no IP address"))
}

async fn turn_away(listener: tokio::net::TcpListener) {
    loop {
        match listener.accept().await {
            // Without lingering the close is a reset: nobody answers here, and nothing of it stays behind.
            Ok((stream, _)) => drop(SockRef::from(&stream).set_linger(Some(Duration::ZERO))),
            Err(_) => tokio::time::sleep(BREATHER).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    fn one() -> (SocketAddr, Handed) {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        (address, Handed { sockets: vec![Socket { address, original: socket, taken: false }] })
    }

    #[test]
    fn a_socket_serves_its_own_address_and_the_unspecified_ones_each_other() {
        let serves = |handed: &str, wanted: &str| serves(handed.parse().unwrap(), wanted.parse().unwrap());
        assert!(serves("127.0.0.1:80", "127.0.0.1:80"));
        assert!(serves("[::]:80", "0.0.0.0:80") && serves("0.0.0.0:80", "[::]:80"));
        assert!(!serves("[::]:80", "[::]:443"));
        assert!(!serves("[::]:80", "127.0.0.1:80") && !serves("127.0.0.1:80", "[::]:80"));
    }

    #[tokio::test]
    async fn what_was_handed_over_is_taken_once_and_the_rest_is_bound() {
        let (address, mut handed) = one();
        let taken = handed.tcp(address).unwrap();
        assert_eq!(taken.local_addr().unwrap(), address);
        assert!(matches!(handed.tcp(address), Err(ListenError::InUse(_))));
        handed.tcp("127.0.0.1:0".parse().unwrap()).unwrap();
    }

    #[tokio::test]
    async fn where_nothing_is_served_a_visitor_is_turned_away_and_does_not_wait() {
        let (address, handed) = one();
        handed.turn_away_the_rest();
        let mut visitor = tokio::net::TcpStream::connect(address).await.unwrap();
        let read = tokio::time::timeout(Duration::from_secs(5), visitor.read(&mut [0; 1])).await.unwrap();
        assert_eq!(read.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    }

    #[test]
    fn what_does_not_listen_is_not_taken() {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        assert!(address_of(&socket.into()).is_err());
        let listening = TcpListener::bind("127.0.0.1:0").unwrap();
        assert!(address_of(&listening.into()).is_ok());
    }
}
