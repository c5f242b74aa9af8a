//! One RRset of a site: who is in it, who may come back when, and what it should hold.
//!
//! Leaving is never limited; coming back is. With at most R returns in any hour each fail-away but the first n needs
//! a return before it, so an RRset with n members changes at most 2R+n times an hour. Never looks at evidence:
//! candidates come judged.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::dns::{Rdata, RdataSet, RecordType};
use crate::heartbeat::NodeName;
use crate::liveness::Health;
use crate::moment::Moment;
use crate::policy::Policy;

/// Where visitors are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// Not decided yet.
    Undecided,
    /// To nodes.
    Home,
    /// To the fallback.
    Fallback,
}

/// A node as a possible member.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// How it looks.
    pub health: Health,
    /// Its record data, once it is proven.
    pub rdata: Option<Rdata>,
    /// Whether it has risen after the hold-down that is in force.
    pub risen: bool,
    /// Whether it has risen as far as that goes without a hold-down.
    pub steady: bool,
    /// Whether it serves something else than what was published last, and is to wait for that
    /// ([`super::content`]).
    pub stale: bool,
}

/// Whether the fallback can be switched to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It is known to be good, and has this record data.
    Ready(RdataSet),
    /// It is not, and why.
    NotReady(String),
}

/// What the lane has to decide on.
#[derive(Clone, Debug)]
pub struct Situation<'a> {
    /// The point in time.
    pub now: Moment,
    /// The numbers.
    pub policy: &'a Policy,
    /// The nodes of the site, in the order of the configuration.
    pub order: &'a [NodeName],
    /// How they look. A node that has never said where it is has no rdata.
    pub candidates: &'a BTreeMap<NodeName, Candidate>,
    /// The fallback.
    pub fallback: &'a Readiness,
    /// Whether the fallback has been failing for as long as a node may before it is given up.
    pub fallback_dead: bool,
}

/// One RRset of a site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lane {
    record_type: RecordType,
    side: Side,
    members: BTreeSet<NodeName>,
    chosen: Option<NodeName>,
    /// When nodes came back in the last hour, one entry for each node.
    returns: Vec<Moment>,
    /// How many of the last of them have not landed yet.
    #[serde(default)]
    returning: usize,
    /// What was last read or read back.
    in_force: Option<RdataSet>,
    /// What this watcher wrote last and saw in force.
    written: Option<RdataSet>,
    /// What the RRset should hold. None: it is left as it is.
    wanted: Option<RdataSet>,
    /// The decision that is in force, to go back to.
    landed: Decision,
    /// Why the lane wants what it wants, in words.
    why: String,
    /// Since when.
    since: Moment,
}

/// What a look at the situation led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decided {
    /// Nothing new.
    Nothing,
    /// Visitors are to be sent elsewhere.
    Changed,
    /// Nobody is left to send visitors to: what is published stays, and people must know.
    Stuck,
}

/// What was decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Decision {
    side: Side,
    /// The nodes that visitors may be sent to.
    members: BTreeSet<NodeName>,
    /// For a CNAME: the one of them that is named.
    chosen: Option<NodeName>,
}

impl Lane {
    /// A lane that knows nothing yet.
    #[must_use]
    pub fn new(record_type: RecordType, now: Moment) -> Self {
        Self {
            record_type,
            side: Side::Undecided,
            members: BTreeSet::new(),
            chosen: None,
            returns: Vec::new(),
            returning: 0,
            in_force: None,
            written: None,
            wanted: None,
            landed: Decision { side: Side::Undecided, members: BTreeSet::new(), chosen: None },
            why: "nothing has been decided yet".to_owned(),
            since: now,
        }
    }

    /// The type of the RRset.
    #[must_use]
    pub fn record_type(&self) -> RecordType {
        self.record_type
    }

    /// Where visitors should be sent.
    #[must_use]
    pub fn side(&self) -> Side {
        self.side
    }

    /// Whether visitors may be sent to `node`.
    #[must_use]
    pub fn has(&self, node: &NodeName) -> bool {
        self.side == Side::Home && self.members.contains(node)
    }

    /// To how many nodes visitors may be sent.
    #[must_use]
    pub fn size(&self) -> usize {
        if self.side == Side::Home { self.members.len() } else { 0 }
    }

    /// What was last read or read back.
    #[must_use]
    pub fn in_force(&self) -> Option<&RdataSet> {
        self.in_force.as_ref()
    }

    /// What this watcher wrote last and saw in force.
    #[must_use]
    pub fn written(&self) -> Option<&RdataSet> {
        self.written.as_ref()
    }

    /// Why the lane wants what it wants, and since when.
    #[must_use]
    pub fn why(&self) -> (&str, Moment) {
        (&self.why, self.since)
    }

    /// The record has been read: this is in force, or nothing is.
    pub fn record_read(&mut self, set: Option<RdataSet>) {
        self.in_force = set;
    }

    /// A write has been confirmed.
    pub fn record_landed(&mut self, now: Moment, set: RdataSet) {
        if self.wanted.as_ref() == Some(&set) {
            self.landed = self.decision();
            self.count_returns(now);
        }
        self.in_force = Some(set.clone());
        self.written = Some(set);
    }

    /// What somebody else has written is left as it is, because it is what is wanted: it is no change any more.
    pub fn settle_for_what_stands(&mut self) {
        if self.in_force == self.wanted {
            self.written.clone_from(&self.in_force);
        }
    }

    /// Somebody who may has written this in the watcher's place. What was decided before is history: who is up is
    /// gathered anew, and costs no budget.
    pub fn adopt(&mut self, now: Moment, set: RdataSet) {
        self.settle(
            now,
            Side::Undecided,
            BTreeSet::new(),
            "a node wrote it while no watcher answered".to_owned(),
        );
        self.chosen = None;
        self.landed = self.decision();
        (self.wanted, self.returning) = (None, 0);
        self.in_force = Some(set.clone());
        self.written = Some(set);
    }

    /// What visitors see are landed changes, and those are budgeted: a return that had to wait for its provider counts
    /// from when it landed.
    fn count_returns(&mut self, now: Moment) {
        let returning = std::mem::take(&mut self.returning);
        self.returns.truncate(self.returns.len().saturating_sub(returning));
        self.returns.extend(std::iter::repeat_n(now, returning));
    }

    fn decision(&self) -> Decision {
        Decision { side: self.side, members: self.members.clone(), chosen: self.chosen.clone() }
    }

    /// Goes back to the decision that is in force: the evidence for a later one is worth nothing any more.
    pub fn revert(&mut self) {
        let Decision { side, members, chosen } = self.landed.clone();
        (self.side, self.members, self.chosen) = (side, members, chosen);
        self.wanted = None;
        // They may land yet, so they stay counted, from when they were decided.
        self.returning = 0;
    }

    /// How long a node must have been steady before it may come back: the base, doubled for each return in the last
    /// hour, up to the cap.
    #[must_use]
    pub fn hold(&self, now: Moment, policy: &Policy) -> Duration {
        let doublings = u32::try_from(self.recent(now, policy)).unwrap_or(u32::MAX).min(16);
        (policy.hold * (1 << doublings)).min(policy.hold_cap.max(policy.hold))
    }

    /// Returns that the budget still allows.
    #[must_use]
    pub fn returns_left(&self, now: Moment, policy: &Policy) -> usize {
        (policy.returns as usize).saturating_sub(self.recent(now, policy))
    }

    fn recent(&self, now: Moment, policy: &Policy) -> usize {
        let (landed, returning) = self.returns.split_at(self.returns.len().saturating_sub(self.returning));
        landed.iter().filter(|at| now - **at < policy.budget_span).count() + returning.len()
    }

    /// Returns of more than an hour ago count no longer, unless they have yet to land.
    fn forget_returns(&mut self, now: Moment, policy: &Policy) {
        let landed = self.returns.len().saturating_sub(self.returning);
        let mut place = 0..;
        self.returns.retain(|at| place.next().is_some_and(|i| i >= landed) || now - *at < policy.budget_span);
    }

    /// When the next return leaves the budget's hour.
    #[must_use]
    pub fn budget_eases(&self, now: Moment, policy: &Policy) -> Option<Moment> {
        self.returns.iter().map(|at| *at + policy.budget_span).filter(|at| *at > now).min()
    }

    /// Decides.
    pub fn decide(&mut self, situation: &Situation<'_>) -> Decided {
        let (before, why) = (self.decision(), self.why.clone());
        self.forget_returns(situation.now, situation.policy);
        match self.side {
            Side::Undecided => self.begin(situation),
            Side::Home => self.leave(situation),
            Side::Fallback => {}
        }
        if self.side != Side::Undecided {
            self.come_back(situation);
        }
        self.choose(situation);
        match () {
            () if before != self.decision() => Decided::Changed,
            () if why != self.why => Decided::Stuck,
            () => Decided::Nothing,
        }
    }

    /// The first decision takes what is there and what is up, and costs no budget.
    fn begin(&mut self, s: &Situation<'_>) {
        let in_force = |c: &Candidate| match (&self.in_force, &c.rdata) {
            (Some(set), Some(rdata)) => set.contains(rdata),
            (None, _) | (_, None) => false,
        };
        let usable =
            |c: &Candidate| c.rdata.is_some() && (c.health.is_up() || (in_force(c) && !c.health.is_down()));
        let members: BTreeSet<_> =
            s.candidates.iter().filter(|(_, c)| usable(c)).map(|(n, _)| n.clone()).collect();
        if !members.is_empty() {
            let why = format!("{} answered when the watch began", list(&members));
            self.settle(s.now, Side::Home, members, why);
        } else if matches!((s.fallback, &self.in_force), (Readiness::Ready(f), Some(set)) if f == set) {
            self.settle(
                s.now,
                Side::Fallback,
                members,
                "found on the fallback when the watch began".to_owned(),
            );
        } else if s.candidates.values().all(|c| c.health.is_down())
            && matches!(s.fallback, Readiness::Ready(_))
        {
            self.settle(s.now, Side::Fallback, members, "no node answers since the watch began".to_owned());
        }
    }

    /// Nodes that are down leave at once; the last one leaves only for something that is known to be good.
    fn leave(&mut self, s: &Situation<'_>) {
        let down = |node: &NodeName| s.candidates.get(node).is_none_or(|c| c.health.is_down());
        let (gone, left): (BTreeSet<_>, BTreeSet<_>) = self.members.iter().cloned().partition(down);
        if gone.is_empty() {
            return;
        }
        if !left.is_empty() {
            self.settle(s.now, Side::Home, left, format!("{} left: {}", list(&gone), reasons(&gone, s)));
            return;
        }
        let substitutes = self.substitutes(s);
        if !substitutes.is_empty() {
            let why = format!("{} took over from {}: {}", list(&substitutes), list(&gone), reasons(&gone, s));
            self.add_returns(s.now, substitutes.len());
            self.settle(s.now, Side::Home, substitutes, why);
            return;
        }
        match s.fallback {
            Readiness::Ready(_) => {
                let why = format!("no node is up: {}", reasons(&gone, s));
                self.settle(s.now, Side::Fallback, BTreeSet::new(), why);
            }
            Readiness::NotReady(reason) => {
                let why = format!(
                    "kept, though no node is up ({}): the fallback is not known to be good ({reason})",
                    reasons(&gone, s)
                );
                self.explain(s.now, why);
            }
        }
    }

    /// Nodes that are up but still held: better than the fallback, as far as the budget goes.
    fn substitutes(&self, s: &Situation<'_>) -> BTreeSet<NodeName> {
        let up = |c: &Candidate| c.health.is_up() && c.steady && c.rdata.is_some();
        self.admit_current(s, up)
    }

    fn come_back(&mut self, s: &Situation<'_>) {
        // Visitors who meet a dead fallback are not helped by a hold-down.
        let waive = self.side == Side::Fallback && s.fallback_dead;
        let fit = |c: &Candidate| c.health.is_up() && c.rdata.is_some() && (c.risen || (waive && c.steady));
        let back = self.admit_current(s, fit);
        if back.is_empty() {
            return;
        }
        let why = format!("{} came back: steady for {}", list(&back), words(self.hold(s.now, s.policy)));
        let members = match self.side {
            Side::Home => self.members.union(&back).cloned().collect(),
            Side::Fallback | Side::Undecided => back.clone(),
        };
        self.add_returns(s.now, back.len());
        self.settle(s.now, Side::Home, members, why);
    }

    /// A drill is over: those of `home` who are fit come back together, whatever the hold-down says. They have left
    /// together and without a failure, so that is one return, whatever their number: two changes, as any return allows.
    pub fn end_drill(&mut self, s: &Situation<'_>, home: &BTreeSet<NodeName>) -> Decided {
        let fit = |c: &Candidate| c.health.is_up() && c.rdata.is_some() && c.steady;
        let is_back = |n: &&NodeName| s.candidates.get(*n).is_some_and(fit);
        let back: BTreeSet<_> = home.iter().filter(is_back).cloned().collect();
        if self.side != Side::Fallback || back.is_empty() || self.returns_left(s.now, s.policy) == 0 {
            return self.decide(s);
        }
        self.add_returns(s.now, 1);
        self.settle(s.now, Side::Home, back, "the drill is over".to_owned());
        self.choose(s);
        Decided::Changed
    }

    fn add_returns(&mut self, now: Moment, count: usize) {
        self.returns.extend(std::iter::repeat_n(now, count));
        self.returning += count;
    }

    /// The nodes outside that fit and serve what was published last. Those that serve something else only when nobody
    /// serves that: neither one of these, nor one whom visitors are led to.
    fn admit_current(&self, s: &Situation<'_>, fit: impl Fn(&Candidate) -> bool) -> BTreeSet<NodeName> {
        let current = self.admit(s, |c| fit(c) && !c.stale);
        let serves = |n: &NodeName| s.candidates.get(n).is_some_and(|c| !c.stale && !c.health.is_down());
        let served = self.side == Side::Home && self.members.iter().any(serves);
        if current.is_empty() && !served { self.admit(s, fit) } else { current }
    }

    /// The nodes outside that fit, as many as the budget allows, in the order of the configuration.
    fn admit(&self, s: &Situation<'_>, fit: impl Fn(&Candidate) -> bool) -> BTreeSet<NodeName> {
        let outside = |n: &&NodeName| !self.members.contains(*n) && s.candidates.get(*n).is_some_and(&fit);
        s.order.iter().filter(outside).take(self.returns_left(s.now, s.policy)).cloned().collect()
    }

    /// A CNAME names one node, and stays with it as long as it may.
    fn choose(&mut self, s: &Situation<'_>) {
        if self.record_type == RecordType::Cname && self.side == Side::Home {
            let still = self.chosen.as_ref().is_some_and(|n| self.members.contains(n));
            if !still {
                self.chosen = s.order.iter().find(|n| self.members.contains(*n)).cloned();
            }
        } else {
            self.chosen = None;
        }
    }

    /// Sends visitors where a person wants them, until further notice.
    pub fn pin(&mut self, now: Moment, side: Side, s: &Situation<'_>, why: String) {
        let members = match side {
            Side::Home => {
                let fit = |c: &Candidate| c.health.is_up() && c.rdata.is_some();
                s.candidates.iter().filter(|(_, c)| fit(c)).map(|(n, _)| n.clone()).collect()
            }
            Side::Fallback | Side::Undecided => BTreeSet::new(),
        };
        self.settle(now, side, members, why);
        self.choose(s);
    }

    fn settle(&mut self, now: Moment, side: Side, members: BTreeSet<NodeName>, why: String) {
        self.side = side;
        self.members = members;
        self.explain(now, why);
    }

    fn explain(&mut self, now: Moment, why: String) {
        if self.why != why {
            self.why = why;
            self.since = now;
        }
    }

    /// Works out what the RRset should hold now; `possible` is all that the fallback may have in it.
    pub fn want(&mut self, s: &Situation<'_>, possible: &BTreeSet<Rdata>) {
        self.wanted = match self.side {
            Side::Undecided => None,
            Side::Fallback => self.want_fallback(s, possible),
            Side::Home => {
                let named = |n: &&NodeName| self.chosen.as_ref().is_none_or(|c| c == *n);
                let members = self.members.iter().filter(named);
                RdataSet::new(members.filter_map(|n| s.candidates.get(n)?.rdata.clone())).ok()
            }
        };
    }

    /// Once visitors are on the fallback its addresses stay as they were written: one that comes and goes is no reason
    /// for a change.
    fn want_fallback(&self, s: &Situation<'_>, possible: &BTreeSet<Rdata>) -> Option<RdataSet> {
        let there = self.in_force.as_ref().filter(|set| set.as_set().is_subset(possible));
        match (there, s.fallback) {
            (Some(set), _) => Some(set.clone()),
            (None, Readiness::Ready(set)) => Some(set.clone()),
            (None, Readiness::NotReady(_)) => None,
        }
    }

    /// What the RRset should hold. None: it is left as it is.
    #[must_use]
    pub fn wanted(&self) -> Option<&RdataSet> {
        self.wanted.as_ref()
    }
}

fn list(nodes: &BTreeSet<NodeName>) -> String {
    nodes.iter().map(NodeName::as_str).collect::<Vec<_>>().join(" and ")
}

fn reasons(nodes: &BTreeSet<NodeName>, s: &Situation<'_>) -> String {
    let reason = |n: &NodeName| {
        let health = s.candidates.get(n).map_or("not configured any more", |c| c.health.describe());
        format!("{n} {health}")
    };
    nodes.iter().map(reason).collect::<Vec<_>>().join(", ")
}

/// A span in words, to the second or, below ten seconds, to the tenth.
#[must_use]
pub fn words(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0..10 => format!("{:.1} s", span.as_secs_f64()),
        10..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3_600),
    }
}

#[cfg(test)]
mod tests;
