//! What hearth's HTTPS clients trust: the roots compiled in, and those that were handed in.
//!
//! Never looks for certificates on the machine (an appliance image may have none), and never switches verification
//! off.

use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};

/// A root certificate that was handed in and is not one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("root certificate {index} cannot be read ({why}); hand in X.509 certificates of authorities")]
pub struct BadRoot {
    /// Which of those handed in, from 0.
    pub index: usize,
    /// What is wrong with it.
    pub why: String,
}

/// A TLS client that trusts the roots of the Mozilla programme and `extra_roots`, with ring for its cryptography.
///
/// # Errors
/// When one of `extra_roots` is not a certificate.
pub fn client_config(extra_roots: &[CertificateDer<'static>]) -> Result<ClientConfig, BadRoot> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    for (index, root) in extra_roots.iter().enumerate() {
        roots.add(root.clone()).map_err(|e| BadRoot { index, why: e.to_string() })?;
    }
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring speaks TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_certificate_is_refused_by_its_place() {
        let bad = client_config(&[CertificateDer::from(vec![1, 2, 3])]).unwrap_err();
        assert_eq!(bad.index, 0);
        assert!(client_config(&[]).is_ok());
    }
}
