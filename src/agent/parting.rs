//! The way out of an agent: who is told, what is left at the names, and how long visitors are still served.
//!
//! Never leaves a name when another agent is about to be started, and never waits longer than it says.

use std::time::Duration;

use tokio::task::JoinError;

use super::beating::Farewell;
use super::event::Event;
use super::keeper::Left;
use super::{Agent, AgentError, Ended, FAREWELL, LINGER};
use crate::host::notify;
use crate::host::shutdown::{Shutdown, stopped};

/// How long the tasks may take to end after the ports were closed: the site's time for draining, and a little.
const CLOSING: Duration = Duration::from_secs(6);

/// The same after a defect, when the service manager is about to start another agent.
const AFTER_DEFECT: Duration = Duration::from_secs(1);

impl Agent {
    /// Until a stop is wanted, or a task ends that must not; then the way out.
    pub(super) async fn until_stopped(mut self, shutdown: &Shutdown) -> Result<(), AgentError> {
        let mut stop = shutdown.receiver();
        let defect = tokio::select! {
            biased;
            () = stopped(&mut stop) => None,
            Some(ended) = self.tasks.join_next() => Some(cause(ended)),
            Some(ended) = self.keepers.join_next() => Some(match ended {
                Ok(_) => AgentError::Ended("keeper of a record"),
                Err(error) => AgentError::Panicked(error.to_string()),
            }),
            Some(Err(error)) = self.beats.join_next() => Some(AgentError::Panicked(error.to_string())),
        };
        if defect.is_some() || !shutdown.is_relief() {
            notify::stopping();
        }
        match defect {
            None if shutdown.is_relief() => self.make_room().await,
            None => self.leave().await,
            Some(_) => {
                // Not announced, and no name is left: another agent is about to be started.
                self.beats.abort_all();
                self.keepers.abort_all();
                self.leave.begin();
                self.close_the_doors(AFTER_DEFECT).await;
            }
        }
        defect.map_or(Ok(()), Err)
    }

    /// The way out when another agent is about to be started on purpose: no name is left, and watchers hear of an update.
    async fn make_room(&mut self) {
        self.keepers.abort_all();
        self.leave.begin_relief();
        self.take_leave().await;
        self.close_the_doors(CLOSING).await;
    }

    /// The way out, in the order that the module says.
    async fn leave(&mut self) {
        // The board may be gone only when the process is on its way out already.
        let _ = self.events.send(Event::Leaving).await;
        self.leave.begin();
        let heard = self.take_leave().await;
        if self.leave_the_names().await || heard {
            tracing::info!("serving visitors for {LINGER:?} more while records change");
            tokio::time::sleep(LINGER).await;
        }
        self.close_the_doors(CLOSING).await;
        self.book.person_acted().await;
    }

    /// Whether the node's member was taken out of a name.
    async fn leave_the_names(&mut self) -> bool {
        let mut left = false;
        let leaving = async {
            while let Some(ended) = self.keepers.join_next().await {
                left |= matches!(ended, Ok(Left::Withdrawn));
            }
        };
        if tokio::time::timeout(CLOSING, leaving).await.is_err() {
            tracing::warn!("a DNS provider holds the stop up; what stands at the names is left as it is");
            self.keepers.abort_all();
        }
        left
    }

    /// Lets every task end within `patience`; the LEDs go dark by it.
    async fn close_the_doors(&mut self, patience: Duration) {
        self.close.begin();
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(patience, ended).await.is_err() {
            tracing::warn!("{} tasks did not end in time and are cut off", self.tasks.len());
            self.tasks.abort_all();
        }
    }

    /// Lets the beats end; whether a watcher has heard of it.
    async fn take_leave(&mut self) -> bool {
        let mut heard = false;
        let telling = async {
            while let Some(farewell) = self.beats.join_next().await {
                heard |= matches!(farewell, Ok(Farewell::Heard));
            }
        };
        if tokio::time::timeout(FAREWELL, telling).await.is_err() {
            tracing::warn!("not every watcher could be told of the stop within {FAREWELL:?}");
        }
        self.beats.abort_all();
        heard
    }
}

/// Why a task that must not end did.
fn cause(ended: Result<Ended, JoinError>) -> AgentError {
    match ended {
        Ok((_, Err(error))) => error,
        Ok((what, Ok(()))) => AgentError::Ended(what),
        Err(error) => AgentError::Panicked(error.to_string()),
    }
}
