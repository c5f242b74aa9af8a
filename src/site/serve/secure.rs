//! The way in through TLS: a handshake within its time, then the same lanes as without.
//!
//! Never lets clients that are slow to shake hands keep others out: when too many are at it, the one that has taken
//! longest goes.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use rustls::ServerConfig;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::plain::{self, Begun};
use super::worker::{Visitor, Worker};
use crate::site::patience::Patient;
use crate::tls::shelf::ACME_TLS;

/// One connection, from its first byte to its last.
pub(super) async fn welcome(stream: TcpStream, config: Arc<ServerConfig>, visitor: Visitor) {
    // Below TLS as well: what it holds back is out of sight above.
    let stream = Patient::new(stream, visitor.worker.limits().stall);
    let Some(mut stream) = shake_hands(stream, config, &visitor.worker).await else { return };
    if stream.get_ref().1.alpn_protocol() == Some(ACME_TLS) {
        // The handshake was the answer (RFC 8737 section 3).
        let _ = stream.shutdown().await;
        return;
    }
    plain::converse(stream, visitor, Begun::default()).await;
}

/// A handshake; None when it failed, took too long, or gave way. Errors are of the client, and there is nobody to tell.
async fn shake_hands(
    stream: Patient<TcpStream>,
    config: Arc<ServerConfig>,
    worker: &Worker,
) -> Option<TlsStream<Patient<TcpStream>>> {
    let turn = worker.handshakes.begin();
    let accepting = TlsAcceptor::from(config).accept(stream);
    tokio::select! {
        biased;
        () = turn.lost() => None,
        () = worker.leaving() => None,
        accepted = tokio::time::timeout(worker.limits().handshake, accepting) => accepted.ok()?.ok(),
    }
}

/// The handshakes that a worker has under way, the oldest first.
#[derive(Debug)]
pub(super) struct Handshakes {
    most: usize,
    next: Cell<u64>,
    under_way: RefCell<VecDeque<(u64, Rc<Notify>)>>,
}

impl Handshakes {
    pub(super) fn at_most(most: usize) -> Self {
        Self { most: most.max(1), next: Cell::default(), under_way: RefCell::default() }
    }

    /// Begins one. When there are too many, the oldest ends.
    fn begin(&self) -> Turn<'_> {
        let mut under_way = self.under_way.borrow_mut();
        if under_way.len() >= self.most
            && let Some((_, oldest)) = under_way.pop_front()
        {
            oldest.notify_one();
        }
        let number = self.next.replace(self.next.get() + 1);
        let end = Rc::new(Notify::new());
        under_way.push_back((number, Rc::clone(&end)));
        Turn { of: self, number, end }
    }
}

/// One handshake that is under way.
struct Turn<'a> {
    of: &'a Handshakes,
    number: u64,
    end: Rc<Notify>,
}

impl Turn<'_> {
    /// Waits until it has to give way.
    async fn lost(&self) {
        self.end.notified().await;
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut under_way = self.of.under_way.borrow_mut();
        if let Ok(at) = under_way.binary_search_by_key(&self.number, |(number, _)| *number) {
            under_way.remove(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn the_handshake_that_has_taken_longest_gives_way() {
        let all = Handshakes::at_most(2);
        let (one, two) = (all.begin(), all.begin());
        assert!(one.lost().now_or_never().is_none());
        let three = all.begin();
        assert!(one.lost().now_or_never().is_some());
        drop(two);
        let four = all.begin();
        assert!(three.lost().now_or_never().is_none() && four.lost().now_or_never().is_none());
        drop((one, three, four));
        assert!(all.under_way.borrow().is_empty());
    }
}
