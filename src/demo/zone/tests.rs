use hickory_proto::rr::rdata::{A, CNAME, MX, TXT};

use super::*;

fn name(text: &str) -> Name {
    Name::from_ascii(text).unwrap()
}

fn zone() -> Zone {
    let mut zone = Zone::new(name("hearth.test."));
    zone.put(&name("www.hearth.test."), 60, RData::A(A::new(127, 0, 0, 11)));
    zone.put(&name("www.hearth.test."), 60, RData::A(A::new(127, 0, 0, 12)));
    zone.put(&name("alias.hearth.test."), 60, RData::CNAME(CNAME(name("WWW.hearth.test."))));
    zone.put(&name("away.hearth.test."), 60, RData::CNAME(CNAME(name("host.example."))));
    zone.put(&name("lost.hearth.test."), 60, RData::CNAME(CNAME(name("nothing.hearth.test."))));
    zone.put(&name("round.hearth.test."), 60, RData::CNAME(CNAME(name("round.hearth.test."))));
    zone.put(&name("hearth.test."), 60, RData::MX(MX::new(10, name("mail.hearth.test."))));
    zone.put(&name("_hearth.www.hearth.test."), 60, RData::TXT(TXT::new(vec!["mark".into()])));
    zone.put(&name("deep.down.hearth.test."), 60, RData::A(A::new(127, 0, 0, 9)));
    zone
}

fn seen(question: &str, kind: RecordType) -> (ResponseCode, Vec<String>, usize) {
    let answer = zone().answer(&name(question), kind);
    let words = |record: &Record| format!("{} {}", record.record_type(), record.data);
    (answer.code, answer.answers.iter().map(words).collect(), answer.authority.len())
}

#[test]
fn a_name_is_answered_with_the_whole_rrset_whatever_its_case() {
    let both = vec!["A 127.0.0.11".to_owned(), "A 127.0.0.12".to_owned()];
    assert_eq!(seen("www.hearth.test.", RecordType::A), (ResponseCode::NoError, both.clone(), 0));
    assert_eq!(seen("WwW.Hearth.Test.", RecordType::A), (ResponseCode::NoError, both, 0));
}

#[test]
fn the_answers_of_every_kind_of_question() {
    use ResponseCode::{NXDomain, NoError, Refused};
    // name, type, code, records in the answer, records in the authority section
    let table = [
        ("hearth.test.", RecordType::SOA, NoError, 1, 0),
        ("hearth.test.", RecordType::NS, NoError, 1, 0),
        ("hearth.test.", RecordType::MX, NoError, 1, 0),
        ("hearth.test.", RecordType::A, NoError, 0, 1),
        ("www.hearth.test.", RecordType::AAAA, NoError, 0, 1),
        ("www.hearth.test.", RecordType::ANY, NoError, 2, 0),
        ("_hearth.www.hearth.test.", RecordType::TXT, NoError, 1, 0),
        ("down.hearth.test.", RecordType::A, NoError, 0, 1),
        ("nothing.hearth.test.", RecordType::A, NXDomain, 0, 1),
        ("alias.hearth.test.", RecordType::A, NoError, 3, 0),
        ("alias.hearth.test.", RecordType::CNAME, NoError, 1, 0),
        ("alias.hearth.test.", RecordType::AAAA, NoError, 1, 1),
        ("away.hearth.test.", RecordType::A, NoError, 1, 0),
        ("lost.hearth.test.", RecordType::A, NXDomain, 1, 1),
        ("round.hearth.test.", RecordType::A, NoError, 8, 0),
        ("www.example.", RecordType::A, Refused, 0, 0),
        ("nothearth.test.", RecordType::A, Refused, 0, 0),
        ("hearth.test.", RecordType::AXFR, Refused, 0, 0),
    ];
    for (question, kind, code, answers, authority) in table {
        let (got, records, soa) = seen(question, kind);
        assert_eq!((got, records.len(), soa), (code, answers, authority), "{question} {kind}: {records:?}");
    }
}

#[test]
fn an_rrset_goes_with_its_last_member() {
    let mut zone = zone();
    zone.remove(&name("www.hearth.test."), &RData::A(A::new(127, 0, 0, 11)));
    assert_eq!(zone.set(&name("www.hearth.test."), RecordType::A).unwrap().members.len(), 1);
    zone.remove(&name("www.hearth.test."), &RData::A(A::new(127, 0, 0, 12)));
    assert_eq!(zone.set(&name("www.hearth.test."), RecordType::A), None);
}

#[test]
fn the_serial_skips_zero() {
    let mut zone = zone();
    let apex = name("hearth.test.");
    let Some(RData::SOA(mut soa)) = zone.set(&apex, RecordType::SOA).unwrap().members.first().cloned() else {
        panic!("a zone has a SOA record");
    };
    soa.serial = u32::MAX;
    zone.put(&apex, 1, RData::SOA(soa));
    zone.count_up();
    assert_eq!(zone.serial(), 1);
}
