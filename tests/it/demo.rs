//! The demo's own parts, each with real sockets and, where they are installed, with the tools that people use.

mod outage;
mod surroundings;
mod system;
mod zone;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use hickory_proto::op::{Message, MessageType, OpCode, Query};
use hickory_proto::rr::rdata::A;
use hickory_proto::rr::rdata::tsig::TsigAlgorithm;
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType, TSigner};
use tokio::net::UdpSocket;

fn name(text: &str) -> Name {
    Name::from_ascii(text).unwrap()
}

fn a(last: u8) -> RData {
    RData::A(A::new(127, 0, 0, last))
}

fn signer(key: &str, secret: &[u8]) -> TSigner {
    TSigner::new(secret.to_vec(), TsigAlgorithm::HmacSha256, name(key), 300).unwrap()
}

fn wall() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

/// Sends bytes over UDP and takes the answer.
async fn over_udp(server: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    socket.send_to(bytes, server).await.unwrap();
    let mut buffer = vec![0; 4096];
    let answer = tokio::time::timeout(Duration::from_secs(5), socket.recv(&mut buffer)).await;
    buffer.truncate(answer.expect("an answer within 5 s").unwrap());
    buffer
}

/// An unsigned UPDATE message that replaces the addresses of `owner` by one.
fn replace(owner: &str, last: u8) -> Message {
    let mut message = Message::new(7, MessageType::Query, OpCode::Update);
    message.add_query(Query::query(name("hearth.test."), RecordType::SOA));
    let mut gone = Record::update0(name(owner), 0, RecordType::A);
    gone.dns_class = DNSClass::ANY;
    message.add_authority(gone);
    message.add_authority(Record::from_rdata(name(owner), 60, a(last)));
    message
}
