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
use crate::failover::drill::Drill;
use crate::failover::errand::same_line;
use crate::failover::event::{Effect, SiteSetup, Weight};
use crate::failover::fallback;
use crate::failover::lane::{Candidate, Decided, Lane, Readiness, Side, Situation, words};
use crate::heartbeat::NodeName;
use crate::liveness::{Accord, Beats, Grounds, Health, Stakes};
use crate::moment::Moment;
use crate::policy::Policy;

impl Site {
    /// Judges every target, and tells of those that look different now.
    pub(super) fn judge(&mut self, now: Moment, patience: u32, out: &mut Vec<Effect>) {
        let grounds = self.grounds(patience, now);
        let (policy, silent) = (&self.setup.policy, Beats::default());
        let mut notes = Vec::new();
        let mut stirs = false;
        for (node, families) in &mut self.targets {
            let beats = self.beats.get(node).unwrap_or(&silent);
            for (family, watched) in families {
                let judged = watched.liveness.judge(now, beats, &grounds.of(node, *family), policy);
                let health = if self.drains.contains_key(node) { Health::Draining } else { judged };
                if health != watched.health {
                    let lane = self.lanes.get(&type_for(self.setup.shape, *family));
                    // A member that only wavers stays one.
                    let wavers = keeps_visitors(watched.health) && keeps_visitors(health);
                    stirs |= !(wavers && lane.is_some_and(|lane| lane.has(node)));
                    notes.push(transition(node, watched, health));
                    watched.told = (watched.told || is_trouble(health)) && health != Health::Up;
                    watched.health = health;
                    watched.since = now;
                }
            }
        }
        self.stirred |= stirs;
        for (weight, text) in notes {
            self.note(out, weight, text);
        }
    }

    /// The grounds on which each target may be given up, of those that may be given up now.
    fn grounds(&self, patience: u32, now: Moment) -> GroundsOfAll {
        let watched = self.targets.iter().flat_map(|(n, fs)| fs.iter().map(move |(f, w)| (n, f, w)));
        let at_stake = watched.filter(|(_, _, w)| w.liveness.is_at_stake(&self.setup.policy));
        let grounds =
            |(n, f, _): (&NodeName, &Family, _)| ((n.clone(), *f), self.grounds_of(n, *f, patience, now));
        GroundsOfAll { patience, at_stake: at_stake.map(grounds).collect() }
    }

    /// The grounds on which one target may be given up: whether another member of its RRset is up, and what others see.
    pub(in crate::failover) fn grounds_of(
        &self,
        node: &NodeName,
        family: Family,
        patience: u32,
        now: Moment,
    ) -> Grounds {
        let record_type = self.type_for(family);
        let here = |(f, w): (&Family, &Watched)| self.type_for(*f) == record_type && w.health.is_up();
        let sibling = |(other, families): (&NodeName, &BTreeMap<Family, Watched>)| {
            other != node
                && self.lanes.get(&record_type).is_some_and(|lane| lane.has(other))
                && families.iter().any(here)
        };
        let stakes = if self.targets.iter().any(sibling) { Stakes::HasSibling } else { Stakes::LastOne };
        let watched = self.targets.get(node).and_then(|families| families.get(&family));
        let accord = watched.map(|w| self.accord(node, w, now)).unwrap_or_default();
        Grounds { stakes, accord, patience }
    }

    /// What witnesses have said of a target since this watcher got through last. One behind the same line sees what no
    /// visitor does.
    fn accord(&self, node: &NodeName, watched: &Watched, now: Moment) -> Accord {
        let address = watched.liveness.address();
        let lives_there = |witness: &NodeName| {
            let mut own = self.targets.get(witness).into_iter().flat_map(BTreeMap::values);
            witness == node || own.any(|w| same_line(w.liveness.address(), address))
        };
        let since = watched.liveness.unreached_since().max(now.back(self.setup.policy.testimony_fresh));
        self.witnesses.accord(address, since, |witness| !lives_there(witness))
    }

    /// Whether time alone may lead to another decision: something is undecided, somebody could come back, or visitors
    /// are led to what is down.
    pub(super) fn is_restless(&self) -> bool {
        self.lanes.values().any(|lane| {
            let record_type = lane.record_type();
            let is_restless = |(node, families): (&NodeName, &BTreeMap<Family, Watched>)| {
                let mut here = families.iter().filter(|(family, _)| self.type_for(**family) == record_type);
                let member = lane.has(node);
                here.any(|(_, w)| if member { w.health.is_down() } else { w.health.is_up() })
            };
            let present = self.targets.keys().filter(|node| lane.has(node)).count();
            lane.side() == Side::Undecided || present < lane.size() || self.targets.iter().any(is_restless)
        })
    }

    pub(in crate::failover) fn type_for(&self, family: Family) -> RecordType {
        type_for(self.setup.shape, family)
    }

    /// Decides every RRset, and asks for a write when what is wanted is not what is in force.
    pub(super) fn decide(&mut self, now: Moment, out: &mut Vec<Effect>) {
        if self.read.is_none() || self.frozen_until.is_some() || self.doubt.is_some() {
            return;
        }
        if self.freeze.is_some() {
            return self.rehearse(now, out);
        }
        self.hold_back(now, out);
        self.decide_lanes(now, out);
        self.write(now, out);
    }

    /// Tells what would be done, and does not do it.
    fn rehearse(&mut self, now: Moment, out: &mut Vec<Effect>) {
        let lanes = self.lanes.clone();
        let mut notes = Vec::new();
        self.decide_lanes(now, &mut notes);
        self.lanes = lanes;
        let text = |effect: Effect| if let Effect::Note(note) = effect { Some(note.text) } else { None };
        let would = notes.into_iter().filter_map(text).next_back();
        if would.is_some() && would != self.would {
            let text = format!("but for the freeze: {}", would.as_deref().unwrap_or_default());
            self.note(out, Weight::Warning, text);
            self.would = would;
        }
    }

    fn decide_lanes(&mut self, now: Moment, out: &mut Vec<Effect>) {
        let pinned = self.pin.is_some();
        let setup = &self.setup;
        let mut lanes = std::mem::take(&mut self.lanes);
        for lane in lanes.values_mut() {
            let candidates = self.candidates(lane, now);
            if (candidates.is_empty() && lane.side() == Side::Undecided) || self.waits(lane, &candidates, now)
            {
                continue;
            }
            let fallback = self.fallback.readiness(lane.record_type(), setup, now);
            let situation = self.situation(lane, setup, now, &candidates, &fallback);
            let decided = match self.drill.as_ref().and_then(Drill::returning) {
                _ if pinned => Decided::Nothing,
                Some(home) => lane.end_drill(&situation, home),
                None => lane.decide(&situation),
            };
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
    }

    /// The last node leaves by its own word, which comes without warning: the fallback must be seen as it is now.
    fn waits(&self, lane: &Lane, candidates: &BTreeMap<NodeName, Candidate>, now: Moment) -> bool {
        let mut members = candidates.iter().filter(|(node, _)| lane.has(node)).map(|(_, c)| c.health);
        members.clone().any(|health| health == Health::Draining)
            && members.all(Health::is_down)
            && self.fallback.is_awaited(&self.setup, now)
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

    /// Ends what was only to hold for a while.
    pub(super) fn expire(&mut self, now: Moment, out: &mut Vec<Effect>) {
        if let Some(pin) = self.pin.take_if(|pin| now >= pin.until) {
            if self.drill.is_none() {
                let text = format!("the override by {} is over; the watcher decides again", pin.owner);
                self.note(out, Weight::Info, text);
            }
            self.stir();
        }
        if let Some(word) = self.freeze.take_if(|word| now >= word.until) {
            self.would = None;
            self.note(out, Weight::Info, format!("the freeze by {} is over", word.owner));
            self.stir();
        }
        let over: Vec<NodeName> =
            self.drains.iter().filter(|(_, word)| now >= word.until).map(|(node, _)| node.clone()).collect();
        for node in over {
            self.drains.remove(&node);
            self.note(
                out,
                Weight::Info,
                format!("{node} may serve again: the time to keep visitors away is over"),
            );
            self.stir();
        }
        if self.doubt.take_if(|doubt| now >= doubt.until).is_some() {
            self.stir();
        }
        if self.frozen_until.take_if(|until| now >= *until).is_some() {
            self.note(out, Weight::Info, "the pause after a foreign change is over".to_owned());
            self.lanes.values_mut().for_each(Lane::settle_for_what_stands);
            self.stir();
        }
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

/// The grounds on which targets may be given up.
struct GroundsOfAll {
    patience: u32,
    at_stake: BTreeMap<(NodeName, Family), Grounds>,
}

impl GroundsOfAll {
    fn of(&self, node: &NodeName, family: Family) -> Grounds {
        let none =
            || Grounds { stakes: Stakes::default(), accord: Accord::default(), patience: self.patience };
        let at_stake = Some(&self.at_stake).filter(|at_stake| !at_stake.is_empty());
        at_stake.and_then(|at_stake| at_stake.get(&(node.clone(), family))).copied().unwrap_or_else(none)
    }
}

fn type_for(shape: Shape, family: Family) -> RecordType {
    match (shape, family) {
        (Shape::Cname, _) => RecordType::Cname,
        (Shape::Address, Family::Ipv4) => RecordType::A,
        (Shape::Address, Family::Ipv6) => RecordType::Aaaa,
    }
}

/// Whether visitors who are led there stay.
fn keeps_visitors(health: Health) -> bool {
    matches!(health, Health::Up | Health::Degraded | Health::Suspect)
}

/// What somebody should see to, though visitors may still be served.
fn is_trouble(health: Health) -> bool {
    health.is_down() || health == Health::Degraded
}

/// What people are told of a target that looks like `health` now. That it fails now and then is news once, and none at the
/// end of an outage.
fn transition(node: &NodeName, watched: &Watched, health: Health) -> (Weight, String) {
    let news = health.is_down() || (is_trouble(health) && !watched.told);
    let weight = if news { Weight::Warning } else { Weight::Info };
    let (address, health) = (watched.liveness.address(), health.describe());
    let text = match watched.liveness.failure() {
        Some(failure) => format!("{node} at {address}: {health} ({failure})"),
        None => format!("{node} at {address}: {health}"),
    };
    (weight, text)
}
