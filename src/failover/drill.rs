//! A drill: visitors are sent to the fallback on purpose, for a short time, and home again. PURE.
//!
//! It is begun only when nothing could keep the site away afterwards: its way home costs one return, whatever the number of
//! nodes, and the budget must have room for that beforehand. Never moves visitors by itself: it pins, and the lanes decide.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::dns::{Name, Owner};
use crate::failover::engine::{Engine, pin};
use crate::failover::event::{Effect, Weight};
use crate::failover::fallback;
use crate::failover::lane::{Lane, Readiness, Side, words};
use crate::failover::site::{Pin, Site};
use crate::heartbeat::NodeName;
use crate::moment::Moment;

/// The longest drill.
pub const LONGEST: Duration = Duration::from_secs(30 * 60);

/// A drill that is under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drill {
    owner: Owner,
    stage: Stage,
    /// Since when it is in that stage.
    since: Moment,
    /// The nodes that visitors came from and that have not failed since: no hold-down keeps them away.
    home: BTreeSet<NodeName>,
}

/// How far a drill has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Stage {
    /// Visitors are being sent to the fallback.
    Going,
    /// They are there.
    Away,
    /// They are being sent home.
    Returning,
}

impl Drill {
    /// The nodes that are to come back now. None: visitors are still to stay where they are.
    pub(super) fn returning(&self) -> Option<&BTreeSet<NodeName>> {
        Some(&self.home).filter(|_| self.stage == Stage::Returning)
    }

    fn enter(&mut self, stage: Stage, now: Moment) -> Duration {
        let took = now - self.since;
        (self.stage, self.since) = (stage, now);
        took
    }
}

impl Engine {
    /// Whether a drill of `span` at `name` may begin now.
    ///
    /// # Errors
    /// When it is too long, when the site is not at home and free to move, when its fallback is not known to be good, or
    /// when the budget has no room for the way back.
    pub fn may_drill(&self, name: &Name, span: Duration, now: Moment) -> Result<(), String> {
        let site = self.sites.get(name).ok_or_else(|| format!("{name} is not a site of this watcher"))?;
        if self.is_cut_off() || self.is_warming_up() {
            return Err("the watcher does not decide now; ask again when it does".to_owned());
        }
        site.may_drill(span, now)
    }
}

impl Site {
    fn may_drill(&self, span: Duration, now: Moment) -> Result<(), String> {
        let refused = |why: &str| Err(why.to_owned());
        match () {
            () if span.is_zero() || span > LONGEST => {
                return Err(format!("a drill takes at most {}", words(LONGEST)));
            }
            () if self.freeze.is_some() || self.frozen_until.is_some() => {
                return refused("the record is frozen");
            }
            () if self.pin.is_some() || self.drill.is_some() => {
                return refused("an override stands; end it with `hearth failover auto`");
            }
            () if self.read.is_none() => return refused("the record has not been read yet"),
            () if self.pending.is_some() => return refused("a change of the record is on its way"),
            () if self.lanes.values().any(|lane| lane.side() == Side::Fallback) => {
                return refused("visitors are on the fallback already");
            }
            () if !self.lanes.values().any(is_home) => return refused("no node is published"),
            () => {}
        }
        self.lanes.values().filter(|lane| is_home(lane)).try_for_each(|lane| self.may_leave(lane, now))
    }

    /// Whether the visitors of this RRset may leave, and could come back.
    fn may_leave(&self, lane: &Lane, now: Moment) -> Result<(), String> {
        let policy = &self.setup.policy;
        let kind = lane.record_type();
        if let Readiness::NotReady(why) = self.fallback.readiness(kind, &self.setup, now) {
            return Err(format!("the fallback is not known to be good: {why}"));
        }
        if lane.returns_left(now, policy) == 0 {
            let next = lane.budget_eases(now, policy).map_or(Duration::ZERO, |at| at - now);
            let next = words(next);
            return Err(format!("the way back of {kind} needs a return, and the next is free in {next}"));
        }
        Ok(())
    }

    /// Begins a drill that may begin.
    pub(super) fn begin_drill(
        &mut self,
        now: Moment,
        span: Duration,
        owner: &Owner,
        reason: &str,
        out: &mut Vec<Effect>,
    ) {
        let why = format!("drill by {owner} for {}: {reason}", words(span));
        let home = self.setup.nodes.iter().filter(|node| self.lanes.values().any(|lane| lane.has(node)));
        let home = home.cloned().collect();
        self.drill = Some(Drill { owner: owner.clone(), stage: Stage::Going, since: now, home });
        pin(self, Side::Fallback, now, &why, is_home);
        // It must be found out soon when it fails with visitors there.
        self.fallback.alert(now, self.setup.policy.fallback_suspect_every);
        self.note(out, Weight::Warning, why);
        let (owner, reason) = (owner.clone(), format!("drill: {reason}"));
        self.pin = Some(Pin { side: Side::Fallback, until: now + span, owner, reason });
    }

    /// Follows a drill: what it shows is told, and it ends when it is over or when the fallback fails.
    pub(super) fn follow_drill(&mut self, now: Moment, out: &mut Vec<Effect>) {
        let Some(mut drill) = self.drill.take() else { return };
        drill.home.retain(|node| !self.fell(node));
        let over = self.pin.is_none();
        let text = match drill.stage {
            Stage::Going if self.is_away() => {
                let took = drill.enter(Stage::Away, now);
                format!("drill: the record leads to the fallback, {} after the drill began", words(took))
            }
            Stage::Going | Stage::Away if over => {
                drill.enter(Stage::Returning, now);
                self.stir();
                format!("the drill by {} is over: visitors are sent home", drill.owner)
            }
            Stage::Going | Stage::Away if self.has_dead_fallback(now) => {
                self.pin = None;
                drill.enter(Stage::Returning, now);
                self.stir();
                "the drill is cut short: the fallback fails; visitors are sent home".to_owned()
            }
            Stage::Returning if self.is_back() => {
                let took = words(now - drill.since);
                let text = format!("drill: the record leads home again, {took} after the drill was over");
                return self.note(out, Weight::Info, text);
            }
            Stage::Returning if drill.home.is_empty() => {
                let text = "the drill ends on the fallback: every node has failed since it began";
                return self.note(out, Weight::Alarm, text.to_owned());
            }
            Stage::Going | Stage::Away | Stage::Returning => return self.drill = Some(drill),
        };
        self.note(out, Weight::Warning, text);
        self.drill = Some(drill);
    }

    /// The name servers were asked after the last write: part of what a drill shows.
    pub(super) fn record_confirmed(&mut self, now: Moment, agree: u32, asked: u32, out: &mut Vec<Effect>) {
        self.confirmed = Some((agree, asked));
        let Some(drill) = self.drill.as_ref().filter(|drill| drill.stage == Stage::Away) else { return };
        let after = words(now - drill.since);
        let text =
            format!("drill: {agree} of {asked} name servers lead to the fallback, {after} after it landed");
        self.note(out, Weight::Info, text);
    }

    fn fell(&self, node: &NodeName) -> bool {
        let families = self.targets.get(node);
        families.is_none_or(|families| families.values().all(|watched| watched.health.is_down()))
    }

    fn is_away(&self) -> bool {
        let there = |lane: &Lane| {
            let possible = fallback::possible(lane.record_type(), &self.setup);
            lane.in_force().is_some_and(|set| set.as_set().is_subset(&possible))
        };
        let mut moved = self.lanes.values().filter(|lane| lane.side() == Side::Fallback).peekable();
        moved.peek().is_some() && moved.all(there)
    }

    fn is_back(&self) -> bool {
        let back = |lane: &Lane| lane.side() != Side::Fallback && lane.in_force() == lane.wanted();
        self.pending.is_none() && self.lanes.values().filter(|lane| lane.wanted().is_some()).all(back)
    }

    fn has_dead_fallback(&self, now: Moment) -> bool {
        let mut moved = self.lanes.values().filter(|lane| lane.side() == Side::Fallback);
        moved.any(|lane| self.fallback.dead(lane.record_type(), &self.setup, now))
    }
}

fn is_home(lane: &Lane) -> bool {
    lane.size() > 0
}
