//! What deSEC says and is told: domains and RRsets
//! (<https://desec.readthedocs.io/en/latest/dns/rrsets.html>).
//!
//! Never asks.

use serde::{Deserialize, Serialize};

use crate::dns::mark::TxtData;
use crate::dns::{Rdata, Ttl};

/// The floor under the TTLs of most domains; a domain says its own.
pub(super) const USUAL_FLOOR: Ttl = Ttl::from_secs(3_600);

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

/// A member as zone files have it.
pub(super) fn value(rdata: &Rdata) -> String {
    match rdata {
        Rdata::A(_) | Rdata::Aaaa(_) => rdata.value(),
        Rdata::Cname(_) => format!("{}.", rdata.value()),
    }
}

/// The data of TXT records as zone files have it: strings in quotes, `\"` and `\123` in them (RFC 1035 section 5.1).
pub(super) fn txt(records: &[String]) -> Vec<TxtData> {
    records.iter().map(|record| TxtData::new(strings(record))).collect()
}

fn strings(record: &str) -> Vec<Vec<u8>> {
    let mut strings = Vec::new();
    let mut open: Option<Vec<u8>> = None;
    let mut bytes = record.bytes();
    while let Some(byte) = bytes.next() {
        match (&mut open, byte) {
            (None, b'"') => open = Some(Vec::new()),
            (None, _) => {}
            (Some(_), b'"') => strings.extend(open.take()),
            (Some(string), b'\\') => string.extend(escaped(&mut bytes)),
            (Some(string), byte) => string.push(byte),
        }
    }
    strings
}

/// What stands behind a backslash: three digits are a byte, anything else is itself.
fn escaped(bytes: &mut std::str::Bytes<'_>) -> Option<u8> {
    let first = bytes.next()?;
    if !first.is_ascii_digit() {
        return Some(first);
    }
    let digits = [first, bytes.next()?, bytes.next()?];
    std::str::from_utf8(&digits).ok()?.parse().ok()
}

/// The data of a TXT record as zone files have it.
pub(super) fn quoted(data: &TxtData) -> String {
    let strings = data.strings().map(|string| {
        let character = |byte: &u8| match byte {
            b'"' | b'\\' => format!("\\{}", char::from(*byte)),
            0x20..=0x7e => char::from(*byte).to_string(),
            _ => format!("\\{byte:03}"),
        };
        format!("\"{}\"", string.iter().map(character).collect::<String>())
    });
    strings.collect::<Vec<_>>().join(" ")
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

    #[test]
    fn the_text_of_a_txt_record_survives_the_round_trip_byte_for_byte() {
        let all: Vec<u8> = (0..=255).collect();
        let data = TxtData::new([b"hearth=1 owner=pi1".to_vec(), b"a\"b\\c".to_vec(), all, Vec::new()]);
        assert_eq!(txt(&[quoted(&data)]), [data]);
        assert_eq!(quoted(&TxtData::new([b"v=spf1 \"x\"".to_vec()])), r#""v=spf1 \"x\"""#);
    }
}
