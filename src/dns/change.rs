//! One round of a change: look, plan, write, and look again.
//!
//! What is read back decides, never what was sent: nothing is called done before it was seen to stand, and a write whose
//! outcome is not known is read back before anything is repeated. Never waits to try again later: that is for
//! the caller and [`super::guard`].

use std::time::Duration;

use super::guard::{Held, Setback};
use super::plan::{self, Desired, Plan, PlanError};
use super::provider::{Consistency, Provider, ProviderError};
use super::snapshot::Snapshot;

/// How often a plan is made anew at once when somebody else wrote in between. Two writers that share an RRset collide
/// now and then; more collisions than this in a row are a fault.
const ATTEMPTS: u32 = 5;

/// How a round ended well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Everything already stood; nothing was written.
    Unchanged {
        /// What stands.
        seen: Snapshot,
    },
    /// The change was written and seen to stand.
    Landed {
        /// What was written.
        written: Box<Plan>,
        /// What stands now.
        seen: Snapshot,
        /// How it is known.
        confirmed: Confirmed,
    },
}

/// How a change is known to have landed. It was read back in either case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirmed {
    /// The provider said so, too.
    Answered,
    /// The provider's answer did not come; the record said it.
    ReadBack,
}

/// Why a round did not end well.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// No plan leads to what is desired.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The provider did not do its part, and nothing of ours is on its way.
    #[error(transparent)]
    Provider(ProviderError),
    /// Somebody else wrote between looking and writing, every time. Nothing of ours was written.
    #[error(
        "{0}; so it went {ATTEMPTS} times in a row: many others write there, or a wildcard answers for the name"
    )]
    Collided(ProviderError),
    /// The caller could not note what was about to be written, so nothing was.
    #[error("the change was not written because it could not be noted first: {0}")]
    NotNoted(String),
    /// The provider's budget for this hour is spent, so nothing was written.
    #[error(
        "so many changes within an hour could get the account locked, so this one waits; the next is in {} min",
        .0.as_secs() / 60 + 1
    )]
    Budget(Duration),
    /// The provider wants more time between two changes, so nothing was written.
    #[error("the last change was sent a moment ago, so this one waits for {} s more", .0.as_secs() + 1)]
    TooSoon(Duration),
    /// The provider took the change so long ago, and its name servers do not show it yet.
    #[error(
        "the change was taken {} s ago and its name servers do not show it yet; it is not sent again",
        .0.as_secs()
    )]
    NotShown(Duration),
    /// The change may have been written, and it has not been seen to stand. Look again before repeating anything.
    #[error(transparent)]
    Unconfirmed(ProviderError),
    /// The provider took the change, and something else stands.
    #[error(
        "the change was taken, but something else stands now; somebody else writes there as well. Left to do: {0}"
    )]
    Overwritten(Box<Plan>),
}

impl From<Held> for ChangeError {
    fn from(held: Held) -> Self {
        match held {
            Held::NotNoted(why) => ChangeError::NotNoted(why),
            Held::Budget(wait) => ChangeError::Budget(wait),
            Held::TooSoon(wait) => ChangeError::TooSoon(wait),
            Held::NotShown(since) => ChangeError::NotShown(since),
        }
    }
}

impl ChangeError {
    /// What this means for the next round.
    #[must_use]
    pub fn setback(&self) -> Setback {
        match self {
            ChangeError::Provider(error) | ChangeError::Unconfirmed(error) => error.setback(),
            ChangeError::Collided(_) | ChangeError::Overwritten(_) => Setback::Conflict,
            ChangeError::Budget(wait) | ChangeError::TooSoon(wait) => Setback::Budget(*wait),
            ChangeError::Plan(_) | ChangeError::NotNoted(_) | ChangeError::NotShown(_) => Setback::Passing,
        }
    }
}

/// Makes `desired` stand. `before_write` is called with each plan right before it is sent, so that the caller can put its intent on
/// disk and count the change; when it fails, nothing is sent.
///
/// # Errors
/// When what is desired was not seen to stand.
pub async fn change<F: Future<Output = Result<(), Held>>>(
    provider: &Provider,
    desired: &Desired,
    mut before_write: impl FnMut(&Plan) -> F,
) -> Result<Outcome, ChangeError> {
    let mut collision: Option<(Plan, ProviderError)> = None;
    for _ in 0..ATTEMPTS {
        let seen = provider.observe(&desired.name).await.map_err(ChangeError::Provider)?;
        let plan = plan::plan(desired, &seen)?;
        if plan.is_empty() {
            return Ok(Outcome::Unchanged { seen });
        }
        // Nothing changed in between, so the answer would be the same; some providers punish whoever asks again.
        if let Some((_, error)) = collision.take_if(|(refused, _)| *refused == plan) {
            return Err(ChangeError::Provider(error));
        }
        before_write(&plan).await?;
        match provider.apply(&plan).await {
            Ok(()) => return read_back(provider, desired, plan, None).await,
            Err(error @ ProviderError::Unconfirmed { .. }) => {
                return read_back(provider, desired, plan, Some(error)).await;
            }
            Err(error @ ProviderError::Conflict { .. }) => collision = Some((plan, error)),
            Err(error) => return Err(ChangeError::Provider(error)),
        }
    }
    let (_, error) = collision.expect("every attempt but a collision returns");
    Err(ChangeError::Collided(error))
}

/// Looks whether `written` stands. `doubt` is why the provider's word for it is missing.
async fn read_back(
    provider: &Provider,
    desired: &Desired,
    written: Plan,
    doubt: Option<ProviderError>,
) -> Result<Outcome, ChangeError> {
    let confirmed = if doubt.is_none() { Confirmed::Answered } else { Confirmed::ReadBack };
    let seen = match provider.observe(&desired.name).await {
        Ok(seen) => seen,
        Err(error) => return Err(ChangeError::Unconfirmed(doubt.unwrap_or(error))),
    };
    let left = plan::plan(desired, &seen)?;
    match doubt {
        _ if left.is_empty() => Ok(Outcome::Landed { written: Box::new(written), seen, confirmed }),
        Some(doubt) => Err(ChangeError::Unconfirmed(doubt)),
        None if is_late(provider) && seen.records == written.seen().records => {
            Err(ChangeError::NotShown(Duration::ZERO))
        }
        None => Err(ChangeError::Overwritten(Box::new(left))),
    }
}

/// Whether a reading may show what stood before.
fn is_late(provider: &Provider) -> bool {
    matches!(provider.capabilities().consistency, Consistency::Delayed(_))
}
