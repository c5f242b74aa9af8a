//! PowerDNS as the primary of a test: over RFC 2136 and by its HTTP API.

use std::fmt::Write;
use std::net::{SocketAddr, TcpStream};
use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use data_encoding::BASE64;
use hearth::dns::provider::TsigKey;

use super::name_server::{Kind, NameServer, ZONE, find};
use super::wait_until;

const KIND: Kind = Kind { name: "powerdns", program: "pdns_server", configuration, arguments };

/// The key of its HTTP API.
pub(crate) const API_KEY: &str = "good-secret";

/// Where its package has the schema of the database.
const SCHEMA: &str = "usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql";

/// A running PowerDNS.
pub(crate) struct PowerDns(NameServer);

impl PowerDns {
    /// Starts PowerDNS and waits until it answers, over DNS and over HTTP; fails when it is not installed.
    #[track_caller]
    pub(crate) fn start() -> Self {
        for _ in 0..3 {
            let server = Self(NameServer::start(&KIND));
            // Without its port the web server is missing, and the name server answers all the same.
            let listening = || TcpStream::connect(server.api()).is_ok().then_some(true);
            let started = Instant::now();
            let up = wait_until("the API takes connections or does not", Duration::from_secs(20), || {
                listening().or((started.elapsed() > Duration::from_secs(5)).then_some(false))
            });
            if up {
                return server;
            }
        }
        panic!("PowerDNS finds no port for its API");
    }

    /// Where its HTTP API is: the port beside that of its name server.
    pub(crate) fn api(&self) -> SocketAddr {
        api(self.address())
    }
}

impl Deref for PowerDns {
    type Target = NameServer;
    fn deref(&self) -> &NameServer {
        &self.0
    }
}

impl DerefMut for PowerDns {
    fn deref_mut(&mut self) -> &mut NameServer {
        &mut self.0
    }
}

fn api(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip(), address.port() ^ 0x8000)
}

fn arguments(configuration: &Path) -> Vec<String> {
    let dir = configuration.parent().expect("a file lies in a directory");
    vec![format!("--config-dir={}", dir.display()), "--config-name=".to_owned()]
}

/// The zone and the keys go into a database, which the program reads from then on.
fn configuration(dir: &Path, address: SocketAddr, keys: &[TsigKey]) -> String {
    let api = api(address);
    let mut text = format!(
        "launch=gsqlite3\ngsqlite3-database={0}/zone.db\ngsqlite3-dnssec=yes\nsocket-dir={0}\nlocal-address={1}\n\
         local-port={2}\ndaemon=no\nguardian=no\ncache-ttl=0\nquery-cache-ttl=0\nnegquery-cache-ttl=0\n\
         zone-cache-refresh-interval=0\ndnsupdate=yes\nallow-dnsupdate-from=127.0.0.0/8\n\
         api=yes\napi-key={API_KEY}\nwebserver=yes\nwebserver-address={3}\nwebserver-port={4}\n\
         receiver-threads=1\ndistributor-threads=1\n",
        dir.display(),
        address.ip(),
        address.port(),
        api.ip(),
        api.port(),
    );
    writeln!(text, "loglevel=5").unwrap();
    std::fs::write(dir.join("pdns.conf"), &text).unwrap();
    let schema = std::fs::read_to_string(Path::new("/").join(SCHEMA))
        .or_else(|_| std::fs::read_to_string(parts().join(SCHEMA)))
        .expect("the schema of PowerDNS's database");
    run(Command::new(find("sqlite3").expect("sqlite3")).arg(dir.join("zone.db")).arg(schema));
    util(dir, &["load-zone", ZONE, &dir.join("zone").display().to_string()]);
    util(dir, &["set-kind", ZONE, "primary"]);
    let mut names = Vec::new();
    for key in keys {
        util(
            dir,
            &["import-tsig-key", key.name.as_str(), "hmac-sha256", &BASE64.encode(key.secret.expose())],
        );
        names.push(key.name.as_str());
    }
    let allow: Vec<&str> = ["set-meta", ZONE, "TSIG-ALLOW-DNSUPDATE"].into_iter().chain(names).collect();
    util(dir, &allow);
    util(dir, &["set-meta", ZONE, "SOA-EDIT-DNSUPDATE", "INCREASE"]);
    text
}

fn parts() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/parts")
}

fn util(dir: &Path, words: &[&str]) {
    run(Command::new(find("pdnsutil").expect("pdnsutil"))
        .arg(format!("--config-dir={}", dir.display()))
        .args(words));
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
