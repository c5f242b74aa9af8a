//! What of a status is a fault: something that stays wrong until a person acts. PURE.
//!
//! The LEDs say "a person must act" for whatever is here, so what may pass by itself (a watcher that does not answer
//! for a minute, a provider that cannot be reached, a mount that hangs while its content is served from memory) is not.

use crate::address::Verdict;
use crate::failover::orphan::ALARM;
use crate::heartbeat::SourceState;
use crate::site::was_looked_at;
use crate::status::{
    AgentStatus, Fault, FaultCode, IncludeState, IncludeStatus, LinkState, RecordState, SiteStatus,
    WatcherLink,
};

/// The faults of `status`, the worst first: nothing to serve, then unreachable, then what is only not kept up to date.
pub(super) fn faults(status: &AgentStatus) -> Vec<Fault> {
    let served = sites(status).chain(address(status)).chain(records(status));
    let configuration = include(status).into_iter().chain(passed_over(status));
    served.chain(certificates(status)).chain(watchers(status)).chain(configuration).collect()
}

fn fault(code: FaultCode, message: String) -> Fault {
    Fault { code, message }
}

/// Visitors get 503, and it is not for want of having looked. A source that hangs or goes while its content is served
/// costs no visitor an answer.
fn sites(status: &AgentStatus) -> impl Iterator<Item = Fault> {
    let nothing = |site: &&SiteStatus| {
        // A look that takes long is still under way: the first of a large site is no fault.
        let under_way = matches!(site.source, SourceState::Ok | SourceState::Slow);
        was_looked_at(site) && site.generation.is_none() && !under_way
    };
    status.sites.iter().filter(nothing).map(|site| {
        let name = site.hosts.first().map_or("a site", String::as_str);
        fault(FaultCode::SiteSource, format!("nothing to serve for {name}, visitors get 503: {}", site.why))
    })
}

/// No family has an address that others could reach.
fn address(status: &AgentStatus) -> Option<Fault> {
    let mut verdicts = status.addresses.values().map(|address| address.verdict);
    let shared = !status.addresses.is_empty() && verdicts.all(|verdict| verdict == Verdict::Cgnat);
    let why = || status.addresses.values().map(|address| address.why.as_str()).collect::<Vec<_>>().join("; ");
    shared.then(|| {
        let todo = "ask the provider for a public address, or for IPv6";
        fault(
            FaultCode::NotReachable,
            format!("the router's address is not one that visitors get through to; {todo} ({})", why()),
        )
    })
}

/// No certificate, or one that will not be renewed.
fn certificates(status: &AgentStatus) -> impl Iterator<Item = Fault> {
    let stuck = status.certificates.iter().filter(|certificate| certificate.needs_person);
    stuck.map(|certificate| fault(FaultCode::TlsOrClock, certificate.why.clone()))
}

/// A shared file with mistakes. One that could not be read at the start is no fault: at boot the volume comes later.
fn include(status: &AgentStatus) -> Option<Fault> {
    let broken = |include: &&IncludeStatus| include.state == IncludeState::CopyOfBroken;
    let include = status.include.as_ref().filter(broken)?;
    Some(fault(FaultCode::Configuration, format!("{}; put it right and restart hearth", include.why)))
}

/// A newer configuration with mistakes: what runs is not what was wanted.
fn passed_over(status: &AgentStatus) -> Option<Fault> {
    status.passed_over.as_ref().map(|mistakes| fault(FaultCode::Configuration, mistakes.trim().to_owned()))
}

fn records(status: &AgentStatus) -> impl Iterator<Item = Fault> {
    let refused = status.records.iter().filter(|record| record.state == RecordState::Refused);
    refused.map(|record| fault(FaultCode::DnsRefused, format!("{}: {}", record.name, record.why)))
}

/// Whether a watcher is as good as dead for this node: it refuses, or has not answered under its key for long.
pub(super) fn is_lost(status: &AgentStatus, link: &WatcherLink) -> bool {
    let for_ms = link.answered_ms_ago.unwrap_or(status.uptime_ms);
    link.state == LinkState::Refused || u128::from(for_ms) >= ALARM.as_millis()
}

/// A watcher that refuses, or one that has not answered under its key for so long that it will not come back by itself.
fn watchers(status: &AgentStatus) -> impl Iterator<Item = Fault> {
    let gone = status.watchers.iter().filter(|link| is_lost(status, link));
    gone.map(|link| fault(FaultCode::Watcher, format!("{}: {}", link.url, link.why)))
}
