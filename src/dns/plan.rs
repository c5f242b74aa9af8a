//! The plan: what is desired, against what stands, as the smallest list of changes that never leaves a set empty.
//!
//! Members are modified in place first, then new ones are created, then marked, and only then are leftovers deleted: so
//! a provider that makes one change at a time may be stopped after any of them. Never touches a member, a type or a line that is not this writer's, never exchanges a CNAME for addresses, and never writes what
//! already stands: a provider may lock a record for changes that change nothing. Pure and total.

mod describe;
mod error;
mod remarks;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

pub use error::PlanError;

use super::mark::{Holds, Mark, TxtData};
use super::snapshot::{Line, Record, Snapshot, TtlChoice};
use super::{Name, Owner, Rdata, RdataSet, RecordType, Ttl};

/// What a writer wants of one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Desired {
    /// The name.
    pub name: Name,
    /// The writer.
    pub owner: Owner,
    /// The time to live of what the writer writes, unless members of others already set another one.
    pub ttl: Ttl,
    /// The number of the decision, for a writer that counts them.
    pub epoch: Option<u64>,
    /// How much of the name is the writer's.
    pub scope: Scope,
    /// The lines that are the writer's, at a provider that has lines; other lines are somebody else's. None: the line for
    /// everybody.
    pub lines: BTreeSet<Line>,
    /// What should stand on each of them, one set for each type. A type that is not named here is left alone.
    pub sets: Vec<RdataSet>,
    /// Types that are to have no record of the writer's any more: the one way to a deletion without a successor.
    /// It takes another set of the same name to allow it, or for a member that of somebody else. Empty unless somebody decided so; a detection that failed
    /// never does.
    pub retire: BTreeSet<RecordType>,
    /// What the writer remembers having written: its own, where nobody's mark says otherwise.
    pub mine: BTreeSet<Rdata>,
}

/// How much of a name is a writer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Its own members of RRsets that others share.
    Member,
    /// Every A and AAAA record, or the CNAME.
    Whole,
}

/// One change. A provider that addresses records by id finds it in the record that was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// A record gets other data or another TTL, in place.
    Modify {
        /// The record as it was seen.
        from: Record,
        /// Its data from now on.
        to: Rdata,
        /// Its TTL from now on.
        ttl: Ttl,
        /// Its remark from now on. None: it stays as it is.
        remark: Option<String>,
    },
    /// A record is added.
    Create {
        /// Its data.
        rdata: Rdata,
        /// Its TTL.
        ttl: Ttl,
        /// Its line, where there are lines.
        line: Option<Line>,
        /// Its remark, where marks are kept in remarks.
        remark: Option<String>,
    },
    /// A record gets another remark, and nothing else of it changes.
    Mark {
        /// The record as it was seen.
        record: Record,
        /// Its remark from now on.
        remark: String,
    },
    /// A record goes, if it still is as it was seen.
    Delete {
        /// The record as it was seen.
        expect: Record,
    },
}

/// What becomes of the writer's mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarkChange {
    /// The writer's marks until now.
    pub remove: Vec<TxtData>,
    /// The one that takes their place.
    pub add: TxtData,
}

/// The changes that lead from what was seen to what is desired. Made by [`plan`] alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    seen: Snapshot,
    owner: Owner,
    ttl: Ttl,
    types: BTreeSet<RecordType>,
    operations: Vec<Operation>,
    mark: Option<MarkChange>,
    foreign: Vec<Record>,
}

impl Plan {
    /// The name that the plan is about.
    #[must_use]
    pub fn name(&self) -> &Name {
        &self.seen.name
    }

    /// What the plan starts from; it must not be applied to anything else.
    #[must_use]
    pub fn seen(&self) -> &Snapshot {
        &self.seen
    }

    /// The writer.
    #[must_use]
    pub fn owner(&self) -> &Owner {
        &self.owner
    }

    /// The TTL that the writer asked for.
    #[must_use]
    pub fn ttl(&self) -> Ttl {
        self.ttl
    }

    /// The types that the plan speaks about: their RRsets must stand as they were seen.
    #[must_use]
    pub fn types(&self) -> &BTreeSet<RecordType> {
        &self.types
    }

    /// The changes, in the order in which they are to be made.
    #[must_use]
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// What becomes of the writer's mark, where marks are TXT records.
    #[must_use]
    pub fn mark(&self) -> Option<&MarkChange> {
        self.mark.as_ref()
    }

    /// Records at the name that are not the writer's and stay as they are.
    #[must_use]
    pub fn foreign(&self) -> &[Record] {
        &self.foreign
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty() && self.mark.is_none()
    }
}

/// The changes that lead from `seen` to `desired`.
///
/// The epoch of a writer of the whole set is written together with a change of records, never alone: an unchanged
/// record is not written, and what an older epoch decided the same way may stand.
///
/// # Errors
/// When no change that hearth may make leads there; each error names what a person can do.
pub fn plan(desired: &Desired, seen: &Snapshot) -> Result<Plan, PlanError> {
    check(desired)?;
    let parts = desired.on_each_line(seen)?;
    let mut operations = Vec::new();
    for part in &parts {
        check_against(part, seen)?;
        operations.extend(changes(part, seen));
    }
    operations.sort_by_key(rank);
    let desired = parts.first().expect("a writer has one line at least");
    let mark = mark_change(desired, seen, &operations);
    Ok(Plan {
        owner: desired.owner.clone(),
        ttl: desired.ttl,
        types: desired.sets.iter().map(RdataSet::record_type).chain(desired.retire.iter().copied()).collect(),
        foreign: seen.records.iter().filter(|r| !parts.iter().any(|part| part.owns(r))).cloned().collect(),
        seen: seen.clone(),
        operations,
        mark,
    })
}

/// The changes on one line, in no order yet.
fn changes(part: &Desired, seen: &Snapshot) -> Vec<Operation> {
    let mut operations: Vec<Operation> = part.sets.iter().flat_map(|set| reach(part, seen, set)).collect();
    operations.extend(part.retire.iter().flat_map(|kind| retire(part, seen, *kind)));
    operations.extend(remarks::marks(part, seen, &operations));
    operations
}

/// What is wrong with `desired` by itself.
fn check(desired: &Desired) -> Result<(), PlanError> {
    let name = || desired.name.clone();
    let mut kinds = BTreeSet::new();
    for kind in desired.sets.iter().map(RdataSet::record_type) {
        if !kinds.insert(kind) || desired.retire.contains(&kind) {
            return Err(PlanError::Twice { name: name(), kind });
        }
    }
    let alias = kinds.contains(&RecordType::Cname);
    if alias && kinds.len() > 1 {
        return Err(PlanError::Mixed(name()));
    }
    if alias && desired.scope == Scope::Member {
        return Err(PlanError::SharedCname(name()));
    }
    // A member leaves what others have members of: that is checked against what stands.
    let last = kinds.is_empty() && !desired.retire.is_empty() && desired.scope == Scope::Whole;
    if last || desired.retire.contains(&RecordType::Cname) {
        return Err(PlanError::NothingLeft(name()));
    }
    Ok(())
}

/// What stands that `desired` must not overrule.
fn check_against(desired: &Desired, seen: &Snapshot) -> Result<(), PlanError> {
    let name = || desired.name.clone();
    if desired.name != seen.name {
        return Err(PlanError::OtherName { wanted: name(), seen: seen.name.clone() });
    }
    let (holder, epoch) = seen.held_on(desired.line());
    if let Some(holder) = holder.filter(|holder| *holder != desired.owner) {
        return Err(PlanError::HeldByOther { name: name(), holder });
    }
    if let (Some(seen), Some(ours)) = (epoch, desired.epoch)
        && seen > ours
    {
        return Err(PlanError::Superseded { name: name(), seen, ours });
    }
    for set in &desired.sets {
        check_kind(desired, seen, set.record_type())?;
    }
    let left = |kind: &RecordType| {
        seen.rrset(*kind).any(|record| desired.is_on_line(record) && !desired.owns(record))
    };
    if desired.sets.is_empty() && !desired.retire.iter().all(left) {
        return Err(PlanError::NothingLeft(name()));
    }
    Ok(())
}

/// A CNAME and addresses are never mixed and never exchanged: between the two a name has neither, or a server says no.
fn check_kind(desired: &Desired, seen: &Snapshot, wanted: RecordType) -> Result<(), PlanError> {
    let alias = wanted == RecordType::Cname;
    let here = seen.records.iter().filter(|r| desired.is_on_line(r));
    let Some(other) = here.map(|r| &r.rdata).find(|r| (r.record_type() == RecordType::Cname) != alias) else {
        return Ok(());
    };
    let name = desired.name.clone();
    Err(match other {
        Rdata::Cname(target) => PlanError::CnameInTheWay { name, target: target.to_string() },
        Rdata::A(_) | Rdata::Aaaa(_) => PlanError::AddressesInTheWay { name, kind: other.record_type() },
    })
}

impl Desired {
    /// The same at a provider as it was seen, line by line: on its line for everybody where none is named, and with a TTL
    /// that it takes.
    fn on_each_line(&self, seen: &Snapshot) -> Result<Vec<Self>, PlanError> {
        if seen.default_line.is_none() && !self.lines.is_empty() {
            return Err(PlanError::NoLines(self.name.clone()));
        }
        let ttl = seen.min_ttl.map_or(self.ttl, |least| self.ttl.max(least));
        let on = |lines: BTreeSet<Line>| Self { lines, ttl, ..self.clone() };
        if self.lines.len() > 1 {
            return Ok(self.lines.iter().map(|line| on(BTreeSet::from([line.clone()]))).collect());
        }
        let own = self.lines.first().or(seen.default_line.as_ref());
        Ok(vec![on(own.into_iter().cloned().collect())])
    }

    /// The one line of a part. None: there are none.
    fn line(&self) -> Option<&Line> {
        self.lines.first()
    }

    fn is_on_line(&self, record: &Record) -> bool {
        record.line.as_ref() == self.line()
    }

    fn speaks_of(&self, kind: RecordType) -> bool {
        self.retire.contains(&kind) || self.sets.iter().any(|set| set.record_type() == kind)
    }

    fn wants(&self, rdata: &Rdata) -> bool {
        self.sets.iter().any(|set| set.contains(rdata))
    }

    /// Whether `record` is this writer's to change. A record that nobody marked and that already has exactly the data
    /// that is wanted becomes the writer's: a set cannot hold it twice (RFC 2181 section 5).
    fn owns(&self, record: &Record) -> bool {
        let by_mark = record.owners.len() == 1 && record.owners.contains(&self.owner);
        let by_data = || self.mine.contains(&record.rdata) || self.wants(&record.rdata);
        self.is_on_line(record)
            && match self.scope {
                Scope::Whole => true,
                Scope::Member => by_mark || (record.owners.is_empty() && by_data()),
            }
    }

    /// The TTL of this writer's members of `kind`. The members of an RRset have one TTL (RFC 2181 section 5.2), and a
    /// server that is given another one changes it for all of them: beside members of others, theirs stands.
    fn ttl_beside(&self, seen: &Snapshot, kind: RecordType) -> Ttl {
        let others = seen.rrset(kind).filter(|r| self.is_on_line(r) && !self.owns(r));
        others.map(|r| r.ttl).min().unwrap_or(self.ttl)
    }
}

/// The changes that make `set` stand: leftovers of ours take new data in place, then what is missing is created, then
/// what is left over is deleted.
fn reach(desired: &Desired, seen: &Snapshot, set: &RdataSet) -> Vec<Operation> {
    let kind = set.record_type();
    let ttl = desired.ttl_beside(seen, kind);
    let here: Vec<&Record> = seen.rrset(kind).filter(|r| desired.is_on_line(r)).collect();
    let (right, left): (Vec<&Record>, Vec<&Record>) =
        here.iter().filter(|r| desired.owns(r)).partition(|r| set.contains(&r.rdata));
    let mut left = left.into_iter().cloned();
    let mut operations: Vec<Operation> = right
        .into_iter()
        .filter(|r| r.ttl != ttl && r.ttl_choice == TtlChoice::Writer)
        .map(|r| modify(desired, seen, r.clone(), r.rdata.clone(), ttl))
        .collect();
    for rdata in set.iter().filter(|wanted| !here.iter().any(|r| r.rdata == **wanted)).cloned() {
        operations.push(match left.next() {
            Some(from) => modify(desired, seen, from, rdata, ttl),
            None => Operation::Create {
                rdata,
                ttl,
                line: desired.line().cloned(),
                remark: remarks::fresh(desired, seen),
            },
        });
    }
    operations.extend(left.map(|expect| Operation::Delete { expect }));
    operations
}

/// A change in place. A TTL that is the provider's choice stays.
fn modify(desired: &Desired, seen: &Snapshot, from: Record, to: Rdata, ttl: Ttl) -> Operation {
    let ttl = match from.ttl_choice {
        TtlChoice::Writer => ttl,
        TtlChoice::Provider => from.ttl,
    };
    Operation::Modify { remark: remarks::of_changed(desired, seen, &from), from, to, ttl }
}

/// The changes that take our members of `kind` away.
fn retire(desired: &Desired, seen: &Snapshot, kind: RecordType) -> Vec<Operation> {
    let ours = seen.rrset(kind).filter(|r| desired.owns(r)).cloned();
    ours.map(|expect| Operation::Delete { expect }).collect()
}

fn rank(operation: &Operation) -> u8 {
    match operation {
        Operation::Modify { .. } => 0,
        Operation::Create { .. } => 1,
        Operation::Mark { .. } => 2,
        Operation::Delete { .. } => 3,
    }
}

/// The mark that has to stand beside the records, when it is not there yet.
fn mark_change(desired: &Desired, seen: &Snapshot, operations: &[Operation]) -> Option<MarkChange> {
    let marks = seen.txt_marks().filter(|_| !desired.sets.is_empty())?;
    let holds = match desired.scope {
        Scope::Whole => Holds::Whole,
        Scope::Member => Holds::Members(held_after(desired, seen)),
    };
    let ours = |txt: &&TxtData| txt.mark().is_some_and(|m| m.owner == desired.owner);
    let remove: Vec<TxtData> = marks.records.iter().filter(ours).cloned().collect();
    let stands = |txt: &TxtData| txt.mark().is_some_and(|m| m.holds == holds);
    if operations.is_empty() && remove.len() == 1 && remove.iter().all(stands) {
        return None;
    }
    let add = TxtData::from(&Mark { owner: desired.owner.clone(), holds, epoch: desired.epoch });
    (remove.as_slice() != [add.clone()]).then_some(MarkChange { remove, add })
}

/// What is this writer's after the change: what it wants, and what it has of types that it does not speak about.
fn held_after(desired: &Desired, seen: &Snapshot) -> BTreeSet<Rdata> {
    let had = seen.records.iter().filter(|r| r.owners.contains(&desired.owner) || desired.owns(r));
    let kept = had.map(|r| &r.rdata).filter(|r| !desired.speaks_of(r.record_type()));
    desired.sets.iter().flat_map(RdataSet::iter).chain(kept).cloned().collect()
}
