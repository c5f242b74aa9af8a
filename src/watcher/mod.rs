//! The watcher's driver: owns time and tasks, feeds the engine, writes its journal and carries out its effects.
//!
//! One loop takes one event at a time: step the engine, write event and effects down, then act. What has to survive a
//! power cut (a write that was decided on) is on disk before it is acted on. Never decides anything itself.

pub mod actuate;
pub mod journal;
pub mod listen;
pub mod page;

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tracing::{error, info, warn};

use crate::config::{PeerSettings, WatchSettings, WatcherConfig};
use crate::dns::provider::{Provider, ProviderError};
use crate::dns::{Name, Owner};
use crate::failover::engine::Engine;
use crate::failover::event::{BeatSeen, Command, Effect, Event, Note, Setup, SiteSetup, Target, Weight};
use crate::failover::lane::Side;
use crate::failover::view::{Happened, WatcherStatus};
use crate::heartbeat::receive::FORM;
use crate::heartbeat::seal::{SigningKey, VerifyingKey};
use crate::heartbeat::{Answer, NodeName};
use crate::host::time::{ClockCheck, Resume, Timeline};
use crate::host::{control, notify, random, shutdown};
use crate::moment::Moment;
use crate::probe::{self, Patience, Prober, ProberSettings};
use actuate::{Actuator, Wish, sets_of};
use journal::{Found, Journal, JournalError, Step};
use listen::Accepted;

/// How many notes the timeline holds.
const TIMELINE: usize = 200;

/// The longest sleep of the loop: what people see is at most this old.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

/// The shortest: a deadline that is overdue does not make the loop spin.
const SHORTEST_SLEEP: Duration = Duration::from_millis(20);

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
    /// The control socket ended.
    #[error("the control socket ended although nobody asked it to")]
    Control,
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

/// A question or a command from the control socket, on its way to the loop.
struct Asked {
    question: serde_json::Value,
    reply: oneshot::Sender<serde_json::Value>,
}

/// What the parts of the watcher tell the loop.
enum Heard {
    Event(Event),
    Beat(Accepted),
    Asked(Asked),
    Due,
    Stop,
}

/// Runs the watcher until it is told to stop.
///
/// # Errors
/// When the journal cannot be used, or an essential part ends by itself.
pub async fn run(config: WatcherConfig, with: Surroundings) -> Result<(), WatcherError> {
    let (journal, found) = Journal::open(&journal_directory(&config.state))?;
    let line = Timeline::start(found.replay.as_ref().map(|r| Resume { moment: r.last.0, wall_ms: r.last.1 }));
    let mut driver = Driver::new(&config, journal, found, line)?;
    let (beats, mut accepted) = mpsc::channel(64);
    let (ask, mut asked) = mpsc::channel(16);
    let mut essential = JoinSet::new();
    let pulse = notify::watchdog(line);
    driver.begin(setup(&config)).await?;
    let peers = config.peers.iter().map(|p| (p.name.clone(), p.key)).collect();
    let handler = handler(Arc::new(config.key), peers, &driver, beats);
    essential.spawn(listening(with.listeners, handler, with.shutdown.clone()));
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
            Some(ended) = essential.join_next() => {
                // Told to stop, they may be the first to do so.
                if *stop.borrow() { Heard::Stop } else { return Err(ended.unwrap_or(WatcherError::Control)) }
            }
        };
        pulse.alive();
        match heard {
            Heard::Stop => break,
            Heard::Event(event) => driver.step(event).await?,
            Heard::Beat(beat) => driver.beat(beat).await?,
            Heard::Asked(question) => driver.answer(question).await?,
            Heard::Due => driver.wake(due).await?,
        }
        driver.publish();
    }
    notify::stopping();
    driver.journal.sync()?;
    while essential.join_next().await.is_some() {}
    Ok(())
}

/// Where the journal lies in a watcher's state directory.
#[must_use]
pub fn journal_directory(state: &Path) -> std::path::PathBuf {
    state.join("journal")
}

fn handler(
    key: Arc<SigningKey>,
    peers: BTreeMap<NodeName, VerifyingKey>,
    driver: &Driver,
    beats: mpsc::Sender<Accepted>,
) -> listen::Handler {
    let (page, json) = (driver.status.subscribe(), driver.status.subscribe());
    listen::Handler {
        key,
        peers,
        beats,
        page: Box::new(move || page::html(&page.borrow())),
        json: Box::new(move || serde_json::to_string_pretty(&*json.borrow()).unwrap_or_default()),
    }
}

async fn listening(
    listeners: Vec<TcpListener>,
    handler: listen::Handler,
    mut stop: watch::Receiver<bool>,
) -> WatcherError {
    let stopped = async move { shutdown::stopped(&mut stop).await };
    listen::run(listeners, handler, listen::Limits::default(), stopped).await;
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

/// The engine and everything that carries out what it says.
struct Driver {
    engine: Engine,
    journal: Journal,
    line: Timeline,
    clock: ClockCheck,
    started: Moment,
    prober: Prober,
    watches: BTreeMap<Name, Arc<WatchSettings>>,
    peers: BTreeMap<NodeName, PeerSettings>,
    references: Arc<Vec<String>>,
    providers: BTreeMap<Name, Provider>,
    wishes: BTreeMap<Name, watch::Sender<Option<Wish>>>,
    tasks: JoinSet<()>,
    tell: mpsc::Sender<Event>,
    events: mpsc::Receiver<Event>,
    timeline: VecDeque<Happened>,
    status: watch::Sender<WatcherStatus>,
    synced: Moment,
}

impl Driver {
    fn new(
        config: &WatcherConfig,
        journal: Journal,
        found: Found,
        line: Timeline,
    ) -> Result<Self, WatcherError> {
        for remark in &found.remarks {
            warn!("journal: {remark}");
        }
        let (engine, notes) = found.replay.map(|r| (r.engine, r.notes)).unwrap_or_default();
        let (tell, events) = mpsc::channel(256);
        let clock: probe::Clock = Arc::new(move || line.now());
        let prober = Prober::new(&ProberSettings::default(), clock).expect("no roots were added");
        let now = line.now();
        let mut driver = Self {
            status: watch::channel(engine.status(now, now, Vec::new())).0,
            engine,
            journal,
            line,
            clock: ClockCheck::new(line),
            started: now,
            prober,
            watches: config.watches.iter().map(|w| (w.site.clone(), Arc::new(w.clone()))).collect(),
            peers: config.peers.iter().map(|p| (p.name.clone(), p.clone())).collect(),
            references: Arc::new(config.references.clone()),
            providers: BTreeMap::new(),
            wishes: BTreeMap::new(),
            tasks: JoinSet::new(),
            tell,
            events,
            timeline: VecDeque::new(),
            synced: now,
        };
        for (wall_ms, note) in notes {
            driver.remember(wall_ms, note);
        }
        for watch in &config.watches {
            driver.equip(config, watch)?;
        }
        Ok(driver)
    }

    /// Gives a site its provider and its actuator.
    fn equip(&mut self, config: &WatcherConfig, watch: &WatchSettings) -> Result<(), WatcherError> {
        let settings = config.providers.get(&watch.provider).expect("the configuration was cross-checked");
        let provider = Provider::new(settings, crate::host::time::wall_clock)
            .map_err(|error| WatcherError::Provider { site: watch.site.clone(), error })?;
        self.providers.insert(watch.site.clone(), provider.clone());
        let (wish, wishes) = watch::channel(None);
        self.wishes.insert(watch.site.clone(), wish);
        let actuator = Actuator {
            site: watch.site.clone(),
            owner: config.name.clone(),
            ttl: watch.ttl,
            provider,
            patience: watch.policy.write_patience,
            line: self.line,
            events: self.tell.clone(),
        };
        self.tasks.spawn(actuator.run(wishes));
        Ok(())
    }

    async fn begin(&mut self, setup: Setup) -> Result<(), WatcherError> {
        let seed = u64::from_le_bytes(random::bytes());
        self.step(Event::Started { setup, seed }).await?;
        self.publish();
        Ok(())
    }

    /// When the loop has to wake at the latest.
    fn due(&self) -> Moment {
        let now = self.line.now();
        let wake = self.engine.next_wake(now).unwrap_or(now + LONGEST_SLEEP);
        wake.clamp(now + SHORTEST_SLEEP, now + LONGEST_SLEEP)
    }

    async fn wake(&mut self, due: Moment) -> Result<(), WatcherError> {
        let report = self.clock.look(due);
        if report.is_late() || report.has_jumped() {
            let jump = Duration::from_millis(report.drift_ms.unsigned_abs());
            warn!(
                lag_ms = report.lag.as_millis(),
                drift_ms = report.drift_ms,
                "the watcher did not run in time"
            );
            return self.step(Event::Stalled(report.lag.max(jump))).await;
        }
        self.step(Event::Tick).await?;
        if self.line.now() - self.synced >= Duration::from_secs(5) {
            self.synced = self.line.now();
            self.journal.sync()?;
            self.journal.rotate(&self.engine, self.line.now(), self.line.wall_ms())?;
        }
        Ok(())
    }

    async fn step(&mut self, event: Event) -> Result<(), WatcherError> {
        let (at, wall_ms) = (self.line.now(), self.line.wall_ms());
        let effects = self.engine.step(at, &event);
        if event == Event::Tick && effects.is_empty() {
            return Ok(());
        }
        self.journal.append(Step { at, wall_ms, event, effects: effects.clone() })?;
        if effects.iter().any(|e| matches!(e, Effect::Write { .. })) {
            self.journal.sync()?;
        }
        for effect in effects {
            self.act(effect, wall_ms);
        }
        Ok(())
    }

    fn act(&mut self, effect: Effect, wall_ms: u64) {
        // Tasks that have ended leave their place.
        while self.tasks.try_join_next().is_some() {}
        match effect {
            Effect::Probe { target, address } => self.look(target, address),
            Effect::LookAtFallback { site, address } => self.look_at_fallback(site, address),
            Effect::LookAtReferences => self.look_at_references(),
            Effect::Read { site } => self.read(site),
            Effect::Write { site, epoch, sets, why } => {
                info!(%site, epoch, ?sets, "to be written: {why}");
                if let Some(wishes) = self.wishes.get(&site) {
                    wishes.send_replace(Some(Wish { epoch, sets }));
                }
            }
            Effect::Abandon { site } => {
                if let Some(wishes) = self.wishes.get(&site) {
                    wishes.send_replace(None);
                }
            }
            Effect::Note(note) => {
                let site = note.site.as_ref().map(ToString::to_string).unwrap_or_default();
                match note.weight {
                    Weight::Info => info!(site, "{}", note.text),
                    Weight::Warning => warn!(site, "{}", note.text),
                    Weight::Alarm => error!(site, "{}", note.text),
                }
                self.remember(wall_ms, note);
            }
        }
    }

    fn remember(&mut self, wall_ms: u64, note: Note) {
        let Note { site, weight, text } = note;
        self.timeline.push_front(Happened { wall_ms, site, weight, text });
        self.timeline.truncate(TIMELINE);
    }

    fn look(&mut self, target: Target, address: std::net::IpAddr) {
        let (Some(watch), Some(peer)) = (self.watches.get(&target.site), self.peers.get(&target.node)) else {
            return;
        };
        let what = probe::Target {
            node: target.node.clone(),
            key: peer.key,
            address,
            site: target.site.clone(),
            page: watch.check.clone(),
        };
        let patience = patience(watch);
        let (prober, tell, started) = (self.prober.clone(), self.tell.clone(), self.line.now());
        self.tasks.spawn(async move {
            let outcome = prober.look(&what, patience).await;
            let _ = tell.send(Event::Probed { target, address, started, outcome }).await;
        });
    }

    fn look_at_fallback(&mut self, site: Name, address: std::net::IpAddr) {
        let Some(watch) = self.watches.get(&site).cloned() else { return };
        let (prober, tell) = (self.prober.clone(), self.tell.clone());
        self.tasks.spawn(async move {
            let page = &watch.fallback.check;
            let failure = prober.look_at_fallback(address, &site, page, patience(&watch)).await.err();
            let _ = tell.send(Event::FallbackSeen { site, address, failure }).await;
        });
    }

    fn look_at_references(&mut self) {
        let within = self.watches.values().next().map_or(Duration::from_secs(6), |w| w.policy.probe_total);
        let (prober, tell, references) = (self.prober.clone(), self.tell.clone(), self.references.clone());
        self.tasks.spawn(async move {
            let looks = references.iter().map(|r| prober.look_at_reference(r, within));
            let seen = futures_util::future::join_all(looks).await;
            let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
            let answered = count(seen.iter().filter(|up| **up).count());
            let _ = tell.send(Event::References { answered, asked: count(seen.len()) }).await;
        });
    }

    fn read(&mut self, site: Name) {
        let Some(provider) = self.providers.get(&site).cloned() else { return };
        let (tell, started) = (self.tell.clone(), self.line.now());
        self.tasks.spawn(async move {
            let read = provider.observe(&site).await;
            let epoch = read.as_ref().ok().and_then(|seen| seen.epoch);
            let result = read.map(|seen| sets_of(&seen)).map_err(|error| error.to_string());
            let _ = tell.send(Event::Read { site, started, result, epoch }).await;
        });
    }

    async fn beat(&mut self, accepted: Accepted) -> Result<(), WatcherError> {
        let Accepted { beat, reply } = accepted;
        if let Err(replayed) = self.engine.fresh(&beat.node, beat.boot, beat.sequence) {
            let _ = reply.send(Err(replayed));
            return Ok(());
        }
        let (node, boot, sequence) = (beat.node.clone(), beat.boot, beat.sequence);
        self.step(Event::Beat(BeatSeen {
            node: beat.node,
            boot,
            sequence,
            addresses: beat.addresses.iter().map(|claim| claim.address).collect(),
            generation: beat.site.generation,
            version: beat.version,
            leaving: beat.leaving.map(|l| l.reason),
        }))
        .await?;
        let view = self.engine.told(&node, self.line.now());
        let wall_ms = self.line.wall_ms();
        // A node that has hung up asks again with its next beat.
        let _ = reply.send(Ok(Answer { form: FORM, node, boot, sequence, wall_ms, view }));
        Ok(())
    }

    async fn answer(&mut self, asked: Asked) -> Result<(), WatcherError> {
        let answer = match Question::of(&asked.question) {
            Ok(Question::Status) => serde_json::to_value(self.snapshot()).unwrap_or_default(),
            Ok(Question::Override { site, command, owner, reason }) => {
                match self.command(site, command, owner, reason).await? {
                    Ok(()) => serde_json::json!({ "done": true }),
                    Err(refusal) => serde_json::json!({ "error": refusal }),
                }
            }
            Err(mistake) => serde_json::json!({ "error": mistake }),
        };
        let _ = asked.reply.send(answer);
        Ok(())
    }

    async fn command(
        &mut self,
        site: Name,
        command: Command,
        owner: Owner,
        reason: String,
    ) -> Result<Result<(), String>, WatcherError> {
        if !self.watches.contains_key(&site) {
            return Ok(Err(format!("{site} is not a site of this watcher")));
        }
        if let Command::Pin { side, .. } = &command
            && let Err(refusal) = self.engine.may_pin(&site, *side, self.line.now())
        {
            return Ok(Err(refusal));
        }
        self.step(Event::Command { site, command, owner, reason }).await?;
        Ok(Ok(()))
    }

    fn snapshot(&self) -> WatcherStatus {
        let timeline = self.timeline.iter().cloned().collect();
        self.engine.status(self.line.now(), self.started, timeline)
    }

    fn publish(&self) {
        self.status.send_replace(self.snapshot());
    }
}

/// What can be asked on the control socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// How the watcher stands.
    Status,
    /// A person wants visitors somewhere, or the watcher to decide again.
    Override {
        /// The site.
        site: Name,
        /// What is wanted.
        command: Command,
        /// By whom.
        owner: Owner,
        /// Why.
        reason: String,
    },
}

#[derive(serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    ask: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    site: Option<Name>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    for_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl Question {
    /// Reads a question.
    ///
    /// # Errors
    /// When it is none of those that can be asked; says which can.
    pub fn of(value: &serde_json::Value) -> Result<Self, String> {
        let written: Written = serde_json::from_value(value.clone()).map_err(|e| e.to_string())?;
        let side = match written.ask.as_str() {
            "status" => return Ok(Question::Status),
            "to-home" => Some(Side::Home),
            "to-fallback" => Some(Side::Fallback),
            "auto" => None,
            other => {
                return Err(format!("`{other}` cannot be asked; status, to-home, to-fallback and auto can"));
            }
        };
        let span = Duration::from_millis(written.for_ms.unwrap_or(0));
        let command = side.map_or(Command::Auto, |side| Command::Pin { side, span });
        let site = written.site.ok_or("which site?")?;
        let owner = Owner::new(&written.owner.unwrap_or_default());
        Ok(Question::Override { site, command, owner, reason: written.reason.unwrap_or_default() })
    }

    /// The question as it is sent.
    #[must_use]
    pub fn to_value(&self) -> serde_json::Value {
        let mut written =
            Written { ask: "status".to_owned(), site: None, for_ms: None, owner: None, reason: None };
        if let Question::Override { site, command, owner, reason } = self {
            written.ask = match command {
                Command::Pin { side: Side::Fallback, .. } => "to-fallback",
                Command::Pin { .. } => "to-home",
                Command::Auto => "auto",
            }
            .to_owned();
            if let Command::Pin { span, .. } = command {
                written.for_ms = Some(u64::try_from(span.as_millis()).unwrap_or(u64::MAX));
            }
            written.site = Some(site.clone());
            written.owner = Some(owner.to_string());
            written.reason = Some(reason.clone());
        }
        serde_json::to_value(written).unwrap_or_default()
    }
}

fn patience(watch: &WatchSettings) -> Patience {
    Patience { connect: watch.policy.probe_connect, total: watch.policy.probe_total }
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
