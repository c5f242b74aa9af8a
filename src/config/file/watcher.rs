//! What is written about the watcher: `[watcher]`, `[[watch]]`, `[[peer]]`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use super::agent::WatcherPin;
use super::fallback::Fallback;
use super::notify::{Notify, Ping};
use super::policy::PolicyChoice;
use super::tls::WatcherTls;
use crate::config::endpoint::Reference;
use crate::config::secret::SecretSource;
use crate::config::value::{At, PagePath};
use crate::config::{PageAccess, PeerRole};
use crate::dns::{Name, Ttl};
use crate::failover::Shape;
use crate::heartbeat::NodeName;
use crate::heartbeat::seal::VerifyingKey;
use crate::probe::Scheme;

/// Where a watcher keeps what it must remember.
pub(crate) const STATE: &str = "/var/lib/hearth-watcher";

/// `[watcher]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "the table [watcher]")]
pub(crate) struct Watcher {
    /// `decider` (default), or `witness`: it looks at what the decider asks for, says what it saw, and writes nothing.
    pub(crate) mode: Option<Spanned<Mode>>,
    /// Of a witness: the watcher that decides. Required there.
    pub(crate) decider: Option<Spanned<WatcherPin>>,
    /// Of a witness: between two beats to the decider. Default: `10s`.
    pub(crate) every: Option<At<Duration>>,
    /// What it signs ownership marks with. Default: `watcher`.
    pub(crate) name: Option<At<NodeName>>,
    /// Where beats and the status page are taken. Default: `["[::]:8443"]`.
    pub(crate) listen: Option<Spanned<Vec<At<SocketAddr>>>>,
    /// `[watcher.tls]`: HTTPS in the place of HTTP. Without it: plain HTTP.
    pub(crate) tls: Option<Spanned<WatcherTls>>,
    /// Where it keeps what it must remember. Default: `/var/lib/hearth-watcher`.
    pub(crate) state: Option<PathBuf>,
    /// The private key that `hearth key new` made. Required.
    pub(crate) key: Spanned<SecretSource>,
    /// The socket that `hearth failover` asks. Default: `/run/hearth/watcher.sock`.
    pub(crate) control: Option<PathBuf>,
    /// A file with the root of the private authority that the sites' certificates are from, PEM. Default: the roots that
    /// browsers trust.
    pub(crate) ca: Option<Spanned<PathBuf>>,
    /// What is up whenever the Internet is: URLs or host:port. Default: none, and a warning.
    #[serde(default)]
    pub(crate) references: Vec<At<Reference>>,
    /// Who may see the status page: `public` (default), `token` or `off`.
    pub(crate) page: Option<Spanned<PageAccess>>,
    /// The source of the token that opens the page, and overrides over HTTP. Default: none, and no overrides there.
    pub(crate) token: Option<Spanned<SecretSource>>,
    /// Whom it tells what happened, and how. Default: nobody.
    #[serde(default)]
    pub(crate) notify: Vec<Spanned<Notify>>,
    /// The ping by which somebody else notices that this watcher is gone. Default: none.
    pub(crate) ping: Option<Ping>,
}

/// `mode = …` of a watcher.
#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Mode {
    /// It writes the records of sites.
    #[default]
    Decider,
    /// It looks, and tells the decider.
    Witness,
}

/// `[[watch]]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "a table [[watch]]")]
pub(crate) struct Watch {
    /// The name that visitors use, in the zone of its provider. Required.
    pub(crate) site: At<Name>,
    /// The name of a `[provider.…]`. Required.
    pub(crate) provider: At<String>,
    /// What kind of record: `address` (default) or `cname`.
    pub(crate) record: Option<Spanned<Shape>>,
    /// The GeoDNS lines that this writer owns, by the provider's ids. Default: the line for everybody.
    pub(crate) lines: Option<Spanned<Vec<At<String>>>>,
    /// The nodes that serve the site, each of them a `[[peer]]`. Required, at least one.
    pub(crate) nodes: Spanned<Vec<At<NodeName>>>,
    /// Where visitors go when no node is up. Required.
    pub(crate) fallback: Spanned<Fallback>,
    /// `fast`, `steady` (default) or `calm`, or a table of single values.
    pub(crate) policy: Option<PolicyChoice>,
    /// Default: `60s`.
    pub(crate) ttl: Option<At<Ttl>>,
    /// The page that probes ask for. Default: `/`.
    pub(crate) page: Option<At<PagePath>>,
    /// A text that the page must contain. Default: the status alone counts.
    pub(crate) contains: Option<At<String>>,
    /// `http` (default) or `https`.
    pub(crate) scheme: Option<Scheme>,
    /// Default: 80 for http, 443 for https.
    pub(crate) port: Option<Spanned<u16>>,
    /// For demonstrations only: every span of the policy this many times shorter, from 1 to 1000. Default: 1.
    pub(crate) speed: Option<Spanned<f64>>,
}

/// `[[peer]]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "a table [[peer]]")]
pub(crate) struct Peer {
    /// The node's name. Required.
    pub(crate) name: At<NodeName>,
    /// Its public key, as `hearth key show` prints it. Required.
    pub(crate) public_key: At<VerifyingKey>,
    /// `node` (default), or `witness`: a second watcher, which looks at all sites for this one.
    pub(crate) role: Option<PeerRole>,
    /// The DNS name that the node keeps; required where a `cname` watch lists it.
    pub(crate) host: Option<At<Name>>,
}
