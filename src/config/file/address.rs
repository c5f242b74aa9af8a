//! What is written about the public address: `[address]`.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use crate::address::{Family, Network};
use crate::config::endpoint::{NameServer, StunServer, WebUrl};
use crate::config::value::At;
use crate::dns::Name;

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
    /// Where the node is, for the choice of sources when none is named: `world` (default) or `china`.
    pub(crate) region: Option<Spanned<Region>>,
    /// `[[address.source]]`: whom to ask. Default: the interfaces, the router, and echoes of the region.
    #[serde(default)]
    pub(crate) source: Vec<Spanned<AddressSource>>,
}

/// Where a node is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Region {
    /// Anywhere but in mainland China.
    #[default]
    World,
    /// In mainland China, where sources elsewhere are slow, or asked through a proxy.
    China,
}

/// `[[address.source]]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "a table [[address.source]]")]
pub(crate) struct AddressSource {
    /// `interface`, `https`, `dns`, `upnp`, `nat-pmp`, `pcp` or `stun`. Required.
    pub(crate) kind: SourceKind,
    /// The least time between two questions, also when interfaces come and go. Default: `2s`, or `every` of `[address]`
    /// where that is less. From `1m` on it holds across restarts.
    pub(crate) every: Option<At<Duration>>,
    /// For `https`, required: the page that answers with the address it was asked from.
    pub(crate) url: Option<At<WebUrl>>,
    /// For `https`, required: who runs it; sources of one operator have one vote.
    pub(crate) operator: Option<At<String>>,
    /// For `https`: the key of the line that holds the address. Default: the whole body is the address.
    pub(crate) key: Option<At<String>>,
    /// For `https`: the one family that the page can be reached over. Default: both are tried.
    pub(crate) family: Option<Spanned<Family>>,
    /// For `dns`, required: the name that is asked for.
    pub(crate) name: Option<At<Name>>,
    /// For `dns`, required: the servers that are asked, one for each family at most.
    pub(crate) servers: Option<Spanned<Vec<At<NameServer>>>>,
    /// For `dns`: how they answer: `address` (A or AAAA, default), `txt` or `chaos-txt`.
    pub(crate) answer: Option<Spanned<AnswerForm>>,
    /// For `stun`, required: host and port; the port is 3478 unless it is written.
    pub(crate) server: Option<At<StunServer>>,
    /// For `upnp`, `nat-pmp` and `pcp`: the router. Default: that of the default route, when its address is private.
    pub(crate) gateway: Option<Spanned<Ipv4Addr>>,
}

/// What kind of source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum SourceKind {
    /// The addresses of this machine's interfaces.
    Interface,
    /// A web page that echoes.
    Https,
    /// A name server that echoes.
    Dns,
    /// The router, by UPnP.
    Upnp,
    /// The router, by NAT-PMP.
    NatPmp,
    /// The router, by PCP.
    Pcp,
    /// A STUN server.
    Stun,
}

/// How a name server that echoes answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum AnswerForm {
    /// With A or AAAA.
    #[default]
    Address,
    /// With TXT.
    Txt,
    /// With TXT in the class CHAOS.
    ChaosTxt,
}
