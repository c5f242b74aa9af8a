//! An authority of one's own, and certificates from it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// An authority.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate with its chain, and the key, both PEM.
pub(crate) struct Issued {
    pub(crate) chain: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// One for these names, good from yesterday for 90 days.
    pub(crate) fn issue(&self, names: &[&str]) -> Issued {
        self.issue_until(names, now() + 89 * DAY)
    }

    /// One that ends so long after 1970.
    pub(crate) fn issue_until(&self, names: &[&str], until: Duration) -> Issued {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        let epoch = rcgen::date_time_ymd(1970, 1, 1);
        (params.not_before, params.not_after) = (epoch + now().min(until) - DAY, epoch + until);
        let key = KeyPair::generate().unwrap();
        let leaf = params.signed_by(&key, &self.0).unwrap();
        Issued { chain: leaf.pem() + &self.0.pem(), key: key.serialize_pem() }
    }

    /// One that ended a day ago.
    pub(crate) fn issue_ended(&self, names: &[&str]) -> Issued {
        self.issue_until(names, now() - DAY)
    }

    pub(crate) fn root(&self) -> CertificateDer<'static> {
        self.0.der().clone()
    }

    pub(crate) fn root_pem(&self) -> String {
        self.0.pem()
    }
}

impl Issued {
    /// What a server shows it with.
    pub(crate) fn server(&self) -> Arc<ServerConfig> {
        let chain = CertificateDer::pem_slice_iter(self.chain.as_bytes()).collect::<Result<_, _>>().unwrap();
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config =
            ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        Arc::new(config.with_no_client_auth().with_single_cert(chain, key).unwrap())
    }

    /// Puts it into `name.pem` and `name.key` below `directory`.
    pub(crate) fn write(&self, directory: &Path, name: &str) {
        for (ending, text) in [("pem", &self.chain), ("key", &self.key)] {
            let (whole, fresh) = (directory.join(format!("{name}.{ending}")), directory.join("fresh"));
            std::fs::write(&fresh, text).unwrap();
            std::fs::rename(fresh, whole).unwrap();
        }
    }
}

/// Since 1970.
pub(crate) fn now() -> Duration {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap()
}
