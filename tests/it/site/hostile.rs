//! What hostile clients send: one test for each class of holes that other servers have had.

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::rig::{self, HOST, Site};
use crate::support::http;

fn site() -> Site {
    rig::serve(&[
        ("index.html", "home"),
        ("404.html", "own 404"),
        ("a.css", &"0123456789".repeat(100)),
        ("folder/page.html", "page"),
        ("folder/.git/config", "hidden"),
        ("folder/.well-known/x", "hidden"),
        (".env", "hidden"),
        (".well-known/.secret", "hidden"),
        (".well-known/hearth/here", "of the site"),
        (".well-known/hearth/more", "of the site"),
    ])
}

/// Sends these bytes and reads until the other side is done, or has been silent for a while.
fn exchange(to: SocketAddr, request: &[u8]) -> String {
    let mut stream = http::connect(to).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    let _ = stream.write_all(request);
    let (mut answer, mut buffer) = (Vec::new(), [0; 4096]);
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        answer.extend_from_slice(&buffer[..count]);
    }
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn hidden_files_are_missing_at_every_depth_and_in_every_spelling() {
    let site = site();
    for target in [
        "/.env",
        "/%2eenv",
        "/%2Eenv",
        "//.env",
        "/.env/",
        "/.env.html",
        "/folder/.git/config",
        "/folder//.git//config",
        "/folder/%2egit/config",
        "/folder/.well-known/x",
        "/.well-known/.secret",
        "/.well-known/%2esecret",
        "/.hearth-generation",
    ] {
        let answer = site.get(target);
        assert_eq!((answer.status, answer.text().contains("hidden")), (404, false), "{target}");
    }
}

#[test]
fn repeated_slashes_and_escapes_do_not_step_around_what_comes_before_the_site() {
    let site = site();
    for target in [
        "/.well-known/hearth/here",
        "//.well-known/hearth/here",
        "/.well-known//hearth///here",
        "/%2ewell-known/hearth/here",
        "/.well%2dknown/%68earth/here",
    ] {
        assert_eq!(site.get(target).text(), "here, www.example.com", "{target}");
        let other = target.replace("here", "more");
        assert_eq!(site.get(&other).status, 404, "{other}");
    }
}

#[test]
fn a_directory_is_never_listed_and_nobody_is_asked_who_they_are() {
    let site = site();
    let listed = site.get("/folder/");
    assert_eq!((listed.status, listed.text().as_str()), (404, "own 404"));
    let answer = site.ask("GET", "/", &["Authorization: Basic YTpi"]);
    assert_eq!((answer.status, answer.header("www-authenticate")), (200, None));
}

#[test]
fn at_most_five_ranges_and_never_more_than_the_file() {
    let site = site();
    let ask = |ranges: &str| site.ask("GET", "/a.css", &[&format!("Range: bytes={ranges}")]);
    assert_eq!(ask("0-0,2-2,4-4,6-6,8-8").status, 206);
    for ranges in ["0-0,2-2,4-4,6-6,8-8,10-10", "0-,0-", "0-999,0-0", &["0-999"; 5].join(",")] {
        let answer = ask(ranges);
        assert_eq!((answer.status, answer.body.len()), (200, 1000), "{ranges}");
    }
    // Numbers that no one counts to (CVE-2017-7529).
    for ranges in [
        "-9223372036854775808",
        "-18446744073709551616,0-0",
        "18446744073709551615-",
        "0-18446744073709551616",
    ] {
        let answer = ask(ranges);
        assert!(
            matches!(answer.status, 200 | 206 | 416) && answer.body.len() <= 1000,
            "{ranges}: {}",
            answer.status
        );
    }
}

/// Heads that servers have read in two ways, each with a request behind it that must not be answered.
#[test]
fn what_can_be_read_in_two_ways_is_refused_and_nothing_after_it_is_answered() {
    let site = site();
    let smuggled = format!("GET /folder/page HTTP/1.1\r\nHost: {HOST}\r\n\r\n");
    let (length, mut told) = (smuggled.len(), 0);
    for head in [
        // RUSTSEC-2021-0078 and -0079.
        format!("GET / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: +{length}\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding: chunked\r\n\r\nF000000000000000F\r\n"),
        format!("GET / HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding: identity\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding: xchunked\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
        format!(
            "GET / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {length}\r\nContent-Length: {length}\r\n\r\n"
        ),
        format!("GET / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 0, {length}\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 0x{length:x}\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 99999999999999999999\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: {HOST}\r\nX: y\r\n Content-Length: {length}\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost : {HOST}\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: {HOST}\r\nX: a\0b\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: {HOST}\r\nX: a\rContent-Length: {length}\r\n\r\n"),
        format!("GET / HTTP/1.1 x\r\nHost: {HOST}\r\n\r\n"),
        format!("GET  / HTTP/1.1\r\nHost: {HOST}\r\n\r\n"),
        format!("GET / HTTP/1.1\r\n Host: {HOST}\r\n\r\n"),
        format!("GET / HTTP/9.9\r\nHost: {HOST}\r\n\r\n"),
    ] {
        let answer = exchange(site.address, format!("{head}{smuggled}").as_bytes());
        assert!(!answer.contains("\r\n\r\npage"), "{head:?}: {answer}");
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{head:?}: {answer}");
        assert!(answer.matches("HTTP/1.1 ").count() <= 1, "{head:?}: {answer}");
        told += usize::from(!answer.is_empty());
    }
    assert!(told > 10, "only {told} were told that they are refused");
    assert_eq!(site.get("/folder/page").text(), "page");
}

#[test]
fn a_head_has_a_limit_in_size_and_in_lines_and_a_target_in_length() {
    let site = site();
    let head = |more: &str| format!("GET / HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n{more}\r\n");
    let many: String = (0..200).map(|n| format!("X-{n}: y\r\n")).collect();
    let long = format!("X: {}\r\n", "y".repeat(64 << 10));
    for (what, request) in [
        ("many headers", head(&many)),
        ("a long header", head(&long)),
        ("a long target", format!("GET /{} HTTP/1.1\r\nHost: {HOST}\r\n\r\n", "a".repeat(64 << 10))),
        ("a long method", format!("{} / HTTP/1.1\r\nHost: {HOST}\r\n\r\n", "A".repeat(64 << 10))),
    ] {
        let answer = exchange(site.address, request.as_bytes());
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{what}: {answer}");
    }
    let some: String = (0..40).map(|n| format!("X-{n}: y\r\n")).collect();
    assert!(exchange(site.address, head(&some).as_bytes()).starts_with("HTTP/1.1 200"));
}

/// The preface of HTTP/2 and empty SETTINGS (RFC 9113 section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// GET / in HPACK (RFC 7541), for our host.
fn get() -> Vec<u8> {
    [&[0x82, 0x86, 0x84, 0x41, u8::try_from(HOST.len()).unwrap()][..], HOST.as_bytes()].concat()
}

/// Sends frames until the server closes the connection or they are all sent; says how many were taken.
fn flood(to: SocketAddr, frames: impl Iterator<Item = Vec<u8>>) -> usize {
    let mut stream = http::connect(to).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(5))).unwrap();
    stream.write_all(PREFACE).unwrap();
    let mut reader = stream.try_clone().unwrap();
    // What the server says is taken, so that it is never the one that waits.
    let drain = std::thread::spawn(move || {
        let mut buffer = [0; 1 << 16];
        while matches!(reader.read(&mut buffer), Ok(1..)) {}
    });
    let sent = frames.take_while(|frame| stream.write_all(frame).is_ok()).count();
    let _ = stream.shutdown(std::net::Shutdown::Both);
    drain.join().unwrap();
    sent
}

#[test]
fn a_flood_of_continuations_ends_the_connection() {
    // RUSTSEC-2024-0332: a head that never ends must not be collected for ever.
    let site = site();
    let begin = frame(1, 0, 1, &get());
    // A literal header of a kilobyte, never indexed.
    let line = [&[0x10, 1, b'x', 0x7f, 0x81, 0x07][..], &[b'y'; 1024]].concat();
    let more = std::iter::repeat_with(|| frame(9, 0, 1, &line)).take(200_000);
    let start = Instant::now();
    let sent = flood(site.address, std::iter::once(begin).chain(more));
    assert!(sent < 20_000, "{sent} frames were taken");
    assert!(start.elapsed() < rig::PATIENCE, "{:?}", start.elapsed());
    assert_eq!(site.get("/").text(), "home");
}

#[test]
fn streams_that_are_reset_at_once_end_the_connection() {
    // Rapid Reset (CVE-2023-44487): every reset stream is work that nobody waits for.
    let site = site();
    let open_and_reset =
        |n: u32| [frame(1, 5, 2 * n + 1, &get()), frame(3, 0, 2 * n + 1, &[0, 0, 0, 8])].concat();
    let start = Instant::now();
    let sent = flood(site.address, (0..100_000).map(open_and_reset));
    assert!(sent < 50_000, "{sent} streams were taken");
    assert!(start.elapsed() < rig::PATIENCE, "{:?}", start.elapsed());
    assert_eq!(site.get("/").text(), "home");
}

#[test]
fn floods_of_pings_settings_and_empty_frames_stop_nobody_else() {
    let site = site();
    let floods: [(&str, Vec<u8>); 4] = [
        ("PING", frame(6, 0, 0, &[0; 8])),
        ("SETTINGS", frame(4, 0, 0, &[])),
        ("empty DATA", frame(0, 0, 1, &[])),
        ("WINDOW_UPDATE", frame(8, 0, 0, &[0, 0, 0, 1])),
    ];
    for (what, one) in floods {
        let address = site.address;
        let flooding = std::thread::spawn(move || {
            flood(address, std::iter::once(frame(1, 4, 1, &get())).chain(std::iter::repeat_n(one, 100_000)))
        });
        let (mut answered, mut slowest) = (0, Duration::ZERO);
        while !flooding.is_finished() || answered < 3 {
            let start = Instant::now();
            assert_eq!(site.get("/").text(), "home", "{what}");
            (answered, slowest) = (answered + 1, slowest.max(start.elapsed()));
        }
        assert!(slowest < Duration::from_secs(2), "{what}: {slowest:?}");
        assert!(flooding.join().unwrap() > 0, "{what}");
    }
}
