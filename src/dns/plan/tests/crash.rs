//! A provider that makes one change at a time, and a writer that may be stopped after any of them, or lose the answer:
//! what visitors could see at any instant, and whether the next rounds get there.

use super::*;
use crate::dns::snapshot::RecordId;

/// What becomes of one operation.
#[derive(Clone, Copy, Debug)]
enum Fate {
    /// It takes effect and the writer hears of it.
    Applied,
    /// It takes effect and the answer is lost, or the writer dies right after: the next round begins.
    AppliedUnheard,
    /// It takes no effect; the next round begins.
    Lost,
}

/// The records of a provider with ids, lines and remarks.
#[derive(Clone, Debug)]
struct World {
    records: Vec<Record>,
    next_id: u32,
    remarks: Remarks,
}

/// Whether the provider keeps remarks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Remarks {
    Kept,
    No,
}

fn home() -> Option<Line> {
    Some(Line("0".to_owned()))
}

impl World {
    fn seen(&self) -> Snapshot {
        let name = NAME.parse().unwrap();
        let seen = match self.remarks {
            Remarks::Kept => Snapshot::with_remarks(name, self.records.clone()),
            Remarks::No => Snapshot::unmarked(name, self.records.clone()),
        };
        Snapshot { default_line: home(), ..seen }
    }

    /// One operation, by id, as an API has it.
    fn apply(&mut self, operation: &Operation) {
        let at =
            |world: &World, id: &Option<RecordId>| world.records.iter().position(|r| r.id == *id).unwrap();
        match operation {
            Operation::Modify { from, to, ttl, remark } => {
                let at = at(self, &from.id);
                let record = &mut self.records[at];
                (record.rdata, record.ttl) = (to.clone(), *ttl);
                record.remark.clone_from(remark.as_ref().unwrap_or(&from.remark));
            }
            Operation::Create { rdata, ttl, line, remark } => {
                self.next_id += 1;
                let id = Some(RecordId(self.next_id.to_string()));
                let (line, remark) = (line.clone(), remark.clone().unwrap_or_default());
                self.records.push(Record { id, line, remark, ..Record::new(rdata.clone(), *ttl) });
            }
            Operation::Mark { record, remark } => {
                let at = at(self, &record.id);
                self.records[at].remark.clone_from(remark);
            }
            Operation::Delete { expect } => {
                let at = at(self, &expect.id);
                self.records.remove(at);
            }
        }
    }

    fn types(&self) -> BTreeSet<RecordType> {
        self.records.iter().filter(|r| r.line == home()).map(|r| r.rdata.record_type()).collect()
    }
}

/// Who a standing record belongs to, before anything is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    Ours,
    Theirs,
    Shared,
    Unmarked,
    Person,
    OtherLine,
}

impl Whose {
    fn remark(self) -> &'static str {
        match self {
            Whose::Ours => "hearth=1 owner=pi1",
            Whose::Theirs => "hearth=1 owner=pi2",
            Whose::Shared => "hearth=1 owner=pi1 owner=pi2",
            Whose::Unmarked => "",
            Whose::Person | Whose::OtherLine => "do not touch",
        }
    }
}

fn whose() -> impl Strategy<Value = Whose> {
    use Whose::{OtherLine, Ours, Person, Shared, Theirs, Unmarked};
    prop::sample::select(vec![Ours, Ours, Theirs, Shared, Unmarked, Person, OtherLine])
}

prop_compose! {
    fn world()(
        standing in addresses(6), whose in prop::collection::vec(whose(), 6), kept in any::<bool>(), ttl in 1..3u32,
    ) -> (World, Vec<(Rdata, Whose)>) {
        let marked: Vec<(Rdata, Whose)> = standing.into_iter().zip(whose).collect();
        let one = |(n, (rdata, whose)): (usize, &(Rdata, Whose))| Record {
            id: Some(RecordId(format!("r{n}"))),
            line: if *whose == Whose::OtherLine { Some(Line("3=0".to_owned())) } else { home() },
            remark: if kept { whose.remark().to_owned() } else { String::new() },
            extras: [("weight".to_owned(), n.to_string())].into(),
            ..Record::new(rdata.clone(), Ttl::from_secs(ttl))
        };
        let remarks = if kept { Remarks::Kept } else { Remarks::No };
        (World { records: marked.iter().enumerate().map(one).collect(), next_id: 0, remarks }, marked)
    }
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![4 => Just(Fate::Applied), 1 => Just(Fate::AppliedUnheard), 1 => Just(Fate::Lost)]
}

/// What must stay exactly as it is, whatever happens to the writer.
fn foreign(world: &World, desired: &Desired) -> Vec<Record> {
    let ours = |r: &Record| {
        let unmarked = r.owners.is_empty() && (desired.mine.contains(&r.rdata) || desired.wants(&r.rdata));
        r.line == home() && (desired.scope == Scope::Whole || r.owners.contains(&desired.owner) || unmarked)
    };
    // A member that another writer has and we want as well is shared from then on: its remark alone may change.
    let wanted = |r: &Record| desired.wants(&r.rdata) && r.line == home();
    world.seen().records.into_iter().filter(|r| !ours(r) && !wanted(r)).collect()
}

/// The same record, whoever its owners were taken to be.
fn same(a: &Record, b: &Record) -> bool {
    let text = |r: &Record| {
        (r.id.clone(), r.rdata.clone(), r.ttl, r.line.clone(), r.remark.clone(), r.extras.clone())
    };
    text(a) == text(b)
}

proptest! {
    #[test]
    fn a_writer_that_is_stopped_anywhere_leaves_no_set_empty_and_nothing_foreign_changed(
        (world, _) in world(), wanted in addresses(3), mine in addresses(3), fates in prop::collection::vec(fate(), 24),
        scope in prop_oneof![Just(Scope::Member), Just(Scope::Whole)],
    ) {
        let desired = Desired { sets: sets_of(&wanted), mine, scope, ..member(&[]) };
        let mut mine = desired.mine.clone();
        mine.extend(wanted.clone());
        let held = foreign(&world, &desired);
        let (mut world, mut fates) = (world, fates.into_iter());
        for round in 0.. {
            prop_assert!(round < 40, "does not come to an end");
            // What was about to be written is remembered as ours before it is written.
            let desired = Desired { mine: if round == 0 { desired.mine.clone() } else { mine.clone() }, ..desired.clone() };
            let Ok(plan) = plan(&desired, &world.seen()) else { return Ok(()) };
            if plan.is_empty() {
                break;
            }
            for operation in plan.operations() {
                let fate = fates.next().unwrap_or(Fate::Applied);
                let types = world.types();
                if !matches!(fate, Fate::Lost) {
                    world.apply(operation);
                }
                prop_assert_eq!(types.difference(&world.types()).count(), 0, "a set went with {}", operation);
                for record in &held {
                    prop_assert!(world.records.iter().any(|r| same(r, record)), "{:?} went with {}", record, operation);
                }
                if !matches!(fate, Fate::Applied) {
                    break;
                }
            }
        }
        for set in &desired.sets {
            for rdata in set.iter() {
                let copies = world.records.iter().filter(|r| r.rdata == *rdata && r.line == home()).count();
                prop_assert_eq!(copies, 1, "{}", rdata);
            }
        }
    }

    #[test]
    fn at_most_one_record_for_each_writer_is_one_too_many_in_between(
        (world, marked) in world(), wanted in addresses(1),
    ) {
        let desired = Desired { sets: sets_of(&wanted), ..member(&[]) };
        let ours = marked.iter().filter(|(_, whose)| *whose == Whose::Ours).count();
        let Ok(plan) = plan(&desired, &world.seen()) else { return Ok(()) };
        let creates = plan.operations().iter().filter(|o| matches!(o, Operation::Create { .. })).count();
        let of_kind = |r: &Rdata| wanted.iter().any(|w| w.record_type() == r.record_type());
        let in_place = marked.iter().any(|(r, whose)| *whose == Whose::Ours && of_kind(r));
        // A plan with a limit of two records for two writers never needs a third.
        prop_assert!(world.remarks == Remarks::No || ours == 0 || !in_place || creates == 0, "{plan}");
    }
}

#[test]
fn marks_in_remarks_are_written_with_the_change_and_kept_by_the_next() {
    let mut world = World { records: Vec::new(), next_id: 0, remarks: Remarks::Kept };
    let decided = |epoch, members: &[&str]| Desired { epoch: Some(epoch), ..whole(members) };
    let round = |world: &mut World, desired: &Desired| {
        let plan = plan(desired, &world.seen()).unwrap();
        plan.operations().iter().for_each(|o| world.apply(o));
        plan.operations().iter().map(Operation::to_string).collect::<Vec<_>>()
    };
    let first = round(&mut world, &decided(4, &["A 192.0.2.1", "A 192.0.2.2"]));
    assert_eq!(first, ["+ A 192.0.2.1 (TTL 60 s, line 0)", "+ A 192.0.2.2 (TTL 60 s, line 0)"]);
    assert_eq!(round(&mut world, &decided(5, &["A 192.0.2.1", "A 192.0.2.2"])), [""; 0]);
    assert_eq!(
        round(&mut world, &decided(6, &["A 192.0.2.2"])),
        ["~ A 192.0.2.2 (remark \"hearth=1 holder=watcher epoch=6\", line 0)", "- A 192.0.2.1 (line 0)"]
    );
    let old = plan(&decided(5, &["A 192.0.2.1"]), &world.seen()).unwrap_err();
    assert!(matches!(old, PlanError::Superseded { seen: 6, ours: 5, .. }), "{old}");
}

#[test]
fn a_member_that_two_writers_share_is_left_to_the_other() {
    let shared = |remark: &str| Record {
        id: Some(RecordId("7".to_owned())),
        line: home(),
        remark: remark.to_owned(),
        ..record("A 192.0.2.1", 60)
    };
    let theirs = World { records: vec![shared("hearth=1 owner=pi2")], next_id: 0, remarks: Remarks::Kept };
    let joins = plan(&member(&["A 192.0.2.1"]), &theirs.seen()).unwrap();
    assert_eq!(
        joins.operations()[0].to_string(),
        "~ A 192.0.2.1 (remark \"hearth=1 owner=pi1 owner=pi2\", line 0)"
    );
    let both = World { records: vec![shared("hearth=1 owner=pi1 owner=pi2")], ..theirs };
    let leaves = plan(&member(&["A 192.0.2.9"]), &both.seen()).unwrap();
    let words: Vec<String> = leaves.operations().iter().map(Operation::to_string).collect();
    assert_eq!(
        words,
        ["+ A 192.0.2.9 (TTL 60 s, line 0)", "~ A 192.0.2.1 (remark \"hearth=1 owner=pi2\", line 0)"]
    );
}

#[test]
fn a_ttl_that_is_the_providers_is_left_and_one_below_its_minimum_is_raised() {
    let pinned = Record {
        ttl_choice: TtlChoice::Provider,
        remark: "hearth=1 owner=pi1".into(),
        ..record("A 192.0.2.1", 1)
    };
    let seen = Snapshot::with_remarks(NAME.parse().unwrap(), vec![pinned]);
    assert!(plan(&member(&["A 192.0.2.1"]), &seen).unwrap().is_empty());
    assert_eq!(operations(&member(&["A 192.0.2.2"]), &seen), ["~ A 192.0.2.1 -> 192.0.2.2 (TTL 1 s)"]);
    let least = Snapshot {
        min_ttl: Some(Ttl::from_secs(600)),
        ..Snapshot::with_remarks(NAME.parse().unwrap(), vec![])
    };
    assert_eq!(operations(&member(&["A 192.0.2.1"]), &least), ["+ A 192.0.2.1 (TTL 600 s)"]);
}
