//! NAT-PMP (RFC 6886): the question for a router's external address, its answer, and what routers announce.
//!
//! Never asks for a mapping.

use std::net::Ipv4Addr;

use super::{bytes, u16_at, u32_at};

/// The request for the external address: version 0, opcode 0 (section 3.2).
pub const REQUEST: [u8; 2] = [0, 0];

/// The opcode of its answer.
const ANSWER: u8 = 128;

/// A success; every other code is a failure (section 3.5).
const SUCCESS: u16 = 0;

/// What a router says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct External {
    /// Seconds since the router forgot everything (section 3.6).
    pub epoch: u32,
    /// Its address towards the Internet; zeros when it holds none, or none that is public.
    pub address: Ipv4Addr,
}

/// The answer, or why there is none. The outer None: the packet is no answer, and is to be ignored.
#[must_use]
pub fn reply(message: &[u8]) -> Option<Result<External, String>> {
    match (*message.first()?, *message.get(1)?, u16_at(message, 2)?) {
        (0, ANSWER, SUCCESS) if message.len() == 12 => {
            Some(Ok(External { epoch: u32_at(message, 4)?, address: bytes::<4>(message, 8)?.into() }))
        }
        // Code 3, network failure, is what routers answer that were given none.
        (0, ANSWER, 3) if message.len() >= 8 => {
            Some(Ok(External { epoch: u32_at(message, 4)?, address: Ipv4Addr::UNSPECIFIED }))
        }
        (0, ANSWER, SUCCESS) => Some(Err("answered a message of the wrong length".to_owned())),
        (0, 128.., code) => Some(Err(refusal(code))),
        // A router that speaks PCP alone answers in its own version (RFC 6887 section 9).
        (2, 128.., _) => Some(Err("speaks PCP, not NAT-PMP".to_owned())),
        _ => None,
    }
}

/// Section 3.5.
fn refusal(code: u16) -> String {
    match code {
        1 => "does not speak this version of NAT-PMP".to_owned(),
        2 => "refuses: NAT-PMP is switched off".to_owned(),
        3 => "is in trouble with the network".to_owned(),
        4 => "has no resources left".to_owned(),
        5 => "does not know the question".to_owned(),
        other => format!("refused with code {other}"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_answer_is_read_as_a_whole() {
        let answer = [0, 128, 0, 0, 0, 0, 1, 2, 84, 1, 2, 3];
        let external = External { epoch: 258, address: [84, 1, 2, 3].into() };
        assert_eq!(reply(&answer), Some(Ok(external)));
        assert!(matches!(reply(&answer[..11]), Some(Err(_))));
        assert!(matches!(reply(&[&answer[..], &[0]].concat()), Some(Err(_))));
    }

    #[test]
    fn a_refusal_is_told_and_what_is_no_answer_is_ignored() {
        let none = External { epoch: 1, address: Ipv4Addr::UNSPECIFIED };
        assert_eq!(reply(&[0, 128, 0, 3, 0, 0, 0, 1, 0, 0, 0, 0]), Some(Ok(none)));
        let refused = reply(&[0, 128, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0]).unwrap().unwrap_err();
        assert!(refused.contains("switched off"), "{refused}");
        let pcp = reply(&[2, 128, 0, 1, 0, 0, 0, 0]).unwrap().unwrap_err();
        assert!(pcp.contains("PCP"), "{pcp}");
        for nothing in [&[][..], &[0], &[0, 0], &[0, 0, 0, 0], &[1, 128, 0, 0], &[0, 128, 0]] {
            assert_eq!(reply(nothing), None, "{nothing:?}");
        }
    }

    proptest! {
        #[test]
        fn an_address_comes_of_twelve_bytes_only(bytes in proptest::collection::vec(any::<u8>(), 0..32)) {
            if let Some(Ok(said)) = reply(&bytes) {
                prop_assert!(bytes.len() == 12 || said.address.is_unspecified());
            }
        }
    }
}
