//! The sources that are asked for the public address when the file names none.
//!
//! Echoes rot: the list is a default, and `[[address.source]]` replaces it. Pages of one operator are one vote, and so
//! are all name servers. Name servers are given by address, so that they can be asked while names do not resolve.

use std::net::SocketAddr;
use std::time::Duration;

use super::file::address::Region;
use crate::address::settings::{DnsEcho, EchoForm, Gateway};
use crate::address::{Asked, Family, SourceSettings};

/// Operator, page, the family that it can be reached over (None: both), key of the line in a `key=value` body.
type Page = (&'static str, &'static str, Option<Family>, Option<&'static str>);

const FOUR: Option<Family> = Some(Family::Ipv4);
const SIX: Option<Family> = Some(Family::Ipv6);

/// icanhazip.com is run by Cloudflare, so its pages and this one share a vote.
const CLOUDFLARE: Page = ("cloudflare", "https://www.cloudflare.com/cdn-cgi/trace", None, Some("ip"));
const IDENT_ME_4: Page = ("ident.me", "https://v4.ident.me", FOUR, None);
const IDENT_ME_6: Page = ("ident.me", "https://v6.ident.me", SIX, None);

const WORLD: &[Page] = &[
    ("ipify", "https://api.ipify.org", FOUR, None),
    ("ipify", "https://api6.ipify.org", SIX, None),
    IDENT_ME_4,
    IDENT_ME_6,
    ("desec", "https://checkipv4.dedyn.io", FOUR, None),
    ("desec", "https://checkipv6.dedyn.io", SIX, None),
    ("cloudflare", "https://ipv4.icanhazip.com", FOUR, None),
    ("cloudflare", "https://ipv6.icanhazip.com", SIX, None),
    CLOUDFLARE,
];

/// Pages in mainland China, and two elsewhere that usually get through.
const CHINA: &[Page] = &[
    ("ipw.cn", "https://4.ipw.cn", FOUR, None),
    ("ipw.cn", "https://6.ipw.cn", SIX, None),
    ("ddnsip.cn", "https://ipv4.ddnsip.cn", FOUR, None),
    ("ddnsip.cn", "https://ipv6.ddnsip.cn", SIX, None),
    IDENT_ME_4,
    IDENT_ME_6,
    CLOUDFLARE,
];

/// pubyun's page, which blocks whoever asks more than once a minute.
const PUBYUN: (Page, Duration) = (("pubyun", "http://ip.3322.net/", FOUR, None), Duration::from_secs(2 * 60));

/// Name, servers for IPv4 and IPv6, form.
const DNS: [(&str, [&str; 2], EchoForm); 3] = [
    ("myip.opendns.com", ["208.67.222.222:53", "[2620:119:35::35]:53"], EchoForm::Address),
    ("whoami.cloudflare", ["1.1.1.1:53", "[2606:4700:4700::1111]:53"], EchoForm::ChaosText),
    ("o-o.myaddr.l.google.com", ["216.239.32.10:53", "[2001:4860:4802:32::a]:53"], EchoForm::Text),
];

/// STUN servers by host and port.
const WORLD_STUN: &[(&str, u16)] = &[("stun.cloudflare.com", 3478), ("stun.l.google.com", 19302)];
const CHINA_STUN: &[(&str, u16)] = &[("stun.miwifi.com", 3478), ("stun.chat.bilibili.com", 3478)];

/// The interfaces, the router, and the echoes of a region. The router is asked by what changes nothing in it: PCP, which
/// has to make a mapping, is for whoever names it.
pub(super) fn default_sources(region: Region, spacing: Duration) -> Vec<SourceSettings> {
    let (pages, stun) = match region {
        Region::World => (WORLD, WORLD_STUN),
        Region::China => (CHINA, CHINA_STUN),
    };
    let own = [Asked::Interface, Asked::Upnp(Gateway::Default), Asked::NatPmp(Gateway::Default)];
    let stun = stun.iter().map(|(host, port)| Asked::Stun { host: (*host).to_owned(), port: *port });
    let all = own.into_iter().chain(pages.iter().map(page)).chain(DNS.iter().map(of_server)).chain(stun);
    let mut sources: Vec<_> = all.map(|asked| SourceSettings { asked, spacing }).collect();
    if region == Region::China {
        let (pubyun, spacing) = PUBYUN;
        sources.push(SourceSettings { asked: page(&pubyun), spacing });
    }
    sources
}

fn page((operator, url, family, key): &Page) -> Asked {
    Asked::Https {
        url: (*url).to_owned(),
        operator: (*operator).to_owned(),
        key: key.map(str::to_owned),
        family: *family,
    }
}

fn of_server((name, servers, form): &(&str, [&str; 2], EchoForm)) -> Asked {
    let server = |server: &&str| server.parse::<SocketAddr>().expect("a constant, which a test reads");
    Asked::Dns(DnsEcho {
        servers: servers.iter().map(server).collect(),
        name: name.parse().expect("a constant, which a test reads"),
        form: *form,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::address::agreement::Class;

    #[test]
    fn each_region_has_every_class_and_operators_enough_to_lose_two() {
        for region in [Region::World, Region::China] {
            let sources = default_sources(region, Duration::from_secs(2));
            for family in Family::ALL {
                let known = sources.iter().filter(|source| source.asked.knows(family));
                let classes: BTreeSet<Class> = known.map(|source| source.asked.class()).collect();
                let operators = classes.iter().filter(|class| matches!(class, Class::Https(_))).count();
                assert!(operators >= 4, "{region:?} {family}");
                let others = [Class::Interface, Class::Dns, Class::Stun];
                assert!(others.iter().all(|class| classes.contains(class)), "{region:?} {family}");
                assert_eq!(classes.contains(&Class::Router), family == Family::Ipv4);
            }
        }
    }

    #[test]
    fn a_name_server_has_one_address_of_each_family() {
        for echo in DNS.iter().map(of_server) {
            let Asked::Dns(echo) = echo else { panic!("{echo:?}") };
            assert!(Family::ALL.iter().all(|family| echo.server(*family).is_some()), "{}", echo.name);
        }
    }

    #[test]
    fn only_the_page_that_is_known_to_block_is_spared_and_pages_have_tls() {
        let sources = default_sources(Region::China, Duration::from_secs(2));
        let spared = sources.iter().filter(|source| source.spacing > Duration::from_secs(60));
        assert_eq!(spared.map(|source| source.asked.describe()).collect::<Vec<_>>(), ["http://ip.3322.net/"]);
        let urls = || WORLD.iter().chain(CHINA).map(|(_, url, ..)| url);
        assert!(urls().count() > 10 && urls().all(|url| url.starts_with("https://")));
    }
}
