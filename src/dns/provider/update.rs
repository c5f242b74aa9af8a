//! A plan as one UPDATE message (RFC 2136): what must stand as it was seen, then the changes and the mark.
//!
//! One message is applied whole or not at all (section 3.7), so no resolver ever sees a set between two of its changes.
//! Never sends anything.

use hickory_proto::op::{Message, OpCode, Query};
use hickory_proto::rr::{DNSClass, Name as WireName, RData, Record, RecordType as WireType, rdata::TXT};

use super::txt::{BRIEF, TextChange};
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
    if let Some(marks) = plan.seen().txt_marks() {
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
pub(super) fn set_as_seen(name: &WireName, kind: WireType, members: Vec<RData>) -> Vec<Record> {
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
        Operation::Create { .. } | Operation::Mark { .. } => None,
    });
    let comes = plan.operations().iter().filter_map(|operation| match operation {
        Operation::Modify { to: new, ttl, .. } | Operation::Create { rdata: new, ttl, .. } => {
            Some(Record::from_rdata(name.clone(), ttl.as_secs(), wire_rdata(new)))
        }
        Operation::Mark { .. } | Operation::Delete { .. } => None,
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

/// The message that puts a text at `name`, or takes it away, whatever else stands there.
pub(super) fn of_text(change: TextChange, zone: &Name, name: &Name, text: &TxtData) -> Message {
    let mut message = Message::query();
    message.metadata.op_code = OpCode::Update;
    message.add_query(Query::query(wire_name(zone), WireType::SOA));
    let (name, data) = (wire_name(name), wire_txt(text));
    message.add_authority(match change {
        TextChange::Put => Record::from_rdata(name, BRIEF.as_secs(), data),
        TextChange::Take => delete(&name, data),
    });
    message
}

fn wire_txt(txt: &TxtData) -> RData {
    RData::TXT(TXT::from_bytes(txt.strings().collect()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use hickory_proto::rr::RecordData;

    use super::*;
    use crate::dns::plan::{Desired, Scope, plan};
    use crate::dns::snapshot::{Record as Seen, Snapshot};
    use crate::dns::{Owner, RdataSet, Ttl};

    fn seen(texts: &[&str], marks: Option<TxtMarks>) -> Snapshot {
        let record = |text: &&str| Seen::new(text.parse().unwrap(), Ttl::from_secs(60));
        let (name, records) = ("www.example.com".parse().unwrap(), texts.iter().map(record).collect());
        match marks {
            Some(marks) => Snapshot::with_txt_marks(name, records, marks),
            None => Snapshot::unmarked(name, records),
        }
    }

    /// The prerequisites and the changes, as `owner class ttl type data`.
    fn sections(standing: &[&str], marks: Option<TxtMarks>, wanted: &[&str]) -> (Vec<String>, Vec<String>) {
        let desired = Desired {
            name: "www.example.com".parse().unwrap(),
            owner: Owner::new("watcher"),
            ttl: Ttl::from_secs(60),
            epoch: None,
            scope: Scope::Whole,
            lines: BTreeSet::new(),
            sets: vec![RdataSet::new(wanted.iter().map(|text| text.parse().unwrap())).unwrap()],
            retire: BTreeSet::new(),
            mine: BTreeSet::new(),
        };
        let plan = plan(&desired, &seen(standing, marks)).unwrap();
        let message = message(&plan, &"example.com".parse().unwrap()).unwrap();
        assert_eq!(message.queries[0].query_type(), WireType::SOA);
        let text = |r: &Record| {
            let data = if r.data.is_update() { String::new() } else { format!(" {}", r.data) };
            format!("{} {} {} {}{data}", r.name, r.dns_class, r.ttl, r.record_type())
        };
        (message.answers.iter().map(text).collect(), message.authorities.iter().map(text).collect())
    }

    #[test]
    fn a_change_requires_the_exact_set_and_no_cname_and_deletes_before_it_adds() {
        let (required, changes) =
            sections(&["A 192.0.2.1", "A 192.0.2.2"], None, &["A 192.0.2.1", "A 192.0.2.3"]);
        assert_eq!(
            required,
            [
                "www.example.com. IN 0 A 192.0.2.1",
                "www.example.com. IN 0 A 192.0.2.2",
                "www.example.com. NONE 0 CNAME"
            ]
        );
        assert_eq!(changes, ["www.example.com. NONE 0 A 192.0.2.2", "www.example.com. IN 60 A 192.0.2.3"]);
    }

    #[test]
    fn a_cname_requires_that_no_address_stands() {
        let (required, changes) = sections(&[], None, &["CNAME user.github.io"]);
        assert_eq!(
            required,
            ["www.example.com. NONE 0 A", "www.example.com. NONE 0 AAAA", "www.example.com. NONE 0 CNAME"]
        );
        assert_eq!(changes, ["www.example.com. IN 60 CNAME user.github.io."]);
    }

    #[test]
    fn the_mark_travels_in_the_same_message_under_the_ttl_that_others_set() {
        let text = TxtData::new([b"somebody else".to_vec()]);
        let marks = TxtMarks { records: vec![text], ttl: Some(Ttl::from_secs(300)) };
        let (required, changes) = sections(&[], Some(marks), &["A 192.0.2.1"]);
        assert_eq!(required.last().unwrap(), "_hearth.www.example.com. IN 0 TXT somebody else");
        assert_eq!(changes.last().unwrap(), "_hearth.www.example.com. IN 300 TXT hearth=1 owner=watcher");
    }
}
