//! The site that an agent serves, and what is said of it.

use std::net::TcpListener;

use hearth::heartbeat::proof::{self, Nonce};
use hearth::status::{FaultCode, Phase};
use serde_json::Value;

use super::rig::{HOST, PATIENCE, Rig, node_key, text};
use crate::support::{http, wait_until};

#[test]
fn the_site_is_served_and_the_node_proves_that_it_is_the_one() {
    let mut rig = Rig::new("");
    rig.start();
    let status = rig.wait_for("a generation", |status| status.sites[0].generation.is_some());
    assert_eq!(http::ask(rig.site, "GET", "/", HOST, &[]).text(), "home");
    let nonce = Nonce::new([5; 16]);
    let answer = http::ask(rig.site, "GET", &nonce.path(), HOST, &[]);
    let seal = answer.header("hearth-seal");
    let proved =
        proof::check(&node_key().verifying(), &status.node, &nonce, HOST, &answer.body, seal).unwrap();
    assert_eq!(proved.generation, status.sites[0].generation);
    assert_eq!(http::ask(rig.site, "GET", "/.well-known/hearth/nonsense", HOST, &[]).status, 404);
}

#[test]
fn a_missing_root_is_503_and_a_fault_until_it_is_there() {
    let mut rig = Rig::new("");
    std::fs::rename(rig.path("www"), rig.path("away")).unwrap();
    rig.start();
    let status = rig.wait_for("the fault", |status| !status.faults.is_empty());
    assert_eq!((status.faults[0].code, status.sites[0].generation.clone()), (FaultCode::SiteSource, None));
    assert_eq!(http::ask(rig.site, "GET", "/", HOST, &[]).status, 503);
    let shown = text(&rig.hearth(&["status"]));
    for part in ["fault-4: a person must act (4)", "visitors get 503", "No such file", "to do"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    std::fs::rename(rig.path("away"), rig.path("www")).unwrap();
    rig.wait_for("no fault", |status| status.faults.is_empty() && status.sites[0].generation.is_some());
    assert_eq!(http::ask(rig.site, "GET", "/", HOST, &[]).status, 200);
}

#[test]
fn the_status_is_a_screen_for_people_and_json_for_programs() {
    let mut rig = Rig::new("");
    let away = rig.hearth(&["status"]);
    assert_eq!(away.status.code(), Some(1));
    assert!(
        text(&away).contains("nothing answers at") && text(&away).contains("is hearth running?"),
        "{away:?}"
    );

    rig.start();
    rig.wait_for("healthy", |status| status.phase == Phase::Running && status.sites[0].generation.is_some());
    let shown = text(&rig.hearth(&["status"]));
    for part in ["pi1, hearth ", "healthy: all is well", "1 files", "127.0.9.1"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let json: Value = serde_json::from_slice(&rig.hearth(&["status", "--json"]).stdout).unwrap();
    assert_eq!((&json["node"], &json["addresses"]["ipv4"]["agreed"]), (&"pi1".into(), &"127.0.9.1".into()));
    let socket = rig.path("agent.sock");
    let asked = rig.hearth(&["status", "--json", "--socket", socket.to_str().unwrap()]);
    assert_eq!(serde_json::from_slice::<Value>(&asked.stdout).unwrap()["node"], "pi1");
    let unknown = rig.say("{\"ask\":\"weather\"}").unwrap();
    assert!(unknown.contains("\"error\"") && unknown.contains("weather"), "{unknown}");
}

#[test]
fn a_port_that_is_taken_ends_the_start_with_its_address() {
    let rig = Rig::new("");
    let _taken = TcpListener::bind(rig.site).unwrap();
    let refused = rig.hearth(&["agent"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused).contains(&format!("{} is taken by another process", rig.site)), "{refused:?}");
}

#[test]
fn a_configuration_that_is_wrong_or_has_no_node_is_told_apart() {
    let rig = Rig::new("");
    std::fs::write(rig.path("hearth.toml"), "[watcher]\nkey = { file = \"node.key\" }\n").unwrap();
    let watcher_only = rig.hearth(&["agent"]);
    assert_eq!(watcher_only.status.code(), Some(1), "{watcher_only:?}");
    assert!(text(&watcher_only).contains("has no [node]"), "{watcher_only:?}");
    std::fs::write(rig.path("hearth.toml"), "[noed]\n").unwrap();
    for words in [["agent"], ["status"]] {
        let wrong = rig.hearth(&words);
        assert_eq!(wrong.status.code(), Some(2), "{wrong:?}");
    }
}

#[test]
fn a_stop_closes_the_port_and_the_socket_and_ends_with_0() {
    let mut rig = Rig::new("");
    rig.start();
    rig.wait_for("an address is agreed on", |s| s.addresses.values().any(|address| address.agreed.is_some()));
    rig.stop();
    assert!(!super::rig::is_open(rig.site));
    assert!(!rig.path("agent.sock").exists());
    // What was agreed on outlasts the stop.
    let state = std::fs::read_to_string(rig.path("state/agent.json")).unwrap();
    assert!(state.contains("127.0.9.1"), "{state}");
    wait_until("it starts again on the same port", PATIENCE, || {
        rig.start();
        Some(())
    });
}

#[test]
fn a_start_with_a_site_is_never_a_fault() {
    let mut rig = Rig::new("");
    rig.start();
    rig.wait_for("a generation", |status| {
        assert_eq!(status.faults, [], "while nothing is wrong");
        status.sites[0].generation.is_some()
    });
    assert!(!rig.log().contains("fault-4"), "{}", rig.log());
}
