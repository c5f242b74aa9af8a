//! When observations are enough: two classes of sources must agree to change an address, one may confirm it.
//!
//! A class is somebody who can be wrong on their own: the interface, or one operator, with however many hosts. While
//! fresh voices differ, what stands is kept and the evidence said. Never asks a source, never clears what stands.

mod round;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use self::round::Round;
use super::admissible::{CARRIER_GRADE, admissible};
use super::{Family, Network, Verdict};
use crate::moment::Moment;

/// How many classes it takes to change an address.
const NEEDED: usize = 2;

/// Who says it, as far as independence goes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// An interface of this machine holds the address.
    Interface,
    /// The router says that it holds it, by whichever protocol.
    Router,
    /// This operator's echo services saw it.
    Https(String),
    /// Name servers that echo saw it. One class however many there are: a network that intercepts port 53 answers for
    /// all of them.
    Dns,
    /// STUN servers saw it.
    Stun,
}

impl Class {
    /// Whether it looks from outside, and so sees what a portal or a proxy makes of this machine.
    #[must_use]
    pub const fn is_outside(&self) -> bool {
        match self {
            Class::Interface | Class::Router => false,
            Class::Https(_) | Class::Dns | Class::Stun => true,
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Class::Interface => f.write_str("the interface"),
            Class::Router => f.write_str("the router"),
            Class::Https(operator) => f.write_str(operator),
            Class::Dns => f.write_str("DNS"),
            Class::Stun => f.write_str("STUN"),
        }
    }
}

/// What a source said when it was asked about one family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// Who said it.
    pub class: Class,
    /// Who was asked, in words.
    pub asked: String,
    /// Which family was asked about.
    pub family: Family,
    /// When.
    pub at: Moment,
    /// How long it took to say it.
    pub took: Duration,
    /// The address, or how the source missed.
    pub said: Result<IpAddr, Miss>,
}

/// Why a source gave no address, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Miss {
    /// Nothing came back.
    Silent(String),
    /// Something came back that is no answer: a portal's page, an error, another family.
    Malformed(String),
}

impl fmt::Display for Miss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Miss::Silent(why) | Miss::Malformed(why) => f.write_str(why),
        }
    }
}

/// What became of the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Two classes agree on another one than stood, or on the first one.
    Changed,
    /// A class says what stands, and none says otherwise.
    Confirmed,
    /// Neither: what stands is kept for want of agreement.
    Kept,
}

/// The state of one family after a round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// The address that was agreed on last. None: never yet.
    pub agreed: Option<IpAddr>,
    /// What this round did to it.
    pub outcome: Outcome,
    /// The classes that named it, in the last round when at least two words for it counted (else when one did).
    pub named_by: BTreeSet<Class>,
    /// How the node stands on the Internet.
    pub verdict: Verdict,
    /// The evidence, in words.
    pub why: String,
}

/// The memory of one family.
#[derive(Clone, Debug)]
pub struct Agreement {
    family: Family,
    admit: Vec<Network>,
    /// How long a vote counts.
    fresh: Duration,
    stands: Option<IpAddr>,
    /// The classes that named what stands: a round in which hardly anybody is heard takes none away.
    named_by: BTreeSet<Class>,
    /// The last vote of each class.
    votes: BTreeMap<Class, Vote>,
}

/// The addresses that a class named, and when. An interface may hold several.
#[derive(Clone, Debug)]
struct Vote {
    at: Moment,
    addresses: BTreeSet<IpAddr>,
}

impl Agreement {
    /// Begins with nothing. A vote counts for two rounds of `every`.
    #[must_use]
    pub fn new(family: Family, admit: Vec<Network>, every: Duration) -> Self {
        Self {
            family,
            admit,
            fresh: every * 2,
            stands: None,
            named_by: BTreeSet::new(),
            votes: BTreeMap::new(),
        }
    }

    /// Takes over an address that was agreed on before a restart, so that one class is enough to confirm it. An
    /// address of another family, or one that may not be published, is not taken.
    pub fn stand_on(&mut self, address: IpAddr) {
        if Family::of(address) == self.family && admissible(address, &self.admit).is_ok() {
            self.stands = Some(address);
        }
    }

    /// Takes in what a round brought and judges. `held` are the addresses of this machine's interfaces.
    pub fn judge(&mut self, observations: &[Observation], held: &[IpAddr], now: Moment) -> Judgement {
        let round = Round::hear(observations, self.family, &self.admit);
        self.count(&round, now);
        let outcome = self.settle(&round);
        self.note_names(outcome);
        let verdict = self.verdict(outcome, &round, held);
        let (agreed, named_by) = (self.stands, self.named_by.clone());
        Judgement { agreed, outcome, named_by, verdict, why: self.why(outcome, &round) }
    }

    /// Keeps the last vote of each class. One that is silent now is believed for what it said before, until that
    /// expires; one that talks nonsense is not, and neither is an interface that no longer holds the address.
    fn count(&mut self, round: &Round, now: Moment) {
        self.votes.retain(|class, vote| round.leaves_standing(class) && now.since(vote.at) <= self.fresh);
        for (class, addresses) in round.votes() {
            self.votes.insert(class.clone(), Vote { at: now, addresses: addresses.clone() });
        }
    }

    /// Moves what stands to a new address when that is called for. Only a voice of this very round confirms.
    fn settle(&mut self, round: &Round) -> Outcome {
        if let Some(stands) = self.stands
            && round.names(stands)
            && self.agree_on(stands, 1)
        {
            return Outcome::Confirmed;
        }
        let candidates: BTreeSet<IpAddr> =
            self.votes.values().flat_map(|vote| vote.addresses.clone()).collect();
        let other = |candidate: &IpAddr| Some(*candidate) != self.stands && self.agree_on(*candidate, NEEDED);
        match candidates.into_iter().find(other) {
            Some(agreed) => {
                self.stands = Some(agreed);
                Outcome::Changed
            }
            None => Outcome::Kept,
        }
    }

    /// Whether at least `needed` classes say `address`, and none that spoke as lately says another one instead.
    ///
    /// What was said before the youngest of them spoke has been overtaken: an address that changed is not held back
    /// by a source that has been silent since.
    fn agree_on(&self, address: IpAddr, needed: usize) -> bool {
        let says = |vote: &&Vote| vote.addresses.contains(&address);
        let mut spoke: Vec<Moment> = self.votes.values().filter(says).map(|vote| vote.at).collect();
        spoke.sort_unstable_by(|a, b| b.cmp(a));
        let Some(since) = spoke.get(needed - 1) else { return false };
        !self.votes.values().any(|vote| !says(&vote) && vote.at >= *since)
    }

    /// Notes who names what stands, unless fewer do than sufficed for it.
    fn note_names(&mut self, outcome: Outcome) {
        let says = |vote: &Vote| self.stands.is_some_and(|stands| vote.addresses.contains(&stands));
        let names: BTreeSet<Class> =
            self.votes.iter().filter(|(_, vote)| says(vote)).map(|(class, _)| class.clone()).collect();
        if outcome == Outcome::Changed || names.len() >= self.named_by.len().min(NEEDED) {
            self.named_by = names;
        }
    }

    fn verdict(&self, outcome: Outcome, round: &Round, held: &[IpAddr]) -> Verdict {
        let carrier = held.iter().any(|address| CARRIER_GRADE.contains(*address)) || round.router_is_behind();
        match (outcome, self.stands) {
            (Outcome::Changed | Outcome::Confirmed, Some(agreed))
                if held.contains(&agreed) || agreed.is_loopback() =>
            {
                Verdict::Public
            }
            (Outcome::Changed | Outcome::Confirmed, _) if carrier && self.family == Family::Ipv4 => {
                Verdict::Cgnat
            }
            (Outcome::Changed | Outcome::Confirmed, _) => Verdict::NatPublic,
            (Outcome::Kept, _) => round.verdict(),
        }
    }

    fn why(&self, outcome: Outcome, round: &Round) -> String {
        let begins = match (outcome, self.stands) {
            (Outcome::Changed, Some(agreed)) => format!("agreed on {agreed}"),
            (Outcome::Confirmed, Some(agreed)) => format!("{agreed} is confirmed"),
            (_, Some(stands)) => {
                format!("{stands} is kept: no two classes of sources agree on another address")
            }
            (_, None) => "no address yet: two classes of sources must agree on one".to_owned(),
        };
        let evidence: Vec<String> = round.doubt().into_iter().chain(round.words()).collect();
        if evidence.is_empty() {
            format!("{begins}; nobody was heard")
        } else {
            format!("{begins}; {}", evidence.join("; "))
        }
    }
}

#[cfg(test)]
mod tests;
