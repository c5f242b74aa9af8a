//! One order: from the hosts to a certificate for them.
//!
//! Never begins before the proofs can be seen, never leaves a proof behind, and never takes a certificate that does not fit
//! its key.

use std::time::Duration;

use instant_acme::{
    Account, AuthorizationStatus, CertificateIdentifier, ChallengeStatus, Identifier, NewOrder, Order,
    OrderStatus, RetryPolicy,
};
use rcgen::{CertificateParams, DistinguishedName, KeyPair};
use rustls::pki_types::CertificateDer;

use super::error::{AcmeError, Authority};
use super::proof::{Given, Prover};
use super::store::Kept;
use super::web::Web;

/// How long the authority may take to look at the hosts, and again to issue.
const PATIENCE: Duration = Duration::from_secs(3 * 60);

/// Whom is ordered from, and how hosts are proven.
pub(super) struct Orderer<'a> {
    pub(super) account: &'a Account,
    pub(super) authority: &'a Authority,
    pub(super) web: &'a Web,
    pub(super) prover: &'a Prover,
}

impl Orderer<'_> {
    /// Orders a certificate for `hosts`, in the place of `replaced` if there is one (RFC 9773 section 5).
    pub(super) async fn obtain(
        &self,
        hosts: &[String],
        replaced: Option<&CertificateDer<'_>>,
    ) -> Result<Kept, AcmeError> {
        let mut order = self.begin(hosts, replaced).await?;
        let mut given = Vec::new();
        let proven = self.prove(&mut order, &mut given).await;
        self.prover.take_back(&given).await;
        proven?;
        self.finish(&mut order, hosts).await
    }

    async fn begin(
        &self,
        hosts: &[String],
        replaced: Option<&CertificateDer<'_>>,
    ) -> Result<Order, AcmeError> {
        let identifiers: Vec<_> = hosts.iter().cloned().map(Identifier::Dns).collect();
        let replaced = replaced.and_then(|leaf| CertificateIdentifier::try_from(leaf).ok());
        if let Some(replaced) = replaced {
            match self.account.new_order(&NewOrder::new(&identifiers).replaces(replaced)).await {
                // It does not know of replacing, or not of that one.
                Err(instant_acme::Error::Unsupported(_) | instant_acme::Error::Other(_)) => {}
                answer => match answer.map_err(|e| self.wrong(e)) {
                    Err(error) if error.is_of_replacing() => {}
                    answer => return answer,
                },
            }
        }
        self.account.new_order(&NewOrder::new(&identifiers)).await.map_err(|e| self.wrong(e))
    }

    /// Puts all proofs in place, then tells the authority to look, then waits for its word.
    async fn prove(&self, order: &mut Order, given: &mut Vec<Given>) -> Result<(), AcmeError> {
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization.map_err(|e| self.wrong(e))?;
            if authorization.status == AuthorizationStatus::Valid {
                continue;
            }
            let host = authorization.identifier().to_string();
            let challenge = authorization.challenge(self.prover.kind());
            let challenge = challenge.ok_or_else(|| self.not_offered(&host))?;
            given.push(self.prover.give(&host, &challenge.token, &challenge.key_authorization()).await?);
        }
        self.prover.wait_until_shown(given).await?;
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization.map_err(|e| self.wrong(e))?;
            if authorization.status != AuthorizationStatus::Valid
                && let Some(mut challenge) = authorization.challenge(self.prover.kind())
            {
                challenge.set_ready().await.map_err(|e| self.wrong(e))?;
            }
        }
        let policy = RetryPolicy::new().timeout(PATIENCE);
        match order.poll_ready(&policy).await.map_err(|e| self.wrong(e))? {
            OrderStatus::Ready => Ok(()),
            OrderStatus::Invalid | OrderStatus::Pending | OrderStatus::Processing | OrderStatus::Valid => {
                Err(self.why_not(order).await)
            }
        }
    }

    /// What the authority found at the host that it did not accept.
    async fn why_not(&self, order: &mut Order) -> AcmeError {
        let mut authorizations = order.authorizations();
        while let Some(Ok(mut authorization)) = authorizations.next().await {
            if let Err(error) = authorization.refresh().await {
                return self.wrong(error);
            }
            let failed = authorization.challenges.iter().filter(|one| one.status == ChallengeStatus::Invalid);
            if let Some(problem) = failed.filter_map(|challenge| challenge.error.as_ref()).next() {
                return self.authority.problem(problem, None);
            }
        }
        let why = "the order became invalid, and nothing says why".to_owned();
        AcmeError::Unreachable { authority: self.authority.0.clone(), why, retry_after: None }
    }

    async fn finish(&self, order: &mut Order, hosts: &[String]) -> Result<Kept, AcmeError> {
        let (key, request) =
            request(hosts).map_err(|e| AcmeError::Defect(format!("no key could be made: {e}")))?;
        order.finalize_csr(&request).await.map_err(|e| self.wrong(e))?;
        let policy = RetryPolicy::new().timeout(PATIENCE);
        let chain = order.poll_certificate(&policy).await.map_err(|e| self.wrong(e))?;
        let kept = Kept { chain, key: key.serialize_pem() };
        let useless = |why: String| AcmeError::Useless { authority: self.authority.0.clone(), why };
        let certificate = kept.certificate().map_err(|why| useless(why.to_string()))?;
        match hosts.iter().find(|host| !certificate.covers(host)) {
            Some(host) => Err(useless(format!("it is not for {host}"))),
            None => Ok(kept),
        }
    }

    fn wrong(&self, error: instant_acme::Error) -> AcmeError {
        if matches!(error, instant_acme::Error::Timeout(_)) {
            return AcmeError::Slow { authority: self.authority.0.clone(), within: PATIENCE };
        }
        self.authority.error(&error, self.web.retry_after())
    }

    fn not_offered(&self, host: &str) -> AcmeError {
        let challenge = self.prover.token();
        AcmeError::NotOffered { authority: self.authority.0.clone(), challenge, host: host.to_owned() }
    }
}

/// A new key (ECDSA P-256), and a request for a certificate of it (RFC 2986) that names the hosts and nothing else.
fn request(hosts: &[String]) -> Result<(KeyPair, Vec<u8>), rcgen::Error> {
    let mut params = CertificateParams::new(hosts.to_vec())?;
    params.distinguished_name = DistinguishedName::new();
    let key = KeyPair::generate()?;
    let request = params.serialize_request(&key)?;
    Ok((key, request.der().to_vec()))
}
