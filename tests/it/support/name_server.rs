//! A real name server in a directory of its own on loopback: the zone, the keys, the process, and questions to it.

#![allow(clippy::print_stderr, clippy::print_stdout, reason = "what a server logged belongs to a failure")]

use std::collections::BTreeMap;
use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use hearth::dns::Name;
use hearth::dns::provider::{Marks, ProviderSettings, Rfc2136Settings, TsigAlgorithm, TsigKey};
use hearth::secret::Secret;
use hickory_proto::op::{Message, Query};
use hickory_proto::rr::{Name as WireName, RecordType};
use rustix::process::{Pid, Signal, kill_process};

use super::wait_until;

/// The zone that every server starts with.
pub(crate) const ZONE: &str = "hearth.test";

/// Who may write what: a key, and the labels below the zone whose A, AAAA, CNAME and marks it may write.
pub(crate) const WRITERS: [(&str, &[&str]); 4] = [
    ("pi1", &["pi1", "shared", "new.wild", "_acme-challenge.www"]),
    ("pi2", &["pi2", "shared", "_acme-challenge.www"]),
    ("watcher", &["www", "alias"]),
    ("site", &["site"]),
];

/// The key of a person who may write everything.
pub(crate) const ADMIN: &str = "admin";

/// The zone: `www` carries records of other types, `shared` a member and a text of somebody else;
/// below `wild` a wildcard answers.
fn zone_file(address: IpAddr) -> String {
    format!(
        "$ORIGIN {ZONE}.\n$TTL 60\n\
         @ IN SOA ns1 hostmaster 1 3600 600 86400 30\n\
         @ NS ns1\n\
         ns1 A {address}\n\
         mail A 192.0.2.25\n\
         www MX 10 mail\n\
         www TXT \"a text of somebody else\"\n\
         _acme-challenge.www TXT \"a text of somebody else\"\n\
         @ CAA 0 issue \"other.example\"\n\
         shared A 192.0.2.200\n\
         *.wild A 192.0.2.99\n\
         *.wild TXT \"for every name\"\n\
         _hearth.shared TXT \"not a mark\"\n"
    )
}

/// How a kind of server is set up and started.
pub(crate) struct Kind {
    /// What it is called.
    pub(crate) name: &'static str,
    /// The program.
    pub(crate) program: &'static str,
    /// The text of its configuration.
    pub(crate) configuration: fn(&Path, SocketAddr, &[TsigKey]) -> String,
    /// Its arguments, given the configuration file.
    pub(crate) arguments: fn(&Path) -> Vec<String>,
}

/// A running name server. It ends with this value.
pub(crate) struct NameServer {
    kind: &'static Kind,
    address: SocketAddr,
    keys: BTreeMap<String, TsigKey>,
    dir: tempfile::TempDir,
    child: Option<Child>,
}

impl NameServer {
    /// Starts a server and waits until it answers.
    #[track_caller]
    pub(crate) fn start(kind: &'static Kind) -> Self {
        let program = find(kind.program);
        assert!(program.is_some(), "{} is not installed: run tests/run, which installs it", kind.program);
        for _ in 0..3 {
            let mut server = Self::set_up(kind);
            if server.try_launch() {
                return server;
            }
            eprintln!("{} did not start on {}:\n{}", kind.name, server.address, server.log());
        }
        panic!("{} does not start", kind.name);
    }

    fn set_up(kind: &'static Kind) -> Self {
        let dir = tempfile::Builder::new().prefix(kind.name).tempdir().unwrap();
        let address = free_address();
        let writers = WRITERS.iter().map(|(name, _)| *name);
        let keys: Vec<TsigKey> = writers.chain([ADMIN]).map(tsig_key).collect();
        std::fs::write(dir.path().join("zone"), zone_file(address.ip())).unwrap();
        let configuration = (kind.configuration)(dir.path(), address, &keys);
        std::fs::write(dir.path().join("server.conf"), configuration).unwrap();
        let keys = keys.into_iter().map(|key| (key.name.to_string(), key)).collect();
        Self { kind, address, keys, dir, child: None }
    }

    /// Whether the server runs and answers.
    fn try_launch(&mut self) -> bool {
        let log = File::options().create(true).append(true).open(self.log_file()).unwrap();
        let child = Command::new(find(self.kind.program).unwrap())
            .args((self.kind.arguments)(&self.dir.path().join("server.conf")))
            .current_dir(self.dir.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.child = Some(child);
        wait_until("the name server answers or ends", Duration::from_secs(20), || {
            if self.child.as_mut()?.try_wait().unwrap().is_some() {
                return Some(false);
            }
            ask(self.address, ZONE, RecordType::SOA, Duration::from_millis(200))
                .is_some_and(|answer| !answer.answers.is_empty())
                .then_some(true)
        })
    }

    fn log_file(&self) -> PathBuf {
        self.dir.path().join("log")
    }

    /// What the server has logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    /// Where it listens, over UDP and TCP.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The key of a writer, or of the administrator.
    pub(crate) fn key(&self, writer: &str) -> TsigKey {
        self.keys[writer].clone()
    }

    /// The settings of a provider at this server, for a writer.
    pub(crate) fn settings(&self, writer: &str) -> Rfc2136Settings {
        Rfc2136Settings {
            server: self.address.to_string(),
            zone: name(ZONE),
            key: self.key(writer),
            name_servers: vec![self.address],
            marks: Marks::Txt,
        }
    }

    /// The same, as any provider's.
    pub(crate) fn provider_settings(&self, writer: &str) -> ProviderSettings {
        ProviderSettings::Rfc2136(self.settings(writer))
    }

    /// What it answers for a label below the zone, sorted.
    #[track_caller]
    pub(crate) fn query(&self, label: &str, kind: RecordType) -> Vec<String> {
        query(self.address, &format!("{label}.{ZONE}"), kind)
    }

    /// The serial of the zone.
    #[track_caller]
    pub(crate) fn serial(&self) -> String {
        let soa = query(self.address, ZONE, RecordType::SOA);
        soa[0].split(' ').nth(2).expect("a serial").to_owned()
    }

    /// Ends the server as its supervisor would; its port stays free for [`Self::start_again`].
    pub(crate) fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            kill_process(pid(&child), Signal::TERM).unwrap();
            child.wait().unwrap();
        }
    }

    /// Starts it again where it was, with the zone that it had.
    #[track_caller]
    pub(crate) fn start_again(&mut self) {
        assert!(self.child.is_none(), "the server runs");
        assert!(self.try_launch(), "{} does not start again:\n{}", self.kind.name, self.log());
    }

    /// Makes it hang: connections are taken by the kernel, nothing is answered.
    pub(crate) fn pause(&self) {
        kill_process(pid(self.child.as_ref().expect("the server runs")), Signal::STOP).unwrap();
    }

    /// Lets it go on.
    pub(crate) fn resume(&self) {
        kill_process(pid(self.child.as_ref().expect("the server runs")), Signal::CONT).unwrap();
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // A paused process is killed as well.
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            eprintln!("what {} logged:\n{}", self.kind.name, self.log());
        }
    }
}

fn pid(child: &Child) -> Pid {
    Pid::from_child(child)
}

/// A name.
pub(crate) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// The same secret for a writer everywhere; writers have different ones.
pub(crate) fn tsig_key(writer: &str) -> TsigKey {
    let secret = writer.bytes().cycle().take(32).collect();
    TsigKey { name: name(writer), algorithm: TsigAlgorithm::HmacSha256, secret: Secret::new(secret) }
}

/// A program in PATH, or where Debian keeps what only root's PATH has.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let more = ["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(more).map(|dir| dir.join(program)).find(|file| file.is_file())
}

/// A port on 127.0.0.1 (BIND listens on addresses of interfaces only) that is free over UDP and TCP. It lies below the
/// range that the kernel gives out, and the process id says where the search begins: a server that is started again
/// finds its port free.
fn free_address() -> SocketAddr {
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    for _ in 0..100 {
        let step =
            std::process::id().wrapping_mul(37).wrapping_add(TAKEN.fetch_add(1, Ordering::Relaxed) * 7919);
        let port = 10_000 + u16::try_from(step % 22_000).unwrap();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(address).is_ok() && UdpSocket::bind(address).is_ok() {
            return address;
        }
    }
    panic!("no port is free");
}

/// The record data that a server answers over UDP for exactly this name and type, sorted; panics when it is silent.
#[track_caller]
pub(crate) fn query(server: SocketAddr, name: &str, kind: RecordType) -> Vec<String> {
    let answer = (0..3).find_map(|_| ask(server, name, kind, Duration::from_secs(2)));
    let answer = answer.unwrap_or_else(|| panic!("{server} does not answer for {name} {kind}"));
    let place = WireName::from_ascii(format!("{name}.")).unwrap();
    let here = answer.answers.iter().filter(|r| r.name == place && r.record_type() == kind);
    let mut data: Vec<String> = here.map(|r| r.data.to_string()).collect();
    data.sort();
    data
}

/// One question over UDP.
pub(crate) fn ask(server: SocketAddr, name: &str, kind: RecordType, within: Duration) -> Option<Message> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    socket.set_read_timeout(Some(within)).unwrap();
    socket.connect(server).ok()?;
    let mut question = Message::query();
    question.add_query(Query::query(WireName::from_ascii(format!("{name}.")).unwrap(), kind));
    socket.send(&question.to_vec().unwrap()).ok()?;
    let mut buffer = [0; 4096];
    let length = socket.recv(&mut buffer).ok()?;
    Message::from_vec(&buffer[..length]).ok().filter(|answer| answer.metadata.id == question.metadata.id)
}

/// Whether tests with real servers are left out of this run; says so.
pub(crate) fn left_out(what: &str) -> bool {
    let quick = std::env::var_os("HEARTH_QUICK").is_some_and(|value| value == "1");
    if quick {
        println!("left out under HEARTH_QUICK=1: a test with a real {what}");
    }
    quick
}
