//! What is written about the node itself: `[node]`, `[[record]]`, `[heartbeat]`.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use super::fallback::Fallback;
use crate::address::{Family, Suffix};
use crate::config::Hairpin;
use crate::config::endpoint::WebUrl;
use crate::config::secret::SecretSource;
use crate::config::value::{At, PagePath};
use crate::dns::{Name, Ttl};
use crate::heartbeat::NodeName;
use crate::heartbeat::seal::VerifyingKey;
use crate::probe::Scheme;

/// Where an agent keeps what it must remember.
pub(crate) const STATE: &str = "/var/lib/hearth";

/// `[node]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "the table [node]")]
pub(crate) struct Node {
    /// What the node is called: one DNS label. Required.
    pub(crate) name: At<NodeName>,
    /// The private key that `hearth key new` made. Required.
    pub(crate) key: Spanned<SecretSource>,
    /// Where the agent keeps what it must remember. Default: `/var/lib/hearth`.
    pub(crate) state: Option<PathBuf>,
    /// The socket that `hearth status` asks. Default: `/run/hearth/agent.sock`.
    pub(crate) control: Option<PathBuf>,
}

/// `[heartbeat]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "the table [heartbeat]")]
pub(crate) struct Heartbeat {
    /// Between two beats. Default: `10s`.
    pub(crate) every: Option<At<Duration>>,
    /// The watchers. Required, at least one.
    pub(crate) watchers: Spanned<Vec<WatcherPin>>,
    /// The sites whose visitors may be sent back to this node when no watcher answers any more. Default: none.
    #[serde(default)]
    pub(crate) fail_back: Vec<Spanned<FailBack>>,
}

/// `[[heartbeat.fail-back]]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "a table [[heartbeat.fail-back]]")]
pub(crate) struct FailBack {
    /// The name that visitors use; this node serves it, and it lies in the provider's zone. Required.
    pub(crate) site: At<Name>,
    /// The name of a `[provider.…]` that may write it. Required.
    pub(crate) provider: At<String>,
    /// The fallback, as the watcher has it: a record that leads anywhere else is left alone. Required.
    pub(crate) fallback: Spanned<Fallback>,
    /// What the watcher signs its marks with (`name` in its file). Default: `watcher`.
    pub(crate) watcher: Option<At<NodeName>>,
    /// No watcher has answered for this long. Default: `15m`.
    pub(crate) after: Option<At<Duration>>,
    /// Whether the node has to reach itself at its public address first. Default: `required`.
    pub(crate) hairpin: Option<Hairpin>,
    /// Default: `60s`.
    pub(crate) ttl: Option<At<Ttl>>,
    /// How visitors ask: `http` (default) or `https`.
    pub(crate) scheme: Option<Scheme>,
    /// On which port. Default: 80 for http, 443 for https.
    pub(crate) port: Option<Spanned<u16>>,
    /// The page that the node asks itself for. Default: `/`.
    pub(crate) page: Option<At<PagePath>>,
}

/// One of `watchers = [{ … }]`
#[derive(Deserialize)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    expecting = "{ url = \"…\", public-key = \"ed25519:…\" }"
)]
pub(crate) struct WatcherPin {
    /// The base of the watcher's URL. Required.
    pub(crate) url: At<WebUrl>,
    /// Its public key, as `hearth key show` prints it. Required.
    pub(crate) public_key: At<VerifyingKey>,
    /// A file with the root of the private authority that its certificate is from, or those of the sites that it asks to
    /// look at, PEM; trusted in a look of `[[heartbeat.fail-back]]`, too. Default: the roots that browsers trust.
    pub(crate) ca: Option<Spanned<PathBuf>>,
}

/// `[[record]]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "a table [[record]]")]
pub(crate) struct Record {
    /// The name, in the zone of its provider. Required.
    pub(crate) name: At<Name>,
    /// The name of a `[provider.…]`. Required.
    pub(crate) provider: At<String>,
    /// Default: `10m`.
    pub(crate) ttl: Option<At<Ttl>>,
    /// The families that are published. Default: all of `[address]`, or IPv6 alone with a `suffix`.
    pub(crate) families: Option<Spanned<Vec<Spanned<Family>>>>,
    /// For a name of another machine on the LAN: the end of its IPv6 address, which follows this node's prefix of 64 bits,
    /// or of as many as are written behind a slash. Default: the name is this node's own.
    pub(crate) suffix: Option<At<Suffix>>,
    /// The GeoDNS lines that are this node's, by the provider's ids. Default: the line for everybody.
    pub(crate) lines: Option<Spanned<Vec<At<String>>>>,
}
