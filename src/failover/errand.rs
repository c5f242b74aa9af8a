//! What witnesses are asked to look at: the places of a site that matter to whoever decides, seen from elsewhere.
//!
//! A node is never asked about itself, nor about one behind the same line: that is no other place to look from, and few
//! routers lead a packet out and in again. Never weighs what is answered.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use crate::dns::Name;
use crate::failover::engine::Engine;
use crate::failover::lane::Side;
use crate::failover::site::{Site, Watched};
use crate::heartbeat::NodeName;
use crate::liveness::Health;

/// The looks at one site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Looks {
    /// The site.
    pub site: Name,
    /// The nodes, each at one address, and the time between two looks there.
    pub nodes: Vec<(NodeName, IpAddr, Duration)>,
    /// The addresses of the fallback.
    pub fallback: Vec<IpAddr>,
    /// Between two looks at the fallback.
    pub fallback_every: Duration,
}

impl Engine {
    /// What `witness` is asked to look at for these sites, those with a suspect node first: an answer may have no room
    /// for all.
    #[must_use]
    pub fn looks_for<'a>(&self, witness: &NodeName, sites: impl IntoIterator<Item = &'a Name>) -> Vec<Looks> {
        let sites = sites.into_iter().filter_map(|name| self.sites.get(name));
        let mut urgent: Vec<(bool, Looks)> =
            sites.map(|site| (suspect(site), looks(site, witness))).collect();
        urgent.sort_by_key(|(suspect, _)| !suspect);
        urgent.into_iter().map(|(_, looks)| looks).collect()
    }
}

fn looks(site: &Site, witness: &NodeName) -> Looks {
    let policy = &site.setup.policy;
    let own: Vec<IpAddr> = addresses(site, witness).collect();
    let elsewhere = |node: &&NodeName| {
        **node != *witness && !addresses(site, node).any(|there| own.iter().any(|o| same_line(*o, there)))
    };
    let look = |(node, watched): (&NodeName, &Watched)| {
        let every =
            if watched.health == Health::Suspect { policy.probe_suspect_every } else { policy.probe_every };
        (node.clone(), watched.liveness.address(), every)
    };
    let others = site.setup.nodes.iter().filter(elsewhere);
    let places = others.flat_map(|node| watched(site, node).map(move |watched| (node, watched)));
    let near = suspect(site) || site.lanes.values().any(|lane| lane.side() == Side::Fallback);
    Looks {
        site: site.setup.site.clone(),
        nodes: places.map(look).collect(),
        fallback: site.setup.fallback_addresses.clone(),
        fallback_every: if near { policy.fallback_suspect_every } else { policy.fallback_every },
    }
}

fn watched<'a>(site: &'a Site, node: &NodeName) -> impl Iterator<Item = &'a Watched> {
    site.targets.get(node).into_iter().flat_map(|families| families.values())
}

fn addresses(site: &Site, node: &NodeName) -> impl Iterator<Item = IpAddr> {
    watched(site, node).map(|watched| watched.liveness.address())
}

fn suspect(site: &Site) -> bool {
    site.targets.values().flat_map(|families| families.values()).any(|w| w.health == Health::Suspect)
}

/// Whether two addresses are of one line: one IPv4 address, or one IPv6 network of 64 bits (RFC 6177).
pub(super) fn same_line(a: IpAddr, b: IpAddr) -> bool {
    let network = |v6: Ipv6Addr| v6.to_bits() >> 64;
    match (a, b) {
        (IpAddr::V4(a), IpAddr::V4(b)) => a == b,
        (IpAddr::V6(a), IpAddr::V6(b)) => network(a) == network(b),
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::failover::Shape;
    use crate::failover::event::{BeatSeen, Event, Setup, SiteSetup, Target};
    use crate::heartbeat::BootId;
    use crate::moment::Moment;
    use crate::policy::Policy;
    use crate::probe::outcome::{Failure, Outcome};

    fn node(name: &str) -> NodeName {
        name.parse().unwrap()
    }

    fn site(name: &str) -> Name {
        name.parse().unwrap()
    }

    fn setup(name: &str) -> SiteSetup {
        SiteSetup {
            site: site(name),
            shape: Shape::Address,
            nodes: vec![node("pi1"), node("pi2")],
            hosts: BTreeMap::new(),
            fallback_name: None,
            fallback_addresses: vec!["185.199.108.153".parse().unwrap()],
            policy: Policy::default(),
        }
    }

    fn beat(name: &str, addresses: &[&str]) -> Event {
        Event::Beat(BeatSeen {
            node: node(name),
            boot: BootId::new([1; 16]),
            sequence: 1,
            addresses: addresses.iter().map(|a| a.parse().unwrap()).collect(),
            generations: BTreeMap::new(),
            sources: BTreeMap::new(),
            mounts: Vec::new(),
            version: "1".to_owned(),
            skew_ms: 0,
            leaving: None,
        })
    }

    /// An engine that watches two sites of two nodes, which say that they are there.
    fn engine(pi1: &[&str], pi2: &[&str]) -> Engine {
        let mut engine = Engine::default();
        let setup = Setup { sites: vec![setup("a.example.com"), setup("b.example.com")], references: 0 };
        for event in [Event::Started { setup, seed: 1 }, beat("pi1", pi1), beat("pi2", pi2)] {
            engine.step(Moment::START, &event);
        }
        engine
    }

    fn places(looks: &Looks) -> Vec<String> {
        looks
            .nodes
            .iter()
            .map(|(node, address, every)| format!("{node} {address} {}", every.as_secs()))
            .collect()
    }

    #[test]
    fn a_node_is_asked_about_the_others_and_an_outsider_about_all() {
        let engine = engine(&["203.0.113.1"], &["203.0.113.2", "2001:db8::2"]);
        let of = |witness: &str| places(&engine.looks_for(&node(witness), [&site("a.example.com")])[0]);
        assert_eq!(of("pi1"), ["pi2 203.0.113.2 10", "pi2 2001:db8::2 10"]);
        assert_eq!(of("pi2"), ["pi1 203.0.113.1 10"]);
        assert_eq!(of("watch2").len(), 3);
    }

    #[test]
    fn a_node_behind_the_same_line_is_no_other_place_to_look_from() {
        for (pi1, pi2, asked) in [
            (["203.0.113.1", "2001:db8:1::1"], ["203.0.113.1", "2001:db8:2::2"], false),
            (["203.0.113.1", "2001:db8:1::1"], ["203.0.113.2", "2001:db8:1::2"], false),
            (["203.0.113.1", "2001:db8:1::1"], ["203.0.113.2", "2001:db8:2::2"], true),
        ] {
            let engine = engine(&pi1, &pi2);
            let looks = engine.looks_for(&node("pi1"), [&site("a.example.com")]);
            assert_eq!(!looks[0].nodes.is_empty(), asked, "{pi1:?} and {pi2:?}");
            assert_eq!(looks[0].fallback.len(), 1, "the fallback is elsewhere in any case");
        }
    }

    #[test]
    fn a_site_with_a_suspect_node_comes_first_and_is_looked_at_often() {
        let mut engine = engine(&["203.0.113.1"], &["203.0.113.2"]);
        let (a, b) = (site("a.example.com"), site("b.example.com"));
        let probed = |millis: u64, outcome: Outcome| {
            let target = Target { site: b.clone(), node: node("pi2"), family: crate::address::Family::Ipv4 };
            let address = "203.0.113.2".parse().unwrap();
            (
                Moment::from_millis(millis),
                Event::Probed { target, address, started: Moment::from_millis(millis - 5), outcome },
            )
        };
        let up = || Outcome::Up { latency_ms: 1, generation: None };
        let mut seen: Vec<_> = (1..9).map(|n| probed(n * 10_000, up())).collect();
        seen.push(probed(90_000, Outcome::Failed(Failure::Refused)));
        for (at, event) in seen {
            engine.step(at, &event);
        }
        let looks = engine.looks_for(&node("pi1"), [&a, &b]);
        assert_eq!((&looks[0].site, &looks[1].site), (&b, &a));
        assert_eq!(places(&looks[0]), ["pi2 203.0.113.2 3"]);
        assert_eq!(
            (looks[0].fallback_every, looks[1].fallback_every),
            (Duration::from_secs(10), Duration::from_secs(300))
        );
    }
}
