//! An agent on loopback with what is around it: a directory, two echoes that see it where the test says, and a socket
//! to ask it how it stands.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use data_encoding::BASE64;
use hearth::heartbeat::seal::SigningKey;
use hearth::status::{AgentStatus, RecordStatus};
use rustix::process::{Pid, Signal, kill_process};

use crate::support::name_server::{ZONE, tsig_key};
use crate::support::wait_until;

pub(crate) const HOST: &str = "www.hearth.test";
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn node_key() -> SigningKey {
    SigningKey::from_seed([0xa7; 32])
}

/// Where the echoes see the node.
#[derive(Clone)]
pub(crate) struct Line(Arc<Mutex<Ipv4Addr>>);

impl Line {
    pub(crate) fn moves_to(&self, address: [u8; 4]) {
        *self.0.lock().unwrap() = address.into();
    }
}

/// An echo; its thread ends with the process.
fn echo(line: &Line) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (at, line) = (listener.local_addr().unwrap(), line.clone());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 2048]);
            let body = line.0.lock().unwrap().to_string();
            let length = body.len();
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            );
        }
    });
    at
}

/// An agent's directory and surroundings; the process may be started, killed and started again.
pub(crate) struct Rig {
    pub(crate) line: Line,
    pub(crate) site: SocketAddr,
    directory: tempfile::TempDir,
    child: Option<Child>,
    /// What the agent is run by: a program and its first words.
    run_by: Vec<String>,
}

impl Rig {
    /// A node with a site, seen at 127.0.9.1, with `more` in its configuration.
    pub(crate) fn new(more: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let line = Line(Arc::new(Mutex::new([127, 0, 9, 1].into())));
        let sources: String = ["one", "two"]
            .map(|operator| {
                let at = echo(&line);
                format!("[[address.source]]\nkind = \"https\"\nurl = \"http://{at}/\"\noperator = \"{operator}\"\n")
            })
            .concat();
        let site = free_port();
        let text = format!(
            "[node]\nname = \"pi1\"\nkey = {{ file = \"node.key\" }}\nstate = \"state\"\ncontrol = \"agent.sock\"\n\
             [site]\nhosts = [\"{HOST}\"]\nroot = \"www\"\nlisten = [\"{site}\"]\npoll = \"100ms\"\n\
             [address]\nfamilies = [\"ipv4\"]\nadmit = [\"127.0.0.0/8\"]\nevery = \"200ms\"\n{sources}{more}"
        );
        let rig = Self { line, site, directory, child: None, run_by: Vec::new() };
        std::fs::write(rig.path("hearth.toml"), text).unwrap();
        std::fs::write(rig.path("node.key"), node_key().to_text().expose()).unwrap();
        std::fs::write(rig.path("tsig.key"), BASE64.encode(tsig_key("pi1").secret.expose())).unwrap();
        std::fs::create_dir(rig.path("www")).unwrap();
        std::fs::write(rig.path("www/index.html"), "home").unwrap();
        rig
    }

    /// Keeps `labels` below the zone at the name server `server`.
    pub(crate) fn keeping(server: SocketAddr, labels: &[&str]) -> Self {
        let records: String = labels
            .iter()
            .map(|label| {
                format!("[[record]]\nname = \"{label}.{ZONE}\"\nprovider = \"home\"\nttl = \"60s\"\n")
            })
            .collect();
        Self::new(&format!(
            "{records}[provider.home]\nkind = \"rfc2136\"\nserver = \"{server}\"\nzone = \"{ZONE}\"\n\
             name-servers = [\"{server}\"]\nkey = {{ name = \"pi1\", secret = {{ file = \"tsig.key\" }} }}\n"
        ))
    }

    /// The same rig for another node, seen at `address`.
    pub(crate) fn called(self, node: &str, address: [u8; 4]) -> Self {
        let text = std::fs::read_to_string(self.path("hearth.toml")).unwrap();
        let named = text.replace("name = \"pi1\"", &format!("name = \"{node}\""));
        std::fs::write(self.path("hearth.toml"), named).unwrap();
        std::fs::write(self.path("tsig.key"), BASE64.encode(tsig_key(node).secret.expose())).unwrap();
        self.line.moves_to(address);
        self
    }

    /// Adds to the configuration.
    pub(crate) fn also(&self, more: &str) {
        let text = std::fs::read_to_string(self.path("hearth.toml")).unwrap();
        std::fs::write(self.path("hearth.toml"), text + more).unwrap();
    }

    /// Has the agent run by a shell in a mount namespace of its own, after `script`.
    pub(crate) fn in_a_namespace(&mut self, script: &str) {
        let script = format!("{script}\nexec \"$@\"");
        self.run_by = ["unshare", "-m", "sh", "-ec", &script, "sh"].map(str::to_owned).to_vec();
    }

    /// Starts the agent with a wall clock that says this, as faketime(1) has it, by the library `faketime`.
    #[track_caller]
    pub(crate) fn start_at(&mut self, when: &str, faketime: &str) {
        let when = if when.starts_with('+') { when.to_owned() } else { format!("@{when}") };
        let monotonic = "FAKETIME_DONT_FAKE_MONOTONIC=1".to_owned();
        let told = [format!("LD_PRELOAD={faketime}"), format!("FAKETIME={when}"), monotonic];
        self.run_by = ["env".to_owned()].into_iter().chain(told).collect();
        self.start();
    }

    /// Starts it with the clock of this machine again.
    #[track_caller]
    pub(crate) fn start_as_it_is(&mut self) {
        self.run_by.clear();
        self.start();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Runs a command of the binary with this configuration.
    pub(crate) fn hearth(&self, words: &[&str]) -> Output {
        let output = self.command(words).output().unwrap();
        self.assert_tells_no_secret(&String::from_utf8_lossy(
            &[&output.stdout[..], &output.stderr[..]].concat(),
        ));
        output
    }

    fn command(&self, words: &[&str]) -> Command {
        let whole = self.run_by.iter().map(String::as_str).chain([env!("CARGO_BIN_EXE_hearth")]);
        let whole: Vec<&str> = whole.chain(words.iter().copied()).collect();
        let mut command = Command::new(whole[0]);
        command.args(&whole[1..]).arg("--config").arg(self.path("hearth.toml")).stdin(Stdio::null());
        command.env_remove("NOTIFY_SOCKET").env("HEARTH_LOG", "debug,hyper=warn");
        command
    }

    /// Starts the agent, and waits until it answers.
    #[track_caller]
    pub(crate) fn start(&mut self) {
        assert!(self.child.is_none(), "the agent runs");
        let log = std::fs::File::options().create(true).append(true).open(self.path("log")).unwrap();
        let child = self.command(&["agent"]).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        self.child = Some(child);
        wait_until("the agent answers", PATIENCE, || self.ask());
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// What the agent says; None when it does not.
    pub(crate) fn ask(&self) -> Option<AgentStatus> {
        serde_json::from_str(&self.say("{\"ask\":\"status\"}")?).ok()
    }

    /// One question to the control socket.
    pub(crate) fn say(&self, question: &str) -> Option<String> {
        let mut stream = UnixStream::connect(self.path("agent.sock")).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        writeln!(stream, "{question}").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    }

    #[track_caller]
    pub(crate) fn wait_for(&self, what: &str, is: impl Fn(&AgentStatus) -> bool) -> AgentStatus {
        let seen = Mutex::new(None);
        let look = || {
            let status = self.ask()?;
            *seen.lock().unwrap() = Some(format!("{status:?}"));
            Some(status).filter(&is)
        };
        let caught =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| wait_until(what, PATIENCE, look)));
        caught.unwrap_or_else(|_| panic!("{what}: {:?}\n{}", seen.lock().unwrap(), self.log()))
    }

    /// Waits for a record to be so.
    #[track_caller]
    pub(crate) fn wait_for_record(&self, what: &str, is: impl Fn(&RecordStatus) -> bool) -> RecordStatus {
        self.wait_for(what, |status| status.records.iter().all(&is)).records.remove(0)
    }

    /// Ends the process as a power cut would.
    pub(crate) fn kill(&mut self) {
        let mut child = self.child.take().expect("the agent runs");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    pub(crate) fn tell_to_stop(&self) {
        kill_process(Pid::from_child(self.child.as_ref().expect("the agent runs")), Signal::TERM).unwrap();
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(self.child.as_ref().expect("the agent runs")), signal).unwrap();
    }

    /// The process that the agent has started as `hearth COMMAND`, if it has.
    pub(crate) fn find_child(&self, command: &str) -> Option<Pid> {
        let own = self.child.as_ref().expect("the agent runs").id();
        let tasks = std::fs::read_dir(format!("/proc/{own}/task")).ok()?.flatten();
        let children = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
        let ids: Vec<i32> = children
            .flat_map(|ids| ids.split_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<_>>())
            .collect();
        let line = |id: &i32| std::fs::read_to_string(format!("/proc/{id}/cmdline")).unwrap_or_default();
        let found =
            ids.into_iter().find(|id| line(id).trim_end_matches('\0').ends_with(&format!("\0{command}")));
        found.and_then(Pid::from_raw)
    }

    /// The same, which must be there.
    #[track_caller]
    pub(crate) fn child_called(&self, command: &str) -> Pid {
        self.find_child(command).expect("the agent has started it")
    }

    /// Waits for the end; the exit code.
    #[track_caller]
    pub(crate) fn ended(&mut self) -> Option<i32> {
        let mut child = self.child.take().expect("the agent runs");
        let status = wait_until("the agent ends", PATIENCE, || child.try_wait().unwrap());
        status.code()
    }

    /// Stops it on purpose.
    #[track_caller]
    pub(crate) fn stop(&mut self) {
        self.tell_to_stop();
        assert_eq!(self.ended(), Some(0), "{}", self.log());
    }

    #[track_caller]
    fn assert_tells_no_secret(&self, text: &str) {
        let seed = node_key().to_text().expose().trim_start_matches("hearth-key-1:").to_owned();
        let tsig = BASE64.encode(tsig_key("pi1").secret.expose());
        for secret in [seed, tsig, String::from_utf8_lossy(tsig_key("pi1").secret.expose()).into_owned()] {
            assert!(!text.contains(&secret), "a secret was told: {text}");
        }
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if !std::thread::panicking() {
            self.assert_tells_no_secret(&self.log());
            self.assert_tells_no_secret(
                &std::fs::read_to_string(self.path("state/agent.json")).unwrap_or_default(),
            );
        }
    }
}

/// A port that is free now.
pub(crate) fn free_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Whether somebody listens there.
pub(crate) fn is_open(at: SocketAddr) -> bool {
    TcpStream::connect_timeout(&at, Duration::from_secs(1)).is_ok()
}

pub(crate) fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
