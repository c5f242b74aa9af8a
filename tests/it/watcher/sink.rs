//! A stand-in for a service that takes messages: it can take them, refuse them, and hang.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mood {
    /// 200 and this body.
    Takes(&'static str),
    /// 403.
    Refuses,
    /// Nothing, ever.
    Hangs,
}

/// One request.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) target: String,
    pub(super) body: String,
}

/// The service. Its thread ends with the test.
pub(super) struct Sink {
    pub(super) address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Sink {
    pub(super) fn start(mood: Mood) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let sink = Self { address: listener.local_addr().unwrap(), asked: Arc::default() };
        let asked = sink.asked.clone();
        std::thread::spawn(move || {
            let mut held = Vec::new();
            for stream in listener.incoming().flatten() {
                held.extend(serve(stream, mood, &asked));
            }
        });
        sink
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(super) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// The bodies that hold this.
    pub(super) fn about(&self, text: &str) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.body).filter(|body| body.contains(text)).collect()
    }
}

/// The connection, when it is to be held open.
fn serve(mut stream: TcpStream, mood: Mood, asked: &Mutex<Vec<Asked>>) -> Option<TcpStream> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first).ok()?;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let target = first.split(' ').nth(1).unwrap_or_default().to_owned();
    asked.lock().unwrap().push(Asked { target, body: String::from_utf8_lossy(&body).into_owned() });
    let (status, body) = match mood {
        Mood::Hangs => return Some(stream),
        Mood::Takes(body) => ("200 OK", body),
        Mood::Refuses => ("403 Forbidden", "no"),
    };
    let answer =
        format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
    let _ = stream.write_all(answer.as_bytes());
    None
}
