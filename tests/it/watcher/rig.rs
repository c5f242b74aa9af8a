//! A watcher in a directory of its own with what is around it: two nodes, the pages of the fallback, two references.

use std::io::Read as _;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use data_encoding::BASE64;
use hearth::dns::provider::TsigKey;
use hearth::failover::Shape;
use hearth::failover::view::{SiteStatus, WatcherStatus};
use hearth::heartbeat::seal::SigningKey;
use hickory_proto::rr::RecordType;
use rustix::process::{Pid, Signal, kill_process};

use super::node::{MARKER, Node, Place, Reference, key_of};
use crate::support::loopback::Network;
use crate::support::name_server::{NameServer, ZONE};
use crate::support::{http, wait_until};

/// Two cores are shared by many tests.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// Quick, and with time-outs that a loaded machine keeps.
const POLICY: &str = "{ profile = \"fast\", probe-every = \"300ms\", probe-suspect-every = \"200ms\", \
     probe-connect = \"2s\", probe-total = \"3s\", beat-stale = \"2s\", hard = \"2500ms\", \
     hard-with-sibling = \"2s\", gray = \"5s\", rise = 3, rise-span = \"1s\", hold = \"1s\", hold-cap = \"4s\", \
     returns = 20, warm-up = \"1500ms\", fallback-every = \"1s\", fallback-suspect-every = \"500ms\", \
     fallback-fresh = \"20s\", reference-every = \"400ms\", write-patience = \"10s\" }";

pub(super) fn watcher_key() -> SigningKey {
    SigningKey::from_seed([0xb3; 32])
}

/// A watcher and its surroundings. The process may be started, killed and started again.
pub(super) struct Rig {
    pub(super) pi1: Node,
    pub(super) pi2: Node,
    pub(super) pages: Place,
    pub(super) references: Vec<Reference>,
    /// Where the watcher listens.
    pub(super) address: SocketAddr,
    /// Where it reaches the name server.
    pub(super) provider: SocketAddr,
    pub(super) key: TsigKey,
    pub(super) state: PathBuf,
    /// Further lines of its `[watcher]`.
    pub(super) settings: String,
    /// What stands in the configuration beside all this.
    pub(super) more: String,
    /// What the watcher finds in its environment.
    pub(super) environment: Vec<(String, String)>,
    shape: Shape,
    network: Network,
    directory: tempfile::TempDir,
    child: Option<Child>,
}

impl Rig {
    /// A site with two nodes whose record, of this shape, is held by `server`. The watcher does not run yet.
    pub(super) fn new(shape: Shape, server: &NameServer) -> Self {
        Self::with_pages(shape, server, Place::pages)
    }

    /// One whose fallback is what `pages` makes at its address.
    pub(super) fn with_pages(
        shape: Shape,
        server: &NameServer,
        pages: impl FnOnce(SocketAddr) -> Place,
    ) -> Self {
        let network = Network::new();
        let (address, pin) = (network.free(1), watcher_key().verifying());
        let pages = pages((network.at(20), 0).into());
        let port = pages.address.port();
        let node = |name, host| Node::start(name, (network.at(host), port).into(), address, pin);
        let directory = tempfile::tempdir().unwrap();
        Self {
            pi1: node("pi1", 11),
            pi2: node("pi2", 12),
            references: vec![Reference::start(network.at(31)), Reference::start(network.at(32))],
            pages,
            address,
            provider: server.address(),
            key: server.key("watcher"),
            state: directory.path().join("state"),
            settings: String::new(),
            more: String::new(),
            environment: Vec::new(),
            shape,
            network,
            directory,
            child: None,
        }
    }

    /// One whose watcher has been started and has published both nodes.
    #[track_caller]
    pub(super) fn at_home(shape: Shape, server: &NameServer) -> Self {
        let mut rig = Self::new(shape, server);
        rig.start();
        rig.wait_for_record(server, &rig.both());
        rig.settled();
        rig
    }

    pub(super) fn at(&self, host: u8) -> IpAddr {
        self.network.at(host)
    }

    /// The label of the site.
    pub(super) fn label(&self) -> &'static str {
        match self.shape {
            Shape::Address => "www",
            Shape::Cname => "alias",
        }
    }

    pub(super) fn site(&self) -> String {
        format!("{}.{ZONE}", self.label())
    }

    pub(super) fn kind(&self) -> RecordType {
        match self.shape {
            Shape::Address => RecordType::A,
            Shape::Cname => RecordType::CNAME,
        }
    }

    /// The record when both nodes are up.
    pub(super) fn both(&self) -> Vec<String> {
        match self.shape {
            Shape::Address => vec![self.at(11).to_string(), self.at(12).to_string()],
            Shape::Cname => self.first(),
        }
    }

    /// The record when the first node alone is up.
    pub(super) fn first(&self) -> Vec<String> {
        match self.shape {
            Shape::Address => vec![self.at(11).to_string()],
            Shape::Cname => vec![format!("pi1.{ZONE}.")],
        }
    }

    /// The record when the second node alone is up.
    pub(super) fn second(&self) -> Vec<String> {
        match self.shape {
            Shape::Address => vec![self.at(12).to_string()],
            Shape::Cname => vec![format!("pi2.{ZONE}.")],
        }
    }

    /// The record when no node is up.
    pub(super) fn away(&self) -> Vec<String> {
        match self.shape {
            Shape::Address => vec![self.at(20).to_string()],
            Shape::Cname => vec!["user.pages.test.".to_owned()],
        }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn configuration(&self) -> String {
        let record = match self.shape {
            Shape::Address => "address",
            Shape::Cname => "cname",
        };
        let references: Vec<String> = self.references.iter().map(|r| format!("\"{}\"", r.text())).collect();
        let peers: String = ["pi1", "pi2"]
            .map(|name| {
                let key = key_of(name).verifying();
                format!("[[peer]]\nname = \"{name}\"\npublic-key = \"{key}\"\nhost = \"{name}.{ZONE}\"\n")
            })
            .concat();
        let (listen, state, site, server) = (self.address, self.state.display(), self.site(), self.provider);
        let (port, pages, key) = (self.pages.address.port(), self.at(20), &self.key.name);
        let scheme = self.pages.scheme();
        format!(
            "[watcher]\nlisten = [\"{listen}\"]\nstate = \"{state}\"\nkey = {{ file = \"watcher.key\" }}\n\
             control = \"watcher.sock\"\nreferences = [{}]\n{}\n\
             [[watch]]\nsite = \"{site}\"\nprovider = \"home\"\nrecord = \"{record}\"\nnodes = [\"pi1\", \"pi2\"]\n\
             port = {port}\ncontains = \"{MARKER}\"\npolicy = {POLICY}\n\
             fallback = {{ addresses = [\"{pages}\"], name = \"user.pages.test\", scheme = \"{scheme}\", port = {port} }}\n\
             {peers}[provider.home]\nkind = \"rfc2136\"\nserver = \"{server}\"\nzone = \"{ZONE}\"\n\
             key = {{ name = \"{key}\", secret = {{ file = \"tsig.key\" }} }}\nname-servers = [\"{server}\"]\n{}",
            references.join(", "),
            self.settings,
            self.more,
        )
    }

    /// Runs a command of the binary with this configuration.
    pub(super) fn hearth(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    /// Starts a command of the binary with this configuration.
    pub(super) fn begin(&self, words: &[&str]) -> Child {
        self.command(words).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    fn command(&self, words: &[&str]) -> Command {
        self.write_down();
        let mut command = Command::new(env!("CARGO_BIN_EXE_hearth"));
        command.args(words).arg("--config").arg(self.path("hearth.toml")).stdin(Stdio::null());
        command.env_remove("NOTIFY_SOCKET").env("HEARTH_LOG", "debug,hyper=warn");
        command
    }

    fn write_down(&self) {
        std::fs::write(self.path("hearth.toml"), self.configuration()).unwrap();
        std::fs::write(self.path("watcher.key"), watcher_key().to_text().expose()).unwrap();
        std::fs::write(self.path("tsig.key"), BASE64.encode(self.key.secret.expose())).unwrap();
    }

    /// Starts the watcher, and waits until it answers.
    #[track_caller]
    pub(super) fn start(&mut self) {
        self.launch();
        wait_until("the watcher answers", PATIENCE, || self.ask());
    }

    /// Starts the watcher.
    #[track_caller]
    pub(super) fn launch(&mut self) {
        assert!(self.child.is_none(), "the watcher runs");
        let log = std::fs::File::options().create(true).append(true).open(self.path("log")).unwrap();
        let mut command = self.command(&["watcher"]);
        command.envs(self.environment.iter().cloned());
        let child = command.stdout(Stdio::null()).stderr(log).spawn().unwrap();
        self.child = Some(child);
    }

    /// As a crash or a power cut would.
    pub(super) fn kill(&mut self) {
        let mut child = self.child.take().expect("the watcher runs");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// As its supervisor would.
    pub(super) fn stop(&mut self) -> ExitStatus {
        let mut child = self.child.take().expect("the watcher runs");
        kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
        wait_until("the watcher ends", PATIENCE, || child.try_wait().unwrap())
    }

    pub(super) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(self.child.as_ref().expect("the watcher runs")), signal).unwrap();
    }

    /// The memory that the watcher has resident, in KiB (proc_pid_status(5)).
    pub(super) fn memory_kib(&self) -> u64 {
        let id = self.child.as_ref().expect("the watcher runs").id();
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it has memory");
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    pub(super) fn get(&self, path: &str) -> http::Answer {
        http::ask(self.address, "GET", path, "watcher", &[])
    }

    /// The status; None: the watcher does not answer.
    pub(super) fn ask(&self) -> Option<WatcherStatus> {
        let mut stream = http::connect(self.address).ok()?;
        let request = b"GET /status.json HTTP/1.1\r\nHost: w\r\nConnection: close\r\n\r\n";
        std::io::Write::write_all(&mut stream, request).ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok()?;
        serde_json::from_slice(&http::parse(&answer).body).ok()
    }

    /// The lines of the newest segment of the journal.
    pub(super) fn journal(&self) -> Vec<String> {
        let segments = std::fs::read_dir(self.state.join("journal")).into_iter().flatten().flatten();
        let newest = segments.map(|entry| entry.path()).max();
        let text = newest.and_then(|path| std::fs::read(path).ok()).unwrap_or_default();
        String::from_utf8_lossy(&text).lines().map(str::to_owned).collect()
    }

    /// The site as it stands.
    #[track_caller]
    pub(super) fn status(&self) -> SiteStatus {
        let status = wait_until("the watcher shows its status", PATIENCE, || self.ask());
        status.sites.into_iter().next().expect("it watches a site")
    }

    /// Waits until the site looks like that.
    #[track_caller]
    pub(super) fn wait_for(&self, what: &str, fits: impl Fn(&SiteStatus) -> bool) -> SiteStatus {
        wait_until(what, PATIENCE, || {
            let site = self.ask()?.sites.into_iter().next()?;
            fits(&site).then_some(site)
        })
    }

    /// Waits until nothing is on its way, and the name servers were asked.
    #[track_caller]
    pub(super) fn settled(&self) -> SiteStatus {
        self.wait_for("the change is confirmed", |s| s.pending.is_none() && s.confirmed == Some((1, 1)))
    }

    /// Waits until something like that is in the timeline.
    #[track_caller]
    pub(super) fn wait_for_note(&self, text: &str) {
        wait_until(text, PATIENCE, || {
            self.ask()?.timeline.iter().any(|h| h.text.contains(text)).then_some(())
        });
    }

    #[track_caller]
    pub(super) fn record(&self, server: &NameServer) -> Vec<String> {
        server.query(self.label(), self.kind())
    }

    #[track_caller]
    pub(super) fn wait_for_record(&self, server: &NameServer, wanted: &[String]) {
        wait_until(&format!("the record is {wanted:?}"), PATIENCE, || {
            (self.record(server) == wanted).then_some(())
        });
    }

    /// The epoch in the watcher's mark.
    #[track_caller]
    pub(super) fn epoch(&self, server: &NameServer) -> u64 {
        let marks = server.query(&format!("_hearth.{}", self.label()), RecordType::TXT);
        let mark = marks.iter().find(|m| m.contains("owner=watcher")).expect("the site is marked");
        let (_, epoch) = mark.split_once("epoch=").expect("the mark has an epoch");
        epoch.trim_end_matches('"').parse().unwrap()
    }
}

impl Drop for Rig {
    #[allow(clippy::print_stderr, reason = "what the watcher logged belongs to a failure")]
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!(
                "the end of what the watcher logged:\n{}",
                lines[lines.len().saturating_sub(40)..].join("\n")
            );
        }
    }
}
