//! How a mount stands, judged from what looks at it brought; steady, so that a blip is not told. PURE.
//!
//! Never calls a mount empty or gone for want of an answer: what does not answer hangs, and what is not the expected
//! file system is wrong.

use std::time::Duration;

use super::info::Mounted;
use super::{Access, MountSettings};
use crate::heartbeat::SourceState;
use crate::moment::Moment;
use crate::site::load::wire::Failure;
use crate::status::Room;

/// An answer that takes longer than this is slow.
pub const SLOW: Duration = Duration::from_secs(1);

/// For so long looks must have said something worse before it is told.
pub const FALL: Duration = Duration::from_secs(2);

/// For so long they must have said that all is well again.
pub const RISE: Duration = Duration::from_secs(5);

/// What systemd has mounted where it will mount on the first touch.
const AUTOMOUNT: &str = "autofs";

/// Less room than this part of the whole is told, in hundredths.
const TIGHT: u64 = 3;

/// What one look brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// What is mounted there, as far as the kernel said; None: nothing.
    pub mounted: Option<Mounted>,
    /// What the file system said.
    pub answer: Answer,
}

/// What a file system said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It answers.
    Room {
        /// How long it took.
        took: Duration,
        /// How full it is.
        room: Room,
        /// Why it could not be written; None: it could, or was not tried.
        unwritable: Option<String>,
    },
    /// It refuses, in words.
    Failed(Failure, String),
    /// It did not answer in time, in words.
    Silent(String),
}

/// How a mount stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// In one word.
    pub state: SourceState,
    /// What is wrong, in words; empty when nothing is.
    pub why: String,
    /// What could mend it.
    pub mend: Mend,
}

/// What could mend a mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mend {
    /// Nothing that can be done from here: a person must, or it passes.
    Nothing,
    /// Mounting: nothing is there.
    Mount,
    /// Taking away what is mounted and mounting again: it answers nothing but errors.
    MountAnew,
}

impl Reading {
    fn new(state: SourceState, why: impl Into<String>) -> Self {
        Self { state, why: why.into(), mend: Mend::Nothing }
    }

    fn mended_by(self, mend: Mend) -> Self {
        Self { mend, ..self }
    }
}

/// What a look says by itself.
#[must_use]
pub fn read(look: &Look, settings: &MountSettings) -> Reading {
    let kind = &settings.kind;
    match (&look.answer, &look.mounted) {
        (Answer::Silent(why), _) => Reading::new(SourceState::Hung, why.clone()),
        (Answer::Failed(Failure::Refused, why), _) => {
            Reading::new(SourceState::Wrong, format!("{why}; let the user that hearth runs as read it"))
        }
        (Answer::Failed(_, why), None) => {
            Reading::new(SourceState::Gone, format!("nothing is mounted: {why}")).mended_by(Mend::Mount)
        }
        (_, None) => {
            let why =
                format!("nothing is mounted; what is there is a directory of the disk below; mount {kind}");
            Reading::new(SourceState::Wrong, why).mended_by(Mend::Mount)
        }
        (_, Some(mounted)) if mounted.kind == AUTOMOUNT && *kind != AUTOMOUNT => {
            let why = format!("the automount is there and has not brought {kind}");
            Reading::new(SourceState::Wrong, why).mended_by(Mend::Mount)
        }
        (_, Some(mounted)) if mounted.kind != *kind => {
            let what = format!("{} is mounted, and not {kind}", mounted.describe());
            Reading::new(SourceState::Wrong, format!("{what}; mount that, or put `type` right"))
        }
        (Answer::Failed(_, why), Some(_)) => {
            Reading::new(SourceState::Gone, why.clone()).mended_by(Mend::MountAnew)
        }
        (Answer::Room { took, room, unwritable }, Some(_)) => {
            answered(*took, *room, unwritable.as_ref(), settings)
        }
    }
}

/// The right file system answers.
fn answered(took: Duration, room: Room, unwritable: Option<&String>, settings: &MountSettings) -> Reading {
    if let Some(why) = unwritable {
        return Reading::new(SourceState::Wrong, format!("it can be read and not written: {why}"));
    }
    if took > SLOW {
        let took = took.as_secs_f64();
        return Reading::new(SourceState::Slow, format!("a look took {took:.1} s"));
    }
    let tight = room.total > 0 && room.free < room.total / 100 * TIGHT;
    let why = match settings.access {
        Access::Write if tight => {
            format!("almost full: {} of {} MiB are free", room.free >> 20, room.total >> 20)
        }
        Access::Write | Access::Read => String::new(),
    };
    Reading::new(SourceState::Ok, why)
}

/// What is told of a mount, and since when looks have said something else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judge {
    told: Option<Reading>,
    since: Moment,
    /// Since when every look has said something else than what is told, on this side of well.
    other: Option<(bool, Moment)>,
}

impl Judge {
    /// Nothing is told before the first look.
    #[must_use]
    pub const fn new(now: Moment) -> Self {
        Self { told: None, since: now, other: None }
    }

    /// What is told; None before the first look.
    #[must_use]
    pub const fn told(&self) -> Option<&Reading> {
        self.told.as_ref()
    }

    /// How long the state that is told has been told.
    #[must_use]
    pub fn told_for(&self, now: Moment) -> Duration {
        now - self.since
    }

    /// Takes what a look said that began at `began`. The first is told at once; something worse or otherwise wrong
    /// after [`FALL`], that all is well after [`RISE`]. Words alone are told at once.
    pub fn take(&mut self, began: Moment, now: Moment, reading: Reading) {
        let Some(told) = &mut self.told else {
            (self.told, self.since) = (Some(reading), now);
            return;
        };
        if told.state == reading.state {
            *told = reading;
            self.other = None;
            return;
        }
        let well = reading.state == SourceState::Ok;
        let (_, since) = *self.other.get_or_insert((well, began));
        let since = match self.other {
            Some((side, _)) if side == well => since,
            Some(_) | None => began,
        };
        self.other = Some((well, since));
        if now - since >= if well { RISE } else { FALL } {
            (self.told, self.since, self.other) = (Some(reading), now, None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mount::Remount;
    use SourceState::{Gone, Hung, Ok, Slow, Wrong};

    fn settings(access: Access) -> MountSettings {
        MountSettings {
            path: "/mnt/gluster1".into(),
            kind: "fuse.glusterfs".to_owned(),
            access,
            every: Duration::from_secs(2),
            remount: Remount::Off,
            release_after: None,
        }
    }

    fn mounted(kind: &str) -> Option<Mounted> {
        let line = format!("9 1 0:52 / /mnt/gluster1 rw - {kind} pi1:/gv0 rw");
        Some(Mounted::of_line(line.as_bytes()).unwrap())
    }

    fn room(took_ms: u64) -> Answer {
        let room = Room { total: 1 << 30, free: 1 << 29 };
        Answer::Room { took: Duration::from_millis(took_ms), room, unwritable: None }
    }

    #[test]
    fn each_look_says_how_the_mount_stands() {
        let failed = |why: &str| Answer::Failed(Failure::Unreachable, why.to_owned());
        let refused = Answer::Failed(Failure::Refused, "Permission denied".to_owned());
        let silent = Answer::Silent("no answer".to_owned());
        let gluster = || mounted("fuse.glusterfs");
        for (mounted, answer, state, part) in [
            (gluster(), room(3), Ok, ""),
            (gluster(), room(1_700), Slow, "1.7 s"),
            (gluster(), silent.clone(), Hung, "no answer"),
            (None, silent, Hung, "no answer"),
            (gluster(), failed("not connected"), Gone, "not connected"),
            (None, failed("No such file"), Gone, "nothing is mounted: No such file"),
            (None, room(1), Wrong, "nothing is mounted"),
            (gluster(), refused, Wrong, "Permission denied; let the user"),
            (mounted("ext4"), room(1), Wrong, "ext4 from pi1:/gv0 is mounted, and not fuse.glusterfs"),
            (mounted("autofs"), failed("No such device"), Wrong, "the automount is there"),
        ] {
            let look = Look { mounted, answer };
            let reading = read(&look, &settings(Access::Read));
            assert_eq!(reading.state, state, "{look:?}");
            assert!(reading.why.contains(part) && (state == Ok) == reading.why.is_empty(), "{reading:?}");
        }
    }

    #[test]
    fn only_what_is_not_there_or_dead_is_mended_by_mounting() {
        let failed = || Answer::Failed(Failure::Unreachable, "not connected".to_owned());
        for (kind, answer, mend) in [
            (None, room(1), Mend::Mount),
            (None, failed(), Mend::Mount),
            (Some("autofs"), failed(), Mend::Mount),
            (Some("fuse.glusterfs"), failed(), Mend::MountAnew),
            (Some("fuse.glusterfs"), room(9_999), Mend::Nothing),
            (Some("ext4"), room(1), Mend::Nothing),
            (Some("fuse.glusterfs"), Answer::Silent(String::new()), Mend::Nothing),
            (Some("fuse.glusterfs"), Answer::Failed(Failure::Refused, String::new()), Mend::Nothing),
        ] {
            let look = Look { mounted: kind.and_then(mounted), answer };
            assert_eq!(read(&look, &settings(Access::Write)).mend, mend, "{look:?}");
        }
    }

    #[test]
    fn only_who_writes_is_told_of_what_cannot_be_written_and_of_little_room() {
        let little = Room { total: 100 << 20, free: 1 << 20 };
        let answer = Answer::Room { took: Duration::ZERO, room: little, unwritable: None };
        let look = Look { mounted: mounted("fuse.glusterfs"), answer };
        assert_eq!(read(&look, &settings(Access::Read)), Reading::new(Ok, ""));
        assert_eq!(
            read(&look, &settings(Access::Write)),
            Reading::new(Ok, "almost full: 1 of 100 MiB are free")
        );
        let unwritable = Some("Read-only file system".to_owned());
        let answer = Answer::Room { took: Duration::ZERO, room: little, unwritable };
        let look = Look { answer, ..look };
        assert_eq!(read(&look, &settings(Access::Write)).state, Wrong);
    }

    /// What is told after looks that began at these milliseconds, each answered after 10 ms.
    fn told(looks: &[(u64, SourceState)]) -> Vec<SourceState> {
        let mut judge = Judge::new(Moment::START);
        let mut take = |(at, state): &(u64, SourceState)| {
            judge.take(Moment::from_millis(*at), Moment::from_millis(at + 10), Reading::new(*state, ""));
            judge.told().unwrap().state
        };
        looks.iter().map(&mut take).collect()
    }

    #[test]
    fn a_blip_is_not_told_and_what_lasts_is() {
        assert_eq!(told(&[(0, Ok), (1_000, Hung), (2_000, Ok), (3_000, Gone), (4_000, Ok)]), [Ok; 5]);
        assert_eq!(told(&[(0, Ok), (1_000, Slow), (2_000, Slow), (3_000, Slow)]), [Ok, Ok, Ok, Slow]);
        assert_eq!(told(&[(0, Ok), (1_000, Hung), (2_000, Gone), (3_000, Wrong)]), [Ok, Ok, Ok, Wrong]);
        assert_eq!(told(&[(0, Wrong)]), [Wrong], "the first look is told at once");
    }

    #[test]
    fn that_all_is_well_again_must_last() {
        let looks = [(0, Gone), (1_000, Ok), (3_000, Ok), (5_000, Ok), (6_000, Ok)];
        assert_eq!(told(&looks), [Gone, Gone, Gone, Gone, Ok]);
        let flapping: Vec<_> = (0..60).map(|n| (n * 2_000, if n % 2 == 0 { Gone } else { Ok })).collect();
        assert_eq!(told(&flapping), vec![Gone; 60]);
        let mixed = [(0, Gone), (1_000, Ok), (4_000, Hung), (5_000, Ok), (7_000, Ok)];
        assert_eq!(told(&mixed), [Gone; 5], "what lies between begins the wait anew");
    }

    #[test]
    fn a_look_that_was_silent_to_its_deadline_needs_no_second_one() {
        let mut judge = Judge::new(Moment::START);
        judge.take(Moment::START, Moment::from_millis(5), Reading::new(Ok, ""));
        judge.take(Moment::from_millis(1_000), Moment::from_millis(4_000), Reading::new(Hung, ""));
        assert_eq!(judge.told().unwrap().state, Hung);
        assert_eq!(judge.told_for(Moment::from_millis(9_000)), Duration::from_secs(5));
    }
}
