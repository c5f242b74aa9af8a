//! The demo's own certificate authority: made in memory for one demo, so that a site of a laboratory can be looked at by
//! HTTPS as the real one is.
//!
//! Never writes its key anywhere, and is trusted by whoever is handed its root and by nobody else.

use std::io;
use std::time::{Duration, UNIX_EPOCH};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use rustls::pki_types::CertificateDer;

use crate::host::time::wall_clock;
use crate::secret::Secret;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How long everything that it issues is good: longer than any demo, and than what a fallback must have left.
const GOOD_FOR: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// An authority.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate with its chain, and its key, both PEM.
pub struct Issued {
    /// The certificate, and the authority's behind it.
    pub chain: String,
    /// The key.
    pub key: Secret<String>,
}

impl Authority {
    /// A new one.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn fresh() -> io::Result<Self> {
        let mut params = good_now(CertificateParams::default());
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(DnType::CommonName, "hearth demo");
        let key = KeyPair::generate().map_err(io::Error::other)?;
        CertifiedIssuer::self_signed(params, key).map(Self).map_err(io::Error::other)
    }

    /// A certificate for `host`, with a key of its own.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn issue(&self, host: &str) -> io::Result<Issued> {
        let params = CertificateParams::new([host.to_owned()]).map_err(io::Error::other)?;
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let leaf = good_now(params).signed_by(&key, &self.0).map_err(io::Error::other)?;
        Ok(Issued { chain: leaf.pem() + &self.0.pem(), key: Secret::new(key.serialize_pem()) })
    }

    /// Its own certificate, which whoever is to trust it needs.
    #[must_use]
    pub fn root(&self) -> CertificateDer<'static> {
        self.0.der().clone()
    }

    /// The same as PEM.
    #[must_use]
    pub fn root_pem(&self) -> String {
        self.0.pem()
    }
}

/// Good from yesterday on: clocks differ.
fn good_now(mut params: CertificateParams) -> CertificateParams {
    let now = wall_clock().duration_since(UNIX_EPOCH).unwrap_or_default();
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    (params.not_before, params.not_after) = (epoch + now.saturating_sub(DAY), epoch + now + GOOD_FOR);
    params
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::FALLBACK_CERTIFICATE_SPARE;
    use crate::tls::certificate::Certificate;

    #[test]
    fn what_it_issues_is_good_for_the_host_alone_and_long_enough_for_a_fallback() {
        let issued = Authority::fresh().unwrap().issue("www.hearth.test").unwrap();
        let read = Certificate::read(issued.chain.as_bytes(), issued.key.expose().as_bytes()).unwrap();
        assert!(read.covers("www.hearth.test") && !read.covers("hearth.test"));
        let now = wall_clock();
        read.check(&["www.hearth.test".to_owned()], now).unwrap();
        assert!(read.validity().left(now) > FALLBACK_CERTIFICATE_SPARE);
    }
}
