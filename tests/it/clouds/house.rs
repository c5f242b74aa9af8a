//! A node that keeps one name at a service, as the agent does: its own decisions, its own memory and books on a disk, and
//! a clock that a test turns.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use hearth::address::Family;
use hearth::agent::Agreed;
use hearth::agent::memory::Memory;
use hearth::agent::upkeep::{Books, Step, Upkeep};
use hearth::config::RecordSettings;
use hearth::dns::account_book::AccountBook;
use hearth::dns::attempt::{TextError, attempt_text};
use hearth::dns::change::{ChangeError, Outcome};
use hearth::dns::provider::{Provider, ProviderSettings, TextChange};
use hearth::dns::{Name, Ttl};
use hearth::host::time::{HandClock, Timeline};
use hearth::moment::Moment;

use super::rig::{Stand, name};
use crate::support::vendor::Vendor as _;
use crate::support::vendor::serve::Served;

thread_local! {
    /// The clock of the node of this test.
    static CLOCK: Cell<Option<&'static HandClock>> = const { Cell::new(None) };
}

/// What calls are signed with.
fn wall() -> SystemTime {
    CLOCK.with(Cell::get).expect("a house has a clock").wall()
}

/// The node, its disk and its service.
pub(super) struct House<S: Stand> {
    pub(super) served: Served<S::Service>,
    /// The node's own clock: what the service thinks of the time is another matter.
    pub(super) clock: &'static HandClock,
    pub(super) settings: ProviderSettings,
    runtime: tokio::runtime::Runtime,
    disk: tempfile::TempDir,
    memory: Memory,
    book: AccountBook,
    line: Timeline,
    upkeep: Upkeep,
}

/// What one turn of a keeper came to.
pub(super) enum Turn {
    /// The provider was asked.
    Asked(Result<Outcome, ChangeError>),
    /// It was not, before this point.
    Waits(Moment),
    /// It is not asked any more.
    Stopped,
}

impl<S: Stand> House<S> {
    /// With a service that has nothing, at this moment.
    pub(super) fn new() -> Self {
        Self::with(|settings, _| settings)
    }

    /// Puts a text at the name, or takes it away, behind the same guard.
    pub(super) fn change_text(&self, change: TextChange, text: &str) -> Result<(), TextError> {
        let provider = Provider::new(&self.settings, wall).unwrap();
        let (name, entry) = (name::<S>(), self.book.entry(&self.settings, &name::<S>()));
        self.runtime.block_on(attempt_text(&entry, &provider, change, (&name, text)))
    }

    /// The same with these settings, made of those of the stand.
    pub(super) fn with(
        settings: impl FnOnce(ProviderSettings, &Served<S::Service>) -> ProviderSettings,
    ) -> Self {
        // As in main: before anything can ask for TLS.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let served = Served::start(S::service());
        let settings = settings(S::settings(&served), &served);
        // One for each test, for as long as the process lives.
        let clock: &'static HandClock = Box::leak(Box::new(HandClock::at(now_ms())));
        CLOCK.with(|own| own.set(Some(clock)));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        // In memory where that is to be had: a year has some ten thousand flushes.
        let disk = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let (memory, book, line) = runtime.block_on(open(&disk, clock));
        let upkeep = upkeep::<S>(&settings, &memory, &book, line);
        Self { served, clock, settings, runtime, disk, memory, book, line, upkeep }
    }

    /// The process was killed, or the power went: what is on the disk comes back.
    pub(super) fn crash(&mut self) {
        (self.memory, self.book, self.line) = self.runtime.block_on(open(&self.disk, self.clock));
        self.upkeep = upkeep::<S>(&self.settings, &self.memory, &self.book, self.line);
    }

    /// A person restarts it.
    pub(super) fn restart(&mut self) {
        self.runtime.block_on(self.book.person_acted());
        self.crash();
    }

    pub(super) fn now(&self) -> Moment {
        self.line.now()
    }

    /// Lets time pass, here and there.
    pub(super) fn pass(&self, span: Duration) {
        self.clock.pass(span);
        self.served.pass(span);
    }

    /// Sets the clock to what time it is.
    pub(super) fn set_clock(&self, passed: Duration) {
        self.clock.set_wall(now_ms() + u64::try_from(passed.as_millis()).unwrap());
    }

    /// What was published before the last crash.
    pub(super) fn published(&self) -> Option<IpAddr> {
        self.memory.agreed().into_values().next()
    }

    /// One turn of the keeper, when this address may be published.
    pub(super) fn turn(&mut self, address: IpAddr) -> Turn {
        let agreed = Agreed::from([(Family::of(address), address)]);
        let Self { runtime, upkeep, memory, .. } = self;
        runtime.block_on(async {
            memory.agree(agreed.clone()).await.unwrap();
            match upkeep.next(&agreed).await {
                Step::Ask(desired) => Turn::Asked(upkeep.ask(&desired).await),
                Step::Rest(at) | Step::Pause(at) => Turn::Waits(at),
                Step::Stop => Turn::Stopped,
            }
        })
    }

    /// The addresses at the service.
    pub(super) fn values(&self) -> Vec<String> {
        let rows = self.served.with(|service| service.rows());
        let here = rows.into_iter().filter(|row| row.name == S::HOST && row.kind == "A");
        here.map(|row| row.value).collect()
    }

    #[track_caller]
    pub(super) fn assert_unpunished(&self, when: &str) {
        let penalties = self.served.with(|service| service.penalties().to_vec());
        assert_eq!(penalties, [] as [&str; 0], "{when}");
    }
}

async fn open(disk: &tempfile::TempDir, clock: &'static HandClock) -> (Memory, AccountBook, Timeline) {
    let (memory, line) = Memory::open_on(disk.path(), |resume| Timeline::by_hand(resume, clock)).await;
    let book = AccountBook::open(disk.path(), line).await;
    (memory, book, line)
}

fn upkeep<S: Stand>(
    settings: &ProviderSettings,
    memory: &Memory,
    book: &AccountBook,
    line: Timeline,
) -> Upkeep {
    let name: Name = name::<S>();
    let books = Books { memory: memory.clone(), entry: book.entry(settings, &name) };
    let record = RecordSettings {
        name,
        provider: "home".to_owned(),
        ttl: Ttl::from_secs(S::TTL),
        families: vec![Family::Ipv4],
        suffix: None,
        lines: BTreeSet::new(),
    };
    let provider = Provider::new(settings, wall).map(|provider| provider.with_patience(S::PATIENCE));
    Upkeep::new(record, "pi1".parse().unwrap(), provider, books, line)
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    u64::try_from(since.as_millis()).unwrap()
}
