//! The names that an agent keeps, at a real name server.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use hearth::dns::change::change;
use hearth::dns::plan::{Desired, Scope};
use hearth::dns::provider::Provider;
use hearth::dns::{Owner, RdataSet, Ttl};
use hearth::status::{FaultCode, RecordState, RecordStatus};
use hickory_proto::rr::RecordType;

use super::rig::{PATIENCE, Rig, text};
use crate::support::dns_proxy::{UPDATE, operation, receive, send};
use crate::support::knot::Knot;
use crate::support::name_server::{left_out, name};
use crate::support::wait_until;

fn in_force(record: &RecordStatus) -> bool {
    record.state == RecordState::InForce
}

#[track_caller]
fn wait_for_answer(knot: &Knot, label: &str, expected: &[&str]) {
    wait_until(&format!("{label} answers {expected:?}"), PATIENCE, || {
        (knot.query(label, RecordType::A) == expected).then_some(())
    });
}

#[test]
fn a_name_appears_follows_the_address_and_leaves_the_members_of_others_alone() {
    if left_out("Knot") {
        return;
    }
    let knot = Knot::start();
    let mut rig = Rig::keeping(knot.address(), &["pi1", "shared"]);
    rig.start();
    wait_for_answer(&knot, "pi1", &["127.0.9.1"]);
    wait_for_answer(&knot, "shared", &["127.0.9.1", "192.0.2.200"]);
    rig.line.moves_to([127, 0, 9, 2]);
    wait_for_answer(&knot, "pi1", &["127.0.9.2"]);
    wait_for_answer(&knot, "shared", &["127.0.9.2", "192.0.2.200"]);
    let status = rig.wait_for("both in force", |status| status.records.iter().all(in_force));
    let shared = &status.records[1];
    assert_eq!(shared.in_force, ["A 127.0.9.2".parse().unwrap()]);
    assert_eq!(shared.foreign, ["A 192.0.2.200".parse().unwrap()]);
}

#[test]
fn a_restart_that_changes_nothing_writes_nothing() {
    if left_out("Knot") {
        return;
    }
    let knot = Knot::start();
    let mut rig = Rig::keeping(knot.address(), &["pi1"]);
    rig.start();
    rig.wait_for_record("written", |r| in_force(r) && r.why.starts_with("written"));
    let serial = knot.serial();
    for round in 0..2 {
        if round == 0 {
            rig.stop()
        } else {
            rig.kill()
        }
        rig.start();
        rig.wait_for_record("read", |r| in_force(r) && r.why.starts_with("read"));
    }
    assert_eq!(knot.serial(), serial);
}

#[test]
fn a_process_killed_between_its_intent_and_the_write_goes_on_from_what_stands() {
    if left_out("Knot") {
        return;
    }
    let knot = Knot::start();
    let gate = Gate::start(knot.address());
    let mut rig = Rig::keeping(gate.address, &["pi1", "shared"]);
    rig.start();
    wait_for_answer(&knot, "shared", &["127.0.9.1", "192.0.2.200"]);
    wait_for_answer(&knot, "pi1", &["127.0.9.1"]);
    gate.shut.store(true, Ordering::SeqCst);
    rig.line.moves_to([127, 0, 9, 2]);
    wait_until("an update is on its way", PATIENCE, || gate.held.load(Ordering::SeqCst).then_some(()));
    rig.kill();
    assert!(std::fs::read_to_string(rig.path("state/agent.json")).unwrap().contains("127.0.9.2"));
    gate.shut.store(false, Ordering::SeqCst);
    rig.line.moves_to([127, 0, 9, 3]);
    rig.start();
    wait_for_answer(&knot, "pi1", &["127.0.9.3"]);
    wait_for_answer(&knot, "shared", &["127.0.9.3", "192.0.2.200"]);
}

#[test]
fn a_name_server_that_is_gone_is_asked_again_until_it_is_back() {
    if left_out("Knot") {
        return;
    }
    let mut knot = Knot::start();
    knot.stop();
    let mut rig = Rig::keeping(knot.address(), &["pi1"]);
    rig.start();
    let record = rig.wait_for_record("pending", |r| r.state == RecordState::Pending);
    assert!(record.why.contains("cannot be reached") && record.why.contains("tried again"), "{}", record.why);
    assert_eq!(rig.ask().unwrap().faults, [], "what passes is no fault");
    knot.start_again();
    rig.wait_for_record("in force", in_force);
    wait_for_answer(&knot, "pi1", &["127.0.9.1"]);
}

#[test]
fn a_key_that_is_refused_is_not_tried_again_after_a_crash_until_it_is_another_one() {
    if left_out("Knot") {
        return;
    }
    let knot = Knot::start();
    let mut rig = Rig::keeping(knot.address(), &["pi1"]);
    let right = std::fs::read(rig.path("tsig.key")).unwrap();
    std::fs::write(rig.path("tsig.key"), data_encoding::BASE64.encode(&[7; 32])).unwrap();
    rig.start();
    let refused = |r: &RecordStatus| r.state == RecordState::Refused;
    let record = rig.wait_for_record("refused", refused);
    assert!(record.why.contains("does not accept the key `pi1"), "{}", record.why);
    let status = rig.wait_for("the fault", |status| !status.faults.is_empty());
    assert_eq!(status.faults[0].code, FaultCode::DnsRefused);

    rig.kill();
    rig.start();
    let record = rig.wait_for_record("still refused after a crash", refused);
    assert!(record.why.contains("before the last crash"), "{}", record.why);
    assert_eq!(knot.query("pi1", RecordType::A), [""; 0]);
    // Another key is a person's act by itself, whatever ended the agent.
    std::fs::write(rig.path("tsig.key"), right).unwrap();
    rig.kill();
    rig.start();
    rig.wait_for_record("in force", in_force);
}

#[test]
fn without_an_address_nothing_is_changed() {
    if left_out("Knot") {
        return;
    }
    let knot = Knot::start();
    let mut rig = Rig::keeping(knot.address(), &["shared"]);
    // A public resolver's: no source may have it published.
    rig.line.moves_to([1, 1, 1, 1]);
    let serial = knot.serial();
    rig.start();
    let record = rig.wait_for_record("read", |r| !r.foreign.is_empty());
    assert_eq!((record.state, record.wanted.len()), (RecordState::Unknown, 0));
    assert_eq!(knot.serial(), serial);
}

#[test]
fn records_can_be_listed_planned_and_applied_by_hand_with_and_without_an_agent() {
    if left_out("Knot") {
        return;
    }
    let knot = Knot::start();
    let mut rig = Rig::keeping(knot.address(), &["shared"]);
    let planned = rig.hearth(&["dns", "plan"]);
    assert_eq!(planned.status.code(), Some(2), "{}", text(&planned));
    assert!(text(&planned).contains("+ A 127.0.9.1"), "{}", text(&planned));
    assert_eq!(knot.query("shared", RecordType::A), ["192.0.2.200"], "a plan changes nothing");

    let applied = rig.hearth(&["dns", "apply"]);
    assert_eq!(applied.status.code(), Some(0), "{}", text(&applied));
    assert_eq!(knot.query("shared", RecordType::A), ["127.0.9.1", "192.0.2.200"]);
    let listed = text(&rig.hearth(&["dns", "list"]));
    assert!(listed.contains("A 127.0.9.1") && listed.contains("owner pi1"), "{listed}");
    assert!(listed.contains("A 192.0.2.200") && listed.contains("nobody marked it"), "{listed}");

    let serial = knot.serial();
    rig.start();
    rig.wait_for_record("read", in_force);
    for words in [["dns", "plan"], ["dns", "apply"]] {
        let nothing = rig.hearth(&words);
        assert_eq!(nothing.status.code(), Some(0), "{}", text(&nothing));
        assert!(text(&nothing).contains("nothing to do"), "{}", text(&nothing));
    }
    assert_eq!(knot.serial(), serial);
}

#[test]
fn a_name_that_is_refused_does_not_disturb_the_others() {
    if left_out("Knot") {
        return;
    }
    let knot = Knot::start();
    // The key may not write `www`.
    let mut rig = Rig::keeping(knot.address(), &["www", "pi1"]);
    rig.start();
    let status = rig.wait_for("one refused, one in force", |status| {
        status.records[0].state == RecordState::Refused && in_force(&status.records[1])
    });
    assert!(status.faults[0].message.contains("www.hearth.test"), "{:?}", status.faults);
    rig.line.moves_to([127, 0, 9, 2]);
    wait_for_answer(&knot, "pi1", &["127.0.9.2"]);
}

#[tokio::test]
async fn a_name_that_a_watcher_writes_is_refused_by_hand_and_by_the_agent() {
    if left_out("Knot") {
        return;
    }
    let knot = Knot::start();
    let provider = Provider::new(&knot.provider_settings("pi2"), SystemTime::now).unwrap();
    let desired = Desired {
        name: name("shared.hearth.test"),
        owner: Owner::new("watcher"),
        ttl: Ttl::from_secs(60),
        epoch: Some(1),
        scope: Scope::Whole,
        lines: BTreeSet::new(),
        sets: vec![RdataSet::of("A 192.0.2.7".parse().unwrap())],
        retire: BTreeSet::new(),
        mine: BTreeSet::new(),
    };
    change(&provider, &desired, |_| async { Ok(()) }).await.unwrap();
    let serial = knot.serial();
    let mut rig = Rig::keeping(knot.address(), &["shared"]);
    let refused = rig.hearth(&["dns", "apply"]);
    assert_eq!(refused.status.code(), Some(1), "{}", text(&refused));
    assert!(text(&refused).contains("is written by `watcher`"), "{}", text(&refused));
    rig.start();
    let record = rig.wait_for_record("refused", |r| r.state == RecordState::Refused);
    assert!(record.why.contains("is written by `watcher`"), "{}", record.why);
    assert_eq!((knot.serial(), knot.query("shared", RecordType::A)), (serial, vec!["192.0.2.7".to_owned()]));
}

/// A relay in front of a name server that can keep updates from it, as a line that dies at the wrong moment does.
struct Gate {
    address: SocketAddr,
    shut: Arc<AtomicBool>,
    held: Arc<AtomicBool>,
}

impl Gate {
    fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (shut, held) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (is_shut, holds) = (Arc::clone(&shut), Arc::clone(&held));
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (shut, held) = (Arc::clone(&is_shut), Arc::clone(&holds));
                std::thread::spawn(move || pass(client, server, &shut, &held));
            }
        });
        Self { address, shut, held }
    }
}

fn pass(mut client: TcpStream, server: SocketAddr, shut: &AtomicBool, held: &AtomicBool) -> Option<()> {
    let mut server = TcpStream::connect(server).ok()?;
    loop {
        let question = receive(&mut client)?;
        if operation(&question) == UPDATE && shut.load(Ordering::SeqCst) {
            held.store(true, Ordering::SeqCst);
            // Held until the client is gone.
            let _ = client.read(&mut [0; 1]);
            return None;
        }
        send(&mut server, &question)?;
        send(&mut client, &receive(&mut server)?)?;
    }
}
