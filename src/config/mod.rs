//! What the configuration file means: validated, with one part for each consumer.
//!
//! [`load`] reads the file and the secrets that it points to, and checks that its parts fit together. What is written
//! and what each key defaults to is in `file.rs`; every mistake is told with its place and what to write instead
//! ([`error`]). Relative paths (secrets, `root`, `keep`, `state`, `control`) start at the directory of the file. Never
//! opens a socket, and never says a secret.

mod address;
mod agent;
mod echoes;
mod endpoint;
pub mod error;
mod fail_back;
mod fallback;
mod file;
pub mod gluster;
mod hook;
pub mod include;
mod leds;
mod lines;
mod listen;
mod mount;
mod notify;
mod pi;
mod policy;
mod provider;
mod reading;
pub mod secret;
mod site;
mod stars;
mod tls;
mod value;
mod watcher;
mod whole;
mod witness;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use serde::{Deserialize, Serialize};
use toml::de::DeTable;

pub use self::error::{ConfigErrors, Problem, Warning};
pub use self::hook::secret_key as hook_url_key;
pub use self::include::Included;
pub use self::notify::secret_key as notify_key;
pub use self::secret::SecretSource;

use self::error::{Source, of_parser};
use self::file::File;
use self::reading::Reading;
use crate::address::{AddressSettings, Family, Suffix};
use crate::appliance::PiSettings;
use crate::dns::provider::ProviderSettings;
use crate::dns::snapshot::Line;
use crate::dns::{Name, Owner, Ttl};
use crate::failover::Shape;
use crate::gluster::GlusterSettings;
use crate::heartbeat::seal::{SigningKey, VerifyingKey};
use crate::heartbeat::{BeatSettings, NodeName, WatcherPin};
use crate::hook::HookSettings;
use crate::leds::LampSettings;
use crate::mount::MountSettings;
use crate::notify::settings::{NotifySettings, PingSettings};
use crate::policy::Policy;
use crate::probe::PageCheck;
use crate::secret::Secret;
use crate::site::SiteSettings;
use crate::status::IncludeStatus;
use crate::tls::CertificateSource;

/// What one file means. At least one of the two roles is there.
#[derive(Debug)]
pub struct Config {
    /// What an agent needs; None: this file runs no agent.
    pub agent: Option<AgentConfig>,
    /// What a watcher needs; None: this file runs no watcher.
    pub watcher: Option<WatcherConfig>,
    /// What a watcher needs that only bears witness; None: this file runs none. Never there together with `watcher`.
    pub witness: Option<WitnessConfig>,
    /// The volume that two nodes share; None: there is none, or nothing is said of it.
    pub gluster: Option<GlusterSettings>,
    /// What the Pi itself is told to be.
    pub pi: PiSettings,
    /// What is allowed and probably not meant.
    pub warnings: Vec<Warning>,
    /// The part of it that is shared with other machines, if any.
    pub include: Option<Included>,
}

/// What an agent needs.
#[derive(Debug)]
pub struct AgentConfig {
    /// Who it is; also the owner of the records it writes.
    pub node: NodeName,
    /// What it seals its beats and proofs with.
    pub key: SigningKey,
    /// The directory for what it must remember.
    pub state: PathBuf,
    /// The socket that answers `hearth status`.
    pub control: PathBuf,
    /// How the shared part of the configuration stood when it was read.
    pub include: Option<IncludeStatus>,
    /// What is wrong with a newer configuration, in whose place this one is in force; see [`mistakes_of`](crate::appliance::mistakes_of).
    pub passed_over: Option<String>,
    /// The sites it serves, if any. No host belongs to two of them.
    pub sites: Vec<SiteSettings>,
    /// The mounts that it looks after.
    pub mounts: Vec<MountSettings>,
    /// How it finds its public address.
    pub address: AddressSettings,
    /// The names that it keeps pointed at itself.
    pub records: Vec<RecordSettings>,
    /// The providers, by the names that records use.
    pub providers: BTreeMap<String, ProviderSettings>,
    /// Whom it beats to, if anybody.
    pub beats: Option<BeatSettings>,
    /// The sites whose visitors it may send back to itself when no watcher answers any more.
    pub fail_backs: Vec<FailBackSettings>,
    /// What it does after a change.
    pub hooks: Vec<HookSettings>,
    /// Where its LEDs and its button are.
    pub leds: LampSettings,
}

/// A name that an agent keeps pointed at itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordSettings {
    /// The name; it lies in the provider's zone.
    pub name: Name,
    /// The key of its provider in [`AgentConfig::providers`].
    pub provider: String,
    /// How long resolvers may keep it.
    pub ttl: Ttl,
    /// The families that are published: at least one, each of [`AddressSettings::families`].
    pub families: Vec<Family>,
    /// The end of the IPv6 address, for a name of another machine on the LAN.
    pub suffix: Option<Suffix>,
    /// The GeoDNS lines that are written. None: the line for everybody.
    pub lines: BTreeSet<Line>,
}

/// A site whose visitors a node may send back to itself when no watcher answers any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailBackSettings {
    /// The name that visitors use; one of the node's sites has it among its hosts.
    pub site: Name,
    /// The key of its provider in [`AgentConfig::providers`].
    pub provider: String,
    /// In whose name it writes: the watcher's.
    pub owner: Owner,
    /// The addresses of the fallback: at least one.
    pub fallback: Vec<IpAddr>,
    /// How long resolvers may keep what it writes.
    pub ttl: Ttl,
    /// No watcher has answered for this long.
    pub after: Duration,
    /// Whether it has to reach itself at its public address first.
    pub hairpin: Hairpin,
    /// What it asks itself for there.
    pub check: PageCheck,
    /// Trusted besides the usual roots when it does: those that the looks trust that watchers ask for.
    pub roots: Vec<CertificateDer<'static>>,
}

/// Whether a node can be asked to reach itself at its public address: not every router leads a packet out and in again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hairpin {
    /// It has to, or it sends nobody back.
    #[default]
    Required,
    /// The router does not do it: a public address and a site that is served have to be enough.
    Unavailable,
}

/// What a watcher needs.
#[derive(Debug)]
pub struct WatcherConfig {
    /// The owner of the records it writes.
    pub name: Owner,
    /// Where it takes beats and shows its status.
    pub listen: Vec<SocketAddr>,
    /// What it answers there by HTTPS with. None: it answers without TLS.
    pub tls: Option<WatcherTls>,
    /// The directory for what it must remember.
    pub state: PathBuf,
    /// The socket that answers `hearth failover`.
    pub control: PathBuf,
    /// What it seals its answers with.
    pub key: SigningKey,
    /// Trusted besides the usual roots when it looks at sites: those of a private authority.
    pub roots: Vec<CertificateDer<'static>>,
    /// What is up whenever the Internet is: URLs, or `host:port`.
    pub references: Vec<String>,
    /// The sites it writes the record of.
    pub watches: Vec<WatchSettings>,
    /// The nodes that may beat to it.
    pub peers: Vec<PeerSettings>,
    /// The providers, by the names that watches use.
    pub providers: BTreeMap<String, ProviderSettings>,
    /// Who may see its status.
    pub page: PageAccess,
    /// What opens the page when it is not public, and what whoever tells it something over HTTP must know.
    pub token: Option<Secret<String>>,
    /// Whom it tells what happened.
    pub notify: Vec<NotifySettings>,
    /// The ping by which somebody notices that it is gone, if any.
    pub ping: Option<PingSettings>,
}

/// Who may see a watcher's status page, and the same for programs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PageAccess {
    /// Whoever reaches the port. It can be read only.
    #[default]
    Public,
    /// Whoever has the token.
    Token,
    /// Nobody.
    Off,
}

/// What a watcher needs that only bears witness for another one.
#[derive(Debug)]
pub struct WitnessConfig {
    /// What the decider calls it: a `[[peer]]` there, in the role of a witness.
    pub name: NodeName,
    /// What it seals its beats with.
    pub key: SigningKey,
    /// The watcher that decides.
    pub decider: WatcherPin,
    /// Between two beats.
    pub every: Duration,
}

/// What a watcher answers by HTTPS with.
#[derive(Debug)]
pub struct WatcherTls {
    /// What it is called by those who ask it.
    pub hosts: Vec<String>,
    /// Where its certificate is from.
    pub certificate: CertificateSource,
}

/// A site that a watcher writes the record of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchSettings {
    /// The name that visitors use; it lies in the provider's zone.
    pub site: Name,
    /// The key of its provider in [`WatcherConfig::providers`].
    pub provider: String,
    /// What kind of record it is.
    pub shape: Shape,
    /// The nodes that serve it: at least one, each of [`WatcherConfig::peers`].
    pub nodes: Vec<NodeName>,
    /// Where visitors go when no node is up.
    pub fallback: FallbackSettings,
    /// How long is long enough.
    pub policy: Policy,
    /// How long resolvers may keep it.
    pub ttl: Ttl,
    /// What a visitor would ask a node for.
    pub check: PageCheck,
    /// The GeoDNS lines that are written. None: the line for everybody.
    pub lines: BTreeSet<Line>,
}

/// Where visitors go when no node is up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FallbackSettings {
    /// Its name; always there when the shape is [`Shape::Cname`].
    pub name: Option<Name>,
    /// Its addresses: at least one.
    pub addresses: Vec<IpAddr>,
    /// What a visitor would ask it for.
    pub check: PageCheck,
}

/// Who may beat to a watcher.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerSettings {
    /// Who it is.
    pub name: NodeName,
    /// What it is.
    pub role: PeerRole,
    /// What its beats and proofs must be sealed with.
    pub key: VerifyingKey,
    /// The DNS name that it keeps; always there when a watch of the shape [`Shape::Cname`] lists it.
    pub host: Option<Name>,
}

/// What a peer of a watcher is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PeerRole {
    /// A machine that serves sites, and bears witness of the others that serve the same.
    #[default]
    Node,
    /// A second watcher, which bears witness of all sites and serves none.
    Witness,
}

/// Whether the secrets that a file points to are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secrets {
    /// They are read and checked.
    Read,
    /// They are left alone: this machine does not have them.
    Skip,
}

/// A secret that a file points to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretUse {
    /// The key that points to it, such as `node.key`.
    pub of: String,
    /// Where it is kept; the path of a file is resolved.
    pub from: SecretSource,
}

/// A file that was checked, to be looked at only: without its secrets, stand-ins are in their places.
#[derive(Debug)]
pub struct Checked {
    config: Config,
    uses: Vec<SecretUse>,
    secrets: Secrets,
}

impl Checked {
    /// The same, with a shared part.
    fn including(mut self, included: Included) -> Self {
        if let Some(agent) = &mut self.config.agent {
            agent.include = Some(included.status());
        }
        self.config.include = Some(included);
        self
    }

    /// What the file means.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The secrets that it points to.
    #[must_use]
    pub fn secret_uses(&self) -> &[SecretUse] {
        &self.uses
    }

    /// Whether they were read.
    #[must_use]
    pub fn secrets(&self) -> Secrets {
        self.secrets
    }
}

/// Reads a configuration file and the secrets that it points to.
///
/// # Errors
/// When the file or a secret cannot be read, and with everything that is wrong with it.
pub fn load(path: &Path) -> Result<Config, ConfigErrors> {
    check(path, Secrets::Read).map(|checked| checked.config)
}

/// The same from the text of a file; `file` is its name in errors, and relative paths start at its directory.
///
/// # Errors
/// As [`load`].
pub fn parse(text: &str, file: &Path) -> Result<Config, ConfigErrors> {
    check_text(text, file, Secrets::Read).map(|checked| checked.config)
}

/// Checks a configuration file, with its secrets or without.
///
/// # Errors
/// As [`load`].
pub fn check(path: &Path, secrets: Secrets) -> Result<Checked, ConfigErrors> {
    check_with(path, secrets, &crate::site::this_program())
}

/// The same, with the shared part read by a loader started from `program`.
///
/// # Errors
/// As [`load`].
pub fn check_with(path: &Path, secrets: Secrets, program: &Path) -> Result<Checked, ConfigErrors> {
    let mut checked = include::check(&text_of(path)?, path, secrets, program)?;
    if let Some(agent) = &mut checked.config.agent {
        agent.passed_over = std::fs::read_to_string(crate::appliance::mistakes_of(path)).ok();
    }
    Ok(checked)
}

fn text_of(path: &Path) -> Result<String, ConfigErrors> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Problem::of_file(path, format!("the configuration cannot be read: {error}"))
            .hint("write one, or say where it is with --config PATH")
    })?;
    Ok(text)
}

/// Checks the text of a configuration file, with its secrets or without; what it includes is left out.
///
/// # Errors
/// As [`parse`].
pub fn check_text(text: &str, file: &Path, secrets: Secrets) -> Result<Checked, ConfigErrors> {
    check_source(Source::alone(file, text), secrets)
}

fn check_source(source: Source<'_>, secrets: Secrets) -> Result<Checked, ConfigErrors> {
    let mut reading = Reading::new(source, secrets);
    let table = DeTable::parse(source.text).map_err(|error| of_parser(&source, &error))?;
    let written =
        File::deserialize(toml::de::Deserializer::from(table)).map_err(|error| of_parser(&source, &error))?;
    let config = whole::understood(&mut reading, written);
    let Reading { problems, uses, warnings, .. } = reading;
    if !problems.is_empty() {
        return Err(ConfigErrors::of(problems));
    }
    Ok(Checked { config: Config { warnings, ..config }, uses, secrets })
}

/// Reads a span of time as the configuration has it: `250ms`, `10s`, `5m`, `2h`, `1d`.
///
/// # Errors
/// When it is not one; the message says what to write.
pub fn time_in_words(text: &str) -> Result<Duration, String> {
    value::Written::read(text)
}
