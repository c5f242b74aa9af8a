//! One site under watch: its targets, its fallback, its RRsets, and the write that is on its way.
//!
//! Never reads a clock and never sends anything: it is stepped by [`super::engine`].

mod decide;
mod record;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::address::Family;
use crate::dns::{Owner, RdataSet, RecordType};
use crate::failover::Shape;
use crate::failover::content::{Contents, Place};
use crate::failover::drill::{Drill, Report};
use crate::failover::engine::Standing;
use crate::failover::event::{About, BeatSeen, Effect, Note, SiteSetup, Target, Testimony, Weight};
use crate::failover::fallback::{Change, FallbackWatch, News, in_days};
use crate::failover::lane::{Lane, Side};
use crate::failover::rounds::Rounds;
use crate::failover::witness::Witnesses;
use crate::heartbeat::NodeName;
use crate::liveness::{Beats, Health, Liveness};
use crate::moment::Moment;
use crate::policy::Policy;
use crate::probe::outcome::{Failure, Outcome};

/// One target under watch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watched {
    /// The evidence.
    pub liveness: Liveness,
    /// When the next probe is due.
    pub due: Moment,
    /// When it is probed, well or failing.
    #[serde(default)]
    pub rounds: Rounds,
    /// How it looked when it was judged last.
    pub health: Health,
    /// Since when it has looked like that.
    pub since: Moment,
    /// People were told that it fails, and it has not been wholly up since.
    #[serde(default)]
    pub told: bool,
}

impl Watched {
    /// When it is looked at next after `now`, when the last look began at `last`: more often as long as it fails, and
    /// start to start, so that looks that time out are not waited for.
    fn next_look(&self, last: Moment, now: Moment, policy: &Policy) -> Moment {
        let fails = self.liveness.failures() > 0;
        let every = if fails { policy.probe_suspect_every } else { policy.probe_every };
        // Not right after a look of the other pace.
        self.rounds.next(now.max(last + every / 2), every)
    }
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

/// A person's word that holds for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Word {
    /// Until when.
    pub until: Moment,
    /// Who said so.
    pub owner: Owner,
    /// Why.
    pub reason: String,
}

/// A record that is not what was written last. One reading may be a stale one, from a server that lags behind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Doubt {
    /// What was read.
    sets: Vec<RdataSet>,
    /// Nothing is decided until it is read again, or until then.
    until: Moment,
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
    /// What was on its way when the watcher died or gave it up: it may have landed.
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
    /// What its nodes serve.
    #[serde(default)]
    pub(super) contents: Contents,
    /// The nodes that are up and kept out for what they serve, and since when.
    #[serde(default)]
    pub(super) held_back: BTreeMap<NodeName, Moment>,
    /// A person wants the record left as it is.
    #[serde(default)]
    pub(super) freeze: Option<Word>,
    /// What was told last that would be done but for that.
    #[serde(default)]
    would: Option<String>,
    /// A person wants visitors kept away from these nodes.
    #[serde(default)]
    pub(super) drains: BTreeMap<NodeName, Word>,
    /// A drill that is under way.
    #[serde(default)]
    pub(super) drill: Option<Drill>,
    /// What became of the last drill.
    #[serde(default)]
    pub(super) last_drill: Option<Report>,
    /// A reading that looked like a change by somebody else, until a second one says the same.
    #[serde(default)]
    doubt: Option<Doubt>,
    /// What others saw of its nodes and its fallback.
    #[serde(default)]
    pub(super) witnesses: Witnesses,
    /// When its fallback and its record are looked at, and what its targets' rounds are drawn from.
    #[serde(default)]
    rounds: Rounds,
    #[serde(default)]
    seed: u64,
    /// When it is due next.
    #[serde(default)]
    pub(super) wake: Moment,
    /// Something has changed that a decision depends on, or time alone can change one. Otherwise nothing is decided
    /// anew: it would be the same.
    #[serde(default = "stirred")]
    stirred: bool,
}

fn stirred() -> bool {
    true
}

impl Site {
    /// A site of which nothing is known.
    #[must_use]
    pub fn new(setup: SiteSetup, now: Moment, seed: u64) -> Self {
        let mut site = Self {
            rounds: Rounds::of(seed, [setup.site.as_str()]),
            seed,
            wake: now,
            stirred: true,
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
            contents: Contents::default(),
            held_back: BTreeMap::new(),
            freeze: None,
            would: None,
            drains: BTreeMap::new(),
            drill: None,
            last_drill: None,
            doubt: None,
            witnesses: Witnesses::default(),
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
        self.fallback.keep(&self.setup.fallback_addresses);
        self.open_lane(self.main_type(), now);
        self.doubt = None;
        self.limbo.extend(self.pending.take().into_iter().flat_map(|p| p.sets));
        self.read = None;
        self.read_due = now;
        self.begun = now;
        self.stir();
        self.discard_evidence(now);
    }

    /// Something has changed that a decision depends on.
    pub(super) fn stir(&mut self) {
        self.stirred = true;
    }

    /// What time brings. Returns when it can bring something next.
    pub(super) fn advance(
        &mut self,
        now: Moment,
        standing: Standing,
        patience: u32,
        out: &mut Vec<Effect>,
    ) -> Moment {
        self.look(now, out);
        if standing != Standing::CutOff {
            self.judge(now, patience, out);
        }
        if standing == Standing::Decides {
            self.expire(now, out);
            self.follow_drill(now, out);
            if std::mem::take(&mut self.stirred) {
                self.decide(now, out);
                self.stirred = self.is_restless();
            }
        }
        self.next_wake(now, patience)
    }

    pub(super) fn discard_evidence(&mut self, now: Moment) {
        self.beats.values_mut().for_each(Beats::discard_evidence);
        for watched in self.targets.values_mut().flat_map(BTreeMap::values_mut) {
            watched.liveness.discard_evidence(now);
            watched.due = now;
        }
        self.fallback.discard_evidence(now);
        // Somebody may have written it in the meantime.
        self.read_due = now;
        self.witnesses.discard_evidence();
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

    /// A node has beaten. Returns whether anything follows from it before the site is due in any case.
    pub(super) fn record_beat(&mut self, now: Moment, beat: &BeatSeen) -> Change {
        if !self.setup.nodes.contains(&beat.node) {
            return Change::None;
        }
        let led_to = self.lanes.values().any(|lane| lane.has(&beat.node));
        let place = if led_to { Place::Member } else { Place::Outside };
        let generation = beat.generations.get(&self.setup.site).map(String::as_str);
        self.contents.record(&beat.node, beat.boot, generation, place);
        if !self.beats.contains_key(&beat.node) {
            self.beats.insert(beat.node.clone(), Beats::default());
        }
        let Some(beats) = self.beats.get_mut(&beat.node) else { return Change::None };
        let one_of_many = beats.is_at_rest(now, &self.setup.policy) && beat.leaving.is_none();
        beats.record(now, beat.boot, &self.setup.policy);
        if beat.leaving.is_some() {
            beats.record_leaving(now, &self.setup.policy);
            self.fallback.alert(now, self.setup.policy.fallback_suspect_every);
        }
        for address in &beat.addresses {
            self.claim(now, &beat.node, *address);
        }
        if one_of_many && !self.is_tense() { Change::None } else { Change::Some }
    }

    /// A node says where it is. A new place is probed at once.
    fn claim(&mut self, now: Moment, node: &NodeName, address: IpAddr) {
        let family = Family::of(address);
        let known = self.targets.get_mut(node).and_then(|families| families.get_mut(&family));
        match known {
            Some(watched) if watched.liveness.address() == address => return,
            Some(watched) => {
                watched.liveness.moved(address, now);
                watched.due = now;
            }
            None => self.watch(now, node, address),
        }
        self.stir();
    }

    fn watch(&mut self, now: Moment, node: &NodeName, address: IpAddr) {
        let family = Family::of(address);
        let watched = Watched {
            liveness: Liveness::new(address, now),
            due: now,
            rounds: Rounds::of(self.seed, [self.setup.site.as_str(), node.as_str(), &family.to_string()]),
            health: Health::Unknown,
            since: now,
            told: false,
        };
        self.targets.entry(node.clone()).or_default().insert(family, watched);
        if family == Family::Ipv6 && self.setup.shape == Shape::Address {
            self.open_lane(RecordType::Aaaa, now);
        }
    }

    /// A probe has come back. Returns whether anything follows from it before the site is due in any case.
    pub(super) fn record_probe(
        &mut self,
        now: Moment,
        target: &Target,
        address: IpAddr,
        started: Moment,
        outcome: &Outcome,
    ) -> Change {
        let watched = self.targets.get_mut(&target.node).and_then(|t| t.get_mut(&target.family));
        let Some(watched) = watched else { return Change::None };
        let proven = watched.liveness.proven();
        watched.liveness.record(now, started, address, outcome, &self.setup.policy);
        self.stirred |= watched.liveness.proven() != proven;
        if watched.liveness.failures() > 0 {
            watched.due = watched.due.min(watched.next_look(started, now, &self.setup.policy));
            self.fallback.alert(now, self.setup.policy.fallback_suspect_every);
            return Change::Some;
        }
        let silent = Beats::default();
        let beats = self.beats.get(&target.node).unwrap_or(&silent);
        let same = watched.liveness.health(now, beats, &self.setup.policy) == watched.health;
        if same && !self.is_tense() { Change::None } else { Change::Some }
    }

    /// Whether anything that is heard may lead to a decision: something is to be decided, or a verdict may fall or be
    /// taken back.
    fn is_tense(&self) -> bool {
        let policy = &self.setup.policy;
        let mut watched = self.targets.values().flat_map(BTreeMap::values);
        self.stirred
            || self.drill.is_some()
            || watched.any(|w| w.liveness.is_down() || w.liveness.is_at_stake(policy))
    }

    /// A witness has said what it saw. What it says of a place where nobody is said to be is worth nothing.
    pub(super) fn record_testimony(&mut self, now: Moment, testimony: &Testimony) {
        let (targets, setup) = (&self.targets, &self.setup);
        let is_known = |address: IpAddr| {
            let mut watched = targets.values().flat_map(BTreeMap::values);
            watched.any(|w| w.liveness.address() == address) || setup.fallback_addresses.contains(&address)
        };
        let fits = match &testimony.about {
            About::Node { node, address } => {
                let families = targets.get(node).into_iter().flat_map(BTreeMap::values);
                families.into_iter().any(|w| w.liveness.address() == *address)
            }
            About::Fallback { address } => setup.fallback_addresses.contains(address),
        };
        if fits {
            self.witnesses.record(now, testimony);
            self.witnesses.keep(is_known);
        }
    }

    /// A look at the fallback has come back. Returns whether anything follows from it before the site is due in any case.
    pub(super) fn record_fallback(
        &mut self,
        now: Moment,
        address: IpAddr,
        failure: Option<Failure>,
    ) -> Change {
        if !self.setup.fallback_addresses.contains(&address) {
            return Change::None;
        }
        let failed = failure.is_some();
        if failed {
            // It may be needed any moment: find out soon that it is back, without hammering what is broken for good.
            self.fallback.hasten(now + self.setup.policy.fallback_suspect_every * 6);
        }
        self.stirred |= self.fallback.record(now, address, failure) == Change::Some;
        if failed || self.is_tense() { Change::Some } else { Change::None }
    }

    /// A fallback that is not good is told while the nodes are up and there is time to see to it.
    pub(super) fn tell_of_fallback(&mut self, now: Moment, out: &mut Vec<Effect>) {
        match self.fallback.news(self.lanes.keys(), &self.setup, now) {
            Some(News::Bad(why)) => {
                let text = format!("the fallback is not good, and nothing is switched to it: {why}");
                self.note(out, Weight::Warning, text);
            }
            Some(News::Good) => self.note(out, Weight::Info, "the fallback is good again".to_owned()),
            None => {}
        }
    }

    /// A look at the fallback was shown a certificate. One that is about to end is told while there is time to renew it.
    pub(super) fn record_certificate(
        &mut self,
        now: Moment,
        address: IpAddr,
        left: Option<Duration>,
        out: &mut Vec<Effect>,
    ) {
        let Some(left) = left.filter(|_| self.setup.fallback_addresses.contains(&address)) else { return };
        if self.fallback.record_certificate(now, address, left) == Change::Some {
            let text = format!(
                "the fallback's certificate at {address} ends in {}: within its last two days nothing is switched to \
                 it. It is renewed while the name leads there: hold a drill, or keep a GeoDNS line there",
                in_days(left)
            );
            self.note(out, Weight::Warning, text);
        }
    }

    pub(super) fn note(&self, out: &mut Vec<Effect>, weight: Weight, text: String) {
        out.push(Effect::Note(Note { site: Some(self.setup.site.clone()), weight, text }));
    }

    /// Starts what is due: probes, looks at the fallback, a reading of the record.
    fn look(&mut self, now: Moment, out: &mut Vec<Effect>) {
        let policy = &self.setup.policy;
        let mut suspect = false;
        for (node, families) in &mut self.targets {
            for (family, watched) in families {
                suspect |= watched.health == Health::Suspect;
                if now < watched.due {
                    continue;
                }
                watched.due = watched.next_look(now, now, policy);
                let target = Target { site: self.setup.site.clone(), node: node.clone(), family: *family };
                out.push(Effect::Probe { target, address: watched.liveness.address() });
            }
        }
        if now >= self.fallback.due() {
            let away = self.lanes.values().any(|lane| lane.side() == Side::Fallback);
            let every = if suspect || away { policy.fallback_suspect_every } else { policy.fallback_every };
            let next = self.rounds.next(now, every);
            self.look_at_fallback(now, next, out);
        }
        if now >= self.read_due {
            let policy = &self.setup.policy;
            let every = if self.read.is_some() { policy.read_every } else { policy.probe_every };
            self.read_due = self.rounds.next(now, every);
            out.push(Effect::Read { site: self.setup.site.clone() });
        }
    }

    fn look_at_fallback(&mut self, now: Moment, next: Moment, out: &mut Vec<Effect>) {
        self.fallback.looking(now, next);
        let site = &self.setup.site;
        let look = |a: &IpAddr| Effect::LookAtFallback { site: site.clone(), address: *a };
        out.extend(self.setup.fallback_addresses.iter().map(look));
    }

    /// Whether every node is either well and published or given up and not, and the record stands as wanted: as long as
    /// all that is looked at stays as it is, nothing but looks will follow.
    pub(super) fn is_at_rest(&self, now: Moment) -> bool {
        self.pending.is_none()
            && self.limbo.is_empty()
            && self.read.is_some()
            && self.read_trouble.is_none()
            && self.pin.is_none()
            && self.frozen_until.is_none()
            && self.freeze.is_none()
            && self.drains.is_empty()
            && self.drill.is_none()
            && self.doubt.is_none()
            && self.setup.nodes.iter().all(|node| self.targets.contains_key(node))
            && self.lanes.values().all(|lane| lane.in_force() == lane.wanted())
            && self.targets.keys().all(|node| self.is_settled(node, now))
            && !self.fallback.has_failure()
    }

    fn is_settled(&self, node: &NodeName, now: Moment) -> bool {
        let policy = &self.setup.policy;
        let Some((beats, families)) = self.beats.get(node).zip(self.targets.get(node)) else { return false };
        let all = |is_so: &dyn Fn(&Liveness) -> bool| families.values().all(|w| is_so(&w.liveness));
        let mut published = self.lanes.values().map(|lane| lane.has(node));
        if all(&|liveness| liveness.is_given_up(now, beats, policy)) {
            !published.any(|has| has)
        } else {
            beats.is_at_rest(now, policy)
                && all(&|liveness| liveness.is_at_rest(now, policy))
                && published.all(|has| has)
        }
    }

    /// The next moment at which time alone can matter.
    fn next_wake(&self, now: Moment, patience: u32) -> Moment {
        let policy = &self.setup.policy;
        let mut next = self.fallback.due().min(self.read_due);
        let mut at =
            |deadline: Option<Moment>| next = deadline.filter(|at| *at > now).map_or(next, |at| at.min(next));
        at(self.frozen_until);
        at(self.pin.as_ref().map(|p| p.until));
        at(self.doubt.as_ref().map(|d| d.until));
        self.freeze.iter().chain(self.drains.values()).for_each(|word| at(Some(word.until)));
        at(Some(self.begun + policy.warm_up + policy.hard));
        self.beats.values().for_each(|beats| at(beats.next_deadline(now, policy)));
        for (node, families) in &self.targets {
            for (family, watched) in families {
                at(Some(watched.due));
                if watched.liveness.is_at_stake(policy) {
                    let grounds = self.grounds_of(node, *family, patience, now);
                    at(watched.liveness.next_deadline(now, &grounds, policy));
                }
            }
        }
        next
    }
}
