//! What providers that write whole RRsets have in common: which sets a plan changes, and their text as zone files have it.
//!
//! Never asks.

use std::collections::BTreeMap;

use super::ProviderError;
use super::cloud::Place;
use crate::dns::mark::{self, TxtData};
use crate::dns::plan::{Operation, Plan};
use crate::dns::snapshot::Record;
use crate::dns::{Name, Rdata, RecordType, Ttl};

/// Where the marks of `name` stand.
pub(super) fn marks_place(name: &Name) -> Result<Name, ProviderError> {
    mark::place(name).map_err(|error| {
        ProviderError::Unusable(format!("{name} has no room for its marks: {error}; set `marks = \"off\"`"))
    })
}

/// Each type that the operations change, with its TTL and all members afterwards.
pub(super) fn touched(plan: &Plan) -> BTreeMap<RecordType, (Ttl, Vec<Rdata>)> {
    let mut sets: BTreeMap<RecordType, (Ttl, Vec<Rdata>)> = BTreeMap::new();
    for operation in plan.operations() {
        let (kind, ttl) = match operation {
            Operation::Modify { to, ttl, .. } => (to.record_type(), *ttl),
            Operation::Create { rdata, ttl, .. } => (rdata.record_type(), *ttl),
            Operation::Mark { record, .. } | Operation::Delete { expect: record } => {
                (record.rdata.record_type(), record.ttl)
            }
        };
        let stands = || plan.seen().rrset(kind).map(|record| record.rdata.clone()).collect();
        let members = &mut sets.entry(kind).or_insert_with(|| (ttl, stands())).1;
        match operation {
            Operation::Modify { from, to, .. } => {
                members.retain(|member| *member != from.rdata);
                members.push(to.clone());
            }
            Operation::Create { rdata, .. } => members.push(rdata.clone()),
            Operation::Delete { expect } => members.retain(|member| *member != expect.rdata),
            Operation::Mark { .. } => {}
        }
    }
    sets
}

/// The members of an RRset of this type as a provider writes them; of a type that hearth does not write, none.
///
/// # Errors
/// When one cannot be read.
pub(super) fn records<'a>(
    place: &Place<'_>,
    (kind, ttl): (&str, u32),
    values: impl IntoIterator<Item = &'a str>,
) -> Result<Vec<Record>, ProviderError> {
    let record = |value: &str| {
        let rdata: Rdata = format!("{kind} {value}").parse().map_err(|error| {
            ProviderError::Unusable(format!("{} at {}: {error}", place.name, place.server))
        })?;
        Ok(Record::new(rdata, Ttl::from_secs(ttl)))
    };
    let ours = matches!(kind, "A" | "AAAA" | "CNAME");
    values.into_iter().filter(|_| ours).map(record).collect()
}

/// The TXT records at the place of the marks after `plan`, those of others among them, and the TTL that they have. None:
/// they stay as they are.
pub(super) fn marks(plan: &Plan) -> Option<(Vec<String>, Ttl)> {
    let (change, marks) = (plan.mark()?, plan.seen().txt_marks()?);
    let stays = marks.records.iter().filter(|txt| !change.remove.contains(txt));
    Some((stays.chain([&change.add]).map(quoted).collect(), marks.ttl.unwrap_or(plan.ttl())))
}

/// A member as zone files have it.
pub(super) fn value(rdata: &Rdata) -> String {
    match rdata {
        Rdata::A(_) | Rdata::Aaaa(_) => rdata.value(),
        Rdata::Cname(_) => format!("{}.", rdata.value()),
    }
}

/// The data of a TXT record that zone files have so: strings in quotes, `\"` and `\123` in them (RFC 1035 section 5.1).
pub(super) fn txt(record: &str) -> TxtData {
    TxtData::new(strings(record))
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
    fn the_text_of_a_txt_record_survives_the_round_trip_byte_for_byte() {
        let all: Vec<u8> = (0..=255).collect();
        let data = TxtData::new([b"hearth=1 owner=pi1".to_vec(), b"a\"b\\c".to_vec(), all, Vec::new()]);
        assert_eq!(txt(&quoted(&data)), data);
        assert_eq!(quoted(&TxtData::new([b"v=spf1 \"x\"".to_vec()])), r#""v=spf1 \"x\"""#);
    }
}
