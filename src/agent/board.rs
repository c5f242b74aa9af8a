//! The board: takes what every task reports, and publishes one snapshot of it.
//!
//! The one place where an [`AgentStatus`] is made. Publishes on every report and, so that nobody takes an old snapshot
//! for a live one, at least every [`PUBLISH`]. Never asks anybody anything.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::event::{Event, LinkReport};
use super::lamps::Lamps;
use super::{faults, hooks, journal};
use crate::address::Family;
use crate::config::RecordSettings;
use crate::heartbeat::NodeName;
use crate::hook::run::Hooks;
use crate::host::notify;
use crate::host::shutdown::stopped;
use crate::host::time::{Timeline, ticks};
use crate::leds::night::Night;
use crate::moment::Moment;
use crate::mount;
use crate::site;
use crate::status::{
    AddressStatus, AgentStatus, CertificateStatus, IncludeStatus, LampStatus, LinkState, MountStatus, Phase,
    RecordStatus, SiteStatus, WatcherLink,
};

/// Between two snapshots at most: the lamps' lease ([`crate::leds::words::LEASE`]) outlasts two of them.
pub(super) const PUBLISH: Duration = Duration::from_secs(4);

/// Everything that was reported.
pub(super) struct Board {
    status: AgentStatus,
    address_asked: bool,
    /// When each watcher answered last.
    answered: Vec<Option<Moment>>,
    hooks: Hooks,
    lamps: Lamps,
}

impl Board {
    /// Nothing has been reported yet.
    pub(super) fn new(
        node: NodeName,
        addresses: BTreeMap<Family, AddressStatus>,
        sites: Vec<SiteStatus>,
        mounts: Vec<MountStatus>,
        records: &[RecordSettings],
        watchers: Vec<String>,
    ) -> Self {
        let answered = vec![None; watchers.len()];
        let status = AgentStatus {
            node,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uptime_ms: 0,
            phase: Phase::Starting,
            addresses,
            include: None,
            passed_over: None,
            sites,
            certificates: Vec::new(),
            mounts,
            records: records.iter().map(|record| RecordStatus::unread(record.name.clone())).collect(),
            watchers: watchers.into_iter().map(WatcherLink::untried).collect(),
            faults: Vec::new(),
            lamps: LampStatus::default(),
        };
        Self { status, address_asked: false, answered, lamps: Lamps::default(), hooks: Hooks::default() }
    }

    /// The same, with LEDs that sleep at night.
    pub(super) fn sleeping(self, night: Option<Night>) -> Self {
        Self { lamps: Lamps::sleeping(night), ..self }
    }

    /// Says how the shared part of the configuration stood at the start.
    pub(super) fn with_include(mut self, include: Option<IncludeStatus>) -> Self {
        self.status.include = include;
        self
    }

    /// Says that a newer configuration was passed over.
    pub(super) fn with_passed_over(mut self, mistakes: Option<String>) -> Self {
        self.status.passed_over = mistakes;
        self
    }

    /// Says which certificates there will be.
    pub(super) fn with_certificates(mut self, certificates: Vec<CertificateStatus>) -> Self {
        self.status.certificates = certificates;
        self
    }

    /// Says who is told of changes.
    pub(super) fn with_hooks(mut self, hooks: Hooks) -> Self {
        self.hooks = hooks;
        self
    }

    /// Takes reports and publishes until `close`.
    pub(super) async fn run(
        mut self,
        mut reports: mpsc::Receiver<Event>,
        publish: watch::Sender<AgentStatus>,
        line: Timeline,
        mut close: watch::Receiver<bool>,
    ) {
        let mut pulse = notify::watchdog(line);
        let mut due = ticks(pulse.patience().map_or(PUBLISH, |patience| patience.min(PUBLISH)));
        loop {
            tokio::select! {
                biased;
                () = stopped(&mut close) => return,
                Some(event) = reports.recv() => self.take(event, line.now()),
                _ = due.tick() => {}
            }
            pulse.alive();
            let next = self.snapshot(line.now(), line.uptime());
            let next = self.with_lamps(next, line);
            let last = publish.send_replace(next);
            journal::tell(&last, &publish.borrow());
            self.hooks.tell(&hooks::lost_and_found(&last, &publish.borrow()));
        }
    }

    /// Takes one report.
    pub(super) fn take(&mut self, event: Event, now: Moment) {
        match event {
            Event::Addresses(addresses) => {
                self.hooks.tell(&hooks::moved(&self.status.node, &self.status.addresses, &addresses));
                self.status.addresses = addresses;
                self.address_asked = true;
            }
            Event::Site(index, site) => self.status.sites[index] = site,
            Event::Certificate(index, certificate) => self.status.certificates[index] = certificate,
            Event::Mount(index, mount) => self.status.mounts[index] = mount,
            Event::Record(index, record) => self.status.records[index] = record,
            Event::Changed(changes) => self.hooks.tell(&changes),
            Event::Link(index, report) => self.take_link(index, report, now),
            Event::Lamps(event) => {
                let status = self.snapshot(now, Duration::ZERO);
                self.lamps.take(event, &status, now);
            }
            Event::Leaving => self.status.phase = Phase::Leaving,
        }
        if self.status.phase == Phase::Starting && self.everything_was_tried() {
            self.status.phase = Phase::Running;
        }
    }

    fn take_link(&mut self, index: usize, report: LinkReport, now: Moment) {
        let link = &mut self.status.watchers[index];
        (link.state, link.why) = (report.state, report.why);
        if let Some(view) = report.view {
            link.view = view;
            self.answered[index] = Some(now);
        }
    }

    /// The same, with what the LEDs were told.
    fn with_lamps(&mut self, status: AgentStatus, line: Timeline) -> AgentStatus {
        let lamps = self.lamps.settle(&status, line.now(), line.wall());
        AgentStatus { lamps, ..status }
    }

    /// Every site and mount has been looked at, the address asked for, and each watcher been sent a beat.
    fn everything_was_tried(&self) -> bool {
        self.address_asked
            && self.status.sites.iter().all(site::was_looked_at)
            && self.status.mounts.iter().all(mount::watch::was_looked_at)
            && self.status.watchers.iter().all(|link| link.state != LinkState::Unknown)
    }

    /// The snapshot at `now`.
    pub(super) fn snapshot(&self, now: Moment, uptime: Duration) -> AgentStatus {
        let mut status = self.status.clone();
        status.uptime_ms = millis(uptime);
        for (link, answered) in status.watchers.iter_mut().zip(&self.answered) {
            link.answered_ms_ago = answered.map(|at| millis(now - at));
        }
        status.faults = faults::faults(&status);
        status
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
