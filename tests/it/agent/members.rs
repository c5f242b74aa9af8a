//! Two nodes and one name, without a watcher: each keeps its own member at a real name server.

use std::collections::BTreeSet;
use std::time::SystemTime;

use hearth::dns::change::change;
use hearth::dns::plan::{Desired, Scope};
use hearth::dns::provider::Provider;
use hearth::dns::{Owner, Rdata, RecordType as Kind, Ttl};
use hearth::status::{RecordState, RecordStatus};
use hickory_proto::rr::RecordType;

use super::rig::{PATIENCE, Rig};
use crate::support::knot::Knot;
use crate::support::name_server::{left_out, name};
use crate::support::poller::Poller;
use crate::support::wait_until;

const STRANGER: &str = "192.0.2.200";

#[track_caller]
fn wait_for(knot: &Knot, expected: &[&str]) {
    let mut expected = expected.to_vec();
    expected.sort_unstable();
    let seen = std::cell::RefCell::new(Vec::new());
    let look = || {
        let mut answer = knot.query("shared", RecordType::A);
        answer.sort_unstable();
        seen.replace(answer);
        (*seen.borrow() == expected).then_some(())
    };
    wait_until(&format!("the name answers {expected:?}"), PATIENCE, look);
}

/// Both nodes, started together.
fn both(knot: &Knot) -> (Rig, Rig) {
    let mut one = Rig::keeping(knot.address(), &["shared"]);
    let mut two = Rig::keeping(knot.address(), &["shared"]).called("pi2", [127, 0, 9, 2]);
    std::thread::scope(|scope| {
        scope.spawn(|| one.start());
        scope.spawn(|| two.start());
    });
    wait_for(knot, &["127.0.9.1", "127.0.9.2", STRANGER]);
    (one, two)
}

fn in_force(record: &RecordStatus) -> bool {
    record.state == RecordState::InForce
}

#[test]
fn two_nodes_share_a_name_each_with_its_own_member() {
    if left_out("Knot") {
        return;
    }
    let knot = Knot::start();
    let poller = Poller::start(knot.address(), "shared.hearth.test", RecordType::A);
    poller.began();
    let (one, mut two) = both(&knot);
    let record = one.wait_for_record("in force", in_force);
    assert_eq!(record.in_force, ["A 127.0.9.1".parse::<Rdata>().unwrap()]);

    two.line.moves_to([127, 0, 9, 22]);
    wait_for(&knot, &["127.0.9.1", "127.0.9.22", STRANGER]);

    // Killed without a word: nobody can tell that from a line that is cut, so its member stays.
    two.kill();
    one.line.moves_to([127, 0, 9, 11]);
    wait_for(&knot, &["127.0.9.11", "127.0.9.22", STRANGER]);
    two.line.moves_to([127, 0, 9, 23]);
    two.start();
    wait_for(&knot, &["127.0.9.11", "127.0.9.23", STRANGER]);
    poller.assert_never_empty();
}

#[test]
fn a_node_that_stops_leaves_the_name_to_the_others_and_is_back_when_it_is() {
    if left_out("Knot") {
        return;
    }
    let knot = Knot::start();
    let poller = Poller::start(knot.address(), "shared.hearth.test", RecordType::A);
    poller.began();
    let (mut one, mut two) = both(&knot);
    two.wait_for_record("in force", in_force);
    two.stop();
    wait_for(&knot, &["127.0.9.1", STRANGER]);
    assert!(two.log().contains("withdrawn: this node stops"), "{}", two.log());
    two.start();
    wait_for(&knot, &["127.0.9.1", "127.0.9.2", STRANGER]);
    two.wait_for_record("in force", in_force);

    // Both at once: the stranger's is left.
    one.tell_to_stop();
    two.tell_to_stop();
    assert_eq!((one.ended(), two.ended()), (Some(0), Some(0)));
    wait_for(&knot, &[STRANGER]);
    poller.assert_never_empty();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_member_stays_when_its_node_stops() {
    if left_out("Knot") {
        return;
    }
    let knot = Knot::start();
    let poller = Poller::start(knot.address(), "shared.hearth.test", RecordType::A);
    poller.began();
    let (mut one, mut two) = both(&knot);
    let provider = Provider::new(&knot.provider_settings("pi1"), SystemTime::now).unwrap();
    let stranger = Desired {
        name: name("shared.hearth.test"),
        owner: Owner::new("stranger"),
        ttl: Ttl::from_secs(60),
        epoch: None,
        scope: Scope::Member,
        lines: BTreeSet::new(),
        sets: Vec::new(),
        retire: BTreeSet::from([Kind::A]),
        mine: BTreeSet::from([format!("A {STRANGER}").parse().unwrap()]),
    };
    change(&provider, &stranger, |_| async { Ok(()) }).await.unwrap();
    wait_for(&knot, &["127.0.9.1", "127.0.9.2"]);
    for rig in [&mut one, &mut two] {
        // The looks are an hour apart: a new start has them see that they are two.
        rig.kill();
        rig.start();
        rig.wait_for_record("in force", in_force);
    }
    one.tell_to_stop();
    two.tell_to_stop();
    assert_eq!((one.ended(), two.ended()), (Some(0), Some(0)));
    let left = knot.query("shared", RecordType::A);
    assert_eq!(left.len(), 1, "one of them was the last: {left:?}");
    poller.assert_never_empty();
}
