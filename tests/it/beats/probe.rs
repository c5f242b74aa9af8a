//! Looks at small servers that are what they should be, or are not.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;

use hearth::heartbeat::proof::{self, Nonce};
use hearth::moment::Moment;
use hearth::probe::{
    Failure, MAX_PAGE, Outcome, PageCheck, Patience, Prober, ProberSettings, Scheme, Target,
};

use super::web::{Asked, Say, Web, reply, root};
use super::*;

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const SITE: &str = "www.example.com";
const PAGE: &[u8] = b"<title>home</title>";

fn patience() -> Patience {
    Patience { connect: Duration::from_secs(4), total: Duration::from_secs(6) }
}

fn prober() -> Prober {
    let settings = ProberSettings { extra_roots: vec![root()] };
    let began = Instant::now();
    let elapsed = move || u64::try_from(began.elapsed().as_millis()).unwrap();
    Prober::new(&settings, Arc::new(move || Moment::from_millis(elapsed()))).unwrap()
}

fn page(scheme: Scheme, port: u16) -> PageCheck {
    PageCheck { scheme, port, path: "/".to_owned(), contains: Some("home".to_owned()) }
}

fn target(scheme: Scheme, port: u16) -> Target {
    let (node, key) = (pi(), node_key().verifying());
    Target { node, key, address: LOOPBACK, site: SITE.parse().unwrap(), page: page(scheme, port) }
}

/// For looks that end by running out of it.
fn little_patience() -> Patience {
    Patience { total: Duration::from_millis(800), ..patience() }
}

async fn look(web: &Web) -> Outcome {
    look_with(web, patience()).await
}

async fn look_with(web: &Web, patience: Patience) -> Outcome {
    let outcome = prober().look(&target(Scheme::Http, web.address.port()), patience).await;
    assert!(web.asked() > 0, "the look did not reach the server");
    outcome
}

fn sealed(proof: &proof::ProofReply) -> Say {
    reply("200 OK", &format!("Hearth-Seal: {}\r\n", proof.seal), &proof.body)
}

/// The proof that the right node gives.
fn proof_of(key: &SigningKey, asked: &Asked) -> Option<Say> {
    let nonce = Nonce::of_path(&asked.path)?;
    Some(sealed(&proof::answer(key, &pi(), &nonce, &asked.host, Some("g1".to_owned()))))
}

/// The right node with this page.
fn node_with(page: impl Fn() -> Say + Send + Sync + 'static) -> Web {
    Web::http(move |asked| proof_of(&node_key(), asked).unwrap_or_else(&page))
}

fn failed(failure: Failure) -> Outcome {
    Outcome::Failed(failure)
}

#[tokio::test]
async fn the_right_node_with_the_right_page_is_up_under_the_name_of_the_site() {
    let web = Web::http(|asked| {
        assert!(asked.host.starts_with("www.example.com:"), "{}", asked.host);
        proof_of(&node_key(), asked).unwrap_or_else(|| reply("200 OK", "", PAGE))
    });
    let outcome = look(&web).await;
    let Outcome::Up { latency_ms, generation } = &outcome else { panic!("{outcome}") };
    assert_eq!(generation.as_deref(), Some("g1"));
    assert!(*latency_ms < 6_000, "{latency_ms}");
    assert_eq!(web.asked(), 2);
}

#[tokio::test]
async fn a_closed_port_is_refused() {
    let port = std::net::TcpListener::bind((LOOPBACK, 0)).unwrap().local_addr().unwrap().port();
    let outcome = prober().look(&target(Scheme::Http, port), patience()).await;
    assert_eq!(outcome, failed(Failure::Refused));
}

#[tokio::test]
async fn a_black_hole_is_no_connection_in_time() {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((LOOPBACK, 0)).into()).unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    // A queue of length 0 holds one connection; what comes then is dropped as by a firewall.
    let _first = std::net::TcpStream::connect(address).unwrap();
    let _second = std::net::TcpStream::connect_timeout(&address, Duration::from_millis(100));
    let quick = Patience { connect: Duration::from_millis(300), ..patience() };
    let outcome = prober().look(&target(Scheme::Http, address.port()), quick).await;
    assert_eq!(outcome, failed(Failure::ConnectTimeout));
}

#[tokio::test]
async fn a_server_that_accepts_and_never_answers_runs_out_of_time() {
    let began = Instant::now();
    let silent = Web::http(|_| Say::Nothing);
    assert_eq!(look_with(&silent, little_patience()).await, failed(Failure::Timeout));
    let took = began.elapsed();
    assert!(took >= little_patience().total && took < Duration::from_secs(4), "took {took:?}");
    let no_page = node_with(|| Say::Nothing);
    assert_eq!(look_with(&no_page, little_patience()).await, failed(Failure::Timeout));
    assert_eq!(no_page.asked(), 2, "the proof was given, the page was not");
}

#[tokio::test]
async fn another_machine_is_not_the_node() {
    let old = Arc::new(proof::answer(&node_key(), &pi(), &Nonce::new([3; 16]), SITE, None));
    let others: Vec<(&str, Web)> = vec![
        ("the key", Web::http(|a| proof_of(&SigningKey::from_seed([9; 32]), a).unwrap_or(Say::Nothing))),
        ("nonce", Web::http(move |_| sealed(&old))),
        ("carries no seal", Web::http(|_| reply("200 OK", "", PAGE))),
        ("status 404", Web::http(|_| reply("404 Not Found", "", b"no"))),
        ("status 301", Web::http(|_| reply("301 Moved", "Location: https://router.example/\r\n", b""))),
        (
            "another node",
            Web::http(|a| {
                let nonce = Nonce::of_path(&a.path).unwrap();
                sealed(&proof::answer(&node_key(), &"pi2".parse().unwrap(), &nonce, SITE, None))
            }),
        ),
        (
            "another host",
            Web::http(|a| {
                let nonce = Nonce::of_path(&a.path).unwrap();
                sealed(&proof::answer(&node_key(), &pi(), &nonce, "other.example.com", None))
            }),
        ),
    ];
    for (what, web) in others {
        let outcome = look(&web).await;
        let Outcome::Failed(Failure::NotTheNode(why)) = &outcome else { panic!("{what}: {outcome}") };
        let expected = if what == "the key" { "the seal is not the node's" } else { what };
        assert!(why.contains(expected), "{what}: {why}");
        assert_eq!(web.asked(), 1, "{what}: the page of another machine is not asked for");
    }
}

#[tokio::test]
async fn every_look_asks_for_another_nonce() {
    let paths = Arc::new(Mutex::new(std::collections::BTreeSet::new()));
    let seen = paths.clone();
    let web = Web::http(move |asked| {
        seen.lock().unwrap().insert(asked.path.clone());
        proof_of(&node_key(), asked).unwrap_or_else(|| reply("200 OK", "", PAGE))
    });
    for _ in 0..5 {
        assert!(look(&web).await.is_up());
    }
    assert_eq!(paths.lock().unwrap().len(), 6, "five nonces and the page");
}

#[tokio::test]
async fn the_page_is_judged_as_a_visitor_would() {
    let huge = || reply("200 OK", "", &[vec![b'x'; MAX_PAGE], b"home".to_vec()].concat());
    let endless = || {
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n".to_vec();
        Say::Bytes([head, vec![b'x'; MAX_PAGE - 4], b"home and more".to_vec()].concat())
    };
    let cut =
        || Say::Bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\nConnection: close\r\n\r\nhome".to_vec());
    assert_eq!(look(&node_with(|| reply("500 Oh", "", PAGE))).await, failed(Failure::Status(500)));
    assert_eq!(look(&node_with(|| reply("200 OK", "", b"elsewhere"))).await, failed(Failure::Content));
    assert_eq!(look(&node_with(huge)).await, failed(Failure::Content));
    assert!(look(&node_with(endless)).await.is_up(), "no more is waited for than is looked at");
    let cut = look_with(&node_with(cut), little_patience()).await;
    assert_eq!(cut, failed(Failure::Timeout), "the rest never comes");
    assert_eq!(
        look(&node_with(|| Say::Bytes(b"SSH-2.0-hi\r\n\r\n".to_vec()))).await,
        failed(Failure::Garbled)
    );
}

#[tokio::test]
async fn a_redirect_of_the_page_is_not_followed() {
    let elsewhere = Web::http(|_| reply("200 OK", "", PAGE));
    let location = format!("Location: http://{}/\r\n", elsewhere.address);
    let web = node_with(move || reply("302 Found", &location, b""));
    assert_eq!(look(&web).await, failed(Failure::Status(302)));
    assert_eq!(elsewhere.asked(), 0);
}

#[tokio::test]
async fn a_certificate_must_be_good_for_the_name_and_of_a_trusted_root() {
    let web = Web::https(|asked| proof_of(&node_key(), asked).unwrap_or_else(|| reply("200 OK", "", PAGE)));
    let right = target(Scheme::Https, web.address.port());
    let outcome = prober().look(&right, patience()).await;
    assert!(outcome.is_up(), "{outcome}");

    let other = Target { site: "other.example.com".parse().unwrap(), ..right.clone() };
    let outcome = prober().look(&other, patience()).await;
    assert!(matches!(outcome, Outcome::Failed(Failure::Tls(_))), "{outcome}");

    let strict = Prober::new(&ProberSettings::default(), Arc::new(|| Moment::START)).unwrap();
    let outcome = strict.look(&right, patience()).await;
    let Outcome::Failed(Failure::Tls(why)) = &outcome else { panic!("{outcome}") };
    assert!(why.contains("UnknownIssuer"), "{why}");

    let plain = Web::http(|_| reply("200 OK", "", PAGE));
    let outcome = prober().look(&target(Scheme::Https, plain.address.port()), patience()).await;
    assert_eq!(outcome, failed(Failure::Tls("the handshake broke off".to_owned())));
}

#[tokio::test]
async fn a_handshake_that_stands_still_is_no_connection_in_time() {
    let silent = std::net::TcpListener::bind((LOOPBACK, 0)).unwrap();
    let quick = Patience { connect: Duration::from_millis(300), ..patience() };
    let port = silent.local_addr().unwrap().port();
    let outcome = prober().look(&target(Scheme::Https, port), quick).await;
    assert_eq!(outcome, failed(Failure::ConnectTimeout));
}

#[tokio::test]
async fn a_fallback_is_judged_by_its_page_and_certificate_alone() {
    let web = Web::https(|_| reply("200 OK", "", PAGE));
    let (prober, site) = (prober(), SITE.parse().unwrap());
    let check = page(Scheme::Https, web.address.port());
    let sight = prober.look_at_fallback(LOOPBACK, &site, &check, patience()).await.unwrap();
    let first_of_2120 = 4_733_510_400;
    assert_eq!(sight.certificate_ends, Some(first_of_2120), "the day on which it has to be renewed");
    assert_eq!(web.asked(), 1);

    let marker = PageCheck { contains: Some("not there".to_owned()), ..check.clone() };
    assert_eq!(prober.look_at_fallback(LOOPBACK, &site, &marker, patience()).await, Err(Failure::Content));
    let other = "other.example.com".parse().unwrap();
    let wrong = prober.look_at_fallback(LOOPBACK, &other, &check, patience()).await;
    assert!(matches!(wrong, Err(Failure::Tls(_))), "{wrong:?}");
    let silent = Web::http(|_| Say::Nothing);
    let check = page(Scheme::Http, silent.address.port());
    let look = prober.look_at_fallback(LOOPBACK, &site, &check, little_patience());
    assert_eq!(look.await, Err(Failure::Timeout));
}

#[tokio::test]
async fn a_reference_is_alive_when_it_connects_or_gives_any_answer() {
    let (prober, within) = (prober(), Duration::from_secs(5));
    let web = Web::http(|_| reply("404 Not Found", "", b""));
    assert!(prober.look_at_reference(&web.address.to_string(), within).await);
    assert!(prober.look_at_reference(&format!("http://{}/x", web.address), within).await);
    assert_eq!(web.asked(), 1, "the URL was asked over HTTP");
    assert!(!prober.look_at_reference(&format!("https://{}/", web.address), within).await, "no TLS there");
    let secure = Web::https(|_| reply("500 Oh", "", b""));
    assert!(prober.look_at_reference(&format!("https://{}/", secure.address), within).await);
    let (silent, quick) = (Web::http(|_| Say::Nothing), Duration::from_millis(300));
    assert!(!prober.look_at_reference(&format!("http://{}/", silent.address), quick).await);
    let closed = std::net::TcpListener::bind((LOOPBACK, 0)).unwrap().local_addr().unwrap();
    for dead in [closed.to_string(), format!("http://{closed}/"), "nonsense".to_owned(), String::new()] {
        assert!(!prober.look_at_reference(&dead, within).await, "{dead}");
    }
}
