//! A drill: visitors are sent to the fallback on purpose, for a short time, and home again. PURE.
//!
//! It is begun only when nothing could keep the site away afterwards: its way home costs one return, whatever the number of
//! nodes, and the budget must have room for that beforehand. Never moves visitors before the fallback has been looked at
//! anew, and never by itself: it pins, and the lanes decide.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::dns::{Name, Owner};
use crate::failover::engine::{Engine, pin};
use crate::failover::event::{Effect, Weight};
use crate::failover::fallback::{self, in_days};
use crate::failover::lane::{Lane, Readiness, Side, words};
use crate::failover::site::{Pin, Site};
use crate::heartbeat::NodeName;
use crate::moment::Moment;

/// The longest drill.
pub const LONGEST: Duration = Duration::from_secs(30 * 60);

/// A certificate that ends later than before by this much is another one.
const RENEWED: Duration = Duration::from_secs(24 * 60 * 60);

/// A drill that is under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drill {
    owner: Owner,
    reason: String,
    /// When the word came.
    begun: Moment,
    stage: Stage,
    /// Since when it is in that stage.
    since: Moment,
    /// The nodes that visitors came from and that have not failed since: no hold-down keeps them away.
    home: BTreeSet<NodeName>,
    /// When the first of the fallback's certificates ends, as shown before the drill.
    certificate_ends: Option<Moment>,
    /// How long it took until the record led to the fallback.
    there: Option<Duration>,
    /// What went wrong.
    trouble: Option<String>,
}

/// How far a drill has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// The fallback is looked at once more. Visitors are where they were.
    Looking,
    /// Visitors are being sent to the fallback.
    Going,
    /// They are there.
    Away,
    /// They are being sent home.
    Returning,
}

impl Stage {
    /// In words.
    #[must_use]
    pub const fn describe(self) -> &'static str {
        match self {
            Stage::Looking => "the fallback is looked at once more",
            Stage::Going => "visitors are being sent to the fallback",
            Stage::Away => "visitors are on the fallback",
            Stage::Returning => "visitors are being sent home",
        }
    }
}

/// What became of a drill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// When it ended.
    pub ended: Moment,
    /// How long it took from the word until the record led to the fallback. None: it never did.
    pub there: Option<Duration>,
    /// How long it took from the end of the drill until the record led home again. None: it does not, or always did.
    pub back: Option<Duration>,
    /// What went wrong. None: nothing did.
    pub trouble: Option<String>,
}

/// What is new of a drill.
enum Turn {
    /// Nothing.
    None,
    /// The fallback was seen to be good just now: visitors are sent there.
    Depart,
    /// The record leads to the fallback.
    Arrived,
    /// The time is over, or a person has ended it: visitors are sent home.
    Over,
    /// It cannot go on, and why: visitors are sent home.
    Cut(String),
    /// The record leads home again.
    Back,
    /// Visitors never left, or somebody else has sent them home; and why.
    Void(String),
    /// No node is left to come home to at once.
    Stranded,
}

impl Drill {
    /// How far it has come.
    pub(super) fn stage(&self) -> Stage {
        self.stage
    }

    /// In words.
    pub(super) fn describe(&self) -> String {
        format!("by {}: {}; {}", self.owner, self.reason, self.stage.describe())
    }

    /// The nodes that are to come back now. None: visitors are still to stay where they are.
    pub(super) fn returning(&self) -> Option<&BTreeSet<NodeName>> {
        Some(&self.home).filter(|_| self.stage == Stage::Returning)
    }

    fn enter(&mut self, stage: Stage, now: Moment) {
        (self.stage, self.since) = (stage, now);
    }

    fn report(self, now: Moment, back: Option<Duration>, trouble: Option<String>) -> Report {
        Report { ended: now, there: self.there, back, trouble: trouble.or(self.trouble) }
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
        match () {
            () if span.is_zero() || span > LONGEST => {
                Err(format!("a drill takes at most {}", words(LONGEST)))
            }
            () if site.drill.is_some() => Err("a drill is under way".to_owned()),
            () if site.pin.is_some() => {
                Err("an override stands; end it with `hearth failover auto`".to_owned())
            }
            () => site.may_depart(now),
        }
    }
}

impl Site {
    /// Whether visitors may be sent to the fallback on purpose, and could come home again.
    fn may_depart(&self, now: Moment) -> Result<(), String> {
        let refused = |why: &str| Err(why.to_owned());
        match () {
            () if self.freeze.is_some() || self.frozen_until.is_some() => {
                return refused("the record is frozen");
            }
            () if self.read.is_none() => return refused("the record has not been read yet"),
            () if self.pending.is_some() => return refused("a change of the record is on its way"),
            () if self.leads_away() => return refused("visitors are on the fallback already"),
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
        if !self.candidates(lane, now).iter().any(|(node, c)| lane.has(node) && c.health.is_up()) {
            return Err(format!("no node of {kind} is up to come home to"));
        }
        if lane.returns_left(now, policy) == 0 {
            let next = lane.budget_eases(now, policy).map_or(Duration::ZERO, |at| at - now);
            let next = words(next);
            return Err(format!("the way back of {kind} needs a return, and the next is free in {next}"));
        }
        Ok(())
    }

    /// Begins a drill that may begin: the fallback is looked at once more.
    pub(super) fn begin_drill(
        &mut self,
        now: Moment,
        span: Duration,
        owner: &Owner,
        reason: &str,
        out: &mut Vec<Effect>,
    ) {
        self.note(out, Weight::Warning, format!("drill by {owner} for {}: {reason}", words(span)));
        self.fallback.alert(now, self.setup.policy.fallback_suspect_every);
        self.drill = Some(Drill {
            owner: owner.clone(),
            reason: reason.to_owned(),
            begun: now,
            stage: Stage::Looking,
            since: now,
            home: BTreeSet::new(),
            certificate_ends: self.fallback.first_certificate_ends(),
            there: None,
            trouble: None,
        });
        let (owner, reason) = (owner.clone(), format!("drill: {reason}"));
        self.pin = Some(Pin { side: Side::Fallback, until: now + span, owner, reason });
    }

    /// Follows a drill: what it shows is told, and it ends when it is over or when the fallback fails.
    pub(super) fn follow_drill(&mut self, now: Moment, out: &mut Vec<Effect>) {
        let Some(mut drill) = self.drill.take() else { return };
        drill.home.retain(|node| !self.fell(node));
        match self.drill_turn(&drill, now) {
            Turn::None => self.drill = Some(drill),
            Turn::Depart => self.depart(drill, now),
            Turn::Arrived => {
                drill.enter(Stage::Away, now);
                let took = now - drill.begun;
                drill.there = Some(took);
                let text =
                    format!("drill: the record leads to the fallback, {} after the drill began", words(took));
                self.note(out, Weight::Info, text);
                self.drill = Some(drill);
            }
            Turn::Over => {
                if drill.there.is_none() {
                    drill.trouble = Some("the record did not lead to the fallback in time".to_owned());
                }
                let text = format!("the drill by {} is over: visitors are sent home", drill.owner);
                self.send_home(drill, text, now, out);
            }
            Turn::Cut(why) => {
                let text = format!("the drill is cut short: {why}; visitors are sent home");
                drill.trouble = Some(why);
                self.send_home(drill, text, now, out);
            }
            Turn::Back => {
                let took = now - drill.since;
                let certificate = self.certificate_since(&drill, now);
                let text = format!(
                    "drill: the record leads home again, {} after the drill was over{certificate}",
                    words(took)
                );
                self.close_drill(drill.report(now, Some(took), None), (Weight::Info, text), out);
            }
            Turn::Void(why) => {
                let text = format!("the drill is called off: {why}");
                self.close_drill(drill.report(now, None, Some(why)), (Weight::Warning, text), out);
            }
            Turn::Stranded => {
                let why =
                    "no node is left that visitors came from: they stay on the fallback until one has risen";
                let text = format!("the drill ends on the fallback: {why}");
                self.close_drill(drill.report(now, None, Some(why.to_owned())), (Weight::Alarm, text), out);
            }
        }
    }

    fn drill_turn(&self, drill: &Drill, now: Moment) -> Turn {
        let called_off = || Turn::Void("visitors had not left yet".to_owned());
        match drill.stage {
            Stage::Looking if self.pin.is_none() => called_off(),
            Stage::Looking if self.fallback.is_awaited(&self.setup, now) => Turn::None,
            Stage::Looking => self.may_depart(now).map_or_else(Turn::Void, |()| Turn::Depart),
            // What was decided had not landed when the watcher was cut off or died, or a node has sent visitors home.
            Stage::Going | Stage::Away if !self.leads_away() => {
                Turn::Void("the record does not lead to the fallback any more".to_owned())
            }
            Stage::Going if self.is_away() => Turn::Arrived,
            Stage::Going | Stage::Away if self.pin.is_none() => Turn::Over,
            Stage::Going | Stage::Away if self.has_failing_fallback(now) => {
                Turn::Cut("the fallback fails".to_owned())
            }
            Stage::Returning if self.is_back() => Turn::Back,
            Stage::Returning if drill.home.is_empty() => Turn::Stranded,
            Stage::Going | Stage::Away | Stage::Returning => Turn::None,
        }
    }

    fn depart(&mut self, mut drill: Drill, now: Moment) {
        let home = self.setup.nodes.iter().filter(|node| self.lanes.values().any(|lane| lane.has(node)));
        drill.home = home.cloned().collect();
        drill.enter(Stage::Going, now);
        let why = format!("drill by {}: {}", drill.owner, drill.reason);
        pin(self, Side::Fallback, now, &why, is_home);
        // It must be found out soon when it fails with visitors there.
        self.fallback.alert(now, self.setup.policy.fallback_suspect_every);
        self.drill = Some(drill);
        self.stir();
    }

    fn send_home(&mut self, mut drill: Drill, text: String, now: Moment, out: &mut Vec<Effect>) {
        drill.enter(Stage::Returning, now);
        (self.drill, self.pin) = (Some(drill), None);
        self.note(out, Weight::Warning, text);
        self.stir();
    }

    fn close_drill(&mut self, report: Report, (weight, text): (Weight, String), out: &mut Vec<Effect>) {
        (self.pin, self.last_drill) = (None, Some(report));
        self.note(out, weight, text);
        self.stir();
    }

    /// An override takes the place of a drill.
    pub(super) fn drop_drill(&mut self, now: Moment) {
        if let Some(drill) = self.drill.take() {
            self.last_drill = Some(drill.report(now, None, Some("an override took its place".to_owned())));
        }
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

    /// What has become of the certificate that a drill is to keep renewable.
    fn certificate_since(&self, drill: &Drill, now: Moment) -> String {
        let (Some(before), Some(ends)) = (drill.certificate_ends, self.fallback.first_certificate_ends())
        else {
            return String::new();
        };
        let news = if ends >= before + RENEWED { "was renewed and" } else { "is the same and" };
        format!("; the fallback's certificate {news} ends in {}", in_days(ends - now))
    }

    fn fell(&self, node: &NodeName) -> bool {
        let families = self.targets.get(node);
        families.is_none_or(|families| families.values().all(|watched| watched.health.is_down()))
    }

    /// Whether any visitors are meant to be on the fallback.
    fn leads_away(&self) -> bool {
        self.lanes.values().any(|lane| lane.side() == Side::Fallback)
    }

    fn is_away(&self) -> bool {
        let there = |lane: &Lane| {
            let possible = fallback::possible(lane.record_type(), &self.setup);
            lane.in_force().is_some_and(|set| set.as_set().is_subset(&possible))
        };
        self.leads_away() && self.lanes.values().filter(|lane| lane.side() == Side::Fallback).all(there)
    }

    fn is_back(&self) -> bool {
        let back = |lane: &Lane| lane.side() != Side::Fallback && lane.in_force() == lane.wanted();
        self.pending.is_none() && self.lanes.values().filter(|lane| lane.wanted().is_some()).all(back)
    }

    /// Whether the fallback has been failing for as long as a node may that another can stand in for: the nodes can.
    fn has_failing_fallback(&self, now: Moment) -> bool {
        let long = self.setup.policy.hard_with_sibling;
        let failing = |lane: &Lane| self.fallback.failing_for(lane.record_type(), &self.setup, now);
        let mut moved = self.lanes.values().filter(|lane| lane.side() == Side::Fallback);
        moved.any(|lane| failing(lane).is_some_and(|span| span >= long))
    }
}

fn is_home(lane: &Lane) -> bool {
    lane.size() > 0
}
