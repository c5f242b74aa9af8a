//! What comes into the engine, and what goes out: the words of the journal.
//!
//! Everything that the engine ever learns is an [`Event`], so a journal of events replays to the same effects.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::address::Family;
use crate::dns::{Name, Owner, RdataSet};
use crate::failover::Shape;
use crate::failover::lane::Side;
use crate::heartbeat::{BootId, MountReport, NodeName, SourceState};
use crate::moment::Moment;
use crate::policy::Policy;
use crate::probe::outcome::{Failure, Outcome};

/// What is watched. Part of the journal, so that a replay needs nothing else.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setup {
    /// The sites.
    pub sites: Vec<SiteSetup>,
    /// How many references there are.
    pub references: u32,
}

/// One site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteSetup {
    /// Its name.
    pub site: Name,
    /// What its record looks like.
    pub shape: Shape,
    /// Its nodes, the preferred first.
    pub nodes: Vec<NodeName>,
    /// Their DNS names, for the CNAME shape.
    pub hosts: BTreeMap<NodeName, Name>,
    /// The fallback's name, for the CNAME shape.
    pub fallback_name: Option<Name>,
    /// The fallback's addresses: looked at in either shape, published in the address shape.
    pub fallback_addresses: Vec<IpAddr>,
    /// The numbers.
    pub policy: Policy,
}

/// Something that has happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// The watcher has started: evidence from before is worthless, decisions and budgets are not.
    Started {
        /// What is watched now.
        setup: Setup,
        /// Where jitter comes from.
        seed: u64,
    },
    /// Time has passed.
    Tick,
    /// A beat, verified and not seen before.
    Beat(BeatSeen),
    /// A witness has said what it saw: verified, and not seen before.
    Witnessed(Testimony),
    /// A probe has come back.
    Probed {
        /// What was looked at.
        target: Target,
        /// Where.
        address: IpAddr,
        /// When the probe was started.
        started: Moment,
        /// What it met.
        outcome: Outcome,
    },
    /// A look at an address of the fallback has come back.
    FallbackSeen {
        /// The site that it stands in for.
        site: Name,
        /// Which address.
        address: IpAddr,
        /// What was wrong. None: it is good.
        failure: Option<Failure>,
        /// How much longer the certificate is good that was shown there. None: none was seen.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        certificate_left: Option<Duration>,
    },
    /// All references have been looked at.
    References {
        /// How many answered.
        answered: u32,
        /// How many were asked.
        asked: u32,
    },
    /// The driver did not run, or its clock jumped, for this long.
    Stalled(Duration),
    /// The site's record was read. Only what the site's shape can hold.
    Read {
        /// The site.
        site: Name,
        /// When the reading was started.
        started: Moment,
        /// What is in force, or why it could not be read.
        result: Result<Vec<RdataSet>, String>,
        /// The highest epoch that this watcher's marks hold there: a watcher that has lost its journal goes on from it.
        #[serde(default)]
        epoch: Option<u64>,
    },
    /// A write was tried.
    Written {
        /// The site.
        site: Name,
        /// The write.
        epoch: u64,
        /// What was read back, or why nothing is confirmed. It is tried again until it lands or is superseded.
        result: Result<Vec<RdataSet>, String>,
    },
    /// The authoritative servers were asked after a write.
    Confirmed {
        /// The site.
        site: Name,
        /// The write.
        epoch: u64,
        /// How many answer with it.
        agree: u32,
        /// How many were asked.
        asked: u32,
    },
    /// A person has said what they want.
    Command {
        /// The site.
        site: Name,
        /// What.
        command: Command,
        /// Who.
        owner: Owner,
        /// Why.
        reason: String,
    },
}

/// What matters of a beat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BeatSeen {
    /// Who.
    pub node: NodeName,
    /// The run of the agent.
    pub boot: BootId,
    /// Its number.
    pub sequence: u64,
    /// Where the node says that it is.
    pub addresses: Vec<IpAddr>,
    /// The digest of what it serves, by the names of sites.
    #[serde(default)]
    pub generations: BTreeMap<Name, String>,
    /// How what it reads from stands, by the names of sites.
    #[serde(default)]
    pub sources: BTreeMap<Name, SourceState>,
    /// The mounts that it looks after and that are not in order.
    #[serde(default)]
    pub mounts: Vec<MountReport>,
    /// The version that it runs.
    pub version: String,
    /// How far its wall clock is ahead of the watcher's, in milliseconds.
    #[serde(default)]
    pub skew_ms: i64,
    /// Why it is leaving, when it is.
    pub leaving: Option<String>,
}

/// What a witness saw of one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Testimony {
    /// Who looked.
    pub witness: NodeName,
    /// For which site.
    pub site: Name,
    /// At what.
    pub about: About,
    /// How long ago the look began when its testimony arrived, by the witness's own monotonic clock.
    pub started_ago: Duration,
    /// What it met.
    pub outcome: Outcome,
}

/// What a witness looks at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum About {
    /// Another node.
    Node {
        /// Which.
        node: NodeName,
        /// Where.
        address: IpAddr,
    },
    /// The fallback.
    Fallback {
        /// Which of its addresses.
        address: IpAddr,
    },
}

/// One address family of one node, for one site.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Target {
    /// The site.
    pub site: Name,
    /// The node.
    pub node: NodeName,
    /// The family.
    pub family: Family,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} over {} for {}", self.node, self.family, self.site)
    }
}

/// What a person wants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Command {
    /// Visitors are sent there, whatever the health, until the span is over.
    Pin {
        /// Where.
        side: Side,
        /// For how long.
        span: Duration,
    },
    /// Visitors are sent to the fallback to see that it can be done, and home again when the span is over.
    Drill {
        /// For how long.
        span: Duration,
    },
    /// The record is left as it is, until the span is over; what would be done is told.
    Freeze {
        /// For how long.
        span: Duration,
    },
    /// A node is treated as if it had said that it leaves, until the span is over.
    Drain {
        /// Which.
        node: NodeName,
        /// For how long.
        span: Duration,
    },
    /// The engine decides again, by itself and of every node.
    Auto,
}

/// Something that is to be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// Look at a target.
    Probe {
        /// What.
        target: Target,
        /// Where.
        address: IpAddr,
    },
    /// Look at an address of the fallback.
    LookAtFallback {
        /// The site that it stands in for.
        site: Name,
        /// Which address.
        address: IpAddr,
    },
    /// Look at all references.
    LookAtReferences,
    /// Read the site's record.
    Read {
        /// The site.
        site: Name,
    },
    /// Bring the site's record to this. Replaces every earlier write of the site.
    Write {
        /// The site.
        site: Name,
        /// Grows with every write.
        epoch: u64,
        /// What the record should hold.
        sets: Vec<RdataSet>,
        /// Why.
        why: String,
    },
    /// Stop trying to land what was to be written.
    Abandon {
        /// The site.
        site: Name,
    },
    /// Tell people.
    Note(Note),
}

/// Something that people want to know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// The site, when it is about one.
    pub site: Option<Name>,
    /// How much it matters.
    pub weight: Weight,
    /// What happened.
    pub text: String,
}

/// How much a note matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weight {
    /// Worth a line in the log.
    Info,
    /// Somebody should look when there is time.
    Warning,
    /// Somebody should look now.
    Alarm,
}
