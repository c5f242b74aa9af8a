//! The replay window: which beat has been taken before. PURE.
//!
//! A beat is taken once, sequences only go up within a run, and a run that another one has followed never comes back:
//! not with a sequence that was seen, and not with one that was held back on the way (an announced stop that is
//! delivered after the next start would take a healthy node away). Wall time plays no part: a node without a clock
//! chip may start years in the past.
//!
//! Runs are remembered by their boot id, the last [`RUNS`] of each node, across restarts of the watcher when the
//! window is kept with its state. So a recorded beat can count again only after its node has been started [`RUNS`]
//! times since, and what it can do then is bounded: an address in it is published only after a fresh proof, and
//! silence sets in again after `beat_stale`. It also closes the run that is alive, whose next beats are refused
//! until the agent begins a new run.
//!
//! Never verifies a seal: hand in what [`receive`](super::receive) let through, and nothing else.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::{BootId, NodeName};

/// How many runs that are over are remembered for each node. An agent that is started once a day fills this in eight
/// months, one that systemd restarts every 5 s in 21 minutes; a full list is 9 KB of JSON.
pub const RUNS: usize = 256;

/// What has been taken, of all nodes. Serialises to the watcher's state; the caller writes it before it acts on a
/// beat, or accepts that the beats since the last write count twice after a crash.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Window {
    nodes: BTreeMap<NodeName, Runs>,
}

/// The runs of one node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Runs {
    /// The run that beats now.
    current: BootId,
    /// The last sequence taken of it.
    last: u64,
    /// Runs that are over, the oldest first.
    over: VecDeque<BootId>,
}

/// Why a beat is not taken a second time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Replayed {
    /// The sequence is not above the last one of its run.
    #[error("beat {sequence} of this run was taken before, or one after it ({last} was the last)")]
    Sequence {
        /// The one that was refused.
        sequence: u64,
        /// The last one taken.
        last: u64,
    },
    /// A later run of the node has beaten.
    #[error(
        "run {boot} of this node is over: a later one has beaten; if two machines use this name and key, give one its own"
    )]
    Over {
        /// The run that was refused.
        boot: BootId,
    },
}

impl Window {
    /// Takes beat `sequence` of run `boot` of `node`, whose seal has been verified.
    ///
    /// # Errors
    /// When it was taken before or can have been; then nothing has changed.
    pub fn accept(&mut self, node: &NodeName, boot: BootId, sequence: u64) -> Result<(), Replayed> {
        self.check(node, boot, sequence)?;
        match self.nodes.get_mut(node) {
            None => {
                let runs = Runs { current: boot, last: sequence, over: VecDeque::new() };
                self.nodes.insert(node.clone(), runs);
            }
            Some(runs) if runs.current == boot => runs.last = sequence,
            Some(runs) => runs.begin(boot, sequence),
        }
        Ok(())
    }

    /// Whether that beat would be taken now.
    ///
    /// # Errors
    /// When it was taken before or can have been.
    pub fn check(&self, node: &NodeName, boot: BootId, sequence: u64) -> Result<(), Replayed> {
        match self.nodes.get(node) {
            Some(runs) if runs.current == boot && sequence <= runs.last => {
                Err(Replayed::Sequence { sequence, last: runs.last })
            }
            Some(runs) if runs.current != boot && runs.over.contains(&boot) => Err(Replayed::Over { boot }),
            Some(_) | None => Ok(()),
        }
    }

    /// The last beat taken of `node`: its run and its sequence.
    #[must_use]
    pub fn last(&self, node: &NodeName) -> Option<(BootId, u64)> {
        self.nodes.get(node).map(|runs| (runs.current, runs.last))
    }
}

impl Runs {
    fn begin(&mut self, boot: BootId, sequence: u64) {
        self.over.push_back(self.current);
        while self.over.len() > RUNS {
            self.over.pop_front();
        }
        (self.current, self.last) = (boot, sequence);
    }
}

#[cfg(test)]
mod tests;
