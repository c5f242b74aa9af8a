//! What a visitor gets over HTTPS, and what one who comes without it is told.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::rig::{Secure, connect, get};
use crate::agent::rig::{HOST, Rig, free_port};
use crate::support::authority::Authority;
use crate::support::{http, wait_until};

#[test]
fn a_page_is_the_same_with_tls_and_without_and_nobody_is_told_to_stay_with_it() {
    let secure = Secure::start("");
    std::fs::write(secure.rig.path("www/large.bin"), "0123456789".repeat(400_000)).unwrap();
    let plain = |target: &str| http::ask(secure.rig.site, "GET", target, HOST, &[]);
    wait_until("the large file", super::rig::PATIENCE, || (plain("/large.bin").status == 200).then_some(()));
    for target in ["/", "/missing", "/large.bin"] {
        let (with, without) = (secure.get(target), plain(target));
        assert_eq!((with.status, &with.body), (without.status, &without.body), "{target}");
        assert_eq!(with.header("strict-transport-security"), None);
        assert_eq!(without.header("location"), None);
    }
}

#[test]
fn many_requests_go_over_one_connection() {
    let secure = Secure::start("");
    let mut stream = connect(secure.at, HOST, &secure.authority.root(), &[]).unwrap();
    let mut answer = [0; 4096];
    for _ in 0..50 {
        write!(stream, "GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n").unwrap();
        let mut seen = Vec::new();
        while !seen.ends_with(b"home") {
            let count = stream.read(&mut answer).unwrap();
            assert!(count > 0, "the connection ended after {:?}", String::from_utf8_lossy(&seen));
            seen.extend_from_slice(&answer[..count]);
        }
        assert!(seen.starts_with(b"HTTP/1.1 200"));
    }
}

#[test]
fn who_comes_without_tls_is_sent_to_it_where_there_is_a_certificate_but_for_proofs() {
    let mut secure = Secure::prepare("redirect = true\nhsts = \"1d\"\n");
    secure.rig.start();
    let ask = |method, target, host: &str| http::ask(secure.rig.site, method, target, host, &[]);
    wait_until("the page", super::rig::PATIENCE, || (ask("GET", "/", HOST).status == 200).then_some(()));
    secure.authority.issue(&[HOST]).write(&secure.rig.path(""), "www");
    let moved = wait_until("the redirect", super::rig::PATIENCE, || {
        Some(ask("GET", "/a%20b?q=1", HOST)).filter(|answer| answer.status == 301)
    });
    let there = format!("https://{HOST}:{}/a%20b?q=1", secure.at.port());
    assert_eq!(moved.header("location"), Some(there.as_str()));
    assert_eq!(moved.header("strict-transport-security"), None, "RFC 6797 section 7.2");
    assert_eq!(ask("HEAD", "/", HOST).status, 301);
    assert_eq!(ask("POST", "/", HOST).status, 405);
    assert_eq!(ask("GET", "/.well-known/acme-challenge/none", HOST).status, 404);
    assert_eq!(ask("GET", "/.well-known/hearth/AAAAAAAAAAAAAAAAAAAAAA", HOST).status, 200);
    assert_eq!(secure.get("/").header("strict-transport-security"), Some("max-age=86400"));
    let with_hyper = secure.curl(&["-si", "--http2"]);
    assert!(with_hyper.contains("strict-transport-security: max-age=86400"), "{with_hyper}");
}

#[test]
fn each_host_is_shown_its_own_certificate_and_a_stranger_none() {
    let (mut secure, other) = (Secure::prepare(""), Authority::new("another"));
    secure.authority.issue(&[HOST]).write(&secure.rig.path(""), "www");
    other.issue(&["*.hearth.test"]).write(&secure.rig.path(""), "star");
    std::fs::create_dir(secure.rig.path("blog")).unwrap();
    std::fs::write(secure.rig.path("blog/index.html"), "blog").unwrap();
    // Two tables [[site]] in place of the one.
    let text = std::fs::read_to_string(secure.rig.path("hearth.toml")).unwrap().replace("[site]", "[[site]]");
    let second = format!(
        "[[site]]\nhosts = [\"blog.hearth.test\"]\nroot = \"blog\"\nlisten = [\"{}\"]\n\
         [site.tls]\nlisten = [\"{}\"]\ncertificate = \"star.pem\"\nkey = {{ file = \"star.key\" }}\n",
        secure.rig.site, secure.at
    );
    std::fs::write(secure.rig.path("hearth.toml"), text + &second).unwrap();
    secure.rig.start();
    secure.rig.wait_for("both certificates", |status| {
        status.certificates.len() == 2 && status.certificates.iter().all(|one| one.until.is_some())
    });
    let home = wait_until("the page", super::rig::PATIENCE, || {
        Some(secure.get("/")).filter(|answer| answer.status == 200)
    });
    assert_eq!(home.text(), "home");
    let blog = || get(secure.at, "blog.hearth.test", &other.root(), "/").ok().map(|answer| answer.text());
    wait_until("the page of the blog", super::rig::PATIENCE, || blog().filter(|text| text == "blog"));
    assert!(get(secure.at, "a.b.hearth.test", &other.root(), "/").is_err(), "a star is one label");
    assert!(get(secure.at, "www.example.com", &secure.authority.root(), "/").is_err());
}

#[test]
fn clients_that_begin_a_handshake_and_say_nothing_keep_nobody_out() {
    let secure = Secure::start("");
    let silent: Vec<TcpStream> = (0..250).map(|_| TcpStream::connect(secure.at).unwrap()).collect();
    let begun = Instant::now();
    assert_eq!(secure.get("/").text(), "home");
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    drop(silent);
}

#[test]
fn an_address_is_plain_or_secure_and_not_both() {
    let port = free_port();
    let rig = Rig::new(&format!(
        "[site.tls]\nlisten = [\"{port}\"]\ncertificate = \"www.pem\"\nkey = {{ file = \"www.key\" }}\n"
    ));
    let text = std::fs::read_to_string(rig.path("hearth.toml")).unwrap();
    std::fs::write(rig.path("hearth.toml"), text.replace(&port.to_string(), &rig.site.to_string())).unwrap();
    let output = rig.hearth(&["check-config"]);
    let said = crate::agent::rig::text(&output);
    assert!(!output.status.success() && said.contains("would be both plain and HTTPS"), "{said}");
}
