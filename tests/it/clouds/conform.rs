//! What every provider must do. Each test is one line of the list; a service that has no such thing says why.

use std::collections::BTreeSet;
use std::time::Duration;

use hearth::dns::change::{ChangeError, Confirmed, Outcome};
use hearth::dns::guard::Setback;
use hearth::dns::plan::{Desired, PlanError, plan};
use hearth::dns::provider::{Atomic, Lines, ProviderError};
use hearth::dns::snapshot::Line;

use super::rig::{Can, Rig, Stand, member, name, now, ours, row, whole};
use crate::support::vendor::Row;
use crate::support::vendor::serve::{Fault, Hits};

/// One test for each line of the list.
macro_rules! all {
    ($module:ident, $stand:ident) => {
        mod $module {
            use super::conform as list;
            use super::$stand as Stand;

            $crate::clouds::conform::each! { Stand, list;
                a_missing_record_is_created
                a_record_is_changed_in_place
                what_stands_is_not_written_again
                a_second_owners_member_is_untouched
                another_line_and_another_type_are_untouched
                the_lines_that_are_named_are_written_and_no_others
                what_is_kept_of_a_record_is_kept_by_a_change
                a_cname_is_exchanged_in_place
                wrong_credentials_are_tried_once
                an_unknown_zone_is_said_to_be_one
                a_cname_in_the_way_is_left_alone
                a_cname_that_came_in_between_is_a_conflict
                every_page_is_read
                too_many_calls_wait_as_long_as_the_service_asks
                a_change_whose_answer_is_lost_is_read_back_and_not_repeated
                a_creation_whose_answer_is_lost_is_not_repeated
                an_answer_that_is_none_changes_nothing
                a_plan_that_is_cut_short_leaves_the_name_served_and_is_finished_later
                an_answer_that_repeats_the_request_shows_no_secret
                a_request_that_arrives_twice_does_no_harm
                the_capabilities_are_as_the_service_is
            }
        }
    };
}

macro_rules! each {
    ($stand:ident, $list:ident; $($line:ident)+) => {
        $(#[test]
        fn $line() {
            if !<$stand as $crate::clouds::rig::Stand>::left_out() {
                $list::$line::<$stand>();
            }
        })+
    };
}

pub(crate) use {all, each};

/// Whether a service lacks something; then it says why.
fn lacks<S: Stand>(what: Can) -> bool {
    let reason = S::lacks(what);
    if let Some(reason) = reason {
        assert!(reason.len() > 10, "{reason}");
    }
    reason.is_some()
}

#[track_caller]
fn landed(outcome: Result<Outcome, ChangeError>) -> Confirmed {
    match outcome {
        Ok(Outcome::Landed { confirmed, .. }) => confirmed,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn unpunished<S: Stand>(rig: &Rig<S>) {
    assert_eq!(rig.penalties(), [] as [&str; 0]);
}

fn set(values: &[&str]) -> BTreeSet<String> {
    values.iter().map(|v| (*v).to_owned()).collect()
}

pub(super) fn a_missing_record_is_created<S: Stand>() {
    let rig = Rig::<S>::new();
    assert_eq!(landed(rig.change(&member::<S>(&["A 192.0.2.1", "AAAA 2001:db8::1"]))), Confirmed::Answered);
    assert_eq!((rig.values("A"), rig.values("AAAA")), (set(&["192.0.2.1"]), set(&["2001:db8::1"])));
    if S::lacks(Can::Share).is_none() {
        let seen = rig.observe().unwrap();
        assert!(seen.records.iter().all(|r| r.owners.iter().map(|o| o.as_str()).eq(["pi1"])), "{seen:?}");
    }
    unpunished(&rig);
}

pub(super) fn a_record_is_changed_in_place<S: Stand>() {
    let rig = Rig::<S>::new();
    landed(rig.change(&member::<S>(&["A 192.0.2.1"])));
    let before = rig.rows();
    rig.pass(Duration::from_secs(120));
    landed(rig.change(&member::<S>(&["A 192.0.2.9"])));
    let mine: Vec<Row> = rig.rows().into_iter().filter(|r| r.kind == "A").collect();
    let was = before.iter().find(|r| r.kind == "A").unwrap();
    assert_eq!(mine, [Row { value: "192.0.2.9".to_owned(), ..was.clone() }]);
    unpunished(&rig);
}

pub(super) fn what_stands_is_not_written_again<S: Stand>() {
    let rig = Rig::<S>::new();
    let wanted = member::<S>(&["A 192.0.2.1", "AAAA 2001:db8::1"]);
    landed(rig.change(&wanted));
    rig.served.fail(None);
    for _ in 0..10 {
        rig.pass(Duration::from_secs(60));
        assert!(matches!(rig.change(&wanted), Ok(Outcome::Unchanged { .. })));
    }
    assert_eq!(rig.served.asked().0, 0);
    unpunished(&rig);
}

pub(super) fn a_second_owners_member_is_untouched<S: Stand>() {
    if lacks::<S>(Can::Share) {
        return;
    }
    let rig = Rig::<S>::new();
    let second = hearth::dns::Owner::new("pi2");
    landed(rig.change(&Desired { owner: second, ..member::<S>(&["A 192.0.2.2"]) }));
    let theirs = || rig.rows().into_iter().filter(|r| r.value == "192.0.2.2").collect::<Vec<Row>>();
    let before = theirs();
    rig.pass(Duration::from_secs(2));
    landed(rig.change(&member::<S>(&["A 192.0.2.1"])));
    rig.pass(Duration::from_secs(120));
    landed(rig.change(&member::<S>(&["A 192.0.2.9"])));
    assert_eq!(theirs(), before);
    assert_eq!(rig.values("A"), set(&["192.0.2.2", "192.0.2.9"]));
    unpunished(&rig);
}

pub(super) fn another_line_and_another_type_are_untouched<S: Stand>() {
    let rig = Rig::<S>::new();
    rig.put([row::<S>("TXT", "\"v=spf1 -all\"")]);
    if !lacks::<S>(Can::Lines) {
        rig.put([Row { line: S::LINES[1].to_owned(), ..ours::<S>("A", "192.0.2.77") }]);
    }
    let foreign = rig.rows();
    landed(rig.change(&member::<S>(&["A 192.0.2.1", "AAAA 2001:db8::1"])));
    rig.pass(Duration::from_secs(120));
    landed(rig.change(&member::<S>(&["A 192.0.2.9"])));
    let rows = rig.rows();
    assert!(foreign.iter().all(|row| rows.contains(row)), "{foreign:?} in {rows:?}");
    assert_eq!((rig.values("A"), rig.values("AAAA")), (set(&["192.0.2.9"]), set(&["2001:db8::1"])));
}

pub(super) fn the_lines_that_are_named_are_written_and_no_others<S: Stand>() {
    let lines = S::LINES.map(|line| Line(line.to_owned()));
    let on = |lines: &[Line], wanted: &str| Desired {
        lines: lines.iter().cloned().collect(),
        ..member::<S>(&[wanted])
    };
    let rig = Rig::<S>::new();
    if lacks::<S>(Can::Lines) {
        let refused = rig.change(&on(&lines, "A 192.0.2.1"));
        assert!(matches!(refused, Err(ChangeError::Plan(PlanError::NoLines(_)))), "{refused:?}");
        assert_eq!(rig.served.asked().0, 0);
        return;
    }
    rig.put([row::<S>("A", "192.0.2.77")]);
    let foreign = rig.rows();
    landed(rig.change(&on(&lines[1..], "A 192.0.2.1")));
    assert_eq!(rig.values("A"), set(&["192.0.2.77"]), "the line for everybody is somebody else's");
    rig.pass(Duration::from_secs(120));
    landed(rig.change(&on(&lines[1..], "A 192.0.2.9")));
    rig.pass(Duration::from_secs(120));
    landed(rig.change(&on(&lines, "A 192.0.2.9")));
    let rows = rig.rows();
    let ours = |line: &str| rows.iter().filter(|r| r.line == line && r.value == "192.0.2.9").count();
    assert_eq!(S::LINES.map(ours), [1, 1], "{rows:?}");
    assert!(rows.contains(&foreign[0]) && rows.len() == 3, "{rows:?}");
    assert!(matches!(rig.change(&on(&lines, "A 192.0.2.9")), Ok(Outcome::Unchanged { .. })));
    unpunished(&rig);
}

pub(super) fn what_is_kept_of_a_record_is_kept_by_a_change<S: Stand>() {
    if lacks::<S>(Can::Weights) {
        return;
    }
    let rig = Rig::<S>::new();
    rig.put([Row { weight: Some(20), remark: "the old server".to_owned(), ..row::<S>("A", "192.0.2.1") }]);
    let before = rig.rows();
    let mine = ["A 192.0.2.1".parse().unwrap()].into();
    landed(rig.change(&Desired { mine, ..member::<S>(&["A 192.0.2.9"]) }));
    assert_eq!(rig.rows(), [Row { value: "192.0.2.9".to_owned(), ..before[0].clone() }]);
}

pub(super) fn a_cname_is_exchanged_in_place<S: Stand>() {
    if lacks::<S>(Can::Alias) {
        return;
    }
    let rig = Rig::<S>::new();
    landed(rig.change(&whole::<S>(&["CNAME pi1.example.com"])));
    let before: Vec<u64> = rig.rows().iter().map(|r| r.id).collect();
    rig.pass(Duration::from_secs(120));
    landed(rig.change(&whole::<S>(&["CNAME user.github.io"])));
    assert_eq!(rig.values("CNAME"), set(&["user.github.io"]));
    assert_eq!(rig.rows().iter().map(|r| r.id).collect::<Vec<u64>>(), before);
    unpunished(&rig);
}

pub(super) fn wrong_credentials_are_tried_once<S: Stand>() {
    let rig = Rig::<S>::new();
    let settings = S::with_wrong_secret(S::settings(&rig.served));
    let rig = rig.beside(&settings);
    let error = rig.change(&member::<S>(&["A 192.0.2.1"])).unwrap_err();
    let stops = if lacks::<S>(Can::TellKey) { Setback::Refused } else { Setback::Auth };
    assert_eq!(error.setback(), stops, "{error}");
    let (writes, reads) = rig.served.asked();
    assert_eq!(if lacks::<S>(Can::AskForKey) { writes } else { writes + reads }, 1);
    for words in
        [format!("{error}"), format!("{error:?}"), format!("{:?}", rig.provider), format!("{settings:?}")]
    {
        assert!(!words.contains("wrong-secret"), "{words}");
    }
}

pub(super) fn an_unknown_zone_is_said_to_be_one<S: Stand>() {
    if lacks::<S>(Can::Zones) {
        return;
    }
    let rig = Rig::<S>::new();
    let settings = S::with_unknown_zone(S::settings(&rig.served));
    let rig = rig.beside(&settings);
    let seen = rig.observe();
    assert!(matches!(seen, Err(ProviderError::NotAuthoritative { .. })), "{seen:?}");
}

pub(super) fn a_cname_in_the_way_is_left_alone<S: Stand>() {
    if lacks::<S>(Can::Alias) {
        return;
    }
    let rig = Rig::<S>::new();
    rig.put([row::<S>("CNAME", "user.github.io.")]);
    let before = rig.rows();
    let refused = rig.change(&member::<S>(&["A 192.0.2.1"]));
    assert!(matches!(refused, Err(ChangeError::Plan(PlanError::CnameInTheWay { .. }))), "{refused:?}");
    assert_eq!((rig.rows(), rig.served.asked().0), (before, 0));
}

pub(super) fn a_cname_that_came_in_between_is_a_conflict<S: Stand>() {
    if lacks::<S>(Can::Alias) {
        return;
    }
    let rig = Rig::<S>::new();
    let plan = plan(&member::<S>(&["A 192.0.2.1"]), &rig.observe().unwrap()).unwrap();
    rig.put([row::<S>("CNAME", "user.github.io.")]);
    let refused = rig.apply(&plan);
    assert!(matches!(refused, Err(ProviderError::Conflict { .. })), "{refused:?}");
    assert_eq!((rig.values("A"), rig.values("CNAME")), (set(&[]), set(&["user.github.io"])));
}

pub(super) fn every_page_is_read<S: Stand>() {
    if lacks::<S>(Can::Pages) {
        return;
    }
    let rig = Rig::<S>::new();
    rig.put([row::<S>("A", "192.0.2.1"), row::<S>("A", "192.0.2.2"), row::<S>("AAAA", "2001:db8::1")]);
    rig.served.with(S::one_a_page);
    assert_eq!(rig.observe().unwrap().records.len(), 3);
    rig.served.fail(None);
    rig.observe().unwrap();
    assert!(rig.served.asked().1 >= 3, "{:?}", rig.served.asked());
}

pub(super) fn too_many_calls_wait_as_long_as_the_service_asks<S: Stand>() {
    if lacks::<S>(Can::Throttle) {
        return;
    }
    let rig = Rig::<S>::new();
    rig.served.with(|service| S::exhaust(service, now()));
    rig.served.fail(None);
    let error = rig.change(&member::<S>(&["A 192.0.2.1"])).unwrap_err();
    let Setback::Wait(wait) = error.setback() else { panic!("{error:?}") };
    assert!(wait > Duration::ZERO && wait <= Duration::from_secs(3_600), "{wait:?}");
    assert!(rig.served.asked().0 <= 1, "{:?}", rig.served.asked());
    rig.pass(wait);
    landed(rig.change(&member::<S>(&["A 192.0.2.1"])));
}

pub(super) fn a_change_whose_answer_is_lost_is_read_back_and_not_repeated<S: Stand>() {
    for fault in [Fault::ApplyThenStall, Fault::ApplyThenCut, Fault::ApplyThenHalf] {
        let rig = Rig::<S>::new();
        landed(rig.change(&member::<S>(&["A 192.0.2.1"])));
        rig.pass(Duration::from_secs(120));
        rig.served.fail(Some((fault, Hits::WritesAfter(0))));
        assert_eq!(landed(rig.change(&member::<S>(&["A 192.0.2.9"]))), Confirmed::ReadBack, "{fault:?}");
        assert_eq!((rig.values("A"), rig.served.asked().0), (set(&["192.0.2.9"]), 1), "{fault:?}");
        unpunished(&rig);
    }
}

pub(super) fn a_creation_whose_answer_is_lost_is_not_repeated<S: Stand>() {
    for fault in [Fault::ApplyThenStall, Fault::ApplyThenCut, Fault::ApplyThenHalf] {
        let rig = Rig::<S>::new();
        rig.served.fail(Some((fault, Hits::WritesAfter(0))));
        let wanted = member::<S>(&["A 192.0.2.1"]);
        // Without its mark, or before the list shows it, the record does not stand as wanted yet.
        let first = rig.change(&wanted);
        let known = matches!(first, Ok(Outcome::Landed { .. }) | Err(ChangeError::Unconfirmed(_)));
        assert!(known, "{fault:?}: {first:?}");
        assert_eq!((rig.values("A"), rig.served.asked().0), (set(&["192.0.2.1"]), 1), "{fault:?}");
        rig.served.fail(None);
        rig.pass(Duration::from_secs(60));
        rig.change(&wanted).unwrap();
        assert_eq!(rig.values("A"), set(&["192.0.2.1"]), "{fault:?}");
        assert!(rig.rows().iter().filter(|r| r.kind == "A").count() == 1);
        unpunished(&rig);
    }
}

pub(super) fn an_answer_that_is_none_changes_nothing<S: Stand>() {
    for fault in [Fault::Garbage, Fault::Html, Fault::Broken, Fault::Cut, Fault::Stall] {
        let rig = Rig::<S>::new();
        landed(rig.change(&member::<S>(&["A 192.0.2.1"])));
        rig.pass(Duration::from_secs(120));
        let before = rig.rows();
        for hits in [Hits::All, Hits::WritesAfter(0)] {
            rig.served.fail(Some((fault, hits)));
            let failed = rig.change(&member::<S>(&["A 192.0.2.9"]));
            let error = failed.expect_err("nothing was changed");
            assert!(
                !matches!(error.setback(), Setback::Auth | Setback::Refused),
                "{fault:?} {hits:?}: {error}"
            );
            assert!(
                !error.to_string().contains("198.51.100.77")
                    || fault == Fault::Html
                    || fault == Fault::Garbage
            );
            assert!(rig.served.asked().0 <= 1, "{fault:?} {hits:?}");
            assert_eq!(rig.rows(), before, "{fault:?} {hits:?}");
            // Long enough for a change in doubt to show, had it been made.
            rig.pass(Duration::from_secs(2 * 3_600));
        }
        rig.served.fail(None);
        landed(rig.change(&member::<S>(&["A 192.0.2.9"])));
        assert_eq!(rig.values("A"), set(&["192.0.2.9"]));
        unpunished(&rig);
    }
}

pub(super) fn a_plan_that_is_cut_short_leaves_the_name_served_and_is_finished_later<S: Stand>() {
    let mut cuts = 0;
    for well in 0..4 {
        for fault in [Fault::Broken, Fault::ApplyThenCut] {
            let rig = Rig::<S>::new();
            landed(rig.change(&member::<S>(&["A 192.0.2.1"])));
            rig.pass(Duration::from_secs(120));
            rig.served.fail(Some((fault, Hits::WritesAfter(well))));
            let wanted = member::<S>(&["A 192.0.2.9", "AAAA 2001:db8::9"]);
            let first = rig.change(&wanted);
            cuts += usize::from(!matches!(first, Ok(Outcome::Landed { confirmed: Confirmed::Answered, .. })));
            assert_eq!(rig.values("A").len(), 1, "{well} {fault:?}: {first:?}");
            rig.served.fail(None);
            rig.pass(Duration::from_secs(2 * 3_600));
            rig.change(&wanted).unwrap();
            let there = (rig.values("A"), rig.values("AAAA"));
            assert_eq!(there, (set(&["192.0.2.9"]), set(&["2001:db8::9"])), "{well} {fault:?}");
            unpunished(&rig);
        }
    }
    assert!(cuts >= 2, "{cuts}");
}

pub(super) fn an_answer_that_repeats_the_request_shows_no_secret<S: Stand>() {
    for hits in [Hits::All, Hits::WritesAfter(0)] {
        let rig = Rig::<S>::new();
        rig.served.fail(Some((Fault::Echo, hits)));
        let error = rig.change(&member::<S>(&["A 192.0.2.1"])).expect_err("nothing was changed");
        for words in [format!("{error}"), format!("{error:?}")] {
            assert!(!words.contains("good-secret"), "{hits:?}: {words}");
        }
    }
}

pub(super) fn a_request_that_arrives_twice_does_no_harm<S: Stand>() {
    let rig = Rig::<S>::new();
    for wanted in ["A 192.0.2.1", "A 192.0.2.9"] {
        rig.served.fail(Some((Fault::Twice, Hits::WritesAfter(0))));
        let wanted = member::<S>(&[wanted]);
        // The second of the two may be refused, as a record that exists or a number that was used.
        let _ = rig.change(&wanted);
        rig.served.fail(None);
        rig.pass(Duration::from_secs(120));
        rig.change(&wanted).unwrap();
        assert_eq!(rig.rows().iter().filter(|r| r.kind == "A").count(), 1);
        assert!(matches!(rig.change(&wanted), Ok(Outcome::Unchanged { .. })));
        // The network's doing, and yet some count it: not twice in the hour for which they do.
        rig.pass(Duration::from_secs(2 * 3_600));
    }
}

pub(super) fn the_capabilities_are_as_the_service_is<S: Stand>() {
    let rig = Rig::<S>::new();
    let capabilities = rig.provider.capabilities();
    assert_eq!(capabilities.lines == Lines::ById, S::lacks(Can::Lines).is_none());
    assert_eq!(capabilities.atomic != Atomic::Record, S::lacks(Can::Together).is_none());
    assert_eq!(rig.observe().unwrap().name, name::<S>());
}
