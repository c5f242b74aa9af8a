//! The last weeks of every site and node as spans: when it was well, when it was not, and when nobody looked. PURE.
//!
//! What it learns are snapshots; what it keeps are the moments at which one differs from the one before it, so a month
//! of calm is one span. Never says more than was seen: a time in which the watcher did not run is in no span.

pub(super) mod keep;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::dns::Name;
use crate::failover::view::{NodeStatus, SiteStatus, WatcherStatus};
use crate::heartbeat::NodeName;
use crate::liveness::Health;

/// How far back it goes: 30 whole days, and the one that is under way.
pub const REACH_MS: u64 = 31 * DAY_MS;

/// One day in milliseconds.
pub const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Two snapshots that lie further apart than this have a time between them in which nobody looked.
const GAP_MS: u64 = 60_000;

/// How many spans of one track are kept: one that turns every five minutes for a week keeps that week.
const MOST: usize = 2_000;

/// How a site or a node stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// A site: its record leads to all its nodes. A node: it is up.
    Well,
    /// A site: its record leads to some of its nodes. A node: it answers again, and has to go on for a while.
    Reduced,
    /// A site: its record leads to the fallback. A node: it said that it was leaving.
    Away,
    /// A site: nobody answers where its record leads. A node: it is down.
    Dark,
    /// The watcher was cut off, or did not know enough yet.
    Blind,
}

impl Standing {
    /// How a site stands. None: as before.
    fn of_site(status: &WatcherStatus, site: &SiteStatus) -> Self {
        let published = || site.nodes.iter().filter(|node| node.published);
        let count = published().count();
        match () {
            () if is_blind(status) || site.in_force.is_empty() => Standing::Blind,
            () if site.on_fallback => Standing::Away,
            () if count == 0 => Standing::Blind,
            () if published().all(|node| node.health.is_down()) => Standing::Dark,
            () if count < site.nodes.len() => Standing::Reduced,
            () => Standing::Well,
        }
    }

    /// How a node stands. None: one failed look is neither up nor down; it stands as before.
    fn of_node(status: &WatcherStatus, node: &NodeStatus) -> Option<Self> {
        Some(match node.health {
            _ if is_blind(status) => Standing::Blind,
            Health::Up | Health::Degraded => Standing::Well,
            Health::Recovering => Standing::Reduced,
            Health::Draining => Standing::Away,
            Health::DownHard | Health::DownGray => Standing::Dark,
            Health::Unknown => Standing::Blind,
            Health::Suspect => return None,
        })
    }
}

fn is_blind(status: &WatcherStatus) -> bool {
    status.isolated_for_ms.is_some() || status.warming_up_for_ms.is_some()
}

/// A time in which something stood in one way. Milliseconds since 1970, by the watcher's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// From when.
    pub from_ms: u64,
    /// Until when. None: it still does, as far as was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_ms: Option<u64>,
    /// How.
    pub standing: Standing,
}

/// The spans of one site or node, the oldest first. They do not overlap.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Track(Vec<Span>);

/// One site.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteHistory {
    /// Where its record led.
    pub record: Track,
    /// Its nodes.
    pub nodes: BTreeMap<NodeName, Track>,
}

/// Something that stands otherwise than before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// The site.
    pub site: Name,
    /// The node; None: the site itself.
    pub node: Option<NodeName>,
    /// How it stood when it was last known.
    pub from: Standing,
    /// How it stands.
    pub to: Standing,
    /// For how long it had stood otherwise than well, in milliseconds; zero when it had been well.
    pub after_ms: u64,
}

/// The last weeks. Clones share what they hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    seen_ms: u64,
    #[serde(serialize_with = "shared", deserialize_with = "owned")]
    sites: Arc<BTreeMap<Name, SiteHistory>>,
}

fn shared<S: Serializer>(sites: &Arc<BTreeMap<Name, SiteHistory>>, to: S) -> Result<S::Ok, S::Error> {
    sites.as_ref().serialize(to)
}

fn owned<'de, D: Deserializer<'de>>(from: D) -> Result<Arc<BTreeMap<Name, SiteHistory>>, D::Error> {
    BTreeMap::deserialize(from).map(Arc::new)
}

impl History {
    /// Until when it has seen, in milliseconds since 1970.
    #[must_use]
    pub fn seen_ms(&self) -> u64 {
        self.seen_ms
    }

    /// One site.
    #[must_use]
    pub fn site(&self, site: &Name) -> Option<&SiteHistory> {
        self.sites.get(site)
    }

    /// Takes in how everything stands at `wall_ms`; what stands otherwise than before. A clock that was set back adds
    /// nothing until it is where it was.
    pub fn see(&mut self, wall_ms: u64, status: &WatcherStatus) -> Vec<Turn> {
        if wall_ms < self.seen_ms {
            return Vec::new();
        }
        let news = self.news(status, wall_ms);
        let mut turns = Vec::new();
        if !news.is_empty() || wall_ms - self.seen_ms > GAP_MS {
            let seen_ms = self.seen_ms;
            let sites = Arc::make_mut(&mut self.sites);
            if wall_ms - seen_ms > GAP_MS {
                tracks(sites).for_each(|track| track.close(seen_ms));
            }
            sites.retain(|name, _| status.sites.iter().any(|site| site.site == *name));
            for (site, node, standing) in news {
                let known = sites.entry(site.clone()).or_default();
                let track = match &node {
                    None => &mut known.record,
                    Some(node) => known.nodes.entry(node.clone()).or_default(),
                };
                turns.extend(track.turn(wall_ms, standing).map(|(from, after_ms)| Turn {
                    site,
                    node,
                    from,
                    to: standing,
                    after_ms,
                }));
            }
            tracks(sites).for_each(|track| track.forget(wall_ms.saturating_sub(REACH_MS)));
        }
        self.seen_ms = wall_ms;
        turns
    }

    /// What stands otherwise than the tracks say, or is not in them.
    fn news(&self, status: &WatcherStatus, wall_ms: u64) -> Vec<(Name, Option<NodeName>, Standing)> {
        let stale = wall_ms - self.seen_ms > GAP_MS;
        let mut news = Vec::new();
        for site in &status.sites {
            let known = self.sites.get(&site.site);
            let record = Standing::of_site(status, site);
            if stale || known.and_then(|known| known.record.open()) != Some(record) {
                news.push((site.site.clone(), None, record));
            }
            for node in &site.nodes {
                let open = known.and_then(|known| known.nodes.get(&node.node)?.open());
                let standing = Standing::of_node(status, node).or(open).unwrap_or(Standing::Blind);
                if stale || open != Some(standing) {
                    news.push((site.site.clone(), Some(node.node.clone()), standing));
                }
            }
        }
        news
    }
}

fn tracks(sites: &mut BTreeMap<Name, SiteHistory>) -> impl Iterator<Item = &mut Track> {
    sites.values_mut().flat_map(|site| std::iter::once(&mut site.record).chain(site.nodes.values_mut()))
}

impl Track {
    /// The spans, each with its end: of one that is open it is `until_ms`.
    pub fn spans(&self, until_ms: u64) -> impl Iterator<Item = (u64, u64, Standing)> {
        self.0.iter().map(move |span| (span.from_ms, span.to_ms.unwrap_or(until_ms), span.standing))
    }

    fn open(&self) -> Option<Standing> {
        self.0.last().filter(|span| span.to_ms.is_none()).map(|span| span.standing)
    }

    fn close(&mut self, at_ms: u64) {
        if let Some(span) = self.0.last_mut().filter(|span| span.to_ms.is_none()) {
            span.to_ms = Some(at_ms.max(span.from_ms));
        }
    }

    /// Begins a span; how it stood when that was last known, and for how long not well, when that is another.
    fn turn(&mut self, wall_ms: u64, standing: Standing) -> Option<(Standing, u64)> {
        let known = |span: &&Span| span.standing != Standing::Blind;
        let before = self.0.iter().rev().find(known).map(|span| span.standing);
        let ill = self.0.iter().rev().take_while(|span| span.standing != Standing::Well);
        let ill_since = ill.filter(known).last().map_or(wall_ms, |span| span.from_ms);
        self.close(wall_ms);
        self.0.push(Span { from_ms: wall_ms, to_ms: None, standing });
        let turned = before.filter(|before| *before != standing && standing != Standing::Blind)?;
        Some((turned, wall_ms.saturating_sub(ill_since)))
    }

    /// Forgets what was over by then, and the oldest of too many.
    fn forget(&mut self, before_ms: u64) {
        let surplus = self.0.len().saturating_sub(MOST);
        let mut place = 0..;
        self.0.retain(|span| {
            place.next().is_some_and(|i| i >= surplus) && span.to_ms.is_none_or(|to| to >= before_ms)
        });
    }
}

#[cfg(test)]
mod tests;
