//! What is written about the DNS providers: `[provider.NAME]`.

use serde::Deserialize;
use toml::Spanned;

use crate::config::endpoint::{Contact, NameServer, UpdateServer, WebUrl};
use crate::config::secret::SecretSource;
use crate::config::value::At;
use crate::dns::Name;
use crate::dns::provider::{Marks, TsigAlgorithm};

/// `[provider.NAME]`: one plain struct for every kind, so that mistakes keep their place.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "a table [provider.…]")]
pub(crate) struct Provider {
    /// What kind. Required.
    pub(crate) kind: ProviderKind,
    /// `rfc2136`: the primary server. Required; the port is 53 unless written.
    pub(crate) server: Option<At<UpdateServer>>,
    /// The zone. Required; `duckdns` knows its own.
    pub(crate) zone: Option<At<Name>>,
    /// `rfc2136`: the TSIG key. Required.
    pub(crate) key: Option<TsigKey>,
    /// The services: where the API is. Default: the vendor's own. `dyndns2`: the whole address that updates go to.
    /// `powerdns`: the server's API; required.
    pub(crate) endpoint: Option<At<WebUrl>>,
    /// `dyndns2`: a service whose `endpoint` is known.
    pub(crate) preset: Option<Dyndns2Preset>,
    /// `dnspod` (`ID,Token`), `desec`, `duckdns`, `cloudflare`: the token. Required.
    pub(crate) token: Option<Spanned<SecretSource>>,
    /// `tencent`: the SecretId. `alidns`: the AccessKey ID. Required.
    pub(crate) access_key: Option<At<String>>,
    /// `tencent`: the SecretKey. `alidns`: the AccessKey secret. Required.
    pub(crate) secret_key: Option<Spanned<SecretSource>>,
    /// `powerdns`: the server's `api-key`. Required.
    pub(crate) api_key: Option<Spanned<SecretSource>>,
    /// `dyndns2`: the user. Required.
    pub(crate) user: Option<At<String>>,
    /// `dyndns2`: the password, or the key for updates. Required.
    pub(crate) password: Option<Spanned<SecretSource>>,
    /// `dnspod`, `dyndns2`: your mail address, which these services want to see in every call. Required.
    pub(crate) contact: Option<At<Contact>>,
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
    /// DNSPod, by a token.
    #[serde(rename = "dnspod")]
    DnsPod,
    /// Tencent Cloud.
    #[serde(rename = "tencent")]
    Tencent,
    /// Alibaba Cloud.
    #[serde(rename = "alidns")]
    Alidns,
    /// deSEC.
    #[serde(rename = "desec")]
    Desec,
    /// Any service that speaks dyndns2.
    #[serde(rename = "dyndns2")]
    Dyndns2,
    /// DuckDNS.
    #[serde(rename = "duckdns")]
    DuckDns,
    /// Cloudflare.
    #[serde(rename = "cloudflare")]
    Cloudflare,
    /// PowerDNS, by its HTTP API.
    #[serde(rename = "powerdns")]
    PowerDns,
}

/// Services that speak dyndns2, and where.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Dyndns2Preset {
    /// dyn.com.
    Dyn,
    /// No-IP.
    NoIp,
    /// Dynu.
    Dynu,
    /// Hurricane Electric.
    HurricaneElectric,
    /// Loopia.
    Loopia,
    /// OVH's DynHost.
    Ovh,
    /// Strato.
    Strato,
}

impl Dyndns2Preset {
    /// Where updates go to.
    pub(crate) const fn endpoint(self) -> &'static str {
        match self {
            Dyndns2Preset::Dyn => "https://members.dyndns.org/nic/update",
            Dyndns2Preset::NoIp => "https://dynupdate.no-ip.com/nic/update",
            Dyndns2Preset::Dynu => "https://api.dynu.com/nic/update",
            Dyndns2Preset::HurricaneElectric => "https://dyn.dns.he.net/nic/update",
            Dyndns2Preset::Loopia => "https://dyndns.loopia.se/nic/update",
            Dyndns2Preset::Ovh => "https://dns.eu.ovhapis.com/nic/update",
            Dyndns2Preset::Strato => "https://dyndns.strato.com/nic/update",
        }
    }
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
