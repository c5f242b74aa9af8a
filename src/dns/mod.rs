//! The words of DNS (RFC 9499): names, record data, RRsets, and what a provider says about them.
//!
//! Never asks a server and never changes a record: [`provider`] and [`lookup`] do. A set of record data that is empty
//! cannot be written down here, and so cannot be planned or sent.

// Decisions.
#[cfg(feature = "io")]
pub mod account;
#[cfg(feature = "io")]
pub mod guard;
#[cfg(feature = "io")]
pub mod mark;
#[cfg(feature = "io")]
pub mod plan;
#[cfg(feature = "io")]
pub mod remark;
#[cfg(feature = "io")]
pub mod snapshot;

// The world.
#[cfg(feature = "io")]
pub mod account_book;
#[cfg(feature = "io")]
pub mod attempt;
#[cfg(feature = "io")]
pub mod change;
#[cfg(feature = "io")]
pub mod lookup;
#[cfg(feature = "io")]
pub mod provider;

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// An absolute domain name, lower case, without the final dot (RFC 1035 section 2.3.4, RFC 4343). Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(Arc<str>);

/// Why a text is not a domain name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing, or only a dot.
    #[error("the name is empty")]
    Empty,
    /// Longer than RFC 1035 allows.
    #[error("the name has {0} characters; 253 are allowed (RFC 1035 section 2.3.4)")]
    TooLong(usize),
    /// An empty label, or one of more than 63 characters.
    #[error("the label `{0}` must have 1 to 63 characters (RFC 1035 section 2.3.4)")]
    Label(String),
    /// A character that host names do not have.
    #[error("`{0}` is not allowed in a name; write an international name in its xn-- form")]
    Character(char),
}

impl Name {
    /// The text, without the final dot.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this name is `zone` itself or lies below it.
    #[must_use]
    pub fn is_in(&self, zone: &Name) -> bool {
        self == zone || self.0.strip_suffix(zone.as_str()).is_some_and(|head| head.ends_with('.'))
    }

    /// The name one label below this one: `child("www")` of `example.com` is `www.example.com`.
    ///
    /// # Errors
    /// When the label, or the name that would result, is not a valid one.
    pub fn child(&self, label: &str) -> Result<Name, NameError> {
        format!("{label}.{}", self.0).parse()
    }
}

impl FromStr for Name {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        let text = text.strip_suffix('.').unwrap_or(text);
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if text.len() > 253 {
            return Err(NameError::TooLong(text.len()));
        }
        for label in text.split('.') {
            if let Some(c) =
                label.chars().find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '*')))
            {
                return Err(NameError::Character(c));
            }
            if label.is_empty() || label.len() > 63 {
                return Err(NameError::Label(label.to_owned()));
            }
        }
        Ok(Name(text.to_ascii_lowercase().into()))
    }
}

impl TryFrom<String> for Name {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<Name> for String {
    fn from(name: Name) -> String {
        name.0.as_ref().to_owned()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A time to live in seconds, at most 2^31 - 1 (RFC 2181 section 8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ttl(u32);

impl Ttl {
    /// `seconds`, held to what RFC 2181 allows.
    #[must_use]
    pub const fn from_secs(seconds: u32) -> Self {
        Self(if seconds > 0x7fff_ffff { 0x7fff_ffff } else { seconds })
    }

    /// Seconds.
    #[must_use]
    pub const fn as_secs(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Ttl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} s", self.0)
    }
}

/// The record types that hearth writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum RecordType {
    /// An IPv4 address (RFC 1035 section 3.4.1).
    A,
    /// An IPv6 address (RFC 3596).
    Aaaa,
    /// An alias (RFC 1035 section 3.3.1). Stands alone at its name (RFC 2181 section 10.1).
    Cname,
}

impl fmt::Display for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RecordType::A => "A",
            RecordType::Aaaa => "AAAA",
            RecordType::Cname => "CNAME",
        })
    }
}

/// The data of one record. Written and read as `A 192.0.2.1`, `AAAA 2001:db8::1`, `CNAME host.example`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Rdata {
    /// An IPv4 address.
    A(Ipv4Addr),
    /// An IPv6 address.
    Aaaa(Ipv6Addr),
    /// The name that this name is an alias of.
    Cname(Name),
}

impl Rdata {
    /// The type of a record with this data.
    #[must_use]
    pub fn record_type(&self) -> RecordType {
        match self {
            Rdata::A(_) => RecordType::A,
            Rdata::Aaaa(_) => RecordType::Aaaa,
            Rdata::Cname(_) => RecordType::Cname,
        }
    }

    /// The address, when there is one.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        match self {
            Rdata::A(a) => Some((*a).into()),
            Rdata::Aaaa(a) => Some((*a).into()),
            Rdata::Cname(_) => None,
        }
    }

    /// The data alone, as a zone file has it.
    #[must_use]
    pub fn value(&self) -> String {
        match self {
            Rdata::A(a) => a.to_string(),
            Rdata::Aaaa(a) => a.to_string(),
            Rdata::Cname(name) => name.to_string(),
        }
    }
}

impl From<IpAddr> for Rdata {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(a) => Rdata::A(a),
            IpAddr::V6(a) => Rdata::Aaaa(a),
        }
    }
}

/// Why a text is not record data.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not record data; write `A 192.0.2.1`, `AAAA 2001:db8::1` or `CNAME host.example`")]
pub struct RdataError(String);

impl FromStr for Rdata {
    type Err = RdataError;
    fn from_str(text: &str) -> Result<Self, RdataError> {
        let error = || RdataError(text.to_owned());
        let (kind, value) = text.split_once(' ').ok_or_else(error)?;
        match kind {
            "A" => value.parse().map(Rdata::A).map_err(|_| error()),
            "AAAA" => value.parse().map(Rdata::Aaaa).map_err(|_| error()),
            "CNAME" => value.parse().map(Rdata::Cname).map_err(|_| error()),
            _ => Err(error()),
        }
    }
}

impl TryFrom<String> for Rdata {
    type Error = RdataError;
    fn try_from(text: String) -> Result<Self, RdataError> {
        text.parse()
    }
}

impl From<Rdata> for String {
    fn from(rdata: Rdata) -> String {
        rdata.to_string()
    }
}

impl fmt::Display for Rdata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.record_type(), self.value())
    }
}

impl fmt::Debug for Rdata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The data of one RRset: at least one member, all of one type, and a CNAME alone (RFC 2181 section 10.1).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "BTreeSet<Rdata>", into = "BTreeSet<Rdata>")]
pub struct RdataSet(BTreeSet<Rdata>);

/// Why some record data is not the data of an RRset.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RdataSetError {
    /// An RRset without a member would take the name off the Internet.
    #[error("an RRset has at least one member")]
    Empty,
    /// Members of different types are different RRsets.
    #[error("an RRset has members of one type, not {0} and {1}")]
    Mixed(RecordType, RecordType),
    /// An alias stands alone.
    #[error("a name has at most one CNAME (RFC 2181 section 10.1)")]
    SeveralCnames,
}

impl RdataSet {
    /// The set of these members.
    ///
    /// # Errors
    /// When there is none, when their types differ, or when there are several CNAMEs.
    pub fn new(members: impl IntoIterator<Item = Rdata>) -> Result<Self, RdataSetError> {
        let members: BTreeSet<Rdata> = members.into_iter().collect();
        let first = members.first().ok_or(RdataSetError::Empty)?.record_type();
        if let Some(other) = members.iter().map(Rdata::record_type).find(|t| *t != first) {
            return Err(RdataSetError::Mixed(first, other));
        }
        if first == RecordType::Cname && members.len() > 1 {
            return Err(RdataSetError::SeveralCnames);
        }
        Ok(Self(members))
    }

    /// The set with this one member.
    #[must_use]
    pub fn of(member: Rdata) -> Self {
        Self(BTreeSet::from([member]))
    }

    /// The type of all members.
    #[must_use]
    pub fn record_type(&self) -> RecordType {
        self.0.first().map_or(RecordType::A, Rdata::record_type)
    }

    /// The members, in order. There is at least one.
    pub fn iter(&self) -> impl Iterator<Item = &Rdata> {
        self.0.iter()
    }

    /// Whether `rdata` is a member.
    #[must_use]
    pub fn contains(&self, rdata: &Rdata) -> bool {
        self.0.contains(rdata)
    }

    /// The members as an ordinary set.
    #[must_use]
    pub fn as_set(&self) -> &BTreeSet<Rdata> {
        &self.0
    }
}

impl TryFrom<BTreeSet<Rdata>> for RdataSet {
    type Error = RdataSetError;
    fn try_from(members: BTreeSet<Rdata>) -> Result<Self, RdataSetError> {
        Self::new(members)
    }
}

impl From<RdataSet> for BTreeSet<Rdata> {
    fn from(set: RdataSet) -> Self {
        set.0
    }
}

impl fmt::Display for RdataSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.record_type())?;
        for (i, member) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(" ")?;
            }
            f.write_str(&member.value())?;
        }
        Ok(())
    }
}

impl fmt::Debug for RdataSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Who writes a record: a node's name for its agent, `watcher` names for the watcher. Goes into ownership marks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Owner(String);

impl Owner {
    /// The owner of this name. Blanks and quotes become `-`: a mark is one word in a TXT record or a remark.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let word = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' };
        Self(name.chars().map(word).collect())
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests;
