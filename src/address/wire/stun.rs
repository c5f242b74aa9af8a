//! STUN binding requests and their answers (RFC 8489).
//!
//! Never sends; accepts XOR-MAPPED-ADDRESS alone, since middleboxes rewrite addresses that are not disguised
//! (section 14.2).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{bytes, u16_at, u32_at};

/// What a transaction is known by: 96 random bits (section 5).
pub type TransactionId = [u8; 12];

/// The magic cookie (section 5).
const COOKIE: u32 = 0x2112_A442;

/// Binding request, success and error response (section 18.1: method 0x001 with the class bits of section 5).
const REQUEST: u16 = 0x0001;
const SUCCESS: u16 = 0x0101;
const ERROR: u16 = 0x0111;

/// The header (section 5).
const HEADER: usize = 20;

/// Attributes (section 18.3).
const ERROR_CODE: u16 = 0x0009;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;

/// Attributes below this must be understood by whoever takes the answer (section 14).
const OPTIONAL: u16 = 0x8000;

/// Attributes that must be understood and that say nothing we need: MAPPED-ADDRESS, USERNAME, MESSAGE-INTEGRITY, its
/// SHA-256 form, REALM, NONCE, PASSWORD-ALGORITHM.
const KNOWN: [u16; 7] = [0x0001, 0x0006, 0x0008, 0x001C, 0x0014, 0x0015, 0x001D];

/// How a server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The address that it sees.
    Mapped(IpAddr),
    /// Something that is the answer to our request and holds no address: what.
    Useless(String),
}

/// A binding request without attributes.
#[must_use]
pub fn request(id: TransactionId) -> [u8; HEADER] {
    let mut message = [0; HEADER];
    message[..2].copy_from_slice(&REQUEST.to_be_bytes());
    message[4..8].copy_from_slice(&COOKIE.to_be_bytes());
    message[8..].copy_from_slice(&id);
    message
}

/// The answer to the request with this id. None: the packet is none, and is to be ignored (section 6.3).
#[must_use]
pub fn reply(message: &[u8], id: TransactionId) -> Option<Reply> {
    let kind = u16_at(message, 0)?;
    let length = usize::from(u16_at(message, 2)?);
    let whole = length.is_multiple_of(4) && message.len() == HEADER + length;
    let ours = u32_at(message, 4)? == COOKIE && bytes(message, 8)? == id;
    if !ours || !whole {
        return None;
    }
    match kind {
        SUCCESS => Some(mapped(&message[HEADER..], id)),
        ERROR => Some(Reply::Useless(refusal(&message[HEADER..]))),
        _ => None,
    }
}

/// The address in the attributes of a success. The first one of a kind counts (section 14).
fn mapped(attributes: &[u8], id: TransactionId) -> Reply {
    let mut found = None;
    for attribute in Attributes(attributes) {
        let Ok((kind, value)) = attribute else { return useless("answered attributes that do not fit") };
        if kind == XOR_MAPPED_ADDRESS {
            found = found.or(Some(value));
        } else if kind < OPTIONAL && !KNOWN.contains(&kind) {
            // Section 6.3.3: such an answer is to be thrown away.
            return useless(&format!("answered with the attribute {kind:#06x}, which nobody knows"));
        }
    }
    match found.map(|value| undisguised(value, id)) {
        Some(Some(address)) => Reply::Mapped(address),
        Some(None) => useless("answered an address that cannot be read"),
        None => useless("answered without an address"),
    }
}

fn useless(why: &str) -> Reply {
    Reply::Useless(why.to_owned())
}

/// Section 14.2: IPv4 is disguised with the cookie, IPv6 with the cookie and the transaction id.
fn undisguised(value: &[u8], id: TransactionId) -> Option<IpAddr> {
    match (value.get(1)?, value.len()) {
        (1, 8) => Some(Ipv4Addr::from(u32_at(value, 4)? ^ COOKIE).into()),
        (2, 20) => {
            let mut mask = [0; 16];
            mask[..4].copy_from_slice(&COOKIE.to_be_bytes());
            mask[4..].copy_from_slice(&id);
            let bits = u128::from_be_bytes(bytes(value, 4)?) ^ u128::from_be_bytes(mask);
            Some(IpAddr::V6(Ipv6Addr::from(bits)).to_canonical())
        }
        _ => None,
    }
}

/// The code of an error (section 14.8): the class in three bits, the number in a byte.
fn refusal(attributes: &[u8]) -> String {
    let code = Attributes(attributes).flatten().find(|(kind, _)| *kind == ERROR_CODE);
    match code.and_then(|(_, value)| Some((value.get(2)? & 7, *value.get(3)?))) {
        Some((class, number)) => format!("refused with error {class}{number:02}"),
        None => "refused without a reason".to_owned(),
    }
}

/// The attributes of a message: type, length, value, padded to four bytes (section 14).
struct Attributes<'a>(&'a [u8]);

/// An attribute that reaches beyond the message.
struct Torn;

impl<'a> Iterator for Attributes<'a> {
    type Item = Result<(u16, &'a [u8]), Torn>;
    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let one = u16_at(self.0, 0).zip(u16_at(self.0, 2)).and_then(|(kind, length)| {
            let length = usize::from(length);
            let value = self.0.get(4..4 + length)?;
            Some((kind, value, self.0.get(4 + length.next_multiple_of(4)..)?))
        });
        let Some((kind, value, rest)) = one else {
            self.0 = &[];
            return Some(Err(Torn));
        };
        self.0 = rest;
        Some(Ok((kind, value)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// RFC 5769 section 2.2 and 2.3, the test vectors, without their integrity and fingerprint.
    const ID: TransactionId = [0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae];
    const FOUR: [u8; 12] = [0x00, 0x20, 0x00, 0x08, 0x00, 0x01, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43];
    const SIX: [u8; 24] = [
        0x00, 0x20, 0x00, 0x14, 0x00, 0x02, 0xa1, 0x47, 0x01, 0x13, 0xa9, 0xfa, 0xa5, 0xd3, 0xf1, 0x79, 0xbc,
        0x25, 0xf4, 0xb5, 0xbe, 0xd2, 0xb9, 0xd9,
    ];
    const SOFTWARE: [u8; 16] = *b"\x80\x22\x00\x0btest vector ";

    fn message(kind: u16, attributes: &[&[u8]]) -> Vec<u8> {
        let body = attributes.concat();
        let mut message = request(ID).to_vec();
        message[..2].copy_from_slice(&kind.to_be_bytes());
        message[2..4].copy_from_slice(&u16::try_from(body.len()).unwrap().to_be_bytes());
        [message, body].concat()
    }

    #[test]
    fn the_vectors_of_the_standard_are_read() {
        let four = Reply::Mapped("192.0.2.1".parse().unwrap());
        assert_eq!(reply(&message(SUCCESS, &[&SOFTWARE, &FOUR]), ID), Some(four));
        let six = Reply::Mapped("2001:db8:1234:5678:11:2233:4455:6677".parse().unwrap());
        assert_eq!(reply(&message(SUCCESS, &[&SOFTWARE, &SIX]), ID), Some(six));
    }

    #[test]
    fn what_is_not_the_answer_is_ignored() {
        let good = message(SUCCESS, &[&FOUR]);
        assert!(reply(&good, ID).is_some());
        assert_eq!(reply(&good, [0; 12]), None, "another transaction");
        assert_eq!(reply(&request(ID), ID), None, "our own request, reflected");
        let mut cookie = good.clone();
        cookie[4] ^= 1;
        assert_eq!(reply(&cookie, ID), None, "no cookie");
        assert_eq!(reply(&[good.as_slice(), &[0]].concat(), ID), None, "longer than it says");
        for length in 0..good.len() {
            assert_eq!(reply(&good[..length], ID), None, "cut at {length}");
        }
    }

    #[test]
    fn an_answer_without_a_disguised_address_is_useless_and_says_why() {
        let mapped = [0x00, 0x01, 0x00, 0x08, 0x00, 0x01, 0xa1, 0x47, 192, 0, 2, 1];
        let unknown = [0x7f, 0xff, 0x00, 0x00];
        let torn = [0x00, 0x20, 0x00, 0xff];
        let error = [0x00, 0x09, 0x00, 0x04, 0, 0, 4, 20];
        for (kind, attributes, says) in [
            (SUCCESS, vec![&mapped[..]], "without an address"),
            (SUCCESS, vec![], "without an address"),
            (SUCCESS, vec![&unknown[..], &FOUR[..]], "0x7fff"),
            (SUCCESS, vec![&torn[..]], "do not fit"),
            (ERROR, vec![&error[..]], "error 420"),
            (ERROR, vec![], "without a reason"),
        ] {
            let Some(Reply::Useless(why)) = reply(&message(kind, &attributes), ID) else { panic!("{says}") };
            assert!(why.contains(says), "{why}");
        }
    }

    proptest! {
        #[test]
        fn whatever_arrives_is_read_to_its_end(mut bytes in proptest::collection::vec(any::<u8>(), 0..128), ours: bool) {
            if ours && bytes.len() >= HEADER {
                let length = u16::try_from(bytes.len() - HEADER).unwrap();
                bytes[..HEADER].copy_from_slice(&request(ID));
                bytes[..2].copy_from_slice(&SUCCESS.to_be_bytes());
                bytes[2..4].copy_from_slice(&length.to_be_bytes());
                prop_assert_eq!(reply(&bytes, ID).is_some(), length.is_multiple_of(4));
            } else {
                let _ = reply(&bytes, ID);
            }
        }
    }
}
