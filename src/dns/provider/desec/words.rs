//! What deSEC says and is told: domains and RRsets
//! (<https://desec.readthedocs.io/en/latest/dns/rrsets.html>).
//!
//! Never asks.

use serde::{Deserialize, Serialize};

use crate::dns::Ttl;

/// The floor under the TTLs of most domains; a domain says its own.
pub(in crate::dns::provider) const USUAL_FLOOR: Ttl = Ttl::from_secs(3_600);

/// What is said of a domain.
#[derive(Debug, Deserialize)]
pub(super) struct Domain {
    /// The smallest TTL that it takes.
    pub(super) minimum_ttl: u32,
}

/// An RRset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Set {
    /// Below the domain; empty is the domain itself.
    pub(super) subname: String,
    /// Its type.
    #[serde(rename = "type")]
    pub(super) kind: String,
    /// Its TTL in seconds.
    pub(super) ttl: u32,
    /// Its members as zone files have them. None: the set goes.
    pub(super) records: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_read() {
        // In the shape of the documentation's example.
        let json = r#"{"created": "2019-09-18T16:32:16.510368Z", "domain": "example.com", "subname": "www",
            "name": "www.example.com.", "type": "A", "records": ["127.0.0.1", "127.0.0.2"], "ttl": 3600,
            "touched": "2020-04-06T09:24:09.987436Z"}"#;
        let set: Set = serde_json::from_str(json).unwrap();
        assert_eq!((set.kind.as_str(), set.ttl, set.records.len()), ("A", 3_600, 2));
    }
}
