//! An authority that answers as pebble cannot: says who it is in CAA records, and refuses every account for a while.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

use hearth::tls::Certificate;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::support::authority::Authority;

/// A running authority; its thread ends with the process.
pub(super) struct Fake {
    at: SocketAddr,
    directory: tempfile::TempDir,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Fake {
    /// With `meta` in its directory.
    pub(super) fn start(meta: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let authority = Authority::new("fake");
        std::fs::write(directory.path().join("root.pem"), authority.root_pem()).unwrap();
        let issued = authority.issue(&["127.0.0.1"]);
        let certificate = Certificate::read(issued.chain.as_bytes(), issued.key.as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config =
            ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let resolver = rustls::sign::SingleCertAndKey::from((**certificate.key()).clone());
        let config = Arc::new(config.with_no_client_auth().with_cert_resolver(Arc::new(resolver)));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (at, asked) = (listener.local_addr().unwrap(), Arc::default());
        let fake = Self { at, directory, asked };
        let (meta, asked) = (meta.to_owned(), Arc::clone(&fake.asked));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (config, meta, asked) = (Arc::clone(&config), meta.clone(), Arc::clone(&asked));
                std::thread::spawn(move || {
                    let connection = ServerConnection::new(config).unwrap();
                    let _ = answer_all(StreamOwned::new(connection, stream), at, &meta, &asked);
                });
            }
        });
        fake
    }

    pub(super) fn acme(&self, more: &str) -> String {
        let root = self.directory.path().join("root.pem");
        format!("acme = {{ directory = \"https://{}/dir\", root = \"{}\"{more} }}\n", self.at, root.display())
    }

    /// How often it was asked for a path.
    pub(super) fn asked(&self, path: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|one| *one == path).count()
    }
}

fn answer_all(
    stream: StreamOwned<ServerConnection, std::net::TcpStream>,
    at: SocketAddr,
    meta: &str,
    asked: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let (mut head, mut length) = (Vec::new(), 0);
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line)? == 0 {
                return Ok(());
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
            head.push(line);
        }
        stream.read_exact(&mut vec![0; length])?;
        let path = head[0].split(' ').nth(1).unwrap().to_owned();
        let answer = answer(&path, at, meta);
        asked.lock().unwrap().push(path);
        stream.get_mut().write_all(answer.as_bytes())?;
        stream.get_mut().flush()?;
    }
}

fn answer(path: &str, at: SocketAddr, meta: &str) -> String {
    let with = |status: &str, more: &str, body: &str| {
        format!(
            "HTTP/1.1 {status}\r\nReplay-Nonce: bm9uY2U\r\n{more}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    match path {
        "/dir" => with(
            "200 OK",
            "",
            &format!(
                "{{\"newNonce\":\"https://{at}/new-nonce\",\"newAccount\":\"https://{at}/new-account\",\
                 \"newOrder\":\"https://{at}/new-order\",\"meta\":{meta}}}"
            ),
        ),
        "/new-nonce" => with("200 OK", "", ""),
        _ => with(
            "429 Too Many Requests",
            "Retry-After: 14400\r\n",
            "{\"type\":\"urn:ietf:params:acme:error:rateLimited\",\"detail\":\"too many accounts\",\"status\":429}",
        ),
    }
}
