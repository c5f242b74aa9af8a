//! Texts at a name, at every service that holds them.

use std::collections::BTreeSet;
use std::time::Duration;

use hearth::dns::attempt::TextError;
use hearth::dns::change::ChangeError;
use hearth::dns::guard::Setback;
use hearth::dns::provider::TextChange::{self, Put, Take};

use super::house::{House, Turn};
use super::rig::{Rig, Stand, row};
use super::stands::{DnsPodStand, TencentStand};
use super::stands_of_addresses::{DuckDnsStand, Dyndns2Stand};
use super::stands_of_zones::{CloudflareStand, PowerDnsStand};
use super::stands_without_lines::{AlidnsStand, DesecStand};
use crate::support::vendor::Vendor as _;

fn texts<S: Stand>(rig: &Rig<S>) -> BTreeSet<String> {
    rig.values("TXT").iter().map(|text| text.trim_matches('"').to_owned()).collect()
}

fn set(texts: &[&str]) -> BTreeSet<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn one_comes_and_goes_alone<S: Stand>() {
    if S::left_out() {
        return;
    }
    let rig = Rig::<S>::new();
    rig.put([row::<S>("A", "192.0.2.1")]);
    let change = |change: TextChange, text: &str| {
        rig.change_text(change, text).unwrap();
        // Some services take few calls at once.
        rig.pass(Duration::from_secs(60));
    };
    change(Put, "theirs");
    change(Put, "ours");
    change(Put, "ours");
    assert_eq!(texts(&rig), set(&["theirs", "ours"]));
    assert_eq!(rig.rows().len(), 3, "nothing twice");
    change(Take, "ours");
    change(Take, "ours");
    assert_eq!((texts(&rig), rig.values("A")), (set(&["theirs"]), set(&["192.0.2.1"])));
    assert_eq!(rig.penalties(), [""; 0]);
}

#[test]
fn a_text_is_put_beside_others_and_taken_away_alone() {
    one_comes_and_goes_alone::<DnsPodStand>();
    one_comes_and_goes_alone::<TencentStand>();
    one_comes_and_goes_alone::<AlidnsStand>();
    one_comes_and_goes_alone::<DesecStand>();
    one_comes_and_goes_alone::<CloudflareStand>();
    one_comes_and_goes_alone::<PowerDnsStand>();
}

#[test]
fn duckdns_has_one_text_for_a_name_and_all_below_it() {
    let rig = Rig::<DuckDnsStand>::new();
    rig.change_text(Put, "ours").unwrap();
    assert_eq!(texts(&rig), set(&["ours"]));
    rig.change_text(Take, "ours").unwrap();
    assert_eq!(texts(&rig), set(&["removed"]));
}

#[test]
fn dyndns2_holds_no_texts() {
    assert!(Rig::<Dyndns2Stand>::new().change_text(Put, "ours").is_err());
}

#[test]
fn a_key_that_was_refused_is_not_tried_for_a_text_either_nor_after_a_restart() {
    let mut house = House::<DnsPodStand>::with(|settings, _| DnsPodStand::with_wrong_secret(settings));
    let refused = house.change_text(Put, "ours").unwrap_err();
    assert_eq!(refused.setback(), Setback::Auth, "{refused}");
    let asked = house.served.asked();
    house.crash();
    let stopped = house.change_text(Put, "ours").unwrap_err();
    assert!(matches!(stopped, TextError::Stopped), "{stopped}");
    assert_eq!(house.served.asked(), asked);
    assert!(matches!(house.turn([84, 17, 0, 1].into()), Turn::Stopped), "nor for the records of the account");
}

#[test]
fn texts_spend_the_budget_of_the_account_but_are_taken_away_in_any_case() {
    let house = House::<DnsPodStand>::new();
    let there_and_back = |_| house.change_text(Put, "ours").and_then(|()| house.change_text(Take, "ours"));
    assert_eq!((0..9).map(there_and_back).find_map(Result::err).map(|error| error.to_string()), None);
    house.change_text(Put, "ours").unwrap();
    let held = house.change_text(Put, "more").unwrap_err();
    assert!(matches!(held, TextError::Change(ChangeError::Budget(_))), "{held}");
    house.change_text(Take, "ours").unwrap();
    assert_eq!(house.served.with(|service| service.penalties().to_vec()), [""; 0]);
}
