//! Each service as its tests need it.

use std::time::Duration;

use hearth::dns::provider::sign::AccessKey;
use hearth::dns::provider::{DnsPodSettings, ProviderSettings, TencentSettings};
use hearth::secret::Secret;

use super::rig::{Can, Stand};
use crate::support::vendor::Row;
use crate::support::vendor::dnspod::DnsPod;
use crate::support::vendor::serve::Served;
use crate::support::vendor::tencent::Tencent;

const ZONE: &str = "example.com";

fn secret(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

pub(super) struct DnsPodStand;

impl Stand for DnsPodStand {
    type Service = DnsPod;

    const LACKS: &'static [(Can, &'static str)] = &[(Can::Together, "DNSPod changes one record at a time")];

    fn service() -> DnsPod {
        DnsPod::new(ZONE, "13490,good-secret")
    }

    fn settings(served: &Served<DnsPod>) -> ProviderSettings {
        ProviderSettings::DnsPod(DnsPodSettings {
            endpoint: served.url(),
            zone: ZONE.parse().unwrap(),
            token: secret("13490,good-secret"),
            contact: "me@example.com".to_owned(),
            name_servers: Vec::new(),
        })
    }

    fn with_wrong_secret(settings: ProviderSettings) -> ProviderSettings {
        let ProviderSettings::DnsPod(settings) = settings else { panic!("{settings:?}") };
        ProviderSettings::DnsPod(DnsPodSettings { token: secret("13490,wrong-secret"), ..settings })
    }

    fn with_unknown_zone(settings: ProviderSettings) -> ProviderSettings {
        let ProviderSettings::DnsPod(settings) = settings else { panic!("{settings:?}") };
        ProviderSettings::DnsPod(DnsPodSettings { zone: "com".parse().unwrap(), ..settings })
    }

    fn put(service: &mut DnsPod, row: Row) {
        service.put(row);
    }

    fn one_a_page(service: &mut DnsPod) {
        service.page = 1;
    }

    fn exhaust(service: &mut DnsPod, now: Duration) {
        service.ban_now(now);
    }
}

pub(super) struct TencentStand;

impl Stand for TencentStand {
    type Service = Tencent;

    const LACKS: &'static [(Can, &'static str)] =
        &[(Can::Together, "Tencent Cloud changes one record at a time")];

    fn service() -> Tencent {
        Tencent::new(ZONE, "AKID", "good-secret")
    }

    fn settings(served: &Served<Tencent>) -> ProviderSettings {
        ProviderSettings::Tencent(TencentSettings {
            endpoint: served.url(),
            zone: ZONE.parse().unwrap(),
            key: AccessKey { id: "AKID".to_owned(), secret: secret("good-secret") },
            name_servers: Vec::new(),
        })
    }

    fn with_wrong_secret(settings: ProviderSettings) -> ProviderSettings {
        let ProviderSettings::Tencent(settings) = settings else { panic!("{settings:?}") };
        let key = AccessKey { secret: secret("wrong-secret"), ..settings.key };
        ProviderSettings::Tencent(TencentSettings { key, ..settings })
    }

    fn with_unknown_zone(settings: ProviderSettings) -> ProviderSettings {
        let ProviderSettings::Tencent(settings) = settings else { panic!("{settings:?}") };
        ProviderSettings::Tencent(TencentSettings { zone: "com".parse().unwrap(), ..settings })
    }

    fn put(service: &mut Tencent, row: Row) {
        service.put(row);
    }

    fn one_a_page(service: &mut Tencent) {
        service.page = 1;
    }

    fn exhaust(service: &mut Tencent, now: Duration) {
        service.exhaust(now);
    }
}
