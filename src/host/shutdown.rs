//! The end of the process: asked for once it is graceful, asked for twice it is immediate.
//!
//! Never stops a task itself: whoever runs one holds a receiver and looks at it.
//!
//! SIGTERM and SIGINT say that the process is to be gone; SIGHUP, that another is about to take its place
//! ([`Shutdown::is_relief`]), as in `systemctl reload`.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// Whether the process is to stop. Clones see the same stop.
#[derive(Clone, Debug)]
pub struct Shutdown {
    wanted: Arc<watch::Sender<bool>>,
    relief: Arc<AtomicBool>,
}

impl Shutdown {
    /// Takes over SIGTERM, SIGINT and SIGHUP: the first begins a graceful stop, the second ends the process at once
    /// with status 130, for the case that a graceful stop hangs on something.
    ///
    /// # Errors
    /// When the signal handlers cannot be installed.
    pub fn install() -> io::Result<Self> {
        let shutdown = Self::manual();
        let signals = Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        };
        tokio::spawn(obey(shutdown.clone(), signals));
        Ok(shutdown)
    }

    /// A stop that only [`Shutdown::begin`] asks for.
    #[must_use]
    pub fn manual() -> Self {
        Self { wanted: Arc::new(watch::Sender::new(false)), relief: Arc::default() }
    }

    /// Begins a graceful stop. Asking again changes nothing.
    pub fn begin(&self) {
        self.wanted.send_replace(true);
    }

    /// Begins a graceful stop of a process whose place another is about to take.
    pub fn begin_relief(&self) {
        self.relief.store(true, Ordering::Release);
        self.begin();
    }

    /// Whether another process is about to take this one's place, once the stop is wanted: then nobody needs to be told
    /// that it is gone.
    #[must_use]
    pub fn is_relief(&self) -> bool {
        self.relief.load(Ordering::Acquire)
    }

    /// What a task waits on beside its work: `true` once the stop is wanted.
    #[must_use]
    pub fn receiver(&self) -> watch::Receiver<bool> {
        self.wanted.subscribe()
    }
}

/// Waits until the stop is wanted. Whoever could ask for it being gone is a stop as well.
pub async fn stopped(receiver: &mut watch::Receiver<bool>) {
    // The only error is that the sender is gone.
    let _ = receiver.wait_for(|wanted| *wanted).await;
}

/// The signals that end the process.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    /// The name of the next one.
    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.hangup.recv() => HANGUP,
        }
    }
}

const HANGUP: &str = "SIGHUP";

async fn obey(shutdown: Shutdown, mut signals: Signals) {
    let name = signals.next().await;
    if name == HANGUP {
        tracing::info!("{name}: making room for the next process; a second signal ends at once");
        shutdown.begin_relief();
    } else {
        tracing::info!("{name}: stopping; a second signal ends at once");
        shutdown.begin();
    }
    let name = signals.next().await;
    tracing::warn!("{name} again: ending at once");
    end_at_once();
}

#[expect(clippy::disallowed_methods, reason = "destructors may be what hangs when somebody asks twice")]
fn end_at_once() -> ! {
    std::process::exit(130)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_receiver_sees_the_stop_however_late_it_was_made() {
        let shutdown = Shutdown::manual();
        let mut early = shutdown.receiver();
        assert!(!*early.borrow());
        shutdown.clone().begin();
        stopped(&mut early).await;
        stopped(&mut shutdown.receiver()).await;
        assert!(*early.borrow());
    }

    /// Sends one signal to the test process itself, which is harmless once the handlers are installed.
    #[tokio::test]
    async fn the_first_signal_begins_a_graceful_stop() {
        let shutdown = Shutdown::install().unwrap();
        let mut receiver = shutdown.receiver();
        assert!(!*receiver.borrow());
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TERM).unwrap();
        stopped(&mut receiver).await;
        assert!(*receiver.borrow() && !shutdown.is_relief());
    }

    #[tokio::test]
    async fn a_relief_is_a_stop_that_knows_of_its_successor() {
        let shutdown = Shutdown::manual();
        let mut receiver = shutdown.receiver();
        assert!(!shutdown.is_relief());
        shutdown.clone().begin_relief();
        stopped(&mut receiver).await;
        assert!(shutdown.is_relief());
    }

    #[tokio::test]
    async fn a_stop_that_nobody_can_ask_for_any_more_has_come() {
        let mut orphan = Shutdown::manual().receiver();
        stopped(&mut orphan).await;
    }
}
