//! What the APIs of the clouds in China have in common: host records below a domain, and errors by what they mean.
//!
//! Never asks; each service says in its own words what these are.

use std::time::Duration;

use super::{Aliases, Atomic, Capabilities, CompareAndSet, Consistency, Lines, OwnerMarks, ProviderError};
use crate::dns::plan::{Operation, Plan};
use crate::dns::snapshot::{Line, Record, RecordId, Snapshot};
use crate::dns::{Name, Rdata, Ttl};

/// What these services can do. The smallest TTL depends on the plan that is paid for.
pub(super) const CAPABILITIES: Capabilities = Capabilities {
    atomic: Atomic::Record,
    compare_and_set: CompareAndSet::None,
    lines: Lines::ById,
    owner_marks: OwnerMarks::Remark,
    min_ttl: None,
    consistency: Consistency::Strong,
    aliases: Aliases::Held,
};

/// The word for a record's weight among what else is kept of it.
const WEIGHT: &str = "weight";

/// A record as these services have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HostRecord {
    /// Its id.
    pub(super) id: String,
    /// Below the domain; `@` is the domain itself.
    pub(super) name: String,
    /// Its type; there are types that DNS does not have, such as forwarding a URL.
    pub(super) kind: String,
    /// Its data as text; a CNAME with or without the final dot.
    pub(super) value: String,
    /// Its TTL in seconds.
    pub(super) ttl: u32,
    /// Its line: the id where lines have one, else the key that is the same in every language.
    pub(super) line: String,
    /// Its remark.
    pub(super) remark: String,
    /// Its weight among the records of its set, where one was given.
    pub(super) weight: Option<u32>,
    /// Whether it is served.
    pub(super) service: Service,
}

/// Whether a record is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    /// It is.
    Served,
    /// Somebody switched it off. It is nobody's to change, and counts against no limit.
    Disabled,
}

/// What an error code means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// The credentials are not accepted.
    Auth,
    /// The credentials are accepted, but not for this; or a person has to unlock something.
    Refused,
    /// Our clock is wrong.
    ClockSkew,
    /// Something else stands there than was seen.
    Conflict,
    /// Too many calls: closed for this long.
    Wait(Duration),
    /// It may be better next time.
    Passing,
    /// There is nothing to list.
    Empty,
    /// The domain is not there, or not this account's.
    NoZone,
    /// What was sent can never be taken.
    Input,
}

/// Who was asked, about what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    /// The service, by its host.
    pub(super) server: &'a str,
    /// The key, by the part that is no secret.
    pub(super) key: &'a str,
    /// The domain.
    pub(super) zone: &'a Name,
    /// The name.
    pub(super) name: &'a Name,
}

impl Class {
    /// The error that says so; `reason` is in the service's words.
    pub(super) fn error(self, place: &Place<'_>, reason: String) -> ProviderError {
        let server = place.server.to_owned();
        match self {
            Class::Auth => ProviderError::Auth { server, key: place.key.to_owned(), reason },
            Class::Refused => ProviderError::Refused { server, reason },
            Class::ClockSkew => ProviderError::ClockSkew { server, reason },
            Class::Conflict => ProviderError::Conflict { name: place.name.clone(), server, reason },
            Class::Wait(wait) => ProviderError::Transient { server, reason, retry_after: Some(wait) },
            Class::Passing | Class::Empty => ProviderError::Transient { server, reason, retry_after: None },
            Class::NoZone => ProviderError::NotAuthoritative { server, zone: place.zone.clone(), reason },
            Class::Input => ProviderError::Unusable(format!(
                "{server} does not take what is asked for {}: {reason}",
                place.name
            )),
        }
    }
}

/// `name` below `zone`, the way these services write it: `@` for the zone itself.
pub(super) fn host(name: &Name, zone: &Name) -> String {
    let below = name.as_str().strip_suffix(zone.as_str()).and_then(|head| head.strip_suffix('.'));
    below.map_or_else(|| "@".to_owned(), str::to_owned)
}

/// What stands at the name, on all lines, out of what a service listed.
///
/// # Errors
/// When a record cannot be read, or when the name is forwarded to a URL on the line for everybody.
pub(super) fn snapshot<C: Cloud>(
    place: &Place<'_>,
    rows: Vec<HostRecord>,
) -> Result<Snapshot, ProviderError> {
    let records = records(place, &host(place.name, place.zone), C::DEFAULT_LINE, rows)?;
    let default_line = Some(Line(C::DEFAULT_LINE.to_owned()));
    Ok(Snapshot { default_line, ..Snapshot::with_remarks(place.name.clone(), records) })
}

/// The records at `host` that are served and of a type that hearth writes, out of what a service listed. One that is
/// forwarded to a URL on `line` is an error: no other record may stand beside it.
fn records(
    place: &Place<'_>,
    host: &str,
    line: &str,
    rows: Vec<HostRecord>,
) -> Result<Vec<Record>, ProviderError> {
    // Some services look for a part of the name only.
    let here = rows.into_iter().filter(|r| r.name.eq_ignore_ascii_case(host) && r.service == Service::Served);
    let mut records = Vec::new();
    for row in here {
        match row.kind.as_str() {
            "A" | "AAAA" | "CNAME" => records.push(record(place, row)?),
            kind if kind.contains("URL") && row.line == line => {
                return Err(ProviderError::Unusable(format!(
                    "{} is forwarded to a URL at {} (record {}); remove that by hand, nothing can stand beside it",
                    place.name, place.server, row.id
                )));
            }
            _ => {}
        }
    }
    Ok(records)
}

fn record(place: &Place<'_>, row: HostRecord) -> Result<Record, ProviderError> {
    let rdata: Rdata = format!("{} {}", row.kind, row.value)
        .parse()
        .map_err(|error| ProviderError::Unusable(format!("record {} of {}: {error}", row.id, place.name)))?;
    let weight = row.weight.map(|weight| (WEIGHT.to_owned(), weight.to_string()));
    Ok(Record {
        id: Some(RecordId(row.id)),
        line: Some(Line(row.line)),
        remark: row.remark,
        extras: weight.into_iter().collect(),
        ..Record::new(rdata, Ttl::from_secs(row.ttl))
    })
}

/// What a record is to be. These services forget what they are not told again, so that it is told whole.
#[derive(Clone, Debug)]
pub(super) struct Content<'a> {
    /// Its data.
    pub(super) rdata: &'a Rdata,
    /// Its TTL.
    pub(super) ttl: Ttl,
    /// Its line.
    pub(super) line: &'a str,
    /// Its weight, where it has one.
    pub(super) weight: Option<&'a str>,
}

/// A service that changes one record at a time, by its id.
pub(super) trait Cloud {
    /// The line for everybody.
    const DEFAULT_LINE: &'static str;

    /// Changes the record `id` in place; its remark stays.
    async fn modify(&self, name: &Name, id: &str, content: &Content<'_>) -> Result<(), ProviderError>;
    /// Adds a record, and says its id.
    async fn create(&self, name: &Name, content: &Content<'_>) -> Result<String, ProviderError>;
    /// Writes the remark of the record `id`, and nothing else of it.
    async fn remark(&self, name: &Name, id: &str, remark: &str) -> Result<(), ProviderError>;
    /// Takes the record `id` away.
    async fn delete(&self, name: &Name, id: &str) -> Result<(), ProviderError>;
}

/// Makes the changes of `plan` one after the other, and stops at the first that fails: what was made by then is seen by
/// whoever looks next.
pub(super) async fn apply<C: Cloud>(cloud: &C, plan: &Plan) -> Result<(), ProviderError> {
    for operation in plan.operations() {
        make(cloud, plan.name(), operation).await?;
    }
    Ok(())
}

async fn make<C: Cloud>(cloud: &C, name: &Name, operation: &Operation) -> Result<(), ProviderError> {
    match operation {
        Operation::Modify { from, to, ttl, remark } => {
            let line = from.line.as_ref().map_or(C::DEFAULT_LINE, |line| line.0.as_str());
            let weight = from.extras.get(WEIGHT).map(String::as_str);
            cloud.modify(name, id(name, from)?, &Content { rdata: to, ttl: *ttl, line, weight }).await?;
            match remark {
                Some(remark) => cloud.remark(name, id(name, from)?, remark).await,
                None => Ok(()),
            }
        }
        Operation::Create { rdata, ttl, line, remark } => {
            let line = line.as_ref().map_or(C::DEFAULT_LINE, |line| line.0.as_str());
            let id = cloud.create(name, &Content { rdata, ttl: *ttl, line, weight: None }).await?;
            match remark {
                Some(remark) => cloud.remark(name, &id, remark).await,
                None => Ok(()),
            }
        }
        Operation::Mark { record, remark } => cloud.remark(name, id(name, record)?, remark).await,
        Operation::Delete { expect } => cloud.delete(name, id(name, expect)?).await,
    }
}

/// The ids of the records at `host` that hold `text`, out of what a service listed.
pub(super) fn texts(rows: &[HostRecord], host: &str, text: &str) -> Vec<String> {
    let is = |row: &&HostRecord| {
        row.kind == "TXT" && row.name.eq_ignore_ascii_case(host) && row.value.trim_matches('"') == text
    };
    rows.iter().filter(is).map(|row| row.id.clone()).collect()
}

/// Takes these records away.
pub(super) async fn delete_all<C: Cloud>(
    cloud: &C,
    name: &Name,
    ids: &[String],
) -> Result<(), ProviderError> {
    for id in ids {
        cloud.delete(name, id).await?;
    }
    Ok(())
}

/// The id of a record that was listed; each has one.
fn id<'a>(name: &Name, record: &'a Record) -> Result<&'a str, ProviderError> {
    let without = || ProviderError::Unusable(format!("{name}: {} was read without an id", record.rdata));
    record.id.as_ref().map(|id| id.0.as_str()).ok_or_else(without)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_written_below_its_zone() {
        let host = |name: &str| host(&name.parse().unwrap(), &"example.com".parse().unwrap());
        assert_eq!(host("www.example.com"), "www");
        assert_eq!(host("a.b.example.com"), "a.b");
        assert_eq!(host("example.com"), "@");
    }
}
