//! What is written about the public address: `[address]`.

use std::net::IpAddr;
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use crate::address::{Family, Network};
use crate::config::endpoint::WebUrl;
use crate::config::value::At;

/// `[address]`
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "the table [address]")]
pub(crate) struct Address {
    /// The families that are published. Default: `["ipv4", "ipv6"]`.
    pub(crate) families: Option<Spanned<Vec<Spanned<Family>>>>,
    /// Between two rounds of questions. Default: `5m`.
    pub(crate) every: Option<At<Duration>>,
    /// The local address that questions are sent from. Default: what the system chooses.
    pub(crate) bind: Option<At<IpAddr>>,
    /// Networks that may be published although they are not global. Default: none.
    #[serde(default)]
    pub(crate) admit: Vec<At<Network>>,
    /// `[[address.source]]`: whom to ask. Default: the interfaces and echo services of four operators.
    #[serde(default)]
    pub(crate) source: Vec<Spanned<AddressSource>>,
}

/// `[[address.source]]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "a table [[address.source]]")]
pub(crate) struct AddressSource {
    /// `interface` or `https`. Required.
    pub(crate) kind: SourceKind,
    /// For `https`, required: the page that answers with the address it was asked from.
    pub(crate) url: Option<At<WebUrl>>,
    /// For `https`, required: who runs it; sources of one operator have one vote.
    pub(crate) operator: Option<At<String>>,
    /// For `https`: the key of the line that holds the address. Default: the whole body is the address.
    pub(crate) key: Option<At<String>>,
}

/// What kind of source.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum SourceKind {
    /// The addresses of this machine's interfaces.
    Interface,
    /// A web page that echoes.
    Https,
}
