//! What is particular to one service or another.

use std::time::Duration;

use hearth::dns::change::{ChangeError, Outcome};
use hearth::dns::guard::Setback;
use hearth::dns::plan::Desired;
use hearth::dns::provider::ProviderError;
use hearth::dns::{Owner, Ttl};

use super::rig::{Rig, member, row, whole};
use super::stands::{DnsPodStand, TencentStand};
use super::stands_without_lines::{AlidnsStand, DesecStand};
use crate::support::vendor::Row;

#[test]
fn a_record_that_the_list_does_not_show_yet_is_known_by_its_id() {
    let rig = Rig::<TencentStand>::new();
    let wanted = member::<TencentStand>(&["A 192.0.2.1"]);
    rig.change(&wanted).unwrap();
    // The list lags behind for half a minute; nothing was passed.
    assert!(matches!(rig.change(&wanted), Ok(Outcome::Unchanged { .. })));
    rig.change(&member::<TencentStand>(&["A 192.0.2.9"])).unwrap();
    assert_eq!(rig.rows().len(), 1);
}

#[test]
fn a_wrong_clock_is_no_wrong_key() {
    let rig = Rig::<TencentStand>::new();
    rig.served.pass(Duration::from_secs(301));
    assert_eq!(rig.observe().unwrap_err().setback(), Setback::ClockSkew);
    let rig = Rig::<AlidnsStand>::new();
    rig.served.pass(Duration::from_secs(16 * 60));
    assert_eq!(rig.observe().unwrap_err().setback(), Setback::ClockSkew);
}

#[test]
fn a_ttl_below_the_floor_is_raised_to_it() {
    let rig = Rig::<DnsPodStand>::new();
    rig.put([Row { line: "3=0".to_owned(), ..row::<DnsPodStand>("A", "192.0.2.77") }]);
    let low = |desired| Desired { ttl: Ttl::from_secs(60), ..desired };
    rig.change(&low(member::<DnsPodStand>(&["A 192.0.2.1"]))).unwrap();
    assert_eq!(rig.rows().iter().find(|r| r.line == "0").unwrap().ttl, 600);
    let rig = Rig::<DesecStand>::new();
    rig.change(&low(member::<DesecStand>(&["A 192.0.2.1"]))).unwrap();
    assert_eq!(rig.rows()[0].ttl, 3_600);
}

#[test]
fn a_record_that_somebody_switched_off_is_left_alone() {
    let rig = Rig::<DnsPodStand>::new();
    let off = Row { enabled: false, ..row::<DnsPodStand>("A", "192.0.2.50") };
    rig.put([off]);
    let before = rig.rows();
    rig.change(&whole::<DnsPodStand>(&["A 192.0.2.1"])).unwrap();
    assert!(rig.rows().contains(&before[0]) && rig.rows().len() == 2);
}

#[test]
fn a_third_record_on_a_free_domain_is_a_conflict_and_not_a_loop() {
    let rig = Rig::<DnsPodStand>::new();
    rig.put([row::<DnsPodStand>("A", "192.0.2.50"), row::<DnsPodStand>("A", "192.0.2.51")]);
    rig.served.fail(None);
    let refused = rig.change(&member::<DnsPodStand>(&["A 192.0.2.1"])).unwrap_err();
    assert_eq!(refused.setback(), Setback::Conflict, "{refused}");
    assert_eq!(rig.served.asked().0, 1);
    assert_eq!(rig.rows().len(), 2);
}

#[test]
fn who_writes_a_desec_set_between_look_and_write_is_seen() {
    let rig = Rig::<DesecStand>::new();
    let plan =
        hearth::dns::plan::plan(&member::<DesecStand>(&["A 192.0.2.1"]), &rig.observe().unwrap()).unwrap();
    rig.served.with(|service| service.put("www", "A", 7_200, &["192.0.2.2"]));
    let refused = rig.apply(&plan);
    assert!(matches!(refused, Err(ProviderError::Conflict { .. })), "{refused:?}");
    assert_eq!(rig.served.asked().0, 0);
}

#[test]
fn a_day_of_a_restless_address_is_within_the_limits_of_desec() {
    let rig = Rig::<DesecStand>::new();
    for n in 0..96 {
        let wanted = member::<DesecStand>(&[&format!("A 192.0.2.{n}")]);
        rig.change(&wanted).unwrap_or_else(|error| panic!("{n}: {error}"));
        rig.pass(Duration::from_secs(15 * 60));
    }
    assert_eq!(rig.penalties(), [] as [&str; 0]);
}

#[test]
fn text_records_at_the_place_of_the_marks_are_carried_along() {
    let rig = Rig::<DesecStand>::new();
    rig.served
        .with(|service| service.put("_hearth.www", "TXT", 7_200, &["\"somebody else's \\\"text\\\"\""]));
    rig.change(&member::<DesecStand>(&["A 192.0.2.1"])).unwrap();
    let second = Desired { owner: Owner::new("pi2"), ..member::<DesecStand>(&["A 192.0.2.2"]) };
    rig.pass(Duration::from_secs(60));
    rig.change(&second).unwrap();
    let (_, marks) =
        rig.served.with(|service| service.sets[&("_hearth.www".to_owned(), "TXT".to_owned())].clone());
    assert_eq!(marks.len(), 3);
    assert!(marks.contains(&"\"somebody else's \\\"text\\\"\"".to_owned()), "{marks:?}");
}

#[test]
fn a_name_that_is_forwarded_to_a_url_is_left_to_a_person() {
    let rig = Rig::<DnsPodStand>::new();
    rig.put([row::<DnsPodStand>("显性URL", "https://example.org/")]);
    let refused = rig.change(&member::<DnsPodStand>(&["A 192.0.2.1"]));
    let Err(ChangeError::Provider(ProviderError::Unusable(words))) = &refused else { panic!("{refused:?}") };
    assert!(words.contains("is forwarded to a URL"), "{words}");
    assert_eq!(rig.served.asked().0, 0);
}
