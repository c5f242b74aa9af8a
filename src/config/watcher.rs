//! What the tables of a watcher mean: `[watcher]`, `[[watch]]` and `[[peer]]`.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;

use toml::Spanned;

use super::endpoint::default_port;
use super::error::did_you_mean;
use super::fallback::fallback;
use super::file::watcher::{Peer, STATE, Watch, Watcher};
use super::lines::lines;
use super::listen::listen;
use super::notify;
use super::policy::policy;
use super::provider::{Providers, aliases, check_reference, warn_low_ttl};
use super::reading::Reading;
use super::secret::SecretSource;
use super::tls::{roots, watcher_tls};
use super::value::At;
use super::{PageAccess, PeerRole, PeerSettings, WatchSettings, WatcherConfig};
use crate::dns::provider::Aliases;
use crate::dns::{Owner, Ttl};
use crate::failover::Shape;
use crate::heartbeat::NodeName;
use crate::probe::{PageCheck, Scheme};
use crate::secret::Secret;

/// What they mean; None when that was reported.
pub(super) fn watcher(
    reading: &mut Reading<'_>,
    written: Spanned<Watcher>,
    watch: Vec<Spanned<Watch>>,
    peer: Vec<Spanned<Peer>>,
    providers: &Providers,
) -> Option<WatcherConfig> {
    warn_without_references(reading, &written);
    let written = written.into_inner();
    let of_witness = [
        ("decider", written.decider.as_ref().map(Spanned::span)),
        ("every", written.every.as_ref().map(|at| at.span.clone())),
    ];
    for (key, span) in of_witness {
        if let Some(span) = span {
            let message = format!("`{key}` is for a watcher that only bears witness, and this one decides");
            reading.error(&span, message, "add mode = \"witness\", or remove it");
        }
    }
    let key = reading.signing_key("watcher.key", written.key);
    let page = page(reading, written.page.as_ref(), written.token.is_some());
    let token = token(reading, written.token);
    let notify = notify::ways(reading, written.notify);
    let ping = notify::ping(reading, written.ping);
    let peers = peers(reading, peer, written.name.as_ref());
    let watches = watches(reading, watch, &peers, providers);
    let tls = written.tls.and_then(|tls| watcher_tls(reading, tls, providers));
    let roots = written.ca.and_then(|ca| roots(reading, &ca)).unwrap_or_default();
    let references = written.references.into_iter().map(|at| at.value.0).collect();
    Some(WatcherConfig {
        name: Owner::new(written.name.as_ref().map_or("watcher", |at| at.value.as_str())),
        listen: listen(reading, written.listen, 8443),
        tls,
        state: reading.path(written.state.as_deref().unwrap_or(Path::new(STATE))),
        control: reading.path(written.control.as_deref().unwrap_or(Path::new("/run/hearth/watcher.sock"))),
        key: key?,
        roots,
        references,
        watches,
        peers,
        providers: providers.clone(),
        page,
        token: token?,
        notify,
        ping: ping?,
    })
}

fn page(reading: &mut Reading<'_>, written: Option<&Spanned<PageAccess>>, has_token: bool) -> PageAccess {
    let Some(written) = written else { return PageAccess::default() };
    if *written.get_ref() == PageAccess::Token && !has_token {
        let hint = "add token = { file = \"…\" }, with a long word that nobody guesses in that file";
        reading.error(&written.span(), "the page needs a token, and there is none", hint);
    }
    *written.get_ref()
}

/// What is shorter than this can be tried out, in characters.
const SHORTEST_TOKEN: usize = 16;

/// The outer None: reported.
fn token(
    reading: &mut Reading<'_>,
    written: Option<Spanned<SecretSource>>,
) -> Option<Option<Secret<String>>> {
    let Some(source) = written else { return Some(None) };
    let span = source.span();
    let token = reading.secret("watcher.token", source)?;
    let length = |token: &Secret<String>| token.expose().chars().count();
    if token.as_ref().is_some_and(|token| length(token) < SHORTEST_TOKEN) {
        let message =
            format!("the token is shorter than {SHORTEST_TOKEN} characters, which can be tried out");
        reading.error(&span, message, "make one with: openssl rand -hex 24");
    }
    Some(token)
}

/// Reports the tables that are there although `[watcher]` is not.
pub(super) fn report_homeless(reading: &mut Reading<'_>, watch: &[Spanned<Watch>], peer: &[Spanned<Peer>]) {
    let tables =
        [("[[watch]]", watch.first().map(Spanned::span)), ("[[peer]]", peer.first().map(Spanned::span))];
    for (table, span) in tables {
        if let Some(span) = span {
            let message = format!("{table} belongs to a watcher, and there is no [watcher]");
            reading.error(&span, message, "add [watcher] with `key`");
        }
    }
}

fn warn_without_references(reading: &mut Reading<'_>, written: &Spanned<Watcher>) {
    if written.get_ref().references.is_empty() {
        let message = "without `references` the watcher cannot tell a dead site from its own dead line";
        let hint =
            "name two or three things that are always up: references = [\"https://…\", \"192.0.2.1:443\"]";
        reading.warn(&written.span(), message, hint);
    }
}

fn peers(
    reading: &mut Reading<'_>,
    written: Vec<Spanned<Peer>>,
    watcher: Option<&At<NodeName>>,
) -> Vec<PeerSettings> {
    let written: Vec<Peer> = written.into_iter().map(Spanned::into_inner).collect();
    reading.unique("the peer", written.iter().map(|p| (&p.name.value, p.name.span.clone())));
    let keys: Vec<_> = written.iter().map(|p| (p.public_key.value.to_string(), &p.public_key.span)).collect();
    reading.unique("the public key", keys.iter().map(|(key, span)| (key, (*span).clone())));
    let own_name = watcher.map_or("watcher", |at| at.value.as_str());
    for peer in written.iter().filter(|peer| peer.name.value.as_str() == own_name) {
        let message = format!("a peer is called `{own_name}`, and so is this watcher");
        reading.error(
            &peer.name.span,
            message,
            "records are marked with these names; give [watcher] another `name`",
        );
    }
    let settings = |peer: Peer| PeerSettings {
        name: peer.name.value,
        role: peer.role.unwrap_or_default(),
        key: peer.public_key.value,
        host: peer.host.map(|at| at.value),
    };
    written.into_iter().map(settings).collect()
}

fn watches(
    reading: &mut Reading<'_>,
    written: Vec<Spanned<Watch>>,
    peers: &[PeerSettings],
    providers: &Providers,
) -> Vec<WatchSettings> {
    reading
        .unique("the site", written.iter().map(|w| (&w.get_ref().site.value, w.get_ref().site.span.clone())));
    let peers: BTreeMap<_, _> = peers.iter().map(|peer| (&peer.name, peer)).collect();
    let one = |written: Spanned<Watch>| watch(reading, written.into_inner(), &peers, providers);
    written.into_iter().filter_map(one).collect()
}

fn watch(
    reading: &mut Reading<'_>,
    written: Watch,
    peers: &BTreeMap<&NodeName, &PeerSettings>,
    providers: &Providers,
) -> Option<WatchSettings> {
    check_reference(reading, &written.provider, &written.site, providers);
    check_nodes(reading, &written, peers);
    check_own_names(reading, &written, peers);
    let lines = lines(reading, written.lines.as_ref(), &written.provider, providers);
    let (ttl, place) =
        written.ttl.as_ref().map_or((Ttl::from_secs(60), None), |at| (at.value, Some(&at.span)));
    warn_low_ttl(reading, &written.provider, providers, &written.site.value, (ttl, place));
    let shape = written.record.as_ref().map_or(Shape::default(), |shape| *shape.get_ref());
    match shape {
        Shape::Address => {}
        Shape::Cname => check_cname(reading, &written, peers, providers),
    }
    let check = page_check(&written);
    let provider = written.provider.clone();
    let nodes = written.nodes.get_ref().len();
    let fallback = fallback(reading, written.fallback, &written.site, shape, &check);
    if let Some(fallback) = &fallback {
        check_slots(reading, &provider, providers, shape, nodes, &fallback.addresses);
    }
    Some(WatchSettings {
        site: written.site.value,
        provider: written.provider.value,
        shape,
        nodes: written.nodes.into_inner().into_iter().map(|at| at.value).collect(),
        fallback: fallback?,
        policy: policy(reading, written.policy, written.speed)?,
        ttl,
        check,
        lines,
    })
}

fn page_check(written: &Watch) -> PageCheck {
    let scheme = written.scheme.unwrap_or(Scheme::Http);
    PageCheck {
        scheme,
        port: written.port.as_ref().map_or(default_port(scheme), |port| *port.get_ref()),
        path: written.page.as_ref().map_or("/".to_owned(), |at| at.value.0.clone()),
        contains: written.contains.as_ref().map(|at| at.value.clone()),
    }
}

fn check_nodes(reading: &mut Reading<'_>, written: &Watch, peers: &BTreeMap<&NodeName, &PeerSettings>) {
    reading.not_empty(&written.nodes, "`nodes`", "[\"pi1\", \"pi2\"]");
    let nodes = written.nodes.get_ref();
    reading.unique("the node", nodes.iter().map(|at| (&at.value, at.span.clone())));
    for node in nodes.iter().filter(|node| !peers.contains_key(&node.value)) {
        let hint = did_you_mean(node.value.as_str(), peers.keys().map(|name| name.as_str()))
            .unwrap_or_else(|| format!("add a [[peer]] with name = \"{}\" and its public-key", node.value));
        reading.error(&node.span, format!("there is no peer `{}`", node.value), hint);
    }
    let witness = |node: &&At<NodeName>| peers.get(&node.value).is_some_and(|p| p.role == PeerRole::Witness);
    for node in nodes.iter().filter(witness) {
        let message = format!("the peer `{}` is a witness, and serves no site", node.value);
        reading.error(&node.span, message, "leave it out here: it looks at every site without being named");
    }
}

/// Some providers hold one address of each family for a name, and no CNAME: too little for most sites.
fn check_slots(
    reading: &mut Reading<'_>,
    provider: &At<String>,
    providers: &Providers,
    shape: Shape,
    nodes: usize,
    fallback: &[IpAddr],
) {
    let settings = providers.get(&provider.value);
    if settings.is_none_or(|settings| aliases(settings) == Aliases::Held) {
        return;
    }
    let of_family = |v4: bool| fallback.iter().filter(|address| address.is_ipv4() == v4).count();
    let needs = match shape {
        Shape::Cname => "a CNAME",
        Shape::Address if nodes > 1 || of_family(true) > 1 || of_family(false) > 1 => {
            "several addresses of one family"
        }
        Shape::Address => return,
    };
    let message = format!(
        "the site needs {needs}, and the provider `{}` holds one address of each family for a name",
        provider.value
    );
    let hint = "name a provider of another kind here; this one can still hold the names of the nodes";
    reading.error(&provider.span, message, hint);
}

/// A CNAME stands alone at its name, and the apex has SOA and NS (RFC 1912 section 2.4); it must lead to names.
fn check_cname(
    reading: &mut Reading<'_>,
    written: &Watch,
    peers: &BTreeMap<&NodeName, &PeerSettings>,
    providers: &Providers,
) {
    let site = &written.site;
    let at_apex =
        providers.get(&written.provider.value).is_some_and(|provider| *provider.zone() == site.value);
    if at_apex {
        let message = format!("`{}` is the apex of its zone, where a CNAME is not possible", site.value);
        let span = written.record.as_ref().map_or(site.span.clone(), Spanned::span);
        reading.error(&span, message, "use record = \"address\"");
    }
    for node in written.nodes.get_ref() {
        if peers.get(&node.value).is_some_and(|peer| peer.host.is_none()) {
            let message = format!("the peer `{}` has no `host`, which a CNAME would lead to", node.value);
            reading.error(
                &node.span,
                message,
                "add host = \"…\" to its [[peer]], or use record = \"address\"",
            );
        }
    }
}

/// A node's own name is written by its agent, the site's by this watcher; as a CNAME it would lead to itself.
fn check_own_names(reading: &mut Reading<'_>, written: &Watch, peers: &BTreeMap<&NodeName, &PeerSettings>) {
    let site = &written.site.value;
    let is_site =
        |node: &&At<NodeName>| peers.get(&node.value).is_some_and(|p| p.host.as_ref() == Some(site));
    for node in written.nodes.get_ref().iter().filter(is_site) {
        let message =
            format!("`{site}` would have two writers: it is the `host` of the peer `{}` too", node.value);
        reading.error(&node.span, message, "give the node a name of its own, such as `pi1.…`");
    }
}
