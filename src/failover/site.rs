//! One site under watch: its targets, its fallback, its RRsets, and the write that is on its way.
//!
//! Never reads a clock and never sends anything: it is stepped by [`super::engine`].

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::address::Family;
use crate::dns::{Owner, Rdata, RdataSet, RecordType};
use crate::failover::Shape;
use crate::failover::event::{BeatSeen, Effect, Note, SiteSetup, Target, Weight};
use crate::failover::fallback::{self, FallbackWatch};
use crate::failover::lane::{Candidate, Decided, Lane, Readiness, Side, Situation, words};
use crate::failover::policy::Policy;
use crate::heartbeat::NodeName;
use crate::liveness::{Beats, Health, Liveness, Stakes};
use crate::moment::Moment;
use crate::probe::outcome::{Failure, Outcome};

/// One target under watch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watched {
    /// The evidence.
    pub liveness: Liveness,
    /// When the next probe is due.
    pub due: Moment,
    /// How it looked when it was judged last.
    pub health: Health,
    /// Since when it has looked like that.
    pub since: Moment,
}

/// A write that is on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// Its number.
    pub epoch: u64,
    /// What it should bring about.
    pub sets: Vec<RdataSet>,
    /// Since when.
    pub since: Moment,
    /// Why the last try was not confirmed.
    pub trouble: Option<String>,
}

/// A person's word that stands against the engine's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// Where visitors are sent.
    pub side: Side,
    /// Until when.
    pub until: Moment,
    /// Who said so.
    pub owner: Owner,
    /// Why.
    pub reason: String,
}

/// One site under watch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site {
    pub(super) setup: SiteSetup,
    pub(super) beats: BTreeMap<NodeName, Beats>,
    pub(super) targets: BTreeMap<NodeName, BTreeMap<Family, Watched>>,
    pub(super) fallback: FallbackWatch,
    pub(super) lanes: BTreeMap<RecordType, Lane>,
    pub(super) epoch: u64,
    pub(super) pending: Option<Pending>,
    /// What was on its way when the watcher died: it may have landed.
    limbo: Vec<RdataSet>,
    /// Whether the record has been read since the start.
    pub(super) read: Option<Moment>,
    read_due: Moment,
    /// When a write was seen to have landed.
    landed: Option<Moment>,
    /// Why the record could not be read.
    pub(super) read_trouble: Option<String>,
    pub(super) pin: Option<Pin>,
    /// Somebody else has changed the record: it is left alone until then.
    pub(super) frozen_until: Option<Moment>,
    begun: Moment,
    /// How many name servers answered with the last write, of how many.
    pub(super) confirmed: Option<(u32, u32)>,
}

impl Site {
    /// A site of which nothing is known.
    #[must_use]
    pub fn new(setup: SiteSetup, now: Moment) -> Self {
        let mut site = Self {
            setup,
            beats: BTreeMap::new(),
            targets: BTreeMap::new(),
            fallback: FallbackWatch::default(),
            lanes: BTreeMap::new(),
            epoch: 0,
            pending: None,
            limbo: Vec::new(),
            read: None,
            read_due: now,
            landed: None,
            read_trouble: None,
            pin: None,
            frozen_until: None,
            begun: now,
            confirmed: None,
        };
        site.open_lane(site.main_type(), now);
        site
    }

    /// The watcher has started again: decisions, budgets and what nodes said stay, evidence goes.
    pub(super) fn restart(&mut self, setup: SiteSetup, now: Moment) {
        let kept = |n: &NodeName| setup.nodes.contains(n);
        self.targets.retain(|n, _| kept(n));
        self.beats.retain(|n, _| kept(n));
        if setup.shape != self.setup.shape {
            self.lanes.clear();
        }
        self.setup = setup;
        self.open_lane(self.main_type(), now);
        self.limbo = self.pending.take().map(|p| p.sets).unwrap_or_default();
        self.read = None;
        self.read_due = now;
        self.begun = now;
        self.discard_evidence(now);
    }

    pub(super) fn discard_evidence(&mut self, now: Moment) {
        self.beats.values_mut().for_each(Beats::discard_evidence);
        for watched in self.targets.values_mut().flat_map(BTreeMap::values_mut) {
            watched.liveness.discard_evidence(now);
            watched.due = now;
        }
        self.fallback.discard_evidence(now);
    }

    /// Gives up what is on its way: it was decided on evidence that is worth nothing any more.
    pub(super) fn abandon(&mut self, out: &mut Vec<Effect>) {
        if self.pending.take().is_some() {
            out.push(Effect::Abandon { site: self.setup.site.clone() });
        }
        for lane in self.lanes.values_mut() {
            lane.revert();
        }
    }

    fn main_type(&self) -> RecordType {
        match self.setup.shape {
            Shape::Address => RecordType::A,
            Shape::Cname => RecordType::Cname,
        }
    }

    fn open_lane(&mut self, record_type: RecordType, now: Moment) {
        self.lanes.entry(record_type).or_insert_with(|| Lane::new(record_type, now));
    }

    /// Whether an RRset of this type is this site's business.
    fn minds(&self, record_type: RecordType) -> bool {
        match self.setup.shape {
            Shape::Address => matches!(record_type, RecordType::A | RecordType::Aaaa),
            Shape::Cname => record_type == RecordType::Cname,
        }
    }

    pub(super) fn record_beat(&mut self, now: Moment, beat: &BeatSeen) {
        if !self.setup.nodes.contains(&beat.node) {
            return;
        }
        let beats = self.beats.entry(beat.node.clone()).or_default();
        beats.record(now, beat.boot, &self.setup.policy);
        if beat.leaving.is_some() {
            beats.record_leaving(now, &self.setup.policy);
        }
        for address in &beat.addresses {
            self.claim(now, &beat.node, *address);
        }
    }

    /// A node says where it is. A new place is probed at once.
    fn claim(&mut self, now: Moment, node: &NodeName, address: IpAddr) {
        let family = Family::of(address);
        let targets = self.targets.entry(node.clone()).or_default();
        let watched = targets.entry(family).or_insert_with(|| Watched {
            liveness: Liveness::new(address, now),
            due: now,
            health: Health::Unknown,
            since: now,
        });
        if watched.liveness.address() != address {
            watched.liveness.moved(address, now);
            watched.due = now;
        }
        if family == Family::Ipv6 && self.setup.shape == Shape::Address {
            self.open_lane(RecordType::Aaaa, now);
        }
    }

    pub(super) fn record_probe(
        &mut self,
        now: Moment,
        target: &Target,
        address: IpAddr,
        started: Moment,
        outcome: &Outcome,
    ) {
        let watched = self.targets.get_mut(&target.node).and_then(|t| t.get_mut(&target.family));
        let Some(watched) = watched else { return };
        watched.liveness.record(now, started, address, outcome, &self.setup.policy);
        if watched.liveness.failures() > 0 {
            let soon = (started + self.setup.policy.probe_suspect_every).max(now);
            watched.due = watched.due.min(soon);
            self.fallback.hasten(now + self.setup.policy.fallback_suspect_every);
        }
    }

    pub(super) fn record_fallback(&mut self, now: Moment, address: IpAddr, failure: Option<Failure>) {
        if self.setup.fallback_addresses.contains(&address) {
            self.fallback.record(now, address, failure);
        }
    }

    pub(super) fn record_read(
        &mut self,
        now: Moment,
        started: Moment,
        result: &Result<Vec<RdataSet>, String>,
        out: &mut Vec<Effect>,
    ) {
        let sets = match result {
            // It may tell what stood before the write, which would look like a change by somebody else.
            Ok(_) if self.landed.is_some_and(|landed| started < landed) => {
                self.read_due = now;
                return;
            }
            Ok(sets) => sets,
            Err(trouble) => {
                if self.read_trouble.as_ref() != Some(trouble) {
                    self.note(out, Weight::Warning, format!("the record could not be read: {trouble}"));
                }
                self.read_trouble = Some(trouble.clone());
                self.read_due = now + self.setup.policy.probe_every;
                return;
            }
        };
        self.read = Some(now);
        self.read_trouble = None;
        self.read_due = now + self.setup.policy.read_every;
        for set in sets.iter().filter(|s| self.minds(s.record_type())).cloned().collect::<Vec<_>>() {
            self.open_lane(set.record_type(), now);
        }
        self.take_reading(now, sets, out);
        self.limbo.clear();
    }

    fn take_reading(&mut self, now: Moment, sets: &[RdataSet], out: &mut Vec<Effect>) {
        let mut foreign = None;
        for (record_type, lane) in &mut self.lanes {
            let live = sets.iter().find(|s| s.record_type() == *record_type).cloned();
            match &live {
                Some(set) if self.limbo.contains(set) => lane.record_landed(set.clone()),
                Some(set) if lane.written().is_some_and(|w| w != set) && self.pending.is_none() => {
                    foreign = Some(set.clone());
                    lane.record_read(live);
                }
                Some(_) | None => lane.record_read(live),
            }
            if self.pending.is_none() && lane.in_force() != lane.wanted() {
                lane.revert();
            }
        }
        if let (Some(set), None) = (foreign, self.frozen_until) {
            self.frozen_until = Some(now + self.setup.policy.budget_span);
            let pause = words(self.setup.policy.budget_span);
            let text = format!("somebody else has changed the record to {set}; it is left alone for {pause}");
            self.note(out, Weight::Alarm, text);
        }
    }

    pub(super) fn record_written(
        &mut self,
        now: Moment,
        epoch: u64,
        result: &Result<Vec<RdataSet>, String>,
        out: &mut Vec<Effect>,
    ) {
        match result {
            Ok(sets) => {
                self.landed = Some(now);
                for set in sets {
                    if let Some(lane) = self.lanes.get_mut(&set.record_type()) {
                        lane.record_landed(set.clone());
                    }
                }
                self.confirmed = None;
                if self.pending.take_if(|p| p.epoch == epoch).is_some() {
                    let sets: Vec<_> = sets.iter().map(RdataSet::to_string).collect();
                    self.note(out, Weight::Info, format!("in force (epoch {epoch}): {}", sets.join(", ")));
                }
            }
            Err(trouble) => {
                let Some(pending) = self.pending.as_mut().filter(|p| p.epoch == epoch) else { return };
                let news = pending.trouble.as_ref() != Some(trouble);
                pending.trouble = Some(trouble.clone());
                if news {
                    self.note(out, Weight::Warning, format!("not in force yet (epoch {epoch}): {trouble}"));
                }
            }
        }
    }

    pub(super) fn note(&self, out: &mut Vec<Effect>, weight: Weight, text: String) {
        out.push(Effect::Note(Note { site: Some(self.setup.site.clone()), weight, text }));
    }

    /// Starts what is due: probes, looks at the fallback, a reading of the record.
    pub(super) fn look(
        &mut self,
        now: Moment,
        mut jitter: impl FnMut(Duration) -> Duration,
        out: &mut Vec<Effect>,
    ) {
        let policy = &self.setup.policy;
        let mut suspect = false;
        for (node, families) in &mut self.targets {
            for (family, watched) in families {
                suspect |= watched.health == Health::Suspect;
                if now < watched.due {
                    continue;
                }
                let every = if watched.health == Health::Suspect {
                    policy.probe_suspect_every
                } else {
                    jitter(policy.probe_every)
                };
                watched.due = now + every;
                let target = Target { site: self.setup.site.clone(), node: node.clone(), family: *family };
                out.push(Effect::Probe { target, address: watched.liveness.address() });
            }
        }
        let away = self.lanes.values().any(|lane| lane.side() == Side::Fallback);
        let every = if suspect || away { policy.fallback_suspect_every } else { policy.fallback_every };
        let read_every = if self.read.is_some() { policy.read_every } else { policy.probe_every };
        self.look_at_fallback(now, every, out);
        if now >= self.read_due {
            self.read_due = now + read_every;
            out.push(Effect::Read { site: self.setup.site.clone() });
        }
    }

    fn look_at_fallback(&mut self, now: Moment, every: Duration, out: &mut Vec<Effect>) {
        if now < self.fallback.due() {
            return;
        }
        self.fallback.looking(now + every);
        let site = &self.setup.site;
        let look = |a: &IpAddr| Effect::LookAtFallback { site: site.clone(), address: *a };
        out.extend(self.setup.fallback_addresses.iter().map(look));
    }

    /// Judges every target, and tells of those that look different now.
    pub(super) fn judge(&mut self, now: Moment, patience: u32, out: &mut Vec<Effect>) {
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
    pub(super) fn stakes(&self) -> BTreeMap<(NodeName, Family), Stakes> {
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

    fn type_for(&self, family: Family) -> RecordType {
        match (self.setup.shape, family) {
            (Shape::Cname, _) => RecordType::Cname,
            (Shape::Address, Family::Ipv4) => RecordType::A,
            (Shape::Address, Family::Ipv6) => RecordType::Aaaa,
        }
    }

    fn same_lane(&self, a: Family, b: Family) -> bool {
        self.type_for(a) == self.type_for(b)
    }

    /// Decides every RRset, and asks for a write when what is wanted is not what is in force.
    pub(super) fn decide(&mut self, now: Moment, out: &mut Vec<Effect>) {
        if self.read.is_none() || self.frozen(now, out) {
            return;
        }
        let pinned = self.pinned(now, out);
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

    fn situation<'a>(
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

    fn frozen(&mut self, now: Moment, out: &mut Vec<Effect>) -> bool {
        if self.frozen_until.take_if(|until| now >= *until).is_some() {
            self.note(out, Weight::Info, "the pause after a foreign change is over".to_owned());
        }
        self.frozen_until.is_some()
    }

    fn pinned(&mut self, now: Moment, out: &mut Vec<Effect>) -> bool {
        if let Some(pin) = self.pin.take_if(|pin| now >= pin.until) {
            self.note(
                out,
                Weight::Info,
                format!("the override by {} is over; the watcher decides again", pin.owner),
            );
        }
        self.pin.is_some()
    }

    fn write(&mut self, now: Moment, out: &mut Vec<Effect>) {
        let differs = |lane: &&Lane| lane.wanted().is_some() && lane.wanted() != lane.in_force();
        let mut sets: Vec<RdataSet> =
            self.lanes.values().filter(differs).filter_map(|l| l.wanted().cloned()).collect();
        let superseded = self.pending.as_ref().is_some_and(|p| p.sets != sets);
        if sets.is_empty() && superseded {
            // What was on its way may land yet: what is in force now is written again to be sure of it.
            sets = self.lanes.values().filter_map(|l| l.wanted().cloned()).collect();
        }
        if sets.is_empty() || self.pending.as_ref().is_some_and(|p| p.sets == sets) {
            return;
        }
        self.epoch += 1;
        let why = self.lanes.values().filter(differs).map(|l| l.why().0).collect::<Vec<_>>().join("; ");
        self.pending = Some(Pending { epoch: self.epoch, sets: sets.clone(), since: now, trouble: None });
        out.push(Effect::Write { site: self.setup.site.clone(), epoch: self.epoch, sets, why });
    }

    /// The nodes as they matter for one RRset.
    pub(super) fn candidates(&self, lane: &Lane, now: Moment) -> BTreeMap<NodeName, Candidate> {
        let hold = lane.hold(now, &self.setup.policy);
        let candidate = |n: &NodeName| Some((n.clone(), self.candidate(n, lane.record_type(), hold, now)?));
        self.setup.nodes.iter().filter_map(candidate).collect()
    }

    fn candidate(
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
        })
    }

    /// A node that has never said where it is: down once it has had the time to.
    fn absent(&self, now: Moment) -> Candidate {
        let policy: &Policy = &self.setup.policy;
        let late = now - self.begun >= policy.warm_up + policy.hard;
        let health = if late { Health::DownHard } else { Health::Unknown };
        Candidate { health, rdata: None, risen: false, steady: false }
    }

    /// The next moment at which time alone can matter.
    pub(super) fn next_wake(&self, now: Moment, patience: u32) -> Option<Moment> {
        let policy = &self.setup.policy;
        let stakes = self.stakes();
        let watched = self.targets.iter().flat_map(|(n, fs)| fs.iter().map(move |(f, w)| (n, f, w)));
        let targets = watched.flat_map(|(n, f, w)| {
            let stake = stakes.get(&(n.clone(), *f)).copied().unwrap_or(Stakes::LastOne);
            [Some(w.due), w.liveness.next_deadline(now, stake, patience, policy)]
        });
        let beats = self.beats.values().map(|b| b.next_deadline(now, policy));
        let own = [
            Some(self.fallback.due()),
            Some(self.read_due),
            self.frozen_until,
            self.pin.as_ref().map(|p| p.until),
            Some(self.begun + policy.warm_up + policy.hard).filter(|at| *at > now),
        ];
        targets.chain(beats).chain(own).flatten().min()
    }
}

fn transition(node: &NodeName, watched: &Watched, health: Health) -> (Weight, String) {
    let weight = if health.is_down() { Weight::Warning } else { Weight::Info };
    let address = watched.liveness.address();
    let failure = watched.liveness.failure().map(|f| format!(" ({f})")).unwrap_or_default();
    (weight, format!("{node} at {address}: {}{failure}", health.describe()))
}
