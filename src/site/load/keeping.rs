//! The kept copy as the supervisor uses it: restored once, renewed off the path of looks.
//!
//! Never holds a look up, and never has two writers.

use std::time::Duration;

use tokio::task::JoinHandle;

use crate::site::generation::Digest;
use crate::site::keep::{Copy, KeepError, Keeper, Saved};

/// After a failure so many looks go by before the next attempt: a full disk is not hammered.
const PAUSE: u32 = 30;

/// So long is a copy waited for at the end, when one is being written: without it the next process would have nothing to
/// serve, or what was there before, until its source has answered.
const LAST_COPY: Duration = Duration::from_secs(3);

/// A keeper and what it is at.
#[derive(Debug)]
pub(super) struct Keeping {
    state: State,
    trouble: Option<String>,
    pause: u32,
}

#[derive(Debug)]
enum State {
    Idle(Box<Keeper>),
    Busy(JoinHandle<(Box<Keeper>, Result<Saved, KeepError>)>),
    /// A writer panicked; this is a defect, and costs the kept copy only.
    Lost,
}

impl Keeping {
    pub(super) fn with(keeper: Keeper) -> Self {
        Self { state: State::Idle(Box::new(keeper)), trouble: None, pause: 0 }
    }

    /// What is wrong with the kept copy.
    pub(super) fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// The kept copy, if there is a good one.
    pub(super) async fn restore(&mut self) -> Option<Copy> {
        let State::Idle(mut keeper) = std::mem::replace(&mut self.state, State::Lost) else { return None };
        let restored = tokio::task::spawn_blocking(move || {
            let restored = keeper.restore();
            (keeper, restored)
        });
        let Ok((keeper, restored)) = restored.await else { return None };
        self.state = State::Idle(keeper);
        match restored {
            Ok(copy) => copy,
            Err(error) => {
                self.fail(&error);
                None
            }
        }
    }

    /// Sees to it that `generation` is kept; `copy` is called when there is something to write.
    pub(super) async fn see_to(&mut self, generation: Digest, copy: impl FnOnce() -> Option<Copy>) {
        self.finish().await;
        self.pause = self.pause.saturating_sub(1);
        match std::mem::replace(&mut self.state, State::Lost) {
            State::Idle(keeper) if self.pause > 0 || keeper.generation() == Some(generation) => {
                self.state = State::Idle(keeper);
            }
            State::Idle(mut keeper) => match copy() {
                Some(copy) => {
                    self.state = State::Busy(tokio::task::spawn_blocking(move || {
                        let kept = keeper.keep(&copy);
                        (keeper, kept)
                    }));
                }
                None => self.state = State::Idle(keeper),
            },
            other @ (State::Busy(_) | State::Lost) => self.state = other,
        }
    }

    /// Lets a writer that is at work finish.
    pub(super) async fn end(self) {
        let State::Busy(task) = self.state else { return };
        match tokio::time::timeout(LAST_COPY, task).await {
            Ok(Ok((_, Err(error)))) => tracing::warn!("{error}"),
            // A panic has said so itself.
            Ok(Ok((_, Ok(_))) | Err(_)) => {}
            Err(_) => tracing::warn!(
                "the site's copy was not written within {LAST_COPY:?}; the one before it is kept"
            ),
        }
    }

    /// Takes note of a writer that is done.
    async fn finish(&mut self) {
        let State::Busy(task) = &mut self.state else { return };
        if !task.is_finished() {
            return;
        }
        let Ok((keeper, kept)) = task.await else {
            self.state = State::Lost;
            return;
        };
        self.state = State::Idle(keeper);
        match kept {
            Ok(_) => self.trouble = None,
            Err(error) => {
                self.fail(&error);
                self.pause = PAUSE;
            }
        }
    }

    fn fail(&mut self, error: &KeepError) {
        tracing::warn!("{error}");
        self.trouble = Some(error.to_string());
    }
}
