//! Stand-ins for the DNS services that cannot be started here: each is its state, and answers a request from it.
//!
//! Each is at least as strict as its original, and counts what it would punish. Never opens a socket and never reads a
//! clock: `now` is the time since 1970 and an argument, so that an hour's ban takes no hour to test.

pub(crate) mod alidns;
pub(crate) mod cloudflare;
pub(crate) mod desec;
pub(crate) mod dnspod;
pub(crate) mod duckdns;
pub(crate) mod dyndns2;
pub(crate) mod hash;
pub(crate) mod powerdns;
pub(crate) mod primary;
pub(crate) mod serve;
pub(crate) mod tencent;
pub(crate) mod zone;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(3_600);

/// A request as it came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    /// What stands after the `?`, still encoded.
    pub(crate) query: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// The answer to it.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

/// A service.
pub(crate) trait Vendor: Send + 'static {
    /// How it is spoken to.
    const WIRE: serve::Wire = serve::Wire::Http;

    /// The answer to `request` at `now`, which is the time since 1970.
    fn answer(&mut self, request: &Request, now: Duration) -> Reply;
    /// Whether `request` asks for a change.
    fn writes(&self, request: &Request) -> bool;
    /// What stands there, for a test to look at.
    fn rows(&self) -> Vec<Row>;
    /// What was punished so far, in words.
    fn penalties(&self) -> &[String];
}

impl Request {
    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    /// The fields of a form body.
    pub(crate) fn form(&self) -> BTreeMap<String, String> {
        pairs(std::str::from_utf8(&self.body).unwrap_or(""))
    }

    /// The fields of the query.
    pub(crate) fn fields(&self) -> BTreeMap<String, String> {
        pairs(&self.query)
    }
}

impl Reply {
    pub(crate) fn new(status: u16, media: &str, body: impl Into<String>) -> Self {
        Self { status, headers: vec![("content-type", media.to_owned())], body: body.into() }
    }

    pub(crate) fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::new(status, "application/json", body.to_string())
    }

    pub(crate) fn text(status: u16, body: impl Into<String>) -> Self {
        Self::new(status, "text/plain", body)
    }

    /// Bytes, as the characters of the same number.
    pub(crate) fn bytes(body: &[u8]) -> Self {
        Self::text(200, body.iter().copied().map(char::from).collect::<String>())
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// `a=1&b=2`, decoded as forms are (a `+` is a blank).
fn pairs(text: &str) -> BTreeMap<String, String> {
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(&name.replace('+', " ")), decode(&value.replace('+', " ")))
    };
    text.split('&').filter(|p| !p.is_empty()).map(pair).collect()
}

/// `%41` as `A`.
pub(crate) fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let hex = bytes.get(at + 1..at + 3).and_then(|h| std::str::from_utf8(h).ok());
        match hex.and_then(|h| u8::from_str_radix(h, 16).ok()).filter(|_| bytes[at] == b'%') {
            Some(byte) => (decoded.push(byte), at += 3),
            None => (decoded.push(bytes[at]), at += 1),
        };
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// How often something happened of late.
#[derive(Clone, Debug, Default)]
pub(crate) struct Window(VecDeque<Duration>);

impl Window {
    /// Notes that it happened, and says how often it did within `span`.
    pub(crate) fn note(&mut self, now: Duration, span: Duration) -> usize {
        self.0.push_back(now);
        self.count(now, span)
    }

    /// How often it happened within `span`.
    pub(crate) fn count(&self, now: Duration, span: Duration) -> usize {
        self.0.iter().filter(|at| now.saturating_sub(**at) < span).count()
    }

    /// How long until fewer than `limit` of them lie within `span`.
    pub(crate) fn wait(&self, now: Duration, span: Duration, limit: usize) -> Duration {
        let newest = self.0.iter().rev().nth(limit.saturating_sub(1));
        newest.map_or(Duration::ZERO, |at| (*at + span).saturating_sub(now))
    }
}

/// A record of a service that gives each an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) id: u64,
    /// Below the domain; `@` is the domain itself.
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) value: String,
    pub(crate) ttl: u32,
    pub(crate) line: String,
    pub(crate) remark: String,
    pub(crate) weight: Option<u32>,
    pub(crate) enabled: bool,
    /// When it was created.
    pub(crate) born: Duration,
}

impl Row {
    /// A record on the line `0` with nothing special about it; the id is given when it is put in.
    pub(crate) fn new(name: &str, kind: &str, value: &str, ttl: u32) -> Self {
        Self {
            id: 0,
            name: name.to_owned(),
            kind: kind.to_owned(),
            value: value.to_owned(),
            ttl,
            line: "0".to_owned(),
            remark: String::new(),
            weight: None,
            enabled: true,
            born: Duration::ZERO,
        }
    }
}

/// Whether `value` can be the data of a record of `kind`.
pub(crate) fn fits(kind: &str, value: &str) -> bool {
    match kind {
        "A" => value.parse::<std::net::Ipv4Addr>().is_ok(),
        "AAAA" => value.parse::<std::net::Ipv6Addr>().is_ok(),
        "CNAME" => value.trim_end_matches('.').parse::<hearth::dns::Name>().is_ok(),
        _ => !value.is_empty(),
    }
}

/// Whether records of these two types cannot stand at one name.
pub(crate) fn clash(one: &str, other: &str) -> bool {
    (one == "CNAME") != (other == "CNAME")
}
