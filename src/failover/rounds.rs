//! When looks at rest are due: on a grid over the time line, each place with a phase and a jitter of its own.
//!
//! A watcher of a thousand sites does not look at all of them at once, and two watchers do not march in step. The
//! grid is a function of the time line alone: nothing has to be remembered from one look to the next, and looks that
//! were left out do not shift those that follow. Never reads a clock and never makes random numbers.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::moment::Moment;

/// The rounds of one place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rounds(u64);

impl Rounds {
    /// The rounds of the place with this name: others for another seed.
    #[must_use]
    pub fn of<'a>(seed: u64, name: impl IntoIterator<Item = &'a str>) -> Self {
        let bytes = name.into_iter().flat_map(|part| part.bytes().chain([0]));
        Self(bytes.fold(seed, |hash, byte| mixed(hash ^ u64::from(byte))))
    }

    /// The first look after `after`: one in each span of `every`, up to a tenth of it late.
    #[must_use]
    pub fn next(self, after: Moment, every: Duration) -> Moment {
        let every = u64::try_from(every.as_millis()).unwrap_or(u64::MAX).max(1);
        let phase = self.0 % every;
        let round = after.as_millis().saturating_sub(phase) / every;
        let look = |round: u64| {
            let late = mixed(self.0 ^ round) % (every / 10 + 1);
            Moment::from_millis(round.saturating_mul(every).saturating_add(phase + late))
        };
        let this = look(round);
        if this > after { this } else { look(round + 1) }
    }
}

/// Every bit of the result depends on every bit of `seed` (splitmix64, Steele, Lea and Flood 2014).
fn mixed(seed: u64) -> u64 {
    let z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN: Duration = Duration::from_secs(10);

    #[test]
    fn looks_follow_each_other_at_the_interval_give_or_take_a_tenth() {
        for seed in 0..50 {
            let rounds = Rounds::of(seed, ["www.example.com", "pi1"]);
            let mut at = rounds.next(Moment::START, TEN);
            for _ in 0..1_000 {
                let next = rounds.next(at, TEN);
                let span = next - at;
                assert!(Duration::from_secs(9) <= span && span <= Duration::from_secs(11), "{span:?}");
                at = next;
            }
        }
    }

    #[test]
    fn a_look_that_was_left_out_does_not_shift_the_next() {
        let rounds = Rounds::of(7, ["www.example.com"]);
        let far = Moment::START + Duration::from_secs(86_400);
        let mut at = Moment::START;
        while at <= far {
            at = rounds.next(at, TEN);
        }
        assert_eq!(rounds.next(far, TEN), at);
    }

    #[test]
    fn places_do_not_march_in_step() {
        let phase =
            |n: u64| Rounds::of(1, [n.to_string().as_str()]).next(Moment::START, TEN).as_millis() / 1_000;
        let phases: std::collections::BTreeSet<u64> = (0..100).map(phase).collect();
        assert!(phases.len() >= 9, "{phases:?}");
    }
}
