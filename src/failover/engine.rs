//! The decision engine: one point in time and one event in, effects out.
//!
//! A plain value. It can be written down, read back and stepped on, and two that were given the same events are
//! equal. Never does anything itself.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::dns::{Name, Owner};
use crate::failover::event::{BeatSeen, Command, Effect, Event, Note, Setup, Target, Weight};
use crate::failover::isolation::{AllFail, Isolation, Turn};
use crate::failover::lane::{Lane, Readiness, Side, Situation, words};
use crate::failover::rounds::Rounds;
use crate::failover::site::{Pin, Site, Word};
use crate::failover::sites::Sites;
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

impl NodeFacts {
    /// Whether time alone tells nobody anything of it: it beats, or its silence is known.
    fn is_at_rest(&self, now: Moment, policy: &Policy) -> bool {
        let beats = self.last_beat.is_some_and(|last| now - last < policy.beat_stale);
        beats || self.silence_told || self.leaving.is_some()
    }

    /// What a beat has said, kept without copying what it has said before.
    fn record(&mut self, now: Moment, beat: &BeatSeen, out: &mut Vec<Effect>) {
        let skewed = Duration::from_millis(beat.skew_ms.unsigned_abs()) > SKEW;
        if skewed && !self.skew_told {
            // Only told: beats are judged fresh on the watcher's own clock, and a Pi without a clock chip is no liar.
            let text = format!("the clock of {} is {} s off", beat.node, beat.skew_ms / 1000);
            note(out, Weight::Warning, text);
        }
        if self.silence_told {
            note(out, Weight::Info, format!("{} beats again", beat.node));
        }
        (self.last_beat, self.silence_told, self.skew_told) = (Some(now), false, skewed);
        keep(&mut self.version, &beat.version);
        keep(&mut self.generations, &beat.generations);
        keep(&mut self.sources, &beat.sources);
        keep(&mut self.mounts, &beat.mounts);
        keep(&mut self.leaving, &beat.leaving);
    }
}

fn keep<T: Clone + PartialEq>(kept: &mut T, said: &T) {
    if kept != said {
        kept.clone_from(said);
    }
}

/// The engine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Engine {
    references: u32,
    pub(super) sites: Sites,
    pub(super) nodes: BTreeMap<NodeName, NodeFacts>,
    pub(super) isolation: Isolation,
    window: Window,
    /// Nothing is decided before this.
    pub(super) warm_until: Option<Moment>,
    /// The numbers that belong to the watcher as a whole: the first site's.
    #[serde(default)]
    policy: Policy,
    /// Until then no node can have been silent for so long that it is told.
    #[serde(default)]
    silence_due: Moment,
}

/// What the watcher may do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is cut off: it only looks.
    CutOff,
    /// It judges, and decides nothing yet.
    WarmingUp,
    /// It decides.
    Decides,
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
        let patience = self.isolation.patience();
        self.take(now, event, &mut out);
        if self.isolation.patience() != patience {
            self.sites.touch_all(|_| {});
        }
        self.advance(now, &mut out);
        out
    }

    fn take(&mut self, now: Moment, event: &Event, out: &mut Vec<Effect>) {
        match event {
            Event::Started { setup, seed } => self.start(now, setup, *seed),
            Event::Tick => {}
            Event::Beat(beat) => self.beat(now, beat, out),
            Event::Witnessed(testimony) => {
                if let Some(site) = self.sites.touch(&testimony.site) {
                    site.record_testimony(now, testimony);
                }
            }
            Event::Probed { target, address, started, outcome } => {
                self.sites
                    .tell(&target.site, |site| site.record_probe(now, target, *address, *started, outcome));
            }
            Event::FallbackSeen { site, address, failure, certificate_left } => {
                let cut_off = self.is_cut_off();
                self.sites.tell(site, |site| {
                    let change = site.record_fallback(now, *address, failure.clone());
                    site.record_certificate(now, *address, *certificate_left, out);
                    if !cut_off {
                        site.tell_of_fallback(now, out);
                    }
                    change
                });
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
                if let Some(site) = self.sites.touch(site) {
                    site.record_read(now, *started, result, *epoch, out);
                }
            }
            Event::Written { site, epoch, result } => {
                if let Some(site) = self.sites.touch(site) {
                    site.record_written(now, *epoch, result, out);
                }
            }
            Event::Confirmed { site, epoch, agree, asked } => {
                if let Some(site) = self.sites.touch(site).filter(|s| s.epoch == *epoch) {
                    site.record_confirmed(now, *agree, *asked, out);
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
        if !self.nodes.contains_key(&beat.node) {
            self.nodes.insert(beat.node.clone(), NodeFacts::default());
        }
        if let Some(facts) = self.nodes.get_mut(&beat.node) {
            facts.record(now, beat, out);
        }
        self.sites.tell_those_of(&beat.node, |site| site.record_beat(now, beat));
    }

    /// A node that does not beat any more while visitors get through moves nothing, but somebody should know.
    fn tell_silence(&mut self, now: Moment, out: &mut Vec<Effect>) {
        if now < self.silence_due {
            return;
        }
        let patience = self.policy.silence_told;
        self.silence_due = now + patience;
        for (node, facts) in &mut self.nodes {
            let Some(last) = facts.last_beat.filter(|_| !facts.silence_told) else { continue };
            if now - last < patience {
                self.silence_due = self.silence_due.min(last + patience);
            } else if facts.leaving.is_none() {
                facts.silence_told = true;
                note(out, Weight::Warning, format!("{node} has not beaten for {}", words(patience)));
            }
        }
    }

    /// Starts, or goes on after a restart: what was decided stands, what was seen does not.
    fn start(&mut self, now: Moment, setup: &Setup, seed: u64) {
        self.references = setup.references;
        self.policy = setup.sites.first().map(|site| site.policy.clone()).unwrap_or_default();
        self.isolation = Isolation::default();
        self.sites.restart(&setup.sites, now, seed);
        self.silence_due = now;
        self.warm_until = Some(now + self.policy.warm_up);
    }

    fn turn(&mut self, now: Moment, turn: Turn, why: &str, out: &mut Vec<Effect>) {
        match turn {
            Turn::None => {}
            Turn::Cut => {
                note(out, Weight::Alarm, format!("the watcher itself is cut off: {why}; nothing is decided"));
                self.sites.touch_all(|site| site.abandon(now, out));
            }
            Turn::Back => {
                note(out, Weight::Warning, format!("{why}: all evidence is discarded"));
                self.sites.touch_all(|site| {
                    site.abandon(now, out);
                    site.discard_evidence(now);
                });
                self.warm_until = Some(now + self.policy.warm_up);
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
        let drill = match command {
            Command::Drill { span } => self.may_drill(name, *span, now),
            Command::Pin { .. } | Command::Freeze { .. } | Command::Drain { .. } | Command::Auto => Ok(()),
        };
        let Some(site) = self.sites.touch(name) else { return };
        site.stir();
        match command {
            Command::Drill { span } => match drill {
                Ok(()) => site.begin_drill(now, *span, owner, reason, out),
                Err(refusal) => {
                    site.note(out, Weight::Warning, format!("the drill by {owner} is refused: {refusal}"));
                }
            },
            Command::Freeze { span } => {
                site.abandon(now, out);
                let why = format!("{owner} freezes the record for {}: {reason}", words(*span));
                site.note(out, Weight::Warning, why);
                site.freeze = Some(word(now + *span, owner, reason));
            }
            Command::Drain { node, span } => {
                let why = format!("{owner} keeps visitors away from {node} for {}: {reason}", words(*span));
                site.note(out, Weight::Warning, why);
                site.fallback.alert(now, site.setup.policy.fallback_suspect_every);
                site.drains.insert(node.clone(), word(now + *span, owner, reason));
            }
            Command::Auto => {
                (site.pin, site.freeze) = (None, None);
                site.drains.clear();
                site.note(out, Weight::Info, format!("{owner} lets the watcher decide again: {reason}"));
            }
            Command::Pin { side, span } => {
                if let Err(refusal) = allowed(site, *side, now) {
                    site.note(out, Weight::Warning, format!("the override by {owner} is refused: {refusal}"));
                    return;
                }
                let why = format!("override by {owner} for {}: {reason}", words(*span));
                pin(site, *side, now, &why, |_| true);
                site.note(out, Weight::Warning, why);
                site.drop_drill(now);
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
        if self.references > 0 && now >= self.isolation.due() {
            self.isolation.looking(now, self.policy.reference_every);
            out.push(Effect::LookAtReferences);
        }
        if self.references == 0 {
            let turn = self.isolation.record_all_fail(now, self.all_fail());
            self.turn(
                now,
                turn,
                "every node and the fallback fail together, and no references are configured",
                out,
            );
        }
        let standing = self.stand(now, out);
        let patience = self.isolation.patience();
        self.sites.step_due(now, |site| site.advance(now, standing, patience, out));
    }

    fn stand(&mut self, now: Moment, out: &mut Vec<Effect>) -> Standing {
        if self.is_cut_off() {
            return Standing::CutOff;
        }
        self.tell_silence(now, out);
        if self.warm_until.take_if(|until| now >= *until).is_some() {
            note(out, Weight::Info, "warmed up: decisions are made from now on".to_owned());
            self.sites.touch_all(Site::stir);
        }
        if self.is_warming_up() { Standing::WarmingUp } else { Standing::Decides }
    }

    fn all_fail(&self) -> AllFail {
        let mut targets =
            self.sites.iter().flat_map(|s| s.targets.values()).flat_map(BTreeMap::values).peekable();
        let some = targets.peek().is_some();
        let failing = targets.all(|w| w.liveness.failures() > 0);
        let fallback = || self.sites.iter().all(|s| s.fallback.all_fail());
        if some && failing && fallback() { AllFail::Yes } else { AllFail::No }
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

    /// Whether the record of `site` is left alone: somebody else has changed it, or a person wants that.
    #[must_use]
    pub fn is_frozen(&self, site: &Name) -> bool {
        self.sites.get(site).is_some_and(|site| site.frozen_until.is_some() || site.freeze.is_some())
    }

    /// Whether nothing is under way and nothing is remembered that time would change: as long as all that is looked at
    /// stays as it is, nothing but looks will follow. A simulator may leave out such a time.
    #[must_use]
    pub fn is_at_rest(&self, now: Moment) -> bool {
        !self.is_cut_off()
            && !self.is_warming_up()
            && self.isolation.patience() == 1
            && self.nodes.values().all(|facts| facts.is_at_rest(now, &self.policy))
            && self.sites.iter().all(|site| site.is_at_rest(now))
    }

    /// Whether it would learn nothing from hearing that `answered` of `asked` references answer: it has heard the same
    /// before, and is sure of itself. A simulator may leave out to tell it.
    #[must_use]
    pub fn expects(&self, answered: u32, asked: u32) -> bool {
        self.isolation.answered() == (answered, asked) && self.isolation.patience() == 1 && !self.is_cut_off()
    }

    /// The next moment at which time alone can matter. None: only an event can.
    #[must_use]
    pub fn next_wake(&self) -> Option<Moment> {
        let sooner = |one: Option<Moment>, other: Moment| Some(one.map_or(other, |at| at.min(other)));
        let mut next = self.sites.next_due();
        if self.references > 0 {
            next = sooner(next, self.isolation.due());
        }
        // Cut off it warms up for nothing and tells of no silence, however long both have been due.
        if !self.is_cut_off() {
            if !self.nodes.is_empty() {
                next = sooner(next, self.silence_due);
            }
            if let Some(warm) = self.warm_until {
                next = sooner(next, warm);
            }
        }
        next
    }

    /// When the target at `target` is looked at. None: it is not known.
    #[must_use]
    pub fn rounds(&self, target: &Target) -> Option<Rounds> {
        let families = self.sites.get(&target.site)?.targets.get(&target.node)?;
        Some(families.get(&target.family)?.rounds)
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

/// Sends the visitors of those RRsets there.
pub(super) fn pin(site: &mut Site, side: Side, now: Moment, why: &str, which: impl Fn(&Lane) -> bool) {
    let setup = site.setup.clone();
    let mut lanes = std::mem::take(&mut site.lanes);
    for lane in lanes.values_mut().filter(|lane| which(lane)) {
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

fn word(until: Moment, owner: &Owner, reason: &str) -> Word {
    Word { until, owner: owner.clone(), reason: reason.to_owned() }
}

fn note(out: &mut Vec<Effect>, weight: Weight, text: String) {
    out.push(Effect::Note(Note { site: None, weight, text }));
}

#[cfg(test)]
mod tests;
