//! What `[address]` means.
//!
//! Never asks a source: whether one answers is found out by `hearth address`.

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Duration;

use toml::Spanned;

use super::echoes::default_sources;
use super::endpoint::WebUrl;
use super::file::address::{Address, AddressSource, AnswerForm, SourceKind};
use super::reading::Reading;
use super::value::At;
use crate::address::settings::{DnsEcho, EchoForm, Gateway};
use crate::address::{AddressSettings, Asked, Family, SourceSettings};

/// Between two questions to a source that says nothing else.
const SPACING: Duration = Duration::from_secs(2);

/// The settings that are written, with every default.
pub(super) fn address(reading: &mut Reading<'_>, written: Address) -> AddressSettings {
    let families = families(reading, written.families, &Family::ALL);
    if let Some(bind) = &written.bind
        && families != [Family::of(bind.value)]
    {
        let family = Family::of(bind.value);
        let message =
            format!("`bind` is an {family} address: questions of the other family cannot be sent from it");
        reading.error(&bind.span, message, format!("add families = [\"{family}\"]"));
    }
    let every = written.every.map_or(Duration::from_secs(5 * 60), |at| at.value);
    if let (Some(region), false) = (&written.region, written.source.is_empty()) {
        let message = "`region` chooses the sources when none is named, and here some are";
        reading.error(&region.span(), message, "remove it, or every [[address.source]]");
    }
    let spacing = SPACING.min(every);
    let first = written.source.first().map(Spanned::span);
    let named: Vec<_> =
        written.source.into_iter().filter_map(|source| self::source(reading, source, spacing)).collect();
    if let Some(first) = first {
        warn_of_lonely_classes(reading, &first, &families, &named);
    }
    let region = written.region.map(Spanned::into_inner).unwrap_or_default();
    AddressSettings {
        families,
        sources: if named.is_empty() { default_sources(region, spacing) } else { named },
        bind: written.bind.map(|at| at.value),
        admit: written.admit.into_iter().map(|at| at.value).collect(),
        every,
    }
}

/// Warns of a family that could never have an address: it takes two classes of sources to agree on one.
fn warn_of_lonely_classes(
    reading: &mut Reading<'_>,
    place: &Range<usize>,
    families: &[Family],
    sources: &[SourceSettings],
) {
    for family in families {
        let asked = sources.iter().filter(|source| source.asked.knows(*family));
        let classes: BTreeSet<_> = asked.map(|source| source.asked.class()).collect();
        if classes.len() < 2 {
            let asked = if classes.is_empty() { "none is" } else { "only one is" };
            let message = format!(
                "it takes two classes of sources to agree on an address; about {family} {asked} asked"
            );
            let hint =
                "add an [[address.source]] of another kind or operator, or remove all: the defaults will do";
            reading.warn(place, message, hint);
        }
    }
}

/// The families that are written, in order and once each, or `default`.
pub(super) fn families(
    reading: &mut Reading<'_>,
    written: Option<Spanned<Vec<Spanned<Family>>>>,
    default: &[Family],
) -> Vec<Family> {
    let Some(list) = written else { return default.to_vec() };
    reading.not_empty(&list, "`families`", "[\"ipv4\"] or [\"ipv4\", \"ipv6\"]");
    reading.unique("the family", list.get_ref().iter().map(|family| (family.get_ref(), family.span())));
    let mut families: Vec<_> = list.into_inner().into_iter().map(Spanned::into_inner).collect();
    families.sort_unstable();
    families
}

fn source(
    reading: &mut Reading<'_>,
    written: Spanned<AddressSource>,
    spacing: Duration,
) -> Option<SourceSettings> {
    let span = written.span();
    let mut written = written.into_inner();
    report_foreign_keys(reading, &written);
    let spacing = written.every.take().map_or(spacing, |at| at.value);
    let asked = match written.kind {
        SourceKind::Interface => Some(Asked::Interface),
        SourceKind::Https => https(reading, &span, written),
        SourceKind::Dns => dns(reading, &span, written).map(Asked::Dns),
        SourceKind::Upnp => Some(Asked::Upnp(gateway(&written))),
        SourceKind::NatPmp => Some(Asked::NatPmp(gateway(&written))),
        SourceKind::Pcp => Some(Asked::Pcp(gateway(&written))),
        SourceKind::Stun => stun(reading, &span, written),
    };
    Some(SourceSettings { asked: asked?, spacing })
}

fn gateway(written: &AddressSource) -> Gateway {
    written.gateway.as_ref().map_or(Gateway::Default, |gateway| Gateway::Given(*gateway.get_ref()))
}

/// Reports keys that belong to sources of another kind.
fn report_foreign_keys(reading: &mut Reading<'_>, written: &AddressSource) {
    use SourceKind::{Dns, Https, NatPmp, Pcp, Stun, Upnp};
    type Key = (&'static str, Option<Range<usize>>, &'static [SourceKind]);
    let keys: [Key; 9] = [
        ("url", written.url.as_ref().map(|at| at.span.clone()), &[Https]),
        ("operator", written.operator.as_ref().map(|at| at.span.clone()), &[Https]),
        ("key", written.key.as_ref().map(|at| at.span.clone()), &[Https]),
        ("family", written.family.as_ref().map(Spanned::span), &[Https]),
        ("name", written.name.as_ref().map(|at| at.span.clone()), &[Dns]),
        ("servers", written.servers.as_ref().map(Spanned::span), &[Dns]),
        ("answer", written.answer.as_ref().map(Spanned::span), &[Dns]),
        ("server", written.server.as_ref().map(|at| at.span.clone()), &[Stun]),
        ("gateway", written.gateway.as_ref().map(Spanned::span), &[Upnp, NatPmp, Pcp]),
    ];
    for (key, span, kinds) in keys {
        if let Some(span) = span.filter(|_| !kinds.contains(&written.kind)) {
            let message = format!("a source of the kind `{}` has no `{key}`", written.kind.word());
            reading.error(&span, message, "remove it");
        }
    }
}

fn https(reading: &mut Reading<'_>, span: &Range<usize>, written: AddressSource) -> Option<Asked> {
    let (Some(url), Some(operator)) = (written.url, written.operator) else {
        let hint = "`operator` is who runs the page: pages of one operator have one vote";
        reading.error(span, "a source of the kind `https` needs `url` and `operator`", hint);
        return None;
    };
    warn_in_the_clear(reading, &url);
    let key = written.key.map(|at| at.value);
    let family = written.family.map(Spanned::into_inner);
    Some(Asked::Https { url: url.value.0.to_string(), operator: operator.value, key, family })
}

fn dns(reading: &mut Reading<'_>, span: &Range<usize>, written: AddressSource) -> Option<DnsEcho> {
    let (Some(name), Some(servers)) = (written.name, written.servers) else {
        let hint = "such as name = \"myip.opendns.com\", servers = [\"208.67.222.222\"]";
        reading.error(span, "a source of the kind `dns` needs `name` and `servers`", hint);
        return None;
    };
    reading.not_empty(&servers, "`servers`", "[\"208.67.222.222\"]");
    let family = |at: &At<super::endpoint::NameServer>| (Family::of(at.value.0.ip()), at.span.clone());
    let of_families: Vec<_> = servers.get_ref().iter().map(family).collect();
    reading.unique("a server of the family", of_families.iter().map(|(family, span)| (family, span.clone())));
    let form = match written.answer.map(Spanned::into_inner).unwrap_or_default() {
        AnswerForm::Address => EchoForm::Address,
        AnswerForm::Txt => EchoForm::Text,
        AnswerForm::ChaosTxt => EchoForm::ChaosText,
    };
    let servers = servers.into_inner().into_iter().map(|at| at.value.0).collect();
    Some(DnsEcho { servers, name: name.value, form })
}

fn stun(reading: &mut Reading<'_>, span: &Range<usize>, written: AddressSource) -> Option<Asked> {
    let Some(server) = written.server else {
        let hint = "such as server = \"stun.cloudflare.com\"";
        reading.error(span, "a source of the kind `stun` needs `server`", hint);
        return None;
    };
    Some(Asked::Stun { host: server.value.host, port: server.value.port })
}

fn warn_in_the_clear(reading: &mut Reading<'_>, url: &At<WebUrl>) {
    if url.value.is_in_the_clear() {
        let message = "anybody on the way can change what this page answers";
        reading.warn(&url.span, message, "use https:// where the operator offers it");
    }
}

impl SourceKind {
    /// As it is written.
    const fn word(self) -> &'static str {
        match self {
            SourceKind::Interface => "interface",
            SourceKind::Https => "https",
            SourceKind::Dns => "dns",
            SourceKind::Upnp => "upnp",
            SourceKind::NatPmp => "nat-pmp",
            SourceKind::Pcp => "pcp",
            SourceKind::Stun => "stun",
        }
    }
}
