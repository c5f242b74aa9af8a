//! What the tasks of the agent report to its board.
//!
//! Words alone: never says what comes of a report.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::address::Family;
use crate::heartbeat::SiteView;
use crate::hook;
use crate::status::{
    AddressStatus, Announced, CertificateStatus, LampPlace, LinkState, MountStatus, RecordStatus, SiteStatus,
};

/// What a task reports.
#[derive(Debug)]
pub(super) enum Event {
    /// A round of questions about the public address was judged.
    Addresses(BTreeMap<Family, AddressStatus>),
    /// The site with this number stands otherwise than before.
    Site(usize, SiteStatus),
    /// The certificate with this number stands so.
    Certificate(usize, CertificateStatus),
    /// The mount with this number stands so.
    Mount(usize, MountStatus),
    /// The name with this number stands so.
    Record(usize, RecordStatus),
    /// A change of a name landed; with the facts for hooks.
    Changed(Vec<hook::Change>),
    /// A beat to the watcher with this number was tried.
    Link(usize, LinkReport),
    /// The LEDs are told something.
    Lamps(LampEvent),
    /// The stop has begun.
    Leaving,
}

/// How a beat went.
#[derive(Debug)]
pub(super) struct LinkReport {
    /// What that means.
    pub(super) state: LinkState,
    /// In words.
    pub(super) why: String,
    /// What the watcher said it sees; None: it gave no answer that counts.
    pub(super) view: Option<Vec<SiteView>>,
}

/// Something that the LEDs are told.
#[derive(Clone, Debug)]
pub(super) enum LampEvent {
    /// A person has seen every fault that there is now.
    Acknowledged,
    /// Show this for so long.
    Announced(Announced, Duration),
    /// How the places with lamps stand.
    Places(Vec<LampPlace>),
}
