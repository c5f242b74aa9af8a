//! The services that hold one address of each family for a name, each with its own name server.

use std::time::Duration;

use hearth::dns::provider::{DuckDnsSettings, Dyndns2Settings, ProviderSettings};
use hearth::secret::Secret;

use super::rig::{Can, Stand};
use crate::support::vendor::duckdns::DuckDns;
use crate::support::vendor::dyndns2::Dyndns2;
use crate::support::vendor::serve::Served;
use crate::support::vendor::zone::Zone;
use crate::support::vendor::{MINUTE, Row};

fn secret(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

/// What a service cannot do that holds a slot for each family.
const LACKS: &[(Can, &str)] = &[
    (Can::Share, "a name has one address of each family, and so one owner"),
    (Can::Lines, "there are no lines"),
    (Can::Alias, "it holds addresses only"),
    (Can::Pages, "there is no list: what stands is asked of the name servers"),
    (Can::Weights, "nothing is kept of a record but its address"),
    (Can::Zones, "a name that is not the account's is refused like a wrong password"),
];

pub(super) struct Dyndns2Stand;

impl Stand for Dyndns2Stand {
    type Service = Dyndns2;
    const NAME: &'static str = "pi.dyn.example.org";
    const HOST: &'static str = Self::NAME;

    const LACKS: &'static [(Can, &'static str)] = LACKS;

    fn service() -> Dyndns2 {
        let mut service = Dyndns2::new("me", "good-secret", &[Self::NAME]);
        // The strictest rules of the services that speak dyndns2, all at once.
        service.spacing = MINUTE;
        service.forgets = true;
        service
    }

    fn settings(served: &Served<Dyndns2>) -> ProviderSettings {
        ProviderSettings::Dyndns2(Dyndns2Settings {
            endpoint: format!("{}/nic/update", served.url()),
            zone: "dyn.example.org".parse().unwrap(),
            user: "me".to_owned(),
            password: secret("good-secret"),
            contact: "me@example.com".to_owned(),
            name_servers: vec![Zone::start(served).address],
        })
    }

    fn with_wrong_secret(settings: ProviderSettings) -> ProviderSettings {
        let ProviderSettings::Dyndns2(settings) = settings else { panic!("{settings:?}") };
        ProviderSettings::Dyndns2(Dyndns2Settings { password: secret("wrong-secret"), ..settings })
    }

    fn with_unknown_zone(settings: ProviderSettings) -> ProviderSettings {
        settings
    }

    fn put(service: &mut Dyndns2, row: Row) {
        service.extra.push(row);
    }

    fn exhaust(service: &mut Dyndns2, now: Duration) {
        service.ail_until("911", now + Duration::from_secs(25 * 60));
    }
}

pub(super) struct DuckDnsStand;

impl Stand for DuckDnsStand {
    type Service = DuckDns;
    const NAME: &'static str = "pi.duckdns.org";
    const HOST: &'static str = Self::NAME;

    const LACKS: &'static [(Can, &'static str)] = LACKS;

    fn service() -> DuckDns {
        DuckDns::new("good-secret", &["pi"])
    }

    fn settings(served: &Served<DuckDns>) -> ProviderSettings {
        ProviderSettings::DuckDns(DuckDnsSettings {
            endpoint: served.url(),
            zone: "duckdns.org".parse().unwrap(),
            token: secret("good-secret"),
            name_servers: vec![Zone::start(served).address],
        })
    }

    fn with_wrong_secret(settings: ProviderSettings) -> ProviderSettings {
        let ProviderSettings::DuckDns(settings) = settings else { panic!("{settings:?}") };
        ProviderSettings::DuckDns(DuckDnsSettings { token: secret("wrong-secret"), ..settings })
    }

    fn with_unknown_zone(settings: ProviderSettings) -> ProviderSettings {
        settings
    }

    fn put(service: &mut DuckDns, row: Row) {
        service.names.get_mut("pi").unwrap().txt = row.value;
    }

    fn exhaust(service: &mut DuckDns, now: Duration) {
        service.exhaust(now);
    }
}
