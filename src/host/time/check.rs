//! Whether a loop and the wall clock can be believed: one that stalls, or one that jumps, makes what was seen doubtful.
//!
//! Never sets a clock, and never judges what was seen.

use std::time::Duration;

use super::{Resume, Timeline, millis};
use crate::moment::Moment;

/// A loop that wakes up later than this after its deadline was not looking, and what it missed is no evidence.
pub const LAG_LIMIT: Duration = Duration::from_secs(1);

/// Watches a loop and the wall clock: a loop that stalls, or a clock that jumps, makes what was seen doubtful.
#[derive(Debug)]
pub struct ClockCheck {
    line: Timeline,
    last: Resume,
}

/// What [`ClockCheck::look`] saw since the look before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockReport {
    /// How much later than its deadline the loop came round.
    pub lag: Duration,
    /// How many milliseconds the wall clock went further than the time line; negative: it fell behind.
    pub drift_ms: i64,
    /// The time between the two looks.
    pub span: Duration,
}

impl ClockCheck {
    /// Begins to watch.
    #[must_use]
    pub fn new(line: Timeline) -> Self {
        Self { line, last: line.resume() }
    }

    /// Looks at both clocks. `due` is when the loop meant to wake up; a loop that was woken before has no lag.
    pub fn look(&mut self, due: Moment) -> ClockReport {
        let now = self.line.resume();
        let report = compare(self.last, now, due);
        self.last = now;
        report
    }
}

/// Compares how far both clocks went.
fn compare(last: Resume, now: Resume, due: Moment) -> ClockReport {
    let span = now.moment.since(last.moment);
    let wall = i128::from(now.wall_ms) - i128::from(last.wall_ms);
    let drift = wall - i128::from(millis(span));
    let drift_ms = i64::try_from(drift).unwrap_or(if drift < 0 { i64::MIN } else { i64::MAX });
    ClockReport { lag: now.moment.since(due.max(last.moment)), drift_ms, span }
}

impl ClockReport {
    /// Whether the loop lagged by more than [`LAG_LIMIT`].
    #[must_use]
    pub fn is_late(&self) -> bool {
        self.lag > LAG_LIMIT
    }

    /// Whether the wall clock was stepped, or the machine was suspended: more than a second, beyond the 500 ppm that
    /// an NTP client may slew (clock_adjtime(2)).
    #[must_use]
    pub fn has_jumped(&self) -> bool {
        let slewed = millis(self.span) / 1_000;
        self.drift_ms.unsigned_abs() > 1_000 + slewed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::time::tests::{HOUR, resume};

    #[test]
    fn lag_and_jumps_are_told_from_ordinary_progress() {
        let last = resume(100_000, 500_000);
        let looks = [
            // (now, due) -> (late, jumped)
            ("on time", resume(110_000, 510_000), 110_000, false, false),
            ("woken early by an event", resume(101_000, 501_000), 110_000, false, false),
            ("slewed by NTP", resume(110_000, 510_005), 110_000, false, false),
            ("stalled", resume(113_000, 513_000), 110_000, true, false),
            ("stepped ahead", resume(110_000, 510_000 + HOUR), 110_000, false, true),
            ("stepped back", resume(110_000, 400_000), 110_000, false, true),
            ("woken from suspension", resume(110_100, 800_000), 110_000, false, true),
            (
                "a long slew",
                resume(100_000 + 10 * HOUR, 500_000 + 10 * HOUR + 18_000),
                u64::MAX,
                false,
                false,
            ),
        ];
        for (what, now, due, late, jumped) in looks {
            let report = compare(last, now, Moment::from_millis(due));
            assert_eq!((report.is_late(), report.has_jumped()), (late, jumped), "{what}: {report:?}");
        }
    }

    #[test]
    fn a_deadline_from_before_the_last_look_is_not_counted_twice() {
        let report = compare(resume(100_000, 0), resume(100_500, 500), Moment::from_millis(1_000));
        assert_eq!(report.lag, Duration::from_millis(500));
    }

    #[tokio::test(start_paused = true)]
    async fn a_check_reports_since_the_look_before() {
        let line = Timeline::steady(None, 0);
        let mut check = ClockCheck::new(line);
        tokio::time::advance(Duration::from_secs(4)).await;
        assert!(check.look(Moment::from_millis(1_000)).is_late());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(check.look(Moment::from_millis(5_000)).lag, Duration::ZERO);
    }
}
