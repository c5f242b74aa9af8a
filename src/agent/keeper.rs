//! Keeps one name pointed at this node: writes when the address changed, looks once an hour whether it still stands.
//!
//! What is unknown is left alone: without an agreed address nothing is written, and nothing is ever cleared. A write is
//! noted in the memory before it is sent, so that a process killed at any moment goes on from what really stands.
//!
//! A node that stops on purpose takes its member out of a name where somebody else's stands, so that visitors are led
//! there; where it is the only one its member stays, since an address that is away for a while is better than none. A
//! node that is killed leaves its member behind: without a watcher nobody can tell that from a line that is cut.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

use super::Agreed;
use super::board::{Event, unread};
use super::decision::{Decided, Decision, Evidence, Hold, When};
use super::hooks;
use super::memory::Memory;
use crate::address::report::Report;
use crate::config::RecordSettings;
use crate::dns::account_book::Entry;
use crate::dns::change::{self, ChangeError, Held, Outcome};
use crate::dns::guard::{Permission, Setback};
use crate::dns::lookup::{self, Expected, View};
use crate::dns::plan::{Desired, Plan, Scope};
use crate::dns::provider::{Provider, ProviderError, ProviderSettings};
use crate::dns::snapshot::{Record, Snapshot};
use crate::dns::{Owner, Rdata, RdataSet};
use crate::heartbeat::NodeName;
use crate::host::random;
use crate::host::shutdown::stopped;
use crate::host::time::{Timeline, wall_clock};
use crate::moment::Moment;
use crate::status::{RecordState, RecordStatus};

/// Between two looks at a name that stands as wanted. Give or take a tenth, so that nodes do not look together.
const LOOK: Duration = Duration::from_secs(60 * 60);

/// Between two writes that landed.
const SPACING: Duration = Duration::from_secs(5);

/// How long taking leave of a name may take.
const LEAVE: Duration = Duration::from_secs(3);

/// How long the authoritative servers may take to answer with what was written before they are called late.
const AGREEMENT: Duration = Duration::from_secs(30);

/// What `node` wants of a name: its member of each family that is published and known. `mine` is what it remembers
/// having written there.
#[must_use]
pub fn desired(record: &RecordSettings, node: &NodeName, agreed: &Agreed, mine: BTreeSet<Rdata>) -> Desired {
    let known = record.families.iter().filter_map(|family| agreed.get(family));
    let there = |own: &IpAddr| record.suffix.map_or(*own, |suffix| suffix.below(*own));
    Desired {
        name: record.name.clone(),
        owner: Owner::new(node.as_str()),
        ttl: record.ttl,
        epoch: None,
        scope: Scope::Member,
        line: None,
        sets: known.map(|own| RdataSet::of(Rdata::from(there(own)))).collect(),
        retire: BTreeSet::new(),
        mine,
    }
}

/// Where is noted what becomes of a name: what is ours there, and what its provider puts up with.
#[derive(Clone, Debug)]
pub struct Books {
    /// What was written.
    pub memory: Memory,
    /// What was asked of the provider of late.
    pub entry: Entry,
}

/// Makes `desired` stand: noted in the `books` before it is written, and settled there when it was seen to stand.
///
/// # Errors
/// As [`change::change`].
pub async fn put(provider: &Provider, desired: &Desired, books: &Books) -> Result<Outcome, ChangeError> {
    let wanted = wanted(desired);
    let note = |_: &Plan| async {
        books.entry.trying().await?;
        let noted = books.memory.intend(&desired.name, &wanted).await;
        noted.map_err(|error| Held::NotNoted(error.to_string()))
    };
    let outcome = change::change(provider, desired, note).await?;
    if let Err(error) = books.memory.landed(&desired.name, &wanted).await {
        // More is remembered as ours than is: nothing is lost by it.
        tracing::warn!("{error}");
    }
    Ok(outcome)
}

/// The record data that is wanted.
fn wanted(desired: &Desired) -> BTreeSet<Rdata> {
    desired.sets.iter().flat_map(RdataSet::iter).cloned().collect()
}

/// The keeper of one name.
pub(super) struct Keeper {
    index: usize,
    record: RecordSettings,
    node: NodeName,
    provider: Result<Provider, ProviderError>,
    books: Books,
    around: Surroundings,
    status: RecordStatus,
    /// What stood at the name at the last reading, whosever it is.
    stood: Option<BTreeSet<Rdata>>,
}

/// What a keeper tells and hears beside its own name.
pub(super) struct Surroundings {
    pub(super) line: Timeline,
    pub(super) events: mpsc::Sender<Event>,
    /// The last round of questions about the public address.
    pub(super) report: watch::Receiver<Option<Report>>,
}

/// Whether a keeper took its member out of the name at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// It did: visitors are led to others.
    Withdrawn,
    /// It stands as it stood.
    Standing,
}

/// Whether a keeper goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Go,
    End,
}

impl Keeper {
    pub(super) fn new(
        index: usize,
        record: RecordSettings,
        node: &NodeName,
        provider: &ProviderSettings,
        books: Books,
        around: Surroundings,
    ) -> Self {
        Self {
            provider: Provider::new(provider, wall_clock),
            status: unread(record.name.clone()),
            node: node.clone(),
            index,
            record,
            books,
            around,
            stood: None,
        }
    }

    /// Keeps the name until the stop is wanted. A write under way is finished first, within the provider's patience.
    /// At the end the member leaves where another stands.
    pub(super) async fn keep(
        mut self,
        agreed: watch::Receiver<Option<Agreed>>,
        stop: watch::Receiver<bool>,
    ) -> Left {
        let mut bell = Bell { agreed, stop };
        let provider = match &self.provider {
            Ok(provider) => provider.clone(),
            Err(error) => {
                let why = error.to_string();
                self.note(self.decision(Decided::Refused, None, &why)).await;
                self.report(RecordState::Refused, why).await;
                bell.end().await;
                return Left::Standing;
            }
        };
        while self.step(&provider, &mut bell).await == Next::Go {}
        // A provider that does not answer holds nobody up.
        tokio::time::timeout(LEAVE, self.leave(&provider)).await.unwrap_or(Left::Standing)
    }

    /// Takes our members out of every RRset in which somebody else's stood at the last reading, and still does.
    async fn leave(&mut self, provider: &Provider) -> Left {
        let of = |records: &[Rdata]| records.iter().map(Rdata::record_type).collect::<BTreeSet<_>>();
        let shared: BTreeSet<_> =
            of(&self.status.in_force).intersection(&of(&self.status.foreign)).copied().collect();
        let mut left = Left::Standing;
        // While the name stands as wanted, all that may be waited for is the pause between two writes: the last one
        // does without. A provider that failed is left alone.
        let friendly = self.status.state == RecordState::InForce;
        for kind in shared.into_iter().filter(|_| friendly) {
            let mine = self.books.memory.mine(&self.record.name);
            let stay = desired(&self.record, &self.node, &Agreed::new(), mine);
            let leaving = Desired { retire: BTreeSet::from([kind]), ..stay };
            match put(provider, &leaving, &self.books).await {
                Ok(outcome) => {
                    self.tell_hooks(&leaving, &outcome).await;
                    left = Left::Withdrawn;
                    let why = "withdrawn: this node stops, and others stand there";
                    self.note(self.decision(Decided::Wrote, None, why)).await;
                }
                Err(error) => self.report(RecordState::Pending, format!("not withdrawn: {error}")).await,
            }
        }
        if left == Left::Withdrawn {
            let why = "withdrawn: this node stops, and visitors are led to the others";
            self.report(RecordState::Unknown, why.to_owned()).await;
        }
        left
    }

    /// Waits until the provider may be asked, makes stand what is wanted, and rests.
    async fn step(&mut self, provider: &Provider, bell: &mut Bell) -> Next {
        match self.books.entry.permission() {
            Permission::Stopped => {
                if self.status.state != RecordState::Refused {
                    let why =
                        "the provider refused the key before the last crash; put it right and restart hearth";
                    self.note(self.decision(Decided::HeldBack, Some(Hold::Stop), why)).await;
                    self.report(RecordState::Refused, why.to_owned()).await;
                }
                bell.end().await;
                return Next::End;
            }
            Permission::From(at) => {
                self.note_pause(at).await;
                return bell.sleep_until(self.around.line, at).await;
            }
            Permission::Granted => {}
        }
        let Some(agreed) = bell.known().await else { return Next::End };
        let mine = self.books.memory.mine(&self.record.name);
        let desired = desired(&self.record, &self.node, &agreed, mine);
        self.announce(&desired).await;
        match put(provider, &desired, &self.books).await {
            Ok(outcome) => self.stands(provider, &desired, outcome, bell).await,
            Err(error) => {
                self.failed(&error).await;
                Next::Go
            }
        }
    }

    /// Shows that something else is wanted than was seen to stand.
    async fn announce(&mut self, desired: &Desired) {
        self.status.wanted = wanted(desired).into_iter().collect();
        let stands = self.status.wanted.iter().all(|rdata| self.status.in_force.contains(rdata));
        if !stands && self.status.state == RecordState::InForce {
            self.report(RecordState::Pending, "the address changed; the record is being written".to_owned())
                .await;
        }
    }

    async fn stands(
        &mut self,
        provider: &Provider,
        desired: &Desired,
        outcome: Outcome,
        bell: &mut Bell,
    ) -> Next {
        self.tell_hooks(desired, &outcome).await;
        match outcome {
            Outcome::Unchanged { seen } => {
                self.books.entry.landed(Duration::ZERO).await;
                self.see(desired, &seen);
                self.note(self.decision(Decided::Kept, None, stood_words(desired))).await;
                self.report(stood(desired), stood_words(desired).to_owned()).await;
            }
            Outcome::Landed { written, seen, .. } => {
                self.books.entry.landed(SPACING).await;
                let changes: Vec<String> = written.operations().iter().map(ToString::to_string).collect();
                let what = if changes.is_empty() { "its mark".to_owned() } else { changes.join(", ") };
                let why = format!("written and read back: {what}");
                self.stood = Some(all(written.seen()));
                self.note(self.decision(Decided::Wrote, None, &why)).await;
                self.see(desired, &seen);
                self.report(RecordState::InForce, why).await;
                let late = tokio::select! {
                    late = late_servers(provider, desired) => late,
                    next = bell.ring() => return next,
                };
                if let Some(late) = late {
                    self.report(RecordState::InForce, format!("written and read back; {late}")).await;
                }
            }
        }
        bell.rest(random::jitter(LOOK, 0.1)).await
    }

    async fn failed(&mut self, error: &ChangeError) {
        let setback = error.setback();
        self.books.entry.failed(setback).await;
        self.note(Decision::failed(self.now(), error)).await;
        let (state, todo) = match setback {
            Setback::Auth => (RecordState::Refused, "; nothing more is tried until hearth is restarted"),
            Setback::Refused => (RecordState::Refused, "; tried again in a quarter of an hour"),
            _ if matches!(error, ChangeError::Plan(_)) => (RecordState::Refused, ""),
            Setback::Budget(_) => (RecordState::Pending, ""),
            Setback::ClockSkew | Setback::Conflict | Setback::Wait(_) | Setback::Passing => {
                (RecordState::Pending, "; tried again")
            }
        };
        self.report(state, format!("{error}{todo}")).await;
    }

    /// Takes in what was read.
    fn see(&mut self, desired: &Desired, seen: &Snapshot) {
        let (ours, others): (Vec<&Record>, Vec<&Record>) =
            seen.records.iter().partition(|record| is_ours(desired, record));
        let data = |records: Vec<&Record>| records.into_iter().map(|record| record.rdata.clone()).collect();
        (self.status.in_force, self.status.foreign) = (data(ours), data(others));
        self.stood = Some(all(seen));
    }

    async fn tell_hooks(&self, desired: &Desired, outcome: &Outcome) {
        // Without a board the process is on its way out.
        let _ = self.around.events.send(Event::Changed(hooks::landed(&self.node, desired, outcome))).await;
    }

    async fn report(&mut self, state: RecordState, why: String) {
        (self.status.state, self.status.why) = (state, why);
        // Without a board the process is on its way out.
        let _ = self.around.events.send(Event::Record(self.index, self.status.clone())).await;
    }
}

/// What the keeper notes for whoever asks why.
impl Keeper {
    fn now(&self) -> When {
        When { moment: self.around.line.now(), wall_ms: self.around.line.wall_ms() }
    }

    fn decision(&self, what: Decided, guard: Option<Hold>, said: &str) -> Decision {
        Decision::new(self.now(), what, guard, said)
    }

    /// Notes that the guard wants to wait until `at`, unless what failed has said so, or it is the pause between two
    /// writes.
    async fn note_pause(&self, at: Moment) {
        let wait = at - self.around.line.now();
        let clock = self.books.entry.waits_for_clock();
        if self.books.memory.ends_in_a_setback(&self.record.name) || (wait <= SPACING && !clock) {
            return;
        }
        let (hold, why) = if clock {
            (Hold::Clock, "the network has not set the clock yet".to_owned())
        } else {
            (Hold::Pause, format!("nothing is asked of the provider for {} s", wait.as_secs()))
        };
        self.note(self.decision(Decided::HeldBack, Some(hold), &why)).await;
    }

    /// Notes a decision with its evidence. One that cannot be noted is no reason to decide otherwise.
    async fn note(&self, decision: Decision) {
        let addresses = self.around.report.borrow().as_ref().map(Evidence::of).unwrap_or_default();
        let mut decision = decision.about(self.stood.as_ref(), &self.status.wanted);
        decision.addresses = addresses;
        if let Err(error) = self.books.memory.decided(&self.record.name, decision).await {
            tracing::warn!("{error}");
        }
    }
}

/// Everything that was seen.
fn all(seen: &Snapshot) -> BTreeSet<Rdata> {
    seen.records.iter().map(|record| record.rdata.clone()).collect()
}

/// Whether a record is this node's, or one that it shares with a node behind the same address.
pub(super) fn is_ours(desired: &Desired, record: &Record) -> bool {
    let unmarked = || desired.mine.contains(&record.rdata) || wanted(desired).contains(&record.rdata);
    record.owners.contains(&desired.owner) || (record.owners.is_empty() && unmarked())
}

/// Without a known address there is nothing that could be in force.
fn stood(desired: &Desired) -> RecordState {
    if desired.sets.is_empty() { RecordState::Unknown } else { RecordState::InForce }
}

fn stood_words(desired: &Desired) -> &'static str {
    if desired.sets.is_empty() {
        "no address is known, so what stands is left as it is"
    } else {
        "read, and as wanted"
    }
}

/// The authoritative servers that do not answer with what was written, in words.
async fn late_servers(provider: &Provider, desired: &Desired) -> Option<String> {
    let servers = match provider.name_servers().await {
        Ok(servers) => servers,
        Err(error) => return Some(format!("the name servers could not be asked: {error}")),
    };
    let mut late = Vec::new();
    for set in &desired.sets {
        let expected = Expected::Among(set.clone());
        let views = lookup::agreement(&servers, &desired.name, &expected, AGREEMENT).await;
        late.extend(views.into_iter().filter(|(_, view)| *view != View::Agrees));
    }
    let words: Vec<String> = late.iter().map(|(server, view)| format!("{server} {view}")).collect();
    (!words.is_empty()).then(|| words.join(", "))
}

/// What wakes a keeper: another address, or the stop.
struct Bell {
    agreed: watch::Receiver<Option<Agreed>>,
    stop: watch::Receiver<bool>,
}

impl Bell {
    /// The addresses, once the sources have been asked. None: the stop came first.
    async fn known(&mut self) -> Option<Agreed> {
        tokio::select! {
            biased;
            () = stopped(&mut self.stop) => None,
            known = self.agreed.wait_for(Option::is_some) => known.ok()?.clone(),
        }
    }

    /// Waits for another address or the stop.
    async fn ring(&mut self) -> Next {
        tokio::select! {
            biased;
            () = stopped(&mut self.stop) => Next::End,
            changed = self.agreed.changed() => if changed.is_ok() { Next::Go } else { Next::End },
        }
    }

    /// The same, at most for `span`.
    async fn rest(&mut self, span: Duration) -> Next {
        tokio::time::timeout(span, self.ring()).await.unwrap_or(Next::Go)
    }

    /// Waits, whatever the address does: a provider that fails is not asked more often for it.
    async fn sleep_until(&mut self, line: Timeline, at: Moment) -> Next {
        tokio::select! {
            biased;
            () = stopped(&mut self.stop) => Next::End,
            () = sleep(at - line.now()) => Next::Go,
        }
    }

    async fn end(&mut self) {
        stopped(&mut self.stop).await;
    }
}
