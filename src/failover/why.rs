//! Why a site's record is what it is, and what would change it, in words.
//!
//! Made from the engine at one point in time, so a journal that is replayed up to then tells the same. Never says what
//! will happen, only what would have to.

mod node;

use serde::{Deserialize, Serialize};

use crate::dns::{Name, RdataSet};
use crate::failover::engine::Engine;
use crate::failover::lane::{Lane, Readiness, Side, words};
use crate::failover::site::Site;
use crate::moment::Moment;

/// Why the record of a site is what it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// The site.
    pub site: Name,
    /// What keeps the watcher from deciding, or from carrying out what it decided. Empty: nothing does.
    pub held: Vec<String>,
    /// Its RRsets.
    pub rrsets: Vec<RrsetWhy>,
}

/// Why one RRset is what it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RrsetWhy {
    /// What stands in the record, as last read back.
    pub stands: String,
    /// The decision, with its reason and its age.
    pub because: String,
    /// What is known of each node now.
    pub evidence: Vec<String>,
    /// What would change it.
    pub changes: Vec<String>,
}

impl Engine {
    /// Why the record of `site` is what it is. None: the site is not watched.
    #[must_use]
    pub fn explain(&self, site: &Name, now: Moment) -> Option<Explanation> {
        let known = self.sites.get(site)?;
        let patience = self.isolation.patience();
        let rrsets = known.lanes.values().map(|lane| rrset(known, lane, patience, now)).collect();
        Some(Explanation { site: site.clone(), held: self.held(known, patience, now), rrsets })
    }

    /// The sites that are watched.
    pub fn names(&self) -> impl Iterator<Item = &Name> {
        self.sites.iter().map(|site| &site.setup.site)
    }

    fn held(&self, site: &Site, patience: u32, now: Moment) -> Vec<String> {
        let (answered, asked) = self.isolation.answered();
        let cut = self.isolation.since().map(|since| {
            let back = "until they do, nothing is decided, and then all evidence is gathered anew";
            format!(
                "the watcher itself is cut off since {}: {answered} of {asked} references answer; {back}",
                words(now - since)
            )
        });
        let warm = self.warm_until.filter(|until| *until > now);
        let warm = warm.map(|until| format!("the watcher warms up: it decides in {}", words(until - now)));
        let doubt = (patience > 1).then(|| {
            format!("the watcher doubts its own line: whatever would take a node down takes {patience} times as long")
        });
        let unread = match (&site.read_trouble, site.read) {
            (Some(trouble), _) => Some(format!("the record could not be read: {trouble}")),
            (None, None) => {
                Some("the record has not been read since the start: it is not written before".to_owned())
            }
            (None, Some(_)) => None,
        };
        let pin = site.pin.as_ref().map(|pin| {
            format!(
                "{} wants it so for another {}: {}; health changes nothing until then",
                pin.owner,
                words(pin.until - now),
                pin.reason
            )
        });
        let frozen = site.frozen_until.filter(|until| *until > now).map(|until| {
            format!(
                "somebody else has changed the record: it is left alone for another {}",
                words(until - now)
            )
        });
        let pending = site.pending.as_ref().map(|pending| {
            let trouble = pending.trouble.as_deref().unwrap_or("not confirmed yet");
            let sets: Vec<_> = pending.sets.iter().map(ToString::to_string).collect();
            format!("{} is on its way for {}: {trouble}", sets.join(", "), words(now - pending.since))
        });
        [cut, warm, doubt, unread, pin, frozen, pending].into_iter().flatten().collect()
    }
}

fn rrset(site: &Site, lane: &Lane, patience: u32, now: Moment) -> RrsetWhy {
    let (why, since) = lane.why();
    let record_type = lane.record_type();
    let stands = lane.in_force().map_or_else(|| format!("{record_type}: none"), ToString::to_string);
    let targets = || node::targets(site, record_type);
    RrsetWhy {
        stands,
        because: format!("{why}, since {}{}", words(now - since), differing(lane)),
        evidence: targets().map(|target| node::evidence(&target, now)).collect(),
        changes: targets()
            .map(|target| node::change(site, lane, &target, patience, now))
            .chain(std::iter::once(gate(site, lane, now)))
            .chain(budget(site, lane, now))
            .collect(),
    }
}

/// What was wanted or written, where that is not what stands.
fn differing(lane: &Lane) -> String {
    let other = |what: &str, set: Option<&RdataSet>| {
        set.filter(|set| lane.in_force() != Some(*set)).map(|set| format!("; {what}: {set}"))
    };
    let parts = [other("wanted", lane.wanted()), other("written last", lane.written())];
    parts.into_iter().flatten().collect()
}

/// What the fallback would mean for the record now.
fn gate(site: &Site, lane: &Lane, now: Moment) -> String {
    let ready = site.fallback.readiness(lane.record_type(), &site.setup, now);
    match (lane.side(), ready) {
        (Side::Fallback, Readiness::Ready(_)) => {
            "the fallback is good: visitors stay there until a node comes back".to_owned()
        }
        (Side::Fallback, Readiness::NotReady(why)) => {
            format!("the fallback is not known to be good ({why}): a node comes back as soon as it is steady")
        }
        (Side::Home | Side::Undecided, Readiness::Ready(set)) => {
            format!(
                "without any node left the record becomes the fallback's, which is known to be good: {set}"
            )
        }
        (Side::Home | Side::Undecided, Readiness::NotReady(why)) => {
            format!("without any node left the record stays: the fallback is not known to be good ({why})")
        }
    }
}

/// How many returns there may be, and from when there may be more.
fn budget(site: &Site, lane: &Lane, now: Moment) -> Option<String> {
    let policy = &site.setup.policy;
    let (left, span) = (lane.returns_left(now, policy), words(policy.budget_span));
    let eases = lane.budget_eases(now, policy)?;
    Some(format!(
        "{left} of {} returns within {span} are left; the next is free in {}",
        policy.returns,
        words(eases - now)
    ))
}
