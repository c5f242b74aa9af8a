//! The addresses that this machine's interfaces hold, without those that are about to die, and its default router.
//!
//! Never asks the network. IPv6 addresses that are temporary (RFC 8981), deprecated, tentative or duplicate are left
//! out: published, they would be dead within a day. While the kernel's table cannot be read no IPv6 address is reported,
//! since nobody could tell which of them lasts.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::netlink;
use crate::address::admissible::CARRIER_GRADE;
use crate::address::wire::rtnetlink::Tenure;

/// `/proc/net` of this very thread, which stays visible where units hide the rest of `/proc`.
const ROUTES: &str = "/proc/thread-self/net/route";

/// The addresses that last, the best first: IPv4 in order, then of IPv6 the one that manages temporary ones, then the one
/// that stays preferred for longest. Loopback and link-local ones are left out. An interface list that cannot be read is
/// an empty one: whoever judges takes it for silence. Reads the kernel's tables and does not wait for anything.
#[must_use]
pub fn held() -> Vec<IpAddr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let table = netlink::tenures().unwrap_or_default();
    let addresses = interfaces.iter().filter(|interface| leads_out(interface)).map(if_addrs::Interface::ip);
    lasting(addresses, &table)
}

/// Whether an interface's address says something about the way to the Internet. A point-to-point interface with an
/// address of 100.64.0.0/10 is a mesh VPN (Tailscale numbers its nodes so), not a carrier.
fn leads_out(interface: &if_addrs::Interface) -> bool {
    let mesh = interface.is_p2p() && CARRIER_GRADE.contains(interface.ip());
    !interface.is_loopback() && !interface.is_link_local() && !mesh
}

/// Those of `addresses` that last, each once, the best first.
fn lasting(addresses: impl Iterator<Item = IpAddr>, table: &BTreeMap<Ipv6Addr, Tenure>) -> Vec<IpAddr> {
    let tenure = |address: &IpAddr| match address {
        IpAddr::V4(_) => None,
        IpAddr::V6(address) => table.get(address).copied().filter(|tenure| tenure.lasts()),
    };
    let mut held: Vec<IpAddr> = addresses.filter(|a| a.is_ipv4() || tenure(a).is_some()).collect();
    held.sort_by_key(|address| (address.is_ipv6(), Reverse(tenure(address).map(Tenure::rank)), *address));
    held.dedup();
    held
}

/// The IPv4 router of the default route. None: there is none, or the table cannot be read.
#[must_use]
pub fn default_router() -> Option<Ipv4Addr> {
    router_in(&fs::read_to_string(ROUTES).ok()?)
}

/// The default route with the least metric. A line is interface, destination, gateway, flags, reference count, use,
/// metric and mask; addresses are hexadecimal in the machine's byte order (net/ipv4/fib_trie.c, `fib_route_seq_show`).
fn router_in(text: &str) -> Option<Ipv4Addr> {
    let line = |line: &str| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let [_, destination, gateway, _, _, _, metric, mask, ..] = fields.as_slice() else { return None };
        let address = |hex| Some(Ipv4Addr::from(u32::from_str_radix(hex, 16).ok()?.to_ne_bytes()));
        let default = address(destination)?.is_unspecified() && address(mask)?.is_unspecified();
        let gateway = address(gateway).filter(|gateway| default && !gateway.is_unspecified())?;
        Some((metric.parse::<u32>().ok()?, gateway))
    };
    text.lines().filter_map(line).min().map(|(_, gateway)| gateway)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_route_with_the_least_metric_leads_to_the_router() {
        let hex = |address: [u8; 4]| format!("{:08X}", u32::from_ne_bytes(address));
        let line = |destination, gateway, metric, mask| {
            let [destination, gateway, mask] = [destination, gateway, mask].map(hex);
            format!("eth0\t{destination}\t{gateway}\t0003\t0\t0\t{metric}\t{mask}\t0\t0\t0\n")
        };
        let (any, lan) = ([0; 4], [192, 168, 1, 0]);
        let head = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n";
        let table = [
            head.to_owned(),
            line(lan, any, 100, [255, 255, 255, 0]),
            line(any, [192, 168, 2, 1], 600, any),
            line(any, [192, 168, 1, 1], 100, any),
            line(any, any, 1, any),
            line(any, [192, 168, 3, 1], 1, [128, 0, 0, 0]),
        ];
        assert_eq!(router_in(&table.concat()), Some([192, 168, 1, 1].into()));
        assert_eq!(router_in(&table[..2].concat()), None);
    }

    #[test]
    fn addresses_that_nobody_vouches_for_are_not_held() {
        let addresses = ["2a02::1", "192.168.1.7", "192.168.1.7"].map(|text| text.parse::<IpAddr>().unwrap());
        assert_eq!(lasting(addresses.into_iter(), &BTreeMap::new()), [addresses[1]]);
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
