//! Is the watcher itself cut off, paused or late? Then nothing that it sees is evidence.
//!
//! It doubts itself by what it sees of references: places that have nothing to do with the site and are nearly always
//! up. While it is isolated nothing is decided; on its return everything that it gathered is thrown away. Never
//! reaches for the network.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::moment::Moment;

/// The most that thresholds are stretched while the watcher doubts itself.
const MOST_PATIENCE: u32 = 8;

/// A driver loop that is this late was not running: a paused machine, a swap storm.
pub const STALL: Duration = Duration::from_secs(1);

/// What the watcher thinks of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Isolation {
    /// Since when it is cut off.
    since: Option<Moment>,
    /// 0 to 7: how much it doubts itself (Lifeguard's local health multiplier, arXiv 1707.00788).
    doubt: u32,
    /// When the references are to be looked at.
    #[serde(default)]
    due: Moment,
    /// How many answered, of how many.
    answered: (u32, u32),
}

/// What a look at the references has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Nothing.
    None,
    /// The watcher is cut off now.
    Cut,
    /// The watcher is back: all evidence is to be discarded.
    Back,
}

impl Isolation {
    /// Since when the watcher is cut off.
    #[must_use]
    pub fn since(&self) -> Option<Moment> {
        self.since
    }

    /// How many references answered last, of how many.
    #[must_use]
    pub fn answered(&self) -> (u32, u32) {
        self.answered
    }

    /// What thresholds are multiplied with: 1 to 8.
    #[must_use]
    pub fn patience(&self) -> u32 {
        (self.doubt + 1).min(MOST_PATIENCE)
    }

    /// All references have been looked at; `answered` of `asked` did. Cut off: three quarters or more did not.
    pub fn record_references(&mut self, now: Moment, answered: u32, asked: u32) -> Turn {
        self.answered = (answered, asked);
        let silent = asked.saturating_sub(answered);
        let cut = asked > 0 && silent * 4 >= asked * 3;
        if !cut && silent * 4 > asked {
            self.doubt = (self.doubt + 1).min(MOST_PATIENCE - 1);
        } else if !cut {
            self.doubt = self.doubt.saturating_sub(1);
        }
        self.turn(now, cut)
    }

    /// All targets and the fallback fail together and there is no reference to ask.
    pub fn record_all_fail(&mut self, now: Moment, all_fail: AllFail) -> Turn {
        self.turn(now, all_fail == AllFail::Yes)
    }

    /// The driver's loop did not run for a while: what was gathered before is worthless.
    pub fn record_stall(&mut self) -> Turn {
        self.doubt = (self.doubt + 1).min(MOST_PATIENCE - 1);
        if self.since.is_some() { Turn::None } else { Turn::Back }
    }

    fn turn(&mut self, now: Moment, cut: bool) -> Turn {
        match (self.since, cut) {
            (None, true) => {
                self.since = Some(now);
                Turn::Cut
            }
            (Some(_), false) => {
                self.since = None;
                Turn::Back
            }
            (None, false) | (Some(_), true) => Turn::None,
        }
    }

    /// When the references are due.
    #[must_use]
    pub fn due(&self) -> Moment {
        self.due
    }

    /// The references are being looked at now; the next look is due at the next whole multiple of `every`.
    pub fn looking(&mut self, now: Moment, every: Duration) {
        let every = every.max(Duration::from_millis(1));
        let past = now.as_millis() % u64::try_from(every.as_millis()).unwrap_or(u64::MAX);
        self.due = now.back(Duration::from_millis(past)) + every;
    }
}

/// Whether everything fails together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AllFail {
    /// All targets and the fallback.
    Yes,
    /// Something answers, or has not been asked.
    No,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_of_four_silent_references_isolate_and_two_only_cause_doubt() {
        let mut isolation = Isolation::default();
        assert_eq!(isolation.record_references(Moment::from_millis(1), 2, 4), Turn::None);
        assert_eq!(isolation.patience(), 2);
        assert_eq!(isolation.record_references(Moment::from_millis(2), 1, 4), Turn::Cut);
        assert_eq!(isolation.record_references(Moment::from_millis(3), 0, 4), Turn::None);
        assert_eq!(isolation.since(), Some(Moment::from_millis(2)));
        assert_eq!(isolation.record_references(Moment::from_millis(4), 4, 4), Turn::Back);
        assert_eq!(isolation.patience(), 1);
    }

    #[test]
    fn without_references_nothing_isolates_but_everything_failing_together() {
        let mut isolation = Isolation::default();
        assert_eq!(isolation.record_references(Moment::START, 0, 0), Turn::None);
        assert_eq!(isolation.record_all_fail(Moment::START, AllFail::Yes), Turn::Cut);
        assert_eq!(isolation.record_all_fail(Moment::START, AllFail::No), Turn::Back);
    }

    #[test]
    fn a_stall_discards_evidence_and_doubt_has_a_limit() {
        let mut isolation = Isolation::default();
        for _ in 0..20 {
            assert_eq!(isolation.record_stall(), Turn::Back);
        }
        assert_eq!(isolation.patience(), 8);
    }
}
