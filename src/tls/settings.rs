//! How HTTPS is wanted. PURE.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::acme::AcmeSettings;

/// How a site, or the watcher, is served over HTTPS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSettings {
    /// Where to listen. Empty for the watcher, which listens in one way only.
    pub listen: Vec<SocketAddr>,
    /// Where the certificate is from.
    pub certificate: CertificateSource,
    /// Whether visitors who come without TLS are sent here.
    pub redirect: Redirect,
    /// For how long browsers are to come by HTTPS alone (RFC 6797). None: they are not told so.
    pub hsts: Option<Duration>,
}

/// Where a certificate is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertificateSource {
    /// Files that somebody else keeps up to date.
    Files(CertificateFiles),
    /// An authority that is asked by ACME.
    Acme(AcmeSettings),
}

/// The files of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate and the chain behind it, PEM.
    pub certificate: PathBuf,
    /// The key, PEM.
    pub key: PathBuf,
}

/// Whether visitors who come without TLS are sent to HTTPS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Redirect {
    /// They are answered where they are.
    #[default]
    Off,
    /// They are, to this port, as soon as there is a certificate for the host.
    To(u16),
}

impl fmt::Display for CertificateSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Files(files) => write!(f, "{}", files.certificate.display()),
            Self::Acme(acme) => write!(f, "{} by {}", acme.authority(), acme.challenge.token()),
        }
    }
}
