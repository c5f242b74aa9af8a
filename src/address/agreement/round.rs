//! What the sources said in one round, sorted by class.
//!
//! Never remembers an earlier round.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::{Class, Miss, Observation};
use crate::address::admissible::{Inadmissible, admissible};
use crate::address::{Family, Network, Verdict};

/// One round about one family.
#[derive(Debug)]
pub(super) struct Round {
    voices: BTreeMap<Class, Voice>,
}

/// Everything that a class said, through however many hosts.
#[derive(Debug, Default)]
struct Voice {
    votes: BTreeSet<IpAddr>,
    refused: Vec<(IpAddr, Inadmissible)>,
    misses: Vec<Miss>,
}

impl Round {
    /// Sorts the observations about `family`.
    pub(super) fn hear(observations: &[Observation], family: Family, admit: &[Network]) -> Self {
        let mut voices: BTreeMap<Class, Voice> = BTreeMap::new();
        for observation in observations.iter().filter(|observation| observation.family == family) {
            let voice = voices.entry(observation.class.clone()).or_default();
            match &observation.said {
                Ok(address) => voice.take(*address, family, admit),
                Err(miss) => voice.misses.push(miss.clone()),
            }
        }
        Self { voices }
    }

    /// The classes that named admissible addresses, and which.
    pub(super) fn votes(&self) -> impl Iterator<Item = (&Class, &BTreeSet<IpAddr>)> {
        self.voices
            .iter()
            .filter(|(_, voice)| !voice.votes.is_empty())
            .map(|(class, voice)| (class, &voice.votes))
    }

    /// Whether a class says `address`.
    pub(super) fn names(&self, address: IpAddr) -> bool {
        self.voices.values().any(|voice| voice.votes.contains(&address))
    }

    /// Whether an earlier vote of `class` is still to be believed: it was not asked, or it was silent. An interface
    /// is never silent.
    pub(super) fn leaves_standing(&self, class: &Class) -> bool {
        *class != Class::Interface && self.voices.get(class).is_none_or(Voice::is_silent)
    }

    /// What a round means that brought no agreement.
    pub(super) fn verdict(&self) -> Verdict {
        if self.router_stands_alone() {
            Verdict::Cgnat
        } else if self.differ()
            || (self.is_without_vote() && self.any_refused(|why| matches!(why, Inadmissible::Foreign(_))))
        {
            Verdict::ProxyEgress
        } else if self.is_captive() {
            Verdict::Captive
        } else if self.any_refused(|why| *why == Inadmissible::CarrierGrade) || self.router_is_behind() {
            Verdict::Cgnat
        } else {
            Verdict::Unknown
        }
    }

    fn differ(&self) -> bool {
        differ(self.votes().map(|(_, votes)| votes))
    }

    /// Whether two or more others agree on an address, and the router holds another one that could be public: some
    /// carriers number their customers out of space that is not theirs to use.
    fn router_stands_alone(&self) -> bool {
        let others = || self.votes().filter(|(class, _)| **class != Class::Router).map(|(_, votes)| votes);
        self.differ() && others().count() >= 2 && !differ(others())
    }

    /// Whether the router holds an address that it cannot be reached at, or none at all while others look at us from
    /// outside: another router is in front of it.
    pub(super) fn router_is_behind(&self) -> bool {
        let reached = self.is_seen_from_outside();
        let behind = |(address, _): &(IpAddr, Inadmissible)| reached || !address.is_unspecified();
        self.router().is_some_and(|router| router.votes.is_empty() && router.refused.iter().any(behind))
    }

    fn is_seen_from_outside(&self) -> bool {
        self.votes().any(|(class, _)| class.is_outside())
    }

    fn router(&self) -> Option<&Voice> {
        self.voices.get(&Class::Router)
    }

    /// What speaks against visitors getting through, in words.
    pub(super) fn doubt(&self) -> Option<String> {
        if self.router_stands_alone() {
            return Some("the router holds another address than the one that is seen".to_owned());
        }
        let router = self.router().filter(|_| self.router_is_behind())?;
        let known = |(address, _): &&(IpAddr, Inadmissible)| !address.is_unspecified();
        Some(match router.refused.iter().find(known) {
            None => {
                "the router holds no public address of its own, so another one is in front of it".to_owned()
            }
            Some((address, Inadmissible::CarrierGrade)) => {
                format!("the router's own address {address} is shared by the carrier (CGNAT)")
            }
            Some((address, _)) => {
                format!("the router's own address {address} is behind another router (double NAT)")
            }
        })
    }

    fn is_without_vote(&self) -> bool {
        self.votes().next().is_none()
    }

    fn any_refused(&self, why: impl Fn(&Inadmissible) -> bool) -> bool {
        self.voices.values().flat_map(|voice| &voice.refused).any(|(_, reason)| why(reason))
    }

    /// Whether half of those who look from outside or more answered with something that is no answer, and none of them
    /// with an address. A router knows its own however little gets through.
    fn is_captive(&self) -> bool {
        let outside = self.voices.iter().filter(|(class, _)| class.is_outside());
        let (portal, others): (Vec<_>, Vec<_>) = outside.partition(|(_, voice)| voice.is_malformed());
        !self.is_seen_from_outside() && !portal.is_empty() && portal.len() >= others.len()
    }

    /// The evidence, class by class.
    pub(super) fn words(&self) -> Vec<String> {
        self.voices.iter().filter_map(|(class, voice)| voice.words(class)).collect()
    }
}

/// Whether some of these have nothing in common with the first.
fn differ<'a>(mut votes: impl Iterator<Item = &'a BTreeSet<IpAddr>>) -> bool {
    let Some(first) = votes.next() else { return false };
    votes.any(|votes| votes.is_disjoint(first))
}

impl Voice {
    fn take(&mut self, address: IpAddr, family: Family, admit: &[Network]) {
        if Family::of(address) != family {
            self.misses.push(Miss::Malformed(format!("{address} is not of family {family}")));
        } else if let Err(why) = admissible(address, admit) {
            self.refused.push((address, why));
        } else {
            self.votes.insert(address);
        }
    }

    fn is_malformed(&self) -> bool {
        self.misses.iter().any(|miss| matches!(miss, Miss::Malformed(_)))
    }

    fn is_silent(&self) -> bool {
        self.votes.is_empty() && self.refused.is_empty() && !self.is_malformed()
    }

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
