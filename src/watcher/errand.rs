//! What this watcher asks its peers to look at, and which of their testimonies count.
//!
//! A node is a witness for the sites that it serves, a peer in the role of a witness for all. Never weighs a testimony:
//! the engine does.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::config::{PeerRole, PeerSettings, WatchSettings, WatcherConfig};
use crate::dns::Name;
use crate::failover::engine::Engine;
use crate::failover::errand::Looks;
use crate::failover::event::{About, Event, Testimony};
use crate::heartbeat::NodeName;
use crate::heartbeat::seal::VerifyingKey;
use crate::heartbeat::witness::{self, Assignment, Errand, FallbackLook, NodeLook};
use crate::probe::PageCheck;

/// Who is asked for what.
#[derive(Debug)]
pub(super) struct Errands {
    references: Vec<String>,
    keys: BTreeMap<NodeName, VerifyingKey>,
    /// The sites that each peer is a witness for.
    sites: BTreeMap<NodeName, Vec<Name>>,
    asked: BTreeMap<Name, Asked>,
}

/// How the nodes and the fallback of a site are asked.
#[derive(Debug)]
struct Asked {
    page: PageCheck,
    fallback: PageCheck,
    connect_ms: u32,
    total_ms: u32,
}

impl Errands {
    pub(super) fn of(config: &WatcherConfig) -> Self {
        let serves = |peer: &PeerSettings, watch: &WatchSettings| match peer.role {
            PeerRole::Witness => true,
            PeerRole::Node => watch.nodes.contains(&peer.name),
        };
        let sites = |peer: &PeerSettings| {
            let sites = config.watches.iter().filter(|watch| serves(peer, watch));
            (peer.name.clone(), sites.map(|watch| watch.site.clone()).collect())
        };
        let asked = |watch: &WatchSettings| Asked {
            page: watch.check.clone(),
            fallback: watch.fallback.check.clone(),
            connect_ms: ms(watch.policy.probe_connect),
            total_ms: ms(watch.policy.probe_total),
        };
        Self {
            references: config.references.clone(),
            keys: config.peers.iter().map(|peer| (peer.name.clone(), peer.key)).collect(),
            sites: config.peers.iter().map(sites).collect(),
            asked: config.watches.iter().map(|watch| (watch.site.clone(), asked(watch))).collect(),
        }
    }

    /// What `witness` is asked for now, whether or not it has room in an answer.
    pub(super) fn of_witness(&self, engine: &Engine, witness: &NodeName) -> Errand {
        let looks = engine.looks_for(witness, self.sites.get(witness).into_iter().flatten());
        let sites = looks.into_iter().filter_map(|looks| self.assignment(looks)).collect();
        Errand { references: self.references.clone(), sites }
    }

    fn assignment(&self, looks: Looks) -> Option<Assignment> {
        let asked = self.asked.get(&looks.site)?;
        let node = |(node, address, every): (NodeName, _, Duration)| {
            let public_key = *self.keys.get(&node)?;
            Some(NodeLook { node, public_key, address, every_ms: ms(every) })
        };
        let fallback = FallbackLook {
            page: asked.fallback.clone(),
            addresses: looks.fallback,
            every_ms: ms(looks.fallback_every),
        };
        Some(Assignment {
            site: looks.site,
            page: asked.page.clone(),
            connect_ms: asked.connect_ms,
            total_ms: asked.total_ms,
            nodes: looks.nodes.into_iter().filter_map(node).collect(),
            fallback: Some(fallback).filter(|fallback| !fallback.addresses.is_empty()),
        })
    }
}

/// What `witness` says, as far as it was asked for it.
pub(super) fn heard(
    witness: &NodeName,
    errand: &Errand,
    said: Vec<witness::Testimony>,
) -> impl Iterator<Item = Event> {
    let asked = |said: &witness::Testimony| errand.asks_for(&said.site, said.node.as_ref(), said.address);
    let event = |said: witness::Testimony| {
        let address = said.address;
        Event::Witnessed(Testimony {
            witness: witness.clone(),
            site: said.site,
            about: said.node.map_or(About::Fallback { address }, |node| About::Node { node, address }),
            started_ago: Duration::from_millis(said.ago_ms),
            outcome: said.outcome,
        })
    };
    said.into_iter().filter(asked).map(event)
}

fn ms(span: Duration) -> u32 {
    u32::try_from(span.as_millis()).unwrap_or(u32::MAX)
}
