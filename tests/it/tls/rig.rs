//! An agent with HTTPS, and a client that trusts its authority.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::agent::rig::{HOST, Rig, free_port};
use crate::support::authority::Authority;
use crate::support::http::{self, Answer};
use crate::support::wait_until;

pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// An agent that serves `HOST` over HTTPS with a certificate in files.
pub(super) struct Secure {
    pub(super) rig: Rig,
    pub(super) authority: Authority,
    pub(super) at: SocketAddr,
}

impl Secure {
    /// With `more` in `[site.tls]`; started, and with a certificate on the shelf.
    pub(super) fn start(more: &str) -> Self {
        let mut secure = Self::prepare(more);
        secure.authority.issue(&[HOST]).write(&secure.rig.path(""), "www");
        secure.rig.start();
        secure.wait_for_certificate();
        secure
    }

    /// The same, not started, without a certificate.
    pub(super) fn prepare(more: &str) -> Self {
        let at = free_port();
        let rig = Rig::new(&format!(
            "[site.tls]\nlisten = [\"{at}\"]\ncertificate = \"www.pem\"\nkey = {{ file = \"www.key\" }}\n{more}"
        ));
        let authority = Authority::new("hearth test");
        std::fs::write(rig.path("root.pem"), authority.root_pem()).unwrap();
        Self { rig, authority, at }
    }

    pub(super) fn wait_for_certificate(&self) {
        self.rig.wait_for("a certificate and a page", |status| {
            status.certificates[0].until.is_some() && status.sites[0].generation.is_some()
        });
    }

    /// What is shown in a handshake for `host`.
    pub(super) fn shown(&self, host: &str) -> Option<CertificateDer<'static>> {
        let mut stream = connect(self.at, host, &self.authority.root(), &[]).ok()?;
        stream.conn.complete_io(&mut stream.sock).ok()?;
        stream.conn.peer_certificates().map(|chain| chain[0].clone().into_owned())
    }

    pub(super) fn get(&self, target: &str) -> Answer {
        get(self.at, HOST, &self.authority.root(), target).expect("an answer")
    }

    /// curl with this authority, for `HOST`.
    pub(super) fn curl(&self, words: &[&str]) -> String {
        let output = Command::new("curl")
            .args(["-sS", "--max-time", "10", "--cacert"])
            .arg(self.rig.path("root.pem"))
            .args(["--resolve", &format!("{HOST}:{}:127.0.0.1", self.at.port())])
            .args(words)
            .arg(format!("https://{HOST}:{}/", self.at.port()))
            .output()
            .expect("curl is installed");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

/// A connection over TLS; the handshake is still to come.
pub(super) fn connect(
    to: SocketAddr,
    host: &str,
    root: &CertificateDer<'static>,
    protocols: &[&[u8]],
) -> std::io::Result<StreamOwned<ClientConnection, TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(root.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    let name = host.to_owned().try_into().unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    Ok(StreamOwned::new(connection, http::connect(to)?))
}

/// One request, with the connection closed after it; the end must be a proper one.
pub(super) fn get(
    to: SocketAddr,
    host: &str,
    root: &CertificateDer<'static>,
    target: &str,
) -> std::io::Result<Answer> {
    let mut stream = connect(to, host, root, &[b"http/1.1"])?;
    write!(stream, "GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(http::parse(&answer))
}

/// Waits for a line of the agent's log.
#[track_caller]
pub(super) fn wait_for_log(rig: &Rig, text: &str) {
    wait_until(text, PATIENCE, || rig.log().contains(text).then_some(()));
}
