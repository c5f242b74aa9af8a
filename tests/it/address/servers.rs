//! Name servers and STUN servers that lie, stall, cut short and guess.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hearth::address::agreement::Miss;
use hearth::address::settings::{DnsEcho, EchoForm};
use hearth::address::source::{dns, stun};
use hearth::address::{Family, wire};
use hickory_proto::op::{Message, MessageType};
use hickory_proto::rr::{RData, Record, rdata};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn echo(at: SocketAddr) -> DnsEcho {
    DnsEcho { servers: vec![at], name: "who.example".parse().unwrap(), form: EchoForm::Address }
}

/// The answer to a question: an A with this address.
fn answer(question: &[u8], address: [u8; 4]) -> Message {
    let mut message = Message::from_vec(question).unwrap();
    message.metadata.message_type = MessageType::Response;
    let name = message.queries[0].name().clone();
    message.add_answer(Record::from_rdata(name, 0, RData::A(rdata::A(address.into()))));
    message
}

/// A server over UDP that sends back whatever `reply` makes of a question, packet by packet.
async fn udp_server(
    reply: impl Fn(&[u8]) -> Vec<Vec<u8>> + Send + 'static,
) -> (SocketAddr, Arc<AtomicUsize>) {
    serve(UdpSocket::bind("127.0.0.1:0").await.unwrap(), reply)
}

fn serve(
    socket: UdpSocket,
    reply: impl Fn(&[u8]) -> Vec<Vec<u8>> + Send + 'static,
) -> (SocketAddr, Arc<AtomicUsize>) {
    let (at, asked) = (socket.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&asked);
    tokio::spawn(async move {
        let mut question = [0; 2048];
        while let Ok((length, peer)) = socket.recv_from(&mut question).await {
            count.fetch_add(1, Ordering::SeqCst);
            for packet in reply(&question[..length]) {
                let _ = socket.send_to(&packet, peer).await;
            }
        }
    });
    (at, asked)
}

#[tokio::test]
async fn an_answer_counts_among_guessed_reflected_and_garbled_packets() {
    let (at, asked) = udp_server(|question| {
        let good = answer(question, [84, 1, 2, 3]);
        let mut guessed = answer(question, [6, 6, 6, 6]);
        guessed.metadata.id = guessed.metadata.id.wrapping_add(1);
        let mut other = answer(question, [6, 6, 6, 6]);
        other.queries.clear();
        let noise = [question.to_vec(), guessed.to_vec().unwrap(), other.to_vec().unwrap(), vec![0; 7]];
        noise.into_iter().chain([good.to_vec().unwrap()]).collect()
    })
    .await;
    assert_eq!(dns::ask(&echo(at), Family::Ipv4, LOCAL).await, Ok(ip("84.1.2.3")));
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_packet_from_another_address_is_not_heard_however_right_it_looks() {
    let liar = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let at = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut question = [0; 2048];
        let (length, peer) = socket.recv_from(&mut question).await.unwrap();
        let lie = answer(&question[..length], [6, 6, 6, 6]).to_vec().unwrap();
        liar.send_to(&lie, peer).await.unwrap();
        let truth = answer(&question[..length], [84, 1, 2, 3]).to_vec().unwrap();
        socket.send_to(&truth, peer).await.unwrap();
    });
    assert_eq!(dns::ask(&echo(at), Family::Ipv4, LOCAL).await, Ok(ip("84.1.2.3")));
}

#[tokio::test]
async fn an_answer_that_does_not_fit_is_asked_for_over_tcp() {
    let listener = TcpListener::bind("127.0.0.9:0").await.unwrap();
    let socket = UdpSocket::bind(listener.local_addr().unwrap()).await.unwrap();
    let (at, _) = serve(socket, |question| {
        let mut cut = answer(question, [6, 6, 6, 6]);
        cut.metadata.truncation = true;
        cut.answers.clear();
        vec![cut.to_vec().unwrap()]
    });
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let length = stream.read_u16().await.unwrap();
        let mut question = vec![0; length.into()];
        stream.read_exact(&mut question).await.unwrap();
        let answer = answer(&question, [84, 1, 2, 3]).to_vec().unwrap();
        stream.write_u16(answer.len().try_into().unwrap()).await.unwrap();
        stream.write_all(&answer).await.unwrap();
    });
    assert_eq!(dns::ask(&echo(at), Family::Ipv4, LOCAL).await, Ok(ip("84.1.2.3")));
}

#[tokio::test]
async fn two_addresses_are_none_and_so_is_the_other_family() {
    let (at, _) = udp_server(|question| {
        let mut two = answer(question, [84, 1, 2, 3]);
        two.add_answer(two.answers[0].clone());
        vec![two.to_vec().unwrap()]
    })
    .await;
    let said = dns::ask(&echo(at), Family::Ipv4, LOCAL).await;
    assert!(matches!(said, Err(Miss::Malformed(_))), "{said:?}");
    let said = dns::ask(&echo(at), Family::Ipv6, LOCAL).await;
    assert!(matches!(said, Err(Miss::Silent(_))), "{said:?}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_silent_is_asked_again_and_then_given_up() {
    let (at, asked) = udp_server(|_| Vec::new()).await;
    let said = dns::ask(&echo(at), Family::Ipv4, LOCAL).await;
    assert_eq!(said, Err(Miss::Silent("no answer in time".to_owned())));
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    let (at, asked) = udp_server(|_| Vec::new()).await;
    let began = tokio::time::Instant::now();
    let said = stun::ask("127.0.0.1", at.port(), Family::Ipv4, LOCAL).await;
    assert_eq!(said, Err(Miss::Silent("no answer in time".to_owned())));
    assert_eq!((asked.load(Ordering::SeqCst), began.elapsed().as_millis()), (4, 5_500));
}

/// A STUN success for the transaction of `request`, with the address disguised.
fn mapped(request: &[u8], address: [u8; 4]) -> Vec<u8> {
    let cookie = &request[4..8];
    let disguised: Vec<u8> = address.iter().zip(cookie).map(|(a, c)| a ^ c).collect();
    let head = [&[1, 1, 0, 12][..], &request[4..20], &[0, 0x20, 0, 8, 0, 1, 0, 0]];
    [head.concat(), disguised].concat()
}

#[tokio::test]
async fn a_stun_server_is_believed_about_our_own_request_only() {
    let (at, _) = udp_server(|request| {
        let mut guessed = mapped(request, [6, 6, 6, 6]);
        guessed[19] ^= 1;
        let cut = mapped(request, [6, 6, 6, 6])[..30].to_vec();
        vec![request.to_vec(), guessed, cut, mapped(request, [84, 1, 2, 3])]
    })
    .await;
    let said = stun::ask("127.0.0.1", at.port(), Family::Ipv4, LOCAL).await;
    assert_eq!(said, Ok(ip("84.1.2.3")));
    let said =
        stun::ask("127.0.0.1", at.port(), Family::Ipv6, IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED)).await;
    assert!(said.unwrap_err().to_string().contains("has no ipv6 address"));
    assert_eq!(wire::stun::request([0; 12]).len(), 20);
}
