//! What the kernel says about addresses: the table of this machine's, and news of changes (rtnetlink(7)).
//!
//! The numbers are in the machine's own byte order. Never opens a socket.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;

use super::bytes;

/// Multicast groups that tell of addresses and routes coming and going (linux/rtnetlink.h).
pub const NEWS: u32 = GROUP_IPV4_ADDRESS | GROUP_IPV4_ROUTE | GROUP_IPV6_ADDRESS | GROUP_IPV6_ROUTE;

const GROUP_IPV4_ADDRESS: u32 = 0x10;
const GROUP_IPV4_ROUTE: u32 = 0x40;
const GROUP_IPV6_ADDRESS: u32 = 0x100;
const GROUP_IPV6_ROUTE: u32 = 0x400;

/// Kinds of messages (linux/netlink.h, linux/rtnetlink.h).
const DONE: u16 = 3;
const NEW_ADDRESS: u16 = 20;
const ASK_ADDRESS: u16 = 22;

/// NLM_F_REQUEST | NLM_F_DUMP.
const WHOLE_TABLE: u16 = 0x001 | 0x300;

/// AF_INET6.
const IPV6: u8 = 10;

/// The headers of a message and of an address (struct nlmsghdr, struct ifaddrmsg).
const MESSAGE: usize = 16;
const ADDRESS: usize = 8;

/// Attributes of an address (linux/if_addr.h).
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_CACHEINFO: u16 = 6;
const IFA_FLAGS: u16 = 8;

/// IFA_F_TEMPORARY, IFA_F_DADFAILED, IFA_F_DEPRECATED, IFA_F_TENTATIVE (linux/if_addr.h).
const PASSING: u32 = 0x01 | 0x08 | 0x20 | 0x40;

/// IFA_F_MANAGETEMPADDR: the stable address that temporary ones are made beside.
const MANAGES: u32 = 0x100;

/// How long an address of this machine is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tenure {
    flags: u32,
    /// Seconds for which it is preferred; all ones: for ever (RFC 4862 section 5.5.3).
    preferred: u32,
}

impl Tenure {
    /// Whether it is none of those that are about to go: temporary (RFC 8981), deprecated, tentative, duplicate.
    #[must_use]
    pub const fn lasts(self) -> bool {
        self.flags & PASSING == 0
    }

    /// Greater is better: first whoever manages temporary addresses, then whoever is preferred for longer.
    #[must_use]
    pub const fn rank(self) -> (bool, u32) {
        (self.flags & MANAGES != 0, self.preferred)
    }
}

/// The request for all IPv6 addresses.
#[must_use]
pub fn request() -> [u8; MESSAGE + ADDRESS] {
    let mut message = [0; MESSAGE + ADDRESS];
    let length = u32::try_from(MESSAGE + ADDRESS).unwrap_or_default();
    message[..4].copy_from_slice(&length.to_ne_bytes());
    message[4..6].copy_from_slice(&ASK_ADDRESS.to_ne_bytes());
    message[6..8].copy_from_slice(&WHOLE_TABLE.to_ne_bytes());
    message[MESSAGE] = IPV6;
    message
}

/// Whether the table goes on after a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum More {
    /// It does.
    Comes,
    /// That was all.
    Done,
}

/// Adds what one packet of the answer says. What cannot be read ends it.
pub fn read(packet: &[u8], table: &mut BTreeMap<Ipv6Addr, Tenure>) -> More {
    let mut rest = packet;
    while let Some((kind, body, next)) = message(rest) {
        match kind {
            DONE => return More::Done,
            NEW_ADDRESS => table.extend(address(body)),
            _ => {}
        }
        rest = next;
    }
    if rest.is_empty() && !packet.is_empty() { More::Comes } else { More::Done }
}

/// Kind, body and what follows (NLMSG_ALIGN: four bytes).
fn message(packet: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let length = usize::try_from(u32::from_ne_bytes(bytes(packet, 0)?)).ok()?;
    let kind = u16::from_ne_bytes(bytes(packet, 4)?);
    let body = packet.get(MESSAGE..length)?;
    Some((kind, body, packet.get(length.next_multiple_of(4)..).unwrap_or_default()))
}

fn address(body: &[u8]) -> Option<(Ipv6Addr, Tenure)> {
    if *body.first()? != IPV6 {
        return None;
    }
    // The 8 bits of the header have no room for all flags; IFA_FLAGS has.
    let mut tenure = Tenure { flags: u32::from(*body.get(2)?), preferred: 0 };
    let (mut local, mut peer) = (None, None);
    let mut rest = body.get(ADDRESS..)?;
    while let Some((kind, value, next)) = attribute(rest) {
        match kind {
            IFA_LOCAL => local = bytes::<16>(value, 0),
            IFA_ADDRESS => peer = bytes::<16>(value, 0),
            IFA_FLAGS => tenure.flags = u32::from_ne_bytes(bytes(value, 0)?),
            IFA_CACHEINFO => tenure.preferred = u32::from_ne_bytes(bytes(value, 0)?),
            _ => {}
        }
        rest = next;
    }
    // Between two points the address is the other end's, and the local one is ours.
    Some((local.or(peer)?.into(), tenure))
}

/// Type, value and what follows (RTA_ALIGN: four bytes).
fn attribute(body: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let length = usize::from(u16::from_ne_bytes(bytes(body, 0)?));
    let kind = u16::from_ne_bytes(bytes(body, 2)?);
    let value = body.get(4..length)?;
    Some((kind, value, body.get(length.next_multiple_of(4)..).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(4 + value.len()).unwrap();
        let mut all = [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), value].concat();
        all.resize(all.len().next_multiple_of(4), 0);
        all
    }

    fn message(kind: u16, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(MESSAGE + body.len()).unwrap();
        [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), &[0; 10], body].concat()
    }

    fn new_address(last: u8, flags: u32, preferred: u32) -> Vec<u8> {
        let address = Ipv6Addr::new(0x2a02, 0x8071, 0, 0, 0, 0, 0, last.into()).octets();
        let cache = [preferred.to_ne_bytes(), [0; 4], [0; 4], [0; 4]].concat();
        let body = [
            vec![IPV6, 64, flags.to_le_bytes()[0], 0, 2, 0, 0, 0],
            attribute(IFA_ADDRESS, &address),
            attribute(IFA_CACHEINFO, &cache),
            attribute(IFA_FLAGS, &flags.to_ne_bytes()),
        ];
        message(NEW_ADDRESS, &body.concat())
    }

    #[test]
    fn a_table_is_read_to_its_end() {
        let packet = [
            new_address(1, 0, 600),
            new_address(2, 0x01, 600),
            new_address(3, 0x20, 0),
            new_address(4, 0x40, 600),
            new_address(5, 0x08, 600),
            new_address(6, 0x80 | 0x100, 300),
            new_address(7, 0x80, u32::MAX),
        ];
        let mut table = BTreeMap::new();
        assert_eq!(read(&packet.concat(), &mut table), More::Comes);
        assert_eq!(read(&message(DONE, &[0; 4]), &mut table), More::Done);
        let mut lasting: Vec<_> = table.iter().filter(|(_, tenure)| tenure.lasts()).collect();
        lasting.sort_by_key(|(_, tenure)| std::cmp::Reverse(tenure.rank()));
        let lasting: Vec<u16> = lasting.iter().map(|(address, _)| address.segments()[7]).collect();
        assert_eq!(lasting, [6, 7, 1], "the one that manages temporary ones, then the longest preferred");
        assert_eq!(table.len(), 7);
    }

    proptest! {
        #[test]
        fn whatever_is_read_ends(packet in proptest::collection::vec(any::<u8>(), 0..256), cut in 0..80_usize) {
            let mut table = BTreeMap::new();
            let _ = read(&packet, &mut table);
            let whole = new_address(1, 0, 600);
            let _ = read(&whole[..cut.min(whole.len())], &mut table);
        }
    }
}
