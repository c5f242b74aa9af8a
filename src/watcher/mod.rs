//! The watcher's driver: owns time and tasks, feeds the engine, writes its journal and carries out its effects.
//!
//! One loop takes one event at a time: step the engine, write event and effects down, then act. What has to survive a
//! power cut (a write that was decided on) is on disk before it is acted on. Never decides anything itself.

pub mod actuate;
mod certificate;
mod driver;
mod errand;
pub mod history;
pub mod journal;
mod ledger;
pub mod listen;
pub mod metrics;
pub mod page;
pub mod question;
pub mod replay;
mod tell;
pub mod witness;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use crate::config::{WatchSettings, WatcherConfig};
use crate::dns::Name;
use crate::dns::account_book::AccountBook;
use crate::dns::provider::ProviderError;
use crate::failover::event::{Event, Setup, SiteSetup};
use crate::heartbeat::NodeName;

use crate::host::time::{Resume, Timeline, ahead_of_utc_ms};
use crate::host::tls::BadRoot;
use crate::host::{control, notify, shutdown};
use crate::notify::ping;
use crate::notify::run::notifiers;
use driver::{Driver, Published};
use journal::{Journal, JournalError};
use listen::Accepted;

/// Why a watcher stops other than by being told to.
#[derive(Debug, thiserror::Error)]
pub enum WatcherError {
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A provider cannot be used as it is configured.
    #[error("the provider of {site} cannot be used: {error}")]
    Provider {
        /// The site.
        site: Name,
        /// Why.
        error: ProviderError,
    },
    /// A root that it is to trust is none.
    #[error(transparent)]
    Root(#[from] BadRoot),
    /// The control socket ended.
    #[error("the control socket ended although nobody asked it to")]
    Control,
    /// There are no keys for TLS.
    #[error("HTTPS cannot be served: {0}; does this machine give random numbers?")]
    Tls(#[from] rustls::Error),
    /// The HTTP server ended.
    #[error("the HTTP server ended although nobody asked it to")]
    Listener,
}

/// What the watcher is given to run with.
#[derive(Debug)]
pub struct Surroundings {
    /// Where it listens.
    pub listeners: Vec<TcpListener>,
    /// Where commands come from.
    pub control: control::Server,
    /// True: stop.
    pub shutdown: watch::Receiver<bool>,
}

/// A question or a command from the control socket or over HTTP, on its way to the loop.
#[derive(Debug)]
pub struct Asked {
    question: serde_json::Value,
    reply: oneshot::Sender<serde_json::Value>,
}

/// A loop that has not published what it knows for this long does not run: it does so once a second.
const SILENT: Duration = Duration::from_secs(15);

/// What the parts of the watcher tell the loop.
enum Heard {
    Event(Event),
    Beat(Accepted),
    Asked(Asked),
    Due,
    Stop,
}

/// Runs the watcher until it is told to stop. Must be called within a tokio runtime with more than one thread: the
/// journal waits for the disk on this one.
///
/// # Errors
/// When the journal cannot be used, or an essential part ends by itself.
pub async fn run(config: WatcherConfig, with: Surroundings) -> Result<(), WatcherError> {
    let (journal, found) = Journal::open(&journal_directory(&config.state))?;
    let line = Timeline::start(found.replay.as_ref().map(|r| Resume { moment: r.last.0, wall_ms: r.last.1 }));
    let book = AccountBook::open(&config.state, line).await;
    let (notices, notifiers) = notifiers(&config.notify, line);
    let mut driver = Driver::new(&config, journal, found, line, &book)?;
    driver.notices = notices;
    let mut telling = JoinSet::new();
    notifiers.into_iter().for_each(|one| drop(telling.spawn(one.run(with.shutdown.clone()))));
    if let Some(ping) = config.ping.clone() {
        telling.spawn(ping::run(ping, pulse_of(&driver.seen, line), with.shutdown.clone()));
    }
    let (beats, mut accepted) = mpsc::channel(64);
    let (ask, mut asked) = mpsc::channel(16);
    let mut essential = JoinSet::new();
    let mut pulse = notify::watchdog(line);
    driver.begin(setup(&config));
    let peers = config.peers.iter().map(|p| (p.name.clone(), p.key)).collect();
    let door = listen::Door::new(config.page, config.token.as_ref());
    let shows = shows(&driver.seen, line);
    let handler =
        listen::Handler { key: Arc::new(config.key), peers, beats, shows, door, words: ask.clone() };
    let tls = config.tls.map(|tls| certificate::keep(tls, &config.state, book.clone(), line)).transpose()?;
    let (tls, keeping) = tls.unzip();
    // Ends with this function; without a certificate there is only no TLS.
    let mut keepers = JoinSet::new();
    keeping.map(|keeping| keepers.spawn(keeping));
    essential.spawn(listening(with.listeners, handler, tls, with.shutdown.clone()));
    essential.spawn(controlled(with.control, ask, with.shutdown.clone()));
    let mut stop = with.shutdown;
    notify::ready();
    loop {
        let due = driver.due();
        let heard = tokio::select! {
            () = shutdown::stopped(&mut stop) => Heard::Stop,
            Some(event) = driver.events.recv() => Heard::Event(event),
            Some(beat) = accepted.recv() => Heard::Beat(beat),
            Some(question) = asked.recv() => Heard::Asked(question),
            () = tokio::time::sleep_until(line.at(due)) => Heard::Due,
            Some(ended) = essential.join_next() => match ended {
                // All parts hear of a stop at once, and one of them may be quicker than this loop.
                _ if *stop.borrow() => Heard::Stop,
                Ok(error) => return Err(error),
                Err(_) => return Err(WatcherError::Control),
            },
        };
        pulse.alive();
        driver.look_at_clock(due);
        match heard {
            Heard::Stop => break,
            Heard::Event(event) => driver.step(event),
            Heard::Beat(beat) => driver.beat(beat),
            Heard::Asked(question) => driver.answer(question),
            Heard::Due => driver.wake(),
        }
        driver.publish();
    }
    notify::stopping();
    driver.end()?;
    book.person_acted().await;
    while essential.join_next().await.is_some() {}
    while telling.join_next().await.is_some() {}
    Ok(())
}

/// Where the journal lies in a watcher's state directory.
#[must_use]
pub fn journal_directory(state: &Path) -> PathBuf {
    state.join("journal")
}

/// What is shown of the latest that the loop has published.
fn shows(seen: &watch::Sender<Published>, line: Timeline) -> listen::Shows {
    let [page, status, history, metrics, alive] = [(); 5].map(|()| seen.subscribe());
    listen::Shows {
        page: Box::new(move || {
            let Published { status, history, .. } = &*page.borrow();
            let zone = page::Zone { ahead_ms: ahead_of_utc_ms(line.wall()) };
            page::html(&page::Seen { status, history, wall_ms: line.wall_ms(), zone })
        }),
        status: Box::new(move || json(&status.borrow().status)),
        history: Box::new(move || json(&history.borrow().history)),
        metrics: Box::new(move || {
            let Published { status, fared, .. } = &*metrics.borrow();
            metrics::text(status, fared)
        }),
        alive: Box::new(move || line.now() - alive.borrow().at <= SILENT),
    }
}

/// How the loop is, by what it has published.
fn pulse_of(seen: &watch::Sender<Published>, line: Timeline) -> impl Fn() -> ping::Pulse + Send + 'static {
    let seen = seen.subscribe();
    move || {
        let Published { status, at, .. } = &*seen.borrow();
        match (&status.journal_trouble, status.isolated_for_ms) {
            _ if line.now() - *at > SILENT => ping::Pulse::Stopped,
            (Some(trouble), _) => ping::Pulse::Falters(format!("no decision is carried out: {trouble}")),
            (None, Some(_)) => ping::Pulse::Falters("the watcher is cut off".to_owned()),
            (None, None) => ping::Pulse::Beats,
        }
    }
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

async fn listening(
    listeners: Vec<TcpListener>,
    handler: listen::Handler,
    tls: Option<Arc<ServerConfig>>,
    mut stop: watch::Receiver<bool>,
) -> WatcherError {
    let stopped = async move { shutdown::stopped(&mut stop).await };
    listen::run(listeners, handler, listen::Limits::default(), tls, stopped).await;
    WatcherError::Listener
}

async fn controlled(
    server: control::Server,
    ask: mpsc::Sender<Asked>,
    stop: watch::Receiver<bool>,
) -> WatcherError {
    let handler = move |question| {
        let ask = ask.clone();
        async move {
            let (reply, answer) = oneshot::channel();
            let gone = || serde_json::json!({ "error": "the watcher is stopping" });
            if ask.send(Asked { question, reply }).await.is_err() {
                return gone();
            }
            answer.await.unwrap_or_else(|_| gone())
        }
    };
    server.serve(handler, stop).await;
    WatcherError::Control
}

/// The configuration as the engine needs it.
#[must_use]
pub fn setup(config: &WatcherConfig) -> Setup {
    let host = |node: &NodeName| {
        let peer = config.peers.iter().find(|p| p.name == *node)?;
        Some((node.clone(), peer.host.clone()?))
    };
    let site = |watch: &WatchSettings| SiteSetup {
        site: watch.site.clone(),
        shape: watch.shape,
        nodes: watch.nodes.clone(),
        hosts: watch.nodes.iter().filter_map(host).collect(),
        fallback_name: watch.fallback.name.clone(),
        fallback_addresses: watch.fallback.addresses.clone(),
        policy: watch.policy.clone(),
    };
    Setup {
        sites: config.watches.iter().map(site).collect(),
        references: u32::try_from(config.references.len()).unwrap_or(u32::MAX),
    }
}
