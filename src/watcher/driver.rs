//! The engine and everything that carries out what it says.
//!
//! A step is written down before it is acted on. Never decides anything itself.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::{JoinSet, block_in_place};
use tracing::{error, info, warn};

use super::actuate::{Actuator, Wish};
use super::errand::{self, Errands};
use super::history::History;
use super::history::keep::Chronicle;
use super::journal::{Found, Journal, Step};
use super::ledger::{Ledger, News};
use super::listen::Accepted;
use super::question::{Question, Told};
use super::{Asked, WatcherError, tell};
use crate::config::{PeerSettings, WatchSettings, WatcherConfig};
use crate::dns::account_book::AccountBook;
use crate::dns::provider::Provider;
use crate::dns::{Name, Owner};
use crate::failover::engine::Engine;
use crate::failover::event::{BeatSeen, Command, Effect, Event, Note, Setup, Target, Weight};
use crate::failover::view::{Happened, WatcherStatus};
use crate::heartbeat::receive::FORM;
use crate::heartbeat::{Answer, NodeName};
use crate::host::time::{ClockCheck, Timeline};
use crate::host::{message, random};
use crate::moment::Moment;
use crate::notify::run::{Fared, Notices};
use crate::probe::{self, Patience, Prober, ProberSettings};

/// How many notes the timeline holds.
const TIMELINE: usize = 200;

/// The longest sleep of the loop: what people see is at most this old.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

/// The shortest: a deadline that is overdue does not make the loop spin.
const SHORTEST_SLEEP: Duration = Duration::from_millis(20);

/// The page and its JSON are made anew at most this often: a snapshot of a thousand sites costs more than a step.
const PUBLISH_EVERY: Duration = Duration::from_millis(250);

/// How long a step may wait for the disk to confirm it, when nothing depends on it.
const SYNC_EVERY: Duration = Duration::from_secs(5);

/// What is shown to people.
pub(super) struct Published {
    /// How everything stands.
    pub(super) status: WatcherStatus,
    /// How it stood in the last weeks.
    pub(super) history: History,
    /// How the ways on which people are told have fared.
    pub(super) fared: Vec<Fared>,
    /// When that was.
    pub(super) at: Moment,
}

/// The engine and everything that carries out what it says.
pub(super) struct Driver {
    engine: Engine,
    pub(super) ledger: Ledger,
    line: Timeline,
    clock: ClockCheck,
    started: Moment,
    prober: Prober,
    watches: BTreeMap<Name, Arc<WatchSettings>>,
    peers: BTreeMap<NodeName, PeerSettings>,
    references: Arc<Vec<String>>,
    errands: Errands,
    providers: BTreeMap<Name, Provider>,
    wishes: BTreeMap<Name, watch::Sender<Option<Wish>>>,
    tasks: JoinSet<()>,
    tell: mpsc::Sender<Event>,
    pub(super) events: mpsc::Receiver<Event>,
    timeline: VecDeque<Happened>,
    pub(super) seen: watch::Sender<Published>,
    chronicle: Chronicle,
    pub(super) notices: Notices,
    /// What it is called in messages.
    name: String,
    synced: Moment,
    published: Option<Moment>,
}

impl Driver {
    pub(super) fn new(
        config: &WatcherConfig,
        journal: Journal,
        found: Found,
        line: Timeline,
        book: &AccountBook,
    ) -> Result<Self, WatcherError> {
        for remark in &found.remarks {
            warn!("journal: {remark}");
        }
        let (engine, notes) = found.replay.map(|r| (r.engine, r.notes)).unwrap_or_default();
        let (tell, events) = mpsc::channel(256);
        let clock: probe::Clock = Arc::new(move || line.now());
        let trusts = ProberSettings { extra_roots: config.roots.clone() };
        let prober = Prober::new(&trusts, clock)?;
        let now = line.now();
        let chronicle = block_in_place(|| Chronicle::open(&config.state));
        let (status, history) = (engine.status(now, now, Vec::new()), chronicle.history.clone());
        let mut driver = Self {
            seen: watch::channel(Published { status, history, fared: Vec::new(), at: now }).0,
            chronicle,
            notices: Notices::default(),
            name: config.name.to_string(),
            engine,
            ledger: Ledger::new(journal),
            line,
            clock: ClockCheck::new(line),
            started: now,
            prober,
            watches: config.watches.iter().map(|w| (w.site.clone(), Arc::new(w.clone()))).collect(),
            peers: config.peers.iter().map(|p| (p.name.clone(), p.clone())).collect(),
            references: Arc::new(config.references.clone()),
            errands: Errands::of(config),
            providers: BTreeMap::new(),
            wishes: BTreeMap::new(),
            tasks: JoinSet::new(),
            tell,
            events,
            timeline: VecDeque::new(),
            synced: now,
            published: None,
        };
        for (wall_ms, note) in notes {
            driver.remember(wall_ms, note);
        }
        for watch in &config.watches {
            driver.equip(config, watch, book)?;
        }
        Ok(driver)
    }

    /// Gives a site its provider and its actuator.
    fn equip(
        &mut self,
        config: &WatcherConfig,
        watch: &WatchSettings,
        book: &AccountBook,
    ) -> Result<(), WatcherError> {
        let settings = config.providers.get(&watch.provider).expect("the configuration was cross-checked");
        let provider = Provider::new(settings, crate::host::time::wall_clock)
            .map_err(|error| WatcherError::Provider { site: watch.site.clone(), error })?;
        self.providers.insert(watch.site.clone(), provider.clone());
        let (wish, wishes) = watch::channel(None);
        self.wishes.insert(watch.site.clone(), wish);
        let actuator = Actuator {
            site: watch.site.clone(),
            owner: config.name.clone(),
            lines: watch.lines.clone(),
            ttl: watch.ttl,
            provider,
            entry: book.entry(settings, &watch.site),
            patience: watch.policy.write_patience,
            line: self.line,
            events: self.tell.clone(),
        };
        self.tasks.spawn(actuator.run(wishes));
        Ok(())
    }

    pub(super) fn begin(&mut self, setup: Setup) {
        let seed = u64::from_le_bytes(random::bytes());
        self.step(Event::Started { setup, seed });
        self.publish();
    }

    /// When the loop has to wake at the latest.
    pub(super) fn due(&self) -> Moment {
        let now = self.line.now();
        let wake = self.engine.next_wake().unwrap_or(now + LONGEST_SLEEP);
        wake.clamp(now + SHORTEST_SLEEP, now + LONGEST_SLEEP)
    }

    /// Sees whether the loop ran in time, whatever it was woken by: what arrives first after a pause must not hide it.
    pub(super) fn look_at_clock(&mut self, due: Moment) {
        let report = self.clock.look(due);
        if report.is_late() || report.has_jumped() {
            let jump = Duration::from_millis(report.drift_ms.unsigned_abs());
            warn!(
                lag_ms = report.lag.as_millis(),
                drift_ms = report.drift_ms,
                "the watcher did not run in time"
            );
            self.step(Event::Stalled(report.lag.max(jump)));
        }
    }

    /// What time brings, when nothing else has happened.
    pub(super) fn wake(&mut self) {
        self.step(Event::Tick);
        if self.line.now() - self.synced >= SYNC_EVERY {
            self.synced = self.line.now();
            let (now, wall_ms) = (self.line.now(), self.line.wall_ms());
            // A slow disk holds this loop up, but not the answers to beats that other threads give.
            let news = self.ledger.tend(&self.engine, now, wall_ms);
            self.hear(news, wall_ms);
        }
    }

    pub(super) fn step(&mut self, event: Event) {
        let (at, wall_ms) = (self.line.now(), self.line.wall_ms());
        let effects = self.engine.step(at, &event);
        if event == Event::Tick && effects.is_empty() {
            return;
        }
        let news = self.ledger.note(Step { at, wall_ms, event, effects: effects.clone() });
        self.hear(news, wall_ms);
        for effect in effects {
            self.act(effect, wall_ms);
        }
    }

    /// Tells what became of the journal, and carries out what was owed.
    fn hear(&mut self, news: News, wall_ms: u64) {
        match news {
            News::None => {}
            News::Lost(why) => {
                let text = format!(
                    "{why}; the watch goes on, and nothing is decided in force until it can be written"
                );
                self.act(Effect::Note(Note { site: None, weight: Weight::Alarm, text }), wall_ms);
            }
            News::Found(owed) => {
                let text = "the journal can be written again".to_owned();
                self.act(Effect::Note(Note { site: None, weight: Weight::Warning, text }), wall_ms);
                for (site, wish) in owed {
                    self.wish(&site, Some(wish));
                }
            }
        }
    }

    fn wish(&mut self, site: &Name, wish: Option<Wish>) {
        if let Some(wishes) = self.wishes.get(site) {
            wishes.send_replace(wish);
        }
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
                info!(message_id = message::DECISION, %site, epoch, ?sets, "to be written: {why}");
                // One that is owed still ends every earlier one.
                let wish = self.ledger.release(&site, Some(Wish { epoch, sets }));
                self.wish(&site, wish);
            }
            Effect::Abandon { site } => {
                self.ledger.release(&site, None);
                self.wish(&site, None);
            }
            Effect::Note(note) => {
                // What people are told is shown at once.
                self.published = None;
                let site = note.site.as_ref().map(ToString::to_string).unwrap_or_default();
                match note.weight {
                    Weight::Info => info!(message_id = message::SITE, site, "{}", note.text),
                    Weight::Warning => warn!(message_id = message::SITE, site, "{}", note.text),
                    Weight::Alarm => error!(message_id = message::SITE, site, "{}", note.text),
                }
                self.notices.tell(&tell::of_note(&self.name, wall_ms, &note));
                self.remember(wall_ms, note);
            }
        }
    }

    fn remember(&mut self, wall_ms: u64, note: Note) {
        self.timeline.push_front(Happened::of(wall_ms, note));
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
        let today = Duration::from_millis(self.line.wall_ms());
        self.tasks.spawn(async move {
            let page = &watch.fallback.check;
            let seen = prober.look_at_fallback(address, &site, page, patience(&watch)).await;
            let ends = seen.as_ref().ok().and_then(|sight| sight.certificate_ends);
            let certificate_left = ends.map(|ends| Duration::from_secs(ends).saturating_sub(today));
            let failure = seen.err();
            let _ = tell.send(Event::FallbackSeen { site, address, failure, certificate_left }).await;
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
        let lines = self.watches.get(&site).map(|watch| watch.lines.clone()).unwrap_or_default();
        let (tell, started) = (self.tell.clone(), self.line.now());
        self.tasks.spawn(async move {
            let read = provider.observe(&site).await;
            let epoch = read.as_ref().ok().and_then(|seen| seen.epoch);
            let result = read.map(|seen| seen.in_force(&lines)).map_err(|error| error.to_string());
            let _ = tell.send(Event::Read { site, started, result, epoch }).await;
        });
    }

    pub(super) fn beat(&mut self, accepted: Accepted) {
        let Accepted { beat, reply } = accepted;
        if let Err(replayed) = self.engine.fresh(&beat.node, beat.boot, beat.sequence) {
            let _ = reply.send(Err(replayed));
            return;
        }
        let (node, boot, sequence) = (beat.node.clone(), beat.boot, beat.sequence);
        let served = |site: &Name| Some((site.clone(), beat.generation_of(site.as_str())?.to_owned()));
        let generations = self.watches.keys().filter_map(served).collect();
        let source = |site: &Name| Some((site.clone(), beat.report_of(site.as_str())?.source));
        let sources = self.watches.keys().filter_map(source).collect();
        self.step(Event::Beat(BeatSeen {
            node: beat.node,
            boot,
            sequence,
            addresses: beat.addresses.iter().map(|claim| claim.address).collect(),
            generations,
            sources,
            mounts: beat.mounts,
            version: beat.version,
            skew_ms: beat.wall_ms.cast_signed().saturating_sub(self.line.wall_ms().cast_signed()),
            leaving: beat.leaving.map(|l| l.reason),
        }));
        let errand = self.errands.of_witness(&self.engine, &node);
        for event in errand::heard(&node, &errand, beat.testimonies) {
            self.step(event);
        }
        let view = self.engine.told(&node, self.line.now());
        let (wall_ms, errand) = (self.line.wall_ms(), errand.fitting());
        // A node that has hung up asks again with its next beat.
        let _ = reply.send(Ok(Answer { form: FORM, node, boot, sequence, wall_ms, view, errand }));
    }

    pub(super) fn answer(&mut self, asked: Asked) {
        let answer = match Question::of(&asked.question) {
            Ok(Question::Status) => serde_json::to_value(self.snapshot()).unwrap_or_default(),
            Ok(Question::Why(site)) => self.explain(site),
            Ok(Question::Override { site, command, owner, reason }) => {
                match self.command(site, command, owner, reason) {
                    Ok(()) => serde_json::json!({ "done": true }),
                    Err(refusal) => serde_json::json!({ "error": refusal }),
                }
            }
            Err(mistake) => serde_json::json!({ "error": mistake }),
        };
        let _ = asked.reply.send(answer);
    }

    fn explain(&self, site: Option<Name>) -> serde_json::Value {
        let unknown = site.as_ref().filter(|site| !self.watches.contains_key(*site));
        if let Some(site) = unknown {
            return serde_json::json!({ "error": format!("{site} is not a site of this watcher") });
        }
        let sites = self.watches.keys().filter(|name| site.as_ref().is_none_or(|site| site == *name));
        let now = (self.line.now(), self.line.wall_ms());
        let told: Vec<Told> =
            sites.filter_map(|name| Told::of(&self.engine, name, now, &self.timeline)).collect();
        serde_json::to_value(told).unwrap_or_default()
    }

    fn command(&mut self, site: Name, command: Command, owner: Owner, reason: String) -> Result<(), String> {
        if !self.watches.contains_key(&site) {
            return Err(format!("{site} is not a site of this watcher"));
        }
        let now = self.line.now();
        match &command {
            Command::Pin { side, .. } => self.engine.may_pin(&site, *side, now)?,
            Command::Drill { span } => self.engine.may_drill(&site, *span, now)?,
            Command::Freeze { .. } | Command::Drain { .. } | Command::Auto => {}
        }
        self.step(Event::Command { site, command, owner, reason });
        Ok(())
    }

    fn snapshot(&self) -> WatcherStatus {
        let timeline = self.timeline.iter().cloned().collect();
        let journal_trouble = self.ledger.trouble().map(ToOwned::to_owned);
        WatcherStatus { journal_trouble, ..self.engine.status(self.line.now(), self.started, timeline) }
    }

    /// Shows people how things stand, unless that was done a moment ago: the loop comes back within a second.
    pub(super) fn publish(&mut self) {
        let (at, wall_ms) = (self.line.now(), self.line.wall_ms());
        if self.published.is_some_and(|last| at - last < PUBLISH_EVERY) {
            return;
        }
        self.published = Some(at);
        let status = self.snapshot();
        let turns = self.chronicle.see(at, wall_ms, &status);
        let told = turns.iter().filter_map(|turn| tell::of_turn(&self.name, wall_ms, turn));
        told.for_each(|message| self.notices.tell(&message));
        let (history, fared) = (self.chronicle.history.clone(), self.notices.fared());
        self.seen.send_replace(Published { status, history, fared, at });
    }

    /// Writes down what is left to be.
    pub(super) fn end(&mut self) -> Result<(), WatcherError> {
        self.chronicle.save();
        Ok(self.ledger.sync()?)
    }
}

fn patience(watch: &WatchSettings) -> Patience {
    Patience { connect: watch.policy.probe_connect, total: watch.policy.probe_total }
}
