//! The site: what is read from the mount, what is kept, and what a visitor is answered.
//!
//! ```text
//! mount <- loader process <- supervisor -> Generation -> reply -> visitor
//! ```
//!
//! Never answers a request by waiting for the mount: requests see the current generation and nothing else.

pub mod adopt;
pub mod answer;
pub mod body;
pub mod condition;
pub mod generation;
pub mod host;
pub mod keep;
pub mod large;
pub mod load;
pub mod log;
pub mod media;
pub mod negotiate;
pub mod page;
pub mod path;
pub mod patience;
pub mod range;
pub mod reply;
pub mod request;
pub mod serve;
pub mod served;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hyper::header::HeaderValue;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

pub use self::served::Door;

use self::adopt::{AdoptSettings, Adopter};
use self::generation::Current;
use self::host::{Hosts, Scheme};
use self::load::{LoadReport, Source, Supervisor};
use self::log::AccessLog;
use self::serve::{Limits, WallClock, WellKnown};
use self::served::{Https, Served, SharedSite};
use crate::heartbeat::SourceState;
use crate::status::SiteStatus;
use crate::tls::{self, Shelf, TlsSettings};

/// What is spoken over TLS (RFC 7301), the better first.
const PROTOCOLS: &[&[u8]] = &[b"h2", b"http/1.1"];

/// How long the ports stay silent at the start while the kept copies are read.
const RESTORING: Duration = Duration::from_secs(3);

/// One site that an agent serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteSettings {
    /// The values of Host that are answered, lower case, without a port; others get 421.
    pub hosts: Vec<String>,
    /// The directory or mount that the site is read from.
    pub root: PathBuf,
    /// The type of the file system that it must be on, such as `fuse.glusterfs`. None: any.
    pub kind: Option<String>,
    /// How a path becomes an answer.
    pub rules: Rules,
    /// Where to listen.
    pub listen: Vec<SocketAddr>,
    /// How many bytes of content may be held in memory.
    pub memory: u64,
    /// Where the last good copy is kept on local storage. None: it is not kept.
    pub keep: Option<PathBuf>,
    /// Between two looks at the root.
    pub poll: Duration,
    /// Whose validators are adopted. None: nobody's.
    pub validators: Option<AdoptSettings>,
    /// The access log.
    pub log: log::LogSettings,
    /// How it is served over HTTPS. None: it is not.
    pub tls: Option<TlsSettings>,
}

impl SiteSettings {
    fn https(&self) -> Https {
        let Some(tls) = &self.tls else { return Https::default() };
        let hsts = |span: Duration| HeaderValue::try_from(format!("max-age={}", span.as_secs()));
        Https {
            redirect: tls.redirect,
            hsts: tls.hsts.map(|span| hsts(span).expect("digits are a header value")),
        }
    }
}

/// How a path becomes an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rules {
    /// As GitHub Pages answers: `/about` finds `about.html`, a missing page is 404 with `/404.html`.
    #[default]
    GithubPages,
    /// `try_files $uri $uri/ /index.html`: a missing page is 200 with the home page.
    Spa,
    /// Files, and the index of a directory; nothing else.
    Files,
}

/// What sites are run with.
pub struct Surroundings {
    /// Where they are served; whoever calls has bound them.
    pub doors: Vec<Door>,
    /// What is answered before the sites.
    pub well_known: WellKnown,
    /// The certificates, by the numbers of the sites.
    pub shelf: Arc<Shelf>,
    /// The wall clock.
    pub now: WallClock,
    /// The program whose `loader` subcommand reads the mount: [`this_program`], except in tests.
    pub loader: PathBuf,
    /// What the server takes upon itself.
    pub limits: Limits,
}

/// Why sites are not served any more, without having been stopped.
#[derive(Debug, thiserror::Error)]
pub enum SiteError {
    /// The access log has no thread to be written by.
    #[error("the access log cannot be started: {0}")]
    Log(std::io::Error),
    /// A thread, a runtime or a listener of the server could not be had.
    #[error("the site cannot be served: {0}")]
    Server(std::io::Error),
    /// There are no keys for TLS.
    #[error("HTTPS cannot be served: {0}; does this machine give random numbers?")]
    Tls(rustls::Error),
    /// One of the two halves ended; this is a defect.
    #[error("the site's {0} ended unexpectedly; restart hearth and report this")]
    Ended(&'static str),
}

/// The program that runs now, by a path that holds even when its file was replaced.
#[must_use]
pub fn this_program() -> PathBuf {
    PathBuf::from("/proc/self/exe")
}

/// The loader's main: answers a supervisor on standard input and output until it hangs up.
///
/// # Errors
/// Those of the two pipes.
pub fn loader_main() -> std::io::Result<()> {
    load::reader::run(std::io::stdin().lock(), std::io::stdout().lock())
}

/// How a site stands before it was looked at.
#[must_use]
pub fn not_looked_at(hosts: Vec<String>, listening: Vec<SocketAddr>) -> SiteStatus {
    SiteStatus {
        hosts,
        generation: None,
        files: 0,
        bytes: 0,
        source: SourceState::Gone,
        why: "not looked at yet".to_owned(),
        listening,
        log_dropped: 0,
    }
}

/// Whether a site was looked at.
#[must_use]
pub fn was_looked_at(site: &SiteStatus) -> bool {
    *site != not_looked_at(site.hosts.clone(), site.listening.clone())
}

/// A place where sites listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entrance {
    /// Where.
    pub address: SocketAddr,
    /// What is spoken there.
    pub scheme: Scheme,
    /// The numbers of the sites that name it.
    pub sites: Vec<usize>,
}

/// Where sites listen: each address once.
#[must_use]
pub fn entrances(sites: &[SiteSettings]) -> Vec<Entrance> {
    let mut entrances: Vec<Entrance> = Vec::new();
    for (number, site) in sites.iter().enumerate() {
        let plain = site.listen.iter().map(|address| (*address, Scheme::Http));
        let secure = site.tls.iter().flat_map(|tls| &tls.listen).map(|address| (*address, Scheme::Https));
        for (address, scheme) in plain.chain(secure) {
            match entrances.iter_mut().find(|known| (known.address, known.scheme) == (address, scheme)) {
                Some(known) => known.sites.push(number),
                None => entrances.push(Entrance { address, scheme, sites: vec![number] }),
            }
        }
    }
    entrances
}

/// How the sites stand before they were looked at, as far as `doors` says where they are served.
#[must_use]
pub fn before_the_first_look(sites: &[SiteSettings], doors: &[Door]) -> Vec<SiteStatus> {
    let listening = |number: usize| {
        let own = doors.iter().filter(|door| door.sites.contains(&number));
        own.filter_map(|door| door.listener.local_addr().ok()).collect()
    };
    let status =
        |(number, site): (usize, &SiteSettings)| not_looked_at(site.hosts.clone(), listening(number));
    sites.iter().enumerate().map(status).collect()
}

/// Serves sites until `shutdown` says true: looks at their roots, publishes generations, answers requests. `status` has
/// how each stands at any time; it begins with [`before_the_first_look`].
///
/// Each site has loaders of its own: what hangs on the root of one costs the others nothing.
///
/// # Errors
/// [`SiteError`] when it ends before it was told to.
pub async fn run(
    sites: Vec<SiteSettings>,
    around: Surroundings,
    status: watch::Sender<Vec<SiteStatus>>,
    shutdown: watch::Receiver<bool>,
) -> Result<(), SiteError> {
    status.send_replace(before_the_first_look(&sites, &around.doors));
    let hosts: Vec<_> = sites.iter().map(|site| site.hosts.clone()).collect();
    let (mut loads, mut shared) = (JoinSet::new(), Vec::new());
    // Their end ends nothing else; they end with this function.
    let mut adopters = JoinSet::new();
    let mut kept = Vec::new();
    for (number, settings) in sites.into_iter().enumerate() {
        let has_copy = settings.keep.as_deref().is_some_and(Path::is_dir);
        let Opened { site, supervisor, adopter } = open(settings, &around.loader)?;
        if has_copy {
            kept.push(site.current.clone());
        }
        if let Some(adopter) = adopter {
            adopters.spawn(adopter.run(site.current.clone()));
        }
        let (status, current, log) = (status.clone(), site.current.clone(), site.log.clone());
        let report = move |report| show(&status, number, report, &current, &log);
        loads.spawn(supervisor.run(report, shutdown.clone()));
        shared.push(site);
    }
    let shared: Arc<[SharedSite]> = shared.into();
    let served = |door: Door| {
        let tls = match door.scheme {
            Scheme::Http => None,
            Scheme::Https => {
                let shelf = Arc::clone(&around.shelf);
                Some(tls::server::config(shelf, door.sites.clone(), PROTOCOLS).map_err(SiteError::Tls)?)
            }
        };
        let own =
            door.sites.iter().flat_map(|number| hosts[*number].iter().map(|host| (host.clone(), *number)));
        let served = Served {
            hosts: Hosts::new(own),
            sites: Arc::clone(&shared),
            first: door.sites.first().copied().unwrap_or_default(),
            well_known: Arc::clone(&around.well_known),
            tls,
            shelf: Arc::clone(&around.shelf),
            now: around.now,
        };
        Ok((door.listener, served))
    };
    let doors = around.doors.into_iter().map(served).collect::<Result<_, SiteError>>()?;
    let (limits, stop) = (around.limits, shutdown.clone());
    let serve = tokio::spawn(async move {
        restored(kept).await;
        serve::run(doors, limits, stop).await
    });
    until_stopped(loads, serve, &shutdown).await
}

/// Waits until the copies that were kept are in memory: whoever comes while one agent follows another is answered with the
/// page, and not told that there is none yet. Not for long, since a disk can hang.
async fn restored(kept: Vec<watch::Receiver<Current>>) {
    let all = async {
        for mut current in kept {
            // An error: nobody will publish, and the server says so itself.
            let _ = current.wait_for(Option::is_some).await;
        }
    };
    let _ = tokio::time::timeout(RESTORING, all).await;
}

/// A site as the server sees it, and what keeps it up to date.
struct Opened {
    site: SharedSite,
    supervisor: Supervisor,
    adopter: Option<Adopter>,
}

fn open(settings: SiteSettings, loader: &Path) -> Result<Opened, SiteError> {
    let https = settings.https();
    let (publish, current) = watch::channel::<Current>(None);
    let large = large::Large::below(&settings.root, loader.to_owned());
    let source = Source {
        root: settings.root,
        rules: settings.rules,
        memory: settings.memory,
        poll: settings.poll,
        kind: settings.kind,
    };
    let mut supervisor = Supervisor::new(source, loader.to_owned(), publish);
    let mut adopter = None;
    if let Some(validators) = settings.validators {
        let (adopt, adopted) = watch::channel(None);
        adopter = Adopter::new(validators, settings.keep.as_deref(), adopt);
        supervisor = supervisor.adopting(adopted);
    }
    if let Some(directory) = settings.keep {
        supervisor = supervisor.keeping(keep::Keeper::at(directory));
    }
    let log = AccessLog::start(settings.log).map_err(SiteError::Log)?;
    let site = SharedSite { rules: settings.rules, current, large, log, https };
    Ok(Opened { site, supervisor, adopter })
}

/// Waits for the end, which is an error before it was asked for.
async fn until_stopped(
    mut loads: JoinSet<()>,
    mut serve: JoinHandle<std::io::Result<()>>,
    shutdown: &watch::Receiver<bool>,
) -> Result<(), SiteError> {
    let told_to_stop = || *shutdown.borrow() || shutdown.has_changed().is_err();
    tokio::select! {
        Some(_) = loads.join_next() => {
            if !told_to_stop() {
                serve.abort();
                return Err(SiteError::Ended("loader"));
            }
            // The server ends by itself, within its time for draining.
            let _ = serve.await;
        }
        served = &mut serve => {
            if let Ok(Err(error)) = served {
                return Err(SiteError::Server(error));
            }
            if !told_to_stop() {
                return Err(SiteError::Ended("server"));
            }
        }
    }
    // The loads as well, within their time for a last copy.
    while loads.join_next().await.is_some() {}
    Ok(())
}

/// Puts a look's report into the status; whoever waits for changes is woken only by one.
fn show(
    status: &watch::Sender<Vec<SiteStatus>>,
    number: usize,
    report: LoadReport,
    current: &watch::Receiver<Current>,
    log: &AccessLog,
) {
    let generation = current.borrow().clone();
    status.send_if_modified(|sites| {
        let shown = &mut sites[number];
        let next = SiteStatus {
            hosts: shown.hosts.clone(),
            generation: generation.as_ref().map(|g| g.content().to_string()),
            files: generation.as_ref().map_or(0, |g| g.files()),
            bytes: generation.as_ref().map_or(0, |g| g.bytes()),
            source: report.state,
            why: report.why,
            listening: shown.listening.clone(),
            log_dropped: log.dropped(),
        };
        let changed = *shown != next;
        *shown = next;
        changed
    });
}
