//! What clients and files must not be able to do.

use std::io::{Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::time::Duration;

use hearth::site::serve::Limits;

use super::rig::{self, HOST, Plan};
use crate::support::http;
use crate::support::wait_until;

#[test]
fn nothing_outside_the_root_is_reached() {
    let site = rig::start(Plan::default(), |root| {
        std::fs::write(root.join("index.html"), "home").unwrap();
        std::fs::write(root.parent().unwrap().join("secret.txt"), "secret").unwrap();
        std::fs::create_dir(root.join("a")).unwrap();
        std::fs::write(root.join("a/b.txt"), "b").unwrap();
    });
    site.wait_for("the site", |s| s.generation.is_some());
    assert_eq!(site.get("/a/b.txt").status, 200);
    for target in [
        "/../secret.txt",
        "/a/../../secret.txt",
        "/%2e%2e/secret.txt",
        "/%2e%2e%2fsecret.txt",
        "/..%2fsecret.txt",
        "/..%5csecret.txt",
        "/..\\secret.txt",
        "/%c0%ae%c0%ae/secret.txt",
        "/a/b.txt%00.html",
        "/a%2fb.txt",
        "/a/..%00/b.txt",
        "//../secret.txt",
        "/C:/secret.txt",
        "/%5c%5chost%5cshare",
        "/.%2e/secret.txt",
    ] {
        let answer = site.get(target);
        assert!(matches!(answer.status, 400 | 404), "{target}: {}", answer.status);
        assert!(!answer.text().contains("secret\n") && answer.text() != "secret", "{target}");
    }
}

#[test]
fn links_are_followed_inside_the_root_and_never_out_of_it() {
    let site = rig::start(Plan::default(), |root| {
        std::fs::write(root.join("index.html"), "home").unwrap();
        let outside = root.parent().unwrap().join("outside");
        std::fs::create_dir(&outside).unwrap();
        std::fs::write(outside.join("secret.txt"), "secret").unwrap();
        symlink("../outside/secret.txt", root.join("relative.txt")).unwrap();
        symlink(outside.join("secret.txt"), root.join("absolute.txt")).unwrap();
        symlink("../outside", root.join("directory")).unwrap();
        symlink("/proc/self/environ", root.join("environ.txt")).unwrap();
        symlink("index.html", root.join("inside.html")).unwrap();
        symlink("missing", root.join("dangling")).unwrap();
    });
    site.wait_for("the site", |s| s.generation.is_some());
    assert_eq!(site.get("/inside.html").text(), "home");
    for target in ["/relative.txt", "/absolute.txt", "/directory/secret.txt", "/environ.txt", "/dangling"] {
        assert_eq!(site.get(target).status, 404, "{target}");
    }
    assert_eq!(site.status().files, 2);
}

#[test]
fn what_is_no_regular_file_is_passed_over_without_waiting() {
    let site = rig::start(Plan::default(), |root| {
        std::fs::write(root.join("index.html"), "home").unwrap();
        let made = std::process::Command::new("mkfifo").arg(root.join("pipe.html")).status().unwrap();
        assert!(made.success());
        std::os::unix::net::UnixListener::bind(root.join("socket.html")).unwrap();
    });
    site.wait_for("the site", |s| s.generation.is_some());
    for target in ["/pipe.html", "/pipe", "/socket.html"] {
        assert_eq!(site.get(target).status, 404, "{target}");
    }
    assert_eq!(site.get("/").text(), "home");
}

#[test]
fn loops_and_names_in_any_bytes_do_no_harm() {
    let site = rig::start(Plan::default(), |root| {
        std::fs::write(root.join("index.html"), "home").unwrap();
        std::fs::write(root.join("ünï cödé.html"), "unicode").unwrap();
        for name in
            [&b"\xff\xfe.html"[..], b"new\nline.html", b"back\\slash.html", b"quote\".html", b"a%2fb.html"]
        {
            std::fs::write(root.join(std::ffi::OsStr::from_bytes(name)), "odd").unwrap();
        }
        std::fs::create_dir(root.join("dir")).unwrap();
        std::fs::write(root.join("dir/page.html"), "page").unwrap();
        symlink("..", root.join("dir/up")).unwrap();
        symlink(".", root.join("dir/self")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
    });
    site.wait_for("the site", |s| s.generation.is_some());
    assert_eq!(site.get("/%C3%BCn%C3%AF%20c%C3%B6d%C3%A9").text(), "unicode");
    assert_eq!(site.get("/dir/page").text(), "page");
    assert_eq!(site.get("/a%252fb.html").text(), "odd");
    assert_eq!(site.get("/quote%22.html").text(), "odd");
    assert_eq!(site.get("/new%0aline.html").status, 400);
    assert_eq!(site.get("/%ff%fe.html").status, 400);
}

#[test]
fn a_redirect_never_leads_to_another_host() {
    let site = rig::serve(&[("index.html", "home"), ("evil.example/index.html", "x")]);
    for target in
        ["//evil.example", "///evil.example", "/%2f/evil.example", "//evil.example/%2e%2e", "/\\evil.example"]
    {
        let answer = site.get(target);
        match answer.header("location") {
            Some(location) => assert_eq!(location, "/evil.example/", "{target}"),
            None => assert!(matches!(answer.status, 400 | 404), "{target}: {}", answer.status),
        }
    }
    assert_eq!(site.get("//evil.example").status, 301);
}

#[test]
fn the_host_must_be_one_and_ours() {
    let site = rig::serve(&[("index.html", "home")]);
    for (head, wanted) in [
        ("GET / HTTP/1.1\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: www.example.com\r\nHost: www.example.com\r\n", 400),
        ("GET / HTTP/1.1\r\nHost:\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: www.example.com/x\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: evil.example\r\n", 421),
        ("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n", 421),
        ("GET / HTTP/1.1\r\nHost: WWW.EXAMPLE.COM:80\r\n", 200),
        ("GET / HTTP/1.1\r\nHost: twopir\r\n", 200),
        ("GET http://www.example.com/ HTTP/1.1\r\nHost: evil.example\r\n", 200),
        ("GET http://evil.example/ HTTP/1.1\r\nHost: www.example.com\r\n", 421),
    ] {
        let answer =
            http::parse(&http::raw(site.address, format!("{head}Connection: close\r\n\r\n").as_bytes()));
        assert_eq!(answer.status, wanted, "{head}");
    }
}

#[test]
fn a_request_with_a_body_is_refused_and_its_connection_ends() {
    let site = rig::serve(&[("index.html", "home")]);
    let smuggled = format!("GET /smuggled HTTP/1.1\r\nHost: {HOST}\r\n\r\n");
    for (line, body) in [
        (format!("Content-Length: {}", smuggled.len()), smuggled.clone()),
        ("Transfer-Encoding: chunked".to_owned(), format!("0\r\n\r\n{smuggled}")),
        ("Content-Length: 5\r\nTransfer-Encoding: chunked".to_owned(), format!("0\r\n\r\n{smuggled}")),
        ("Content-Length: +5".to_owned(), "12345".to_owned()),
        ("Content-Length: 1\r\nContent-Length: 2".to_owned(), "12".to_owned()),
    ] {
        for method in ["GET", "POST"] {
            let request = format!("{method} / HTTP/1.1\r\nHost: {HOST}\r\n{line}\r\n\r\n{body}");
            let answered = String::from_utf8(http::raw(site.address, request.as_bytes())).unwrap();
            let status = http::parse(answered.as_bytes()).status;
            assert!(matches!(status, 400 | 413), "{method} {line}: {status}");
            assert_eq!(answered.matches("HTTP/1.1").count(), 1, "{method} {line}: one answer, then the end");
        }
    }
    assert_eq!(site.ask("GET", "/", &["Content-Length: 0"]).status, 200);
}

#[test]
fn requests_on_one_connection_are_answered_in_order() {
    let site = rig::serve(&[("index.html", "home"), ("a.html", "aaa")]);
    let one = |target: &str, last: &str| format!("GET {target} HTTP/1.1\r\nHost: {HOST}\r\n{last}\r\n");
    let request = [one("/a", ""), one("/", ""), one("/missing", "Connection: close\r\n")].concat();
    let answered = String::from_utf8(http::raw(site.address, request.as_bytes())).unwrap();
    let statuses: Vec<_> =
        answered.match_indices("HTTP/1.1 ").map(|(at, _)| &answered[at + 9..at + 12]).collect();
    assert_eq!(statuses, ["200", "200", "404"]);
    assert!(answered.find("aaa").unwrap() < answered.find("home").unwrap());
}

#[test]
fn http_2_is_spoken_to_those_who_know() {
    let site = rig::serve(&[("index.html", "home")]);
    // RFC 9113 and RFC 7541: the preface, empty SETTINGS, and HEADERS (END_STREAM, END_HEADERS) for GET / over http.
    let mut request = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
    let fields = [&[0x82, 0x86, 0x84, 0x41, u8::try_from(HOST.len()).unwrap()][..], HOST.as_bytes()].concat();
    request.extend([0, 0, u8::try_from(fields.len()).unwrap(), 1, 5, 0, 0, 0, 1]);
    request.extend(fields);
    let mut stream = http::connect(site.address).unwrap();
    stream.write_all(&request).unwrap();
    let mut answer = Vec::new();
    wait_until("an answer over HTTP/2", rig::PATIENCE, || {
        let mut piece = [0; 4096];
        let count = stream.read(&mut piece).unwrap();
        answer.extend_from_slice(&piece[..count]);
        answer.windows(13).any(|frame| frame == b"\0\0\x04\0\x01\0\0\0\x01home").then_some(())
    });
    // HEADERS (END_HEADERS) on stream 1, which begin with 0x88, `:status: 200`.
    assert!(answer.windows(7).any(|frame| frame == [1, 4, 0, 0, 0, 1, 0x88]));
}

#[test]
fn many_overlapping_ranges_cost_no_more_than_the_file() {
    let site = rig::serve(&[("index.html", "home"), ("a.css", &"x".repeat(10_000))]);
    let ranges = vec!["0-"; 100].join(",");
    let answer = site.ask("GET", "/a.css", &[&format!("Range: bytes={ranges}")]);
    assert_eq!((answer.status, answer.body.len()), (200, 10_000));
}

#[test]
fn a_head_that_never_ends_ends_the_connection_and_nobody_elses() {
    let limits = Limits { head: Duration::from_millis(300), ..Limits::default() };
    let site = rig::start(Plan { limits, ..Plan::default() }, |root| {
        std::fs::write(root.join("index.html"), "home").unwrap();
    });
    site.wait_for("the site", |s| s.generation.is_some());
    let mut slow = http::connect(site.address).unwrap();
    slow.write_all(b"GET / HTTP/1.1\r\nHost: www.exa").unwrap();
    assert_eq!(site.get("/").status, 200);
    let mut rest = Vec::new();
    let _ = slow.read_to_end(&mut rest);
    assert!(!String::from_utf8_lossy(&rest).contains("200 OK"));
    let huge = format!("GET / HTTP/1.1\r\nHost: {HOST}\r\nX: {}\r\n\r\n", "x".repeat(64 * 1024));
    assert!(!String::from_utf8_lossy(&http::raw(site.address, huge.as_bytes())).contains("200 OK"));
}

#[test]
fn one_address_does_not_take_every_connection() {
    let limits = Limits { per_address: 3, ..Limits::default() };
    let site = rig::start(Plan { limits, ..Plan::default() }, |root| {
        std::fs::write(root.join("index.html"), "home").unwrap();
    });
    site.wait_for("the site", |s| s.generation.is_some());
    let mut held: Vec<_> = (0..3).map(|_| http::connect(site.address).unwrap()).collect();
    for stream in &mut held {
        stream.write_all(format!("GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n").as_bytes()).unwrap();
        assert!(stream.read(&mut [0; 512]).unwrap() > 0);
    }
    let mut fourth = http::connect(site.address).unwrap();
    let _ = fourth.write_all(format!("GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n").as_bytes());
    assert!(!matches!(fourth.read(&mut [0; 512]), Ok(1..)), "the fourth connection gets no answer");
    drop(held);
    wait_until("room again", rig::PATIENCE, || {
        let mut stream = http::connect(site.address).ok()?;
        stream.write_all(format!("GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n").as_bytes()).ok()?;
        matches!(stream.read(&mut [0; 512]), Ok(1..)).then_some(())
    });
}

fn limited(limits: Limits, prepare: impl FnOnce(&std::path::Path)) -> rig::Site {
    let site = rig::start(Plan { limits, ..Plan::default() }, |root| {
        std::fs::write(root.join("index.html"), "home").unwrap();
        prepare(root);
    });
    site.wait_for("the site", |s| s.generation.is_some());
    site
}

/// How long a connection stays open when nothing more is sent on it; what comes is thrown away.
fn until_it_ends(stream: &mut std::net::TcpStream) -> Duration {
    let start = std::time::Instant::now();
    let mut buffer = vec![0; 1 << 16];
    while matches!(stream.read(&mut buffer), Ok(1..)) {}
    start.elapsed()
}

#[test]
fn a_connection_that_says_nothing_ends() {
    let limits = Limits { head: Duration::from_millis(400), ..Limits::default() };
    let site = limited(limits, |_| ());
    for beginning in ["", "P", "GET", "PRI * HTTP/2.0\r\n\r\nSM"] {
        let mut stream = http::connect(site.address).unwrap();
        stream.write_all(beginning.as_bytes()).unwrap();
        let open = until_it_ends(&mut stream);
        assert!(open < Duration::from_secs(2), "{beginning:?}: {open:?}");
    }
}

#[test]
fn a_connection_that_asks_nothing_more_ends() {
    let limits = Limits { head: Duration::from_millis(400), ..Limits::default() };
    let site = limited(limits, |_| ());
    let mut stream = http::connect(site.address).unwrap();
    stream.write_all(format!("GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n").as_bytes()).unwrap();
    assert!(stream.read(&mut [0; 512]).unwrap() > 0);
    let open = until_it_ends(&mut stream);
    assert!((300..2000).contains(&open.as_millis()), "{open:?}");
}

#[test]
fn a_connection_over_http_2_that_asks_nothing_more_ends() {
    let limits =
        Limits { head: Duration::from_millis(300), idle: Duration::from_millis(300), ..Limits::default() };
    let site = limited(limits, |_| ());
    let mut stream = http::connect(site.address).unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").unwrap();
    // A client that answers every PING (RFC 9113 section 6.7) and asks nothing.
    let (mut frames, mut buffer, mut pings) = (Vec::new(), [0; 512], 0);
    let start = std::time::Instant::now();
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        frames.extend_from_slice(&buffer[..count]);
        while frames.len() >= 9 {
            let length = 9 + usize::from(frames[2]);
            let Some(frame) = frames.get(..length) else { break };
            if (frame[3], frame[4]) == (6, 0) {
                let ack = [&[0, 0, 8, 6, 1, 0, 0, 0, 0], &frame[9..]].concat();
                let _ = stream.write_all(&ack);
                pings += 1;
            }
            frames.drain(..length);
        }
    }
    assert!(start.elapsed() < Duration::from_secs(3) && pings > 0, "{:?}, {pings} pings", start.elapsed());
}

#[test]
fn a_client_that_does_not_take_its_answer_loses_its_connection() {
    let limits = Limits { stall: Duration::from_millis(500), ..Limits::default() };
    // More than the buffers of both sides hold.
    let site = limited(limits, |root| std::fs::write(root.join("big.bin"), vec![0; 48 << 20]).unwrap());
    let mut stream = http::connect(site.address).unwrap();
    stream.write_all(format!("GET /big.bin HTTP/1.1\r\nHost: {HOST}\r\n\r\n").as_bytes()).unwrap();
    let ours = stream.local_addr().unwrap().port();
    wait_until("the server to let go of it", rig::PATIENCE, || {
        assert_eq!(site.get("/").status, 200);
        (!is_established(site.address.port(), ours)).then_some(())
    });
    // Somebody who takes it slowly and steadily gets all of it.
    let mut steady = http::connect(site.address).unwrap();
    steady
        .write_all(format!("GET /big.bin HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n").as_bytes())
        .unwrap();
    let (mut taken, mut buffer) = (0, vec![0; 1 << 20]);
    loop {
        match steady.read(&mut buffer).unwrap() {
            0 => break,
            count => taken += count,
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(taken > 48 << 20, "{taken}");
}

/// Whether the server's side of a connection on loopback is established (proc(5), /proc/net/tcp; state 01).
fn is_established(server: u16, client: u16) -> bool {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let (local, remote) = (format!("0100007F:{server:04X}"), format!("0100007F:{client:04X}"));
    table.lines().any(|line| {
        let mut fields = line.split_whitespace().skip(1);
        fields.next() == Some(&local) && fields.next() == Some(&remote) && fields.next() == Some("01")
    })
}
