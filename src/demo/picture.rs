//! What there is to see of a running demo at one moment: plain values, drawn by [`super::view`] and printed line by
//! line without a terminal.
//!
//! Never asks anybody: [`super::system`] fills it in.

use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use super::process::State;
use super::router::Line;
use super::{PAGES_ADDRESS, Pi};
use crate::leds::Shown;
use crate::leds::face::{Lamps, lamps};

/// How many events are kept.
const EVENTS: usize = 200;

/// What is said of a Pi that no watcher has told of.
pub const UNSEEN: &str = "not seen yet";

/// The demo at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// Since the demo began.
    pub at: Duration,
    /// How many times faster than a real line it runs.
    pub speed: f64,
    /// `pi1` and `pi2`.
    pub pis: [PiPicture; 2],
    /// The watcher.
    pub watcher: WatcherPicture,
    /// The record of the site, as the name server gives it.
    pub record: RecordPicture,
    /// The fallback.
    pub fallback: Fallback,
    /// A command with which to look for oneself.
    pub hint: String,
    /// How often a question for the site's address had no answer. Must stay zero.
    pub empty_answers: u64,
    /// What happened, the newest last.
    pub events: VecDeque<Event>,
}

/// One Pi.
#[derive(Clone, Debug, PartialEq)]
pub struct PiPicture {
    /// Which.
    pub pi: Pi,
    /// Its process.
    pub process: State,
    /// Its line.
    pub line: Line,
    /// What its lamps say, and since when, from the beginning of the demo. None: they are dark, nobody answers.
    pub shown: Option<(Shown, Duration)>,
    /// The public address that it has found.
    pub address: Option<IpAddr>,
    /// How the watcher sees it, in one word.
    pub health: String,
    /// Why, in words.
    pub why: String,
}

/// The watcher.
#[derive(Clone, Debug, PartialEq)]
pub struct WatcherPicture {
    /// Its process.
    pub process: State,
    /// Where its status page is.
    pub url: String,
    /// What it is about, in a few words.
    pub state: String,
    /// How far its last write is.
    pub write: String,
    /// What the rules for coming back allow now.
    pub returns: String,
}

/// A published record.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordPicture {
    /// The addresses. Empty before the first was written.
    pub addresses: BTreeSet<IpAddr>,
    /// Why it is so, as the watcher says.
    pub why: String,
    /// When it last changed, since the demo began.
    pub since: Option<Duration>,
}

/// The state of the fallback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fallback {
    /// It serves the site.
    Serving,
    /// It answers 500.
    Broken,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Since the demo began.
    pub at: Duration,
    /// Where it comes from.
    pub source: Source,
    /// What, in words.
    pub what: String,
}

/// Where an event comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Somebody pressed a key, or the script did.
    You,
    /// The name server.
    Dns,
    /// The watcher.
    Watcher,
    /// A Pi.
    Pi(Pi),
    /// Somebody who looks from outside.
    Visitor,
}

impl Picture {
    /// A demo that is about to begin.
    #[must_use]
    pub fn first(speed: f64, status_page: String, hint: String) -> Self {
        let pi = |pi| PiPicture {
            pi,
            process: State::Dead,
            line: Line::Up,
            shown: None,
            address: None,
            health: UNSEEN.to_owned(),
            why: String::new(),
        };
        let watcher = WatcherPicture {
            process: State::Dead,
            url: status_page,
            state: "not started".to_owned(),
            write: String::new(),
            returns: String::new(),
        };
        let record = RecordPicture { addresses: BTreeSet::new(), why: String::new(), since: None };
        Self {
            at: Duration::ZERO,
            speed,
            pis: Pi::BOTH.map(pi),
            watcher,
            record,
            fallback: Fallback::Serving,
            hint,
            empty_answers: 0,
            events: VecDeque::new(),
        }
    }

    /// Adds an event, and lets the oldest go when there are too many.
    pub fn note(&mut self, event: Event) {
        self.events.push_back(event);
        while self.events.len() > EVENTS {
            self.events.pop_front();
        }
    }

    /// One Pi.
    pub fn pi_mut(&mut self, pi: Pi) -> &mut PiPicture {
        &mut self.pis[pi as usize]
    }
}

impl PiPicture {
    /// Its lamps, so long after the demo began: the same as on a Pi's pins, in the rhythm of what they say.
    #[must_use]
    pub fn lamps(&self, at: Duration) -> Lamps {
        self.shown.map_or(Lamps::DARK, |(shown, since)| lamps(shown, at.saturating_sub(since)))
    }
}

/// Who is behind an address, in words: `pi1 (127.0.0.11)`.
#[must_use]
pub fn who(address: IpAddr) -> String {
    let pi = Pi::BOTH.into_iter().find(|pi| IpAddr::from(pi.public()) == address);
    match pi {
        Some(pi) => format!("{} ({address})", pi.name()),
        None if address == IpAddr::from(PAGES_ADDRESS) => format!("the fallback ({address})"),
        None => address.to_string(),
    }
}

/// Who is behind a set of addresses, in words.
#[must_use]
pub fn whom(addresses: &BTreeSet<IpAddr>) -> String {
    let all: Vec<String> = addresses.iter().map(|address| who(*address)).collect();
    if all.is_empty() { "nobody yet".to_owned() } else { all.join(" and ") }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Source::You => "you",
            Source::Dns => "dns",
            Source::Watcher => "watcher",
            Source::Pi(pi) => pi.name(),
            Source::Visitor => "visitor",
        })
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>7.2} s  {:<8} {}", self.at.as_secs_f64(), self.source.to_string(), self.what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_by_who_is_behind_them() {
        let set = |all: &[[u8; 4]]| all.iter().map(|a| IpAddr::from(*a)).collect::<BTreeSet<_>>();
        assert_eq!(whom(&set(&[])), "nobody yet");
        assert_eq!(whom(&set(&[[127, 0, 0, 12], [127, 0, 0, 11]])), "pi1 (127.0.0.11) and pi2 (127.0.0.12)");
        assert_eq!(whom(&set(&[[127, 0, 0, 21]])), "the fallback (127.0.0.21)");
        assert_eq!(whom(&set(&[[127, 0, 0, 99]])), "127.0.0.99");
    }

    #[test]
    fn the_oldest_events_are_let_go() {
        let mut picture = Picture::first(1.0, String::new(), String::new());
        for n in 0..EVENTS + 3 {
            picture.note(Event { at: Duration::ZERO, source: Source::Dns, what: n.to_string() });
        }
        assert_eq!((picture.events.len(), picture.events[0].what.as_str()), (EVENTS, "3"));
    }
}
