//! What is written in `hearth.toml`: one struct for each table, one field for each key, each with its default.
//!
//! Never says what it means together: a name that is used twice or not at all is found by the modules beside this
//! one. Relative paths start at the directory of the configuration file. No `tag`, `flatten` or `untagged`: they lose
//! the place of a mistake.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use toml::Spanned;

use super::endpoint::{Host, NameServer, Reference, UpdateServer, WebUrl};
use super::secret::SecretSource;
use super::value::{At, PagePath, Size};
use crate::address::{Family, Network};
use crate::dns::provider::{Marks, TsigAlgorithm};
use crate::dns::{Name, Ttl};
use crate::failover::Shape;
use crate::heartbeat::NodeName;
use crate::heartbeat::seal::VerifyingKey;
use crate::leds::LedPreset;
use crate::policy::Profile;
use crate::probe::Scheme;
use crate::site::Rules;
use crate::site::log::LogFormat;

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

/// `[node]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "the table [node]")]
pub(super) struct Node {
    /// What the node is called: one DNS label. Required.
    pub(super) name: At<NodeName>,
    /// The private key that `hearth key new` made. Required.
    pub(super) key: Spanned<SecretSource>,
    /// Where the agent keeps what it must remember. Default: `/var/lib/hearth`.
    pub(super) state: Option<PathBuf>,
    /// The socket that `hearth status` asks. Default: `/run/hearth/agent.sock`.
    pub(super) control: Option<PathBuf>,
}

/// `[site]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "the table [site]")]
pub(super) struct Site {
    /// The values of Host that are answered; others get 421. Required, at least one.
    pub(super) hosts: Spanned<Vec<At<Host>>>,
    /// The directory or mount that holds the site. Required.
    pub(super) root: PathBuf,
    /// How a path becomes an answer: `github-pages` (default), `spa` or `files`.
    pub(super) rules: Option<Rules>,
    /// Where to listen. Default: `["[::]:80"]`.
    pub(super) listen: Option<Spanned<Vec<At<SocketAddr>>>>,
    /// How much content may be held in memory. Default: `64MiB`.
    pub(super) memory: Option<At<Size>>,
    /// Where the last good copy is kept. Default: nowhere.
    pub(super) keep: Option<PathBuf>,
    /// Between two looks at the root. Default: `2s`.
    pub(super) poll: Option<At<Duration>>,
    /// `[site.log]`: the access log. Without it: none.
    pub(super) log: Option<Spanned<SiteLog>>,
}

/// `[site.log]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "the table [site.log]")]
pub(super) struct SiteLog {
    /// `combined` (default), `json` or `none`.
    pub(super) format: Option<LogFormat>,
    /// The file, on local storage. Default: the log of the process, which is the journal under systemd.
    pub(super) file: Option<PathBuf>,
}

/// `[address]`
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "the table [address]")]
pub(super) struct Address {
    /// The families that are published. Default: `["ipv4", "ipv6"]`.
    pub(super) families: Option<Spanned<Vec<Spanned<Family>>>>,
    /// Between two rounds of questions. Default: `5m`.
    pub(super) every: Option<At<Duration>>,
    /// The local address that questions are sent from. Default: what the system chooses.
    pub(super) bind: Option<At<IpAddr>>,
    /// Networks that may be published although they are not global. Default: none.
    #[serde(default)]
    pub(super) admit: Vec<At<Network>>,
    /// `[[address.source]]`: whom to ask. Default: the interfaces and echo services of four operators.
    #[serde(default)]
    pub(super) source: Vec<Spanned<AddressSource>>,
}

/// `[[address.source]]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "a table [[address.source]]")]
pub(super) struct AddressSource {
    /// `interface` or `https`. Required.
    pub(super) kind: SourceKind,
    /// For `https`, required: the page that answers with the address it was asked from.
    pub(super) url: Option<At<WebUrl>>,
    /// For `https`, required: who runs it; sources of one operator have one vote.
    pub(super) operator: Option<At<String>>,
    /// For `https`: the key of the line that holds the address. Default: the whole body is the address.
    pub(super) key: Option<At<String>>,
}

/// What kind of source.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum SourceKind {
    /// The addresses of this machine's interfaces.
    Interface,
    /// A web page that echoes.
    Https,
}

/// `[[record]]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "a table [[record]]")]
pub(super) struct Record {
    /// The name, in the zone of its provider. Required.
    pub(super) name: At<Name>,
    /// The name of a `[provider.…]`. Required.
    pub(super) provider: At<String>,
    /// Default: `10m`.
    pub(super) ttl: Option<At<Ttl>>,
    /// The families that are published. Default: all of `[address]`.
    pub(super) families: Option<Spanned<Vec<Spanned<Family>>>>,
}

/// `[provider.NAME]`: one plain struct for every kind, so that mistakes keep their place.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "a table [provider.…]")]
pub(super) struct Provider {
    /// What kind. Required; `rfc2136` is the one that is built.
    pub(super) kind: ProviderKind,
    /// The primary server. Required; the port is 53 unless written.
    pub(super) server: Option<At<UpdateServer>>,
    /// The zone. Required.
    pub(super) zone: Option<At<Name>>,
    /// The TSIG key. Required.
    pub(super) key: Option<TsigKey>,
    /// Every authoritative server, asked after a change. Default: found by the zone's NS records.
    #[serde(default)]
    pub(super) name_servers: Vec<At<NameServer>>,
    /// Where it is noted whose a record is: `txt` (default) or `off`.
    pub(super) marks: Option<Marks>,
}

/// The kinds of provider that this version has.
#[derive(Clone, Copy, Deserialize)]
pub(super) enum ProviderKind {
    /// RFC 2136 updates, signed with TSIG.
    #[serde(rename = "rfc2136")]
    Rfc2136,
}

/// `key = { … }` of a provider.
#[derive(Deserialize)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    expecting = "{ name = \"…\", secret = { file = \"…\" } }"
)]
pub(super) struct TsigKey {
    /// Its name, as the server knows it. Required.
    pub(super) name: At<Name>,
    /// Default: `hmac-sha256`.
    pub(super) algorithm: Option<TsigAlgorithm>,
    /// The shared secret, in base64. Required.
    pub(super) secret: Spanned<SecretSource>,
}

/// `[heartbeat]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "the table [heartbeat]")]
pub(super) struct Heartbeat {
    /// Between two beats. Default: `10s`.
    pub(super) every: Option<At<Duration>>,
    /// The watchers. Required, at least one.
    pub(super) watchers: Spanned<Vec<WatcherPin>>,
}

/// One of `watchers = [{ … }]`
#[derive(Deserialize)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    expecting = "{ url = \"…\", public-key = \"ed25519:…\" }"
)]
pub(super) struct WatcherPin {
    /// The base of the watcher's URL. Required.
    pub(super) url: At<WebUrl>,
    /// Its public key, as `hearth key show` prints it. Required.
    pub(super) public_key: At<VerifyingKey>,
}

/// `[leds]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "the table [leds]")]
pub(super) struct Leds {
    /// `terminal` or `off` (default).
    pub(super) preset: Option<LedPreset>,
}

/// `[watcher]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "the table [watcher]")]
pub(super) struct Watcher {
    /// What it signs ownership marks with. Default: `watcher`.
    pub(super) name: Option<At<NodeName>>,
    /// Where beats and the status page are taken. Default: `["[::]:8443"]`.
    pub(super) listen: Option<Spanned<Vec<At<SocketAddr>>>>,
    /// Where it keeps what it must remember. Default: `/var/lib/hearth-watcher`.
    pub(super) state: Option<PathBuf>,
    /// The private key that `hearth key new` made. Required.
    pub(super) key: Spanned<SecretSource>,
    /// The socket that `hearth failover` asks. Default: `/run/hearth/watcher.sock`.
    pub(super) control: Option<PathBuf>,
    /// What is up whenever the Internet is: URLs or host:port. Default: none, and a warning.
    #[serde(default)]
    pub(super) references: Vec<At<Reference>>,
}

/// `[[watch]]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "a table [[watch]]")]
pub(super) struct Watch {
    /// The name that visitors use, in the zone of its provider. Required.
    pub(super) site: At<Name>,
    /// The name of a `[provider.…]`. Required.
    pub(super) provider: At<String>,
    /// What kind of record: `address` (default) or `cname`.
    pub(super) record: Option<Spanned<Shape>>,
    /// The GeoDNS lines that this writer owns. Default: `["0"]`, the line for everybody.
    pub(super) lines: Option<Spanned<Vec<At<String>>>>,
    /// The nodes that serve the site, each of them a `[[peer]]`. Required, at least one.
    pub(super) nodes: Spanned<Vec<At<NodeName>>>,
    /// Where visitors go when no node is up. Required.
    pub(super) fallback: Spanned<Fallback>,
    /// `fast`, `steady` (default) or `calm`, or a table of single values.
    pub(super) policy: Option<PolicyChoice>,
    /// Default: `60s`.
    pub(super) ttl: Option<At<Ttl>>,
    /// The page that probes ask for. Default: `/`.
    pub(super) page: Option<At<PagePath>>,
    /// A text that the page must contain. Default: the status alone counts.
    pub(super) contains: Option<At<String>>,
    /// `http` (default) or `https`.
    pub(super) scheme: Option<Scheme>,
    /// Default: 80 for http, 443 for https.
    pub(super) port: Option<Spanned<u16>>,
    /// For demonstrations only: every span of the policy this many times shorter, from 1 to 1000. Default: 1.
    pub(super) speed: Option<Spanned<f64>>,
}

/// `fallback = { … }`: GitHub Pages by the user's name there, or any other place by its addresses.
#[derive(Deserialize)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    expecting = "{ github-pages = \"user.github.io\" } or { addresses = [\"…\"] }"
)]
pub(super) struct Fallback {
    /// `user.github.io`. The addresses are GitHub's published ones; scheme and port are the watch's.
    pub(super) github_pages: Option<At<Name>>,
    /// A name of the fallback; required for `record = "cname"`.
    pub(super) name: Option<At<Name>>,
    /// Its addresses; required unless it is GitHub Pages.
    #[serde(default)]
    pub(super) addresses: Vec<At<IpAddr>>,
    /// How probes ask it. Default: as the watch.
    pub(super) scheme: Option<Scheme>,
    /// Default: that of `scheme` when it is written here, else the watch's.
    pub(super) port: Option<Spanned<u16>>,
}

/// `[[peer]]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "a table [[peer]]")]
pub(super) struct Peer {
    /// The node's name. Required.
    pub(super) name: At<NodeName>,
    /// Its public key, as `hearth key show` prints it. Required.
    pub(super) public_key: At<VerifyingKey>,
    /// The DNS name that the node keeps; required where a `cname` watch lists it.
    pub(super) host: Option<At<Name>>,
}

/// `policy = "steady"` or `policy = { profile = "steady", hard = "75s" }`
pub(super) struct PolicyChoice(pub(super) PolicyTable);

impl<'de> Deserialize<'de> for PolicyChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PolicyVisitor).map(PolicyChoice)
    }
}

struct PolicyVisitor;

impl<'de> Visitor<'de> for PolicyVisitor {
    type Value = PolicyTable;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "\"fast\", \"steady\" or \"calm\", or a table such as { profile = \"steady\", hard = \"75s\" }",
        )
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<PolicyTable, E> {
        let profile = Profile::deserialize(StrDeserializer::new(text))?;
        Ok(PolicyTable { profile: Some(profile), ..PolicyTable::default() })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<PolicyTable, A::Error> {
        PolicyTable::deserialize(MapAccessDeserializer::new(map))
    }
}

/// Single values of a policy; each default is the profile's. What they mean: [`crate::policy::Policy`].
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct PolicyTable {
    /// `fast`, `steady` (default) or `calm`.
    pub(super) profile: Option<Profile>,
    pub(super) probe_every: Option<At<Duration>>,
    pub(super) probe_suspect_every: Option<At<Duration>>,
    pub(super) probe_connect: Option<At<Duration>>,
    pub(super) probe_total: Option<At<Duration>>,
    pub(super) beat_stale: Option<At<Duration>>,
    /// A silence of this length is told to people; it moves nothing by itself.
    pub(super) silence_told: Option<At<Duration>>,
    pub(super) hard: Option<At<Duration>>,
    pub(super) hard_with_sibling: Option<At<Duration>>,
    pub(super) hard_failures: Option<NonZeroU32>,
    pub(super) gray: Option<At<Duration>>,
    pub(super) intermittent: Option<NonZeroU32>,
    pub(super) intermittent_clear: Option<NonZeroU32>,
    pub(super) rise: Option<NonZeroU32>,
    pub(super) rise_beats: Option<NonZeroU32>,
    pub(super) rise_span: Option<At<Duration>>,
    pub(super) hold: Option<At<Duration>>,
    pub(super) hold_cap: Option<At<Duration>>,
    pub(super) returns: Option<NonZeroU32>,
    pub(super) budget_span: Option<At<Duration>>,
    pub(super) warm_up: Option<At<Duration>>,
    pub(super) announced: Option<At<Duration>>,
    pub(super) fallback_every: Option<At<Duration>>,
    pub(super) fallback_suspect_every: Option<At<Duration>>,
    pub(super) fallback_fresh: Option<At<Duration>>,
    pub(super) reference_every: Option<At<Duration>>,
    pub(super) reference_span: Option<At<Duration>>,
    pub(super) write_patience: Option<At<Duration>>,
    pub(super) read_every: Option<At<Duration>>,
}
