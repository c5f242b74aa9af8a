//! Witnesses: a second watcher that only looks, and nodes that say what they saw of others.

use std::process::{Child, Command, Stdio};

use hearth::failover::Shape;
use hearth::heartbeat::seal::SigningKey;
use hearth::heartbeat::witness::Testimony;
use hearth::probe::{Failure, Outcome};

use super::rig::{PATIENCE, Rig, watcher_key};
use crate::support::knot::Knot;
use crate::support::name_server::left_out;
use crate::support::wait_until;

fn witness_key() -> SigningKey {
    SigningKey::from_seed([0x77; 32])
}

/// A watcher in the mode of a witness. It ends with this value.
struct SecondWatcher(Child);

impl SecondWatcher {
    fn start(rig: &Rig) -> Self {
        let (url, key) = (rig.address, watcher_key().verifying());
        let text = format!(
            "[watcher]\nmode = \"witness\"\nname = \"watch2\"\nkey = {{ file = \"witness.key\" }}\nevery = \"300ms\"\n\
             decider = {{ url = \"http://{url}\", public-key = \"{key}\" }}\n"
        );
        std::fs::write(rig.path("witness.toml"), text).unwrap();
        std::fs::write(rig.path("witness.key"), witness_key().to_text().expose()).unwrap();
        let log = std::fs::File::create(rig.path("witness.log")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_hearth"));
        command.arg("watcher").arg("--config").arg(rig.path("witness.toml")).env_remove("NOTIFY_SOCKET");
        Self(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap())
    }
}

impl Drop for SecondWatcher {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A rig whose watcher knows a second one.
fn with_a_second_watcher(server: &Knot) -> Rig {
    let mut rig = Rig::new(Shape::Address, server);
    let key = witness_key().verifying();
    rig.more = format!("[[peer]]\nname = \"watch2\"\nrole = \"witness\"\npublic-key = \"{key}\"\n");
    rig.start();
    rig.wait_for_record(server, &rig.both());
    rig
}

/// The testimonies in the journal that say all this.
fn said(rig: &Rig, words: &[&str]) -> Option<()> {
    let all = |line: &String| line.contains("\"witnessed\"") && words.iter().all(|word| line.contains(word));
    rig.journal().iter().any(all).then_some(())
}

#[test]
fn a_second_watcher_looks_at_every_node_and_the_fallback_and_its_word_is_journalled() {
    if left_out("Knot") {
        return;
    }
    let server = Knot::start();
    let rig = with_a_second_watcher(&server);
    let _second = SecondWatcher::start(&rig);
    for about in ["\"node\":\"pi1\"", "\"node\":\"pi2\"", "\"fallback\""] {
        let words = ["\"witness\":\"watch2\"", about, "\"up\""];
        wait_until(&format!("a testimony about {about}"), PATIENCE, || said(&rig, &words));
    }
    rig.pi2.dies();
    wait_until("one that says that pi2 fails", PATIENCE, || said(&rig, &["\"node\":\"pi2\"", "\"failed\""]));
    rig.wait_for_record(&server, &rig.first());
}

#[test]
fn what_a_node_says_of_itself_of_strangers_or_of_other_places_does_not_count() {
    if left_out("Knot") {
        return;
    }
    let server = Knot::start();
    let rig = Rig::at_home(Shape::Address, &server);
    let serial = server.serial();
    let about = |node: Option<&str>, address| Testimony {
        site: rig.site().parse().unwrap(),
        node: node.map(|name| name.parse().unwrap()),
        address,
        ago_ms: 10,
        outcome: Outcome::Failed(Failure::Refused),
    };
    let lies = [
        about(Some("pi1"), rig.at(99)),
        about(Some("pi9"), rig.at(11)),
        about(None, rig.at(11)),
        Testimony { site: "www.other.test".parse().unwrap(), ..about(None, rig.at(20)) },
    ];
    let truth = about(Some("pi1"), rig.at(11));
    rig.pi2.testifies(lies.iter().cloned().chain([truth]).collect());
    wait_until("what was asked for counts", PATIENCE, || said(&rig, &["\"pi2\"", "\"node\":\"pi1\""]));
    let counted: Vec<String> = rig.journal().into_iter().filter(|l| l.contains("\"witnessed\"")).collect();
    let place = format!("\"address\":\"{}\"", rig.at(11));
    assert!(
        counted.iter().all(|line| line.contains("\"node\":\"pi1\"") && line.contains(&place)),
        "{counted:?}"
    );
    let site = rig.status();
    assert!(site.nodes.iter().all(|node| node.health.is_up() && node.published), "{site:?}");
    assert_eq!(server.serial(), serial, "one witness alone moves nothing");
}
