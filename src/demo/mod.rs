//! `hearth demo`: the whole system on one machine, over real sockets on loopback, without root and without accounts.
//!
//! Two agents and a watcher run as real processes, so that "kill" is SIGKILL and "hang" is SIGSTOP. Everything that
//! they would meet outside is here: an authoritative name server ([`zone`]), a stand-in for GitHub Pages ([`pages`]),
//! a home router for each Pi ([`router`]), services that tell an address ([`echo`]) and, where HTTPS is wanted, a
//! certificate authority ([`authority`]). [`outside`] looks at the site
//! the way a visitor does; [`script`] plays an outage and checks every step with it; [`view`] draws a [`picture`] of
//! it all.
//!
//! The demo's processes end with it, also when it is killed: each asks the kernel for that before it becomes a role
//! ([`process`]). What a killed demo leaves behind is its directory below the temporary one.
//!
//! Never leaves loopback, and ends only the processes that it started.

pub mod act;
pub mod authority;
pub mod config;
pub mod echo;
pub mod http;
pub mod observe;
pub mod outside;
pub mod pages;
pub mod picture;
pub mod port;
pub mod process;
pub mod router;
pub mod script;
pub mod site;
pub mod system;
pub mod told;
pub mod view;
pub mod world;
pub mod zone;

use std::net::Ipv4Addr;

/// The zone of the demo. `.test` never leaves a laboratory (RFC 6761 section 6.2).
pub const ZONE: &str = "hearth.test";

/// The name of the site.
pub const SITE: &str = "www.hearth.test";

/// The name of the fallback.
pub const PAGES: &str = "pages.hearth.test";

/// The public address of the stand-in for GitHub Pages.
pub const PAGES_ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 21);

/// The address of the watcher, on some machine elsewhere.
pub const WATCHER_ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 31);

/// One of the two Pis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pi {
    /// `pi1`.
    One,
    /// `pi2`.
    Two,
}

impl Pi {
    /// Both.
    pub const BOTH: [Pi; 2] = [Pi::One, Pi::Two];

    /// What the node is called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Pi::One => "pi1",
            Pi::Two => "pi2",
        }
    }

    /// The address of its router, by which the world knows it.
    #[must_use]
    pub const fn public(self) -> Ipv4Addr {
        match self {
            Pi::One => Ipv4Addr::new(127, 0, 0, 11),
            Pi::Two => Ipv4Addr::new(127, 0, 0, 12),
        }
    }

    /// Its own address behind the router, where nobody outside looks.
    #[must_use]
    pub const fn private(self) -> Ipv4Addr {
        match self {
            Pi::One => Ipv4Addr::new(127, 0, 0, 111),
            Pi::Two => Ipv4Addr::new(127, 0, 0, 112),
        }
    }
}
