//! What the LEDs show: one status, one rhythm; the rhythm alone carries the meaning.
//!
//! Colour and position only repeat it, so one LED is enough and colour-blind people can read it. Of all that could be
//! shown the gravest is. Never touches a pin or a terminal.
//!
//! ```text
//! agent    AgentStatus -> Shown --words--> keeper (a process of its own) -> rhythm -> face -> sinks
//! keeper   button -> gesture, trouble of a sink --words--> agent
//! ```
//!
//! A process that hangs still holds its GPIO lines, and the kernel keeps them as they were. So the lines are held by a
//! second process, the [`keeper`], which plays what it is told and goes dark when it has not been told anything for
//! [`words::LEASE`]. An agent that is stopped in its tracks, that is killed, or whose loop hangs, therefore leaves no
//! lamp on; the agent in its turn restarts a keeper that does not answer ([`drive`]).

pub mod button;
pub mod choice;
pub mod drive;
pub mod face;
pub mod header;
pub mod keeper;
pub mod machine;
pub mod night;
pub mod play;
pub mod preset;
pub mod rhythm;
pub mod settings;
pub mod sink;
pub mod words;

pub use self::preset::LedPreset;
pub use self::settings::LampSettings;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::address::Verdict;
use crate::dns::{Rdata, RdataSet, RecordType};
use crate::heartbeat::SiteView;
use crate::heartbeat::{RecordsReport, SourceState};
use crate::status::{
    AddressStatus, AgentStatus, Announced, FaultCode, LinkState, Phase, RecordState, SiteStatus,
};

/// What is shown. Dark is not among them: dark says that nobody is there to show anything, or that it is night.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Shown {
    /// The agent stops on purpose. Shown before all else: whatever is wrong is no longer being looked after.
    Leaving,
    /// Somebody wants to know which box this is.
    Identify,
    /// Somebody looks whether every lamp works: each is lit in its turn.
    Test,
    /// A person must act; the number of blinks says where.
    NeedsHuman(FaultCode),
    /// A watcher has sent the visitors to the fallback.
    Failover,
    /// Nobody out there answers.
    Offline,
    /// A fault that a person has seen and not mended yet. Ranks below what may be new, above what passes by itself.
    Acknowledged(FaultCode),
    /// Visitors are served, but something is missing that should be there.
    Degraded,
    /// An update is under way: do not unplug.
    Updating,
    /// The set-up window is open.
    Setup,
    /// Not everything has been tried once.
    Starting,
    /// All is well, and visitors come here.
    Healthy,
    /// It is night and nothing is graver than sleep: dark on purpose.
    Night,
}

/// The gravest of what a status says.
#[must_use]
pub fn shown(status: &AgentStatus) -> Shown {
    let state = state(status);
    if status.lamps.night && !is_shown_at_night(state) { Shown::Night } else { state }
}

/// The gravest of what a status says, by day.
#[must_use]
pub fn state(status: &AgentStatus) -> Shown {
    let announced = status.lamps.announced.map(Shown::from);
    let asked_for = announced.filter(|shown| matches!(shown, Shown::Identify | Shown::Test));
    if status.phase == Phase::Leaving {
        Shown::Leaving
    } else if let Some(asked_for) = asked_for {
        asked_for
    } else if let Some(code) = faults(status).find(|code| !is_acknowledged(status, *code)) {
        Shown::NeedsHuman(code)
    } else if on_fallback(status) {
        Shown::Failover
    } else if is_offline(status) {
        Shown::Offline
    } else if let Some(code) = faults(status).next() {
        Shown::Acknowledged(code)
    } else {
        lesser(status, announced)
    }
}

/// What may be shown when no person must act and the visitors come here.
fn lesser(status: &AgentStatus, announced: Option<Shown>) -> Shown {
    let starting = status.phase == Phase::Starting;
    // What has not been tried yet is not missing: it does not count as degraded before the start is over.
    if !starting && is_degraded(status) {
        Shown::Degraded
    } else if let Some(announced) = announced {
        announced
    } else if starting {
        Shown::Starting
    } else {
        Shown::Healthy
    }
}

/// What wakes somebody, and what somebody who is awake asked for.
fn is_shown_at_night(shown: Shown) -> bool {
    match shown {
        Shown::NeedsHuman(_) | Shown::Identify | Shown::Test | Shown::Setup | Shown::Leaving => true,
        Shown::Failover
        | Shown::Offline
        | Shown::Acknowledged(_)
        | Shown::Degraded
        | Shown::Updating
        | Shown::Starting
        | Shown::Healthy
        | Shown::Night => false,
    }
}

fn is_acknowledged(status: &AgentStatus, code: FaultCode) -> bool {
    status.lamps.acknowledged.contains(&code)
}

impl From<Announced> for Shown {
    fn from(announced: Announced) -> Self {
        match announced {
            Announced::Identify => Shown::Identify,
            Announced::Test => Shown::Test,
            Announced::Setup => Shown::Setup,
            Announced::Updating => Shown::Updating,
        }
    }
}

/// What a person must look after, the worst first: the faults that were reported, then what is refused for good.
pub fn faults(status: &AgentStatus) -> impl Iterator<Item = FaultCode> {
    // The first look at a large site takes long, and nobody need do anything about it.
    let empty = |site: &SiteStatus| site.generation.is_none() && site.source != SourceState::Slow;
    let nothing_to_serve = status.sites.iter().any(empty) && status.phase == Phase::Running;
    let reported = status.faults.iter().map(|fault| fault.code);
    let records =
        status.records.iter().any(|r| r.state == RecordState::Refused).then_some(FaultCode::DnsRefused);
    let site = nothing_to_serve.then_some(FaultCode::SiteSource);
    let watcher = status.watchers.iter().any(|w| w.state == LinkState::Refused).then_some(FaultCode::Watcher);
    reported.chain(records).chain(site).chain(watcher)
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
        let asked_for = [Shown::Leaving, Shown::Identify, Shown::Test];
        let faults = FAULTS.into_iter().map(Shown::NeedsHuman);
        let acknowledged = FAULTS.into_iter().map(Shown::Acknowledged);
        let rest =
            [Shown::Degraded, Shown::Updating, Shown::Setup, Shown::Starting, Shown::Healthy, Shown::Night];
        let outside = [Shown::Failover, Shown::Offline];
        asked_for.into_iter().chain(faults).chain(outside).chain(acknowledged).chain(rest).collect()
    }

    /// What it means, for people.
    #[must_use]
    pub fn describe(self) -> &'static str {
        match self {
            Shown::Leaving => "the agent is stopping on purpose",
            Shown::Identify => "somebody asked which box this is",
            Shown::Test => "a test of the lamps: each is lit in its turn",
            Shown::NeedsHuman(code) | Shown::Acknowledged(code) => describe_fault(code),
            Shown::Failover => "visitors are sent to the fallback; this node is not what they see",
            Shown::Offline => "no Internet: neither a watcher nor a source of the address answers",
            Shown::Degraded => "visitors are served, but something is missing; `hearth status` says what",
            Shown::Updating => "an update is under way: do not unplug",
            Shown::Setup => "the set-up window is open",
            Shown::Starting => "starting: not everything has been tried yet",
            Shown::Healthy => "all is well, visitors are served from here",
            Shown::Night => "night: the LEDs are dark on purpose, faults excepted",
        }
    }
}

/// The fault codes in the order of their blinks.
pub const FAULTS: [FaultCode; 8] = [
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
            Shown::Identify => f.write_str("identify"),
            Shown::Test => f.write_str("test"),
            Shown::NeedsHuman(code) => write!(f, "fault-{}", code.blinks()),
            Shown::Failover => f.write_str("failover"),
            Shown::Offline => f.write_str("offline"),
            Shown::Acknowledged(code) => write!(f, "acknowledged-{}", code.blinks()),
            Shown::Degraded => f.write_str("degraded"),
            Shown::Updating => f.write_str("updating"),
            Shown::Setup => f.write_str("setup"),
            Shown::Starting => f.write_str("starting"),
            Shown::Healthy => f.write_str("healthy"),
            Shown::Night => f.write_str("night"),
        }
    }
}

impl From<Shown> for String {
    fn from(shown: Shown) -> Self {
        shown.to_string()
    }
}

impl TryFrom<String> for Shown {
    type Error = ShownError;
    fn try_from(word: String) -> Result<Self, ShownError> {
        word.parse()
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
