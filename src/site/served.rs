//! The sites as the server sees them: which there are, and which of them a host is answered with.
//!
//! Never decides what an answer is: it finds the site, and [`reply`](super::reply) the answer.

use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::watch;

use super::Rules;
use super::host::Hosts;
use super::large::Large;
use super::load::Current;
use super::log::AccessLog;
use super::serve::{WallClock, WellKnown};

/// A listener, and the sites that are answered there.
#[derive(Debug)]
pub struct Door {
    /// Where connections come in; whoever calls has bound it.
    pub listener: TcpListener,
    /// The numbers of the sites: at least one.
    pub sites: Vec<usize>,
}

/// One site.
#[derive(Clone, Debug)]
pub struct SharedSite {
    /// How a path becomes an answer.
    pub rules: Rules,
    /// The current generation.
    pub current: watch::Receiver<Current>,
    /// Reads what the generation does not hold.
    pub large: Large,
    /// One line for each answer.
    pub log: AccessLog,
}

/// What is answered at one door.
#[derive(Clone)]
pub struct Served {
    /// The hosts that are answered here, each with the number of its site.
    pub hosts: Hosts,
    /// All sites, in the order of their numbers; also those that are answered at other doors alone.
    pub sites: Arc<[SharedSite]>,
    /// The number of the site whose log takes what no site was asked for.
    pub first: usize,
    /// What is answered before the sites.
    pub well_known: WellKnown,
    /// For `Expires` and the log.
    pub now: WallClock,
}

impl Served {
    /// The site with this number, which came from [`hosts`](Self::hosts).
    #[must_use]
    pub fn site(&self, number: usize) -> &SharedSite {
        &self.sites[number]
    }
}
