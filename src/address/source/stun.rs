//! One question to a STUN server (RFC 8489): from which address do you see me?
//!
//! Never keeps a binding open, and never speaks TURN.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::lookup_host;

use super::udp;
use crate::address::Family;
use crate::address::agreement::Miss;
use crate::address::wire::stun::{Reply, reply, request};
use crate::host::random;

/// Retransmissions as section 6.2.1 says: after 500 ms, doubled each time. Its 39.5 s in all are cut to what a round has.
const WAITS: [Duration; 4] =
    [Duration::from_millis(500), Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(2)];

/// Asks the server `host` at `port` about `family`, from `local`.
///
/// # Errors
/// How it missed.
pub async fn ask(host: &str, port: u16, family: Family, local: IpAddr) -> Result<IpAddr, Miss> {
    let server = resolve(host, port, family).await?;
    let socket = udp::connected(local, server).await?;
    let id = random::bytes();
    match udp::exchange(&socket, &request(id), &WAITS, |packet| reply(packet, id)).await? {
        Reply::Mapped(address) if Family::of(address) == family => Ok(address),
        Reply::Mapped(address) => {
            Err(Miss::Malformed(format!("answered {address} to a question about {family}")))
        }
        Reply::Useless(why) => Err(Miss::Malformed(why)),
    }
}

async fn resolve(host: &str, port: u16, family: Family) -> Result<SocketAddr, Miss> {
    let mut found =
        lookup_host((host, port)).await.map_err(|error| Miss::Silent(format!("{host}: {error}")))?;
    found
        .find(|server| Family::of(server.ip()) == family)
        .ok_or_else(|| Miss::Silent(format!("{host} has no {family} address")))
}
