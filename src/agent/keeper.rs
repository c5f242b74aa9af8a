//! Keeps one name pointed at this node: has it looked at and written when that is due, and tells how it stands.
//!
//! A node that stops on purpose takes its member out of a name where somebody else's stands, so that visitors are led
//! there; where it is the only one its member stays, since an address that is away for a while is better than none. A
//! node that is killed leaves its member behind: without a watcher nobody can tell that from a line that is cut. Never
//! decides anything: [`super::upkeep`] does.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::sleep;

use super::Agreed;
use super::decision::Evidence;
use super::event::Event;
use super::hooks;
use super::upkeep::{Step, Upkeep, describe};
use crate::address::report::Report;
use crate::dns::change::Outcome;
use crate::dns::lookup::{self, Expected, View};
use crate::dns::plan::Desired;
use crate::dns::provider::Provider;
use crate::heartbeat::NodeName;
use crate::host::shutdown::stopped;
use crate::host::time::Timeline;
use crate::moment::Moment;

/// How long taking leave of a name may take.
const LEAVE: Duration = Duration::from_secs(3);

/// How long the authoritative servers may take to answer with what was written before they are called late.
const AGREEMENT: Duration = Duration::from_secs(30);

/// What a person is told who has a name looked at: what was done, or why not.
pub(super) type Done = Result<String, String>;

/// A person's wish to have the name looked at, and written if need be, now.
pub(super) type Order = oneshot::Sender<Done>;

/// The keeper of one name.
pub(super) struct Keeper {
    index: usize,
    node: NodeName,
    upkeep: Upkeep,
    around: Surroundings,
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
    pub(super) fn new(index: usize, node: NodeName, upkeep: Upkeep, around: Surroundings) -> Self {
        Self { index, node, upkeep, around }
    }

    /// Keeps the name until the stop is wanted. A write under way is finished first, within the provider's patience.
    /// At the end the member leaves where another stands.
    pub(super) async fn keep(mut self, mut bell: Bell) -> Left {
        while self.step(&mut bell).await == Next::Go {}
        // A provider that does not answer holds nobody up.
        tokio::time::timeout(LEAVE, self.leave()).await.unwrap_or(Left::Standing)
    }

    /// Does what is due, and rests.
    async fn step(&mut self, bell: &mut Bell) -> Next {
        let Some(agreed) = bell.known().await else { return Next::End };
        let evidence = self.around.report.borrow().as_ref().map(Evidence::of).unwrap_or_default();
        self.upkeep.hear(evidence);
        if let Some(order) = bell.order.take() {
            return self.obey(order, &agreed).await;
        }
        let step = self.upkeep.next(&agreed).await;
        self.report().await;
        match step {
            Step::Ask(desired) => {
                let asked = self.upkeep.ask(&desired).await;
                self.report().await;
                match asked {
                    Ok(outcome) => self.landed(&desired, outcome, bell).await,
                    Err(_) => Next::Go,
                }
            }
            Step::Rest(at) => bell.rest_until(self.around.line, at).await,
            Step::Pause(at) => bell.pause_until(self.around.line, at).await,
            Step::Stop => bell.wait_for_a_person().await,
        }
    }

    async fn landed(&mut self, desired: &Desired, outcome: Outcome, bell: &mut Bell) -> Next {
        self.tell_hooks(desired, &outcome).await;
        let (Outcome::Landed { .. }, Some(provider)) = (outcome, self.upkeep.provider()) else {
            return Next::Go;
        };
        let late = tokio::select! {
            late = late_servers(provider, desired) => late,
            next = bell.ring() => return next,
        };
        if let Some(late) = late {
            self.upkeep.add(&late);
            self.report().await;
        }
        Next::Go
    }

    /// Looks at once, since a person wants it.
    async fn obey(&mut self, order: Order, agreed: &Agreed) -> Next {
        let desired = self.upkeep.desired(agreed);
        let asked = self.upkeep.ask_by_hand(agreed).await;
        self.report().await;
        let done = asked.as_ref().map(|outcome| describe(&desired.name, outcome)).map_err(Clone::clone);
        // Whoever does not wait any longer need not know.
        let _ = order.send(done);
        if let Ok(outcome) = asked {
            self.tell_hooks(&desired, &outcome).await;
        }
        Next::Go
    }

    async fn leave(&mut self) -> Left {
        let left = self.upkeep.leave().await;
        self.report().await;
        for (desired, outcome) in &left {
            self.tell_hooks(desired, outcome).await;
        }
        if left.is_empty() { Left::Standing } else { Left::Withdrawn }
    }

    async fn tell_hooks(&self, desired: &Desired, outcome: &Outcome) {
        // Without a board the process is on its way out.
        let _ = self.around.events.send(Event::Changed(hooks::landed(&self.node, desired, outcome))).await;
    }

    async fn report(&self) {
        // Without a board the process is on its way out.
        let _ = self.around.events.send(Event::Record(self.index, self.upkeep.status().clone())).await;
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

/// What wakes a keeper: another address, a person, or the stop.
pub(super) struct Bell {
    agreed: watch::Receiver<Option<Agreed>>,
    stop: watch::Receiver<bool>,
    orders: mpsc::Receiver<Order>,
    /// The one that rang.
    order: Option<Order>,
}

impl Bell {
    pub(super) fn new(
        agreed: watch::Receiver<Option<Agreed>>,
        stop: watch::Receiver<bool>,
        orders: mpsc::Receiver<Order>,
    ) -> Self {
        Self { agreed, stop, orders, order: None }
    }

    /// The addresses, once the sources have been asked. None: the stop came first.
    async fn known(&mut self) -> Option<Agreed> {
        tokio::select! {
            biased;
            () = stopped(&mut self.stop) => None,
            known = self.agreed.wait_for(Option::is_some) => known.ok()?.clone(),
        }
    }

    /// Waits for another address, a person or the stop.
    async fn ring(&mut self) -> Next {
        tokio::select! {
            biased;
            () = stopped(&mut self.stop) => Next::End,
            changed = self.agreed.changed() => if changed.is_ok() { Next::Go } else { Next::End },
            Some(order) = self.orders.recv() => {
                self.order = Some(order);
                Next::Go
            }
        }
    }

    /// The same, at most until `at`.
    async fn rest_until(&mut self, line: Timeline, at: Moment) -> Next {
        tokio::time::timeout(at - line.now(), self.ring()).await.unwrap_or(Next::Go)
    }

    /// Waits, whatever the address does: a provider that fails is not asked more often for it.
    async fn pause_until(&mut self, line: Timeline, at: Moment) -> Next {
        tokio::select! {
            next = self.wait_for_a_person() => next,
            () = sleep(at - line.now()) => Next::Go,
        }
    }

    async fn wait_for_a_person(&mut self) -> Next {
        tokio::select! {
            biased;
            () = stopped(&mut self.stop) => Next::End,
            Some(order) = self.orders.recv() => {
                self.order = Some(order);
                Next::Go
            }
        }
    }
}
