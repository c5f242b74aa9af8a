use hickory_proto::rr::rdata::{A, CNAME, NS, SOA, TXT};

use super::*;

const WWW: &str = "www.hearth.test.";
const NEW: &str = "new.hearth.test.";
const APEX: &str = "hearth.test.";

fn name(text: &str) -> Name {
    Name::from_ascii(text).unwrap()
}

fn zone() -> Zone {
    let mut zone = Zone::new(name(APEX));
    zone.put(&name(WWW), 60, a(11));
    zone.put(&name(WWW), 60, a(12));
    zone.put(&name("alias.hearth.test."), 60, cname(WWW));
    zone
}

fn a(last: u8) -> RData {
    RData::A(A::new(127, 0, 0, last))
}

fn cname(target: &str) -> RData {
    RData::CNAME(CNAME(name(target)))
}

fn everything() -> Rights {
    Rights::to([WWW, NEW, APEX, "alias.hearth.test."].map(name))
}

/// A record with data: class IN.
fn record(owner: &str, ttl: u32, data: RData) -> Record {
    Record::from_rdata(name(owner), ttl, data)
}

/// A record with data, to be deleted: class NONE.
fn without(owner: &str, data: RData) -> Record {
    let mut record = record(owner, 0, data);
    record.dns_class = DNSClass::NONE;
    record
}

/// A name and a type without data.
fn bare(owner: &str, class: DNSClass, kind: RecordType) -> Record {
    let mut record = Record::update0(name(owner), 0, kind);
    record.dns_class = class;
    record
}

fn members(zone: &Zone, owner: &str, kind: RecordType) -> Vec<RData> {
    zone.set(&name(owner), kind).map(|set| set.members.clone()).unwrap_or_default()
}

fn change(changes: &[Record]) -> Result<(Zone, Vec<Change>), ResponseCode> {
    update(&zone(), &everything(), &[], changes)
}

#[test]
fn every_form_of_prerequisite_holds_or_names_its_own_fault() {
    use RecordType as T;
    let (any, none) = (DNSClass::ANY, DNSClass::NONE);
    let late = |mut record: Record| {
        record.ttl = 1;
        record
    };
    let table: Vec<(&str, Vec<Record>, Result<(), ResponseCode>)> = vec![
        ("3.2.1 set exists", vec![bare(WWW, any, T::A)], Ok(())),
        ("3.2.1 and does not", vec![bare(WWW, any, T::AAAA)], Err(ResponseCode::NXRRSet)),
        ("3.2.2 set is absent", vec![bare(WWW, none, T::AAAA)], Ok(())),
        ("3.2.2 and is not", vec![bare(WWW, none, T::A)], Err(ResponseCode::YXRRSet)),
        ("3.2.3 equal, in any order", vec![record(WWW, 0, a(12)), record(WWW, 0, a(11))], Ok(())),
        ("3.2.3 a part of it", vec![record(WWW, 0, a(11))], Err(ResponseCode::NXRRSet)),
        (
            "3.2.3 more than it",
            vec![record(WWW, 0, a(11)), record(WWW, 0, a(12)), record(WWW, 0, a(13))],
            Err(ResponseCode::NXRRSet),
        ),
        ("3.2.3 of nothing", vec![record(NEW, 0, a(11))], Err(ResponseCode::NXRRSet)),
        ("3.2.4 name in use", vec![bare(WWW, any, T::ANY)], Ok(())),
        ("3.2.4 and is not", vec![bare(NEW, any, T::ANY)], Err(ResponseCode::NXDomain)),
        ("3.2.5 name not in use", vec![bare(NEW, none, T::ANY)], Ok(())),
        ("3.2.5 and is", vec![bare(WWW, none, T::ANY)], Err(ResponseCode::YXDomain)),
        ("a TTL", vec![late(bare(WWW, any, T::A))], Err(ResponseCode::FormErr)),
        ("outside the zone", vec![bare("www.example.", any, T::A)], Err(ResponseCode::NotZone)),
        ("data where none belongs", vec![without(WWW, a(11))], Err(ResponseCode::FormErr)),
        ("another class", vec![bare(WWW, DNSClass::CH, T::A)], Err(ResponseCode::FormErr)),
    ];
    for (what, prerequisites, wanted) in table {
        let got = update(&zone(), &Rights::to([]), &prerequisites, &[]).map(|_| ());
        assert_eq!(got, wanted, "{what}");
    }
}

#[test]
fn a_change_that_makes_no_sense_is_refused_before_anything_is_done() {
    use RecordType as T;
    let (any, none) = (DNSClass::ANY, DNSClass::NONE);
    let table = [
        ("adding ANY", bare(WWW, DNSClass::IN, T::ANY), ResponseCode::FormErr),
        ("adding nothing", bare(WWW, DNSClass::IN, T::A), ResponseCode::FormErr),
        ("deleting a transfer", bare(WWW, any, T::AXFR), ResponseCode::FormErr),
        ("deleting one record without data", bare(WWW, none, T::A), ResponseCode::FormErr),
        ("another class", bare(WWW, DNSClass::CH, T::A), ResponseCode::FormErr),
        ("another zone", record("www.example.", 60, a(1)), ResponseCode::NotZone),
    ];
    for (what, bad, wanted) in table {
        let got = change(&[record(NEW, 60, a(13)), bad]).map(|_| ());
        assert_eq!(got, Err(wanted), "{what}");
    }
}

#[test]
fn a_swap_in_one_message_has_no_state_between() {
    let (next, changes) = change(&[bare(WWW, DNSClass::ANY, RecordType::A), record(WWW, 30, a(21))]).unwrap();
    assert_eq!(members(&next, WWW, RecordType::A), [a(21)]);
    let [one] = &changes[..] else { panic!("one RRset changed: {changes:?}") };
    assert_eq!(one.before.as_ref().unwrap().members, [a(11), a(12)]);
    assert_eq!(one.after.as_ref().unwrap(), &Rrset { ttl: 30, members: vec![a(21)] });
    assert_eq!(next.serial(), zone().serial() + 1);
}

#[test]
fn adding_joins_the_rrset_and_the_last_ttl_is_everybodys() {
    let (next, _) = change(&[record(WWW, 30, a(13))]).unwrap();
    let set = next.set(&name(WWW), RecordType::A).unwrap();
    assert_eq!(set, &Rrset { ttl: 30, members: vec![a(11), a(12), a(13)] });
}

#[test]
fn what_changes_nothing_leaves_the_serial_alone() {
    for nothing in [record(WWW, 60, a(11)), without(WWW, a(99)), bare(NEW, DNSClass::ANY, RecordType::A)] {
        let (next, changes) = change(std::slice::from_ref(&nothing)).unwrap();
        assert_eq!((next, changes), (zone(), Vec::new()), "{nothing:?}");
    }
}

#[test]
fn deleting_one_record_leaves_its_siblings_and_deleting_a_name_leaves_none() {
    let (next, _) = change(&[without(WWW, a(11))]).unwrap();
    assert_eq!(members(&next, WWW, RecordType::A), [a(12)]);
    let (next, _) = change(&[bare(WWW, DNSClass::ANY, RecordType::ANY)]).unwrap();
    assert_eq!(next.types_at(&name(WWW)).count(), 0);
}

#[test]
fn an_alias_and_other_data_shut_each_other_out() {
    let alias = "alias.hearth.test.";
    let (next, _) = change(&[record(WWW, 60, cname(NEW)), record(alias, 60, a(1))]).unwrap();
    assert_eq!(next, zone(), "both are passed over in silence");
    let (next, _) = change(&[record(alias, 60, cname(NEW))]).unwrap();
    assert_eq!(members(&next, alias, RecordType::CNAME), [cname(NEW)], "an alias is replaced");
}

#[test]
fn the_apex_keeps_its_soa_and_its_last_name_server() {
    let server = RData::NS(NS(name("ns.hearth.test.")));
    let (any, kinds) = (DNSClass::ANY, [RecordType::ANY, RecordType::NS, RecordType::SOA]);
    for kind in kinds {
        assert_eq!(change(&[bare(APEX, any, kind)]).unwrap().0, zone(), "{kind}");
    }
    assert_eq!(change(&[without(APEX, server)]).unwrap().0, zone());
}

#[test]
fn a_soa_record_is_taken_only_when_its_serial_is_ahead() {
    let soa = |serial| RData::SOA(SOA::new(name("a.test."), name("b.test."), serial, 1, 1, 1, 1));
    assert_eq!(change(&[record(APEX, 1, soa(9))]).unwrap().0.serial(), 9);
    for behind in [1, 0, u32::MAX] {
        assert_eq!(change(&[record(APEX, 1, soa(behind))]).unwrap().0.serial(), 1, "{behind}");
    }
}

#[test]
fn a_key_writes_its_own_names_and_their_marks_only() {
    let rights = Rights::to([name(WWW)]);
    let text = RData::TXT(TXT::new(vec!["owner=watcher".to_owned()]));
    let mine = [record(WWW, 60, a(13)), record("_hearth.www.hearth.test.", 60, text.clone())];
    assert!(update(&zone(), &rights, &[], &mine).is_ok());
    for other in ["pi1.hearth.test.", "_hearth.pi1.hearth.test.", "a.www.hearth.test.", APEX] {
        let changes = [record(WWW, 60, a(13)), record(other, 60, text.clone())];
        assert_eq!(
            update(&zone(), &rights, &[], &changes).map(|_| ()),
            Err(ResponseCode::Refused),
            "{other}"
        );
    }
}

#[test]
fn a_key_may_ask_about_names_that_it_may_not_write() {
    let asks = [bare(WWW, DNSClass::ANY, RecordType::A)];
    let (next, _) = update(&zone(), &Rights::to([name(NEW)]), &asks, &[record(NEW, 60, a(1))]).unwrap();
    assert_eq!(members(&next, NEW, RecordType::A), [a(1)]);
}
