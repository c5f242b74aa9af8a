//! What witnesses saw: looks at the nodes and the fallback of one site from other places than the watcher's.
//!
//! Only the last look of each witness at each place is kept, and only as long as somebody could ask for it. Never
//! judges a node, and never takes a node's word for itself.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::failover::event::{About, Testimony};
use crate::heartbeat::NodeName;
use crate::liveness::Accord;
use crate::moment::Moment;

/// What the witnesses of one site saw last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Witnesses {
    said: BTreeMap<NodeName, BTreeMap<IpAddr, Seen>>,
}

/// What one witness saw at one address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// When its last look began, on the watcher's time line.
    pub at: Moment,
    /// When the last look began that met what a visitor should meet.
    pub up: Option<Moment>,
    /// Failures since then.
    pub failures: u32,
}

/// A witness that failed this often in a row says that a place is down: one look may be lost on its own way.
const SURE: u32 = 3;

impl Witnesses {
    /// A testimony has arrived; an older one than the last about the same place changes nothing.
    pub fn record(&mut self, now: Moment, testimony: &Testimony) {
        let address = match &testimony.about {
            About::Node { node, .. } if *node == testimony.witness => return,
            About::Node { address, .. } | About::Fallback { address } => *address,
        };
        let at = now.back(testimony.started_ago);
        let places = self.said.entry(testimony.witness.clone()).or_default();
        let seen = places.entry(address).or_default();
        if at <= seen.at {
            return;
        }
        seen.at = at;
        if testimony.outcome.is_up() {
            (seen.up, seen.failures) = (Some(at), 0);
        } else {
            seen.failures = seen.failures.saturating_add(1);
        }
    }

    /// What those witnesses that count say of `address`, by looks that began after `since`; this watcher, for whom it
    /// fails, has a vote of its own. One who has seen nothing that is up may be cut off itself: it has no vote.
    #[must_use]
    pub fn accord(&self, address: IpAddr, since: Moment, counts: impl Fn(&NodeName) -> bool) -> Accord {
        let (mut up, mut down) = (0, 0);
        for (_, places) in self.said.iter().filter(|(witness, _)| counts(witness)) {
            let got_through = |seen: &Seen| seen.up.is_some_and(|at| at > since);
            match places.get(&address).filter(|seen| seen.at > since) {
                Some(seen) if seen.failures >= SURE => down += u32::from(places.values().any(got_through)),
                Some(seen) => up += u32::from(got_through(seen)),
                None => {}
            }
        }
        match (up, down) {
            (0, 0) => Accord::Alone,
            (up, down) if up < down + 1 => Accord::Agreed,
            _ => Accord::Disputed,
        }
    }

    /// Every look that is kept: whose, where, and what it saw.
    pub fn iter(&self) -> impl Iterator<Item = (&NodeName, IpAddr, Seen)> {
        self.said
            .iter()
            .flat_map(|(witness, places)| places.iter().map(move |(at, seen)| (witness, *at, *seen)))
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
        assert_eq!(said, [Seen { at: at(95), up: None, failures: 1 }]);
    }

    #[test]
    fn most_of_those_who_looked_lately_and_see_anything_at_all_decide() {
        let up = || Outcome::Up { latency_ms: 1, generation: None };
        let down = || Outcome::Failed(Failure::Refused);
        let pages = About::Fallback { address: "185.199.108.153".parse().unwrap() };
        let said = |looks: &[(&str, u64, Outcome)]| {
            let mut witnesses = Witnesses::default();
            for (witness, ago, outcome) in looks {
                for more in [20, 10, 0] {
                    witnesses.record(at(100), &testimony(witness, *ago + more, outcome.clone()));
                }
                if *witness != "blind" {
                    let about = pages.clone();
                    witnesses.record(at(100), &Testimony { about, ..testimony(witness, *ago, up()) });
                }
            }
            witnesses
                .accord("203.0.113.1".parse().unwrap(), at(60), |witness| witness.as_str() != "neighbour")
        };
        assert_eq!(said(&[]), Accord::Alone);
        assert_eq!(said(&[("w1", 5, up())]), Accord::Disputed, "one against one is no majority");
        assert_eq!(said(&[("w1", 5, down())]), Accord::Agreed);
        assert_eq!(said(&[("w1", 5, down()), ("w2", 5, up())]), Accord::Agreed, "two of three");
        assert_eq!(said(&[("w1", 5, down()), ("w2", 5, up()), ("w3", 5, up())]), Accord::Disputed);
        assert_eq!(said(&[("w1", 50, up())]), Accord::Alone, "an old look says nothing");
        assert_eq!(said(&[("blind", 5, down())]), Accord::Alone, "it may be cut off itself");
        assert_eq!(said(&[("neighbour", 5, up())]), Accord::Alone);
        assert_eq!(said(&[("w1", 9, up()), ("w1", 1, down())]), Accord::Disputed, "one look may be lost");
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
