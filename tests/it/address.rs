//! The public address, found by asking real HTTP servers on loopback; and, in the modules, everybody else.

mod command;
mod home;
mod lab;
mod publish;
mod router;
mod servers;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hearth::address::agreement::{Judgement, Outcome};
use hearth::address::source::Watch;
use hearth::address::{AddressSettings, Asked, Family, SourceSettings, Verdict};
use hearth::moment::Moment;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const EVERY: Duration = Duration::from_secs(300);

/// How an echo service answers.
#[derive(Clone)]
enum Manner {
    /// With the address it was asked from.
    Echo,
    /// With the address it was asked from, in a line `ip=` among others.
    Trace,
    /// With this status and body.
    Says(&'static str, String),
    /// With a redirect to this address.
    Redirect(SocketAddr),
    /// With the address, and then without end.
    Endless,
    /// Not at all.
    Stalls,
    /// By hanging up.
    HangsUp,
}

/// A server that answers in one manner, and counts the questions.
struct Service {
    at: SocketAddr,
    asked: Arc<AtomicUsize>,
}

async fn service(manner: Manner) -> Service {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (at, asked) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((stream, peer)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(answer(stream, peer.ip(), manner.clone()));
        }
    });
    Service { at, asked }
}

async fn answer(mut stream: TcpStream, peer: IpAddr, manner: Manner) {
    let mut question = [0; 2048];
    let _ = stream.read(&mut question).await;
    let (status, body) = match manner {
        Manner::Echo => ("200 OK", format!("{peer}\n")),
        Manner::Trace => ("200 OK", format!("fl=1\nip={peer}\nloc=DE\n")),
        Manner::Says(status, body) => (status, body),
        Manner::Redirect(to) => {
            let head = format!("HTTP/1.1 302 Found\r\nLocation: http://{to}/\r\nContent-Length: 0\r\n\r\n");
            let _ = stream.write_all(head.as_bytes()).await;
            return;
        }
        Manner::Endless => {
            let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{peer}\n");
            let _ = stream.write_all(head.as_bytes()).await;
            while stream.write_all(&[b' '; 4096]).await.is_ok() {}
            return;
        }
        Manner::Stalls => return std::future::pending().await,
        Manner::HangsUp => return,
    };
    let length = body.len();
    let reply = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
    let _ = stream.write_all(reply.as_bytes()).await;
}

/// A source at `service`, run by `operator`.
fn source(operator: &str, service: &Service) -> SourceSettings {
    let url = format!("http://{}/", service.at);
    unspaced(Asked::Https { url, operator: operator.to_owned(), key: None, family: None })
}

fn keyed(operator: &str, service: &Service) -> SourceSettings {
    let url = format!("http://{}/cdn-cgi/trace", service.at);
    unspaced(Asked::Https { url, operator: operator.to_owned(), key: Some("ip".to_owned()), family: None })
}

fn unspaced(asked: Asked) -> SourceSettings {
    SourceSettings { asked, spacing: Duration::ZERO }
}

/// A node at `node`, whose laboratory is 127.0.0.0/8.
fn watch(node: IpAddr, sources: Vec<SourceSettings>) -> Watch {
    Watch::new(AddressSettings {
        families: vec![Family::Ipv4],
        sources,
        bind: Some(node),
        admit: vec!["127.0.0.0/8".parse().unwrap()],
        every: EVERY,
    })
}

fn ip(last: u8) -> IpAddr {
    IpAddr::from([127, 0, 7, last])
}

async fn round(watch: &mut Watch, n: u32) -> Judgement {
    watch.round(Moment::START + EVERY * n).await.judged.remove(&Family::Ipv4).expect("asked about IPv4")
}

#[tokio::test]
async fn two_operators_who_see_the_same_address_are_enough_to_publish_it() {
    let (plain, trace) = (service(Manner::Echo).await, service(Manner::Trace).await);
    let mut watch = watch(ip(1), vec![source("a", &plain), keyed("b", &trace)]);
    let judged = round(&mut watch, 0).await;
    assert_eq!((judged.agreed, judged.outcome), (Some(ip(1)), Outcome::Changed), "{}", judged.why);
    assert_eq!(round(&mut watch, 1).await.outcome, Outcome::Confirmed);
    assert_eq!((plain.asked.load(Ordering::SeqCst), trace.asked.load(Ordering::SeqCst)), (2, 2));
}

#[tokio::test]
async fn two_hosts_of_one_operator_are_not() {
    let (one, other) = (service(Manner::Echo).await, service(Manner::Echo).await);
    let mut watch = watch(ip(2), vec![source("a", &one), source("a", &other)]);
    let judged = round(&mut watch, 0).await;
    assert_eq!((judged.agreed, judged.outcome), (None, Outcome::Kept));
    assert!(judged.why.contains("a says 127.0.7.2"), "{}", judged.why);
    assert_eq!(other.asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn whatever_a_source_does_wrong_the_address_is_kept_and_the_fault_is_named() {
    let good = service(Manner::Echo).await;
    let page = |address: IpAddr| format!("<html>Your address {address} is blocked</html>");
    for (manner, verdict, says) in [
        (Manner::Says("200 OK", page(ip(9))), Verdict::Captive, "not an address"),
        (Manner::Says("200 OK", page(ip(9)).repeat(9)), Verdict::Captive, "more than 64 bytes"),
        (Manner::Says("403 Forbidden", ip(9).to_string()), Verdict::Captive, "403"),
        (Manner::Says("500 Internal Server Error", ip(9).to_string()), Verdict::Captive, "500"),
        (Manner::Says("200 OK", "::1".to_owned()), Verdict::Captive, "a question about ipv4"),
        (Manner::Says("200 OK", "104.18.0.0".to_owned()), Verdict::ProxyEgress, "Cloudflare"),
        (Manner::Says("200 OK", "100.64.0.9".to_owned()), Verdict::Cgnat, "shared by a carrier"),
        (Manner::Redirect(good.at), Verdict::Captive, "302"),
        (Manner::Endless, Verdict::Captive, "more than 64 bytes"),
        (Manner::HangsUp, Verdict::Unknown, "a: "),
    ] {
        let (one, other) = (service(manner.clone()).await, service(manner).await);
        let mut watch = watch(ip(3), vec![source("a", &one), source("b", &other)]);
        watch.stand_on(ip(3));
        let judged = round(&mut watch, 0).await;
        assert_eq!((judged.agreed, judged.outcome), (Some(ip(3)), Outcome::Kept), "{}", judged.why);
        assert_eq!(judged.verdict, verdict, "{}", judged.why);
        assert!(judged.why.contains(says), "{} says {says}", judged.why);
        assert_eq!((one.asked.load(Ordering::SeqCst), other.asked.load(Ordering::SeqCst)), (1, 1));
    }
    assert_eq!(good.asked.load(Ordering::SeqCst), 0, "a redirect is not followed");
}

/// Time is paused: with nobody who answers, the clock jumps to the deadline of the question.
#[tokio::test(start_paused = true)]
async fn a_source_that_stalls_is_given_up_and_costs_the_address_nothing() {
    let (one, other) = (service(Manner::Stalls).await, service(Manner::Stalls).await);
    let mut watch = watch(ip(4), vec![source("a", &one), source("b", &other)]);
    watch.stand_on(ip(4));
    let began = tokio::time::Instant::now();
    let judged = round(&mut watch, 0).await;
    assert_eq!((judged.agreed, judged.verdict), (Some(ip(4)), Verdict::Unknown));
    assert!(judged.why.contains("no answer in time"), "{}", judged.why);
    assert!(began.elapsed() <= Duration::from_secs(7), "{:?}", began.elapsed());
}

#[tokio::test]
async fn sources_that_see_different_addresses_change_nothing_and_are_both_quoted() {
    let (one, other) =
        (service(Manner::Echo).await, service(Manner::Says("200 OK", ip(99).to_string())).await);
    let mut watch = watch(ip(5), vec![source("a", &one), source("b", &other)]);
    let judged = round(&mut watch, 0).await;
    assert_eq!((judged.agreed, judged.verdict), (None, Verdict::ProxyEgress));
    assert!(
        judged.why.contains("a says 127.0.7.5") && judged.why.contains("b says 127.0.7.99"),
        "{}",
        judged.why
    );
}

#[tokio::test]
async fn an_address_that_is_not_admitted_is_not_published_however_many_see_it() {
    let (one, other) = (service(Manner::Echo).await, service(Manner::Echo).await);
    let mut watch = Watch::new(AddressSettings {
        families: vec![Family::Ipv4],
        sources: vec![unspaced(Asked::Interface), source("a", &one), source("b", &other)],
        bind: Some(ip(6)),
        admit: Vec::new(),
        every: EVERY,
    });
    let judged = round(&mut watch, 0).await;
    assert_eq!(judged.agreed, None);
    assert!(judged.why.contains("loopback (RFC 1122)"), "{}", judged.why);
}

#[tokio::test]
async fn a_source_that_rots_is_asked_rarely_while_others_answer() {
    let (a, b) = (service(Manner::Echo).await, service(Manner::Echo).await);
    let rotten = service(Manner::Says("403 Forbidden", String::new())).await;
    let mut watch = watch(ip(8), vec![source("a", &a), source("b", &b), source("c", &rotten)]);
    for n in 0..20 {
        let judged = round(&mut watch, n).await;
        assert_eq!(judged.agreed, Some(ip(8)));
    }
    assert_eq!(a.asked.load(Ordering::SeqCst), 20);
    let asked = rotten.asked.load(Ordering::SeqCst);
    assert!((3..=7).contains(&asked), "{asked} questions to a source that answers 403");
}

#[tokio::test]
async fn in_an_outage_nobody_is_asked_more_rarely() {
    let (a, b) = (service(Manner::HangsUp).await, service(Manner::HangsUp).await);
    let mut watch = watch(ip(10), vec![source("a", &a), source("b", &b)]);
    for n in 0..20 {
        round(&mut watch, n).await;
    }
    assert!(a.asked.load(Ordering::SeqCst) >= 20 && b.asked.load(Ordering::SeqCst) >= 20);
}

#[tokio::test(start_paused = true)]
async fn a_round_is_due_at_once_and_then_at_its_interval() {
    let mut watch = watch(ip(11), Vec::new());
    let began = tokio::time::Instant::now();
    watch.due().await;
    assert_eq!(began.elapsed(), Duration::ZERO);
    watch.due().await;
    assert_eq!(began.elapsed(), EVERY);
}
