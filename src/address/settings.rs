//! How a node finds its public address: whom it asks, about which families, how often.
//!
//! Never asks.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::agreement::Class;
use super::{Family, Network};
use crate::dns::Name;

/// How a node finds its public address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressSettings {
    /// The families that are published.
    pub families: Vec<Family>,
    /// Whom to ask.
    pub sources: Vec<SourceSettings>,
    /// The local address that questions are sent from, where a machine has several ways out.
    pub bind: Option<IpAddr>,
    /// Networks that may be published although they are not global: a laboratory, a LAN, the demo.
    pub admit: Vec<Network>,
    /// Between two rounds of questions.
    pub every: Duration,
}

/// One source of observations, and how often it may be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceSettings {
    /// Who is asked, and how.
    pub asked: Asked,
    /// The least time between two questions, whatever happens meanwhile: interfaces that come and go bring rounds of
    /// their own.
    pub spacing: Duration,
}

/// Who is asked, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// The addresses of this machine's interfaces.
    Interface,
    /// A web page that answers with the address it was asked from.
    Https {
        /// Where.
        url: String,
        /// Who runs it. Two sources of one operator are one class, and so one vote.
        operator: String,
        /// The key of the line that holds the address, for `key=value` bodies; None: the body is the address.
        key: Option<String>,
        /// The one family that it can be reached over; None: both.
        family: Option<Family>,
    },
    /// A name server that answers a certain question with the address it was asked from.
    Dns(DnsEcho),
    /// The router's own address, by UPnP.
    Upnp(Gateway),
    /// The router's own address, by NAT-PMP (RFC 6886).
    NatPmp(Gateway),
    /// The router's own address, by PCP (RFC 6887): it is told with a mapping, so one is made and taken back.
    Pcp(Gateway),
    /// A STUN server (RFC 8489): host and port.
    Stun {
        /// Its name or address.
        host: String,
        /// Its UDP port.
        port: u16,
    },
}

/// A name server that echoes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsEcho {
    /// Where: one server for each family at most, since it sees the family that it is asked over.
    pub servers: Vec<SocketAddr>,
    /// What is asked for.
    pub name: Name,
    /// How it answers.
    pub form: EchoForm,
}

/// How a name server answers with an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EchoForm {
    /// As A or AAAA.
    Address,
    /// As the one string of one TXT.
    Text,
    /// The same in the class CHAOS.
    ChaosText,
}

/// Which router is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gateway {
    /// That of the default route, when it has a private address: a router at home.
    Default,
    /// This one.
    Given(Ipv4Addr),
}

impl AddressSettings {
    /// Whether the interfaces count.
    #[must_use]
    pub fn asks_interface(&self) -> bool {
        self.sources.iter().any(|source| source.asked == Asked::Interface)
    }

    /// Whether a router is asked, so that what it announces is of interest.
    #[must_use]
    pub fn gateway(&self) -> Option<Gateway> {
        self.sources.iter().find_map(|source| source.asked.gateway())
    }
}

impl Asked {
    /// The class that its answers count for.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Asked::Interface => Class::Interface,
            Asked::Https { operator, .. } => Class::Https(operator.clone()),
            Asked::Dns(_) => Class::Dns,
            Asked::Upnp(_) | Asked::NatPmp(_) | Asked::Pcp(_) => Class::Router,
            Asked::Stun { .. } => Class::Stun,
        }
    }

    /// The router that is asked.
    #[must_use]
    pub const fn gateway(&self) -> Option<Gateway> {
        match self {
            Asked::Upnp(gateway) | Asked::NatPmp(gateway) | Asked::Pcp(gateway) => Some(*gateway),
            Asked::Interface | Asked::Https { .. } | Asked::Dns(_) | Asked::Stun { .. } => None,
        }
    }

    /// Whether it can be asked about `family`. Home routers translate IPv4 alone.
    #[must_use]
    pub fn knows(&self, family: Family) -> bool {
        match self {
            Asked::Interface | Asked::Stun { .. } => true,
            Asked::Https { family: only, .. } => only.is_none_or(|only| only == family),
            Asked::Dns(echo) => echo.server(family).is_some(),
            Asked::Upnp(_) | Asked::NatPmp(_) | Asked::Pcp(_) => family == Family::Ipv4,
        }
    }

    /// Who is asked, in words: where, and by what.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Asked::Interface => "interfaces".to_owned(),
            Asked::Https { url, .. } => url.clone(),
            Asked::Dns(echo) => format!("{} {}", echo.name, echo.form.words()),
            Asked::Upnp(gateway) => gateway.words("UPnP"),
            Asked::NatPmp(gateway) => gateway.words("NAT-PMP"),
            Asked::Pcp(gateway) => gateway.words("PCP"),
            Asked::Stun { host, port } => format!("stun:{host}:{port}"),
        }
    }
}

impl DnsEcho {
    /// The server that is asked about `family`.
    #[must_use]
    pub fn server(&self, family: Family) -> Option<SocketAddr> {
        self.servers.iter().copied().find(|server| Family::of(server.ip()) == family)
    }
}

impl EchoForm {
    const fn words(self) -> &'static str {
        match self {
            EchoForm::Address => "A/AAAA",
            EchoForm::Text => "TXT",
            EchoForm::ChaosText => "CH TXT",
        }
    }
}

impl Gateway {
    fn words(self, protocol: &str) -> String {
        match self {
            Gateway::Default => protocol.to_owned(),
            Gateway::Given(router) => format!("{protocol} at {router}"),
        }
    }
}
