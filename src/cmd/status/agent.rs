//! The screen of an agent.
//!
//! Never says more than the status does.

use super::{line, list, span};
use crate::leds::{self, shown};
use crate::status::{
    AddressStatus, AgentStatus, CertificateStatus, LinkState, MountStatus, RecordState, RecordStatus,
    SiteStatus, WatcherLink,
};
use crate::tls::certificate::day;

/// One screen: what the agent is doing and why, and what there is to do.
pub(super) fn screen(status: &AgentStatus) -> String {
    let mut screen = String::new();
    let head = format!("{}, hearth {}, up {}", status.node, status.version, span(status.uptime_ms));
    line(&mut screen, "node", &head);
    state(&mut screen, status);
    if let Some(include) = &status.include {
        for (at, text) in include.why.lines().enumerate() {
            line(&mut screen, if at == 0 { "include" } else { "" }, text);
        }
    }
    status.sites.iter().for_each(|site| self::site(&mut screen, site));
    if status.sites.is_empty() {
        line(&mut screen, "site", "none");
    }
    status.certificates.iter().for_each(|certificate| self::certificate(&mut screen, certificate));
    status.mounts.iter().for_each(|mount| self::mount(&mut screen, mount));
    for (family, address) in &status.addresses {
        self::address(&mut screen, &family.to_string(), address);
    }
    status.records.iter().for_each(|record| self::record(&mut screen, record));
    status.watchers.iter().for_each(|link| watcher(&mut screen, link));
    to_do(&mut screen, status);
    screen
}

/// The state, and what the LEDs do when it is not that which they show.
pub(in crate::cmd) fn state(screen: &mut String, status: &AgentStatus) {
    let (state, shown) = (leds::state(status), shown(status));
    line(screen, "state", &format!("{state}: {}", state.describe()));
    if shown != state {
        line(screen, "leds", shown.describe());
    }
    for place in status.lamps.places.iter().filter(|place| !place.trouble.is_empty()) {
        line(screen, "leds", &format!("{}: {}", place.what, place.trouble));
    }
}

/// The faults, each with what to do.
pub(in crate::cmd) fn to_do(screen: &mut String, status: &AgentStatus) {
    if !status.faults.is_empty() {
        screen.push_str("\nto do\n");
    }
    for fault in &status.faults {
        let seen = if status.lamps.acknowledged.contains(&fault.code) { " (acknowledged)" } else { "" };
        screen.push_str(&format!("  fault {}{seen}: {}\n", fault.code.blinks(), fault.message));
    }
}

fn site(screen: &mut String, site: &SiteStatus) {
    let what = match &site.generation {
        Some(digest) => {
            let short: String = digest.chars().take(12).collect();
            format!("{} files, {} bytes, generation {short}", site.files, site.bytes)
        }
        None => "nothing to serve, visitors get 503".to_owned(),
    };
    line(screen, "site", &format!("{}: {what}, at {}", list(&site.hosts), list(&site.listening)));
    if !site.why.is_empty() {
        line(screen, "", &site.why);
    }
    if site.log_dropped > 0 {
        let words = "lines of the access log were dropped; its disk is slow, full or gone";
        line(screen, "", &format!("{} {words}", site.log_dropped));
    }
}

fn certificate(screen: &mut String, certificate: &CertificateStatus) {
    let until =
        certificate.until.map_or_else(|| "none yet".to_owned(), |until| format!("good until {}", day(until)));
    line(screen, "https", &format!("{}: {until}, from {}", list(&certificate.hosts), certificate.from));
    if !certificate.why.is_empty() {
        line(screen, "", &certificate.why);
    }
}

fn mount(screen: &mut String, mount: &MountStatus) {
    let room = mount.room.filter(|room| room.total > 0).map(|room| {
        let full = 100 - room.free.saturating_mul(100) / room.total;
        format!(", {full} % of {} MiB in use", room.total >> 20)
    });
    let what = if mount.what.is_empty() { "nothing" } else { &mount.what };
    let room = room.unwrap_or_default();
    line(screen, "mount", &format!("{}: {}, {what}{room}", mount.path, mount.state.word()));
    if !mount.why.is_empty() {
        line(screen, "", &mount.why);
    }
}

fn address(screen: &mut String, family: &str, address: &AddressStatus) {
    let agreed = address.agreed.map_or("no address".to_owned(), |agreed| agreed.to_string());
    line(screen, family, &format!("{agreed}, {}", address.verdict.describe()));
    line(screen, "", &address.why);
}

fn record(screen: &mut String, record: &RecordStatus) {
    let state = match record.state {
        RecordState::Unknown => "not known",
        RecordState::InForce => "in force",
        RecordState::Pending => "pending",
        RecordState::Refused => "refused",
    };
    line(screen, "record", &format!("{}: {state}: {}", record.name, record.why));
    let (wanted, in_force) = (list(&record.wanted), list(&record.in_force));
    line(screen, "", &format!("wanted {wanted}; in force {in_force}"));
    if !record.foreign.is_empty() {
        line(screen, "", &format!("of others, left alone: {}", list(&record.foreign)));
    }
}

fn watcher(screen: &mut String, link: &WatcherLink) {
    let state = match link.state {
        LinkState::Unknown => "not tried yet",
        LinkState::Answered => "answers",
        LinkState::Unreachable => "unreachable",
        LinkState::Refused => "refused",
    };
    let ago = link.answered_ms_ago.map_or("never".to_owned(), |ms| format!("{} ago", span(ms)));
    line(screen, "watcher", &format!("{}: {state}, last answer {ago}", link.url));
    if link.state != LinkState::Answered {
        line(screen, "", &link.why);
    }
    for view in &link.view {
        let place = if view.on_fallback { "on the fallback" } else { "at home" };
        let words = format!(
            "{}: sees this node {}; visitors are {place}: {}",
            view.site,
            view.health,
            list(&view.in_force)
        );
        line(screen, "", &words);
    }
}
