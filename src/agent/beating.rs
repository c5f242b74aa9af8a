//! Beats to one watcher: one every so often, and at once at the start, for a new address and for the stop.
//!
//! Every attempt has a sequence of its own, whatever became of the one before. What the watcher asks in its answers is
//! looked at, and told with the next beats. Never waits for another watcher.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::event::{Event, LinkReport};
use crate::address::Network;
use crate::address::admissible::admissible;
use crate::heartbeat::receive::FORM;
use crate::heartbeat::seal::SigningKey;
use crate::heartbeat::send::{SendError, Sender, SenderError, SenderSettings};
use crate::heartbeat::witness::Errand;
use crate::heartbeat::{Answer, Beat, BootId, Claim, Leaving, WatcherPin};
use crate::host::random;
use crate::host::shutdown::{Shutdown, stopped};
use crate::host::time::{Timeline, ticks};
use crate::leds::{Shown, state};
use crate::moment::Moment;
use crate::probe::ProberSettings;
use crate::probe::rounds::Rounds;
use crate::probe::witness::Witness;
use crate::status::{AgentStatus, LinkState, Phase};

/// A watcher that calls our run over is believed, and given a new one, at most this often. More often would mean that
/// two machines beat with one key, each ending the other's run: a person must hear of that.
const RENEWAL: Duration = Duration::from_secs(60 * 60);

/// Between two beats while a new address waits for its proof, which comes with an answer.
const HURRY: Duration = Duration::from_secs(1);

/// The HTTP status of a beat that was refused as replayed ([`crate::heartbeat::receive::Refusal::status`]).
const REPLAYED: u16 = 409;

/// The id of a run.
pub(super) fn fresh_boot() -> BootId {
    BootId::new(random::bytes())
}

/// Whether the watcher heard that we leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Farewell {
    /// It answered.
    Heard,
    /// It did not.
    Unheard,
}

/// The line to one watcher.
pub(super) struct Line {
    index: usize,
    sender: Sender,
    boot: BootId,
    /// The last sequence that was used.
    sequence: u64,
    renewed: Option<Moment>,
    witness: Witness,
    rounds: Option<Rounds>,
    around: Around,
}

/// What the lines to all watchers have in common.
#[derive(Clone)]
pub(super) struct Around {
    /// The run of the agent.
    pub(super) boot: BootId,
    /// Seals the beats.
    pub(super) key: Arc<SigningKey>,
    /// The addresses that may be looked at beside public ones.
    pub(super) admit: Vec<Network>,
    pub(super) clock: Timeline,
    pub(super) events: mpsc::Sender<Event>,
}

impl Line {
    pub(super) fn new(index: usize, pin: WatcherPin, around: Around) -> Result<Self, SenderError> {
        let trusts = ProberSettings { extra_roots: pin.roots.clone() };
        let sender = Sender::new(pin, &SenderSettings::default())?;
        let (witness, rounds) = Witness::new(around.clock, &trusts)?;
        let (boot, rounds) = (around.boot, Some(rounds));
        Ok(Self { index, sender, boot, sequence: 0, renewed: None, witness, rounds, around })
    }

    /// Where the watcher is.
    pub(super) fn url(&self) -> String {
        self.sender.pin().url.clone()
    }

    /// Beats until the stop is wanted, and takes leave; every second while `hurry` says so. Between beats it looks at what
    /// the watcher asked for.
    pub(super) async fn run(
        mut self,
        every: Duration,
        status: watch::Receiver<AgentStatus>,
        hurry: watch::Receiver<bool>,
        leave: Shutdown,
    ) -> Farewell {
        let errands = self.witness.errands();
        let rounds = self.rounds.take().expect("a line runs once");
        tokio::select! {
            farewell = self.keep_beating(every, status, hurry, leave) => farewell,
            // They end with their errands, and those with this line.
            () = rounds.run(errands) => Farewell::Unheard,
        }
    }

    /// A beat that is under way at the stop is given up: the watcher refuses it as replayed should it arrive after the
    /// farewell.
    async fn keep_beating(
        &mut self,
        every: Duration,
        mut status: watch::Receiver<AgentStatus>,
        mut hurry: watch::Receiver<bool>,
        leave: Shutdown,
    ) -> Farewell {
        let mut stop = leave.receiver();
        let mut due = ticks(every);
        loop {
            let now = status.borrow_and_update().clone();
            let said = claims(&now);
            tokio::select! {
                biased;
                () = stopped(&mut stop) => break,
                () = self.beat(&now) => {}
            }
            tokio::select! {
                biased;
                () = stopped(&mut stop) => break,
                () = moved(&mut status, &said) => {}
                () = hurried(&mut hurry) => {}
                _ = due.tick() => {}
            }
        }
        let last = status.borrow().clone();
        if leave.is_relief() { self.make_room(&last).await } else { self.take_leave(last).await }
    }

    async fn beat(&mut self, status: &AgentStatus) {
        let shown = state(status);
        let mut answered = self.send(status, shown, None).await;
        if matches!(&answered, Err(SendError::Refused { status: REPLAYED, .. })) && self.renew() {
            answered = self.send(status, shown, None).await;
        }
        self.report(answered).await;
    }

    async fn take_leave(&mut self, mut status: AgentStatus) -> Farewell {
        status.phase = Phase::Leaving;
        let reason = Leaving { reason: "stopped on purpose".to_owned() };
        let answered = self.send(&status, state(&status), Some(reason)).await;
        let heard = if answered.is_ok() { Farewell::Heard } else { Farewell::Unheard };
        self.report(answered).await;
        heard
    }

    /// Says that an update is under way: the node stays where it is, and the next process beats in a run of its own.
    async fn make_room(&mut self, status: &AgentStatus) -> Farewell {
        let answered = self.send(status, Shown::Updating, None).await;
        if answered.is_ok() { Farewell::Heard } else { Farewell::Unheard }
    }

    async fn send(
        &mut self,
        status: &AgentStatus,
        shown: Shown,
        leaving: Option<Leaving>,
    ) -> Result<Answer, SendError> {
        self.sequence += 1;
        let mut beat = Beat {
            form: FORM,
            node: status.node.clone(),
            boot: self.boot,
            sequence: self.sequence,
            uptime_ms: u64::try_from(self.around.clock.uptime().as_millis()).unwrap_or(u64::MAX),
            wall_ms: self.around.clock.wall_ms(),
            version: status.version.clone(),
            addresses: claims(status),
            sites: status.site_reports(),
            mounts: status.mounts_report(),
            records: status.records_report(),
            led: shown.to_string(),
            leaving,
            testimonies: Vec::new(),
        };
        let told = self.witness.testify(&mut beat);
        let answered = self.sender.beat(&beat, &self.around.key).await;
        match &answered {
            Ok(answer) => self.witness.heard(told, self.agreed_to(answer)),
            Err(_) => self.witness.unheard(),
        }
        answered
    }

    /// What this node looks at of what a watcher asks for: nothing in its own network, unless that is admitted.
    fn agreed_to(&self, answer: &Answer) -> Errand {
        answer.errand.clone().only(|address| admissible(address, &self.around.admit).is_ok())
    }

    /// Begins a new run, unless that was done lately.
    fn renew(&mut self) -> bool {
        let now = self.around.clock.now();
        if self.renewed.is_some_and(|at| now - at < RENEWAL) {
            return false;
        }
        (self.boot, self.sequence, self.renewed) = (fresh_boot(), 0, Some(now));
        true
    }

    async fn report(&self, answered: Result<Answer, SendError>) {
        let report = match answered {
            Ok(answer) => LinkReport {
                state: LinkState::Answered,
                why: "answers under its key".to_owned(),
                view: Some(answer.view),
            },
            Err(error) => LinkReport { state: meaning(&error), why: error.to_string(), view: None },
        };
        // Without a board the process is on its way out.
        let _ = self.around.events.send(Event::Link(self.index, report)).await;
    }
}

/// What a beat without an answer says of the link. A proxy in front that has trouble of its own (RFC 9110 section 15.6,
/// RFC 6585 section 4) passes; everything else that is refused stays so until a person acts.
fn meaning(error: &SendError) -> LinkState {
    match error {
        SendError::Unreachable(_) | SendError::Refused { status: 408 | 429 | 500.., .. } => {
            LinkState::Unreachable
        }
        SendError::Refused { .. } | SendError::WrongKey | SendError::Garbled(_) => LinkState::Refused,
    }
}

/// Where the node says that it is.
fn claims(status: &AgentStatus) -> Vec<Claim> {
    let claim = |address: &crate::status::AddressStatus| {
        address.agreed.map(|agreed| Claim { address: agreed, verdict: address.verdict })
    };
    status.addresses.values().filter_map(claim).collect()
}

/// Waits [`HURRY`], when beats are to come quickly.
async fn hurried(hurry: &mut watch::Receiver<bool>) {
    if hurry.wait_for(|hurry| *hurry).await.is_err() {
        return std::future::pending().await;
    }
    tokio::time::sleep(HURRY).await;
}

/// Waits until the node is somewhere else than `said`.
async fn moved(status: &mut watch::Receiver<AgentStatus>, said: &[Claim]) {
    if status.wait_for(|now| claims(now) != said).await.is_err() {
        // The board is gone, and the stop is about to be seen.
        std::future::pending::<()>().await;
    }
}
