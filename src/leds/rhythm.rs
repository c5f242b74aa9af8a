//! The rhythm of each state, as one LED blinks it and as three lamps do.
//!
//! Never faster than 2.5 Hz (WCAG 2.3.1 allows three flashes a second), and never ending on a lit step: a kernel that
//! plays a rhythm for us leaves the LED as the last step had it.

use std::time::Duration;

use super::Shown;
use crate::status::FaultCode;

/// Lit or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Lit.
    On,
    /// Dark.
    Off,
}

/// One level, held for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Lit or not.
    pub level: Level,
    /// For how long.
    pub span: Duration,
}

/// Steps, repeated for ever. There is at least one, and each has a length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rhythm(Vec<Step>);

/// The rhythm of a state, in milliseconds lit and dark.
#[must_use]
pub fn rhythm(shown: Shown) -> Rhythm {
    match shown {
        Shown::Leaving => Rhythm::of(&[(200, 3800)]),
        Shown::NeedsHuman(code) => {
            let blinks = vec![(200, 300); usize::from(code.blinks())];
            Rhythm::of(&blinks).then_dark(1500)
        }
        Shown::Acknowledged(code) => {
            let blinks = u64::from(code.blinks());
            let blinking = vec![(200, 300); usize::from(code.blinks())];
            Rhythm::of(&blinking).then_dark(10_000 - 500 * blinks)
        }
        Shown::Failover => Rhythm::of(&[(1000, 300), (200, 500)]),
        // On one lamp the same as no Internet: it lasts half a minute, and whoever looks has asked for it.
        Shown::Offline | Shown::Identify => Rhythm::of(&[(250, 250)]),
        Shown::Test => Rhythm::of(&[(500, 500)]),
        Shown::Degraded => Rhythm::of(&[(1000, 1000)]),
        Shown::Updating => Rhythm::of(&[(450, 50)]),
        // Three dark blips, not three lit ones: those would be counted as fault 3.
        Shown::Setup => Rhythm::of(&[(1000, 100), (300, 100), (300, 100)]),
        Shown::Night => Rhythm(vec![]).then_dark(1000),
        Shown::Starting => Rhythm::of(&[(400, 1600)]),
        Shown::Healthy => Rhythm::of(&[(4900, 100)]),
    }
}

/// The rhythm of a state, as people say it.
#[must_use]
pub fn describe(shown: Shown) -> String {
    match shown {
        Shown::Leaving => "a short blink every four seconds, then dark".to_owned(),
        Shown::Identify => "every lamp even, twice a second, for half a minute".to_owned(),
        Shown::Test => "each lamp for a second in its turn, then a second of dark".to_owned(),
        Shown::NeedsHuman(code) => format!("{}, a pause of two seconds", blinks(code)),
        Shown::Acknowledged(code) => format!("{}, once in ten seconds", blinks(code)),
        Shown::Failover => "long-short".to_owned(),
        Shown::Offline => "even, twice a second".to_owned(),
        Shown::Degraded => "one second on, one off".to_owned(),
        Shown::Updating => "lit with two short dips a second".to_owned(),
        Shown::Setup => "lit for a second, then three short dips".to_owned(),
        Shown::Starting => "a short blink every two seconds".to_owned(),
        Shown::Healthy => "steady with a dip every five seconds".to_owned(),
        Shown::Night => "dark".to_owned(),
    }
}

fn blinks(code: FaultCode) -> String {
    match code.blinks() {
        1 => "1 short blink".to_owned(),
        n => format!("{n} short blinks"),
    }
}

impl Rhythm {
    /// Pairs of milliseconds lit and dark.
    fn of(pairs: &[(u64, u64)]) -> Self {
        let step = |level, ms| Step { level, span: Duration::from_millis(ms) };
        Self(pairs.iter().flat_map(|(on, off)| [step(Level::On, *on), step(Level::Off, *off)]).collect())
    }

    /// Lit in its turn: the lamp at `place` of `count`, a second each, with a second of dark at the end of the round.
    pub(super) fn turn(place: usize, count: usize) -> Self {
        let step = |level, seconds: usize| Step { level, span: Duration::from_secs(seconds as u64) };
        let steps = [step(Level::Off, place), step(Level::On, 1), step(Level::Off, count - place)];
        Self(steps.into_iter().filter(|step| !step.span.is_zero()).collect())
    }

    /// The same with a longer pause at its end.
    fn then_dark(mut self, ms: u64) -> Self {
        self.0.push(Step { level: Level::Off, span: Duration::from_millis(ms) });
        self
    }

    /// The steps of one round.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    /// How long one round takes.
    #[must_use]
    pub fn period(&self) -> Duration {
        self.0.iter().map(|step| step.span).sum()
    }

    /// The level this long after the rhythm began.
    #[must_use]
    pub fn level_at(&self, elapsed: Duration) -> Level {
        self.find(elapsed).0.level
    }

    /// How long the step that is on then will go on.
    #[must_use]
    pub fn until_next(&self, elapsed: Duration) -> Duration {
        self.find(elapsed).1
    }

    /// The step that is on, and what is left of it.
    fn find(&self, elapsed: Duration) -> (Step, Duration) {
        let period = self.period().as_nanos();
        let mut into = Duration::from_nanos(u64::try_from(elapsed.as_nanos() % period).unwrap_or(0));
        for step in &self.0 {
            match into.checked_sub(step.span) {
                Some(rest) => into = rest,
                None => return (*step, step.span - into),
            }
        }
        unreachable!("the rest of a division by the period is less than the sum of the steps")
    }
}
