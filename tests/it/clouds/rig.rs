//! A provider beside its stand-in, and the words in which a test says what it wants.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use hearth::dns::change::{self, ChangeError, Outcome};
use hearth::dns::plan::{Desired, Scope};
use hearth::dns::provider::{Provider, ProviderError, ProviderSettings, TextChange, WallClock};
use hearth::dns::snapshot::Snapshot;
use hearth::dns::{Name, Owner, Rdata, RdataSet, Ttl};

use crate::support::vendor::serve::Served;
use crate::support::vendor::{Row, Vendor};

/// What a service can do that its stand-in is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Can {
    /// Whose a record is stands beside it, so that two writers share a set.
    Share,
    /// Records for callers from elsewhere.
    Lines,
    /// A CNAME.
    Alias,
    /// A list in several pages.
    Pages,
    /// Weights.
    Weights,
    /// Says that a zone is unknown.
    Zones,
    /// Several records are changed in one step.
    Together,
    /// Says that too many calls were made.
    Throttle,
    /// Wants to see the key before it says what stands.
    AskForKey,
    /// Says that it is the key which is wrong.
    TellKey,
}

/// One service, as its tests need it.
pub(crate) trait Stand {
    type Service: Vendor;
    /// The name that is written, and what the service calls it.
    const NAME: &'static str = "www.example.com";
    const HOST: &'static str = "www";
    /// A TTL that the service takes and does not fall back to.
    const TTL: u32 = 1_200;
    /// The line for everybody and another one.
    const LINES: [&'static str; 2] = ["0", "3=0"];

    /// What the service cannot do, and why.
    const LACKS: &'static [(Can, &'static str)];

    /// How long its provider waits for an answer here.
    const PATIENCE: Duration = Duration::from_secs(1);

    /// What calls are signed with.
    const WALL: WallClock = wall;

    /// Whether it is left out of this run; says so.
    fn left_out() -> bool {
        false
    }
    /// Why the service cannot do this. None: it can.
    fn lacks(what: Can) -> Option<&'static str> {
        reason(Self::LACKS, what)
    }
    fn service() -> Self::Service;
    fn settings(served: &Served<Self::Service>) -> ProviderSettings;
    fn with_wrong_secret(settings: ProviderSettings) -> ProviderSettings;
    fn with_unknown_zone(settings: ProviderSettings) -> ProviderSettings;
    /// Puts a record in behind everybody's back.
    fn put(service: &mut Self::Service, row: Row);
    /// Lists one record a page from now on.
    fn one_a_page(_service: &mut Self::Service) {}
    /// Makes the next call one too many.
    fn exhaust(_service: &mut Self::Service, _now: Duration) {}
}

/// Why something stands in a list of what is lacking.
pub(super) fn reason(lacks: &[(Can, &'static str)], what: Can) -> Option<&'static str> {
    lacks.iter().find(|(lacking, _)| *lacking == what).map(|(_, why)| *why)
}

thread_local! {
    /// How far this test's own clock is ahead.
    static AHEAD: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

fn wall() -> SystemTime {
    SystemTime::now() + AHEAD.with(Cell::get)
}

/// Time since 1970, as the services have it.
pub(crate) fn now() -> Duration {
    wall().duration_since(SystemTime::UNIX_EPOCH).unwrap()
}

/// A provider and the stand-in that it asks.
pub(crate) struct Rig<S: Stand> {
    pub(crate) served: Served<S::Service>,
    pub(crate) provider: Provider,
    runtime: tokio::runtime::Runtime,
}

impl<S: Stand> Rig<S> {
    pub(crate) fn new() -> Self {
        AHEAD.with(|ahead| ahead.set(Duration::ZERO));
        let served = Served::start(S::service());
        let provider = Self::provider(&S::settings(&served));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { served, provider, runtime }
    }

    /// Another provider beside the same stand-in.
    pub(crate) fn beside(self, settings: &ProviderSettings) -> Self {
        Self { provider: Self::provider(settings), ..self }
    }

    fn provider(settings: &ProviderSettings) -> Provider {
        // As in main: before anything can ask for TLS.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Provider::new(settings, S::WALL).unwrap().with_patience(S::PATIENCE)
    }

    /// Puts records in at the name, on the line for everybody unless they say another one.
    pub(crate) fn put(&self, rows: impl IntoIterator<Item = Row>) {
        self.served.with(|service| rows.into_iter().for_each(|row| S::put(service, row)));
    }

    /// Lets time pass, here and there.
    pub(crate) fn pass(&self, span: Duration) {
        AHEAD.with(|ahead| ahead.set(ahead.get() + span));
        self.served.pass(span);
    }

    pub(crate) fn observe(&self) -> Result<Snapshot, ProviderError> {
        self.runtime.block_on(self.provider.observe(&name::<S>()))
    }

    pub(crate) fn change(&self, desired: &Desired) -> Result<Outcome, ChangeError> {
        self.runtime.block_on(change::change(&self.provider, desired, |_| async { Ok(()) }))
    }

    pub(crate) fn apply(&self, plan: &hearth::dns::plan::Plan) -> Result<(), ProviderError> {
        self.runtime.block_on(self.provider.apply(plan))
    }

    /// Puts a text at the name, or takes it away.
    pub(crate) fn change_text(&self, change: TextChange, text: &str) -> Result<(), ProviderError> {
        self.runtime.block_on(self.provider.change_text(change, &name::<S>(), text))
    }

    /// The records at the name, without what a service says of when they were made.
    pub(crate) fn rows(&self) -> Vec<Row> {
        let rows = self.served.with(|service| service.rows());
        let here = rows.into_iter().filter(|r| r.name == S::HOST);
        here.map(|row| Row { born: Duration::ZERO, ..row }).collect()
    }

    /// The data of the records of one type at the name, on the line for everybody.
    pub(crate) fn values(&self, kind: &str) -> BTreeSet<String> {
        let here = self.rows().into_iter().filter(|r| r.kind == kind && r.line == S::LINES[0]);
        here.map(|r| r.value.trim_end_matches('.').to_owned()).collect()
    }

    pub(crate) fn penalties(&self) -> Vec<String> {
        self.served.with(|service| service.penalties().to_vec())
    }
}

pub(crate) fn name<S: Stand>() -> Name {
    S::NAME.parse().unwrap()
}

/// A record at the name, on the line for everybody.
pub(crate) fn row<S: Stand>(kind: &str, value: &str) -> Row {
    Row { line: S::LINES[0].to_owned(), ..Row::new(S::HOST, kind, value, S::TTL) }
}

/// A record at the name that `pi1` marked as its own.
pub(crate) fn ours<S: Stand>(kind: &str, value: &str) -> Row {
    Row { remark: "hearth=1 owner=pi1".to_owned(), ..row::<S>(kind, value) }
}

/// What `pi1` wants of the name: these members, one for each type, and nothing of what others have.
pub(crate) fn member<S: Stand>(wanted: &[&str]) -> Desired {
    let rdata = |text: &&str| text.parse::<Rdata>().unwrap();
    Desired {
        name: name::<S>(),
        owner: Owner::new("pi1"),
        ttl: Ttl::from_secs(S::TTL),
        epoch: None,
        scope: Scope::Member,
        lines: BTreeSet::new(),
        sets: wanted.iter().map(|text| RdataSet::of(rdata(text))).collect(),
        retire: BTreeSet::new(),
        mine: BTreeSet::new(),
    }
}

/// What the watcher wants of the name: this whole set.
pub(crate) fn whole<S: Stand>(wanted: &[&str]) -> Desired {
    let set = RdataSet::new(wanted.iter().map(|text| text.parse::<Rdata>().unwrap())).unwrap();
    Desired {
        owner: Owner::new("watcher"),
        epoch: Some(1),
        scope: Scope::Whole,
        sets: vec![set],
        ..member::<S>(&[])
    }
}
