//! The whole: two agents and a watcher as processes, from the files in `examples/`, with a real name server.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use data_encoding::BASE64;
use hickory_proto::rr::RecordType;
use rustix::process::{Pid, Signal, kill_process};

use crate::support::knot::Knot;
use crate::support::loopback::Network;
use crate::support::name_server::{NameServer, ZONE, left_out};
use crate::support::wait_until;
use crate::watcher::node::Place;

/// The examples are four times as fast as a real watcher here; what takes longest is a return, after a minute and more.
const PATIENCE: Duration = Duration::from_secs(120);

/// An echo that says where a question came from, as `examples/echo.rs` does; its thread ends with the process.
fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut lines = BufReader::new(&stream).lines();
            while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
            let Ok(from) = stream.peer_addr() else { continue };
            let (body, mut stream) = (from.ip().to_string(), &stream);
            let length = body.len();
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
            let _ = stream.write_all(format!("{head}{body}").as_bytes());
        }
    });
    address
}

/// The examples in a directory of their own, with addresses and keys that this test may use.
struct Examples {
    directory: tempfile::TempDir,
    network: Network,
    pages: Place,
}

impl Examples {
    fn new(server: &NameServer) -> Self {
        let network = Network::new();
        let examples = Self {
            directory: tempfile::tempdir().unwrap(),
            network,
            pages: Place::pages((network.at(20), 0).into()),
        };
        std::fs::create_dir(examples.path("run")).unwrap();
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/site"), &examples.path("site"));
        let [pi1, pi2, watcher] = ["pi1", "pi2", "watcher"].map(|name| examples.key(name));
        let (port, listen, echoes) = (examples.pages.address.port(), network.free(1), [echo(), echo()]);
        for (name, keys) in [("pi1", vec![&watcher]), ("pi2", vec![&watcher]), ("watcher", vec![&pi1, &pi2])]
        {
            let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("examples/{name}.toml"));
            let text = with_keys(&std::fs::read_to_string(file).unwrap(), &keys)
                .replace("127.0.0.1:5300", &server.address().to_string())
                .replace("127.0.0.1:8443", &listen.to_string())
                .replace("127.0.0.1:8081", &echoes[0].to_string())
                .replace("127.0.0.1:8082", &echoes[1].to_string())
                .replace("127.0.0.11", &network.at(11).to_string())
                .replace("127.0.0.12", &network.at(12).to_string())
                .replace("127.0.0.20", &network.at(20).to_string())
                .replace(":8080", &format!(":{port}"))
                .replace("port = 8080", &format!("port = {port}"))
                .replace("speed = 2.0", "speed = 4.0")
                .replace("home.example", ZONE)
                .replace("run/tsig.key", &format!("run/{name}.tsig"))
                .replace("{ name = \"hearth\"", &format!("{{ name = \"{name}\""));
            std::fs::write(examples.path(&format!("{name}.toml")), text).unwrap();
            let secret = BASE64.encode(server.key(name).secret.expose());
            std::fs::write(examples.path(&format!("run/{name}.tsig")), secret).unwrap();
        }
        examples
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Makes the key of a machine as its owner would; the public half.
    fn key(&self, name: &str) -> String {
        let file = self.path(&format!("run/{name}.key"));
        let made =
            Command::new(env!("CARGO_BIN_EXE_hearth")).args(["key", "new", "--out"]).arg(file).output();
        let said = String::from_utf8(made.unwrap().stdout).unwrap();
        let line = said.lines().find_map(|line| line.strip_prefix("public-key = ")).expect("a public key");
        line.trim_matches('"').to_owned()
    }

    fn start(&self, role: &str, name: &str) -> Role {
        let log = self.path(&format!("{name}.log"));
        let file = std::fs::File::options().create(true).append(true).open(&log).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_hearth"))
            .arg("--config")
            .arg(self.path(&format!("{name}.toml")))
            .arg(role)
            .env_remove("NOTIFY_SOCKET")
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap();
        Role { child: Some(child), log }
    }
}

/// `text` with its public keys, in their order, replaced by `keys`.
fn with_keys(text: &str, keys: &[&String]) -> String {
    let mut parts = text.split("\"ed25519:");
    let mut out = parts.next().unwrap().to_owned();
    let mut used = 0;
    for part in parts {
        let (_, rest) = part.split_once('"').unwrap();
        out = format!("{out}\"{}\"{rest}", keys[used]);
        used += 1;
    }
    assert_eq!(used, keys.len(), "{text}");
    out
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let (path, to) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &to);
        } else {
            std::fs::copy(&path, &to).unwrap();
        }
    }
}

/// A process of the binary. It ends with this value.
struct Role {
    child: Option<Child>,
    log: PathBuf,
}

impl Role {
    fn kill(mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[track_caller]
    fn stop(mut self) {
        let mut child = self.child.take().unwrap();
        kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
        let status = wait_until("it ends", PATIENCE, || child.try_wait().unwrap());
        assert_eq!(status.code(), Some(0));
    }
}

impl Drop for Role {
    #[allow(clippy::print_stderr, reason = "what a role logged belongs to a failure")]
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            let log = std::fs::read_to_string(&self.log).unwrap_or_default();
            eprintln!("{}:\n{log}", self.log.display());
        }
    }
}

#[test]
fn two_agents_and_a_watcher_keep_the_site_reachable() {
    if left_out("Knot") {
        return;
    }
    let server = Knot::start();
    let examples = Examples::new(&server);
    let ip = |host| examples.network.at(host).to_string();
    let wait_for = |what: &str, label: &str, hosts: &[u8]| {
        let wanted: Vec<String> = hosts.iter().map(|host| ip(*host)).collect();
        wait_until(what, PATIENCE, || (server.query(label, RecordType::A) == wanted).then_some(()));
    };
    let _watcher = examples.start("watcher", "watcher");
    let pi1 = examples.start("agent", "pi1");
    let pi2 = examples.start("agent", "pi2");
    wait_for("pi1 keeps its name", "pi1", &[11]);
    wait_for("pi2 keeps its name", "pi2", &[12]);
    wait_for("both are published", "www", &[11, 12]);

    pi1.kill();
    wait_for("the one that was killed is dropped", "www", &[12]);
    let pi1 = examples.start("agent", "pi1");
    wait_for("it is back", "www", &[11, 12]);

    pi1.stop();
    wait_for("one that stops is dropped", "www", &[12]);
    pi2.stop();
    wait_for("visitors are on the fallback", "www", &[20]);
    wait_for("a node's own name stays", "pi1", &[11]);
}
