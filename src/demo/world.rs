//! Everything outside the three processes: the name server, the stand-in for GitHub Pages, the address echoes and the
//! two routers, each on its own loopback address.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use hickory_proto::rr::rdata::A;
use hickory_proto::rr::rdata::tsig::TsigAlgorithm;
use hickory_proto::rr::{Name, RData, TSigner};
use rustls::ServerConfig;
use tokio::net::TcpListener;

use super::authority::Authority;
use super::config::{Https, Keys, PiPlaces, Places, RoleKeys};
use super::http::Serving;
use super::pages::Pages;
use super::router::Router;
use super::zone::Zone;
use super::zone::serve::{Key, ZoneServer};
use super::zone::update::Rights;
use super::{PAGES, PAGES_ADDRESS, Pi, SITE, WATCHER_ADDRESS, ZONE, echo, port};
use crate::tls::certificate::Certificate;
use crate::tls::server;
use crate::tls::shelf::Shelf;

/// How far clocks may be apart, in seconds (RFC 8945 section 10).
const FUDGE: u16 = 300;

/// Where visitors come in: both Pis, and the stand-in for GitHub Pages.
const FRONTS: [Ipv4Addr; 3] = [Pi::One.public(), Pi::Two.public(), PAGES_ADDRESS];

/// The running surroundings. Dropping them closes every socket.
pub struct World {
    /// Where everything is.
    pub places: Places,
    /// The name server.
    pub zone: ZoneServer,
    /// The stand-in for GitHub Pages.
    pub pages: Pages,
    /// The routers of `pi1` and `pi2`.
    pub routers: [Router; 2],
    _echoes: [Serving; 2],
}

impl World {
    /// Starts everything that is not a process of its own.
    ///
    /// # Errors
    /// When an address or port cannot be had.
    pub async fn start(directory: &Path, keys: &Keys) -> io::Result<Self> {
        let zone = ZoneServer::start(first_zone(), update_keys(keys)?, absolute(SITE)).await?;
        let [front_one, front_two, front_pages] = port::same(FRONTS).await?;
        let site_port = front_pages.local_addr()?.port();
        let echoes = [listen(Ipv4Addr::LOCALHOST).await?, listen(Ipv4Addr::LOCALHOST).await?];
        let echo_places = [echoes[0].local_addr()?, echoes[1].local_addr()?];
        let watcher = port::for_child(WATCHER_ADDRESS).await?;
        let (mut router_one, one) = home(Pi::One, front_one, echo_places, watcher).await?;
        let (mut router_two, two) = home(Pi::Two, front_two, echo_places, watcher).await?;
        let mut pages = Pages::start(front_pages);
        let https = match &keys.authority {
            Some(authority) => Some(https(authority, [&mut router_one, &mut router_two], &mut pages).await?),
            None => None,
        };
        let places = Places {
            directory: directory.to_owned(),
            site_port,
            https,
            name_server: zone.address(),
            watcher,
            references: vec![zone.address(), echo_places[0], echo_places[1]],
            pis: [one, two],
        };
        let routers = [router_one, router_two];
        Ok(Self { places, zone, pages, routers, _echoes: echoes.map(echo::start) })
    }

    /// The router of one Pi.
    #[must_use]
    pub fn router(&self, pi: Pi) -> &Router {
        &self.routers[pi as usize]
    }
}

/// A way in by HTTPS to both Pis and to the stand-in for GitHub Pages.
async fn https(authority: &Authority, routers: [&mut Router; 2], pages: &mut Pages) -> io::Result<Https> {
    let [front_one, front_two, front_pages] = port::same(FRONTS).await?;
    let port = front_pages.local_addr()?.port();
    let listen = [port::for_child(Pi::One.private()).await?, port::for_child(Pi::Two.private()).await?];
    for ((router, front), inside) in routers.into_iter().zip([front_one, front_two]).zip(listen) {
        router.inwards(front, inside);
    }
    pages.add_https(front_pages, server_config(authority)?);
    Ok(Https { port, listen, root: authority.root() })
}

fn server_config(authority: &Authority) -> io::Result<Arc<ServerConfig>> {
    let issued = authority.issue(SITE)?;
    let certificate = Certificate::read(issued.chain.as_bytes(), issued.key.expose().as_bytes());
    let shelf = Shelf::default();
    shelf.put(0, certificate.map_err(io::Error::other)?);
    server::config(Arc::new(shelf), vec![0], &[b"http/1.1"]).map_err(io::Error::other)
}

/// One home: a router, and behind it the places that the Pi uses.
async fn home(
    pi: Pi,
    front: TcpListener,
    echoes: [SocketAddr; 2],
    watcher: SocketAddr,
) -> io::Result<(Router, PiPlaces)> {
    let mut router = Router::new(pi.public());
    let inside = port::for_child(pi.private()).await?;
    router.inwards(front, inside);
    let mut way = async |to| {
        let gate = listen(pi.private()).await?;
        let at = gate.local_addr()?;
        router.outwards(gate, to);
        io::Result::Ok(at)
    };
    let echoes = [way(echoes[0]).await?, way(echoes[1]).await?];
    let watcher = way(watcher).await?;
    Ok((router, PiPlaces { listen: inside, echoes, watcher }))
}

async fn listen(address: Ipv4Addr) -> io::Result<TcpListener> {
    TcpListener::bind((address, 0)).await
}

fn absolute(name: &str) -> Name {
    Name::from_ascii(format!("{name}.")).expect("the names of the demo are valid")
}

/// The zone before anybody has written to it: the names that belong to nobody in the demo.
fn first_zone() -> Zone {
    let mut zone = Zone::new(absolute(ZONE));
    zone.put(&absolute(&format!("ns.{ZONE}")), 60, RData::A(A(Ipv4Addr::LOCALHOST)));
    zone.put(&absolute(PAGES), 60, RData::A(A(PAGES_ADDRESS)));
    zone
}

/// Each Pi writes its own name, the watcher that of the site; nobody writes another's.
fn update_keys(keys: &Keys) -> io::Result<Vec<Key>> {
    let mut all = vec![update_key("watcher", &keys.watcher, SITE)?];
    for pi in Pi::BOTH {
        all.push(update_key(pi.name(), keys.of(pi), &format!("{}.{ZONE}", pi.name()))?);
    }
    Ok(all)
}

fn update_key(role: &str, keys: &RoleKeys, writes: &str) -> io::Result<Key> {
    let secret = keys.tsig.expose().to_vec();
    let signer =
        TSigner::new(secret, TsigAlgorithm::HmacSha256, absolute(role), FUDGE).map_err(io::Error::other)?;
    Ok(Key { signer, rights: Rights::to([absolute(writes)]) })
}
