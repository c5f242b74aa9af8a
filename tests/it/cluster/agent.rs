//! An agent on a machine: the real program, which serves the site from the volume and keeps a copy.

use std::process::{Child, Stdio};

use hearth::heartbeat::SourceState;
use hearth::heartbeat::seal::{SigningKey, VerifyingKey};
use hearth::status::AgentStatus;

use super::house::Machine;
use super::poll::{HOST, Poller};
use super::volume::{MOUNT, PATIENCE};
use crate::support::wait_until;

/// Where agents listen.
pub(super) const PORT: u16 = 8080;

/// The program.
pub(super) const HEARTH: &str = env!("CARGO_BIN_EXE_hearth");

/// Where the watcher of the tests listens.
pub(super) const WATCHER: &str = "http://10.77.0.254:8443";

pub(super) fn key(number: u8) -> SigningKey {
    SigningKey::from_seed([number; 32])
}

/// An agent.
pub(super) struct Agent<'a> {
    machine: &'a Machine,
    child: Child,
}

impl<'a> Agent<'a> {
    /// Starts it. It may have nothing to serve yet.
    pub(super) fn start(machine: &'a Machine) -> Self {
        Self::beating_to(machine, None)
    }

    /// Starts one that beats to the watcher of the house, which has this key.
    pub(super) fn beating_to(machine: &'a Machine, watcher: Option<VerifyingKey>) -> Self {
        let heartbeat = watcher.map_or(String::new(), |key| {
            format!("[heartbeat]\nevery = \"1s\"\nwatchers = [{{ url = \"{WATCHER}\", public-key = \"{key}\" }}]\n")
        });
        let text = format!(
            "[node]\nname = \"{name}\"\nkey = {{ file = \"node.key\" }}\nstate = \"agent\"\ncontrol = \"agent.sock\"\n\
             [site]\nhosts = [\"{HOST}\"]\nroot = \"{MOUNT}/www\"\nlisten = [\"0.0.0.0:{PORT}\"]\npoll = \"1s\"\nkeep = \"keep\"\n\
             [address]\nfamilies = [\"ipv4\"]\nadmit = [\"10.77.0.0/24\"]\n[[address.source]]\nkind = \"interface\"\n{heartbeat}",
            name = machine.name()
        );
        std::fs::write(machine.path("hearth.toml"), text).unwrap();
        std::fs::write(machine.path("node.key"), key(machine.number()).to_text().expose()).unwrap();
        let log = std::fs::File::options().create(true).append(true).open(machine.path("agent.log")).unwrap();
        let child = machine
            .command(HEARTH)
            .arg("agent")
            .arg("--config")
            .arg(machine.path("hearth.toml"))
            .env_remove("NOTIFY_SOCKET")
            .env("HEARTH_LOG", "info")
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        Self { machine, child }
    }

    /// Starts one and waits until it serves this version.
    pub(super) fn serving(machine: &'a Machine, version: u64) -> Self {
        let agent = Self::start(machine);
        agent.wait_for_version(version);
        agent
    }

    /// What it says of itself.
    pub(super) fn status(&self) -> Option<AgentStatus> {
        let socket = self.machine.path("agent.sock");
        let mut command = self.machine.command(HEARTH);
        let said = command.args(["status", "--json", "--socket"]).arg(socket).output().unwrap();
        serde_json::from_slice(&said.stdout).ok()
    }

    #[track_caller]
    pub(super) fn wait_for(&self, what: &str, is: impl Fn(&AgentStatus) -> bool) -> AgentStatus {
        let what = format!("{what} on {}; its log is {}", self.machine.name(), self.log());
        wait_until(&what, PATIENCE, || self.status().filter(&is))
    }

    #[track_caller]
    pub(super) fn wait_for_source(&self, state: SourceState) -> AgentStatus {
        self.wait_for(&format!("the mount is {state:?}"), |status| status.sites[0].source == state)
    }

    #[track_caller]
    pub(super) fn wait_for_version(&self, version: u64) {
        self.time_to_version(version);
    }

    /// Waits until it serves this version of the first page; how long that took.
    #[track_caller]
    pub(super) fn time_to_version(&self, version: u64) -> std::time::Duration {
        let start = std::time::Instant::now();
        wait_until(&format!("version {version} on {}", self.machine.name()), PATIENCE, || {
            let answer = self.machine.begin(|| super::poll::ask(PORT, 0)).join().unwrap();
            let found = answer.ok().and_then(|(_, body)| super::site::version(0, &body));
            (found == Some(version)).then_some(())
        });
        start.elapsed()
    }

    pub(super) fn poll(&self) -> Poller {
        Poller::start(self.machine, PORT)
    }

    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(self.machine.path("agent.log")).unwrap_or_default()
    }
}

impl Drop for Agent<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("{}: {}", self.machine.name(), self.log());
        }
        self.machine
            .signal(&format!("agent --config {}", self.machine.path("hearth.toml").display()), "KILL");
        let _ = self.child.wait();
    }
}
