//! What this node's public address is: observations, which of them count, and when enough of them agree.
//!
//! Never asks anybody: [`source`] does. A detection that failed never clears what stands.

#[cfg(feature = "io")]
pub mod admissible;
#[cfg(feature = "io")]
pub mod agreement;
#[cfg(feature = "io")]
pub mod report;
#[cfg(feature = "io")]
pub mod settings;
#[cfg(feature = "io")]
pub mod source;
pub mod suffix;
#[cfg(feature = "io")]
pub mod wire;

use std::fmt;
use std::net::IpAddr;

#[cfg(feature = "io")]
pub use self::settings::{AddressSettings, Asked, SourceSettings};
pub use self::suffix::Suffix;

use serde::{Deserialize, Serialize};

/// An address family. Each is judged on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// IPv4, published as A.
    Ipv4,
    /// IPv6, published as AAAA.
    Ipv6,
}

impl Family {
    /// Both families.
    pub const ALL: [Family; 2] = [Family::Ipv4, Family::Ipv6];

    /// The family of an address. An IPv4-mapped IPv6 address is an IPv6 address here; sources unmap theirs.
    #[must_use]
    pub const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Family::Ipv4,
            IpAddr::V6(_) => Family::Ipv6,
        }
    }
}

impl Verdict {
    /// What it means for visitors, in words.
    #[must_use]
    pub const fn describe(self) -> &'static str {
        match self {
            Verdict::Public => "held by this machine itself",
            Verdict::NatPublic => "held by the router: forward the ports of the site to this machine",
            Verdict::Cgnat => {
                "not the router's own: nobody can connect from outside unless whoever holds it forwards"
            }
            Verdict::Captive => "a portal or an error page answers in place of the sources",
            Verdict::ProxyEgress => "the sources disagree, as behind a proxy or VPN",
            Verdict::Unknown => "not enough evidence",
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Family::Ipv4 => "ipv4",
            Family::Ipv6 => "ipv6",
        })
    }
}

/// How a node stands on the Internet in one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The host itself holds the agreed global address.
    Public,
    /// A router holds the agreed address.
    NatPublic,
    /// The router's own address is not a public one, or is another than the one that is seen.
    Cgnat,
    /// A portal or an error page answers in place of the sources.
    Captive,
    /// The sources disagree in the way that a proxy or VPN causes.
    ProxyEgress,
    /// Not enough evidence.
    Unknown,
}

/// A network in CIDR form (RFC 4632): `10.0.0.0/8`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

/// A text that is not a network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a network; write 10.0.0.0/8 or fd00::/8")]
pub struct NetworkError(String);

impl Network {
    /// Whether `address` lies in this network.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(net), IpAddr::V4(a)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.prefix)).unwrap_or(0);
                u32::from(net) & mask == u32::from(a) & mask
            }
            (IpAddr::V6(net), IpAddr::V6(a)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.prefix)).unwrap_or(0);
                u128::from(net) & mask == u128::from(a) & mask
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

impl std::str::FromStr for Network {
    type Err = NetworkError;
    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let error = || NetworkError(text.to_owned());
        let (address, prefix) = text.split_once('/').ok_or_else(error)?;
        let address: IpAddr = address.parse().map_err(|_| error())?;
        let prefix: u8 = prefix.parse().map_err(|_| error())?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        if prefix > longest { Err(error()) } else { Ok(Self { address, prefix }) }
    }
}

impl TryFrom<String> for Network {
    type Error = NetworkError;
    fn try_from(text: String) -> Result<Self, NetworkError> {
        text.parse()
    }
}

impl From<Network> for String {
    fn from(network: Network) -> String {
        network.to_string()
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests;
