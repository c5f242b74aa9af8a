//! What hearth's HTTPS clients trust: the roots compiled in, and those that were handed in.
//!
//! Never looks for certificates on the machine (an appliance image may have none), and never switches verification
//! off.

use std::sync::Arc;
use std::time::Duration;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

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
    let builder = ClientConfig::builder_with_provider(ring())
        .with_safe_default_protocol_versions()
        .expect("ring speaks TLS 1.2 and 1.3");
    Ok(builder.with_root_certificates(roots(extra_roots)?).with_no_client_auth())
}

/// The same, for servers whose certificates must be good for `spare` longer. They are shown a handshake as ever.
///
/// # Errors
/// When one of `extra_roots` is not a certificate.
pub fn far_sighted_client_config(
    extra_roots: &[CertificateDer<'static>],
    spare: Duration,
) -> Result<ClientConfig, BadRoot> {
    let mut config = client_config(extra_roots)?;
    let verifier = FarSighted { inner: verifier(extra_roots)?, spare };
    config.dangerous().set_certificate_verifier(Arc::new(verifier));
    Ok(config)
}

fn ring() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn roots(extra: &[CertificateDer<'static>]) -> Result<RootCertStore, BadRoot> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    for (index, root) in extra.iter().enumerate() {
        roots.add(root.clone()).map_err(|e| BadRoot { index, why: e.to_string() })?;
    }
    Ok(roots)
}

fn verifier(extra_roots: &[CertificateDer<'static>]) -> Result<Arc<WebPkiServerVerifier>, BadRoot> {
    let builder = WebPkiServerVerifier::builder_with_provider(Arc::new(roots(extra_roots)?), ring());
    Ok(builder.build().expect("there are roots, and no revocation lists that could be malformed"))
}

/// Verifies a chain twice: as it is now, and as it will be `spare` from now.
#[derive(Debug)]
struct FarSighted {
    inner: Arc<WebPkiServerVerifier>,
    spare: Duration,
}

impl ServerCertVerifier for FarSighted {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verify = |at| self.inner.verify_server_cert(end_entity, intermediates, name, ocsp, at);
        // Neither tells the time of the look: the same again is no news.
        verify(now).map_err(|error| if is_ended(&error) { telling("has ended") } else { error })?;
        let later = UnixTime::since_unix_epoch(Duration::from_secs(now.as_secs()) + self.spare);
        let hours = self.spare.as_secs() / 3_600;
        verify(later).map_err(|_| telling(&format!("ends within {hours} hours")))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, cert, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, cert, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

fn is_ended(error: &Error) -> bool {
    use rustls::CertificateError::{Expired, ExpiredContext};
    matches!(error, Error::InvalidCertificate(Expired | ExpiredContext { .. }))
}

/// Too late for a drill, which is refused as every switch is.
fn telling(what: &str) -> Error {
    let remedy = "it is renewed while the name leads there: keep a GeoDNS line there, or write the record there by hand \
                  for an hour";
    Error::General(format!("the certificate {what}; {remedy}"))
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

    /// 2120-01-01, when the certificate of the tests ends.
    const END: Duration = Duration::from_secs(4_733_510_400);
    const HOUR: Duration = Duration::from_secs(3_600);

    fn verified_at(now: Duration) -> Result<(), String> {
        let root = CertificateDer::from(&include_bytes!("../../tests/it/beats/root.der")[..]);
        let leaf = CertificateDer::from(&include_bytes!("../../tests/it/beats/leaf.der")[..]);
        let verifier = FarSighted { inner: verifier(&[root]).unwrap(), spare: 48 * HOUR };
        let name = ServerName::try_from("www.example.com").unwrap();
        let verified = verifier.verify_server_cert(&leaf, &[], &name, &[], UnixTime::since_unix_epoch(now));
        verified.map(|_| ()).map_err(|e| e.to_string())
    }

    #[test]
    fn a_certificate_that_ends_soon_is_refused_ahead_of_time() {
        assert_eq!(verified_at(END - 49 * HOUR), Ok(()));
        let soon = verified_at(END - 47 * HOUR).unwrap_err();
        assert!(soon.contains("ends within 48 hours"), "{soon}");
        let over = verified_at(END + HOUR).unwrap_err();
        assert!(!over.contains("ends within"), "{over}");
    }
}
