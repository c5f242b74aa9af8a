//! The nodes of the world.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use hearth::failover::event::BeatSeen;
use hearth::heartbeat::{BootId, NodeName};
use hearth::moment::Moment;

/// A node. Counts say how many faults hold it down at the same time.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(super) name: NodeName,
    /// Where it is.
    pub(crate) address: IpAddr,
    pub(super) been: Vec<IpAddr>,
    /// No visitor, no probe, no beat gets through.
    pub(crate) down: u32,
    /// No visitor and no probe gets through.
    pub(crate) web_down: u32,
    /// No beat gets through.
    pub(crate) mute: u32,
    /// Only this watcher cannot reach it.
    pub(crate) path_cut: u32,
    /// It answers with something else than the site.
    pub(crate) wrong: u32,
    /// Chances that a probe is lost, one for each episode.
    pub(crate) lossy: Vec<f64>,
    /// Beats are this late.
    pub(crate) late: Duration,
    /// When the last of its beats that are on their way arrives.
    pub(crate) heard_until: Moment,
    /// It says that it is there, and is not.
    pub(crate) lie: Option<IpAddr>,
    /// How far its clock is off, in milliseconds.
    pub(crate) skew_ms: i64,
    pub(super) boot: u32,
    pub(super) sequence: u64,
    pub(super) next_beat: Moment,
    pub(super) sent: VecDeque<BeatSeen>,
}

impl Node {
    /// Whether it is or has ever been there.
    pub(crate) fn has_been_at(&self, address: IpAddr) -> bool {
        self.address == address || self.been.contains(&address)
    }

    /// What it is called.
    pub(crate) fn name(&self) -> &NodeName {
        &self.name
    }

    /// Whether nothing is wrong with it or on the way to it.
    pub(crate) fn is_well(&self) -> bool {
        self.serves()
            && self.mute == 0
            && self.path_cut == 0
            && self.lossy.is_empty()
            && self.late.is_zero()
            && self.lie.is_none()
    }

    /// What it says next, when it is not leaving.
    pub(crate) fn beat(&mut self) -> BeatSeen {
        self.sequence += 1;
        said(self, None)
    }

    /// Whether visitors get the site from it.
    pub(crate) fn serves(&self) -> bool {
        self.down == 0 && self.web_down == 0 && self.wrong == 0
    }
}

/// Where node `i` is at first.
pub(super) fn home(i: usize) -> IpAddr {
    Ipv4Addr::new(203, 0, 113, u8::try_from(i + 1).unwrap_or(u8::MAX)).into()
}

pub(super) fn said(node: &Node, leaving: Option<&str>) -> BeatSeen {
    let mut bits = [0; 16];
    bits[..4].copy_from_slice(&node.boot.to_be_bytes());
    BeatSeen {
        node: node.name.clone(),
        boot: BootId::new(bits),
        sequence: node.sequence,
        addresses: vec![node.lie.unwrap_or(node.address)],
        generations: BTreeMap::new(),
        sources: BTreeMap::new(),
        mounts: Vec::new(),
        version: String::new(),
        skew_ms: node.skew_ms,
        leaving: leaving.map(ToOwned::to_owned),
    }
}
