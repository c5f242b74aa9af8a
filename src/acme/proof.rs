//! Proofs that a host is ours: put where the authority looks, waited for until it can be seen there, and taken away.
//!
//! Never leaves one behind on purpose, and never touches what is not of this order.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::rr::{RData, RecordType};
use instant_acme::{ChallengeType, KeyAuthorization};
use rcgen::{CertificateParams, CustomExtension, DistinguishedName, KeyPair};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use tokio::time::{sleep, timeout};

use super::error::AcmeError;
use super::settings::Challenge;
use crate::dns::Name;
use crate::dns::account_book::AccountBook;
use crate::dns::attempt::{TextError, attempt_text};
use crate::dns::change::ChangeError;
use crate::dns::provider::{Provider, ProviderError, ProviderSettings, TextChange, wire};
use crate::host::time::wall_clock;
use crate::tls::Shelf;
use crate::tls::shelf::Proof;

/// The label below a host at which its proof stands (RFC 8555 section 8.4).
const LABEL: &str = "_acme-challenge";

/// How long name servers may take to show a text.
const SHOWN: Duration = Duration::from_secs(3 * 60);

/// Between two looks, and for one answer.
const ROUND: Duration = Duration::from_secs(1);
const ANSWER: Duration = Duration::from_secs(3);

/// Where proofs are put.
pub(super) enum Prover {
    /// Into the DNS, behind the guard of the account.
    Dns(Box<Zone>),
    /// Where the site itself is served.
    Here(Arc<Shelf>, ChallengeType),
}

/// A zone that takes texts.
pub(super) struct Zone {
    provider: Provider,
    settings: ProviderSettings,
    book: AccountBook,
}

impl Zone {
    async fn change(&self, change: TextChange, name: &Name, text: &str) -> Result<(), TextError> {
        let entry = self.book.entry(&self.settings, name);
        attempt_text(&entry, &self.provider, change, (name, text)).await
    }
}

/// A proof that was put somewhere.
pub(super) enum Given {
    /// A text at a name.
    Text(Name, String),
    /// On the shelf.
    Here(Proof),
}

impl Given {
    fn text(&self) -> Option<(&Name, &str)> {
        match self {
            Self::Text(name, text) => Some((name, text)),
            Self::Here(_) => None,
        }
    }
}

impl Prover {
    pub(super) fn of(
        challenge: &Challenge,
        shelf: &Arc<Shelf>,
        book: &AccountBook,
    ) -> Result<Self, ProviderError> {
        let here = |kind| Ok(Self::Here(Arc::clone(shelf), kind));
        match challenge {
            Challenge::Dns01(settings) => {
                let provider = Provider::new(settings, wall_clock)?;
                let (settings, book) = ((**settings).clone(), book.clone());
                Ok(Self::Dns(Box::new(Zone { provider, settings, book })))
            }
            Challenge::Http01 => here(ChallengeType::Http01),
            Challenge::TlsAlpn01 => here(ChallengeType::TlsAlpn01),
        }
    }

    pub(super) fn kind(&self) -> ChallengeType {
        match self {
            Self::Dns(_) => ChallengeType::Dns01,
            Self::Here(_, kind) => kind.clone(),
        }
    }

    /// How it proves.
    pub(super) fn token(&self) -> &'static str {
        match self {
            Self::Dns(_) => "dns-01",
            Self::Here(_, ChallengeType::TlsAlpn01) => "tls-alpn-01",
            Self::Here(..) => "http-01",
        }
    }

    /// The authoritative servers of the zone, where that is known.
    pub(super) async fn name_servers(&self) -> Option<Vec<SocketAddr>> {
        match self {
            Self::Dns(zone) => zone.provider.name_servers().await.ok(),
            Self::Here(..) => None,
        }
    }

    /// Puts a proof for `host` where the authority will look. A text is also given back when it is not known whether it
    /// was put there: it is looked for, and taken away, in any case.
    pub(super) async fn give(
        &self,
        host: &str,
        token: &str,
        key: &KeyAuthorization,
    ) -> Result<Given, AcmeError> {
        match self {
            Self::Dns(zone) => give_text(zone, host, key.dns_value()).await,
            Self::Here(shelf, ChallengeType::TlsAlpn01) => {
                let certificate = Arc::new(certificate(host, key.digest().as_ref())?);
                let proof = Proof::Tls { host: host.to_ascii_lowercase(), certificate };
                shelf.prove(proof.clone());
                Ok(Given::Here(proof))
            }
            Self::Here(shelf, _) => {
                let proof = Proof::Http { token: token.to_owned(), text: key.as_str().to_owned() };
                shelf.prove(proof.clone());
                Ok(Given::Here(proof))
            }
        }
    }

    /// Waits until every authoritative server shows the texts: an authority that looks too early counts a failure.
    pub(super) async fn wait_until_shown(&self, given: &[Given]) -> Result<(), AcmeError> {
        let Self::Dns(zone) = self else { return Ok(()) };
        let servers = zone.provider.name_servers().await.map_err(|error| AcmeError::Provider {
            host: "these hosts".to_owned(),
            why: ChangeError::Provider(error).into(),
        })?;
        let texts: Vec<_> = given.iter().filter_map(Given::text).collect();
        let mut missing = String::new();
        let looking = async {
            for (name, text) in &texts {
                loop {
                    let without = without(&servers, name, text).await;
                    if without.is_empty() {
                        break;
                    }
                    missing = format!("{} does not show {name}", without[0]);
                    sleep(ROUND).await;
                }
            }
        };
        match timeout(SHOWN, looking).await {
            Ok(()) => Ok(()),
            Err(_) => Err(AcmeError::NotShown { within: SHOWN, view: missing }),
        }
    }

    /// Takes the proofs away.
    pub(super) async fn take_back(&self, given: &[Given]) {
        for proof in given {
            match (self, proof) {
                (Self::Dns(zone), Given::Text(name, text)) => {
                    if let Err(error) = zone.change(TextChange::Take, name, text).await {
                        tracing::warn!(
                            "the text `{text}` may still stand at {name}, where it does no harm: {error}"
                        );
                    }
                }
                (Self::Here(shelf, _), Given::Here(proof)) => shelf.withdraw(proof),
                (Self::Dns(_), Given::Here(_)) | (Self::Here(..), Given::Text(..)) => {}
            }
        }
    }
}

async fn give_text(zone: &Zone, host: &str, text: String) -> Result<Given, AcmeError> {
    let wrong = |why| AcmeError::Provider { host: host.to_owned(), why };
    let name = host.parse::<Name>().and_then(|host| host.child(LABEL));
    let unusable = |error: &dyn std::fmt::Display| ProviderError::Unusable(error.to_string());
    let name = name.map_err(|error| wrong(ChangeError::Provider(unusable(&error)).into()))?;
    match zone.change(TextChange::Put, &name, &text).await {
        Ok(()) | Err(TextError::Change(ChangeError::Provider(ProviderError::Unconfirmed { .. }))) => {
            Ok(Given::Text(name, text))
        }
        Err(error) => Err(wrong(error)),
    }
}

/// Those of `servers` that do not show `text` at `name`.
async fn without(servers: &[SocketAddr], name: &Name, text: &str) -> Vec<SocketAddr> {
    let mut missing = Vec::new();
    for server in servers {
        let answer = wire::ask(*server, name, RecordType::TXT, ANSWER).await;
        if !answer.is_ok_and(|answer| answer.answers.iter().any(|record| holds(&record.data, text))) {
            missing.push(*server);
        }
    }
    missing
}

#[allow(clippy::wildcard_enum_match_arm, reason = "other types are no texts")]
fn holds(data: &RData, text: &str) -> bool {
    match data {
        RData::TXT(txt) => txt.txt_data.concat() == text.as_bytes(),
        _ => false,
    }
}

/// The certificate that proves a host (RFC 8737 section 3): its own signature, and the digest in an extension.
fn certificate(host: &str, digest: &[u8]) -> Result<CertifiedKey, AcmeError> {
    let defect = |error: &dyn std::fmt::Display| {
        AcmeError::Defect(format!("no proof for {host} could be made: {error}"))
    };
    let mut params = CertificateParams::new([host.to_owned()]).map_err(|e| defect(&e))?;
    params.distinguished_name = DistinguishedName::new();
    params.custom_extensions.push(CustomExtension::new_acme_identifier(digest));
    let key = KeyPair::generate().map_err(|e| defect(&e))?;
    let signed = params.self_signed(&key).map_err(|e| defect(&e))?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    // Whether the two fit is not asked: what would tell does not know the extension, which is critical.
    let key = default_provider().key_provider.load_private_key(key).map_err(|e| defect(&e))?;
    Ok(CertifiedKey::new(vec![signed.der().clone()], key))
}
