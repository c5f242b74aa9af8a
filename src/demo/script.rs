//! An outage from beginning to end, played and checked from outside: for every step a visitor asks the name server and
//! every address that it names, until what is seen is what should be seen, or the time for it is over.
//!
//! Asks the parts of the demo nothing: what counts is what a visitor gets.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use super::act::Act;
use super::outside::{AskError, Page, Sight};
use super::picture::whom;
use super::{PAGES_ADDRESS, Pi};
use crate::failover::policy::Policy;
use crate::moment::Moment;

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What a loaded machine may add to any step: processes start, a write is sent, a look is taken.
const MACHINE: Duration = Duration::from_secs(5);

/// A demo that a script can play on.
pub trait Stage {
    /// Now.
    fn now(&self) -> Moment;

    /// Does something to the demo.
    ///
    /// # Errors
    /// When the system refuses.
    fn act(&mut self, act: Act) -> io::Result<()>;

    /// What a visitor sees.
    ///
    /// # Errors
    /// When the name server gives no answer that can be used.
    fn look(&mut self) -> impl Future<Output = Result<Sight, AskError>>;

    /// Tells whoever watches.
    fn tell(&mut self, news: &News);
}

/// One step: things are done, and then a visitor must see something.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// What is done.
    pub acts: Vec<Act>,
    /// What a visitor must see: these addresses, and the site from the right server at each.
    pub wanted: Sight,
    /// How long it may take.
    pub within: Duration,
}

/// What is told on the way.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    /// Something was done.
    Done(Act),
    /// This is waited for now.
    Waiting {
        /// Where visitors should be led.
        to: BTreeSet<IpAddr>,
        /// How long it may take.
        within: Duration,
    },
    /// What was waited for is there.
    Seen {
        /// Where visitors are led.
        to: BTreeSet<IpAddr>,
        /// How long it took.
        after: Duration,
        /// How long it might have taken.
        within: Duration,
    },
}

/// Why a script ended early.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Something could not be done.
    #[error("{0} could not be done: {1}")]
    Act(Act, io::Error),
    /// A step took too long.
    #[error("visitors should have been led to {wanted} within {within:?}; instead: {instead}")]
    TooLate {
        /// Where they should have been led.
        wanted: String,
        /// The time that there was.
        within: Duration,
        /// The last look, in words.
        instead: String,
    },
}

/// The outage: both Pis serve, one is killed, the other is killed, both come back.
#[must_use]
pub fn outage(policy: &Policy) -> Vec<Step> {
    let both = home(&Pi::BOTH);
    let away = Sight::from([(PAGES_ADDRESS.into(), Page::FromFallback)]);
    let step =
        |acts: &[Act], wanted: &Sight, within| Step { acts: acts.to_vec(), wanted: wanted.clone(), within };
    vec![
        step(&[], &both, first_write(policy)),
        step(&[Act::Kill(Pi::Two)], &home(&[Pi::One]), leave(policy, policy.hard_with_sibling)),
        step(&[Act::Kill(Pi::One)], &away, leave(policy, policy.hard)),
        step(&[Act::Heal(Pi::One), Act::Heal(Pi::Two)], &both, come_back(policy)),
    ]
}

fn home(pis: &[Pi]) -> Sight {
    pis.iter().map(|pi| (pi.public().into(), Page::FromPi)).collect()
}

/// After a start nothing is decided for the warm-up, and every Pi must have answered well for a while.
fn first_write(policy: &Policy) -> Duration {
    policy.warm_up + policy.rise_span.max(policy.hold) + policy.probe_every * policy.rise + MACHINE
}

/// The time-out counts from the last success or beat; the probe that finds out may be one interval away. Before the
/// fallback is taken it is looked at once more.
fn leave(policy: &Policy, hard: Duration) -> Duration {
    hard.max(policy.beat_stale)
        + policy.probe_every
        + policy.probe_total
        + policy.probe_suspect_every * policy.hard_failures
        + policy.fallback_suspect_every
        + MACHINE
}

/// Returns are held down, and the second return within the hour twice as long as the first.
fn come_back(policy: &Policy) -> Duration {
    let hold = (policy.hold * 4).min(policy.hold_cap);
    policy.rise_span.max(hold) + policy.probe_every * policy.rise + MACHINE
}

/// Plays every step in turn.
///
/// # Errors
/// When something could not be done, or was not seen in time. The steps after it are not played.
pub async fn play(stage: &mut impl Stage, steps: &[Step]) -> Result<(), Failure> {
    for step in steps {
        for act in &step.acts {
            stage.act(*act).map_err(|error| Failure::Act(*act, error))?;
            stage.tell(&News::Done(*act));
        }
        wait(stage, step).await?;
    }
    Ok(())
}

async fn wait(stage: &mut impl Stage, step: &Step) -> Result<(), Failure> {
    let (to, within) = (step.wanted.keys().copied().collect::<BTreeSet<_>>(), step.within);
    stage.tell(&News::Waiting { to: to.clone(), within });
    let start = stage.now();
    loop {
        let sight = stage.look().await;
        let after = stage.now() - start;
        match sight {
            Ok(sight) if sight == step.wanted && after <= within => {
                stage.tell(&News::Seen { to, after, within });
                return Ok(());
            }
            seen if after > within => {
                return Err(Failure::TooLate { wanted: whom(&to), within, instead: describe(&seen) });
            }
            _ => tokio::time::sleep(LOOK_EVERY).await,
        }
    }
}

/// What a look saw, in words.
#[must_use]
pub fn describe(seen: &Result<Sight, AskError>) -> String {
    let sight = match seen {
        Ok(sight) if sight.is_empty() => return "the site has no address".to_owned(),
        Ok(sight) => sight,
        Err(error) => return error.to_string(),
    };
    let one = |(address, page): (&IpAddr, &Page)| {
        let got = match page {
            Page::FromPi => "gave the site, from a Pi",
            Page::FromFallback => "gave the site, from the fallback",
            Page::Wrong(what) | Page::Nothing(what) => what.as_str(),
        };
        format!("{}: {got}", whom(&BTreeSet::from([*address])))
    };
    sight.iter().map(one).collect::<Vec<_>>().join("; ")
}

impl fmt::Display for News {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            News::Done(act) => act.fmt(f),
            News::Waiting { to, within } => {
                write!(
                    f,
                    "waiting, {:.1} s at most, until visitors are led to {}",
                    within.as_secs_f64(),
                    whom(to)
                )
            }
            News::Seen { to, after, within } => {
                let (after, within) = (after.as_secs_f64(), within.as_secs_f64());
                write!(f, "seen after {after:.2} s (of {within:.1} s): visitors are led to {}", whom(to))
            }
        }
    }
}

#[cfg(test)]
mod tests;
