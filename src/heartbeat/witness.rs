//! The words of witnesses: what a watcher asks others to look at, and what they saw from where they are. PURE.
//!
//! An errand travels in the watcher's sealed answer to a beat, testimonies in the sealed beats that follow. One watcher
//! decides and counts; a witness never does. A testimony is worth something only while it was asked for: who counts
//! compares it with the errand.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::NodeName;
use super::seal::VerifyingKey;
use crate::dns::Name;
use crate::probe::outcome::Outcome;
use crate::probe::page::PageCheck;

/// What a witness is asked to look at. Replaces every earlier errand of the same watcher.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Errand {
    /// What is up whenever the Internet is: a witness that reaches too few of them says nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<String>,
    /// The sites.
    pub sites: Vec<Assignment>,
}

/// What is to be looked at for one site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// The site: Host and SNI of every look.
    pub site: Name,
    /// What a visitor would ask a node for.
    pub page: PageCheck,
    /// How long connecting may take, in milliseconds.
    pub connect_ms: u32,
    /// How long a look may take, in milliseconds.
    pub total_ms: u32,
    /// The nodes, each at one of its addresses.
    pub nodes: Vec<NodeLook>,
    /// The fallback, if it is to be looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<FallbackLook>,
}

/// A node that is to be looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeLook {
    /// The node that should answer.
    pub node: NodeName,
    /// Its key.
    pub public_key: VerifyingKey,
    /// Where.
    pub address: IpAddr,
    /// Between two looks, start to start, in milliseconds.
    pub every_ms: u32,
}

/// The fallback of a site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FallbackLook {
    /// What a visitor would ask it for.
    pub page: PageCheck,
    /// Where.
    pub addresses: Vec<IpAddr>,
    /// Between two looks, start to start, in milliseconds.
    pub every_ms: u32,
}

/// What a witness saw, as it is said in a beat. The seal of the beat says who the witness is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Testimony {
    /// The site.
    pub site: Name,
    /// The node that was looked at. None: the fallback.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<NodeName>,
    /// Where.
    pub address: IpAddr,
    /// How long before the beat was sealed the look began, in milliseconds.
    pub ago_ms: u64,
    /// What it met. The digest of what a node serves is left out: only the decider judges it.
    pub outcome: Outcome,
}

impl Errand {
    /// How many bytes of an answer an errand may take.
    pub const ROOM: usize = 5 * 1024;

    /// How many looks a witness takes on; it leaves out what goes beyond.
    pub const MOST: usize = 64;

    /// The shortest time between two looks that a witness keeps to, whatever it is asked for.
    pub const SHORTEST: Duration = Duration::from_millis(100);

    /// The longest time that a look may take, whatever it is asked for.
    pub const LONGEST: Duration = Duration::from_secs(30);

    /// As many sites as have room in an answer, in their order.
    #[must_use]
    pub fn fitting(mut self) -> Self {
        let references = serde_json::to_vec(&self.references).map_or(Self::ROOM, |text| text.len());
        // The names of the two fields, braces and brackets.
        let mut room = Self::ROOM.saturating_sub(references + 32);
        let fits = |site: &Assignment| {
            let rest = size(site).and_then(|size| room.checked_sub(size));
            room = rest.unwrap_or(0);
            rest.is_some()
        };
        self.sites = self.sites.into_iter().take_while(fits).collect();
        self
    }

    /// Whether it asks for anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sites.is_empty()
    }

    /// Whether it asks for looks of that kind: what was not asked for does not count.
    #[must_use]
    pub fn asks_for(&self, site: &Name, node: Option<&NodeName>, address: IpAddr) -> bool {
        let Some(assignment) = self.sites.iter().find(|assignment| assignment.site == *site) else {
            return false;
        };
        match node {
            Some(node) => assignment.nodes.iter().any(|look| look.node == *node && look.address == address),
            None => assignment.fallback.as_ref().is_some_and(|look| look.addresses.contains(&address)),
        }
    }

    /// The same without the looks at addresses that `may` turns down, and without the sites of which nothing is left.
    #[must_use]
    pub fn only(mut self, may: impl Fn(IpAddr) -> bool) -> Self {
        for assignment in &mut self.sites {
            assignment.nodes.retain(|look| may(look.address));
            if let Some(fallback) = &mut assignment.fallback {
                fallback.addresses.retain(|address| may(*address));
            }
            assignment.fallback.take_if(|fallback| fallback.addresses.is_empty());
        }
        self.sites.retain(|assignment| !assignment.nodes.is_empty() || assignment.fallback.is_some());
        self
    }
}

impl Testimony {
    /// How many bytes of a beat all testimonies together may take.
    pub const ROOM: usize = 1536;

    /// How many there are in a beat at most.
    pub const MOST: usize = 16;

    /// The longest text in an outcome, in bytes.
    pub const LONGEST: usize = 120;

    /// As many as have room in a beat, failures first: what is well is looked at again soon.
    #[must_use]
    pub fn fitting(mut all: Vec<Self>, room: usize) -> Vec<Self> {
        all.sort_by_key(|testimony| testimony.outcome.is_up());
        let mut room = room.min(Self::ROOM);
        let fits = |testimony: &Self| {
            let rest = size(testimony).and_then(|size| room.checked_sub(size));
            room = rest.unwrap_or(room);
            rest.is_some()
        };
        all.into_iter().filter(fits).take(Self::MOST).collect()
    }
}

/// How many bytes this takes in a list, with its comma.
fn size(entry: &impl Serialize) -> Option<usize> {
    serde_json::to_vec(entry).ok().map(|text| text.len() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heartbeat::seal::SigningKey;
    use crate::probe::outcome::Failure;
    use crate::probe::page::Scheme;

    fn page() -> PageCheck {
        PageCheck { scheme: Scheme::Https, port: 443, path: "/".to_owned(), contains: Some("x".repeat(60)) }
    }

    fn address(last: u8) -> IpAddr {
        [192, 0, 2, last].into()
    }

    fn assignment(site: &str) -> Assignment {
        let look = |name: &str, last| NodeLook {
            node: name.parse().unwrap(),
            public_key: SigningKey::from_seed([last; 32]).verifying(),
            address: address(last),
            every_ms: 10_000,
        };
        Assignment {
            site: site.parse().unwrap(),
            page: page(),
            connect_ms: 4_000,
            total_ms: 6_000,
            nodes: vec![look("pi1", 1), look("pi2", 2)],
            fallback: Some(FallbackLook { page: page(), addresses: vec![address(9)], every_ms: 300_000 }),
        }
    }

    fn errand(sites: usize) -> Errand {
        let sites = (0..sites).map(|n| assignment(&format!("www.site-{n}.example.com"))).collect();
        Errand { references: vec!["https://up.example".to_owned()], sites }
    }

    fn testimony(last: u8, outcome: Outcome) -> Testimony {
        let site = "www.example.com".parse().unwrap();
        Testimony { site, node: None, address: address(last), ago_ms: 1, outcome }
    }

    #[test]
    fn an_errand_never_outgrows_its_room_and_keeps_what_fits() {
        assert_eq!(errand(3).fitting(), errand(3));
        let many = errand(1_000).fitting();
        assert!((2..1_000).contains(&many.sites.len()), "{}", many.sites.len());
        assert!(serde_json::to_vec(&many).unwrap().len() <= Errand::ROOM);
        let text = serde_json::to_string(&many).unwrap();
        assert_eq!(serde_json::from_str::<Errand>(&text).unwrap(), many);
    }

    #[test]
    fn only_what_was_asked_for_counts() {
        let (errand, site) = (errand(1), "www.site-0.example.com".parse().unwrap());
        let (pi1, pi2) = ("pi1".parse().unwrap(), "pi2".parse().unwrap());
        assert!(errand.asks_for(&site, Some(&pi1), address(1)));
        assert!(errand.asks_for(&site, None, address(9)));
        assert!(!errand.asks_for(&site, Some(&pi2), address(1)), "another node's address");
        assert!(!errand.asks_for(&site, None, address(1)), "no address of the fallback");
        assert!(!errand.asks_for(&"www.other.example".parse().unwrap(), None, address(9)));
    }

    #[test]
    fn an_address_that_must_not_be_looked_at_takes_its_looks_with_it() {
        let left = errand(1).only(|a| a == address(2));
        let nodes: Vec<&str> = left.sites[0].nodes.iter().map(|look| look.node.as_str()).collect();
        assert_eq!((nodes, &left.sites[0].fallback), (vec!["pi2"], &None));
        assert!(errand(3).only(|_| false).is_empty());
    }

    #[test]
    fn failures_come_first_and_testimonies_never_outgrow_their_room() {
        let up = Outcome::Up { latency_ms: 5, generation: None };
        let down = || Outcome::Failed(Failure::Tls("t".repeat(Testimony::LONGEST)));
        let mut all: Vec<Testimony> = (0..40).map(|n| testimony(n, up.clone())).collect();
        all.extend((100..104).map(|n| testimony(n, down())));
        let said = Testimony::fitting(all.clone(), usize::MAX);
        assert!(said.len() > 6 && said.len() <= Testimony::MOST, "{}", said.len());
        assert!(said[..4].iter().all(|testimony| !testimony.outcome.is_up()));
        assert!(serde_json::to_vec(&said).unwrap().len() <= Testimony::ROOM + 2);
        assert!(Testimony::fitting(all, 20).is_empty());
    }
}
