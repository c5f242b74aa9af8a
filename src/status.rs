//! The snapshot that everybody reads: what this agent is doing and why.
//!
//! One value on a watch channel. The heartbeat, the LEDs, `hearth status` and the log all read it, so they cannot
//! disagree. Never holds a secret.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::address::{Family, Verdict};
use crate::dns::{Name, Rdata};
use crate::heartbeat::{MountReport, NodeName, RecordsReport, SiteReport, SourceState};

/// An agent, as it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AgentStatus {
    /// The node.
    pub node: NodeName,
    /// The version that runs.
    pub version: String,
    /// Milliseconds since the agent started.
    pub uptime_ms: u64,
    /// What the agent is about.
    pub phase: Phase,
    /// The public address, by family.
    pub addresses: BTreeMap<Family, AddressStatus>,
    /// The part of its configuration that is shared, if any.
    #[serde(default)]
    pub include: Option<IncludeStatus>,
    /// What is wrong with a newer configuration, in whose place an older one is in force.
    #[serde(default)]
    pub passed_over: Option<String>,
    /// The sites that it serves, in the order of its configuration; none for a node that serves none.
    pub sites: Vec<SiteStatus>,
    /// The certificates that it shows, one for each site with HTTPS.
    #[serde(default)]
    pub certificates: Vec<CertificateStatus>,
    /// The mounts that it looks after.
    #[serde(default)]
    pub mounts: Vec<MountStatus>,
    /// The DNS names that the node keeps.
    pub records: Vec<RecordStatus>,
    /// The watchers it beats to.
    pub watchers: Vec<WatcherLink>,
    /// What is wrong, the worst first.
    pub faults: Vec<Fault>,
    /// The LEDs: what they were told beside all this, and where they are.
    #[serde(default)]
    pub lamps: LampStatus,
}

/// What the LEDs were told beside the state itself, and where they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LampStatus {
    /// The faults that a person has seen; each is forgotten when it is mended.
    pub acknowledged: Vec<FaultCode>,
    /// What is shown for a while because somebody asked for it.
    pub announced: Option<Announced>,
    /// Whether it is night: dark then means asleep, unless a person must act.
    pub night: bool,
    /// Where lamps are.
    pub places: Vec<LampPlace>,
}

/// What the LEDs can be asked to show for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Announced {
    /// Which box is it?
    Identify,
    /// Does every lamp work?
    Test,
    /// The set-up window is open.
    Setup,
    /// An update is under way.
    Updating,
}

/// A place with lamps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LampPlace {
    /// Which lamps, and how they are reached.
    pub what: String,
    /// What is wrong with them and what to do about it; empty when nothing is.
    pub trouble: String,
}

/// What an agent is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Not everything has been tried once.
    Starting,
    /// At work.
    Running,
    /// On its way out, on purpose.
    Leaving,
}

/// The public address of one family.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressStatus {
    /// The address that the sources agreed on last; what they say now may be less.
    pub agreed: Option<std::net::IpAddr>,
    /// How the node stands on the Internet.
    pub verdict: Verdict,
    /// The evidence, in words.
    pub why: String,
}

/// A site that is served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteStatus {
    /// The values of Host that it is served under.
    pub hosts: Vec<String>,
    /// The digest of the generation that is served. None: there is nothing to serve, visitors get 503.
    pub generation: Option<String>,
    /// Files in it.
    pub files: u64,
    /// Bytes in it, uncompressed.
    pub bytes: u64,
    /// How the directory or mount stands.
    pub source: SourceState,
    /// What is wrong with the source, in words; empty when nothing is.
    pub why: String,
    /// Where it is served.
    pub listening: Vec<std::net::SocketAddr>,
    /// Lines of the access log that were dropped since the start, because whoever writes them did not keep up.
    #[serde(default)]
    pub log_dropped: u64,
}

/// The certificate of a site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateStatus {
    /// What it must be for.
    pub hosts: Vec<String>,
    /// Where it is from: a file, or an authority.
    pub from: String,
    /// When the one that is shown ends, in seconds since 1970. None: none is shown.
    pub until: Option<u64>,
    /// What is wrong and what is done about it, in words; empty when nothing is.
    pub why: String,
    /// Whether it stays wrong until a person acts.
    pub needs_person: bool,
}

/// The part of the configuration that is shared with other machines, as it was at the start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncludeStatus {
    /// The shared file.
    pub path: String,
    /// What of it is in force.
    pub state: IncludeState,
    /// Why it is not the file as it stands; empty when it is.
    pub why: String,
}

/// What of a shared file is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IncludeState {
    /// The file as it stands.
    Fresh,
    /// The last good copy: the file could not be read.
    CopyOfUnread,
    /// The last good copy: the file has mistakes.
    CopyOfBroken,
    /// Nothing: it could not be read or has mistakes, and there is no good copy.
    Nothing,
}

/// One mount that the node looks after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MountStatus {
    /// The mount point.
    pub path: String,
    /// How it stands.
    pub state: SourceState,
    /// What is wrong with it and what is done about it, in words; empty when nothing is.
    pub why: String,
    /// What is mounted there: type and source, as the kernel says; empty when nothing is.
    pub what: String,
    /// Bytes in all and bytes that are free, at the last look that was answered.
    pub room: Option<Room>,
}

/// How full a file system is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Room {
    /// Bytes in all.
    pub total: u64,
    /// Bytes that an ordinary user may still write.
    pub free: u64,
}

/// One DNS name that the node keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordStatus {
    /// The name.
    pub name: Name,
    /// What the node wants its member to be, by family.
    pub wanted: Vec<Rdata>,
    /// What the provider said at the last reading that was in force, of this node's.
    pub in_force: Vec<Rdata>,
    /// Members of somebody else, seen at the last reading.
    pub foreign: Vec<Rdata>,
    /// Where it stands.
    pub state: RecordState,
    /// Why, in words.
    pub why: String,
}

impl RecordStatus {
    /// A name before the first reading.
    #[must_use]
    pub fn unread(name: Name) -> Self {
        Self {
            name,
            wanted: Vec::new(),
            in_force: Vec::new(),
            foreign: Vec::new(),
            state: RecordState::Unknown,
            why: "not read yet".to_owned(),
        }
    }
}

/// Where a name stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecordState {
    /// Not read yet.
    Unknown,
    /// Read back as wanted.
    InForce,
    /// A change is on its way, or is tried again.
    Pending,
    /// The provider refuses; a person must act.
    Refused,
}

/// A watcher that the node beats to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatcherLink {
    /// Where beats go.
    pub url: String,
    /// How the last beat went.
    pub state: LinkState,
    /// In words.
    pub why: String,
    /// Milliseconds since the last signed answer; None before the first.
    pub answered_ms_ago: Option<u64>,
    /// What the watcher said it sees.
    pub view: Vec<crate::heartbeat::SiteView>,
}

impl WatcherLink {
    /// A watcher before the first beat.
    #[must_use]
    pub fn untried(url: String) -> Self {
        Self {
            url,
            state: LinkState::Unknown,
            why: "no beat was sent yet".to_owned(),
            answered_ms_ago: None,
            view: Vec::new(),
        }
    }
}

/// How beating to a watcher goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkState {
    /// No beat has been answered yet.
    Unknown,
    /// The last beat was answered under the pinned key.
    Answered,
    /// No answer.
    Unreachable,
    /// The watcher refuses the beats, or answers under another key; a person must act.
    Refused,
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Fault {
    /// What kind of thing is wrong; the number is blinked by the fault LED.
    pub code: FaultCode,
    /// What, to which thing, and what to do.
    pub message: String,
}

/// The fault codes that the LEDs blink, the number of blinks first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultCode {
    /// 1: power, temperature or SD card.
    Hardware,
    /// 2: link or DHCP.
    Link,
    /// 3: the DNS provider refuses.
    DnsRefused,
    /// 4: the source of the site.
    SiteSource,
    /// 5: the watcher is unreachable or refuses.
    Watcher,
    /// 6: TLS or clock.
    TlsOrClock,
    /// 7: the configuration.
    Configuration,
    /// 8: not reachable from outside.
    NotReachable,
}

impl FaultCode {
    /// How often the fault LED blinks.
    #[must_use]
    pub const fn blinks(self) -> u8 {
        self as u8 + 1
    }
}

impl AgentStatus {
    /// What a beat says of the sites: as many as have room in it, in their order.
    #[must_use]
    pub fn site_reports(&self) -> Vec<SiteReport> {
        let mut room = SiteReport::ROOM;
        let reports = self.sites.iter().map(|site| SiteReport {
            hosts: site.hosts.clone(),
            generation: site.generation.clone(),
            source: site.source,
        });
        let fits = |report: &SiteReport| match room.checked_sub(report.size()) {
            Some(rest) => {
                room = rest;
                true
            }
            None => false,
        };
        reports.take_while(fits).collect()
    }

    /// What a beat says of the mounts that are looked after: those that are not in order, as many as have room in it.
    #[must_use]
    pub fn mounts_report(&self) -> Vec<MountReport> {
        let troubled = self.mounts.iter().filter(|mount| mount.state != SourceState::Ok);
        let report = |mount: &MountStatus| MountReport {
            path: mount.path.chars().take(MountReport::LONGEST).collect(),
            state: mount.state,
        };
        troubled.map(report).take(MountReport::MOST).collect()
    }

    /// What a beat says of the names.
    #[must_use]
    pub fn records_report(&self) -> RecordsReport {
        let any = |state| self.records.iter().any(|r| r.state == state);
        if self.records.is_empty() {
            RecordsReport::None
        } else if any(RecordState::Refused) {
            RecordsReport::Refused
        } else if any(RecordState::Pending) || any(RecordState::Unknown) {
            RecordsReport::Pending
        } else {
            RecordsReport::InForce
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(host: &str) -> SiteStatus {
        SiteStatus {
            hosts: vec![host.to_owned()],
            generation: Some("ab".repeat(32)),
            files: 1,
            bytes: 1,
            source: SourceState::Ok,
            why: String::new(),
            listening: Vec::new(),
            log_dropped: 0,
        }
    }

    fn status(sites: Vec<SiteStatus>) -> AgentStatus {
        AgentStatus {
            node: "pi1".parse().expect("a name"),
            version: "1".to_owned(),
            uptime_ms: 1,
            phase: Phase::Running,
            addresses: BTreeMap::new(),
            sites,
            include: None,
            passed_over: None,
            certificates: Vec::new(),
            mounts: Vec::new(),
            records: Vec::new(),
            watchers: Vec::new(),
            faults: Vec::new(),
            lamps: LampStatus::default(),
        }
    }

    #[test]
    fn more_sites_than_have_room_in_a_beat_do_not_make_it_too_large() {
        let few = status(vec![site("a"), site("b")]).site_reports();
        assert_eq!(few.iter().map(|report| report.hosts[0].as_str()).collect::<Vec<_>>(), ["a", "b"]);
        let many = status((0..1000).map(|n| site(&format!("www.site-{n}.example.com"))).collect());
        let reports = many.site_reports();
        assert!(reports.len() > 20, "{}", reports.len());
        assert!(serde_json::to_vec(&reports).expect("JSON").len() <= SiteReport::ROOM);
    }
}
