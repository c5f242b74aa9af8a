//! A certificate with its key: read from PEM, and looked at before anybody is shown it.
//!
//! PURE. Never trusts what it reads: a key of another certificate, a chain in the wrong order, a name that is not there
//! and an end that has passed are told apart, each with what to do.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Why a certificate cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// There is none.
    #[error("there is no certificate in it; it must hold PEM that begins with -----BEGIN CERTIFICATE-----")]
    Missing,
    /// One of the chain is none.
    #[error("certificate {number} in it cannot be read ({why}); get a new copy of it")]
    Unreadable {
        /// Which, from 1.
        number: usize,
        /// What is wrong with it.
        why: String,
    },
    /// The key is none.
    #[error(
        "the private key cannot be read ({0}); it must be PEM without a passphrase, of ECDSA, Ed25519 or RSA"
    )]
    Key(String),
    /// The key is of another certificate.
    #[error("the private key is not that of the first certificate{}; name the two that belong together", .of.map_or_else(String::new, |n| format!(" but of certificate {n}")))]
    KeyOfAnother {
        /// Of which in the chain, from 1. None: of none.
        of: Option<usize>,
    },
    /// The chain is not in order.
    #[error(
        "certificate {number} in it did not issue the one before it; put the site's own first, then each issuer in turn"
    )]
    Order {
        /// Which, from 1.
        number: usize,
    },
    /// It does not name a host.
    #[error("it is not for {host}, but for {}; get one that names every host of the site", .names.join(", "))]
    WrongName {
        /// The host.
        host: String,
        /// What it is for.
        names: Vec<String>,
    },
    /// It has ended.
    #[error("it ended on {}; get a new one", day(*.0))]
    Expired(u64),
    /// It has not begun.
    #[error("it begins on {} only; is the clock of this machine right?", day(*.0))]
    NotYet(u64),
}

/// From when until when a certificate is good, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first second.
    pub from: u64,
    /// The last one.
    pub until: u64,
}

impl Validity {
    /// How much is left of it at `now`.
    #[must_use]
    pub fn left(&self, now: SystemTime) -> Duration {
        Duration::from_secs(self.until.saturating_sub(seconds(now)))
    }

    fn check(self, now: SystemTime) -> Result<(), CertificateError> {
        match seconds(now) {
            now if now > self.until => Err(CertificateError::Expired(self.until)),
            now if now < self.from => Err(CertificateError::NotYet(self.from)),
            _ => Ok(()),
        }
    }
}

/// A certificate, the chain behind it, and its key.
#[derive(Clone)]
pub struct Certificate {
    key: Arc<CertifiedKey>,
    names: Vec<String>,
    validity: Validity,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({} until {})", self.names.join(", "), day(self.validity.until))
    }
}

impl Certificate {
    /// Reads a chain and the key of its first certificate, both in PEM. Whether it is good now and for a host is asked
    /// of it afterwards ([`check`](Self::check)).
    ///
    /// # Errors
    /// When one of them cannot be read, or they do not fit together.
    pub fn read(chain: &[u8], key: &[u8]) -> Result<Self, CertificateError> {
        let chain = read_chain(chain)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|e| CertificateError::Key(e.to_string()))?;
        Self::of(chain, key)
    }

    /// The same from what PEM wraps.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn of(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, CertificateError> {
        let leaf = chain.first().ok_or(CertificateError::Missing)?;
        let (names, validity) = about(leaf).map_err(|why| CertificateError::Unreadable { number: 1, why })?;
        let provider = rustls::crypto::ring::default_provider();
        let signs = provider.key_provider.load_private_key(key);
        let signs = signs.map_err(|e| CertificateError::Key(e.to_string()))?;
        let certified = CertifiedKey::new(chain, signs);
        if !fits(&certified) {
            return Err(CertificateError::KeyOfAnother { of: owner(&certified) });
        }
        check_order(&certified.cert)?;
        Ok(Self { key: Arc::new(certified), names, validity })
    }

    /// Whether it can be shown to visitors of `hosts` at `now`.
    ///
    /// # Errors
    /// The first thing that a browser would refuse it for.
    pub fn check(&self, hosts: &[String], now: SystemTime) -> Result<(), CertificateError> {
        match hosts.iter().find(|host| !self.covers(host)) {
            Some(host) => Err(CertificateError::WrongName { host: host.clone(), names: self.names.clone() }),
            None => self.validity.check(now),
        }
    }

    /// Whether it is for `host`. A `*` stands for exactly one label (RFC 9525 section 6.3).
    #[must_use]
    pub fn covers(&self, host: &str) -> bool {
        self.names.iter().any(|name| matches(name, host))
    }

    /// Whether it names `host` itself, and not by a `*`.
    #[must_use]
    pub fn names_exactly(&self, host: &str) -> bool {
        self.names.iter().any(|name| name.eq_ignore_ascii_case(host))
    }

    /// What it is for, in lower case.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// From when until when it is good.
    #[must_use]
    pub const fn validity(&self) -> Validity {
        self.validity
    }

    /// Itself, without the chain.
    #[must_use]
    pub fn leaf(&self) -> &CertificateDer<'static> {
        &self.key.cert[0]
    }

    /// What handshakes are signed with.
    #[must_use]
    pub const fn key(&self) -> &Arc<CertifiedKey> {
        &self.key
    }
}

/// The certificates of a chain in PEM, in the order in which they stand.
///
/// # Errors
/// When there is none, or one cannot be read.
pub fn read_chain(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let unreadable = |(at, read): (usize, Result<_, rustls::pki_types::pem::Error>)| {
        read.map_err(|e| CertificateError::Unreadable { number: at + 1, why: e.to_string() })
    };
    let chain: Vec<_> =
        CertificateDer::pem_slice_iter(pem).enumerate().map(unreadable).collect::<Result<_, _>>()?;
    if chain.is_empty() { Err(CertificateError::Missing) } else { Ok(chain) }
}

/// When a certificate ends, in seconds since 1970; None when it is none.
#[must_use]
pub fn ends(der: &[u8]) -> Option<u64> {
    about(der).ok().map(|(_, validity)| validity.until)
}

/// The day of a time in seconds since 1970, for people.
#[must_use]
pub fn day(seconds: u64) -> String {
    let at = i64::try_from(seconds).ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    at.map_or_else(
        || "a day beyond the calendar".to_owned(),
        |at| at.strftime("%Y-%m-%d %H:%M UTC").to_string(),
    )
}

fn seconds(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// The DNS names and the validity.
fn about(der: &[u8]) -> Result<(Vec<String>, Validity), String> {
    let certificate = parse(der)?;
    let alternative = certificate.subject_alternative_name().map_err(|e| e.to_string())?;
    let of = |name: &GeneralName<'_>| {
        if let GeneralName::DNSName(name) = name { Some(name.to_ascii_lowercase()) } else { None }
    };
    let names =
        alternative.map_or_else(Vec::new, |all| all.value.general_names.iter().filter_map(of).collect());
    let stamp = |at: i64| u64::try_from(at).unwrap_or(0);
    let validity = certificate.validity();
    let (from, until) = (validity.not_before.timestamp(), validity.not_after.timestamp());
    Ok((names, Validity { from: stamp(from), until: stamp(until) }))
}

fn parse(der: &[u8]) -> Result<X509Certificate<'_>, String> {
    let (_, certificate) = X509Certificate::from_der(der).map_err(|e| e.to_string())?;
    Ok(certificate)
}

/// A key whose public half cannot be told is left to the handshake.
fn fits(certified: &CertifiedKey) -> bool {
    use rustls::InconsistentKeys::Unknown;
    matches!(certified.keys_match(), Ok(()) | Err(rustls::Error::InconsistentKeys(Unknown)))
}

/// Whose key it is, when the site's own certificate is not the first of the chain.
fn owner(certified: &CertifiedKey) -> Option<usize> {
    let mut chain = certified.cert.clone();
    let numbers = 1..=chain.len();
    numbers.into_iter().find(|_| {
        let one = CertifiedKey::new(chain.clone(), Arc::clone(&certified.key));
        chain.rotate_left(1);
        fits(&one)
    })
}

/// Each certificate is the issuer of the one before it (RFC 5246 section 7.4.2), which not every client forgives.
fn check_order(chain: &[CertificateDer<'_>]) -> Result<(), CertificateError> {
    for (at, pair) in chain.windows(2).enumerate() {
        let number = at + 2;
        let unreadable = |why| CertificateError::Unreadable { number, why };
        let (one, issuer) = (parse(&pair[0]).map_err(unreadable)?, parse(&pair[1]).map_err(unreadable)?);
        if one.issuer().as_raw() != issuer.subject().as_raw() {
            return Err(CertificateError::Order { number });
        }
    }
    Ok(())
}

fn matches(name: &str, host: &str) -> bool {
    if name.eq_ignore_ascii_case(host) {
        return true;
    }
    let (Some(parent), Some((label, rest))) = (name.strip_prefix("*."), host.split_once('.')) else {
        return false;
    };
    !label.is_empty() && rest.eq_ignore_ascii_case(parent)
}

#[cfg(test)]
mod tests;
