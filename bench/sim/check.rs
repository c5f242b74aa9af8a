//! What must hold at every step, whatever happens.
//!
//! Some of it is about what is written, and some compares what the engine did with what was really the case.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use hearth::dns::{Rdata, RdataSet};
use hearth::failover::engine::Engine;
use hearth::failover::event::Effect;
use hearth::moment::Moment;
use hearth::policy::Policy;

use super::truth::{Truth, held};
use super::world::{Layout, Node, PAGES};

/// Returns per hour and name in every profile.
const RETURNS: usize = 2;
const HOUR: Duration = Duration::from_secs(3_600);

/// Something that must hold and did not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Broken {
    /// Which invariant.
    pub(crate) rule: &'static str,
    /// When.
    pub(crate) at: Moment,
    /// What was seen.
    pub(crate) what: String,
}

/// Watches a world. The first thing that does not hold is kept.
#[derive(Debug)]
pub(crate) struct Checker {
    nodes: usize,
    /// The numbers that the rules speak of: never a mutant's.
    policy: Policy,
    /// The first broken rule.
    pub(crate) broken: Option<Broken>,
    /// What is really the case.
    pub(crate) truth: Truth,
    /// Changes that count against the budget, in the last hour.
    changes: VecDeque<Moment>,
    /// Landed changes.
    pub(crate) landed: u64,
    epoch_asked: u64,
    epoch_landed: u64,
    /// The write that may land now.
    standing: Option<u64>,
    first: bool,
    /// Changes that are excused: a node moved, a person decided, somebody else wrote.
    excused: u32,
    /// Since when the record has been the same.
    record_since: Moment,
    /// The last write that was asked for before a cut that the watcher cannot have missed.
    cut_ended: Option<u64>,
    /// Whether there is a witness.
    witnessed: bool,
}

impl Checker {
    /// Nothing has happened yet.
    pub(crate) fn new(layout: &Layout) -> Self {
        Self {
            nodes: layout.nodes,
            policy: layout.rules.clone(),
            broken: None,
            truth: Truth::default(),
            changes: VecDeque::new(),
            landed: 0,
            epoch_asked: 0,
            epoch_landed: 0,
            standing: None,
            first: true,
            excused: 0,
            record_since: Moment::START,
            cut_ended: None,
            witnessed: layout.witnessed,
        }
    }

    /// Something does not hold.
    pub(crate) fn fail(&mut self, rule: &'static str, at: Moment, what: String) {
        if self.broken.is_none() {
            self.broken = Some(Broken { rule, at, what });
        }
    }

    /// Somebody else than the engine has had a hand in it: what follows does not count against the budget.
    pub(crate) fn meddled(&mut self, until: Moment) {
        self.excused += 2;
        self.truth.meddled(until);
    }

    /// A node has another address.
    pub(crate) fn moved(&mut self, i: usize) {
        self.excused += 2;
        self.truth.moved(i);
    }

    /// The watcher reaches something again.
    pub(crate) fn cut_ended(&mut self, lasted: Duration) {
        if lasted >= SURELY {
            self.cut_ended = Some(self.epoch_asked);
        }
    }

    /// The watcher has lost the memory of its last moments, with it that of a return.
    pub(crate) fn forgot(&mut self) {
        self.excused += 1;
        self.epoch_asked = 0;
        self.epoch_landed = 0;
        self.cut_ended = None;
    }

    /// The engine wants something. `told` is what it was told last that the record holds; None when a write has been
    /// under way since, which may have landed or may land yet.
    pub(crate) fn effect(
        &mut self,
        now: Moment,
        effect: &Effect,
        engine: &Engine,
        told: Option<&BTreeSet<Rdata>>,
        nodes: &[Node],
    ) {
        match effect {
            Effect::Write { site, epoch, sets, why } => {
                if engine.is_frozen(site) {
                    self.fail("I4: nothing is written while the record is frozen", now, why.clone());
                }
                let wanted: BTreeSet<Rdata> = sets.iter().flat_map(RdataSet::iter).cloned().collect();
                self.asked(now, *epoch, why, engine);
                self.standing = Some(*epoch);
                if Some(&wanted) == told {
                    self.fail("I12: nothing is written that stands", now, format!("epoch {epoch}"));
                }
                let Some(told) = told else { return };
                self.given_up(now, told, &wanted, nodes);
                self.moved_away(now, told, &wanted, nodes);
            }
            Effect::Abandon { .. } => self.standing = None,
            Effect::Probe { .. }
            | Effect::LookAtFallback { .. }
            | Effect::LookAtReferences
            | Effect::Read { .. }
            | Effect::Note(_) => {}
        }
    }

    fn asked(&mut self, now: Moment, epoch: u64, why: &str, engine: &Engine) {
        let seen = self.policy.reference_every * 2 + Duration::from_secs(5);
        if engine.is_cut_off() || held(self.truth.cut, now, seen) {
            self.fail("I4: nothing is written while the watcher is cut off", now, why.to_owned());
        }
        let warm = self.policy.warm_up;
        if engine.is_warming_up() || self.truth.sees_since + warm > now {
            self.fail("I4: nothing is written while the watcher warms up", now, why.to_owned());
        }
        if epoch <= self.epoch_asked {
            self.fail("I6: epochs grow", now, format!("{epoch} after {}", self.epoch_asked));
        }
        self.epoch_asked = epoch.max(self.epoch_asked);
        if why.trim().is_empty() {
            self.fail("I9: every change has a reason", now, format!("epoch {epoch}"));
        }
    }

    /// Nodes that have been well for a while are not given up.
    fn given_up(&mut self, now: Moment, told: &BTreeSet<Rdata>, wanted: &BTreeSet<Rdata>, nodes: &[Node]) {
        let meddled = self.truth.meddled_until > now;
        for (node, well) in nodes.iter().zip(self.truth.well.clone()) {
            let rdata = Rdata::from(node.address);
            // After two nodes have changed places the record may hold the place for the other one's sake.
            let others = nodes.iter().any(|o| o.name() != node.name() && o.has_been_at(node.address));
            if others {
                continue;
            }
            if told.contains(&rdata) && !wanted.contains(&rdata) && !meddled && held(well, now, SURELY) {
                let what = format!("{} at {}", node.name(), node.address);
                self.fail("I14: a node that is well is not given up", now, what);
            }
        }
    }

    fn moved_away(&mut self, now: Moment, told: &BTreeSet<Rdata>, wanted: &BTreeSet<Rdata>, nodes: &[Node]) {
        let pages = Rdata::A(PAGES);
        let moves = wanted.contains(&pages) && !told.contains(&pages);
        if moves && self.truth.meddled_until <= now && held(self.truth.fallback_bad, now, SURELY) {
            self.fail("I15: no switch to a fallback that does not work", now, String::new());
        }
        if moves && self.truth.meddled_until <= now {
            self.witnessed(now, told, nodes);
        }
    }

    /// What a witness gets through to is not given up as soon as this watcher alone does not.
    fn witnessed(&mut self, now: Moment, told: &BTreeSet<Rdata>, nodes: &[Node]) {
        let (heard, slack) = (Duration::from_secs(120), Duration::from_secs(60));
        let seen = |i: usize| held(self.truth.serves[i], now, heard);
        let soon = |i: usize| !held(self.truth.unseen[i], now, self.policy.dissent.saturating_sub(slack));
        let published = |node: &Node| told.contains(&Rdata::from(node.address));
        let wrong = nodes.iter().enumerate().any(|(i, node)| published(node) && seen(i) && soon(i));
        let clear = held(self.truth.witnessed, now, heard)
            && self.truth.sees_since + heard <= now
            && self.truth.announced_until <= now;
        if wrong && clear {
            self.fail("I17: what a witness gets through to is not given up at once", now, String::new());
        }
    }

    /// A write has reached the provider.
    pub(crate) fn landed(
        &mut self,
        now: Moment,
        epoch: u64,
        before: &BTreeSet<Rdata>,
        after: &BTreeSet<Rdata>,
        nodes: &[Node],
    ) {
        if after.is_empty() {
            self.fail("I1: the record is never empty", now, "an empty set landed".to_owned());
        }
        if epoch < self.epoch_landed {
            let what = format!("{epoch} after {}", self.epoch_landed);
            self.fail("I6: no older write lands after a newer one", now, what);
        }
        self.epoch_landed = epoch.max(self.epoch_landed);
        if self.cut_ended.is_some_and(|before| epoch <= before) {
            let what = format!("epoch {epoch}");
            self.fail("I4: what was decided before a cut does not land after it", now, what);
        }
        if self.standing != Some(epoch) {
            self.fail("I7: only the write that is wanted lands", now, format!("epoch {epoch}"));
        }
        if after.contains(&Rdata::A(PAGES)) && after.len() > 1 {
            self.fail("I13: nodes and fallback are never mixed", now, format!("{after:?}"));
        }
        if let Some(stranger) = after.iter().find(|rdata| !is_known(rdata, nodes) && !before.contains(rdata))
        {
            self.fail("I10: only what a node has proved is published", now, format!("{stranger:?}"));
        }
        if before != after {
            self.changed(now, before);
        }
    }

    fn changed(&mut self, now: Moment, before: &BTreeSet<Rdata>) {
        self.landed += 1;
        self.record_since = now;
        // The first write fills a record that held nothing.
        if std::mem::take(&mut self.first) || before.is_empty() {
            return;
        }
        if self.excused > 0 {
            self.excused -= 1;
            return;
        }
        self.changes.push_back(now);
        while self.changes.front().is_some_and(|at| now - *at >= HOUR) {
            self.changes.pop_front();
        }
        if self.changes.len() > 2 * RETURNS + self.nodes {
            let what = format!("{} in an hour with {} nodes", self.changes.len(), self.nodes);
            self.fail("I3: at most 2R+n changes an hour", now, what);
        }
    }

    /// Time has passed.
    pub(crate) fn passed(&mut self, now: Moment, record: &BTreeSet<Rdata>, nodes: &[Node]) {
        self.all_dead(now, record, nodes);
        self.one_dead(now, record, nodes);
    }

    /// Visitors are not left with what is dead while something works.
    fn all_dead(&mut self, now: Moment, record: &BTreeSet<Rdata>, nodes: &[Node]) {
        // The slowest verdict, doubt that fades, a reading of the record, and a write.
        let slowest = self.policy.gray.max(self.policy.hard) + self.policy.warm_up + Duration::from_secs(180);
        // One that lies or has just been heard for the first time may dispute what is plain.
        let disputed = self.witnessed && !held(self.truth.witnessed, now, Duration::from_secs(120));
        let span = if disputed { slowest + self.policy.dissent } else { slowest };
        if !held(self.truth.fallback_good, now, span) || !self.truth.is_clear_for(now, span) {
            return;
        }
        let only_nodes = record.iter().all(|rdata| nodes.iter().any(|n| Rdata::from(n.address) == *rdata));
        let mut published = published(record, nodes).peekable();
        let some = published.peek().is_some();
        if only_nodes && some && published.all(|i| held(self.truth.dead[i], now, span)) {
            self.fail(
                "I2: visitors are not left with what is dead while something works",
                now,
                format!("{record:?}"),
            );
        }
    }

    /// A dead node does not stay beside one that is well: browsers meet it first as often as not.
    fn one_dead(&mut self, now: Moment, record: &BTreeSet<Rdata>, nodes: &[Node]) {
        let span = self.policy.hard_with_sibling + self.policy.beat_stale + Duration::from_secs(30);
        let gone = |i: usize| held(self.truth.gone[i], now, span);
        let well = |i: usize| held(self.truth.well[i], now, self.policy.rise_span * 2);
        let wrong = || published(record, nodes).any(gone) && published(record, nodes).any(well);
        if self.record_since + span <= now && self.truth.is_clear_for(now, span * 2) && wrong() {
            self.fail("I16: a dead node does not stay beside one that is well", now, format!("{record:?}"));
        }
    }
}

/// The nodes that the record leads to.
fn published(record: &BTreeSet<Rdata>, nodes: &[Node]) -> impl Iterator<Item = usize> {
    let holds = |(_, node): &(usize, &Node)| record.contains(&Rdata::from(node.address));
    nodes.iter().enumerate().filter(holds).map(|(i, _)| i)
}

/// How long something must really be so before the engine cannot but know: the slowest look and its answer.
const SURELY: Duration = Duration::from_secs(40);

fn is_known(rdata: &Rdata, nodes: &[Node]) -> bool {
    rdata.address().is_some_and(|a| a == PAGES || nodes.iter().any(|n| n.has_been_at(a)))
}
