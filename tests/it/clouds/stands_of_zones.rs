//! Cloudflare, which makes several changes in one transaction, and a real PowerDNS, which writes whole sets.

use std::time::Duration;

use hearth::dns::change::Outcome;
use hearth::dns::provider::{CloudflareSettings, Marks, PowerDnsSettings, ProviderSettings};
use hearth::secret::Secret;
use serde_json::json;

use super::rig::{Can, Rig, Stand, member, ours, row};
use crate::support::name_server;
use crate::support::powerdns::API_KEY;
use crate::support::vendor::Row;
use crate::support::vendor::cloudflare::Cloudflare;
use crate::support::vendor::powerdns::PowerDnsApi;
use crate::support::vendor::serve::Served;

const ZONE: &str = "example.com";

fn secret(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

pub(super) struct CloudflareStand;

impl Stand for CloudflareStand {
    type Service = Cloudflare;

    const LACKS: &'static [(Can, &'static str)] = &[(Can::Lines, "Cloudflare has no lines")];

    fn service() -> Cloudflare {
        Cloudflare::new(ZONE, "good-secret")
    }

    fn settings(served: &Served<Cloudflare>) -> ProviderSettings {
        ProviderSettings::Cloudflare(CloudflareSettings {
            endpoint: format!("{}/client/v4", served.url()),
            zone: ZONE.parse().unwrap(),
            token: secret("good-secret"),
            name_servers: Vec::new(),
        })
    }

    fn with_wrong_secret(settings: ProviderSettings) -> ProviderSettings {
        let ProviderSettings::Cloudflare(settings) = settings else { panic!("{settings:?}") };
        ProviderSettings::Cloudflare(CloudflareSettings { token: secret("wrong-secret"), ..settings })
    }

    fn with_unknown_zone(settings: ProviderSettings) -> ProviderSettings {
        let ProviderSettings::Cloudflare(settings) = settings else { panic!("{settings:?}") };
        ProviderSettings::Cloudflare(CloudflareSettings { zone: "com".parse().unwrap(), ..settings })
    }

    fn put(service: &mut Cloudflare, row: Row) {
        service.put(row);
    }

    fn one_a_page(service: &mut Cloudflare) {
        service.page = 1;
    }

    fn exhaust(service: &mut Cloudflare, now: Duration) {
        service.exhaust(now);
    }
}

/// A proxied record has Cloudflare's own TTL, and a member that joins it is proxied too.
#[test]
fn what_is_proxied_stays_proxied_and_its_ttl_is_not_fought_over() {
    let rig = Rig::<CloudflareStand>::new();
    rig.served.with(|service| {
        let id = service.put(Row { ttl: 1, ..ours::<CloudflareStand>("A", "192.0.2.1") });
        service.proxied.push(id);
    });
    let unchanged = rig.change(&member::<CloudflareStand>(&["A 192.0.2.1"]));
    assert!(matches!(unchanged, Ok(Outcome::Unchanged { .. })), "{unchanged:?}");
    rig.change(&member::<CloudflareStand>(&["A 192.0.2.9"])).unwrap();
    let proxied = |rig: &Rig<CloudflareStand>| rig.served.with(|service| service.proxied.len());
    assert_eq!((rig.rows()[0].value.as_str(), rig.rows()[0].ttl, proxied(&rig)), ("192.0.2.9", 1, 1));
    let second = hearth::dns::Owner::new("pi2");
    let joins = hearth::dns::plan::Desired { owner: second, ..member::<CloudflareStand>(&["A 192.0.2.2"]) };
    rig.change(&joins).unwrap();
    assert_eq!((rig.rows().len(), proxied(&rig)), (2, 2));
    assert_eq!(rig.penalties(), [] as [&str; 0]);
}

/// A real PowerDNS behind a relay.
pub(super) struct PowerDnsStand;

impl Stand for PowerDnsStand {
    type Service = PowerDnsApi;
    const NAME: &'static str = "site.hearth.test";
    const HOST: &'static str = "site";
    /// A real server on a busy machine.
    const PATIENCE: Duration = Duration::from_millis(1_500);

    fn left_out() -> bool {
        name_server::left_out("PowerDNS")
    }

    const LACKS: &'static [(Can, &'static str)] = &[
        (Can::Lines, "PowerDNS has no lines"),
        (Can::Pages, "PowerDNS lists everything on one page"),
        (Can::Weights, "PowerDNS keeps nothing of a record but its data; comments are tried apart"),
        (Can::Throttle, "a server of one's own counts no calls"),
    ];

    fn service() -> PowerDnsApi {
        PowerDnsApi::start()
    }

    fn settings(served: &Served<PowerDnsApi>) -> ProviderSettings {
        ProviderSettings::PowerDns(PowerDnsSettings {
            endpoint: served.url(),
            zone: name_server::ZONE.parse().unwrap(),
            key: secret(API_KEY),
            name_servers: Vec::new(),
            marks: Marks::Txt,
        })
    }

    fn with_wrong_secret(settings: ProviderSettings) -> ProviderSettings {
        let ProviderSettings::PowerDns(settings) = settings else { panic!("{settings:?}") };
        ProviderSettings::PowerDns(PowerDnsSettings { key: secret("wrong-secret"), ..settings })
    }

    fn with_unknown_zone(settings: ProviderSettings) -> ProviderSettings {
        let ProviderSettings::PowerDns(settings) = settings else { panic!("{settings:?}") };
        ProviderSettings::PowerDns(PowerDnsSettings { zone: "test".parse().unwrap(), ..settings })
    }

    fn put(service: &mut PowerDnsApi, row: Row) {
        service.put(&row);
    }
}

#[test]
fn a_set_that_is_written_whole_keeps_its_comments_and_the_members_that_are_switched_off() {
    if PowerDnsStand::left_out() {
        return;
    }
    let rig = Rig::<PowerDnsStand>::new();
    let set = json!({
        "name": "site.hearth.test.", "type": "A", "ttl": 1_200,
        "records": [{ "content": "192.0.2.1" }, { "content": "192.0.2.5", "disabled": true }],
        "comments": [{ "content": "ask Ann first", "account": "ann", "modified_at": 1_700_000_000 }],
    });
    rig.served.with(|service| service.replace(&set));
    let mine = ["A 192.0.2.1".parse().unwrap()].into();
    let wanted = hearth::dns::plan::Desired { mine, ..member::<PowerDnsStand>(&["A 192.0.2.9"]) };
    rig.change(&wanted).unwrap();
    let off = Row { enabled: false, ..row::<PowerDnsStand>("A", "192.0.2.5") };
    assert_eq!(rig.rows(), [off, row::<PowerDnsStand>("A", "192.0.2.9")]);
    let sets = rig.served.with(|service| service.sets());
    let after = sets.iter().find(|s| s["name"] == set["name"] && s["type"] == json!("A")).unwrap();
    assert_eq!(after["comments"][0]["content"], json!("ask Ann first"));
}
