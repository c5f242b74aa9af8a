//! The stand-in for GitHub Pages: a web server elsewhere that holds its own copy of the site, and can be broken.
//!
//! It says who it is in the `server` header, so that a look from outside can tell the fallback from a Pi.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue, LOCATION, SERVER};
use hyper::{Request, Response, StatusCode};
use rustls::ServerConfig;
use tokio::net::TcpListener;

use super::http::{Serving, serve, serve_tls};
use super::site;

/// The value of the `server` header.
pub const SERVER_NAME: &str = "pages-stand-in";

/// The running stand-in. Dropping it closes its ports.
pub struct Pages {
    broken: Arc<AtomicBool>,
    servings: Vec<Serving>,
}

impl Pages {
    /// Serves the example site on `listener`.
    #[must_use]
    pub fn start(listener: TcpListener) -> Self {
        let broken = Arc::new(AtomicBool::new(false));
        let answer = answer(broken.clone());
        Self { broken, servings: vec![serve(listener, answer)] }
    }

    /// Serves it by HTTPS, too.
    pub fn add_https(&mut self, listener: TcpListener, config: Arc<ServerConfig>) {
        let answer = answer(self.broken.clone());
        self.servings.push(serve_tls(listener, config, answer));
    }

    /// Answers 500 to everything from now on.
    pub fn break_it(&self) {
        self.broken.store(true, Ordering::Relaxed);
    }

    /// Answers properly again.
    pub fn heal(&self) {
        self.broken.store(false, Ordering::Relaxed);
    }

    /// Whether it answers 500.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }
}

fn answer(broken: Arc<AtomicBool>) -> impl Fn(SocketAddr, &Request<Incoming>) -> Response<Full<Bytes>> {
    move |_, request| {
        let found = if broken.load(Ordering::Relaxed) { Found::Broken } else { find(request.uri().path()) };
        respond(found)
    }
}

enum Found {
    File(StatusCode, &'static str, &'static [u8]),
    Directory(String),
    Broken,
}

/// As GitHub Pages looks for a file: itself, its `.html`, the index of a directory, `404.html`.
fn find(path: &str) -> Found {
    let path = path.trim_start_matches('/');
    let file = |path: &str| site::FILES.iter().find(|(name, _)| *name == path);
    let index =
        if path.is_empty() || path.ends_with('/') { format!("{path}index.html") } else { path.to_owned() };
    if let Some((name, bytes)) = file(&index).or_else(|| file(&format!("{path}.html"))) {
        return Found::File(StatusCode::OK, name, bytes);
    }
    if file(&format!("{path}/index.html")).is_some() {
        return Found::Directory(format!("/{path}/"));
    }
    match file("404.html") {
        Some((name, bytes)) => Found::File(StatusCode::NOT_FOUND, name, bytes),
        None => Found::Broken,
    }
}

fn respond(found: Found) -> Response<Full<Bytes>> {
    let (status, name, body) = match &found {
        Found::File(status, name, bytes) => (*status, *name, Bytes::from_static(bytes)),
        Found::Directory(_) => (StatusCode::MOVED_PERMANENTLY, "moved.txt", Bytes::new()),
        Found::Broken => (StatusCode::INTERNAL_SERVER_ERROR, "broken.txt", Bytes::from_static(b"broken\n")),
    };
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let kind = mime_guess::from_path(name).first_raw().unwrap_or("application/octet-stream");
    let headers = response.headers_mut();
    headers.insert(SERVER, HeaderValue::from_static(SERVER_NAME));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Found::Directory(to) = found
        && let Ok(to) = HeaderValue::from_str(&to)
    {
        headers.insert(LOCATION, to);
    }
    response
}
