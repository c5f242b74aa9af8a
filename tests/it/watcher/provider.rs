//! A provider that is gone, says no, or does not say what it did.

use hearth::failover::Shape;
use hearth::secret::Secret;

use super::rig::{PATIENCE, Rig};
use crate::support::dns_proxy::DnsProxy;
use crate::support::knot::Knot;
use crate::support::name_server::left_out;
use crate::support::wait_until;

#[test]
fn a_name_server_that_is_gone_is_tried_again_and_the_decision_lands() {
    if left_out("Knot") {
        return;
    }
    let mut server = Knot::start();
    let rig = Rig::at_home(Shape::Address, &server);
    server.stop();
    rig.pi1.dies();
    let site =
        rig.wait_for("the trouble is shown", |s| s.pending.as_ref().is_some_and(|p| p.trouble.is_some()));
    assert!(site.nodes[1].published, "{site:?}");
    let why = site.pending.unwrap().trouble.unwrap();
    assert!(rig.get("/").text().contains("on its way"), "{why}");
    rig.wait_for_note("not in force yet");
    server.start_again();
    rig.wait_for_record(&server, &rig.second());
    rig.settled();
}

#[test]
fn an_update_whose_answer_is_lost_is_read_back_and_not_repeated() {
    if left_out("Knot") {
        return;
    }
    let server = Knot::start();
    let proxy = DnsProxy::start(server.address());
    let mut rig = Rig::new(Shape::Address, &server);
    rig.provider = proxy.address();
    rig.start();
    rig.wait_for_record(&server, &rig.both());
    wait_until("nothing is on its way", PATIENCE, || rig.status().pending.is_none().then_some(()));
    let before = proxy.updates();
    assert!(before > 0);
    proxy.lose_answers(1);
    rig.pi1.dies();
    rig.wait_for_record(&server, &rig.second());
    rig.wait_for("it is known to have landed", |s| s.pending.is_none() && s.in_force.len() == 1);
    assert_eq!(proxy.updates(), before + 1);
}

#[test]
fn a_server_that_refuses_is_not_asked_all_the_time() {
    if left_out("Knot") {
        return;
    }
    let server = Knot::start();
    let proxy = DnsProxy::start(server.address());
    let mut rig = Rig::new(Shape::Address, &server);
    (rig.provider, rig.key) = (proxy.address(), server.key("pi1"));
    rig.start();
    refused(&rig, &proxy, &server);
}

#[test]
fn a_wrong_key_stops_the_writing_and_is_shown() {
    if left_out("Knot") {
        return;
    }
    let server = Knot::start();
    let proxy = DnsProxy::start(server.address());
    let mut rig = Rig::new(Shape::Address, &server);
    rig.provider = proxy.address();
    rig.key.secret = Secret::new(vec![0xee; 32]);
    rig.start();
    refused(&rig, &proxy, &server);
    let page = rig.get("/").text();
    assert!(page.contains("key") || page.contains("credential"), "{page}");
    let first = rig.status().epoch;
    rig.pi1.dies();
    rig.wait_for("what is decided later is told to be stuck as well", |s| {
        let trouble = s.pending.as_ref().and_then(|p| p.trouble.as_deref());
        s.epoch > first && trouble.is_some_and(|t| t.contains("credentials"))
    });
    assert!(proxy.updates() <= 1, "{}", proxy.updates());
}

/// The trouble is shown, and long after it the server was asked to change something once.
#[track_caller]
fn refused(rig: &Rig, proxy: &DnsProxy, server: &Knot) {
    let trouble = |s: &hearth::failover::view::SiteStatus| {
        s.pending.as_ref().is_some_and(|p| p.trouble.is_some()) || s.read_trouble.is_some()
    };
    rig.wait_for("the trouble is shown", trouble);
    let since = rig.ask().expect("it answers").uptime_ms;
    wait_until("time passes", PATIENCE, || rig.ask().filter(|s| s.uptime_ms > since + 5_000));
    assert!(trouble(&rig.status()));
    assert!(proxy.updates() <= 1, "{}", proxy.updates());
    assert_eq!(rig.record(server), [""; 0]);
}
