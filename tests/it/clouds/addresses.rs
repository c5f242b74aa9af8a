//! What is particular to services that hold one address of each family: their name servers are late, and they block
//! whoever sends the same again.

use std::time::Duration;

use hearth::dns::change::{ChangeError, Outcome};
use hearth::dns::guard::Setback;
use hearth::dns::provider::{Dyndns2Settings, ProviderError, ProviderSettings};

use super::rig::{Rig, member, whole};
use super::stands_of_addresses::{DuckDnsStand, Dyndns2Stand};
use crate::support::vendor::Row;
use crate::support::vendor::zone::Zone;

const MINUTE: Duration = Duration::from_secs(60);

/// A dyndns2 service whose name server is in the test's hands.
fn late() -> (Rig<Dyndns2Stand>, Zone) {
    let mut zone = None;
    let rig = Rig::<Dyndns2Stand>::with(|settings, served| {
        let ProviderSettings::Dyndns2(settings) = settings else { panic!("{settings:?}") };
        let own = zone.insert(Zone::start(served));
        ProviderSettings::Dyndns2(Dyndns2Settings { name_servers: vec![own.address], ..settings })
    });
    (rig, zone.unwrap())
}

#[test]
fn an_update_that_the_name_servers_do_not_show_yet_is_not_sent_again() {
    let (rig, zone) = late();
    rig.change(&member::<Dyndns2Stand>(&["A 192.0.2.1"])).unwrap();
    zone.show(Some(rig.rows()));
    rig.pass(2 * MINUTE);
    rig.served.fail(None);
    let wanted = member::<Dyndns2Stand>(&["A 192.0.2.9"]);
    for _ in 0..20 {
        let error = rig.change(&wanted).unwrap_err();
        assert!(matches!(error.setback(), Setback::Wait(_)), "{error}");
        rig.pass(MINUTE);
    }
    assert_eq!(rig.served.asked().0, 1);
    zone.show(None);
    assert!(matches!(rig.change(&wanted), Ok(Outcome::Unchanged { .. })));
    assert_eq!((rig.served.asked().0, rig.penalties().len()), (1, 0));
}

#[test]
fn two_updates_of_a_host_are_a_minute_apart() {
    let rig = Rig::<Dyndns2Stand>::new();
    rig.change(&member::<Dyndns2Stand>(&["A 192.0.2.1"])).unwrap();
    rig.pass(Duration::from_secs(20));
    let error = rig.change(&member::<Dyndns2Stand>(&["A 192.0.2.9"])).unwrap_err();
    let Setback::Wait(wait) = error.setback() else { panic!("{error}") };
    assert!(wait > Duration::from_secs(35) && wait <= Duration::from_secs(40), "{wait:?}");
    rig.pass(wait);
    rig.change(&member::<Dyndns2Stand>(&["A 192.0.2.9"])).unwrap();
    assert_eq!(rig.penalties(), [] as [&str; 0]);
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
    let (rig, zone) = late();
    let other = Zone::start(&rig.served);
    let rig = rig.beside(&ProviderSettings::Dyndns2(Dyndns2Settings {
        endpoint: "http://127.0.0.1:9/nic/update".to_owned(),
        zone: "dyn.example.org".parse().unwrap(),
        user: "me".to_owned(),
        password: hearth::secret::Secret::new("x".to_owned()),
        contact: "me@example.com".to_owned(),
        name_servers: vec![zone.address, other.address],
    }));
    assert_eq!(rig.observe().unwrap().records, []);
    other.show(Some(vec![Row::new("pi.dyn.example.org", "A", "192.0.2.1", 60)]));
    let refused = rig.observe().unwrap_err();
    assert!(matches!(refused.setback(), Setback::Wait(_)), "{refused}");
}
