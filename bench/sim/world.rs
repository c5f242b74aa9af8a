//! The world around the engine, in virtual time: nodes, lines, a provider, and a watcher that can be paused and killed.
//!
//! Event-driven: time jumps to whatever is next. The same seed and the same faults give the same world.

use std::collections::{BTreeSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use hearth::dns::{Name, Owner, Rdata, RdataSet};
use hearth::failover::engine::Engine;
use hearth::failover::event::{BeatSeen, Command, Event, Target};
use hearth::failover::lane::Side;
use hearth::moment::Moment;
use hearth::policy::Policy;
use hearth::probe::outcome::{Failure, Outcome};

mod node;
mod parcels;
mod process;
mod witness;

pub(crate) use self::node::Node;
use self::node::{home, said};
use self::parcels::Parcels;
use super::check::Checker;
use super::digest::Digest;
use super::faults::{Fault, Planned};
use super::leap::Noise;
use super::mutant::Mutant;
use super::truth::Standing;

/// Where the fallback is.
pub(crate) const PAGES: Ipv4Addr = Ipv4Addr::new(185, 199, 108, 153);

/// What a visitor of the net never sees: how long things take.
const ROUND_TRIP: Duration = Duration::from_millis(40);

/// How much is played between two looks at what must hold as time passes, and at what can be leapt over. Not in step with
/// anything in the world: something might be on its way at each of these looks.
const SLICE: Duration = Duration::from_secs(7);

/// How far the journal on the disk may be behind: longer than the real one allows itself.
const SYNC_EVERY: Duration = Duration::from_secs(60);

/// How the world is laid out.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    /// How many nodes the site has.
    pub(crate) nodes: usize,
    /// The numbers of the engine.
    pub(crate) policy: Policy,
    /// The numbers that it should have.
    pub(crate) rules: Policy,
    /// The chance that a probe is lost at any time.
    pub(crate) loss: f64,
    /// How many references the watcher has.
    pub(crate) references: u32,
    /// Whether somebody else looks, from a place of his own.
    pub(crate) witnessed: bool,
    /// Whether every step is kept, for a replay.
    pub(crate) journal: bool,
    /// How it is played.
    pub(crate) telling: Telling,
}

/// How a world is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Telling {
    /// What cannot matter is leapt over.
    Leaps,
    /// Nothing is left out.
    AtLength,
    /// The same, and what the engine notes is printed.
    Aloud,
}

/// What the provider does with a write.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Trouble {
    /// It cannot be reached, or says 5xx or 429.
    pub(crate) away: u32,
    /// It does what it is told, and the answer is lost.
    pub(crate) mute: u32,
    /// It answers a reading with what stood before the last write.
    pub(crate) stale: u32,
}

/// The witness, and who pretends to be one. Counts say how many faults make it so at the same time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Witness {
    /// It says the opposite of what it sees.
    pub(crate) lies: u32,
    /// It is not heard.
    pub(crate) mute: u32,
    /// Nodes that speak well of themselves.
    pub(crate) forging: Vec<usize>,
}

/// What is on its way.
#[derive(Clone, Debug)]
pub(super) enum Coming {
    Event(Event),
    Beat(usize),
    Witness,
    Attempt(u64),
    Pause(Duration),
    Resume,
    Rise,
}

/// The watcher as a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Process {
    Runs,
    Paused { since: Moment },
    Dead,
}

/// The world.
#[derive(Debug)]
pub(crate) struct World {
    /// What time it is.
    pub(super) now: Moment,
    /// Nothing begins or ends to be wrong before this.
    until: Moment,
    pub(super) layout: Layout,
    chance: fastrand::Rng,
    pub(super) noise: Noise,
    /// The nodes.
    pub(crate) nodes: Vec<Node>,
    /// The watcher reaches nothing at all.
    pub(crate) cut: u32,
    /// Who looks from elsewhere.
    pub(crate) witness: Witness,
    /// How many references are away for reasons of their own.
    pub(crate) references_away: u32,
    /// The fallback does not work.
    pub(crate) fallback_bad: u32,
    /// The provider.
    pub(crate) trouble: Trouble,
    /// The record.
    pub(crate) record: BTreeSet<Rdata>,
    before: BTreeSet<Rdata>,
    /// What the watcher was told last that the record holds. None: it has reason to doubt it.
    told: Option<BTreeSet<Rdata>>,
    /// When nodes that are well will be left by visitors: they say that they stop, or a person says so.
    pub(super) stops: Vec<Moment>,
    /// How many faults are at work.
    pub(crate) faults: u32,
    pub(super) engine: Engine,
    /// The engine as the journal on the disk would bring it back after a power cut, when there will be one.
    synced: Option<(Moment, Engine)>,
    mutant: Option<Mutant>,
    pub(super) process: Process,
    inbox: Vec<Event>,
    pub(super) parcels: Parcels,
    pub(super) wish: Option<(u64, Vec<RdataSet>)>,
    attempts: u32,
    restarts: u64,
    /// Every landed change: when, and whether the record has led to the fallback since.
    pub(crate) landings: Vec<(Moment, bool)>,
    /// What was seen to hold.
    pub(crate) checker: Checker,
    /// Every step, when the layout says so.
    pub(crate) journal: Vec<(Moment, Event)>,
    /// The steps taken.
    pub(crate) steps: u64,
    /// What was decided in them.
    pub(crate) digest: Digest,
    pub(super) site: Name,
}

impl World {
    /// All is well, the record is empty, and the watcher starts.
    pub(crate) fn new(layout: Layout, seed: u64, mutant: Option<Mutant>) -> Self {
        let node = |i: usize| Node {
            name: format!("pi{}", i + 1).parse().expect("a node's name"),
            address: home(i),
            been: Vec::new(),
            down: 0,
            web_down: 0,
            mute: 0,
            path_cut: 0,
            wrong: 0,
            lossy: Vec::new(),
            late: Duration::ZERO,
            heard_until: Moment::START,
            lie: None,
            skew_ms: 0,
            boot: 0,
            sequence: 0,
            next_beat: Moment::from_millis(700 * i as u64),
            sent: VecDeque::new(),
        };
        let mut world = Self {
            now: Moment::START,
            until: Moment::START,
            nodes: (0..layout.nodes).map(node).collect(),
            chance: fastrand::Rng::with_seed(seed),
            noise: Noise::new(seed, layout.loss),
            cut: 0,
            witness: Witness::default(),
            references_away: 0,
            fallback_bad: 0,
            trouble: Trouble::default(),
            record: BTreeSet::new(),
            before: BTreeSet::new(),
            told: None,
            stops: Vec::new(),
            faults: 0,
            engine: Engine::default(),
            synced: None,
            mutant,
            process: Process::Runs,
            inbox: Vec::new(),
            parcels: Parcels::default(),
            wish: None,
            attempts: 0,
            restarts: 0,
            landings: Vec::new(),
            checker: Checker::new(&layout),
            journal: Vec::new(),
            steps: 0,
            digest: Digest::default(),
            site: "www.example.com".parse().expect("a name"),
            layout,
        };
        for i in 0..world.nodes.len() {
            world.send_at(world.nodes[i].next_beat, Coming::Beat(i));
        }
        if world.layout.witnessed {
            world.send_at(Moment::from_millis(3_300), Coming::Witness);
        }
        world.start();
        world
    }

    /// What time it is.
    pub(crate) fn today(&self) -> Moment {
        self.now
    }

    /// Lets time pass until `to`. What cannot matter is leapt over, when the layout says so ([`super::leap`]).
    pub(crate) fn advance(&mut self, to: Moment) {
        self.until = to;
        while self.now < to && self.checker.broken.is_none() {
            if self.layout.telling == Telling::Leaps
                && let Some(over) = self.leap(to)
            {
                self.go_on_at(over);
            }
            self.run((to - self.now).min(SLICE));
        }
    }

    /// What of this will happen must be known before: when visitors leave a node that is well, and whether the watcher
    /// will lose what its disk has not confirmed.
    pub(crate) fn foresee(&mut self, plan: &[Planned]) {
        let stop = |p: &&Planned| matches!(p.fault, Fault::Reboot(_) | Fault::Pin(_));
        self.stops = plan.iter().filter(stop).map(|p| p.at).collect();
        if plan.iter().any(|p| p.fault == Fault::WatcherTorn) {
            self.synced.get_or_insert_default();
        }
    }

    /// Takes note of what is really the case. To be called whenever a fault begins or ends.
    pub(crate) fn note(&mut self) {
        let references = self.layout.references;
        let standing = Standing {
            sees: self.process == Process::Runs && self.cut == 0 && self.references_away * 4 <= references,
            writes: self.trouble.away == 0 && self.trouble.mute == 0 && self.trouble.stale == 0,
            cut: self.cut > 0,
            fallback_bad: self.fallback_bad > 0,
            witnessed: self.layout.witnessed && self.witness.lies == 0 && self.witness.mute == 0,
        };
        let now = self.today();
        if let Some(since) = self.checker.truth.cut.filter(|_| self.cut == 0) {
            self.checker.truth.sees_since = now;
            self.checker.cut_ended(now - since);
        }
        self.checker.truth.note(now, &self.nodes, standing);
    }

    /// Lets `span` pass.
    fn run(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some(at) = self.next().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            match self.parcels.take_due(self.now) {
                Some(parcel) => self.arrive(parcel),
                None => self.step(Event::Tick),
            }
        }
        self.now = end;
        self.checker.passed(self.today(), &self.record, &self.nodes);
    }

    fn next(&self) -> Option<Moment> {
        // An engine that is due for ever would hold the world up.
        let wake = (self.process == Process::Runs)
            .then(|| self.engine.next_wake())
            .flatten()
            .map(|at| at.max(self.now + Duration::from_millis(1)));
        self.parcels.next().into_iter().chain(wake).min()
    }

    fn send(&mut self, after: Duration, parcel: Coming) {
        self.send_at(self.now + after, parcel);
    }

    fn send_at(&mut self, at: Moment, parcel: Coming) {
        self.parcels.put(at, parcel);
    }

    fn arrive(&mut self, parcel: Coming) {
        match parcel {
            Coming::Event(event) => self.hand(event),
            Coming::Beat(node) => self.beat(node),
            Coming::Witness => self.bear_witness(),
            Coming::Attempt(epoch) => self.attempt(epoch),
            Coming::Pause(span) => {
                if self.process == Process::Runs {
                    self.process = Process::Paused { since: self.now };
                    self.send(span, Coming::Resume);
                }
            }
            Coming::Resume => self.resume(),
            Coming::Rise => {
                if self.process == Process::Dead {
                    self.start();
                }
            }
        }
    }

    fn probe(&mut self, target: Target, address: IpAddr) {
        let found = self.nodes.iter().position(|n| n.address == address);
        let (noise, now) = (self.noise, self.now);
        let lost = |chance: &mut fastrand::Rng, i: usize, node: &Node| {
            noise.hits(i, now) || node.lossy.iter().any(|p| chance.f64() < *p)
        };
        let outcome = match found.map(|i| (i, &self.nodes[i])) {
            Some((i, node))
                if self.cut == 0 && node.path_cut == 0 && node.down == 0 && node.web_down == 0 =>
            {
                if node.name != target.node {
                    Outcome::Failed(Failure::NotTheNode("another key".to_owned()))
                } else if node.wrong > 0 {
                    Outcome::Failed(Failure::Status(502))
                } else if lost(&mut self.chance, i, node) {
                    Outcome::Failed(Failure::ConnectTimeout)
                } else {
                    Outcome::Up { latency_ms: 40, generation: None }
                }
            }
            Some(_) | None => Outcome::Failed(Failure::ConnectTimeout),
        };
        let slow = matches!(outcome, Outcome::Failed(Failure::ConnectTimeout));
        let after = if slow { self.layout.policy.probe_connect } else { ROUND_TRIP };
        let event = Event::Probed { target, address, started: self.now, outcome };
        self.send(after, Coming::Event(event));
    }

    fn beat(&mut self, i: usize) {
        self.send(Duration::from_secs(10), Coming::Beat(i));
        let node = &mut self.nodes[i];
        if node.down > 0 {
            return;
        }
        let beat = node.beat();
        let lost = node.mute > 0
            || node.path_cut > 0
            || self.cut > 0
            || node.lossy.iter().any(|p| self.chance.f64() < p * p);
        let arrives = ROUND_TRIP + node.late;
        node.sent.push_back(beat.clone());
        if node.sent.len() > 20 {
            node.sent.pop_front();
        }
        if !lost {
            node.heard_until = node.heard_until.max(self.now + arrives);
            self.send(arrives, Coming::Event(Event::Beat(beat)));
        }
    }

    /// The node beats at once, as it does when something changed.
    fn speak(&mut self, i: usize, leaving: Option<&str>) {
        let node = &mut self.nodes[i];
        node.sequence += 1;
        let beat = said(node, leaving);
        if node.down == 0 && node.mute == 0 && node.path_cut == 0 && self.cut == 0 {
            self.send(ROUND_TRIP, Coming::Event(Event::Beat(beat)));
        }
    }

    /// The node gets another address, and says so.
    pub(crate) fn new_address(&mut self, i: usize, to: IpAddr) {
        let from = std::mem::replace(&mut self.nodes[i].address, to);
        self.nodes[i].been.push(from);
        // Until the watcher has heard of it and looked there, the old place counts.
        self.checker.truth.meddled(self.today() + Duration::from_secs(600));
        self.checker.moved(i);
        self.speak(i, None);
    }

    /// The node says that it leaves. It is down as long as its fault says.
    pub(crate) fn leave(&mut self, i: usize) {
        self.checker.truth.announced(self.today() + self.layout.rules.announced);
        self.speak(i, Some("reboot"));
    }

    /// The node has started again.
    pub(crate) fn boot(&mut self, i: usize) {
        let node = &mut self.nodes[i];
        node.boot += 1;
        node.sequence = 0;
    }

    /// Somebody sends old beats again.
    pub(crate) fn replay(&mut self, i: usize) {
        let old: Vec<BeatSeen> = self.nodes[i].sent.iter().cloned().collect();
        for beat in old {
            self.send(ROUND_TRIP, Coming::Event(Event::Beat(beat)));
        }
    }

    /// Somebody else changes the record.
    pub(crate) fn foreign_edit(&mut self) {
        let other = Rdata::A(Ipv4Addr::new(198, 51, 100, 7));
        self.before = std::mem::replace(&mut self.record, BTreeSet::from([other]));
        self.believes_meddling(Duration::ZERO);
    }

    /// From now on, and for `span`, the watcher may find in the record what it has not written.
    pub(crate) fn believes_meddling(&mut self, span: Duration) {
        let frozen = self.layout.policy.read_every + self.layout.policy.budget_span;
        self.checker.meddled(self.today() + span + frozen);
    }

    /// A person decides.
    pub(crate) fn pin(&mut self, side: Side, span: Duration) {
        self.checker.meddled(self.today() + span);
        let (owner, reason) = (Owner::new("somebody"), "a test".to_owned());
        self.hand(Event::Command {
            site: self.site.clone(),
            command: Command::Pin { side, span },
            owner,
            reason,
        });
    }

    /// Whether every node is published, and nothing else.
    pub(crate) fn all_home(&self) -> bool {
        let published = |n: &Node| self.record.contains(&Rdata::from(n.address));
        let home = |rdata: &Rdata| self.nodes.iter().any(|n| Rdata::from(n.address) == *rdata);
        self.nodes.iter().all(published) && self.record.iter().all(home)
    }

    /// The record, as text.
    pub(crate) fn shown(&self) -> String {
        self.record.iter().map(Rdata::value).collect::<Vec<_>>().join(" ")
    }

    /// Whether the journal, where one is kept, leads an engine that starts from nothing to the same state.
    pub(crate) fn replays(&self) -> bool {
        if !self.layout.journal {
            return true;
        }
        let mut again = Engine::default();
        for (at, event) in &self.journal {
            again.step(*at, event);
        }
        again == self.engine
    }
}

fn sets(record: &BTreeSet<Rdata>) -> Vec<RdataSet> {
    RdataSet::new(record.iter().cloned()).into_iter().collect()
}
