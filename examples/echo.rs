//! Two address echoes on loopback, in place of the web pages of two operators.
//!
//! `pi1.toml` and `pi2.toml` ask them, since no page on the Internet can see a loopback address:
//! `cargo run --example echo`. Each answer is the address that the question came from, as plain text.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

/// Where the two listen.
const ECHOES: [&str; 2] = ["127.0.0.1:8081", "127.0.0.1:8082"];

/// The longest request that is read, in bytes.
const MAX_REQUEST: u64 = 8 * 1024;

fn main() -> std::io::Result<()> {
    let listeners: Vec<TcpListener> = ECHOES.iter().map(TcpListener::bind).collect::<Result<_, _>>()?;
    thread::scope(|scope| {
        for listener in &listeners {
            scope.spawn(|| serve(listener));
        }
    });
    Ok(())
}

/// One question after the other. One that goes wrong is the asker's loss.
fn serve(listener: &TcpListener) {
    for stream in listener.incoming() {
        if stream.and_then(answer).is_err() {
            thread::sleep(Duration::from_millis(100));
        }
    }
}

fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    stream.set_write_timeout(Some(Duration::from_secs(2)))?;
    for line in BufReader::new((&stream).take(MAX_REQUEST)).lines() {
        if line?.is_empty() {
            break;
        }
    }
    let body = stream.peer_addr()?.ip().to_string();
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}
