//! The kernel's own word on addresses: its table, and news of changes as they happen (rtnetlink(7)).
//!
//! Never changes anything, and is never the only way to hear of a change: whoever listens also looks now and then.

use std::collections::BTreeMap;
use std::io;
use std::net::Ipv6Addr;
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, recv, sendto, socket_with,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::address::wire::rtnetlink::{More, NEWS, Tenure, read, request};

/// Room for one packet: the kernel fills 32 KiB at most (`NLMSG_GOODSIZE`, netlink(7)).
const ROOM: usize = 32 * 1024;

/// The most packets that are read of one table, or of one burst of news.
const MOST_PACKETS: usize = 256;

/// How long each IPv6 address of this machine is good for. Does not wait: the kernel has the answer ready.
///
/// # Errors
/// When netlink may not be used here.
pub fn tenures() -> io::Result<BTreeMap<Ipv6Addr, Tenure>> {
    let socket = open(0)?;
    sendto(&socket, &request(), SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
    let (mut table, mut packet) = (BTreeMap::new(), vec![0; ROOM]);
    for _ in 0..MOST_PACKETS {
        let (length, _) = recv(&socket, packet.as_mut_slice(), RecvFlags::empty())?;
        if read(&packet[..length], &mut table) == More::Done {
            break;
        }
    }
    Ok(table)
}

fn open(groups: u32) -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    // No protocol is NETLINK_ROUTE, which is zero.
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
    bind(&socket, &SocketAddrNetlink::new(0, groups))?;
    Ok(socket)
}

/// News of addresses and routes that come and go.
#[derive(Debug)]
pub struct News(AsyncFd<OwnedFd>);

impl News {
    /// Listens from now on. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// When netlink may not be used here.
    #[expect(
        unsafe_code,
        reason = "the runtime has no safe way to watch a socket of a family that it does not know"
    )]
    pub fn listen() -> io::Result<Self> {
        let socket = open(NEWS)?;
        // SAFETY: an OwnedFd is open, always names the same descriptor, and is closed only when it is dropped.
        unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE) }.map(Self).map_err(Into::into)
    }

    /// Waits until something has changed, and takes the whole burst. May be dropped and called again.
    pub async fn come(&mut self) {
        let mut packet = vec![0; ROOM];
        loop {
            let Ok(mut ready) = self.0.readable().await else {
                // The runtime is on its way out.
                return std::future::pending().await;
            };
            let mut heard = false;
            for _ in 0..MOST_PACKETS {
                match recv(self.0.get_ref(), packet.as_mut_slice(), RecvFlags::empty()) {
                    // More news than the kernel keeps (netlink(7)) are news as well.
                    Ok(_) | Err(Errno::NOBUFS) => heard = true,
                    Err(_) => {
                        ready.clear_ready();
                        break;
                    }
                }
            }
            if heard {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_answers_with_its_table() {
        let listed = std::fs::read_to_string("/proc/self/net/if_inet6").unwrap_or_default();
        let loopback = listed.contains("00000000000000000000000000000001");
        assert_eq!(tenures().unwrap().contains_key(&Ipv6Addr::LOCALHOST), loopback);
    }
}
