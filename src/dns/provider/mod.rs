//! The providers that can hold a record: each observes, says what it can do, and applies a plan.
//!
//! Never decides what should stand and never repeats a write by itself: [`super::plan`] and [`super::change`] do.

pub mod alidns;
mod authority;
mod cloud;
pub mod cloudflare;
mod conduct;
pub mod desec;
pub mod dnspod;
pub mod duckdns;
pub mod dyndns2;
mod error;
mod loose;
pub mod powerdns;
pub mod rfc2136;
mod sets;
mod settings;
pub mod sign;
mod slots;
pub mod tencent;
mod txt;
mod update;
mod web;
mod wildcard;
pub(crate) mod wire;

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

pub(crate) use authority::resolvers;
pub use conduct::LineIds;
pub use error::ProviderError;
pub use settings::{
    AlidnsSettings, CloudflareSettings, DesecSettings, DnsPodSettings, DuckDnsSettings, Dyndns2Settings,
    PowerDnsSettings, TencentSettings,
};

pub use txt::TextChange;

use crate::dns::plan::Plan;
use crate::dns::snapshot::Snapshot;
use crate::dns::{Name, Ttl};
use crate::secret::Secret;

/// Tells the wall time, which signatures carry.
pub type WallClock = fn() -> SystemTime;

/// A provider. Closed: what differs between them is said by [`Capabilities`].
#[derive(Clone, Debug)]
pub enum Provider {
    /// A name server that takes updates.
    Rfc2136(rfc2136::Rfc2136),
    /// A domain at DNSPod, by a token.
    DnsPod(dnspod::DnsPod),
    /// A domain at Tencent Cloud.
    Tencent(tencent::Tencent),
    /// A domain at Alibaba Cloud.
    Alidns(alidns::Alidns),
    /// A domain at deSEC.
    Desec(desec::Desec),
    /// Hosts at a service that speaks dyndns2.
    Dyndns2(dyndns2::Dyndns2),
    /// Names at DuckDNS.
    DuckDns(duckdns::DuckDns),
    /// A zone at Cloudflare.
    Cloudflare(cloudflare::Cloudflare),
    /// A zone of a PowerDNS server, by its HTTP API.
    PowerDns(powerdns::PowerDns),
}

impl Provider {
    /// The provider of these settings.
    ///
    /// # Errors
    /// When the settings can never work.
    pub fn new(settings: &ProviderSettings, wall: WallClock) -> Result<Self, ProviderError> {
        match settings {
            ProviderSettings::Rfc2136(settings) => rfc2136::Rfc2136::new(settings, wall).map(Self::Rfc2136),
            ProviderSettings::DnsPod(settings) => dnspod::DnsPod::new(settings).map(Self::DnsPod),
            ProviderSettings::Tencent(settings) => tencent::Tencent::new(settings, wall).map(Self::Tencent),
            ProviderSettings::Alidns(settings) => alidns::Alidns::new(settings, wall).map(Self::Alidns),
            ProviderSettings::Desec(settings) => desec::Desec::new(settings).map(Self::Desec),
            ProviderSettings::Dyndns2(settings) => dyndns2::Dyndns2::new(settings).map(Self::Dyndns2),
            ProviderSettings::DuckDns(settings) => duckdns::DuckDns::new(settings).map(Self::DuckDns),
            ProviderSettings::Cloudflare(settings) => {
                cloudflare::Cloudflare::new(settings).map(Self::Cloudflare)
            }
            ProviderSettings::PowerDns(settings) => powerdns::PowerDns::new(settings).map(Self::PowerDns),
        }
    }

    /// The same provider, waited for this long at every step.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        match self {
            Provider::Rfc2136(server) => Provider::Rfc2136(server.with_patience(patience)),
            Provider::DnsPod(domain) => Provider::DnsPod(domain.with_patience(patience)),
            Provider::Tencent(domain) => Provider::Tencent(domain.with_patience(patience)),
            Provider::Alidns(domain) => Provider::Alidns(domain.with_patience(patience)),
            Provider::Desec(domain) => Provider::Desec(domain.with_patience(patience)),
            Provider::Dyndns2(hosts) => Provider::Dyndns2(hosts.with_patience(patience)),
            Provider::DuckDns(names) => Provider::DuckDns(names.with_patience(patience)),
            Provider::Cloudflare(zone) => Provider::Cloudflare(zone.with_patience(patience)),
            Provider::PowerDns(zone) => Provider::PowerDns(zone.with_patience(patience)),
        }
    }

    /// What it can do.
    #[must_use]
    pub fn capabilities(&self) -> Capabilities {
        match self {
            Provider::Rfc2136(server) => server.capabilities(),
            Provider::DnsPod(domain) => domain.capabilities(),
            Provider::Tencent(domain) => domain.capabilities(),
            Provider::Alidns(domain) => domain.capabilities(),
            Provider::Desec(domain) => domain.capabilities(),
            Provider::Dyndns2(hosts) => hosts.capabilities(),
            Provider::DuckDns(names) => names.capabilities(),
            Provider::Cloudflare(zone) => zone.capabilities(),
            Provider::PowerDns(zone) => zone.capabilities(),
        }
    }

    /// What stands at `name`.
    ///
    /// # Errors
    /// When the provider does not say.
    pub async fn observe(&self, name: &Name) -> Result<Snapshot, ProviderError> {
        match self {
            Provider::Rfc2136(server) => server.observe(name).await,
            Provider::DnsPod(domain) => domain.observe(name).await,
            Provider::Tencent(domain) => domain.observe(name).await,
            Provider::Alidns(domain) => domain.observe(name).await,
            Provider::Desec(domain) => domain.observe(name).await,
            Provider::Dyndns2(hosts) => hosts.observe(name).await,
            Provider::DuckDns(names) => names.observe(name).await,
            Provider::Cloudflare(zone) => zone.observe(name).await,
            Provider::PowerDns(zone) => zone.observe(name).await,
        }
    }

    /// Applies `plan`.
    ///
    /// # Errors
    /// When it was not applied, or when it is not known whether it was ([`ProviderError::Unconfirmed`]).
    pub async fn apply(&self, plan: &Plan) -> Result<(), ProviderError> {
        match self {
            Provider::Rfc2136(server) => server.apply(plan).await,
            Provider::DnsPod(domain) => domain.apply(plan).await,
            Provider::Tencent(domain) => domain.apply(plan).await,
            Provider::Alidns(domain) => domain.apply(plan).await,
            Provider::Desec(domain) => domain.apply(plan).await,
            Provider::Dyndns2(hosts) => hosts.apply(plan).await,
            Provider::DuckDns(names) => names.apply(plan).await,
            Provider::Cloudflare(zone) => zone.apply(plan).await,
            Provider::PowerDns(zone) => zone.apply(plan).await,
        }
    }

    /// Every authoritative server of the zone, to be asked after a change.
    ///
    /// # Errors
    /// When they cannot be found.
    pub async fn name_servers(&self) -> Result<Vec<SocketAddr>, ProviderError> {
        match self {
            Provider::Rfc2136(server) => server.name_servers().await,
            Provider::DnsPod(domain) => domain.name_servers().await,
            Provider::Tencent(domain) => domain.name_servers().await,
            Provider::Alidns(domain) => domain.name_servers().await,
            Provider::Desec(domain) => domain.name_servers().await,
            Provider::Dyndns2(hosts) => hosts.name_servers().await,
            Provider::DuckDns(names) => names.name_servers().await,
            Provider::Cloudflare(zone) => zone.name_servers().await,
            Provider::PowerDns(zone) => zone.name_servers().await,
        }
    }
}

/// What a provider can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// What is changed in one step.
    pub atomic: Atomic,
    /// Whether a write can depend on what was seen.
    pub compare_and_set: CompareAndSet,
    /// Whether records have GeoDNS lines.
    pub lines: Lines,
    /// Where it is noted whose a record is.
    pub owner_marks: OwnerMarks,
    /// The smallest TTL that is taken. None: any.
    pub min_ttl: Option<Ttl>,
    /// When a reading shows what was written.
    pub consistency: Consistency,
    /// Whether a name can be an alias.
    pub aliases: Aliases,
}

/// Whether a provider can hold a CNAME.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aliases {
    /// It can.
    Held,
    /// It holds one address of each family, and nothing else.
    NotHeld,
}

/// What a provider changes in one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Atomic {
    /// One record.
    Record,
    /// One RRset.
    Rrset,
    /// Any records of a zone.
    Zone,
}

/// Whether a write can depend on what was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompareAndSet {
    /// It cannot: read, write, read back.
    None,
    /// On exact RRsets.
    Exact,
}

/// Whether records have GeoDNS lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lines {
    /// They have not.
    None,
    /// They have.
    ById,
}

/// Where a provider can note whose a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnerMarks {
    /// Nowhere, or nowhere that we were told to.
    None,
    /// In a remark of the record.
    Remark,
    /// In a TXT record below the name.
    SiblingTxt,
}

/// When a reading shows what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consistency {
    /// At once.
    Strong,
    /// After this long at the latest.
    Delayed(Duration),
}

/// How to reach a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProviderSettings {
    /// A name server that takes updates (RFC 2136) signed with TSIG (RFC 8945).
    Rfc2136(Rfc2136Settings),
    /// A domain at DNSPod, by a token of its older API.
    DnsPod(DnsPodSettings),
    /// A domain at Tencent Cloud, by its API 3.0.
    Tencent(TencentSettings),
    /// A domain at Alibaba Cloud.
    Alidns(AlidnsSettings),
    /// A domain at deSEC.
    Desec(DesecSettings),
    /// Hosts at a service that speaks dyndns2.
    Dyndns2(Dyndns2Settings),
    /// Names at DuckDNS.
    DuckDns(DuckDnsSettings),
    /// A zone at Cloudflare.
    Cloudflare(CloudflareSettings),
    /// A zone of a PowerDNS server, by its HTTP API.
    PowerDns(PowerDnsSettings),
}

/// A name server that takes updates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rfc2136Settings {
    /// The primary server: `host:port`; updates go there, and so does the reading back.
    pub server: String,
    /// The zone.
    pub zone: Name,
    /// The key.
    pub key: TsigKey,
    /// Every authoritative server, asked after a change. Empty: they are found by the zone's NS records.
    pub name_servers: Vec<SocketAddr>,
    /// Where it is noted whose a record is.
    pub marks: Marks,
}

/// A TSIG key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TsigKey {
    /// Its name, as the server knows it.
    pub name: Name,
    /// Its algorithm.
    pub algorithm: TsigAlgorithm,
    /// The shared secret, decoded.
    pub secret: Secret<Vec<u8>>,
}

/// The TSIG algorithms that servers have in common (RFC 8945 section 6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TsigAlgorithm {
    /// HMAC with SHA-256.
    #[default]
    HmacSha256,
    /// HMAC with SHA-384.
    HmacSha384,
    /// HMAC with SHA-512.
    HmacSha512,
}

/// Where it is noted whose a record is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Marks {
    /// In a TXT record at `_hearth.<name>`, written in the same UPDATE message.
    #[default]
    Txt,
    /// Nowhere: a record is ours when it has exactly the data that this writer remembers having written.
    Off,
}
