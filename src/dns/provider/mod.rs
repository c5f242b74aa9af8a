//! The providers that can hold a record: each observes, says what it can do, and applies a plan.

pub mod rfc2136;

use std::net::SocketAddr;

use crate::dns::Name;
use crate::secret::Secret;

/// How to reach a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProviderSettings {
    /// A name server that takes updates (RFC 2136) signed with TSIG (RFC 8945).
    Rfc2136(Rfc2136Settings),
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
