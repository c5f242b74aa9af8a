//! What routers announce on the LAN: another external address (RFC 6886 section 3.2.1), or a restart (RFC 6887 section
//! 14.1).
//!
//! Only a reason to ask at once: anybody on the LAN could say it, so it is never evidence.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

use super::router;
use crate::address::settings::Gateway;
use crate::address::wire::{nat_pmp, pcp};

/// All hosts, and the port of announcements.
const GROUP: (Ipv4Addr, u16) = (Ipv4Addr::new(224, 0, 0, 1), 5350);

/// An ear for announcements.
#[derive(Debug)]
pub struct Announcements {
    socket: UdpSocket,
    gateway: Gateway,
    /// Routers say everything up to ten times.
    last: Option<Announcement>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Announcement {
    epoch: u32,
    address: Option<Ipv4Addr>,
}

impl Announcements {
    /// Listens from now on; other programs may listen as well. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// When the port cannot be had.
    pub fn listen(gateway: Gateway) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        // Bound to the group, it hears nothing that is sent to this machine itself.
        socket.bind(&SocketAddr::from(GROUP).into())?;
        Ok(Self { socket: UdpSocket::from_std(socket.into())?, gateway, last: None })
    }

    /// Waits until the router announces something that it has not said yet. May be dropped and called again.
    pub async fn come(&mut self) {
        let mut packet = [0; 1100];
        loop {
            let Ok((length, from)) = self.socket.recv_from(&mut packet).await else {
                // A socket that fails once would fail again at once.
                return std::future::pending().await;
            };
            let ours = router::router(self.gateway).is_ok_and(|router| from.ip() == router);
            if ours && self.is_new(read(&packet[..length])) {
                return;
            }
        }
    }

    /// An address that changed, or an epoch that went back: the router forgot everything (RFC 6886 section 3.6).
    fn is_new(&mut self, said: Option<Announcement>) -> bool {
        let Some(said) = said else { return false };
        let new = self.last.is_none_or(|last| said.address != last.address || said.epoch < last.epoch);
        self.last = Some(said);
        new
    }
}

fn read(packet: &[u8]) -> Option<Announcement> {
    if let Some(epoch) = pcp::announced(packet) {
        return Some(Announcement { epoch, address: None });
    }
    let external = nat_pmp::reply(packet)?.ok()?;
    Some(Announcement { epoch: external.epoch, address: Some(external.address) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_repeated_is_no_news_and_a_restart_is() {
        let mut ear = Announcements::listen(Gateway::Default).unwrap();
        let packet = |epoch: u8, last: u8| read(&[0, 128, 0, 0, 0, 0, 0, epoch, 84, 1, 2, last]);
        let heard = [packet(10, 3), packet(11, 3), packet(12, 4), packet(13, 4), packet(1, 4), None];
        let news: Vec<bool> = heard.into_iter().map(|said| ear.is_new(said)).collect();
        assert_eq!(news, [true, false, true, false, true, false]);
    }
}
