//! What an agent decides about one name that it keeps, and does about it: waits for the guard, looks, writes, notes.
//!
//! What is unknown is left alone: without an agreed address nothing is written, and nothing is ever cleared. A write is
//! noted in the memory before it is sent, so that a process killed at any moment goes on from what really stands. Never
//! waits, and never tells anybody: that is the [`super::keeper`]'s part.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use super::Agreed;
use super::decision::{Decided, Decision, Evidence, Hold, When};
use super::memory::Memory;
use crate::config::RecordSettings;
use crate::dns::account_book::Entry;
use crate::dns::attempt::{attempt, wanted};
use crate::dns::change::{ChangeError, Outcome};
use crate::dns::guard::{Held, Permission, Setback};
use crate::dns::plan::{Desired, Scope};
use crate::dns::provider::{Provider, ProviderError};
use crate::dns::snapshot::{Record, Snapshot};
use crate::dns::{Name, Owner, Rdata, RdataSet, RecordType};
use crate::heartbeat::NodeName;
use crate::host::time::Timeline;
use crate::moment::Moment;
use crate::status::{RecordState, RecordStatus};

/// Between two writes that landed.
const SPACING: Duration = Duration::from_secs(5);

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
        lines: record.lines.clone(),
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

/// One name, and what it takes to keep it.
#[derive(Debug)]
pub struct Upkeep {
    record: RecordSettings,
    node: NodeName,
    provider: Result<Provider, ProviderError>,
    books: Books,
    line: Timeline,
    status: RecordStatus,
    /// What stood at the name at the last reading, whosever it is.
    stood: Option<BTreeSet<Rdata>>,
    /// What is known of the public address, for whoever asks why.
    evidence: Vec<Evidence>,
    /// Whose word it is that something is done.
    by: By,
}

/// Who has something done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The agent itself.
    Agent,
    /// A person at the command line.
    Hand,
}

/// What is to be done next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The provider is to be asked for this ([`Upkeep::ask`]).
    Ask(Box<Desired>),
    /// It stands as wanted: nothing, until then or until another address is known.
    Rest(Moment),
    /// Nothing until then, whatever the address does.
    Pause(Moment),
    /// Nothing, until a person acts.
    Stop,
}

impl Upkeep {
    /// Begins with nothing read.
    #[must_use]
    pub fn new(
        record: RecordSettings,
        node: NodeName,
        provider: Result<Provider, ProviderError>,
        books: Books,
        line: Timeline,
    ) -> Self {
        let status = RecordStatus::unread(record.name.clone());
        Self { record, node, provider, books, line, status, stood: None, evidence: Vec::new(), by: By::Agent }
    }

    /// How the name stands.
    #[must_use]
    pub fn status(&self) -> &RecordStatus {
        &self.status
    }

    /// The provider, if its settings can work.
    pub(super) fn provider(&self) -> Option<&Provider> {
        self.provider.as_ref().ok()
    }

    /// Takes in what is known of the public address.
    pub fn hear(&mut self, evidence: Vec<Evidence>) {
        self.evidence = evidence;
    }

    /// What this node wants of the name.
    #[must_use]
    pub fn desired(&self, agreed: &Agreed) -> Desired {
        desired(&self.record, &self.node, agreed, self.books.memory.mine(&self.record.name))
    }

    /// What is to be done, now that this address is known.
    pub async fn next(&mut self, agreed: &Agreed) -> Step {
        if let Err(error) = &self.provider {
            let why = error.to_string();
            return self.stop(None, &why).await;
        }
        let desired = self.desired(agreed);
        let wanted = wanted(&desired);
        self.status.wanted = wanted.iter().cloned().collect();
        match (self.books.entry.permission(), self.books.entry.permission_to_look(&wanted)) {
            (Permission::Stopped, _) | (_, Permission::Stopped) => {
                let why =
                    "the provider refused the key before the last crash; put it right and restart hearth";
                self.stop(Some(Hold::Stop), why).await
            }
            (Permission::From(at), _) => {
                self.note_pause(at).await;
                Step::Pause(at)
            }
            (Permission::Granted, Permission::From(at)) => {
                self.rest(&desired, at);
                Step::Rest(at)
            }
            (Permission::Granted, Permission::Granted) => {
                self.announce();
                Step::Ask(Box::new(desired))
            }
        }
    }

    /// What a person wants done at once: the same, but that a name which stands as wanted is looked at all the same, and
    /// that a person may try again what was refused.
    ///
    /// # Errors
    /// Why it is not done, in words.
    pub async fn ask_by_hand(&mut self, agreed: &Agreed) -> Result<Outcome, String> {
        self.provider.as_ref().map_err(ToString::to_string)?;
        if let Permission::From(at) = self.books.entry.permission() {
            let wait = (at - self.line.now()).as_secs() + 1;
            return Err(format!("the provider is left alone for {wait} s more; `hearth dns why` says why"));
        }
        self.books.entry.person_acted().await;
        let desired = self.desired(agreed);
        self.status.wanted = wanted(&desired).into_iter().collect();
        self.by = By::Hand;
        let asked = self.ask(&desired).await.map_err(|error| error.to_string());
        self.by = By::Agent;
        asked
    }

    async fn stop(&mut self, guard: Option<Hold>, why: &str) -> Step {
        if self.status.state != RecordState::Refused {
            let what = if guard.is_some() { Decided::HeldBack } else { Decided::Refused };
            self.note(self.decision(what, guard, why)).await;
            self.show(RecordState::Refused, why.to_owned());
        }
        Step::Stop
    }

    /// Shows what is known without a look: it stood as wanted, and nothing was sent since.
    fn rest(&mut self, desired: &Desired, at: Moment) {
        let state = stood(desired);
        if self.status.state != state || self.stood.is_none() {
            let minutes = (at - self.line.now()).as_secs() / 60 + 1;
            self.status.in_force.clone_from(&self.status.wanted);
            self.show(
                state,
                format!("as wanted when it was read last; it is read again within {minutes} min"),
            );
        }
    }

    /// Shows that something else is wanted than was seen to stand.
    fn announce(&mut self) {
        let stands = self.status.wanted.iter().all(|rdata| self.status.in_force.contains(rdata));
        if !stands && self.status.state == RecordState::InForce {
            let why = "the address changed; the record is being written".to_owned();
            self.show(RecordState::Pending, why);
        }
    }

    /// Makes `desired` stand: noted in the books before it is written, and settled there when it was seen to stand.
    ///
    /// # Errors
    /// When it was not seen to stand.
    pub async fn ask(&mut self, desired: &Desired) -> Result<Outcome, ChangeError> {
        let asked = self.put(desired).await;
        match &asked {
            Ok(outcome) => self.stands(desired, outcome).await,
            Err(error) => self.failed(error).await,
        }
        asked
    }

    async fn put(&self, desired: &Desired) -> Result<Outcome, ChangeError> {
        let provider = self.provider.as_ref().map_err(|error| ChangeError::Provider(error.clone()))?;
        let (Books { memory, entry }, wanted) = (&self.books, wanted(desired));
        let intend = |_: &_| async {
            let noted = memory.intend(&desired.name, &wanted).await;
            noted.map_err(|error| Held::NotNoted(error.to_string()))
        };
        let outcome = attempt(entry, provider, desired, SPACING, intend).await?;
        if let Err(error) = memory.landed(&desired.name, &wanted).await {
            // More is remembered as ours than is: nothing is lost by it.
            tracing::warn!("{error}");
        }
        Ok(outcome)
    }

    async fn stands(&mut self, desired: &Desired, outcome: &Outcome) {
        match outcome {
            Outcome::Unchanged { seen } => {
                self.see(desired, seen);
                let why = self.said(stood_words(desired));
                self.note(self.decision(Decided::Kept, None, &why)).await;
                self.show(stood(desired), why);
            }
            Outcome::Landed { written, seen, .. } => {
                let changes: Vec<String> = written.operations().iter().map(ToString::to_string).collect();
                let what = if changes.is_empty() { "its mark".to_owned() } else { changes.join(", ") };
                let why = self.said(&format!("written and read back: {what}"));
                self.stood = Some(all(desired, written.seen()));
                self.note(self.decision(Decided::Wrote, None, &why)).await;
                self.see(desired, seen);
                self.show(RecordState::InForce, why);
            }
        }
    }

    async fn failed(&mut self, error: &ChangeError) {
        let setback = error.setback();
        let decision = Decision::failed(self.now(), error);
        self.note(Decision { said: self.said(&decision.said), ..decision }).await;
        let (state, todo) = match setback {
            Setback::Auth => (RecordState::Refused, "; nothing more is tried until hearth is restarted"),
            Setback::Refused => (RecordState::Refused, "; tried again in a quarter of an hour"),
            _ if matches!(error, ChangeError::Plan(_)) => (RecordState::Refused, ""),
            Setback::Budget(_) => (RecordState::Pending, ""),
            Setback::ClockSkew | Setback::Conflict | Setback::Wait(_) | Setback::Passing => {
                (RecordState::Pending, "; tried again")
            }
        };
        self.show(state, format!("{error}{todo}"));
    }

    /// Takes our members out of every RRset in which somebody else's stood at the last reading, and still does. What was
    /// written, type by type.
    pub(super) async fn leave(&mut self) -> Vec<(Desired, Outcome)> {
        // While the name stands as wanted, all that may be waited for is the pause between two writes: the last one
        // does without. A provider that failed is left alone.
        if self.status.state != RecordState::InForce {
            return Vec::new();
        }
        self.look_once().await;
        let mut left = Vec::new();
        for kind in self.shared() {
            let leaving = Desired { retire: BTreeSet::from([kind]), ..self.desired(&Agreed::new()) };
            match self.put(&leaving).await {
                Ok(outcome) => {
                    let why = "withdrawn: this node stops, and others stand there";
                    self.note(self.decision(Decided::Wrote, None, why)).await;
                    left.push((leaving, outcome));
                }
                Err(error) => self.show(RecordState::Pending, format!("not withdrawn: {error}")),
            }
        }
        if !left.is_empty() {
            let why = "withdrawn: this node stops, and visitors are led to the others";
            self.show(RecordState::Unknown, why.to_owned());
        }
        left
    }

    /// Reads the name if it was not yet: it rested since before the start.
    async fn look_once(&mut self) {
        if let (None, Ok(provider)) = (&self.stood, &self.provider)
            && let Ok(seen) = provider.observe(&self.record.name).await
        {
            self.see(&self.desired(&Agreed::new()), &seen);
        }
    }

    /// The types of which both this node and somebody else have members.
    fn shared(&self) -> BTreeSet<RecordType> {
        let of = |records: &[Rdata]| records.iter().map(Rdata::record_type).collect::<BTreeSet<_>>();
        of(&self.status.in_force).intersection(&of(&self.status.foreign)).copied().collect()
    }

    /// Takes in what was read.
    fn see(&mut self, desired: &Desired, seen: &Snapshot) {
        let (ours, others): (Vec<&Record>, Vec<&Record>) =
            seen.on_lines(&desired.lines).partition(|record| is_ours(desired, record));
        let data = |records: Vec<&Record>| records.into_iter().map(|record| record.rdata.clone()).collect();
        (self.status.in_force, self.status.foreign) = (data(ours), data(others));
        self.stood = Some(all(desired, seen));
    }

    fn show(&mut self, state: RecordState, why: String) {
        (self.status.state, self.status.why) = (state, why);
    }

    /// Shows how far the name servers are behind.
    pub(super) fn add(&mut self, late: &str) {
        self.status.why = format!("written and read back; {late}");
    }

    fn said(&self, what: &str) -> String {
        match self.by {
            By::Agent => what.to_owned(),
            By::Hand => format!("by hand: {what}"),
        }
    }
}

/// What is noted for whoever asks why.
impl Upkeep {
    fn now(&self) -> When {
        When { moment: self.line.now(), wall_ms: self.line.wall_ms() }
    }

    fn decision(&self, what: Decided, guard: Option<Hold>, said: &str) -> Decision {
        Decision::new(self.now(), what, guard, said)
    }

    /// Notes that the guard wants to wait until `at`, unless what failed has said so, or it is the pause between two
    /// writes.
    async fn note_pause(&self, at: Moment) {
        let wait = at - self.line.now();
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
        let mut decision = decision.about(self.stood.as_ref(), &self.status.wanted);
        decision.addresses.clone_from(&self.evidence);
        if let Err(error) = self.books.memory.decided(&self.record.name, decision).await {
            tracing::warn!("{error}");
        }
    }
}

/// What was done, for the person who wanted it.
#[must_use]
pub fn describe(name: &Name, outcome: &Outcome) -> String {
    match outcome {
        Outcome::Unchanged { .. } => format!("{name}\n  nothing to do\n"),
        Outcome::Landed { written, .. } => format!("{written}\n  written and read back\n"),
    }
}

/// Everything that was seen on the lines that are wanted.
fn all(desired: &Desired, seen: &Snapshot) -> BTreeSet<Rdata> {
    seen.on_lines(&desired.lines).map(|record| record.rdata.clone()).collect()
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
