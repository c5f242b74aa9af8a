//! What comes to the watcher's port, and how the process begins and ends.

use std::net::{SocketAddr, TcpListener};

use hearth::failover::Shape;
use hearth::failover::view::{NodeStatus, WatcherStatus};
use hearth::heartbeat::seal::{Purpose, SigningKey};
use hearth::heartbeat::{Beat, MAX_BODY};

use super::node::key_of;
use super::rig::{PATIENCE, Rig};
use crate::support::http::{parse, raw};
use crate::support::knot::Knot;
use crate::support::name_server::{ZONE, left_out};
use crate::support::wait_until;

/// Posts `body` under the seal of `key`; the status of the answer.
pub(super) fn post(to: SocketAddr, body: &[u8], key: &SigningKey) -> u16 {
    let seal = key.seal(Purpose::Beat, body);
    let head = format!(
        "POST /v1/beat HTTP/1.1\r\nHost: w\r\nConnection: close\r\nContent-Length: {}\r\nHearth-Seal: {seal}\r\n\r\n",
        body.len()
    );
    parse(&raw(to, &[head.as_bytes(), body].concat())).status
}

pub(super) fn json(beat: &Beat) -> Vec<u8> {
    serde_json::to_vec(beat).unwrap()
}

/// What a beat could change of a node.
fn said(status: &WatcherStatus) -> Vec<(String, Vec<String>, bool)> {
    let addresses = |n: &NodeStatus| n.targets.iter().map(|t| t.address.to_string()).collect();
    status.sites[0]
        .nodes
        .iter()
        .map(|n| (n.version.clone(), addresses(n), n.why.contains("leaving")))
        .collect()
}

#[test]
fn beats_that_do_not_count_are_refused_and_change_nothing() {
    if left_out("Knot") {
        return;
    }
    let server = Knot::start();
    let mut rig = Rig::at_home(Shape::Address, &server);
    let last = rig.pi1.falls_silent();
    assert_eq!(post(rig.address, &json(&last), &key_of("pi1")), 200, "a good one is taken");
    let before = said(&rig.ask().unwrap());
    let lie = Beat { version: "9.9.9".to_owned(), ..last.clone() };
    let mut later = lie.clone();
    later.sequence += 1;
    later.addresses[0].address = rig.at(99);
    let stranger = Beat { node: "pi9".parse().unwrap(), ..later.clone() };
    let mut long = json(&later);
    long.resize(MAX_BODY + 1, b' ');
    let table: [(&str, Vec<u8>, SigningKey, u16); 6] = [
        ("another node's key", json(&later), key_of("pi2"), 401),
        ("replayed", json(&last), key_of("pi1"), 409),
        ("replayed with other words", json(&lie), key_of("pi1"), 409),
        ("too long", long, key_of("pi1"), 413),
        ("malformed", b"{\"form\":1}".to_vec(), key_of("pi1"), 400),
        ("of a node that nobody knows", json(&stranger), key_of("pi9"), 403),
    ];
    for (what, body, key, expected) in &table {
        assert_eq!(post(rig.address, body, key), *expected, "{what}");
    }
    assert_eq!(said(&rig.ask().unwrap()), before);
    assert!(before.iter().all(|(version, ..)| version == "0.1.0"), "{before:?}");

    rig.kill();
    rig.start();
    assert_eq!(post(rig.address, &json(&last), &key_of("pi1")), 409, "also after a restart");
}

#[test]
fn the_status_page_shows_the_site_and_no_secret() {
    if left_out("Knot") {
        return;
    }
    let server = Knot::start();
    let rig = Rig::at_home(Shape::Address, &server);
    rig.pi1.dies();
    rig.wait_for_record(&server, &rig.second());
    let site = rig.settled();
    let answer = rig.get("/");
    let page = answer.text();
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(page.starts_with("<!doctype html><html lang=\"en\"><head>"), "{page}");
    for shown in ["www.hearth.test", "pi1", "pi2", &site.why, "down"] {
        assert!(page.contains(shown), "no {shown} in {page}");
    }
    let text = format!("{page}{}{}", rig.get("/status.json").text(), rig.log());
    for file in ["watcher.key", "tsig.key"] {
        let secret = std::fs::read_to_string(rig.path(file)).unwrap();
        assert!(secret.trim().len() > 20);
        assert!(!text.contains(secret.trim()), "{file} is told");
    }
    assert!(text.contains(ZONE));
}

#[test]
fn a_port_that_is_taken_ends_the_watcher_with_a_clear_word() {
    if left_out("Knot") {
        return;
    }
    let server = Knot::start();
    let rig = Rig::new(Shape::Address, &server);
    let _taken = TcpListener::bind(rig.address).unwrap();
    let output = rig.hearth(&["watcher"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("{} is taken by another process", rig.address)), "{said}");
}

#[test]
fn a_state_directory_that_cannot_be_written_ends_the_watcher_with_a_clear_word() {
    if left_out("Knot") {
        return;
    }
    let server = Knot::start();
    let mut rig = Rig::new(Shape::Address, &server);
    // Rights do not stop root; a file in the way does.
    rig.state = rig.path("in-the-way");
    std::fs::write(&rig.state, "").unwrap();
    let output = rig.hearth(&["watcher"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("cannot be used") && said.contains("in-the-way"), "{said}");
}

#[test]
fn a_watcher_that_is_told_to_stop_ends_well_and_leaves_its_port() {
    if left_out("Knot") {
        return;
    }
    let server = Knot::start();
    let mut rig = Rig::at_home(Shape::Address, &server);
    assert_eq!(rig.stop().code(), Some(0));
    TcpListener::bind(rig.address).expect("the port is free");
    assert!(!rig.path("watcher.sock").exists(), "the socket is removed");
    rig.start();
    wait_until("it goes on", PATIENCE, || (rig.status().epoch == 1).then_some(()));
}
