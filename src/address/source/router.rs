//! One question to the router: which address do you hold towards the Internet? By NAT-PMP, PCP or UPnP.
//!
//! A router that holds none, or none that is public, answers with zeros; what that means depends on who else answers.
//! Never asks anybody but the router: not whom it points to, not one that has a public address (in a data centre that
//! would be somebody else's).

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, StatusCode};
use tokio::net::UdpSocket;
use tokio::time::timeout;

use super::{https, interface, udp};
use crate::address::admissible::admissible;
use crate::address::agreement::Miss;
use crate::address::settings::Gateway;
use crate::address::wire::igd::{self, Service};
use crate::address::wire::ssdp::{self, Place};
use crate::address::wire::{nat_pmp, pcp};
use crate::host::random;

/// The port of NAT-PMP and PCP (RFC 6886 section 3.1, RFC 6887 section 19).
const PORT: u16 = 5351;

/// NAT-PMP repeats after 250 ms and doubles (RFC 6886 section 3.1); its 64 s in all are cut to what a round has.
const NAT_PMP_WAITS: [Duration; 4] =
    [Duration::from_millis(250), Duration::from_millis(500), Duration::from_secs(1), Duration::from_secs(2)];

/// PCP repeats after three seconds (RFC 6887 section 8.1.1).
const PCP_WAITS: [Duration; 2] = [Duration::from_secs(3), Duration::from_secs(2)];

/// How long the end of a mapping may take; unheard, it ends by itself after two minutes.
const FAREWELL: [Duration; 1] = [Duration::from_millis(500)];

/// How long one search may take; devices spread their answers over a second (`MX: 1`).
const SEARCH: Duration = Duration::from_millis(1_500);

/// A search is repeated once: UDP (UPnP Device Architecture 1.1, section 1.3.2).
const SEARCHES: usize = 2;

/// The longest description and the longest answer that are read, in bytes.
const LONGEST_DESCRIPTION: usize = 64 * 1024;
const LONGEST_ANSWER: usize = 16 * 1024;

/// The router that is asked now.
///
/// # Errors
/// When there is none, or none at home.
pub fn router(gateway: Gateway) -> Result<Ipv4Addr, Miss> {
    let router = match gateway {
        Gateway::Given(router) => return Ok(router),
        Gateway::Default => interface::default_router(),
    };
    match router {
        None => Err(Miss::Silent("there is no default route".to_owned())),
        Some(router) if admissible(router.into(), &[]).is_ok() => {
            Err(Miss::Silent(format!("the default route leads to {router}, which is no router at home")))
        }
        Some(router) => Ok(router),
    }
}

/// Asks by NAT-PMP, from `local`.
///
/// # Errors
/// How it missed.
pub async fn ask_nat_pmp(gateway: Gateway, local: IpAddr) -> Result<IpAddr, Miss> {
    let socket = udp::connected(local, SocketAddr::from((router(gateway)?, PORT))).await?;
    let answer = udp::exchange(&socket, &nat_pmp::REQUEST, &NAT_PMP_WAITS, nat_pmp::reply).await?;
    answer.map(|external| external.address.into()).map_err(Miss::Silent)
}

/// Asks by PCP, from `local`: maps the port that it asks from, and takes the mapping back.
///
/// # Errors
/// How it missed.
pub async fn ask_pcp(gateway: Gateway, local: IpAddr) -> Result<IpAddr, Miss> {
    let socket = udp::connected(local, SocketAddr::from((router(gateway)?, PORT))).await?;
    let mapping = mapping(&socket)?;
    let request = pcp::request(&mapping, pcp::SHORTEST);
    let answer = udp::exchange(&socket, &request, &PCP_WAITS, |packet| pcp::reply(packet, &mapping)).await?;
    if answer.is_ok() {
        let end = pcp::request(&mapping, 0);
        // The answer says nothing that we need; what counts is that it was sent.
        let _ = udp::exchange(&socket, &end, &FAREWELL, |packet| packet.get(1).map(|_| ())).await;
    }
    answer.map_err(Miss::Silent)
}

fn mapping(socket: &UdpSocket) -> Result<pcp::Mapping, Miss> {
    match socket.local_addr() {
        Ok(SocketAddr::V4(own)) => {
            Ok(pcp::Mapping { client: *own.ip(), port: own.port(), nonce: random::bytes() })
        }
        Ok(SocketAddr::V6(_)) => Err(Miss::Silent("asks IPv4 routers only".to_owned())),
        Err(error) => Err(Miss::Silent(error.to_string())),
    }
}

/// Asks by UPnP, from `local`: searches the router, reads its description and asks its services.
///
/// # Errors
/// How it missed.
pub async fn ask_upnp(gateway: Gateway, client: &Client, local: IpAddr) -> Result<IpAddr, Miss> {
    let place = search(router(gateway)?, local).await?;
    let (status, description) = https::fetch(client.get(place.to_string()), LONGEST_DESCRIPTION).await?;
    if status != StatusCode::OK {
        return Err(Miss::Malformed(format!("answered {status} where its description should be")));
    }
    let mut said = Err(Miss::Silent("has no service".to_owned()));
    // One of its ways out may not be in use.
    for service in igd::services(&description, &place).map_err(Miss::Malformed)? {
        said = ask_service(client, &service).await;
        if said.as_ref().is_ok_and(|address| !address.is_unspecified()) {
            break;
        }
    }
    said
}

/// Searches by multicast, as the standard has it, and at the router itself, where multicast does not get through.
async fn search(router: Ipv4Addr, local: IpAddr) -> Result<Place, Miss> {
    let silent = |error: std::io::Error| Miss::Silent(error.to_string());
    let socket = UdpSocket::bind((local, 0)).await.map_err(silent)?;
    socket.set_multicast_ttl_v4(2).map_err(silent)?;
    let question = ssdp::search();
    for _ in 0..SEARCHES {
        let sent = socket.send_to(question.as_bytes(), (router, ssdp::PORT)).await;
        let group = socket.send_to(question.as_bytes(), ssdp::GROUP).await;
        sent.or(group).map_err(silent)?;
        if let Ok(place) = timeout(SEARCH, first_location(&socket, router)).await {
            return place;
        }
    }
    Err(Miss::Silent("no answer to the search: UPnP is switched off in the router".to_owned()))
}

/// The first answer from the router itself that says where its description is.
async fn first_location(socket: &UdpSocket, router: Ipv4Addr) -> Result<Place, Miss> {
    let mut packet = [0; 2048];
    loop {
        let Ok((length, SocketAddr::V4(from))) = socket.recv_from(&mut packet).await else {
            return Err(Miss::Silent("no answer to the search".to_owned()));
        };
        if let Some(place) = ssdp::location(&packet[..length], router).filter(|_| *from.ip() == router) {
            return Ok(place);
        }
    }
}

async fn ask_service(client: &Client, service: &Service) -> Result<IpAddr, Miss> {
    let request = client
        .post(service.control.to_string())
        .header(CONTENT_TYPE, "text/xml; charset=\"utf-8\"")
        .header("SOAPAction", service.action())
        .body(service.question());
    let (status, body) = https::fetch(request, LONGEST_ANSWER).await?;
    // A refusal comes as 500 with its reason in the body (UPnP Device Architecture 1.1, section 3.2.2).
    if status != StatusCode::OK && status != StatusCode::INTERNAL_SERVER_ERROR {
        return Err(Miss::Malformed(format!("answered {status}")));
    }
    igd::answer(&body).map(IpAddr::V4).map_err(Miss::Malformed)
}
