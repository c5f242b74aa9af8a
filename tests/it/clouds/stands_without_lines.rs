//! deSEC, which writes whole sets, and Alibaba Cloud, whose lines are words.

use std::time::Duration;

use hearth::dns::provider::sign::AccessKey;
use hearth::dns::provider::{AlidnsSettings, DesecSettings, Marks, ProviderSettings};
use hearth::secret::Secret;

use super::rig::{Can, Stand};
use crate::support::vendor::Row;
use crate::support::vendor::alidns::Alidns;
use crate::support::vendor::desec::Desec;
use crate::support::vendor::serve::Served;

const ZONE: &str = "example.com";

fn secret(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

pub(super) struct DesecStand;

impl Stand for DesecStand {
    type Service = Desec;
    const TTL: u32 = 7_200;

    const LACKS: &'static [(Can, &'static str)] = &[
        (Can::Lines, "deSEC has no lines"),
        (Can::Pages, "a list of one name never has the 500 sets that make deSEC page it"),
        (Can::Weights, "deSEC keeps nothing of a record but its data"),
    ];

    fn service() -> Desec {
        Desec::new(ZONE, "good-secret")
    }

    fn settings(served: &Served<Desec>) -> ProviderSettings {
        ProviderSettings::Desec(DesecSettings {
            endpoint: served.url(),
            zone: ZONE.parse().unwrap(),
            token: secret("good-secret"),
            name_servers: Vec::new(),
            marks: Marks::Txt,
        })
    }

    fn with_wrong_secret(settings: ProviderSettings) -> ProviderSettings {
        let ProviderSettings::Desec(settings) = settings else { panic!("{settings:?}") };
        ProviderSettings::Desec(DesecSettings { token: secret("wrong-secret"), ..settings })
    }

    fn with_unknown_zone(settings: ProviderSettings) -> ProviderSettings {
        let ProviderSettings::Desec(settings) = settings else { panic!("{settings:?}") };
        ProviderSettings::Desec(DesecSettings { zone: "com".parse().unwrap(), ..settings })
    }

    fn put(service: &mut Desec, row: Row) {
        service.put(&row.name, &row.kind, row.ttl, &[&row.value]);
    }

    fn exhaust(service: &mut Desec, now: Duration) {
        service.exhaust(now);
    }
}

pub(super) struct AlidnsStand;

impl Stand for AlidnsStand {
    type Service = Alidns;
    const LINES: [&'static str; 2] = ["default", "oversea"];

    const LACKS: &'static [(Can, &'static str)] =
        &[(Can::Together, "Alibaba Cloud changes one record at a time")];

    fn service() -> Alidns {
        Alidns::new(ZONE, "LTAI", "good-secret")
    }

    fn settings(served: &Served<Alidns>) -> ProviderSettings {
        ProviderSettings::Alidns(AlidnsSettings {
            endpoint: served.url(),
            zone: ZONE.parse().unwrap(),
            key: AccessKey { id: "LTAI".to_owned(), secret: secret("good-secret") },
            name_servers: Vec::new(),
        })
    }

    fn with_wrong_secret(settings: ProviderSettings) -> ProviderSettings {
        let ProviderSettings::Alidns(settings) = settings else { panic!("{settings:?}") };
        let key = AccessKey { secret: secret("wrong-secret"), ..settings.key };
        ProviderSettings::Alidns(AlidnsSettings { key, ..settings })
    }

    fn with_unknown_zone(settings: ProviderSettings) -> ProviderSettings {
        let ProviderSettings::Alidns(settings) = settings else { panic!("{settings:?}") };
        ProviderSettings::Alidns(AlidnsSettings { zone: "com".parse().unwrap(), ..settings })
    }

    fn put(service: &mut Alidns, row: Row) {
        service.put(row);
    }

    fn one_a_page(service: &mut Alidns) {
        service.page = 1;
    }

    fn exhaust(service: &mut Alidns, now: Duration) {
        service.exhaust(now);
    }
}
