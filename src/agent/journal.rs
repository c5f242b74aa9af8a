//! What changed from one snapshot to the next, for the log and the service manager: said once, when it changes.
//!
//! The tasks report and do not log, so that nothing is said twice.

use super::hooks::lost_and_found;
use crate::host::{message, notify};
use crate::leds::state;
use crate::status::{AgentStatus, LinkState, RecordState};
use crate::tls::certificate::day;

/// Says what is new in `now`.
pub(super) fn tell(last: &AgentStatus, now: &AgentStatus) {
    tell_addresses(last, now);
    tell_sites(last, now);
    tell_certificates(last, now);
    tell_mounts(last, now);
    tell_records(last, now);
    tell_watchers(last, now);
    tell_of_the_lost(last, now);
    let state_now = state(now);
    if state(last) != state_now {
        tracing::info!(message_id = message::STATE, "{state_now}: {}", state_now.describe());
        notify::status(&format!("{state_now}: {}", state_now.describe()));
    }
}

fn tell_addresses(last: &AgentStatus, now: &AgentStatus) {
    for (family, address) in &now.addresses {
        let before = last.addresses.get(family);
        if before.is_some_and(|b| (b.agreed, b.verdict) == (address.agreed, address.verdict)) {
            continue;
        }
        match address.agreed {
            Some(agreed) => {
                tracing::info!(message_id = message::ADDRESS, "{family}: {agreed} ({})", address.why)
            }
            None => tracing::warn!(
                message_id = message::ADDRESS,
                "{family}: no address is agreed on ({})",
                address.why
            ),
        }
    }
}

/// A new generation is told where it is made.
fn tell_sites(last: &AgentStatus, now: &AgentStatus) {
    for (before, site) in last.sites.iter().zip(&now.sites) {
        if (before.source, &before.why) == (site.source, &site.why) {
            continue;
        }
        let name = site.hosts.first().map_or("the site", String::as_str);
        match site.why.as_str() {
            "" => tracing::info!(message_id = message::SOURCE, "the source of {name} is in order"),
            why => tracing::warn!(message_id = message::SOURCE, "the source of {name}: {why}"),
        }
    }
}

fn tell_certificates(last: &AgentStatus, now: &AgentStatus) {
    for (before, certificate) in last.certificates.iter().zip(&now.certificates) {
        let name = certificate.hosts.first().map_or("the site", String::as_str);
        if let Some(until) = certificate.until.filter(|until| before.until != Some(*until)) {
            tracing::info!(
                "the certificate of {name} from {} is good until {}",
                certificate.from,
                day(until)
            );
        }
        if before.why != certificate.why && !certificate.why.is_empty() {
            tracing::warn!("the certificate of {name}: {}", certificate.why);
        }
    }
}

fn tell_mounts(last: &AgentStatus, now: &AgentStatus) {
    for (before, mount) in last.mounts.iter().zip(&now.mounts) {
        if (before.state, &before.why) == (mount.state, &mount.why) {
            continue;
        }
        let (path, state) = (&mount.path, mount.state.word());
        match mount.why.as_str() {
            "" => tracing::info!(message_id = message::MOUNT, "the mount {path} is {state}"),
            why => tracing::warn!(message_id = message::MOUNT, "the mount {path} is {state}: {why}"),
        }
    }
}

fn tell_records(last: &AgentStatus, now: &AgentStatus) {
    for (before, record) in last.records.iter().zip(&now.records) {
        if (before.state, &before.why) == (record.state, &record.why) {
            continue;
        }
        let (name, why) = (&record.name, &record.why);
        match record.state {
            RecordState::Unknown | RecordState::InForce => {
                tracing::info!(message_id = message::RECORD, "{name}: {why}")
            }
            RecordState::Pending => tracing::warn!(message_id = message::RECORD, "{name}: {why}"),
            RecordState::Refused => tracing::error!(message_id = message::RECORD, "{name}: {why}"),
        }
    }
}

/// What a watcher that is lost means for this node's visitors.
fn tell_of_the_lost(last: &AgentStatus, now: &AgentStatus) {
    for change in lost_and_found(last, now) {
        let (url, why) = (&change.name, &change.reason);
        if change.new == ["lost"] {
            tracing::error!(
                message_id = message::WATCHER,
                "the watcher {url} is lost: nobody sends visitors elsewhere when this node fails; look at its machine ({why})"
            );
        } else {
            tracing::warn!(message_id = message::WATCHER, "the watcher {url} answers again: {why}");
        }
    }
}

fn tell_watchers(last: &AgentStatus, now: &AgentStatus) {
    for (before, link) in last.watchers.iter().zip(&now.watchers) {
        if before.state == link.state {
            continue;
        }
        let (url, why) = (&link.url, &link.why);
        match link.state {
            LinkState::Unknown | LinkState::Answered => {
                tracing::info!(message_id = message::WATCHER, "watcher {url}: {why}")
            }
            LinkState::Unreachable => tracing::warn!(message_id = message::WATCHER, "watcher {url}: {why}"),
            LinkState::Refused => tracing::error!(message_id = message::WATCHER, "watcher {url}: {why}"),
        }
    }
}
