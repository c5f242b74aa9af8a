//! An authority that says what pebble cannot: in pebble's place, or before a pebble whose answers it changes.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

use hearth::tls::Certificate;
use rustls::pki_types::CertificateDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::rig::connect;
use crate::support::authority::Authority;
use crate::support::http;
use crate::support::pebble::Pebble;
use crate::support::vendor::serve;
use crate::support::vendor::{Reply, Request};

/// What of pebble's heads goes on to the client.
const HEADERS: [&str; 5] = ["replay-nonce", "location", "link", "retry-after", "content-type"];

/// A running authority; its threads end with the process.
pub(super) struct Relay {
    pub(super) at: SocketAddr,
    directory: tempfile::TempDir,
    seen: Arc<Mutex<Vec<Request>>>,
}

impl Relay {
    /// One that says `says` and nothing else, with `meta` in its directory.
    pub(super) fn alone(
        meta: &'static str,
        says: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::start(move |request, at| match request.path.as_str() {
            "/dir" => Reply::new(
                200,
                "application/json",
                format!(
                    "{{\"newNonce\":\"https://{at}/new-nonce\",\"newAccount\":\"https://{at}/new-account\",\
                     \"newOrder\":\"https://{at}/new-order\",\"meta\":{meta}}}"
                ),
            ),
            "/new-nonce" => Reply::text(200, "").with("replay-nonce", "bm9uY2U"),
            _ => says(request).with("replay-nonce", "bm9uY2U"),
        })
    }

    /// One that asks pebble and passes on what `says` makes of the answer.
    pub(super) fn before(
        pebble: &Pebble,
        says: impl Fn(&Request, Reply, SocketAddr) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let (to, root) = (pebble.at, pebble.own_root());
        Self::start(move |request, at| says(request, ask(to, &root, request), at))
    }

    fn start(says: impl Fn(&Request, SocketAddr) -> Reply + Send + Sync + 'static) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let authority = Authority::new("relay");
        std::fs::write(directory.path().join("root.pem"), authority.root_pem()).unwrap();
        let issued = authority.issue(&["127.0.0.1"]);
        let certificate = Certificate::read(issued.chain.as_bytes(), issued.key.as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config =
            ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let resolver = rustls::sign::SingleCertAndKey::from((**certificate.key()).clone());
        let config = Arc::new(config.with_no_client_auth().with_cert_resolver(Arc::new(resolver)));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        let (seen, says) = (Arc::<Mutex<Vec<Request>>>::default(), Arc::new(says));
        let relay = Self { at, directory, seen: Arc::clone(&seen) };
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (config, seen, says) = (Arc::clone(&config), Arc::clone(&seen), Arc::clone(&says));
                std::thread::spawn(move || {
                    let mut stream = StreamOwned::new(ServerConnection::new(config).unwrap(), stream);
                    let Some(request) = serve::read(&mut stream) else { return };
                    seen.lock().unwrap().push(request.clone());
                    let said = serve::http(&says(&request, at));
                    // A client that went away is part of what is tested.
                    let _ = stream.write_all(&said).and_then(|()| stream.flush());
                    stream.conn.send_close_notify();
                    let _ = stream.flush();
                });
            }
        });
        relay
    }

    /// `acme = { … }` of a site, with `more` in it.
    pub(super) fn acme(&self, more: &str) -> String {
        let root = self.directory.path().join("root.pem");
        format!("acme = {{ directory = \"https://{}/dir\", root = \"{}\"{more} }}\n", self.at, root.display())
    }

    /// What was asked of a path that begins so.
    pub(super) fn asked(&self, path: &str) -> Vec<Request> {
        let seen = self.seen.lock().unwrap();
        seen.iter().filter(|request| request.path.starts_with(path)).cloned().collect()
    }
}

/// An error of ACME (RFC 8555 section 6.7).
pub(super) fn problem(status: u16, kind: &str, detail: &str) -> Reply {
    let body = format!(
        "{{\"type\":\"urn:ietf:params:acme:error:{kind}\",\"detail\":\"{detail}\",\"status\":{status}}}"
    );
    Reply::new(status, "application/problem+json", body)
}

/// What pebble says, to whom the relay is pebble's own name.
fn ask(to: SocketAddr, root: &CertificateDer<'static>, request: &Request) -> Reply {
    let mut stream = connect(to, "127.0.0.1", root, &[]).unwrap();
    let header = |name| request.header(name).unwrap_or_default();
    let head = format!(
        "{} {} HTTP/1.0\r\nHost: {}\r\nContent-Type: {}\r\nUser-Agent: {}\r\nContent-Length: {}\r\n\r\n",
        request.method,
        request.path,
        header("host"),
        header("content-type"),
        header("user-agent"),
        request.body.len()
    );
    stream.write_all(&[head.as_bytes(), &request.body].concat()).unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = http::parse(&answer);
    let known = |header: &(String, String)| {
        let name = HEADERS.into_iter().find(|name| name.eq_ignore_ascii_case(&header.0))?;
        Some((name, header.1.clone()))
    };
    let headers = answer.headers.iter().filter_map(known).collect();
    Reply { status: answer.status, headers, body: answer.text() }
}
