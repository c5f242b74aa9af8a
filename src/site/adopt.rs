//! Validators of the fallback, adopted: a 304 survives the way from here to GitHub Pages and back.
//!
//! A question now and then, in the background: has the fallback been deployed anew? Then each file that is held here is
//! fetched from there once, slowly, and compared byte for byte: a size alone does not tell two contents apart, and a
//! wrong 304 keeps an old page with a visitor. What is the same there is dated as it is there ([`Adopted`]).
//!
//! Never asks because of a request, never follows a redirect (with a domain of one's own it leads back here), and never
//! fails loudly: a fallback that does not answer, or is no GitHub Pages, leaves our own validators where they are.

mod claim;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::ACCEPT_ENCODING;
use reqwest::{Client, Method, Response, StatusCode, Url};
use tokio::sync::watch;

use self::claim::{Claim, NoClaim};
use super::generation::Current;
use super::generation::{Adopted, Digest, Generation, Summing};
use super::path::escape_into;
use crate::host::state_file::StateFile;
use crate::host::tls;

/// The form of what is remembered.
const FORM: u32 = 1;

/// For a connection, and for the longest silence of an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest rest after trouble.
const LONGEST_REST: Duration = Duration::from_secs(6 * 60 * 60);

/// Whose validators are adopted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdoptSettings {
    /// Where the fallback has the site: a URL without query and fragment, such as `https://user.github.io`.
    pub from: String,
    /// The address to connect to. None: the one that its name has in the DNS.
    pub address: Option<IpAddr>,
    /// Between two questions whether it was deployed anew.
    pub every: Duration,
    /// Between two files.
    pub pace: Duration,
}

/// What was adopted, as others see it; None until what is remembered was read.
pub type Adoption = Option<Arc<Adopted>>;

/// Asks, compares and publishes. Runs until it is dropped.
pub(super) struct Adopter {
    settings: AdoptSettings,
    base: Url,
    client: Client,
    state: Option<StateFile>,
    learnt: Learnt,
    publish: watch::Sender<Adoption>,
}

/// What is known of one deploy.
#[derive(Default)]
struct Learnt {
    deployed: u64,
    same: BTreeMap<Box<str>, Digest>,
    different: BTreeSet<(Box<str>, Digest)>,
}

/// Why a round led to nothing.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("it does not answer: {0}")]
    Silent(#[from] reqwest::Error),
    #[error("it answers {0}")]
    Status(StatusCode),
    #[error(transparent)]
    NoClaim(#[from] NoClaim),
    #[error("it is being deployed anew")]
    Moving,
}

impl Adopter {
    /// Remembers what it learns below `keep`. None, with a word why, when the URL cannot be asked.
    pub(super) fn new(
        settings: AdoptSettings,
        keep: Option<&Path>,
        publish: watch::Sender<Adoption>,
    ) -> Option<Self> {
        let base: Url = settings.from.parse().ok()?;
        let client = match client(&base, settings.address) {
            Ok(client) => client,
            Err(error) => {
                tracing::warn!("validators cannot be adopted from {base}: {error}");
                return None;
            }
        };
        let state = keep.map(|keep| StateFile::new(keep.join("validators"), FORM));
        Some(Self { settings, base, client, state, learnt: Learnt::default(), publish })
    }

    /// Asks about whatever is `current`.
    pub(super) async fn run(mut self, current: watch::Receiver<Current>) {
        self.remember().await;
        let mut rest = self.settings.every;
        loop {
            tokio::time::sleep(rest).await;
            let Some(generation) = current.borrow().clone() else { continue };
            rest = match self.round(&generation).await {
                Ok(()) => self.settings.every,
                Err(trouble) => {
                    tracing::debug!("no validators of {} now: {trouble}", self.base);
                    (rest * 2).min(LONGEST_REST.max(self.settings.every))
                }
            };
        }
    }

    /// Publishes what was known before a restart.
    async fn remember(&mut self) {
        let known: Option<Adopted> = match self.state.take() {
            None => None,
            Some(mut state) => {
                let read = tokio::task::spawn_blocking(move || (state.load(), state)).await;
                let Ok((loaded, state)) = read else { return };
                self.state = Some(state);
                loaded.unwrap_or_else(|error| {
                    tracing::warn!("{error}");
                    None
                })
            }
        };
        let known = known.unwrap_or_default();
        if let Some(deployed) = known.deployed() {
            self.learnt = Learnt { deployed, same: known.files().clone(), different: BTreeSet::new() };
        }
        self.publish.send_replace(Some(Arc::new(known)));
    }

    /// Asks about every file that is held and was not compared with this deploy yet.
    async fn round(&mut self, generation: &Generation) -> Result<(), Trouble> {
        let mut files: Vec<_> = generation.held().collect();
        files.sort_unstable();
        let Some((first, ..)) = files.first() else { return Ok(()) };
        // The home page where there is one: it is the last that a fallback would lack.
        let first = files.iter().find(|(name, ..)| *name == "index.html").map_or(*first, |(name, ..)| *name);
        let deployed = Claim::read(self.ask(Method::HEAD, first).await?.headers())?.deployed;
        if deployed != self.learnt.deployed {
            self.learnt = Learnt { deployed, ..Learnt::default() };
        }
        for (name, digest, size) in files {
            if !self.learnt.knows(name, digest) {
                tokio::time::sleep(self.settings.pace).await;
                self.compare(name, digest, size).await?;
            }
        }
        self.adopt().await;
        Ok(())
    }

    /// Fetches a file and compares it.
    async fn compare(&mut self, name: &str, digest: Digest, size: u64) -> Result<(), Trouble> {
        let verdict = match self.ask(Method::GET, name).await {
            Err(Trouble::Status(StatusCode::NOT_FOUND)) => None,
            Err(trouble) => return Err(trouble),
            Ok(response) => {
                let claim = Claim::read(response.headers())?;
                if claim.deployed != self.learnt.deployed {
                    return Err(Trouble::Moving);
                }
                if claim.size == size { digest_of(response, size).await? } else { None }
            }
        };
        if verdict == Some(digest) {
            self.learnt.same.insert(name.into(), digest);
        } else {
            self.learnt.different.insert((name.into(), digest));
        }
        Ok(())
    }

    async fn ask(&self, method: Method, name: &str) -> Result<Response, Trouble> {
        let mut url = self.base.clone();
        let mut path = url.path().trim_end_matches('/').to_owned();
        for segment in name.split('/') {
            path.push('/');
            escape_into(&mut path, segment);
        }
        url.set_path(&path);
        let response = self.client.request(method, url).header(ACCEPT_ENCODING, "identity").send().await?;
        match response.status() {
            StatusCode::OK => Ok(response),
            other => Err(Trouble::Status(other)),
        }
    }

    /// Publishes what was learnt, and remembers it.
    async fn adopt(&mut self) {
        let next = Adopted::new(self.learnt.deployed, self.learnt.same.clone());
        if self.publish.borrow().as_deref() == Some(&next) {
            return;
        }
        tracing::info!(files = next.len(), "validators of {} are adopted", self.base);
        let next = Arc::new(next);
        self.publish.send_replace(Some(Arc::clone(&next)));
        let Some(mut state) = self.state.take() else { return };
        let saved = tokio::task::spawn_blocking(move || (state.save(&*next), state)).await;
        let Ok((saved, state)) = saved else { return };
        if let Err(error) = saved {
            tracing::warn!("{error}");
        }
        self.state = Some(state);
    }
}

impl Learnt {
    /// Whether a file need not be asked for: one that the fallback has with other content is not there with this one.
    fn knows(&self, name: &str, digest: Digest) -> bool {
        self.same.contains_key(name) || self.different.contains(&(name.into(), digest))
    }
}

/// The digest of a body of this size; None when it has another.
async fn digest_of(mut response: Response, size: u64) -> Result<Option<Digest>, Trouble> {
    let (mut sum, mut read) = (Summing::new(), 0_u64);
    while let Some(chunk) = response.chunk().await? {
        read += chunk.len() as u64;
        if read > size {
            return Ok(None);
        }
        sum.add(&chunk);
    }
    Ok((read == size).then(|| sum.done()))
}

fn client(base: &Url, address: Option<IpAddr>) -> Result<Client, reqwest::Error> {
    let tls = tls::client_config(&[]).expect("no root was handed in");
    let mut client = Client::builder()
        .user_agent(concat!("hearth/", env!("CARGO_PKG_VERSION")))
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(PATIENCE)
        .read_timeout(PATIENCE)
        .pool_max_idle_per_host(1)
        .tls_backend_preconfigured(tls);
    if let (Some(address), Some(host)) = (address, base.host_str()) {
        // Port 0: that of the URL.
        client = client.resolve(host, SocketAddr::new(address, 0));
    }
    client.build()
}
