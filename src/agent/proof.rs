//! The gate between what was agreed on and what is published: where a watcher looks, a new address proves itself first.
//!
//! A watcher asks the candidate address for a nonce with this node's signature, and answers beats with what was proven.
//! What passes is remembered across restarts, and nothing else is: an address that has not proved itself must not count as
//! one that did because the node was restarted meanwhile. Never takes back what is published, and never waits for a watcher that does not answer or does not look at this node;
//! for one that does, at most [`PATIENCE`].

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use super::Agreed;
use super::memory::Memory;
use crate::address::Family;
use crate::host::shutdown::stopped;
use crate::host::time::Timeline;
use crate::moment::Moment;
use crate::status::{AgentStatus, LinkState};

/// How long a new address may take to prove itself: several looks of a watcher.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// What the watchers say about this node's addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Word {
    /// None of them answers, or none looks at this node, and all were tried.
    Nobody,
    /// These have proved themselves.
    Proven(BTreeSet<IpAddr>),
}

/// What is published, and what waits to be.
#[derive(Debug)]
struct Gate {
    /// What may be published.
    open: Agreed,
    /// New addresses, and when they began to wait.
    waiting: BTreeMap<Family, (IpAddr, Moment)>,
}

impl Gate {
    /// Lets everything through that was agreed on and is proven, need not be, or has waited long enough. In place of what
    /// waits, the address before it stays.
    fn pass(&mut self, agreed: &Agreed, word: &Word, now: Moment) {
        self.waiting.retain(|family, (address, _)| agreed.get(family) == Some(address));
        for (family, address) in agreed {
            if self.open.get(family) == Some(address) {
                continue;
            }
            let (_, since) = *self.waiting.entry(*family).or_insert_with(|| {
                tracing::info!(
                    "{address} is new: a watcher has {PATIENCE:?} to prove it before it is published"
                );
                (*address, now)
            });
            let proven = match word {
                Word::Nobody => true,
                Word::Proven(proven) => proven.contains(address),
            };
            if !proven && now.since(since) >= PATIENCE {
                tracing::warn!(
                    "no watcher reached this node at {address} within {PATIENCE:?}; it is published, since the sources \
                     agree on it: forward the site's ports to this machine, if that was not done"
                );
            }
            if proven || now.since(since) >= PATIENCE {
                self.waiting.remove(family);
                self.open.insert(*family, *address);
            }
        }
    }

    /// When the next address has waited long enough.
    fn deadline(&self) -> Option<Moment> {
        self.waiting.values().map(|(_, since)| *since + PATIENCE).min()
    }
}

/// What the watchers say in `status`.
fn word(status: &AgentStatus) -> Word {
    let answering = status.watchers.iter().filter(|link| link.state == LinkState::Answered);
    let mut views = answering.flat_map(|link| &link.view).peekable();
    let untried = status.watchers.iter().any(|link| link.state == LinkState::Unknown);
    if views.peek().is_none() && !untried {
        return Word::Nobody;
    }
    Word::Proven(views.flat_map(|view| view.proven.iter().copied()).collect())
}

/// The ends of the gate.
pub(super) struct Proof {
    /// What may be published without a proof: it was before the start.
    pub(super) standing: Agreed,
    /// Where what passes is remembered.
    pub(super) memory: Memory,
    /// What was agreed on.
    pub(super) agreed: watch::Receiver<Option<Agreed>>,
    /// Where the watchers' word is read. None: nobody could look at this node, so nothing has to prove itself.
    pub(super) status: Option<watch::Receiver<AgentStatus>>,
    /// What may be published.
    pub(super) publish: watch::Sender<Option<Agreed>>,
    /// Whether something waits, so that beats come quickly.
    pub(super) waits: watch::Sender<bool>,
    pub(super) line: Timeline,
}

impl Proof {
    /// Keeps the gate until the stop is wanted.
    pub(super) async fn run(self, mut stop: watch::Receiver<bool>) {
        tokio::select! {
            biased;
            () = stopped(&mut stop) => {}
            () = self.keep() => {}
        }
    }

    async fn keep(mut self) {
        let mut gate = Gate { open: self.standing.clone(), waiting: BTreeMap::new() };
        loop {
            let agreed = self.agreed.borrow_and_update().clone();
            let word = self.status.as_mut().map_or(Word::Nobody, |status| word(&status.borrow_and_update()));
            if let Some(agreed) = agreed {
                gate.pass(&agreed, &word, self.line.now());
                self.open(gate.open.clone()).await;
            }
            self.waits.send_if_modified(|waits| {
                let before = std::mem::replace(waits, !gate.waiting.is_empty());
                before != *waits
            });
            if !self.changed(gate.deadline()).await {
                // The other tasks are gone, and the stop is about to be seen.
                return std::future::pending().await;
            }
        }
    }

    /// Publishes what passed, if that is news.
    async fn open(&self, passed: Agreed) {
        if self.publish.borrow().as_ref() == Some(&passed) {
            return;
        }
        if let Err(error) = self.memory.agree(passed.clone()).await {
            tracing::warn!("{error}");
        }
        self.publish.send_replace(Some(passed));
    }

    /// Waits for news, or until `deadline`. False: there will be none.
    async fn changed(&mut self, deadline: Option<Moment>) -> bool {
        let late = async {
            match deadline {
                Some(deadline) => sleep(deadline - self.line.now()).await,
                None => std::future::pending().await,
            }
        };
        let status = async {
            match &mut self.status {
                Some(status) => status.changed().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = self.agreed.changed() => changed.is_ok(),
            changed = status => changed.is_ok(),
            () = late => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::board::Board;
    use crate::heartbeat::SiteView;

    const OLD: [u8; 4] = [84, 1, 2, 3];
    const NEW: [u8; 4] = [84, 9, 9, 9];

    fn four(address: [u8; 4]) -> Agreed {
        Agreed::from([(Family::Ipv4, address.into())])
    }

    fn proven(address: [u8; 4]) -> Word {
        Word::Proven(BTreeSet::from([address.into()]))
    }

    /// What a watcher says that has seen this node there.
    fn view(address: [u8; 4]) -> SiteView {
        SiteView {
            site: "www.example.com".to_owned(),
            health: "up".to_owned(),
            on_fallback: false,
            in_force: Vec::new(),
            proven: vec![address.into()],
        }
    }

    fn gate(open: Agreed) -> Gate {
        Gate { open, waiting: BTreeMap::new() }
    }

    #[test]
    fn a_new_address_waits_for_its_proof_while_the_old_one_stays() {
        let mut gate = gate(four(OLD));
        gate.pass(&four(NEW), &proven(OLD), Moment::START);
        assert_eq!((gate.open.clone(), gate.deadline()), (four(OLD), Some(Moment::START + PATIENCE)));
        gate.pass(&four(NEW), &proven(NEW), Moment::START + PATIENCE / 2);
        assert_eq!((gate.open, gate.waiting.len()), (four(NEW), 0));
    }

    #[test]
    fn a_proof_that_does_not_come_is_waited_for_no_longer_than_that() {
        let mut gate = gate(Agreed::new());
        gate.pass(&four(NEW), &proven(OLD), Moment::START);
        gate.pass(&four(NEW), &proven(OLD), (Moment::START + PATIENCE).back(Duration::from_millis(1)));
        assert_eq!(gate.open, Agreed::new());
        gate.pass(&four(NEW), &proven(OLD), Moment::START + PATIENCE);
        assert_eq!((gate.open.clone(), gate.deadline()), (four(NEW), None));
    }

    /// An agent that a watcher looks at, which has seen it at the old address only.
    fn looked_at() -> AgentStatus {
        let node = "pi1".parse().unwrap();
        let board =
            Board::new(node, BTreeMap::new(), Vec::new(), Vec::new(), &[], vec!["https://w".to_owned()]);
        let mut status = board.snapshot(Moment::START, Duration::ZERO);
        status.watchers[0].state = LinkState::Answered;
        status.watchers[0].view = vec![view(OLD)];
        status
    }

    #[tokio::test]
    async fn an_address_that_did_not_prove_itself_is_none_that_did_after_a_restart() {
        let disk = tempfile::tempdir().unwrap();
        let (memory, line) = Memory::open(disk.path()).await;
        memory.agree(four(OLD)).await.unwrap();
        let ((agree, agreed), (publish, mut published)) = (watch::channel(None), watch::channel(None));
        let (tell, status) = watch::channel(looked_at());
        let waits = watch::Sender::new(false);
        let mut hurries = waits.subscribe();
        let (standing, status, kept) = (four(OLD), Some(status), memory.clone());
        let proof = Proof { standing, memory: kept, agreed, status, publish, waits, line };
        let (_stop, stopped) = watch::channel(false);
        let gate = tokio::spawn(proof.run(stopped));
        agree.send_replace(Some(four(NEW)));
        hurries.wait_for(|waits| *waits).await.unwrap();
        assert_eq!(*published.borrow_and_update(), Some(four(OLD)));
        let (restarted, _) = Memory::open(disk.path()).await;
        assert_eq!(restarted.agreed(), four(OLD), "agreed on, and not proven");
        tell.send_modify(|status| status.watchers[0].view = vec![view(NEW)]);
        published.wait_for(|known| *known == Some(four(NEW))).await.unwrap();
        let (restarted, _) = Memory::open(disk.path()).await;
        assert_eq!(restarted.agreed(), four(NEW));
        gate.abort();
    }

    #[test]
    fn without_a_watcher_that_looks_nothing_waits() {
        let mut gate = gate(four(OLD));
        gate.pass(&four(NEW), &Word::Nobody, Moment::START);
        assert_eq!(gate.open, four(NEW));
    }

    #[test]
    fn an_address_that_changes_again_waits_anew_and_one_that_comes_back_does_not() {
        let mut gate = gate(four(OLD));
        gate.pass(&four(NEW), &proven(OLD), Moment::START);
        let later = Moment::START + PATIENCE / 2;
        gate.pass(&four([84, 5, 5, 5]), &proven(OLD), later);
        assert_eq!((gate.open.clone(), gate.deadline()), (four(OLD), Some(later + PATIENCE)));
        gate.pass(&four(OLD), &proven(OLD), later);
        assert_eq!((gate.open.clone(), gate.deadline()), (four(OLD), None));
        gate.pass(&Agreed::new(), &proven(OLD), later);
        assert_eq!(gate.open, four(OLD), "a detection that failed takes nothing back");
    }
}
