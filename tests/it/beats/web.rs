//! A small web server that says what a test wants it to, with or without TLS, on a thread of its own.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// What the server says to one request.
pub(super) enum Say {
    /// These bytes, then the end.
    Bytes(Vec<u8>),
    /// Nothing, for as long as the client waits.
    Nothing,
}

/// The head of one request.
pub(super) struct Asked {
    pub(super) path: String,
    pub(super) host: String,
    pub(super) body: Vec<u8>,
}

/// The server. It ends with this value.
pub(super) struct Web {
    pub(super) address: SocketAddr,
    asked: Arc<AtomicUsize>,
    over: Arc<AtomicBool>,
}

type Handler = dyn Fn(&Asked) -> Say + Send + Sync;

impl Web {
    pub(super) fn http(handler: impl Fn(&Asked) -> Say + Send + Sync + 'static) -> Self {
        Self::start(None, Arc::new(handler))
    }

    /// With a certificate for `www.example.com` and 127.0.0.1. Its key is published with these tests and guards nothing.
    pub(super) fn https(handler: impl Fn(&Asked) -> Say + Send + Sync + 'static) -> Self {
        let leaf = CertificateDer::from(&include_bytes!("leaf.der")[..]);
        let key = PrivateKeyDer::try_from(&include_bytes!("leaf-key.der")[..]).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![leaf], key)
            .unwrap();
        Self::start(Some(Arc::new(config)), Arc::new(handler))
    }

    fn start(tls: Option<Arc<ServerConfig>>, handler: Arc<Handler>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let web =
            Self { address: listener.local_addr().unwrap(), asked: Arc::default(), over: Arc::default() };
        let (asked, over) = (web.asked.clone(), web.over.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if over.load(Ordering::SeqCst) {
                    break;
                }
                let (tls, handler, asked) = (tls.clone(), handler.clone(), asked.clone());
                std::thread::spawn(move || serve(stream.unwrap(), tls, &*handler, &asked));
            }
        });
        web
    }

    /// How many requests came.
    pub(super) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

/// The root that signed the certificate of [`Web::https`].
pub(super) fn root() -> CertificateDer<'static> {
    CertificateDer::from(&include_bytes!("root.der")[..])
}

/// A reply with this status, these header lines and this body.
pub(super) fn reply(status: &str, headers: &str, body: &[u8]) -> Say {
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{headers}\r\n", body.len());
    Say::Bytes([head.as_bytes(), body].concat())
}

fn serve(stream: TcpStream, tls: Option<Arc<ServerConfig>>, handler: &Handler, asked: &AtomicUsize) {
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    match tls {
        None => answer(stream, handler, asked),
        Some(config) => {
            answer(StreamOwned::new(ServerConnection::new(config).unwrap(), stream), handler, asked)
        }
    }
}

/// Answers the requests of one connection until the client ends it.
fn answer(mut stream: impl Read + Write, handler: &Handler, asked: &AtomicUsize) {
    while let Some(request) = read(&mut stream) {
        asked.fetch_add(1, Ordering::SeqCst);
        match handler(&request) {
            Say::Bytes(bytes) => {
                if stream.write_all(&bytes).and_then(|()| stream.flush()).is_err() {
                    return;
                }
            }
            Say::Nothing => {
                let _ = stream.read(&mut [0; 64]);
                return;
            }
        }
    }
}

fn read(stream: &mut impl Read) -> Option<Asked> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let path = line.split(' ').nth(1)?.to_owned();
    let (mut host, mut length) = (String::new(), 0);
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "host" => host = value.to_owned(),
            "content-length" => length = value.parse().ok()?,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Asked { path, host, body })
}
