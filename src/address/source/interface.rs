//! The addresses that this machine's interfaces hold, without those that are about to die.
//!
//! Never asks the network. IPv6 addresses that are temporary (RFC 8981), deprecated, tentative or duplicate are left
//! out: published, they would be dead within a day. The kernel's flags come from `if_inet6`; while it cannot be read no
//! IPv6 address is reported, since nobody could tell which of them lasts.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{IpAddr, Ipv6Addr};

use crate::address::admissible::CARRIER_GRADE;

/// `/proc/net` of this very process, which stays visible where units hide the rest of `/proc`.
const IF_INET6: &str = "/proc/self/net/if_inet6";

/// IFA_F_TEMPORARY, IFA_F_DADFAILED, IFA_F_DEPRECATED, IFA_F_TENTATIVE (linux/if_addr.h).
const PASSING: u8 = 0x01 | 0x08 | 0x20 | 0x40;

/// The addresses that last, in order. Loopback and link-local ones are left out. An interface list that cannot be read
/// is an empty one: whoever judges takes it for silence. Reads the kernel's tables and does not wait for anything.
#[must_use]
pub fn held() -> BTreeSet<IpAddr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let flags = fs::read_to_string(IF_INET6).map(|text| parse(&text)).unwrap_or_default();
    let addresses = interfaces.iter().filter(|interface| leads_out(interface)).map(if_addrs::Interface::ip);
    addresses.filter(|address| lasts(*address, &flags)).collect()
}

/// Whether an interface's address says something about the way to the Internet. A point-to-point interface with an
/// address of 100.64.0.0/10 is a mesh VPN (Tailscale numbers its nodes so), not a carrier.
fn leads_out(interface: &if_addrs::Interface) -> bool {
    let mesh = interface.is_p2p() && CARRIER_GRADE.contains(interface.ip());
    !interface.is_loopback() && !interface.is_link_local() && !mesh
}

fn lasts(address: IpAddr, flags: &BTreeMap<Ipv6Addr, u8>) -> bool {
    match address {
        IpAddr::V4(_) => true,
        IpAddr::V6(address) => flags.get(&address).is_some_and(|flags| flags & PASSING == 0),
    }
}

/// The flags by address. A line is address, index, prefix length, scope, flags and name, all but the last in hex
/// (net/ipv6/addrconf.c, `if6_seq_show`).
fn parse(text: &str) -> BTreeMap<Ipv6Addr, u8> {
    let line = |line: &str| {
        let mut fields = line.split_ascii_whitespace();
        let address = u128::from_str_radix(fields.next()?, 16).ok()?;
        let flags = u8::from_str_radix(fields.nth(3)?, 16).ok()?;
        Some((Ipv6Addr::from(address), flags))
    };
    text.lines().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
00000000000000000000000000000001 01 80 10 80       lo
2a028071000000000000000000000001 02 40 00 00     eth0
2a028071000000000000000000000002 02 40 00 01     eth0
2a028071000000000000000000000003 02 40 00 20     eth0
2a028071000000000000000000000004 02 40 00 40     eth0
2a028071000000000000000000000005 02 40 00 08     eth0
2a028071000000000000000000000006 02 40 00 80     eth0
not a line
";

    #[test]
    fn only_addresses_that_last_are_held() {
        let flags = parse(TABLE);
        assert_eq!(flags.len(), 7);
        let lasting: Vec<u16> = (1..=7)
            .filter(|n| lasts(IpAddr::V6(Ipv6Addr::new(0x2a02, 0x8071, 0, 0, 0, 0, 0, *n)), &flags))
            .collect();
        assert_eq!(lasting, [1, 6], "temporary, deprecated, tentative, duplicate and unknown ones are not");
        assert!(lasts("192.168.1.7".parse().unwrap(), &BTreeMap::new()));
    }

    #[test]
    fn a_mesh_vpn_is_not_taken_for_a_carrier() {
        let interface = |ip: [u8; 4], is_p2p| if_addrs::Interface {
            name: "x0".to_owned(),
            addr: if_addrs::IfAddr::V4(if_addrs::Ifv4Addr {
                ip: ip.into(),
                netmask: [255; 4].into(),
                prefixlen: 32,
                broadcast: None,
            }),
            index: None,
            oper_status: if_addrs::IfOperStatus::Up,
            is_p2p,
        };
        assert!(!leads_out(&interface([100, 101, 102, 103], true)), "a mesh VPN");
        assert!(leads_out(&interface([100, 101, 102, 103], false)), "a carrier's modem");
        assert!(leads_out(&interface([84, 1, 2, 3], true)), "PPPoE");
        assert!(!leads_out(&interface([127, 0, 0, 1], false)));
        assert!(!leads_out(&interface([169, 254, 0, 1], false)));
    }

    #[test]
    fn loopback_is_not_held() {
        assert!(!held().iter().any(IpAddr::is_loopback));
    }
}
