//! A Pi at home, its router, and the Internet, each in a network namespace of its own, with real servers.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use hearth::address::settings::{AddressSettings, Gateway};
use hearth::address::source::{Look, Watch};
use hearth::address::{Asked, Family, SourceSettings};
use hearth::moment::Moment;

use crate::support::name_server::{find, left_out};
use crate::support::netns::Netns;
use crate::support::wait_until;

/// Where everything on the Internet listens.
pub(super) const SERVER: Ipv4Addr = Ipv4Addr::new(9, 9, 10, 10);

/// What miniupnpd keeps its mappings in (its nft_init.sh).
const CHAINS: &str = "table inet filter {
    chain forward { type filter hook forward priority 0; policy accept; jump miniupnpd; }
    chain miniupnpd { }
    chain prerouting { type nat hook prerouting priority -100; policy accept; jump prerouting_miniupnpd; }
    chain postrouting { type nat hook postrouting priority 110; policy accept; jump postrouting_miniupnpd; }
    chain prerouting_miniupnpd { }
    chain postrouting_miniupnpd { }
}";

/// A process that ends with this value.
pub(super) struct Process(Child);

impl Process {
    pub(super) fn of(child: Child) -> Self {
        Self(child)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a program where the calling thread lives.
#[track_caller]
pub(super) fn start(program: &str, words: &[&str], dir: &Path) -> Process {
    let path = find(program);
    let path = path.unwrap_or_else(|| panic!("{program} is not installed: run tests/run, which installs it"));
    let log = std::fs::File::create(dir.join(format!("{program}.log"))).unwrap();
    let mut command = Command::new(path);
    command.args(words).current_dir(dir).stdin(Stdio::null());
    Process(command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap())
}

/// A Pi behind a router that speaks UPnP, NAT-PMP and PCP (miniupnpd) and hides it (nftables).
pub(super) struct Home {
    pub(super) pi: Netns,
    pub(super) router: Netns,
    /// The carrier's own router, which hides the home's; not everybody has one.
    _carrier: Option<Netns>,
    pub(super) internet: Netns,
    _daemon: Process,
    dir: tempfile::TempDir,
}

impl Home {
    /// A router that holds 84.1.2.3. None: left out.
    pub(super) fn with_public_address() -> Option<Self> {
        if left_out("router") {
            return None;
        }
        let (router, internet) = (Netns::new("router")?, Netns::new("net")?);
        router.cable("wan0", &internet, "net0");
        router.ip("addr add 84.1.2.3/24 dev wan0");
        router.ip("route add default via 84.1.2.1");
        internet.ip("addr add 84.1.2.1/24 dev net0");
        Self::behind(router, None, internet)
    }

    /// A router that holds an address which the carrier shares, who holds 84.1.2.3. None: left out.
    pub(super) fn behind_a_carrier(inner: &str) -> Option<Self> {
        if left_out("router") {
            return None;
        }
        let (router, carrier, internet) = (Netns::new("router")?, Netns::new("isp")?, Netns::new("net")?);
        router.cable("wan0", &carrier, "in0");
        carrier.cable("out0", &internet, "net0");
        router.ip(&format!("addr add {inner}.2/24 dev wan0"));
        router.ip(&format!("route add default via {inner}.1"));
        carrier.ip(&format!("addr add {inner}.1/24 dev in0"));
        carrier.ip("addr add 84.1.2.3/24 dev out0");
        carrier.ip("route add default via 84.1.2.1");
        carrier.hide_behind("out0");
        internet.ip("addr add 84.1.2.1/24 dev net0");
        Self::behind(router, Some(carrier), internet)
    }

    fn behind(router: Netns, carrier: Option<Netns>, internet: Netns) -> Option<Self> {
        let pi = Netns::new("pi")?;
        router.cable("lan0", &pi, "eth0");
        router.ip("addr add 192.168.7.1/24 dev lan0");
        pi.ip("addr add 192.168.7.2/24 dev eth0");
        pi.ip("route add default via 192.168.7.1");
        router.hide_behind("wan0");
        internet.ip(&format!("addr add {SERVER}/32 dev lo"));
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("chains"), CHAINS).unwrap();
        router.run("nft", &format!("-f {}", dir.path().join("chains").display()));
        let daemon = router.enter(|| miniupnpd(dir.path()));
        Some(Self { pi, router, _carrier: carrier, internet, _daemon: daemon, dir })
    }

    /// What the router's daemon has logged.
    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("miniupnpd.log")).unwrap()
    }

    /// Asks these sources once, from the Pi.
    pub(super) fn look(&self, sources: Vec<Asked>) -> Look {
        self.pi.enter(|| look(sources))
    }
}

#[track_caller]
fn miniupnpd(dir: &Path) -> Process {
    let configuration = "ext_ifname=wan0\nlistening_ip=lan0\nhttp_port=5000\nenable_natpmp=yes\nenable_upnp=yes\n\
                         uuid=11111111-2222-3333-4444-555555555555\nallow 1024-65535 0.0.0.0/0 1024-65535\n";
    std::fs::write(dir.join("conf"), configuration).unwrap();
    let daemon = start("miniupnpd", &["-d", "-f", "conf", "-P", "pid"], dir);
    wait_until("miniupnpd listens", Duration::from_secs(10), || {
        let log = std::fs::read_to_string(dir.join("miniupnpd.log")).unwrap_or_default();
        log.contains("traffic on port 5351").then_some(())
    });
    daemon
}

/// A page on the Internet that answers with the address it was asked from; its thread ends with the process.
pub(super) fn echo(internet: &Netns, at: SocketAddr) -> String {
    let listener = internet.enter(|| TcpListener::bind(at).unwrap());
    let at = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        while let Ok((mut stream, peer)) = listener.accept() {
            let _ = stream.read(&mut [0; 2048]);
            let body = peer.ip().to_string();
            let length = body.len();
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            );
        }
    });
    format!("http://{at}/")
}

pub(super) fn page(url: &str) -> Asked {
    Asked::Https { url: url.to_owned(), operator: "lab".to_owned(), key: None, family: None }
}

/// The router by each protocol.
pub(super) fn router() -> Vec<Asked> {
    vec![Asked::Upnp(Gateway::Default), Asked::NatPmp(Gateway::Default), Asked::Pcp(Gateway::Default)]
}

/// One round about IPv4 from where the calling thread lives.
pub(super) fn look(sources: Vec<Asked>) -> Look {
    look_from(sources, Family::Ipv4)
}

pub(super) fn look_from(sources: Vec<Asked>, family: Family) -> Look {
    let sources =
        sources.into_iter().map(|asked| SourceSettings { asked, spacing: Duration::ZERO }).collect();
    let every = Duration::from_secs(300);
    let settings = AddressSettings { families: vec![family], sources, bind: None, admit: Vec::new(), every };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { Watch::new(settings).round(Moment::START).await })
}
