//! One question to a name server that answers with the address it is asked from.
//!
//! Goes to that server itself: through a resolver it would tell the resolver's address. Never asks for the server's own
//! address first, so that it works while names cannot be resolved.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use super::udp;
use crate::address::Family;
use crate::address::agreement::Miss;
use crate::address::settings::DnsEcho;
use crate::address::wire::dns::{Question, Reply};
use crate::host::random;

/// Between two sendings, doubled as RFC 1035 section 4.2.1 would have it; the last is the wait for an answer.
const WAITS: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(2)];

/// The longest answer that is taken over TCP.
const LONGEST: usize = 4 * 1024;

/// Asks `echo` about `family`, from `local`.
///
/// # Errors
/// How it missed.
pub async fn ask(echo: &DnsEcho, family: Family, local: IpAddr) -> Result<IpAddr, Miss> {
    let server = echo.server(family).ok_or_else(|| Miss::Silent(format!("has no {family} server")))?;
    let question = Question::new(echo, family, u16::from_ne_bytes(random::bytes()));
    let socket = udp::connected(local, server).await?;
    let mut reply =
        udp::exchange(&socket, &question.to_bytes(), &WAITS, |packet| question.reply(packet)).await?;
    if reply == Reply::Truncated {
        reply = over_tcp(&question, local, server).await?;
    }
    match reply {
        Reply::Address(address) if Family::of(address) == family => Ok(address),
        Reply::Address(address) => {
            Err(Miss::Malformed(format!("answered {address} to a question about {family}")))
        }
        Reply::Truncated => Err(Miss::Malformed("answered a message that does not fit TCP".to_owned())),
        Reply::Useless(why) => Err(Miss::Malformed(why)),
    }
}

async fn over_tcp(question: &Question, local: IpAddr, server: SocketAddr) -> Result<Reply, Miss> {
    let bytes = question.to_bytes();
    let talk = async {
        let mut stream = connect(local, server).await?;
        let length = u16::try_from(bytes.len()).map_err(std::io::Error::other)?;
        stream.write_all(&[&length.to_be_bytes(), bytes.as_slice()].concat()).await?;
        let length = usize::from(stream.read_u16().await?);
        let mut answer = vec![0; length.min(LONGEST)];
        stream.read_exact(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    };
    let answer = talk.await.map_err(|error| Miss::Silent(format!("over TCP: {error}")))?;
    let other = || Miss::Malformed("answered another question over TCP".to_owned());
    question.reply(&answer).ok_or_else(other)
}

async fn connect(local: IpAddr, server: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = if local.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.bind((local, 0).into())?;
    socket.connect(server).await
}
