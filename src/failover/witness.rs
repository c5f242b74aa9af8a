//! What witnesses saw: looks at the nodes and the fallback of one site from other places than the watcher's.
//!
//! Only the last look of each witness at each place is kept, and only as long as somebody could ask for it. Never
//! judges a node, and never takes a node's word for itself.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::failover::event::{About, Testimony};
use crate::heartbeat::NodeName;
use crate::moment::Moment;

/// What the witnesses of one site saw last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Witnesses {
    said: BTreeMap<NodeName, BTreeMap<IpAddr, Seen>>,
}

/// What one witness saw at one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// When its look began, on the watcher's time line.
    pub at: Moment,
    /// What it met.
    pub sight: Sight,
}

/// What a witness met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sight {
    /// What a visitor should meet.
    Up,
    /// Something else, or nothing.
    Down,
}

impl Witnesses {
    /// A testimony has arrived; an older one than the last about the same place changes nothing.
    pub fn record(&mut self, now: Moment, testimony: &Testimony) {
        let address = match &testimony.about {
            About::Node { node, .. } if *node == testimony.witness => return,
            About::Node { address, .. } | About::Fallback { address } => *address,
        };
        let sight = if testimony.outcome.is_up() { Sight::Up } else { Sight::Down };
        let seen = Seen { at: now.back(testimony.started_ago), sight };
        let places = self.said.entry(testimony.witness.clone()).or_default();
        if places.get(&address).is_none_or(|last| last.at < seen.at) {
            places.insert(address, seen);
        }
    }

    /// Forgets every look at an address that is not `kept`: nobody will ask for it again.
    pub fn keep(&mut self, kept: impl Fn(IpAddr) -> bool) {
        self.said.values_mut().for_each(|places| places.retain(|address, _| kept(*address)));
        self.said.retain(|_, places| !places.is_empty());
    }

    /// Forgets everything: it was gathered while the watcher could not be trusted.
    pub fn discard_evidence(&mut self) {
        self.said.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::probe::outcome::{Failure, Outcome};

    fn testimony(witness: &str, ago: u64, outcome: Outcome) -> Testimony {
        Testimony {
            witness: witness.parse().unwrap(),
            site: "www.example.com".parse().unwrap(),
            about: About::Node { node: "pi1".parse().unwrap(), address: "203.0.113.1".parse().unwrap() },
            started_ago: Duration::from_secs(ago),
            outcome,
        }
    }

    fn at(seconds: u64) -> Moment {
        Moment::START + Duration::from_secs(seconds)
    }

    #[test]
    fn the_last_look_counts_whatever_arrives_last() {
        let mut witnesses = Witnesses::default();
        let up = Outcome::Up { latency_ms: 1, generation: None };
        witnesses.record(at(100), &testimony("pi2", 5, Outcome::Failed(Failure::Refused)));
        witnesses.record(at(101), &testimony("pi2", 20, up));
        let said: Vec<Seen> = witnesses.said.values().flat_map(BTreeMap::values).copied().collect();
        assert_eq!(said, [Seen { at: at(95), sight: Sight::Down }]);
    }

    #[test]
    fn nobody_is_a_witness_for_himself_and_what_nobody_asks_for_is_forgotten() {
        let mut witnesses = Witnesses::default();
        witnesses.record(at(1), &testimony("pi1", 0, Outcome::Failed(Failure::Refused)));
        assert_eq!(witnesses, Witnesses::default());
        witnesses.record(at(1), &testimony("pi2", 0, Outcome::Failed(Failure::Refused)));
        assert_ne!(witnesses, Witnesses::default());
        witnesses.keep(|_| false);
        assert_eq!(witnesses, Witnesses::default());
    }
}
