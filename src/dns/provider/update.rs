//! A plan as one UPDATE message (RFC 2136): what must stand as it was seen, then the changes and the mark.
//!
//! One message is applied whole or not at all (section 3.7), so no resolver ever sees a set between two of its changes.
//! Never sends anything.

use hickory_proto::op::{Message, OpCode, Query};
use hickory_proto::rr::{DNSClass, Name as WireName, RData, Record, RecordType as WireType, rdata::TXT};

use super::wire::{wire_name, wire_rdata, wire_type};
use crate::dns::mark::{self, TxtData};
use crate::dns::plan::{MarkChange, Operation, Plan};
use crate::dns::snapshot::TxtMarks;
use crate::dns::{Name, NameError, RecordType};

/// The message that applies `plan` to `zone`, and to nothing but what the plan has seen.
///
/// # Errors
/// When the place of the marks is not a name.
pub(super) fn message(plan: &Plan, zone: &Name) -> Result<Message, NameError> {
    let mut message = Message::query();
    message.metadata.op_code = OpCode::Update;
    message.add_query(Query::query(wire_name(zone), WireType::SOA));
    message.add_answers(sets_as_seen(plan));
    message.add_authorities(changes(plan));
    if let Some(marks) = &plan.seen().marks {
        let place = wire_name(&mark::place(plan.name())?);
        message.add_answers(marks_as_seen(&place, marks));
        message.add_authorities(plan.mark().iter().flat_map(|c| mark_changes(&place, plan, marks, c)));
    }
    Ok(message)
}

/// The prerequisites: each RRset that the plan speaks about, whole and exact, or absent; a CNAME beside addresses too.
fn sets_as_seen(plan: &Plan) -> Vec<Record> {
    let name = wire_name(plan.name());
    let all = [RecordType::A, RecordType::Aaaa, RecordType::Cname];
    let alias = |kind: &RecordType| *kind == RecordType::Cname;
    let speaks = |kind: &RecordType| {
        plan.types().contains(kind) || alias(kind) || plan.types().contains(&RecordType::Cname)
    };
    let as_seen = |kind: RecordType| {
        let members = plan.seen().rrset(kind).map(|r| wire_rdata(&r.rdata)).collect();
        set_as_seen(&name, wire_type(kind), members)
    };
    all.into_iter().filter(speaks).flat_map(as_seen).collect()
}

/// "RRset exists (value dependent)", or "RRset does not exist" (RFC 2136 sections 2.4.2 and 2.4.3).
fn set_as_seen(name: &WireName, kind: WireType, members: Vec<RData>) -> Vec<Record> {
    if members.is_empty() {
        let mut absent = Record::update0(name.clone(), 0, kind);
        absent.dns_class = DNSClass::NONE;
        return vec![absent];
    }
    members.into_iter().map(|data| Record::from_rdata(name.clone(), 0, data)).collect()
}

fn marks_as_seen(place: &WireName, marks: &TxtMarks) -> Vec<Record> {
    set_as_seen(place, WireType::TXT, marks.records.iter().map(wire_txt).collect())
}

/// The update section: everything that goes, then everything that comes. A server that ignores the TTL of data that it
/// has (Knot does) takes the new TTL of data that it lost one line before.
fn changes(plan: &Plan) -> Vec<Record> {
    let name = wire_name(plan.name());
    let goes = plan.operations().iter().filter_map(|operation| match operation {
        Operation::Modify { from: old, .. } | Operation::Delete { expect: old } => {
            Some(delete(&name, wire_rdata(&old.rdata)))
        }
        Operation::Create { .. } => None,
    });
    let comes = plan.operations().iter().filter_map(|operation| match operation {
        Operation::Modify { to: new, ttl, .. } | Operation::Create { rdata: new, ttl, .. } => {
            Some(Record::from_rdata(name.clone(), ttl.as_secs(), wire_rdata(new)))
        }
        Operation::Delete { .. } => None,
    });
    goes.chain(comes).collect()
}

/// The mark takes the place of the writer's last one, under the TTL that the marks of others already have.
fn mark_changes(place: &WireName, plan: &Plan, marks: &TxtMarks, change: &MarkChange) -> Vec<Record> {
    let others = marks.records.len() > change.remove.len();
    let ttl = marks.ttl.filter(|_| others).unwrap_or_else(|| plan.ttl()).as_secs();
    let goes = change.remove.iter().map(|txt| delete(place, wire_txt(txt)));
    goes.chain([Record::from_rdata(place.clone(), ttl, wire_txt(&change.add))]).collect()
}

/// "Delete an RR from an RRset" (RFC 2136 section 2.5.4).
fn delete(name: &WireName, data: RData) -> Record {
    let mut record = Record::from_rdata(name.clone(), 0, data);
    record.dns_class = DNSClass::NONE;
    record
}

fn wire_txt(txt: &TxtData) -> RData {
    RData::TXT(TXT::from_bytes(txt.strings().collect()))
}
