//! One look from outside: does the right node answer at this address, and what would a visitor get?
//!
//! Every look is a fresh connection to the address that it is about; DNS is not asked, and the site's name is used as
//! Host and SNI. Never decides anything: what a look means is `liveness`'s business. Never follows a redirect, never
//! uses a proxy, never logs.

mod classify;
pub mod outcome;
pub mod page;
mod reference;
pub mod rounds;
pub mod witness;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, ClientBuilder, Response, StatusCode, Url};
use ring::rand::{SecureRandom, SystemRandom};
use rustls::ClientConfig;
use rustls::pki_types::CertificateDer;

use crate::dns::Name;
use crate::heartbeat::proof::{self, MAX_PROOF, Nonce, Proof};
use crate::heartbeat::seal::VerifyingKey;
use crate::heartbeat::{NodeName, SEAL_HEADER};
use crate::host::tls;
use crate::moment::Moment;
use crate::tls::certificate;
pub use outcome::{Failure, Outcome};
pub use page::{PageCheck, Scheme};

/// How much of a page is looked through for its marker, in bytes.
pub const MAX_PAGE: usize = 256 * 1024;

/// How much longer the certificate of a fallback must be good. GitHub Pages renews one only while DNS leads there, so
/// a switch to a certificate in its last days ends in an error that nobody can click away.
pub const FALLBACK_CERTIFICATE_SPARE: Duration = Duration::from_secs(48 * 60 * 60);

/// What is looked at: a node at one of its addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The node that should answer.
    pub node: NodeName,
    /// Its key.
    pub key: VerifyingKey,
    /// The address that it claims.
    pub address: IpAddr,
    /// The site that it should serve there.
    pub site: Name,
    /// What a visitor of the site would ask for.
    pub page: PageCheck,
}

/// What a look at a page saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sight {
    /// When the certificate ends that was shown there, in seconds since 1970. None: the page came without TLS.
    pub certificate_ends: Option<u64>,
}

/// How long a look may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// To connect, with the TLS handshake.
    pub connect: Duration,
    /// For everything.
    pub total: Duration,
}

/// What a prober trusts.
#[derive(Clone, Debug, Default)]
pub struct ProberSettings {
    /// Trusted besides the compiled-in roots: a private authority.
    pub extra_roots: Vec<CertificateDer<'static>>,
}

/// Tells the time, for latencies.
pub type Clock = Arc<dyn Fn() -> Moment + Send + Sync>;

/// Looks. Cheap to clone; looks do not wait for each other.
#[derive(Clone)]
pub struct Prober {
    tls: ClientConfig,
    fallback_tls: ClientConfig,
    clock: Clock,
}

impl fmt::Debug for Prober {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Prober")
    }
}

impl Prober {
    /// A prober with these settings.
    ///
    /// # Errors
    /// When a root is not a certificate.
    pub fn new(settings: &ProberSettings, clock: Clock) -> Result<Self, tls::BadRoot> {
        let roots = &settings.extra_roots;
        let tls = fresh(tls::client_config(roots)?);
        let fallback_tls = fresh(tls::far_sighted_client_config(roots, FALLBACK_CERTIFICATE_SPARE)?);
        Ok(Self { tls, fallback_tls, clock })
    }

    /// Looks at a node once: first its proof, then the page.
    pub async fn look(&self, target: &Target, patience: Patience) -> Outcome {
        let began = (self.clock)();
        let looked = tokio::time::timeout(patience.total, self.visit(target, patience)).await;
        match looked.unwrap_or(Err(Failure::Timeout)) {
            Ok(Proof { generation }) => {
                let latency = (self.clock)() - began;
                let latency_ms = u64::try_from(latency.as_millis()).unwrap_or(u64::MAX);
                Outcome::Up { latency_ms, generation }
            }
            Err(failure) => Outcome::Failed(failure),
        }
    }

    /// Looks at an address of a fallback, which proves nothing: the page alone, and with TLS the certificate, which
    /// must be good for [`FALLBACK_CERTIFICATE_SPARE`] longer. Says what was seen.
    ///
    /// # Errors
    /// When a visitor of `site` who is sent there would not get the page.
    pub async fn look_at_fallback(
        &self,
        address: IpAddr,
        site: &Name,
        page: &PageCheck,
        patience: Patience,
    ) -> Result<Sight, Failure> {
        let looked = async {
            let (client, url) = connectable(&self.fallback_tls, address, site, page, patience)?;
            see_page(&client, url, page).await
        };
        tokio::time::timeout(patience.total, looked).await.unwrap_or(Err(Failure::Timeout))
    }

    async fn visit(&self, target: &Target, patience: Patience) -> Result<Proof, Failure> {
        let Target { address, site, page, .. } = target;
        let (client, page) = connectable(&self.tls, *address, site, page, patience)?;
        let proof = see_proof(&client, &page, target).await?;
        see_page(&client, page, &target.page).await?;
        Ok(proof)
    }
}

/// A resumed session would not show the certificate that visitors get now.
fn fresh(mut tls: ClientConfig) -> ClientConfig {
    tls.resumption = rustls::client::Resumption::disabled();
    tls
}

/// A client that knows one address for one name, and the URL of the page there.
fn connectable(
    tls: &ClientConfig,
    address: IpAddr,
    site: &Name,
    page: &PageCheck,
    patience: Patience,
) -> Result<(Client, Url), Failure> {
    let url = format!("{}://{site}:{}{}", page.scheme, page.port, page.path);
    let url = Url::parse(&url).map_err(|_| Failure::Unreachable)?;
    // A name of digits would be taken for an address, and connected to instead of `address`.
    let name = url.domain().ok_or(Failure::Unreachable)?;
    let client = builder(tls)
        .resolve_to_addrs(name, &[SocketAddr::new(address, page.port)])
        .connect_timeout(patience.connect)
        .build()
        .map_err(|_| Failure::Unreachable)?;
    Ok((client, url))
}

fn builder(tls: &ClientConfig) -> ClientBuilder {
    Client::builder()
        .tls_backend_preconfigured(tls.clone())
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .http1_only()
        .tls_info(true)
        .user_agent(concat!("hearth/", env!("CARGO_PKG_VERSION")))
}

/// Asks for the proof of a new nonce.
async fn see_proof(client: &Client, page: &Url, target: &Target) -> Result<Proof, Failure> {
    let nonce = Nonce::new(random());
    let mut url = page.clone();
    url.set_query(None);
    url.set_path(&nonce.path());
    let response = ask(client, url).await?;
    if response.status() != StatusCode::OK {
        let why = format!("status {} to the request for a proof", response.status().as_u16());
        return Err(Failure::NotTheNode(why));
    }
    let seal = response.headers().get(SEAL_HEADER).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let body = read(response, MAX_PROOF).await?;
    proof::check(&target.key, &target.node, &nonce, target.site.as_str(), &body, seal.as_deref())
        .map_err(|why| Failure::NotTheNode(why.to_string()))
}

/// Asks for the page and reads it as a visitor would, up to [`MAX_PAGE`].
async fn see_page(client: &Client, url: Url, page: &PageCheck) -> Result<Sight, Failure> {
    let response = ask(client, url).await?;
    let sight = Sight { certificate_ends: certificate_ends(&response) };
    if response.status() != StatusCode::OK {
        return Err(Failure::Status(response.status().as_u16()));
    }
    let body = read(response, MAX_PAGE).await?;
    match &page.contains {
        Some(marker) if !contains(&body, marker.as_bytes()) => Err(Failure::Content),
        Some(_) | None => Ok(sight),
    }
}

/// When the certificate ends that the answer came under.
fn certificate_ends(response: &Response) -> Option<u64> {
    let shown = response.extensions().get::<reqwest::tls::TlsInfo>()?;
    certificate::ends(shown.peer_certificate()?)
}

async fn ask(client: &Client, url: Url) -> Result<Response, Failure> {
    client.get(url).send().await.map_err(|e| classify::failure(&e))
}

/// The first `most` bytes of the body. The rest of a longer one is not waited for.
async fn read(mut response: Response, most: usize) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    while body.len() < most {
        let Some(chunk) = response.chunk().await.map_err(|e| classify::failure(&e))? else { break };
        let room = most - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
    }
    Ok(body)
}

fn contains(body: &[u8], marker: &[u8]) -> bool {
    marker.is_empty() || body.windows(marker.len()).any(|window| window == marker)
}

fn random() -> [u8; 16] {
    let mut bits = [0; 16];
    SystemRandom::new().fill(&mut bits).expect("the kernel gives random numbers");
    bits
}
