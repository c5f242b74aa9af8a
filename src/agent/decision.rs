//! What was decided for a name, and on what evidence: the last decisions, bounded in number and in length.
//!
//! PURE. Never decides anything, and never holds a secret: what a provider said is kept as its error shows it.

use std::collections::{BTreeSet, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::address::report::{FamilyReport, Report};
use crate::address::{Family, Verdict};
use crate::dns::change::ChangeError;
use crate::dns::guard::Setback;
use crate::dns::{Name, Rdata};
use crate::moment::Moment;

/// How many decisions are kept of a name.
pub const MOST: usize = 16;

/// How long a text in a decision may be, in characters.
pub const LONGEST: usize = 400;

/// How many record data are kept of an RRset.
const WIDEST: usize = 16;

/// What was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decided {
    /// The record was written, and seen to stand.
    Wrote,
    /// It was read and left as it is.
    Kept,
    /// Nothing was asked of the provider: the guard held the change back.
    HeldBack,
    /// It is refused; a person must act.
    Refused,
    /// It was tried and did not come about; it is tried again.
    Waiting,
}

/// What the guard had against asking the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hold {
    /// So many changes were made of late that one more could get the account locked.
    Budget,
    /// The provider, or what failed before, calls for a pause.
    Pause,
    /// The credentials were refused: nothing is tried before a person acts.
    Stop,
    /// The clock is not right, and what is asked is signed with it.
    Clock,
}

/// A point in time, as the agent's line and its wall clock have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct When {
    /// On the time line.
    pub moment: Moment,
    /// By the wall clock, in milliseconds since 1970.
    pub wall_ms: u64,
}

/// What was known of the public address of one family.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The family.
    pub family: Family,
    /// The address that was agreed on last.
    pub agreed: Option<IpAddr>,
    /// How the node stood on the Internet.
    pub verdict: Verdict,
    /// The classes of sources that named this address, when they were heard last.
    pub classes: Vec<String>,
    /// What was made of it, in words.
    pub why: String,
}

/// One decision with its evidence. The same one again is counted, and its evidence is the newest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// When it was made first.
    pub first: When,
    /// When it was made last.
    pub last: When,
    /// How often in a row.
    pub times: u32,
    /// What it was.
    pub what: Decided,
    /// What stood at the name before, of this node and of others. None: it had not been read.
    pub stood: Option<BTreeSet<Rdata>>,
    /// What the node wanted to stand there of its own.
    pub wanted: BTreeSet<Rdata>,
    /// What was known of the public address.
    pub addresses: Vec<Evidence>,
    /// What the guard had against it, if anything.
    pub guard: Option<Hold>,
    /// The provider's answer or error, or what else was to be said.
    pub said: String,
}

/// Whether a decision is worth a write to the disk, which is an SD card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worth {
    /// It is.
    Disk,
    /// It says what the last one said; it goes to the disk with the next that is.
    Memory,
}

/// The last decisions on one name, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decisions(VecDeque<Decision>);

/// One decision as it is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Milliseconds since it was made first.
    pub first_ms_ago: u64,
    /// Milliseconds since it was made last.
    pub last_ms_ago: u64,
    /// The decision.
    pub decision: Decision,
}

/// Why a name stands as it does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Why {
    /// The name.
    pub name: Name,
    /// The decisions, the newest first.
    pub decisions: Vec<Told>,
}

impl Decided {
    /// In a word or two.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Decided::Wrote => "wrote",
            Decided::Kept => "kept",
            Decided::HeldBack => "held back",
            Decided::Refused => "refused",
            Decided::Waiting => "waiting",
        }
    }
}

impl Hold {
    /// In words.
    #[must_use]
    pub const fn describe(self) -> &'static str {
        match self {
            Hold::Budget => "budget: one more change within the hour could get the account locked",
            Hold::Pause => "pause: the provider is left alone for a while",
            Hold::Stop => "stop: the key was refused; nothing is tried until a person acts",
            Hold::Clock => "clock: it is not right, and what is asked is signed with it",
        }
    }
}

impl Evidence {
    /// That of a round.
    #[must_use]
    pub fn of(report: &Report) -> Vec<Self> {
        report.families.iter().map(|(family, report)| Self::of_family(*family, report)).collect()
    }

    fn of_family(family: Family, report: &FamilyReport) -> Self {
        Self {
            family,
            agreed: report.agreed,
            verdict: report.verdict,
            classes: report.named_by.iter().take(WIDEST).map(|class| bounded(class)).collect(),
            why: bounded(&report.why),
        }
    }
}

impl Decision {
    /// One that was made for the first time. What is too long is cut.
    #[must_use]
    pub fn new(at: When, what: Decided, guard: Option<Hold>, said: &str) -> Self {
        let (stood, wanted, addresses) = (None, BTreeSet::new(), Vec::new());
        Self { first: at, last: at, times: 1, what, stood, wanted, addresses, guard, said: bounded(said) }
    }

    /// What a change that failed comes to.
    #[must_use]
    pub fn failed(at: When, error: &ChangeError) -> Self {
        let (what, guard) = match error.setback() {
            _ if matches!(error, ChangeError::Plan(_)) => (Decided::Refused, None),
            _ if matches!(error, ChangeError::NotNoted(_)) => (Decided::HeldBack, None),
            _ if matches!(error, ChangeError::TooSoon(_)) => (Decided::HeldBack, Some(Hold::Pause)),
            Setback::Auth => (Decided::Refused, Some(Hold::Stop)),
            Setback::Refused => (Decided::Refused, Some(Hold::Pause)),
            Setback::Budget(_) => (Decided::HeldBack, Some(Hold::Budget)),
            Setback::ClockSkew => (Decided::Waiting, Some(Hold::Clock)),
            Setback::Wait(_) => (Decided::Waiting, Some(Hold::Pause)),
            Setback::Conflict | Setback::Passing => (Decided::Waiting, None),
        };
        Self::new(at, what, guard, &error.to_string())
    }

    /// The same with what stood and what was wanted.
    #[must_use]
    pub fn about(mut self, stood: Option<&BTreeSet<Rdata>>, wanted: &[Rdata]) -> Self {
        self.stood = stood.map(|stood| stood.iter().take(WIDEST).cloned().collect());
        self.wanted = wanted.iter().take(WIDEST).cloned().collect();
        self
    }

    /// Something went wrong with the last attempt.
    fn is_setback(&self) -> bool {
        matches!(self.what, Decided::HeldBack | Decided::Refused | Decided::Waiting)
    }

    /// Whether it says no more than `last`. Every write is one of its own; a wait is one, whatever it is that fails
    /// meanwhile, or an outage with two faces would fill the ring and wear the disk.
    fn repeats(&self, last: &Decision) -> bool {
        let essence = |d: &Decision| (d.what, d.wanted.clone(), d.stood.clone());
        let another_guard = self.guard != last.guard && self.what != Decided::Waiting;
        self.what != Decided::Wrote && essence(self) == essence(last) && !another_guard
    }

    /// Whether it finds what `last` left: no news after a restart or an hour.
    fn confirms(&self, last: &Decision) -> bool {
        let settled = matches!(last.what, Decided::Wrote | Decided::Kept);
        self.what == Decided::Kept && settled && self.wanted == last.wanted
    }
}

impl Decisions {
    /// Takes the newest.
    pub fn take(&mut self, new: Decision) -> Worth {
        let worth = match self.0.back_mut() {
            Some(last) if new.repeats(last) => {
                let (first, times) = (last.first, last.times.saturating_add(1));
                *last = Decision { first, times, ..new };
                return Worth::Memory;
            }
            Some(last) if new.confirms(last) => Worth::Memory,
            Some(_) | None => Worth::Disk,
        };
        self.0.push_back(new);
        while self.0.len() > MOST {
            self.0.pop_front();
        }
        worth
    }

    /// Whether the last one was a failure: then what is waited for has been told.
    #[must_use]
    pub fn end_in_a_setback(&self) -> bool {
        self.0.back().is_some_and(Decision::is_setback)
    }

    /// The newest first, with how long ago as seen at `now`.
    #[must_use]
    pub fn told(&self, now: Moment) -> Vec<Told> {
        let ago = |when: When| millis(now - when.moment);
        let told = |decision: &Decision| Told {
            first_ms_ago: ago(decision.first),
            last_ms_ago: ago(decision.last),
            decision: decision.clone(),
        };
        self.0.iter().rev().map(told).collect()
    }
}

fn bounded(text: &str) -> String {
    if text.chars().count() <= LONGEST {
        return text.to_owned();
    }
    text.chars().take(LONGEST - 1).chain(['…']).collect()
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
