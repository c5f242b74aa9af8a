//! pebble, a small ACME authority, and the DNS that it asks.

#![allow(clippy::print_stdout, reason = "what a server logged belongs to a failure")]

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use hearth::tls::certificate::read_chain;
use rustls::pki_types::CertificateDer;

use super::authority::Authority;
use super::name_server::find;
use super::wait_until;

/// What it is started with.
pub(crate) struct Plan {
    /// Whom it asks names.
    pub(crate) dns: SocketAddr,
    /// Where it looks for HTTP-01.
    pub(crate) http: u16,
    /// Where it looks for TLS-ALPN-01.
    pub(crate) tls: u16,
    /// How long its certificates are good.
    pub(crate) validity: Duration,
    /// Of how many good nonces in a hundred it says that they are bad.
    pub(crate) bad_nonces: u32,
}

impl Plan {
    pub(crate) fn asking(dns: SocketAddr) -> Self {
        Self { dns, http: 9, tls: 9, validity: Duration::from_secs(90 * 86_400), bad_nonces: 0 }
    }
}

/// A running pebble. It ends with this value.
pub(crate) struct Pebble {
    directory: tempfile::TempDir,
    pub(crate) at: SocketAddr,
    management: SocketAddr,
    child: Child,
}

impl Pebble {
    #[track_caller]
    pub(crate) fn start(plan: &Plan) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        let authority = Authority::new("pebble's own");
        authority.issue(&["127.0.0.1"]).write(path, "own");
        std::fs::write(path.join("own-root.pem"), authority.root_pem()).unwrap();
        let (at, management) = (free_port(), free_port());
        let text = format!(
            "{{\"pebble\": {{\"listenAddress\": \"{at}\", \"managementListenAddress\": \"{management}\", \
             \"certificate\": \"own.pem\", \"privateKey\": \"own.key\", \"httpPort\": {}, \"tlsPort\": {}, \
             \"ocspResponderURL\": \"\", \"externalAccountBindingRequired\": false, \
             \"certificateValidityPeriod\": {}}}}}",
            plan.http,
            plan.tls,
            plan.validity.as_secs()
        );
        std::fs::write(path.join("config.json"), text).unwrap();
        let log = File::create(path.join("log")).unwrap();
        let child = Command::new(program("pebble"))
            .args(["-config", "config.json", "-strict", "-dnsserver", &plan.dns.to_string()])
            .env("PEBBLE_VA_NOSLEEP", "1")
            .env("PEBBLE_AUTHZREUSE", "0")
            .env("PEBBLE_WFE_NONCEREJECT", plan.bad_nonces.to_string())
            .current_dir(path)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let pebble = Self { directory, at, management, child };
        wait_until("pebble listens", Duration::from_secs(10), || {
            std::net::TcpStream::connect(pebble.management).is_ok().then_some(())
        });
        pebble
    }

    /// `acme = { … }` of a site, with `more` in it.
    pub(crate) fn acme(&self, more: &str) -> String {
        let root = self.directory.path().join("own-root.pem");
        format!("acme = {{ directory = \"https://{}/dir\", root = \"{}\"{more} }}\n", self.at, root.display())
    }

    /// The root of its own certificate.
    pub(crate) fn own_root(&self) -> CertificateDer<'static> {
        let pem = std::fs::read(self.directory.path().join("own-root.pem")).unwrap();
        read_chain(&pem).unwrap().remove(0)
    }

    /// The root of the certificates that it issues, PEM.
    pub(crate) fn root(&self) -> String {
        let output = Command::new("curl")
            .args(["-sS", "--max-time", "5", "--cacert"])
            .arg(self.directory.path().join("own-root.pem"))
            .arg(format!("https://{}/roots/0", self.management))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    /// How many orders it was given.
    pub(crate) fn orders(&self) -> usize {
        self.log().matches("Added order").count()
    }
}

impl Drop for Pebble {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            println!("what pebble logged:\n{}", self.log());
        }
    }
}

/// A DNS in which every name is at 127.0.0.1.
pub(crate) struct EveryName {
    pub(crate) at: SocketAddr,
    child: Child,
}

impl EveryName {
    #[track_caller]
    pub(crate) fn start() -> Self {
        let (at, management) = (free_port(), free_port());
        let child = Command::new(program("pebble-challtestsrv"))
            .args([
                "-defaultIPv4",
                "127.0.0.1",
                "-defaultIPv6",
                "",
                "-http01",
                "",
                "-https01",
                "",
                "-tlsalpn01",
                "",
            ])
            .args(["-dns01", &at.to_string(), "-management", &management.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let dns = Self { at, child };
        wait_until("the DNS of pebble answers", Duration::from_secs(10), || {
            std::net::TcpStream::connect(dns.at).is_ok().then_some(())
        });
        dns
    }
}

impl Drop for EveryName {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn program(name: &str) -> std::path::PathBuf {
    find(name).unwrap_or_else(|| panic!("{name} is not installed: run tests/run, which installs it"))
}

fn free_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}
