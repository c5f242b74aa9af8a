//! The server: connections in, answers out of the current generation.
//!
//! Speaks HTTP/1.1 and HTTP/2 (without TLS with prior knowledge), with TLS where the door has it. Ordinary requests go
//! through the [plain] lane, all others through [hyper](general); both ask the same [desk]. Never binds a port, never
//! touches a file, and never takes a lock for a request, unless it may be sent to HTTPS: a worker looks at an atomic
//! counter to learn whether there is a new generation.

mod accept;
mod desk;
mod general;
mod house;
mod limits;
mod plain;
mod rewind;
mod secure;
mod worker;

use std::sync::Arc;
use std::time::SystemTime;

use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};

pub use self::limits::Limits;

use self::house::House;
use super::reply::Reply;
use super::served::Served;

/// What `/.well-known/hearth/` is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WellKnownRequest<'a> {
    /// What follows `/.well-known/hearth/`, decoded.
    pub path: &'a str,
    /// The host, which is one of the site's.
    pub host: &'a str,
    /// The number of the site.
    pub site: usize,
}

/// Answers `/.well-known/hearth/…`, before a site does. None: there is nothing of this name. Must not wait.
pub type WellKnown = Arc<dyn Fn(&WellKnownRequest<'_>) -> Option<Reply> + Send + Sync>;

/// Reads the wall clock.
pub type WallClock = fn() -> SystemTime;

/// Serves at `doors` until `stop` says true: then the ports are closed at once, and answers under way are given time to
/// end.
///
/// Each worker is a thread with a runtime of its own: a connection stays on its core, and nothing else that the process
/// does delays an answer.
///
/// # Errors
/// When a thread, a runtime or a listener cannot be had.
pub async fn run(
    doors: Vec<(TcpListener, Served)>,
    limits: Limits,
    stop: watch::Receiver<bool>,
) -> std::io::Result<()> {
    let open = |(listener, served): (TcpListener, Served)| Ok((listener.into_std()?, served));
    let doors = doors.into_iter().map(open).collect::<std::io::Result<Vec<_>>>()?;
    let house = Arc::new(House::new(limits));
    let mut ends = Vec::new();
    for number in 0..limits.workers.max(1) {
        let own = doors.iter().map(|(listener, served)| Ok((listener.try_clone()?, served.clone())));
        let own = own.collect::<std::io::Result<_>>()?;
        let (house, stop) = (Arc::clone(&house), stop.clone());
        let (end, ended) = oneshot::channel();
        std::thread::Builder::new().name(format!("site-{number}")).spawn(move || {
            // An error: nobody waits for it any more.
            let _ = end.send(worker::work(own, house, stop));
        })?;
        ends.push(ended);
    }
    drop(doors);
    for ended in ends {
        // An error: the thread panicked, which is on standard error.
        ended.await.unwrap_or_else(|_| Err(std::io::Error::other("a worker panicked")))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
