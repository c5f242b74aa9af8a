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
