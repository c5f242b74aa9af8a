//! Which authority is asked, and how hosts are proven to it. PURE.

use std::path::PathBuf;

use rustls::pki_types::CertificateDer;

use crate::dns::provider::ProviderSettings;

/// Which authority is asked for a certificate, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcmeSettings {
    /// The URL of its directory.
    pub directory: String,
    /// Trusted besides the compiled-in roots when it is asked: those of a private authority.
    pub roots: Vec<CertificateDer<'static>>,
    /// How hosts are proven.
    pub challenge: Challenge,
    /// Where the authority may write to, such as `mailto:me@example.com`.
    pub contact: Option<String>,
    /// A directory on a volume that other nodes of the site have as well: one of them renews, and all use it.
    pub share: Option<PathBuf>,
}

impl AcmeSettings {
    /// The host of the authority.
    #[must_use]
    pub fn authority(&self) -> String {
        let rest = self.directory.split_once("://").map_or(self.directory.as_str(), |(_, rest)| rest);
        rest.split(['/', ':']).next().unwrap_or(rest).to_owned()
    }
}

/// How a host is proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// By a TXT record (RFC 8555 section 8.4): needs no open port, and works whoever answers at the host's address.
    Dns01(Box<ProviderSettings>),
    /// By a file that is asked for on port 80 (RFC 8555 section 8.3).
    Http01,
    /// By a handshake on port 443 (RFC 8737).
    TlsAlpn01,
}

impl Challenge {
    /// Its name.
    #[must_use]
    pub const fn token(&self) -> &'static str {
        match self {
            Self::Dns01(_) => "dns-01",
            Self::Http01 => "http-01",
            Self::TlsAlpn01 => "tls-alpn-01",
        }
    }
}
