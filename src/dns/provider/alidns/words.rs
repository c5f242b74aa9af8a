//! What Alibaba Cloud DNS says: records, and codes by what they mean
//! (<https://www.alibabacloud.com/help/en/dns/api-alidns-2015-01-09-overview>).
//!
//! Never asks.

use std::time::Duration;

use serde::Deserialize;

use crate::dns::provider::cloud::{Class, HostRecord, Service};
use crate::dns::provider::loose;

/// How long to leave a service alone that says that there were too many calls.
const PAUSE: Duration = Duration::from_secs(60);

/// An answer, or an error: that one has a code.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Answer {
    /// Names the answer; its absence says that somebody else answered.
    #[serde(rename = "RequestId")]
    pub(super) _request_id: String,
    /// What went wrong, as a code.
    pub(super) code: Option<String>,
    /// What went wrong, in words.
    #[serde(default)]
    pub(super) message: String,
    /// How many records there are in all pages together.
    #[serde(default)]
    pub(super) total_count: u64,
    /// The records of a list.
    #[serde(default)]
    pub(super) domain_records: List,
    /// The id of the record that was written.
    pub(super) record_id: Option<String>,
}

/// The records of a list.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct List {
    /// Each of them.
    #[serde(default)]
    pub(super) record: Vec<Row>,
}

/// A record of a list.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Row {
    record_id: String,
    #[serde(rename = "RR")]
    rr: String,
    #[serde(rename = "Type")]
    kind: String,
    value: String,
    #[serde(rename = "TTL")]
    ttl: u32,
    line: String,
    status: String,
    #[serde(deserialize_with = "loose::number", default)]
    weight: Option<u32>,
    remark: Option<String>,
}

impl From<Row> for HostRecord {
    fn from(row: Row) -> Self {
        let disabled = row.status.eq_ignore_ascii_case("disable");
        Self {
            id: row.record_id,
            name: row.rr,
            kind: row.kind,
            value: row.value,
            ttl: row.ttl,
            line: row.line,
            remark: row.remark.unwrap_or_default(),
            weight: row.weight,
            service: if disabled { Service::Disabled } else { Service::Served },
        }
    }
}

/// What a code means.
pub(super) fn class(code: &str) -> Class {
    match code {
        "InvalidTimeStamp.Expired" | "InvalidTimeStamp.Format" | "IllegalTimestamp" => Class::ClockSkew,
        "SignatureDoesNotMatch" | "IncompleteSignature" => Class::Auth,
        "DomainRecordDuplicate" | "DomainRecordConflict" | "InvalidRR.NoExist" => Class::Conflict,
        // The record went away, or is in another account.
        "DomainRecordNotBelongToUser" => Class::Conflict,
        "InvalidDomainName.NoExist" | "IncorrectDomainUser" => Class::NoZone,
        "QuotaExceeded.Record" | "QuotaExceeded.TTL" => Class::Refused,
        "SignatureNonceUsed" | "ServiceUnavailable" | "InternalError" => Class::Passing,
        _ => class_by_family(code),
    }
}

/// Codes have a family before the dot; a code that is not known is judged by it.
fn class_by_family(code: &str) -> Class {
    match code.split('.').next().unwrap_or(code) {
        "InvalidAccessKeyId" | "InvalidSecurityToken" | "MissingSecurityToken" => Class::Auth,
        "Forbidden" | "NoPermission" => Class::Refused,
        "Throttling" => Class::Wait(PAUSE),
        _ => Class::Input,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read() {
        // In the shape of the documentation's example.
        let json = r#"{"TotalCount": 2, "PageSize": 20, "RequestId": "536E9CAD", "PageNumber": 1, "DomainRecords":
            {"Record": [
            {"Status": "ENABLE", "Type": "A", "Weight": 2, "Value": "192.0.2.254", "TTL": 600, "Line": "default",
             "RecordId": "9999985", "Priority": 5, "RR": "www", "DomainName": "example.com", "Locked": false},
            {"Status": "Disable", "Type": "MX", "Remark": "mail", "TTL": 600, "RecordId": "9999986", "RR": "www",
             "DomainName": "example.com", "Value": "mail1.hichina.com", "Line": "oversea", "Locked": false}]}}"#;
        let answer: Answer = serde_json::from_str(json).unwrap();
        assert_eq!((answer.code, answer.total_count), (None, 2));
        let rows: Vec<HostRecord> = answer.domain_records.record.into_iter().map(HostRecord::from).collect();
        assert_eq!(
            (rows[0].id.as_str(), rows[0].line.as_str(), rows[0].weight),
            ("9999985", "default", Some(2))
        );
        assert_eq!((rows[1].remark.as_str(), rows[1].service), ("mail", Service::Disabled));
    }

    #[test]
    fn an_error_is_an_answer_too() {
        let json = r#"{"RequestId": "536E9CAD", "HostId": "alidns.aliyuncs.com", "Code": "InvalidDomainName.NoExist",
            "Message": "The specified domain name does not exist."}"#;
        let answer: Answer = serde_json::from_str(json).unwrap();
        assert_eq!(answer.code.as_deref().map(class), Some(Class::NoZone));
        assert!(serde_json::from_str::<Answer>(r#"{"hello": "world"}"#).is_err());
    }

    #[test]
    fn codes_are_sorted_by_what_they_mean() {
        let table = [
            ("InvalidTimeStamp.Expired", Class::ClockSkew),
            ("SignatureDoesNotMatch", Class::Auth),
            ("InvalidAccessKeyId.NotFound", Class::Auth),
            ("Forbidden.RAM", Class::Refused),
            ("Forbidden.RecordLocked", Class::Refused),
            ("Throttling.User", Class::Wait(PAUSE)),
            ("DomainRecordDuplicate", Class::Conflict),
            ("DomainRecordConflict", Class::Conflict),
            ("QuotaExceeded.Record", Class::Refused),
            ("InvalidTTL", Class::Input),
        ];
        for (code, wanted) in table {
            assert_eq!(class(code), wanted, "{code}");
        }
    }
}
