//! A world for the engine: virtual time, and everything that can go wrong in it by a switch.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use crate::address::Family;
use crate::dns::{Name, Owner, Rdata, RdataSet, RecordType};
use crate::failover::Shape;
use crate::failover::engine::Engine;
use crate::failover::event::{BeatSeen, Command, Effect, Event, Note, Setup, SiteSetup, Weight};
use crate::failover::lane::Side;
use crate::failover::site::Site;
use crate::heartbeat::{BootId, NodeName, SourceState};
use crate::moment::Moment;
use crate::policy::{Policy, Profile};
use crate::probe::outcome::{Failure, Outcome};

pub(super) const SITE: &str = "www.example.com";
/// The record with both nodes in it.
pub(super) const BOTH: &str = "203.0.113.1 203.0.113.2";
pub(super) const PAGES: &str = "185.199.108.153";
pub(super) const PAGES6: &str = "2606:50c0:8000::153";

/// A node of the world.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) address: IpAddr,
    /// Its address of the other family.
    pub(super) six: Option<IpAddr>,
    /// Visitors and probes get through.
    pub(super) serves: bool,
    /// They do at its address of the other family.
    pub(super) serves_six: bool,
    /// Beats get through.
    pub(super) beats: bool,
    /// The digest of what it serves.
    pub(super) content: String,
    pub(super) boot: u32,
    sequence: u64,
    next_beat: Moment,
}

/// The world.
pub(super) struct World {
    pub(super) now: Moment,
    pub(super) engine: Engine,
    pub(super) setup: Setup,
    pub(super) nodes: BTreeMap<NodeName, Node>,
    pub(super) fallback_good: bool,
    /// The same of its address of the other family.
    pub(super) fallback_six_good: bool,
    /// When the fallback's certificate ends. None: it is looked at without TLS.
    pub(super) certificate_ends: Option<Moment>,
    /// How many of the four references answer.
    pub(super) references: u32,
    /// How far the nodes' clocks are ahead.
    pub(super) skew_ms: i64,
    /// The watcher's own network.
    pub(super) connected: bool,
    /// Whether the provider can be reached.
    pub(super) provider: bool,
    /// The record.
    pub(super) record: BTreeSet<Rdata>,
    /// Every landed change: when, and what stood then.
    pub(super) landed: Vec<(Moment, BTreeSet<Rdata>)>,
    pub(super) notes: Vec<(Moment, Note)>,
    /// Every step, for replays.
    pub(super) journal: Vec<(Moment, Event, Vec<Effect>)>,
    coming: BTreeMap<(Moment, u64), Event>,
    wish: Option<(u64, Vec<RdataSet>)>,
    tick: u64,
}

pub(super) fn site() -> Name {
    SITE.parse().unwrap()
}

pub(super) fn node(name: &str) -> NodeName {
    name.parse().unwrap()
}

pub(super) fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

impl World {
    /// Two healthy Pis and an empty record, right after the watcher has started.
    pub(super) fn new(shape: Shape, profile: Profile) -> Self {
        Self::with_nodes(shape, profile, &["pi1", "pi2"])
    }

    /// The same ten minutes after both nodes were published.
    pub(super) fn at_rest() -> Self {
        let mut world = Self::new(Shape::Address, Profile::Steady);
        world.until(BOTH, seconds(70));
        world.run(seconds(600));
        assert_eq!(world.landed.len(), 1, "{}", world.story());
        world
    }

    pub(super) fn with_nodes(shape: Shape, profile: Profile, names: &[&str]) -> Self {
        let nodes: Vec<NodeName> = names.iter().map(|n| node(n)).collect();
        let host = |n: &NodeName| (n.clone(), format!("{n}.example.com").parse().unwrap());
        let site = SiteSetup {
            site: site(),
            shape,
            nodes: nodes.clone(),
            hosts: nodes.iter().map(host).collect(),
            fallback_name: Some("user.github.io".parse().unwrap()),
            fallback_addresses: vec![PAGES.parse().unwrap()],
            policy: Policy::of(profile),
        };
        let state = |(i, n): (usize, &NodeName)| {
            let address = format!("203.0.113.{}", i + 1).parse().unwrap();
            let next_beat = Moment::from_millis(500 * i as u64);
            let node = Node {
                address,
                six: None,
                serves: true,
                serves_six: true,
                beats: true,
                content: "abc".to_owned(),
                boot: i as u32,
                sequence: 0,
                next_beat,
            };
            (n.clone(), node)
        };
        let mut world = Self {
            now: Moment::START,
            engine: Engine::default(),
            setup: Setup { sites: vec![site], references: 4 },
            nodes: nodes.iter().enumerate().map(state).collect(),
            fallback_good: true,
            fallback_six_good: true,
            certificate_ends: None,
            references: 4,
            skew_ms: 0,
            connected: true,
            provider: true,
            record: BTreeSet::new(),
            landed: Vec::new(),
            notes: Vec::new(),
            journal: Vec::new(),
            coming: BTreeMap::new(),
            wish: None,
            tick: 0,
        };
        world.start();
        world
    }

    /// The same with addresses of both families, of the nodes and of the fallback.
    pub(super) fn with_both_families(names: &[&str]) -> Self {
        let mut world = Self::with_nodes(Shape::Address, Profile::Steady, names);
        for (i, node) in world.nodes.values_mut().enumerate() {
            node.six = Some(format!("2001:db8::{}", i + 1).parse().unwrap());
        }
        world.setup.sites[0].fallback_addresses.push(PAGES6.parse().unwrap());
        world.start();
        world
    }

    /// The watcher starts, or starts again from what it remembers; what was on its way to it is lost.
    pub(super) fn start(&mut self) {
        self.coming.clear();
        self.wish = None;
        self.step(Event::Started { setup: self.setup.clone(), seed: 7 });
    }

    pub(super) fn site(&self) -> &Site {
        self.engine.sites.get(&site()).unwrap()
    }

    pub(super) fn step(&mut self, event: Event) {
        let effects = self.engine.step(self.now, &event);
        for effect in effects.clone() {
            self.act(effect);
        }
        if event != Event::Tick || !effects.is_empty() {
            self.journal.push((self.now, event, effects));
        }
    }

    fn send(&mut self, after: Duration, event: Event) {
        self.tick += 1;
        self.coming.insert((self.now + after, self.tick), event);
    }

    fn act(&mut self, effect: Effect) {
        let policy = self.setup.sites[0].policy.clone();
        match effect {
            Effect::Probe { target, address } => {
                let serves =
                    |n: &Node| (n.address == address && n.serves) || (n.six == Some(address) && n.serves_six);
                let up = self.connected && self.nodes.values().any(serves);
                let (after, outcome) = if up {
                    (seconds(0), Outcome::Up { latency_ms: 20, generation: None })
                } else {
                    (policy.probe_connect, Outcome::Failed(Failure::ConnectTimeout))
                };
                self.send(after, Event::Probed { target, address, started: self.now, outcome });
            }
            Effect::LookAtFallback { site, address } => {
                let there = if address.is_ipv6() { self.fallback_six_good } else { self.fallback_good };
                let good = self.connected && there;
                let failure = (!good).then_some(Failure::Timeout);
                let after = if good { seconds(1) } else { policy.probe_total };
                let certificate_left = self.certificate_ends.filter(|_| good).map(|ends| ends - self.now);
                self.send(after, Event::FallbackSeen { site, address, failure, certificate_left });
            }
            Effect::LookAtReferences => {
                let answered = if self.connected { self.references } else { 0 };
                self.send(seconds(2), Event::References { answered, asked: 4 });
            }
            Effect::Read { site } => {
                let result =
                    if self.connected && self.provider { Ok(self.sets()) } else { Err("gone".to_owned()) };
                self.send(seconds(1), Event::Read { site, started: self.now, result, epoch: None });
            }
            Effect::Write { epoch, sets, .. } => {
                self.wish = Some((epoch, sets));
                self.try_to_write();
            }
            Effect::Abandon { .. } => self.wish = None,
            Effect::Note(note) => self.notes.push((self.now, note)),
        }
    }

    pub(super) fn sets(&self) -> Vec<RdataSet> {
        let mut types: BTreeMap<RecordType, BTreeSet<Rdata>> = BTreeMap::new();
        for rdata in &self.record {
            types.entry(rdata.record_type()).or_default().insert(rdata.clone());
        }
        types.into_values().map(|set| RdataSet::new(set).unwrap()).collect()
    }

    /// The provider takes a write, unless it cannot be reached.
    pub(super) fn try_to_write(&mut self) {
        let Some((epoch, sets)) = self.wish.clone() else { return };
        let result = if self.connected && self.provider {
            let mut record: BTreeSet<Rdata> = sets.iter().flat_map(RdataSet::iter).cloned().collect();
            assert!(!record.is_empty());
            let others = |rdata: &&Rdata| sets.iter().all(|set| set.record_type() != rdata.record_type());
            record.extend(self.record.iter().filter(others).cloned());
            if record != self.record {
                self.landed.push((self.now, record.clone()));
            }
            self.record = record;
            self.wish = None;
            Ok(sets)
        } else {
            Err("unreachable".to_owned())
        };
        self.send(seconds(1), Event::Written { site: site(), epoch, result });
    }

    /// Lets `span` pass.
    pub(super) fn run(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some(at) = self.next(end) {
            self.now = self.now.max(at);
            self.beat();
            while let Some(entry) = self.coming.first_entry().filter(|e| e.key().0 <= self.now) {
                let event = entry.remove();
                self.step(event);
            }
            self.step(Event::Tick);
        }
        self.now = end;
    }

    fn next(&self, end: Moment) -> Option<Moment> {
        let beat = self.nodes.values().map(|n| n.next_beat).min();
        let coming = self.coming.keys().next().map(|(at, _)| *at);
        let wake = self.engine.next_wake().map(|at| at.max(self.now + Duration::from_millis(20)));
        [beat, coming, wake].into_iter().flatten().min().filter(|at| *at <= end)
    }

    fn beat(&mut self) {
        let mut beats = Vec::new();
        for (name, node) in &mut self.nodes {
            if node.next_beat > self.now {
                continue;
            }
            node.next_beat = self.now + seconds(10);
            node.sequence += 1;
            if node.beats && self.connected {
                beats.push(said(name, node, self.skew_ms, None));
            }
        }
        for beat in beats {
            self.step(Event::Beat(beat));
        }
    }

    /// The node says at once that it is leaving, and is gone.
    pub(super) fn leave(&mut self, name: &str) {
        let node = self.nodes.get_mut(&self::node(name)).unwrap();
        node.sequence += 1;
        let beat = said(&self::node(name), node, 0, Some("reboot"));
        (node.serves, node.serves_six, node.beats) = (false, false, false);
        self.step(Event::Beat(beat));
    }

    /// The node beats at once, as it does when its address changes.
    pub(super) fn speak(&mut self, name: &str) {
        let node = self.nodes.get_mut(&self::node(name)).unwrap();
        node.sequence += 1;
        let beat = said(&self::node(name), node, 0, None);
        self.step(Event::Beat(beat));
    }

    pub(super) fn kill(&mut self, name: &str) {
        let node = self.nodes.get_mut(&self::node(name)).unwrap();
        (node.serves, node.serves_six, node.beats) = (false, false, false);
    }

    pub(super) fn revive(&mut self, name: &str) {
        let node = self.nodes.get_mut(&self::node(name)).unwrap();
        (node.serves, node.serves_six, node.beats) = (true, true, true);
        node.boot += 10;
        node.sequence = 0;
    }

    /// The node serves this from now on, and says so with its next beat.
    pub(super) fn publish(&mut self, name: &str, content: &str) {
        self.nodes.get_mut(&self::node(name)).unwrap().content = content.to_owned();
    }

    pub(super) fn command(&mut self, command: Command) {
        let owner = Owner::new("somebody");
        self.step(Event::Command { site: site(), command, owner, reason: "a test".to_owned() });
    }

    pub(super) fn pin(&mut self, side: Side, span: Duration) {
        self.command(Command::Pin { side, span });
    }

    /// The record, as text.
    pub(super) fn record(&self) -> String {
        self.record.iter().map(Rdata::value).collect::<Vec<_>>().join(" ")
    }

    /// Runs until the record is `text`, for at most `within`; how long it took.
    #[track_caller]
    pub(super) fn until(&mut self, text: &str, within: Duration) -> Duration {
        let begin = self.now;
        while self.record() != text {
            assert!(
                self.now - begin < within,
                "{text} not within {within:?}, but {}\n{}",
                self.record(),
                self.story()
            );
            self.run(Duration::from_millis(100));
        }
        self.now - begin
    }

    pub(super) fn alarmed(&self) -> bool {
        self.notes.iter().any(|(_, note)| note.weight == Weight::Alarm)
    }

    pub(super) fn story(&self) -> String {
        self.notes.iter().map(|(at, note)| format!("{at} {}\n", note.text)).collect()
    }
}

fn boot_id(boot: u32) -> BootId {
    let mut bits = [0; 16];
    bits[..4].copy_from_slice(&boot.to_be_bytes());
    BootId::new(bits)
}

fn said(name: &NodeName, node: &Node, skew_ms: i64, leaving: Option<&str>) -> BeatSeen {
    BeatSeen {
        node: name.clone(),
        boot: boot_id(node.boot),
        sequence: node.sequence,
        addresses: std::iter::once(node.address).chain(node.six).collect(),
        generations: [(site(), node.content.clone())].into(),
        sources: [(site(), SourceState::Ok)].into(),
        mounts: Vec::new(),
        version: "1".to_owned(),
        skew_ms,
        leaving: leaving.map(ToOwned::to_owned),
    }
}

/// The family that the world's addresses have.
pub(super) const FAMILY: Family = Family::Ipv4;
