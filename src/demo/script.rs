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
use crate::moment::Moment;
use crate::policy::Policy;

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
    /// What a visitor must see.
    pub wanted: Wanted,
    /// How long it may take.
    pub within: Duration,
}

/// What a visitor must see.
#[derive(Clone, Debug, PartialEq)]
pub enum Wanted {
    /// These addresses, and the site from the right server at each.
    Just(Sight),
    /// One Pi or both, and the site at each: which of them is the first to come back is open.
    AnyPi,
}

impl Wanted {
    fn is_met_by(&self, sight: &Sight) -> bool {
        match self {
            Wanted::Just(wanted) => sight == wanted,
            Wanted::AnyPi => [&Pi::BOTH[..], &[Pi::One], &[Pi::Two]].iter().any(|pis| *sight == home(pis)),
        }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wanted::Just(sight) => f.write_str(&whom(&addresses(sight))),
            Wanted::AnyPi => f.write_str("a Pi again"),
        }
    }
}

fn addresses(sight: &Sight) -> BTreeSet<IpAddr> {
    sight.keys().copied().collect()
}

/// What is told on the way.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    /// Something was done.
    Done(Act),
    /// This is waited for now.
    Waiting {
        /// Where visitors should be led.
        to: Wanted,
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
    #[error("visitors should have been led to {wanted} within {:.1} s; instead: {instead}", within.as_secs_f64())]
    TooLate {
        /// Where they should have been led.
        wanted: String,
        /// The time that there was.
        within: Duration,
        /// The last look, in words.
        instead: String,
    },
}

/// The outage: both Pis serve, one is killed, the other is killed, both come back one after the other.
#[must_use]
pub fn outage(policy: &Policy) -> Vec<Step> {
    let both = Wanted::Just(home(&Pi::BOTH));
    let away = Wanted::Just(Sight::from([(PAGES_ADDRESS.into(), Page::FromFallback)]));
    let step = |acts: &[Act], wanted: &Wanted, within| Step {
        acts: acts.to_vec(),
        wanted: wanted.clone(),
        within: within + MACHINE,
    };
    vec![
        step(&[], &both, first_write(policy)),
        step(&[Act::Kill(Pi::Two)], &Wanted::Just(home(&[Pi::One])), leave(policy, policy.hard_with_sibling)),
        step(&[Act::Kill(Pi::One)], &away, leave(policy, policy.hard)),
        step(&[Act::Heal(Pi::One), Act::Heal(Pi::Two)], &Wanted::AnyPi, first_return(policy)),
        step(&[], &both, second_return(policy)),
    ]
}

fn home(pis: &[Pi]) -> Sight {
    pis.iter().map(|pi| (pi.public().into(), Page::FromPi)).collect()
}

/// After a start nothing is decided for the warm-up; what has answered by then is taken.
fn first_write(policy: &Policy) -> Duration {
    policy.warm_up + policy.probe_every + policy.probe_total
}

/// The time-out counts from the last success or beat; the probe that finds out may be one interval away, and several
/// have to fail. Before the fallback is taken it is looked at once more.
fn leave(policy: &Policy, hard: Duration) -> Duration {
    hard.max(policy.beat_stale)
        + policy.probe_every
        + policy.probe_total
        + policy.probe_suspect_every * policy.hard_failures
        + policy.fallback_suspect_every
}

/// The first Pi is back when it has been steady for the hold-down. A second look may be needed: the first of them
/// tells who answers there.
fn first_return(policy: &Policy) -> Duration {
    held(policy, 0) + policy.probe_every * 2
}

/// A return within the hour doubles the hold-down. Part of it is over when the first Pi is back, as both were healed
/// at once.
fn second_return(policy: &Policy) -> Duration {
    held(policy, 1).saturating_sub(held(policy, 0)) + policy.probe_every * 2
}

/// How long a Pi must have been steady after so many returns.
fn held(policy: &Policy, returns: u32) -> Duration {
    policy.rise_span.max((policy.hold * (1 << returns)).min(policy.hold_cap))
}

/// Plays every step in turn, and says how long each took.
///
/// # Errors
/// When something could not be done, or was not seen in time. The steps after it are not played.
pub async fn play(stage: &mut impl Stage, steps: &[Step]) -> Result<Vec<Duration>, Failure> {
    let mut took = Vec::with_capacity(steps.len());
    for step in steps {
        for act in &step.acts {
            stage.act(*act).map_err(|error| Failure::Act(*act, error))?;
            stage.tell(&News::Done(*act));
        }
        took.push(wait(stage, step).await?);
    }
    Ok(took)
}

async fn wait(stage: &mut impl Stage, step: &Step) -> Result<Duration, Failure> {
    let within = step.within;
    stage.tell(&News::Waiting { to: step.wanted.clone(), within });
    let start = stage.now();
    loop {
        let sight = stage.look().await;
        let after = stage.now() - start;
        match sight {
            Ok(sight) if step.wanted.is_met_by(&sight) && after <= within => {
                stage.tell(&News::Seen { to: addresses(&sight), after, within });
                return Ok(after);
            }
            seen if after > within => {
                let wanted = step.wanted.to_string();
                return Err(Failure::TooLate { wanted, within, instead: describe(&seen) });
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

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let acts: Vec<String> = self.acts.iter().map(ToString::to_string).collect();
        let cause = if acts.is_empty() { String::new() } else { format!("{}: ", acts.join(", ")) };
        write!(f, "{cause}visitors are led to {}", self.wanted)
    }
}

impl fmt::Display for News {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            News::Done(act) => act.fmt(f),
            News::Waiting { to, within } => {
                write!(f, "waiting, {:.1} s at most, until visitors are led to {to}", within.as_secs_f64())
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
