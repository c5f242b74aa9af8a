//! The decision engine: one point in time and one event in, effects out.
//!
//! A plain value. It can be written down, read back and stepped on, and two that were given the same events are
//! equal. Never does anything itself.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::dns::{Name, Owner};
use crate::failover::event::{BeatSeen, Command, Effect, Event, Note, Setup, Weight};
use crate::failover::isolation::{AllFail, Isolation, Turn};
use crate::failover::lane::{Readiness, Side, Situation, words};
use crate::failover::site::{Pin, Site};
use crate::heartbeat::window::{Replayed, Window};
use crate::heartbeat::{BootId, MountReport, NodeName, SourceState};
use crate::moment::Moment;
use crate::policy::Policy;

/// A node's clock that is further off than this is told of. Nothing else: it is not judged by it.
const SKEW: Duration = Duration::from_secs(90);

/// What is known of a node beside its liveness.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeFacts {
    /// When it beat last.
    pub last_beat: Option<Moment>,
    /// The version that it runs.
    pub version: String,
    /// The digest of what it serves, by the names of sites.
    #[serde(default)]
    pub generations: BTreeMap<Name, String>,
    /// How what it reads from stands, by the names of sites.
    #[serde(default)]
    pub sources: BTreeMap<Name, SourceState>,
    /// The mounts that it looks after and that are not in order.
    #[serde(default)]
    pub mounts: Vec<MountReport>,
    /// Why it is leaving.
    pub leaving: Option<String>,
    /// Whether its silence has been told.
    silence_told: bool,
    /// Whether its clock has been told to be wrong.
    skew_told: bool,
}

/// The engine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Engine {
    references: u32,
    pub(super) sites: BTreeMap<Name, Site>,
    pub(super) nodes: BTreeMap<NodeName, NodeFacts>,
    pub(super) isolation: Isolation,
    window: Window,
    /// Nothing is decided before this.
    pub(super) warm_until: Option<Moment>,
    /// The state of the jitter's generator.
    jitter: u64,
}

impl Engine {
    /// Whether a beat would be accepted: its sequence is new in its run, and its run is not over.
    ///
    /// # Errors
    /// When it was seen before.
    pub fn fresh(&self, node: &NodeName, boot: BootId, sequence: u64) -> Result<(), Replayed> {
        self.window.check(node, boot, sequence)
    }

    /// Takes one step.
    pub fn step(&mut self, now: Moment, event: &Event) -> Vec<Effect> {
        let mut out = Vec::new();
        self.take(now, event, &mut out);
        self.advance(now, &mut out);
        out
    }

    fn take(&mut self, now: Moment, event: &Event, out: &mut Vec<Effect>) {
        match event {
            Event::Started { setup, seed } => self.start(now, setup, *seed),
            Event::Tick => {}
            Event::Beat(beat) => self.beat(now, beat, out),
            Event::Witnessed(testimony) => {
                if let Some(site) = self.sites.get_mut(&testimony.site) {
                    site.record_testimony(now, testimony);
                }
            }
            Event::Probed { target, address, started, outcome } => {
                if let Some(site) = self.sites.get_mut(&target.site) {
                    site.record_probe(now, target, *address, *started, outcome);
                }
            }
            Event::FallbackSeen { site, address, failure } => {
                if let Some(site) = self.sites.get_mut(site) {
                    site.record_fallback(now, *address, failure.clone());
                }
            }
            Event::References { answered, asked } => {
                let turn = self.isolation.record_references(now, *answered, *asked);
                self.turn(now, turn, "too few of the references answer", out);
            }
            Event::Stalled(span) => {
                let turn = self.isolation.record_stall();
                let why = format!("the watcher did not run for {}", words(*span));
                self.turn(now, turn, &why, out);
            }
            Event::Read { site, started, result, epoch } => {
                if let Some(site) = self.sites.get_mut(site) {
                    site.record_read(now, *started, result, *epoch, out);
                }
            }
            Event::Written { site, epoch, result } => {
                if let Some(site) = self.sites.get_mut(site) {
                    site.record_written(now, *epoch, result, out);
                }
            }
            Event::Confirmed { site, epoch, agree, asked } => {
                if let Some(site) = self.sites.get_mut(site).filter(|s| s.epoch == *epoch) {
                    site.confirmed = Some((*agree, *asked));
                }
            }
            Event::Command { site, command, owner, reason } => {
                self.command(now, site, command, owner, reason, out);
            }
        }
    }

    fn beat(&mut self, now: Moment, beat: &BeatSeen, out: &mut Vec<Effect>) {
        if self.window.accept(&beat.node, beat.boot, beat.sequence).is_err() {
            return;
        }
        let before = self.nodes.get(&beat.node);
        let skewed = Duration::from_millis(beat.skew_ms.unsigned_abs()) > SKEW;
        if skewed && !before.is_some_and(|b| b.skew_told) {
            // Only told: beats are judged fresh on the watcher's own clock, and a Pi without a clock chip is no liar.
            note(
                out,
                Weight::Warning,
                format!("the clock of {} is {} s off", beat.node, beat.skew_ms / 1000),
            );
        }
        if before.is_some_and(|b| b.silence_told) {
            note(out, Weight::Info, format!("{} beats again", beat.node));
        }
        let facts = NodeFacts {
            last_beat: Some(now),
            version: beat.version.clone(),
            generations: beat.generations.clone(),
            sources: beat.sources.clone(),
            mounts: beat.mounts.clone(),
            leaving: beat.leaving.clone(),
            silence_told: false,
            skew_told: skewed,
        };
        self.nodes.insert(beat.node.clone(), facts);
        self.sites.values_mut().for_each(|site| site.record_beat(now, beat));
    }

    /// A node that does not beat any more while visitors get through moves nothing, but somebody should know.
    fn tell_silence(&mut self, now: Moment, out: &mut Vec<Effect>) {
        let patience = self.general_policy().silence_told;
        for (node, facts) in &mut self.nodes {
            let silent = facts.last_beat.is_some_and(|at| now - at >= patience);
            if silent && !facts.silence_told && facts.leaving.is_none() {
                facts.silence_told = true;
                note(out, Weight::Warning, format!("{node} has not beaten for {}", words(patience)));
            }
        }
    }

    /// Starts, or goes on after a restart: what was decided stands, what was seen does not.
    fn start(&mut self, now: Moment, setup: &Setup, seed: u64) {
        self.references = setup.references;
        self.jitter = seed;
        self.isolation = Isolation::default();
        self.sites.retain(|name, _| setup.sites.iter().any(|s| s.site == *name));
        for site in &setup.sites {
            match self.sites.get_mut(&site.site) {
                Some(known) => known.restart(site.clone(), now),
                None => {
                    self.sites.insert(site.site.clone(), Site::new(site.clone(), now));
                }
            }
        }
        self.warm_until = Some(now + self.general_policy().warm_up);
    }

    /// The numbers that belong to the watcher as a whole are the first site's.
    fn general_policy(&self) -> Policy {
        self.sites.values().next().map(|s| s.setup.policy.clone()).unwrap_or_default()
    }

    fn turn(&mut self, now: Moment, turn: Turn, why: &str, out: &mut Vec<Effect>) {
        match turn {
            Turn::None => {}
            Turn::Cut => {
                note(out, Weight::Alarm, format!("the watcher itself is cut off: {why}; nothing is decided"));
                self.sites.values_mut().for_each(|site| site.abandon(out));
            }
            Turn::Back => {
                note(out, Weight::Warning, format!("{why}: all evidence is discarded"));
                for site in self.sites.values_mut() {
                    site.abandon(out);
                    site.discard_evidence(now);
                }
                self.warm_until = Some(now + self.general_policy().warm_up);
            }
        }
    }

    fn command(
        &mut self,
        now: Moment,
        name: &Name,
        command: &Command,
        owner: &Owner,
        reason: &str,
        out: &mut Vec<Effect>,
    ) {
        let Some(site) = self.sites.get_mut(name) else { return };
        match command {
            Command::Auto => {
                site.pin = None;
                site.note(out, Weight::Info, format!("{owner} lets the watcher decide again: {reason}"));
            }
            Command::Pin { side, span } => {
                if let Err(refusal) = allowed(site, *side, now) {
                    site.note(out, Weight::Warning, format!("the override by {owner} is refused: {refusal}"));
                    return;
                }
                let why = format!("override by {owner} for {}: {reason}", words(*span));
                pin(site, *side, now, &why);
                site.note(out, Weight::Warning, why);
                site.pin = Some(Pin {
                    side: *side,
                    until: now + *span,
                    owner: owner.clone(),
                    reason: reason.to_owned(),
                });
            }
        }
    }

    /// Whether a person may send the visitors of `site` there now.
    ///
    /// # Errors
    /// When nothing there is known to be good, or the site is not watched.
    pub fn may_pin(&self, site: &Name, side: Side, now: Moment) -> Result<(), String> {
        let site = self.sites.get(site).ok_or_else(|| format!("{site} is not a site of this watcher"))?;
        allowed(site, side, now)
    }

    /// What time brings, whatever the event was.
    fn advance(&mut self, now: Moment, out: &mut Vec<Effect>) {
        self.look(now, out);
        if self.references == 0 {
            let turn = self.isolation.record_all_fail(now, self.all_fail());
            self.turn(
                now,
                turn,
                "every node and the fallback fail together, and no references are configured",
                out,
            );
        }
        if self.isolation.since().is_some() {
            return;
        }
        self.tell_silence(now, out);
        let patience = self.isolation.patience();
        self.sites.values_mut().for_each(|site| site.judge(now, patience, out));
        if self.warm_until.take_if(|until| now >= *until).is_some() {
            note(out, Weight::Info, "warmed up: decisions are made from now on".to_owned());
        }
        if self.warm_until.is_none() {
            self.sites.values_mut().for_each(|site| site.decide(now, out));
        }
    }

    fn look(&mut self, now: Moment, out: &mut Vec<Effect>) {
        if self.references > 0 && now >= self.isolation.due(&self.general_policy()) {
            self.isolation.looking(now);
            out.push(Effect::LookAtReferences);
        }
        let mut state = self.jitter;
        for site in self.sites.values_mut() {
            site.look(now, |span| jittered(span, &mut state), out);
        }
        self.jitter = state;
    }

    fn all_fail(&self) -> AllFail {
        let mut targets =
            self.sites.values().flat_map(|s| s.targets.values()).flat_map(BTreeMap::values).peekable();
        let some = targets.peek().is_some();
        let failing = targets.all(|w| w.liveness.failures() > 0);
        let fallback = self.sites.values().all(|s| s.fallback.all_fail());
        if some && failing && fallback { AllFail::Yes } else { AllFail::No }
    }

    /// Whether the watcher holds itself for cut off: then nothing is decided.
    #[must_use]
    pub fn is_cut_off(&self) -> bool {
        self.isolation.since().is_some()
    }

    /// Whether nothing is decided yet, after a start or after an isolation.
    #[must_use]
    pub fn is_warming_up(&self) -> bool {
        self.warm_until.is_some()
    }

    /// Whether the record of `site` is left alone because somebody else has changed it.
    #[must_use]
    pub fn is_frozen(&self, site: &Name) -> bool {
        self.sites.get(site).is_some_and(|site| site.frozen_until.is_some())
    }

    /// Whether nothing is under way and nothing is remembered that time would change: as long as all that is looked at
    /// stays as it is, nothing but looks will follow. A simulator may leave out such a time.
    #[must_use]
    pub fn is_at_rest(&self, now: Moment) -> bool {
        !self.is_cut_off()
            && !self.is_warming_up()
            && self.isolation.patience() == 1
            && self.sites.values().all(|site| site.is_at_rest(now))
    }

    /// The next moment at which time alone can matter. None: only an event can.
    #[must_use]
    pub fn next_wake(&self, now: Moment) -> Option<Moment> {
        let patience = self.isolation.patience();
        let references = (self.references > 0).then(|| self.isolation.due(&self.general_policy()));
        let sites = self.sites.values().filter_map(|site| site.next_wake(now, patience));
        sites.chain(references).chain(self.warm_until).min()
    }
}

/// Whether there is something good on that side.
fn allowed(site: &Site, side: Side, now: Moment) -> Result<(), String> {
    if site.read.is_none() {
        return Err("the record has not been read yet".to_owned());
    }
    match side {
        Side::Undecided => Err("there is no such side".to_owned()),
        Side::Home => {
            let up = |f: &BTreeMap<_, crate::failover::site::Watched>| {
                f.values().any(|w| w.health.is_up() && w.liveness.proven().is_some())
            };
            if site.targets.values().any(up) { Ok(()) } else { Err("no node is up".to_owned()) }
        }
        Side::Fallback => {
            let lanes = site.lanes.values();
            let ready = lanes.map(|l| site.fallback.readiness(l.record_type(), &site.setup, now));
            let why = |r| if let Readiness::NotReady(why) = r { Some(why) } else { None };
            match ready.filter_map(why).next() {
                Some(why) => Err(format!("the fallback is not known to be good: {why}")),
                None => Ok(()),
            }
        }
    }
}

fn pin(site: &mut Site, side: Side, now: Moment, why: &str) {
    let setup = site.setup.clone();
    let mut lanes = std::mem::take(&mut site.lanes);
    for lane in lanes.values_mut() {
        let candidates = site.candidates(lane, now);
        let fallback = site.fallback.readiness(lane.record_type(), &setup, now);
        let situation = Situation {
            now,
            policy: &setup.policy,
            order: &setup.nodes,
            candidates: &candidates,
            fallback: &fallback,
            fallback_dead: false,
        };
        lane.pin(now, side, &situation, why.to_owned());
    }
    site.lanes = lanes;
}

fn note(out: &mut Vec<Effect>, weight: Weight, text: String) {
    out.push(Effect::Note(Note { site: None, weight, text }));
}

/// `span` made up to a tenth shorter or longer, so that watchers and sites do not march in step (splitmix64).
fn jittered(span: Duration, state: &mut u64) -> Duration {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let part = u32::try_from((z ^ (z >> 31)) % 2_001).unwrap_or(1_000);
    span * (9_000 + part) / 10_000
}

#[cfg(test)]
mod tests;
