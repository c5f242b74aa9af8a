//! Routers that lie, redirect and send elsewhere. Each has an address of its own on loopback, with the ports of the
//! protocols.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hearth::address::agreement::Miss;
use hearth::address::settings::Gateway;
use hearth::address::source::{https, router};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

use crate::support::loopback::Network;

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

const WAN: &str = "urn:schemas-upnp-org:service:WANIPConnection:1";

fn address(network: Network, host: u8) -> Ipv4Addr {
    let IpAddr::V4(address) = network.at(host) else { panic!("loopback is IPv4 here") };
    address
}

/// Answers to searches at `at` with this location.
async fn searched(at: Ipv4Addr, location: String) {
    let socket = UdpSocket::bind((at, 1900)).await.unwrap();
    tokio::spawn(async move {
        let mut search = [0; 2048];
        while let Ok((length, peer)) = socket.recv_from(&mut search).await {
            assert!(search[..length].starts_with(b"M-SEARCH * HTTP/1.1\r\n"));
            let answer = format!("HTTP/1.1 200 OK\r\nLOCATION: {location}\r\nST: x\r\n\r\n");
            let _ = socket.send_to(answer.as_bytes(), peer).await;
        }
    });
}

/// A web server that answers by the first line of the request.
async fn web(
    at: Ipv4Addr,
    answer: impl Fn(&str) -> (&'static str, String) + Send + Sync + 'static,
) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind((at, 0)).await.unwrap();
    let (at, asked) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            let mut request = vec![0; 4096];
            let length = stream.read(&mut request).await.unwrap_or(0);
            let request = String::from_utf8_lossy(&request[..length]).into_owned();
            let (head, body) = answer(&request);
            let length = body.len();
            let text =
                format!("HTTP/1.1 {head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
            let _ = stream.write_all(text.as_bytes()).await;
        }
    });
    (at, asked)
}

fn description(control: &str) -> String {
    format!(
        "<root><device><serviceList><service><serviceType>{WAN}</serviceType><controlURL>{control}</controlURL>\
         </service></serviceList></device></root>"
    )
}

fn soap(address: &str) -> String {
    format!("<Envelope><Body><NewExternalIPAddress>{address}</NewExternalIPAddress></Body></Envelope>")
}

async fn ask(at: Ipv4Addr) -> Result<IpAddr, Miss> {
    router::ask_upnp(Gateway::Given(at), &https::client(LOCAL), LOCAL).await
}

#[tokio::test]
async fn a_router_is_searched_described_and_asked() {
    let at = address(Network::new(), 1);
    let (web, asked) = web(at, |request| {
        if request.starts_with("GET /d.xml ") {
            return ("200 OK", description("/ctl"));
        }
        let action = format!("\"{WAN}#GetExternalIPAddress\"");
        let right = request.starts_with("POST /ctl ") && request.contains(&action);
        if right { ("200 OK", soap("84.1.2.3")) } else { ("400 Bad Request", String::new()) }
    })
    .await;
    searched(at, format!("http://{web}/d.xml")).await;
    assert_eq!(ask(at).await, Ok([84, 1, 2, 3].into()));
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn nobody_else_is_asked_on_the_word_of_a_router() {
    let network = Network::new();
    let (victim, asked) = web(address(network, 100), |_| ("200 OK", soap("6.6.6.6"))).await;
    // By the answer to the search.
    let at = address(network, 1);
    searched(at, format!("http://{victim}/d.xml")).await;
    assert!(matches!(ask(at).await, Err(Miss::Silent(_))));
    // By the description.
    let at = address(network, 2);
    let control = description(&format!("http://{victim}/ctl"));
    let (described, _) = web(at, move |_| ("200 OK", control.clone())).await;
    searched(at, format!("http://{described}/d.xml")).await;
    assert!(matches!(ask(at).await, Err(Miss::Malformed(_))));
    // By a redirect.
    let at = address(network, 3);
    let head: &'static str =
        Box::leak(format!("302 Found\r\nLocation: http://{victim}/d.xml").into_boxed_str());
    let (redirecting, _) = web(at, move |_| (head, String::new())).await;
    searched(at, format!("http://{redirecting}/d.xml")).await;
    let said = ask(at).await.unwrap_err();
    assert!(said.to_string().contains("302"), "{said}");
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn an_answer_of_somebody_else_to_the_search_is_ignored() {
    let network = Network::new();
    let (at, other) = (address(network, 1), address(network, 2));
    let (theirs, asked) = web(other, |_| ("200 OK", description("/ctl"))).await;
    let socket = UdpSocket::bind((at, 1900)).await.unwrap();
    let liar = UdpSocket::bind((other, 0)).await.unwrap();
    tokio::spawn(async move {
        let mut search = [0; 2048];
        while let Ok((_, peer)) = socket.recv_from(&mut search).await {
            let answer = format!("HTTP/1.1 200 OK\r\nLOCATION: http://{at}:{}/d.xml\r\n\r\n", theirs.port());
            let _ = liar.send_to(answer.as_bytes(), peer).await;
        }
    });
    let said = ask(at).await.unwrap_err();
    assert!(said.to_string().contains("no answer to the search"), "{said}");
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn what_a_router_answers_is_an_address_as_a_whole_or_not_at_all() {
    let network = Network::new();
    let endless = "x".repeat(100_000);
    for (host, (head, body, says)) in [
        ("200 OK", "<html>84.1.2.3</html>".to_owned(), "without one address"),
        ("200 OK", soap("84.1.2.3/32"), "not an IPv4 address"),
        ("200 OK", endless, "more than 16384 bytes"),
        ("403 Forbidden", soap("84.1.2.3"), "403"),
        ("500 Internal Server Error", "<e><errorCode>501</errorCode></e>".to_owned(), "error 501"),
    ]
    .into_iter()
    .enumerate()
    {
        let at = address(network, u8::try_from(host + 1).unwrap());
        let (web, _) = web(at, move |request| {
            if request.starts_with("GET") { ("200 OK", description("/ctl")) } else { (head, body.clone()) }
        })
        .await;
        searched(at, format!("http://{web}/d.xml")).await;
        let said = ask(at).await.unwrap_err();
        assert!(matches!(said, Miss::Malformed(_)) && said.to_string().contains(says), "{says}: {said}");
    }
}

#[tokio::test]
async fn a_description_without_end_is_not_read_to_it() {
    let at = address(Network::new(), 1);
    let long = description("/ctl") + &" ".repeat(100_000);
    let (web, _) = web(at, move |_| ("200 OK", long.clone())).await;
    searched(at, format!("http://{web}/d.xml")).await;
    let said = ask(at).await.unwrap_err();
    assert!(said.to_string().contains("more than 65536 bytes"), "{said}");
}

/// A router at `at` that answers each packet with these.
async fn port_mapper(at: Ipv4Addr, answers: Vec<Vec<u8>>) -> Arc<AtomicUsize> {
    let socket = UdpSocket::bind((at, 5351)).await.unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    tokio::spawn(async move {
        let mut question = [0; 2048];
        while let Ok((_, peer)) = socket.recv_from(&mut question).await {
            count.fetch_add(1, Ordering::SeqCst);
            for answer in &answers {
                let _ = socket.send_to(answer, peer).await;
            }
        }
    });
    asked
}

#[tokio::test]
async fn nat_pmp_is_heard_among_noise_and_a_router_of_another_protocol_says_so() {
    let network = Network::new();
    let good = vec![0, 128, 0, 0, 0, 0, 0, 9, 84, 1, 2, 3];
    let asked = port_mapper(address(network, 1), vec![vec![0, 0], vec![9; 40], good]).await;
    let said = router::ask_nat_pmp(Gateway::Given(address(network, 1)), LOCAL).await;
    assert_eq!(said, Ok([84, 1, 2, 3].into()));
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    port_mapper(address(network, 2), vec![vec![2, 128, 0, 1, 0, 0, 0, 0]]).await;
    let said = router::ask_nat_pmp(Gateway::Given(address(network, 2)), LOCAL).await.unwrap_err();
    assert!(said.to_string().contains("speaks PCP"), "{said}");
    let said = router::ask_nat_pmp(Gateway::Given(address(network, 3)), LOCAL).await.unwrap_err();
    assert!(said.to_string().contains("nobody listens"), "{said}");
    port_mapper(address(network, 4), vec![vec![0, 129, 0, 1, 0, 0, 0, 0]]).await;
    let said = router::ask_pcp(Gateway::Given(address(network, 4)), LOCAL).await.unwrap_err();
    assert!(said.to_string().contains("speaks NAT-PMP"), "{said}");
}

/// Time is paused: nobody answers, and the clock jumps from one sending to the next.
#[tokio::test(start_paused = true)]
async fn a_router_that_is_silent_is_asked_as_often_as_the_standard_says_and_given_up() {
    let network = Network::new();
    let asked = port_mapper(address(network, 1), Vec::new()).await;
    let began = tokio::time::Instant::now();
    let said = router::ask_nat_pmp(Gateway::Given(address(network, 1)), LOCAL).await;
    assert_eq!(said, Err(Miss::Silent("no answer in time".to_owned())));
    assert_eq!((asked.load(Ordering::SeqCst), began.elapsed().as_millis()), (4, 3_750));
}
