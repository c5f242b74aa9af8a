//! The sites as the server sees them: which there are, and which of them a host is answered with.
//!
//! Never decides what an answer is: it finds the site, and [`reply`](super::reply) the answer.

use std::sync::Arc;

use hyper::header::HeaderValue;
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::Rules;
use super::generation::Current;
use super::host::{Hosts, Scheme};
use super::large::Large;
use super::log::AccessLog;
use super::serve::{WallClock, WellKnown};
use crate::tls::Shelf;
use crate::tls::settings::Redirect;

/// A listener, and the sites that are answered there.
#[derive(Debug)]
pub struct Door {
    /// Where connections come in; whoever calls has bound it.
    pub listener: TcpListener,
    /// The numbers of the sites: at least one.
    pub sites: Vec<usize>,
    /// What is spoken there.
    pub scheme: Scheme,
}

/// What a site says of HTTPS.
#[derive(Clone, Debug, Default)]
pub struct Https {
    /// Whether who comes without it is sent there.
    pub redirect: Redirect,
    /// `Strict-Transport-Security` for who comes with it (RFC 6797 section 6.1).
    pub hsts: Option<HeaderValue>,
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
    /// What it says of HTTPS.
    pub https: Https,
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
    /// What connections are opened with. None: they are plain.
    pub tls: Option<Arc<ServerConfig>>,
    /// The certificates that there are, and what authorities are answered.
    pub shelf: Arc<Shelf>,
    /// For `Expires` and the log.
    pub now: WallClock,
}

impl Served {
    /// What is spoken at the door.
    #[must_use]
    pub const fn scheme(&self) -> Scheme {
        if self.tls.is_some() { Scheme::Https } else { Scheme::Http }
    }

    /// The site with this number, which came from [`hosts`](Self::hosts).
    #[must_use]
    pub fn site(&self, number: usize) -> &SharedSite {
        &self.sites[number]
    }
}
