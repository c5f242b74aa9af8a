//! How a source has fared, and when it was asked: one that rots is asked rarely, and comes back by itself.
//!
//! Only a failure while another source answered counts: when nobody answers the network is down, and every source
//! must be asked again as soon as it is back. Never forgets a source for good.

use std::time::Duration;

use crate::moment::Moment;

/// Failures in a row that are taken for bad luck.
const PATIENCE: u32 = 3;

/// The longest pause between two questions to a source that never answers.
const LONGEST: Duration = Duration::from_secs(6 * 60 * 60);

/// The health of one source in one family. The default is a source that was not asked yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Health {
    failures: u32,
    not_before: Moment,
    asked: Option<Moment>,
}

impl Health {
    /// Whether it fares well enough to be asked.
    #[must_use]
    pub fn is_due(&self, now: Moment) -> bool {
        now >= self.not_before
    }

    /// How long it must be left alone, so that two questions are `spacing` apart. Zero: it may be asked.
    #[must_use]
    pub fn rest(&self, now: Moment, spacing: Duration) -> Duration {
        self.asked.map_or(Duration::ZERO, |asked| (asked + spacing).since(now))
    }

    /// It is being asked.
    pub fn asked(&mut self, now: Moment) {
        self.asked = Some(now);
    }

    /// It answered.
    pub fn succeeded(&mut self) {
        *self = Self { asked: self.asked, ..Self::default() };
    }

    /// It failed while another source answered. From the third time on the pause doubles, up to six hours.
    pub fn failed(&mut self, now: Moment, every: Duration) {
        self.failures = self.failures.saturating_add(1);
        if let Some(beyond) = self.failures.checked_sub(PATIENCE) {
            let pause = every.saturating_mul(2_u32.saturating_pow(beyond.saturating_add(1)));
            self.not_before = now + pause.min(LONGEST);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: Duration = Duration::from_secs(300);

    #[test]
    fn a_source_that_rots_is_asked_ever_more_rarely_but_always_again() {
        let (mut health, mut now) = (Health::default(), Moment::START);
        let mut pauses = Vec::new();
        for _ in 0..12 {
            health.failed(now, EVERY);
            let mut rounds = 1;
            while !health.is_due(now + EVERY * rounds) {
                rounds += 1;
            }
            pauses.push(rounds);
            now = now + EVERY * rounds;
        }
        assert_eq!(pauses, [1, 1, 2, 4, 8, 16, 32, 64, 72, 72, 72, 72]);
    }

    #[test]
    fn two_questions_are_apart_by_the_spacing_whatever_came_of_the_first() {
        let mut health = Health::default();
        assert_eq!(health.rest(Moment::START, EVERY), Duration::ZERO, "never asked");
        health.asked(Moment::START);
        health.succeeded();
        assert_eq!(health.rest(Moment::START + EVERY / 3, EVERY), EVERY * 2 / 3);
        assert_eq!(health.rest(Moment::START + EVERY, EVERY), Duration::ZERO);
    }

    #[test]
    fn one_answer_makes_it_healthy_again() {
        let mut health = Health::default();
        for _ in 0..9 {
            health.failed(Moment::START, EVERY);
        }
        assert!(!health.is_due(Moment::START + EVERY));
        health.succeeded();
        assert!(health.is_due(Moment::START));
    }
}
