//! A thousand slow clients, as slowhttptest (Debian) makes them.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::rig::{self, HOST, Plan};
use crate::support::name_server::left_out;
use crate::support::wait_until;

/// A request of somebody else: slowhttptest comes from 127.0.0.1, this one from 127.0.0.2.
fn ask_from_elsewhere(to: SocketAddr) -> Option<String> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).ok()?;
    socket.bind(&SocketAddr::from(([127, 0, 0, 2], 0)).into()).ok()?;
    socket.connect_timeout(&to.into(), Duration::from_secs(2)).ok()?;
    let mut stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(Duration::from_secs(2))).ok()?;
    stream
        .write_all(format!("GET / HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n").as_bytes())
        .ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

#[test]
fn a_thousand_slow_clients_do_not_stop_others() {
    if left_out("slowhttptest") {
        return;
    }
    let site = rig::start(Plan::default(), |root| {
        std::fs::write(root.join("index.html"), "home").unwrap();
        std::fs::write(root.join("big.css"), "x".repeat(4 << 20)).unwrap();
    });
    site.wait_for("the site", |s| s.generation.is_some());
    let url = format!("http://127.0.0.1:{}/big.css", site.address.port());
    for attack in
        [&["-H", "-i", "1"][..], &["-B", "-i", "1"], &["-X", "-w", "10", "-y", "20", "-n", "1", "-z", "32"]]
    {
        let mut slow = Command::new("slowhttptest")
            .args(["-c", "1000", "-r", "500", "-l", "4", "-p", "2", "-u", &url])
            .args(attack)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("slowhttptest is installed; tests/run installs it");
        let (mut answered, mut slowest) = (0, Duration::ZERO);
        wait_until("the attack to end", Duration::from_secs(30), || {
            let start = Instant::now();
            let answer = ask_from_elsewhere(site.address);
            assert!(answer.is_some_and(|a| a.ends_with("home")), "{attack:?}: somebody else has no answer");
            (answered, slowest) = (answered + 1, slowest.max(start.elapsed()));
            slow.try_wait().unwrap()
        });
        assert!(answered > 50 && slowest < Duration::from_secs(1), "{attack:?}: {answered}, {slowest:?}");
    }
}
