//! The lane against hyper: the same bytes to both, and the same answers and lines in the log from both.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestRunner;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::runtime::LocalRuntime;
use tokio::sync::watch;

use super::desk::Desk;
use super::house::{House, Seat};
use super::plain::{self, Begun};
use super::worker::{Visitor, Worker};
use super::{Limits, general};
use crate::site::Rules;
use crate::site::generation::Current;
use crate::site::generation::{Content, File, Files, Generation, Stamp};
use crate::site::host::Hosts;
use crate::site::large::Large;
use crate::site::log::{AccessLog, LogFormat, LogSettings};
use crate::site::negotiate::{CODINGS, encode};
use crate::site::patience::Patient;
use crate::site::reply::Reply;
use crate::site::served::{Https, Served, SharedSite};

/// Which of the two is asked first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Lane,
    Hyper,
}

struct Server {
    worker: Rc<Worker>,
    desk: Rc<Desk>,
    publish: watch::Sender<Current>,
    way: Way,
    log: std::path::PathBuf,
}

fn noon() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)
}

/// Pages, a file that is compressed, one that is large, one that is not held, and an empty one.
fn generation(rules: Rules) -> Generation {
    let stamp =
        |size: usize| Stamp { inode: 1, size: size as u64, mtime: 5_000_000_000, ctime: 5_000_000_000 };
    let file = |text: String| {
        let mut file = File::held(stamp(text.len()), Bytes::from(text));
        if let Content::Held { identity, encoded } = &mut file.content {
            let made = CODINGS.into_iter().filter_map(|coding| Some((coding, encode(identity, coding)?)));
            *encoded = Some(made.collect());
        }
        Arc::new(file)
    };
    let texts = [
        ("index.html", "home".to_owned()),
        ("404.html", "gone".to_owned()),
        ("about.html", "about".to_owned()),
        ("folder/index.html", "folder".to_owned()),
        ("bare/only.txt", "only".to_owned()),
        ("empty.txt", String::new()),
        ("style.css", "a { b: c }\n".repeat(300)),
        ("large.bin", (0..200_000_u32).map(|at| char::from(b'a' + (at % 1009 % 23) as u8)).collect()),
    ];
    let mut files: Files = texts.into_iter().map(|(name, text)| (name.into(), file(text))).collect();
    files.insert("film.mp4".into(), Arc::new(File::left(stamp(5_000_000))));
    Generation::build(&files, rules, None)
}

fn server(rules: Rules, way: Way, directory: &std::path::Path) -> Server {
    let log = directory.join(format!("{way:?}"));
    let settings = LogSettings { format: LogFormat::Combined, file: Some(log.clone()) };
    let (publish, current) = watch::channel(Some(Arc::new(generation(rules))));
    let site = SharedSite {
        rules,
        current,
        // What is not held cannot be read, and is 503.
        large: Large::below(directory, directory.join("no-loader")),
        log: AccessLog::start(settings).unwrap(),
        https: Https::default(),
    };
    let served = Served {
        hosts: Hosts::new(["www.example.com", "twopir"].map(|host| (host.to_owned(), 0))),
        sites: Arc::from([site]),
        first: 0,
        well_known: Arc::new(|request| {
            (request.path == "here")
                .then(|| Reply::text(hyper::StatusCode::OK, format!("at {}", request.host)))
        }),
        tls: None,
        shelf: Arc::default(),
        now: noon,
    };
    let limits = Limits { head: Duration::from_secs(1), ..Limits::default() };
    let worker = Rc::new(Worker::new(Arc::new(House::new(limits))));
    Server { worker, desk: Rc::new(Desk::new(served)), publish, way, log }
}

impl Server {
    fn spawn(&self, stream: DuplexStream) {
        let peer = "192.0.2.7".parse().unwrap();
        let seat = Seat::take(&self.worker.house, peer).expect("there is room");
        let visitor =
            Visitor { worker: Rc::clone(&self.worker), desk: Rc::clone(&self.desk), peer, _seat: seat };
        match self.way {
            Way::Lane => tokio::task::spawn_local(plain::converse(stream, visitor, Begun::default())),
            Way::Hyper => {
                let stream = Patient::new(stream, self.worker.limits().stall);
                tokio::task::spawn_local(general::converse(stream, Bytes::new(), visitor))
            }
        };
    }

    /// Sends bytes, some at a time, and reads until the other side is done. Time is paused and leaps when nobody has
    /// anything to do, so that a limit costs nothing.
    async fn answers(&self, input: &[u8], at_once: usize, room: usize) -> Vec<u8> {
        let (stream, theirs) = tokio::io::duplex(room);
        self.spawn(theirs);
        let (mut from, mut to) = tokio::io::split(stream);
        let send = async {
            for piece in input.chunks(at_once) {
                if to.write_all(piece).await.is_err() {
                    break;
                }
                for _ in 0..3 {
                    tokio::task::yield_now().await;
                }
            }
            to
        };
        let mut answers = Vec::new();
        let (_to, read) = tokio::join!(send, from.read_to_end(&mut answers));
        read.expect("a pipe in memory");
        answers
    }

    /// The log so far is complete when nobody can write to it any more.
    fn into_log(self) -> String {
        let Self { desk, log, .. } = self;
        assert_eq!(Rc::strong_count(&desk), 1, "every conversation has ended");
        drop(desk);
        settled(&log)
    }
}

/// A file that another thread is about to finish.
fn settled(path: &std::path::Path) -> String {
    let mut before = None;
    for _ in 0..200 {
        let now = std::fs::read_to_string(path).ok();
        if now.is_some() && now == before {
            break;
        }
        before = now;
        std::thread::sleep(Duration::from_millis(20));
    }
    before.expect("something was logged")
}

fn paused() -> LocalRuntime {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().start_paused(true).build_local(Default::default()).unwrap()
}

/// One answer: status line, headers in order, body.
type Answer = (String, Vec<String>, Vec<u8>);

/// Takes answers apart, leaving out what differs from second to second; what is no answer is kept as it is.
fn parsed(bytes: &[u8]) -> (Vec<Answer>, Vec<u8>) {
    let (mut answers, mut rest) = (Vec::new(), bytes);
    while let Some(end) = rest.windows(4).position(|w| w == b"\r\n\r\n") {
        let text = std::str::from_utf8(&rest[..end]).expect("heads are ASCII");
        let mut lines = text.split("\r\n").map(str::to_owned);
        let status = lines.next().unwrap();
        let mut headers: Vec<_> = lines.filter(|line| !line.starts_with("date: ")).collect();
        headers.sort();
        rest = &rest[end + 4..];
        let length = headers.iter().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        // HEAD and 304 announce what they do not send.
        let length = length.filter(|_| !rest.starts_with(b"HTTP/1.1 ")).unwrap_or(0).min(rest.len());
        answers.push((status, headers, rest[..length].to_vec()));
        rest = &rest[length..];
    }
    (answers, rest.to_vec())
}

fn line() -> impl Strategy<Value = String> {
    let etags: &'static [&'static str] =
        &["\"5-4\"", "W/\"5-4\"", "W/\"5-ce4\"", "\"5-ce4\"", "*", "\"x\"", "\"5-4", "", "\"a,b\", \"5-4\""];
    let dates: &'static [&'static str] = &[
        "Thu, 01 Jan 1970 00:00:05 GMT",
        "Thu, 01 Jan 1970 00:00:04 GMT",
        "yesterday",
        "Sun, 06 Nov 2044 08:49:37 GMT",
    ];
    let ranges: &'static [&'static str] = &[
        "bytes=0-1",
        "bytes=-3",
        "bytes=2-",
        "bytes=0-1,3-4",
        "bytes=99999999-",
        "bytes=9-1",
        "lines=1-2",
        "bytes=0-0,0-0,0-0,0-0,0-0,0-0",
    ];
    let codings: &'static [&'static str] =
        &["gzip", "br", "zstd, gzip;q=0.5", "*;q=0", "identity;q=0, gzip", "gzip;q=0", "\u{e9}, gzip"];
    let odd = &[
        "Connection: close",
        "Connection: keep-alive",
        "Connection: Keep-Alive, close",
        "Connection: upgrade",
        "connection: CLOSE",
        "Content-Length: 0",
        "Content-Length: 5",
        "Transfer-Encoding: chunked",
        "Expect: 100-continue",
        "Upgrade: h2c",
        "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA",
        "TE: trailers",
        "Trailer: x",
        "Keep-Alive: timeout=5",
        "Host: www.example.com",
        "Host: evil.example",
        "X-Bad : y",
        "X-Fold: a\r\n b",
        "X-\u{e9}: y",
        "NoColon",
        ": empty",
        "X-Empty:",
        "X-Tab:\ta\tb\t",
        "X-High: \u{e9}",
        "X-Null: a\0b",
        "X-Cr: a\rb",
        "X-Lf: a\nX-After: b",
    ];
    let harmless = &[
        "Accept: */*",
        "Cookie: a=b; c=d",
        "Referer: http://a/\"b\"",
        "User-Agent: x \u{e9}",
        "user-agent:  spaced  ",
        "Priority: u=1",
        "Sec-Fetch-Dest: style",
        "DNT: 1",
    ];
    prop_oneof![
        2 => select(etags).prop_map(|value| format!("If-None-Match: {value}")),
        1 => select(dates).prop_map(|value| format!("If-Modified-Since: {value}")),
        1 => select(etags).prop_map(|value| format!("if-range: {value}")),
        1 => select(dates).prop_map(|value| format!("If-Range: {value}")),
        3 => select(ranges).prop_map(|value| format!("Range: {value}")),
        3 => select(codings).prop_map(|value| format!("Accept-Encoding: {value}")),
        4 => select(&harmless[..]).prop_map(str::to_owned),
        2 => select(&odd[..]).prop_map(str::to_owned),
    ]
}

fn request() -> impl Strategy<Value = String> {
    let methods = prop_oneof![
        12 => Just("GET"), 4 => Just("HEAD"), 1 => select(&["POST", "OPTIONS", "PUT", "get", "BREW", "", "G\u{e9}T", "CONNECT"][..]),
    ];
    let known = &[
        "/",
        "/about",
        "/about/",
        "/about.html",
        "/folder",
        "/folder/?a=b",
        "/folder?a=b",
        "/bare",
        "/bare/",
        "/empty.txt",
        "/style.css",
        "/style.css",
        "/style.css",
        "/large.bin",
        "/film.mp4",
        "/missing",
        "/.env",
        "/..",
        "/%2e%2e/x",
        "/.well-known/hearth/here",
        "/%2ewell-known/hearth/here",
        "/.well-known/hearth/no",
        "//folder",
        "/%61bout",
        "/a%",
        "/style.css?x=y?z",
        "/?",
        "/%00",
        "/index",
    ];
    let odd = &[
        "*",
        "about",
        "http://www.example.com/about",
        "http://evil.example/",
        "http:///x",
        "/a b",
        "/\u{e9}",
        "/#x",
        "/about#x",
        "/a\\b",
        "/a\"b",
        "/[x]",
        "/<x>",
        "/{x}|^`",
        "www.example.com:80",
        "",
    ];
    let targets = prop_oneof![20 => select(&known[..]).prop_map(str::to_owned), 2 => select(&odd[..]).prop_map(str::to_owned), 1 => "/[ -~]{0,12}"];
    let versions = prop_oneof![20 => Just("HTTP/1.1"), 1 => select(&["HTTP/1.0", "HTTP/2.0", "HTTP/1.2", "http/1.1", "HTTP/1", ""][..])];
    let hosts = prop_oneof![
        16 => Just("Host: www.example.com\r\n"),
        2 => select(&["Host: twopir:8080\r\n", "Host: example.com\r\n", "Host: WWW.EXAMPLE.COM.\r\n"][..]),
        1 => select(&["", "Host:\r\n", "Host: a b\r\n", "Host: evil.example\r\n", "Host : x\r\n", "Host: \u{e9}\r\n"][..]),
    ];
    let ends = prop_oneof![30 => Just("\r\n"), 1 => Just("\n"), 1 => Just("\r")];
    let lines = proptest::collection::vec(line(), 0..4);
    (methods, targets, versions, hosts, lines, ends).prop_map(
        |(method, target, version, host, lines, end)| {
            let lines: String = lines.into_iter().map(|line| format!("{line}{end}")).collect();
            format!("{method} {target} {version}\r\n{host}{lines}\r\n")
        },
    )
}

/// Requests one after the other, how many bytes come at once, and how many fit on the way. The last one is whole: of a
/// head whose time is up, hyper says sometimes something and sometimes nothing.
fn conversation() -> impl Strategy<Value = (Vec<u8>, usize, usize)> {
    const LAST: &str = "GET /about HTTP/1.1\r\nHost: twopir\r\nConnection: close\r\n\r\n";
    let at_once = prop_oneof![4 => Just(usize::MAX), 1 => 1_usize..300, 1 => Just(1)];
    let room = prop_oneof![3 => Just(1 << 20), 1 => 1_usize..5000];
    (proptest::collection::vec(request(), 1..5), at_once, room)
        .prop_map(|(requests, at_once, room)| ((requests.concat() + LAST).into_bytes(), at_once, room))
}

#[test]
fn the_lane_answers_as_hyper_does() {
    for (rules, cases) in [(Rules::GithubPages, 500), (Rules::Spa, 100), (Rules::Files, 100)] {
        let (directory, runtime) = (tempfile::tempdir().unwrap(), paused());
        let [lane, hyper] = [Way::Lane, Way::Hyper].map(|way| server(rules, way, directory.path()));
        let (ours, answered) = (Cell::new(0), Cell::new(0));
        let mut runner =
            TestRunner::new(ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() });
        let outcome = runner.run(&conversation(), |(input, at_once, room)| {
            let (one, other) = runtime.block_on(async {
                (lane.answers(&input, at_once, room).await, hyper.answers(&input, at_once, room).await)
            });
            let (one, other) = (parsed(&one), parsed(&other));
            ours.set(ours.get() + u32::from(plain::is_ours_to_answer(&input)));
            answered.set(answered.get() + u32::try_from(other.0.len()).unwrap_or(0));
            prop_assert!(one == other, "{}\n{one:?}\n{other:?}", String::from_utf8_lossy(&input));
            Ok(())
        });
        outcome.unwrap_or_else(|failed| panic!("{rules:?}: {failed}"));
        assert!(ours.get() > cases / 4 && answered.get() > cases * 2, "{} {}", ours.get(), answered.get());
        // The tasks of the last conversations end when time leaps.
        runtime.block_on(async { tokio::time::sleep(Duration::from_secs(600)).await });
        let (one, other) = (lane.into_log(), hyper.into_log());
        assert!(one.lines().count() > cases as usize);
        for (one, other) in one.lines().zip(other.lines()) {
            assert_eq!(one, other);
        }
        assert_eq!(one.lines().count(), other.lines().count());
    }
}

#[test]
fn a_head_may_come_in_two_parts_wherever_it_is_cut() {
    let (directory, runtime) = (tempfile::tempdir().unwrap(), paused());
    let lane = server(Rules::GithubPages, Way::Lane, directory.path());
    let one = "GET /about HTTP/1.1\r\nHost: twopir\r\n\r\nHEAD /style.css HTTP/1.1\r\nHost: twopir\r\nRange: bytes=0-1\r\n\r\n";
    let wanted = runtime.block_on(lane.answers(one.as_bytes(), usize::MAX, 1 << 20));
    assert_eq!(parsed(&wanted).0.len(), 2);
    for at_once in 1..one.len() {
        let answers = runtime.block_on(lane.answers(one.as_bytes(), at_once, 1 << 20));
        assert_eq!(parsed(&answers), parsed(&wanted), "{at_once}");
    }
}

#[test]
fn answers_that_wait_to_be_taken_keep_their_order() {
    let (directory, runtime) = (tempfile::tempdir().unwrap(), paused());
    let lane = server(Rules::GithubPages, Way::Lane, directory.path());
    let one = |target: &str| format!("GET {target} HTTP/1.1\r\nHost: twopir\r\n\r\n");
    let input: String =
        ["/about", "/large.bin", "/style.css", "/large.bin", "/film.mp4", "/"].into_iter().map(one).collect();
    for room in [7, 1000, 70_000, 1 << 20] {
        let (answers, rest) = parsed(&runtime.block_on(lane.answers(input.as_bytes(), usize::MAX, room)));
        let sizes: Vec<_> = answers.iter().map(|(status, _, body)| (&status[9..12], body.len())).collect();
        let last = sizes[4].1;
        let wanted =
            [("200", 5), ("200", 200_000), ("200", 3300), ("200", 200_000), ("503", last), ("200", 4)];
        assert_eq!((sizes.as_slice(), rest.len()), (&wanted[..], 0), "{room}");
    }
}

#[test]
fn when_the_server_leaves_so_do_those_who_wait() {
    let (directory, runtime) = (tempfile::tempdir().unwrap(), paused());
    for way in [Way::Lane, Way::Hyper] {
        let server = server(Rules::GithubPages, way, directory.path());
        runtime.block_on(async {
            let (mut stream, theirs) = tokio::io::duplex(1 << 20);
            server.spawn(theirs);
            stream.write_all(b"GET /about HTTP/1.1\r\nHost: twopir\r\n\r\n").await.unwrap();
            let mut answer = vec![0; 4096];
            assert!(stream.read(&mut answer).await.unwrap() > 5);
            let before = tokio::time::sleep(Duration::from_millis(500));
            server.worker.leave();
            let ended = async { stream.read(&mut answer).await.unwrap() };
            tokio::select! {
                biased;
                count = ended => assert_eq!(count, 0, "{way:?}"),
                () = before => panic!("{way:?}: it stays"),
            }
        });
    }
}

#[test]
fn a_worker_that_nobody_asks_lets_go_of_what_is_not_current() {
    let (directory, runtime) = (tempfile::tempdir().unwrap(), paused());
    let server = server(Rules::GithubPages, Way::Lane, directory.path());
    let old = Arc::downgrade(server.publish.borrow().as_ref().unwrap());
    runtime.block_on(async {
        let following = tokio::task::spawn_local(Rc::clone(&server.desk).follow());
        tokio::task::yield_now().await;
        assert!(old.upgrade().is_some());
        server.publish.send_replace(Some(Arc::new(generation(Rules::GithubPages))));
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert!(old.upgrade().is_none(), "somebody holds it");
        drop(server.publish);
        following.await.unwrap();
    });
}
