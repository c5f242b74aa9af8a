//! The guard in front of a provider: when the next write may be tried, after what went wrong with the last ones.
//!
//! Backs off 1, 2, 4 … 60 s, keeps writes apart, and stops at the first refusal of the credentials until a person acts:
//! providers lock an account after some dozen failed logins. Never reads a clock and draws no random number: `now` and
//! the jitter are arguments. Its state is a value that the caller persists, so that a crash loop is no way around it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::moment::Moment;

/// The first wait after a failure; it doubles.
const FIRST: Duration = Duration::from_secs(1);
/// The longest wait that doubling leads to.
const LONGEST: Duration = Duration::from_secs(60);
/// The wait after the provider said that this name is not ours to write: somebody has to change rights over there.
const REFUSED: Duration = Duration::from_secs(15 * 60);
/// The first wait after a provider found our clock wrong; it is set within seconds of a synchronisation.
const CLOCK: Duration = Duration::from_secs(10);

/// What went wrong with a write, by what it means for the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setback {
    /// The credentials are not accepted.
    Auth,
    /// The credentials are accepted, but not for this name or zone.
    Refused,
    /// Our clock is wrong. Never counted as a refusal of the credentials.
    ClockSkew,
    /// Somebody else wrote in between.
    Conflict,
    /// The provider asks to wait this long.
    Wait(Duration),
    /// So many changes were made of late that the next has to wait this long: our own limit, of this name.
    Budget(Duration),
    /// Anything that may be better next time: unreachable, unconfirmed, an error of the server's.
    Passing,
}

/// Why a change is not sent although it could be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// It could not be noted first; why, in words.
    NotNoted(String),
    /// There were too many of late: not for this long.
    Budget(Duration),
    /// The last one is too young: not for this long.
    TooSoon(Duration),
    /// The same was sent this long ago and does not show yet.
    NotShown(Duration),
}

/// Whether a write may be tried now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// Now.
    Granted,
    /// Not before this point.
    From(Moment),
    /// Not before a person acts: the credentials were refused.
    Stopped,
}

/// The guard's state for one name at one provider.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guard {
    /// Failures since the last success.
    failures: u32,
    /// Nothing is tried before this point.
    not_before: Option<Moment>,
    /// The credentials were refused.
    stopped: bool,
}

impl Guard {
    /// Whether a write may be tried at `now`.
    #[must_use]
    pub fn permission(&self, now: Moment) -> Permission {
        match self.not_before {
            _ if self.stopped => Permission::Stopped,
            Some(from) if from > now => Permission::From(from),
            Some(_) | None => Permission::Granted,
        }
    }

    /// A write landed: the next one keeps `spacing` away from it.
    pub fn landed(&mut self, now: Moment, spacing: Duration) {
        *self = Self { not_before: Some(now + spacing), ..Self::default() };
    }

    /// A write did not land. `jitter` is drawn by the caller from 0 to 1; it spreads writers that failed together over
    /// the second half of the wait.
    pub fn failed(&mut self, setback: Setback, now: Moment, jitter: f64) {
        self.failures = self.failures.saturating_add(1);
        self.stopped |= setback == Setback::Auth;
        let wait = match setback {
            Setback::Wait(asked) => asked.max(self.back_off(jitter)),
            Setback::Budget(wait) => wait,
            Setback::Refused => spread(REFUSED, jitter),
            Setback::ClockSkew => spread(CLOCK, jitter).max(self.back_off(jitter)),
            Setback::Auth | Setback::Conflict | Setback::Passing => self.back_off(jitter),
        };
        self.not_before = Some(now + wait);
    }

    /// A person acted: the configuration was read again, the credentials changed, or the program was started by hand.
    /// A restart by the supervisor is not a person.
    pub fn person_acted(&mut self) {
        *self = Self::default();
    }

    fn back_off(&self, jitter: f64) -> Duration {
        let doublings = self.failures.saturating_sub(1).min(16);
        spread(FIRST.saturating_mul(1 << doublings).min(LONGEST), jitter)
    }
}

/// `wait` less up to half of it.
fn spread(wait: Duration, jitter: f64) -> Duration {
    let jitter = if jitter.is_finite() { jitter.clamp(0.0, 1.0) } else { 1.0 };
    wait.mul_f64(0.5 + jitter / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Moment = Moment::from_millis(100_000);

    fn waited(guard: &Guard) -> Duration {
        let permission = guard.permission(NOW);
        let Permission::From(at) = permission else { panic!("{permission:?}") };
        at - NOW
    }

    #[test]
    fn waits_double_up_to_a_minute_and_a_success_forgets_them() {
        let mut guard = Guard::default();
        let waits: Vec<u64> = std::iter::repeat_with(|| {
            guard.failed(Setback::Passing, NOW, 1.0);
            waited(&guard).as_secs()
        })
        .take(40)
        .collect();
        assert_eq!(waits[..8], [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(waits[39], 60);
        guard.landed(NOW, Duration::ZERO);
        assert_eq!(guard.permission(NOW), Permission::Granted);
        guard.failed(Setback::Passing, NOW, 1.0);
        assert_eq!(waited(&guard), Duration::from_secs(1));
    }

    #[test]
    fn jitter_spreads_over_the_second_half_of_the_wait() {
        let wait = |jitter| {
            let mut guard = Guard::default();
            guard.failed(Setback::Passing, NOW, jitter);
            waited(&guard).as_millis()
        };
        assert_eq!((wait(0.0), wait(0.5), wait(1.0)), (500, 750, 1000));
        assert_eq!((wait(-7.0), wait(9.0), wait(f64::NAN)), (500, 1000, 1000));
    }

    #[test]
    fn refused_credentials_stop_everything_until_a_person_acts_even_across_a_restart() {
        let mut guard = Guard::default();
        guard.failed(Setback::Auth, NOW, 0.0);
        let text = serde_json::to_string(&guard).unwrap();
        let mut guard: Guard = serde_json::from_str(&text).unwrap();
        assert_eq!(guard.permission(NOW + Duration::from_secs(1_000_000)), Permission::Stopped);
        guard.failed(Setback::Passing, NOW, 0.0);
        assert_eq!(guard.permission(NOW + Duration::from_secs(1_000_000)), Permission::Stopped);
        guard.person_acted();
        assert_eq!(guard.permission(NOW), Permission::Granted);
    }

    #[test]
    fn a_wrong_clock_waits_and_never_stops() {
        let mut guard = Guard::default();
        guard.failed(Setback::ClockSkew, NOW, 1.0);
        assert_eq!(waited(&guard), CLOCK);
        (0..100).for_each(|_| guard.failed(Setback::ClockSkew, NOW, 1.0));
        assert_eq!(waited(&guard), LONGEST);
    }

    #[test]
    fn a_provider_that_asks_for_time_gets_it() {
        let mut guard = Guard::default();
        guard.failed(Setback::Wait(Duration::from_secs(300)), NOW, 0.0);
        assert_eq!(waited(&guard), Duration::from_secs(300));
    }

    #[test]
    fn writes_keep_their_distance() {
        let mut guard = Guard::default();
        guard.landed(NOW, Duration::from_secs(5));
        assert_eq!(guard.permission(NOW), Permission::From(NOW + Duration::from_secs(5)));
        assert_eq!(guard.permission(NOW + Duration::from_secs(5)), Permission::Granted);
    }
}
