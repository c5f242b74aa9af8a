//! The judgement of a site: how its targets look, and what its RRsets should hold.
//!
//! Never decides by itself what a lane decides: it lays the situation before it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::{Site, Watched};
use crate::address::Family;
use crate::dns::{Rdata, RecordType};
use crate::failover::Shape;
use crate::failover::content::{Freshness, STALE_HOLD};
use crate::failover::event::{Effect, SiteSetup, Weight};
use crate::failover::fallback;
use crate::failover::lane::{Candidate, Decided, Lane, Readiness, Side, Situation, words};
use crate::heartbeat::NodeName;
use crate::liveness::{Beats, Health, Stakes};
use crate::moment::Moment;
use crate::policy::Policy;

impl Site {
    /// Judges every target, and tells of those that look different now.
    pub(in crate::failover) fn judge(&mut self, now: Moment, patience: u32, out: &mut Vec<Effect>) {
        let stakes = self.stakes();
        let policy = &self.setup.policy;
        let mut notes = Vec::new();
        for (node, families) in &mut self.targets {
            let beats = self.beats.entry(node.clone()).or_default();
            for (family, watched) in families {
                let stake = stakes.get(&(node.clone(), *family)).copied().unwrap_or(Stakes::LastOne);
                let health = watched.liveness.judge(now, beats, stake, patience, policy);
                if health != watched.health {
                    notes.push(transition(node, watched, health));
                    watched.health = health;
                    watched.since = now;
                }
            }
        }
        for (weight, text) in notes {
            self.note(out, weight, text);
        }
    }

    /// A target has a sibling when another member of its RRset is up.
    pub(in crate::failover) fn stakes(&self) -> BTreeMap<(NodeName, Family), Stakes> {
        let mut stakes = BTreeMap::new();
        for (node, families) in &self.targets {
            for family in families.keys() {
                let lane = self.lanes.get(&self.type_for(*family));
                let up = |other: &NodeName| {
                    other != node
                        && lane.is_some_and(|l| l.has(other))
                        && self.targets[other]
                            .iter()
                            .any(|(f, w)| self.same_lane(*f, *family) && w.health.is_up())
                };
                let sibling = self.targets.keys().any(up);
                let stake = if sibling { Stakes::HasSibling } else { Stakes::LastOne };
                stakes.insert((node.clone(), *family), stake);
            }
        }
        stakes
    }

    pub(in crate::failover) fn type_for(&self, family: Family) -> RecordType {
        match (self.setup.shape, family) {
            (Shape::Cname, _) => RecordType::Cname,
            (Shape::Address, Family::Ipv4) => RecordType::A,
            (Shape::Address, Family::Ipv6) => RecordType::Aaaa,
        }
    }

    pub(super) fn same_lane(&self, a: Family, b: Family) -> bool {
        self.type_for(a) == self.type_for(b)
    }

    /// Decides every RRset, and asks for a write when what is wanted is not what is in force.
    pub(in crate::failover) fn decide(&mut self, now: Moment, out: &mut Vec<Effect>) {
        if self.read.is_none() || self.frozen(now, out) {
            return;
        }
        let pinned = self.pinned(now, out);
        self.hold_back(now, out);
        let setup = &self.setup;
        let mut lanes = std::mem::take(&mut self.lanes);
        for lane in lanes.values_mut() {
            let candidates = self.candidates(lane, now);
            if candidates.is_empty() && lane.side() == Side::Undecided {
                continue;
            }
            let fallback = self.fallback.readiness(lane.record_type(), setup, now);
            let situation = self.situation(lane, setup, now, &candidates, &fallback);
            let decided = if pinned { Decided::Nothing } else { lane.decide(&situation) };
            match (decided, lane.side()) {
                (Decided::Nothing, _) => {}
                (Decided::Changed, Side::Home | Side::Undecided) => {
                    self.note(out, Weight::Info, lane.why().0.to_owned());
                }
                (Decided::Stuck, _) | (Decided::Changed, Side::Fallback) => {
                    self.note(out, Weight::Alarm, lane.why().0.to_owned());
                }
            }
            lane.want(&situation, &fallback::possible(lane.record_type(), setup));
        }
        self.lanes = lanes;
        self.write(now, out);
    }

    pub(super) fn situation<'a>(
        &self,
        lane: &Lane,
        setup: &'a SiteSetup,
        now: Moment,
        candidates: &'a BTreeMap<NodeName, Candidate>,
        fallback: &'a Readiness,
    ) -> Situation<'a> {
        Situation {
            now,
            policy: &setup.policy,
            order: &setup.nodes,
            candidates,
            fallback,
            fallback_dead: self.fallback.dead(lane.record_type(), setup, now),
        }
    }

    /// What was published last, of what nodes serve that are not down.
    pub(in crate::failover) fn current_content(&self) -> Option<&str> {
        self.contents.current(|node| self.is_alive(node))
    }

    fn is_alive(&self, node: &NodeName) -> bool {
        let not_down = |w: &Watched| !w.health.is_down() && w.health != Health::Unknown;
        self.targets.get(node).is_some_and(|families| families.values().any(not_down))
    }

    /// Whether `node` is to wait until it serves what was published last.
    fn is_to_wait(&self, node: &NodeName, now: Moment) -> bool {
        let long_enough = self.held_back.get(node).is_some_and(|since| now - *since >= STALE_HOLD);
        !long_enough && self.contents.freshness(node, self.current_content()) == Freshness::Stale
    }

    /// Whether `node` could come back now, whatever it serves.
    fn could_come_back(&self, node: &NodeName, now: Moment) -> bool {
        let fit = |lane: &Lane| {
            let hold = lane.hold(now, &self.setup.policy);
            let candidate = self.candidate(node, lane.record_type(), hold, now);
            !lane.has(node) && candidate.is_some_and(|c| c.risen && c.health.is_up() && c.rdata.is_some())
        };
        self.lanes.values().any(fit)
    }

    /// Takes note of who could come back but for what it serves; tells of each once.
    fn hold_back(&mut self, now: Moment, out: &mut Vec<Effect>) {
        let current = self.current_content().map(ToOwned::to_owned);
        let held = |node: &&NodeName| {
            self.contents.freshness(node, current.as_deref()) == Freshness::Stale
                && self.could_come_back(node, now)
        };
        let held: BTreeSet<NodeName> = self.setup.nodes.iter().filter(held).cloned().collect();
        self.held_back.retain(|node, _| held.contains(node));
        for node in held {
            if self.held_back.contains_key(&node) {
                continue;
            }
            let short =
                |digest: Option<&str>| digest.unwrap_or("nothing").chars().take(12).collect::<String>();
            let (own, last) = (short(self.contents.of(&node)), short(current.as_deref()));
            let text = format!(
                "{node} could come back but serves {own}, and {last} was published last: it waits for that while \
                 another node serves it, for {} at most",
                words(STALE_HOLD)
            );
            self.note(out, Weight::Warning, text);
            self.held_back.insert(node, now);
        }
    }

    pub(super) fn pinned(&mut self, now: Moment, out: &mut Vec<Effect>) -> bool {
        if let Some(pin) = self.pin.take_if(|pin| now >= pin.until) {
            self.note(
                out,
                Weight::Info,
                format!("the override by {} is over; the watcher decides again", pin.owner),
            );
        }
        self.pin.is_some()
    }

    /// The nodes as they matter for one RRset.
    pub(in crate::failover) fn candidates(&self, lane: &Lane, now: Moment) -> BTreeMap<NodeName, Candidate> {
        let hold = lane.hold(now, &self.setup.policy);
        let candidate = |n: &NodeName| Some((n.clone(), self.candidate(n, lane.record_type(), hold, now)?));
        self.setup.nodes.iter().filter_map(candidate).collect()
    }

    pub(super) fn candidate(
        &self,
        node: &NodeName,
        record_type: RecordType,
        hold: Duration,
        now: Moment,
    ) -> Option<Candidate> {
        let Some(families) = self.targets.get(node).filter(|f| !f.is_empty()) else {
            return Some(self.absent(now));
        };
        let best = families
            .iter()
            .filter(|(family, _)| self.type_for(**family) == record_type)
            .min_by_key(|(_, w)| (!w.health.is_up(), w.health.is_down()))?
            .1;
        let (policy, nothing) = (&self.setup.policy, Beats::default());
        let beats = self.beats.get(node).unwrap_or(&nothing);
        let rdata = best.liveness.proven().and_then(|address| match record_type {
            RecordType::Cname => self.setup.hosts.get(node).cloned().map(Rdata::Cname),
            RecordType::A | RecordType::Aaaa => Some(Rdata::from(address)),
        });
        Some(Candidate {
            health: best.health,
            rdata,
            risen: best.liveness.risen(now, beats, hold, policy),
            steady: best.liveness.risen(now, beats, Duration::ZERO, policy),
            stale: self.is_to_wait(node, now),
        })
    }

    /// A node that has never said where it is: down once it has had the time to.
    pub(super) fn absent(&self, now: Moment) -> Candidate {
        let policy: &Policy = &self.setup.policy;
        let late = now - self.begun >= policy.warm_up + policy.hard;
        let health = if late { Health::DownHard } else { Health::Unknown };
        Candidate { health, rdata: None, risen: false, steady: false, stale: false }
    }
}

fn transition(node: &NodeName, watched: &Watched, health: Health) -> (Weight, String) {
    let weight = if health.is_down() { Weight::Warning } else { Weight::Info };
    let address = watched.liveness.address();
    let failure = watched.liveness.failure().map(|f| format!(" ({f})")).unwrap_or_default();
    (weight, format!("{node} at {address}: {}{failure}", health.describe()))
}
