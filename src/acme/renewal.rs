//! When a certificate is renewed, and how long is waited after a failure. PURE.
//!
//! Never asks more often than authorities allow: <https://letsencrypt.org/docs/rate-limits/> lets five validations of a
//! host fail in an hour, and five orders of the same hosts succeed in a week.

use std::time::Duration;

use ring::digest::{SHA256, digest};

use crate::tls::certificate::Validity;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// When the authority suggests to renew, in seconds since 1970 (RFC 9773 section 4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// From then.
    pub start: u64,
    /// Until then.
    pub end: u64,
}

/// A number of at least 0 and less than 1, which is another for every node and every certificate, and stays the same
/// across restarts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Chance(f64);

impl Chance {
    /// That of `node` for `what`.
    #[must_use]
    pub fn of(node: &str, what: &[u8]) -> Self {
        let digest = digest(&SHA256, &[node.as_bytes(), b"\0", what].concat());
        let four = digest.as_ref().first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes));
        Self(f64::from(four) / (f64::from(u32::MAX) + 1.0))
    }

    /// That part of `span`.
    fn of_span(self, span: u64) -> u64 {
        Duration::from_secs(span).mul_f64(self.0).as_secs()
    }
}

/// When a certificate is renewed, in seconds since 1970: at some moment of the authority's window, or else when a third
/// of its life is left, and up to a thirtieth of it earlier, so that nodes do not all come at once.
///
/// An authority that errs costs neither the site nor the authority's patience: whatever it suggests, a certificate is
/// not replaced in the first sixtieth of its life (four orders a week at 90 days), and is before the last tenth.
#[must_use]
pub fn due(validity: Validity, window: Option<Window>, chance: Chance) -> u64 {
    let life = validity.until.saturating_sub(validity.from);
    if let Some(Window { start, end }) = window.filter(|window| window.start < window.end) {
        let (first, last) = (validity.from + life / 60, validity.until.saturating_sub(life / 10));
        return (start + chance.of_span(end - start)).min(last).max(first);
    }
    validity.until.saturating_sub(life / 3 + chance.of_span(life / 30))
}

/// What a failure means for the next try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setback {
    /// It may pass by itself: a network, a server, a number that was used twice.
    Passing,
    /// The authority looked, and did not find the proof.
    Unproven,
    /// The authority has had enough for now; how long it asks to wait, where it says so.
    TooMany(Option<Duration>),
    /// It stays so until a person acts.
    Stuck,
}

impl Setback {
    /// Whether a person must act.
    #[must_use]
    pub fn needs_person(self) -> bool {
        self == Self::Stuck
    }

    /// The first pause and the longest.
    const fn span(self) -> (Duration, Duration) {
        match self {
            Self::Passing => (Duration::from_secs(10), HOUR.saturating_mul(6)),
            Self::Unproven => (MINUTE.saturating_mul(15), DAY),
            Self::TooMany(_) => (HOUR, DAY),
            Self::Stuck => (HOUR.saturating_mul(6), DAY),
        }
    }
}

/// How long is waited after a failure that is the `failures`th in a row: twice as long each time, and up to a fifth
/// longer by chance. What the authority asks for is the least.
#[must_use]
pub fn pause(setback: Setback, failures: u32, chance: Chance) -> Duration {
    let (first, most) = setback.span();
    let doubled = first.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1).min(16)));
    let least = match setback {
        Setback::TooMany(Some(wait)) => wait.min(7 * DAY),
        Setback::TooMany(None) | Setback::Passing | Setback::Unproven | Setback::Stuck => Duration::ZERO,
    };
    doubled.min(most).max(least).mul_f64(1.0 + chance.0 / 5.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFE: Validity = Validity { from: 1_000_000, until: 1_000_000 + 90 * 86_400 };

    #[test]
    fn it_is_renewed_when_a_third_of_its_life_is_left_and_a_little_before() {
        let third = LIFE.until - 30 * 86_400;
        assert_eq!(due(LIFE, None, Chance(0.0)), third);
        let early = due(LIFE, None, Chance(0.999));
        assert!(early < third && early >= third - 3 * 86_400, "{early}");
    }

    #[test]
    fn the_window_of_the_authority_goes_before() {
        let window = Window { start: 3_000_000, end: 3_001_000 };
        assert_eq!(due(LIFE, Some(window), Chance(0.5)), 3_000_500);
        assert_eq!(
            due(LIFE, Some(Window { start: 2_000, end: 2_000 }), Chance(0.0)),
            LIFE.until - 30 * 86_400
        );
    }

    #[test]
    fn an_authority_that_errs_brings_no_order_after_the_other_and_no_certificate_that_ends() {
        let due = |start| due(LIFE, Some(Window { start, end: start + 60 }), Chance(0.5));
        assert_eq!(due(0), LIFE.from + 36 * 3_600, "in the past, for each certificate anew");
        assert_eq!(due(LIFE.until + 86_400), LIFE.until - 9 * 86_400, "after its end");
    }

    #[test]
    fn a_life_of_nothing_is_over_at_once() {
        let odd = Validity { from: 50, until: 20 };
        assert_eq!(due(odd, None, Chance(0.9)), 20);
    }

    #[test]
    fn pauses_double_up_to_a_most_and_heed_what_is_asked_for() {
        let pause = |setback, failures| pause(setback, failures, Chance(0.0));
        assert_eq!(pause(Setback::Passing, 1), Duration::from_secs(10));
        assert_eq!(pause(Setback::Passing, 3), Duration::from_secs(40));
        assert_eq!(pause(Setback::Passing, 1000), 6 * HOUR);
        assert_eq!(pause(Setback::Unproven, 2), 30 * MINUTE);
        assert_eq!(pause(Setback::TooMany(None), 1), HOUR);
        assert_eq!(pause(Setback::TooMany(Some(3 * HOUR)), 1), 3 * HOUR);
        assert_eq!(pause(Setback::TooMany(Some(1000 * DAY)), 1), 7 * DAY);
        assert_eq!(pause(Setback::Stuck, 9), DAY);
    }

    #[test]
    fn fewer_than_five_validations_of_an_hour_fail() {
        let mut at = Duration::ZERO;
        let tries = (1..20).filter(|failures| {
            let now = at;
            at += pause(Setback::Unproven, *failures, Chance(0.0));
            now < HOUR
        });
        assert!(tries.count() < 5);
    }

    #[test]
    fn chance_is_a_matter_of_the_node_and_stays() {
        let (one, two) = (Chance::of("pi1", b"x"), Chance::of("pi2", b"x"));
        assert!(one == Chance::of("pi1", b"x") && one != two);
        assert!([one, two].iter().all(|chance| (0.0..1.0).contains(&chance.0)));
    }
}
