//! A watcher that dies goes on where it was: from its journal, and from what the provider really holds.

use hearth::failover::Shape;

use super::rig::{PATIENCE, Rig};
use crate::agent::orphan::written;
use crate::support::dns_proxy::DnsProxy;
use crate::support::knot::Knot;
use crate::support::name_server::left_out;
use crate::support::wait_until;

/// A watcher behind a relay, with both nodes published.
fn behind_a_relay(server: &Knot) -> (Rig, DnsProxy) {
    let proxy = DnsProxy::start(server.address());
    let mut rig = Rig::new(Shape::Address, server);
    rig.provider = proxy.address();
    rig.start();
    rig.wait_for_record(server, &rig.both());
    rig.wait_for("the first write is confirmed", |s| s.pending.is_none() && s.epoch == 1);
    (rig, proxy)
}

#[test]
fn killed_at_rest_it_changes_nothing() {
    if left_out("Knot") {
        return;
    }
    let server = Knot::start();
    let (mut rig, proxy) = behind_a_relay(&server);
    let (serial, updates) = (server.serial(), proxy.updates());
    for _ in 0..3 {
        rig.kill();
        rig.start();
    }
    let site = rig.wait_for("it has warmed up", |s| s.nodes.iter().all(|n| n.health.is_up() && n.published));
    assert_eq!(site.epoch, 1, "the journal is known");
    wait_until("it decides", PATIENCE, || rig.ask()?.warming_up_for_ms.is_none().then_some(()));
    assert_eq!((server.serial(), proxy.updates()), (serial, updates));
}

#[test]
fn killed_right_after_a_decision_it_decides_again_and_lands_once() {
    if left_out("Knot") {
        return;
    }
    let server = Knot::start();
    let (mut rig, proxy) = behind_a_relay(&server);
    let updates = proxy.updates();
    proxy.hold_updates();
    rig.pi1.dies();
    wait_until("the update is on its way", PATIENCE, || (proxy.held() > 0).then_some(()));
    rig.kill();
    proxy.let_go();
    assert_eq!(rig.record(&server), rig.both(), "the update was lost");
    rig.start();
    rig.wait_for_record(&server, &rig.second());
    rig.wait_for("it is confirmed", |s| s.pending.is_none());
    assert_eq!(proxy.updates(), updates + 1);
    assert!(rig.epoch(&server) > 1);
}

#[test]
fn killed_between_a_write_and_its_confirmation_it_finds_what_landed() {
    if left_out("Knot") {
        return;
    }
    let server = Knot::start();
    let (mut rig, proxy) = behind_a_relay(&server);
    proxy.hold_answers();
    rig.pi1.dies();
    rig.wait_for_record(&server, &rig.second());
    wait_until("the answer is held", PATIENCE, || (proxy.held() > 0).then_some(()));
    rig.kill();
    proxy.let_go();
    let (serial, updates) = (server.serial(), proxy.updates());
    rig.start();
    let site =
        rig.wait_for("it has judged the nodes", |s| s.nodes[0].health.is_down() && s.nodes[1].health.is_up());
    assert!(site.frozen_for_ms.is_none(), "its own write is not taken for somebody else's");
    wait_until("it decides", PATIENCE, || rig.ask()?.warming_up_for_ms.is_none().then_some(()));
    let site =
        rig.wait_for("the node that lives is published", |s| s.nodes[1].published && s.pending.is_none());
    assert!(!site.nodes[0].published);
    assert_eq!((server.serial(), proxy.updates()), (serial, updates), "no extra change");
}

#[test]
fn a_watcher_that_has_lost_its_journal_still_gets_its_way() {
    if left_out("Knot") {
        return;
    }
    let server = Knot::start();
    let mut rig = Rig::at_home(Shape::Address, &server);
    rig.pi1.dies();
    rig.wait_for_record(&server, &rig.second());
    rig.settled();
    let epoch = rig.epoch(&server);
    assert!(epoch > 1);
    rig.kill();
    std::fs::remove_dir_all(&rig.state).unwrap();
    rig.pi2.dies();
    rig.start();
    rig.wait_for_record(&server, &rig.away());
    assert!(rig.epoch(&server) > epoch);
}

#[test]
fn a_watcher_that_comes_back_adopts_what_a_node_wrote_while_it_was_dead() {
    if left_out("Knot") {
        return;
    }
    let server = Knot::start();
    let mut rig = Rig::at_home(Shape::Address, &server);
    rig.pi1.dies();
    rig.pi2.dies();
    rig.wait_for_record(&server, &rig.away());
    rig.settled();
    let epoch = rig.epoch(&server);
    rig.kill();
    rig.pi1.lives();
    written(&server, &rig.at(11).to_string(), epoch + 1);
    let serial = server.serial();
    rig.start();
    rig.wait_for_note("it is adopted");
    let site = rig.wait_for("it has decided", |s| s.nodes[0].published && s.pending.is_none());
    assert_eq!((site.frozen_for_ms, site.epoch), (None, epoch + 1), "nobody is fought");
    assert_eq!((rig.record(&server), server.serial()), (rig.first(), serial));
    rig.pi2.lives();
    rig.wait_for_record(&server, &rig.both());
    assert!(rig.epoch(&server) > epoch + 1);
}
