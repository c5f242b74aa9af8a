//! What is particular to services that hold one address of each family: their name servers are late, and they block
//! whoever sends the same again.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use hearth::dns::change::{ChangeError, Outcome};
use hearth::dns::guard::Setback;
use hearth::dns::provider::{DuckDnsSettings, Dyndns2Settings, ProviderError, ProviderSettings};
use hearth::dns::snapshot::Record;

use super::house::{House, Turn};
use super::rig::{Rig, Stand, member, whole};
use super::stands_of_addresses::{DuckDnsStand, Dyndns2Stand};
use crate::support::vendor::Row;
use crate::support::vendor::serve::{Fault, Hits};
use crate::support::vendor::zone::Zone;

const MINUTE: Duration = Duration::from_secs(60);

const OLD: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const NEW: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 9));

/// A node at a service whose name server is in the test's hands.
fn late<S: Stand>() -> (House<S>, Zone) {
    let mut zone = None;
    let house = House::<S>::with(|settings, served| {
        let own = zone.insert(Zone::start(served));
        let name_servers = vec![own.address];
        if let ProviderSettings::Dyndns2(s) = settings {
            return ProviderSettings::Dyndns2(Dyndns2Settings { name_servers, ..s });
        }
        let ProviderSettings::DuckDns(s) = settings else { panic!("{settings:?}") };
        ProviderSettings::DuckDns(DuckDnsSettings { name_servers, ..s })
    });
    (house, zone.unwrap())
}

/// The name server goes on showing what it shows, whatever is sent; then it catches up. In between the node crashes, is
/// restarted, and its clock jumps.
fn is_sent_once<S: Stand>() {
    let (mut house, zone) = late::<S>();
    assert!(matches!(house.turn(OLD), Turn::Asked(Ok(Outcome::Landed { .. }))));
    house.pass(2 * MINUTE);
    let shown = house.served.with(|service| crate::support::vendor::Vendor::rows(service));
    zone.show(Some(shown));
    house.served.fail(None);
    let mut looks = 0;
    for minute in 0..50 {
        match minute {
            10 | 20 => house.crash(),
            30 => house.restart(),
            40 => house.clock.set_wall(0),
            _ => {}
        }
        if let Turn::Asked(asked) = house.turn(NEW) {
            looks += 1;
            assert!(matches!(asked, Err(ChangeError::NotShown(_))), "{minute}: {asked:?}");
        }
        house.pass(MINUTE);
    }
    assert!(looks > 20, "{looks}");
    assert_eq!(house.served.asked().0, 1);
    zone.show(None);
    assert!(matches!(house.turn(NEW), Turn::Asked(Ok(Outcome::Unchanged { .. }))));
    assert_eq!(house.served.asked().0, 1);
    house.assert_unpunished("at the end");
}

#[test]
fn an_update_that_the_name_servers_do_not_show_yet_is_not_sent_again_not_even_after_a_crash_or_a_restart() {
    is_sent_once::<Dyndns2Stand>();
    is_sent_once::<DuckDnsStand>();
}

#[test]
fn an_update_that_was_not_taken_is_sent_again_at_once_and_one_in_doubt_after_five_minutes() {
    for (fault, after) in [(Fault::Html, 5), (Fault::ApplyThenCut, 0)] {
        let (mut house, zone) = late::<Dyndns2Stand>();
        house.turn(OLD);
        house.pass(2 * MINUTE);
        zone.show(Some(house.served.with(|service| crate::support::vendor::Vendor::rows(service))));
        house.served.fail(Some((fault, Hits::WritesAfter(0))));
        assert!(matches!(house.turn(NEW), Turn::Asked(Err(ChangeError::Unconfirmed(_)))), "{fault:?}");
        house.served.fail(None);
        for _ in 0..4 {
            house.pass(MINUTE);
            house.crash();
            house.turn(NEW);
        }
        assert_eq!(house.served.asked().0, 0, "{fault:?}");
        zone.show(None);
        house.pass(2 * MINUTE);
        house.turn(NEW);
        assert_eq!((house.served.asked().0, house.values()), (after / 5, vec![NEW.to_string()]), "{fault:?}");
        house.assert_unpunished("at the end");
    }
}

#[test]
fn two_updates_of_a_host_are_a_minute_apart_whatever_crashes() {
    let mut house = House::<Dyndns2Stand>::new();
    house.turn(OLD);
    for second in [20, 40] {
        house.pass(Duration::from_secs(20));
        house.crash();
        let Turn::Asked(Err(ChangeError::TooSoon(wait))) = house.turn(NEW) else { panic!("at {second} s") };
        assert_eq!(wait, Duration::from_secs(60 - second));
    }
    house.pass(Duration::from_secs(20));
    assert!(matches!(house.turn(NEW), Turn::Asked(Ok(Outcome::Landed { .. }))));
    house.assert_unpunished("at the end");
}

#[test]
fn the_family_that_stays_is_sent_along() {
    let rig = Rig::<Dyndns2Stand>::new();
    rig.change(&member::<Dyndns2Stand>(&["A 192.0.2.1", "AAAA 2001:db8::1"])).unwrap();
    rig.pass(2 * MINUTE);
    rig.change(&member::<Dyndns2Stand>(&["AAAA 2001:db8::9"])).unwrap();
    let values: Vec<String> = rig.rows().into_iter().map(|row| row.value).collect();
    assert_eq!(values, ["192.0.2.1", "2001:db8::9"]);
}

#[test]
fn a_second_address_of_a_family_and_a_cname_are_refused_before_anything_is_sent() {
    let rig = Rig::<DuckDnsStand>::new();
    for wanted in [&["A 192.0.2.1", "A 192.0.2.2"][..], &["CNAME user.github.io"][..]] {
        let refused = rig.change(&whole::<DuckDnsStand>(wanted));
        assert!(matches!(refused, Err(ChangeError::Provider(ProviderError::Unusable(_)))), "{refused:?}");
    }
    assert_eq!(rig.served.asked(), (0, 0));
}

#[test]
fn name_servers_that_do_not_agree_are_waited_for() {
    let rig = Rig::<Dyndns2Stand>::new();
    let (zone, other) = (Zone::start(&rig.served), Zone::start(&rig.served));
    let rig = rig.beside(&ProviderSettings::Dyndns2(Dyndns2Settings {
        endpoint: "http://127.0.0.1:9/nic/update".to_owned(),
        zone: "dyn.example.org".parse().unwrap(),
        user: "me".to_owned(),
        password: hearth::secret::Secret::new("x".to_owned()),
        contact: "me@example.com".to_owned(),
        name_servers: vec![zone.address, other.address],
    }));
    assert_eq!(rig.observe().unwrap().records, [] as [Record; 0]);
    other.show(Some(vec![Row::new("pi.dyn.example.org", "A", "192.0.2.1", 60)]));
    let refused = rig.observe().unwrap_err();
    assert!(matches!(refused.setback(), Setback::Wait(_)), "{refused}");
}
