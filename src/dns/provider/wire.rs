//! DNS messages over sockets: one question or update at a time, each with its own deadline.
//!
//! Never retries a message over TCP: whoever sent an update has to read back first.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use hickory_proto::op::{Edns, Message, MessageType, Query};
use hickory_proto::rr::{Name as WireName, RData, RecordType as WireType, rdata};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use crate::dns::{Name, Rdata, RecordType};

/// What we take over UDP: large enough for most sets, small enough not to be fragmented (RFC 9715 section 3.1).
const UDP_PAYLOAD: u16 = 1232;

/// Between two sendings of a question over UDP, where packets are lost.
const UDP_RESEND: Duration = Duration::from_secs(1);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WireError {
    /// The message did not leave whole, so it cannot have been acted on.
    #[error("{0}")]
    NotSent(String),
    /// The message left, and nothing that can be read came back.
    #[error("{0}")]
    NoAnswer(String),
}

/// A TCP connection to a name server (RFC 7766).
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    patience: Duration,
}

impl Connection {
    /// Connects to `server`, and waits `patience` for that and for each answer.
    pub(crate) async fn open(server: SocketAddr, patience: Duration) -> Result<Self, WireError> {
        let connecting = TcpStream::connect(server);
        let stream = timeout(patience, connecting)
            .await
            .map_err(|_| WireError::NotSent(format!("no connection within {patience:?}")))?
            .map_err(|e| WireError::NotSent(e.to_string()))?;
        // A message is one write; waiting to fill a packet would only delay it.
        stream.set_nodelay(true).map_err(|e| WireError::NotSent(e.to_string()))?;
        Ok(Self { stream, patience })
    }

    /// Sends `message` and takes the answer, byte for byte: a signature covers the bytes.
    pub(crate) async fn exchange(&mut self, message: &Message) -> Result<Vec<u8>, WireError> {
        let framed = frame(message)?;
        let patience = self.patience;
        timeout(patience, self.stream.write_all(&framed))
            .await
            .map_err(|_| WireError::NotSent(format!("not taken within {patience:?}")))?
            .map_err(|e| WireError::NotSent(e.to_string()))?;
        timeout(patience, self.receive())
            .await
            .map_err(|_| WireError::NoAnswer(format!("no answer within {patience:?}")))?
            .map_err(|e| WireError::NoAnswer(e.to_string()))
    }

    async fn receive(&mut self) -> std::io::Result<Vec<u8>> {
        let length = self.stream.read_u16().await?;
        let mut bytes = vec![0; usize::from(length)];
        self.stream.read_exact(&mut bytes).await?;
        Ok(bytes)
    }

    /// Asks a question and takes the answer to it.
    pub(crate) async fn ask(&mut self, name: &Name, kind: WireType) -> Result<Message, WireError> {
        let question = question(name, kind);
        let bytes = self.exchange(&question).await?;
        answer_to(&question, &bytes)
            .ok_or_else(|| WireError::NoAnswer("the answer is to another question".into()))
    }
}

/// The message behind its length (RFC 1035 section 4.2.2).
fn frame(message: &Message) -> Result<Vec<u8>, WireError> {
    let bytes = message.to_vec().map_err(|e| WireError::NotSent(e.to_string()))?;
    let length =
        u16::try_from(bytes.len()).map_err(|_| WireError::NotSent("the message is too long".into()))?;
    Ok([length.to_be_bytes().as_slice(), &bytes].concat())
}

/// Asks over UDP, again every second, and over TCP when the answer does not fit; at most for `patience` each.
pub(crate) async fn ask(
    server: SocketAddr,
    name: &Name,
    kind: WireType,
    patience: Duration,
) -> Result<Message, WireError> {
    let answer = timeout(patience, ask_udp(server, name, kind))
        .await
        .map_err(|_| WireError::NoAnswer(format!("no answer within {patience:?}")))?
        .map_err(|e| WireError::NoAnswer(e.to_string()))?;
    if answer.metadata.truncation {
        return Connection::open(server, patience).await?.ask(name, kind).await;
    }
    Ok(answer)
}

/// Asks a resolver, which is to find the answer elsewhere; over UDP, again every second, at most for `patience`.
pub(crate) async fn resolve(
    resolver: SocketAddr,
    name: &Name,
    kind: WireType,
    patience: Duration,
) -> Result<Message, WireError> {
    let mut question = question(name, kind);
    question.metadata.recursion_desired = true;
    timeout(patience, exchange_udp(resolver, &question))
        .await
        .map_err(|_| WireError::NoAnswer(format!("no answer within {patience:?}")))?
        .map_err(|e| WireError::NoAnswer(e.to_string()))
}

async fn ask_udp(server: SocketAddr, name: &Name, kind: WireType) -> std::io::Result<Message> {
    exchange_udp(server, &question(name, kind)).await
}

async fn exchange_udp(server: SocketAddr, question: &Message) -> std::io::Result<Message> {
    let any: SocketAddr = match server {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any).await?;
    // A connected socket takes packets from this server alone.
    socket.connect(server).await?;
    let bytes = question.to_vec().map_err(std::io::Error::other)?;
    let mut buffer = vec![0; usize::from(u16::MAX)];
    loop {
        socket.send(&bytes).await?;
        let received = timeout(UDP_RESEND, receive_udp(&socket, question, &mut buffer)).await;
        if let Ok(answer) = received {
            return answer;
        }
    }
}

/// The next packet that answers `question`; others are somebody's guesses.
async fn receive_udp(socket: &UdpSocket, question: &Message, buffer: &mut [u8]) -> std::io::Result<Message> {
    loop {
        let length = socket.recv(buffer).await?;
        if let Some(answer) = answer_to(question, &buffer[..length]) {
            return Ok(answer);
        }
    }
}

/// A question that asks for no recursion: authoritative servers are asked for what they hold.
fn question(name: &Name, kind: WireType) -> Message {
    let mut message = Message::query();
    message.add_query(Query::query(wire_name(name), kind));
    let mut edns = Edns::new();
    edns.set_max_payload(UDP_PAYLOAD);
    message.set_edns(edns);
    message
}

/// `bytes` as the answer to `question`: same id, same question (RFC 5452 section 9.1).
fn answer_to(question: &Message, bytes: &[u8]) -> Option<Message> {
    let answer = Message::from_vec(bytes).ok()?;
    let same = answer.metadata.id == question.metadata.id
        && answer.metadata.message_type == MessageType::Response
        && (answer.queries == question.queries || answer.queries.is_empty());
    same.then_some(answer)
}

/// A name as messages have it.
pub(crate) fn wire_name(name: &Name) -> WireName {
    WireName::from_labels(name.as_str().split('.').map(str::as_bytes))
        .expect("a Name has labels of 1 to 63 octets, 253 in all")
}

/// A name from a message; None when it is one that hearth does not write, such as one with a blank in it.
pub(crate) fn plain_name(name: &WireName) -> Option<Name> {
    name.to_ascii().parse().ok()
}

/// A type as messages have it.
pub(crate) fn wire_type(kind: RecordType) -> WireType {
    match kind {
        RecordType::A => WireType::A,
        RecordType::Aaaa => WireType::AAAA,
        RecordType::Cname => WireType::CNAME,
    }
}

/// Record data as messages have it.
pub(crate) fn wire_rdata(rdata: &Rdata) -> RData {
    match rdata {
        Rdata::A(address) => RData::A(rdata::A(*address)),
        Rdata::Aaaa(address) => RData::AAAA(rdata::AAAA(*address)),
        Rdata::Cname(target) => RData::CNAME(rdata::CNAME(wire_name(target))),
    }
}

/// Record data from a message; None when hearth has no words for it.
#[allow(clippy::wildcard_enum_match_arm, reason = "DNS has some hundred types, hearth writes three")]
pub(crate) fn plain_rdata(data: &RData) -> Option<Rdata> {
    match data {
        RData::A(address) => Some(Rdata::A(address.0)),
        RData::AAAA(address) => Some(Rdata::Aaaa(address.0)),
        RData::CNAME(target) => plain_name(&target.0).map(Rdata::Cname),
        _ => None,
    }
}
