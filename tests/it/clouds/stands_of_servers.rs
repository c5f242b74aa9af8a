//! Real name servers that take updates (RFC 2136): Knot, BIND and PowerDNS, each behind a relay.

use std::marker::PhantomData;
use std::time::{Duration, SystemTime};

use hearth::dns::provider::{ProviderSettings, Rfc2136Settings, TsigKey, WallClock};
use hearth::secret::Secret;

use super::rig::{Can, Stand, reason};
use crate::support::bind::Bind;
use crate::support::knot::Knot;
use crate::support::name_server;
use crate::support::powerdns::PowerDns;
use crate::support::vendor::Row;
use crate::support::vendor::primary::{Kind, Primary};
use crate::support::vendor::serve::Served;

pub(super) type KnotStand = ServerStand<Knot>;
pub(super) type BindStand = ServerStand<Bind>;
pub(super) type PowerDnsUpdateStand = ServerStand<PowerDns>;

/// A real server of this kind.
pub(super) struct ServerStand<K>(PhantomData<K>);

impl<K: Kind> Stand for ServerStand<K> {
    type Service = Primary<K>;
    const NAME: &'static str = "site.hearth.test";
    const HOST: &'static str = "site";
    /// A real server on a busy machine.
    const PATIENCE: Duration = Duration::from_millis(1_500);
    /// Its clock is this machine's.
    const WALL: WallClock = SystemTime::now;

    fn left_out() -> bool {
        name_server::left_out(K::CALLED)
    }

    const LACKS: &'static [(Can, &'static str)] = &[
        (Can::Lines, "the protocol has no lines"),
        (Can::Pages, "a name is asked for, and answered whole"),
        (Can::Weights, "nothing is kept of a record but its data and its TTL"),
        (Can::Throttle, "a server of one's own counts no calls"),
        (Can::Zones, "the name itself is asked for, which stands in another zone of the server"),
        (Can::AskForKey, "questions are not signed: the key is first seen with the change"),
    ];

    /// Beside what the protocol lacks, what a server does.
    fn lacks(what: Can) -> Option<&'static str> {
        let mute = what == Can::TellKey && K::CALLED == "PowerDNS";
        let own = mute.then_some("PowerDNS says REFUSED, and nothing of the key");
        own.or_else(|| reason(Self::LACKS, what))
    }

    fn service() -> Primary<K> {
        Primary::start(Self::HOST)
    }

    fn settings(served: &Served<Primary<K>>) -> ProviderSettings {
        let server = served.address.to_string();
        served.with(|primary| {
            ProviderSettings::Rfc2136(Rfc2136Settings { server, ..primary.server.settings("site") })
        })
    }

    fn with_wrong_secret(settings: ProviderSettings) -> ProviderSettings {
        let ProviderSettings::Rfc2136(settings) = settings else { panic!("{settings:?}") };
        let key = TsigKey { secret: Secret::new(b"wrong-secret".repeat(3)), ..settings.key };
        ProviderSettings::Rfc2136(Rfc2136Settings { key, ..settings })
    }

    fn with_unknown_zone(settings: ProviderSettings) -> ProviderSettings {
        settings
    }

    fn put(primary: &mut Primary<K>, row: Row) {
        primary.put(&row);
    }
}
