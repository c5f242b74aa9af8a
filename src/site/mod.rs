//! The site: what is read from the mount, what is kept, and what a visitor is answered.
//!
//! ```text
//! mount <- loader process <- supervisor -> Generation -> reply -> visitor
//! ```
//!
//! Never answers a request by waiting for the mount: requests see the current generation and nothing else.

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

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::sync::watch;

use self::load::{Current, LoadReport, Source, Supervisor};
use self::serve::{Limits, SharedSite, WallClock, WellKnown};
use crate::heartbeat::SourceState;
use crate::status::SiteStatus;

/// What one agent serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteSettings {
    /// The values of Host that are answered, lower case, without a port; others get 421.
    pub hosts: Vec<String>,
    /// The directory or mount that the site is read from.
    pub root: PathBuf,
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
    /// The access log.
    pub log: log::LogSettings,
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

/// What a site is run with.
pub struct Surroundings {
    /// Where it is served; whoever calls has bound them.
    pub listeners: Vec<TcpListener>,
    /// What is answered before the site.
    pub well_known: WellKnown,
    /// The wall clock.
    pub now: WallClock,
    /// The program whose `loader` subcommand reads the mount: [`this_program`], except in tests.
    pub loader: PathBuf,
    /// What the server takes upon itself.
    pub limits: Limits,
}

/// Why a site is not served any more, without having been stopped.
#[derive(Debug, thiserror::Error)]
pub enum SiteError {
    /// A listener does not say where it listens.
    #[error("a listener of the site cannot be used: {0}")]
    Listener(std::io::Error),
    /// The access log has no thread to be written by.
    #[error("the access log cannot be started: {0}")]
    Log(std::io::Error),
    /// A thread, a runtime or a listener of the server could not be had.
    #[error("the site cannot be served: {0}")]
    Server(std::io::Error),
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
pub fn not_looked_at(listening: Vec<SocketAddr>) -> SiteStatus {
    SiteStatus {
        generation: None,
        files: 0,
        bytes: 0,
        source: SourceState::Gone,
        why: "not looked at yet".to_owned(),
        listening,
    }
}

/// Serves a site until `shutdown` says true: looks at its root, publishes generations, answers requests. `status` has
/// how it stands at any time.
///
/// # Errors
/// [`SiteError`] when it ends before it was told to.
pub async fn run(
    settings: SiteSettings,
    around: Surroundings,
    status: watch::Sender<SiteStatus>,
    shutdown: watch::Receiver<bool>,
) -> Result<(), SiteError> {
    let listening: Result<Vec<_>, _> = around.listeners.iter().map(TcpListener::local_addr).collect();
    status.send_replace(not_looked_at(listening.map_err(SiteError::Listener)?));
    let (publish, current) = watch::channel::<Current>(None);
    let large = large::Large::below(&settings.root, around.loader.clone());
    let source =
        Source { root: settings.root, rules: settings.rules, memory: settings.memory, poll: settings.poll };
    let site = SharedSite {
        hosts: settings.hosts.into(),
        rules: settings.rules,
        current: current.clone(),
        large,
        log: log::AccessLog::start(settings.log).map_err(SiteError::Log)?,
        well_known: around.well_known,
        now: around.now,
    };
    let mut supervisor = Supervisor::new(source, around.loader, publish);
    if let Some(directory) = settings.keep {
        supervisor = supervisor.keeping(keep::Keeper::at(directory));
    }
    let mut load =
        tokio::spawn(supervisor.run(move |report| show(&status, report, &current), shutdown.clone()));
    let mut serve = tokio::spawn(serve::run(around.listeners, site, around.limits, shutdown.clone()));
    let told_to_stop = || *shutdown.borrow() || shutdown.has_changed().is_err();
    tokio::select! {
        _ = &mut load => {
            if !told_to_stop() {
                serve.abort();
                return Err(SiteError::Ended("loader"));
            }
            // The server ends by itself, within its time for draining.
            let _ = serve.await;
        }
        served = &mut serve => {
            load.abort();
            if let Ok(Err(error)) = served {
                return Err(SiteError::Server(error));
            }
            if !told_to_stop() {
                return Err(SiteError::Ended("server"));
            }
        }
    }
    Ok(())
}

/// Puts a look's report into the status; whoever waits for changes is woken only by one.
fn show(status: &watch::Sender<SiteStatus>, report: LoadReport, current: &watch::Receiver<Current>) {
    let generation = current.borrow().clone();
    status.send_if_modified(|shown| {
        let next = SiteStatus {
            generation: generation.as_ref().map(|g| g.digest().to_string()),
            files: generation.as_ref().map_or(0, |g| g.files()),
            bytes: generation.as_ref().map_or(0, |g| g.bytes()),
            source: report.state,
            why: report.why,
            listening: shown.listening.clone(),
        };
        let changed = *shown != next;
        *shown = next;
        changed
    });
}
