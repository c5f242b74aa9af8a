//! What is written in `hearth.toml`: one struct for each table, one field for each key, each with its default.
//!
//! Never says what it means together: a name that is used twice or not at all is found by the modules beside this
//! one. Relative paths start at the directory of the configuration file. No `tag`, `flatten` or `untagged`: they lose
//! the place of a mistake.

pub(super) mod address;
pub(super) mod agent;
pub(super) mod fallback;
pub(super) mod gluster;
pub(super) mod hook;
pub(super) mod leds;
pub(super) mod mount;
pub(super) mod notify;
pub(super) mod pi;
pub(super) mod policy;
pub(super) mod provider;
pub(super) mod site;
pub(super) mod tls;
pub(super) mod watcher;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;

use self::address::Address;
use self::agent::{Heartbeat, Node, Record};
use self::gluster::Gluster;
use self::hook::Hook;
use self::leds::Leds;
use self::mount::Mount;
use self::pi::Pi;
use self::provider::Provider;
use self::site::Sites;
use self::watcher::{Peer, Watch, Watcher};

/// The whole file. `[node]` makes it an agent's, `[watcher]` a watcher's; it can be both.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct File {
    /// A file with more sites, records and watches, on a volume that several machines share. Default: none.
    pub(super) include: Option<Spanned<PathBuf>>,
    /// Who this node is. Without it: no agent.
    pub(super) node: Option<Spanned<Node>>,
    /// What the Pi itself is told to be; only the flashable image acts on it. Without it: the defaults of its keys.
    pub(super) pi: Option<Pi>,
    /// The volume that two nodes share. Without it: `hearth gluster` needs to be told.
    pub(super) gluster: Option<Spanned<Gluster>>,
    /// The site that the agent serves, or the sites: `[site]` or `[[site]]`. Without it: the agent serves none.
    #[serde(default)]
    pub(super) site: Sites,
    /// The mounts that the agent looks after; none by default.
    #[serde(default)]
    pub(super) mount: Vec<Spanned<Mount>>,
    /// How the agent finds its public address. Without it: the defaults of its keys.
    pub(super) address: Option<Spanned<Address>>,
    /// The DNS names that the agent keeps pointed at itself; none by default.
    #[serde(default)]
    pub(super) record: Vec<Spanned<Record>>,
    /// The DNS providers, by a name of one's own.
    #[serde(default)]
    pub(super) provider: BTreeMap<Spanned<String>, Spanned<Provider>>,
    /// Whom the agent beats to. Without it: nobody.
    pub(super) heartbeat: Option<Spanned<Heartbeat>>,
    /// What the agent does after a change; nothing by default.
    #[serde(default)]
    pub(super) hook: Vec<Spanned<Hook>>,
    /// The LEDs. Without it: none.
    pub(super) leds: Option<Spanned<Leds>>,
    /// The watcher itself. Without it: no watcher.
    pub(super) watcher: Option<Spanned<Watcher>>,
    /// The sites that the watcher writes the record of.
    #[serde(default)]
    pub(super) watch: Vec<Spanned<Watch>>,
    /// The nodes that may beat to the watcher.
    #[serde(default)]
    pub(super) peer: Vec<Spanned<Peer>>,
}

impl File {
    /// The directory for what must be remembered: the agent's, or the watcher's when there is no agent.
    pub(super) fn state(&self) -> &Path {
        let node = self.node.as_ref().map(Spanned::get_ref);
        let watcher = self.watcher.as_ref().map(Spanned::get_ref);
        match (node, watcher) {
            (None, Some(watcher)) => watcher.state.as_deref().unwrap_or(Path::new(watcher::STATE)),
            (node, _) => node.and_then(|node| node.state.as_deref()).unwrap_or(Path::new(agent::STATE)),
        }
    }
}
