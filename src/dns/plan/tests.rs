mod crash;

use proptest::prelude::*;

use super::*;
use crate::dns::snapshot::TxtMarks;

const NAME: &str = "www.example.com";

fn rdata(text: &str) -> Rdata {
    text.parse().unwrap()
}

fn record(text: &str, ttl: u32) -> Record {
    Record::new(rdata(text), Ttl::from_secs(ttl))
}

fn seen(records: &[&str], marks: &[&str]) -> Snapshot {
    let records = records.iter().map(|text| record(text, 60)).collect();
    let marks = marks.iter().map(|text| TxtData::new([text.as_bytes().to_vec()])).collect();
    Snapshot::with_txt_marks(NAME.parse().unwrap(), records, TxtMarks { records: marks, ttl: None })
}

fn sets(members: &[&str]) -> Vec<RdataSet> {
    let all: BTreeSet<Rdata> = members.iter().map(|text| rdata(text)).collect();
    let of = |kind| RdataSet::new(all.iter().filter(|r| r.record_type() == kind).cloned()).ok();
    [RecordType::A, RecordType::Aaaa, RecordType::Cname].into_iter().filter_map(of).collect()
}

fn desired(scope: Scope, owner: &str, members: &[&str]) -> Desired {
    Desired {
        name: NAME.parse().unwrap(),
        owner: Owner::new(owner),
        ttl: Ttl::from_secs(60),
        epoch: None,
        scope,
        lines: BTreeSet::new(),
        sets: sets(members),
        retire: BTreeSet::new(),
        mine: BTreeSet::new(),
    }
}

fn member(members: &[&str]) -> Desired {
    desired(Scope::Member, "pi1", members)
}

fn whole(members: &[&str]) -> Desired {
    desired(Scope::Whole, "watcher", members)
}

fn lines(ids: &[&str]) -> BTreeSet<Line> {
    ids.iter().map(|id| Line((*id).to_owned())).collect()
}

/// Records with their line and their remark, at a provider that has lines.
fn on_lines(records: &[(&str, &str, &str)]) -> Snapshot {
    let on_line = |(text, line, remark): &(&str, &str, &str)| Record {
        line: Some(Line((*line).to_owned())),
        remark: (*remark).to_owned(),
        ..Record::new(rdata(text), Ttl::from_secs(60))
    };
    let records = records.iter().map(on_line).collect();
    let default_line = Some(Line("0".to_owned()));
    Snapshot { default_line, ..Snapshot::with_remarks(NAME.parse().unwrap(), records) }
}

fn operations(desired: &Desired, seen: &Snapshot) -> Vec<String> {
    plan(desired, seen).unwrap().operations().iter().map(Operation::to_string).collect()
}

type Texts = &'static [&'static str];

const HELD: &str = "hearth=1 owner=watcher";
const PI1: &str = "hearth=1 owner=pi1 A=192.0.2.1";
const PI2: &str = "hearth=1 owner=pi2 A=192.0.2.2";

#[test]
fn each_difference_becomes_the_smallest_change() {
    let (w, m) = (whole as fn(&[&str]) -> Desired, member as fn(&[&str]) -> Desired);
    // What is wanted, what stands, the marks, the changes.
    #[rustfmt::skip]
    let table: &[(Desired, Texts, Texts, Texts)] = &[
        (w(&["A 192.0.2.1"]), &[], &[], &["+ A 192.0.2.1 (TTL 60 s)"]),
        (w(&["A 192.0.2.1"]), &["A 192.0.2.1"], &[HELD], &[]),
        (w(&["A 192.0.2.2"]), &["A 192.0.2.1"], &[HELD], &["~ A 192.0.2.1 -> 192.0.2.2 (TTL 60 s)"]),
        (w(&["A 192.0.2.2"]), &["A 192.0.2.1", "A 192.0.2.3"], &[HELD],
            &["~ A 192.0.2.1 -> 192.0.2.2 (TTL 60 s)", "- A 192.0.2.3"]),
        (w(&["A 192.0.2.1"]), &["A 192.0.2.1", "A 192.0.2.3"], &[HELD], &["- A 192.0.2.3"]),
        (w(&["A 192.0.2.1", "A 192.0.2.2"]), &["A 192.0.2.9"], &[HELD],
            &["~ A 192.0.2.9 -> 192.0.2.1 (TTL 60 s)", "+ A 192.0.2.2 (TTL 60 s)"]),
        (w(&["A 192.0.2.1"]), &["A 192.0.2.1", "AAAA 2001:db8::1"], &[HELD], &[]),
        (w(&["CNAME a.example"]), &["CNAME b.example"], &[HELD], &["~ CNAME b.example -> a.example (TTL 60 s)"]),
        (m(&["A 192.0.2.1"]), &["A 192.0.2.2"], &[PI2], &["+ A 192.0.2.1 (TTL 60 s)"]),
        (m(&["A 192.0.2.5"]), &["A 192.0.2.1", "A 192.0.2.2", "A 192.0.2.3"], &[PI1, PI2],
            &["~ A 192.0.2.1 -> 192.0.2.5 (TTL 60 s)"]),
        (m(&["A 192.0.2.2"]), &["A 192.0.2.1", "A 192.0.2.2"], &[PI1, PI2], &["- A 192.0.2.1"]),
    ];
    for (desired, records, marks, expected) in table {
        assert_eq!(
            operations(desired, &seen(records, marks)),
            *expected,
            "{:?} on {records:?}",
            desired.sets
        );
    }
}

#[test]
fn two_nodes_behind_one_address_share_its_record() {
    let both = seen(&["A 192.0.2.1"], &[PI1, "hearth=1 owner=pi2 A=192.0.2.1"]);
    assert!(plan(&member(&["A 192.0.2.1"]), &both).unwrap().is_empty());
    assert_eq!(operations(&member(&["A 192.0.2.5"]), &both), ["+ A 192.0.2.5 (TTL 60 s)"]);
}

#[test]
fn a_record_that_already_says_what_we_want_is_taken_over_by_its_mark_alone() {
    let plan = plan(&member(&["A 192.0.2.1"]), &seen(&["A 192.0.2.1"], &[])).unwrap();
    assert_eq!(plan.operations(), []);
    assert_eq!(plan.mark().unwrap().add.to_string(), format!("\"{PI1}\""));
}

#[test]
fn without_marks_a_member_is_ours_when_we_remember_it() {
    let name: Name = NAME.parse().unwrap();
    let bare = Snapshot::unmarked(name, vec![record("A 192.0.2.1", 60), record("A 192.0.2.2", 60)]);
    let remembering = Desired { mine: BTreeSet::from([rdata("A 192.0.2.1")]), ..member(&["A 192.0.2.5"]) };
    assert_eq!(operations(&remembering, &bare), ["~ A 192.0.2.1 -> 192.0.2.5 (TTL 60 s)"]);
    assert_eq!(operations(&member(&["A 192.0.2.5"]), &bare), ["+ A 192.0.2.5 (TTL 60 s)"]);
    assert!(plan(&remembering, &bare).unwrap().mark().is_none());
}

#[test]
fn what_we_remember_does_not_overrule_the_mark_of_another() {
    let theirs = seen(&["A 192.0.2.2"], &[PI2]);
    let wrong = Desired { mine: BTreeSet::from([rdata("A 192.0.2.2")]), ..member(&["A 192.0.2.5"]) };
    assert_eq!(operations(&wrong, &theirs), ["+ A 192.0.2.5 (TTL 60 s)"]);
}

#[test]
fn beside_members_of_others_their_ttl_stands() {
    let mut shared = seen(&["A 192.0.2.2"], &[PI2]);
    shared.records[0].ttl = Ttl::from_secs(600);
    assert_eq!(operations(&member(&["A 192.0.2.1"]), &shared), ["+ A 192.0.2.1 (TTL 600 s)"]);
}

#[test]
fn a_ttl_that_is_not_the_wanted_one_is_changed_where_the_set_is_ours() {
    let mut ours = seen(&["A 192.0.2.1"], &[PI1]);
    ours.records[0].ttl = Ttl::from_secs(600);
    assert_eq!(operations(&member(&["A 192.0.2.1"]), &ours), ["~ A 192.0.2.1 (TTL 600 s -> 60 s)"]);
}

#[test]
fn a_type_goes_only_when_it_is_named_and_another_stays() {
    let both = seen(&["A 192.0.2.1", "AAAA 2001:db8::1"], &[HELD]);
    let retiring =
        |members: &[&str]| Desired { retire: BTreeSet::from([RecordType::Aaaa]), ..whole(members) };
    assert_eq!(operations(&whole(&["A 192.0.2.1"]), &both), [""; 0]);
    assert_eq!(operations(&retiring(&["A 192.0.2.1"]), &both), ["- AAAA 2001:db8::1"]);
    assert_eq!(plan(&retiring(&[]), &both).unwrap_err(), PlanError::NothingLeft(NAME.parse().unwrap()));
}

#[test]
fn a_member_leaves_only_where_another_stands() {
    let leaving = Desired { retire: BTreeSet::from([RecordType::A]), ..member(&[]) };
    let both = seen(&["A 192.0.2.1", "A 192.0.2.2"], &[PI1, PI2]);
    assert_eq!(operations(&leaving, &both), ["- A 192.0.2.1"]);
    let unmarked = seen(&["A 192.0.2.1", "A 192.0.2.9"], &[PI1]);
    assert_eq!(operations(&leaving, &unmarked), ["- A 192.0.2.1"], "whoever the other is");
    let nothing_left = Err(PlanError::NothingLeft(NAME.parse().unwrap()));
    for alone in [&["A 192.0.2.1"][..], &["A 192.0.2.1", "AAAA 2001:db8::1"], &[]] {
        assert_eq!(plan(&leaving, &seen(alone, &[PI1])), nothing_left, "{alone:?}");
    }
    let shared = seen(&["A 192.0.2.1", "A 192.0.2.2"], &[PI1, PI2, "hearth=1 owner=pi3 A=192.0.2.1"]);
    assert_eq!(operations(&leaving, &shared), [""; 0], "what is somebody else's as well stays");
}

#[test]
fn no_set_is_no_change() {
    assert!(plan(&whole(&[]), &seen(&["A 192.0.2.1"], &[])).unwrap().is_empty());
}

#[test]
fn another_line_is_somebody_elses() {
    let abroad = on_lines(&[("A 192.0.2.1", "3=0", HELD)]);
    let ours = Desired { lines: lines(&["0"]), ..whole(&["A 192.0.2.5"]) };
    for desired in [ours.clone(), Desired { lines: lines(&[]), ..ours }] {
        assert_eq!(operations(&desired, &abroad), ["+ A 192.0.2.5 (TTL 60 s, line 0)"]);
        assert_eq!(plan(&desired, &abroad).unwrap().foreign().len(), 1);
    }
}

#[test]
fn the_same_comes_to_stand_on_every_line_that_is_named_and_no_other_is_touched() {
    let seen = on_lines(&[
        ("A 192.0.2.1", "0", "hearth=1 holder=watcher epoch=3"),
        ("A 192.0.2.7", "3=0", "hearth=1 holder=watcher epoch=3"),
        ("A 192.0.2.9", "10=1", "somebody else's"),
    ]);
    let both = Desired { lines: lines(&["0", "3=0", "7=0"]), epoch: Some(4), ..whole(&["A 192.0.2.1"]) };
    assert_eq!(
        operations(&both, &seen),
        ["~ A 192.0.2.7 -> 192.0.2.1 (TTL 60 s, line 3=0)", "+ A 192.0.2.1 (TTL 60 s, line 7=0)"]
    );
    assert_eq!(plan(&both, &seen).unwrap().foreign().len(), 1);
    let old = Desired { epoch: Some(2), ..both.clone() };
    assert!(matches!(plan(&old, &seen), Err(PlanError::Superseded { seen: 3, ours: 2, .. })));
    let elsewhere = Snapshot { default_line: None, ..seen };
    assert_eq!(plan(&both, &elsewhere), Err(PlanError::NoLines(NAME.parse().unwrap())));
}

#[test]
fn a_member_does_not_leave_a_line_empty_because_somebody_else_stands_on_another() {
    let leaving = Desired { retire: BTreeSet::from([RecordType::A]), ..member(&[]) };
    let pi1 = ("A 192.0.2.1", "0", "hearth=1 owner=pi1");
    let alone = on_lines(&[pi1, ("A 192.0.2.2", "3=0", "hearth=1 owner=pi2")]);
    assert_eq!(plan(&leaving, &alone), Err(PlanError::NothingLeft(NAME.parse().unwrap())));
    let shared = on_lines(&[pi1, ("A 192.0.2.2", "0", "hearth=1 owner=pi2")]);
    assert_eq!(operations(&leaving, &shared), ["- A 192.0.2.1 (line 0)"]);
}

#[test]
fn what_no_change_can_reach_says_what_a_person_can_do() {
    let error = |desired: &Desired, records: &[&str], marks: &[&str]| {
        plan(desired, &seen(records, marks)).unwrap_err().to_string()
    };
    let a = whole(&["A 192.0.2.1"]);
    let mixed = whole(&["A 192.0.2.1", "CNAME a.example"]);
    let twice = Desired { sets: vec![a.sets[0].clone(), a.sets[0].clone()], ..a.clone() };
    let old = Desired { epoch: Some(3), ..a.clone() };
    let other = Desired { name: "other.example.com".parse().unwrap(), ..a.clone() };
    #[rustfmt::skip]
    let table = [
        (error(&a, &["CNAME b.example"], &[]), "remove the CNAME by hand"),
        (error(&whole(&["CNAME a.example"]), &["AAAA 2001:db8::1"], &[]), "has AAAA records"),
        (error(&mixed, &[], &[]), "ask for one or the other"),
        (error(&member(&["CNAME a.example"]), &[], &[]), "cannot be shared"),
        (error(&twice, &[], &[]), "asked for twice"),
        (error(&old, &[], &["hearth=1 owner=watcher epoch=4"]), "decision 4 is in force"),
        (error(&a, &[], &["hearth=1 owner=other epoch=4"]), "written by `other`"),
        (error(&member(&["A 192.0.2.1"]), &[], &[HELD]), "written by `watcher`"),
        (error(&other, &[], &[]), "www.example.com was read"),
    ];
    for (message, expected) in table {
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn a_decision_is_marked_with_its_number_and_an_unchanged_record_is_not_written_for_it() {
    let at = |epoch, members: &[&str]| Desired { epoch: Some(epoch), ..whole(members) };
    let stands = seen(&["A 192.0.2.1"], &["hearth=1 owner=watcher epoch=4"]);
    assert!(plan(&at(5, &["A 192.0.2.1"]), &stands).unwrap().is_empty());
    let change = plan(&at(5, &["A 192.0.2.2"]), &stands).unwrap();
    assert_eq!(change.mark().unwrap().add.to_string(), "\"hearth=1 owner=watcher epoch=5\"");
    assert_eq!(change.mark().unwrap().remove.len(), 1);
}

#[test]
fn a_mark_keeps_members_of_a_type_that_the_plan_does_not_speak_about() {
    let both =
        seen(&["A 192.0.2.1", "AAAA 2001:db8::1"], &["hearth=1 owner=pi1 A=192.0.2.1 AAAA=2001:db8::1"]);
    let change = plan(&member(&["A 192.0.2.5"]), &both).unwrap();
    assert_eq!(change.mark().unwrap().add.to_string(), "\"hearth=1 owner=pi1 A=192.0.2.5 AAAA=2001:db8::1\"");
}

#[test]
fn a_plan_reads_as_a_difference() {
    let text = plan(&member(&["A 192.0.2.5"]), &seen(&["A 192.0.2.1", "A 192.0.2.2"], &[PI1, PI2])).unwrap();
    assert_eq!(
        text.to_string(),
        "www.example.com\n  \
         ~ A 192.0.2.1 -> 192.0.2.5 (TTL 60 s)\n  \
         ~ mark \"hearth=1 owner=pi1 A=192.0.2.5\"\n  \
         = A 192.0.2.2 (not pi1's, left alone)"
    );
    let nothing = plan(&whole(&["A 192.0.2.1"]), &seen(&["A 192.0.2.1"], &[HELD])).unwrap();
    assert_eq!(nothing.to_string(), "www.example.com\n  nothing to do");
}

/// What stands after an operation; panics when the operation does not fit what stands.
fn after(mut seen: Snapshot, operation: &Operation) -> Snapshot {
    let place = |seen: &Snapshot, record: &Record| seen.records.iter().position(|r| r == record).unwrap();
    let kept = |old: &Record, remark: &Option<String>| remark.clone().unwrap_or(old.remark.clone());
    match operation {
        Operation::Modify { from, to, ttl, remark } => {
            let at = place(&seen, from);
            let (rdata, remark) = (to.clone(), kept(from, remark));
            seen.records[at] = Record { rdata, ttl: *ttl, remark, owners: BTreeSet::new(), ..from.clone() };
        }
        Operation::Create { rdata, ttl, line, remark } => {
            let (line, remark) = (line.clone(), remark.clone().unwrap_or_default());
            seen.records.push(Record { line, remark, ..Record::new(rdata.clone(), *ttl) });
        }
        Operation::Mark { record, remark } => {
            let at = place(&seen, record);
            seen.records[at].remark = remark.clone();
        }
        Operation::Delete { expect } => {
            let at = place(&seen, expect);
            seen.records.remove(at);
        }
    }
    seen
}

/// What is read after the whole plan has landed.
fn landed(plan: &Plan) -> Snapshot {
    let end = plan.operations().iter().fold(plan.seen().clone(), after);
    let mut marks = plan.seen().txt_marks().cloned().unwrap_or_default();
    if let Some(change) = plan.mark() {
        marks.records.retain(|txt| !change.remove.contains(txt));
        marks.records.push(change.add.clone());
    }
    let bare = |mut r: Record| {
        r.owners.clear();
        r
    };
    Snapshot::with_txt_marks(end.name, end.records.into_iter().map(bare).collect(), marks)
}

fn addresses(max: usize) -> impl Strategy<Value = BTreeSet<Rdata>> {
    let one = prop_oneof![
        (1..7u8).prop_map(|n| rdata(&format!("A 192.0.2.{n}"))),
        (1..5u8).prop_map(|n| rdata(&format!("AAAA 2001:db8::{n}"))),
    ];
    prop::collection::btree_set(one, 0..=max)
}

fn sets_of(members: &BTreeSet<Rdata>) -> Vec<RdataSet> {
    let texts: Vec<String> = members.iter().map(Rdata::to_string).collect();
    sets(&texts.iter().map(String::as_str).collect::<Vec<_>>())
}

prop_compose! {
    fn situation()(
        standing in addresses(6), pi1 in addresses(4), pi2 in addresses(4), wanted in addresses(4), mine in addresses(3),
        scope in prop_oneof![Just(Scope::Member), Just(Scope::Whole)], ttl in 1..4u32, theirs in 1..4u32, go in any::<bool>(),
    ) -> (Desired, Snapshot) {
        let mark = |owner: &str, held: BTreeSet<Rdata>| {
            TxtData::from(&Mark { owner: Owner::new(owner), holds: Holds::Members(held), epoch: None })
        };
        let marks = TxtMarks { records: vec![mark("pi1", pi1), mark("pi2", pi2)], ttl: None };
        let records = standing.iter().map(|r| record(&r.to_string(), theirs)).collect();
        let seen = Snapshot::with_txt_marks(NAME.parse().unwrap(), records, marks);
        let sets = sets_of(&wanted);
        let only_a = sets.len() == 1 && sets[0].record_type() == RecordType::A;
        let retire = if go && only_a { BTreeSet::from([RecordType::Aaaa]) } else { BTreeSet::new() };
        (Desired { ttl: Ttl::from_secs(ttl), sets, mine, retire, scope, ..member(&[]) }, seen)
    }
}

proptest! {
    #[test]
    fn no_prefix_of_a_plan_leaves_a_set_empty((desired, seen) in situation()) {
        let mut now = seen.clone();
        for operation in plan(&desired, &seen).unwrap().operations() {
            let before: BTreeSet<_> = now.records.iter().map(|r| r.rdata.record_type()).collect();
            now = after(now, operation);
            prop_assert!(!now.records.is_empty());
            for kind in before.into_iter().filter(|kind| !desired.retire.contains(kind)) {
                prop_assert!(now.rrset(kind).count() > 0, "{kind} is empty after {operation}");
            }
        }
    }

    #[test]
    fn members_of_others_are_the_same_at_every_step((desired, seen) in situation()) {
        let plan = plan(&desired, &seen).unwrap();
        let foreign = |now: &Snapshot| plan.foreign().iter().all(|r| now.records.contains(r));
        let pi2 = |r: &&Record| desired.scope == Scope::Member && r.owners.contains(&Owner::new("pi2"));
        prop_assert!(seen.records.iter().filter(pi2).all(|r| plan.foreign().contains(r)));
        let mut now = seen.clone();
        for operation in plan.operations() {
            now = after(now, operation);
            prop_assert!(foreign(&now), "after {operation}");
        }
    }

    #[test]
    fn a_plan_that_landed_leaves_nothing_to_do((desired, seen) in situation()) {
        let first = plan(&desired, &seen).unwrap();
        let now = landed(&first);
        prop_assert!(desired.sets.iter().flat_map(RdataSet::iter).all(|w| now.records.iter().any(|r| r.rdata == *w)));
        let again = plan(&desired, &now).unwrap();
        prop_assert!(again.is_empty(), "{first}\nthen\n{again}");
    }
}
