//! The watcher's listener against well-meant, broken and hostile clients.

use std::time::{Duration, Instant};

use hearth::heartbeat::seal::{Purpose, SigningKey};
use hearth::heartbeat::send::SendError;
use hearth::heartbeat::{Answer, MAX_BODY, NodeName, SiteView};
use hearth::watcher::listen::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::mpsc;

use super::*;

/// Everything the server says to `bytes` until it closes, at most 5 s.
async fn raw(to: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(to).await.unwrap();
    // The server may have answered and closed before everything was sent.
    let _ = stream.write_all(bytes).await;
    said(&mut stream).await
}

async fn said(stream: &mut TcpStream) -> String {
    let mut heard = Vec::new();
    let reading = stream.read_to_end(&mut heard);
    let ended = tokio::time::timeout(Duration::from_secs(5), reading).await;
    assert!(ended.is_ok(), "the server left the connection open");
    String::from_utf8(heard).unwrap()
}

fn status(reply: &str) -> u16 {
    reply.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0)
}

/// A request for `/v1/beat` with these extra header lines.
fn post(headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("POST /v1/beat HTTP/1.1\r\nHost: w\r\nConnection: close\r\n{headers}\r\n");
    [head.as_bytes(), body].concat()
}

/// `body` under the seal of `key`.
fn sealed(body: &[u8], key: &SigningKey) -> Vec<u8> {
    let seal = key.seal(Purpose::Beat, body);
    post(&format!("Content-Length: {}\r\nHearth-Seal: {seal}\r\n", body.len()), body)
}

fn sealed_beat(beat: &Beat) -> Vec<u8> {
    sealed(&serde_json::to_vec(beat).unwrap(), &node_key())
}

fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: w\r\nConnection: close\r\n\r\n").into_bytes()
}

#[tokio::test]
async fn a_beat_is_taken_once_and_its_answer_is_verified() {
    let watcher = Watcher::start().await;
    let sender = sender(watcher.address);
    assert_eq!(sender.beat(&beat(1), &node_key()).await, Ok(answer_to(&beat(1))));
    assert_eq!(sender.beat(&beat(2), &node_key()).await, Ok(answer_to(&beat(2))));
    let Err(SendError::Refused { status: 409, text }) = sender.beat(&beat(1), &node_key()).await else {
        panic!("a replayed beat was taken")
    };
    assert!(text.contains("taken before"), "{text}");
    assert_eq!(watcher.taken().window.last(&pi()), Some((beat(2).boot, 2)));
}

#[tokio::test]
async fn what_is_not_a_sealed_beat_of_a_peer_never_reaches_the_driver() {
    let watcher = Watcher::start().await;
    let body = serde_json::to_vec(&beat(1)).unwrap();
    let stranger = Beat { node: "pi9".parse::<NodeName>().unwrap(), ..beat(1) };
    let later = Beat { form: 2, ..beat(1) };
    let length = format!("Content-Length: {}\r\n", body.len());
    let seal = format!("Hearth-Seal: {}\r\n", node_key().seal(Purpose::Beat, &body));
    let table: Vec<(&str, Vec<u8>, u16)> = vec![
        ("a wrong key", sealed(&body, &SigningKey::from_seed([9; 32])), 401),
        ("no seal", post(&length, &body), 401),
        ("two seals", post(&format!("{length}{seal}{seal}"), &body), 401),
        ("an unknown node", sealed_beat(&stranger), 403),
        ("a later form", sealed_beat(&later), 400),
        ("nonsense under a good seal", sealed(b"nonsense", &node_key()), 400),
        ("an empty body", sealed(b"", &node_key()), 400),
        ("a length too large, no body", post("Content-Length: 8193\r\n", b""), 413),
        ("a length beyond all sense", post("Content-Length: 9223372036854775808\r\n", b""), 413),
        ("no length", post("", b""), 411),
        ("an undeclared length", post("Transfer-Encoding: chunked\r\n", b"5\r\nhello\r\n0\r\n\r\n"), 411),
        ("an undeclared length that never ends", post("Transfer-Encoding: chunked\r\n", b"ffff\r\n"), 411),
        ("two framings", post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"), 411),
        (
            "two framings, turned",
            post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", b"0\r\n\r\n"),
            411,
        ),
        ("two lengths", post("Content-Length: 5\r\nContent-Length: 6\r\n", b"hello"), 400),
        (
            "a head without end",
            [b"GET / HTTP/1.1\r\nHost: w\r\nX: ".to_vec(), vec![b'x'; 40_000]].concat(),
            431,
        ),
    ];
    for (what, request, expected) in table {
        let reply = raw(watcher.address, &request).await;
        assert_eq!(status(&reply), expected, "{what}: {reply}");
    }
    assert_eq!(watcher.taken(), Taken::default());
    assert_eq!(status(&raw(watcher.address, &sealed_beat(&beat(1))).await), 200, "and a good one is taken");
}

#[tokio::test]
async fn the_largest_beat_is_read_whole() {
    let watcher = Watcher::start().await;
    let mut body = serde_json::to_vec(&beat(1)).unwrap();
    body.resize(MAX_BODY, b' ');
    assert_eq!(status(&raw(watcher.address, &sealed(&body, &node_key())).await), 200);
    body.push(b' ');
    assert_eq!(status(&raw(watcher.address, &sealed(&body, &node_key())).await), 413);
}

#[tokio::test]
async fn paths_and_methods_are_told_apart() {
    let watcher = Watcher::start().await;
    let ask = |text: String| async move { raw(watcher.address, text.as_bytes()).await };
    let rest = "HTTP/1.1\r\nHost: w\r\nConnection: close\r\n\r\n";
    for (line, expected, allow) in [
        ("GET /v1/beat", 405, Some("allow: POST")),
        ("PUT /v1/beat", 405, Some("allow: POST")),
        ("POST /", 405, Some("allow: GET, HEAD")),
        ("DELETE /status.json", 405, Some("allow: GET, HEAD")),
        ("GET /v1/beat/", 404, None),
        ("GET /nothing", 404, None),
        ("GET //", 404, None),
        ("OPTIONS *", 404, None),
        ("GET /healthz", 200, None),
        ("HEAD /healthz", 200, None),
    ] {
        let reply = ask(format!("{line} {rest}")).await;
        assert_eq!(status(&reply), expected, "{line}: {reply}");
        assert!(allow.is_none_or(|allow| reply.contains(&format!("{allow}\r\n"))), "{line}: {reply}");
    }
}

#[tokio::test]
async fn http_1_1_has_exactly_one_valid_host() {
    let watcher = Watcher::start().await;
    for (hosts, version, expected) in [
        ("", "1.1", 400),
        ("Host: a\r\nHost: a\r\n", "1.1", 400),
        ("Host: a b\r\n", "1.1", 400),
        ("Host: u@a\r\n", "1.1", 400),
        ("Host:\r\n", "1.1", 400),
        ("", "1.0", 200),
        ("Host: a:8443\r\n", "1.1", 200),
        ("Host: [::1]:8443\r\n", "1.1", 200),
    ] {
        let request = format!("GET /healthz HTTP/{version}\r\n{hosts}Connection: close\r\n\r\n");
        let reply = raw(watcher.address, request.as_bytes()).await;
        assert_eq!(status(&reply), expected, "{hosts:?} {version}: {reply}");
    }
}

#[tokio::test]
async fn the_page_runs_nothing_and_nothing_is_kept() {
    let watcher = Watcher::start().await;
    let page = raw(watcher.address, &get("/")).await;
    assert!(page.ends_with("<title>hearth</title>"), "{page}");
    for header in [
        "content-type: text/html; charset=utf-8",
        "content-security-policy: default-src 'none'; style-src 'sha256-",
        "x-content-type-options: nosniff",
        "cache-control: no-store",
        "referrer-policy: no-referrer",
    ] {
        assert!(page.contains(header), "{header} is missing in {page}");
    }
    let json = raw(watcher.address, &get("/status.json")).await;
    assert!(json.contains("content-type: application/json") && json.contains("no-store"), "{json}");
    let head = raw(watcher.address, b"HEAD / HTTP/1.1\r\nHost: w\r\nConnection: close\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 200") && head.ends_with("\r\n\r\n"), "{head}");
}

#[tokio::test]
async fn two_hundred_garbage_requests_leave_the_state_alone() {
    let watcher = Watcher::start().await;
    assert_eq!(status(&raw(watcher.address, &sealed_beat(&beat(5))).await), 200);
    let before = watcher.taken();
    let good = sealed_beat(&beat(6));
    let mut seed = 1_u64;
    for round in 0..200 {
        let mut request = good.clone();
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let body = request.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
        let at = body + usize::try_from(seed >> 33).unwrap() % (request.len() - body);
        request[at] ^= 1 << (round % 8);
        let reply = raw(watcher.address, &request).await;
        assert!(matches!(status(&reply), 400 | 401 | 403), "byte {at}: {reply}");
    }
    assert_eq!(watcher.taken(), before);
    assert_eq!(status(&raw(watcher.address, &good).await), 200, "the good one among them is still taken");
}

#[tokio::test]
async fn slow_heads_and_bodies_are_cut_off() {
    let quick = Duration::from_millis(200);
    let watcher = Watcher::start_with(Limits { header: quick, body: quick, ..Limits::default() }).await;
    let began = Instant::now();
    let head = raw(watcher.address, b"POST /v1/beat HTTP/1.1\r\nHost: w\r\nX-Slow: ").await;
    assert!(matches!(status(&head), 0 | 408), "{head}");
    let silent = raw(watcher.address, b"").await;
    assert!(matches!(status(&silent), 0 | 408), "{silent}");
    let body = raw(watcher.address, &post("Content-Length: 100\r\n", b"{")).await;
    assert_eq!(status(&body), 408, "{body}");
    assert!(began.elapsed() < Duration::from_secs(4), "took {:?}", began.elapsed());
}

#[tokio::test]
async fn a_client_that_drips_is_cut_off_when_its_time_is_up() {
    let whole = Duration::from_millis(400);
    let watcher = Watcher::start_with(Limits { connection: whole, ..Limits::default() }).await;
    let mut stream = TcpStream::connect(watcher.address).await.unwrap();
    let began = Instant::now();
    let mut requests = 0;
    while stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: w\r\n\r\n").await.is_ok() {
        requests += 1;
        let mut some = [0; 4096];
        if !matches!(stream.read(&mut some).await, Ok(1..)) {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(5), "still served after {requests} requests");
    }
    assert!(requests > 1 && began.elapsed() >= whole, "{requests} requests in {:?}", began.elapsed());
}

#[tokio::test]
async fn a_body_that_breaks_off_is_not_a_beat() {
    let watcher = Watcher::start().await;
    let whole = sealed_beat(&beat(1));
    let mut stream = TcpStream::connect(watcher.address).await.unwrap();
    stream.write_all(&whole[..whole.len() - 10]).await.unwrap();
    stream.shutdown().await.unwrap();
    let reply = said(&mut stream).await;
    assert!(matches!(status(&reply), 0 | 400), "{reply}");
    assert_eq!(watcher.taken(), Taken::default());
}

#[tokio::test]
async fn a_flood_from_one_address_leaves_room_for_the_others() {
    let watcher = Watcher::start_with(Limits { per_address: 4, ..Limits::default() }).await;
    let mut flood = Vec::new();
    for _ in 0..40 {
        flood.push(TcpStream::connect(watcher.address).await.unwrap());
    }
    assert_eq!(said(flood.last_mut().unwrap()).await, "", "the flood itself has no more than its share");
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let mut other = socket.connect(watcher.address).await.unwrap();
    other.write_all(&sealed_beat(&beat(1))).await.unwrap();
    assert_eq!(status(&said(&mut other).await), 200);
    drop(flood);
}

#[tokio::test]
async fn a_driver_that_is_slow_or_gone_makes_the_watcher_busy() {
    let limits = Limits { answer: Duration::from_millis(100), ..Limits::default() };
    let (beats, asked) = mpsc::channel(1);
    let (address, _stop, _server) = serve("127.0.0.1:0".parse().unwrap(), beats, limits).await;
    for sequence in 1..4 {
        // The channel holds one beat: the later ones do not even get in.
        assert_eq!(status(&raw(address, &sealed_beat(&beat(sequence))).await), 503);
    }
    drop(asked);
    assert_eq!(status(&raw(address, &sealed_beat(&beat(9))).await), 503);
    assert_eq!(status(&raw(address, &get("/healthz")).await), 200);
}

#[tokio::test]
async fn an_answer_too_long_for_a_node_goes_without_its_view() {
    let (beats, mut asked) = mpsc::channel::<Accepted>(1);
    let (address, _stop, _server) = serve("127.0.0.1:0".parse().unwrap(), beats, Limits::default()).await;
    tokio::spawn(async move {
        let Accepted { beat, reply } = asked.recv().await.unwrap();
        let site = |n| SiteView {
            site: format!("site-{n}.example.com"),
            health: "up".to_owned(),
            on_fallback: false,
            in_force: vec![],
            proven: vec![],
        };
        let answer = Answer { view: (0..500).map(site).collect(), ..answer_to(&beat) };
        reply.send(Ok(answer)).unwrap();
    });
    assert_eq!(sender(address).beat(&beat(1), &node_key()).await, Ok(answer_to(&beat(1))));
}

#[tokio::test]
async fn a_stop_lets_the_answer_under_way_finish_and_takes_no_more() {
    let (beats, mut asked) = mpsc::channel::<Accepted>(1);
    let (address, stop, server) = serve("127.0.0.1:0".parse().unwrap(), beats, Limits::default()).await;
    let under_way = tokio::spawn(async move { raw(address, &sealed_beat(&beat(1))).await });
    let Accepted { beat, reply } = asked.recv().await.unwrap();
    stop.send(()).unwrap();
    let deadline = Instant::now() + Duration::from_secs(5);
    while TcpStream::connect(address).await.is_ok() {
        assert!(Instant::now() < deadline, "still accepting");
        tokio::task::yield_now().await;
    }
    reply.send(Ok(answer_to(&beat))).unwrap();
    assert_eq!(status(&under_way.await.unwrap()), 200);
    server.await.unwrap();
}

#[tokio::test]
async fn a_stop_does_not_wait_for_a_client_that_says_nothing() {
    let watcher =
        Watcher::start_with(Limits { drain: Duration::from_millis(200), ..Limits::default() }).await;
    let mut idle = TcpStream::connect(watcher.address).await.unwrap();
    idle.write_all(b"GET / HT").await.unwrap();
    tokio::time::timeout(Duration::from_secs(3), watcher.stop()).await.unwrap();
}

#[tokio::test]
async fn every_listener_is_served() {
    let (beats, _asked) = mpsc::channel(1);
    let mut listeners = Vec::new();
    for _ in 0..3 {
        listeners.push(TcpListener::bind("127.0.0.1:0").await.unwrap());
    }
    let addresses: Vec<_> = listeners.iter().map(|l| l.local_addr().unwrap()).collect();
    let handler = Handler {
        key: Arc::new(watcher_key()),
        peers: BTreeMap::new(),
        beats,
        shows: Shows::default(),
        door: Door::new(PageAccess::Public, None),
        words: tokio::sync::mpsc::channel(1).0,
    };
    let server = tokio::spawn(run(listeners, handler, Limits::default(), None, std::future::pending()));
    for address in addresses {
        assert_eq!(status(&raw(address, &get("/healthz")).await), 200);
    }
    server.abort();
}
