//! What is written in `hearth.toml`: one struct for each table, one field for each key, each with its default.
//!
//! Never says what it means together: a name that is used twice or not at all is found by the modules beside this
//! one. Relative paths start at the directory of the configuration file. No `tag`, `flatten` or `untagged`: they lose
//! the place of a mistake.

pub(super) mod address;
pub(super) mod agent;
pub(super) mod leds;
pub(super) mod policy;
pub(super) mod provider;
pub(super) mod site;
pub(super) mod watcher;

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use self::address::Address;
use self::agent::{Heartbeat, Node, Record};
use self::leds::Leds;
use self::provider::Provider;
use self::site::Site;
use self::watcher::{Peer, Watch, Watcher};

/// The whole file. `[node]` makes it an agent's, `[watcher]` a watcher's; it can be both.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct File {
    /// Who this node is. Without it: no agent.
    pub(super) node: Option<Spanned<Node>>,
    /// The site that the agent serves. Without it: the agent serves none.
    pub(super) site: Option<Spanned<Site>>,
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
