//! The address task: round after round of questions, what was agreed on to the keepers, the evidence to the board.
//!
//! Never judges, never takes an address back that a round could not confirm, and never remembers one: a new address may
//! have to prove itself first.

use std::collections::BTreeMap;
use std::net::IpAddr;

use tokio::sync::{mpsc, watch};

use super::Agreed;
use super::event::Event;
use super::memory::Memory;
use crate::address::admissible::admissible;
use crate::address::agreement::Judgement;
use crate::address::report::Report;
use crate::address::source::{Look, Watch};
use crate::address::{AddressSettings, Family, Verdict};
use crate::host::shutdown::stopped;
use crate::host::time::Timeline;
use crate::status::AddressStatus;

/// What the task looks with.
pub(super) struct Looking {
    pub(super) settings: AddressSettings,
    pub(super) memory: Memory,
    pub(super) line: Timeline,
    /// Where the last round is shown.
    pub(super) report: watch::Sender<Option<Report>>,
}

impl Looking {
    /// Looks until the stop is wanted.
    pub(super) async fn run(
        self,
        events: mpsc::Sender<Event>,
        agreed: watch::Sender<Option<Agreed>>,
        mut stop: watch::Receiver<bool>,
    ) {
        tokio::select! {
            biased;
            () = stopped(&mut stop) => {}
            () = self.look(events, agreed) => {}
        }
    }

    async fn look(self, events: mpsc::Sender<Event>, agreed: watch::Sender<Option<Agreed>>) {
        let mut watch = Watch::new(self.settings).listening();
        self.memory.agreed().into_values().for_each(|address| watch.stand_on(address));
        loop {
            watch.due().await;
            let look = watch.round(self.line.now()).await;
            self.report.send_replace(Some(look.report()));
            let next = look.agreed();
            agreed.send_if_modified(|last| last.replace(next.clone()).as_ref() != Some(&next));
            if events.send(Event::Addresses(statuses(look.judged))).await.is_err() {
                return;
            }
        }
    }
}

fn statuses(judged: BTreeMap<Family, Judgement>) -> BTreeMap<Family, AddressStatus> {
    let status =
        |(family, Judgement { agreed, verdict, why, .. })| (family, AddressStatus { agreed, verdict, why });
    judged.into_iter().map(status).collect()
}

/// What was published before the start, as far as it is still looked for and may still be published.
pub(super) fn standing(settings: &AddressSettings, published: Agreed) -> Agreed {
    let stands = |family: &Family, address: &IpAddr| {
        settings.families.contains(family) && admissible(*address, &settings.admit).is_ok()
    };
    published.into_iter().filter(|(family, address)| stands(family, address)).collect()
}

/// How the address stands before the first round: what was published before the restart is still claimed, since a node
/// that says it is nowhere would be taken away from visitors.
pub(super) fn remembered(settings: &AddressSettings, standing: &Agreed) -> BTreeMap<Family, AddressStatus> {
    let status = |family: &Family| {
        let agreed = standing.get(family).copied();
        let why = match agreed {
            Some(_) => "agreed on before the start; not asked yet",
            None => "not asked yet",
        };
        (*family, AddressStatus { agreed, verdict: Verdict::Unknown, why: why.to_owned() })
    };
    settings.families.iter().map(status).collect()
}

/// Asks once, outside of a running agent; what was agreed on before counts as it does there.
pub async fn ask_once(settings: AddressSettings, memory: &Memory, line: Timeline) -> Look {
    let mut watch = Watch::new(settings);
    memory.agreed().into_values().for_each(|address| watch.stand_on(address));
    watch.round(line.now()).await
}
