//! Brings a site's record to what the engine wants, and says how it went.
//!
//! One task for each site. It holds the latest wish and nothing older: each try reads the record, plans anew and
//! writes with what was read as a precondition, so a wish that was overtaken cannot land late. Never decides what the
//! record should hold.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use crate::dns::account_book::Entry;
use crate::dns::attempt::attempt;
use crate::dns::change::Outcome;
use crate::dns::guard::Permission;
use crate::dns::lookup::{Expected, View, agreement};
use crate::dns::plan::{Desired, Scope};
use crate::dns::provider::Provider;
use crate::dns::snapshot::Line;
use crate::dns::{Name, Owner, RdataSet, Ttl};
use crate::failover::event::Event;
use crate::host::time::Timeline;

/// What the record should hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Its number.
    pub epoch: u64,
    /// The RRsets.
    pub sets: Vec<RdataSet>,
}

/// The record of one site, and the right to write it.
#[derive(Debug)]
pub struct Actuator {
    /// The site's name.
    pub site: Name,
    /// Who writes.
    pub owner: Owner,
    /// The GeoDNS lines that are the watcher's. None: the line for everybody.
    pub lines: BTreeSet<Line>,
    /// The TTL of the record.
    pub ttl: Ttl,
    /// Where it is held.
    pub provider: Provider,
    /// What was asked of the provider of late.
    pub entry: Entry,
    /// How long name servers may take to agree.
    pub patience: Duration,
    /// The time line.
    pub line: Timeline,
    /// Where it is told how it went.
    pub events: mpsc::Sender<Event>,
}

impl Actuator {
    /// Brings about each wish, until the last holder of the other end is gone.
    pub async fn run(self, mut wishes: watch::Receiver<Option<Wish>>) {
        let mut landed = None;
        loop {
            let wish = wishes.borrow_and_update().clone().filter(|w| Some(w.epoch) != landed);
            let Some(wish) = wish else {
                if wishes.changed().await.is_err() {
                    return;
                }
                continue;
            };
            let next = match self.entry.permission() {
                Permission::Granted => self.attempt(&wish).await,
                Permission::From(_) => None,
                Permission::Stopped => {
                    self.tell(stopped(&self.site, wish.epoch)).await;
                    None
                }
            };
            match next {
                Some(sets) => {
                    landed = Some(wish.epoch);
                    self.confirm(wish.epoch, &sets, &mut wishes).await;
                }
                None => self.wait(&mut wishes).await,
            }
        }
    }

    /// One try. What was seen in force when it landed, or None.
    async fn attempt(&self, wish: &Wish) -> Option<Vec<RdataSet>> {
        let desired = Desired {
            name: self.site.clone(),
            owner: self.owner.clone(),
            ttl: self.ttl,
            epoch: Some(wish.epoch),
            scope: Scope::Whole,
            lines: self.lines.clone(),
            sets: wish.sets.clone(),
            retire: Default::default(),
            mine: Default::default(),
        };
        // The decision is in the journal already, and on disk.
        let noted = |_: &_| std::future::ready(Ok(()));
        let outcome = attempt(&self.entry, &self.provider, &desired, Duration::ZERO, noted).await;
        let (result, seen) = match outcome {
            Ok(Outcome::Unchanged { seen } | Outcome::Landed { seen, .. }) => {
                let sets = seen.in_force(&self.lines);
                (Ok(sets.clone()), Some(sets))
            }
            Err(error) => (Err(error.to_string()), None),
        };
        self.tell(Event::Written { site: self.site.clone(), epoch: wish.epoch, result }).await;
        seen
    }

    /// Waits until the guard lets the next try through or another wish comes.
    async fn wait(&self, wishes: &mut watch::Receiver<Option<Wish>>) {
        let changed = wishes.changed();
        match self.entry.permission() {
            Permission::Granted => {}
            Permission::From(moment) => {
                tokio::select! {
                    () = tokio::time::sleep_until(self.line.at(moment)) => {}
                    _ = changed => {}
                }
            }
            // The credentials were refused: only a restart helps, and every further call could end in a ban.
            Permission::Stopped => {
                if changed.await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        }
    }

    /// Asks every name server until all agree, patience ends, or another wish comes.
    async fn confirm(&self, epoch: u64, sets: &[RdataSet], wishes: &mut watch::Receiver<Option<Wish>>) {
        let Ok(servers) = self.provider.name_servers().await else { return };
        let asking = async {
            let mut agree = servers.len();
            for set in sets {
                agree = agree.min(self.agreeing(&servers, set).await);
            }
            agree
        };
        let agree = tokio::select! {
            agree = asking => agree,
            _ = wishes.changed() => {
                wishes.mark_changed();
                return;
            }
        };
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let (agree, asked) = (count(agree), count(servers.len()));
        self.tell(Event::Confirmed { site: self.site.clone(), epoch, agree, asked }).await;
    }

    async fn agreeing(&self, servers: &[SocketAddr], set: &RdataSet) -> usize {
        let views = agreement(servers, &self.site, &Expected::Exactly(set.clone()), self.patience).await;
        for (server, view) in views.iter().filter(|(_, view)| *view != View::Agrees) {
            tracing::warn!(site = %self.site, %server, "a name server {view}");
        }
        views.iter().filter(|(_, view)| *view == View::Agrees).count()
    }

    async fn tell(&self, event: Event) {
        // A driver that is gone is stopping: there is nobody left to tell.
        let _ = self.events.send(event).await;
    }
}

/// What is told of a wish that is not even tried.
fn stopped(site: &Name, epoch: u64) -> Event {
    let why = "nothing is written any more since the credentials were refused; correct them and restart the watcher";
    Event::Written { site: site.clone(), epoch, result: Err(why.to_owned()) }
}
