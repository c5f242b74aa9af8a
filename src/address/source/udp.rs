//! One question over UDP: from a port that the kernel draws, to one server, repeated while packets are lost.
//!
//! Never takes a packet from anybody else: the socket is connected, and whoever asks checks what came.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::timeout;

use crate::address::agreement::Miss;

/// Room for the longest answer of any protocol here; what is longer is cut, and then no answer.
const ROOM: usize = 4 * 1024;

/// A socket at `local` that hears `server` alone.
pub(super) async fn connected(local: IpAddr, server: SocketAddr) -> Result<UdpSocket, Miss> {
    let open = async {
        let socket = UdpSocket::bind((local, 0)).await?;
        socket.connect(server).await?;
        Ok::<_, std::io::Error>(socket)
    };
    open.await.map_err(|error| Miss::Silent(error.to_string()))
}

/// Sends `question` and waits for what `take` takes for its answer; again after each of `waits`, but the last.
pub(super) async fn exchange<T>(
    socket: &UdpSocket,
    question: &[u8],
    waits: &[Duration],
    take: impl Fn(&[u8]) -> Option<T>,
) -> Result<T, Miss> {
    for wait in waits {
        socket.send(question).await.map_err(|error| unheard(&error))?;
        if let Ok(answer) = timeout(*wait, listen(socket, &take)).await {
            return answer;
        }
    }
    Err(Miss::Silent("no answer in time".to_owned()))
}

async fn listen<T>(socket: &UdpSocket, take: impl Fn(&[u8]) -> Option<T>) -> Result<T, Miss> {
    let mut packet = vec![0; ROOM];
    loop {
        let length = socket.recv(&mut packet).await.map_err(|error| unheard(&error))?;
        if let Some(answer) = take(&packet[..length]) {
            return Ok(answer);
        }
    }
}

fn unheard(error: &std::io::Error) -> Miss {
    // A port where nobody listens is told by ICMP.
    let nobody = error.kind() == ErrorKind::ConnectionRefused;
    Miss::Silent(if nobody { "nobody listens there".to_owned() } else { error.to_string() })
}
