//! hearth's own time line on a real machine: monotonic, and continued across restarts.
//!
//! The one place that reads a clock. Never sets one, and never lets the wall clock move a [`Moment`] back: wall time is
//! used once, at the start, to guess how long the process was away, and afterwards only to be shown or to be doubted.

#![expect(clippy::disallowed_methods, reason = "this is the one place that reads a clock")]

mod check;
mod ticks;
mod zone;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

pub use self::check::{ClockCheck, ClockReport, LAG_LIMIT};
pub use self::ticks::{next_tick, rest, ticks};
pub use self::zone::{ahead_of_utc_ms, minute_of_day, wall_of};
use crate::moment::Moment;

/// A wall clock that claims more time away than this is not believed: nodes without a clock chip wake up in 1970.
pub const LONGEST_AWAY: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// A deadline further away than this is as good as never.
const NEVER: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

/// A wall clock before this has not been set: hearth is younger (2025-01-01, in seconds since 1970).
const YOUNGEST: u64 = 1_735_689_600;

/// Where a time line stood when its state was saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resume {
    /// The point on the line.
    pub moment: Moment,
    /// The wall clock at that point, in milliseconds since 1970.
    pub wall_ms: u64,
}

/// The time line of this process. Copies are the same line.
#[derive(Clone, Copy, Debug)]
pub struct Timeline {
    base: Moment,
    origin: Instant,
    wall: Wall,
}

/// Where wall time comes from.
#[derive(Clone, Copy, Debug)]
enum Wall {
    /// The machine's clock.
    System,
    /// A clock that said this at the origin and has gone exactly with the line since.
    Steady(Duration),
    /// Both come from a clock that is turned by hand, which had run for so long at the origin.
    Hand(&'static HandClock, Duration),
}

/// A clock that a simulation turns: years pass in seconds, and the wall clock jumps.
#[derive(Debug, Default)]
pub struct HandClock {
    running_ms: AtomicU64,
    wall_ms: AtomicU64,
}

impl HandClock {
    /// One whose wall clock says this, in milliseconds since 1970.
    #[must_use]
    pub const fn at(wall_ms: u64) -> Self {
        Self { running_ms: AtomicU64::new(0), wall_ms: AtomicU64::new(wall_ms) }
    }

    /// Lets time pass.
    pub fn pass(&self, span: Duration) {
        self.running_ms.fetch_add(millis(span), Ordering::Relaxed);
        self.wall_ms.fetch_add(millis(span), Ordering::Relaxed);
    }

    /// Sets the wall clock, in milliseconds since 1970; no time passes.
    pub fn set_wall(&self, wall_ms: u64) {
        self.wall_ms.store(wall_ms, Ordering::Relaxed);
    }

    /// The wall clock.
    #[must_use]
    pub fn wall(&self) -> SystemTime {
        UNIX_EPOCH + load(&self.wall_ms)
    }
}

fn load(ms: &AtomicU64) -> Duration {
    Duration::from_millis(ms.load(Ordering::Relaxed))
}

/// The system's wall clock, for what is signed or dated with it: TSIG, HTTP dates.
#[must_use]
pub fn wall_clock() -> SystemTime {
    SystemTime::now()
}

/// Whether the wall clock can be signed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockTrust {
    /// It was set, as far as can be known.
    Set,
    /// The network has not set it yet: a machine without a clock chip starts in the past.
    NotSetYet,
}

/// 2025-01-01: before this program was written no clock can be right.
const YOUNGEST_MS: u64 = 1_735_689_600_000;

/// How long a machine may wait for its clock. After that a wrong signature does less harm than none.
const CLOCK_PATIENCE: Duration = Duration::from_secs(5 * 60);

/// Where systemd-timesyncd works, and what it leaves there once it has set the clock (systemd-timesyncd.service(8)).
const TIMESYNC: [&str; 2] = ["/run/systemd/timesync", "/run/systemd/timesync/synchronized"];

/// Whether the wall clock can be signed with, as far as systemd-timesyncd or the year tell.
#[must_use]
pub fn clock_trust(line: Timeline) -> ClockTrust {
    let [directory, done] = TIMESYNC.map(|path| std::path::Path::new(path).exists());
    trust(line.wall_ms(), directory && !done, line.uptime())
}

fn trust(wall_ms: u64, waits_for_network: bool, uptime: Duration) -> ClockTrust {
    let waits = waits_for_network && uptime < CLOCK_PATIENCE;
    if wall_ms < YOUNGEST_MS || waits { ClockTrust::NotSetYet } else { ClockTrust::Set }
}

impl Wall {
    fn since_1970(self, running: Duration) -> Duration {
        match self {
            Wall::System => SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
            Wall::Steady(at_origin) => at_origin + running,
            Wall::Hand(clock, _) => load(&clock.wall_ms),
        }
    }
}

impl Timeline {
    /// Starts the line, or continues it where `resume` left it.
    ///
    /// The time away is what the wall clock says, but never less than nothing and never more than [`LONGEST_AWAY`].
    #[must_use]
    pub fn start(resume: Option<Resume>) -> Self {
        Self::start_with(resume, Wall::System)
    }

    /// The same with a wall clock that reads `wall_ms` now and goes exactly with the line: for tests with paused time
    /// and for demonstrations, where the machine's clock would look like one that jumps.
    #[must_use]
    pub fn steady(resume: Option<Resume>, wall_ms: u64) -> Self {
        Self::start_with(resume, Wall::Steady(Duration::from_millis(wall_ms)))
    }

    /// The same by a clock that is turned by hand: for simulations. Deadlines ([`Self::at`]) are the machine's all the same.
    #[must_use]
    pub fn by_hand(resume: Option<Resume>, clock: &'static HandClock) -> Self {
        Self::start_with(resume, Wall::Hand(clock, load(&clock.running_ms)))
    }

    fn start_with(resume: Option<Resume>, wall: Wall) -> Self {
        let wall_now = millis(wall.since_1970(Duration::ZERO));
        let base = resume.map_or(Moment::START, |resume| resume.moment + time_away(resume.wall_ms, wall_now));
        Self { base, origin: Instant::now(), wall }
    }

    /// Now.
    #[must_use]
    pub fn now(&self) -> Moment {
        self.base + self.uptime()
    }

    /// How long this process has been on the line.
    #[must_use]
    pub fn uptime(&self) -> Duration {
        match self.wall {
            Wall::System | Wall::Steady(_) => self.origin.elapsed(),
            Wall::Hand(clock, at_origin) => load(&clock.running_ms).saturating_sub(at_origin),
        }
    }

    /// The deadline for [`tokio::time::sleep_until`] that stands for `moment`; one in the past is due at once.
    #[must_use]
    pub fn at(&self, moment: Moment) -> Instant {
        let ahead = moment.since(self.base).min(NEVER);
        self.origin.checked_add(ahead).unwrap_or(self.origin)
    }

    /// The wall clock. On a machine without a clock chip it may be far off until the network has set it.
    #[must_use]
    pub fn wall(&self) -> SystemTime {
        UNIX_EPOCH + self.wall.since_1970(self.uptime())
    }

    /// The wall clock in milliseconds since 1970; zero when it stands before that.
    #[must_use]
    pub fn wall_ms(&self) -> u64 {
        millis(self.wall.since_1970(self.uptime()))
    }

    /// What to save so that the next process can continue the line.
    #[must_use]
    pub fn resume(&self) -> Resume {
        Resume { moment: self.now(), wall_ms: self.wall_ms() }
    }

    /// The wall time that stands for `moment`, as far as the wall clock is right now.
    #[must_use]
    pub fn wall_at(&self, moment: Moment) -> SystemTime {
        let (now, wall) = (self.now(), self.wall());
        let then =
            if moment >= now { wall.checked_add(moment - now) } else { wall.checked_sub(now - moment) };
        then.unwrap_or(wall)
    }
}

/// How long the process was away, as far as the wall clock can be believed.
fn time_away(left_ms: u64, back_ms: u64) -> Duration {
    Duration::from_millis(back_ms.saturating_sub(left_ms)).min(LONGEST_AWAY)
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) const HOUR: u64 = 3_600_000;

    pub(super) fn resume(moment: u64, wall_ms: u64) -> Resume {
        Resume { moment: Moment::from_millis(moment), wall_ms }
    }

    #[test]
    fn the_line_continues_by_what_the_wall_clock_says_was_missed() {
        let week = 7 * 24 * HOUR;
        for (what, wall_now, away) in [
            ("an hour later", 11 * HOUR, HOUR),
            ("a wall clock that went back", 0, 0),
            ("at once", 10 * HOUR, 0),
            ("a wall clock that claims a century", 900_000 * HOUR, week),
        ] {
            let line = Timeline::steady(Some(resume(5_000, 10 * HOUR)), wall_now);
            let began = line.now().as_millis();
            assert!((5_000 + away..5_000 + away + 1_000).contains(&began), "{what}: {began}");
        }
    }

    #[test]
    fn a_line_by_hand_goes_on_by_what_passed_whatever_its_wall_clock_jumps_to() {
        static CLOCK: HandClock = HandClock::at(10 * HOUR);
        CLOCK.pass(Duration::from_secs(60));
        let line = Timeline::by_hand(None, &CLOCK);
        CLOCK.set_wall(0);
        CLOCK.pass(Duration::from_secs(5));
        assert_eq!((line.now(), line.wall_ms()), (Moment::START + Duration::from_secs(5), 5_000));
        let again = Timeline::by_hand(Some(line.resume()), &CLOCK);
        CLOCK.pass(Duration::from_secs(1));
        assert_eq!(again.now(), Moment::START + Duration::from_secs(6));
    }

    #[test]
    fn a_clock_from_before_this_program_or_one_that_waits_for_the_network_is_not_signed_with() {
        let minutes = |n: u64| Duration::from_secs(60 * n);
        assert_eq!(trust(0, false, minutes(60)), ClockTrust::NotSetYet);
        assert_eq!(trust(YOUNGEST_MS, true, minutes(4)), ClockTrust::NotSetYet);
        assert_eq!(trust(YOUNGEST_MS, true, minutes(5)), ClockTrust::Set);
        assert_eq!(trust(YOUNGEST_MS, false, minutes(0)), ClockTrust::Set);
    }

    #[tokio::test(start_paused = true)]
    async fn moments_and_deadlines_are_one_line() {
        let line = Timeline::steady(Some(resume(60_000, 0)), 30_000);
        assert_eq!(line.now(), Moment::from_millis(90_000));
        tokio::time::sleep_until(line.at(Moment::from_millis(95_500))).await;
        assert_eq!(line.now(), Moment::from_millis(95_500));
        assert_eq!(line.wall_ms(), 35_500);
        assert_eq!(line.resume(), resume(95_500, 35_500));
        assert_eq!(line.uptime(), Duration::from_millis(5_500));
        assert_eq!(line.wall_at(Moment::from_millis(90_500)), UNIX_EPOCH + Duration::from_millis(30_500));
    }

    #[tokio::test(start_paused = true)]
    async fn a_past_deadline_is_due_at_once_and_an_endless_one_does_not_overflow() {
        let line = Timeline::steady(Some(resume(60_000, 0)), 0);
        assert!(line.at(Moment::START) <= Instant::now());
        assert!(line.at(Moment::from_millis(u64::MAX)) > Instant::now() + Duration::from_secs(1));
    }
}
