//! The marks of a plan at a provider that keeps them in the remark of each record.
//!
//! Never writes over a person's remark: such a record is known by its data alone.

use std::collections::BTreeSet;

use super::{Desired, Operation, Scope};
use crate::dns::remark::Remark;
use crate::dns::snapshot::{Marking, Record, Snapshot};
use crate::dns::{Owner, Rdata};

/// The remark of a record that is created. None: marks are not kept in remarks here.
pub(super) fn fresh(desired: &Desired, seen: &Snapshot) -> Option<String> {
    (seen.marks == Marking::Remarks).then(|| claimed(desired, BTreeSet::new()).to_string())
}

/// The remark of a record that is changed in place. None: it stays as it is.
pub(super) fn of_changed(desired: &Desired, seen: &Snapshot, record: &Record) -> Option<String> {
    if seen.marks != Marking::Remarks {
        return None;
    }
    let owners = Remark::of(&record.remark)?.owners;
    different(record, claimed(desired, owners))
}

/// What this writer says of a record: that it holds it, or that it is one of its owners.
fn claimed(desired: &Desired, owners: BTreeSet<Owner>) -> Remark {
    let owner = desired.owner.clone();
    match desired.scope {
        Scope::Whole => Remark { owners: BTreeSet::new(), holder: Some(owner), epoch: desired.epoch },
        Scope::Member => Remark { owners: owners.into_iter().chain([owner]).collect(), ..Remark::default() },
    }
}

fn different(record: &Record, remark: Remark) -> Option<String> {
    let text = remark.to_string();
    (text != record.remark).then_some(text)
}

/// The records whose remark alone changes, beside the `operations` that change records.
pub(super) fn marks(desired: &Desired, seen: &Snapshot, operations: &[Operation]) -> Vec<Operation> {
    if seen.marks != Marking::Remarks || desired.sets.is_empty() {
        return Vec::new();
    }
    let untouched =
        |record: &&Record| desired.is_on_line(record) && !operations.iter().any(|o| o.touches(record));
    let here: Vec<&Record> = seen.records.iter().filter(untouched).collect();
    match desired.scope {
        Scope::Member => here.into_iter().filter_map(|record| shared(desired, record)).collect(),
        Scope::Whole => held(desired, &here, operations),
    }
}

/// A record that this writer begins to share, or ceases to.
fn shared(desired: &Desired, record: &Record) -> Option<Operation> {
    let mut remark = Remark::of(&record.remark)?;
    let spoken = |rdata: &Rdata| desired.speaks_of(rdata.record_type());
    if desired.wants(&record.rdata) {
        remark.owners.insert(desired.owner.clone());
    } else if spoken(&record.rdata) && remark.owners.len() > 1 {
        remark.owners.remove(&desired.owner);
    }
    mark(record, remark)
}

/// The records of the whole set that are not marked yet. A plan that only deletes marks one that stays with the number
/// of the decision, so that an older one does not bring back what it took away.
fn held(desired: &Desired, here: &[&Record], operations: &[Operation]) -> Vec<Operation> {
    let stays: Vec<(&Record, Remark)> = here
        .iter()
        .filter(|record| desired.wants(&record.rdata))
        .filter_map(|record| Some((*record, Remark::of(&record.remark)?)))
        .collect();
    let ours = |remark: &Remark| remark.holder.as_ref() == Some(&desired.owner);
    let unmarked = stays.iter().filter(|(_, remark)| !ours(remark));
    let mut marks: Vec<Operation> =
        unmarked.filter_map(|(record, _)| mark(record, claimed(desired, BTreeSet::new()))).collect();
    let numbered =
        |o: &Operation| matches!(o, Operation::Modify { remark: Some(_), .. } | Operation::Create { .. });
    if !operations.is_empty() && !operations.iter().any(numbered) && marks.is_empty() {
        let first = stays.first().and_then(|(record, _)| mark(record, claimed(desired, BTreeSet::new())));
        marks.extend(first);
    }
    marks
}

fn mark(record: &Record, remark: Remark) -> Option<Operation> {
    let remark = different(record, remark)?;
    (remark != Remark::default().to_string()).then(|| Operation::Mark { record: record.clone(), remark })
}

impl Operation {
    /// Whether this is a change of `record`.
    fn touches(&self, record: &Record) -> bool {
        match self {
            Operation::Modify { from: touched, .. }
            | Operation::Mark { record: touched, .. }
            | Operation::Delete { expect: touched } => touched == record,
            Operation::Create { .. } => false,
        }
    }
}
