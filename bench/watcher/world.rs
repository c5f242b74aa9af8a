//! Nodes that beat and answer probes until they die, on a virtual clock, around a real engine and a real journal.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use hearth::dns::{Name, RdataSet};
use hearth::failover::Shape;
use hearth::failover::engine::Engine;
use hearth::failover::event::{BeatSeen, Effect, Event, Setup, SiteSetup};
use hearth::heartbeat::{BootId, NodeName};
use hearth::moment::Moment;
use hearth::policy::Policy;
use hearth::probe::{Failure, Outcome};
use hearth::watcher::journal::{Journal, Step};

const PAGES: IpAddr = IpAddr::V4(Ipv4Addr::new(185, 199, 108, 153));

/// Between two beats.
const BEAT: u64 = 10_000;

/// When the first node may die: by then all is calm.
const CALM: u64 = 180_000;

/// What was measured.
#[derive(Default)]
pub(super) struct Report {
    pub(super) deaths: usize,
    pub(super) detections: Vec<Duration>,
    pub(super) steps: u64,
    pub(super) busy: Duration,
    pub(super) span: Duration,
    pub(super) journal: u64,
}

impl Report {
    pub(super) fn merge(&mut self, other: Report) {
        self.deaths += other.deaths;
        self.detections.extend(other.detections);
        self.steps += other.steps;
        self.busy += other.busy;
        self.span += other.span;
        self.journal += other.journal;
    }

    /// The time from death to decision that this part of them did not exceed.
    pub(super) fn detected(&self, part: f64) -> Duration {
        let mut sorted = self.detections.clone();
        sorted.sort();
        let place = (sorted.len() as f64 * part) as usize;
        sorted.get(place.min(sorted.len().saturating_sub(1))).copied().unwrap_or_default()
    }
}

struct Node {
    name: NodeName,
    site: Name,
    address: IpAddr,
    sequence: u64,
    died: Option<u64>,
}

/// What comes at a point in virtual time.
enum Coming {
    Beat(usize),
    Dies(usize),
    Event(Event),
}

pub(super) struct World {
    engine: Engine,
    journal: Journal,
    _directory: tempfile::TempDir,
    nodes: Vec<Node>,
    by_name: BTreeMap<NodeName, usize>,
    records: BTreeMap<Name, Vec<RdataSet>>,
    queue: BinaryHeap<Reverse<(u64, u64)>>,
    coming: BTreeMap<u64, Coming>,
    number: u64,
    dice: fastrand::Rng,
    report: Report,
}

impl World {
    pub(super) fn new(sites: usize, seed: u64) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let (journal, _) = Journal::open(directory.path())?;
        let mut nodes = Vec::new();
        let mut setups = Vec::new();
        for site in 0..sites {
            let name: Name = format!("www.site-{site}.example.com").parse()?;
            for half in 0..2 {
                let number = u32::try_from(2 * site + half)?;
                nodes.push(Node {
                    name: format!("pi{number}").parse()?,
                    site: name.clone(),
                    address: IpAddr::V4(Ipv4Addr::from_bits(0x5000_0000 + number)),
                    sequence: 0,
                    died: None,
                });
            }
            let pair = &nodes[2 * site..];
            setups.push(SiteSetup {
                site: name,
                shape: Shape::Address,
                nodes: pair.iter().map(|node| node.name.clone()).collect(),
                hosts: BTreeMap::new(),
                fallback_name: None,
                fallback_addresses: vec![PAGES],
                policy: Policy::default(),
            });
        }
        let by_name = nodes.iter().enumerate().map(|(at, node)| (node.name.clone(), at)).collect();
        let mut world = Self {
            engine: Engine::default(),
            journal,
            _directory: directory,
            nodes,
            by_name,
            records: BTreeMap::new(),
            queue: BinaryHeap::new(),
            coming: BTreeMap::new(),
            number: 0,
            dice: fastrand::Rng::with_seed(seed),
            report: Report::default(),
        };
        let setup = Setup { sites: setups, references: 4 };
        world.step(0, Event::Started { setup, seed });
        for node in 0..world.nodes.len() {
            let at = world.dice.u64(0..BEAT);
            world.at(at, Coming::Beat(node));
        }
        Ok(world)
    }

    fn at(&mut self, at: u64, what: Coming) {
        self.number += 1;
        self.queue.push(Reverse((at, self.number)));
        self.coming.insert(self.number, what);
    }

    /// Lets `span` pass, in which one node of each of `deaths` sites dies.
    pub(super) fn run(mut self, span: Duration, deaths: usize) -> Report {
        let end = u64::try_from(span.as_millis()).expect("a short run");
        let sites = self.nodes.len() / 2;
        for site in 0..deaths.min(sites) {
            let (node, at) = (
                2 * (site * sites / deaths.min(sites)) + self.dice.usize(0..2),
                self.dice.u64(CALM..end - 120_000),
            );
            self.at(at, Coming::Dies(node));
            self.report.deaths += 1;
        }
        let mut now = 0;
        while now < end {
            let wake = self.engine.next_wake().map_or(now + 1_000, |m| m.as_millis());
            let wake = wake.clamp(now + 20, now + 1_000);
            let next = self.queue.peek().map_or(u64::MAX, |Reverse((at, _))| *at);
            // What is overdue is taken as soon as the core is free.
            now = now.max(next.min(wake));
            let spent = if next <= now {
                let Reverse((_, number)) = self.queue.pop().expect("it was seen");
                match self.coming.remove(&number).expect("it is coming") {
                    Coming::Beat(node) => self.beat(now, node),
                    Coming::Dies(node) => {
                        self.nodes[node].died = Some(now);
                        Duration::ZERO
                    }
                    Coming::Event(event) => self.step(now, event),
                }
            } else {
                self.step(now, Event::Tick)
            };
            now += u64::try_from(spent.as_millis()).unwrap_or(0);
        }
        self.report.span = span;
        self.report
    }

    fn beat(&mut self, now: u64, node: usize) -> Duration {
        let it = &mut self.nodes[node];
        if it.died.is_some() {
            return Duration::ZERO;
        }
        it.sequence += 1;
        let seen = BeatSeen {
            node: it.name.clone(),
            boot: BootId::new([1; 16]),
            sequence: it.sequence,
            addresses: vec![it.address],
            generations: BTreeMap::from([(it.site.clone(), "ab".repeat(32))]),
            sources: BTreeMap::new(),
            mounts: Vec::new(),
            version: "0.1.0".to_owned(),
            skew_ms: 0,
            leaving: None,
        };
        self.at(now + BEAT, Coming::Beat(node));
        self.step(now, Event::Beat(seen))
    }

    /// One turn of the watcher's loop; what it cost.
    #[expect(clippy::disallowed_methods, reason = "a program of its own, which is its own host")]
    fn step(&mut self, now: u64, event: Event) -> Duration {
        let at = Moment::from_millis(now);
        let began = Instant::now();
        let effects = self.engine.step(at, &event);
        if event != Event::Tick || !effects.is_empty() {
            let decides = effects.iter().any(|effect| matches!(effect, Effect::Write { .. }));
            let (segment, size) = self.journal.extent();
            let step = Step { at, wall_ms: now, event, effects: effects.clone() };
            self.journal.append(step).expect("the disk has room");
            if decides {
                self.journal.sync().expect("the disk has room");
            }
            self.journal.rotate(&self.engine, at, now).expect("the disk has room");
            let after = self.journal.extent();
            self.report.journal += if after.0 == segment { after.1 - size } else { after.1 };
        }
        let spent = began.elapsed();
        self.report.steps += 1;
        self.report.busy += spent;
        effects.into_iter().for_each(|effect| self.act(now, effect));
        spent
    }

    fn act(&mut self, now: u64, effect: Effect) {
        match effect {
            Effect::Probe { target, address } => {
                let started = Moment::from_millis(now);
                let (after, outcome) = match self.nodes[self.by_name[&target.node]].died {
                    None => (40, Outcome::Up { latency_ms: 40, generation: None }),
                    Some(_) => (4_000, Outcome::Failed(Failure::ConnectTimeout)),
                };
                self.at(now + after, Coming::Event(Event::Probed { target, address, started, outcome }));
            }
            Effect::LookAtFallback { site, address } => {
                self.at(
                    now + 60,
                    Coming::Event(Event::FallbackSeen {
                        site,
                        address,
                        failure: None,
                        certificate_left: None,
                    }),
                );
            }
            Effect::LookAtReferences => {
                self.at(now + 60, Coming::Event(Event::References { answered: 4, asked: 4 }));
            }
            Effect::Read { site } => {
                let result = Ok(self.records.get(&site).cloned().unwrap_or_default());
                let started = Moment::from_millis(now);
                self.at(now + 200, Coming::Event(Event::Read { site, started, result, epoch: None }));
            }
            Effect::Write { site, epoch, sets, .. } => {
                self.detect(now, &site, &sets);
                self.records.insert(site.clone(), sets.clone());
                let confirmed = Event::Confirmed { site: site.clone(), epoch, agree: 2, asked: 2 };
                self.at(now + 800, Coming::Event(Event::Written { site, epoch, result: Ok(sets) }));
                self.at(now + 1_500, Coming::Event(confirmed));
            }
            Effect::Abandon { .. } | Effect::Note(_) => {}
        }
    }

    /// A dead node that a site's record leaves out from now on was detected.
    fn detect(&mut self, now: u64, site: &Name, sets: &[RdataSet]) {
        let dead = self.nodes.iter().filter(|node| node.site == *site);
        for died in dead.filter_map(|node| node.died.filter(|_| !holds(sets, node.address))) {
            self.report.detections.push(Duration::from_millis(now - died));
        }
    }
}

fn holds(sets: &[RdataSet], address: IpAddr) -> bool {
    sets.iter().flat_map(RdataSet::iter).any(|rdata| rdata.address() == Some(address))
}
