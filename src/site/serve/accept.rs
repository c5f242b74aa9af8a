//! The doors: takes connections, and answers at once what is asked with the first bytes of one.
//!
//! Never waits for anybody who came in. A visitor who asks one thing and leaves costs a look, a read, a write and a
//! close: tokio hears only of those who stay.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{SocketFlags, acceptfrom_with, sockopt};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::desk::Desk;
use super::house::Seat;
use super::plain::{self, Begun, Then};
use super::secure;
use super::worker::{Room, Visitor, Worker};

/// So many connections are taken before others on this worker have their turn.
const AT_ONCE: usize = 32;

/// Takes connections. An error of accept(2) is of one connection, or of a table that is full: warn, wait, go on.
///
/// # Errors
/// When the listener cannot be listened to.
pub(super) async fn accept(listener: TcpListener, desk: Rc<Desk>, worker: Rc<Worker>) -> io::Result<()> {
    // Connections inherit it: a small answer must not wait for the acknowledgement of the one before. An error only
    // means that it does.
    let _ = sockopt::set_tcp_nodelay(&listener, true);
    let listener = watch(listener)?;
    loop {
        let mut ready = listener.readable().await?;
        for _ in 0..AT_ONCE {
            match acceptfrom_with(&listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC) {
                Ok((socket, peer)) => {
                    let peer = peer.and_then(|peer| SocketAddr::try_from(peer).ok());
                    if let Some(peer) = peer {
                        greet(socket, peer.ip(), &desk, &worker);
                    }
                }
                Err(Errno::AGAIN) => {
                    ready.clear_ready();
                    break;
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be taken; waiting a moment");
                    tokio::time::sleep(Duration::from_millis(200)).await;
                    break;
                }
            }
        }
        tokio::task::yield_now().await;
    }
}

/// Has tokio watch a listener. tokio's own would tell epoll of every connection, which most cost more than they ask for.
#[expect(unsafe_code, reason = "tokio has no safe way to watch a descriptor that it did not make")]
fn watch(listener: TcpListener) -> io::Result<AsyncFd<TcpListener>> {
    // SAFETY: a `TcpListener` owns a valid descriptor, and nobody replaces or closes it before the `AsyncFd` is dropped.
    Ok(unsafe { AsyncFd::register_with_interest(listener, Interest::READABLE) }?)
}

/// One connection that has just come in.
fn greet(socket: OwnedFd, peer: IpAddr, desk: &Rc<Desk>, worker: &Rc<Worker>) {
    let Some(seat) = Seat::take(&worker.house, peer) else { return };
    let stream = TcpStream::from(socket);
    let visitor = Visitor { worker: Rc::clone(worker), desk: Rc::clone(desk), peer, _seat: seat };
    if let Some(config) = desk.tls() {
        if let Ok(stream) = tokio::net::TcpStream::from_std(stream) {
            tokio::task::spawn_local(secure::welcome(stream, Arc::clone(config), visitor));
        }
        return;
    }
    // An error is of the client or the network, and there is nobody left to tell.
    let Ok(begun) = first_words(&stream, &visitor) else { return };
    if begun.unsent.is_empty() && begun.then == Then::Leave {
        return;
    }
    if let Ok(stream) = tokio::net::TcpStream::from_std(stream) {
        tokio::task::spawn_local(plain::converse(stream, visitor, begun));
    }
}

/// Answers what is there already.
fn first_words(mut stream: &TcpStream, visitor: &Visitor) -> io::Result<Begun> {
    let Room { input, out } = &mut *visitor.worker.room.borrow_mut();
    let read = match stream.read(input) {
        Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
        Ok(read) => read,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Begun::default()),
        Err(error) => return Err(error),
    };
    plain::respond(visitor, &input[..read], out, |pieces| {
        let written = if let [one] = pieces { stream.write(one) } else { stream.write_vectored(pieces) };
        match written {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
            written => Poll::Ready(written),
        }
    })
}
