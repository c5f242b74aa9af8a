//! What Cloudflare says and is told, as JSON, and what its error codes mean.
//!
//! Never asks.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::dns::plan::{Operation, Plan};
use crate::dns::provider::ProviderError;
use crate::dns::provider::cloud::{Class, Place};
use crate::dns::snapshot::{Record, RecordId, TtlChoice};
use crate::dns::{Rdata, RecordType, Ttl};

/// The smallest TTL outside of Enterprise zones
/// (<https://developers.cloudflare.com/dns/manage-dns-records/reference/ttl/>).
pub(in crate::dns::provider) const LEAST_TTL: Ttl = Ttl::from_secs(60);

/// The TTL that means "automatic".
const AUTOMATIC: u32 = 1;

/// The word for whether a record's traffic goes through Cloudflare, among what else is kept of it.
const PROXIED: &str = "proxied";

/// The whole user is locked out for this long after 1200 calls in five minutes
/// (<https://developers.cloudflare.com/fundamentals/api/reference/limits/>).
const LOCKED: Duration = Duration::from_secs(300);

/// What every answer is wrapped in.
#[derive(Debug, Deserialize)]
pub(super) struct Envelope<T> {
    success: bool,
    #[serde(default)]
    errors: Vec<Fault>,
    #[serde(default = "Option::default")]
    pub(super) result: Option<T>,
    result_info: Option<Info>,
}

#[derive(Debug, Deserialize)]
struct Fault {
    code: u32,
    #[serde(default)]
    message: String,
    #[serde(default)]
    error_chain: Vec<Fault>,
}

#[derive(Debug, Deserialize)]
struct Info {
    #[serde(default)]
    total_pages: Option<usize>,
    #[serde(default)]
    total_count: usize,
    #[serde(default)]
    per_page: usize,
}

/// A zone that was found.
#[derive(Debug, Deserialize)]
pub(super) struct Found {
    pub(super) id: String,
    pub(super) name: String,
}

/// A record that was listed.
#[derive(Debug, Deserialize)]
pub(super) struct Listed {
    id: String,
    name: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    content: String,
    ttl: u32,
    #[serde(default)]
    proxied: bool,
    comment: Option<String>,
}

impl<T> Envelope<T> {
    /// How many pages there are.
    pub(super) fn pages(&self) -> usize {
        let Some(info) = &self.result_info else { return 1 };
        let counted = info.total_count.div_ceil(info.per_page.max(1));
        info.total_pages.unwrap_or(counted).max(1)
    }

    /// What went wrong, in the service's words. None: nothing.
    pub(super) fn failure(&self, status: u16) -> Option<(Class, String)> {
        if self.success && status < 400 {
            return None;
        }
        let chain = |fault: &Fault| fault.error_chain.iter().map(|f| f.code).chain([fault.code]).collect();
        let codes: Vec<u32> = self.errors.iter().flat_map::<Vec<u32>, _>(chain).collect();
        let class = codes.iter().find_map(|code| class(*code)).unwrap_or_else(|| of_status(status));
        let words: Vec<String> = self.errors.iter().map(|f| format!("{} ({})", f.message, f.code)).collect();
        Some((class, if words.is_empty() { format!("HTTP {status}") } else { words.join(", ") }))
    }
}

/// <https://developers.cloudflare.com/dns/manage-dns-records/reference/> and what the service was seen to answer. A
/// person has to act on every code of the first line, and more tries end in 9109 for the whole account.
fn class(code: u32) -> Option<Class> {
    match code {
        6003 | 6103 | 6111 | 9103 | 9106 | 9109 | 10000 => Some(Class::Auth),
        81_044 | 81_053..=81_058 => Some(Class::Conflict),
        7_000 | 7_003 | 1_001 => Some(Class::NoZone),
        971 | 10_429 => Some(Class::Wait(LOCKED)),
        1_004 | 9_000..=9_102 => Some(Class::Input),
        _ => None,
    }
}

fn of_status(status: u16) -> Class {
    match status {
        401 => Class::Auth,
        403 => Class::Refused,
        404 => Class::NoZone,
        400..=499 => Class::Input,
        _ => Class::Passing,
    }
}

impl Listed {
    /// The record, when it stands at the name and is of a type that hearth writes.
    pub(super) fn record(self, place: &Place<'_>) -> Result<Option<Record>, ProviderError> {
        let ours = matches!(self.kind.as_str(), "A" | "AAAA" | "CNAME");
        if !ours || !self.name.eq_ignore_ascii_case(place.name.as_str()) {
            return Ok(None);
        }
        let rdata: Rdata = format!("{} {}", self.kind, self.content).parse().map_err(|error| {
            ProviderError::Unusable(format!("record {} of {}: {error}", self.id, place.name))
        })?;
        let theirs = self.proxied || self.ttl == AUTOMATIC;
        Ok(Some(Record {
            id: Some(RecordId(self.id)),
            ttl_choice: if theirs { TtlChoice::Provider } else { TtlChoice::Writer },
            remark: self.comment.unwrap_or_default(),
            extras: [(PROXIED.to_owned(), self.proxied.to_string())].into(),
            ..Record::new(rdata, Ttl::from_secs(self.ttl))
        }))
    }
}

/// Changes that are made together: deletes, then patches, then posts, in one transaction.
#[derive(Debug, Default, Serialize)]
pub(super) struct Batch {
    deletes: Vec<Delete>,
    patches: Vec<Patch>,
    posts: Vec<Post>,
}

#[derive(Debug, Serialize)]
struct Delete {
    id: String,
}

/// What is not there is not spoken of, and stays.
#[derive(Debug, Default, Serialize)]
struct Patch {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    comment: Option<String>,
}

#[derive(Debug, Serialize)]
struct Post {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    content: String,
    ttl: u32,
    proxied: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    comment: Option<String>,
}

impl Batch {
    /// The changes of `plan`.
    pub(super) fn of(plan: &Plan) -> Self {
        let mut batch = Self::default();
        plan.operations().iter().for_each(|operation| batch.add(plan, operation));
        batch
    }

    fn add(&mut self, plan: &Plan, operation: &Operation) {
        match operation {
            Operation::Modify { from, to, ttl, remark } => self.patches.push(Patch {
                id: id(from),
                content: (*to != from.rdata).then(|| to.value()),
                ttl: (*ttl != from.ttl).then(|| ttl.as_secs()),
                comment: remark.clone(),
            }),
            Operation::Mark { record, remark } => {
                self.patches.push(Patch {
                    id: id(record),
                    comment: Some(remark.clone()),
                    ..Patch::default()
                });
            }
            Operation::Create { rdata, ttl, remark, .. } => self.posts.push(Post {
                name: plan.name().to_string(),
                kind: rdata.record_type().to_string(),
                content: rdata.value(),
                ttl: ttl.as_secs(),
                proxied: joins_proxied(plan, rdata.record_type()),
                comment: remark.clone(),
            }),
            Operation::Delete { expect } => self.deletes.push(Delete { id: id(expect) }),
        }
    }
}

/// Cloudflare answers for a whole name with its own addresses as soon as one record of it is proxied, so a member that
/// joins proxied ones is one of them.
fn joins_proxied(plan: &Plan, kind: RecordType) -> bool {
    plan.seen().rrset(kind).any(|record| record.extras.get(PROXIED).is_some_and(|proxied| proxied == "true"))
}

fn id(record: &Record) -> String {
    record.id.as_ref().map(|id| id.0.clone()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(status: u16, body: &str) -> Option<(Class, String)> {
        serde_json::from_str::<Envelope<serde_json::Value>>(body).unwrap().failure(status)
    }

    #[test]
    fn a_failure_is_told_by_its_code_before_its_status() {
        let of = |status, code: u32| {
            let body = format!(
                "{{\"success\":false,\"errors\":[{{\"code\":{code},\"message\":\"x\"}}],\"result\":null}}"
            );
            failure(status, &body).unwrap().0
        };
        assert_eq!(of(400, 81_058), Class::Conflict);
        assert_eq!(of(403, 9_109), Class::Auth);
        assert_eq!(of(403, 10_000), Class::Auth);
        assert_eq!(of(403, 55), Class::Refused);
        assert_eq!(of(400, 1_004), Class::Input);
        let chained = "{\"success\":false,\"errors\":[{\"code\":1,\"message\":\"a\",\"error_chain\":[{\"code\":6111}]}]}";
        assert_eq!(failure(400, chained), Some((Class::Auth, "a (1)".to_owned())));
        assert_eq!(failure(200, "{\"success\":true,\"errors\":[],\"result\":{}}"), None);
    }

    #[test]
    fn pages_are_counted_where_they_are_not_told() {
        let pages = |info: &str| {
            let body = format!("{{\"success\":true,\"result\":[],\"result_info\":{info}}}");
            serde_json::from_str::<Envelope<Vec<Listed>>>(&body).unwrap().pages()
        };
        assert_eq!(pages("{\"total_pages\":3,\"total_count\":3,\"per_page\":1}"), 3);
        assert_eq!(pages("{\"total_count\":21,\"per_page\":20}"), 2);
        assert_eq!(pages("{\"total_count\":0,\"per_page\":20}"), 1);
    }
}
