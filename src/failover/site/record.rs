//! The record of a site: what was read, what is on its way, what has landed.
//!
//! Never talks to a provider: it asks for writes and hears how they went.

use super::{Doubt, Pending, Site};
use crate::dns::{RdataSet, RecordType};
use crate::failover::Shape;
use crate::failover::event::{Effect, Weight};
use crate::failover::lane::{Lane, words};
use crate::moment::Moment;

impl Site {
    /// Gives up what is on its way: it was decided on evidence that is worth nothing any more.
    pub(in crate::failover) fn abandon(&mut self, now: Moment, out: &mut Vec<Effect>) {
        self.stir();
        if let Some(pending) = self.pending.take() {
            // Nobody knows what became of it: as after a death, the record is read before anything else is decided.
            self.limbo.extend(pending.sets);
            (self.read, self.read_due) = (None, now);
            out.push(Effect::Abandon { site: self.setup.site.clone() });
        }
        if self.limbo.is_empty() {
            self.lanes.values_mut().for_each(Lane::revert);
        }
    }

    /// Whether an RRset of this type is this site's business.
    pub(super) fn minds(&self, record_type: RecordType) -> bool {
        match self.setup.shape {
            Shape::Address => matches!(record_type, RecordType::A | RecordType::Aaaa),
            Shape::Cname => record_type == RecordType::Cname,
        }
    }

    pub(in crate::failover) fn record_read(
        &mut self,
        now: Moment,
        started: Moment,
        result: &Result<Vec<RdataSet>, String>,
        epoch: Option<u64>,
        out: &mut Vec<Effect>,
    ) {
        self.stir();
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
        self.read_due = self.rounds.next(now, self.setup.policy.read_every);
        for set in sets.iter().filter(|s| self.minds(s.record_type())).cloned().collect::<Vec<_>>() {
            self.open_lane(set.record_type(), now);
        }
        if let Some(epoch) = epoch.filter(|epoch| *epoch > self.epoch) {
            self.epoch = epoch;
            self.adopt(now, sets, out);
        }
        if self.is_doubtful(now, sets) {
            return;
        }
        self.take_reading(now, sets, out);
        self.limbo.clear();
    }

    /// Whether a reading shows what nobody here has written, for the first time: it is read again soon.
    fn is_doubtful(&mut self, now: Moment, sets: &[RdataSet]) -> bool {
        let known = |set: &RdataSet| {
            let written = self.lanes.get(&set.record_type()).and_then(Lane::written);
            written.is_none_or(|written| written == set) || self.limbo.contains(set)
        };
        let foreign = self.frozen_until.is_none() && self.pending.is_none() && !sets.iter().all(known);
        let confirmed = self.doubt.take().is_some_and(|doubt| doubt.sets == sets);
        if !foreign || confirmed {
            return false;
        }
        let again = now + self.setup.policy.probe_suspect_every;
        self.read_due = again;
        self.doubt = Some(Doubt { sets: sets.to_vec(), until: again + self.setup.policy.write_patience });
        true
    }

    /// The record carries a later epoch than this watcher has written: a node has sent visitors home while no watcher
    /// answered. It stands, and what was decided before is void; nobody is fought.
    fn adopt(&mut self, now: Moment, sets: &[RdataSet], out: &mut Vec<Effect>) {
        let live = |lane: &Lane| sets.iter().find(|set| set.record_type() == lane.record_type()).cloned();
        let other =
            |lane: &Lane| live(lane).filter(|set| lane.written().is_some_and(|written| written != set));
        if !self.lanes.values().any(|lane| other(lane).is_some()) {
            return;
        }
        if self.pending.take().is_some() {
            out.push(Effect::Abandon { site: self.setup.site.clone() });
        }
        for lane in self.lanes.values_mut() {
            match other(lane) {
                Some(set) => lane.adopt(now, set),
                None => lane.revert(),
            }
        }
        let sets: Vec<String> = sets.iter().map(RdataSet::to_string).collect();
        let text = format!(
            "a node wrote the record while no watcher answered (epoch {}): {}; it is adopted",
            self.epoch,
            sets.join(", ")
        );
        self.note(out, Weight::Warning, text);
    }

    pub(super) fn take_reading(&mut self, now: Moment, sets: &[RdataSet], out: &mut Vec<Effect>) {
        let mut foreign = None;
        for (record_type, lane) in &mut self.lanes {
            let live = sets.iter().find(|s| s.record_type() == *record_type).cloned();
            match &live {
                Some(set) if self.limbo.contains(set) => lane.record_landed(now, set.clone()),
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

    pub(in crate::failover) fn record_written(
        &mut self,
        now: Moment,
        epoch: u64,
        result: &Result<Vec<RdataSet>, String>,
        out: &mut Vec<Effect>,
    ) {
        self.stir();
        match result {
            Ok(sets) => {
                self.landed = Some(now);
                for set in sets {
                    if let Some(lane) = self.lanes.get_mut(&set.record_type()) {
                        lane.record_landed(now, set.clone());
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

    pub(super) fn write(&mut self, now: Moment, out: &mut Vec<Effect>) {
        let differs = |lane: &&Lane| lane.wanted().is_some() && lane.wanted() != lane.in_force();
        let mut sets: Vec<RdataSet> =
            self.lanes.values().filter(differs).filter_map(|l| l.wanted().cloned()).collect();
        let superseded = self.pending.as_ref().is_some_and(|p| p.sets != sets);
        let mut why = self.lanes.values().filter(differs).map(|l| l.why().0).collect::<Vec<_>>().join("; ");
        if sets.is_empty() && superseded {
            // What is in force now is written again to be sure of it.
            sets = self.lanes.values().filter_map(|l| l.wanted().cloned()).collect();
            "what is no longer wanted was on its way and may land yet".clone_into(&mut why);
        }
        if sets.is_empty() || self.pending.as_ref().is_some_and(|p| p.sets == sets) {
            return;
        }
        self.epoch += 1;
        self.pending = Some(Pending { epoch: self.epoch, sets: sets.clone(), since: now, trouble: None });
        out.push(Effect::Write { site: self.setup.site.clone(), epoch: self.epoch, sets, why });
    }
}
