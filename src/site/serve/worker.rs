//! One worker: a thread with a runtime of its own, on which its connections stay from the first byte to the last.
//!
//! Never shares anything with another worker but the [house](super::house) and the log.

use std::cell::{Cell, RefCell};
use std::net::{IpAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use super::Limits;
use super::accept::accept;
use super::desk::Desk;
use super::general::{self, Server};
use super::house::{House, Seat};
use super::plain::Outbox;
use super::secure::Handshakes;
use crate::site::served::Served;

/// How much is read at once; a head that does not fit is not ours to answer.
const READ: usize = 16 * 1024;

/// How long connections go on as before once the doors are closed.
const LAST_WORD: Duration = Duration::from_millis(250);

/// What the connections of one worker share.
pub(super) struct Worker {
    pub(super) house: Arc<House>,
    /// For what is not plain.
    pub(super) server: Server,
    pub(super) room: RefCell<Room>,
    pub(super) handshakes: Handshakes,
    is_leaving: Cell<bool>,
    leaving: Notify,
}

/// Memory for whatever connection is being looked at: one that waits has none.
pub(super) struct Room {
    pub(super) input: Box<[u8]>,
    pub(super) out: Outbox,
}

/// Who is answered over a connection.
pub(super) struct Visitor {
    pub(super) worker: Rc<Worker>,
    pub(super) desk: Rc<Desk>,
    pub(super) peer: IpAddr,
    pub(super) _seat: Seat,
}

impl Worker {
    pub(super) fn new(house: Arc<House>) -> Self {
        Self {
            server: general::server(house.limits),
            handshakes: Handshakes::at_most(house.limits.handshakes),
            house,
            room: RefCell::new(Room { input: vec![0; READ].into(), out: Outbox::default() }),
            is_leaving: Cell::new(false),
            leaving: Notify::new(),
        }
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.house.limits
    }

    /// Whether connections are to end as soon as nothing is left to send on them.
    pub(super) fn is_leaving(&self) -> bool {
        self.is_leaving.get()
    }

    /// Waits until they are to end.
    pub(super) async fn leaving(&self) {
        if !self.is_leaving() {
            self.leaving.notified().await;
        }
    }

    pub(super) fn leave(&self) {
        self.is_leaving.set(true);
        self.leaving.notify_waiters();
    }
}

/// Works from the first connection until it is stopped and everybody has left, or was given time to.
///
/// # Errors
/// When a runtime or a listener cannot be had.
pub(super) fn work(
    doors: Vec<(TcpListener, Served)>,
    house: Arc<House>,
    stop: watch::Receiver<bool>,
) -> std::io::Result<()> {
    // With the runtime end all tasks, and with them the connections that are left.
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default())?;
    runtime.block_on(serve(doors, Rc::new(Worker::new(house)), stop))
}

async fn serve(
    open: Vec<(TcpListener, Served)>,
    worker: Rc<Worker>,
    mut stop: watch::Receiver<bool>,
) -> std::io::Result<()> {
    let mut doors = JoinSet::new();
    for (listener, served) in open {
        let desk = Rc::new(Desk::new(served));
        tokio::task::spawn_local(Rc::clone(&desk).follow());
        doors.spawn_local(accept(listener, desk, Rc::clone(&worker)));
    }
    tokio::select! {
        // An error: whoever could stop us is gone, and so should we be.
        _ = stop.wait_for(|stopped| *stopped) => {}
        Some(Ok(Err(error))) = doors.join_next() => return Err(error),
    }
    doors.shutdown().await;
    // Whoever came in last may not have asked yet.
    let _ = tokio::time::timeout(LAST_WORD, worker.house.is_empty()).await;
    worker.leave();
    // An error: who has not left by now is left.
    let _ = tokio::time::timeout(worker.limits().drain, worker.house.is_empty()).await;
    Ok(())
}
