//! When a mount that is gone is mounted again, and when one that hangs is released. PURE.
//!
//! Bounded: attempts grow apart up to [`LONGEST`], and a connection is never given up twice within [`RELEASES`].

use std::time::Duration;

use super::judge::{Judge, Mend};
use super::{MountSettings, Remount};
use crate::heartbeat::SourceState;
use crate::moment::Moment;

/// Before the second attempt; each later pause is twice the one before.
const FIRST: Duration = Duration::from_secs(5);

/// Between two attempts at most.
pub const LONGEST: Duration = Duration::from_secs(60);

/// For so long a mount that answers nothing but errors is left alone: a GlusterFS client whose bricks are back mends
/// itself within seconds, and one that was taken away meanwhile would not.
pub const ANEW: Duration = Duration::from_secs(30);

/// Between two releases at least.
pub const RELEASES: Duration = Duration::from_secs(60);

/// What is to be done about a mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Todo {
    /// Nothing, now.
    Nothing,
    /// Mount it.
    Mount,
    /// Take away what is mounted, and mount it again.
    MountAnew,
    /// Give up its FUSE connection: whoever waits for it gets an error, and it can be mounted anew.
    Release,
}

/// The memory between attempts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retry {
    attempts: u32,
    next: Option<Moment>,
    released: Option<Moment>,
}

impl Retry {
    /// What is to be done now, by what is told of the mount; it counts as done.
    pub fn due(&mut self, now: Moment, judge: &Judge, settings: &MountSettings) -> Todo {
        let Some(told) = judge.told() else { return Todo::Nothing };
        let told_for = judge.told_for(now);
        match (told.state, told.mend) {
            (SourceState::Ok, _) => {
                (self.attempts, self.next) = (0, None);
                Todo::Nothing
            }
            (SourceState::Hung, _) => self.release(now, told_for, settings),
            (_, Mend::Mount) => self.mount(now, settings, Todo::Mount),
            (_, Mend::MountAnew) if told_for >= ANEW => self.mount(now, settings, Todo::MountAnew),
            (SourceState::Gone | SourceState::Wrong | SourceState::Slow, _) => Todo::Nothing,
        }
    }

    fn mount(&mut self, now: Moment, settings: &MountSettings, how: Todo) -> Todo {
        if settings.remount == Remount::Off || self.next.is_some_and(|at| now < at) {
            return Todo::Nothing;
        }
        let pause = (FIRST * 2_u32.saturating_pow(self.attempts.min(10))).min(LONGEST);
        (self.attempts, self.next) = (self.attempts.saturating_add(1), Some(now + pause));
        how
    }

    fn release(&mut self, now: Moment, hung_for: Duration, settings: &MountSettings) -> Todo {
        let long_enough = settings.release_after.is_some_and(|span| hung_for >= span);
        let again = self.released.is_none_or(|at| now - at >= RELEASES);
        if !long_enough || !again {
            return Todo::Nothing;
        }
        self.released = Some(now);
        Todo::Release
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mount::Access;
    use crate::mount::judge::Reading;

    fn settings(remount: Remount, release_after: Option<u64>) -> MountSettings {
        MountSettings {
            path: "/mnt/gluster1".into(),
            kind: "fuse.glusterfs".to_owned(),
            access: Access::Read,
            every: Duration::from_secs(2),
            remount,
            release_after: release_after.map(Duration::from_secs),
        }
    }

    /// The seconds at which something is done, asked every second, while this is told and mended so.
    fn done(
        retry: &mut Retry,
        (state, mend): (SourceState, Mend),
        settings: &MountSettings,
        seconds: u64,
    ) -> Vec<u64> {
        let mut judge = Judge::new(Moment::START);
        judge.take(Moment::START, Moment::START, Reading { state, why: String::new(), mend });
        let due = |at: &u64| retry.due(Moment::from_millis(at * 1_000), &judge, settings) != Todo::Nothing;
        (0..seconds).filter(due).collect()
    }

    #[test]
    fn attempts_grow_apart_up_to_a_minute() {
        let auto = settings(Remount::Auto, None);
        let at = done(&mut Retry::default(), (SourceState::Wrong, Mend::Mount), &auto, 200);
        assert_eq!(at, [0, 5, 15, 35, 75, 135, 195]);
    }

    #[test]
    fn a_mount_that_answers_nothing_but_errors_is_given_time_to_mend_itself() {
        let auto = settings(Remount::Auto, None);
        let at = done(&mut Retry::default(), (SourceState::Gone, Mend::MountAnew), &auto, 50);
        assert_eq!(at, [30, 35, 45]);
    }

    #[test]
    fn a_mount_that_was_well_begins_anew() {
        let auto = settings(Remount::Auto, None);
        let mut retry = Retry::default();
        let gone = (SourceState::Gone, Mend::Mount);
        done(&mut retry, gone, &auto, 100);
        done(&mut retry, (SourceState::Ok, Mend::Nothing), &auto, 1);
        assert_eq!(done(&mut retry, gone, &auto, 6), [0, 5]);
    }

    #[test]
    fn nothing_is_done_unless_it_was_asked_for_and_could_help() {
        use SourceState::{Gone, Hung, Ok, Slow, Wrong};
        let off = settings(Remount::Off, None);
        for state in [Ok, Slow, Hung, Gone, Wrong] {
            for mend in [Mend::Nothing, Mend::Mount, Mend::MountAnew] {
                assert_eq!(done(&mut Retry::default(), (state, mend), &off, 4_000), [0; 0], "{state:?}");
            }
        }
        let both = settings(Remount::Auto, Some(30));
        for state in [Ok, Slow, Gone, Wrong] {
            let at = done(&mut Retry::default(), (state, Mend::Nothing), &both, 4_000);
            assert_eq!(at, [0; 0], "{state:?}");
        }
    }

    #[test]
    fn what_hangs_for_long_enough_is_released_and_never_twice_within_a_minute() {
        let auto = settings(Remount::Off, Some(30));
        let at = done(&mut Retry::default(), (SourceState::Hung, Mend::Nothing), &auto, 200);
        assert_eq!(at, [30, 90, 150]);
    }
}
