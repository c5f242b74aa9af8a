//! A newer program for a Pi whose system is never written: kept on the persistent partition, on trial, committed or turned down.
//!
//! PURE. Never judges itself: the image's own program decides at every start, and after it, which program is in force.
//!
//! ```text
//! own or committed -- offer --> on trial -- well for three minutes --> committed
//!                                  |
//!                                  +-- ten minutes, or the third start --> turned down: what was in force before is again
//! ```

pub mod programs;
pub mod signature;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// So many starts does a program get that has not been well for long enough in one of them. Power that comes and goes
/// ends in the program before it, never in a loop.
pub const MOST_STARTS: u32 = 3;

/// So long is a new program well before it is committed.
pub const PROBATION: Duration = Duration::from_secs(180);

/// So often is a program on trial looked at after a start, once a minute, before it is given up.
pub const MOST_LOOKS: u32 = 10;

/// The version of a program: three numbers, as in `0.2.0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Version([u32; 3]);

impl FromStr for Version {
    type Err = NoVersion;
    fn from_str(text: &str) -> Result<Self, NoVersion> {
        let wrong = || NoVersion(text.to_owned());
        let number =
            |part: &str| part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse().ok()).flatten();
        let numbers: Option<Vec<u32>> = text.split('.').map(number).collect();
        numbers.and_then(|numbers| numbers.try_into().ok()).map(Self).ok_or_else(wrong)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self([major, minor, patch]) = self;
        write!(f, "{major}.{minor}.{patch}")
    }
}

impl TryFrom<String> for Version {
    type Error = NoVersion;
    fn try_from(text: String) -> Result<Self, NoVersion> {
        text.parse()
    }
}

impl From<Version> for String {
    fn from(version: Version) -> String {
        version.to_string()
    }
}

/// A text that is not a version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a version such as 0.2.0")]
pub struct NoVersion(String);

/// A program that is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// Its version, as signed.
    pub version: Version,
    /// The SHA-256 of its file, in hex: what is started is what was signed.
    pub digest: String,
    /// The version of the image's own program when it came. A later system brings a later one.
    pub beside: Version,
}

impl Program {
    /// The name of its file.
    #[must_use]
    pub fn file(&self) -> String {
        format!("hearth-{}", self.version)
    }
}

/// A program that has to prove itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    /// Which.
    pub program: Program,
    /// How often it was started.
    pub starts: u32,
    /// How many sites had content when it came: it must serve as many.
    pub served: usize,
}

/// What is in force besides the image's own program.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// What proved itself; None: the image's own.
    pub committed: Option<Program>,
    /// What is on trial.
    pub trial: Option<Trial>,
    /// What was turned down last, in words for a person.
    pub turned_down: Option<String>,
}

/// Whether a version that is not newer is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Older {
    /// It is a mistake, or somebody's old bundle with its old holes.
    Refused,
    /// It is asked for.
    Meant,
}

/// Why a program was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// It is older than what is in force, or the same.
    #[error("{offered} is not newer than {in_force}, which is in force; say --older if that is meant")]
    NotNewer {
        /// What was offered.
        offered: Version,
        /// What is in force.
        in_force: Version,
    },
    /// Two programs of one version: at least one of them lies.
    #[error("another program of version {version} is kept already; give this one a version of its own")]
    SameVersion {
        /// The version.
        version: Version,
    },
}

/// What the agent said of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its version.
    pub version: String,
    /// How long it has run.
    pub up: Duration,
    /// How many of its sites have content.
    pub serves: usize,
}

/// What the agent must show while something is on trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// That it is this version.
    pub version: Version,
    /// That it serves as many sites as were served before.
    pub served: usize,
}

/// What a trial deserves at the look of this number since its start, given what the agent says; None: nothing.
#[must_use]
pub fn judge(wanted: Wanted, agent: Option<&Seen>, look: u32) -> Verdict {
    let Wanted { version, served } = wanted;
    let why = match agent {
        None => format!("{version} does not answer"),
        Some(seen) if seen.version != version.to_string() => {
            format!("{version} calls itself {}", seen.version)
        }
        Some(seen) if seen.serves < served => {
            format!("{version} serves {} sites and not {served}", seen.serves)
        }
        Some(seen) if seen.up < PROBATION => format!("{version} does not stay up"),
        Some(_) => return Verdict::Commit,
    };
    if look < MOST_LOOKS { Verdict::Wait } else { Verdict::TurnDown(why) }
}

/// What to do with what is on trial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Look again in a minute.
    Wait,
    /// It proved itself.
    Commit,
    /// It did not, and why.
    TurnDown(String),
}

impl Standing {
    /// The version in force where the image's own program is `own`.
    #[must_use]
    pub fn in_force(&self, own: Version) -> Version {
        self.runs(own).map_or(own, |program| program.version)
    }

    /// Puts `program` on trial, in the place of another one on trial. `served` sites have content now.
    ///
    /// # Errors
    /// When it is not newer than what is in force, and that was not asked for.
    pub fn offer(
        self,
        program: Program,
        served: usize,
        own: Version,
        older: Older,
    ) -> Result<Self, NotTaken> {
        let (offered, in_force) = (program.version, self.in_force(own));
        if offered <= in_force && older == Older::Refused {
            return Err(NotTaken::NotNewer { offered, in_force });
        }
        Ok(Self { trial: Some(Trial { program, starts: 0, served }), turned_down: None, ..self })
    }

    /// What is in force from this start on, given whether a file is whole. What comes out is kept before it is started.
    #[must_use]
    pub fn start(mut self, whole: &dyn Fn(&Program) -> bool) -> Self {
        let damaged = |program: &Program| format!("the file of {} was damaged", program.version);
        if let Some(trial) = &mut self.trial {
            let version = trial.program.version;
            if !whole(&trial.program) {
                let why = damaged(&trial.program);
                self = self.turn_down(why);
            } else if trial.starts >= MOST_STARTS {
                self = self.turn_down(format!("{version} was not well in any of {MOST_STARTS} starts"));
            } else {
                trial.starts += 1;
            }
        }
        if let Some(program) = self.committed.take_if(|program| !whole(program)) {
            self.turned_down = Some(damaged(&program));
        }
        self
    }

    /// The program that is started where the image's own is `own`; None: that one. A kept one that came beside another system, and is
    /// no newer than the program of this one, waits for the case that the other system is back.
    #[must_use]
    pub fn runs(&self, own: Version) -> Option<&Program> {
        let committed = self.committed.as_ref().filter(|kept| kept.version > own || kept.beside == own);
        self.trial.as_ref().map(|trial| &trial.program).or(committed)
    }

    /// Whether a program has yet to prove itself.
    #[must_use]
    pub fn has_trial(&self) -> bool {
        self.trial.is_some()
    }

    /// The version in force, and what became of another one, in words.
    #[must_use]
    pub fn describe(&self, own: Version) -> String {
        let in_force = self.in_force(own);
        match (&self.trial, &self.turned_down) {
            (Some(_), _) => format!("{in_force}, on trial"),
            (None, Some(why)) => format!("{in_force}; an update was turned down: {why}"),
            (None, None) => in_force.to_string(),
        }
    }

    /// The programs whose files are needed.
    pub fn needs(&self) -> impl Iterator<Item = &Program> {
        self.trial.iter().map(|trial| &trial.program).chain(&self.committed)
    }

    /// What the program on trial deserves at the look of this number since its start; None: there is none.
    #[must_use]
    pub fn judge(&self, agent: Option<&Seen>, look: u32) -> Option<Verdict> {
        let Trial { program, served, .. } = self.trial.as_ref()?;
        Some(judge(Wanted { version: program.version, served: *served }, agent, look))
    }

    /// What was on trial is in force for good.
    #[must_use]
    pub fn commit(self) -> Self {
        let proven = self.trial.map(|trial| trial.program);
        Self { committed: proven.or(self.committed), trial: None, turned_down: None }
    }

    /// What was in force before the trial is again.
    #[must_use]
    pub fn turn_down(self, why: String) -> Self {
        Self { trial: None, turned_down: Some(why), ..self }
    }
}

#[cfg(test)]
mod tests;
