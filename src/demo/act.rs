//! What can be done to a running demo, and the keys that do it.

use std::fmt;

use super::Pi;

/// Something that is done to the demo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Ends an agent at once (SIGKILL).
    Kill(Pi),
    /// Stops an agent where it stands (SIGSTOP).
    Hang(Pi),
    /// Cuts the line of a Pi.
    Cut(Pi),
    /// Makes a Pi whole: its process runs, its line carries.
    Heal(Pi),
    /// Ends the watcher at once.
    KillWatcher,
    /// Starts the watcher again.
    HealWatcher,
    /// Lets the stand-in for GitHub Pages answer 500.
    BreakPages,
    /// Lets it serve again.
    HealPages,
    /// Makes everything whole.
    HealAll,
}

/// What a key means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Do this.
    Do(Act),
    /// The next key is about this Pi.
    Choose(Pi),
    /// Leave.
    Quit,
}

/// The line that says which keys there are.
pub const HELP: [&str; 2] = [
    "1 2 choose a Pi:  k kill  z hang  c cut its line  h heal it",
    "w kill the watcher  W heal it  p break Pages  P heal it  a heal all  q quit",
];

/// What `key` means while `chosen` is the chosen Pi. None: nothing.
#[must_use]
pub fn command(key: char, chosen: Pi) -> Option<Command> {
    Some(match key {
        '1' => Command::Choose(Pi::One),
        '2' => Command::Choose(Pi::Two),
        'k' => Command::Do(Act::Kill(chosen)),
        'z' => Command::Do(Act::Hang(chosen)),
        'c' => Command::Do(Act::Cut(chosen)),
        'h' => Command::Do(Act::Heal(chosen)),
        'w' => Command::Do(Act::KillWatcher),
        'W' => Command::Do(Act::HealWatcher),
        'p' => Command::Do(Act::BreakPages),
        'P' => Command::Do(Act::HealPages),
        'a' => Command::Do(Act::HealAll),
        'q' => Command::Quit,
        _ => return None,
    })
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Act::Kill(pi) => write!(f, "{} is killed", pi.name()),
            Act::Hang(pi) => write!(f, "{} is hung", pi.name()),
            Act::Cut(pi) => write!(f, "the line of {} is cut", pi.name()),
            Act::Heal(pi) => write!(f, "{} is healed", pi.name()),
            Act::KillWatcher => f.write_str("the watcher is killed"),
            Act::HealWatcher => f.write_str("the watcher is started again"),
            Act::BreakPages => f.write_str("the fallback is broken"),
            Act::HealPages => f.write_str("the fallback is healed"),
            Act::HealAll => f.write_str("everything is healed"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_in_the_help_does_something_and_every_other_does_nothing() {
        let help = HELP.join("  ");
        let shown = |key: char| help.split_whitespace().any(|word| word == key.to_string());
        let mut keys = 0;
        for key in ' '..='~' {
            let means = command(key, Pi::Two).is_some();
            assert_eq!(means, shown(key), "{key:?}");
            keys += usize::from(means);
        }
        assert_eq!(keys, 12);
    }
}
