//! One round of a change behind the guard: counted before it is sent, and settled once it is known what became of it.
//!
//! Everybody who changes a record goes through here. Never asks whether the provider may be asked at all: that is
//! [`Entry::permission`], and whoever has to wait does so by themselves.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::account_book::Entry;
use super::change::{ChangeError, Outcome, change};
use super::guard::{Held, Permission, Setback};
use super::plan::{Desired, Plan};
use super::provider::{Provider, ProviderError, TextChange};
use super::{Name, Rdata, RdataSet};

/// Makes `desired` stand, as [`change`] does, and keeps the `entry` in step. `note` is given the plan
/// after it was counted and before it is sent; when it fails, nothing is sent. The next change keeps `spacing` away from one that landed.
///
/// # Errors
/// As [`change`].
pub async fn attempt<F: Future<Output = Result<(), Held>>>(
    entry: &Entry,
    provider: &Provider,
    desired: &Desired,
    spacing: Duration,
    note: impl Fn(&Plan) -> F,
) -> Result<Outcome, ChangeError> {
    let (wanted, sent) = (wanted(desired), AtomicBool::new(false));
    let (wanted_there, was_sent) = (&wanted, &sent);
    let sending = |plan: &Plan| {
        let noted = note(plan);
        async move {
            entry.sending(wanted_there).await?;
            noted.await?;
            was_sent.store(true, Ordering::Relaxed);
            Ok(())
        }
    };
    let outcome = change(provider, desired, sending).await;
    match &outcome {
        Ok(Outcome::Unchanged { .. }) => entry.landed(&wanted, Duration::ZERO).await,
        Ok(Outcome::Landed { .. }) => entry.landed(&wanted, spacing).await,
        Err(error) => {
            if sent.into_inner() {
                settle(entry, error).await;
            }
            entry.failed(error.setback()).await;
        }
    }
    outcome
}

/// Notes what is known of a change that was sent and did not come about.
async fn settle(entry: &Entry, error: &ChangeError) {
    match error {
        ChangeError::NotShown(_) => entry.taken().await,
        // Nothing of ours is on its way.
        ChangeError::Provider(_) | ChangeError::Collided(_) => entry.not_taken().await,
        ChangeError::Unconfirmed(_)
        | ChangeError::Overwritten(_)
        | ChangeError::Plan(_)
        | ChangeError::NotNoted(_)
        | ChangeError::Budget(_)
        | ChangeError::TooSoon(_) => {}
    }
}

/// Why a text was not put, or not taken away.
#[derive(Clone, Debug, thiserror::Error)]
pub enum TextError {
    /// The provider asked for a pause, or something failed a moment ago; how long is still to wait.
    #[error("the provider is left alone for {} s more, after what went wrong there before", .0.as_secs() + 1)]
    Paused(Duration),
    /// The credentials were refused before.
    #[error(
        "the key was refused before, and nothing is tried until a person acts: correct it, or restart hearth"
    )]
    Stopped,
    /// It was held up, or the provider did not do it.
    #[error(transparent)]
    Change(#[from] ChangeError),
}

impl TextError {
    /// What this means for the next round.
    #[must_use]
    pub fn setback(&self) -> Setback {
        match self {
            Self::Paused(wait) => Setback::Wait(*wait),
            Self::Stopped => Setback::Auth,
            Self::Change(error) => error.setback(),
        }
    }
}

/// Puts a text at a name, or takes it away, behind the guard of its account. Putting counts as a change; taking away does
/// not, so that no budget leaves one behind.
///
/// # Errors
/// When it was not done, or when it is not known whether it was ([`ProviderError::Unconfirmed`]).
pub async fn attempt_text(
    entry: &Entry,
    provider: &Provider,
    change: TextChange,
    (name, text): (&Name, &str),
) -> Result<(), TextError> {
    match entry.permission() {
        Permission::Granted => {}
        Permission::From(at) => return Err(TextError::Paused(entry.until(at))),
        Permission::Stopped => return Err(TextError::Stopped),
    }
    if change == TextChange::Put {
        entry.sending(&BTreeSet::new()).await.map_err(ChangeError::from)?;
    }
    let done = provider.change_text(change, name, text).await;
    match &done {
        Ok(()) => entry.landed(&BTreeSet::new(), Duration::ZERO).await,
        Err(ProviderError::Unconfirmed { .. }) => {}
        Err(error) => {
            entry.not_taken().await;
            entry.failed(error.setback()).await;
        }
    }
    done.map_err(|error| ChangeError::Provider(error).into())
}

/// The record data that is wanted.
#[must_use]
pub fn wanted(desired: &Desired) -> BTreeSet<Rdata> {
    desired.sets.iter().flat_map(RdataSet::iter).cloned().collect()
}
