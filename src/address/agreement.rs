//! When observations are enough: two classes of sources must agree to change an address, one may confirm it.
//!
//! A class is somebody who can be wrong on their own: the interface, or one operator, with however many hosts. While
//! fresh voices differ, what stands is kept and the evidence said. Never asks a source, never clears what stands.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use super::admissible::{CARRIER_GRADE, Inadmissible, admissible};
use super::{Family, Network, Verdict};
use crate::moment::Moment;

/// Who says it, as far as independence goes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// An interface of this machine holds the address.
    Interface,
    /// This operator's echo services saw it.
    Https(String),
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Class::Interface => f.write_str("the interface"),
            Class::Https(operator) => f.write_str(operator),
        }
    }
}

/// What a source said when it was asked about one family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// Who said it.
    pub class: Class,
    /// Which family was asked about.
    pub family: Family,
    /// When.
    pub at: Moment,
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// How long an observation counts.
    fresh: Duration,
    stands: Option<IpAddr>,
    /// The latest round in which each class said anything.
    heard: BTreeMap<Class, Voice>,
}

/// What a class said in the last round in which it was asked.
#[derive(Clone, Debug, Default)]
struct Voice {
    at: Moment,
    votes: BTreeSet<IpAddr>,
    refused: Vec<(IpAddr, Inadmissible)>,
    misses: Vec<Miss>,
}

impl Agreement {
    /// Begins with nothing. An observation counts for two rounds of `every`.
    #[must_use]
    pub fn new(family: Family, admit: Vec<Network>, every: Duration) -> Self {
        Self { family, admit, fresh: every * 2, stands: None, heard: BTreeMap::new() }
    }

    /// Takes over an address that was agreed on before a restart, so that one class is enough to confirm it. An
    /// address of another family, or one that may not be published, is not taken.
    pub fn stand_on(&mut self, address: IpAddr) {
        if Family::of(address) == self.family && admissible(address, &self.admit).is_ok() {
            self.stands = Some(address);
        }
    }

    /// Takes in what a round brought and judges. `held` are the addresses of this machine's interfaces.
    pub fn judge(&mut self, round: &[Observation], held: &[IpAddr], now: Moment) -> Judgement {
        self.hear(round);
        self.heard.retain(|_, voice| now.since(voice.at) <= self.fresh);
        let outcome = self.settle();
        let verdict = self.verdict(outcome, held);
        Judgement { agreed: self.stands, outcome, verdict, why: self.why(outcome) }
    }

    fn hear(&mut self, round: &[Observation]) {
        let mut now: BTreeMap<&Class, Voice> = BTreeMap::new();
        for observation in round.iter().filter(|observation| observation.family == self.family) {
            let voice = now.entry(&observation.class).or_default();
            voice.at = voice.at.max(observation.at);
            match &observation.said {
                Ok(address) if Family::of(*address) != self.family => {
                    voice.misses.push(Miss::Malformed(format!("{address} is not of family {}", self.family)));
                }
                Ok(address) => match admissible(*address, &self.admit) {
                    Ok(()) => drop(voice.votes.insert(*address)),
                    Err(why) => voice.refused.push((*address, why)),
                },
                Err(miss) => voice.misses.push(miss.clone()),
            }
        }
        for (class, voice) in now {
            self.replace(class, voice);
        }
    }

    /// A class that is silent now is still believed for what it said a round ago, until that expires.
    fn replace(&mut self, class: &Class, voice: Voice) {
        let nothing_new = voice.misses.iter().all(|miss| matches!(miss, Miss::Silent(_)))
            && voice.votes.is_empty()
            && voice.refused.is_empty();
        match self.heard.get_mut(class) {
            Some(before) if nothing_new && !before.votes.is_empty() => before.misses = voice.misses,
            Some(_) | None => drop(self.heard.insert(class.clone(), voice)),
        }
    }

    /// Moves what stands to a new address when that is called for.
    fn settle(&mut self) -> Outcome {
        if let Some(stands) = self.stands
            && self.agree_on(stands, 1)
        {
            return Outcome::Confirmed;
        }
        let candidates: BTreeSet<IpAddr> =
            self.heard.values().flat_map(|voice| voice.votes.clone()).collect();
        match candidates
            .into_iter()
            .find(|candidate| Some(*candidate) != self.stands && self.agree_on(*candidate, 2))
        {
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
        let mut spoke: Vec<Moment> = self
            .heard
            .values()
            .filter(|voice| voice.votes.contains(&address))
            .map(|voice| voice.at)
            .collect();
        spoke.sort_unstable_by(|a, b| b.cmp(a));
        let Some(since) = spoke.get(needed - 1) else { return false };
        let differs = |voice: &Voice| !voice.votes.is_empty() && !voice.votes.contains(&address);
        !self.heard.values().any(|voice| differs(voice) && voice.at >= *since)
    }

    fn verdict(&self, outcome: Outcome, held: &[IpAddr]) -> Verdict {
        let carrier =
            self.family == Family::Ipv4 && held.iter().any(|address| CARRIER_GRADE.contains(*address));
        match (outcome, self.stands) {
            (Outcome::Changed | Outcome::Confirmed, Some(agreed))
                if held.contains(&agreed) || agreed.is_loopback() =>
            {
                Verdict::Public
            }
            (Outcome::Changed | Outcome::Confirmed, _) if carrier => Verdict::Cgnat,
            (Outcome::Changed | Outcome::Confirmed, _) => Verdict::NatPublic,
            (Outcome::Kept, _) if self.differ() || self.proxied() => Verdict::ProxyEgress,
            (Outcome::Kept, _) if self.captive() => Verdict::Captive,
            (Outcome::Kept, _) if carrier || self.echoes_carrier() => Verdict::Cgnat,
            (Outcome::Kept, _) => Verdict::Unknown,
        }
    }

    /// Whether two classes say different things at the same time.
    fn differ(&self) -> bool {
        let latest = self.heard.values().map(|voice| voice.at).max();
        let mut voices =
            self.heard.values().filter(|voice| !voice.votes.is_empty() && Some(voice.at) == latest);
        let Some(first) = voices.next() else { return false };
        voices.any(|voice| voice.votes.is_disjoint(&first.votes))
    }

    fn silent_on_address(&self) -> bool {
        self.heard.values().all(|voice| voice.votes.is_empty())
    }

    /// Whether all that was heard of is an address of a CDN or VPN.
    fn proxied(&self) -> bool {
        let foreign = |(_, why): &(IpAddr, Inadmissible)| matches!(why, Inadmissible::Foreign(_));
        self.silent_on_address() && self.echoes().any(|voice| voice.refused.iter().any(foreign))
    }

    /// Whether half of the operators or more answered with something that is no answer, and none with an address.
    fn captive(&self) -> bool {
        let (mut malformed, mut others) = (0, 0);
        for voice in self.echoes() {
            let portal = voice.misses.iter().any(|miss| matches!(miss, Miss::Malformed(_)));
            *(if portal { &mut malformed } else { &mut others }) += 1;
        }
        self.silent_on_address() && malformed > 0 && malformed >= others
    }

    fn echoes_carrier(&self) -> bool {
        self.echoes().any(|voice| voice.refused.iter().any(|(_, why)| *why == Inadmissible::CarrierGrade))
    }

    fn echoes(&self) -> impl Iterator<Item = &Voice> {
        self.heard.iter().filter(|(class, _)| **class != Class::Interface).map(|(_, voice)| voice)
    }

    fn why(&self, outcome: Outcome) -> String {
        let begins = match (outcome, self.stands) {
            (Outcome::Changed, Some(agreed)) => format!("agreed on {agreed}"),
            (Outcome::Confirmed, Some(agreed)) => format!("{agreed} is confirmed"),
            (_, Some(stands)) => {
                format!("{stands} is kept: no two classes of sources agree on another address")
            }
            (_, None) => "no address yet: two classes of sources must agree on one".to_owned(),
        };
        let evidence: Vec<String> =
            self.heard.iter().filter_map(|(class, voice)| voice.words(class)).collect();
        if evidence.is_empty() {
            format!("{begins}; nobody answered")
        } else {
            format!("{begins}; {}", evidence.join("; "))
        }
    }
}

impl Voice {
    /// What the class said, the most telling of it.
    fn words(&self, class: &Class) -> Option<String> {
        if !self.votes.is_empty() {
            let votes: Vec<String> = self.votes.iter().map(IpAddr::to_string).collect();
            return Some(format!("{class} says {}", votes.join(" and ")));
        }
        if let Some((address, why)) = self.refused.first() {
            return Some(format!("{class} says {address}, which is {why}"));
        }
        self.misses.first().map(|miss| format!("{class}: {miss}"))
    }
}

#[cfg(test)]
mod tests;
