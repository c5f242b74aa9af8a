//! Which addresses may be published: global unicast, and nobody else's.
//!
//! What a registry calls special is not global; what a CDN or a public resolver announces is not ours, whatever an
//! echo says. Networks that the configuration admits are the one exception. Never asks what an address is used for.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Network;

/// Why an address must not be published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inadmissible {
    /// An IANA special-purpose registry has it, or it is not unicast: what it is for.
    Special(&'static str),
    /// Carriers share it among their customers (RFC 6598).
    CarrierGrade,
    /// It belongs to a CDN, a VPN or a public resolver: whose it is. Seen when a proxy is in the way.
    Foreign(&'static str),
}

impl fmt::Display for Inadmissible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Inadmissible::Special(what) => write!(f, "not global: {what}"),
            Inadmissible::CarrierGrade => f.write_str("not global: shared by a carrier (RFC 6598)"),
            Inadmissible::Foreign(whose) => write!(f, "belongs to {whose}, so a proxy or VPN is in the way"),
        }
    }
}

/// Whether `address` may be published.
///
/// # Errors
/// Why not.
pub fn admissible(address: IpAddr, admit: &[Network]) -> Result<(), Inadmissible> {
    if admit.iter().any(|network| network.contains(address)) {
        return Ok(());
    }
    if CARRIER_GRADE.contains(address) {
        return Err(Inadmissible::CarrierGrade);
    }
    if let Some(what) = find(SPECIAL, address) {
        return Err(Inadmissible::Special(what));
    }
    if address.is_ipv6() && !Network::v6([0x2000, 0, 0], 3).contains(address) {
        return Err(Inadmissible::Special(
            "outside 2000::/3, the global unicast space (RFC 4291 section 2.4)",
        ));
    }
    find(FOREIGN, address).map_or(Ok(()), |whose| Err(Inadmissible::Foreign(whose)))
}

fn find(table: &[(Network, &'static str)], address: IpAddr) -> Option<&'static str> {
    table.iter().find(|(network, _)| network.contains(address)).map(|(_, what)| *what)
}

impl Network {
    const fn v4(octets: [u8; 4], prefix: u8) -> Self {
        let [a, b, c, d] = octets;
        Self { address: IpAddr::V4(Ipv4Addr::new(a, b, c, d)), prefix }
    }

    /// From the first three groups.
    const fn v6(groups: [u16; 3], prefix: u8) -> Self {
        let [a, b, c] = groups;
        Self { address: IpAddr::V6(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0)), prefix }
    }
}

/// What carriers share among their customers (RFC 6598).
pub const CARRIER_GRADE: Network = Network::v4([100, 64, 0, 0], 10);

/// The IANA special-purpose address registries (RFC 6890), and what is not unicast. Blocks that the registries call
/// globally reachable are here as well: they are anycast services, never one host's.
const SPECIAL: &[(Network, &str)] = &[
    (Network::v4([0, 0, 0, 0], 8), "this network (RFC 791)"),
    (Network::v4([10, 0, 0, 0], 8), "private use (RFC 1918)"),
    (Network::v4([127, 0, 0, 0], 8), "loopback (RFC 1122)"),
    (Network::v4([169, 254, 0, 0], 16), "link local (RFC 3927)"),
    (Network::v4([172, 16, 0, 0], 12), "private use (RFC 1918)"),
    (Network::v4([192, 0, 0, 0], 24), "IETF protocol assignments (RFC 6890)"),
    (Network::v4([192, 0, 2, 0], 24), "documentation (RFC 5737)"),
    (Network::v4([192, 31, 196, 0], 24), "AS112 (RFC 7535)"),
    (Network::v4([192, 52, 193, 0], 24), "AMT (RFC 7450)"),
    (Network::v4([192, 88, 99, 0], 24), "6to4 relay anycast (RFC 7526)"),
    (Network::v4([192, 168, 0, 0], 16), "private use (RFC 1918)"),
    (Network::v4([192, 175, 48, 0], 24), "AS112 (RFC 7534)"),
    (Network::v4([198, 18, 0, 0], 15), "benchmarking (RFC 2544)"),
    (Network::v4([198, 51, 100, 0], 24), "documentation (RFC 5737)"),
    (Network::v4([203, 0, 113, 0], 24), "documentation (RFC 5737)"),
    (Network::v4([224, 0, 0, 0], 4), "multicast (RFC 5771)"),
    (Network::v4([240, 0, 0, 0], 4), "reserved or broadcast (RFC 1112)"),
    // Inside 2000::/3; everything outside of it is refused as a whole.
    (Network::v6([0x2001, 0, 0], 32), "Teredo (RFC 4380)"),
    (Network::v6([0x2001, 0x0002, 0], 48), "benchmarking (RFC 5180)"),
    (Network::v6([0x2001, 0, 0], 23), "IETF protocol assignments (RFC 2928)"),
    (Network::v6([0x2001, 0x0db8, 0], 32), "documentation (RFC 3849)"),
    (Network::v6([0x2002, 0, 0], 16), "6to4 (RFC 3056)"),
    (Network::v6([0x2620, 0x004f, 0x8000], 48), "AS112 (RFC 7534)"),
    (Network::v6([0x3fff, 0, 0], 20), "documentation (RFC 9637)"),
];

/// What no home line holds: <https://www.cloudflare.com/ips/>, Cloudflare's WARP egress, public resolvers, and the
/// front of GitHub Pages, which must never be taken for a node.
const FOREIGN: &[(Network, &str)] = &[
    (Network::v4([104, 28, 0, 0], 16), "Cloudflare WARP"),
    (Network::v4([103, 21, 244, 0], 22), "Cloudflare"),
    (Network::v4([103, 22, 200, 0], 22), "Cloudflare"),
    (Network::v4([103, 31, 4, 0], 22), "Cloudflare"),
    (Network::v4([104, 16, 0, 0], 13), "Cloudflare"),
    (Network::v4([104, 24, 0, 0], 14), "Cloudflare"),
    (Network::v4([108, 162, 192, 0], 18), "Cloudflare"),
    (Network::v4([131, 0, 72, 0], 22), "Cloudflare"),
    (Network::v4([141, 101, 64, 0], 18), "Cloudflare"),
    (Network::v4([162, 158, 0, 0], 15), "Cloudflare"),
    (Network::v4([172, 64, 0, 0], 13), "Cloudflare"),
    (Network::v4([173, 245, 48, 0], 20), "Cloudflare"),
    (Network::v4([188, 114, 96, 0], 20), "Cloudflare"),
    (Network::v4([190, 93, 240, 0], 20), "Cloudflare"),
    (Network::v4([197, 234, 240, 0], 22), "Cloudflare"),
    (Network::v4([198, 41, 128, 0], 17), "Cloudflare"),
    (Network::v6([0x2400, 0xcb00, 0], 32), "Cloudflare"),
    (Network::v6([0x2405, 0x8100, 0], 32), "Cloudflare"),
    (Network::v6([0x2405, 0xb500, 0], 32), "Cloudflare"),
    (Network::v6([0x2606, 0x4700, 0], 32), "Cloudflare"),
    (Network::v6([0x2803, 0xf800, 0], 32), "Cloudflare"),
    (Network::v6([0x2a06, 0x98c0, 0], 29), "Cloudflare"),
    (Network::v6([0x2a09, 0xbac0, 0], 29), "Cloudflare WARP"),
    (Network::v6([0x2c0f, 0xf248, 0], 32), "Cloudflare"),
    (Network::v4([1, 0, 0, 0], 24), "a public resolver"),
    (Network::v4([1, 1, 1, 0], 24), "a public resolver"),
    (Network::v4([8, 8, 4, 0], 24), "a public resolver"),
    (Network::v4([8, 8, 8, 0], 24), "a public resolver"),
    (Network::v4([9, 9, 9, 0], 24), "a public resolver"),
    (Network::v4([208, 67, 220, 0], 24), "a public resolver"),
    (Network::v4([208, 67, 222, 0], 24), "a public resolver"),
    (Network::v6([0x2001, 0x4860, 0x4860], 48), "a public resolver"),
    (Network::v6([0x2620, 0x00fe, 0], 48), "a public resolver"),
    (Network::v4([185, 199, 108, 0], 22), "GitHub Pages"),
    (Network::v6([0x2606, 0x50c0, 0x8000], 46), "GitHub Pages"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(text: &str) -> Result<(), Inadmissible> {
        admissible(text.parse().unwrap(), &[])
    }

    #[test]
    fn ordinary_addresses_up_to_the_edge_of_every_special_block_are_admissible() {
        for text in [
            "1.2.3.4",
            "1.1.0.255",
            "1.1.2.0",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "191.255.255.255",
            "192.0.1.0",
            "192.0.3.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "203.0.112.255",
            "203.0.114.0",
            "223.255.255.255",
            "104.15.255.255",
            "104.29.0.0",
            "172.63.255.255",
            "172.72.0.0",
            "185.199.112.0",
            "2001:200::1",
            "2001:db7::1",
            "2001:db9::1",
            "2003:1::1",
            "2a02:8071::1",
            "2606:50c0:7fff::1",
            "240e:1::1",
            "3ffe::1",
        ] {
            assert_eq!(judge(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn what_the_registries_call_special_is_refused_from_its_first_to_its_last_address() {
        for text in [
            "0.0.0.0",
            "0.255.255.255",
            "10.0.0.0",
            "10.255.255.255",
            "127.0.0.1",
            "127.255.255.255",
            "169.254.0.0",
            "169.254.255.255",
            "172.16.0.0",
            "172.31.255.255",
            "192.0.0.0",
            "192.0.0.9",
            "192.0.0.255",
            "192.0.2.1",
            "192.31.196.1",
            "192.52.193.1",
            "192.88.99.1",
            "192.168.0.0",
            "192.168.255.255",
            "192.175.48.1",
            "198.18.0.0",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.255",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.0",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:8.8.8.8",
            "64:ff9b::1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:2::1",
            "2001:20::1",
            "2001:1ff::1",
            "2001:db8::1",
            "2002:c000:204::1",
            "2620:4f:8000::1",
            "3fff:fff::1",
            "4000::1",
            "5f00::1",
            "fc00::1",
            "fdff::1",
            "fe80::1",
            "febf::1",
            "ff02::1",
        ] {
            assert!(matches!(judge(text), Err(Inadmissible::Special(_))), "{text}: {:?}", judge(text));
        }
    }

    #[test]
    fn carrier_grade_space_is_told_apart_since_it_has_a_verdict_of_its_own() {
        for text in ["100.64.0.0", "100.127.255.255"] {
            assert_eq!(judge(text), Err(Inadmissible::CarrierGrade), "{text}");
        }
    }

    #[test]
    fn what_a_cdn_a_vpn_or_the_fallback_announces_is_refused_by_the_name_of_its_owner() {
        for (text, whose) in [
            ("104.16.0.0", "Cloudflare"),
            ("104.18.0.0", "Cloudflare"),
            ("104.23.255.255", "Cloudflare"),
            ("104.27.255.255", "Cloudflare"),
            ("104.28.1.2", "Cloudflare WARP"),
            ("172.64.0.0", "Cloudflare"),
            ("172.71.255.255", "Cloudflare"),
            ("1.1.1.1", "a public resolver"),
            ("185.199.108.153", "GitHub Pages"),
            ("2606:4700::1111", "Cloudflare"),
            ("2a09:bac5::1", "Cloudflare WARP"),
            ("2606:50c0:8003::153", "GitHub Pages"),
        ] {
            assert_eq!(judge(text), Err(Inadmissible::Foreign(whose)), "{text}");
            assert!(judge(text).unwrap_err().to_string().contains(whose));
        }
    }

    #[test]
    fn an_admitted_network_is_admissible_and_its_neighbours_are_not() {
        let admit: [Network; 2] = ["127.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        for (text, expected) in [("127.9.9.9", true), ("fd12::1", true), ("10.0.0.1", false), ("::1", false)]
        {
            assert_eq!(admissible(text.parse().unwrap(), &admit).is_ok(), expected, "{text}");
        }
    }
}
