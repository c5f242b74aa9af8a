//! Texts at a name, at every service that holds them.

use std::collections::BTreeSet;
use std::time::Duration;

use hearth::dns::provider::TextChange::{self, Put, Take};

use super::rig::{Rig, Stand, row};
use super::stands::{DnsPodStand, TencentStand};
use super::stands_of_addresses::{DuckDnsStand, Dyndns2Stand};
use super::stands_of_zones::{CloudflareStand, PowerDnsStand};
use super::stands_without_lines::{AlidnsStand, DesecStand};

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
