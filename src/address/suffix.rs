//! The address of another machine on the LAN: the prefix that the provider gave, and the rest that the machine keeps.
//!
//! A home's IPv6 prefix changes, a machine's interface identifier (RFC 4291 section 2.5.1) need not: a Pi that knows its
//! own address knows that of its neighbour. Never looks whether the neighbour is there.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// The bits below the prefix, and how long the prefix is: `::1234` for `::1234/64`, the size of a LAN (RFC 7421).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suffix {
    bits: u128,
    prefix: u8,
}

/// A text that is not a suffix.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SuffixError {
    /// It is no IPv6 address.
    #[error(
        "`{0}` is not the end of an IPv6 address; write \"::1234\", or \"::5:0:0:0:1234/56\" for another subnet"
    )]
    NotIpv6(String),
    /// It leaves nothing to the prefix, or nothing to itself.
    #[error("a prefix of {0} bits is not possible here; write 16 to 127")]
    Prefix(u8),
    /// It says something about the prefix.
    #[error("`{text}` has bits within the first {prefix}, which the provider gives; begin it with `::`")]
    Overlap {
        /// What was written.
        text: String,
        /// The length of the prefix.
        prefix: u8,
    },
    /// It is all zeros: the address of no machine (RFC 4291 section 2.6.1).
    #[error("`{0}` is the address of the subnet itself, not of a machine")]
    Nobody(String),
}

impl Suffix {
    /// The address below the prefix of `own`. IPv4 has no prefix to share: behind one address, all machines have it.
    #[must_use]
    pub fn below(self, own: IpAddr) -> IpAddr {
        match own {
            IpAddr::V4(_) => own,
            IpAddr::V6(own) => Ipv6Addr::from(u128::from(own) & self.mask() | self.bits).into(),
        }
    }

    /// The bits of the prefix.
    fn mask(self) -> u128 {
        u128::MAX << (128 - u32::from(self.prefix))
    }
}

impl FromStr for Suffix {
    type Err = SuffixError;
    fn from_str(text: &str) -> Result<Self, SuffixError> {
        let not_ipv6 = || SuffixError::NotIpv6(text.to_owned());
        let (address, prefix) = match text.split_once('/') {
            None => (text, 64),
            Some((address, prefix)) => (address, prefix.parse().map_err(|_| not_ipv6())?),
        };
        let bits = u128::from(address.parse::<Ipv6Addr>().map_err(|_| not_ipv6())?);
        if !(16..=127).contains(&prefix) {
            return Err(SuffixError::Prefix(prefix));
        }
        let suffix = Self { bits, prefix };
        match bits {
            0 => Err(SuffixError::Nobody(text.to_owned())),
            _ if bits & suffix.mask() != 0 => Err(SuffixError::Overlap { text: text.to_owned(), prefix }),
            _ => Ok(suffix),
        }
    }
}

impl fmt::Display for Suffix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Ipv6Addr::from(self.bits), self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn below(suffix: &str, own: &str) -> String {
        suffix.parse::<Suffix>().unwrap().below(own.parse().unwrap()).to_string()
    }

    #[test]
    fn a_neighbour_has_the_prefix_of_this_machine_and_the_rest_of_its_own() {
        assert_eq!(below("::1234", "2a02:8071:5:6:7:8:9:a"), "2a02:8071:5:6::1234");
        assert_eq!(below("::a:b:c:d", "2a02:8071:5:6:7:8:9:a"), "2a02:8071:5:6:a:b:c:d");
        assert_eq!(below("::3:0:0:0:1234/56", "2a02:8071:5:6ff:7:8:9:a"), "2a02:8071:5:603::1234");
        assert_eq!(below("::1234", "84.1.2.3"), "84.1.2.3", "behind one IPv4 address, all machines have it");
    }

    #[test]
    fn what_is_no_suffix_is_told_what_to_write() {
        for (text, says) in [
            ("1234", "write \"::1234\""),
            ("84.1.2.3", "write \"::1234\""),
            ("2a02::1234", "within the first 64"),
            ("::1:0:0:0:1", "within the first 64"),
            ("::", "the subnet itself"),
            ("::1/128", "16 to 127"),
            ("::1/8", "16 to 127"),
            ("::1/x", "write \"::1234\""),
        ] {
            let error = text.parse::<Suffix>().unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn the_prefix_is_kept_bit_by_bit_and_the_suffix_round_trips(own: u128, bits: u128, prefix in 16_u8..=127) {
            let bits = (bits >> prefix) | 1;
            let suffix: Suffix = format!("{}/{prefix}", Ipv6Addr::from(bits)).parse().unwrap();
            prop_assert_eq!(suffix.to_string().parse::<Suffix>().unwrap(), suffix);
            let IpAddr::V6(there) = suffix.below(IpAddr::V6(own.into())) else { panic!("IPv6") };
            prop_assert_eq!(u128::from(there) >> (128 - prefix), own >> (128 - prefix));
            prop_assert_eq!(u128::from(there) << prefix, bits << prefix);
        }
    }
}
