//! A home with a real router (miniupnpd), real NAT (nftables) and real servers on its Internet (coturn, Knot).

use std::net::SocketAddr;
use std::time::Duration;

use hearth::address::settings::{DnsEcho, EchoForm, Gateway};
use hearth::address::source::Look;
use hearth::address::{Asked, Family, Verdict};

use super::lab::{Home, Process, SERVER, echo, look_from, page, router, start};
use crate::support::name_server::left_out;
use crate::support::netns::Netns;
use crate::support::wait_until;

/// What everybody said, with the protocol in front.
fn said(look: &Look) -> Vec<String> {
    let one = |seen: &hearth::address::agreement::Observation| match &seen.said {
        Ok(address) => format!("{}: {address}", seen.asked),
        Err(miss) => format!("{}: - {miss}", seen.asked),
    };
    look.observations.iter().map(one).collect()
}

/// Knot with its module whoami, and coturn, both at 9.9.10.10.
fn servers(internet: &Netns, dir: &std::path::Path) -> (Process, Process) {
    let zone = "$ORIGIN who.example.\n@ 1 SOA . . 1 1 1 1 1\n@ 1 NS .\n";
    std::fs::write(dir.join("zone"), zone).unwrap();
    let configuration = format!(
        "server:\n  rundir: \"{dir}\"\n  listen: {SERVER}@53\n  udp-workers: 1\n  tcp-workers: 1\n  \
         background-workers: 1\nlog:\n- target: stderr\n  any: info\ndatabase:\n  storage: \"{dir}\"\n  \
         journal-db-max-size: 16M\n  kasp-db-max-size: 8M\n  timer-db-max-size: 8M\n  catalog-db-max-size: 8M\n\
         template:\n- id: default\n  storage: \"{dir}\"\n\
         zone:\n- domain: who.example\n  file: zone\n  module: mod-whoami\n",
        dir = dir.display()
    );
    std::fs::write(dir.join("knot.conf"), configuration).unwrap();
    internet.enter(|| {
        let knot = start("knotd", &["--config", "knot.conf"], dir);
        let address = SERVER.to_string();
        let words = ["-n", "--stun-only", "--no-tls", "--no-dtls", "--no-cli", "-L", &address, "-p", "3478"];
        let stun = start("turnserver", &[&words[..], &["--log-file", "stdout"]].concat(), dir);
        wait_until("Knot and coturn listen", Duration::from_secs(20), || {
            let taken = |port| std::net::UdpSocket::bind((SERVER, port)).is_err();
            (taken(53) && taken(3478)).then_some(())
        });
        (knot, stun)
    })
}

fn whoami() -> Asked {
    let servers = vec![SocketAddr::from((SERVER, 53))];
    Asked::Dns(DnsEcho { servers, name: "who.example".parse().unwrap(), form: EchoForm::Address })
}

fn stun() -> Asked {
    Asked::Stun { host: SERVER.to_string(), port: 3478 }
}

#[test]
fn the_router_by_each_protocol_and_every_kind_of_echo_tell_the_same_address() {
    let Some(home) = Home::with_public_address() else { return };
    let dir = tempfile::tempdir().unwrap();
    let _servers = servers(&home.internet, dir.path());
    let url = echo(&home.internet, (SERVER, 80).into());
    let mut sources = router();
    sources.extend([page(&url), whoami(), stun()]);
    let look = home.look(sources);
    let expected = [
        "UPnP: 84.1.2.3",
        "NAT-PMP: 84.1.2.3",
        "PCP: 84.1.2.3",
        "http://9.9.10.10:80/: 84.1.2.3",
        "who.example A/AAAA: 84.1.2.3",
        "stun:9.9.10.10:3478: 84.1.2.3",
    ];
    assert_eq!(said(&look), expected);
    let judged = &look.judged[&Family::Ipv4];
    assert_eq!(judged.agreed, Some([84, 1, 2, 3].into()), "{}", judged.why);
    assert_eq!(judged.verdict, Verdict::NatPublic, "{}", judged.why);
}

#[test]
fn the_mapping_that_pcp_needs_is_taken_back() {
    let Some(home) = Home::with_public_address() else { return };
    let look = home.look(vec![Asked::Pcp(Gateway::Default)]);
    assert_eq!(said(&look), ["PCP: 84.1.2.3"]);
    let log = home.log();
    let (made, ended) = (log.find("PCP MAP: added mapping"), log.find("mapping removed"));
    assert!(made.is_some() && made < ended, "{log}");
    assert!(!home.router.output("nft", "list ruleset").contains("dnat"), "{log}");
}

#[test]
fn behind_a_carrier_the_router_gives_it_away() {
    for inner in ["100.64.0", "192.168.200"] {
        let Some(home) = Home::behind_a_carrier(inner) else { return };
        let url = echo(&home.internet, (SERVER, 80).into());
        let mut sources = router();
        sources.push(page(&url));
        let look = home.look(sources);
        let judged = &look.judged[&Family::Ipv4];
        assert!(judged.why.contains("lab says 84.1.2.3"), "{inner}: {}", judged.why);
        assert!(judged.why.contains("another one is in front of it"), "{inner}: {}", judged.why);
        assert_eq!((judged.agreed, judged.verdict), (None, Verdict::Cgnat), "{inner}: {}", judged.why);
    }
}

/// A machine with an address of its own, cabled to the Internet. None: left out.
fn pi_on_the_net() -> Option<(Netns, Netns)> {
    if left_out("network") {
        return None;
    }
    let (pi, internet) = (Netns::new("pi")?, Netns::new("net")?);
    pi.cable("eth0", &internet, "net0");
    internet.ip("addr add 2a02:8071:1::1/64 dev net0 nodad");
    internet.ip("addr add 2a02:99::1/128 dev lo nodad");
    Some((pi, internet))
}

#[test]
fn a_temporary_address_is_neither_published_nor_shown_to_an_echo_although_the_kernel_prefers_it() {
    let Some((pi, internet)) = pi_on_the_net() else { return };
    pi.run("sysctl", "-qw net.ipv6.conf.eth0.use_tempaddr=2");
    pi.ip("addr add 2a02:8071:1::7/64 dev eth0 mngtmpaddr preferred_lft 6000 valid_lft 9000");
    pi.ip("route add default via 2a02:8071:1::1");
    wait_until("a temporary address beside the stable one", Duration::from_secs(10), || {
        let shown = pi.enter(|| std::fs::read_to_string("/proc/thread-self/net/if_inet6").unwrap());
        let flags: Vec<u8> = shown
            .lines()
            .filter(|line| line.starts_with("2a02"))
            .map(|line| u8::from_str_radix(line.split_ascii_whitespace().nth(4).unwrap(), 16).unwrap())
            .collect();
        let temporary = flags.iter().any(|flags| flags & 0x01 != 0);
        (flags.len() == 2 && temporary && flags.iter().all(|flags| flags & 0x40 == 0)).then_some(())
    });
    let url = echo(&internet, "[2a02:99::1]:80".parse().unwrap());
    let preferred = pi.enter(|| {
        let stream = std::net::TcpStream::connect("[2a02:99::1]:80").unwrap();
        stream.local_addr().unwrap().ip()
    });
    let stable: std::net::IpAddr = "2a02:8071:1::7".parse().unwrap();
    assert_ne!(preferred, stable, "the kernel leaves from the temporary one by itself");
    let look = pi.enter(|| look_from(vec![Asked::Interface, page(&url)], Family::Ipv6));
    assert_eq!(look.held, [stable]);
    let judged = &look.judged[&Family::Ipv6];
    assert_eq!((judged.agreed, judged.verdict), (Some(stable), Verdict::Public), "{}", judged.why);
}

#[test]
fn of_two_addresses_that_last_the_one_that_lasts_longer_is_taken_and_a_deprecated_one_never() {
    let Some((pi, internet)) = pi_on_the_net() else { return };
    internet.ip("addr add 2a02:8071:2::1/64 dev net0 nodad");
    pi.ip("addr add 2a02:8071:1::7/64 dev eth0 nodad preferred_lft 600 valid_lft 9000");
    pi.ip("addr add 2a02:8071:1::8/64 dev eth0 nodad preferred_lft 6000 valid_lft 9000");
    pi.ip("route add default via 2a02:8071:1::1");
    let url = echo(&internet, "[2a02:99::1]:80".parse().unwrap());
    let look = || pi.enter(|| look_from(vec![Asked::Interface, page(&url)], Family::Ipv6));
    let agreed = |look: Look| look.judged[&Family::Ipv6].agreed.map(|agreed| agreed.to_string());
    assert_eq!(agreed(look()).as_deref(), Some("2a02:8071:1::8"));
    pi.ip("addr change 2a02:8071:1::8/64 dev eth0 preferred_lft 0 valid_lft 9000");
    assert_eq!(agreed(look()).as_deref(), Some("2a02:8071:1::7"));
}
