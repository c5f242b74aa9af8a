//! The watcher as a process: it steps the engine, carries out what the engine says, can be paused, and dies.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hearth::dns::{Rdata, RdataSet};
use hearth::failover::Shape;
use hearth::failover::event::{Effect, Event, Note, Setup, SiteSetup};
use hearth::probe::outcome::Failure;

use super::{Coming, PAGES, Process, ROUND_TRIP, SYNC_EVERY, Telling, World, sets};

impl World {
    pub(super) fn setup(&self) -> Setup {
        let site = SiteSetup {
            site: self.site.clone(),
            shape: Shape::Address,
            nodes: self.nodes.iter().map(|n| n.name.clone()).collect(),
            hosts: BTreeMap::new(),
            fallback_name: None,
            fallback_addresses: vec![PAGES.into()],
            policy: self.layout.policy.clone(),
        };
        Setup { sites: vec![site], references: self.layout.references }
    }

    pub(super) fn start(&mut self) {
        self.process = Process::Runs;
        self.restarts += 1;
        self.checker.truth.sees_since = self.today();
        self.note();
        let setup = self.setup();
        self.step(Event::Started { setup, seed: self.restarts });
    }

    /// What reaches the watcher waits in its sockets while it is paused, and is lost while it is dead.
    pub(super) fn hand(&mut self, event: Event) {
        match self.process {
            Process::Runs => self.step(event),
            Process::Paused { .. } => self.inbox.push(event),
            Process::Dead => {}
        }
    }

    pub(super) fn resume(&mut self) {
        let Process::Paused { since } = self.process else { return };
        self.process = Process::Runs;
        self.checker.truth.sees_since = self.today();
        self.note();
        self.step(Event::Stalled(self.now - since));
        for event in std::mem::take(&mut self.inbox) {
            self.step(event);
        }
    }

    /// One step of the engine, and what follows from it. Also what a crash may cut short.
    pub(crate) fn step(&mut self, event: Event) {
        let event = match self.mutant {
            Some(mutant) => match mutant.event(event, self.told.as_ref()) {
                Some(event) => event,
                None => return,
            },
            None => event,
        };
        if self.layout.journal {
            self.journal.push((self.now, event.clone()));
        }
        self.steps += 1;
        self.hear(&event);
        let mut effects = self.engine.step(self.now, &event);
        if let Some(mutant) = self.mutant {
            effects = mutant.effects(effects, self.told.as_ref());
        }
        self.sync(&effects);
        for effect in effects {
            self.digest.add(self.now, &effect);
            self.checker.effect(self.now, &effect, &self.engine, self.told.as_ref(), &self.nodes);
            self.act(effect);
        }
    }

    /// The journal is on the disk before a write is tried, and never for long behind otherwise.
    fn sync(&mut self, effects: &[Effect]) {
        let writes = || effects.iter().any(|effect| matches!(effect, Effect::Write { .. }));
        if let Some((at, engine)) = &mut self.synced
            && (self.now - *at >= SYNC_EVERY || writes())
        {
            *at = self.now;
            engine.clone_from(&self.engine);
        }
    }

    /// Notes what the watcher knows of the record.
    pub(super) fn hear(&mut self, event: &Event) {
        // A reading while a write is under way says what stood before or after it.
        let sets = match event {
            Event::Read { result: Ok(sets), .. } if self.wish.is_none() => sets,
            Event::Written { result: Ok(sets), .. } => sets,
            _ => return,
        };
        self.told = Some(sets.iter().flat_map(RdataSet::iter).cloned().collect());
    }

    pub(super) fn act(&mut self, effect: Effect) {
        match effect {
            Effect::Probe { target, address } => self.probe(target, address),
            Effect::LookAtFallback { site, address } => {
                let failure = (self.cut > 0 || self.fallback_bad > 0).then_some(Failure::Timeout);
                let after = if failure.is_some() { Duration::from_secs(6) } else { ROUND_TRIP };
                self.send(
                    after,
                    Coming::Event(Event::FallbackSeen { site, address, failure, certificate_left: None }),
                );
            }
            Effect::LookAtReferences => {
                let asked = self.layout.references;
                let answered = if self.cut > 0 { 0 } else { asked.saturating_sub(self.references_away) };
                // Until it would be heard nothing happens that could make it news.
                let is_news = self.now + ROUND_TRIP >= self.until || !self.engine.expects(answered, asked);
                if self.layout.telling == Telling::Leaps && !is_news {
                    return;
                }
                let after = if answered < asked { Duration::from_secs(4) } else { ROUND_TRIP };
                self.send(after, Coming::Event(Event::References { answered, asked }));
            }
            Effect::Read { site } => {
                let result = if self.cut > 0 || self.trouble.away > 0 {
                    Err("the provider does not answer".to_owned())
                } else if self.trouble.stale > 0 {
                    Ok(sets(&self.before))
                } else {
                    Ok(sets(&self.record))
                };
                let event = Event::Read { site, started: self.now, result, epoch: None };
                self.send(Duration::from_secs(1), Coming::Event(event));
            }
            Effect::Write { epoch, sets, .. } => {
                self.wish = Some((epoch, sets));
                self.told = None;
                self.attempts = 0;
                self.send(Duration::from_secs(1), Coming::Attempt(epoch));
            }
            Effect::Abandon { .. } => self.wish = None,
            Effect::Note(Note { text, .. }) => {
                if self.layout.telling == Telling::Aloud {
                    println!("{} {text}", self.today());
                }
            }
        }
    }

    /// One try of the write that is wanted; the engine hears how it went.
    pub(super) fn attempt(&mut self, epoch: u64) {
        let Some((wanted, sets)) = self.wish.clone().filter(|(wanted, _)| *wanted == epoch) else { return };
        if self.process == Process::Dead {
            return;
        }
        if let Process::Paused { .. } = self.process {
            self.send(Duration::from_secs(1), Coming::Attempt(epoch));
            return;
        }
        let reached = self.cut == 0 && self.trouble.away == 0;
        if reached {
            self.land(wanted, &sets);
        }
        let result = if reached && self.trouble.mute == 0 {
            self.wish = None;
            Ok(self::sets(&self.record))
        } else {
            self.attempts += 1;
            let wait = Duration::from_secs(1 << self.attempts.min(6)).min(Duration::from_secs(60));
            self.send(wait, Coming::Attempt(epoch));
            Err("no answer".to_owned())
        };
        let event = Event::Written { site: self.site.clone(), epoch, result };
        self.send(ROUND_TRIP, Coming::Event(event));
    }

    pub(super) fn land(&mut self, epoch: u64, sets: &[RdataSet]) {
        let record: BTreeSet<Rdata> = sets.iter().flat_map(RdataSet::iter).cloned().collect();
        self.checker.landed(self.today(), epoch, &self.record, &record, &self.nodes);
        if record != self.record {
            self.landings.push((self.today(), record.contains(&Rdata::A(PAGES))));
            self.before = std::mem::replace(&mut self.record, record);
        }
    }

    /// The watcher stops dead, with whatever it had begun, and is started again after `away`. A torn one has lost what
    /// the disk had not confirmed.
    pub(crate) fn crash(&mut self, away: Duration, torn: bool) {
        if self.process != Process::Dead {
            if let Some((_, engine)) = self.synced.as_ref().filter(|_| torn && !self.layout.journal) {
                self.engine = engine.clone();
                self.checker.forgot();
            }
            self.process = Process::Dead;
            self.wish = None;
            self.inbox.clear();
            self.send(away, Coming::Rise);
        }
    }

    /// The watcher is not run for a while.
    pub(crate) fn pause(&mut self, span: Duration) {
        self.arrive(Coming::Pause(span));
    }
}
