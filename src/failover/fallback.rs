//! The fallback under watch: which of its addresses are known to be good, and which have been failing for how long.
//!
//! A site is moved only to what was seen to be good a short while ago. Never probes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::address::Family;
use crate::dns::{Rdata, RdataSet, RecordType};
use crate::failover::event::SiteSetup;
use crate::failover::lane::Readiness;
use crate::moment::Moment;
use crate::policy::Policy;
use crate::probe::outcome::Failure;

/// With less than this left of a certificate somebody should see to it: GitHub Pages renews its own in their last month.
pub const CERTIFICATE_ENDING: Duration = Duration::from_secs(14 * DAY);

/// A day, in seconds.
const DAY: u64 = 24 * 60 * 60;

/// What is known of the fallback of one site.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FallbackWatch {
    looks: BTreeMap<IpAddr, Look>,
    /// When the last look began.
    #[serde(default)]
    looked: Moment,
    due: Moment,
    /// The addresses whose certificates are about to end. Told already, so it is no evidence to be discarded.
    #[serde(default)]
    ending: BTreeSet<IpAddr>,
    /// People were told that nothing can be switched there.
    #[serde(default)]
    told: bool,
}

/// What is known of one address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Look {
    /// When the last look came back.
    #[serde(default)]
    seen: Moment,
    good: Option<Moment>,
    failing_since: Option<Moment>,
    failure: Option<Failure>,
    /// When the certificate ends that was shown last.
    #[serde(default)]
    certificate_ends: Option<Moment>,
}

/// Whether a look has shown something new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The same as the look before.
    None,
    /// Something else.
    Some,
}

/// What people should hear of the fallback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// Nothing can be switched there, and why.
    Bad(String),
    /// It is good again.
    Good,
}

impl FallbackWatch {
    /// A look at `address` has come back. Returns whether it shows something new.
    pub fn record(&mut self, now: Moment, address: IpAddr, failure: Option<Failure>) -> Change {
        let known = self.looks.contains_key(&address);
        let look = self.looks.entry(address).or_default();
        let same = known && look.failure == failure;
        look.seen = now;
        if failure.is_none() {
            look.good = Some(now);
            look.failing_since = None;
        } else {
            look.failing_since.get_or_insert(now);
        }
        look.failure = failure;
        if same { Change::None } else { Change::Some }
    }

    /// A certificate that is good for `left` longer was shown at `address`. Returns whether that is news: none was about
    /// to end before, and this one is.
    pub fn record_certificate(&mut self, now: Moment, address: IpAddr, left: Duration) -> Change {
        self.looks.entry(address).or_default().certificate_ends = Some(now + left);
        if left >= CERTIFICATE_ENDING {
            self.ending.remove(&address);
            return Change::None;
        }
        let first = self.ending.is_empty();
        self.ending.insert(address);
        if first { Change::Some } else { Change::None }
    }

    /// How much longer the certificate is good that was shown last at `address`. None: none was.
    #[must_use]
    pub fn certificate_left(&self, address: IpAddr, now: Moment) -> Option<Duration> {
        Some(self.looks.get(&address)?.certificate_ends? - now)
    }

    /// When the first of the certificates ends that were shown last. None: none was.
    #[must_use]
    pub fn first_certificate_ends(&self) -> Option<Moment> {
        self.looks.values().filter_map(|look| look.certificate_ends).min()
    }

    /// Forgets everything: it was gathered while the watcher could not be trusted.
    pub fn discard_evidence(&mut self, now: Moment) {
        let (ending, told) = (std::mem::take(&mut self.ending), self.told);
        *self = Self { looks: BTreeMap::new(), looked: Moment::START, due: now, ending, told };
    }

    /// These are the addresses from now on.
    pub fn keep(&mut self, addresses: &[IpAddr]) {
        self.looks.retain(|address, _| addresses.contains(address));
        self.ending.retain(|address| addresses.contains(address));
    }

    /// Whether an address failed at the last look, or none has been looked at.
    #[must_use]
    pub fn has_failure(&self) -> bool {
        self.looks.is_empty() || self.looks.values().any(|look| look.failure.is_some())
    }

    /// Whether a look that has just begun has not come back from every address.
    #[must_use]
    pub fn is_awaited(&self, setup: &SiteSetup, now: Moment) -> bool {
        let seen = |a: &IpAddr| self.looks.get(a).is_some_and(|look| look.seen >= self.looked);
        now - self.looked < setup.policy.fallback_suspect_every && !setup.fallback_addresses.iter().all(seen)
    }

    /// Whether `address` was good at the last look, and that look is fresh.
    fn good(&self, address: IpAddr, now: Moment, policy: &Policy) -> bool {
        self.looks.get(&address).is_some_and(|look| {
            look.failure.is_none() && look.good.is_some_and(|at| now - at <= policy.fallback_fresh)
        })
    }

    /// Whether an RRset of `record_type` can be moved to the fallback, and what it would hold.
    #[must_use]
    pub fn readiness(&self, record_type: RecordType, setup: &SiteSetup, now: Moment) -> Readiness {
        let candidates = addresses(record_type, setup);
        let good: Vec<IpAddr> =
            candidates.iter().copied().filter(|a| self.good(*a, now, &setup.policy)).collect();
        if good.is_empty() {
            return Readiness::NotReady(self.why_not(&candidates));
        }
        let set = match (record_type, &setup.fallback_name) {
            (RecordType::Cname, Some(name)) => Ok(RdataSet::of(Rdata::Cname(name.clone()))),
            (RecordType::Cname, None) => return Readiness::NotReady("it has no name".to_owned()),
            (RecordType::A | RecordType::Aaaa, _) => RdataSet::new(good.into_iter().map(Rdata::from)),
        };
        set.map_or_else(|e| Readiness::NotReady(e.to_string()), Readiness::Ready)
    }

    /// What people should hear of the fallback as a place to go to: that it is not good for an RRset of one of these
    /// types, and why, or that it is again. Once each.
    pub fn news<'a>(
        &mut self,
        types: impl IntoIterator<Item = &'a RecordType>,
        setup: &SiteSetup,
        now: Moment,
    ) -> Option<News> {
        let failing = |kind: &RecordType| {
            let span = self.failing_for(*kind, setup, now)?;
            Some((span >= setup.policy.hard, self.why_not(&addresses(*kind, setup))))
        };
        match (self.told, types.into_iter().filter_map(failing).max()) {
            (false, Some((true, why))) => {
                self.told = true;
                Some(News::Bad(why))
            }
            (true, None) if self.looks.len() == setup.fallback_addresses.len() => {
                self.told = false;
                Some(News::Good)
            }
            (false | true, _) => None,
        }
    }

    fn why_not(&self, candidates: &[IpAddr]) -> String {
        let failing = candidates.iter().find_map(|a| Some((a, self.looks.get(a)?.failure.as_ref()?)));
        match failing {
            _ if candidates.is_empty() => "it has no address in this family".to_owned(),
            Some((address, failure)) => format!("{address}: {failure}"),
            None => "it has not been looked at lately".to_owned(),
        }
    }

    /// Whether every address has been failing for as long as a node may before it is given up.
    #[must_use]
    pub fn dead(&self, record_type: RecordType, setup: &SiteSetup, now: Moment) -> bool {
        self.failing_for(record_type, setup, now).is_some_and(|span| span >= setup.policy.hard)
    }

    /// For how long every address has been failing. None: one does not, or there is none.
    #[must_use]
    pub fn failing_for(&self, record_type: RecordType, setup: &SiteSetup, now: Moment) -> Option<Duration> {
        let failing = |a: &IpAddr| self.looks.get(a).and_then(|look| look.failing_since);
        let since: Option<Vec<Moment>> = addresses(record_type, setup).iter().map(failing).collect();
        Some(now - since?.into_iter().max()?)
    }

    /// Whether every address that was looked at failed at the last look, and there was one.
    #[must_use]
    pub fn all_fail(&self) -> bool {
        !self.looks.is_empty() && self.looks.values().all(|look| look.failure.is_some())
    }

    /// What each address looks like, in words.
    pub fn describe(&self, setup: &SiteSetup) -> impl Iterator<Item = (IpAddr, Option<Moment>, String)> {
        setup.fallback_addresses.iter().map(|address| match self.looks.get(address) {
            None => (*address, None, "not looked at yet".to_owned()),
            Some(Look { good, failure: Some(failure), .. }) => (*address, *good, failure.to_string()),
            Some(Look { good, failure: None, .. }) => (*address, *good, "good".to_owned()),
        })
    }

    /// When the next look is due.
    #[must_use]
    pub fn due(&self) -> Moment {
        self.due
    }

    /// The addresses are being looked at now; the next look is due at `next`.
    pub fn looking(&mut self, now: Moment, next: Moment) {
        self.looked = now;
        self.due = next;
    }

    /// A target has just become suspect, and the verdict may come within seconds: by then the fallback must have been
    /// seen as it is now. Due at once, unless the last look began less than `every` ago.
    pub fn alert(&mut self, now: Moment, every: Duration) {
        self.hasten(now.max(self.looked + every));
    }

    /// A target is suspect: the next look is due at `next` at the latest.
    pub fn hasten(&mut self, next: Moment) {
        self.due = self.due.min(next);
    }
}

/// A span in whole days, as people say it.
#[must_use]
pub fn in_days(span: Duration) -> String {
    match span.as_secs() / DAY {
        0 => "less than a day".to_owned(),
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    }
}

/// The configured addresses that matter for an RRset of this type.
fn addresses(record_type: RecordType, setup: &SiteSetup) -> Vec<IpAddr> {
    let fits = |a: &&IpAddr| match record_type {
        RecordType::A => Family::of(**a) == Family::Ipv4,
        RecordType::Aaaa => Family::of(**a) == Family::Ipv6,
        RecordType::Cname => true,
    };
    setup.fallback_addresses.iter().filter(fits).copied().collect()
}

/// The record data that the fallback may have in an RRset of this type.
#[must_use]
pub fn possible(record_type: RecordType, setup: &SiteSetup) -> BTreeSet<Rdata> {
    match record_type {
        RecordType::Cname => setup.fallback_name.clone().map(Rdata::Cname).into_iter().collect(),
        RecordType::A | RecordType::Aaaa => {
            addresses(record_type, setup).into_iter().map(Rdata::from).collect()
        }
    }
}
