//! The watcher as people and programs see it: one snapshot, made from the engine.
//!
//! Old data must not look healthy, so everything that was seen says how long ago. Never holds a secret.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::dns::{Name, RdataSet};
use crate::failover::content::Freshness;
use crate::failover::drill::{Report, Stage};
use crate::failover::engine::Engine;
use crate::failover::event::Note;
use crate::failover::fallback::in_days;
use crate::failover::lane::{Side, words};
use crate::failover::site::{Site, Word};
use crate::failover::witness::Seen;
use crate::heartbeat::{MountReport, NodeName, SiteView, SourceState};
use crate::liveness::Health;
use crate::moment::Moment;

/// The watcher, as it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WatcherStatus {
    /// The version that runs.
    pub version: String,
    /// Milliseconds since the watcher started.
    pub uptime_ms: u64,
    /// Milliseconds since the watcher has been cut off; None: it is not.
    pub isolated_for_ms: Option<u64>,
    /// How many references answered last, of how many.
    pub references: (u32, u32),
    /// Milliseconds until decisions are made; None: they are made.
    pub warming_up_for_ms: Option<u64>,
    /// Why nothing can be written down; until it can, no decision is carried out.
    #[serde(default)]
    pub journal_trouble: Option<String>,
    /// The sites.
    pub sites: Vec<SiteStatus>,
    /// What happened last, the newest first.
    pub timeline: Vec<Happened>,
}

/// One site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SiteStatus {
    /// Its name.
    pub site: Name,
    /// Whether any of its RRsets is on the fallback.
    pub on_fallback: bool,
    /// What is published, as last read back.
    pub in_force: Vec<RdataSet>,
    /// What is on its way.
    pub pending: Option<PendingStatus>,
    /// Why the record is what it is.
    pub why: String,
    /// How many writes have been decided on so far.
    pub epoch: u64,
    /// How many name servers answered with the last write, of how many.
    pub confirmed: Option<(u32, u32)>,
    /// Why the record could not be read at the last attempt.
    pub read_trouble: Option<String>,
    /// A person's word that stands, in words.
    pub pinned: Option<String>,
    /// A person's word that the record is left as it is, in words.
    #[serde(default)]
    pub freeze: Option<String>,
    /// Nodes that a person keeps visitors away from, and that word in words.
    #[serde(default)]
    pub drains: BTreeMap<NodeName, String>,
    /// A drill that is under way.
    #[serde(default)]
    pub drill: Option<DrillStatus>,
    /// What became of the last drill.
    #[serde(default)]
    pub last_drill: Option<DrillReport>,
    /// What witnesses saw last.
    #[serde(default)]
    pub witnesses: Vec<WitnessStatus>,
    /// Milliseconds until the record that somebody else has changed is taken care of again.
    pub frozen_for_ms: Option<u64>,
    /// Its RRsets.
    pub rrsets: Vec<RrsetStatus>,
    /// Its nodes.
    pub nodes: Vec<NodeStatus>,
    /// The addresses of its fallback.
    pub fallback: Vec<FallbackStatus>,
}

/// A drill that is under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrillStatus {
    /// How far it has come.
    pub stage: Stage,
    /// Whose it is, why, and how far it has come, in words.
    pub why: String,
}

/// What became of a drill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrillReport {
    /// Milliseconds since it ended.
    pub ended_ms_ago: u64,
    /// Milliseconds from the word until the record led to the fallback. None: it never did.
    pub there_ms: Option<u64>,
    /// Milliseconds from the end of the drill until the record led home again. None: it does not, or always did.
    pub back_ms: Option<u64>,
    /// What went wrong. None: nothing did.
    pub trouble: Option<String>,
}

/// What one witness saw at one address.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WitnessStatus {
    /// Who looked.
    pub witness: NodeName,
    /// Where: at a node's address or at one of the fallback's.
    pub address: IpAddr,
    /// Milliseconds since its last look began.
    pub looked_ms_ago: u64,
    /// Milliseconds since the last look began that met what a visitor should meet; None: there was none.
    pub up_ms_ago: Option<u64>,
    /// Failures since then.
    pub failures: u32,
}

/// A write that is on its way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PendingStatus {
    /// Its number.
    pub epoch: u64,
    /// What it should bring about.
    pub sets: Vec<RdataSet>,
    /// For how long, in milliseconds.
    pub for_ms: u64,
    /// Why the last try was not confirmed.
    pub trouble: Option<String>,
}

/// One RRset of a site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RrsetStatus {
    /// Its type.
    pub record_type: crate::dns::RecordType,
    /// Where visitors should be sent.
    pub side: Side,
    /// What is in force, was written last, and is wanted.
    pub in_force: Option<RdataSet>,
    /// What this watcher wrote last and saw in force.
    pub written: Option<RdataSet>,
    /// What it should hold.
    pub wanted: Option<RdataSet>,
    /// Why.
    pub why: String,
    /// For how long, in milliseconds.
    pub for_ms: u64,
    /// Returns that are left in this hour's budget.
    pub returns_left: usize,
    /// How long a node must be steady before it may come back, in milliseconds.
    pub hold_ms: u64,
}

/// One node of a site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeStatus {
    /// Its name.
    pub node: NodeName,
    /// How it looks: the best of its targets.
    pub health: Health,
    /// In words.
    pub why: String,
    /// Milliseconds since its last beat.
    pub beat_ms_ago: Option<u64>,
    /// Whether visitors are sent there.
    pub published: bool,
    /// The version that it runs.
    pub version: String,
    /// The digest of what it serves.
    pub generation: Option<String>,
    /// Whether that is what was published last.
    #[serde(default)]
    pub content: Freshness,
    /// How what it reads from stands.
    #[serde(default)]
    pub source: Option<SourceState>,
    /// Its other mounts that are not in order.
    #[serde(default)]
    pub mounts: Vec<MountReport>,
    /// Its targets.
    pub targets: Vec<TargetStatus>,
}

/// One target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TargetStatus {
    /// Where the node says that it is.
    pub address: IpAddr,
    /// Where it has proved to be.
    pub proven: Option<IpAddr>,
    /// How it looks.
    pub health: Health,
    /// Since how long, in milliseconds.
    pub for_ms: u64,
    /// Milliseconds since the last probe came back.
    pub looked_ms_ago: Option<u64>,
    /// What the last probe met, while the target fails.
    pub failure: Option<String>,
}

/// One address of a fallback.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FallbackStatus {
    /// The address.
    pub address: IpAddr,
    /// `good`, or what is wrong.
    pub state: String,
    /// Milliseconds since it was seen to be good.
    pub good_ms_ago: Option<u64>,
    /// Milliseconds until the certificate ends that was shown there last; None: none was.
    #[serde(default)]
    pub certificate_left_ms: Option<u64>,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Happened {
    /// When, by the watcher's clock: milliseconds since 1970.
    pub wall_ms: u64,
    /// The site, when it is about one.
    pub site: Option<Name>,
    /// How much it matters.
    pub weight: crate::failover::event::Weight,
    /// What.
    pub text: String,
}

impl Happened {
    /// A note, with the wall clock when it was made.
    #[must_use]
    pub fn of(wall_ms: u64, note: Note) -> Self {
        let Note { site, weight, text } = note;
        Self { wall_ms, site, weight, text }
    }
}

fn ms(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

impl DrillReport {
    /// In words.
    #[must_use]
    pub fn describe(&self) -> String {
        let span = |ms| words(Duration::from_millis(ms));
        let there = self.there_ms.map(|ms| format!("to the fallback in {}", span(ms)));
        let back = self.back_ms.map(|ms| format!("home again in {}", span(ms)));
        let parts: Vec<String> = there.into_iter().chain(back).chain(self.trouble.clone()).collect();
        parts.join(", ")
    }
}

impl FallbackStatus {
    /// How long its certificate is good, in words; None: none was shown.
    #[must_use]
    pub fn certificate(&self) -> Option<String> {
        let left = Duration::from_millis(self.certificate_left_ms?);
        Some(format!("its certificate is good for {}", in_days(left)))
    }
}

impl NodeStatus {
    /// What a person should know of what the node serves and reads from; None: all is well.
    #[must_use]
    pub fn remark(&self) -> Option<String> {
        let short = |digest: &String| digest.chars().take(12).collect::<String>();
        let stale = (self.content == Freshness::Stale).then(|| {
            let own = self.generation.as_ref().map(short).unwrap_or_default();
            format!("serves {own}, which is not what was published last")
        });
        let source = self.source.filter(|state| *state != SourceState::Ok);
        let source = source.map(|state| format!("its source is {}", state.word()));
        let mounts =
            self.mounts.iter().map(|mount| format!("its mount {} is {}", mount.path, mount.state.word()));
        let remarks: Vec<String> = stale.into_iter().chain(source).chain(mounts).collect();
        (!remarks.is_empty()).then(|| remarks.join("; "))
    }
}

impl Engine {
    /// The snapshot at `now`.
    #[must_use]
    pub fn status(&self, now: Moment, started: Moment, timeline: Vec<Happened>) -> WatcherStatus {
        WatcherStatus {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uptime_ms: ms(now - started),
            isolated_for_ms: self.isolation.since().map(|since| ms(now - since)),
            references: self.isolation.answered(),
            warming_up_for_ms: self.warm_until.map(|until| ms(until - now)),
            journal_trouble: None,
            sites: self.sites.iter().map(|site| self.site_status(site, now)).collect(),
            timeline,
        }
    }

    fn site_status(&self, site: &Site, now: Moment) -> SiteStatus {
        let pending = site.pending.as_ref().map(|p| PendingStatus {
            epoch: p.epoch,
            sets: p.sets.clone(),
            for_ms: ms(now - p.since),
            trouble: p.trouble.clone(),
        });
        SiteStatus {
            site: site.setup.site.clone(),
            on_fallback: on_fallback(site),
            in_force: in_force(site),
            pending,
            why: site.lanes.values().map(|l| l.why().0).collect::<Vec<_>>().join("; "),
            epoch: site.epoch,
            confirmed: site.confirmed,
            read_trouble: site.read_trouble.clone(),
            pinned: site
                .pin
                .as_ref()
                .map(|p| format!("by {} for another {} s: {}", p.owner, (p.until - now).as_secs(), p.reason)),
            freeze: site.freeze.as_ref().map(|word| spoken(word, now)),
            drains: site.drains.iter().map(|(node, word)| (node.clone(), spoken(word, now))).collect(),
            drill: site
                .drill
                .as_ref()
                .map(|drill| DrillStatus { stage: drill.stage(), why: drill.describe() }),
            last_drill: site.last_drill.as_ref().map(|report| report_of(report, now)),
            witnesses: witnesses(site, now),
            frozen_for_ms: site.frozen_until.map(|until| ms(until - now)),
            rrsets: rrsets(site, now),
            nodes: site.setup.nodes.iter().map(|n| self.node_status(site, n, now)).collect(),
            fallback: fallback(site, now),
        }
    }

    fn node_status(&self, site: &Site, node: &NodeName, now: Moment) -> NodeStatus {
        let facts = self.nodes.get(node).cloned().unwrap_or_default();
        let targets = targets(site, node, now);
        let best = targets.iter().min_by_key(|t| (!t.health.is_up(), t.health.is_down()));
        let health = best.map_or(Health::Unknown, |t| t.health);
        let why = match (best, &facts.leaving) {
            (None, _) => "has not said where it is".to_owned(),
            (Some(_), Some(reason)) if health == Health::Draining => format!("leaving: {reason}"),
            (Some(best), _) => match &best.failure {
                Some(failure) => format!("{}: {failure}", health.describe()),
                None => health.describe().to_owned(),
            },
        };
        NodeStatus {
            node: node.clone(),
            health,
            why,
            beat_ms_ago: facts.last_beat.map(|at| ms(now - at)),
            published: site.lanes.values().any(|lane| lane.has(node)),
            version: facts.version,
            content: site.contents.freshness(node, site.current_content()),
            generation: facts.generations.get(&site.setup.site).cloned(),
            source: facts.sources.get(&site.setup.site).copied(),
            mounts: facts.mounts,
            targets,
        }
    }

    /// What a node is told in the answer to its beat.
    #[must_use]
    pub fn told(&self, node: &NodeName, now: Moment) -> Vec<SiteView> {
        let mine = self.sites.iter().filter(|site| site.setup.nodes.contains(node));
        mine.map(|site| SiteView {
            site: site.setup.site.to_string(),
            health: self.node_status(site, node, now).health.to_string(),
            on_fallback: on_fallback(site),
            in_force: in_force(site),
            proven: proven(site, node),
        })
        .collect()
    }
}

/// Where `node` has proved to be.
fn proven(site: &Site, node: &NodeName) -> Vec<IpAddr> {
    let watched = site.targets.get(node).into_iter().flat_map(|families| families.values());
    watched.filter_map(|watched| watched.liveness.proven()).collect()
}

/// Whether visitors are on the fallback, by what is in force.
fn on_fallback(site: &Site) -> bool {
    site.lanes.values().any(|lane| {
        let possible = crate::failover::fallback::possible(lane.record_type(), &site.setup);
        lane.in_force().is_some_and(|set| set.as_set().is_subset(&possible))
    })
}

fn in_force(site: &Site) -> Vec<RdataSet> {
    site.lanes.values().filter_map(|lane| lane.in_force().cloned()).collect()
}

fn rrsets(site: &Site, now: Moment) -> Vec<RrsetStatus> {
    let policy = &site.setup.policy;
    let status = |lane: &crate::failover::lane::Lane| RrsetStatus {
        record_type: lane.record_type(),
        side: lane.side(),
        in_force: lane.in_force().cloned(),
        written: lane.written().cloned(),
        wanted: lane.wanted().cloned(),
        why: lane.why().0.to_owned(),
        for_ms: ms(now - lane.why().1),
        returns_left: lane.returns_left(now, policy),
        hold_ms: ms(lane.hold(now, policy).max(policy.rise_span)),
    };
    site.lanes.values().map(status).collect()
}

fn spoken(word: &Word, now: Moment) -> String {
    format!("by {} for another {} s: {}", word.owner, (word.until - now).as_secs(), word.reason)
}

fn report_of(report: &Report, now: Moment) -> DrillReport {
    DrillReport {
        ended_ms_ago: ms(now - report.ended),
        there_ms: report.there.map(ms),
        back_ms: report.back.map(ms),
        trouble: report.trouble.clone(),
    }
}

fn witnesses(site: &Site, now: Moment) -> Vec<WitnessStatus> {
    let status = |(witness, address, seen): (&NodeName, IpAddr, Seen)| WitnessStatus {
        witness: witness.clone(),
        address,
        looked_ms_ago: ms(now - seen.at),
        up_ms_ago: seen.up.map(|at| ms(now - at)),
        failures: seen.failures,
    };
    site.witnesses.iter().map(status).collect()
}

fn targets(site: &Site, node: &NodeName, now: Moment) -> Vec<TargetStatus> {
    let watched = site.targets.get(node).into_iter().flat_map(|families| families.values());
    watched
        .map(|w| TargetStatus {
            address: w.liveness.address(),
            proven: w.liveness.proven(),
            health: w.health,
            for_ms: ms(now - w.since),
            looked_ms_ago: w.liveness.last_look().map(|at| ms(now - at)),
            failure: w.liveness.failure().map(ToString::to_string),
        })
        .collect()
}

fn fallback(site: &Site, now: Moment) -> Vec<FallbackStatus> {
    let seen = site.fallback.describe(&site.setup);
    seen.map(|(address, good, state)| FallbackStatus {
        address,
        state,
        good_ms_ago: good.map(|at| ms(now - at)),
        certificate_left_ms: site.fallback.certificate_left(address, now).map(ms),
    })
    .collect()
}
