//! How to reach each of the services that are asked over HTTPS.
//!
//! Never read from a file here; secrets in them are not printed.

use std::net::SocketAddr;

use super::sign::AccessKey;
use crate::dns::Name;
use crate::secret::Secret;

/// A domain at DNSPod, by a token of its older API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsPodSettings {
    /// Where the API is; [`super::dnspod::ENDPOINT`] unless written.
    pub endpoint: String,
    /// The domain.
    pub zone: Name,
    /// The token: `ID,Token`.
    pub token: Secret<String>,
    /// The user's mail address, which DNSPod wants to see in every call.
    pub contact: String,
    /// Every authoritative server, asked after a change. Empty: they are found by the zone's NS records.
    pub name_servers: Vec<SocketAddr>,
}

/// A domain at Tencent Cloud, by its API 3.0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TencentSettings {
    /// Where the API is; [`super::tencent::ENDPOINT`] unless written.
    pub endpoint: String,
    /// The domain.
    pub zone: Name,
    /// The SecretId and the SecretKey.
    pub key: AccessKey,
    /// Every authoritative server, asked after a change. Empty: they are found by the zone's NS records.
    pub name_servers: Vec<SocketAddr>,
}

/// Hosts at a service that speaks dyndns2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dyndns2Settings {
    /// The whole address that updates go to, such as `https://members.dyndns.org/nic/update`.
    pub endpoint: String,
    /// The zone that the hosts lie in.
    pub zone: Name,
    /// The user of the account.
    pub user: String,
    /// The password, or the key that the service has for updates.
    pub password: Secret<String>,
    /// The user's mail address: a program that does not say whose it is may be refused.
    pub contact: String,
    /// Every authoritative server: what stands is asked of them. Empty: they are found by the zone's NS records.
    pub name_servers: Vec<SocketAddr>,
}

/// Names at DuckDNS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DuckDnsSettings {
    /// Where the service is; [`super::duckdns::ENDPOINT`] unless written.
    pub endpoint: String,
    /// The zone; [`super::duckdns::ZONE`] unless written.
    pub zone: Name,
    /// The token of the account.
    pub token: Secret<String>,
    /// Every authoritative server: what stands is asked of them. Empty: they are found by the zone's NS records.
    pub name_servers: Vec<SocketAddr>,
}

/// A domain at deSEC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesecSettings {
    /// Where the API is; [`super::desec::ENDPOINT`] unless written.
    pub endpoint: String,
    /// The domain.
    pub zone: Name,
    /// The token.
    pub token: Secret<String>,
    /// Every authoritative server, asked after a change. Empty: they are found by the zone's NS records.
    pub name_servers: Vec<SocketAddr>,
    /// Where it is noted whose a record is.
    pub marks: super::Marks,
}

/// A domain at Alibaba Cloud.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlidnsSettings {
    /// Where the API is; [`super::alidns::ENDPOINT`] unless written.
    pub endpoint: String,
    /// The domain.
    pub zone: Name,
    /// The AccessKey ID and its secret.
    pub key: AccessKey,
    /// Every authoritative server, asked after a change. Empty: they are found by the zone's NS records.
    pub name_servers: Vec<SocketAddr>,
}

/// A zone at Cloudflare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudflareSettings {
    /// Where the API is; [`super::cloudflare::ENDPOINT`] unless written.
    pub endpoint: String,
    /// The zone.
    pub zone: Name,
    /// An API token with Zone:Read and DNS:Edit for the zone.
    pub token: Secret<String>,
    /// Every authoritative server, asked after a change. Empty: they are found by the zone's NS records.
    pub name_servers: Vec<SocketAddr>,
}

/// A zone of a PowerDNS server, by its HTTP API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PowerDnsSettings {
    /// Where the server's API is, such as `https://ns1.example.com:8081`.
    pub endpoint: String,
    /// The zone.
    pub zone: Name,
    /// The server's `api-key`.
    pub key: Secret<String>,
    /// Every authoritative server, asked after a change. Empty: they are found by the zone's NS records.
    pub name_servers: Vec<SocketAddr>,
    /// Where it is noted whose a record is.
    pub marks: super::Marks,
}
