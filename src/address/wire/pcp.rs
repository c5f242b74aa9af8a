//! PCP (RFC 6887): a short mapping, which is how this protocol tells a router's external address, and its end.
//!
//! Never maps anything but the UDP port that the question itself is sent from, and never for longer than it takes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{bytes, u16_at, u32_at};

/// The version (section 7).
const VERSION: u8 = 2;

/// The opcodes ANNOUNCE (section 14.1) and MAP (section 11), and the bit of an answer.
const ANNOUNCE: u8 = 0;
const MAP: u8 = 1;
const ANSWER: u8 = 0x80;

/// UDP, by its protocol number.
const UDP: u8 = 17;

/// A request and an answer with MAP and no options (sections 7 and 11.1).
const LENGTH: usize = 60;

/// The longest message (section 7).
const LONGEST: usize = 1100;

/// The least lifetime of a mapping, in seconds (section 15).
pub const SHORTEST: u32 = 120;

/// A mapping of one UDP port of this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// This machine's address, as it sends from.
    pub client: Ipv4Addr,
    /// Its port.
    pub port: u16,
    /// What the mapping is known by: 96 random bits (section 11.2).
    pub nonce: [u8; 12],
}

/// The request for a mapping that lives `lifetime` seconds; zero ends it (section 15.1).
#[must_use]
pub fn request(mapping: &Mapping, lifetime: u32) -> [u8; LENGTH] {
    let mut message = [0; LENGTH];
    message[..2].copy_from_slice(&[VERSION, MAP]);
    message[4..8].copy_from_slice(&lifetime.to_be_bytes());
    message[8..24].copy_from_slice(&mapping.client.to_ipv6_mapped().octets());
    message[24..36].copy_from_slice(&mapping.nonce);
    message[36] = UDP;
    message[40..42].copy_from_slice(&mapping.port.to_be_bytes());
    // No port and no address of our choice: all zeros of the IPv4 kind (section 11.1).
    message[44..60].copy_from_slice(&Ipv4Addr::UNSPECIFIED.to_ipv6_mapped().octets());
    message
}

/// The external address in the answer, or why there is none. The outer None: the packet is no answer to this request,
/// and is to be ignored (section 8.3).
#[must_use]
pub fn reply(message: &[u8], mapping: &Mapping) -> Option<Result<IpAddr, String>> {
    let (version, opcode, code) = (*message.first()?, *message.get(1)?, *message.get(3)?);
    if version == 0 && opcode & ANSWER != 0 {
        // A router of NAT-PMP answers so (RFC 6887 appendix A).
        return Some(Err("speaks NAT-PMP, not PCP".to_owned()));
    }
    let fits = (24..=LONGEST).contains(&message.len()) && message.len().is_multiple_of(4);
    if version != VERSION || opcode != MAP | ANSWER || !fits {
        return None;
    }
    if code != 0 {
        return Some(Err(refusal(code)));
    }
    let ours = bytes(message, 24)? == mapping.nonce
        && *message.get(36)? == UDP
        && u16_at(message, 40)? == mapping.port
        && u32_at(message, 4)? > 0;
    let external = Ipv6Addr::from(bytes::<16>(message, 44)?);
    ours.then_some(Ok(IpAddr::V6(external).to_canonical()))
}

/// The epoch in an announcement of a restart (section 14.1). None: it is no such thing.
#[must_use]
pub fn announced(message: &[u8]) -> Option<u32> {
    let header = message.len() == 24 && message[..2] == [VERSION, ANNOUNCE | ANSWER] && message[3] == 0;
    if header { u32_at(message, 8) } else { None }
}

/// Section 7.4.
fn refusal(code: u8) -> String {
    match code {
        1 => "does not speak this version of PCP".to_owned(),
        2 => "refuses: this machine may make no mapping".to_owned(),
        4 | 5 => "does not know the question".to_owned(),
        7 => "is in trouble with the network".to_owned(),
        8 | 10 => "has no room for another mapping".to_owned(),
        12 => "sees this machine at another address: there is a second router on the way".to_owned(),
        other => format!("refused with code {other}"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MAPPING: Mapping =
        Mapping { client: Ipv4Addr::new(192, 168, 1, 7), port: 40_000, nonce: *b"twelve bytes" };

    fn answer(code: u8, external: &str) -> Vec<u8> {
        let mut message = request(&MAPPING, 120).to_vec();
        (message[1], message[3]) = (MAP | ANSWER, code);
        let external: Ipv4Addr = external.parse().unwrap();
        message[44..60].copy_from_slice(&external.to_ipv6_mapped().octets());
        message
    }

    #[test]
    fn a_request_is_laid_out_as_the_standard_draws_it() {
        let request = request(&MAPPING, SHORTEST);
        assert_eq!(request[..8], [2, 1, 0, 0, 0, 0, 0, 120]);
        assert_eq!(request[18..24], [0xff, 0xff, 192, 168, 1, 7]);
        assert_eq!(request[24..44], *b"twelve bytes\x11\0\0\0\x9c\x40\0\0");
    }

    #[test]
    fn an_answer_counts_for_its_own_request_only() {
        assert_eq!(reply(&answer(0, "84.1.2.3"), &MAPPING), Some(Ok([84, 1, 2, 3].into())));
        for other in [Mapping { nonce: [0; 12], ..MAPPING }, Mapping { port: 1, ..MAPPING }] {
            assert_eq!(reply(&answer(0, "84.1.2.3"), &other), None);
        }
        assert_eq!(reply(&request(&MAPPING, 120), &MAPPING), None, "our own request, reflected");
        let refused = reply(&answer(12, "0.0.0.0"), &MAPPING).unwrap().unwrap_err();
        assert!(refused.contains("second router"), "{refused}");
        let older = reply(&[0, 129, 0, 1, 0, 0, 0, 0], &MAPPING).unwrap().unwrap_err();
        assert!(older.contains("NAT-PMP"), "{older}");
    }

    #[test]
    fn an_announcement_tells_the_epoch() {
        let mut message = [0; 24];
        message[..2].copy_from_slice(&[2, 0x80]);
        message[11] = 9;
        assert_eq!(announced(&message), Some(9));
        assert_eq!(announced(&message[..23]), None);
        message[1] = 0;
        assert_eq!(announced(&message), None, "a request");
    }

    proptest! {
        #[test]
        fn a_cut_or_garbled_answer_never_gives_an_address(cut in 0..LENGTH, bytes in proptest::collection::vec(any::<u8>(), 0..128)) {
            prop_assert!(!matches!(reply(&answer(0, "84.1.2.3")[..cut], &MAPPING), Some(Ok(_))));
            prop_assert!(!matches!(reply(&bytes, &MAPPING), Some(Ok(_))));
        }
    }
}
