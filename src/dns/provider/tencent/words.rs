//! What Tencent Cloud's DNSPod says: records, and codes by what they mean
//! (<https://cloud.tencent.com/document/api/1427/56192>).
//!
//! Never asks.

use std::time::Duration;

use serde::Deserialize;

use crate::dns::provider::cloud::{Class, HostRecord, Service};

/// How long logins stay closed after too many failures.
const BAN: Duration = Duration::from_secs(60 * 60);

/// How long to leave a service alone that says that there were too many calls.
const PAUSE: Duration = Duration::from_secs(60);

/// An answer: everything is in one envelope.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Envelope {
    /// What is in it.
    pub(super) response: Answer,
}

/// What an answer says.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Answer {
    /// What went wrong, where something did.
    pub(super) error: Option<Fault>,
    /// How many records there are, in the answer to a list.
    pub(super) record_count_info: Option<Count>,
    /// The records of a list.
    #[serde(default)]
    pub(super) record_list: Vec<Row>,
    /// The one record that was asked for.
    pub(super) record_info: Option<Info>,
    /// The id of the record that was written.
    pub(super) record_id: Option<u64>,
}

/// What went wrong.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Fault {
    /// As a code.
    pub(super) code: String,
    /// In words.
    #[serde(default)]
    pub(super) message: String,
}

/// How many records there are.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Count {
    /// In all pages together.
    pub(super) total_count: u64,
}

/// A record of a list.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Row {
    record_id: u64,
    name: String,
    #[serde(rename = "Type")]
    kind: String,
    value: String,
    #[serde(rename = "TTL")]
    ttl: u32,
    line_id: String,
    status: String,
    weight: Option<u32>,
    remark: Option<String>,
}

/// A record that was asked for by its id: the same in other words.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Info {
    id: u64,
    sub_domain: String,
    record_type: String,
    value: String,
    #[serde(rename = "TTL")]
    ttl: u32,
    record_line_id: String,
    enabled: u8,
    weight: Option<u32>,
    remark: Option<String>,
}

impl From<Row> for HostRecord {
    fn from(row: Row) -> Self {
        Self {
            id: row.record_id.to_string(),
            name: row.name,
            kind: row.kind,
            value: row.value,
            ttl: row.ttl,
            line: row.line_id,
            remark: row.remark.unwrap_or_default(),
            weight: row.weight,
            service: if row.status == "DISABLE" { Service::Disabled } else { Service::Served },
        }
    }
}

impl From<Info> for HostRecord {
    fn from(info: Info) -> Self {
        Self {
            id: info.id.to_string(),
            name: info.sub_domain,
            kind: info.record_type,
            value: info.value,
            ttl: info.ttl,
            line: info.record_line_id,
            remark: info.remark.unwrap_or_default(),
            weight: info.weight,
            service: if info.enabled == 0 { Service::Disabled } else { Service::Served },
        }
    }
}

/// What a code means.
pub(super) fn class(code: &str) -> Class {
    match code {
        "AuthFailure.SignatureExpire" => Class::ClockSkew,
        "LimitExceeded.FailedLoginLimitExceeded" => Class::Wait(BAN),
        "ResourceNotFound.NoDataOfRecord" => Class::Empty,
        "LimitExceeded.SubdomainRollLimit"
        | "LimitExceeded.AAAACountLimit"
        | "InvalidParameter.DomainRecordExist"
        | "InvalidParameter.RecordIdInvalid" => Class::Conflict,
        // Spelled so.
        "FailedOperation.UnknowError" | "InvalidParameter.OperateFailed" => Class::Passing,
        "InvalidParameterValue.DomainNotExists"
        | "InvalidParameter.DomainInvalid"
        | "FailedOperation.NotDomainOwner"
        | "ResourceNotFound.NoDataOfDomain" => Class::NoZone,
        "InvalidParameter.AccountIsBanned"
        | "InvalidParameter.RequestIpLimited"
        | "FailedOperation.DomainIsLocked"
        | "FailedOperation.DomainIsSpam" => Class::Refused,
        _ => class_by_family(code),
    }
}

/// Codes have a family before the dot; a code that is not known is judged by it.
fn class_by_family(code: &str) -> Class {
    match code.split('.').next().unwrap_or(code) {
        "AuthFailure" => Class::Auth,
        "UnauthorizedOperation" | "OperationDenied" => Class::Refused,
        "RequestLimitExceeded" => Class::Wait(PAUSE),
        "InternalError" | "ResourceUnavailable" | "FailedOperation" => Class::Passing,
        _ => Class::Input,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read() {
        // In the shape of the documentation's example.
        let json = r#"{"Response": {"RequestId": "ab4f1426", "RecordCountInfo":
            {"SubdomainCount": 2, "TotalCount": 2, "ListCount": 2}, "RecordList": [
            {"RecordId": 556507778, "Value": "192.0.2.1", "Status": "ENABLE", "UpdatedOn": "2021-03-28 11:27:09",
             "Name": "www", "Line": "默认", "LineId": "0", "Type": "A", "Weight": null, "MonitorStatus": "",
             "Remark": "", "TTL": 600, "MX": 0, "DefaultNS": false},
            {"RecordId": 556507779, "Value": "192.0.2.2", "Status": "DISABLE", "Name": "www", "Line": "境外",
             "LineId": "3=0", "Type": "A", "Weight": 30, "Remark": "old", "TTL": 120, "MX": 0}]}}"#;
        let answer = serde_json::from_str::<Envelope>(json).unwrap().response;
        assert!(answer.error.is_none());
        assert_eq!(answer.record_count_info.unwrap().total_count, 2);
        let rows: Vec<HostRecord> = answer.record_list.into_iter().map(HostRecord::from).collect();
        assert_eq!((rows[0].id.as_str(), rows[0].line.as_str(), rows[0].weight), ("556507778", "0", None));
        assert_eq!(
            (rows[1].remark.as_str(), rows[1].service, rows[1].weight),
            ("old", Service::Disabled, Some(30))
        );
    }

    #[test]
    fn one_record_is_read_in_its_other_words() {
        let json = r#"{"Response": {"RequestId": "ab4f1426", "RecordInfo": {"Id": 162, "SubDomain": "www",
            "RecordType": "A", "RecordLine": "百度", "RecordLineId": "90=0", "Value": "129.23.32.32", "Weight": null,
            "MX": 0, "TTL": 10, "Enabled": 1, "MonitorStatus": "Ok", "Remark": "备注",
            "UpdatedOn": "2021-03-31 11:38:02", "DomainId": 62}}}"#;
        let answer = serde_json::from_str::<Envelope>(json).unwrap().response;
        let row = HostRecord::from(answer.record_info.unwrap());
        assert_eq!((row.id.as_str(), row.line.as_str(), row.service), ("162", "90=0", Service::Served));
    }

    #[test]
    fn codes_are_sorted_by_what_they_mean() {
        let table = [
            ("AuthFailure.SignatureExpire", Class::ClockSkew),
            ("AuthFailure.SignatureFailure", Class::Auth),
            ("AuthFailure.SecretIdNotFound", Class::Auth),
            ("LimitExceeded.FailedLoginLimitExceeded", Class::Wait(BAN)),
            ("RequestLimitExceeded", Class::Wait(PAUSE)),
            ("RequestLimitExceeded.UinLimitExceeded", Class::Wait(PAUSE)),
            ("LimitExceeded.SubdomainRollLimit", Class::Conflict),
            ("InvalidParameter.DomainRecordExist", Class::Conflict),
            ("LimitExceeded.RecordTtlLimit", Class::Input),
            ("InvalidParameter.RecordLineInvalid", Class::Input),
            ("FailedOperation.UnknowError", Class::Passing),
            ("FailedOperation.DomainIsLocked", Class::Refused),
            ("OperationDenied.IPInBlacklistNotAllowed", Class::Refused),
            ("ResourceNotFound.NoDataOfRecord", Class::Empty),
            ("InvalidParameterValue.DomainNotExists", Class::NoZone),
        ];
        for (code, wanted) in table {
            assert_eq!(class(code), wanted, "{code}");
        }
    }
}
