//! Two places on the card for the system, one of them in force: a newer system goes into the other one, on trial, and is committed
//! or turned down.
//!
//! PURE. Never chooses at a start: the first file system does (`pi-image/initramfs/slots`), from the same sector, before anything
//! of a system runs.
//!
//! ```text
//! a in force -- offer --> b on trial -- well for three minutes --> b in force, and a is where the next one goes
//!                           |
//!                           +-- cannot be mounted, ten minutes, or the third start --> turned down: a is in force
//! ```

pub mod content;
pub mod disk;
pub mod sector;

use std::fmt;
use std::str::FromStr;

use super::findings::Keeping;
use super::update::{MOST_LOOKS, Seen, Verdict, Version, Wanted, judge};

/// No trial asks for more sites than this: the sector has room for three digits.
const MOST_SERVED: u16 = 999;

/// One of the two places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// Partition 2, which the card is made with.
    A,
    /// Partition 3.
    B,
}

impl Slot {
    /// The other one.
    #[must_use]
    pub const fn beside(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    /// Its letter.
    #[must_use]
    pub const fn letter(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
        }
    }
}

impl FromStr for Slot {
    type Err = NoSlot;
    fn from_str(text: &str) -> Result<Self, NoSlot> {
        [Self::A, Self::B].into_iter().find(|slot| slot.letter() == text).ok_or(NoSlot)
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.letter())
    }
}

/// A text that is no letter of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a slot is called a or b")]
pub struct NoSlot;

/// The version of a system, which is `IMAGE_VERSION=` of its os-release(5): the version of hearth in it, and the second that its
/// image is of, as in `0.2.0-20260131235959`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SystemVersion {
    hearth: Version,
    made: u64,
}

/// The digits of the second.
const MADE: usize = 14;

impl FromStr for SystemVersion {
    type Err = NoSystemVersion;
    fn from_str(text: &str) -> Result<Self, NoSystemVersion> {
        let parts = text
            .split_once('-')
            .filter(|(_, made)| made.len() == MADE && made.bytes().all(|b| b.is_ascii_digit()));
        let parsed = parts
            .and_then(|(hearth, made)| Some(Self { hearth: hearth.parse().ok()?, made: made.parse().ok()? }));
        parsed.ok_or_else(|| NoSystemVersion(text.to_owned()))
    }
}

impl fmt::Display for SystemVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:0MADE$}", self.hearth, self.made)
    }
}

/// A text that is not the version of a system.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the version of a system such as 0.2.0-20260131235959")]
pub struct NoSystemVersion(String);

/// What the sector calls a system: 1 to 64 of the characters that os-release(5) allows in a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label(String);

impl Label {
    /// The label, if the text can be one.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let fits = |b: u8| b.is_ascii_digit() || b.is_ascii_lowercase() || b"._-".contains(&b);
        ((1..=64).contains(&text.len()) && text.bytes().all(fits)).then(|| Self(text.to_owned()))
    }
}

impl From<SystemVersion> for Label {
    fn from(version: SystemVersion) -> Self {
        Self(version.to_string())
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a system was turned down: one line of printable ASCII, 1 to 200 characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Why(String);

impl Why {
    const LONGEST: usize = 200;

    /// The reason, with what the sector cannot hold left out.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let printable = |c: char| if matches!(c, ' '..='~') { c } else { '?' };
        let line: String = text.trim().chars().map(printable).take(Self::LONGEST).collect();
        Self(if line.is_empty() { "?".to_owned() } else { line.trim_end().to_owned() })
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is known of the slot that is not in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Other {
    /// The next system goes there; until then an earlier one may lie there.
    Free,
    /// Its system has to prove itself.
    OnTrial {
        /// Which.
        label: Label,
        /// How often it was started, at most nine times.
        starts: u8,
        /// How many sites had content when it came: it must serve as many.
        served: u16,
    },
    /// Its system did not.
    TurnedDown {
        /// Which.
        label: Label,
        /// How often it was started.
        starts: u8,
        /// What was wrong.
        why: Why,
    },
}

/// What the sector says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The slot that is started, and that everything falls back to.
    pub in_force: Slot,
    /// The other one.
    pub other: Other,
}

/// The card as it is flashed.
impl Default for Standing {
    fn default() -> Self {
        Self { in_force: Slot::A, other: Other::Free }
    }
}

impl Standing {
    /// Whether a system has yet to prove itself.
    #[must_use]
    pub fn has_trial(&self) -> bool {
        matches!(self.other, Other::OnTrial { .. })
    }

    /// Whether the system in the slot that runs has yet to prove itself.
    #[must_use]
    pub fn is_on_trial(&self, running: Slot) -> bool {
        self.has_trial() && running != self.in_force
    }

    /// The slot beside `running` is to be written: what runs is what everything falls back to.
    #[must_use]
    pub fn vacate(running: Slot) -> Self {
        Self { in_force: running, other: Other::Free }
    }

    /// Puts the system in the slot that is not in force on trial. `served` sites have content now.
    #[must_use]
    pub fn offer(self, version: SystemVersion, served: usize) -> Self {
        let served = u16::try_from(served).map_or(MOST_SERVED, |served| served.min(MOST_SERVED));
        Self { other: Other::OnTrial { label: version.into(), starts: 0, served }, ..self }
    }

    /// What the system on trial deserves, seen from within it at the look of this number since its start; None: what runs is not
    /// on trial. `own` is the version of the program in force in it.
    #[must_use]
    pub fn judge(&self, running: Slot, own: Version, health: &Health, look: u32) -> Option<Verdict> {
        let Other::OnTrial { served, .. } = self.other else { return None };
        if !self.is_on_trial(running) {
            return None;
        }
        let wanted = Wanted { version: own, served: served.into() };
        let verdict = judge(wanted, health.agent.as_ref(), look);
        let lost = match health.keeping {
            Keeping::Kept | Keeping::Full => return Some(verdict),
            Keeping::ReadOnly | Keeping::InMemory => "the card's last partition is not mounted, or read-only",
        };
        Some(match verdict {
            Verdict::Commit if look < MOST_LOOKS => Verdict::Wait,
            Verdict::Commit => Verdict::TurnDown(lost.to_owned()),
            other @ (Verdict::Wait | Verdict::TurnDown(_)) => other,
        })
    }

    /// What was on trial is in force for good.
    #[must_use]
    pub fn commit(self) -> Self {
        match self.other {
            Other::OnTrial { .. } => Self::vacate(self.in_force.beside()),
            Other::Free | Other::TurnedDown { .. } => self,
        }
    }

    /// What was on trial is not started any more.
    #[must_use]
    pub fn turn_down(self, why: &str) -> Self {
        match self.other {
            Other::OnTrial { label, starts, .. } => {
                Self { other: Other::TurnedDown { label, starts, why: Why::new(why) }, ..self }
            }
            Other::Free | Other::TurnedDown { .. } => self,
        }
    }

    /// What runs in which slot, and what became of another system, in words.
    #[must_use]
    pub fn describe(&self, running: Slot, version: &str) -> String {
        let runs = format!("{version} in slot {running}");
        let astray = running != self.in_force;
        match &self.other {
            Other::OnTrial { .. } if astray => format!("{runs}, on trial"),
            Other::OnTrial { label, .. } => format!("{runs}; {label} is on trial from the next start on"),
            Other::TurnedDown { why, .. } if astray => format!(
                "{runs}, which was turned down: {why}; the next start tries the one in slot {}",
                self.in_force
            ),
            Other::TurnedDown { label, why, .. } => {
                format!("{runs}; another one was turned down: {label}: {why}")
            }
            Other::Free if astray => format!(
                "{runs}; the one in slot {} cannot be started any more: install one, or take a new card",
                self.in_force
            ),
            Other::Free => runs,
        }
    }
}

/// How a system on trial does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// What its agent says; None: nothing.
    pub agent: Option<Seen>,
    /// Whether what must last does.
    pub keeping: Keeping,
}

#[cfg(test)]
mod tests;
