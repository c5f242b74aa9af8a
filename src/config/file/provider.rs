//! What is written about the DNS providers: `[provider.NAME]`.

use serde::Deserialize;
use toml::Spanned;

use crate::config::endpoint::{NameServer, UpdateServer};
use crate::config::secret::SecretSource;
use crate::config::value::At;
use crate::dns::Name;
use crate::dns::provider::{Marks, TsigAlgorithm};

/// `[provider.NAME]`: one plain struct for every kind, so that mistakes keep their place.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "a table [provider.…]")]
pub(crate) struct Provider {
    /// What kind. Required; `rfc2136` is the one that is built.
    pub(crate) kind: ProviderKind,
    /// The primary server. Required; the port is 53 unless written.
    pub(crate) server: Option<At<UpdateServer>>,
    /// The zone. Required.
    pub(crate) zone: Option<At<Name>>,
    /// The TSIG key. Required.
    pub(crate) key: Option<TsigKey>,
    /// Every authoritative server, asked after a change. Default: found by the zone's NS records.
    #[serde(default)]
    pub(crate) name_servers: Vec<At<NameServer>>,
    /// Where it is noted whose a record is: `txt` (default) or `off`.
    pub(crate) marks: Option<Marks>,
}

/// The kinds of provider that this version has.
#[derive(Clone, Copy, Deserialize)]
pub(crate) enum ProviderKind {
    /// RFC 2136 updates, signed with TSIG.
    #[serde(rename = "rfc2136")]
    Rfc2136,
}

/// `key = { … }` of a provider.
#[derive(Deserialize)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    expecting = "{ name = \"…\", secret = { file = \"…\" } }"
)]
pub(crate) struct TsigKey {
    /// Its name, as the server knows it. Required.
    pub(crate) name: At<Name>,
    /// Default: `hmac-sha256`.
    pub(crate) algorithm: Option<TsigAlgorithm>,
    /// The shared secret, in base64. Required.
    pub(crate) secret: Spanned<SecretSource>,
}
