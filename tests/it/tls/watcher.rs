//! The watcher's own HTTPS: a browser reads its status, and a node beats to it.

use std::process::{Child, Command, Stdio};

use hearth::heartbeat::seal::SigningKey;
use hearth::status::LinkState;

use super::rig::PATIENCE;
use crate::agent::rig::{Rig, free_port, node_key, text};
use crate::support::authority::Authority;
use crate::support::wait_until;

/// A watcher as a process; it ends with this value.
struct Watcher(Child);

impl Drop for Watcher {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_node_beats_to_it_and_a_browser_reads_it_over_https_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let (authority, key, at) = (Authority::new("home"), SigningKey::from_seed([0x77; 32]), free_port());
    authority.issue(&["127.0.0.1", "watch.hearth.test"]).write(directory.path(), "watch");
    std::fs::write(path("root.pem"), authority.root_pem()).unwrap();
    std::fs::write(path("watcher.key"), key.to_text().expose()).unwrap();
    let config = format!(
        "[watcher]\nlisten = [\"{at}\"]\nstate = \"state\"\ncontrol = \"watcher.sock\"\n\
         key = {{ file = \"watcher.key\" }}\nreferences = [\"{at}\"]\n\
         [watcher.tls]\nhosts = [\"watch.hearth.test\"]\ncertificate = \"watch.pem\"\nkey = {{ file = \"watch.key\" }}\n\
         [[peer]]\nname = \"pi1\"\npublic-key = \"{}\"\n",
        node_key().verifying()
    );
    std::fs::write(path("hearth.toml"), config).unwrap();
    let log = std::fs::File::create(path("log")).unwrap();
    let watcher = Command::new(env!("CARGO_BIN_EXE_hearth"))
        .args(["watcher", "--config"])
        .arg(path("hearth.toml"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn();
    let _watcher = Watcher(watcher.unwrap());
    let curl = |words: &[&str]| {
        let mut command = Command::new("curl");
        command
            .args(["-sS", "--max-time", "5", "--cacert"])
            .arg(path("root.pem"))
            .args(words)
            .output()
            .unwrap()
    };
    let url = format!("https://{at}/healthz");
    let log = || std::fs::read_to_string(path("log")).unwrap();
    let read = wait_until("the watcher's answer", PATIENCE, || {
        Some(curl(&[&url])).filter(|output| output.status.success())
    });
    assert_eq!(text(&read), "ok\n", "{}", log());
    assert!(!curl(&[&url.replace("https", "http")]).status.success(), "nothing is said without TLS");

    let heartbeat = |ca: &str| {
        let key = key.verifying();
        format!(
            "[heartbeat]\nevery = \"200ms\"\nwatchers = [{{ url = \"https://{at}\", public-key = \"{key}\"{ca} }}]\n"
        )
    };
    let mut stranger = Rig::new(&heartbeat(""));
    stranger.start();
    stranger.wait_for("distrust", |status| status.watchers[0].why.contains("certificate"));
    let mut node = Rig::new(&heartbeat(&format!(", ca = \"{}\"", path("root.pem").display())));
    node.start();
    node.wait_for("an answer", |status| status.watchers[0].state == LinkState::Answered);
}
