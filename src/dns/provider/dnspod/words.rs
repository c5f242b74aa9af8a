//! What DNSPod's API says: records, and codes by what they mean
//! (<https://docs.dnspod.cn/api/api-development-specification/>).
//!
//! Never asks; the HTTP status says nothing here, it is 200 even for a failure.

use std::time::Duration;

use serde::Deserialize;

use crate::dns::provider::cloud::{Class, HostRecord, Service};
use crate::dns::provider::loose;

/// How long an API stays closed after too many calls or logins.
const BAN: Duration = Duration::from_secs(60 * 60);

/// An answer.
#[derive(Debug, Deserialize)]
pub(super) struct Answer {
    /// What happened.
    pub(super) status: Status,
    /// The domain, in the answer to a list.
    pub(super) domain: Option<Domain>,
    /// How many there are, in the answer to a list.
    pub(super) info: Option<Info>,
    /// The records of a list.
    #[serde(default)]
    pub(super) records: Vec<Row>,
    /// The record that was written.
    pub(super) record: Option<Written>,
}

/// What happened.
#[derive(Debug, Deserialize)]
pub(super) struct Status {
    /// `1` is success.
    #[serde(deserialize_with = "loose::text")]
    pub(super) code: String,
    /// In DNSPod's words.
    #[serde(default)]
    pub(super) message: String,
}

/// What is said of a domain.
#[derive(Debug, Deserialize)]
pub(super) struct Domain {
    /// The smallest TTL that the plan of the domain allows.
    #[serde(deserialize_with = "loose::number", default)]
    pub(super) min_ttl: Option<u32>,
}

/// How many records there are.
#[derive(Debug, Deserialize)]
pub(super) struct Info {
    /// In all pages together.
    #[serde(deserialize_with = "loose::number", default)]
    pub(super) record_total: Option<u32>,
}

/// A record of a list.
#[derive(Debug, Deserialize)]
pub(super) struct Row {
    #[serde(deserialize_with = "loose::text")]
    id: String,
    name: String,
    #[serde(rename = "type")]
    kind: String,
    value: String,
    #[serde(deserialize_with = "loose::number", default)]
    ttl: Option<u32>,
    #[serde(deserialize_with = "loose::text")]
    line_id: String,
    #[serde(deserialize_with = "loose::text", default)]
    enabled: String,
    #[serde(deserialize_with = "loose::number", default)]
    weight: Option<u32>,
    #[serde(default)]
    remark: Option<String>,
}

/// The record that was written.
#[derive(Debug, Deserialize)]
pub(super) struct Written {
    /// Its id: a text after a creation, a number after a change.
    #[serde(deserialize_with = "loose::text")]
    pub(super) id: String,
}

impl From<Row> for HostRecord {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            name: row.name,
            kind: row.kind,
            value: row.value,
            ttl: row.ttl.unwrap_or(0),
            line: row.line_id,
            remark: row.remark.unwrap_or_default(),
            weight: row.weight,
            service: if row.enabled == "0" { Service::Disabled } else { Service::Served },
        }
    }
}

/// What a code means. None: success.
pub(super) fn class(code: &str) -> Option<Class> {
    Some(match code {
        "1" => return None,
        // Login failed, no permission for the API, login from an unusual area, token id or token wrong.
        "-1" | "-7" | "85" | "10001" | "10002" | "10003" | "20004" => Class::Auth,
        // Too many failed logins, API quota exceeded, feature paused.
        "-8" | "-2" | "-99" => Class::Wait(BAN),
        "3" => Class::Passing,
        "10" => Class::Empty,
        // Bad record id (gone), a CNAME or an address in the way, the record exists, round-robin limits.
        "8" | "25" | "31" | "33" | "104" | "500025" | "500026" => Class::Conflict,
        "13" => Class::NoZone,
        // Not the owner, domain banned, domain or record locked, our address on the black list.
        "7" | "-15" | "21" | "82" => Class::Refused,
        _ => Class::Input,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An answer in the shape of the documentation's, with the mixed types that were seen.
    const LIST: &str = r#"{
        "status": {"code": "1", "message": "Action completed successful", "created_at": "2015-01-18 16:29:45"},
        "domain": {"id": "2317346", "name": "testapi.com", "grade": "DP_Free", "ttl": 600, "min_ttl": 600,
                   "dnspod_ns": ["f1g1ns1.dnspod.net", "f1g1ns2.dnspod.net"]},
        "info": {"sub_domains": "1", "record_total": "3", "records_num": "3"},
        "records": [
            {"id": "44146112", "name": "www", "line": "默认", "line_id": 0, "type": "A", "ttl": "600",
             "value": "192.0.2.1", "weight": null, "mx": "0", "enabled": "1", "status": "enabled",
             "monitor_status": "", "remark": "", "updated_on": "2015-01-18 16:29:45", "use_aqb": "no"},
            {"id": 44146113, "name": "www", "line": "境外", "line_id": "3=0", "type": "A", "ttl": 600,
             "value": "192.0.2.2", "weight": 20, "enabled": "0", "remark": null}
        ]}"#;

    #[test]
    fn a_list_is_read_whatever_its_types_are() {
        let answer: Answer = serde_json::from_str(LIST).unwrap();
        assert_eq!(class(&answer.status.code), None);
        let domain = answer.domain.unwrap();
        assert_eq!(domain.min_ttl, Some(600));
        assert_eq!(answer.info.unwrap().record_total, Some(3));
        let rows: Vec<HostRecord> = answer.records.into_iter().map(HostRecord::from).collect();
        let told: Vec<_> = rows.iter().map(|r| (r.id.as_str(), r.line.as_str(), r.ttl, r.weight)).collect();
        assert_eq!(told, [("44146112", "0", 600, None), ("44146113", "3=0", 600, Some(20))]);
        assert_eq!((rows[0].service, rows[1].service), (Service::Served, Service::Disabled));
    }

    #[test]
    fn the_id_of_a_written_record_is_a_text_or_a_number() {
        for id in ["\"16894439\"", "16894439"] {
            let json = format!(r#"{{"status": {{"code": "1"}}, "record": {{"id": {id}, "name": "@"}}}}"#);
            let answer: Answer = serde_json::from_str(&json).unwrap();
            assert_eq!(answer.record.unwrap().id, "16894439");
        }
    }

    #[test]
    fn codes_are_sorted_by_what_they_mean() {
        let table = [
            ("-1", Class::Auth),
            ("85", Class::Auth),
            ("-8", Class::Wait(BAN)),
            ("-2", Class::Wait(BAN)),
            ("10", Class::Empty),
            ("31", Class::Conflict),
            ("500025", Class::Conflict),
            ("13", Class::NoZone),
            ("21", Class::Refused),
            ("32", Class::Input),
            ("something new", Class::Input),
        ];
        for (code, wanted) in table {
            assert_eq!(class(code), Some(wanted), "{code}");
        }
    }
}
