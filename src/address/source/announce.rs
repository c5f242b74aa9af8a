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
use crate::address::wire::nat_pmp::{self, External};
use crate::address::wire::pcp;

/// All hosts, and the port of announcements.
const GROUP: (Ipv4Addr, u16) = (Ipv4Addr::new(224, 0, 0, 1), 5350);

/// An ear for announcements.
#[derive(Debug)]
pub struct Announcements {
    socket: UdpSocket,
    gateway: Gateway,
    heard: Heard,
}

/// What was announced last. Routers say everything up to ten times.
#[derive(Debug, Default)]
struct Heard {
    nat_pmp: Option<External>,
    /// The epoch.
    pcp: Option<u32>,
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
        Ok(Self { socket: UdpSocket::from_std(socket.into())?, gateway, heard: Heard::default() })
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
            if ours && self.heard.is_news(&packet[..length]) {
                return;
            }
        }
    }
}

impl Heard {
    /// Whether `packet` says something new: an address that changed, or an epoch that went back, which means that the
    /// router forgot everything (RFC 6886 section 3.6).
    fn is_news(&mut self, packet: &[u8]) -> bool {
        if let Some(epoch) = pcp::announced(packet) {
            return self.pcp.replace(epoch).is_none_or(|last| epoch < last);
        }
        let Some(Ok(said)) = nat_pmp::reply(packet) else { return false };
        let last = self.nat_pmp.replace(said);
        last.is_none_or(|last| said.address != last.address || said.epoch < last.epoch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_repeated_is_no_news_and_a_restart_is() {
        let mut heard = Heard::default();
        let nat_pmp = |epoch: u8, last: u8| vec![0, 128, 0, 0, 0, 0, 0, epoch, 84, 1, 2, last];
        let pcp = |epoch: u8| [&[2, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, epoch][..], &[0; 12]].concat();
        let packets = [
            (nat_pmp(10, 3), true),
            (pcp(5), true),
            (nat_pmp(11, 3), false),
            (pcp(6), false),
            (nat_pmp(12, 4), true),
            (pcp(0), true),
            (nat_pmp(1, 4), true),
            (Vec::new(), false),
        ];
        for (packet, news) in packets {
            assert_eq!(heard.is_news(&packet), news, "{packet:?}");
        }
    }
}
