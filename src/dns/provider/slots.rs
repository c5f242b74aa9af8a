//! Services that hold one address of each family for a name and can say nothing of it: what stands is asked of the name
//! servers.
//!
//! Never guesses an address. That what the name servers do not show yet is not sent again is the guard's doing
//! ([`crate::dns::account`]): it has to outlast the process.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use super::cloud::Place;
use super::wire::{self, wire_name, wire_type};
use super::{
    Aliases, Atomic, Capabilities, CompareAndSet, Consistency, Lines, OwnerMarks, ProviderError, authority,
};
use crate::dns::plan::{Operation, Plan};
use crate::dns::snapshot::{Record, Snapshot, TtlChoice};
use crate::dns::{Name, Rdata, RecordType, Ttl};

/// How long a name server may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long name servers usually lag behind an update.
const LAG: Duration = Duration::from_secs(60);

/// What such services can do.
pub(super) const CAPABILITIES: Capabilities = Capabilities {
    atomic: Atomic::Rrset,
    compare_and_set: CompareAndSet::None,
    lines: Lines::None,
    owner_marks: OwnerMarks::None,
    min_ttl: None,
    consistency: Consistency::Delayed(LAG),
    aliases: Aliases::NotHeld,
};

/// How soon to look again when name servers do not agree.
const LOOK: Duration = Duration::from_secs(15);

/// One address of each family.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Slots {
    /// The IPv4 address.
    pub(super) v4: Option<Ipv4Addr>,
    /// The IPv6 address.
    pub(super) v6: Option<Ipv6Addr>,
}

/// The names of a service, as its name servers show them.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    zone: Name,
    name_servers: Vec<SocketAddr>,
    patience: Duration,
}

impl Slots {
    /// What a name has after `plan`: one address of each family, those included that the plan does not speak of.
    ///
    /// # Errors
    /// When that is more than one of a family, none of a family that had one, or a CNAME.
    pub(super) fn after(plan: &Plan, server: &str) -> Result<Self, ProviderError> {
        let unusable = |why: &str| ProviderError::Unusable(format!("{}: {server} {why}", plan.name()));
        let mut wanted = Vec::new();
        for operation in plan.operations() {
            match operation {
                Operation::Modify { to: rdata, .. } | Operation::Create { rdata, .. } => {
                    wanted.push(rdata.clone())
                }
                Operation::Mark { .. } | Operation::Delete { .. } => {}
            }
        }
        let removed = |kind| {
            let deletes = |o: &Operation| matches!(o, Operation::Delete { expect } if expect.rdata.record_type() == kind);
            plan.operations().iter().any(deletes)
        };
        for kind in [RecordType::A, RecordType::Aaaa] {
            if wanted.iter().any(|rdata| rdata.record_type() == kind) {
                continue;
            }
            let mut stays: Vec<Rdata> = plan.seen().rrset(kind).map(|record| record.rdata.clone()).collect();
            for operation in plan.operations() {
                if let Operation::Delete { expect } = operation {
                    stays.retain(|rdata| *rdata != expect.rdata);
                }
            }
            if removed(kind) && stays.is_empty() {
                return Err(unusable("cannot take one address family away; do it on its web page"));
            }
            wanted.extend(stays);
        }
        let mut slots = Self::default();
        for rdata in wanted {
            let before = match rdata {
                Rdata::A(address) => slots.v4.replace(address).is_some(),
                Rdata::Aaaa(address) => slots.v6.replace(address).is_some(),
                Rdata::Cname(_) => return Err(unusable("holds addresses only, and no CNAME")),
            };
            if before {
                return Err(unusable("holds one address of each family, and no second one"));
            }
        }
        Ok(slots)
    }

    /// The addresses, IPv4 first.
    pub(super) fn iter(self) -> impl Iterator<Item = IpAddr> {
        self.v4.map(IpAddr::from).into_iter().chain(self.v6.map(IpAddr::from))
    }
}

impl Shown {
    /// The names of `zone`, asked of `name_servers`, or of those that the zone's NS records name.
    pub(super) fn new(zone: Name, name_servers: Vec<SocketAddr>) -> Self {
        Self { zone, name_servers, patience: PATIENCE }
    }

    /// The same, waiting this long for an answer.
    pub(super) fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// The zone.
    pub(super) fn zone(&self) -> &Name {
        &self.zone
    }

    /// Every authoritative server of the zone.
    pub(super) async fn name_servers(&self) -> Result<Vec<SocketAddr>, ProviderError> {
        authority::servers(&self.zone, &self.name_servers).await
    }

    /// What the name servers show of `name`.
    ///
    /// # Errors
    /// When none of them answers, and when they do not agree.
    pub(super) async fn observe(&self, place: &Place<'_>) -> Result<Snapshot, ProviderError> {
        let records = self.records(place).await?;
        Ok(Snapshot::unmarked(place.name.clone(), records))
    }

    async fn records(&self, place: &Place<'_>) -> Result<Vec<Record>, ProviderError> {
        let mut views = Vec::new();
        let mut silence = "there are no name servers".to_owned();
        for server in self.name_servers().await? {
            match self.view(server, place.name).await {
                Ok(records) => views.push(records),
                Err(reason) => silence = format!("{server}: {reason}"),
            }
        }
        let server = || format!("the name servers of {}", self.zone);
        let Some(first) = views.pop() else {
            return Err(ProviderError::Unreachable { server: server(), reason: silence });
        };
        if views.iter().any(|view| *view != first) {
            let reason = "they do not agree yet".to_owned();
            return Err(ProviderError::Transient { server: server(), reason, retry_after: Some(LOOK) });
        }
        Ok(first)
    }

    /// What one server shows, in order.
    async fn view(&self, server: SocketAddr, name: &Name) -> Result<Vec<Record>, String> {
        let mut records = Vec::new();
        for kind in [RecordType::A, RecordType::Aaaa, RecordType::Cname] {
            let answer =
                wire::ask(server, name, wire_type(kind), self.patience).await.map_err(|e| e.to_string())?;
            if !answer.metadata.authoritative {
                return Err("it answers without authority".to_owned());
            }
            let here = answer
                .answers
                .iter()
                .filter(|r| r.name == wire_name(name) && r.record_type() == wire_type(kind));
            records
                .extend(here.filter_map(|r| Some(shown(wire::plain_rdata(&r.data)?, Ttl::from_secs(r.ttl)))));
        }
        records.sort_by(|a, b| a.rdata.cmp(&b.rdata));
        Ok(records)
    }
}

/// A record as the name servers show it. Its TTL is the service's choice: to write it again for another one would change
/// nothing, and be punished.
fn shown(rdata: Rdata, ttl: Ttl) -> Record {
    Record { ttl_choice: TtlChoice::Provider, ..Record::new(rdata, ttl) }
}
