//! The shelf: the certificates that are shown now, by site, and what an authority that looks at a host is answered.
//!
//! What is put on it is shown from the next handshake on; connections that stand are not touched. Never holds a
//! certificate back because it has ended: a browser decides that, and an old one may be all there is.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::certificate::{Certificate, CertificateError};

/// The protocol in which an authority looks for its certificate (RFC 8737 section 6.2).
pub const ACME_TLS: &[u8] = b"acme-tls/1";

/// The certificates, by the number of their site. One lock is taken for each handshake, and for each request that may be
/// sent to HTTPS; it is never held for longer than a look.
#[derive(Default)]
pub struct Shelf {
    shown: RwLock<Shown>,
}

#[derive(Default)]
struct Shown {
    by_site: BTreeMap<usize, Arc<Certificate>>,
    /// HTTP-01, by token.
    tokens: HashMap<String, String>,
    /// TLS-ALPN-01, by host.
    proofs: HashMap<String, Arc<CertifiedKey>>,
}

impl fmt::Debug for Shelf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.read(|shown| shown.by_site.clone())).finish()
    }
}

/// What an authority finds where it looks.
#[derive(Clone)]
pub enum Proof {
    /// At `/.well-known/acme-challenge/TOKEN` (RFC 8555 section 8.3).
    Http {
        /// What is asked for.
        token: String,
        /// What is answered.
        text: String,
    },
    /// In a handshake for the host (RFC 8737).
    Tls {
        /// What is asked for.
        host: String,
        /// What is shown.
        certificate: Arc<CertifiedKey>,
    },
}

impl Shelf {
    /// Shows a certificate for the site with this number.
    pub fn put(&self, site: usize, certificate: Certificate) {
        self.write(|shown| shown.by_site.insert(site, Arc::new(certificate)));
    }

    /// Shows a certificate, unless it is worse than the one before it: in place of a good one for `hosts` only a good one
    /// is shown, in place of none or a bad one anything.
    ///
    /// # Errors
    /// Why it is not as good.
    pub fn offer(
        &self,
        site: usize,
        certificate: Certificate,
        hosts: &[String],
        now: SystemTime,
    ) -> Result<(), CertificateError> {
        let judged = certificate.check(hosts, now);
        let stands = self.certificate(site).is_some_and(|before| before.check(hosts, now).is_ok());
        if judged.is_err() && stands {
            return judged;
        }
        self.put(site, certificate);
        judged
    }

    /// What is shown for the site with this number.
    #[must_use]
    pub fn certificate(&self, site: usize) -> Option<Arc<Certificate>> {
        self.read(|shown| shown.by_site.get(&site).cloned())
    }

    /// Whether there is a certificate of that site for `host`.
    #[must_use]
    pub fn covers(&self, site: usize, host: &str) -> bool {
        self.read(|shown| shown.by_site.get(&site).is_some_and(|certificate| certificate.covers(host)))
    }

    /// Answers an authority from now on.
    pub fn prove(&self, proof: Proof) {
        self.write(|shown| match proof {
            Proof::Http { token, text } => drop(shown.tokens.insert(token, text)),
            Proof::Tls { host, certificate } => drop(shown.proofs.insert(host, certificate)),
        });
    }

    /// Stops to.
    pub fn withdraw(&self, proof: &Proof) {
        self.write(|shown| match proof {
            Proof::Http { token, .. } => drop(shown.tokens.remove(token)),
            Proof::Tls { host, .. } => drop(shown.proofs.remove(host)),
        });
    }

    /// What an authority is answered that asks for `token`.
    #[must_use]
    pub fn answer(&self, token: &str) -> Option<String> {
        self.read(|shown| shown.tokens.get(token).cloned())
    }

    /// Of `sites`, one that names the host before one that covers it by a `*`; without a host the first that there is.
    fn find(&self, sites: &[usize], host: Option<&str>) -> Option<Arc<CertifiedKey>> {
        self.read(|shown| {
            let mut all = sites.iter().filter_map(|site| shown.by_site.get(site));
            let found = match host {
                None => all.next(),
                Some(host) => {
                    let exact = all.clone().find(|certificate| certificate.names_exactly(host));
                    exact.or_else(|| all.find(|certificate| certificate.covers(host)))
                }
            };
            found.map(|certificate| Arc::clone(certificate.key()))
        })
    }

    fn proof(&self, host: &str) -> Option<Arc<CertifiedKey>> {
        self.read(|shown| shown.proofs.get(host).cloned())
    }

    fn read<T>(&self, look: impl FnOnce(&Shown) -> T) -> T {
        look(&self.shown.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write<T>(&self, change: impl FnOnce(&mut Shown) -> T) {
        change(&mut self.shown.write().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Finds what is shown at one door.
#[derive(Debug)]
pub(super) struct AtDoor {
    pub(super) shelf: Arc<Shelf>,
    /// The numbers of the sites that are answered there.
    pub(super) sites: Vec<usize>,
}

impl ResolvesServerCert for AtDoor {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let host = hello.server_name().map(|host| host.strip_suffix('.').unwrap_or(host));
        let mut protocols = hello.alpn().into_iter().flatten();
        if protocols.next() == Some(ACME_TLS) && protocols.next().is_none() {
            return self.shelf.proof(&host?.to_ascii_lowercase());
        }
        self.shelf.find(&self.sites, host)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    fn certificate(name: &str, until: i32) -> Certificate {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2000, 1, 1);
        params.not_after = rcgen::date_time_ymd(until, 1, 1);
        let made = params.self_signed(&key).unwrap();
        Certificate::read(made.pem().as_bytes(), key.serialize_pem().as_bytes()).unwrap()
    }

    fn in_2020() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(50 * 365 * 86_400)
    }

    fn shown(shelf: &Shelf, sites: &[usize], host: Option<&str>) -> Option<usize> {
        let found = shelf.find(sites, host)?;
        sites.iter().copied().find(|site| Arc::ptr_eq(shelf.certificate(*site).unwrap().key(), &found))
    }

    #[test]
    fn the_exact_name_wins_over_a_star_and_a_stranger_is_shown_nothing() {
        let shelf = Shelf::default();
        shelf.put(0, certificate("*.example.com", 2030));
        shelf.put(1, certificate("www.example.com", 2030));
        assert_eq!(shown(&shelf, &[0, 1], Some("WWW.example.com")), Some(1));
        assert_eq!(shown(&shelf, &[0, 1], Some("blog.example.com")), Some(0));
        assert_eq!(shown(&shelf, &[0, 1], Some("example.com")), None);
        assert_eq!(shown(&shelf, &[1], Some("blog.example.com")), None);
        assert_eq!(shown(&shelf, &[0, 1], None), Some(0));
        assert!(shelf.covers(0, "a.example.com") && !shelf.covers(1, "a.example.com"));
    }

    #[test]
    fn a_broken_certificate_never_takes_the_place_of_a_good_one() {
        let (shelf, hosts) = (Shelf::default(), ["www.example.com".to_owned()]);
        let offer = |name: &str, until| shelf.offer(0, certificate(name, until), &hosts, in_2020());
        let until = || shelf.certificate(0).unwrap().validity().until;
        offer("www.example.com", 2010).expect_err("it has ended");
        let first = until();
        offer("www.example.com", 2030).unwrap();
        assert!(until() > first, "what has ended gives way");
        let good = until();
        offer("www.example.com", 2015).expect_err("it has ended");
        offer("other.example.com", 2040).expect_err("it is for another");
        assert_eq!(until(), good);
        offer("www.example.com", 2025).unwrap();
        assert!(until() < good, "a good one may be shorter");
    }

    #[test]
    fn an_authority_is_answered_while_it_is_to_be() {
        let shelf = Shelf::default();
        let proof = Proof::Http { token: "t".to_owned(), text: "t.thumb".to_owned() };
        shelf.prove(proof.clone());
        assert_eq!(shelf.answer("t").as_deref(), Some("t.thumb"));
        shelf.withdraw(&proof);
        assert_eq!(shelf.answer("t"), None);
    }
}
