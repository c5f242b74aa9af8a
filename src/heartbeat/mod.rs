//! The words of a heartbeat: what a node says of itself, and what the watcher answers.
//!
//! A beat is JSON, sealed with the node's Ed25519 key over the exact body bytes; the answer is sealed with the
//! watcher's. A beat is a claim: an address in it is published only after a probe has proved that the node answers
//! there. Never opens a socket ([`send`] and [`receive`] do) and never reads a clock.

#[cfg(feature = "io")]
pub mod proof;
#[cfg(feature = "io")]
pub mod receive;
pub mod seal;
#[cfg(feature = "io")]
pub mod send;
pub mod window;
pub mod witness;

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::address::Verdict;
use crate::dns::RdataSet;

/// The largest beat and answer that is read, in bytes.
pub const MAX_BODY: usize = 8 * 1024;

/// The path that beats are posted to.
pub const BEAT_PATH: &str = "/v1/beat";

/// The header that carries the seal of a beat or an answer, in base64 (RFC 4648 section 4).
pub const SEAL_HEADER: &str = "hearth-seal";

/// Whom a node beats to, and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BeatSettings {
    /// The watchers.
    pub watchers: Vec<WatcherPin>,
    /// Between two beats.
    pub every: Duration,
}

/// A watcher: where it is, and the key that its answers must be sealed with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatcherPin {
    /// The base of its URL, without [`BEAT_PATH`].
    pub url: String,
    /// Its public key.
    pub key: seal::VerifyingKey,
    /// Trusted besides the usual roots when it is asked over HTTPS, and in the looks that it asks for: those of a private
    /// authority.
    pub roots: Vec<CertificateDer<'static>>,
}

/// What a node is called: one DNS label, lower case. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NodeName(Arc<str>);

/// Why a text is not the name of a node.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` cannot name a node; use 1 to 63 of a-z, 0-9 and -, neither first nor last a -")]
pub struct NodeNameError(String);

impl NodeName {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for NodeName {
    type Err = NodeNameError;
    fn from_str(text: &str) -> Result<Self, NodeNameError> {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let edges = text.starts_with('-') || text.ends_with('-');
        if text.is_empty() || text.len() > 63 || edges || !text.chars().all(allowed) {
            return Err(NodeNameError(text.to_owned()));
        }
        Ok(Self(text.into()))
    }
}

impl TryFrom<String> for NodeName {
    type Error = NodeNameError;
    fn try_from(text: String) -> Result<Self, NodeNameError> {
        text.parse()
    }
}

impl From<NodeName> for String {
    fn from(name: NodeName) -> String {
        name.0.as_ref().to_owned()
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One run of an agent: 128 random bits, made when the process starts. Sequences count within it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BootId([u8; 16]);

/// A text that is not 32 hex digits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a boot id has 32 hex digits")]
pub struct BootIdError;

impl BootId {
    /// The id with these bits.
    #[must_use]
    pub const fn new(bits: [u8; 16]) -> Self {
        Self(bits)
    }
}

impl TryFrom<String> for BootId {
    type Error = BootIdError;
    fn try_from(text: String) -> Result<Self, BootIdError> {
        let bits = data_encoding::HEXLOWER.decode(text.as_bytes()).map_err(|_| BootIdError)?;
        Ok(Self(bits.try_into().map_err(|_| BootIdError)?))
    }
}

impl From<BootId> for String {
    fn from(id: BootId) -> String {
        id.to_string()
    }
}

impl fmt::Display for BootId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for BootId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a node says of itself. Every field but the seal's own key is a claim. Fields that this version does not know are
/// passed over: a node that is newer than its watcher is still heard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beat {
    /// The version of this form: 1.
    pub form: u32,
    /// Who says it.
    pub node: NodeName,
    /// The run of the agent.
    pub boot: BootId,
    /// Counts up within the run; accepted once.
    pub sequence: u64,
    /// Milliseconds since the agent started, on its monotonic clock.
    pub uptime_ms: u64,
    /// Milliseconds since 1970 on the node's wall clock. A Pi has no clock chip: it may be far off.
    pub wall_ms: u64,
    /// The version of hearth that runs.
    pub version: String,
    /// Where the node can be reached, one entry for each family at most.
    pub addresses: Vec<Claim>,
    /// The sites it serves. A form before this one had a single one, under the name `site`.
    #[serde(alias = "site", deserialize_with = "one_or_several")]
    pub sites: Vec<SiteReport>,
    /// The mounts that it looks after and that are not in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mounts: Vec<MountReport>,
    /// How its own DNS names stand.
    pub records: RecordsReport,
    /// The state that its LEDs show, in one word.
    pub led: String,
    /// Said once, when the agent stops on purpose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaving: Option<Leaving>,
    /// What it saw of others, where the watcher asked for it. Nodes before this field leave it out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub testimonies: Vec<witness::Testimony>,
}

/// One address that a node holds for its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// The address.
    pub address: IpAddr,
    /// How it was found.
    pub verdict: Verdict,
}

/// What a node says of a site it serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteReport {
    /// The values of Host that it is served under. Empty: the node serves one site, and does not say under which.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// The digest of the generation that is served: SHA-256 in hex. None when there is nothing to serve.
    pub generation: Option<String>,
    /// How the directory or mount that it comes from stands.
    pub source: SourceState,
}

/// A mount that a node looks after, and how it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MountReport {
    /// The mount point on the node.
    pub path: String,
    /// How it stands.
    pub state: SourceState,
}

impl MountReport {
    /// How many there are in a beat at most.
    pub const MOST: usize = 8;

    /// How many characters of a path are said.
    pub const LONGEST: usize = 60;
}

impl Beat {
    /// What the node says of what it serves under the name `site`.
    #[must_use]
    pub fn report_of(&self, site: &str) -> Option<&SiteReport> {
        let is_it = |report: &&SiteReport| {
            report.hosts.is_empty() || report.hosts.iter().any(|host| host.eq_ignore_ascii_case(site))
        };
        self.sites.iter().find(is_it)
    }

    /// The digest of what the node serves under the name `site`.
    #[must_use]
    pub fn generation_of(&self, site: &str) -> Option<&str> {
        self.report_of(site)?.generation.as_deref()
    }
}

impl SiteReport {
    /// How many bytes of a beat all reports together may take: half of [`MAX_BODY`].
    pub const ROOM: usize = MAX_BODY / 2;

    /// How many bytes of a beat this takes, at most.
    #[must_use]
    pub fn size(&self) -> usize {
        /// Names, quotes, commas and the state.
        const AROUND: usize = 64;
        let hosts: usize = self.hosts.iter().map(|host| host.len() + 3).sum();
        AROUND + hosts + self.generation.as_ref().map_or(0, String::len)
    }
}

/// Reads a list, or one that stands for a list of one.
fn one_or_several<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<SiteReport>, D::Error> {
    struct OneOrSeveral;

    impl<'de> Visitor<'de> for OneOrSeveral {
        type Value = Vec<SiteReport>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a report of a site, or a list of them")
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
            SiteReport::deserialize(MapAccessDeserializer::new(map)).map(|report| vec![report])
        }

        fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
            Vec::deserialize(SeqAccessDeserializer::new(list))
        }
    }

    deserializer.deserialize_any(OneOrSeveral)
}

/// How a directory or mount that a node reads from stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourceState {
    /// It answers and holds what is served.
    Ok,
    /// It answers late.
    Slow,
    /// It does not answer.
    Hung,
    /// It is not there.
    Gone,
    /// Something else is there: an empty directory, another file system.
    Wrong,
}

impl SourceState {
    /// In one word, as it is written in a beat.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Slow => "slow",
            Self::Hung => "hung",
            Self::Gone => "gone",
            Self::Wrong => "wrong",
        }
    }
}

/// How a node's own DNS names stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecordsReport {
    /// The node keeps no name.
    None,
    /// Every name was read back as wanted.
    InForce,
    /// A change is on its way.
    Pending,
    /// A provider refuses, and a person must act.
    Refused,
}

/// A stop on purpose: act at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leaving {
    /// Why, in a few words.
    pub reason: String,
}

/// What the watcher answers to an accepted beat. A newer one may say more than is known here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The version of this form: 1.
    pub form: u32,
    /// Whom it answers, so that an answer cannot be given to somebody else.
    pub node: NodeName,
    /// The run that it answers.
    pub boot: BootId,
    /// The beat that it answers.
    pub sequence: u64,
    /// Milliseconds since 1970 on the watcher's clock: for the node an authenticated lower bound of the time.
    pub wall_ms: u64,
    /// What the watcher sees.
    pub view: Vec<SiteView>,
    /// What the watcher wants the node to look at from where it is. Watchers before this field leave it out.
    #[serde(default, skip_serializing_if = "witness::Errand::is_empty")]
    pub errand: witness::Errand,
}

/// One site as the watcher sees it, told to a node. A newer one may say more than is known here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteView {
    /// The site's name.
    pub site: String,
    /// How the node that is answered looks from outside, in one word.
    pub health: String,
    /// Whether visitors are sent to the fallback.
    pub on_fallback: bool,
    /// What is published, as last read back.
    pub in_force: Vec<RdataSet>,
    /// Where the node that is answered has proved to be, one address for each family at most. Watchers before this field
    /// leave it out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub proven: Vec<IpAddr>,
}

#[cfg(test)]
mod tests;
