//! A name server that takes updates (RFC 2136), signed with TSIG (RFC 8945).
//!
//! Everything goes over TCP: a set of any size is read whole, and no lost packet makes anybody send an update twice.
//! Never writes outside one UPDATE message, never without the prerequisite that what was seen still stands, and never
//! takes an unsigned answer for a success.

mod judge;
mod txt;

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, UNIX_EPOCH};

use hickory_proto::op::Message;
use hickory_proto::rr::rdata::tsig::TsigAlgorithm as WireAlgorithm;
use hickory_proto::rr::{RData, Record as WireRecord, RecordType as WireType, TSigVerifier, TSigner};

use super::wire::{Connection, plain_name, plain_rdata, wire_name, wire_type};
use super::{Aliases, Atomic, CompareAndSet, Lines, update};
use super::{
    Capabilities, Consistency, Marks, OwnerMarks, ProviderError, Rfc2136Settings, TsigAlgorithm, WallClock,
};
use crate::dns::mark::{self, TxtData};
use crate::dns::plan::Plan;
use crate::dns::snapshot::{Record, Snapshot, TxtMarks};
use crate::dns::{Name, RecordType, Ttl};

/// How far the two clocks may be apart, in seconds (RFC 8945 section 10 recommends this).
const FUDGE: u16 = 300;

/// How long a connection and each answer may take. A primary answers an update after it is on its disk.
const PATIENCE: Duration = Duration::from_secs(10);

/// The port of name servers.
const PORT: u16 = 53;

/// A name server that takes updates.
#[derive(Clone)]
pub struct Rfc2136 {
    server: String,
    zone: Name,
    signer: TSigner,
    name_servers: Vec<SocketAddr>,
    marks: Marks,
    wall: WallClock,
    patience: Duration,
}

impl fmt::Debug for Rfc2136 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rfc2136({} at {})", self.zone, self.server)
    }
}

impl Rfc2136 {
    /// The server of these settings. `wall` tells the time that signatures carry.
    ///
    /// # Errors
    /// When no signature can be made with the key.
    pub fn new(settings: &Rfc2136Settings, wall: WallClock) -> Result<Self, ProviderError> {
        let key = &settings.key;
        let algorithm = match key.algorithm {
            TsigAlgorithm::HmacSha256 => WireAlgorithm::HmacSha256,
            TsigAlgorithm::HmacSha384 => WireAlgorithm::HmacSha384,
            TsigAlgorithm::HmacSha512 => WireAlgorithm::HmacSha512,
        };
        let signer = TSigner::new(key.secret.expose().clone(), algorithm, wire_name(&key.name), FUDGE)
            .map_err(|e| ProviderError::Unusable(format!("the key `{}` cannot sign: {e}", key.name)))?;
        Ok(Self {
            server: settings.server.clone(),
            zone: settings.zone.clone(),
            signer,
            name_servers: settings.name_servers.clone(),
            marks: settings.marks,
            wall,
            patience: PATIENCE,
        })
    }

    /// The same server, waited for this long.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// The primary, as it was given.
    pub(super) fn server(&self) -> &str {
        &self.server
    }

    /// The zone.
    pub(super) fn zone(&self) -> &Name {
        &self.zone
    }

    /// What this provider can do.
    #[must_use]
    pub fn capabilities(&self) -> Capabilities {
        Capabilities {
            atomic: Atomic::Zone,
            compare_and_set: CompareAndSet::Exact,
            lines: Lines::None,
            owner_marks: match self.marks {
                Marks::Txt => OwnerMarks::SiblingTxt,
                Marks::Off => OwnerMarks::None,
            },
            min_ttl: None,
            consistency: Consistency::Strong,
            aliases: Aliases::Held,
        }
    }

    /// What stands at `name`, from the primary itself.
    ///
    /// # Errors
    /// When the primary is not reached or does not answer with authority.
    pub async fn observe(&self, name: &Name) -> Result<Snapshot, ProviderError> {
        self.check_zone(name)?;
        let mut connection = self.connect().await?;
        let mut records = Vec::new();
        for kind in [RecordType::A, RecordType::Aaaa, RecordType::Cname] {
            let answers = self.standing(&mut connection, name, wire_type(kind)).await?;
            for answer in answers {
                records.push(self.record(&answer)?);
            }
        }
        match self.marks {
            Marks::Off => Ok(Snapshot::unmarked(name.clone(), records)),
            Marks::Txt => {
                let place = mark::place(name).map_err(|e| unusable(name, &e))?;
                let answers = self.standing(&mut connection, &place, WireType::TXT).await?;
                Ok(Snapshot::with_txt_marks(name.clone(), records, txt_marks(&answers)))
            }
        }
    }

    /// Applies `plan`, whole or not at all; a plan with nothing to do is not sent.
    ///
    /// # Errors
    /// When it was not applied, or when it is not known whether it was ([`ProviderError::Unconfirmed`]).
    pub async fn apply(&self, plan: &Plan) -> Result<(), ProviderError> {
        if plan.is_empty() {
            return Ok(());
        }
        self.check_zone(plan.name())?;
        let mut message = update::message(plan, &self.zone).map_err(|e| unusable(plan.name(), &e))?;
        let mut verifier = self.sign(&mut message)?;
        let mut connection = self.connect().await?;
        let bytes = connection.exchange(&message).await.map_err(|e| self.failed_update(e))?;
        self.judge(plan.name(), message.metadata.id, &bytes, &mut verifier)
    }

    /// Every authoritative server of the zone: those of the settings, or those that its NS records name.
    ///
    /// # Errors
    /// When the primary does not say, or none of the names has an address.
    pub async fn name_servers(&self) -> Result<Vec<SocketAddr>, ProviderError> {
        if !self.name_servers.is_empty() {
            return Ok(self.name_servers.clone());
        }
        let mut connection = self.connect().await?;
        let answers = self.ask(&mut connection, &self.zone, WireType::NS).await?;
        let mut found = BTreeSet::new();
        for name in answers.iter().filter_map(ns_target) {
            found.extend(
                self.addresses(&mut connection, &name).await.into_iter().map(|a| SocketAddr::new(a, PORT)),
            );
        }
        if found.is_empty() {
            let reason = "none of its NS records leads to an address; list `name-servers`".to_owned();
            return Err(ProviderError::NotAuthoritative {
                server: self.server.clone(),
                zone: self.zone.clone(),
                reason,
            });
        }
        Ok(found.into_iter().collect())
    }

    /// The addresses of a name server: from the primary when the name is in its zone, else as this machine resolves it.
    /// A name without one is no reason to leave the others out.
    async fn addresses(&self, connection: &mut Connection, name: &Name) -> Vec<IpAddr> {
        if !name.is_in(&self.zone) {
            let resolving =
                tokio::time::timeout(self.patience, tokio::net::lookup_host((name.as_str(), PORT)));
            return resolving
                .await
                .ok()
                .and_then(Result::ok)
                .map_or_else(Vec::new, |a| a.map(|s| s.ip()).collect());
        }
        let mut found = Vec::new();
        for kind in [WireType::A, WireType::AAAA] {
            let answers = self.ask(connection, name, kind).await.unwrap_or_default();
            found.extend(answers.iter().filter_map(|r| plain_rdata(&r.data)?.address()));
        }
        found
    }

    fn check_zone(&self, name: &Name) -> Result<(), ProviderError> {
        if name.is_in(&self.zone) {
            return Ok(());
        }
        Err(ProviderError::Unusable(format!("{name} is not in the zone {} of its provider", self.zone)))
    }

    async fn connect(&self) -> Result<Connection, ProviderError> {
        let unreachable = |reason: String| ProviderError::Unreachable { server: self.server.clone(), reason };
        let resolving = tokio::time::timeout(self.patience, resolve(&self.server));
        let addresses = resolving
            .await
            .map_err(|_| unreachable(format!("its name was not resolved within {:?}", self.patience)))?
            .map_err(|e| unreachable(e.to_string()))?;
        let mut reason = "its name has no address".to_owned();
        for address in addresses {
            match Connection::open(address, self.patience).await {
                Ok(connection) => return Ok(connection),
                Err(error) => reason = error.to_string(),
            }
        }
        Err(unreachable(reason))
    }

    /// The records of exactly this name and type. None of them is fine; an answer without authority is not.
    pub(super) async fn ask(
        &self,
        connection: &mut Connection,
        name: &Name,
        kind: WireType,
    ) -> Result<Vec<WireRecord>, ProviderError> {
        let answer = connection
            .ask(name, kind)
            .await
            .map_err(|e| ProviderError::Unreachable { server: self.server.clone(), reason: e.to_string() })?;
        self.check_answer(&answer)?;
        let place = wire_name(name);
        Ok(answer.answers.iter().filter(|r| r.record_type() == kind && r.name == place).cloned().collect())
    }

    fn record(&self, answer: &WireRecord) -> Result<Record, ProviderError> {
        let rdata = plain_rdata(&answer.data).ok_or_else(|| {
            ProviderError::Unusable(format!("{} holds `{}`, which is no host name", answer.name, answer.data))
        })?;
        Ok(Record::new(rdata, Ttl::from_secs(answer.ttl)))
    }

    pub(super) fn sign(&self, message: &mut Message) -> Result<TSigVerifier, ProviderError> {
        let broken = || ProviderError::Unusable("the update could not be signed".to_owned());
        let since_epoch = (self.wall)().duration_since(UNIX_EPOCH).unwrap_or_default();
        let verifier = message.finalize(&self.signer, since_epoch.as_secs()).map_err(|_| broken())?;
        verifier.ok_or_else(broken)
    }
}

/// The addresses of `host:port`; without a port it is 53.
async fn resolve(server: &str) -> std::io::Result<Vec<SocketAddr>> {
    if let Ok(address) = server.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, PORT)]);
    }
    if server.contains(':') {
        return Ok(tokio::net::lookup_host(server).await?.collect());
    }
    Ok(tokio::net::lookup_host((server, PORT)).await?.collect())
}

fn unusable(name: &Name, error: &crate::dns::NameError) -> ProviderError {
    ProviderError::Unusable(format!("{name} has no room for its marks: {error}; set `marks = \"off\"`"))
}

#[allow(clippy::wildcard_enum_match_arm, reason = "other types are not name servers")]
fn ns_target(record: &WireRecord) -> Option<Name> {
    match &record.data {
        RData::NS(target) => plain_name(&target.0),
        _ => None,
    }
}

#[allow(clippy::wildcard_enum_match_arm, reason = "other types are not marks")]
fn txt_marks(answers: &[WireRecord]) -> TxtMarks {
    let data = |record: &WireRecord| match &record.data {
        RData::TXT(txt) => Some(TxtData::new(txt.txt_data.iter().map(|s| s.to_vec()))),
        _ => None,
    };
    TxtMarks {
        records: answers.iter().filter_map(data).collect(),
        ttl: answers.first().map(|record| Ttl::from_secs(record.ttl)),
    }
}
