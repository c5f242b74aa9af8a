//! The agent: owns the time and the tasks of a node, feeds the rooms and publishes one [`AgentStatus`].
//!
//! Never decides what a room decides, and never lets one part's trouble be another's: the site is served whatever
//! becomes of DNS, the watchers or the public address.
//!
//! ```text
//! site, address, keepers, beats -- Event --> Board -- AgentStatus --> beats, LEDs, control socket
//! Board -- Change --> hooks
//! address -- Agreed --> gate, where a new address proves itself -- Agreed --> keepers
//! keeper -- when --> upkeep -- what --> provider
//! ```
//!
//! # How it stops
//!
//! DNS leads visitors here until a watcher has written something else, so the door stays open while that is asked for:
//!
//! 1. The phase is `leaving`, and each watcher is told so, within [`FAREWELL`] in all; from names that others keep too
//!    the node's member is taken out.
//! 2. When a watcher has heard it, or a member was taken out, visitors are served for [`LINGER`] more, while the record
//!    changes.
//! 3. The ports are closed, and answers under way end within the site's time for draining.
//! 4. The LEDs go dark and the control socket is gone.
//!
//! A relief (`systemctl reload`, an upgrade) is short: a last beat says that an update is under way, then comes 3, and the
//! next agent takes this one's place in the same process. Visitors wait at ports that stay open, and no watcher is to
//! lead anybody elsewhere.

pub mod address;
pub mod decision;
pub mod memory;
pub mod upkeep;

mod answer;
mod beating;
mod board;
mod certificates;
mod event;
mod failing_back;
mod faults;
mod hooks;
mod journal;
mod keeper;
mod lamps;
mod parting;
mod proof;
mod serving;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use self::answer::Around;
use self::beating::{Farewell, Line};
use self::board::Board;
use self::event::Event;
use self::failing_back::FailBack;
use self::keeper::{Bell, Keeper, Left, Order, Surroundings};
use self::memory::Memory;
use self::proof::Proof;
use self::upkeep::{Books, Upkeep};
use crate::address::Family;
use crate::address::report::Report;
use crate::config::{AgentConfig, FailBackSettings, RecordSettings};
use crate::dns::Name;
use crate::dns::account_book::AccountBook;
use crate::dns::provider::{Provider, ProviderSettings};
use crate::heartbeat::seal::SigningKey;
use crate::heartbeat::send::SenderError;
use crate::heartbeat::{NodeName, WatcherPin};
use crate::hook;
use crate::host::control;
use crate::host::notify;
use crate::host::shutdown::{Shutdown, stopped};
use crate::host::time::{Timeline, wall_clock};
use crate::leds::{self, LampSettings};
use crate::mount::{self, MountSettings};
use crate::site::{self, Door, SiteError, SiteSettings};
use crate::status::AgentStatus;
use crate::tls::Shelf;
use crate::tls::keeping::Household;

/// The addresses that were agreed on, by family.
pub type Agreed = BTreeMap<Family, IpAddr>;

/// How long telling the watchers of a stop may take, in all.
pub const FAREWELL: Duration = Duration::from_secs(2);

/// How long visitors are still served after a watcher heard of the stop: it needs about this long to write the record.
/// Caches go on leading here for up to the record's TTL; nobody waits for those.
pub const LINGER: Duration = Duration::from_secs(3);

/// Reports that wait for the board; it takes each within microseconds.
const BACKLOG: usize = 64;

/// Why an agent ended before it was told to.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// A beat can be sent to none of these.
    #[error(transparent)]
    Sender(#[from] SenderError),
    /// The site is not served any more.
    #[error(transparent)]
    Site(#[from] SiteError),
    /// A task ended; this is a defect.
    #[error("the agent's {0} ended unexpectedly; restart hearth and report this")]
    Ended(&'static str),
    /// A task panicked; this is a defect.
    #[error("a task of the agent failed ({0}); restart hearth and report this")]
    Panicked(String),
}

/// What an agent answers on. Whoever calls has bound them.
#[derive(Debug)]
pub struct Doors {
    /// For visitors; empty without a site.
    pub site: Vec<Door>,
    /// For `hearth status`.
    pub control: control::Server,
}

/// Runs the agent until `shutdown`. Must be called within a tokio runtime that has threads of its own.
///
/// # Errors
/// [`AgentError`] when it ended before it was told to.
pub async fn run(config: AgentConfig, doors: Doors, shutdown: &Shutdown) -> Result<(), AgentError> {
    let (memory, line) = Memory::open(&config.state).await;
    let book = AccountBook::open(&config.state, line).await;
    let agent = Agent::start(config, doors, Remembering { memory, book, line })?;
    notify::ready();
    agent.until_stopped(shutdown).await
}

/// What a task was, and how it ended.
type Ended = (&'static str, Result<(), AgentError>);

/// What is known from before the start.
struct Remembering {
    memory: Memory,
    book: AccountBook,
    line: Timeline,
}

/// What stands before the gate of addresses: whatever was published, and whoever could have a new one prove itself.
struct Gate {
    standing: Agreed,
    judges: Option<watch::Receiver<AgentStatus>>,
    waits: watch::Sender<bool>,
}

/// The names that are kept.
struct Names {
    records: Vec<RecordSettings>,
    providers: BTreeMap<String, ProviderSettings>,
    node: NodeName,
}

/// Where a person can have each name looked at.
type Orders = BTreeMap<Name, mpsc::Sender<Order>>;

/// A running agent.
struct Agent {
    /// Everything but the beats and the keepers.
    tasks: JoinSet<Ended>,
    keepers: JoinSet<Left>,
    beats: JoinSet<Farewell>,
    events: mpsc::Sender<Event>,
    memory: Memory,
    book: AccountBook,
    line: Timeline,
    /// The end of what takes leave.
    leave: Shutdown,
    /// The end of what goes on while visitors are still served.
    close: Shutdown,
}

impl Agent {
    fn start(config: AgentConfig, doors: Doors, remembering: Remembering) -> Result<Self, AgentError> {
        let Remembering { memory, book, line } = remembering;
        let (events, reports) = mpsc::channel(BACKLOG);
        let key = Arc::new(config.key);
        let watchers = config.beats.as_ref().map_or(&[][..], |beats| &beats.watchers);
        let around = beating::Around {
            boot: beating::fresh_boot(),
            key: Arc::clone(&key),
            admit: config.address.admit.clone(),
            clock: line,
            events: events.clone(),
        };
        let lines = lines(watchers, &around)?;
        let own_key = Arc::clone(&key);
        let (hooks, attached) = hook::run::hooks(config.hooks);
        let standing = address::standing(&config.address, memory.agreed());
        let board = Board::new(
            config.node.clone(),
            address::remembered(&config.address, &standing),
            site::before_the_first_look(&config.sites, &doors.site),
            config.mounts.iter().map(mount::watch::not_looked_at).collect(),
            &config.records,
            lines.iter().map(Line::url).collect(),
        )
        .with_include(config.include)
        .with_passed_over(config.passed_over)
        .with_certificates(certificates::before_the_first_look(&config.sites))
        .with_hooks(hooks);
        let status = watch::Sender::new(board.snapshot(line.now(), line.uptime()));
        let (tasks, keepers, beats) = (JoinSet::new(), JoinSet::new(), JoinSet::new());
        let (leave, close) = (Shutdown::manual(), Shutdown::manual());
        let mut agent = Self { tasks, keepers, beats, events, memory, book, line, leave, close };

        let board = board.sleeping(config.leds.night);
        let (report, waits) = (watch::Sender::new(None), watch::Sender::new(false));
        let hurry = waits.subscribe();
        // Only a node that serves can answer a watcher's look.
        let judges = (!config.sites.is_empty()).then(|| status.subscribe());
        let heard = report.subscribe();
        if !config.sites.is_empty() {
            let node = config.node.clone();
            let (own, state) = (config.node.to_string(), config.state.clone());
            let (book, shelf) = (agent.book.clone(), Arc::new(Shelf::default()));
            let house = Household { node: own, state, shelf: Arc::clone(&shelf), book, line };
            agent.keep_certificates(&config.sites, &house);
            let parts = serving::Parts { sites: config.sites, doors: doors.site, key, node, shelf };
            agent.tasks.spawn(serving::serve(parts, agent.events.clone(), agent.close.receiver()));
        }
        agent.look_after(config.mounts);
        for hook in attached {
            agent.tasks.spawn(hook.run(agent.close.receiver()).named("hook"));
        }
        let looking =
            address::Looking { settings: config.address, memory: agent.memory.clone(), line, report };
        let agreed = agent.look(looking, Gate { standing, judges, waits });
        agent.stand_by(config.fail_backs, &config.providers, &config.node, &own_key, &status);
        let names = Names { records: config.records, providers: config.providers, node: config.node };
        let orders = agent.keep(&agreed, &heard, names);
        agent.show(config.leds, doors.control, &status, heard, orders);
        let every = config.beats.map_or(Duration::MAX, |beats| beats.every);
        for line in lines {
            agent.beats.spawn(line.run(every, status.subscribe(), hurry.clone(), agent.leave.clone()));
        }
        agent.tasks.spawn(board.run(reports, status, line, agent.close.receiver()).named("loop"));
        Ok(agent)
    }

    /// Starts what shows the status, up to the very end.
    fn show(
        &mut self,
        leds: LampSettings,
        control: control::Server,
        status: &watch::Sender<AgentStatus>,
        report: watch::Receiver<Option<Report>>,
        orders: Orders,
    ) {
        let (tell, heard) = mpsc::channel(BACKLOG);
        let obeying = lamps::obey(heard, leds.button.clone(), self.events.clone());
        let program = site::this_program();
        let driving = leds::drive::drive(leds, program, status.subscribe(), tell, self.close.receiver());
        let both = async { futures_util::future::join(driving, obeying).await.0 };
        self.tasks.spawn(both.named("LED task"));
        let (events, memory) = (self.events.clone(), self.memory.clone());
        let around = Around { status: status.subscribe(), report, events, memory, orders };
        let answers = control_task(control, around, self.close.receiver());
        self.tasks.spawn(answers.named("control socket"));
    }

    /// Starts to keep the certificates of the sites on the shelf.
    fn keep_certificates(&mut self, sites: &[SiteSettings], house: &Household) {
        for keeping in certificates::keepings(sites, house) {
            let keeping = keeping.run(self.events.clone(), self.close.receiver());
            self.tasks.spawn(keeping.named("keeper of a certificate"));
        }
    }

    /// Starts to look after the mounts. What hangs is in other processes, so that a task can be dropped at any moment.
    fn look_after(&mut self, mounts: Vec<MountSettings>) {
        for (index, settings) in mounts.into_iter().enumerate() {
            let watch = mount::watch::Watch::new(settings, site::this_program(), self.line);
            let (events, mut close) = (self.events.clone(), self.close.receiver());
            let report = async move |status| {
                // Without a board the process is on its way out.
                let _ = events.send(Event::Mount(index, status)).await;
            };
            let watching = async move {
                tokio::select! {
                    biased;
                    () = stopped(&mut close) => {}
                    () = watch.run(report) => {}
                }
            };
            self.tasks.spawn(watching.named("watch over a mount"));
        }
    }

    /// Starts to look for the public address. What may be published comes through the gate.
    fn look(&mut self, looking: address::Looking, gate: Gate) -> watch::Receiver<Option<Agreed>> {
        let ((agree, agreed), (publish, published)) = (watch::channel(None), watch::channel(None));
        self.tasks
            .spawn(looking.run(self.events.clone(), agree, self.leave.receiver()).named("address task"));
        let Gate { standing, judges: status, waits } = gate;
        let (memory, line) = (self.memory.clone(), self.line);
        let proof = Proof { standing, memory, agreed, status, publish, waits, line };
        self.tasks.spawn(proof.run(self.leave.receiver()).named("gate of addresses"));
        published
    }

    /// Starts to keep the names pointed at this node. Where a person can have each of them looked at.
    fn keep(
        &mut self,
        agreed: &watch::Receiver<Option<Agreed>>,
        report: &watch::Receiver<Option<Report>>,
        names: Names,
    ) -> Orders {
        let mut orders = Orders::new();
        for (index, record) in names.records.into_iter().enumerate() {
            let settings = &names.providers[&record.provider];
            let (memory, entry) = (self.memory.clone(), self.book.entry(settings, &record.name));
            let (order, ordered) = mpsc::channel(1);
            orders.insert(record.name.clone(), order);
            let around =
                Surroundings { line: self.line, events: self.events.clone(), report: report.clone() };
            let provider = Provider::new(settings, wall_clock);
            let upkeep =
                Upkeep::new(record, names.node.clone(), provider, Books { memory, entry }, self.line);
            let keeper = Keeper::new(index, names.node.clone(), upkeep, around);
            self.keepers.spawn(keeper.keep(Bell::new(agreed.clone(), self.leave.receiver(), ordered)));
        }
        orders
    }

    /// Starts to watch over the watchers, for the sites whose visitors may be sent back here.
    fn stand_by(
        &mut self,
        rights: Vec<FailBackSettings>,
        providers: &BTreeMap<String, ProviderSettings>,
        node: &NodeName,
        key: &Arc<SigningKey>,
        status: &watch::Sender<AgentStatus>,
    ) {
        for settings in rights {
            let provider = &providers[&settings.provider];
            let around = failing_back::Around {
                node: node.clone(),
                key: Arc::clone(key),
                entry: self.book.entry(provider, &settings.site),
                memory: self.memory.clone(),
                line: self.line,
                events: self.events.clone(),
                status: status.subscribe(),
            };
            match FailBack::new(settings, provider, around) {
                Ok(right) => {
                    self.tasks.spawn(right.run(self.close.receiver()).named("fail-back"));
                }
                // A node that serves is worth more than its right to be sent visitors.
                Err(error) => {
                    tracing::warn!("visitors cannot be sent back here when no watcher answers: {error}");
                }
            }
        }
    }
}

/// One line to each watcher, all of the same run.
fn lines(watchers: &[WatcherPin], around: &beating::Around) -> Result<Vec<Line>, AgentError> {
    let line = |(index, pin): (usize, &WatcherPin)| {
        Line::new(index, pin.clone(), around.clone()).map_err(AgentError::from)
    };
    watchers.iter().enumerate().map(line).collect()
}

async fn control_task(server: control::Server, around: Around, close: watch::Receiver<bool>) {
    let around = Arc::new(around);
    let handler = move |question: Value| {
        let around = Arc::clone(&around);
        async move { answer::answer(&question, &around).await }
    };
    server.serve(handler, close).await;
}

/// A task with its name, for the message when it ends too early.
trait Named: Future<Output = ()> + Sized {
    fn named(self, name: &'static str) -> impl Future<Output = Ended> {
        async move {
            self.await;
            (name, Ok(()))
        }
    }
}

impl<F: Future<Output = ()>> Named for F {}

#[cfg(test)]
mod tests;
