//! The end of the process: asked for once it is graceful, asked for twice it is immediate.
//!
//! Never stops a task itself: whoever runs one holds a receiver and looks at it.

use std::io;
use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// Whether the process is to stop. Clones see the same stop.
#[derive(Clone, Debug)]
pub struct Shutdown {
    wanted: Arc<watch::Sender<bool>>,
}

impl Shutdown {
    /// Takes over SIGTERM and SIGINT: the first begins a graceful stop, the second ends the process at once with
    /// status 130, for the case that a graceful stop hangs on something.
    ///
    /// # Errors
    /// When the signal handlers cannot be installed.
    pub fn install() -> io::Result<Self> {
        let shutdown = Self::manual();
        let (terminate, interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        tokio::spawn(obey(shutdown.clone(), terminate, interrupt));
        Ok(shutdown)
    }

    /// A stop that only [`Shutdown::begin`] asks for.
    #[must_use]
    pub fn manual() -> Self {
        Self { wanted: Arc::new(watch::Sender::new(false)) }
    }

    /// Begins a graceful stop. Asking again changes nothing.
    pub fn begin(&self) {
        self.wanted.send_replace(true);
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

async fn obey(shutdown: Shutdown, mut terminate: Signal, mut interrupt: Signal) {
    let name = either(&mut terminate, &mut interrupt).await;
    tracing::info!("{name}: stopping; a second signal ends at once");
    shutdown.begin();
    let name = either(&mut terminate, &mut interrupt).await;
    tracing::warn!("{name} again: ending at once");
    end_at_once();
}

async fn either(terminate: &mut Signal, interrupt: &mut Signal) -> &'static str {
    tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    }
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
        assert!(*receiver.borrow());
    }

    #[tokio::test]
    async fn a_stop_that_nobody_can_ask_for_any_more_has_come() {
        let mut orphan = Shutdown::manual().receiver();
        stopped(&mut orphan).await;
    }
}
