//! Names written at real primaries: every case against Knot and against BIND.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::time::{Duration, SystemTime};

use hearth::dns::change::{ChangeError, Confirmed, Outcome, change};
use hearth::dns::guard::Held;
use hearth::dns::lookup::{self, Expected, View};
use hearth::dns::plan::{Desired, Plan, PlanError, Scope, plan};
use hearth::dns::provider::{Marks, Provider, ProviderError, ProviderSettings, Rfc2136Settings};
use hearth::dns::snapshot::Snapshot;
use hearth::dns::{Name, Owner, Rdata, RdataSet, RecordType as Kind, Ttl};
use hearth::secret::Secret;
use hickory_proto::op::{Message, OpCode, ResponseCode};
use hickory_proto::rr::RecordType;

use crate::support::bind::Bind;
use crate::support::dns_proxy::{self, DnsProxy};
use crate::support::knot::Knot;
use crate::support::name_server::{NameServer, ZONE, ask, left_out, name, query, tsig_key};
use crate::support::poller::Poller;
use crate::support::powerdns::PowerDns;

/// Each case as a test against each server; PowerDNS is left out of what its keys and its errors cannot show.
macro_rules! against_each_server {
    (everywhere: $($all:ident),* ; where_keys_have_rights_and_refusals_a_reason: $($told:ident),* ;) => {
        against!(knot, Knot, "Knot": $($all,)* $($told,)*);
        against!(bind, Bind, "BIND": $($all,)* $($told,)*);
        against!(powerdns, PowerDns, "PowerDNS": $($all,)*);
    };
}

macro_rules! against {
    ($module:ident, $server:ident, $what:literal: $($case:ident,)*) => {
        mod $module {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $case() {
                if !super::left_out($what) {
                    super::$case(&mut super::$server::start()).await;
                }
            })*
        }
    };
}

against_each_server! {
    everywhere:
    a_record_is_created_changed_and_then_left_alone,
    members_of_other_writers_stay,
    records_of_other_types_stay,
    a_member_without_marks_is_known_by_what_is_remembered,
    a_ttl_is_changed_in_place,
    a_type_is_retired_only_when_asked,
    what_a_wildcard_answers_does_not_stand_at_the_name,
    a_stale_plan_changes_nothing,
    an_unknown_zone_is_named,
    addresses_do_not_replace_a_cname,
    a_cname_is_swapped_in_place,
    a_whole_set_moves_between_two_sites,
    an_older_decision_does_not_replace_a_newer_one,
    two_writers_of_one_rrset_both_land,
    a_poller_never_sees_an_empty_set,
    a_stopped_server_is_unreachable_and_works_again,
    a_change_whose_answer_was_lost_is_found_by_reading_back,
    a_hanging_server_leaves_the_outcome_open,
    intent_that_cannot_be_noted_is_not_written,
    a_set_larger_than_a_packet_is_seen_whole,
    every_name_server_is_asked;
    where_keys_have_rights_and_refusals_a_reason:
    a_wrong_key_is_not_tried_again,
    a_name_outside_the_rights_of_the_key_is_refused,
    a_wrong_clock_is_not_a_wrong_key;
}

/// PowerDNS says REFUSED, unsigned, to a wrong key as to a wrong clock (RFC 8945 section 5.2 wants NOTAUTH and a reason).
/// So neither stops everything for good: both are tried again in a quarter of an hour.
#[tokio::test(flavor = "multi_thread")]
async fn powerdns_does_not_say_whether_the_key_or_the_clock_is_wrong() {
    if left_out("PowerDNS") {
        return;
    }
    let server = PowerDns::start();
    let mut wrong = server.settings("pi1");
    wrong.key.secret = Secret::new(b"another secret of the same length".to_vec());
    let late = || SystemTime::now() - Duration::from_secs(3_600);
    let wrong_clock = Provider::new(&server.provider_settings("pi1"), late).unwrap();
    for refused in [provider(wrong), wrong_clock] {
        let error = round(&refused, &member("pi1", "pi1", &[&["A 192.0.2.1"]])).await.unwrap_err();
        assert!(matches!(error, ChangeError::Provider(ProviderError::Refused { .. })), "{error:?}");
    }
    assert_eq!(server.query("pi1", RecordType::A), [""; 0]);
}

fn provider(settings: Rfc2136Settings) -> Provider {
    Provider::new(&ProviderSettings::Rfc2136(settings), SystemTime::now).unwrap()
}

fn at(server: &NameServer, writer: &str) -> Provider {
    Provider::new(&server.provider_settings(writer), SystemTime::now).unwrap()
}

fn rdata(text: &str) -> Rdata {
    text.parse().unwrap()
}

fn set(members: &[&str]) -> RdataSet {
    RdataSet::new(members.iter().map(|text| rdata(text))).unwrap()
}

fn below(label: &str) -> Name {
    name(&format!("{label}.{ZONE}"))
}

fn desired(label: &str, owner: &str, scope: Scope, sets: &[&[&str]]) -> Desired {
    Desired {
        name: below(label),
        owner: Owner::new(owner),
        ttl: Ttl::from_secs(60),
        epoch: None,
        scope,
        lines: BTreeSet::new(),
        sets: sets.iter().map(|members| set(members)).collect(),
        retire: BTreeSet::new(),
        mine: BTreeSet::new(),
    }
}

fn whole(label: &str, sets: &[&[&str]]) -> Desired {
    desired(label, "watcher", Scope::Whole, sets)
}

fn member(label: &str, owner: &str, sets: &[&[&str]]) -> Desired {
    desired(label, owner, Scope::Member, sets)
}

async fn round(provider: &Provider, desired: &Desired) -> Result<Outcome, ChangeError> {
    change(provider, desired, |_| async { Ok(()) }).await
}

#[track_caller]
fn assert_landed(outcome: &Result<Outcome, ChangeError>) {
    assert!(matches!(outcome, Ok(Outcome::Landed { confirmed: Confirmed::Answered, .. })), "{outcome:?}");
}

#[track_caller]
fn assert_unchanged(outcome: &Result<Outcome, ChangeError>) {
    assert!(matches!(outcome, Ok(Outcome::Unchanged { .. })), "{outcome:?}");
}

/// The plan for `desired` from what stands now.
async fn planned(provider: &Provider, desired: &Desired) -> Plan {
    plan(desired, &provider.observe(&desired.name).await.unwrap()).unwrap()
}

async fn a_record_is_created_changed_and_then_left_alone(server: &mut NameServer) {
    let pi1 = at(server, "pi1");
    let first = member("pi1", "pi1", &[&["A 192.0.2.1"], &["AAAA 2001:db8::1"]]);
    assert_landed(&round(&pi1, &first).await);
    assert_eq!(server.query("pi1", RecordType::A), ["192.0.2.1"]);
    assert_eq!(server.query("pi1", RecordType::AAAA), ["2001:db8::1"]);
    assert_eq!(
        server.query("_hearth.pi1", RecordType::TXT),
        ["hearth=1 owner=pi1 A=192.0.2.1 AAAA=2001:db8::1"]
    );

    let second = member("pi1", "pi1", &[&["A 192.0.2.2"]]);
    assert_landed(&round(&pi1, &second).await);
    assert_eq!(server.query("pi1", RecordType::A), ["192.0.2.2"]);
    assert_eq!(server.query("pi1", RecordType::AAAA), ["2001:db8::1"]);

    let serial = server.serial();
    assert_unchanged(&round(&pi1, &second).await);
    assert_eq!(server.serial(), serial);
}

async fn members_of_other_writers_stay(server: &mut NameServer) {
    let (pi1, pi2) = (at(server, "pi1"), at(server, "pi2"));
    assert_landed(&round(&pi1, &member("shared", "pi1", &[&["A 192.0.2.1"]])).await);
    assert_landed(&round(&pi2, &member("shared", "pi2", &[&["A 192.0.2.2"]])).await);
    assert_landed(&round(&pi1, &member("shared", "pi1", &[&["A 192.0.2.9"]])).await);
    assert_eq!(server.query("shared", RecordType::A), ["192.0.2.2", "192.0.2.200", "192.0.2.9"]);
    assert_eq!(
        server.query("_hearth.shared", RecordType::TXT),
        ["hearth=1 owner=pi1 A=192.0.2.9", "hearth=1 owner=pi2 A=192.0.2.2", "not a mark"]
    );
}

async fn records_of_other_types_stay(server: &mut NameServer) {
    let watcher = at(server, "watcher");
    assert_landed(&round(&watcher, &whole("www", &[&["A 192.0.2.1", "A 192.0.2.2"]])).await);
    assert_landed(&round(&watcher, &whole("www", &[&["A 192.0.2.3"]])).await);
    assert_eq!(server.query("www", RecordType::A), ["192.0.2.3"]);
    assert_eq!(server.query("www", RecordType::MX), ["10 mail.hearth.test."]);
    assert_eq!(server.query("www", RecordType::TXT), ["a text of somebody else"]);
}

async fn a_member_without_marks_is_known_by_what_is_remembered(server: &mut NameServer) {
    let pi1 = provider(Rfc2136Settings { marks: Marks::Off, ..server.settings("pi1") });
    assert_landed(&round(&pi1, &member("shared", "pi1", &[&["A 192.0.2.1"]])).await);
    let next = Desired {
        mine: BTreeSet::from([rdata("A 192.0.2.1")]),
        ..member("shared", "pi1", &[&["A 192.0.2.2"]])
    };
    assert_landed(&round(&pi1, &next).await);
    assert_eq!(server.query("shared", RecordType::A), ["192.0.2.2", "192.0.2.200"]);
    assert_eq!(server.query("_hearth.shared", RecordType::TXT), ["not a mark"]);
}

async fn a_ttl_is_changed_in_place(server: &mut NameServer) {
    let watcher = at(server, "watcher");
    let mut site = whole("www", &[&["A 192.0.2.1", "A 192.0.2.2"]]);
    assert_landed(&round(&watcher, &site).await);
    site.ttl = Ttl::from_secs(20);
    assert_landed(&round(&watcher, &site).await);
    let answer = ask(server.address(), "www.hearth.test", RecordType::A, Duration::from_secs(2)).unwrap();
    let ttls: Vec<u32> = answer.answers.iter().map(|r| r.ttl).collect();
    assert_eq!(ttls, [20, 20]);
    site.ttl = Ttl::from_secs(90);
    site.sets = vec![set(&["A 192.0.2.1", "A 192.0.2.3"])];
    assert_landed(&round(&watcher, &site).await);
    assert_unchanged(&round(&watcher, &site).await);
}

async fn a_type_is_retired_only_when_asked(server: &mut NameServer) {
    let watcher = at(server, "watcher");
    assert_landed(&round(&watcher, &whole("www", &[&["A 192.0.2.1"], &["AAAA 2001:db8::1"]])).await);
    let mut site = whole("www", &[&["A 192.0.2.1"]]);
    assert_unchanged(&round(&watcher, &site).await);
    site.retire = BTreeSet::from([Kind::Aaaa]);
    assert_landed(&round(&watcher, &site).await);
    assert_eq!(server.query("www", RecordType::AAAA), [""; 0]);
    assert_eq!(server.query("www", RecordType::A), ["192.0.2.1"]);
}

async fn what_a_wildcard_answers_does_not_stand_at_the_name(server: &mut NameServer) {
    assert_eq!(server.query("new.wild", RecordType::A), ["192.0.2.99"]);
    let pi1 = at(server, "pi1");
    for address in ["A 192.0.2.1", "A 192.0.2.99", "A 192.0.2.2"] {
        assert_landed(&round(&pi1, &member("new.wild", "pi1", &[&[address]])).await);
        assert_eq!(server.query("new.wild", RecordType::A), [&address[2..]]);
    }
    assert_eq!(server.query("other.wild", RecordType::A), ["192.0.2.99"]);
}

async fn a_stale_plan_changes_nothing(server: &mut NameServer) {
    // Without marks it is the sets alone that are compared.
    for (marks, host) in [(Marks::Txt, 1), (Marks::Off, 11)] {
        let at = |writer| provider(Rfc2136Settings { marks, ..server.settings(writer) });
        let [ours, theirs] = [host, host + 1].map(|host| format!("A 192.0.2.{host}"));
        let stale = planned(&at("pi1"), &member("shared", "pi1", &[&[&ours]])).await;
        assert_landed(&round(&at("pi2"), &member("shared", "pi2", &[&[&theirs]])).await);
        assert_conflict(server, "shared", &at("pi1"), &stale).await;

        let stale = planned(&at("watcher"), &whole("www", &[&[&ours]])).await;
        assert_landed(&round(&at("watcher"), &whole("www", &[&[&theirs]])).await);
        assert_conflict(server, "www", &at("watcher"), &stale).await;
    }
}

/// `stale` is refused, and the zone is what it was.
async fn assert_conflict(server: &NameServer, label: &str, provider: &Provider, stale: &Plan) {
    let before = (server.serial(), server.query(label, RecordType::A));
    let error = provider.apply(stale).await.unwrap_err();
    assert!(matches!(error, ProviderError::Conflict { .. }), "{error:?}");
    assert_eq!((server.serial(), server.query(label, RecordType::A)), before);
}

async fn a_wrong_key_is_not_tried_again(server: &mut NameServer) {
    let serial = server.serial();
    let wrong = |change: fn(&mut Rfc2136Settings)| {
        let mut settings = server.settings("pi1");
        change(&mut settings);
        provider(settings)
    };
    let providers = [
        wrong(|settings| settings.key.secret = Secret::new(vec![7; 32])),
        wrong(|settings| settings.key.name = name("nobody")),
    ];
    for provider in providers {
        let error = round(&provider, &member("pi1", "pi1", &[&["A 192.0.2.1"]])).await.unwrap_err();
        assert!(matches!(error, ChangeError::Provider(ProviderError::Auth { .. })), "{error:?}");
    }
    assert_eq!(server.serial(), serial);
}

async fn a_name_outside_the_rights_of_the_key_is_refused(server: &mut NameServer) {
    let serial = server.serial();
    let error = round(&at(server, "pi1"), &whole("www", &[&["A 192.0.2.1"]])).await.unwrap_err();
    let ChangeError::Provider(error) = error else { panic!("{error:?}") };
    // Knot says NOTAUTH with BADKEY, BIND says REFUSED.
    assert!(matches!(error, ProviderError::Refused { .. } | ProviderError::Auth { .. }), "{error:?}");
    assert_eq!(server.serial(), serial);
}

async fn an_unknown_zone_is_named(server: &mut NameServer) {
    let stranger = provider(Rfc2136Settings { zone: name("unknown.test"), ..server.settings("pi1") });
    let wanted = Desired { name: name("pi1.unknown.test"), ..member("pi1", "pi1", &[&["A 192.0.2.1"]]) };
    let error = round(&stranger, &wanted).await.unwrap_err();
    assert!(matches!(error, ChangeError::Provider(ProviderError::NotAuthoritative { .. })), "{error:?}");
    assert!(error.to_string().contains("unknown.test"), "{error}");
    let elsewhere = round(&at(server, "pi1"), &wanted).await.unwrap_err();
    assert!(elsewhere.to_string().contains("not in the zone"), "{elsewhere}");
}

async fn a_wrong_clock_is_not_a_wrong_key(server: &mut NameServer) {
    let an_hour_ago = || SystemTime::now() - Duration::from_secs(3600);
    let late = Provider::new(&server.provider_settings("pi1"), an_hour_ago).unwrap();
    let error = round(&late, &member("pi1", "pi1", &[&["A 192.0.2.1"]])).await.unwrap_err();
    assert!(matches!(error, ChangeError::Provider(ProviderError::ClockSkew { .. })), "{error:?}");
}

async fn addresses_do_not_replace_a_cname(server: &mut NameServer) {
    let watcher = at(server, "watcher");
    let addresses = whole("alias", &[&["A 192.0.2.1"]]);
    let stale = planned(&watcher, &addresses).await;
    assert_landed(&round(&watcher, &whole("alias", &[&["CNAME user.github.io"]])).await);
    let error = round(&watcher, &addresses).await.unwrap_err();
    assert!(matches!(error, ChangeError::Plan(PlanError::CnameInTheWay { .. })), "{error:?}");
    let error = watcher.apply(&stale).await.unwrap_err();
    assert!(matches!(error, ProviderError::Conflict { .. }), "{error:?}");
    assert_eq!(server.query("alias", RecordType::CNAME), ["user.github.io."]);
}

async fn a_cname_is_swapped_in_place(server: &mut NameServer) {
    let watcher = at(server, "watcher");
    let poller = Poller::start(server.address(), "alias.hearth.test", RecordType::CNAME);
    for round_number in 0..20 {
        for target in ["CNAME user.github.io", "CNAME pi1.hearth.test"] {
            assert_landed(&round(&watcher, &whole("alias", &[&[target]])).await);
            if round_number == 0 {
                poller.began();
            }
        }
    }
    assert_eq!(server.query("alias", RecordType::CNAME), ["pi1.hearth.test."]);
    poller.assert_never_empty();
}

async fn a_whole_set_moves_between_two_sites(server: &mut NameServer) {
    let watcher = at(server, "watcher");
    let home = whole("www", &[&["A 192.0.2.1", "A 192.0.2.2"], &["AAAA 2001:db8::1"]]);
    let pages: [&[&str]; 2] = [
        &["A 198.51.100.1", "A 198.51.100.2", "A 198.51.100.3", "A 198.51.100.4"],
        &["AAAA 2001:db8:1::1", "AAAA 2001:db8:1::2", "AAAA 2001:db8:1::3", "AAAA 2001:db8:1::4"],
    ];
    for wanted in [&home, &whole("www", &pages), &home] {
        assert_landed(&round(&watcher, wanted).await);
        for (kind, set) in [RecordType::A, RecordType::AAAA].into_iter().zip(&wanted.sets) {
            let expected: BTreeSet<String> = set.iter().map(Rdata::value).collect();
            assert_eq!(server.query("www", kind).into_iter().collect::<BTreeSet<_>>(), expected);
        }
    }
}

async fn an_older_decision_does_not_replace_a_newer_one(server: &mut NameServer) {
    let watcher = at(server, "watcher");
    let decision = |epoch, address| Desired { epoch: Some(epoch), ..whole("www", &[&[address]]) };
    assert_landed(&round(&watcher, &decision(12, "A 192.0.2.1")).await);
    assert_eq!(server.query("_hearth.www", RecordType::TXT), ["hearth=1 owner=watcher epoch=12"]);
    let error = round(&watcher, &decision(11, "A 192.0.2.2")).await.unwrap_err();
    assert!(
        matches!(error, ChangeError::Plan(PlanError::Superseded { seen: 12, ours: 11, .. })),
        "{error:?}"
    );
    assert_landed(&round(&watcher, &decision(13, "A 192.0.2.2")).await);
    assert_eq!(server.query("www", RecordType::A), ["192.0.2.2"]);
}

async fn two_writers_of_one_rrset_both_land(server: &mut NameServer) {
    let write = |writer: &'static str, host: u8| {
        let provider = at(server, writer);
        // Spawned, so that the future of a change is known to be one that can be.
        tokio::spawn(async move {
            for n in 0..20 {
                let address = format!("A 192.0.2.{}", host + n);
                // Five collisions in a row are possible; the caller tries again.
                let wanted = member("shared", writer, &[&[address.as_str()]]);
                let mut outcome = round(&provider, &wanted).await;
                for _ in 0..20 {
                    if !matches!(outcome, Err(ChangeError::Collided(_))) {
                        break;
                    }
                    outcome = round(&provider, &wanted).await;
                }
                assert_landed(&outcome);
            }
        })
    };
    let (one, two) = (write("pi1", 10), write("pi2", 50));
    one.await.unwrap();
    two.await.unwrap();
    assert_eq!(server.query("shared", RecordType::A), ["192.0.2.200", "192.0.2.29", "192.0.2.69"]);
}

async fn a_poller_never_sees_an_empty_set(server: &mut NameServer) {
    let watcher = at(server, "watcher");
    let shapes: [&[&str]; 4] = [
        &["A 192.0.2.1"],
        &["A 192.0.2.2", "A 192.0.2.3"],
        &["A 192.0.2.4"],
        &["A 198.51.100.1", "A 198.51.100.2", "A 198.51.100.3", "A 198.51.100.4"],
    ];
    assert_landed(&round(&watcher, &whole("www", &[&["A 192.0.2.9"]])).await);
    let poller = Poller::start(server.address(), "www.hearth.test", RecordType::A);
    poller.began();
    for members in shapes.iter().cycle().take(300) {
        assert_landed(&round(&watcher, &whole("www", &[members])).await);
    }
    poller.assert_never_empty();
}

/// A server that answers every message over TCP with what `reply` makes of it, and hangs up when that is nothing.
fn pretender(reply: fn(&Message) -> Vec<u8>) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let Some(question) = dns_proxy::receive(&mut client) else { continue };
            let answer = reply(&Message::from_vec(&question).unwrap());
            if !answer.is_empty() {
                dns_proxy::send(&mut client, &answer);
            }
        }
    });
    address
}

/// An unsigned answer with this code.
fn unsigned(question: &Message, code: ResponseCode) -> Vec<u8> {
    Message::error_msg(question.metadata.id, OpCode::Update, code).to_vec().unwrap()
}

#[tokio::test]
async fn only_a_signed_answer_is_a_success() {
    type Reply = fn(&Message) -> Vec<u8>;
    type Means = fn(&ProviderError) -> bool;
    let open: Means = |error| matches!(error, ProviderError::Unconfirmed { .. });
    #[rustfmt::skip]
    let table: [(Reply, Means); 9] = [
        (|q| unsigned(q, ResponseCode::NoError), open),
        (|q| { let mut other = unsigned(q, ResponseCode::Refused); other[0] ^= 1; other }, open),
        (|_| b"<html>200 OK</html>".to_vec(), open),
        (|_| Vec::new(), open),
        (|q| unsigned(q, ResponseCode::Refused), |e| matches!(e, ProviderError::Refused { .. })),
        (|q| unsigned(q, ResponseCode::NXRRSet), |e| matches!(e, ProviderError::Conflict { .. })),
        (|q| unsigned(q, ResponseCode::ServFail), |e| matches!(e, ProviderError::Transient { .. })),
        (|q| unsigned(q, ResponseCode::NotAuth), |e| matches!(e, ProviderError::NotAuthoritative { .. })),
        (|q| unsigned(q, ResponseCode::NotImp), |e| matches!(e, ProviderError::Unusable(_))),
    ];
    let wanted = whole("www", &[&["A 192.0.2.1"]]);
    let plan = plan(&wanted, &Snapshot::unmarked(below("www"), Vec::new())).unwrap();
    for (row, (reply, means)) in table.into_iter().enumerate() {
        let settings = Rfc2136Settings {
            server: pretender(reply).to_string(),
            zone: name(ZONE),
            key: tsig_key("watcher"),
            name_servers: Vec::new(),
            marks: Marks::Txt,
        };
        let error = provider(settings).apply(&plan).await.unwrap_err();
        assert!(means(&error), "row {row}: {error:?}");
        assert!(!format!("{error} {error:?}").contains("watcherwatcher"), "{error:?}");
    }
}

async fn a_stopped_server_is_unreachable_and_works_again(server: &mut NameServer) {
    let pi1 = at(server, "pi1");
    assert_landed(&round(&pi1, &member("pi1", "pi1", &[&["A 192.0.2.1"]])).await);
    let next = member("pi1", "pi1", &[&["A 192.0.2.2"]]);
    let ready = planned(&pi1, &next).await;
    server.stop();
    let error = round(&pi1, &next).await.unwrap_err();
    assert!(matches!(error, ChangeError::Provider(ProviderError::Unreachable { .. })), "{error:?}");
    let error = pi1.apply(&ready).await.unwrap_err();
    assert!(matches!(error, ProviderError::Unreachable { .. }), "{error:?}");
    server.start_again();
    assert_eq!(server.query("pi1", RecordType::A), ["192.0.2.1"]);
    assert_landed(&round(&pi1, &next).await);
}

async fn a_change_whose_answer_was_lost_is_found_by_reading_back(server: &mut NameServer) {
    let proxy = DnsProxy::start(server.address());
    let pi1 = provider(Rfc2136Settings { server: proxy.address().to_string(), ..server.settings("pi1") });
    proxy.lose_answers(2);
    let first = member("pi1", "pi1", &[&["A 192.0.2.1"]]);
    let outcome = round(&pi1, &first).await;
    assert!(matches!(outcome, Ok(Outcome::Landed { confirmed: Confirmed::ReadBack, .. })), "{outcome:?}");
    assert_eq!(proxy.updates(), 1);
    // Alone, the write says that its outcome is open.
    let error =
        pi1.apply(&planned(&pi1, &member("pi1", "pi1", &[&["A 192.0.2.2"]])).await).await.unwrap_err();
    assert!(matches!(error, ProviderError::Unconfirmed { .. }), "{error:?}");
    assert_eq!(server.query("pi1", RecordType::A), ["192.0.2.2"]);
}

async fn a_hanging_server_leaves_the_outcome_open(server: &mut NameServer) {
    let pi1 = at(server, "pi1").with_patience(Duration::from_millis(400));
    let wanted = member("pi1", "pi1", &[&["A 192.0.2.1"]]);
    let ready = planned(&pi1, &wanted).await;
    server.pause();
    let error = pi1.apply(&ready).await.unwrap_err();
    assert!(matches!(error, ProviderError::Unconfirmed { .. }), "{error:?}");
    let error = round(&pi1, &wanted).await.unwrap_err();
    assert!(matches!(error, ChangeError::Provider(ProviderError::Unreachable { .. })), "{error:?}");
    server.resume();
    // What the kernel had taken for the server is applied now, late or never: both are found by looking.
    let pi1 = at(server, "pi1");
    let outcome = round(&pi1, &wanted).await;
    assert!(outcome.is_ok(), "{outcome:?}");
    assert_eq!(server.query("pi1", RecordType::A), ["192.0.2.1"]);
}

async fn intent_that_cannot_be_noted_is_not_written(server: &mut NameServer) {
    let pi1 = at(server, "pi1");
    let wanted = member("pi1", "pi1", &[&["A 192.0.2.1"]]);
    let serial = server.serial();
    let full = change(&pi1, &wanted, |_| async { Err(Held::NotNoted("the disk is full".to_owned())) }).await;
    assert_eq!(full, Err(ChangeError::NotNoted("the disk is full".to_owned())));
    assert_eq!(server.serial(), serial);
    let mut noted = Vec::new();
    assert_landed(
        &change(&pi1, &wanted, |plan: &Plan| {
            noted.push(plan.to_string());
            std::future::ready(Ok(()))
        })
        .await,
    );
    assert_eq!(noted.len(), 1);
    assert!(noted[0].contains("+ A 192.0.2.1"), "{noted:?}");
}

async fn a_set_larger_than_a_packet_is_seen_whole(server: &mut NameServer) {
    let watcher = at(server, "watcher");
    // BIND takes 100 records of one type at most, unless it is told otherwise.
    let members: Vec<String> = (0..95).map(|n| format!("A 198.51.100.{n}")).collect();
    let members: Vec<&str> = members.iter().map(String::as_str).collect();
    let site = whole("www", &[&members]);
    assert_landed(&round(&watcher, &site).await);
    assert_unchanged(&round(&watcher, &site).await);
    // Over UDP the answer is truncated, and asked for again over TCP.
    let expected = Expected::Exactly(set(&members));
    let views = lookup::views(&[server.address()], &below("www"), &expected, Duration::from_secs(5)).await;
    assert_eq!(views, [(server.address(), View::Agrees)]);
}

async fn every_name_server_is_asked(server: &mut NameServer) {
    let watcher = at(server, "watcher");
    assert_landed(&round(&watcher, &whole("www", &[&["A 192.0.2.1", "A 192.0.2.2"]])).await);
    // A port where nobody answers: kept open and never read.
    let deaf = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let servers = [server.address(), deaf.local_addr().unwrap()];
    let views = async |label: &str, expected: Expected| {
        lookup::views(&servers, &below(label), &expected, Duration::from_millis(500)).await
    };
    let both = set(&["A 192.0.2.1", "A 192.0.2.2"]);
    let seen = views("www", Expected::Exactly(both.clone())).await;
    assert_eq!(seen[0].1, View::Agrees);
    assert!(matches!(seen[1].1, View::Silent(_)), "{seen:?}");
    let one = set(&["A 192.0.2.1"]);
    assert_eq!(views("www", Expected::Among(one.clone())).await[0].1, View::Agrees);
    assert_eq!(views("www", Expected::Exactly(one.clone())).await[0].1, View::Differs(both));
    assert_eq!(views("nothing", Expected::Exactly(one.clone())).await[0].1, View::Absent);

    let begun = std::time::Instant::now();
    let expected = Expected::Exactly(one);
    let seen = lookup::agreement(&servers, &below("www"), &expected, Duration::from_millis(900)).await;
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_eq!(seen.len(), 2);

    // Found by the zone's NS records; they say nothing about ports.
    let unlisted = provider(Rfc2136Settings { name_servers: Vec::new(), ..server.settings("pi1") });
    assert_eq!(unlisted.name_servers().await.unwrap(), [SocketAddr::new(server.address().ip(), 53)]);
    assert_eq!(watcher.name_servers().await.unwrap(), [server.address()]);
    assert_eq!(query(server.address(), ZONE, RecordType::NS), ["ns1.hearth.test."]);
}
