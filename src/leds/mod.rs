//! What the LEDs show: one status, one rhythm; the rhythm alone carries the meaning.
//!
//! Colour and position only repeat it, so one LED is enough and colour-blind people can read it. Of all that could be
//! shown the gravest is. Never touches a pin or a terminal: [`drive`] and [`sink`] do.

pub mod drive;
pub mod rhythm;
pub mod sink;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::address::Verdict;
use crate::dns::{Rdata, RdataSet, RecordType};
use crate::heartbeat::SiteView;
use crate::heartbeat::{RecordsReport, SourceState};
use crate::status::{AddressStatus, AgentStatus, FaultCode, LinkState, Phase, RecordState, SiteStatus};

/// Where the LEDs are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LedPreset {
    /// Lamps drawn on the terminal.
    Terminal,
    /// No lamps.
    #[default]
    Off,
}

/// What is shown. Dark is not among them: dark says that nobody is there to show anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// The agent stops on purpose. Shown before all else: whatever is wrong is no longer being looked after.
    Leaving,
    /// A person must act; the number of blinks says where.
    NeedsHuman(FaultCode),
    /// A watcher has sent the visitors to the fallback.
    Failover,
    /// Nobody out there answers.
    Offline,
    /// Visitors are served, but something is missing that should be there.
    Degraded,
    /// Not everything has been tried once.
    Starting,
    /// All is well, and visitors come here.
    Healthy,
}

/// The gravest of what a status says.
#[must_use]
pub fn shown(status: &AgentStatus) -> Shown {
    let starting = status.phase == Phase::Starting;
    if status.phase == Phase::Leaving {
        Shown::Leaving
    } else if let Some(code) = fault(status) {
        Shown::NeedsHuman(code)
    } else if on_fallback(status) {
        Shown::Failover
    } else if is_offline(status) {
        Shown::Offline
    } else if starting {
        // What has not been tried yet is not missing: it does not count as degraded before the start is over.
        Shown::Starting
    } else if is_degraded(status) {
        Shown::Degraded
    } else {
        Shown::Healthy
    }
}

/// What a person must look after: the faults that were reported, then what is refused for good.
fn fault(status: &AgentStatus) -> Option<FaultCode> {
    // The first look at a large site takes long, and nobody need do anything about it.
    let empty = |site: &SiteStatus| site.generation.is_none() && site.source != SourceState::Slow;
    let nothing_to_serve = status.sites.iter().any(empty) && status.phase == Phase::Running;
    let reported = status.faults.first().map(|fault| fault.code);
    let records =
        status.records.iter().any(|r| r.state == RecordState::Refused).then_some(FaultCode::DnsRefused);
    let site = nothing_to_serve.then_some(FaultCode::SiteSource);
    let watcher = status.watchers.iter().any(|w| w.state == LinkState::Refused).then_some(FaultCode::Watcher);
    reported.or(records).or(site).or(watcher)
}

/// What a watcher saw counts while it answers; what it said before it fell silent is history.
fn seen(status: &AgentStatus) -> impl Iterator<Item = &SiteView> {
    let answering = status.watchers.iter().filter(|watcher| watcher.state == LinkState::Answered);
    answering.flat_map(|watcher| &watcher.view)
}

fn on_fallback(status: &AgentStatus) -> bool {
    seen(status).any(|view| view.on_fallback)
}

/// Visitors of a site are led to others: this node is held down, or was never let in. An alias does not tell.
fn is_passed_over(status: &AgentStatus) -> bool {
    let own =
        |rdata: &Rdata| status.addresses.values().any(|a| a.agreed.is_some() && a.agreed == rdata.address());
    let alias = |view: &SiteView| view.in_force.iter().any(|set| set.record_type() == RecordType::Cname);
    seen(status).any(|view| !alias(view) && !view.in_force.iter().flat_map(RdataSet::iter).any(own))
}

/// Nobody answers: no watcher, and no source of the address. A captive portal answers for nobody.
fn is_offline(status: &AgentStatus) -> bool {
    let asked = !status.watchers.is_empty() || !status.addresses.is_empty();
    let watchers_silent = status.watchers.iter().all(|watcher| watcher.state == LinkState::Unreachable);
    let heard = |address: &AddressStatus| !matches!(address.verdict, Verdict::Unknown | Verdict::Captive);
    let tried = status.phase == Phase::Running || !status.watchers.is_empty();
    asked && tried && watchers_silent && !status.addresses.values().any(heard)
}

fn is_degraded(status: &AgentStatus) -> bool {
    let homeless =
        !status.addresses.is_empty() && status.addresses.values().all(|address| address.agreed.is_none());
    let unwatched = status.watchers.iter().any(|watcher| watcher.state != LinkState::Answered);
    let pending = status.records_report() == RecordsReport::Pending;
    let unfed = status.sites.iter().any(|site| site.source != SourceState::Ok)
        || status.mounts.iter().any(|mount| mount.state != SourceState::Ok);
    unfed || pending || homeless || unwatched || is_passed_over(status)
}

impl Shown {
    /// Everything that can be shown, the gravest first.
    #[must_use]
    pub fn all() -> Vec<Shown> {
        let faults = FAULTS.into_iter().map(Shown::NeedsHuman);
        let rest = [Shown::Failover, Shown::Offline, Shown::Degraded, Shown::Starting, Shown::Healthy];
        std::iter::once(Shown::Leaving).chain(faults).chain(rest).collect()
    }

    /// What it means, for people.
    #[must_use]
    pub fn describe(self) -> &'static str {
        match self {
            Shown::Leaving => "the agent is stopping on purpose",
            Shown::NeedsHuman(code) => describe_fault(code),
            Shown::Failover => "visitors are sent to the fallback; this node is not what they see",
            Shown::Offline => "no Internet: neither a watcher nor a source of the address answers",
            Shown::Degraded => "visitors are served, but something is missing; `hearth status` says what",
            Shown::Starting => "starting: not everything has been tried yet",
            Shown::Healthy => "all is well, visitors are served from here",
        }
    }
}

/// The fault codes in the order of their blinks.
const FAULTS: [FaultCode; 8] = [
    FaultCode::Hardware,
    FaultCode::Link,
    FaultCode::DnsRefused,
    FaultCode::SiteSource,
    FaultCode::Watcher,
    FaultCode::TlsOrClock,
    FaultCode::Configuration,
    FaultCode::NotReachable,
];

fn describe_fault(code: FaultCode) -> &'static str {
    match code {
        FaultCode::Hardware => "a person must act (1): power, temperature or SD card",
        FaultCode::Link => "a person must act (2): network cable, Wi-Fi or DHCP",
        FaultCode::DnsRefused => "a person must act (3): the DNS provider refuses",
        FaultCode::SiteSource => "a person must act (4): the directory or mount of the site",
        FaultCode::Watcher => "a person must act (5): the watcher is unreachable or refuses",
        FaultCode::TlsOrClock => "a person must act (6): certificate or clock",
        FaultCode::Configuration => "a person must act (7): the configuration",
        FaultCode::NotReachable => "a person must act (8): not reachable from outside",
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Shown::Leaving => f.write_str("leaving"),
            Shown::NeedsHuman(code) => write!(f, "fault-{}", code.blinks()),
            Shown::Failover => f.write_str("failover"),
            Shown::Offline => f.write_str("offline"),
            Shown::Degraded => f.write_str("degraded"),
            Shown::Starting => f.write_str("starting"),
            Shown::Healthy => f.write_str("healthy"),
        }
    }
}

/// A word that names nothing that LEDs show.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is nothing that the LEDs show")]
pub struct ShownError(String);

impl FromStr for Shown {
    type Err = ShownError;
    fn from_str(word: &str) -> Result<Self, ShownError> {
        let named = Shown::all().into_iter().find(|shown| shown.to_string() == word);
        named.ok_or_else(|| ShownError(word.to_owned()))
    }
}

#[cfg(test)]
mod tests;
